// Package newcomer plays somebody who has never seen the app. They learn all the
// lessons by what the screen says, and never leave the app; or they type what it
// shows into a second terminal.
package newcomer

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"svctour/desk"
	"svctour/lessons"
	"svctour/test/learner"
)

var (
	update = flag.Bool("update", false, "write down which questions a newcomer answers, and the screen on which each step is left")
	only   = flag.String("lessons", "", "play only these lessons, by ID, with commas between them; \"\": all")
	frames = flag.String("frames", "", "write every screen on which a key was pressed into this folder, with its colours")
)

func TestMain(m *testing.M) { learner.Main(m) }

// TestNewcomers plays the lessons side by side on one lab.
func TestNewcomers(t *testing.T) {
	if testing.Short() {
		t.Skip("the lessons are played on a real control plane")
	}
	dir := learner.TestLab(t)
	var all sync.WaitGroup
	for i, n := range []newcomer{
		{name: "small", w: 80, h: 24},
		{name: "large", w: 120, h: 40},
		{name: "beside", w: 80, h: 24, beside: true},
	} {
		n.T, n.dir, n.nodePort, n.files, n.left = t, dir, 30080+i, t.TempDir(), map[string][]byte{}
		all.Go(n.learn)
	}
	all.Wait()
}

// newcomer is one person.
type newcomer struct {
	*testing.T
	name     string
	w, h     int
	beside   bool   // has a second terminal for commands
	dir      string // of the lab
	typed    string // the step whose command was typed last into the second terminal
	files    string // the folder in which the second terminal stands
	nodePort int
	moves    []string
	left     map[string][]byte // the screens on which steps were left, by lesson
	lesson   string
	shot     int
}

// learn plays all lessons, in their order, and compares the way that they
// went with the one written down. Who starts in the middle of a screen that says
// nothing of a key never gets to the end.
func (n *newcomer) learn() {
	list, err := n.list()
	if err != nil {
		n.Error(err)
		return
	}
	p := learner.Sit(n.Context(), learner.Options{
		Name: "newcomer-" + n.name, W: n.w, H: n.h, LabDir: n.dir, Executable: os.Args[0], Lessons: list, Lab: true,
		Environment: desk.Environment{"HOME=" + n.TempDir()},
	})
	for _, l := range list {
		n.lesson, n.shot = l.ID, 0
		n.moves = append(n.moves, "# "+l.ID)
		way := learner.Way{Told: func(m learner.Move, screen string) { n.told(p, m, screen) }}
		if n.beside {
			way.Run = func(place, command string) error { return n.elsewhere(p, l, place, command) }
		}
		if err := p.Learn(l, way); err != nil {
			n.Error(err)
			return
		}
	}
	p.Leave()
	<-p.Ended
	n.compare()
	progress, err := p.Progress.Load()
	if err != nil {
		n.Error(err)
	}
	for _, l := range list {
		if got := progress[l.ID]; len(got.Done) < len(l.Steps)-n.leftOut(l) {
			n.Errorf("%s: of %q only the steps %v are done", n.name, l.ID, got.Done)
		}
	}
}

// elsewhere types what the screen shows into a second terminal. Of a command that
// only prints something the app hears by a key.
func (n *newcomer) elsewhere(p *learner.Learner, l *lessons.Lesson, place, command string) error {
	var index, of int
	if _, err := fmt.Sscanf(place, "step %d/%d", &index, &of); err != nil || command == "" {
		return fmt.Errorf("%s shows no command:\n%s", place, p.Screen())
	}
	if n.typed == l.ID+place { // the app has not noticed yet
		return nil
	}
	n.typed = l.ID + place
	step, dir := l.Steps[index-1], n.files
	if step.File != nil {
		if err := os.WriteFile(filepath.Join(dir, step.File.Name), []byte(step.File.Content), 0o600); err != nil {
			return err
		}
	}
	terminal := learner.Terminal{Home: dir, LabDir: n.dir, Namespace: p.Name}
	if err := terminal.Run(n.Context(), command, ""); err != nil && !step.WantsWord() {
		return fmt.Errorf("%s: %w", place, err)
	}
	if step.WantsWord() {
		return p.Press("n")
	}
	return nil
}

// leftOut counts the steps that this lab cannot have.
func (n *newcomer) leftOut(l *lessons.Lesson) (count int) {
	for _, step := range l.Steps {
		if slices.ContainsFunc(step.Needs, func(need lessons.Need) bool {
			return need.Kind == lessons.NeedMode && need.Name != "iptables"
		}) {
			count++
		}
	}
	return count
}

func (n *newcomer) list() (list []*lessons.Lesson, err error) {
	all, err := learner.Courses(n.nodePort)
	for _, l := range all {
		if l.Kind != lessons.KindChallenge && (*only == "" || slices.Contains(strings.Split(*only, ","), l.ID)) {
			list = append(list, l)
		}
	}
	return list, err
}

// told notes a move: which question was answered, and where the step was left. How
// often the same key is pressed, and whether what a command leads to had to be
// waited for, depends on the machine and on the packet.
func (n *newcomer) told(p *learner.Learner, m learner.Move, screen string) {
	if *update && (m.Name == "next" || m.Name == "finish") {
		n.left[n.lesson] = append(n.left[n.lesson], strings.TrimRight(screen, " \n")+"\n\n"...)
	}
	switch m.Name {
	case "predict", "sure", "pick", "answer", "next", "finish":
		note := learner.Place(screen) + ": " + m.Name
		if n.moves[len(n.moves)-1] != note {
			n.moves = append(n.moves, note)
		}
	}
	if *frames == "" {
		return
	}
	n.shot++
	at := regexp.MustCompile(`\d+`).FindString(learner.Place(screen))
	file := filepath.Join(*frames, fmt.Sprintf("%s-%s-%02s-%02d-%s.ansi", n.name, n.lesson, at, n.shot, strings.ReplaceAll(m.Name, " ", "-")))
	if err := os.WriteFile(file, []byte(p.Picture()), 0o600); err != nil {
		n.Error(err)
	}
}

// stepsOf are the steps that were left behind, in their order. Which questions come
// between them may differ: one is left out whose answer the cluster does not have at
// that moment.
func stepsOf(moves []byte) (steps []string) {
	for line := range strings.Lines(string(moves)) {
		if strings.HasPrefix(line, "#") || strings.HasSuffix(line, ": next\n") || strings.HasSuffix(line, ": finish\n") {
			steps = append(steps, line)
		}
	}
	return steps
}

func (n *newcomer) keep(file string, text []byte) {
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, text, 0o600)); err != nil {
		n.Error(err)
	}
}

// compare holds the steps that were gone through against those that are written down.
func (n *newcomer) compare() {
	if *only != "" {
		return
	}
	file, got := filepath.Join("testdata", n.name+".txt"), []byte(strings.Join(n.moves, "\n")+"\n")
	if *update {
		n.keep(file, got)
		for lesson, screens := range n.left {
			n.keep(filepath.Join("testdata", n.name, lesson+".txt"), screens)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		n.Error(err)
	} else if !slices.Equal(stepsOf(got), stepsOf(want)) {
		n.Errorf("%s went another way than in %s:\n%s", n.name, file, got)
	}
}
