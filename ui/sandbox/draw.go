package sandbox

import (
	"fmt"
	"slices"
	"strings"

	"svctour/ui/frame"
	"svctour/ui/layout"
	"svctour/ui/live"
	"svctour/ui/theme"
)

// The rows that the stage needs at least, and that another pane in focus gets at
// most without taking them from the stage.
const (
	stageRows = 14
	openRows  = 9
)

// Draw implements shell.Screen. It changes nothing.
func (x *Screen) Draw(s *frame.Surface, t *theme.Theme) {
	w, h := s.Size()
	d := x.arrange(w, h, t)
	switch {
	case d.tour.Class == layout.TooSmall:
	case x.full:
		d.box(s, stagePane, frame.Rect{Y: 1, W: w, H: h - 2})
	case d.tour.Class == layout.Large:
		d.large(s)
	case d.tour.Class == layout.Medium:
		d.box(s, menuPane, d.tour.Story)
		d.tabs(s)
		d.commands(s.Sub(d.tour.Command))
	default:
		d.box(s, x.focus, d.tour.System)
		d.commands(s.Sub(d.tour.Command))
	}
}

// drawing is the screen at one size: where everything stands, and what.
type drawing struct {
	*Screen
	t    *theme.Theme
	view live.View
	tour layout.Tour
	rows [panes]frame.Rows // of the panes in sight
}

// arrange finds out where everything stands.
func (x *Screen) arrange(w, h int, t *theme.Theme) *drawing {
	d := &drawing{Screen: x, t: t}
	d.view, _ = x.live.View()
	widths := layout.ArrangeTour(w, h, layout.Wants{Panes: make([]int, len(livePanes))})
	var wants layout.Wants
	if widths.Class == layout.Large {
		d.rows[menuPane] = d.menu(widths.Story.W - 4)
		for _, p := range livePanes {
			want, least := widths.System.H, stageRows
			if p != stagePane {
				d.rows[p] = d.pane(p, widths.System.W-4, p == x.focus)
				want, least = d.rows[p].Len(), min(d.rows[p].Len(), openRows)
			}
			wants.Panes, wants.Least = append(wants.Panes, want), append(wants.Least, least)
		}
		wants.Command = d.commandLines(widths.Story.W - 4).Len()
	} else {
		d.rows[menuPane] = d.menu(w - 4)
		wants.Panes = []int{stageRows}
		if tab := x.tab(); tab != stagePane {
			d.rows[tab] = d.pane(tab, w-4, true)
			wants.Panes = []int{d.rows[tab].Len()}
		}
		wants.Reading = x.focus == menuPane
	}
	wants.Story = d.rows[menuPane].Len()
	d.tour = layout.ArrangeTour(w, h, wants)
	return d
}

// height is how many rows of a pane are in sight.
func (d *drawing) height(p pane) int {
	switch {
	case d.tour.Class == layout.Large && p != menuPane:
		return d.tour.Panes[p-stagePane].H
	case d.tour.Class != layout.Small && p == menuPane:
		return d.tour.Story.H - 2
	}
	return d.tour.System.H - 2
}

func (d *drawing) large(s *frame.Surface) {
	t := d.t
	d.box(s, menuPane, d.tour.Story)
	box := s.Sub(d.tour.Command)
	inner := box.Box(t.Box, t.Border)
	box.Heading(0, frame.L("$", t.Strong), nil)
	d.commands(inner)
	box = s.Sub(d.tour.System)
	box.Box(t.Box, d.border(livePanes...))
	for i, p := range livePanes {
		area := d.tour.Panes[i]
		y := area.Y - 1 - d.tour.System.Y
		if i > 0 {
			box.Rule(y, t.Box, d.border(livePanes...))
		}
		box.Heading(y, d.title(p), d.view.Evidence(p.livePane(), t))
		d.inside(s.Sub(area), p)
		s.Click(area, "pane", int(p))
	}
}

func (d *drawing) tabs(s *frame.Surface) {
	t, tab := d.t, d.tab()
	box := s.Sub(d.tour.System)
	inner := box.Box(t.Box, d.border(tab))
	var head frame.Line
	for _, p := range livePanes {
		style := t.Muted
		if p == tab {
			style = t.Title
		}
		if len(head) > 0 {
			head = append(head, frame.Span{Text: "  "})
		}
		box.Click(frame.Rect{X: 2 + head.Width(), W: frame.Width(paneTitles[p]), H: 1}, "pane", int(p))
		head = append(head, frame.Span{Text: paneTitles[p], Style: style})
	}
	box.Heading(0, head, d.view.Evidence(tab.livePane(), t))
	d.inside(inner, tab)
}

// box draws a pane in a box of its own.
func (d *drawing) box(s *frame.Surface, p pane, area frame.Rect) {
	box := s.Sub(area)
	inner := box.Box(d.t.Box, d.border(p))
	var note frame.Line
	if p != menuPane {
		note = d.view.Evidence(p.livePane(), d.t)
	}
	box.Heading(0, d.title(p), note)
	s.Click(area, "pane", int(p))
	d.inside(inner, p)
}

// inside draws what stands in a pane.
func (d *drawing) inside(s *frame.Surface, p pane) {
	w, h := s.Size()
	inner := s.Sub(frame.Rect{X: 1, W: w - 2, H: h})
	switch {
	case p == stagePane && d.view.State != nil:
		d.view.DrawStage(s, d.t)
	case p == stagePane:
		inner.Lines(frame.Lines{frame.L("Reading the cluster"+d.t.Glyph.Pending, d.t.Muted)}, 0)
	default:
		live.Scrolled(inner, d.t, d.rows[p], d.scroll[p])
		if p == menuPane && !d.doctor {
			d.clicks(inner)
		}
	}
}

func (d *drawing) border(group ...pane) frame.Style {
	if slices.Contains(group, d.focus) {
		return d.t.Focus
	}
	return d.t.Border
}

func (d *drawing) title(p pane) frame.Line {
	text := paneTitles[p]
	switch {
	case p == menuPane && d.doctor:
		text = strings.TrimSpace("Doctor " + d.service())
	case p != menuPane:
		text = d.view.Title(p.livePane(), text)
	}
	if p == d.focus {
		return frame.L(text, d.t.Title)
	}
	return frame.L(text, d.t.Strong)
}

// pane is what a live pane but the stage shows: all, or one line.
func (d *drawing) pane(p pane, w int, open bool) frame.Rows {
	switch {
	case d.view.State == nil:
		return frame.Lines{frame.L("nothing to show yet", d.t.Muted)}
	case open:
		return d.view.Rows(p.livePane(), d.t, w)
	}
	if row := d.view.Summary(p.livePane(), d.t); row != nil {
		return frame.Lines{row}
	}
	return frame.Lines{frame.L("nothing to show yet", d.t.Muted)}
}

// columns says in how many columns the menu stands.
func columns(w int) int {
	if w >= 64 {
		return 2
	}
	return 1
}

// menu lists the states, and says what the present one is; or the doctor's report.
func (d *drawing) menu(w int) frame.Lines {
	t := d.t
	if d.doctor {
		if report := d.live.Report(); report != nil {
			return live.Doctor(report, t, w)
		}
		return nil
	}
	n := columns(w)
	rows := (len(d.states) + n - 1) / n
	lines := make(frame.Lines, 0, rows+2)
	for y := range rows {
		var line frame.Line
		for i := y; i < len(d.states); i += rows {
			if len(line) > 0 {
				line = append(line, frame.Span{Text: strings.Repeat(" ", max(1, w/n-line.Width()))})
			}
			style, mark := t.Text, " "
			if i == d.at {
				style, mark = t.Title, t.Glyph.Pointer
			}
			line = append(line, frame.Span{Text: mark, Style: t.Key}, frame.Span{Text: digit(i) + " ", Style: t.Key}, frame.Span{Text: d.states[i].Title, Style: style})
		}
		lines = append(lines, line)
	}
	if n == 1 {
		lines = append(lines, nil)
	}
	switch {
	case d.at >= 0:
		lines = append(lines, frame.Wrap(frame.L(d.states[d.at].Say, t.Text), w, 0)...)
	default:
		lines = append(lines, frame.Wrap(frame.L("A digit brings a state about. Then do what you like: there is no goal.", t.Muted), w, 0)...)
	}
	if d.problem != "" {
		lines = append(lines, frame.Wrap(frame.L(d.problem, t.Bad), w, 0)...)
	}
	return lines
}

// clicks lets the states answer to the mouse.
func (d *drawing) clicks(s *frame.Surface) {
	w, h := s.Size()
	n := columns(w)
	rows := (len(d.states) + n - 1) / n
	offset := live.Offset(d.scroll[menuPane], d.rows[menuPane].Len(), h)
	for i := range d.states {
		s.Click(frame.Rect{X: i / rows * (w / n), Y: i%rows - offset, W: w / n, H: 1}, "state", i)
	}
}

// commandLines are the commands that brought the state about, and what they
// printed.
func (d *drawing) commandLines(w int) frame.Rows {
	t := d.t
	var parts []frame.Rows
	for i := range d.replies {
		parts = append(parts, frame.Lines(frame.Wrap(d.prompt(d.replies[i].Command, ""), w, 4)), d.texts.Reply(&d.replies[i], t, w).Lines)
	}
	if d.running != "" {
		parts = append(parts, frame.Lines(frame.Wrap(d.prompt(d.running, " "+t.Glyph.Pending), w, 4)))
	}
	if len(parts) == 0 {
		return frame.Lines{frame.L(fmt.Sprintf("$ types a kubectl command in %s.", d.namespace), t.Muted)}
	}
	return frame.Stack(parts...)
}

func (d *drawing) prompt(command, after string) frame.Line {
	return frame.Line{{Text: "$ ", Style: d.t.Muted}, {Text: command, Style: d.t.Code}, {Text: after, Style: d.t.Accent}}
}

// commands draws the end of the commands and of what they printed.
func (d *drawing) commands(s *frame.Surface) {
	w, h := s.Size()
	rows := d.commandLines(w - 2)
	s.Sub(frame.Rect{X: 1, W: w - 2, H: h}).Rows(rows, max(0, rows.Len()-h))
}
