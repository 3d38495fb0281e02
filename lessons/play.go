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
	replies   []model.Reply // heard since the current step began
	last      *model.Snapshot
}

type stepState struct {
	done    bool
	begun   bool
	prepare bool // its start state must be seen before it begins
	answer  int  // -1: none
	before  *Picture
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
		p.steps[i] = stepState{answer: -1, prepare: true}
	}
	if err := p.resume(progress); err != nil {
		return nil, err
	}
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

// Finished says whether every step is done.
func (p *Play) Finished() bool {
	return !slices.ContainsFunc(p.steps, func(s stepState) bool { return !s.done })
}

// Preparing says whether the current step waits for its start state: run the
// commands of Given. It is false before a first snapshot was observed.
func (p *Play) Preparing() bool {
	s := p.steps[p.index]
	return p.last != nil && !s.done && !s.begun
}

// Observe takes in a snapshot and says whether anything about the play
// changed. An error tells why a check cannot be evaluated; the next snapshot
// may bring better news.
func (p *Play) Observe(s *model.Snapshot) (changed bool, err error) {
	if s == nil || !s.Sync.Synced {
		return false, nil // what was not listed yet would look deleted
	}
	p.last = s
	if ns := s.Namespace(p.namespace); ns != nil && ns.UID != p.uid {
		if p.uid != "" { // another cluster, or the namespace was made anew: nothing of ours is in it
			p.forget(p.index)
			changed = true
		}
		p.uid = ns.UID
	}
	state, step := &p.steps[p.index], p.Step()
	if state.done {
		return changed, nil
	}
	if !state.begun {
		ready := true
		if state.prepare && step.Given != nil {
			if ready, err = step.Given.until.holds(p.input(s)); err != nil {
				return changed, fmt.Errorf("step %q: start state: %w", step.Title, err)
			}
		}
		if !ready {
			return changed, nil
		}
		state.begun, state.before, changed = true, pictureOf(s, p.namespace), true
		p.replies = nil
	}
	done, err := p.evaluate(s)
	return changed || done, err
}

// evaluate marks the current step done if its check is true.
func (p *Play) evaluate(s *model.Snapshot) (bool, error) {
	state, step := &p.steps[p.index], p.Step()
	if step.check == nil {
		return false, nil
	}
	done, err := step.check.holds(p.input(s))
	if err != nil {
		return false, fmt.Errorf("step %q: check: %w", step.Title, err)
	}
	if done {
		p.finish(state)
	}
	return done, nil
}

func (p *Play) finish(state *stepState) {
	state.done = true
	state.before = nil
}

// input is what the current step's expressions are evaluated over.
func (p *Play) input(s *model.Snapshot) *input {
	in := &input{namespace: p.namespace, snapshot: s, now: pictureOf(s, p.namespace), before: p.steps[p.index].before, replies: p.replies}
	if in.before == nil {
		in.before = in.now
	}
	return in
}

// Heard takes in what a command printed and says whether the step became done
// by it. Replies from before the step began do not count.
func (p *Play) Heard(r model.Reply) (changed bool, err error) {
	state, step := &p.steps[p.index], p.Step()
	if state.done || !state.begun {
		return false, nil
	}
	r.Stdout, r.Stderr = clip(r.Stdout), clip(r.Stderr)
	p.replies = append(p.replies, r)
	if over := len(p.replies) - replyLimit; over > 0 {
		p.replies = slices.Delete(p.replies, 0, over)
	}
	if step.check == nil {
		if step.Command == "" || r.Exit != 0 || !sameVerb(r.Command, step.Command) {
			return false, nil
		}
		p.finish(state)
		return true, nil
	}
	return p.evaluate(p.last)
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
// says whether it did.
func (p *Play) Ack() bool {
	state := &p.steps[p.index]
	if state.done || p.Step().check != nil {
		return false
	}
	p.finish(state)
	return true
}

// Answer keeps the choice for the current step's prediction and says whether
// it is the right one.
func (p *Play) Answer(choice int) (right bool, err error) {
	predict := p.Step().Predict
	if predict == nil {
		return false, fmt.Errorf("step %q asks for no prediction", p.Step().Title)
	}
	if choice < 0 || choice >= len(predict.Choices) {
		return false, fmt.Errorf("step %q: choice %d: there are %d", p.Step().Title, choice+1, len(predict.Choices))
	}
	p.steps[p.index].answer = choice
	return choice == predict.Answer, nil
}

// Answered gives the choice for step i's prediction; ok is false when there is none.
func (p *Play) Answered(i int) (choice int, ok bool) {
	if i < 0 || i >= len(p.steps) || p.steps[i].answer < 0 {
		return 0, false
	}
	return p.steps[i].answer, true
}

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
// wants its start state.
func (p *Play) Goto(i int) bool {
	if i < 0 || i >= len(p.steps) {
		return false
	}
	p.index = i
	p.look()
	return true
}

// Again starts over from the current step: it and the later ones are not done
// any more, and it wants its start state.
func (p *Play) Again() {
	for i := p.index; i < len(p.steps); i++ {
		p.forget(i)
		p.steps[i].done, p.steps[i].answer = false, -1
	}
	p.look()
}

// look observes the last snapshot anew, for a quiet cluster sends no other. An
// error comes back with the next one.
func (p *Play) look() {
	p.replies = nil
	_, _ = p.Observe(p.last)
}

// forget makes a step that is not done want its start state again.
func (p *Play) forget(i int) {
	p.steps[i].begun, p.steps[i].before, p.steps[i].prepare = false, nil, true
}

// Command gives the current step's command, filled in from the snapshot. It is
// zero, without an error, for a step that is only read. While Preparing it is
// an error: run too early, the command would spoil the start state for good.
func (p *Play) Command(s *model.Snapshot) (Invocation, error) {
	step := p.Step()
	if step.Command == "" {
		return Invocation{}, nil
	}
	if p.Preparing() {
		return Invocation{}, fmt.Errorf("step %q: the cluster is not yet in the step's start state", step.Title)
	}
	inv, err := step.command.invoke(p.input(s), step.files)
	if err != nil {
		return Invocation{}, fmt.Errorf("step %q: %w", step.Title, err)
	}
	return inv, nil
}

// Given gives the commands that bring the cluster into the current step's
// start state. They are run in order and every one may find its work done.
func (p *Play) Given(s *model.Snapshot) ([]Invocation, error) {
	step := p.Step()
	if step.Given == nil {
		return nil, nil
	}
	list := make([]Invocation, 0, len(step.Given.commands))
	for _, c := range step.Given.commands {
		inv, err := c.invoke(p.input(s), step.Given.files)
		if err != nil {
			return nil, fmt.Errorf("step %q: start state: %w", step.Title, err)
		}
		list = append(list, inv)
	}
	return list, nil
}

// Missing gives the conditions of the current step's start state that the last
// snapshot does not meet, as the lesson writes them; none unless Preparing. The
// parts of an expression between "&&" are conditions of their own.
func (p *Play) Missing() []string {
	step := p.Step()
	if !p.Preparing() || step.Given == nil {
		return nil
	}
	var missing []string
	in := p.input(p.last)
	for _, e := range step.Given.conditions() {
		if met, err := e.holds(in); err != nil || !met {
			missing = append(missing, strings.Join(strings.Fields(e.source), " "))
		}
	}
	return missing
}

// Typed makes an invocation of a line that the learner typed. The lesson's
// files can be named in it.
func (p *Play) Typed(line string) (Invocation, error) {
	c, err := parseCommand(line, false)
	if err != nil {
		return Invocation{}, err
	}
	return c.invoke(nil, p.Step().files)
}

// Typed makes an invocation of a line that was typed outside of any lesson.
func Typed(line string) (Invocation, error) {
	c, err := parseCommand(line, false)
	if err != nil {
		return Invocation{}, err
	}
	return c.invoke(nil, nil)
}

// Show fills in what the panes are about. A field that cannot be filled in
// yet, for want of an object, is "".
func (p *Play) Show(s *model.Snapshot) Show {
	in := p.input(s)
	var fields [4]string
	for i, t := range p.Step().show {
		if value, _, err := t.expand(in); err == nil {
			fields[i] = value
		}
	}
	return Show{Service: fields[0], From: fields[1], Name: fields[2], Target: fields[3]}
}
