package live

import (
	"fmt"
	"sort"
	"strings"

	"svctour/model"
	"svctour/ui/frame"
	"svctour/ui/theme"
)

// slice is an EndpointSlice, and what drawing any of its rows needs to know of
// all of them.
type slice struct {
	*model.EndpointSlice
	row                       int // where it stands among the rows of all slices
	ready                     int // endpoints that are
	addresses, nodes, targets names
}

func slicesOf(list []*model.EndpointSlice) []slice {
	out, row := make([]slice, len(list)), 0
	for i, object := range list {
		s := &out[i]
		s.EndpointSlice, s.row = object, row
		for k := range object.Endpoints {
			e := &object.Endpoints[k]
			s.addresses.add(addressOf(e))
			s.nodes.add(e.Node)
			s.targets.add(targetOf(e))
			if e.IsReady() {
				s.ready++
			}
		}
		row += 1 + len(object.Endpoints)
	}
	return out
}

// endpointRows draw the EndpointSlices row by row, then the deprecated Endpoints
// object as `kubectl get endpoints` prints it.
func (v *View) endpointRows(t *theme.Theme, w int) frame.Rows {
	svc := v.service
	switch f := v.Focus; {
	case svc == nil:
		return note(t, fmt.Sprintf("No Service %q in namespace %q yet, so nothing collects addresses for it.", f.Service, f.Namespace), w)
	case svc.Type == model.ExternalName:
		return note(t, "An ExternalName Service has no endpoints: it is only a CNAME.", w)
	}
	if why, missing := v.Snapshot.Sync.Missing["endpointslices"]; missing {
		return note(t, "EndpointSlices cannot be read: "+why, w)
	}
	if len(v.slices) == 0 {
		if len(svc.Selector) == 0 {
			return note(t, "No EndpointSlice. The Service has no selector: somebody else has to write one.", w)
		}
		return note(t, "No EndpointSlice yet: the endpointslice controller has not written one.", w)
	}
	gone := v.gone(func(c *model.Change) bool { return c.Subject == "endpoint" && c.Name == v.Focus.Service })
	return frame.Stack(
		v.sliceRows(t, w),
		frame.List(len(gone), func(i int) frame.Line {
			return line(sp(" - "+t.Glyph.Gone+" ", t.Bad), sp(gone[i].Text, t.Removed))
		}),
		frame.Lines{v.legacyLine(t)},
	)
}

// sliceRows draw each slice: its head, then its endpoints.
func (v *View) sliceRows(t *theme.Theme, w int) frame.Rows {
	last := &v.slices[len(v.slices)-1]
	return frame.List(last.row+1+len(last.Endpoints), func(i int) frame.Line {
		s := &v.slices[sort.Search(len(v.slices), func(k int) bool { return v.slices[k].row > i })-1]
		if i == s.row {
			return line(
				sp(s.Name, v.marked(t, s.UID, t.Strong)),
				sp("  "+s.AddressType+"  "+slicePorts(s.EndpointSlice)+"  ", t.Text),
				sp(s.counts(), t.Muted),
			)
		}
		return v.endpointRow(t, s, &s.Endpoints[i-s.row-1], s.columns(w))
	})
}

func (s *slice) counts() string {
	switch n := len(s.Endpoints); {
	case n == 0:
		return "no endpoints"
	case s.ready == n:
		return fmt.Sprintf("%d ready", n)
	default:
		return fmt.Sprintf("%d of %d ready", s.ready, n)
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

// columns are the widths of what stands in the rows of one slice; node and
// target are 0 where there is no room for them.
type columns struct{ address, node, target int }

// Columns are at least as wide, so that they stay while Pods come and go, or
// are left out.
const (
	addressColumn = 15 // any IPv4 address
	stateColumn   = 11 // "terminating"
	nodeColumn    = 10
	targetColumn  = 4
)

// columns divides w. Addresses are shown whole unless they are wider than a row;
// a Pod and its node get what is left, or nothing where that is little.
func (s *slice) columns(w int) columns {
	room := w - len(" + * ") - 1
	c := columns{address: max(0, min(room, max(s.addresses.widest, addressColumn)))}
	room = max(0, room-c.address-stateColumn-1)
	if w >= 60 {
		c.node = min(max(s.nodes.widest, nodeColumn), max(room-1-s.targets.widest, room/2))
	}
	if c.node < nodeColumn {
		c.node = 0
	} else {
		room = max(0, room-c.node-1)
	}
	if room >= targetColumn {
		c.target = room
	}
	return c
}

func addressOf(e *model.Endpoint) string { return strings.Join(e.Addresses, ",") }

// targetOf is the name of the Pod behind an endpoint; "" when it is none.
func targetOf(e *model.Endpoint) string {
	if e.Target == nil {
		return ""
	}
	return e.Target.Name
}

func (v *View) endpointRow(t *theme.Theme, s *slice, e *model.Endpoint, c columns) frame.Line {
	address := addressOf(e)
	id := v.Focus.Namespace + "/" + v.Focus.Service + "/" + address
	glyph, style := endpointGlyph(t, e)
	row := line(
		sp(" "+v.sign(id)+" ", t.Added),
		sp(glyph+" ", style),
		sp(pad(s.addresses.cut(address, c.address), c.address)+" ", v.marked(t, id, t.Text)),
		sp(pad(e.State(), stateColumn)+" ", style),
	)
	if c.node > 0 {
		row = append(row, sp(pad(s.nodes.cut(e.Node, c.node), c.node)+" ", t.Muted))
	}
	return append(row, sp(s.targets.cut(targetOf(e), c.target), t.Muted))
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

func (v *View) legacyLine(t *theme.Theme) frame.Line {
	row := line(sp("Endpoints (v1, deprecated)  ", t.Muted))
	switch v.legacy {
	case "":
		return append(row, sp("no such object", t.Muted))
	case noAddresses:
		return append(row, sp(v.legacy, t.Warn))
	}
	return append(row, sp(v.legacy, t.Text))
}

const noAddresses = "<none>"

// legacyText is a v1 Endpoints object as kubectl prints it; "" without one.
func legacyText(object *model.Endpoints) string {
	if object == nil {
		return ""
	}
	var first []string
	n := 0
	for _, subset := range object.Subsets {
		for _, address := range subset.Ready {
			for _, p := range subset.Ports {
				if p.Port == nil {
					continue
				}
				if n++; n <= 3 {
					first = append(first, fmt.Sprintf("%s:%d", address, *p.Port))
				}
			}
		}
	}
	if n == 0 {
		return noAddresses
	}
	text := strings.Join(first, ",")
	if n > 3 {
		text += fmt.Sprintf(" + %d more...", n-3)
	}
	return text
}
