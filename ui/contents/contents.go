// Package contents is the table of contents: the lessons and how far they are.
package contents

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"svctour/lessons"
	"svctour/model"
	"svctour/ui/frame"
	"svctour/ui/list"
	"svctour/ui/shell"
	"svctour/ui/theme"
)

// Screen lists the lessons.
type Screen struct {
	lessons  []*lessons.Lesson
	progress map[string]lessons.Progress
	world    *model.Snapshot
	list     list.List
}

// New makes the screen; the cursor stands on the first unfinished lesson.
func New(all []*lessons.Lesson, progress map[string]lessons.Progress, world *model.Snapshot) *Screen {
	c := &Screen{lessons: all, progress: progress, world: world}
	titles := make([]string, len(all))
	for i, l := range all {
		titles[i] = l.Title + " " + l.Summary
	}
	c.list.Set(titles)
	c.list.Go(slices.IndexFunc(all, func(l *lessons.Lesson) bool { return c.done(l) < len(l.Steps) }))
	return c
}

func (c *Screen) done(l *lessons.Lesson) int {
	return min(len(c.progress[l.ID].Done), len(l.Steps))
}

// Actions implements shell.Screen.
func (c *Screen) Actions() []shell.Action {
	title := "begin"
	at := c.lessons[c.list.Row()]
	if n := c.done(at); n == len(at.Steps) {
		title = "look again"
	} else if n > 0 {
		title = "go on"
	}
	return []shell.Action{
		{ID: "open", Keys: []string{"enter"}, Title: title, Help: "open the lesson under the cursor"},
		{ID: "up", Keys: []string{"up", "k"}, Title: "up", Help: "up (down: j)", Quiet: true},
		{ID: "down", Keys: []string{"down", "j"}, Title: "down", Hidden: true},
		{ID: "picker", Keys: []string{"esc"}, Title: "other cluster"},
		{ID: "quit", Keys: []string{"q"}, Title: "quit"},
	}
}

// Do implements shell.Screen.
func (c *Screen) Do(id string, n int) shell.Intent {
	switch id {
	case "up":
		c.list.Step(-1)
	case "down":
		c.list.Step(1)
	case "open":
		return shell.Open{Lesson: c.lessons[c.list.Row()].ID}
	case "picker":
		return shell.Picker{}
	case "row":
		if c.list.Go(n) {
			return shell.Open{Lesson: c.lessons[n].ID}
		}
	case "quit":
		return shell.Quit{}
	}
	return nil
}

// Handle implements shell.Screen.
func (c *Screen) Handle(msg any) shell.Intent {
	if world, ok := msg.(shell.World); ok {
		c.world = world.Snapshot
	}
	return nil
}

// Animating implements shell.Screen.
func (c *Screen) Animating() bool { return false }

// Draw implements shell.Screen.
func (c *Screen) Draw(s *frame.Surface, t *theme.Theme) {
	w, h := s.Size()
	width := min(w-4, 96)
	body := s.Sub(frame.Rect{X: (w - width) / 2, Y: 1, W: width, H: h - 2})
	y := 0
	if h >= 20 {
		y = 1
	}
	body.Text(0, y, "Lessons", t.Title)
	y += 2
	for _, i := range c.list.Window((h - 4 - y) / 3) {
		c.drawRow(body, t, i, c.lessons[i], y, width)
		y += 3
	}
	if c.world != nil {
		c.drawWorld(body, t, y, width)
	}
}

func (c *Screen) drawRow(s *frame.Surface, t *theme.Theme, i int, l *lessons.Lesson, y, w int) {
	style := frame.Style{}
	if i == c.list.Row() {
		style = t.Selected
		s.Fill(frame.Rect{X: 0, Y: y, W: w, H: 1}, style)
		s.Text(0, y, t.Glyph.Pointer, style.With(t.Key))
	}
	at := 2 + s.Text(2, y, fmt.Sprintf("%d  ", l.Number), style.With(t.Muted))
	s.Text(at, y, l.Title, style.With(t.Strong))
	done := c.done(l)
	state := fmt.Sprintf("%d steps, about %d min", len(l.Steps), l.Minutes)
	stateStyle := t.Muted
	switch {
	case done == len(l.Steps):
		state, stateStyle = t.Glyph.Check+" done", t.Good
	case done > 0:
		state, stateStyle = fmt.Sprintf("%d of %d steps", done, len(l.Steps)), t.Accent
	}
	s.Right(w-1, y, state, style.With(stateStyle))
	s.Line(5, y+1, w-5, frame.L(l.Summary, t.Muted))
	s.Click(frame.Rect{X: 0, Y: y, W: w, H: 2}, "row", i)
}

func (c *Screen) drawWorld(s *frame.Surface, t *theme.Theme, y, w int) {
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
	s.Line(0, y, w, frame.L(text, t.Muted))
	for _, l := range frame.Wrap(frame.L(limits(c.world), t.Warn), w, 0) {
		y++
		s.Line(0, y, w, l)
	}
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
