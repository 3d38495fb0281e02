package cli

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"svctour/model"
	"svctour/model/dns"
	"svctour/model/path"
)

// textWidth is the width that text output is laid out for: a plain terminal's.
const textWidth = 80

// traceText draws a trace for a terminal: the hops that all outcomes share, then
// each outcome with its own. rules adds every rule below its hop.
func traceText(t *path.Trace, width int, rules bool) string {
	p := &page{width: width}
	p.title(t.From+" → "+t.Target, t.Mode+", "+traceEvidence(t).String())
	route := t.Packet.Protocol + " " + orUnknown(t.Packet.Source) + " → " + destinationText(&t.Packet)
	if t.Service != "" {
		route += ", Service " + t.Service
	}
	if t.Packet.Node != "" {
		route += ", first node " + t.Packet.Node
	}
	p.paragraph("  ", "  ", route)

	for _, a := range t.Aliases {
		p.paragraph("  ", "    ", aliasText(&a))
	}

	shared := sharedHops(t.Outcomes)
	if shared > 0 && len(t.Outcomes) > 1 {
		p.blank()
		p.hops(t.Outcomes[0].Hops[:shared], "", rules)
	} else {
		shared = 0
	}
	for i := range t.Outcomes {
		o := &t.Outcomes[i]
		p.blank()
		p.paragraph("", "      ", percent(o.Probability)+" "+outcomeText(o))
		if where := placeText(o.Destination); where != "" {
			p.paragraph("      ", "      ", where)
		}
		p.hops(o.Hops[shared:], "  ", rules)
		if rules && o.Conntrack != nil {
			p.paragraph("  conntrack  ", "             ", conntrackText(o.Conntrack))
		}
	}
	p.notes(t.Notes)
	return p.String()
}

// destinationText is what the client connects to.
func destinationText(packet *path.Packet) string {
	if packet.Host != "" && packet.Destination == "" {
		return fmt.Sprintf("%s:%d", packet.Host, packet.Port)
	}
	return endpointText(packet.Destination, packet.Port)
}

// aliasText says what an ExternalName Service stands for.
func aliasText(a *dns.Alias) string {
	text := "alias " + a.Name + " → " + a.Target
	switch {
	case a.Broken != "":
		text += ", not followed: " + a.Broken
	case a.Outside:
		text += ", outside the cluster"
	case a.To != "":
		text += ", Service " + a.To
	default:
		text += ", which does not exist"
	}
	return text
}

// traceEvidence is the weakest evidence of any hop or end.
func traceEvidence(t *path.Trace) model.Evidence {
	weakest := model.Observed
	for _, o := range t.Outcomes {
		weakest = min(weakest, o.End.Evidence)
		for _, h := range o.Hops {
			weakest = min(weakest, h.Evidence)
		}
	}
	return weakest
}

// sharedHops counts the first hops that all outcomes have in common.
func sharedHops(outcomes []path.Outcome) int {
	if len(outcomes) == 0 {
		return 0
	}
	first := outcomes[0].Hops
	n := len(first)
	for _, o := range outcomes[1:] {
		i := 0
		for i < n && i < len(o.Hops) && o.Hops[i].Same(&first[i]) {
			i++
		}
		n = i
	}
	return n
}

func outcomeText(o *path.Outcome) string {
	source := ", source kept"
	switch {
	case o.Masquerade:
		source = ", source masqueraded"
	case slices.ContainsFunc(o.Hops, func(h path.Hop) bool { return h.Action == path.HopMasquerade && h.Evidence == model.Unknown }):
		source = ", source kept or not"
	}
	switch o.Verdict {
	case path.DNAT:
		return "DNAT to " + endpointText(o.Destination.IP, o.Destination.Port) + source + endText(&o.End)
	case path.Reject:
		return "REJECT: connection refused"
	case path.Drop:
		return "DROP: time-out"
	}
	switch end := &o.End; {
	case o.Destination != nil:
		return "to " + endpointText(o.Destination.IP, o.Destination.Port) + ", not translated" + endText(end)
	case end.Kind == path.EndNoName:
		return "NXDOMAIN: the name does not exist"
	case end.Kind == path.EndNoData:
		return "NODATA: the name has no address"
	case end.Kind == path.EndUnresolved:
		return "no address is known for the name"
	case end.Kind == path.EndOutside && end.Name != "":
		return "leaves the cluster for " + end.Name
	}
	return "not changed by kube-proxy"
}

// endText says where a packet with a destination does not arrive.
func endText(end *path.End) string {
	switch end.Kind {
	case path.EndDenied:
		return ", denied by NetworkPolicy " + strings.Join(end.Policies, ", ")
	case path.EndClosed:
		return ", refused there"
	case path.EndOutside:
		return ", outside the cluster"
	case path.EndLost:
		return ", where nothing answers"
	}
	return ""
}

// placeText says what an endpoint is and where.
func placeText(d *path.Destination) string {
	switch {
	case d == nil:
		return ""
	case d.Pod != "" && d.Node != "":
		return "Pod " + d.Pod + " on " + d.Node
	case d.Pod != "":
		return "Pod " + d.Pod
	case d.Node != "":
		return "on " + d.Node
	}
	return ""
}

// hops draws hops under a heading for each node and hook.
func (p *page) hops(hops []path.Hop, indent string, rules bool) {
	place := ""
	for _, h := range hops {
		if at := strings.TrimSpace(h.Node + " " + h.Hook); at != place {
			place = at
			p.line(indent + at)
		}
		what := h.What
		if h.Chance > 0 && h.Chance < 1 {
			what += "  " + percent(h.Chance)
		}
		if h.Table == "" {
			p.paragraph(indent+"  ", indent+"    ", what)
			if rules {
				p.passed(h.Passed, indent+"      ")
			}
			continue
		}
		chain := fmt.Sprintf("%s  %-6s %-25s ", indent, h.Table, model.Printable(h.Chain))
		p.paragraph(chain, strings.Repeat(" ", utf8.RuneCountInString(chain)), what)
		if rules && h.Rule != "" {
			p.paragraph(indent+"      ", indent+"        ", h.Rule)
		}
		if rules {
			p.passed(h.Passed, indent+"      ")
		}
	}
}

// passed lists rules that did not match.
func (p *page) passed(list []path.Passed, indent string) {
	for _, x := range list {
		text := x.Rule + ": " + x.Why
		switch {
		case x.Count == 1:
			text = "1 rule: " + x.Why
		case x.Rule == "":
			text = fmt.Sprintf("%d rules: %s", x.Count, x.Why)
		}
		p.paragraph(indent+"passed by: ", indent+"  ", x.Chain+" "+text)
	}
}

// conntrackText is an entry in the words of conntrack -L; what is not known is left out.
func conntrackText(c *path.Conntrack) string {
	words := []string{c.Protocol}
	for _, t := range []path.Tuple{c.Original, c.Reply} {
		for _, f := range [][2]string{{"src", t.Source}, {"dst", t.Destination}} {
			if f[1] != "" {
				words = append(words, f[0]+"="+f[1])
			}
		}
		for _, f := range []struct {
			name string
			port uint16
		}{{"sport", t.SourcePort}, {"dport", t.DestinationPort}} {
			if f.port != 0 {
				words = append(words, fmt.Sprintf("%s=%d", f.name, f.port))
			}
		}
	}
	return strings.Join(words, " ")
}

func percent(p float64) string {
	text := fmt.Sprintf("%.1f", 100*p)
	return strings.TrimSuffix(text, ".0") + "%"
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

func endpointText(ip string, port int32) string {
	switch {
	case ip == "":
		return "no address"
	case strings.Contains(ip, ":"):
		return fmt.Sprintf("[%s]:%d", ip, port)
	}
	return fmt.Sprintf("%s:%d", ip, port)
}
