// Package boot is the screen while a cluster is being reached: the lab's
// start, or a connection.
package boot

import (
	"svctour/ui/frame"
	"svctour/ui/layout"
	"svctour/ui/shell"
	"svctour/ui/theme"
)

// Screen shows stages as they are reached, and the error if one fails.
type Screen struct {
	choice shell.Choice
	stages []shell.Stage
	err    string
	silent string // why the server does not answer, while it is asked again
	ticks  int
}

// New makes the screen for a choice.
func New(choice shell.Choice) *Screen { return &Screen{choice: choice} }

// Fail shows why it did not work.
func (b *Screen) Fail(err error) { b.err = err.Error() }

// Failed says whether it did not work.
func (b *Screen) Failed() bool { return b.err != "" }

// Choice is what is being reached.
func (b *Screen) Choice() shell.Choice { return b.choice }

// Actions implements shell.Screen.
func (b *Screen) Actions() []shell.Action {
	actions := []shell.Action{
		{ID: "back", Keys: []string{"esc", "left"}, Title: "other cluster"},
		{ID: "quit", Keys: []string{"q"}, Title: "quit"},
	}
	if b.Failed() {
		actions = append([]shell.Action{{ID: "retry", Keys: []string{"enter", "r"}, Title: "try again"}}, actions...)
	}
	return actions
}

// Do implements shell.Screen.
func (b *Screen) Do(id string, _ int) shell.Intent {
	switch id {
	case "retry":
		return shell.Choose{Choice: b.choice}
	case "back":
		return shell.Picker{}
	case "quit":
		return shell.Quit{}
	}
	return nil
}

// Handle implements shell.Screen.
func (b *Screen) Handle(msg any) shell.Intent {
	switch msg := msg.(type) {
	case shell.Stage:
		for i := range b.stages {
			if b.stages[i].Name == msg.Name {
				b.stages[i] = msg
				return nil
			}
		}
		b.stages = append(b.stages, msg)
	case shell.World:
		b.silent = msg.Snapshot.Sync.Err
	case shell.Tick:
		b.ticks++
	}
	return nil
}

// Animating implements shell.Screen.
func (b *Screen) Animating() bool { return !b.Failed() }

var spinner = [...]string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"}

// Draw implements shell.Screen.
func (b *Screen) Draw(s *frame.Surface, t *theme.Theme) {
	w, h := s.Size()
	area := layout.Center(w, h, min(76, w-4), min(h-4, max(9, len(b.stages)+5)))
	body := s.Sub(area)
	width, _ := body.Size()
	title := "Connecting to " + b.choice.Name()
	if b.choice.Lab {
		title = "Starting the lab: a real Kubernetes control plane"
	}
	body.Line(0, 0, width, frame.L(title, t.Title))
	y := 2
	for _, stage := range b.stages {
		glyph, style := b.spin(t), t.Accent
		if stage.Done {
			glyph, style = t.Glyph.Check, t.Good
		} else if b.Failed() {
			glyph, style = t.Glyph.Cross, t.Bad
		}
		body.Text(0, y, glyph, style)
		body.Line(2, y, width-2, frame.L(stage.Name, t.Text))
		y++
	}
	if len(b.stages) == 0 && !b.Failed() {
		body.Text(0, y, b.spin(t), t.Accent)
		body.Line(2, y, width-2, frame.L(b.choice.Server, t.Muted))
		y++
	}
	trouble := b.err
	if trouble == "" && b.silent != "" {
		trouble = b.silent + " Asking again."
	}
	for _, l := range frame.Wrap(frame.L(trouble, t.Bad), width, 0) {
		body.Line(0, y+1, width, l)
		y++
	}
}

func (b *Screen) spin(t *theme.Theme) string {
	if t.Box == frame.ASCII {
		return [...]string{"-", "\\", "|", "/"}[b.ticks/2%4]
	}
	return spinner[b.ticks/2%len(spinner)]
}
