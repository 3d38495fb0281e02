package learner

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"svctour/lessons"
)

// Enter is the key ⏎.
const Enter = "\r"

// keys are those whose name is not what a terminal sends.
var keys = map[string]string{
	"Enter": Enter, "Escape": "\x1b", "Tab": "\t", "Right": "\x1b[C", "Left": "\x1b[D", "Space": " ",
	"^C": "\x03", "^S": "\x13", "^R": "\x12", "^T": "\x14",
}

// Key is what a terminal sends for a key.
func Key(name string) string {
	if sent, ok := keys[name]; ok {
		return sent
	}
	return name
}

// Way is how a learner goes through a lesson.
type Way struct {
	// Pick chooses among the answers to a question, counted from 1; nil: the first
	// that was not wrong yet.
	Pick func(place string, of int) int
	// Run runs the command that the screen shows, elsewhere; nil: the app runs it.
	Run func(place, command string) error
	// Told hears of each move, and sees the screen on which it was decided.
	Told func(m Move, screen string)
}

// pause is how long a learner waits for what a key does before pressing it again:
// a command may have failed, and the screen be as it was.
const pause = 20 * time.Second

// tries is how often the same is tried.
const tries = 4

// Learn plays a lesson from the list to its end, by what the screen says alone.
func (p *Learner) Learn(l *lessons.Lesson, way Way) error {
	if err := p.Open(l); err != nil {
		return err
	}
	return p.GoOn(way, func(screen string) bool { return Place(screen) == "" })
}

// Open opens a lesson from the list.
func (p *Learner) Open(l *lessons.Lesson) error {
	if err := p.Await(true, "Lessons", l.Title); err != nil {
		return err
	}
	for range 40 {
		if chosen(p.Screen(), l.Title) {
			return errors.Join(p.Press(Enter), p.Until("a step of "+l.Title, func(screen string) bool { return Place(screen) != "" }))
		}
		before := p.Screen()
		if err := p.Press("j"); err != nil {
			return err
		}
		if err := p.Until("the cursor goes on", func(screen string) bool { return screen != before }); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s: the list does not come to %q:\n%s", p.Name, l.Title, p.Screen())
}

// chosen says whether the cursor of a list stands at a title.
func chosen(screen, title string) bool {
	for line := range strings.Lines(screen) {
		if strings.Contains(line, "▸") && strings.Contains(line, " "+title+" ") {
			return true
		}
	}
	return false
}

// GoOn does what leads on until the screen is as asked for.
func (p *Learner) GoOn(way Way, end func(screen string) bool) error {
	tried, once := 0, map[string]int{}
	for {
		var screen string
		var move Move
		leadsOn := func(patient bool) func(string) bool {
			return func(now string) (ok bool) {
				screen = now
				move, ok = Next(screen)
				return end(screen) || ok && !(patient && move.Again())
			}
		}
		if waited, _ := p.Within(pause, "anything leads on", leadsOn(true)); !waited {
			if err := p.Until("anything leads on", leadsOn(false)); err != nil {
				return err
			}
		}
		if end(screen) {
			return nil
		}
		if way.Told != nil {
			way.Told(move, screen)
		}
		if move.Again() {
			if once[Place(screen)]++; once[Place(screen)] > tries {
				return fmt.Errorf("%s: %s leads nowhere; the screen is:\n%s", p.Name, move.Name, screen)
			}
		}
		before := Stand(screen)
		if err := p.make(move, screen, way); err != nil {
			return err
		}
		changed, err := p.Within(pause, fmt.Sprintf("after %s, anything", move.Name), func(now string) bool { return end(now) || Stand(now) != before })
		switch {
		case changed:
			tried = 0
		case tried == tries || p.over():
			return err
		default:
			tried++
		}
	}
}

func (p *Learner) over() bool { return len(p.Ended) > 0 }

// make makes a move.
func (p *Learner) make(m Move, screen string, way Way) error {
	switch {
	case m.Of > 0 && way.Pick != nil:
		return p.Press(fmt.Sprint(way.Pick(Place(screen), m.Of)))
	case way.Run != nil && (m.Name == "run" || m.Name == "run again"):
		return way.Run(Place(screen), Command(screen))
	}
	return p.Press(Key(m.Key))
}

// evidence is how well a pane's picture is known, and the rule of a box.
var evidence = regexp.MustCompile(`\b(observed|derived|unknown|mixed)\b|[─╮╭├┤]|^│.*?│`)

// Stand is where a learner stands: the step, the heading of what is said, which
// answers were wrong, and what can be done. Other things on a screen change by themselves.
func Stand(screen string) string {
	heading := ""
	for line := range strings.Lines(screen) {
		if strings.ContainsAny(line, "╭├") {
			heading += evidence.ReplaceAllString(line, "")
		}
	}
	return Place(screen) + "\n" + heading + strings.Join(tried(screen), ",") + "\n" + Footer(screen)
}
