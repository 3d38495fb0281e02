package lesson

import (
	"fmt"
	"slices"
	"strings"

	"svctour/ui/frame"
	"svctour/ui/layout"
	"svctour/ui/live"
	"svctour/ui/theme"
)

// Draw implements shell.Screen. It changes nothing: the same screen can be drawn
// at several sizes.
func (l *Screen) Draw(s *frame.Surface, t *theme.Theme) {
	w, h := s.Size()
	d := l.arrange(w, h, t)
	if l.full && d.tour.Class != layout.TooSmall {
		d.full(s)
		return
	}
	switch d.tour.Class {
	case layout.Large:
		d.large(s)
	case layout.Medium:
		d.storyBox(s, d.tour.Story)
		d.tabs(s)
		d.command(s.Sub(d.tour.Command))
	case layout.Small:
		if l.focus == storyPane {
			d.storyBox(s, d.tour.System)
		} else {
			d.box(s, l.focus, d.tour.System, d.title(l.focus, paneTitles[l.focus]), d.evidence(l.focus))
		}
		d.command(s.Sub(d.tour.Command))
	}
}

// drawing is the screen at one size: where everything stands, and what.
type drawing struct {
	*Screen
	t    *theme.Theme
	view live.View
	tour layout.Tour
	rows [panes]frame.Rows // of the panes in sight
	// notice is what asks for attention below the story, which has read rows.
	notice notice
	read   int
}

// arrange finds out where everything stands.
func (l *Screen) arrange(w, h int, t *theme.Theme) *drawing {
	d := &drawing{Screen: l, t: t}
	d.view, _ = l.live.View()
	d.view.Veiled = l.veiled()
	widths := layout.ArrangeTour(w, h, layout.Wants{File: 1, Panes: make([]int, len(livePanes))})
	var wants layout.Wants
	if widths.Class == layout.Large {
		left := widths.Story.W - 4
		d.layStory(left, &wants)
		commands, widest := d.commandLines(left)
		d.rows[commandPane] = commands
		if step := l.play.Step(); step.File != nil {
			d.rows[filePane] = l.texts.Manifest(step.File.Content, step.File.Previous, t)
			wants.File = d.rows[filePane].Len()
		}
		for _, p := range livePanes {
			want, least := widths.System.H, stageRows
			if p != stagePane {
				d.rows[p] = d.waiting(p)
				if least = 1; l.open(p) {
					d.rows[p] = d.paneRows(p, widths.System.W-4)
					least = min(d.rows[p].Len(), openRows)
				}
				want = least
			}
			wants.Panes, wants.Least = append(wants.Panes, want), append(wants.Least, least)
		}
		wants.Command, wants.Wide = commands.Len(), widest > left
	} else {
		tab := l.tab()
		d.layStory(w-4, &wants)
		wants.Panes = []int{stageRows}
		if tab != stagePane {
			d.rows[tab] = d.paneRows(tab, w-4)
			wants.Panes = []int{d.rows[tab].Len()}
		}
		wants.Reading = l.focus == storyPane
	}
	d.tour = layout.ArrangeTour(w, h, wants)
	d.settle(d.boxRows(storyPane))
	return d
}

// height is how many rows of a pane are in sight.
func (d *drawing) height(p pane) int {
	h := d.boxRows(p)
	if p == storyPane {
		h, _ = d.split(h)
	}
	return h
}

// boxRows is how many rows the box of a pane has.
func (d *drawing) boxRows(p pane) int {
	tour := &d.tour
	_, live := p.livePane()
	switch {
	case tour.Class == layout.Large && live:
		return tour.Panes[p-stagePane].H
	case tour.Class == layout.Large && p == filePane:
		return tour.File.H - 2
	case tour.Class == layout.Large && p == commandPane:
		return tour.Command.H - 2
	case tour.Class != layout.Small && p == storyPane:
		return tour.Story.H - 2
	}
	return tour.System.H - 2
}

// offset is the scroll position of a pane as it is drawn at the present size.
func (l *Screen) offset(p pane) int {
	d := l.arrange(l.size.W, l.size.H, l.theme)
	if d.rows[p] == nil {
		return 0
	}
	return live.Offset(l.scroll[p], d.rows[p].Len(), d.height(p))
}

// The rows that the stage needs, those without which it is no picture, and those
// that an open pane gets at most without taking them from the stage.
const (
	stageRows  = 12
	leastStage = 7
	openRows   = 11
)

// waiting is a pane that is not open, in one line.
func (d *drawing) waiting(p pane) frame.Lines {
	at, _ := p.livePane()
	switch {
	case d.covered(p):
		return d.cover(p, 80)
	case d.view.State == nil:
		return frame.Lines{nil}
	}
	if row := d.view.Summary(at, d.t); row != nil {
		return frame.Lines{row}
	}
	return frame.Lines{frame.L("nothing to show yet", d.t.Muted)}
}

// full is the stage on the whole screen.
func (d *drawing) full(s *frame.Surface) {
	w, h := s.Size()
	box := s.Sub(frame.Rect{X: 0, Y: 1, W: w, H: h - 2})
	inner := box.Box(d.t.Box, d.t.Focus)
	box.Heading(0, frame.L(d.paneTitle(stagePane), d.t.Title), d.evidence(stagePane))
	d.stage(inner)
}

// stage draws the picture in a box.
func (d *drawing) stage(inner *frame.Surface) {
	w, h := inner.Size()
	if d.covered(stagePane) {
		inner.Sub(frame.Rect{X: 1, Y: 0, W: w - 2, H: h}).Lines(d.cover(stagePane, w-2), 0)
		return
	}
	if d.view.State == nil {
		inner.Sub(frame.Rect{X: 1, Y: 0, W: w - 2, H: h}).Lines(frame.Lines{frame.L("Reading the cluster"+d.t.Glyph.Pending, d.t.Muted)}, 0)
		return
	}
	d.view.DrawStage(inner, d.t)
}

// tab is the live pane that a screen without room for all shows.
func (l *Screen) tab() pane {
	if l.focus == storyPane {
		return l.lastTab
	}
	return l.focus
}

func (d *drawing) large(s *frame.Surface) {
	t, tour := d.t, &d.tour
	d.storyBox(s, tour.Story)
	if tour.File.H > 2 {
		d.box(s, filePane, tour.File, d.title(filePane, d.play.Step().File.Name), nil)
	}
	d.box(s, commandPane, tour.Command, d.title(commandPane, "$"), nil)
	box := s.Sub(tour.System)
	box.Box(t.Box, d.borderStyle(livePanes...))
	for i, p := range livePanes {
		area := tour.Panes[i]
		y := area.Y - 1 - tour.System.Y
		if i > 0 {
			box.Rule(y, t.Box, d.borderStyle(livePanes...))
		}
		box.Heading(y, d.title(p, d.paneTitle(p)), d.evidence(p))
		if p == stagePane {
			d.stage(s.Sub(area))
		} else {
			inner := s.Sub(frame.Rect{X: area.X + 1, Y: area.Y, W: area.W - 2, H: area.H})
			live.Scrolled(inner, t, d.rows[p], d.scroll[p])
		}
		s.Click(area, "pane", int(p))
	}
}

func (d *drawing) tabs(s *frame.Surface) {
	t, l := d.t, d.Screen
	box := s.Sub(d.tour.System)
	inner := box.Box(t.Box, d.borderStyle(l.tab()))
	var head frame.Line
	x := 2
	for p := stagePane; p < panes; p++ {
		if p == filePane && l.play.Step().File == nil {
			continue
		}
		style := t.Muted
		if p == l.tab() {
			style = t.Title
		}
		label := fmt.Sprintf("%d %s", p+1, paneTitles[p])
		if l.asking() { // the digits are for the answers
			label = paneTitles[p]
		}
		if len(head) > 0 {
			head = append(head, frame.Span{Text: "  ", Style: t.Border})
			x += 2
		}
		head = append(head, frame.Span{Text: label, Style: style})
		box.Click(frame.Rect{X: x, Y: 0, W: frame.Width(label), H: 1}, "pane", int(p))
		x += frame.Width(label)
	}
	box.Heading(0, head, d.evidence(l.tab()))
	iw, ih := inner.Size()
	if ih < leastStage && l.tab() == stagePane {
		text := "The picture has no room here: " + t.KeyName("tab") + " goes to it."
		inner.Sub(frame.Rect{X: 1, Y: 0, W: iw - 2, H: ih}).Lines(frame.Wrap(frame.L(text, t.Muted), iw-2, 0), 0)
		return
	}
	if l.tab() == stagePane {
		d.stage(inner)
		return
	}
	live.Scrolled(inner.Sub(frame.Rect{X: 1, Y: 0, W: iw - 2, H: ih}), t, d.rows[l.tab()], l.scroll[l.tab()])
}

// command is the command and the end of its reply in two or three rows.
func (d *drawing) command(s *frame.Surface) {
	w, h := s.Size()
	rows, _ := d.commandLines(w - 2)
	s = s.Sub(frame.Rect{X: 1, Y: 0, W: w - 2, H: h})
	n := rows.Len()
	if n <= h {
		s.Rows(rows, 0)
		return
	}
	s.Rows(frame.List(h, func(i int) frame.Line {
		if i == 0 {
			return rows.Row(0) // the command itself stays in sight
		}
		return rows.Row(n - h + i)
	}), 0)
}

func (d *drawing) box(s *frame.Surface, p pane, area frame.Rect, title, note frame.Line) {
	box := s.Sub(area)
	inner := box.Box(d.t.Box, d.borderStyle(p))
	box.Heading(0, title, note)
	s.Click(area, "pane", int(p))
	if p == stagePane {
		d.stage(inner)
		return
	}
	iw, ih := inner.Size()
	live.Scrolled(inner.Sub(frame.Rect{X: 1, Y: 0, W: iw - 2, H: ih}), d.t, d.rows[p], d.scroll[p])
}

func (d *drawing) borderStyle(group ...pane) frame.Style {
	if slices.Contains(group, d.focus) {
		return d.t.Focus
	}
	return d.t.Border
}

func (d *drawing) title(p pane, text string) frame.Line {
	if p == d.focus {
		return frame.L(text, d.t.Title)
	}
	return frame.L(text, d.t.Strong)
}

func (d *drawing) storyTitle() frame.Line {
	if d.doctor {
		return d.title(storyPane, strings.TrimSpace("Doctor "+d.service()))
	}
	return d.title(storyPane, d.play.Step().Title)
}

func (d *drawing) paneTitle(p pane) string {
	if at, ok := p.livePane(); ok && !d.covered(p) {
		return d.view.Title(at, paneTitles[p])
	}
	return paneTitles[p]
}

// evidence is the word at the right of a live pane's title.
func (d *drawing) evidence(p pane) frame.Line {
	if at, ok := p.livePane(); ok && !d.covered(p) {
		return d.view.Evidence(at, d.t)
	}
	return nil
}

func (d *drawing) paneRows(p pane, w int) frame.Rows {
	if at, ok := p.livePane(); ok {
		switch {
		case d.covered(p):
			return d.cover(p, w)
		case d.view.State != nil:
			return d.view.Rows(at, d.t, w)
		case d.world != nil: // it is being computed, which takes no time to speak of
			return frame.Lines{}
		}
		return frame.Lines{frame.L("Reading the cluster"+d.t.Glyph.Pending, d.t.Muted)}
	}
	switch p {
	case filePane:
		if step := d.play.Step(); step.File != nil {
			return d.texts.Manifest(step.File.Content, step.File.Previous, d.t)
		}
		return frame.Lines{frame.L("This step has no manifest.", d.t.Muted)}
	}
	rows, _ := d.commandLines(w)
	return rows
}

func (d *drawing) doctorLines(w int) frame.Lines {
	switch report := d.live.Report(); {
	case report != nil:
		return live.Doctor(report, d.t, w)
	case d.service() != "":
		return nil // the doctor is at it
	}
	return frame.Wrap(frame.L("This step is not about a Service.", d.t.Muted), w, 0)
}

// commandLines is the command as a person types it, and what it replied; widest
// is how many columns its widest line has.
func (d *drawing) commandLines(w int) (rows frame.Rows, widest int) {
	l, t := d.Screen, d.t
	var lines frame.Lines
	switch command := l.commandText(); {
	case l.leaving:
		lines = frame.Lines{{{Text: t.Glyph.Pending + " undoing: ", Style: t.Muted}, {Text: l.running, Style: t.Muted}}}
	case l.preparing:
		lines = frame.Lines{{{Text: t.Glyph.Pending + " preparing: ", Style: t.Muted}, {Text: l.running, Style: t.Muted}}}
	case l.stalled():
		lines = l.stalledLines(t, w)
	case command != "":
		row := frame.Line{{Text: "$ ", Style: t.Muted}, {Text: command, Style: t.Code}}
		if l.running != "" {
			row = append(row, frame.Span{Text: " " + t.Glyph.Pending, Style: t.Accent})
		} else if l.facts.command.Display != "" && !l.play.Done(l.play.Index()) && !l.play.Preparing() && len(l.replies) == 0 && !l.asking() {
			row = append(row, frame.Span{Text: " " + t.Glyph.Enter, Style: t.Key})
		}
		lines = frame.Wrap(row, w, 4)
	case l.asking():
		lines = frame.Lines{frame.L("Nothing to run: answer the question.", t.Muted)}
	default:
		lines = frame.Lines{frame.L("Nothing to run here: read, look, go on.", t.Muted)}
	}
	for _, line := range lines {
		widest = max(widest, line.Width())
	}
	parts := []frame.Rows{lines}
	for i := range l.replies {
		reply := l.texts.Reply(&l.replies[i], t, w)
		parts = append(parts, reply.Lines)
		widest = max(widest, reply.Widest)
	}
	return frame.Stack(parts...), widest
}

// commandText is the step's command as it was run, else as it would be run now,
// else with placeholders for what only the cluster knows.
func (l *Screen) commandText() string {
	if l.ran != "" {
		return l.ran
	}
	if display := l.facts.command.Display; display != "" && !l.play.Done(l.play.Index()) {
		return display
	}
	return l.play.Step().Outline()
}

// stalledLines say what the start of the step still lacks, and which of the
// commands that should bring it about were refused.
func (l *Screen) stalledLines(t *theme.Theme, w int) frame.Lines {
	row := frame.L(t.Glyph.Pending+" Not at the start of this step yet", t.Muted)
	if !l.play.Step().Reads() {
		row = append(row, frame.Span{Text: " " + t.Glyph.Enter, Style: t.Key})
	}
	lines := frame.Lines(frame.Wrap(row, w, 2))
	for _, condition := range l.missing {
		lines = append(lines, frame.Wrap(frame.Line{{Text: t.Glyph.Cross + " ", Style: t.Muted}, {Text: condition, Style: t.Code}}, w, 2)...)
	}
	for i := range l.refused {
		reply := &l.refused[i]
		command := frame.Line{{Text: "$ ", Style: t.Muted}, {Text: reply.Command, Style: t.Code}}
		lines = append(append(lines, frame.Wrap(command, w, 4)...), l.texts.Reply(reply, t, w).Lines...)
	}
	return lines
}
