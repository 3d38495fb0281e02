package ui

import (
	"cmp"
	"fmt"

	tea "charm.land/bubbletea/v2"

	"svctour/ui/frame"
	"svctour/ui/layout"
	"svctour/ui/lesson"
	"svctour/ui/shell"
)

// View implements tea.Model. A frame is composed only after something
// happened, and not too soon after the last one, which stands meanwhile.
func (a *App) View() tea.View {
	if !a.stale || a.awaiting {
		return a.view
	}
	a.stale, a.composed = false, a.options.Now()
	a.drawn = a.link.world
	if l, ok := a.screen.(*lesson.Screen); ok && l.Drawn() != nil {
		a.drawn = l.Drawn()
	}
	s := a.emptied()
	a.compose(s)
	a.areas = s.Regions()
	a.view = tea.NewView(s.Render())
	a.view.AltScreen = true
	a.view.MouseMode = tea.MouseModeCellMotion
	a.view.WindowTitle = "svctour"
	return a.view
}

// Frame draws the present screen, for tests and recordings.
func (a *App) Frame() *frame.Surface {
	s := a.empty()
	a.compose(s)
	return s
}

func (a *App) empty() *frame.Surface {
	if a.options.Theme.ASCII {
		return frame.NewASCII(a.size.W, a.size.H)
	}
	return frame.New(a.size.W, a.size.H)
}

// emptied gives an empty frame, in the memory of the last one if that has the
// present size: a frame is more than a megabyte.
func (a *App) emptied() *frame.Surface {
	if a.canvas != nil {
		if w, h := a.canvas.Size(); w == a.size.W && h == a.size.H {
			a.canvas = a.canvas.Again()
			return a.canvas
		}
	}
	a.canvas = a.empty()
	return a.canvas
}

func (a *App) compose(s *frame.Surface) {
	if a.screen == nil || a.size.W == 0 || a.size.H == 0 {
		return
	}
	if layout.Classify(a.size.W, a.size.H) == layout.TooSmall {
		a.drawTooSmall(s)
		return
	}
	a.screen.Draw(s, a.theme)
	a.drawHeader(s)
	a.drawFooter(s)
	if a.writing.editor != nil {
		a.writing.editor.Draw(s.Sub(layout.Beside(a.size.W, a.size.H)), a.theme)
	}
	if a.prompt.IsOpen() {
		a.prompt.Draw(s, a.theme)
	}
	switch {
	case a.dialog != nil:
		s.Restyle(frame.Rect{W: a.size.W, H: a.size.H}, faint)
		a.drawDialog(s)
	case a.help:
		s.Restyle(frame.Rect{W: a.size.W, H: a.size.H}, faint)
		a.drawHelp(s)
	}
}

func faint(s frame.Style) frame.Style {
	return frame.Style{Faint: true, Fg: s.Fg}
}

// drawTooSmall leaves the first column blank: see measure.
func (a *App) drawTooSmall(s *frame.Surface) {
	text := fmt.Sprintf("This terminal has %d×%d cells; svctour needs %d×%d.", a.size.W, a.size.H, layout.SmallWidth, layout.SmallHeight)
	for y, l := range frame.Wrap(frame.L(text, a.theme.Text), a.size.W-1, 0) {
		s.Line(1, y, a.size.W-1, l)
	}
}

func (a *App) drawHeader(s *frame.Surface) {
	t := a.theme
	x := 1 + s.Text(1, 0, "svctour", t.Title)
	if a.link.session != nil || a.link.choice != (shell.Choice{}) {
		where := a.link.choice.Name()
		if a.link.world != nil && a.link.world.Cluster.Version != "" {
			where += " " + a.link.world.Cluster.Version
		}
		if a.link.namespace != "" {
			where += " " + t.Glyph.Dot + " ns " + a.link.namespace
		}
		x += 2 + s.Text(x+2, 0, frame.Truncate(where, a.size.W/3), t.Muted)
	}
	live, trouble := a.liveText()
	right := a.size.W - 1 - live.Width()
	s.Line(right, 0, live.Width(), live)
	if l, ok := a.screen.(*lesson.Screen); ok {
		title := a.lessonTitle(l, right-x-3)
		if at := max(x+3, (a.size.W-title.Width())/2); at+title.Width() < right {
			s.Line(at, 0, title.Width(), title)
		} else {
			s.Line(x+2, 0, max(0, right-x-3), title)
		}
	}
	if trouble {
		a.drawBanner(s, a.link.world.Sync.Err)
	}
}

// drawBanner writes trouble across the frame's second row, where it cannot be
// overlooked.
func (a *App) drawBanner(s *frame.Surface, text string) {
	s.Fill(frame.Rect{X: 0, Y: 1, W: a.size.W, H: 1}, a.theme.Bad.With(frame.Style{Reverse: true}))
	s.Line(0, 1, a.size.W, frame.L(" "+a.theme.Glyph.Trouble+" "+text+" What you see is the last known picture.", a.theme.Bad.With(frame.Style{Reverse: true})))
}

// lessonTitle says where the learner stands. The number of the step stays whole
// where w columns do not hold everything.
func (a *App) lessonTitle(l *lesson.Screen, w int) frame.Line {
	t := a.theme
	number, title, step, steps := l.Status()
	if level := l.Challenge(); level > 0 {
		return frame.Line{{Text: "Challenge: " + title + "  ", Style: t.Strong}, {Text: t.Level(level), Style: t.Muted}}
	}
	name, at := fmt.Sprintf("%d %s", number, title), fmt.Sprintf("  step %d/%d", step+1, steps)
	switch room := w - frame.Width(at); {
	case room <= 0:
		return frame.L(at[2:], t.Muted)
	case frame.Width(name)+2+steps > room:
		return frame.Line{{Text: frame.Truncate(name, room), Style: t.Strong}, {Text: at, Style: t.Muted}}
	}
	row := frame.Line{{Text: name + "  ", Style: t.Strong}}
	for i, done := range l.StepsDone() {
		switch {
		case i == step:
			row = append(row, frame.Span{Text: t.Glyph.StepHere, Style: t.Accent})
		case done:
			row = append(row, frame.Span{Text: t.Glyph.StepDone, Style: t.Good})
		default:
			row = append(row, frame.Span{Text: t.Glyph.StepTodo, Style: t.Muted})
		}
	}
	return append(row, frame.Span{Text: at, Style: t.Muted})
}

// drawFooter lists what can be done, as far as it fits; "?" and "quit" stay.
func (a *App) drawFooter(s *frame.Surface) {
	t, y := a.theme, a.size.H-1
	end, actions, writing := a.size.W, a.screen.Actions(), a.writing.editor != nil
	if writing { // there "?" is a letter
		actions = a.writing.editor.Actions()
	}
	if notice := a.told(actions); notice != "" {
		s.Line(1, y, a.size.W-2, frame.L(notice, t.Warn))
		return
	}
	if !writing {
		end -= 1 + frame.Width("? keys")
		s.Text(end, y, "?", t.Key)
		s.Text(end+2, y, "keys", t.Muted)
		s.Click(frame.Rect{X: end, Y: y, W: 6, H: 1}, "help", 0)
	}
	x := 1
	for _, action := range actions {
		if action.Quiet || action.Hidden || len(action.Keys) == 0 {
			continue
		}
		key := cmp.Or(action.Keycap, a.theme.KeyName(action.Keys[0]))
		width := frame.Width(key) + 1 + frame.Width(action.Title)
		if x+width >= end-1 {
			continue
		}
		keyStyle, textStyle := t.Key, t.Text
		if action.Why != "" {
			keyStyle, textStyle = t.KeyOff, t.KeyOff
		}
		s.Text(x, y, key, keyStyle)
		s.Text(x+frame.Width(key)+1, y, action.Title, textStyle)
		s.Click(frame.Rect{X: x, Y: y, W: width, H: 1}, action.ID, action.N)
		x += width + 3
	}
}

// drawHelp lists every key of the present screen.
func (a *App) drawHelp(s *frame.Surface) {
	t := a.theme
	var actions []shell.Action
	for _, action := range a.screen.Actions() {
		if !action.Hidden {
			actions = append(actions, action)
		}
	}
	actions = append(actions,
		shell.Action{Keys: []string{"$", ":"}, Title: "type a kubectl command", Why: a.promptWhy()},
		shell.Action{Keys: []string{"?"}, Title: "this list"},
		shell.Action{Keys: []string{"ctrl+c"}, Title: "quit at once, without asking"})
	// What an action does stands in one row where the screen is wide enough.
	longest, rows := 0, make([]frame.Line, len(actions))
	for i, action := range actions {
		text, style := action.Help, t.Text
		if text == "" {
			text = action.Title
		}
		if action.Why != "" {
			text, style = text+" ("+action.Why+")", t.KeyOff
		}
		rows[i] = frame.L(text, style)
		longest = max(longest, frame.Width(text))
	}
	columns := 1
	width := min(a.size.W-2-4, helpKeys+longest+2)
	helps, height := helpColumns(rows, columns, width-helpKeys-1)
	if height+3 > a.size.H && a.size.W >= 76 { // a blank row less is no harm
		columns = 2
		width = min((a.size.W-2-4)/columns, helpKeys+longest+2)
		helps, height = helpColumns(rows, columns, width-helpKeys-1)
	}
	area := layout.Center(a.size.W, a.size.H, width*columns+4, height+4)
	box := s.Sub(area)
	box.Fill(frame.Rect{W: area.W, H: area.H}, frame.Style{})
	box.Box(t.Box, t.Focus)
	box.Heading(0, frame.L("Keys", t.Title), frame.L("any key closes", t.Muted))
	for i, action := range actions {
		keys := ""
		for k, key := range action.Keys {
			if k > 0 {
				keys += " "
			}
			keys += a.theme.KeyName(key)
		}
		at := helps[i]
		x := 2 + at.column*width
		box.Text(x, 2+at.y, keys, t.Key)
		for k, line := range at.lines {
			box.Line(x+helpKeys, 2+at.y+k, width-helpKeys-1, line)
		}
	}
}

// helpKeys is how many columns the list of keys has for the keys.
const helpKeys = 13

// helpRow is where an action stands in the list of keys.
type helpRow struct {
	column, y int
	lines     []frame.Line
}

// helpColumns wraps the rows and spreads them over columns of about the same
// height; it gives the height, too.
func helpColumns(rows []frame.Line, columns, width int) ([]helpRow, int) {
	out, total := make([]helpRow, len(rows)), 0
	for i, row := range rows {
		out[i].lines = frame.Wrap(row, width, 0)
		total += len(out[i].lines)
	}
	column, y, height := 0, 0, 0
	for i := range out {
		if y+len(out[i].lines)/2 >= (total+columns-1)/columns && column < columns-1 { // most of it would stand too low
			column, y = column+1, 0
		}
		out[i].column, out[i].y = column, y
		y += len(out[i].lines)
		height = max(height, y)
	}
	return out, height
}
