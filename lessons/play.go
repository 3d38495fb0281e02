package lessons

import (
	"fmt"
	"slices"
	"strings"

	"svctour/model"
)

// Play is one run of a lesson in one namespace of one cluster. It is a state
// machine without I/O or clock, and not safe for concurrent use.
//
// A step goes through two phases. While Preparing, the cluster is not yet in
// the step's start state: the commands of Given bring it there. Then the step
// has begun: what the cluster held at that moment is kept as "before", and the
// step is done as soon as its check is true. Done stays done.
type Play struct {
	lesson    *Lesson
	namespace string
	uid       string // of the namespace; "" until it was seen
	index     int
	steps     []stepState
	replies   []reply // heard since the current step began
	score     Score
	last      *model.Snapshot
	underway  bool   // the commands of the current step's start state are running
	looked    bool   // a snapshot was judged since the play came to the current step
	revision  uint64 // grows with every change of what a judgement rests on
}

type stepState struct {
	done      bool
	begun     bool
	prepare   bool // its start state must be seen before it begins
	visited   bool // the play came to it
	before    *Picture
	predicted *Answered
	readBack  *Answered
	walked    *Walked
	look      bool    // it became done, and what was predicted has to be seen yet
	seen      *string // the value that was seen of what was predicted
	leftOut   bool    // the learner passed it over: the cluster does not have what it needs
	elsewhere bool    // its command ran in another place: what it printed is not known
}

// forget makes a step that is not done want its start state again.
func (s *stepState) forget() { s.begun, s.before, s.prepare = false, nil, true }

// again makes a step as it was at first.
func (s *stepState) again() { *s = stepState{prepare: true, visited: s.visited} }

// finish makes the step done. What it began with is kept, for what is asked now.
func (s *stepState) finish() { s.done, s.look = true, true }

// answersOf takes over what the learner said, which may have come meanwhile.
func (s *stepState) answersOf(other *stepState) {
	s.predicted, s.readBack, s.walked, s.visited, s.leftOut = other.predicted, other.readBack, other.walked, other.visited, other.leftOut
}

// replyLimit and replySize bound what is kept of what commands printed.
const (
	replyLimit = 20
	replySize  = 64 << 10 // bytes of each text
)

// NewPlay starts a lesson, or resumes it where progress (of the same lesson)
// left it. Zero progress starts at the first step.
func NewPlay(l *Lesson, namespace string, progress Progress) (*Play, error) {
	if len(l.Steps) == 0 {
		return nil, fmt.Errorf("play lesson %q: it has no steps", l.ID)
	}
	if namespace == "" {
		return nil, fmt.Errorf("play lesson %q: no namespace to play in", l.ID)
	}
	p := &Play{lesson: l, namespace: namespace, steps: make([]stepState, len(l.Steps))}
	for i := range p.steps {
		p.steps[i].prepare = true
	}
	if err := p.resume(progress); err != nil {
		return nil, err
	}
	p.steps[p.index].visited = true
	return p, nil
}

// Lesson is what is played.
func (p *Play) Lesson() *Lesson { return p.lesson }

// Namespace is where it is played.
func (p *Play) Namespace() string { return p.namespace }

// Index is the current step's place, from 0.
func (p *Play) Index() int { return p.index }

// Step is the current step.
func (p *Play) Step() *Step { return p.lesson.Steps[p.index] }

// Done says whether step i is done.
func (p *Play) Done(i int) bool { return i >= 0 && i < len(p.steps) && p.steps[i].done }

// Finished says whether every step is done, or left out.
func (p *Play) Finished() bool {
	return !slices.ContainsFunc(p.steps, func(s stepState) bool { return !s.done && !s.leftOut })
}

// LeaveOut passes the current step of a lesson over: the cluster does not have what
// it needs. Where it does, the step can still be done.
func (p *Play) LeaveOut() {
	if p.lesson.Kind != KindChallenge {
		p.steps[p.index].leftOut = true
	}
}

// Preparing says whether the current step waits for its start state: run the
// commands of Given. It is false until a snapshot was judged at this step.
func (p *Play) Preparing() bool { return p.Position().Preparing() }

// Underway says whether the commands of the current step's start state are running.
// Until they have ended the step does not begin, whatever the cluster shows: one of
// them may be about to replace what is there.
func (p *Play) Underway(running bool) {
	p.underway = running
	p.revision++
}

// Observe takes in a snapshot and says whether anything about the play
// changed. An error tells why a check cannot be evaluated; the next snapshot
// may bring better news.
func (p *Play) Observe(s *model.Snapshot) (changed bool, err error) {
	j := p.Position().Judge(s)
	changed, _ = p.Apply(j) // nothing came in between
	return changed, j.Err
}

// Heard takes in what a command printed and says whether the step became done
// by it, as a step without a check does. A check that looks at replies is
// evaluated by the next Observe, or Judge. Replies from before the step began
// do not count.
func (p *Play) Heard(r model.Reply) (changed bool) {
	state, step := &p.steps[p.index], p.Step()
	if state.done || !state.begun {
		return false
	}
	p.revision++
	r.Stdout, r.Stderr = clip(r.Stdout), clip(r.Stderr)
	heard := reply{Reply: r}
	if step.check != nil && step.check.answered && p.last != nil {
		heard.world = worldOf(pictureOf(p.last, p.namespace))
	}
	p.replies = append(slices.Clip(p.replies), heard) // a Position may hold the list
	if over := len(p.replies) - replyLimit; over > 0 {
		p.replies = p.replies[over:]
	}
	if step.check != nil || step.byAnswer || step.Command == "" || r.Exit != 0 || !sameVerb(r.Command, step.Command) {
		return false
	}
	state.finish()
	return true
}

func clip(s string) string {
	if len(s) > replySize {
		return s[:replySize]
	}
	return s
}

// sameVerb compares the first two words: "kubectl get".
func sameVerb(a, b string) bool {
	x, y := strings.Fields(a), strings.Fields(b)
	return len(x) >= 2 && len(y) >= 2 && slices.Equal(x[:2], y[:2])
}

// Ack says that the step was read. It makes a step without a check done, and
// says whether it did. A route has to be walked, and a challenge to be solved.
func (p *Play) Ack() bool {
	state, step := &p.steps[p.index], p.Step()
	if state.done || step.check != nil || step.Router != nil || step.byAnswer {
		return false
	}
	state.finish()
	p.revision++
	return true
}

// Elsewhere takes the learner's word that the step's command was run in another
// place, and makes a step done that wants a word: see Step.WantsWord. It says
// whether it did. What the command printed is not known, so that nothing of it is
// seen.
func (p *Play) Elsewhere() bool {
	state, step := &p.steps[p.index], p.Step()
	if p.lesson.Kind == KindChallenge || !step.WantsWord() || !state.begun || state.done {
		return false
	}
	state.finish()
	state.look, state.elsewhere = false, true
	p.revision++
	return true
}

// ByWord says whether the current step is done by the learner's word alone.
func (p *Play) ByWord() bool { return p.steps[p.index].done && p.steps[p.index].elsewhere }

// Next goes to the next step; false at the last one. After a step that had
// begun and is done the next begins in whatever state the cluster is, for the
// learner may have run ahead; otherwise it wants its start state first.
func (p *Play) Next() bool {
	if p.index+1 >= len(p.steps) {
		return false
	}
	if s := p.steps[p.index]; s.done && s.begun {
		p.steps[p.index+1].prepare = false
	}
	return p.Goto(p.index + 1)
}

// Back goes to the step before; false at the first one. It changes nothing in
// the cluster.
func (p *Play) Back() bool { return p.Goto(p.index - 1) }

// Goto goes to step i; false when there is none. A step that had not begun
// needs its start state. What that takes is decided when a snapshot is observed:
// the next one, or the last one again, because a quiet cluster sends no other.
func (p *Play) Goto(i int) bool {
	if i < 0 || i >= len(p.steps) {
		return false
	}
	if s := &p.steps[p.index]; s.done {
		s.before = nil // nothing more is asked about it
	}
	p.index = i
	p.arrive()
	return true
}

// Again starts over from the current step: it and the later ones are not done
// any more, and it wants its start state.
func (p *Play) Again() {
	for i := p.index; i < len(p.steps); i++ {
		p.steps[i].again()
	}
	p.arrive()
}

// arrive is the begin of a visit to the current step.
func (p *Play) arrive() {
	p.replies, p.looked, p.underway = nil, false, false
	p.steps[p.index].visited = true
	p.revision++
}

// Command gives the current step's command: see Position.Command.
func (p *Play) Command(s *model.Snapshot) (Invocation, error) { return p.Position().Command(s) }

// Given gives the commands of the start state: see Position.Given.
func (p *Play) Given(s *model.Snapshot) ([]Invocation, error) { return p.Position().Given(s) }

// Typed makes an invocation of a line that the learner typed. The lesson's
// files can be named in it.
func (p *Play) Typed(line string) (Invocation, error) {
	c, err := parseCommand(line, nil)
	if err != nil {
		return Invocation{}, err
	}
	return c.invoke(nil, p.Step().files)
}

// Typed makes an invocation of a line that was typed outside of any lesson.
func Typed(line string) (Invocation, error) {
	c, err := parseCommand(line, nil)
	if err != nil {
		return Invocation{}, err
	}
	return c.invoke(nil, nil)
}
