package contents

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"svctour/lessons"
	"svctour/model"
	"svctour/ui/frame"
	"svctour/ui/theme"
)

// Draw implements shell.Screen.
func (c *Screen) Draw(s *frame.Surface, t *theme.Theme) {
	w, h := s.Size()
	width := min(w-4, 96)
	body := s.Sub(frame.Rect{X: (w - width) / 2, Y: 1, W: width, H: h - 2})
	top := 0
	if h >= 30 {
		top = 1
	}
	foot := c.foot(t, width)
	room := h - 2 - top - len(foot)
	rows := c.rowsEach(room)
	if rows == 1 { // what the lines leave out is said of the one under the cursor
		about := c.about(t, width)
		foot = append(about, foot...)
		room -= len(about)
	}
	y := c.drawList(body.Sub(frame.Rect{X: 0, Y: top, W: width, H: room}), t, rows)
	body.Sub(frame.Rect{X: 0, Y: top + y, W: width, H: h - 2 - top - y}).Lines(foot, 0)
}

// parts is how many parts the list has: lessons, and challenges.
func (c *Screen) parts() int {
	n := 0
	for i, l := range c.lessons {
		if i == 0 || challenge(l) != challenge(c.lessons[i-1]) {
			n++
		}
	}
	return n
}

// rowsEach is how many rows each entry gets where there is room for so many: three
// or two with its summary, if all of them fit, else one.
func (c *Screen) rowsEach(room int) int {
	for _, rows := range []int{3, 2} {
		if len(c.lessons)*rows+c.parts()*2-1 <= room {
			return rows
		}
	}
	return 1
}

// drawList draws the part of the list around the cursor, and gives the rows it took.
func (c *Screen) drawList(s *frame.Surface, t *theme.Theme, rows int) int {
	w, h := s.Size()
	room := h - 2*c.parts() + 1 // a heading each, and a blank row between
	if len(c.lessons)*rows > room {
		room-- // for how many are below
	}
	y, window := 0, c.list.Window(room/rows)
	for k, i := range window {
		l := c.lessons[i]
		if k == 0 || challenge(l) != challenge(c.lessons[i-1]) {
			if k > 0 && rows < 3 {
				y++
			}
			s.Text(0, y, heading(l), t.Title)
			if k == 0 && i > 0 {
				s.Right(w-1, y, fmt.Sprintf("%s %d more", t.KeyName("up"), i), t.Muted)
			}
			y++
		}
		c.drawRow(s, t, i, y, rows)
		y += rows
	}
	if hidden := len(c.lessons) - 1 - window[len(window)-1]; hidden > 0 {
		s.Right(w-1, y, fmt.Sprintf("%s %d more", t.KeyName("down"), hidden), t.Muted)
		y++
	}
	return y
}

func heading(l *lessons.Lesson) string {
	if challenge(l) {
		return "Challenges"
	}
	return "Lessons"
}

// drawRow draws one entry; with more than one row its summary, too.
func (c *Screen) drawRow(s *frame.Surface, t *theme.Theme, i, y, rows int) {
	w, _ := s.Size()
	l, style := c.lessons[i], frame.Style{}
	if i == c.list.Row() {
		style = t.Selected
		s.Fill(frame.Rect{X: 0, Y: y, W: w, H: 1}, style)
		s.Text(0, y, t.Glyph.Pointer, style.With(t.Key))
	}
	state := c.state(t, l)
	at := 2 + s.Text(2, y, fmt.Sprintf("%2d  ", l.Number), style.With(t.Muted))
	s.Line(at, y, w-at-state.Width()-2, frame.L(l.Title, style.With(t.Strong)))
	at = w - 1 - state.Width()
	for _, span := range state {
		at += s.Text(at, y, span.Text, style.With(span.Style))
	}
	if rows > 1 {
		s.Line(6, y+1, w-6, frame.L(l.Summary, t.Muted))
	}
	s.Click(frame.Rect{X: 0, Y: y, W: w, H: min(rows, 2)}, "row", i)
}

// state is how far an entry is.
func (c *Screen) state(t *theme.Theme, l *lessons.Lesson) frame.Line {
	done := c.done(l)
	leftOut, over := c.over(l)
	switch {
	case challenge(l):
		return c.solved(t, l)
	case over && leftOut > 0:
		return frame.L(fmt.Sprintf("%s done, %d left out", t.Glyph.Check, leftOut), t.Good)
	case over:
		return frame.L(t.Glyph.Check+" done", t.Good)
	case c.skips(l):
		return frame.L(t.Glyph.Check+" known", t.Good)
	case done > 0:
		return frame.L(fmt.Sprintf("%d of %d steps", done, len(l.Steps)), t.Accent)
	}
	return frame.L(fmt.Sprintf("%d steps, about %d min", len(l.Steps), l.Minutes), t.Muted)
}

// solved is how hard a challenge is, and how it was solved.
func (c *Screen) solved(t *theme.Theme, l *lessons.Lesson) frame.Line {
	level := frame.Span{Text: t.Level(l.Level) + " " + hard(l.Level), Style: t.Muted}
	if c.done(l) < len(l.Steps) {
		return frame.Line{level}
	}
	solved := t.Glyph.Check + " solved"
	if score := c.progress[l.ID].Score; score != (lessons.Score{}) {
		solved += " with " + model.Count(score.Changes, "change") + ", " + model.Count(score.Looks, "look")
	}
	return frame.Line{{Text: solved + "  ", Style: t.Good}, level}
}

// hard is a challenge's level as a word, of six columns.
func hard(level int) string {
	switch level {
	case 1:
		return "easy  "
	case 2:
		return "medium"
	}
	return "hard  "
}

// about is what one row leaves out of the entry under the cursor.
func (c *Screen) about(t *theme.Theme, w int) []frame.Line {
	l := c.lessons[c.list.Row()]
	text := l.Summary
	if n := c.done(l); !challenge(l) && n > 0 {
		text += fmt.Sprintf(" About %d min.", l.Minutes)
	}
	return append([]frame.Line{nil}, frame.Wrap(frame.L(text, t.Text), w, 0)...)
}

// foot is the sandbox, what there is of the cluster, and what the picture of it lacks.
func (c *Screen) foot(t *theme.Theme, w int) []frame.Line {
	if c.world == nil {
		return nil
	}
	ready := 0
	for _, n := range c.world.Nodes {
		if n.Ready() {
			ready++
		}
	}
	text := fmt.Sprintf("This cluster: %d Services, %d Pods, %d of %d nodes ready", len(c.world.Services), len(c.world.Pods), ready, len(c.world.Nodes))
	if len(c.world.Nodes) == 0 {
		text = fmt.Sprintf("This cluster: %d Services, %d Pods", len(c.world.Services), len(c.world.Pods))
	}
	lines := []frame.Line{nil, {{Text: "s ", Style: t.Key}, {Text: "Sandbox", Style: t.Strong}, {Text: "   " + text, Style: t.Muted}}}
	if lack := limits(c.world); lack != "" {
		lines = append(lines, frame.Wrap(frame.L(lack, t.Warn), w, 0)...)
	}
	return lines
}

// limits says what the picture lacks; "" when it lacks nothing.
func limits(world *model.Snapshot) string {
	var out []string
	if ns := world.Cluster.Namespace; ns != "" {
		out = append(out, fmt.Sprintf("Only namespace %q can be read.", ns))
	}
	if missing := slices.Sorted(maps.Keys(world.Sync.Missing)); len(missing) > 0 {
		out = append(out, "You may not read "+strings.Join(missing, ", ")+": what depends on them stays unknown.")
	}
	if unwatched := world.Sync.Unwatched; len(unwatched) > 0 {
		out = append(out, "You may not watch "+strings.Join(unwatched, ", ")+": they are listed again every few seconds.")
	}
	return strings.Join(out, " ")
}
