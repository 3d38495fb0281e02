package lesson

import (
	"svctour/lessons"
	"svctour/ui/shell"
)

// goAction is what ⏎ does: the one thing that leads on.
func (l *Screen) goAction() shell.Action {
	step := l.play.Step()
	a := shell.Action{ID: "go", Keys: []string{"enter"}}
	switch now := l.turn(); {
	case l.gone():
		return l.goneAction()
	case l.bringable() && l.bringing:
		a.Title, a.Why = "starting", "the "+l.facts.lacks.Name+" is starting"
	case l.bringable():
		a.Title, a.Help = "start the "+l.facts.lacks.Name, "let the lab have what this step needs"
	case l.leftOut() == "" && l.stalled() && !step.Reads():
		a.Title, a.Help = "prepare again", "bring the cluster to the start of this step once more"
		if len(l.refused) > 0 {
			a.Title = "try again"
		}
	case l.leftOut() == "" && (l.preparing || l.play.Preparing()) && !step.Reads():
		a.Title, a.Why = "preparing", "the cluster is being brought to the start of this step"
	case l.unasked() != "":
		a.Title, a.Why, a.Quiet = "run", l.unasked(), true
	case now == routing:
		a.Title, a.Help = "next hop", "follow the packet"
	case now == revealing, l.readsBack():
		a.Title, a.Help = "go on", "go on with this step"
	case l.goesOn():
		a.Title, a.Help = "next", "go to the next step"
		if l.atLast() {
			a.Title, a.Help = "finish", "back to the list of lessons"
		}
	case l.running != "":
		a.Title, a.Why = "running", "a command is under way"
	case l.world == nil || !l.world.Sync.Synced:
		a.Title, a.Why = "run", "the cluster has not been read yet"
	case step.Router != nil:
		a.Title, a.Why = "route", "there is no way of a packet to follow yet"
	case step.Command == "":
		a.Title, a.Why, a.Quiet = "run", "this step is done by what you do, and not by one command", true
	case l.challenge():
		a.Title, a.Help = "send the request", "send the request again"
	default:
		a.Title, a.Help = "run", "run the command shown"
		if len(l.replies) > 0 {
			a.Title, a.Help = "run again", "run the command shown once more"
		}
	}
	a.Quiet = a.Quiet || l.unread()
	return a
}

// unread says whether what leads on is about to change: the step was just come to,
// or just done, and what it asks then is not known yet.
func (l *Screen) unread() bool {
	at := l.facts.judged.Position
	return !at.Looked() || l.play.Done(l.play.Index()) != at.Done()
}

// goesOn says whether nothing keeps the learner at the step. A command may still
// wait for what no longer matters.
func (l *Screen) goesOn() bool {
	return l.leftOut() != "" || l.play.Done(l.play.Index()) || l.play.Step().Reads()
}

func (l *Screen) atLast() bool { return l.play.Index() == len(l.play.Lesson().Steps)-1 }

// readsBack says whether the step that is only read has a question for who has
// read it.
func (l *Screen) readsBack() bool {
	step := l.play.Step()
	return step.Reads() && step.ReadBack != nil && !l.play.Done(l.play.Index()) && l.leftOut() == ""
}

// forward does the one thing that leads on: run the step's command or, once
// more, those of its start state, tell what comes next, or go to the next step.
func (l *Screen) forward() shell.Intent {
	step, done := l.play.Step(), l.play.Done(l.play.Index())
	switch now := l.turn(); {
	case l.gone():
		return l.remake()
	case l.bringable():
		return l.bring()
	case l.leftOut() != "":
		l.play.LeaveOut()
		return l.onward()
	case l.stalled() && !step.Reads():
		return l.prepare()
	case l.unasked() != "":
		return nil
	case now == routing:
		return l.walkOn()
	case now == revealing, l.readsBack():
		l.told = true
		l.play.Ack()
		return shell.Intents{shell.Save{Progress: l.play.Progress()}, l.look()}
	case !done && !step.Reads():
		return l.runCommand()
	case !done:
		l.play.Ack()
	}
	return l.onward()
}

// runCommand runs the step's command.
func (l *Screen) runCommand() shell.Intent {
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

// onward goes to the next step, or ends the lesson.
func (l *Screen) onward() shell.Intent {
	if l.atLast() {
		return shell.Intents{shell.Save{Progress: l.play.Progress()}, l.leave()}
	}
	l.play.Next()
	return shell.Intents{shell.Save{Progress: l.play.Progress()}, l.stepChanged()}
}

// leave goes to the list of lessons, once what steps have changed outside of the
// lesson's namespace is undone.
func (l *Screen) leave() shell.Intent {
	if l.leaving || l.world == nil {
		return shell.Contents{}
	}
	undo, err := l.play.Undo(l.world)
	if err != nil || len(undo) == 0 {
		return shell.Contents{}
	}
	l.leaving = true
	return shell.Intents{shell.Stop{}, l.run(undo, true)}
}

// again brings the cluster back to the start of the step.
func (l *Screen) again() shell.Intent {
	l.play.Again()
	return shell.Intents{shell.Save{Progress: l.play.Progress()}, l.stepChanged()}
}
