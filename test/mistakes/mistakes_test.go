// Package mistakes plays learners who do what they should not: press a wrong key,
// write a wrong manifest, delete too much, go elsewhere, stop halfway. Each time the
// app has to say what is wrong, in words that are true of just that, and the learner
// has to get back to the lesson without starting anew.
package mistakes

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"svctour/desk"
	"svctour/lessons"
	"svctour/test/learner"
)

// least is how many wrong actions there have to be.
const least = 60

var (
	all    = flag.Bool("all", false, "all learners; without, those whose mistakes take a minute")
	only   = flag.String("learner", "", "only this file of testdata, without .txt")
	frames = flag.String("frames", "", "write the screen on which each mistake is told into this folder")
)

func TestMain(m *testing.M) { learner.Main(m) }

// TestScripts looks at what is written down, which needs no lab.
func TestScripts(t *testing.T) {
	count, names := 0, map[string]bool{}
	for _, s := range read(t) {
		for _, m := range s.mistakes {
			count++
			if names[m.name] {
				t.Errorf("%s: there are two %q", m.at, m.name)
			}
			names[m.name] = true
			if m.count("says") == 0 {
				t.Errorf("%s: of %q nothing has to be said", m.at, m.name)
			}
			if m.count("done") == 0 {
				t.Errorf("%s: %q leads to no step that is done", m.at, m.name)
			}
		}
	}
	if count < least {
		t.Errorf("there are %d mistakes, and have to be %d", count, least)
	}
}

// quick are the learners whose mistakes take a minute.
var quick = []string{"keys", "prompt"}

// TestMistakes makes them, with the learners side by side on one lab.
func TestMistakes(t *testing.T) {
	dir := learner.TestLab(t)
	var everybody sync.WaitGroup
	for i, s := range read(t) {
		if *only != "" && s.learner != *only || *only == "" && !*all && !slices.Contains(quick, s.learner) {
			continue
		}
		list, err := learner.Courses(30180 + i)
		if err != nil {
			t.Fatal(err)
		}
		p := &player{T: t, script: s, dir: dir, lessons: list, home: t.TempDir(), port: 30180 + i}
		everybody.Go(func() {
			if err := p.play(); err != nil {
				t.Error(err)
			}
		})
	}
	everybody.Wait()
}

// player is a learner who follows a script.
type player struct {
	*testing.T
	*learner.Learner
	script  script
	dir     string // of the lab
	home    string
	lessons []*lessons.Lesson
	at      string // the ID of the lesson that was opened last
	port    int    // a node port of the learner's own
	shot    int
}

// play makes all mistakes of the script, in their order.
func (p *player) play() error {
	p.sit(nil)
	for _, m := range p.script.mistakes {
		for _, d := range m.dos {
			if err := verbs[d.verb](p, d); err != nil {
				return fmt.Errorf("%s: %q: %s %s: %w", d.at, m.name, d.verb, d.text, err)
			}
		}
	}
	p.Leave()
	<-p.Ended
	return nil
}

// sit opens the app, with the progress of before.
func (p *player) sit(progress *desk.MemoryProgress) {
	p.Learner = learner.Sit(p.Context(), learner.Options{
		Name: "wrong-" + p.script.learner, W: 100, H: 40, LabDir: p.dir, Executable: os.Args[0], Lessons: p.lessons,
		Environment: desk.Environment{"HOME=" + p.home}, Progress: progress,
	})
}

// show writes the screen down, where that is asked for.
func (p *player) show(name string) {
	if *frames == "" {
		return
	}
	p.shot++
	file := filepath.Join(*frames, fmt.Sprintf("%s-%03d-%s.txt", p.script.learner, p.shot, strings.ReplaceAll(name, " ", "-")))
	if err := os.WriteFile(file, []byte(p.Screen()), 0o600); err != nil {
		p.Error(err)
	}
}
