package mistakes

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"svctour/lessons"
	"svctour/test/learner"
)

// verbs are the words that a line of a script begins with.
var verbs = map[string]func(p *player, d do) error{
	"lesson":  func(p *player, d do) error { return p.lesson(d.text) },
	"step":    func(p *player, d do) error { return p.step(d.text) },
	"again":   func(p *player, _ do) error { return p.again() },
	"keys":    func(p *player, d do) error { return p.keys(strings.Fields(d.text)) },
	"type":    func(p *player, d do) error { return p.run(p.filled(d.text)) },
	"write":   func(p *player, d do) error { return p.write(d.block) },
	"outside": func(p *player, d do) error { return p.outside(p.filled(d.text), d.block) },
	"says":    (*player).says,
	"sees":    func(p *player, d do) error { return p.Until("is to be seen", p.shows(d.text)) },
	"sit": func(p *player, _ do) error {
		<-p.Ended
		p.sit(p.Progress)
		return nil
	},
	"go":      func(p *player, _ do) error { return p.onward("Enter") },
	"mispick": func(p *player, _ do) error { return p.mispick() },
	"done":    func(p *player, _ do) error { return p.done() },
}

// stopping is what the line for commands says while a command of it runs.
const stopping = "^C stops it"

// keys presses keys, one after the other. What comes too soon behind Escape is
// taken for a part of it: so the learner looks whether something was closed.
func (p *player) keys(keys []string) error {
	for _, key := range keys {
		if err := p.Press(learner.Key(key)); err != nil {
			return err
		}
		if key == "y" && asks(p.Screen()) {
			if err := p.yes(); err != nil {
				return err
			}
		}
		if key != "Escape" || strings.Contains(p.Screen(), stopping) {
			continue
		}
		if err := p.Until("Escape closes it", func(screen string) bool { return !covered(screen) }); err != nil {
			return err
		}
	}
	return nil
}

// asks says whether a question of the app's waits for a yes.
func asks(screen string) bool { return strings.Contains(screen, "  y      ") }

// yes says yes until it is heard: a question that has just come up takes no key.
func (p *player) yes() error {
	for {
		answered, err := p.Within(time.Second, "the question is answered", func(screen string) bool { return !asks(screen) })
		if answered || len(p.Ended) > 0 {
			return err
		}
		if err := p.Press("y"); err != nil {
			return err
		}
	}
}

// onward does what leads on, once; key is the one that has to, "" for any.
func (p *player) onward(key string) error {
	var m learner.Move
	if err := p.Until("anything leads on", func(screen string) (ok bool) {
		m, ok = learner.Next(screen)
		return ok && !m.Again() && (key == "" || key == m.Key)
	}); err != nil {
		return err
	}
	return p.Press(learner.Key(m.Key))
}

// mispick picks the first answer of each hop of a route until one was wrong.
func (p *player) mispick() error {
	for {
		screen := p.Screen()
		if strings.Contains(screen, "✗") {
			return nil
		}
		if err := p.onward(""); err != nil {
			return err
		}
		if err := p.Until("a pick is judged", func(now string) bool { return learner.Stand(now) != learner.Stand(screen) }); err != nil {
			return err
		}
	}
}

// covered says whether the lesson stands behind the line for commands, the editor
// or a question of the app's.
func covered(screen string) bool {
	footer := strings.TrimSpace(learner.Footer(screen))
	return strings.HasPrefix(footer, "$") || strings.Contains(footer, "back, text kept") || strings.Contains(screen, "esc    stay")
}

// filled puts the learner's namespace and node port into a text.
func (p *player) filled(text string) string {
	return strings.NewReplacer("$NS", p.Name, "$PORT", fmt.Sprint(p.port)).Replace(text)
}

// lesson opens a lesson from the list, and leaves the present one for that.
func (p *player) lesson(id string) error {
	l, err := lessons.Find(p.lessons, id)
	if err != nil {
		return err
	}
	p.at = id
	if inLesson(p.Screen()) {
		if err := p.Step("l", "Lessons"); err != nil {
			return err
		}
	}
	if err := p.find(l.Title); err != nil {
		return err
	}
	return errors.Join(p.Press(learner.Enter), p.Until("the step is shown", func(screen string) bool {
		return begun(screen) || strings.Contains(screen, "✓ Done") || strings.Contains(screen, "✓ Solved")
	}))
}

// find goes down the list to a title.
func (p *player) find(title string) error {
	if err := p.Await(true, "Lessons", "▸"); err != nil {
		return err
	}
	for range 60 {
		before := p.Screen()
		if regexp.MustCompile(`▸.*` + regexp.QuoteMeta(" "+title+" ")).MatchString(before) {
			return nil
		}
		err := errors.Join(p.Press("j"), p.Until("the cursor goes on", func(screen string) bool { return screen != before }))
		if err != nil {
			return err
		}
	}
	return fmt.Errorf("the list does not come to %q", title)
}

// inLesson says whether a step or a challenge is shown.
func inLesson(screen string) bool {
	return learner.Place(screen) != "" || strings.Contains(screen, "Challenge: ")
}

// step goes to a step by the keys for that, and begins it from its start state.
func (p *player) step(number string) error {
	to, err := strconv.Atoi(number)
	if err != nil {
		return err
	}
	for {
		var at int
		place := learner.Place(p.Screen())
		if _, err := fmt.Sscanf(place, "step %d/", &at); err != nil {
			return fmt.Errorf("no step is shown: %w", err)
		}
		key := learner.Key("Right")
		switch {
		case at == to:
			return p.afresh()
		case at > to:
			key = learner.Key("Left")
		}
		err := errors.Join(p.Press(key), p.Until("another step", func(screen string) bool { return learner.Place(screen) != place }))
		if err != nil {
			return err
		}
	}
}

// afresh does the step again if anything of it was done.
func (p *player) afresh() error {
	touched := false
	if err := p.Until("it is known how the step stands", func(screen string) bool {
		m, _ := learner.Next(screen)
		touched = m.Name == "next" || m.Name == "finish" || m.Name == "go on" || vain(screen)
		return touched || begun(screen)
	}); err != nil || !touched {
		return err
	}
	return p.again()
}

// again begins the step, or the challenge, once more. While a command of the
// step's is under way the key does nothing, and the app says so: the learner
// presses it again when that has ended.
func (p *player) again() error {
	busy := func(screen string) bool {
		footer := learner.Footer(screen)
		return strings.Contains(footer, "A command is under way.") || strings.Contains(footer, "⏎ running")
	}
	for tries := 0; ; tries++ {
		if tries == 6 {
			return fmt.Errorf("r does nothing:\n%s", p.Screen())
		}
		if err := p.Until("no command is under way", func(screen string) bool { return !busy(screen) }); err != nil {
			return err
		}
		before := p.Screen()
		if err := p.Press("r"); err != nil {
			return err
		}
		if _, err := p.Within(2*time.Second, "the key does something", func(screen string) bool { return screen != before }); err != nil && len(p.Ended) > 0 {
			return err
		}
		begins, err := p.Within(30*time.Second, "the step begins", func(screen string) bool {
			return begun(screen) && !vain(screen) && !strings.Contains(screen, "✓ Done")
		})
		if begins || len(p.Ended) > 0 {
			return err
		}
		if over := p.Screen(); vain(over) || strings.Contains(over, "✓ Done") { // it was refused
			continue
		}
		return p.Until("the step begins", func(screen string) bool { return begun(screen) && !vain(screen) })
	}
}

// vain says whether something was tried in vain, and the screen tells so.
func vain(screen string) bool {
	return strings.Contains(screen, " Not yet ─") || strings.Contains(screen, " Not like that ─") || strings.Contains(screen, " Not solved yet ─")
}

// run types a command, in the line for that.
func (p *player) run(command string) error {
	if !strings.HasPrefix(strings.TrimSpace(learner.Footer(p.Screen())), "$") {
		if err := p.Step(":", "tab completes"); err != nil {
			return err
		}
	}
	return p.Press(command + learner.Enter)
}

var asked = regexp.MustCompile(`\b1-\d (predict|pick|answer)\b`)

// begun says whether a step waits for the learner: its question is asked, or its
// command can be run.
func begun(screen string) bool {
	footer := learner.Footer(screen)
	above := strings.TrimSuffix(strings.TrimRight(screen, " \n"), footer)
	return asked.MatchString(footer) || learner.Command(above) != "" || strings.Contains(footer, "next hop")
}

// says waits until the screen says something, wherever its lines end.
func (p *player) says(d do) error {
	err := p.Until("is said", p.shows(d.text))
	p.show(filepath.Base(d.at))
	return err
}

// shows looks for a text wherever the screen's lines end, within words too.
func (p *player) shows(text string) func(string) bool {
	want := plain(p.filled(text))
	return func(screen string) bool { return strings.Contains(plain(screen), want) }
}

var drawn = strings.NewReplacer("│", "", "─", "", "╭", "", "╮", "", "╰", "", "╯", "", "├", "", "┤", "")

// plain is a text without blanks, ends of lines and boxes.
func plain(text string) string { return strings.Join(strings.Fields(drawn.Replace(text)), "") }

// write opens the editor and writes a manifest in place of what is there.
func (p *player) write(text string) error {
	if err := p.Step("e", "esc back, text kept"); err != nil {
		return err
	}
	const end, left, before = "\x1b[1;5F", "\x15", "\x7f"
	if err := p.Press(end + strings.Repeat(left+before, 60)); err != nil {
		return err
	}
	if err := p.Await(true, "nothing written yet"); err != nil {
		return err
	}
	return p.Press("\x1b[200~" + p.filled(text) + "\x1b[201~")
}

// outside runs a kubectl command in another terminal.
func (p *player) outside(command, stdin string) error {
	return learner.Terminal{Home: p.home, LabDir: p.dir, Namespace: p.Name}.Run(p.Context(), "kubectl "+command, p.filled(stdin))
}

// done goes on by what the screen says until the step is done, or the challenge. Who
// presses once more as that comes stands behind it: in the list, after a challenge.
func (p *player) done() error {
	place := learner.Place(p.Screen())
	if err := p.GoOn(learner.Way{}, func(screen string) bool {
		return strings.Contains(screen, "✓ Done") || strings.Contains(screen, "✓ Solved") || learner.Place(screen) != place || !inLesson(screen)
	}); err != nil || inLesson(p.Screen()) {
		return err
	}
	return p.lesson(p.at)
}
