package lesson

import (
	"errors"
	"slices"

	"svctour/lessons"
	"svctour/model"
	"svctour/model/router"
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
	missing    []string     // conditions of the start state
	leftOut    string       // why the step cannot be done on this cluster; "" when it can
	lacks      lessons.Need // what leftOut is about
	bringable  bool         // the cluster can be given it
	words      lessons.Texts

	ask     *lessons.Asked // what is asked before the step is done; nil for nothing
	back    *lessons.Asked // what is asked after it
	backErr error
	lacking []string // what the step's check waits for
	guards  []lessons.GuardState
	fresh   bool           // the request of a challenge was answered by the cluster as it is
	course  *router.Course // of a step that is a walk along the path, when it was wanted
}

// wanted is what a computation is to find out besides what every one does.
type wanted struct {
	needs   []lessons.Need // that the step has
	request bool           // whether the request of a challenge was answered
	course  bool
	seed    uint64 // of the course
}

func factsOf(at lessons.Position, s *model.Snapshot, w wanted) facts {
	f := facts{judged: at.Judge(s)}
	now := f.judged.Position
	f.show, f.words = now.Show(s), now.Texts(s)
	if now.Step().Router != nil {
		f.show.From, f.show.Target = now.Route(s)
	}
	if f.lacks, f.leftOut = unmet(w.needs, s); f.leftOut != "" {
		f.bringable = f.lacks.Kind == lessons.NeedAddon && s.Cluster.Lab
		return f
	}
	f.asks(now, s, w)
	switch {
	case now.Preparing():
		f.given, f.givenErr = now.Given(s)
		f.missing = now.Missing(s)
	case !now.Done():
		f.command, f.commandErr = now.Command(s)
	}
	return f
}

// asks finds out what is asked of the learner, and what the step waits for.
func (f *facts) asks(now lessons.Position, s *model.Snapshot, w wanted) {
	var err error
	note := func(problem error) {
		if f.judged.Err == nil {
			f.judged.Err = problem
		}
	}
	f.ask, err = now.Ask(s)
	note(err)
	f.back, f.backErr = now.AskBack(s)
	note(f.backErr)
	f.lacking, f.guards = now.Lacking(s), now.Guards(s)
	f.fresh = w.request && now.Answered(s)
	if w.course && now.Step().Router != nil && !now.Preparing() && !now.Done() {
		f.course, err = courseOf(now, s, w.seed)
		note(err)
	}
}

// unmet says what a step needs that a cluster does not have, and why; "" when it
// has all.
func unmet(needs []lessons.Need, s *model.Snapshot) (lessons.Need, string) {
	for _, need := range needs {
		if met, why := need.Met(s); !met {
			return need, "This step needs " + needed(need) + ", and " + why + "."
		}
	}
	return lessons.Need{}, ""
}

// needed is a need in words.
func needed(n lessons.Need) string {
	switch n.Kind {
	case lessons.NeedLab:
		return "the lab"
	case lessons.NeedNodes:
		return "at least " + model.Count(n.Count, "node")
	case lessons.NeedMode:
		return "kube-proxy's mode " + n.Name
	}
	return "the add-on " + n.Name
}

// leftOut says why the step cannot be done on this cluster; "" when it can.
func (l *Screen) leftOut() string { return l.facts.leftOut }

// bringable says whether the cluster can be given what the step needs.
func (l *Screen) bringable() bool { return l.facts.bringable }

// bring asks for what the step needs.
func (l *Screen) bring() shell.Intent {
	if l.bringing {
		return nil
	}
	l.bringing, l.notBrought = true, ""
	return shell.Bring{Need: l.facts.lacks}
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
	serial, ok := l.computing.Begin()
	if !ok {
		return nil
	}
	s, at, known, due := l.world, l.play.Position(), l.facts, l.due
	work := l.live.Work()
	want := wanted{slices.Concat(l.play.Lesson().Needs, l.play.Step().Needs), l.challenge(), l.route.course == nil, l.seed + l.route.walks}
	l.due = false
	return shell.Compute{Serial: serial, Work: func() any {
		r := result{facts: known, judged: due}
		if due {
			r.facts = factsOf(at, s, want)
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
	more, ok := l.computing.End(msg.Serial)
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

// troubled tells a learner why the step cannot be judged or asked about.
func troubled(err error) string {
	var unasked *lessons.Unasked
	if errors.As(err, &unasked) {
		return "This cannot be asked now: the cluster is not as the step needs it. r restarts the step."
	}
	return err.Error()
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
	l.bringing = l.bringing && r.facts.bringable
	l.live.Take(r.state)
	if r.facts.course != nil {
		l.route.begin(r.facts.course)
		l.standing()
	}
	if err := r.facts.judged.Err; err != nil {
		l.problem = troubled(err)
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
	case l.running == "" && l.facts.leftOut == "" && !l.gone():
		intents = append(intents, l.prepare())
	}
	if l.eager && !l.play.Done(l.play.Index()) && !l.play.Preparing() && l.running == "" {
		intents = append(intents, l.forward())
	}
	l.eager = false
	return intents
}
