// Package many runs many desks in one process: each is a person of their own,
// with the app on scripted streams, and none notices the others.
package many

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/charmbracelet/x/vt"
	"go.uber.org/goleak"

	"svctour/cli"
	"svctour/desk"
	"svctour/lab"
	"svctour/lessons"
	"svctour/ui/shell"
)

var (
	people = flag.Int("people", 6, "how many desks there are")
	rounds = flag.Int("rounds", 20, "how many keys each person presses for the measurement")
	timed  = flag.Bool("timed", false, "hold the bound on time, too: on a machine that does nothing else")
	binary = flag.String("svctour", "", "a svctour binary for the lab and for kubectl; \"\": this test's own")
)

// What the desks' kubectl finds in its environment.
const (
	nameKey    = "MANY_NAME"    // of the person
	fileKey    = "MANY_FILE"    // where kubectl writes what it was given
	processKey = "MANY_PROCESS" // the test process's; no desk has it
)

// TestMain lets this test binary be svctour, for the lab's process and kubectl.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "lab" || os.Args[1] == "kubectl") {
		if file := os.Getenv(fileKey); file != "" {
			noteEnvironment(file)
		}
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		code := cli.Main(ctx, cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, os.Args)
		stop()
		os.Exit(code)
	}
	os.Exit(m.Run())
}

func noteEnvironment(path string) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Fprintf(file, "%s%s\n", os.Getenv(nameKey), os.Getenv(processKey))
	file.Close()
}

// patience is how long a condition may take on a slow, shared machine.
const patience = 5 * time.Minute

// buffer collects what is written to it.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// person sits at a desk before a terminal.
type person struct {
	name     string // and that of their namespace
	seen     string // the file in which kubectl notes its environment
	keys     *io.PipeWriter
	progress desk.MemoryProgress
	log, err buffer
	changed  chan struct{} // one slot: the screen has changed
	ended    chan error
	leave    context.CancelFunc

	mu       sync.Mutex
	terminal *vt.Emulator
	stuck    chan struct{} // closed: the terminal hangs up; nil: it reads
}

// Write is the terminal: it draws, unless it does not read.
func (p *person) Write(text []byte) (int, error) {
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

// screen is what the terminal shows.
func (p *person) screen() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.terminal.String()
}

// await waits until the screen shows all texts, or none of them.
func (p *person) await(shown bool, texts ...string) error {
	timeout := time.After(patience)
	for {
		screen := p.screen()
		if !slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(screen, text) != shown }) {
			return nil
		}
		select {
		case <-p.changed:
		case err := <-p.ended:
			p.ended <- err
			return fmt.Errorf("%s: the app has ended: %v; its screen:\n%s\nlog:\n%s", p.name, err, screen, p.log.String())
		case <-timeout:
			return fmt.Errorf("%s: shown %v: %q: never; the screen is:\n%s", p.name, shown, texts, screen)
		}
	}
}

func (p *person) press(keys string) error {
	_, err := io.WriteString(p.keys, keys)
	return err
}

// step is a key, and what the screen shows then.
func (p *person) step(keys string, texts ...string) error {
	if err := p.press(keys); err != nil {
		return err
	}
	return p.await(true, texts...)
}

const (
	enter = "\r"
)

// learn plays a lesson from the list, with the keys that a learner presses.
func (p *person) learn(l *lessons.Lesson) error {
	if err := p.await(true, "Lessons", l.Title); err != nil {
		return err
	}
	if err := p.press(enter); err != nil {
		return err
	}
	for i, step := range l.Steps {
		at := fmt.Sprintf("step %d/%d", i+1, len(l.Steps))
		if err := p.await(true, at); err != nil {
			return err
		}
		if err := p.do(step, at); err != nil {
			return err
		}
		onward := "⏎ next"
		if i == len(l.Steps)-1 {
			onward = "⏎ finish"
		}
		if err := p.await(true, at, onward); err != nil {
			return err
		}
		if err := p.press(enter); err != nil {
			return err
		}
	}
	return p.await(true, "Lessons", "done")
}

// theLab starts the lab of a test; it ends with the test.
func theLab(t *testing.T, executable string) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "lab")
	process, err := lab.Start(t.Context(), lab.StartOptions{Executable: executable, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := process.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// sit opens the app at a desk of its own.
func sit(t *testing.T, name, labDir, executable string, list []*lessons.Lesson) *person {
	t.Helper()
	in, keys := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	p := &person{
		name: name, seen: filepath.Join(t.TempDir(), "seen"), terminal: vt.NewEmulator(80, 24), keys: keys,
		changed: make(chan struct{}, 1), ended: make(chan error, 1), leave: cancel,
	}
	go io.Copy(keys, p.terminal) //nolint:errcheck // what the terminal answers when it is asked
	d := desk.New(desk.Options{
		In: in, Out: p, Err: &p.err, Log: &p.log, Width: 80, Height: 24,
		Environment: desk.Environment{"TERM=xterm-256color", "HOME=" + t.TempDir(), nameKey + "=" + name, fileKey + "=" + p.seen},
		Namespaces:  []string{name}, Executable: executable, LabDir: labDir, Progress: &p.progress,
		Rights: desk.Rights{Exec: true},
	})
	go func() {
		err := d.Run(ctx, desk.Tour{Lessons: list, Choice: &shell.Choice{Lab: true}})
		in.Close()
		p.terminal.InputPipe().(io.Closer).Close()
		p.ended <- err
	}()
	return p
}

// together has everybody do something at the same time.
func together(t *testing.T, everybody []*person, do func(*person) error) {
	t.Helper()
	var all sync.WaitGroup
	for _, p := range everybody {
		all.Go(func() {
			if err := do(p); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// answers measures how long keys take to reach the screen, for all but the
// first, who presses keys too.
func answers(t *testing.T, everybody []*person) (p99 time.Duration) {
	t.Helper()
	var (
		mu   sync.Mutex
		took []time.Duration
	)
	together(t, everybody[1:], func(p *person) error {
		for range *rounds {
			for _, shown := range []bool{true, false} {
				began := time.Now()
				if err := p.press("?"); err != nil {
					return err
				}
				if err := p.await(shown, "any key closes"); err != nil {
					return err
				}
				mu.Lock()
				took = append(took, time.Since(began))
				mu.Unlock()
			}
		}
		return nil
	})
	slices.Sort(took)
	t.Logf("%d keys: median %v, 99 of 100 within %v", len(took), took[len(took)/2], took[len(took)*99/100])
	return took[len(took)*99/100]
}

// descriptors are the files that this process has open; -1 where that is not told.
func descriptors() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return -1
	}
	return len(entries)
}

// do does what a step asks for.
func (p *person) do(step *lessons.Step, at string) error {
	if step.Predict != nil {
		if err := errors.Join(p.await(true, at, " predict"), p.step("1", at, "How sure are you?"), p.step("s", at, "⏎ ")); err != nil {
			return err
		}
	}
	if !step.Reads() {
		if err := p.await(true, at, "⏎ run "); err != nil {
			return err
		}
		if err := p.press(enter); err != nil {
			return err
		}
	}
	if step.ReadBack == nil {
		return nil
	}
	if step.Predict != nil || step.Reads() {
		if err := errors.Join(p.await(true, at, "⏎ go on"), p.press(enter)); err != nil {
			return err
		}
	}
	return errors.Join(p.await(true, at, "Read back", " answer"), p.press("1"))
}

// TestManyDesks: all finish the first lesson on one lab, each in a namespace of
// their own; what is kept, logged, inherited and said at the end is each one's
// own; one whose terminal does not read holds up no other; and nothing stays.
func TestManyDesks(t *testing.T) {
	executable := *binary
	if executable == "" {
		executable = os.Args[0]
	}
	t.Setenv(processKey, " and the process's")
	list, err := lessons.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	dir := theLab(t, executable)
	goroutines, files := goleak.IgnoreCurrent(), descriptors()
	var everybody []*person
	for i := range *people {
		everybody = append(everybody, sit(t, fmt.Sprintf("tour-%02d", i), dir, executable, list))
	}
	together(t, everybody, func(p *person) error { return p.learn(list[0]) })

	before := answers(t, everybody)
	first := everybody[0]
	first.mu.Lock()
	first.stuck = make(chan struct{})
	first.mu.Unlock()
	go func() { // until it takes no more keys
		for range *rounds {
			if first.press("?") != nil {
				return
			}
		}
	}()
	beside := answers(t, everybody)
	t.Logf("beside one that is not read: %.2f of the time without", float64(beside)/float64(before))
	if *timed && beside > before*12/10 {
		t.Errorf("99 of 100 keys within %v beside one that is not read, without it %v", beside, before)
	}
	close(first.stuck)
	first.leave()
	<-first.ended

	together(t, everybody[1:], func(p *person) error { return p.goAway() })
	for _, p := range everybody[1:] {
		checkOwn(t, p, everybody, list[0])
	}
	if err := nothingStays(files, goroutines); err != nil {
		t.Error(err)
	}
}

// nothingStays waits until no more files are open than before, and no other
// goroutines run.
func nothingStays(files int, before goleak.Option) error {
	giveUp, look := time.After(time.Minute), time.NewTicker(100*time.Millisecond)
	defer look.Stop()
	for {
		err := goleak.Find(before)
		if now := descriptors(); now > files {
			err = errors.Join(err, fmt.Errorf("%d files are open, %d before", now, files))
		}
		if err == nil {
			return nil
		}
		select {
		case <-look.C:
		case <-giveUp:
			return err
		}
	}
}

// goAway leaves. Every second person keeps what they made.
func (p *person) goAway() error {
	key := "r"
	if p.keeps() {
		key = "k"
	}
	if err := p.step("q", "holds what you made"); err != nil {
		return err
	}
	if err := p.press(key); err != nil {
		return err
	}
	select {
	case err := <-p.ended:
		return err
	case <-time.After(patience):
		return fmt.Errorf("%s does not leave; the screen is:\n%s", p.name, p.screen())
	}
}

func (p *person) keeps() bool { return p.name[len(p.name)-1]%2 == 0 }

// checkOwn: everything of a person is theirs, and nothing another's.
func checkOwn(t *testing.T, p *person, everybody []*person, l *lessons.Lesson) {
	t.Helper()
	progress, err := p.progress.Load()
	if got := progress[l.ID]; err != nil || len(got.Done) != len(l.Steps) || got.Namespace != p.name {
		t.Errorf("%s has the progress %+v, %v", p.name, progress, err)
	}
	if *binary == "" { // else kubectl is not this program, which notes its environment
		seen, err := os.ReadFile(p.seen)
		if err != nil || strings.ReplaceAll(string(seen), p.name+"\n", "") != "" {
			t.Errorf("kubectl of %s has the environment of %q, %v", p.name, seen, err)
		}
	}
	if !strings.Contains(p.log.String(), p.name) {
		t.Errorf("the log of %s does not name their namespace: %q", p.name, p.log.String())
	}
	farewell := p.screen()
	if kept := strings.Contains(farewell, fmt.Sprintf("Kept namespace %q", p.name)); kept != p.keeps() {
		t.Errorf("%s hears at the end:\n%s", p.name, farewell)
	}
	if said := p.err.String(); said != "" {
		t.Errorf("%s sees on stderr: %q", p.name, said)
	}
	for _, other := range everybody {
		if other != p && strings.Contains(p.log.String()+farewell, other.name) {
			t.Errorf("%s hears of %s: %q\n%s", p.name, other.name, p.log.String(), farewell)
		}
	}
}
