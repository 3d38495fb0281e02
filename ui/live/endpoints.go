package live

import (
	"fmt"
	"strings"

	"svctour/model"
	"svctour/ui/frame"
	"svctour/ui/theme"
)

// Endpoints draws the EndpointSlices of the view's Service row by row, then the
// deprecated Endpoints object as `kubectl get endpoints` prints it.
func Endpoints(v *View, t *theme.Theme, w int) []frame.Line {
	svc := v.service()
	if svc == nil {
		return note(t, fmt.Sprintf("No Service %q in namespace %q yet, so nothing collects addresses for it.", v.Service, v.Namespace), w)
	}
	if svc.Type == model.ExternalName {
		return note(t, "An ExternalName Service has no endpoints: it is only a CNAME.", w)
	}
	if why, missing := v.Snapshot.Sync.Missing["endpointslices"]; missing {
		return note(t, "EndpointSlices cannot be read: "+why, w)
	}
	slices := v.Snapshot.ServiceSlices(v.Namespace, v.Service)
	if len(slices) == 0 {
		if len(svc.Selector) == 0 {
			return note(t, "No EndpointSlice. The Service has no selector: somebody else has to write one.", w)
		}
		return note(t, "No EndpointSlice yet: the endpointslice controller has not written one.", w)
	}
	var lines []frame.Line
	for _, slice := range slices {
		lines = append(lines, line(
			sp(slice.Name, v.Changes.Style(t, slice.UID, t.Strong)),
			sp("  "+slice.AddressType+"  "+slicePorts(slice)+"  ", t.Text),
			sp(counts(slice), t.Muted),
		))
		c := columnsOf(slice, w)
		for i := range slice.Endpoints {
			lines = append(lines, endpointRow(v, t, &slice.Endpoints[i], c))
		}
	}
	for _, gone := range v.Changes.Gone("endpoint") {
		if strings.HasPrefix(gone.ID, v.Namespace+"/"+v.Service+"/") {
			lines = append(lines, line(sp(" - "+t.Glyph.Gone+" ", t.Bad), sp(gone.Text, t.Removed)))
		}
	}
	return append(lines, legacy(v, t))
}

func counts(slice *model.EndpointSlice) string {
	ready := 0
	for i := range slice.Endpoints {
		if slice.Endpoints[i].IsReady() {
			ready++
		}
	}
	switch n := len(slice.Endpoints); {
	case n == 0:
		return "no endpoints"
	case ready == n:
		return fmt.Sprintf("%d ready", n)
	default:
		return fmt.Sprintf("%d of %d ready", ready, n)
	}
}

func slicePorts(slice *model.EndpointSlice) string {
	if len(slice.Ports) == 0 {
		return "no ports"
	}
	var out []string
	for _, p := range slice.Ports {
		text := "all ports"
		if p.Port != nil {
			text = fmt.Sprintf("%d/%s", *p.Port, p.Protocol)
		}
		if p.Name != "" {
			text = p.Name + " " + text
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

// columns are the widths of what stands in the rows of one slice, and how it
// is cut to them.
type columns struct {
	address, node, target          int // node and target are 0 where there is no room for them
	cutAddress, cutNode, cutTarget func(string) string
}

// Columns are at least as wide, so that they stay while Pods come and go, or
// are left out.
const (
	addressColumn = 15 // any IPv4 address
	stateColumn   = 11 // "terminating"
	nodeColumn    = 10
	targetColumn  = 4
)

// columnsOf shares w out. Addresses are whole, but for those that no row holds;
// a Pod and its node get what is left, or nothing where that is little.
func columnsOf(slice *model.EndpointSlice, w int) columns {
	var addresses, nodes, targets []string
	for i := range slice.Endpoints {
		e := &slice.Endpoints[i]
		addresses, nodes, targets = append(addresses, addressOf(e)), append(nodes, e.Node), append(targets, targetOf(e))
	}
	room := w - len(" + * ") - 1
	c := columns{address: max(0, min(room, widest(addresses, addressColumn)))}
	room = max(0, room-c.address-stateColumn-1)
	if w >= 60 {
		c.node = min(widest(nodes, nodeColumn), max(room-1-widest(targets, 0), room/2))
	}
	if c.node < nodeColumn {
		c.node = 0
	} else {
		room = max(0, room-c.node-1)
	}
	if room >= targetColumn {
		c.target = room
	}
	c.cutAddress, c.cutNode, c.cutTarget = cutApart(addresses, c.address), cutApart(nodes, c.node), cutApart(targets, c.target)
	return c
}

func widest(texts []string, atLeast int) int {
	for _, text := range texts {
		atLeast = max(atLeast, frame.Width(text))
	}
	return atLeast
}

func addressOf(e *model.Endpoint) string { return strings.Join(e.Addresses, ",") }

// targetOf is the name of the Pod behind an endpoint; "" when it is none.
func targetOf(e *model.Endpoint) string {
	if e.Target == nil {
		return ""
	}
	return e.Target.Name
}

func endpointRow(v *View, t *theme.Theme, e *model.Endpoint, c columns) frame.Line {
	address := addressOf(e)
	id := v.Namespace + "/" + v.Service + "/" + address
	glyph, style := endpointGlyph(t, e)
	row := line(
		sp(" "+v.Changes.Sign(id)+" ", t.Added),
		sp(glyph+" ", style),
		sp(pad(c.cutAddress(address), c.address)+" ", v.Changes.Style(t, id, t.Text)),
		sp(pad(e.State(), stateColumn)+" ", style),
	)
	if c.node > 0 {
		row = append(row, sp(pad(c.cutNode(e.Node), c.node)+" ", t.Muted))
	}
	return append(row, sp(c.cutTarget(targetOf(e)), t.Muted))
}

func endpointGlyph(t *theme.Theme, e *model.Endpoint) (string, frame.Style) {
	switch e.State() {
	case "ready":
		return t.Glyph.Ready, t.Good
	case "serving", "terminating":
		return t.Glyph.Terminating, t.Warn
	}
	return t.Glyph.NotReady, t.Warn
}

func legacy(v *View, t *theme.Theme) frame.Line {
	row := line(sp("Endpoints (v1, deprecated)  ", t.Muted))
	object := v.Snapshot.LegacyEndpoints(v.Namespace, v.Service)
	if object == nil {
		return append(row, sp("no such object", t.Muted))
	}
	var addresses []string
	for _, subset := range object.Subsets {
		for _, address := range subset.Ready {
			for _, p := range subset.Ports {
				if p.Port != nil {
					addresses = append(addresses, fmt.Sprintf("%s:%d", address, *p.Port))
				}
			}
		}
	}
	if len(addresses) == 0 {
		return append(row, sp("<none>", t.Warn))
	}
	text := strings.Join(addresses[:min(3, len(addresses))], ",")
	if extra := len(addresses) - 3; extra > 0 {
		text += fmt.Sprintf(" + %d more...", extra)
	}
	return append(row, sp(text, t.Text))
}
