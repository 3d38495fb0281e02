package learner

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/charmbracelet/x/vt"

	"svctour/desk"
	"svctour/lessons"
	"svctour/ui/shell"
)

// Options say who learns, and where.
type Options struct {
	Name        string // of the learner, and of their namespace
	W, H        int    // of their terminal
	LabDir      string // of a lab that runs
	Executable  string // for kubectl
	Environment desk.Environment
	Lessons     []*lessons.Lesson
	Lab         bool // the lab is the learner's own
	// Progress is that of somebody who sat here before; nil: nobody did.
	Progress *desk.MemoryProgress
}

// Learner sits at a desk before a terminal.
type Learner struct {
	Name     string
	Progress *desk.MemoryProgress
	Log, Err Text
	Ended    chan error // gets the app's end

	keys    *io.PipeWriter
	changed chan struct{} // one slot: the screen has changed
	leave   context.CancelFunc

	mu       sync.Mutex
	terminal *vt.Emulator
	stuck    chan struct{} // closed: the terminal hangs up; nil: it reads
}

// Text collects what is written to it.
type Text struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (b *Text) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *Text) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// Sit opens the app at a desk of the learner's own. It ends with ctx.
func Sit(ctx context.Context, o Options) *Learner {
	in, keys := io.Pipe()
	ctx, cancel := context.WithCancel(ctx)
	p := &Learner{
		Name: o.Name, Ended: make(chan error, 1), terminal: vt.NewEmulator(o.W, o.H), keys: keys,
		changed: make(chan struct{}, 1), leave: cancel, Progress: o.Progress,
	}
	if p.Progress == nil {
		p.Progress = &desk.MemoryProgress{}
	}
	go io.Copy(keys, p.terminal) //nolint:errcheck // what the terminal answers when it is asked
	d := desk.New(desk.Options{
		In: in, Out: p, Err: &p.Err, Log: &p.Log, Width: o.W, Height: o.H,
		Environment: append(desk.Environment{"TERM=xterm-256color"}, o.Environment...),
		Namespaces:  []string{o.Name}, Executable: o.Executable, LabDir: o.LabDir, Progress: p.Progress,
		Rights: desk.Rights{Exec: true, Lab: o.Lab},
	})
	go func() {
		err := d.Run(ctx, desk.Tour{Lessons: o.Lessons, Choice: &shell.Choice{Lab: true}})
		in.Close()
		p.terminal.InputPipe().(io.Closer).Close()
		p.Ended <- err
	}()
	return p
}

// Write is the terminal: it draws, unless it does not read.
func (p *Learner) Write(text []byte) (int, error) {
	p.mu.Lock()
	stuck := p.stuck
	p.mu.Unlock()
	if stuck != nil {
		<-stuck
		return 0, io.ErrClosedPipe
	}
	p.mu.Lock()
	_, err := p.terminal.Write(bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n"))) // as a tty does (termios(3), ONLCR)
	p.mu.Unlock()
	select {
	case p.changed <- struct{}{}:
	default:
	}
	return len(text), err
}

// Freeze keeps the terminal from reading, until hangUp closes it.
func (p *Learner) Freeze() (hangUp func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	stuck := make(chan struct{})
	p.stuck = stuck
	return func() { close(stuck) }
}

// Leave ends the app as its surroundings do, without asking.
func (p *Learner) Leave() { p.leave() }

// Screen is what the terminal shows.
func (p *Learner) Screen() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.terminal.String()
}

// Picture is what the terminal shows, with its colours.
func (p *Learner) Picture() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.terminal.Render()
}

// Until waits until the screen is as asked for.
func (p *Learner) Until(what string, is func(screen string) bool) error {
	_, err := p.Within(Patience, what, is)
	return err
}

// Within waits for a time until the screen is as asked for; ok is false when it is over.
func (p *Learner) Within(d time.Duration, what string, is func(screen string) bool) (ok bool, err error) {
	timeout := time.NewTimer(d)
	defer timeout.Stop()
	for {
		screen := p.Screen()
		if is(screen) {
			return true, nil
		}
		select {
		case <-p.changed:
		case err := <-p.Ended:
			p.Ended <- err
			return false, fmt.Errorf("%s: the app has ended: %v; its screen:\n%s\nlog:\n%s", p.Name, err, screen, &p.Log)
		case <-timeout.C:
			return false, fmt.Errorf("%s: %s: never; the screen is:\n%s\nlog:\n%s", p.Name, what, screen, &p.Log)
		}
	}
}

// Await waits until the screen shows all texts, or none of them.
func (p *Learner) Await(shown bool, texts ...string) error {
	return p.Until(fmt.Sprintf("shown %v: %q", shown, texts), func(screen string) bool {
		return !slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(screen, text) != shown })
	})
}

// Press sends keys as a terminal does.
func (p *Learner) Press(keys string) error {
	_, err := io.WriteString(p.keys, keys)
	return err
}

// Step is a key, and what the screen shows then.
func (p *Learner) Step(keys string, texts ...string) error {
	if err := p.Press(keys); err != nil {
		return err
	}
	return p.Await(true, texts...)
}
