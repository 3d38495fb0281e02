package live

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"svctour/model"
	"svctour/model/endpoints"
	"svctour/ui/frame"
	"svctour/ui/theme"
)

// member is a Pod of the map.
type member struct {
	pod   *model.Pod
	ready bool // its address is a ready endpoint of one of the Service's ports
}

// membersOf gives what the selector picks, or every Pod of the namespace while
// there is no Service.
func membersOf(s *model.Snapshot, namespace string, svc *model.Service) []member {
	ready := map[string]bool{} // addresses of ready endpoints
	if svc != nil {
		for i := range svc.Ports {
			for _, e := range endpoints.Joined(s.ServiceSlices(svc.Namespace, svc.Name), &svc.Ports[i]) {
				if e.IsReady() {
					ready[e.Addresses[0]] = true
				}
			}
		}
	}
	var out []member
	for _, pod := range s.PodsIn(namespace) {
		if svc == nil || len(svc.Selector) > 0 && endpoints.Matches(svc.Selector, pod.Labels) {
			out = append(out, member{pod, ready[pod.IP()]})
		}
	}
	return out
}

// mapRows draw who talks to whom: the client, the Service's addresses, and the
// Pods its selector picks, joined by what the EndpointSlices hold.
func (v *View) mapRows(t *theme.Theme, w int) frame.Rows {
	svc := v.service
	left, leftWidth := v.mapLeft(t), 0
	if svc != nil {
		for _, l := range left {
			leftWidth = max(leftWidth, l.Width())
		}
		leftWidth = min(leftWidth, w/2)
		leftWidth = max(leftWidth, len("Service ")+frame.Width(svc.Name))
	}
	pods := v.podRows(t, w-leftWidth)
	beside := frame.List(max(pods.Len(), len(left)), func(i int) frame.Line {
		var row frame.Line
		if leftWidth > 0 {
			if i < len(left) {
				row = append(row, left[i]...)
			}
			row = append(row, sp(blanks(leftWidth-row.Width()), t.Text))
		}
		if i < pods.Len() {
			row = append(row, pods.Row(i)...)
		}
		return row
	})
	return frame.Stack(frame.Lines{v.mapHead(t, leftWidth, w)}, beside)
}

func (v *View) mapHead(t *theme.Theme, leftWidth, w int) frame.Line {
	svc := v.service
	if svc == nil {
		return line(sp("   Pods in "+v.Focus.Namespace, t.Header))
	}
	selector := "no selector"
	if len(svc.Selector) > 0 {
		selector = labels(svc.Selector)
	}
	head := "Service " + svc.Name
	return line(sp(pad(head, leftWidth), v.marked(t, svc.UID, t.Title)), sp("     "+frame.Truncate("Pods  "+selector, w-leftWidth-5), t.Header))
}

// labels prints a label map as kubectl does: k=v,k=v in key order.
func labels(m map[string]string) string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for i, k := range keys {
		keys[i] = k + "=" + m[k]
	}
	return strings.Join(keys, ",")
}

// mapLeft is one row per way in: cluster IP, node port, load balancer.
func (v *View) mapLeft(t *theme.Theme) []frame.Line {
	svc := v.service
	if svc == nil {
		return nil
	}
	style := v.marked(t, svc.UID, t.Text)
	kindWidth := len("ClusterIP ")
	if svc.Type == model.LoadBalancer {
		kindWidth = len("LoadBalancer ")
	}
	var rows []frame.Line
	add := func(kind, address string, s frame.Style) {
		rows = append(rows, line(sp(pad(kind, kindWidth), t.Muted), sp(address, s)))
	}
	if client := v.clientLabel(); client != "" {
		add("from", client, t.Text)
	}
	switch {
	case svc.Type == model.ExternalName:
		add("CNAME", svc.ExternalName, style)
	case svc.Headless():
		add("headless", "no virtual IP", style)
	}
	for _, p := range svc.Ports {
		if ip := svc.ClusterIP(); ip != "" && ip != model.None {
			add("ClusterIP", fmt.Sprintf("%s:%d/%s", ip, p.Port, p.Protocol), style)
		}
		if p.NodePort != 0 {
			add("NodePort", fmt.Sprintf("any node:%d", p.NodePort), style)
		}
		if svc.Type == model.LoadBalancer {
			add("LoadBalancer", externalAddress(svc, p), ingressStyle(t, svc, style))
		}
	}
	return rows
}

func ingressStyle(t *theme.Theme, svc *model.Service, style frame.Style) frame.Style {
	if len(svc.Ingress) == 0 {
		return t.Warn
	}
	return style
}

func externalAddress(svc *model.Service, p model.ServicePort) string {
	if len(svc.Ingress) == 0 {
		return "<pending>"
	}
	in := svc.Ingress[0]
	host := in.IP
	if host == "" {
		host = in.Hostname
	}
	return host + ":" + strconv.Itoa(int(p.Port))
}

func (v *View) clientLabel() string {
	client := v.Client
	switch {
	case client.Kind == model.ClientPod:
		if pod := v.Snapshot.Pod(client.Namespace, client.Name); pod != nil && pod.IP() != "" {
			return "Pod " + pod.IP()
		}
		return "Pod " + shortName(client.Name)
	case client.Kind == model.ClientNode:
		return "node " + client.Name
	case client.Kind == model.ClientOutside:
		return "outside the cluster"
	}
	return ""
}

func (v *View) podRows(t *theme.Theme, w int) frame.Rows {
	gone := v.gone(func(c *model.Change) bool { return c.Subject == "pod" })
	pods, total := len(v.members), len(v.members)+len(gone)
	if total == 0 {
		text := "no Pods here yet"
		if v.service != nil {
			text = "no Pod carries these labels"
		}
		return frame.Lines{frame.L("   "+text, t.Muted)}
	}
	return frame.List(total, func(i int) frame.Line {
		var row frame.Line
		if i < pods {
			m := &v.members[i]
			if v.service != nil {
				row = line(connector(t, m.ready, i, total))
			}
			return append(row, v.podCells(t, m.pod, w-6)...)
		}
		if v.service != nil {
			row = line(sp(joint(t, i, total)+"  ", t.Muted))
		}
		return append(row, sp("-"+t.Glyph.Gone+" ", t.Bad), sp(shortName(gone[i-pods].Name)+"  "+gone[i-pods].Address, t.Removed))
	})
}

func joint(t *theme.Theme, i, total int) string {
	switch {
	case total == 1:
		return " " + t.Glyph.Line + t.Glyph.Line
	case i == 0:
		return " " + t.Glyph.Line + t.Glyph.Fork
	case i == total-1:
		return "  " + firstRune(t.Glyph.BranchEnd)
	}
	return "  " + firstRune(t.Glyph.Branch)
}

func firstRune(s string) string {
	for _, r := range s {
		return string(r)
	}
	return ""
}

// connector is solid when the address is a ready endpoint, broken otherwise.
func connector(t *theme.Theme, ready bool, i, total int) frame.Span {
	stem := joint(t, i, total)
	if ready {
		return sp(stem+t.Glyph.Line+t.Glyph.Head, t.Good)
	}
	return sp(stem+t.Glyph.Middle+t.Glyph.OpenHead, t.Muted)
}

func (v *View) podCells(t *theme.Theme, pod *model.Pod, w int) frame.Line {
	status := pod.Status()
	glyph, style := t.Glyph.NotReady, t.Warn
	switch {
	case pod.Terminating():
		glyph = t.Glyph.Terminating
	case pod.Ready():
		glyph, style = t.Glyph.Ready, t.Good
	}
	name := pod.Name
	ip := pod.IP()
	if ip == "" {
		ip = "no IP yet"
	}
	if pod.Ready() && status == "Running" {
		status = ""
	}
	if need := len("+* ") + frame.Width(name) + 2 + len(ip) + 2 + len(pod.Node) + 1 + len(status); need > w {
		name = shortName(name)
	}
	return line(
		sp(v.sign(pod.UID), t.Added),
		sp(glyph+" ", style),
		sp(name+"  ", v.marked(t, pod.UID, t.Text)),
		sp(ip, v.marked(t, pod.UID, t.Strong)),
		sp("  "+pod.Node+" ", t.Muted),
		sp(status, style),
	)
}

// shortName keeps the last part of a generated Pod name: "web-6d4b75cb6d-x2k9p" is "…x2k9p".
func shortName(name string) string {
	parts := strings.Split(name, "-")
	if len(parts) < 3 {
		return name
	}
	return parts[0] + "-…" + parts[len(parts)-1]
}
