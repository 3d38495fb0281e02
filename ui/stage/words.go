package stage

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"svctour/model"
	"svctour/model/scene"
	"svctour/ui/frame"
)

// fit gives the first of several ways to write something that fits into w
// columns, else the last one, cut with a mark.
func fit(w int, ways ...[]span) []span {
	for _, spans := range ways {
		if width(spans) <= w {
			return spans
		}
	}
	return cut(ways[len(ways)-1], w)
}

func width(spans []span) int {
	w := 0
	for _, s := range spans {
		w += frame.Width(s.text)
	}
	return w
}

// cut shortens spans to w columns; the last one shows that something was cut.
func cut(spans []span, w int) []span {
	if width(spans) <= w {
		return spans
	}
	var out []span
	for _, s := range spans {
		n := frame.Width(s.text)
		if n < w {
			out, w = append(out, s), w-n
			continue
		}
		if w > 0 {
			out = append(out, span{frame.Truncate(s.text+"…", w), s.role})
		}
		break
	}
	return out
}

// tail keeps the last part of a generated name alone.
func tail(name string) string {
	parts := strings.Split(name, "-")
	if len(parts) < 2 {
		return name
	}
	return "…" + parts[len(parts)-1]
}

// address is "10.244.0.4:80", and short its last two parts, ".0.4:80".
func address(ip string, port int32) string {
	switch {
	case ip == "":
		return "no IP yet"
	case port == 0:
		return ip
	case strings.Contains(ip, " "): // words
		return ip + ":" + strconv.Itoa(int(port))
	}
	return net.JoinHostPort(ip, strconv.Itoa(int(port)))
}

func shortAddress(ip string, port int32) string {
	parts := strings.Split(ip, ".")
	if len(parts) != 4 {
		return address(ip, port)
	}
	return "." + strings.TrimPrefix(address(strings.Join(parts[2:], "."), port), ".")
}

// state is the glyph of a Pod's state, and how it is meant.
func state(p *scene.Pod) (string, role) {
	switch p.State {
	case scene.Ready:
		return "●", good
	case scene.NotReady:
		return "◌", warn
	case scene.Serving, scene.Terminating:
		return "◐", warn
	case scene.Pending:
		return "◌", muted
	case scene.Gone:
		return "✕", bad
	}
	return "○", muted
}

func nameRole(p *scene.Pod) role {
	switch p.State {
	case scene.Ready:
		return plain
	case scene.Outside, scene.Gone, scene.Ended:
		return muted
	}
	return plain
}

// marked is the glyph of a Pod's state, and beside it what a plan does to it.
func marked(p *scene.Pod) (span, role) {
	glyph, r := state(p)
	sign := " "
	switch p.Planned {
	case scene.Comes:
		sign, r = "+", planned
	case scene.Goes:
		sign = "-"
	case scene.Turns:
		sign = "~"
	}
	return span{glyph + sign, r}, r
}

// podLine is a Pod in one line.
func podLine(p *scene.Pod, w int) []span {
	mark, r := marked(p)
	full, short := address(p.Address, p.Port), shortAddress(p.Address, p.Port)
	line := func(name, rest string, rr role) []span {
		return []span{mark, {name, nameRole(p)}, {"  " + rest, rr}}
	}
	if why := p.Why; why != "" && p.State != scene.Ready {
		ways := [][]span{
			append(line(p.Name, full, muted), span{"  " + why, r}),
			line(p.Name, why, r), line(model.ShortName(p.Name), why, r), line(tail(p.Name), why, r),
			{mark, {tail(p.Name) + " " + why, r}},
		}
		return fit(w, ways...)
	}
	return fit(w,
		line(p.Name, full, strong), line(model.ShortName(p.Name), full, strong), line(model.ShortName(p.Name), short, strong), line(tail(p.Name), short, strong),
		[]span{mark, {tail(p.Name) + " ", nameRole(p)}, {short, strong}}, []span{mark, {tail(p.Name), nameRole(p)}})
}

// podCard is a Pod in n lines: its name, its address, why it gets nothing or what
// it gets, and what else is known.
func podCard(p *scene.Pod, w, n int) [][]span {
	if n == 1 {
		return [][]span{podLine(p, w)}
	}
	mark, r := marked(p)
	share := ""
	if p.Share > 0 && p.Share < 1 {
		share = model.Fraction(p.Share)
	}
	first := func(name string) []span {
		line := []span{mark, {name, nameRole(p)}}
		if share == "" {
			return line
		}
		return append(line, span{strings.Repeat(" ", max(1, w-width(line)-len(share))), plain}, span{share, answer})
	}
	lines := [][]span{fit(w, first(p.Name), first(model.ShortName(p.Name)), first(tail(p.Name)), []span{mark, {tail(p.Name), nameRole(p)}})}
	where := [][]span{{{"  ", plain}, {address(p.Address, p.Port), strong}}, {{"  ", plain}, {shortAddress(p.Address, p.Port), strong}}}
	why := []span{{"  " + p.Why, r}}
	switch {
	case p.Why == "":
		lines = append(lines, fit(w, where...))
	case n == 2:
		lines = append(lines, fit(w, append(append([]span{}, where[0]...), span{"  " + p.Why, r}), append(append([]span{}, where[1]...), span{" " + p.Why, r}), why))
	default:
		lines = append(lines, fit(w, where...), cut(why, w))
	}
	if p.Restarts > 0 && len(lines) < n {
		lines = append(lines, cut([]span{{"  " + model.Count(int(p.Restarts), "restart"), warn}}, w))
	}
	return lines
}

// foldLine stands for n Pods that are not drawn one by one.
func foldLine(pods []scene.Pod, w int) []span {
	ready, other := 0, 0
	for i := range pods {
		if pods[i].State == scene.Ready {
			ready++
		} else {
			other++
		}
	}
	line := []span{{fmt.Sprintf("+%d ", len(pods)), strong}, {"Pods", muted}}
	if ready > 0 {
		line = append(line, span{fmt.Sprintf("  ● %d", ready), good})
	}
	if other > 0 {
		line = append(line, span{fmt.Sprintf("  ○ %d", other), warn})
	}
	return fit(w, line, append([]span{{fmt.Sprintf("+%d", len(pods)), strong}}, line[2:]...))
}

// bandLabel says what the virtual address is.
func bandLabel(b *scene.Band, w int) []span {
	at := b.Address
	if at == "" {
		at = "address open"
	}
	name := span{" " + b.Name + " ", title}
	switch b.Planned {
	case scene.Comes:
		name = span{" + " + b.Name + " ", planned}
	case scene.Turns:
		name = span{" ~ " + b.Name + " ", planned}
	}
	counted := span{fmt.Sprintf("· %d/%d ready ", b.Ready, b.All), good}
	if b.Ready == 0 {
		counted = span{"· no endpoint ", bad}
		if b.All > 0 {
			counted = span{fmt.Sprintf("· none of %d ready ", b.All), bad}
		}
	}
	ports := portsText(b, len(b.Ports))
	one := portsText(b, 1)
	selector := span{}
	if b.Selector != "" {
		selector = span{"· wants " + b.Selector + " ", accent}
	}
	where := span{"· " + b.Where + " ", answer}
	var traits []span
	for _, t := range b.Traits {
		traits = append(traits, span{"· " + t + " ", warn})
	}
	with := func(spans ...span) []span { return append(spans, traits...) }
	return fit(w,
		append(with(name, span{at + ports + " ", strong}, selector, counted), where),
		append(with(name, span{at + one + " ", strong}, selector, counted), where),
		with(name, span{at + one + " ", strong}, selector, counted),
		with(name, span{at + one + " ", strong}, counted),
		[]span{name, {at + one + " ", strong}, counted},
		[]span{name, {at + one + " ", strong}},
		[]span{name},
	)
}

// portsText is ":80", or ":80→8080" where the number changes, for at most n ports.
func portsText(b *scene.Band, n int) string {
	var parts []string
	add := func(p *scene.Port) {
		part := strconv.Itoa(int(p.Number))
		if p.Target != part {
			part += "→" + p.Target
		}
		if p.Protocol != "TCP" {
			part += "/" + p.Protocol
		}
		if p.Name != "" && len(b.Ports) > 1 {
			part = p.Name + " " + part
		}
		parts = append(parts, part)
	}
	for i := range b.Ports {
		if p := &b.Ports[i]; p.Here {
			add(p)
		}
	}
	for i := range b.Ports {
		if p := &b.Ports[i]; !p.Here && len(parts) < n {
			add(p)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	text := ":" + strings.Join(parts, ", ")
	if rest := len(b.Ports) - len(parts); rest > 0 {
		text += fmt.Sprintf(" +%d", rest)
	}
	return text
}

func evidenceRole(e model.Evidence) role {
	switch e {
	case model.Observed:
		return observed
	case model.Derived:
		return derived
	}
	return unknown
}

var steps = [...]string{"①", "②", "③", "④"}

func blank(n int) string { return strings.Repeat(" ", max(0, n)) }

// captionSpans writes a caption in w columns, with how it is known at the right.
func captionSpans(c *scene.Caption, w int) []span {
	lead := span{"  ", plain}
	r, after := plain, strong
	switch {
	case c.Step > 0:
		lead = span{steps[min(c.Step, len(steps))-1] + " ", accent}
	case c.Tone == scene.Bad:
		lead = span{"✗ ", bad}
	}
	switch c.Tone {
	case scene.Bad:
		after = bad
		if c.After == "" {
			r = bad
		}
	case scene.Remark:
		r = muted
	}
	body := []span{lead, {c.Text, r}}
	if c.After != "" {
		arrow := "  ⇒  "
		if c.Name {
			arrow = " ▸ "
		}
		body = append(body, span{arrow, muted}, span{c.After, after})
	}
	var note []span
	if c.Tone != scene.Remark || c.Note != "" {
		note = []span{{c.Evidence.String(), evidenceRole(c.Evidence)}}
	}
	if with := append([]span{{c.Note + "  ", muted}}, note...); c.Note != "" && width(body)+2+width(with) <= w {
		note = with
	}
	if len(note) > 0 {
		body = cut(body, max(1, w-2-width(note)))
		return cut(append(append(body, span{blank(w - width(body) - width(note)), plain}), note...), w)
	}
	return cut(body, w)
}
