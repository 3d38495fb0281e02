package editor

import (
	"fmt"
	"strings"

	"svctour/ui/frame"
	"svctour/ui/live"
	"svctour/ui/theme"
)

// Draw draws the editor over the whole surface. It changes nothing.
func (e *Editor) Draw(s *frame.Surface, t *theme.Theme) {
	w, h := s.Size()
	s.Fill(frame.Rect{W: w, H: h}, frame.Style{})
	inner := s.Box(t.Box, t.Focus)
	title, status := frame.L("Write "+e.name, t.Title), e.status(t)
	if title.Width()+status.Width()+10 > w { // the mark alone tells it, too
		status = frame.Line{{Text: frame.Truncate(status[0].Text, max(0, w-title.Width()-10)), Style: status[0].Style}}
	}
	s.Heading(0, title, status)
	line, column := e.Cursor()
	s.Heading(h-1, nil, frame.L(fmt.Sprintf("line %d, column %d", line+1, column+1), t.Muted))
	iw, ih := inner.Size()
	d := drawing{e: e, t: t, lines: strings.Split(e.area.Value(), "\n"), at: line}
	d.gutter = len(fmt.Sprint(len(d.lines))) + 3
	d.room = max(1, iw-d.gutter-1)
	d.below = map[int][]frame.Line{}
	for i := range e.problems {
		p := &e.problems[i]
		d.below[p.Line-1] = append(d.below[p.Line-1], d.problem(p)...)
	}
	d.scroll(column)
	d.rows(inner, ih)
	if e.state == unchecked {
		d.foot(inner, ih)
	}
}

// status is the word at the right of the title.
func (e *Editor) status(t *theme.Theme) frame.Line {
	text := e.summary()
	switch {
	case e.state == checking:
		return frame.L(text+" "+t.Glyph.Pending, t.Accent)
	case e.state != checked || strings.TrimSpace(e.area.Value()) == "":
		return frame.L(text, t.Muted)
	case e.Wrong() > 0:
		return frame.L(t.Glyph.Cross+" "+text, t.Bad)
	case len(e.problems) > 0:
		return frame.L(t.Glyph.Trouble+" "+text, t.Warn)
	}
	return frame.L(t.Glyph.Check+" "+text, t.Good)
}

// drawing is the text at one size.
type drawing struct {
	e      *Editor
	t      *theme.Theme
	lines  []string
	at     int // the line of the cursor
	gutter int // columns before the text
	room   int // columns for the text
	skip   int // letters that are out of sight at the left
	cursor int // column of the cursor in the room
	below  map[int][]frame.Line
}

// problem is a problem in the rows below its line.
func (d *drawing) problem(p *Problem) []frame.Line {
	style, mark := d.t.Bad, d.t.Glyph.Cross
	if p.Warning {
		style, mark = d.t.Warn, d.t.Glyph.Trouble
	}
	text := p.Text
	if p.Column > 0 {
		text = fmt.Sprintf("column %d: %s", p.Column, text)
	}
	row := frame.Line{{Text: mark + " " + strings.Join(strings.Fields(text), " "), Style: style}}
	if p.Hint != "" {
		row = append(row, frame.Span{Text: " " + p.Hint, Style: d.t.Accent})
	}
	return frame.Wrap(row, d.room, 2)
}

// scroll lets the cursor be in sight: the text moves by letters.
func (d *drawing) scroll(column int) {
	line := []rune(d.lines[d.at])
	column = min(column, len(line))
	for d.skip = 0; frame.Width(string(line[d.skip:column])) > d.room-1; {
		d.skip++
	}
	d.cursor = frame.Width(string(line[d.skip:column]))
}

// rows draws the lines around the cursor, each with its problems below.
func (d *drawing) rows(s *frame.Surface, h int) {
	before, total := 0, 0
	for i := range d.lines {
		if i == d.at {
			before = total
		}
		total += 1 + len(d.below[i])
	}
	y := -max(0, min(before-h/2, total-h)) // the cursor's line stands in the middle of a long text
	for i := range d.lines {
		if y >= 0 && y < h {
			d.line(s, y, i)
		}
		y++
		for _, row := range d.below[i] {
			if y >= 0 && y < h {
				s.Line(d.gutter, y, d.room, row)
			}
			y++
		}
	}
}

func (d *drawing) line(s *frame.Surface, y, i int) {
	t := d.t
	w, _ := s.Size()
	number := t.Muted
	if i == d.at {
		number = t.Strong
	}
	if rows := d.below[i]; len(rows) > 0 {
		s.Text(0, y, string([]rune(rows[0][0].Text)[:1]), rows[0][0].Style)
	}
	s.Right(d.gutter-1, y, fmt.Sprint(i+1), number)
	text := []rune(d.lines[i])
	s.Line(d.gutter, y, d.room, cut(live.YAML(d.lines[i], t), d.skip))
	s.Click(frame.Rect{Y: y, W: w, H: 1}, "line", i)
	if i != d.at {
		return
	}
	under := " "
	if at := min(d.e.area.Column(), len(text)); at < len(text) {
		under = string(text[at])
	}
	s.Text(d.gutter+d.cursor, y, under, frame.Style{Reverse: true})
}

// cut leaves out the first n letters of a line.
func cut(line frame.Line, n int) frame.Line {
	var out frame.Line
	for _, span := range line {
		letters := []rune(span.Text)
		if n >= len(letters) {
			n -= len(letters)
			continue
		}
		out = append(out, frame.Span{Text: string(letters[n:]), Style: span.Style})
		n = 0
	}
	return out
}

// foot says why there was no check.
func (d *drawing) foot(s *frame.Surface, h int) {
	w, _ := s.Size()
	rows := frame.Wrap(frame.L(d.e.why, d.t.Warn), w-2, 0)
	top := max(0, h-len(rows))
	s.Fill(frame.Rect{Y: top, W: w, H: h - top}, frame.Style{})
	s.Sub(frame.Rect{X: 1, Y: top, W: w - 2, H: h - top}).Lines(rows, 0)
}
