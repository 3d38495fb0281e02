package lesson

import (
	"svctour/lessons"
	"svctour/model"
	"svctour/ui/live"
	"svctour/ui/shell"
)

// facts are what a step's expressions come to over a snapshot. They are
// computed once for a picture, and drawn as often as needed.
type facts struct {
	judged     lessons.Judgement
	show       lessons.Show
	command    lessons.Invocation // of a step that is not done
	commandErr error
	given      []lessons.Invocation // of a step that waits for its start state
	givenErr   error
	missing    []string       // conditions of the start state
	asked      *lessons.Asked // the step's question; nil when it asks none now
}

func factsOf(at lessons.Position, s *model.Snapshot) facts {
	f := facts{judged: at.Judge(s)}
	now := f.judged.Position
	f.show = now.Show(s)
	switch {
	case now.Preparing():
		f.given, f.givenErr = now.Given(s)
		f.missing = now.Missing(s)
	case !now.Done():
		f.command, f.commandErr = now.Command(s)
		asked, err := now.Ask(s)
		f.asked = asked
		if f.judged.Err == nil {
			f.judged.Err = err
		}
	}
	return f
}

// result is what one computation gives.
type result struct {
	facts  facts
	judged bool // the facts are new
	state  *live.State
}

// look asks for the present picture to be looked at: a step may be done by it.
func (l *Screen) look() shell.Intent {
	l.due = true
	return l.compute()
}

// compute asks for everything that is drawn of the present picture. The last
// picture stands until the answer is there.
func (l *Screen) compute() shell.Intent {
	if l.world == nil {
		return nil
	}
	serial, ok := l.turn.Begin()
	if !ok {
		return nil
	}
	s, at, known, due := l.world, l.play.Position(), l.facts, l.due
	work := l.live.Work()
	l.due = false
	return shell.Compute{Serial: serial, Work: func() any {
		r := result{facts: known, judged: due}
		if due {
			r.facts = factsOf(at, s)
		}
		show := r.facts.show
		r.state = work(s, focusOf(at, show))
		return r
	}}
}

func focusOf(at lessons.Position, show lessons.Show) live.Focus {
	return live.Focus{Namespace: at.Namespace(), Service: show.Service, Client: show.From, Target: show.Target, Name: show.Name}
}

// computed takes the answer in. One of an earlier step says nothing of this one.
func (l *Screen) computed(msg shell.Computed) shell.Intent {
	more, ok := l.turn.End(msg.Serial)
	r, isResult := msg.Value.(result)
	if !ok || !isResult {
		return nil
	}
	var intents shell.Intents
	switch {
	case !r.judged:
		if !l.due { // else the step may be another one
			l.live.Take(r.state)
		}
	default:
		intents = l.judged(r, &more)
	}
	if off := l.live.OffAim(); off != nil {
		intents = append(intents, off)
	}
	if more {
		intents = append(intents, l.compute())
	}
	if l.doctor {
		intents = append(intents, l.live.Diagnose())
	}
	return intents
}

// judged takes in what the step's expressions came to.
func (l *Screen) judged(r result, more *bool) (intents shell.Intents) {
	wasDone := l.play.Done(l.play.Index())
	changed, ok := l.play.Apply(r.facts.judged)
	if !ok {
		l.due, *more = true, true
		return nil
	}
	l.facts, l.problem = r.facts, ""
	l.live.Take(r.state)
	if err := r.facts.judged.Err; err != nil {
		l.problem = err.Error()
	}
	if changed {
		intents = append(intents, shell.Save{Progress: l.play.Progress()})
	}
	switch {
	case l.arrived && l.focus == storyPane:
		l.lastTab = l.opening()
	case !l.arrived && !wasDone && l.play.Done(l.play.Index()):
		l.live.Goal = nil
		l.stepDone()
	}
	l.arrived = false
	l.missing = nil
	switch {
	case !l.play.Preparing():
		if l.prepared { // what was brought about can be looked at now
			l.lastTab = l.opening()
		}
		l.prepared = false // should the start state be wanted again
	case l.stalled():
		l.missing = r.facts.missing
	case l.running == "":
		intents = append(intents, l.prepare())
	}
	if l.eager && !l.play.Done(l.play.Index()) && !l.play.Preparing() && l.running == "" {
		intents = append(intents, l.forward())
	}
	l.eager = false
	return intents
}
