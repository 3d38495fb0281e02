package desk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/ansi"

	"svctour/lessons"
	"svctour/model"
	"svctour/ui"
	"svctour/ui/shell"
	"svctour/ui/theme"
)

// Tour says how the app opens.
type Tour struct {
	Lessons []*lessons.Lesson // required, in order
	Choice  *shell.Choice     // skip the picker
	Lesson  string            // open this lesson, or the sandbox by its ID, once connected; "": the list
}

// ErrCrashed says that the app has ended by a panic. Its trace is in the log.
var ErrCrashed = errors.New("the tour has crashed")

// Run opens the app on the person's streams and returns once they have left, or
// when ctx ends. What the app has to say at its end goes to Out. The desk may be
// run again.
func (d *Desk) Run(ctx context.Context, t Tour) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d.mu.Lock()
	d.ended = false
	d.mu.Unlock()
	app := ui.New(ctx, ui.Options{
		Backend: backend{d}, Reviews: reviews{d}, Lessons: t.Lessons, Choice: t.Choice, Lesson: t.Lesson, Seed: uint64(time.Now().UnixNano()),
		Theme: theme.Options{NoColor: d.options.NoColor, ASCII: d.options.ASCII}, Still: d.options.NoMotion,
	})
	err := d.loop(ctx, app)
	cancel()
	if session := app.Session(); session != nil {
		session.Close()
	}
	if err := d.endLab(); err != nil {
		fmt.Fprintf(d.options.Err, "svctour: %v\n", err)
	}
	for _, progress := range app.Unsaved() {
		if err := d.options.Progress.Save(progress); err != nil {
			fmt.Fprintf(d.options.Err, "svctour: progress was not saved: %v\n", err)
		}
	}
	for _, text := range app.Farewell() {
		fmt.Fprintln(d.options.Out, model.Printable(text))
	}
	return err
}

// loop runs a program on the desk's streams to its end.
func (d *Desk) loop(ctx context.Context, model tea.Model) error {
	guarded := &guard{model: model, log: d.log}
	options := []tea.ProgramOption{
		tea.WithContext(ctx), tea.WithInput(d.options.In), tea.WithOutput(d.options.Out), tea.WithEnvironment(d.options.Environment),
		tea.WithoutSignalHandler(), tea.WithFilter(d.filter), tea.WithFPS(ui.FramesPerSecond),
	}
	if d.options.Width > 0 && d.options.Height > 0 {
		options = append(options, tea.WithWindowSize(d.options.Width, d.options.Height))
	}
	switch {
	case d.options.NoColor:
		options = append(options, tea.WithColorProfile(colorprofile.Ascii))
	case d.options.Profile != nil:
		options = append(options, tea.WithColorProfile(*d.options.Profile))
	}
	program := tea.NewProgram(guarded, options...)
	guarded.end = program.Quit
	d.setProgram(program)
	defer d.setProgram(nil)
	_, err := program.Run()
	switch {
	case guarded.crashed.Load() || errors.Is(err, tea.ErrProgramPanic):
		// The app resets it where it quits.
		_, _ = io.WriteString(d.options.Out, ansi.ResetModeLightDark)
		return ErrCrashed
	// ErrProgramKilled says nothing of how it ended: it also wraps the end of a
	// context, every error of the loop, and a panic.
	case err == nil || errors.Is(err, tea.ErrInterrupted) || errors.Is(err, context.Canceled):
		return nil
	}
	return fmt.Errorf("run the tour: %w", err)
}

// filter keeps suspend messages from Bubble Tea where this person may not
// suspend: that stops the process group, with every desk in it.
func (d *Desk) filter(_ tea.Model, msg tea.Msg) tea.Msg {
	if _, ok := msg.(tea.SuspendMsg); ok && !d.options.Rights.Suspend {
		return nil
	}
	return msg
}

// Resize tells the running app a new size of its screen, where that is not a
// terminal of this machine.
func (d *Desk) Resize(width, height int) {
	d.mu.Lock()
	program := d.program
	d.mu.Unlock()
	if program != nil {
		program.Send(tea.WindowSizeMsg{Width: width, Height: height})
	}
}

func (d *Desk) setProgram(p *tea.Program) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.program = p
}
