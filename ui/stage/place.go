package stage

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"svctour/model"
	"svctour/model/scene"
	"svctour/ui/frame"
)

// place puts everything where it belongs.
func (a *arranger) place() {
	r, y := &a.rows, 0
	if r.above > 0 {
		a.caption(0, y, a.W, a.captions[0])
		y++
	}
	first, _ := a.split()
	for i := range r.below {
		a.caption(0, a.bottom()+i, a.W, a.captions[first+i])
	}
	top := y + r.outer
	a.lanes.top, a.lanes.outer = top, top-1
	at := top + 1
	if r.names > 0 {
		a.lanes.asked = at + r.names - 3
		a.lanes.names = a.lanes.asked + 1
		at += r.names
	}
	client := at
	at += r.client + r.stem
	a.lanes.band, a.lanes.lane = at, at+1
	podsTop := at + r.band + r.gap
	for i := range a.cols {
		a.machine(&a.cols[i], top, podsTop)
	}
	if r.outer > 0 {
		a.placeOutside(y)
	}
	a.placeClient(client)
	a.bandOf(at)
	if r.names > 0 {
		a.bandOfNames(a.lanes.names)
	}
	a.tags(client + r.client)
}

// bottom is the first row below the machines.
func (a *arranger) bottom() int { return a.H - a.rows.below }

// machine draws one column: its box, its doors and its Pods.
func (a *arranger) machine(c *column, top, podsTop int) {
	c.area.Y, c.area.H = top, a.bottom()-top
	name := ""
	if c.machine != nil {
		name = c.machine.Name
	}
	b := box{area: c.area, role: muted, dashed: c.dashed}
	doors := a.doorText(c)
	room := c.area.W - 6 - width(doors) - boolean(len(doors) > 0)
	if a.rows.outer > 0 && len(doors) == 0 {
		room -= 4
	}
	head := append([]span{{c.title, strong}}, c.head...)
	if c.machine != nil && c.machine.Address != "" {
		head = fit(room, append(append([]span{}, head...), span{" " + c.machine.Address, muted}), head)
	}
	b.head = cut(head, room)
	a.boxes = append(a.boxes, b)
	a.lanes.entry[name] = c.area.X + c.area.W - 4 // right of the title
	if len(doors) > 0 {
		x := c.area.X + c.area.W - 2 - width(doors)
		a.texts = append(a.texts, text{point: point{x, top}, w: width(doors), spans: doors, kind: door})
		a.lanes.entry[name] = x + width(doors)/2
	}
	a.lanes.gutter[name] = c.area.X + 2
	for i := range c.folded {
		a.lanes.gutter[c.folded[i].Name], a.lanes.entry[c.folded[i].Name] = c.area.X+2, a.lanes.entry[name]
	}
	a.placeNames(c)
	a.placePods(c, podsTop)
}

// doorText is the nodePort on a machine's border.
func (a *arranger) doorText(c *column) []span {
	if c.machine == nil || len(c.doors) == 0 {
		return nil
	}
	at := max(0, slices.IndexFunc(c.doors, func(d scene.Door) bool { return d.Here }))
	d := c.doors[at]
	r, mark := accent, ""
	switch d.State {
	case scene.Drops:
		r, mark = warn, " drops"
	case scene.Refuses:
		r, mark = bad, " refuses"
	}
	more := ""
	if n := len(c.doors) - 1; n > 0 {
		more = fmt.Sprintf(" +%d", n)
	}
	port := ":" + strconv.Itoa(int(d.Port))
	return fit(max(8, c.area.W-10), []span{{"╡" + port + mark + more + "╞", r}}, []span{{"╡" + port + more + "╞", r}}, []span{{"╡" + port + "╞", r}})
}

// placeNames puts the Pods that answer DNS queries on their machine.
func (a *arranger) placeNames(c *column) {
	n := a.rows.names - 3
	if n <= 0 || len(c.names) == 0 {
		return
	}
	for i := range min(n, len(c.names)) {
		p := c.names[i]
		p.Name, _, _ = strings.Cut(p.Name, "-")
		at := point{c.area.X + 2, a.lanes.asked - n + i}
		spans := podLine(&p, c.area.W-6)
		if i == n-1 && len(c.names) > n {
			spans = foldLine(c.names[i:], c.area.W-6)
		}
		a.texts = append(a.texts, text{point: point{at.x + 2, at.y}, w: c.area.W - 6, spans: spans, uid: p.UID})
		if p.State == scene.Ready {
			a.serving(at)
		}
	}
}

// placePods stacks a machine's Pods in its slots.
func (a *arranger) placePods(c *column, top int) {
	r := &a.rows
	slot := (c.area.W - 2) / c.slots
	keep, folded := a.whole(c.pods, c.slots*r.stack)
	if c.folded != nil {
		keep, folded = nil, c.pods
	}
	for i := range len(keep) + boolean(len(folded) > 0) {
		x := c.area.X + 1 + (i%c.slots)*slot
		y := top + (i/c.slots)*(r.card+r.pad)
		if i == len(keep) {
			a.fold(point{x, y}, slot, folded)
			return
		}
		a.pod(point{x, y}, slot, &keep[i])
	}
}

// whole chooses the Pods that are drawn one by one where there is room for n:
// those with trouble or news first.
func (a *arranger) whole(pods []scene.Pod, n int) (keep, folded []scene.Pod) {
	if len(pods) <= n {
		return pods, nil
	}
	chosen, left := make([]bool, len(pods)), n-1
	for _, wanted := range []func(*scene.Pod) bool{
		func(p *scene.Pod) bool { return p.Trouble() }, func(p *scene.Pod) bool { return p.Fresh }, func(*scene.Pod) bool { return true },
	} {
		for i := range pods {
			if left > 0 && !chosen[i] && wanted(&pods[i]) {
				chosen[i] = true
				left--
			}
		}
	}
	for i := range pods {
		if chosen[i] {
			keep = append(keep, pods[i])
		} else {
			folded = append(folded, pods[i])
		}
	}
	return keep, folded
}

func (a *arranger) pod(at point, slot int, p *scene.Pod) {
	x, w, y := at.x+3, slot-4, at.y
	if a.rows.card >= 4 {
		r := muted
		if p.State == scene.Ready {
			r = good
		} else if p.Trouble() {
			r = warn
		}
		a.boxes = append(a.boxes, box{area: frame.Rect{X: x, Y: y, W: w, H: a.rows.card}, role: r, dashed: p.Planned == scene.Comes, card: true, uid: p.UID})
		x, w, y = x+2, w-4, y+1
	}
	lines := podCard(p, w, min(3, max(a.rows.card-2*boolean(a.rows.card >= 4), 1)))
	for i, spans := range lines {
		t := text{point: point{x, y + i}, w: w, spans: spans}
		if i == 0 {
			t.uid = p.UID
		}
		if i == len(lines)-1 {
			if t.key = p.Key; i > 0 {
				t.kind = meter
			}
		}
		a.texts = append(a.texts, t)
	}
	a.lanes.pods[p.Key] = point{at.x + 1, y}
	if p.State == scene.Ready || p.Share > 0 {
		a.served(point{at.x + 1, y})
	}
}

// fold stands for the Pods that are not drawn one by one.
func (a *arranger) fold(at point, slot int, pods []scene.Pod) {
	a.texts = append(a.texts, text{point: point{at.x + 3, at.y}, w: slot - 4, spans: foldLine(pods, slot-4)})
	ready := false
	for i := range pods {
		a.lanes.pods[pods[i].Key] = point{at.x + 1, at.y}
		ready = ready || pods[i].State == scene.Ready
	}
	if ready {
		a.served(point{at.x + 1, at.y})
	}
}

// bandOf draws the virtual address, or says that there is none.
func (a *arranger) bandOf(y int) {
	x, w := a.bandText()
	switch b := a.s.Band; {
	case b != nil:
		a.bands = append(a.bands, band{y: y, x1: a.W - 1, label: bandLabel(b, w), at: x, uid: b.UID, role: accent})
	case a.s.Kind == scene.Headless:
		w = min(w, a.roomAt(x))
		label := "no virtual address"
		if w < len(label) {
			label = "no address"
		}
		a.texts = append(a.texts, text{point: point{x, y}, w: w, spans: cut([]span{{label, muted}}, w)})
	}
}

// wholeLabel is the room that a band's label takes with most of what it says.
const wholeLabel = 56

// bandText is where a band's label begins, and how much room it has there: right
// of the first machine's wires, and beside the one that crosses the band.
func (a *arranger) bandText() (x, w int) {
	x = a.cols[0].area.X + 5
	w = a.W - x - 2
	if at := a.source(); at >= x-1 {
		if w = at - x - 1; w < wholeLabel && a.W-at-4 > w {
			x, w = at+2, a.W-at-4
		}
	}
	return x, w
}

func (a *arranger) bandOfNames(y int) {
	n := a.s.Names
	label := []span{{" " + cmp.Or(n.Name, "DNS") + " ", title}, {n.Address + ":53 ", strong}}
	if n.Ready == 0 {
		label = append(label, span{"· no endpoint ", bad})
	} else {
		label = append(label, span{fmt.Sprintf("· %d/%d ready ", n.Ready, n.All), good})
	}
	x, w := a.bandText()
	a.bands = append(a.bands, band{y: y, x1: a.W - 1, label: cut(label, w), at: x, role: derived})
}

// placeClient puts the client on its machine.
func (a *arranger) placeClient(y int) {
	c := a.s.Client
	if c == nil || c.Kind == model.ClientOutside || a.rows.client == 0 {
		return
	}
	col := &a.cols[0]
	for i := range a.cols {
		if m := a.cols[i].machine; m != nil && m.Name == c.Machine {
			col = &a.cols[i]
		}
	}
	x, w := col.area.X+2, col.area.W-4
	mark := span{"▣ ", accent}
	name := span{c.Label, strong}
	spans := []span{mark, name}
	switch {
	case c.Why != "":
		spans = fit(w, []span{mark, name, {"  " + c.Why, warn}}, []span{mark, {tail(c.Label), strong}, {" " + c.Why, warn}})
	case c.Address != "":
		spans = fit(w, []span{mark, name, {"  " + c.Address, plain}}, []span{mark, name, {" " + shortAddress(c.Address, 0), plain}}, []span{mark, {tail(c.Label), strong}})
	}
	a.texts = append(a.texts, text{point: point{x, y}, w: w, spans: spans, uid: c.UID})
	if c.Address != "" || c.Kind == model.ClientNode {
		a.lanes.client = &point{x, y}
	}
}

// placeOutside puts what is outside the cluster above the machines.
func (a *arranger) placeOutside(y int) {
	boxed := a.rows.outer >= 4
	x := 1
	var edges []point
	put := func(w int, head string, r role, dashed bool, body ...[]span) *point {
		w = min(w, a.W-1-x)
		if w < 10 {
			return nil
		}
		if !boxed {
			w = min(a.W-1-x, frame.Width(head)+1+width(body[0]))
		}
		at := &point{x + w/2, y + 1}
		if boxed {
			edges = append(edges, point{x, y + 1}, point{x + w - 1, y + 1})
		} else { // wires go up to the words, not into them
			edges = append(edges, point{x - 1, y}, point{x + w, y})
		}
		if boxed {
			a.boxes = append(a.boxes, box{area: frame.Rect{X: x, Y: y, W: w, H: 3}, head: cut([]span{{head, strong}}, w-4), role: r, dashed: dashed})
			a.texts = append(a.texts, text{point: point{x + 2, y + 1}, w: w - 4, spans: fit(w-4, body...)})
			at.y = y + 2
		} else {
			whole := make([][]span, len(body))
			for i := range body {
				whole[i] = append([]span{{head + " ", strong}}, body[i]...)
			}
			a.texts = append(a.texts, text{point: point{x, y}, w: w, spans: fit(w, whole...)})
		}
		x += w + 8
		return at
	}
	third := max(14, (a.W-18)/3)
	if c := a.s.Client; c != nil && c.Kind == model.ClientOutside {
		a.lanes.client = put(min(third, 30), "outside", accent, false, []span{{"▣ ", accent}, {cmp.Or(c.Address, "some address"), strong}})
	}
	if b := a.s.Balancer; b != nil {
		body := [][]span{{{b.Address, strong}}}
		r := accent
		if b.Pending {
			r = warn
			body = [][]span{{{"EXTERNAL-IP ", muted}, {"<pending>", warn}, {": no address yet", warn}}, {{"<pending>", warn}}}
		}
		a.lanes.balancer = put(min(third+6, 44), b.Title, r, b.Pending, body...)
		if a.lanes.client != nil && len(edges) == 4 {
			a.lanes.bridge = &[2]point{edges[1], edges[2]}
		}
	}
	if a.s.Leaves() {
		a.lanes.away = put(min(third+16, 60), "outside the cluster", derived, true, []span{{a.s.Alias.To, strong}})
	}
}

// tags are what the packet carries before its translation, beside its wire.
func (a *arranger) tags(y int) {
	before, after, ok := a.s.Carries()
	if !ok || a.lanes.client == nil {
		return
	}
	at, area := a.source(), a.cols[0].area
	for i := range a.cols {
		if c := a.cols[i].area; at >= c.X && at < c.X+c.W {
			area = c
		}
	}
	put := func(y int, kind textKind, s string) {
		x := at + 2
		if w := area.X + area.W - 1 - x; w >= 12 {
			a.texts = append(a.texts, text{point: point{x, y}, w: w, spans: cut([]span{{s, muted}}, w), kind: kind})
		}
	}
	if a.rows.stem > 0 {
		put(y, sentTag, "→ "+before)
	}
	if a.rows.gap > 0 && after != "" && a.s.Band != nil {
		put(a.lanes.lane+1, hereTag, "⇒ "+after)
	}
}

// most is how many ways are looked at for where they end.
const most = 64

// placeEnds marks where ways end without an answer.
func (a *arranger) placeEnds() {
	said := false
	for i := range min(a.s.Ways(), most) {
		legs := a.s.Way(i, false).Legs
		if len(legs) == 0 {
			return
		}
		last := &legs[len(legs)-1]
		at, ok := a.endOf(last)
		if !last.Fails() || !ok {
			continue
		}
		a.Picture.ends = append(a.Picture.ends, at)
		if last.To.At == scene.AtBand && !said {
			said = true
			a.sayEnd(at.x, "✗ "+string(last.End)+" here")
		}
	}
}

// endOf is where a leg ends in the picture.
func (a *arranger) endOf(l *scene.Leg) (at point, ok bool) {
	if l.To == l.From && l.To.At == scene.AtClient && a.lanes.client != nil { // it never leaves
		return point{a.lanes.client.x, a.lanes.client.y + 1}, true
	}
	cells := a.route(l.From, l.To)
	if len(cells) == 0 {
		return point{}, false
	}
	at = cells[len(cells)-1]
	switch {
	case l.Kind == scene.Answer:
		at = cells[0]
	case l.To.At == scene.AtPod:
		at.x++
	}
	return at, true
}

// sayEnd writes a word below the virtual address, beside the column x.
func (a *arranger) sayEnd(x int, word string) {
	at, w := x+2, a.roomAt(x+2)
	if n := frame.Width(word); w < n && x-2-n > a.roomFrom(x) {
		at, w = x-1-n, n
	}
	a.texts = append(a.texts, text{point: point{at, a.lanes.lane}, w: w, spans: cut([]span{{word, bad}}, w)})
}

// roomFrom is the first column of the machine's box that holds x.
func (a *arranger) roomFrom(x int) int {
	for i := range a.cols {
		if c := a.cols[i].area; x >= c.X && x < c.X+c.W {
			return c.X + 1
		}
	}
	return 0
}

// roomAt is how many columns are left in the machine's box from x on.
func (a *arranger) roomAt(x int) int {
	for i := range a.cols {
		if c := a.cols[i].area; x >= c.X && x < c.X+c.W {
			return max(1, c.X+c.W-2-x)
		}
	}
	return max(1, a.W-1-x)
}
