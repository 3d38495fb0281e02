package lesson

import (
	"fmt"
	"strings"

	"svctour/model"
	"svctour/ui/frame"
	"svctour/ui/layout"
	"svctour/ui/live"
	"svctour/ui/theme"
)

// Draw implements shell.Screen.
func (l *Screen) Draw(s *frame.Surface, t *theme.Theme) {
	w, h := s.Size()
	widths := layout.ArrangeTour(w, h, layout.Wants{File: 1, Panes: make([]int, len(livePanes))})
	contents := map[pane][]frame.Line{}
	var wants layout.Wants
	switch widths.Class {
	case layout.Large:
		left := widths.Story.W - 4
		contents[storyPane] = l.storyLines(t, left)
		contents[commandPane] = l.commandLines(t, left)
		if step := l.play.Step(); step.File != nil {
			contents[filePane] = live.Manifest(step.File.Content, step.File.Previous, t)
		}
		for _, p := range livePanes {
			contents[p] = l.paneLines(p, t, widths.System.W-4)
			wants.Panes = append(wants.Panes, len(contents[p]))
		}
		spread(wants.Panes, widths.System.H-2-(len(livePanes)-1))
		wants.Story, wants.File, wants.Command = len(contents[storyPane]), len(contents[filePane]), len(contents[commandPane])
		wants.Wide = widest(contents[commandPane]) > left
	default:
		contents[storyPane] = l.storyLines(t, w-4)
		contents[l.tab()] = l.paneLines(l.tab(), t, w-4)
		wants.Panes = []int{len(contents[l.tab()])}
		wants.Story, wants.Reading = len(contents[storyPane]), l.focus == storyPane
	}
	tour := layout.ArrangeTour(w, h, wants)
	switch tour.Class {
	case layout.Large:
		l.drawLarge(s, t, tour, contents)
	case layout.Medium:
		l.drawMedium(s, t, tour, contents)
	case layout.Small:
		l.drawSmall(s, t, tour, contents)
	}
}

// spread gives each pane a blank row at its end if there is room for all.
func spread(wants []int, room int) {
	for _, rows := range wants {
		room -= rows
	}
	if room < len(wants) {
		return
	}
	for i := range wants {
		wants[i]++
	}
}

func widest(lines []frame.Line) int {
	w := 0
	for _, l := range lines {
		w = max(w, l.Width())
	}
	return w
}

// tab is the live pane that a screen without room for all shows.
func (l *Screen) tab() pane {
	if l.focus == storyPane {
		return l.lastTab
	}
	return l.focus
}

func (l *Screen) drawLarge(s *frame.Surface, t *theme.Theme, tour layout.Tour, contents map[pane][]frame.Line) {
	l.drawBox(s, t, storyPane, tour.Story, l.storyTitle(t), nil, contents[storyPane])
	if tour.File.H > 2 {
		l.drawBox(s, t, filePane, tour.File, l.title(t, filePane, l.play.Step().File.Name), nil, contents[filePane])
	}
	l.drawBox(s, t, commandPane, tour.Command, l.title(t, commandPane, "$"), nil, contents[commandPane])
	box := s.Sub(tour.System)
	box.Box(t.Box, l.borderStyle(t, livePanes...))
	for i, p := range livePanes {
		area := tour.Panes[i]
		y := area.Y - 1 - tour.System.Y
		if i > 0 {
			box.Rule(y, t.Box, l.borderStyle(t, livePanes...))
		}
		box.Heading(y, l.title(t, p, l.paneTitle(p)), l.evidence(t, p))
		inner := s.Sub(frame.Rect{X: area.X + 1, Y: area.Y, W: area.W - 2, H: area.H})
		l.drawScrolled(inner, t, p, contents[p])
		s.Click(area, "pane", int(p))
	}
}

func (l *Screen) drawMedium(s *frame.Surface, t *theme.Theme, tour layout.Tour, contents map[pane][]frame.Line) {
	l.drawBox(s, t, storyPane, tour.Story, l.storyTitle(t), nil, contents[storyPane])
	l.drawTabs(s, t, tour.System, contents[l.tab()])
	l.drawCommand(s.Sub(tour.Command), t)
}

func (l *Screen) drawSmall(s *frame.Surface, t *theme.Theme, tour layout.Tour, contents map[pane][]frame.Line) {
	if l.focus == storyPane {
		l.drawBox(s, t, storyPane, tour.System, l.storyTitle(t), nil, contents[storyPane])
	} else {
		l.drawBox(s, t, l.focus, tour.System, l.title(t, l.focus, paneTitles[l.focus]), l.evidence(t, l.focus), contents[l.focus])
	}
	l.drawCommand(s.Sub(tour.Command), t)
}

func (l *Screen) drawTabs(s *frame.Surface, t *theme.Theme, area frame.Rect, lines []frame.Line) {
	box := s.Sub(area)
	inner := box.Box(t.Box, l.borderStyle(t, l.tab()))
	var head frame.Line
	x := 2
	for p := mapPane; p < panes; p++ {
		if p == filePane && l.play.Step().File == nil {
			continue
		}
		style := t.Muted
		if p == l.tab() {
			style = t.Title
		}
		label := fmt.Sprintf("%d %s", p+1, paneTitles[p])
		if len(head) > 0 {
			head = append(head, frame.Span{Text: "  ", Style: t.Border})
			x += 2
		}
		head = append(head, frame.Span{Text: label, Style: style})
		box.Click(frame.Rect{X: x, Y: 0, W: frame.Width(label), H: 1}, "pane", int(p))
		x += frame.Width(label)
	}
	box.Heading(0, head, l.evidence(t, l.tab()))
	iw, ih := inner.Size()
	l.drawScrolled(inner.Sub(frame.Rect{X: 1, Y: 0, W: iw - 2, H: ih}), t, l.tab(), lines)
}

// drawCommand is the command and the end of its reply in two or three rows.
func (l *Screen) drawCommand(s *frame.Surface, t *theme.Theme) {
	w, h := s.Size()
	lines := l.commandLines(t, w-2)
	first := 0
	if len(lines) > h {
		first = len(lines) - h
	}
	if first > 0 { // the command itself stays in sight
		lines = append([]frame.Line{lines[0]}, lines[len(lines)-h+1:]...)
	}
	s.Sub(frame.Rect{X: 1, Y: 0, W: w - 2, H: h}).Lines(lines, 0)
}

func (l *Screen) drawBox(s *frame.Surface, t *theme.Theme, p pane, area frame.Rect, title, note frame.Line, lines []frame.Line) {
	box := s.Sub(area)
	inner := box.Box(t.Box, l.borderStyle(t, p))
	box.Heading(0, title, note)
	iw, ih := inner.Size()
	l.drawScrolled(inner.Sub(frame.Rect{X: 1, Y: 0, W: iw - 2, H: ih}), t, p, lines)
	s.Click(area, "pane", int(p))
}

// drawScrolled draws lines at the pane's scroll position, and says how many
// are hidden.
func (l *Screen) drawScrolled(s *frame.Surface, t *theme.Theme, p pane, lines []frame.Line) {
	w, h := s.Size()
	offset := max(0, min(l.scroll[p], len(lines)-h))
	l.offset[p] = offset // the next key moves from here
	s.Lines(lines, offset)
	if hidden := len(lines) - h - offset; hidden > 0 && h > 1 {
		text := fmt.Sprintf("… %d more ", hidden)
		s.Right(w, h-1, text, t.Muted)
	}
}

func (l *Screen) borderStyle(t *theme.Theme, group ...pane) frame.Style {
	for _, p := range group {
		if p == l.focus {
			return t.Focus
		}
	}
	return t.Border
}

func (l *Screen) title(t *theme.Theme, p pane, text string) frame.Line {
	if p == l.focus {
		return frame.L(text, t.Title)
	}
	return frame.L(text, t.Strong)
}

func (l *Screen) storyTitle(t *theme.Theme) frame.Line {
	if l.doctor {
		return l.title(t, storyPane, strings.TrimSpace("Doctor "+l.view.Service))
	}
	return l.title(t, storyPane, l.play.Step().Title)
}

func (l *Screen) paneTitle(p pane) string {
	switch p {
	case dnsPane:
		if r := l.view.Resolution; r != nil {
			return "DNS " + r.Name
		}
	case pathPane:
		if tr := l.view.Trace; tr != nil {
			title := "Path"
			if tr.Packet.Node != "" {
				title += " on " + tr.Packet.Node
			}
			return title + " · " + tr.Mode
		}
	case endpointsPane:
		return "EndpointSlices"
	}
	return paneTitles[p]
}

// evidence is the word at the right of a live pane's title.
func (l *Screen) evidence(t *theme.Theme, p pane) frame.Line {
	if l.view.Snapshot == nil {
		return nil
	}
	e := model.Observed // read from the API server
	switch p {
	case dnsPane:
		e = live.ResolutionEvidence(l.view.Resolution)
		if l.view.Resolution == nil {
			return nil
		}
	case pathPane:
		if l.view.Trace == nil {
			return nil
		}
		e = live.PathEvidence(&l.view)
	case storyPane, filePane, commandPane:
		return nil
	}
	word := frame.L(e.String(), t.Evidence(e))
	if p == dnsPane && e == model.Unknown && live.PartlyKnown(l.view.Resolution) {
		word = append(frame.L(model.Derived.String(), t.Derived), frame.Span{Text: ", partly ", Style: t.Muted}, word[0])
	}
	return word
}

func (l *Screen) paneLines(p pane, t *theme.Theme, w int) []frame.Line {
	v := &l.view
	if v.Snapshot == nil && p != filePane && p != commandPane {
		return []frame.Line{frame.L("Reading the cluster"+t.Glyph.Pending, t.Muted)}
	}
	switch p {
	case mapPane:
		return live.Map(v, t, w)
	case endpointsPane:
		return live.Endpoints(v, t, w)
	case dnsPane:
		return live.Resolution(v, t, w)
	case pathPane:
		return append(l.requestLines(t, w), live.Path(v, t, w, l.rules)...)
	case filePane:
		if step := l.play.Step(); step.File != nil {
			return live.Manifest(step.File.Content, step.File.Previous, t)
		}
		return []frame.Line{frame.L("This step has no manifest.", t.Muted)}
	case commandPane:
		return l.commandLines(t, w)
	}
	return l.storyLines(t, w)
}

func (l *Screen) storyLines(t *theme.Theme, w int) []frame.Line {
	if l.doctor {
		return l.doctorLines(t, w)
	}
	step, done := l.play.Step(), l.play.Done(l.play.Index())
	var story, result []frame.Line
	story = live.Story(step.Story, t, w)
	if step.Predict != nil {
		if l.class() == layout.Large {
			story = append(story, nil)
		}
		story = append(story, l.predictionLines(t, w, done)...)
	}
	for i := 0; i < l.hints && i < len(step.Hints); i++ {
		hint := live.Story(fmt.Sprintf("**Hint %d.** %s", i+1, step.Hints[i]), t, w)
		story = append(append(story, nil), hint...)
	}
	if done && !step.Reads() {
		result = append(result, frame.Line{{Text: t.Glyph.Check + " Done. ", Style: t.Good.With(t.Strong)}, {Text: l.doneBy(), Style: t.Muted}})
		if step.After != "" {
			result = append(result, live.Story(step.After, t, w)...)
		}
	}
	if l.problem != "" {
		result = append(result, frame.Wrap(frame.L(l.problem, t.Bad), w, 0)...)
	}
	if len(result) == 0 {
		return story
	}
	if l.class() == layout.Large {
		return append(append(story, nil), result...)
	}
	return append(append(result, nil), story...) // what is new comes first where room is short
}

func (l *Screen) doctorLines(t *theme.Theme, w int) []frame.Line {
	if l.report == nil {
		return frame.Wrap(frame.L("This step is not about a Service.", t.Muted), w, 0)
	}
	return live.Doctor(l.report, t, w)
}

func (l *Screen) doneBy() string {
	if l.play.Step().Checked() {
		return "The cluster shows it."
	}
	return ""
}

func (l *Screen) predictionLines(t *theme.Theme, w int, done bool) []frame.Line {
	p := l.play.Step().Predict
	reveal := done || l.play.Step().Reads() // nothing to wait for in a step that is only read
	lines := live.Story("**?** "+p.Question, t, w)
	answer, answered := l.play.Answered(l.play.Index())
	for i, choice := range p.Choices {
		style, mark := t.Text, "  "
		switch {
		case answered && reveal && i == p.Answer:
			style, mark = t.Good, t.Glyph.Check+" "
		case answered && reveal && i == answer:
			style, mark = t.Bad, t.Glyph.Cross+" "
		case answered && i == answer:
			style, mark = t.Accent, t.Glyph.Pointer+" "
		}
		prefix := frame.Line{{Text: mark, Style: style}, {Text: string(rune('a'+i)) + " ", Style: t.Key}}
		for k, row := range live.Story(choice, t.With(style), w-4) {
			if k > 0 {
				prefix = frame.L("    ", style)
			}
			lines = append(lines, append(prefix, row...))
		}
	}
	if answered && reveal && p.Why != "" {
		lines = append(lines, live.Story(p.Why, t, w)...)
	}
	return lines
}

// commandLines is the command as a person types it, and what it replied.
func (l *Screen) commandLines(t *theme.Theme, w int) []frame.Line {
	var lines []frame.Line
	switch command := l.command(); {
	case l.preparing:
		lines = append(lines, frame.Line{{Text: t.Glyph.Pending + " preparing: ", Style: t.Muted}, {Text: l.running, Style: t.Muted}})
	case l.stalled():
		lines = append(lines, l.stalledLines(t, w)...)
	case command != "":
		row := frame.Line{{Text: "$ ", Style: t.Muted}, {Text: command, Style: t.Code}}
		if l.running != "" {
			row = append(row, frame.Span{Text: " " + t.Glyph.Pending, Style: t.Accent})
		} else if !l.play.Done(l.play.Index()) && !l.play.Preparing() && len(l.replies) == 0 {
			row = append(row, frame.Span{Text: " " + t.Glyph.Enter, Style: t.Key})
		}
		lines = append(lines, frame.Wrap(row, w, 4)...)
	default:
		lines = append(lines, frame.L("Nothing to run here: read, look, go on.", t.Muted))
	}
	for _, reply := range l.replies {
		lines = append(lines, replyLines(t, reply, w)...)
	}
	return lines
}

// command is the step's command as it was run, else as it would be run now,
// else with placeholders for what only the cluster knows.
func (l *Screen) command() string {
	step := l.play.Step()
	if l.ran != "" {
		return l.ran
	}
	if l.view.Snapshot != nil && !l.play.Done(l.play.Index()) {
		if invocation, err := l.play.Command(l.view.Snapshot); err == nil {
			return invocation.Display
		}
	}
	return step.Outline()
}

// stalledLines say what the start of the step still lacks, and which of the
// commands that should bring it about were refused.
func (l *Screen) stalledLines(t *theme.Theme, w int) []frame.Line {
	row := frame.L(t.Glyph.Pending+" Not at the start of this step yet", t.Muted)
	if !l.play.Step().Reads() {
		row = append(row, frame.Span{Text: " " + t.Glyph.Enter, Style: t.Key})
	}
	lines := frame.Wrap(row, w, 2)
	for _, condition := range l.missing {
		lines = append(lines, frame.Wrap(frame.Line{{Text: t.Glyph.Cross + " ", Style: t.Muted}, {Text: condition, Style: t.Code}}, w, 2)...)
	}
	for _, reply := range l.refused {
		command := frame.Line{{Text: "$ ", Style: t.Muted}, {Text: reply.Command, Style: t.Code}}
		lines = append(append(lines, frame.Wrap(command, w, 4)...), replyLines(t, reply, w)...)
	}
	return lines
}

func replyLines(t *theme.Theme, reply model.Reply, w int) []frame.Line {
	var lines []frame.Line
	add := func(text string, style frame.Style) {
		for _, row := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
			if strings.TrimSpace(row) == "" {
				continue
			}
			row = strings.ReplaceAll(row, "\t", "  ")
			if frame.Width(row) <= w || strings.Contains(row, "   ") { // a table stays a table, cut at the edge
				lines = append(lines, frame.L(row, style))
				continue
			}
			lines = append(lines, frame.Wrap(frame.L(row, style), w, 2)...)
		}
	}
	add(reply.Stdout, t.Text)
	style := t.Muted
	if reply.Exit != 0 {
		style = t.Warn
	}
	add(reply.Stderr, style)
	if reply.Exit != 0 && len(lines) == 0 {
		add(fmt.Sprintf("exit code %d", reply.Exit), t.Warn)
	}
	return lines
}
