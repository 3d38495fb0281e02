package stage

import (
	"fmt"
	"strings"

	"svctour/model/scene"
	"svctour/ui/frame"
	"svctour/ui/theme"
)

// Show is what moves on a picture at one moment.
type Show struct {
	Packet *Moment // nil while none is under way
	// Mark gives the sign and the style of an object that came, went or turned a
	// moment ago, by its UID.
	Mark func(uid string) (sign string, over frame.Style, ok bool)
	// Meter gives what a stream of requests has brought to a Pod, by its key.
	Meter func(key string) (Meter, bool)
	// Veiled leaves out what tells where the packet goes from where it stands.
	Veiled bool
}

// Meter is a Pod's part of a stream of requests.
type Meter struct {
	Letter  string // by which the Pod is called in the list of answers
	Count   int
	Share   float64 // of all answers
	Latency string
	Failed  int
}

// square and dashed are the borders of machines, and of what is not there.
func square() frame.Border {
	return frame.Border{TopLeft: "┌", TopRight: "┐", BottomLeft: "└", BottomRight: "┘", Horizontal: "─", Vertical: "│", Left: "├", Right: "┤"}
}

func dashed() frame.Border {
	return frame.Border{TopLeft: "┌", TopRight: "┐", BottomLeft: "└", BottomRight: "┘", Horizontal: "┄", Vertical: "┊", Left: "├", Right: "┤"}
}

// Draw draws the picture at a moment.
func (p *Picture) Draw(s *frame.Surface, t *theme.Theme, show Show) {
	d := &drawing{Picture: p, s: s, t: t, show: show, borders: newWires(p.W, p.H)}
	for i := range p.boxes {
		d.box(&p.boxes[i])
	}
	for i := range p.bands {
		d.band(&p.bands[i])
	}
	d.wires()
	for i := range p.texts {
		if t := &p.texts[i]; !show.Veiled || t.line == nil && t.kind != sentTag && t.kind != hereTag {
			d.text(t)
		}
	}
	d.packet()
}

type drawing struct {
	*Picture
	s       *frame.Surface
	t       *theme.Theme
	show    Show
	borders wires // of machines, which wires cross
}

func (d *drawing) style(r role) frame.Style {
	t := d.t
	switch r {
	case muted, answer:
		return t.Muted
	case strong:
		return t.Strong
	case title:
		return t.Title
	case good:
		return t.Good
	case warn:
		return t.Warn
	case bad:
		return t.Bad
	case accent:
		return t.Accent
	case derived:
		return t.Derived
	case observed:
		return t.Observed
	case unknown:
		return t.Unknown
	case planned:
		return t.Derived
	}
	return t.Text
}

// marked overlays what happened to an object a moment ago.
func (d *drawing) marked(uid string, base frame.Style) (frame.Style, string) {
	if uid == "" || d.show.Mark == nil {
		return base, ""
	}
	sign, over, ok := d.show.Mark(uid)
	if !ok {
		return base, ""
	}
	return base.With(over), sign
}

func (d *drawing) box(b *box) {
	border := square()
	switch {
	case b.dashed:
		border = dashed()
	case b.card:
		border = frame.Rounded
	}
	style := d.t.Border
	if b.card || b.role != muted {
		style, _ = d.marked(b.uid, d.style(b.role))
	}
	at := d.s.Sub(b.area)
	at.Box(border, style)
	if len(b.head) > 0 { // right of where a wire may cross the border
		x := 4
		if b.card || b.area.W < 20 {
			x = 2
		}
		at.Text(x-1, 0, " ", style)
		for _, s := range b.head {
			x += at.Text(x, 0, s.text, d.style(s.role))
		}
		at.Text(x, 0, " ", style)
	}
	r := b.area
	for y := r.Y + 1; y < r.Y+r.H-1; y++ {
		d.borders.set(point{r.X, y}, up|down)
		d.borders.set(point{r.X + r.W - 1, y}, up|down)
	}
	for x := r.X + 1; x < r.X+r.W-1; x++ {
		d.borders.set(point{x, r.Y}, left|right)
		d.borders.set(point{x, r.Y + r.H - 1}, left|right)
	}
}

func (d *drawing) band(b *band) {
	style, _ := d.marked(b.uid, d.style(b.role))
	for x := b.x0; x <= b.x1; x++ {
		glyph := "┄"
		if d.borders.at(point{x, b.y})&up != 0 {
			glyph = "┊"
		}
		d.s.Text(x, b.y, glyph, style)
	}
	x := b.at
	for _, s := range b.label {
		if s.role == answer && d.show.Veiled {
			continue
		}
		over, _ := d.marked(b.uid, d.style(s.role))
		x += d.s.Text(x, b.y, s.text, over)
	}
}

// The glyphs of wires, by the directions in which they leave a cell.
const (
	lightWires = " │││─╯╮┤─╰╭├─┴┬┼"
	heavyWires = " ┃┃┃━┛┓┫━┗┏┣━┻┳╋"
)

func glyphOf(set string, bits uint8) string {
	i := 0
	for _, r := range set {
		if i == int(bits) {
			return string(r)
		}
		i++
	}
	return " "
}

// wires draws all ways lightly, and the packet's own heavily.
func (d *drawing) wires() {
	for y := range d.H {
		for x := range d.W {
			at := point{x, y}
			if bits := d.Picture.wires.at(at); bits != 0 {
				d.s.Text(x, y, glyphOf(lightWires, bits|d.borders.at(at)), d.t.Border.With(d.t.Muted))
			}
		}
	}
	for _, end := range d.Picture.wires.ends {
		d.arrow(end, d.t.Good)
	}
	if b := d.lanes.bridge; b != nil && d.Picture.wires.at(b[0]) != 0 {
		d.s.Text(b[1].x-1, b[1].y, "▶", d.t.Muted)
	}
	if d.show.Packet == nil {
		return
	}
	behind, _, _ := d.trail(*d.show.Packet)
	heavy := newWires(d.W, d.H)
	for _, cells := range behind {
		heavy.add(cells)
	}
	for y := range d.H {
		for x := range d.W {
			if bits := heavy.at(point{x, y}); bits != 0 {
				d.s.Text(x, y, glyphOf(heavyWires, bits), d.t.Changed)
			}
		}
	}
	if m := d.show.Packet; m.Leg < len(m.Way.Legs) {
		for i := 0; i <= m.Leg; i++ {
			if leg := &m.Way.Legs[i]; leg.Kind == scene.Deliver && (i < m.Leg || m.Part == 1) {
				if end, ok := d.lanes.pods[leg.To.Name]; ok {
					d.arrow(end, d.t.Changed)
				}
			}
		}
	}
}

func (d *drawing) arrow(end point, style frame.Style) {
	bits := d.Picture.wires.at(end) | right
	d.s.Text(end.x, end.y, glyphOf(lightWires, bits), style)
	d.s.Text(end.x+1, end.y, "▶", style)
}

func (d *drawing) text(t *text) {
	spans := t.spans
	m := d.show.Packet
	lit := false
	switch {
	case t.line != nil && m != nil:
		spans, lit = d.caption(t, m)
	case t.kind == sentTag && m != nil:
		lit = m.Leg < len(m.Way.Legs) && m.Way.Legs[m.Leg].Kind == scene.Send
	case t.kind == hereTag && m != nil:
		for i := 0; i <= m.Leg && i < len(m.Way.Legs); i++ {
			if leg := &m.Way.Legs[i]; leg.Kind == scene.Deliver {
				_, to, _ := strings.Cut(leg.Carries, "→ ")
				spans, lit = cut([]span{{"⇒ " + to, strong}}, t.w), i == m.Leg
			}
		}
	case t.key != "" && d.show.Meter != nil:
		got, ok := d.show.Meter(t.key)
		switch {
		case ok && t.kind == meter:
			d.meter(t, got)
			return
		case ok && len(spans) > 1: // what it gets, instead of its address
			share := fmt.Sprintf("%s %.0f %%", got.Letter, got.Share*100)
			spans = cut(spans[:2:2], t.w-1-len(share))
			spans = append(spans, span{blank(t.w - width(spans) - len(share)), plain}, span{share, strong})
		}
	}
	x := t.x
	for i, s := range spans {
		if s.role == answer && d.show.Veiled {
			continue
		}
		style, sign := d.style(s.role), ""
		if t.uid != "" {
			style, sign = d.marked(t.uid, style)
		}
		if lit {
			style = style.With(d.t.Changed)
		}
		x += d.s.Text(x, t.y, s.text, style)
		if i == 0 && sign != "" {
			d.s.Text(x-1, t.y, sign, style)
		}
	}
}

// caption is a caption while a packet is under way: what the packet carries
// now, and the rule that it stands at.
func (d *drawing) caption(t *text, m *Moment) ([]span, bool) {
	c := *t.line
	if m.Leg >= len(m.Way.Legs) {
		return t.spans, false
	}
	leg := &m.Way.Legs[m.Leg]
	names := leg.Kind == scene.Ask || leg.Kind == scene.Answer
	if c.Step > 0 {
		if !c.Name {
			for i := range m.Way.Legs[:m.Leg+1] {
				if l := &m.Way.Legs[i]; l.Kind == scene.Translate || l.Kind == scene.Deliver {
					c.After, c.Evidence = l.Carries, l.Evidence
				}
			}
			if leg.Kind == scene.Reply {
				c.Text, c.After, c.Note, c.Evidence = leg.Carries, "", leg.Text, leg.Evidence
			}
		}
		return captionSpans(&c, t.w), names == c.Name
	}
	if c.Rules && m.rules() != nil {
		leg := m.rules()
		at := -1
		if m.Leg < len(m.Way.Legs) && m.Way.Legs[m.Leg].Kind == scene.Translate {
			at = min(m.Rule, len(leg.Rules)-1)
		}
		spans := []span{{"  ", plain}}
		for i, rule := range leg.Rules {
			r := muted
			if i == at {
				r = title
			}
			if i > 0 {
				spans = append(spans, span{" ▸ ", muted})
			}
			spans = append(spans, span{rule, r})
		}
		return cut(spans, t.w), false
	}
	return t.spans, false
}

// meter draws what a stream has brought to a Pod.
func (d *drawing) meter(t *text, m Meter) {
	share := fmt.Sprintf("%.0f %%", m.Share*100)
	count := fmt.Sprintf("%d ", m.Count)
	if m.Letter != "" {
		count = m.Letter + " " + count
	}
	if m.Failed > 0 {
		count += fmt.Sprintf("✗%d ", m.Failed)
	}
	room := t.w - 2 - frame.Width(count) - 1 - len(share)
	if m.Latency != "" && room > len(m.Latency)+8 {
		share += "  " + m.Latency
		room = t.w - 2 - frame.Width(count) - 1 - frame.Width(share)
	}
	spans := []span{{"  ", plain}, {count, strong}}
	if room >= 3 {
		spans = append(spans, span{bar(m.Share, min(room, 40)), good}, span{" ", plain})
	}
	x := t.x
	for _, s := range cut(append(spans, span{share, plain}), t.w) {
		x += d.s.Text(x, t.y, s.text, d.style(s.role))
	}
}

// bar is a share as a bar of at most w columns, in eighths of a column.
func bar(share float64, w int) string {
	const parts = " ▏▎▍▌▋▊▉"
	eighths := int(share*float64(w)*8 + 0.5)
	out := strings.Repeat("█", min(w, eighths/8))
	if rest := eighths % 8; rest > 0 && eighths/8 < w {
		out += string([]rune(parts)[rest])
	}
	return out + blank(w-frame.Width(out))
}

// packet draws the packet itself, and where a way ends without an answer.
func (d *drawing) packet() {
	for _, e := range d.Picture.ends {
		if !d.show.Veiled {
			d.s.Text(e.x, e.y, d.t.Glyph.Cross, d.t.Bad)
		}
	}
	m := d.show.Packet
	if m == nil {
		return
	}
	_, at, ok := d.trail(*m)
	if !ok {
		return
	}
	if last := len(m.Way.Legs) - 1; m.Leg == last && m.Way.Legs[last].Fails() && m.Part == 1 {
		d.s.Text(at.x, at.y, d.t.Glyph.Cross, d.t.Bad.With(frame.Style{Reverse: true}))
		return
	}
	d.s.Text(at.x, at.y, d.t.Glyph.Packet, d.t.Packet)
}
