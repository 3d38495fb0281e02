package lesson

import (
	"fmt"

	"svctour/lessons"
	"svctour/model"
	"svctour/model/diagnose"
	"svctour/ui/layout"
	"svctour/ui/live"
	"svctour/ui/shell"
)

// Actions implements shell.Screen.
func (l *Screen) Actions() []shell.Action {
	step, done := l.play.Step(), l.play.Done(l.play.Index())
	actions := []shell.Action{l.goAction(step, done)}
	if l.asking() {
		for i, choice := range l.facts.asked.Choices {
			actions = append(actions, shell.Action{
				ID: "answer", N: i, Keys: []string{string(rune('a' + i))}, Title: "predict", Help: "predict: " + choice, Quiet: i > 0,
			})
		}
	}
	walk, predicted := l.live.SendAction(), l.live.WalkAction()
	walk.ID, walk.Keys = "walk", []string{"space"}
	predicted.ID, predicted.Keys = "predict walk", []string{"w"}
	stream := l.live.StreamAction()
	stream.ID, stream.Keys = "stream", []string{"s"}
	faster, slower := l.live.PaceActions()
	faster.ID, faster.Keys = "faster", []string{"+", "="}
	slower.ID, slower.Keys = "slower", []string{"-"}
	hint := shell.Action{ID: "hint", Keys: []string{"h"}, Title: "hint", Help: "show a hint, then the next"}
	if l.hints >= len(step.Hints) {
		hint.Why, hint.Quiet = "there is no further hint", true
	}
	back := shell.Action{ID: "back", Keys: []string{"left", "backspace"}, Title: "back", Help: "look at the step before"}
	if l.play.Index() == 0 {
		back.Why, back.Quiet = "this is the first step", true
	}
	next := shell.Action{ID: "next", Keys: []string{"right"}, Title: "next step", Help: "go to the next step, done or not", Quiet: true}
	if l.play.Index() == len(l.play.Lesson().Steps)-1 {
		next.Why = "this is the last step"
	}
	again := shell.Action{ID: "again", Keys: []string{"r"}, Title: "again", Help: "do this step again, from its start state"}
	if l.running != "" {
		again.Why = "a command is under way"
	}
	actions = append(actions, walk, predicted, stream, faster, slower, hint, back, next, again)
	if l.class() == layout.Large {
		actions = append(actions, shell.Action{ID: "tab", Keys: []string{"tab"}, Title: "next pane", Help: "focus the next pane (shift+tab: the one before)", Quiet: true})
	} else {
		actions = append(actions, shell.Action{ID: "tab", Keys: []string{"tab"}, Title: "next tab", Help: "next tab (shift+tab: the one before)"})
	}
	actions = append(actions,
		shell.Action{ID: "tab back", Keys: []string{"shift+tab"}, Title: "previous pane", Hidden: true},
		shell.Action{ID: "up", Keys: []string{"up", "k"}, Title: "scroll up", Help: "scroll (also down, j, page up, page down)", Quiet: true},
		shell.Action{ID: "down", Keys: []string{"down", "j"}, Title: "scroll down", Hidden: true},
		shell.Action{ID: "page up", Keys: []string{"pgup"}, Title: "a page up", Hidden: true},
		shell.Action{ID: "page down", Keys: []string{"pgdown"}, Title: "a page down", Hidden: true},
		shell.Action{ID: "rules", Keys: []string{"x"}, Title: "rules", Help: "each rule as the node's tools print it", Quiet: l.size.W < 100},
		shell.Action{ID: "full", Keys: fullKeys(l.full), Title: fullTitle(l.full), Help: "the stage on the whole screen, or the lesson again", Quiet: l.size.W < 120},
		shell.Action{ID: "look", Keys: []string{"o"}, Title: "look again", Help: "read all rules of the node again", Quiet: true, Hidden: !l.watching()},
		l.goalAction(), l.doctorAction(), l.fixAction(),
		shell.Action{ID: "undo", Keys: []string{"u"}, Title: "undo the fix", Help: "put back what stood there before the last fix", Hidden: !l.undo, Why: noUndo(l.undo)},
		shell.Action{ID: "contents", Keys: leaveKeys(l.full), Title: "lessons", Help: "the list of lessons", Quiet: l.size.W < 100},
		shell.Action{ID: "quit", Keys: []string{"q"}, Title: "quit"},
	)
	for p := storyPane; p < panes; p++ {
		actions = append(actions, shell.Action{
			ID: "pane", N: int(p), Keys: []string{fmt.Sprint(int(p) + 1)}, Title: paneTitles[p],
			Help: fmt.Sprintf("go to a pane, 1 to %d", panes), Quiet: true, Hidden: p != storyPane,
		})
	}
	return actions
}

// doctorAction shows the diagnosis, or the story again.
func (l *Screen) doctorAction() shell.Action {
	a := shell.Action{ID: "doctor", Keys: []string{"d"}, Title: "doctor", Help: "say what is wrong with the Service", Quiet: l.size.W < 100}
	switch {
	case l.doctor:
		a.Title, a.Help = "story", "back to the story"
	case l.service() == "":
		a.Why, a.Quiet = "this step is not about a Service", true
	}
	return a
}

// service is the Service that the panes are about; "" when they are about none.
func (l *Screen) service() string {
	if v := l.live.State(); v != nil {
		return v.Focus.Service
	}
	return ""
}

// fullKeys and leaveKeys share esc: it leads out of what was entered last.
func fullKeys(full bool) []string {
	if full {
		return []string{"z", "esc"}
	}
	return []string{"z"}
}

func leaveKeys(full bool) []string {
	if full {
		return []string{"l"}
	}
	return []string{"l", "esc"}
}

func fullTitle(full bool) string {
	if full {
		return "lesson"
	}
	return "full stage"
}

func noUndo(undo bool) string {
	if undo {
		return ""
	}
	return "no fix was applied"
}

// fixAction offers the fix of the first finding.
func (l *Screen) fixAction() shell.Action {
	a := shell.Action{ID: "fix", Keys: []string{"f"}, Title: "fix", Help: "show what the doctor's fix changes, and apply it", Quiet: true}
	if l.fix() == nil {
		a.Why = "there is no fix by one command"
	} else {
		a.Quiet = false
	}
	return a
}

// fix is that of the first finding; nil without a command.
func (l *Screen) fix() *diagnose.Fix {
	report := l.live.Report()
	if !l.doctor || report == nil || len(report.Findings) == 0 || report.Findings[0].Fix.Args == nil {
		return nil
	}
	return &report.Findings[0].Fix
}

// goAction is what ⏎ does: the one thing that leads on.
func (l *Screen) goAction(step *lessons.Step, done bool) shell.Action {
	a := shell.Action{ID: "go", Keys: []string{"enter"}}
	last := l.play.Index() == len(l.play.Lesson().Steps)-1
	switch {
	case l.stalled() && !step.Reads():
		a.Title, a.Help = "prepare again", "bring the cluster to the start of this step once more"
		if len(l.refused) > 0 {
			a.Title = "try again"
		}
	case l.preparing || l.play.Preparing() && !step.Reads():
		a.Title, a.Why = "preparing", "the cluster is being brought to the start of this step"
	case (done || step.Reads()) && last:
		a.Title, a.Help = "finish", "finish the lesson"
	case done || step.Reads(): // a command may still wait for what no longer matters
		a.Title, a.Help = "next", "go to the next step"
	case l.running != "":
		a.Title, a.Why = "running", "a command is under way"
	case l.world == nil || !l.world.Sync.Synced:
		a.Title, a.Why = "run", "the cluster has not been read yet"
	default:
		a.Title, a.Help = "run", "run the command shown"
	}
	return a
}

// asking says whether a prediction waits for its answer.
func (l *Screen) asking() bool {
	if l.facts.asked == nil || l.doctor || l.play.Done(l.play.Index()) {
		return false // nothing is asked, or the question is not in sight
	}
	_, answered := l.play.Predicted(l.play.Index())
	return !answered
}

// Do implements shell.Screen.
func (l *Screen) Do(id string, n int) shell.Intent {
	switch id {
	case "go":
		return l.forward()
	case "walk":
		intent, problem := l.live.Send()
		if problem != "" {
			l.problem = problem
		}
		l.followPacket()
		return intent
	case "predict walk":
		l.live.Walk()
		l.followPacket()
	case "stream":
		if intent := l.live.Stream(); intent != nil {
			if l.class() != layout.Large {
				l.lookAt(stagePane) // where the meter stands
			}
			return intent
		}
	case "faster":
		return l.live.Pace(1)
	case "slower":
		return l.live.Pace(-1)
	case "hint":
		l.hints++
		l.doctor = false
		l.scroll[storyPane] = bottom
		l.lookAt(storyPane)
	case "back":
		l.play.Back()
		return l.stepChanged()
	case "next":
		l.play.Next()
		return l.stepChanged()
	case "again":
		return l.again()
	case "look":
		return shell.Look{}
	case "goal":
		return l.showGoal()
	case "full":
		l.full = !l.full
	case "rules":
		if l.live.Rules = !l.live.Rules; l.live.Rules {
			l.lookAt(pathPane)
		}
	case "doctor":
		l.doctor = !l.doctor
		l.scroll[storyPane] = 0
		l.lookAt(storyPane)
		if l.doctor {
			return l.live.Diagnose()
		}
	case "fix":
		if fix := l.fix(); fix != nil {
			return shell.Fix{Fix: *fix}
		}
	case "undo":
		return shell.Undo{}
	case "contents":
		return shell.Contents{}
	case "quit":
		return shell.Quit{}
	default:
		return l.doPane(id, n)
	}
	return nil
}

// goalAction shows on the stage what the step's command leads to.
func (l *Screen) goalAction() shell.Action {
	a := shell.Action{ID: "goal", Keys: []string{"g"}, Title: "goal", Help: "draw how it would be once the command was run", Quiet: l.size.W < 120}
	_, ok := l.facts.command.Edit()
	switch {
	case l.live.Goal != nil:
		a.Title, a.Help = "as it is", "draw how it is"
	case !ok, l.play.Done(l.play.Index()):
		a.Why, a.Quiet = "this step's command changes nothing that can be told before", true
	case l.play.Preparing():
		a.Why, a.Quiet = "the cluster is not at the start of this step yet", true
	}
	return a
}

// showGoal asks for the goal, or puts it away.
func (l *Screen) showGoal() shell.Intent {
	if l.live.Goal != nil {
		l.live.Goal = nil
		return nil
	}
	edit, ok := l.facts.command.Edit()
	serial, free := l.goal.Begin()
	if !ok || !free {
		return nil
	}
	if l.class() != layout.Large {
		l.lookAt(stagePane)
	}
	at, present := l.play.Position(), l.live.State()
	return shell.Plan{Serial: serial, Namespace: at.Namespace(), Edit: edit, Work: func(p *model.Planned) any {
		return goal{at.Step(), live.Goal(p, focusOf(at, at.Show(p.Snapshot)), present)}
	}}
}

// goal is how it would be after a step's command.
type goal struct {
	of    *lessons.Step
	state *live.State
}

// planned shows the goal, unless the step is another by now.
func (l *Screen) planned(msg shell.Planned) {
	if _, ok := l.goal.End(msg.Serial); !ok {
		return
	}
	got, ok := msg.Value.(goal)
	switch {
	case msg.Err != "":
		l.problem = msg.Err
	case ok && got.of == l.play.Step() && !l.play.Done(l.play.Index()):
		l.live.Goal = got.state
	}
}

// bottom scrolls to the end and stays there while more comes.
const bottom = 1 << 20

func (l *Screen) doPane(id string, n int) shell.Intent {
	switch id {
	case "tab":
		l.lookAt(l.neighbour(1))
	case "tab back":
		l.lookAt(l.neighbour(-1))
	case "up":
		l.scrollTo(l.offset(l.focus) - 1)
	case "down":
		l.scrollTo(l.offset(l.focus) + 1)
	case "page up":
		l.scrollTo(l.offset(l.focus) - 8)
	case "page down":
		l.scrollTo(l.offset(l.focus) + 8)
	case "pane":
		if n >= 0 && n < int(panes) {
			l.lookAt(pane(n))
		}
		return nil
	case "answer":
		if !l.asking() {
			return nil
		}
		l.play.Answer(l.facts.asked, n)
		return shell.Save{Progress: l.play.Progress()}
	}
	return nil
}

func (l *Screen) scrollTo(offset int) { l.scroll[l.focus] = max(0, offset) }

// followPacket shows the stage when a packet walks over it.
func (l *Screen) followPacket() {
	if l.live.Moving() && l.class() != layout.Large {
		l.lookAt(stagePane)
	}
}

func (l *Screen) neighbour(step int) pane {
	p := l.focus
	for range panes {
		p = (p + pane(step) + panes) % panes
		if p != filePane || l.play.Step().File != nil {
			return p
		}
	}
	return l.focus
}

// forward does the one thing that leads on: run the step's command or, once
// more, those of its start state, or go to the next step.
func (l *Screen) forward() shell.Intent {
	step, done := l.play.Step(), l.play.Done(l.play.Index())
	if l.stalled() && !step.Reads() {
		return l.prepare()
	}
	if !done && !step.Reads() {
		switch {
		case !l.facts.judged.Position.Looked(): // a moment after the step was come to
			l.eager = true
			return nil
		case l.facts.commandErr != nil:
			l.problem = l.facts.commandErr.Error()
			return nil
		case l.facts.command.Display == "":
			return nil
		}
		return l.run([]lessons.Invocation{l.facts.command}, false)
	}
	if !done {
		l.play.Ack()
	}
	save := shell.Save{Progress: l.play.Progress()}
	if l.play.Index() == len(l.play.Lesson().Steps)-1 {
		return shell.Intents{save, shell.Contents{}}
	}
	l.play.Next()
	return shell.Intents{shell.Save{Progress: l.play.Progress()}, l.stepChanged()}
}

// again brings the cluster back to the start of the step.
func (l *Screen) again() shell.Intent {
	l.play.Again()
	return shell.Intents{shell.Save{Progress: l.play.Progress()}, l.stepChanged()}
}
