package lesson

import (
	"fmt"
	"slices"

	"svctour/lessons"
	"svctour/model"
	"svctour/model/diagnose"
	"svctour/ui/layout"
	"svctour/ui/live"
	"svctour/ui/question"
	"svctour/ui/shell"
)

// Actions implements shell.Screen. What is asked of the learner comes first; then
// the footer has little else.
func (l *Screen) Actions() []shell.Action {
	actions := l.answerActions()
	asked, taken := len(actions) > 0, map[string]bool{}
	for _, a := range actions {
		taken[a.Keys[0]] = true
	}
	if asked { // the digits are for the answers
		for _, a := range l.card().Beyond() {
			actions = append(actions, a)
			taken[a.Keys[0]] = true
		}
	}
	for _, a := range slices.Concat(l.stepActions(), l.paneActions(), l.leaveActions()) {
		a.Keys = slices.DeleteFunc(a.Keys, func(key string) bool { return taken[key] })
		if asked && a.ID != "tab" && a.ID != "quit" && (a.ID != "go" || a.Why != "") {
			a.Quiet = true
		}
		if len(a.Keys) > 0 {
			actions = append(actions, a)
		}
	}
	return actions
}

func (l *Screen) leaveActions() []shell.Action {
	return []shell.Action{
		{ID: "contents", Keys: leaveKeys(l.full), Title: "lessons", Help: "the list of lessons", Quiet: l.size.W < 100},
		{ID: "write", Keys: []string{"e"}, Title: "write", Help: "write the manifest", Quiet: l.play.Step().File == nil || l.size.W < 120},
		{ID: "quit", Keys: []string{"q"}, Title: "quit"},
	}
}

// stepActions are what can be done about the step.
func (l *Screen) stepActions() []shell.Action {
	step := l.play.Step()
	walk, predicted := l.live.SendAction(), l.live.WalkAction()
	walk.ID, walk.Keys = "walk", []string{"space"}
	predicted.ID, predicted.Keys = "predict walk", []string{"w"}
	walk.Quiet = walk.Quiet || l.challenge() // it has a request of its own
	stream := l.live.StreamAction()
	stream.ID, stream.Keys = "stream", []string{"s"}
	if why := l.untold(); why != "" { // it would tell the answer
		walk.Why, predicted.Why, stream.Why = why, why, why
	}
	faster, slower := l.live.PaceActions()
	faster.ID, faster.Keys = "faster", []string{"+", "="}
	slower.ID, slower.Keys = "slower", []string{"-"}
	hint := shell.Action{ID: "hint", Keys: []string{"h"}, Title: "hint", Help: "show a hint, then the next"}
	if l.hints >= len(step.Hints) {
		hint.Why, hint.Quiet = "there is no further hint", true
	}
	one := len(l.play.Lesson().Steps) == 1
	back := shell.Action{ID: "back", Keys: []string{"left", "backspace"}, Title: "back", Help: "look at the step before", Hidden: one}
	if l.play.Index() == 0 {
		back.Why, back.Quiet = "this is the first step", true
	}
	next := shell.Action{ID: "next", Keys: []string{"right"}, Title: "next step", Help: "go to the next step, done or not", Quiet: true, Hidden: one}
	if l.atLast() {
		next.Why = "this is the last step"
	}
	again := shell.Action{ID: "again", Keys: []string{"r"}, Title: "restart", Help: "do this step again, from its start state"}
	if l.running != "" {
		again.Why = "a command is under way"
	}
	elsewhere := shell.Action{ID: "elsewhere", Keys: []string{"n"}, Title: "ran elsewhere", Help: "go on: you ran the command in another terminal", Quiet: true}
	switch {
	case !step.WantsWord(), l.challenge(), l.play.Lesson().Answers:
		elsewhere.Hidden, elsewhere.Why = true, "the cluster shows when this step is done"
	case l.play.Done(l.play.Index()):
		elsewhere.Why = "this step is done"
	case l.play.Preparing(), l.leftOut() != "":
		elsewhere.Why = "this step has not begun yet"
	case l.unasked() != "":
		elsewhere.Why = l.unasked()
	}
	return []shell.Action{l.goAction(), l.solutionAction(), elsewhere, walk, predicted, stream, faster, slower, hint, back, next, again}
}

// paneActions are what can be done about the panes.
func (l *Screen) paneActions() []shell.Action {
	tab := shell.Action{ID: "tab", Keys: []string{"tab"}, Title: "next tab", Help: "next tab (shift+tab: the one before)"}
	if l.large() {
		tab.Title, tab.Help, tab.Quiet = "next pane", "focus the next pane (shift+tab: the one before)", true
	}
	actions := []shell.Action{
		tab,
		{ID: "tab back", Keys: []string{"shift+tab"}, Title: "previous pane", Hidden: true},
		{ID: "up", Keys: []string{"up", "k"}, Title: "scroll up", Help: "scroll (also down, j, page up, page down)", Quiet: true},
		{ID: "down", Keys: []string{"down", "j"}, Title: "scroll down", Hidden: true},
		{ID: "page up", Keys: []string{"pgup"}, Title: "a page up", Hidden: true},
		{ID: "page down", Keys: []string{"pgdown"}, Title: "a page down", Hidden: true},
		{ID: "rules", Keys: []string{"x"}, Title: "rules", Help: "each rule as the node's tools print it", Quiet: l.size.W < 100 || l.covered(pathPane), Why: l.unseen(pathPane)},
		{ID: "full", Keys: fullKeys(l.full), Title: fullTitle(l.full), Help: "the stage on the whole screen, or the lesson again", Quiet: l.size.W < 120 || l.covered(stagePane), Why: l.unseen(stagePane)},
		{ID: "look", Keys: []string{"o"}, Title: "look again", Help: "read all rules of the node again", Quiet: true, Hidden: !l.watching()},
		l.goalAction(), l.doctorAction(), l.fixAction(),
		{ID: "undo", Keys: []string{"u"}, Title: "undo the fix", Help: "put back what stood there before the last fix", Hidden: !l.undo, Why: noUndo(l.undo)},
	}
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

// write opens the step's manifest in the editor, or an empty one.
func (l *Screen) write() shell.Intent {
	step := l.play.Step()
	in := shell.Write{About: "lesson/" + l.play.Lesson().ID + "/" + step.ID, Name: "manifest.yaml"}
	if step.File != nil {
		in.Name, in.Text = step.File.Name, step.File.Content
	}
	return in
}

// Do implements shell.Screen.
func (l *Screen) Do(id string, n int) shell.Intent {
	switch id {
	case "go":
		return l.forward()
	case "walk":
		l.sent = true
		intent, problem := l.live.Send()
		if problem != "" {
			l.problem = problem
		}
		l.followPacket()
		return intent
	case "predict walk":
		l.sent = true
		l.live.Walk()
		l.followPacket()
	case "stream":
		l.sent = true
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
	case "elsewhere":
		if l.play.Elsewhere() {
			l.stepDone()
			return shell.Intents{shell.Save{Progress: l.play.Progress()}, l.look()}
		}
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
			l.count(lessons.EffortLook)
			return l.live.Diagnose()
		}
	case "fix":
		if fix := l.fix(); fix != nil {
			l.fixing = true
			return shell.Fix{Fix: *fix}
		}
	case "write":
		return l.write()
	case "undo":
		l.fixing = true
		return shell.Undo{}
	case "solution":
		l.solution = !l.solution
		l.lookAt(storyPane)
	case "contents":
		return l.leave()
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
	case l.turn() == predicting:
		a.Why, a.Quiet = l.unasked(), true // it would tell the answer
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
			return l.uncover(pane(n))
		}
	case question.AnswerID:
		return l.answer(n)
	case question.ConfidenceID:
		return l.confide(question.Confidence(n) == question.Sure)
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
