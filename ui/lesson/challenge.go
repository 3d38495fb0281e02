package lesson

import (
	"fmt"
	"slices"
	"strings"

	"svctour/lessons"
	"svctour/model"
	"svctour/ui/frame"
	"svctour/ui/shell"
)

// challenge says whether a challenge is played.
func (l *Screen) challenge() bool { return l.play.Lesson().Kind == lessons.KindChallenge }

// Challenge gives how hard the challenge is, from 1 to 3; 0 for a lesson.
func (l *Screen) Challenge() int {
	if !l.challenge() {
		return 0
	}
	return l.play.Lesson().Level
}

// challengeNotice says how a challenge stands: what must stay and does not, whether
// the request is answered, and in the end what it was about.
func (d *drawing) challengeNotice(n *notice, w int) {
	l, t := d.Screen, d.t
	step, i := l.play.Step(), l.play.Index()
	if l.play.Done(i) {
		n.heading, n.style = t.Glyph.Check+" Solved with "+effort(l.play.Score()), t.Good.With(t.Strong)
		n.add(frame.Wrap(frame.L(l.against(), t.Muted), w, 0)...)
		if debrief := l.words().Debrief; debrief != "" {
			n.gap()
			n.add(l.texts.Story(debrief, t, w)...)
		}
		if l.solution {
			n.gap()
			n.add(frame.L("One way to solve it:", t.Strong))
			for _, command := range step.Solution.Commands {
				n.add(frame.Wrap(frame.Line{{Text: "$ ", Style: t.Muted}, {Text: command, Style: t.Code}}, w, 4)...)
			}
		}
		return
	}
	var broken frame.Lines
	for _, g := range l.facts.guards {
		if g.Holds || g.Err != nil {
			continue
		}
		for k, row := range l.texts.Story(g.Say, t, w-2) {
			mark := frame.L(t.Glyph.Cross+" ", t.Bad)
			if k > 0 {
				mark = frame.L("  ", t.Bad)
			}
			broken = append(broken, append(mark, row...))
		}
	}
	said := l.unsolved()
	switch {
	case !l.attempted && n.heading == "" && len(broken) == 0:
		n.heading = "Find it, and put it right"
		n.add(frame.Wrap(frame.Line{
			{Text: "$", Style: t.Key}, {Text: " types a kubectl command. Looks and changes count. Sending the request does not.", Style: t.Text},
		}, w, 0)...)
	case len(broken) > 0:
		n.heading, n.style = "Not like that", t.Bad
		n.laid.Lines = append(broken, n.laid.Lines...)
	case said != "":
		n.heading, n.style = "Not solved yet", t.Warn
		n.laid.Lines = append(frame.Lines(frame.Wrap(frame.L(said, t.Text), w, 0)), n.laid.Lines...)
	}
}

// unsolved says how far the request came; "" before it was sent.
func (l *Screen) unsolved() string {
	switch {
	case l.running != "" || len(l.replies) == 0 || l.ran == "":
		return ""
	case l.replies[len(l.replies)-1].Exit != 0:
		return "The request is not answered."
	case !l.facts.fresh:
		return "The cluster has changed since the request was answered: send it again."
	}
	return "The request is answered, but something is not as it is meant to be."
}

// challengeNote is the score, beside the title.
func (d *drawing) challengeNote() frame.Line {
	if !d.challenge() || d.play.Done(d.play.Index()) {
		return nil
	}
	return frame.L(effort(d.play.Score()), d.t.Muted)
}

// effort is a score in words.
func effort(s lessons.Score) string {
	if s.Tries > 0 {
		return model.Count(s.Looks, "look") + ", " + tries(s.Tries)
	}
	return model.Count(s.Changes, "change") + ", " + model.Count(s.Looks, "look")
}

func tries(n int) string {
	if n == 1 {
		return "1 answer"
	}
	return fmt.Sprintf("%d answers", n)
}

// against lays the score beside what it takes.
func (l *Screen) against() string {
	par := l.play.Lesson().Par
	if par == nil {
		return ""
	}
	score := l.play.Score()
	text := "Par is " + model.Count(par.Changes, "change") + ", " + model.Count(par.Looks, "look")
	switch {
	case score.Within(*par) && (score.Changes < par.Changes || score.Looks < par.Looks):
		return text + ": you beat it."
	case score.Within(*par):
		return text + ": you met it."
	}
	return text + "."
}

// covered says whether a pane waits to be looked at: in a challenge that is a look.
// In one that is solved by its answer the digits are the answers, and nothing waits.
func (l *Screen) covered(p pane) bool {
	_, live := p.livePane()
	return live && l.challenge() && !l.play.Lesson().Answers && !l.play.Done(l.play.Index()) && !l.opened[p]
}

// uncover shows a pane that the learner asks for.
func (l *Screen) uncover(p pane) shell.Intent {
	if !l.covered(p) {
		return nil
	}
	l.opened[p] = true
	l.count(lessons.EffortLook)
	return shell.Save{Progress: l.play.Progress()}
}

// cover stands where a pane is covered.
func (d *drawing) cover(p pane, w int) frame.Lines {
	return frame.Wrap(frame.Line{
		{Text: fmt.Sprint(int(p) + 1), Style: d.t.Key}, {Text: " looks at it. Each look counts.", Style: d.t.Muted},
	}, w, 0)
}

// unseen is why what a pane shows is not shown yet; "" when it is.
func (l *Screen) unseen(p pane) string {
	if l.covered(p) {
		return fmt.Sprintf("first look at it: %d", int(p)+1)
	}
	return ""
}

// untold is why no packet may show its way; "" when it may.
func (l *Screen) untold() string {
	if now := l.turn(); now == predicting || now == routing {
		return l.unasked()
	}
	return l.unseen(stagePane)
}

// solutionAction shows a solution once the challenge is solved.
func (l *Screen) solutionAction() shell.Action {
	a := shell.Action{ID: "solution", Keys: []string{"v"}, Title: "a solution", Help: "show one way to solve the challenge"}
	switch {
	case !l.challenge():
		a.Hidden, a.Why = true, "this is no challenge"
	case !l.play.Done(l.play.Index()):
		a.Quiet, a.Why = true, "first solve it"
	case l.play.Step().Solution == nil || len(l.play.Step().Solution.Commands) == 0:
		a.Quiet, a.Why = true, "nothing was to be changed"
	case l.solution:
		a.Title, a.Help = "hide it", "put the solution away"
	}
	return a
}

// count adds what the learner did to the score.
func (l *Screen) count(e lessons.Effort) {
	if l.challenge() {
		l.play.Count(e)
	}
}

// countTyped adds a command to the score: not the request, and one that changes
// something only if it did.
func (l *Screen) countTyped(reply *model.Reply) {
	invocation, err := l.play.Typed(reply.Command)
	if err != nil || reply.Exit < 0 || slices.Equal(strings.Fields(reply.Command), strings.Fields(l.facts.command.Display)) {
		return
	}
	if e := invocation.Effort(); e == lessons.EffortLook || reply.Exit == 0 {
		l.count(e)
	}
}

// conclude takes in an answer that solves the challenge, if it is right.
func (l *Screen) conclude(n int) shell.Intent {
	l.play.Answer(l.facts.ask, n)
	if answer, ok := l.play.Predicted(l.play.Index()); ok && !answer.Right {
		l.tried = append(l.tried[:len(l.tried):len(l.tried)], n)
	}
	return shell.Intents{shell.Save{Progress: l.play.Progress()}, l.look()}
}
