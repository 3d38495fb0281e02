// Package many runs many desks in one process: each is a person of their own,
// with the app on scripted streams, and none notices the others.
package many

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"svctour/desk"
	"svctour/lessons"
	"svctour/test/learner"
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

func TestMain(m *testing.M) {
	if file := os.Getenv(fileKey); file != "" && learner.Helps() {
		noteEnvironment(file)
	}
	learner.Main(m)
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

// person sits at a desk before a terminal.
type person struct {
	*learner.Learner
	seen string // the file in which kubectl notes its environment
}

// sit opens the app at a desk of its own.
func sit(t *testing.T, name, labDir, executable string, list []*lessons.Lesson) *person {
	t.Helper()
	seen := filepath.Join(t.TempDir(), "seen")
	return &person{seen: seen, Learner: learner.Sit(t.Context(), learner.Options{
		Name: name, W: 80, H: 24, LabDir: labDir, Executable: executable, Lessons: list,
		Environment: desk.Environment{"HOME=" + t.TempDir(), nameKey + "=" + name, fileKey + "=" + seen},
	})}
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
				if err := p.Press("?"); err != nil {
					return err
				}
				if err := p.Await(shown, "any key closes"); err != nil {
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
	dir := filepath.Join(t.TempDir(), "lab")
	stop, err := learner.Lab(t.Context(), executable, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	goroutines, files := goleak.IgnoreCurrent(), descriptors()
	var everybody []*person
	for i := range *people {
		everybody = append(everybody, sit(t, fmt.Sprintf("tour-%02d", i), dir, executable, list))
	}
	together(t, everybody, func(p *person) error { return p.Learn(list[0], learner.Way{}) })

	before := answers(t, everybody)
	first := everybody[0]
	hangUp := first.Freeze()
	go func() { // until it takes no more keys
		for range *rounds {
			if first.Press("?") != nil {
				return
			}
		}
	}()
	beside := answers(t, everybody)
	t.Logf("beside one that is not read: %.2f of the time without", float64(beside)/float64(before))
	if *timed && beside > before*12/10 {
		t.Errorf("99 of 100 keys within %v beside one that is not read, without it %v", beside, before)
	}
	hangUp()
	first.Leave()
	<-first.Ended

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
	if err := p.Step("q", "holds what you made"); err != nil {
		return err
	}
	if err := p.Press(key); err != nil {
		return err
	}
	select {
	case err := <-p.Ended:
		return err
	case <-time.After(learner.Patience):
		return fmt.Errorf("%s does not leave; the screen is:\n%s", p.Name, p.Screen())
	}
}

func (p *person) keeps() bool { return p.Name[len(p.Name)-1]%2 == 0 }

// checkOwn: everything of a person is theirs, and nothing another's.
func checkOwn(t *testing.T, p *person, everybody []*person, l *lessons.Lesson) {
	t.Helper()
	progress, err := p.Progress.Load()
	if got := progress[l.ID]; err != nil || len(got.Done) != len(l.Steps) || got.Namespace != p.Name {
		t.Errorf("%s has the progress %+v, %v", p.Name, progress, err)
	}
	if *binary == "" { // else kubectl is not this program, which notes its environment
		seen, err := os.ReadFile(p.seen)
		if err != nil || strings.ReplaceAll(string(seen), p.Name+"\n", "") != "" {
			t.Errorf("kubectl of %s has the environment of %q, %v", p.Name, seen, err)
		}
	}
	if !strings.Contains(p.Log.String(), p.Name) {
		t.Errorf("the log of %s does not name their namespace: %q", p.Name, p.Log.String())
	}
	farewell := p.Screen()
	if kept := strings.Contains(farewell, fmt.Sprintf("Kept namespace %q", p.Name)); kept != p.keeps() {
		t.Errorf("%s hears at the end:\n%s", p.Name, farewell)
	}
	if said := p.Err.String(); said != "" {
		t.Errorf("%s sees on stderr: %q", p.Name, said)
	}
	for _, other := range everybody {
		if other != p && strings.Contains(p.Log.String()+farewell, other.Name) {
			t.Errorf("%s hears of %s: %q\n%s", p.Name, other.Name, p.Log.String(), farewell)
		}
	}
}
