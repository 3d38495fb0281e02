// Package still runs the app without a terminal and draws what a person would
// see at one moment, at any size: the real App, its screens and its commands, on
// a real cluster. Its animations stand still until they are told to go on, so
// that a moment can be held.
package still

import (
	"context"
	"errors"
	"fmt"
	"image/color"
	"reflect"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"

	"svctour/lessons"
	"svctour/ui"
	"svctour/ui/frame"
	"svctour/ui/live"
	"svctour/ui/shell"
	"svctour/ui/theme"
)

// Options say what is opened.
type Options struct {
	Backend shell.Backend   // required; what was learned is neither read from it nor saved
	Choice  shell.Choice    // the cluster
	Lesson  *lessons.Lesson // required
	Step    int             // index into its Steps; the ones before count as done
	Theme   theme.Options
}

// Program is the app at one moment. It is not safe for concurrent use.
type Program struct {
	app   *ui.App
	light bool
	ctx   context.Context
	end   context.CancelFunc
	came  chan tea.Msg  // messages that the app has not been given yet
	nudge chan struct{} // something about what is under way has changed
	group sync.WaitGroup
	// What is due only when the program says so: the steps of animations, and the
	// looks at a node that come after a pause.
	steps, looks []func(time.Time) tea.Msg

	mu       sync.Mutex
	busy     int // commands whose message the app has not been given yet
	parked   int // those of them that wait for the cluster's news
	failed   error
	sessions []shell.Session
}

// aStep is more than a step of an animation takes, and less than any pause
// between two looks at a node.
const aStep = time.Second

// Open begins to connect, and to open the lesson at its step. It ends with ctx;
// Close it in any case.
func Open(ctx context.Context, o Options) *Program {
	p := &Program{light: o.Theme.Light, came: make(chan tea.Msg), nudge: make(chan struct{}, 1)}
	p.ctx, p.end = context.WithCancel(ctx)
	p.app = ui.New(p.ctx, ui.Options{
		Backend: &backend{o.Backend, p, progress(o.Lesson, o.Step)}, Lessons: []*lessons.Lesson{o.Lesson},
		Choice: &o.Choice, Lesson: o.Lesson.ID, Theme: o.Theme, Seed: 1, Timer: p.timer,
	})
	p.run(p.app.Init())
	return p
}

// progress is that of a learner who has come to a step.
func progress(l *lessons.Lesson, step int) lessons.Progress {
	progress := lessons.Progress{Lesson: l.ID, Step: l.Steps[step].ID}
	for _, before := range l.Steps[:step] {
		progress.Done = append(progress.Done, before.ID)
	}
	return progress
}

// timer holds what is due later. A look at a node that came by itself could break
// off the one that goes with a request, and what that has counted.
func (p *Program) timer(after time.Duration, fire func(time.Time) tea.Msg) tea.Cmd {
	if after < aStep {
		p.steps = append(p.steps, fire)
	} else {
		p.looks = append(p.looks, fire)
	}
	return nil
}

// run begins a command; what it answers is given to the app by Until.
func (p *Program) run(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	p.count(1)
	p.group.Go(func() { p.work(cmd) })
}

// work does a command that was counted, and those that it consists of: of a
// batch at the same time, of a sequence one after the other.
func (p *Program) work(cmd tea.Cmd) {
	msg := cmd()
	list := reflect.ValueOf(msg)
	switch batch, isBatch := msg.(tea.BatchMsg); {
	case msg == nil:
		p.count(-1)
	case isBatch:
		p.count(len(batch) - 1)
		for _, one := range batch {
			p.group.Go(func() { p.work(one) })
		}
	case list.Kind() == reflect.Slice && list.Type().Elem() == reflect.TypeFor[tea.Cmd](): // tea.Sequence's message has no name
		for i := range list.Len() {
			if one, _ := list.Index(i).Interface().(tea.Cmd); one != nil {
				p.count(1)
				p.work(one)
			}
		}
		p.count(-1)
	default:
		select {
		case p.came <- msg:
		case <-p.ctx.Done():
		}
	}
}

func (p *Program) count(by int) {
	p.mu.Lock()
	p.busy += by
	p.mu.Unlock()
	p.changed()
}

// parks notes that a command waits, until the function it gives is called.
func (p *Program) parks() (end func()) {
	p.park(1)
	return func() { p.park(-1) }
}

func (p *Program) park(by int) {
	p.mu.Lock()
	p.parked += by
	p.mu.Unlock()
	p.changed()
}

// fail notes the first thing that the app cannot go on without.
func (p *Program) fail(err error) {
	p.mu.Lock()
	if p.failed == nil {
		p.failed = err
	}
	p.mu.Unlock()
	p.changed()
}

func (p *Program) changed() {
	select {
	case p.nudge <- struct{}{}:
	default: // one is enough
	}
}

// quiet says whether nothing is under way but what waits for the cluster.
func (p *Program) quiet() (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.busy == p.parked, p.failed
}

// Until lets the app go on until nothing is under way in it and a condition
// holds, asked after each message. What does not come is told as why says.
func (p *Program) Until(ctx context.Context, why func() string, holds func() bool) error {
	for {
		quiet, failed := p.quiet()
		switch {
		case errors.Is(ctx.Err(), context.Canceled): // which makes a lot fail
			return ctx.Err()
		case failed != nil:
			return failed
		case quiet && holds():
			return nil
		}
		select {
		case msg := <-p.came:
			p.send(msg)
			p.count(-1)
		case <-p.nudge:
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return errors.New(why())
			}
			return ctx.Err()
		}
	}
}

// send gives the app a message, and does what follows from it.
func (p *Program) send(msg tea.Msg) {
	_, cmd := p.app.Update(msg)
	p.run(cmd)
}

// settler is a screen that knows whether it shows all that there is to show.
type settler interface {
	shell.Watcher
	// Began says whether the step's start state is there and was looked at; else
	// why not, as the end of a sentence.
	Began() (ok bool, why string)
	// Panes are those of the Service that the step is about.
	Panes() *live.Panes
}

// caughtUp says whether the node that is watched was seen to hold the path.
func (p *Program) caughtUp() bool {
	s, ok := p.app.Screen().(settler)
	if !ok {
		return true
	}
	node, _ := s.Watches()
	return node == "" || s.Panes().CaughtUp()
}

// A node that does not follow within followTime is drawn as one. It is looked at
// again after followPause.
const (
	followTime  = 10 * time.Second
	followPause = 250 * time.Millisecond
)

// follow has the node that is watched looked at until it was seen to hold the
// path.
func (p *Program) follow(ctx context.Context) error {
	over := time.NewTimer(followTime)
	defer over.Stop()
	for {
		if err := p.rest(ctx); err != nil || p.caughtUp() {
			return err
		}
		select {
		case <-time.After(followPause):
			p.fire(&p.looks)
		case <-over.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// rest lets the app go on until nothing is under way.
func (p *Program) rest(ctx context.Context) error {
	return p.Until(ctx, func() string { return "the app does not come to rest" }, func() bool { return true })
}

// fire lets what was held happen, and says whether there was anything.
func (p *Program) fire(held *[]func(time.Time) tea.Msg) bool {
	due := *held
	*held = nil
	for _, fire := range due {
		p.send(fire(time.Time{}))
	}
	return len(due) > 0
}

// Ready lets the app go on until the step has begun and what it shows is there:
// the path, too, as the node was seen to hold it. Nothing moves then.
func (p *Program) Ready(ctx context.Context) error {
	why := "the lesson does not open"
	err := p.Until(ctx, func() string { return why }, func() bool {
		s, ok := p.app.Screen().(settler)
		if ok {
			ok, why = s.Began()
		}
		return ok
	})
	if err != nil {
		return err
	}
	if err := p.follow(ctx); err != nil {
		return err
	}
	return p.Calm(ctx)
}

// Calm lets every animation go on to its end.
func (p *Program) Calm(ctx context.Context) error {
	const most = 10_000 // steps
	for range most {
		if err := p.rest(ctx); err != nil {
			return err
		}
		if !p.Step() {
			return nil
		}
	}
	return errors.New("an animation does not end")
}

// Step lets everything that moves go one step on, and says whether anything did.
func (p *Program) Step() bool { return p.fire(&p.steps) }

// Press presses a key, as Bubble Tea names it.
func (p *Program) Press(name string) error {
	key, ok := map[string]tea.Key{
		"enter": {Code: tea.KeyEnter}, "esc": {Code: tea.KeyEscape}, "tab": {Code: tea.KeyTab}, "space": {Code: tea.KeySpace, Text: " "},
		"up": {Code: tea.KeyUp}, "down": {Code: tea.KeyDown}, "left": {Code: tea.KeyLeft}, "right": {Code: tea.KeyRight},
	}[name]
	if runes := []rune(name); !ok && len(runes) == 1 {
		key, ok = tea.Key{Code: runes[0], Text: name}, true
	}
	if !ok {
		return fmt.Errorf("there is no key %q", name)
	}
	p.send(tea.KeyPressMsg(key))
	return nil
}

// Resize makes the screen w×h cells.
func (p *Program) Resize(w, h int) { p.send(tea.WindowSizeMsg{Width: w, Height: h}) }

// Background makes the colours those for a light background, or a dark one.
func (p *Program) Background(light bool) {
	back := color.Color(color.Black)
	if p.light = light; light {
		back = color.White
	}
	p.send(tea.BackgroundColorMsg{Color: back})
}

// Frame is what the app shows now.
func (p *Program) Frame() *frame.Surface { return p.app.Frame() }

// SVG is what the app shows now as a picture. The title is for those who cannot
// see it.
func (p *Program) SVG(title string) []byte {
	ink, paper := theme.Ground(p.light)
	return p.Frame().SVG(frame.SVGOptions{Ink: ink, Paper: paper, Title: title})
}

// cleanTime bounds the removal of what was made; namespaces take a while to go.
const cleanTime = 90 * time.Second

// Close ends everything that the app has begun. With clean it removes the
// namespace that was made, also after an error, and when ctx has ended meanwhile.
func (p *Program) Close(clean bool) error {
	p.end()
	p.group.Wait()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.ctx), cleanTime)
	defer cancel()
	var errs []error
	for _, session := range p.sessions {
		if clean {
			errs = append(errs, session.Clean(ctx))
		}
		session.Close()
	}
	return errors.Join(errs...)
}
