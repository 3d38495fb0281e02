package lessons

import (
	"fmt"
	"slices"

	"svctour/model"
)

// Position is where a play stands, as a value: all that is needed to judge a
// snapshot by it. The play goes on without changing it, so that expressions,
// which take their time, can be evaluated on another goroutine.
type Position struct {
	lesson    *Lesson
	namespace string
	uid       string // of the namespace; "" until it was seen
	index     int
	state     stepState // of the step at index
	underway  bool      // see Play.Underway
	looked    bool      // a snapshot was judged since the play came to this step
	replies   []reply   // heard since the step began
	revision  uint64    // of the play
}

// Position gives where the play stands now.
func (p *Play) Position() Position {
	return Position{
		lesson: p.lesson, namespace: p.namespace, uid: p.uid, index: p.index,
		state: p.steps[p.index], underway: p.underway, looked: p.looked, replies: slices.Clip(p.replies), revision: p.revision,
	}
}

// Judgement is what a snapshot means for a play that stood at a position.
type Judgement struct {
	// Position is where the play stands with it.
	Position Position
	// Err tells why an expression could not be evaluated.
	Err error

	snapshot *model.Snapshot // nil when it says nothing: it is not synced
	forget   bool            // the namespace is another one than before
}

// Judge evaluates the step's start state and check. It changes nothing:
// Play.Apply takes the judgement in.
func (at Position) Judge(s *model.Snapshot) Judgement {
	j := Judgement{Position: at}
	if s == nil || !s.Sync.Synced {
		return j // what was not listed yet would look deleted
	}
	j.snapshot, j.Position.looked = s, true
	next := &j.Position
	if ns := s.Namespace(at.namespace); ns != nil && ns.UID != at.uid {
		if at.uid != "" { // another cluster, or the namespace was made again: nothing of ours is in it
			next.state.forget()
			j.forget = true
		}
		next.uid = ns.UID
	}
	if next.state.done {
		j.Err = next.see(s)
		return j
	}
	step := at.Step()
	if !next.state.begun {
		if next.state.prepare && step.Given != nil {
			ready, err := step.Given.until.holds(next.input(s))
			if err != nil {
				j.Err = fmt.Errorf("step %q: start state: %w", step.Title, err)
			}
			if !ready || at.underway {
				return j
			}
		}
		next.state.begun, next.state.before = true, pictureOf(s, at.namespace)
		next.replies = nil
	}
	if step.check == nil {
		return j
	}
	done, err := step.solved(next.input(s))
	if err != nil {
		j.Err = fmt.Errorf("step %q: check: %w", step.Title, err)
	}
	if done {
		next.state.finish()
		j.Err = next.see(s)
	}
	return j
}

// solved says whether the check holds, and every guard with it.
func (s *Step) solved(in *input) (bool, error) {
	done, err := s.check.holds(in)
	for i := 0; i < len(s.Guards) && done && err == nil; i++ {
		done, err = s.Guards[i].holds.holds(in)
	}
	return done && err == nil, err
}

// see evaluates what was predicted, once the step is done.
func (at *Position) see(s *model.Snapshot) error {
	q := at.Step().Predict
	if !at.state.look || q == nil {
		at.state.look = false
		return nil
	}
	seen := q.seen
	if seen == nil {
		seen = q.truth
	}
	value, err := seen.value(at.input(s))
	if err != nil {
		return fmt.Errorf("step %q: what was seen: %w", at.Step().Title, err)
	}
	at.state.look, at.state.seen = false, &value
	return nil
}

// Apply takes a judgement in and says whether anything about the play changed.
// ok is false for one of an earlier position: then it is dropped, and the
// present position has to be judged.
func (p *Play) Apply(j Judgement) (changed, ok bool) {
	if j.Position.revision != p.revision {
		return false, false
	}
	if j.snapshot == nil {
		return false, true
	}
	state, next := &p.steps[p.index], &j.Position
	changed = j.forget || state.begun != next.state.begun || state.done != next.state.done
	next.state.answersOf(state)
	*state, p.uid, p.replies = next.state, next.uid, next.replies
	p.last, p.looked = j.snapshot, true
	if changed {
		p.revision++
	}
	return changed, true
}

// Step is the step that the play stands at.
func (at Position) Step() *Step { return at.lesson.Steps[at.index] }

// Namespace is where the lesson is played.
func (at Position) Namespace() string { return at.namespace }

// Looked says whether a snapshot was judged since the play came to the step.
func (at Position) Looked() bool { return at.looked }

// Done says whether the step is done.
func (at Position) Done() bool { return at.state.done }

// Preparing says whether the step waits for its start state: run the commands
// of Given. It is false before a first snapshot was judged.
func (at Position) Preparing() bool { return at.looked && !at.state.done && !at.state.begun }

// input is what the step's expressions are evaluated over.
func (at Position) input(s *model.Snapshot) *input {
	in := &input{namespace: at.namespace, snapshot: s, now: pictureOf(s, at.namespace), before: at.state.before, replies: at.replies}
	in.answered = func() bool { return at.answered(in) }
	if in.before == nil {
		in.before = in.now
	}
	return in
}

// Command gives the step's command, filled in from the snapshot. It is zero,
// without an error, for a step that is only read. While Preparing it is an
// error: run too early, the command would spoil the start state for good.
func (at Position) Command(s *model.Snapshot) (Invocation, error) {
	step := at.Step()
	if step.Command == "" {
		return Invocation{}, nil
	}
	if at.Preparing() {
		return Invocation{}, fmt.Errorf("step %q: the cluster is not yet in the step's start state", step.Title)
	}
	inv, err := step.command.invoke(at.input(s), step.files)
	if err != nil {
		return Invocation{}, fmt.Errorf("step %q: %w", step.Title, err)
	}
	return inv, nil
}

// Given gives the commands that bring the cluster into the step's start state.
// They are run in order and every one may find its work done.
func (at Position) Given(s *model.Snapshot) ([]Invocation, error) {
	step := at.Step()
	if step.Given == nil {
		return nil, nil
	}
	list := make([]Invocation, 0, len(step.Given.commands))
	for _, c := range step.Given.commands {
		inv, err := c.invoke(at.input(s), step.Given.files)
		if err != nil {
			return nil, fmt.Errorf("step %q: start state: %w", step.Title, err)
		}
		list = append(list, inv)
	}
	return list, nil
}

// Missing gives the conditions of the step's start state that the snapshot does
// not meet, as the lesson writes them; none unless Preparing. The parts of an
// expression between "&&" are conditions of their own.
func (at Position) Missing(s *model.Snapshot) []string {
	step := at.Step()
	if !at.Preparing() || step.Given == nil {
		return nil
	}
	return unmet(step.Given.conditions(), at.input(s))
}

// Show fills in what the panes are about. A field whose object does not exist
// yet is "".
func (at Position) Show(s *model.Snapshot) Show {
	in := at.input(s)
	var fields [4]string
	for i, t := range at.Step().show {
		if value, _, err := t.expand(in); err == nil {
			fields[i] = value
		}
	}
	return Show{Service: fields[0], From: fields[1], Name: fields[2], Target: fields[3], Open: at.Step().Show.Open}
}

// Texts are the step's texts, filled in: Markdown.
type Texts struct {
	Story, After, Debrief string
	Hints                 []string
}

// stepTexts are the templates of Texts.
type stepTexts struct {
	story, after, debrief template
	hints                 []template
}

// Texts fills the step's texts in. A value that the cluster does not have yet is
// told as "…".
func (at Position) Texts(s *model.Snapshot) Texts {
	in, t := at.input(s), &at.Step().texts
	texts := Texts{Story: t.story.prose(in), After: t.after.prose(in), Debrief: t.debrief.prose(in)}
	for _, hint := range t.hints {
		texts.Hints = append(texts.Hints, hint.prose(in))
	}
	return texts
}
