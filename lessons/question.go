package lessons

import (
	"fmt"

	"svctour/model"
)

// Question is asked of a learner. What is right is computed from the live
// cluster, so that the same question is right in every mode and with any number
// of Pods. All texts are Markdown and may hold ${…}.
type Question struct {
	Text    string   `json:"question"`
	Choices []Choice `json:"choices"`
	Truth   string   `json:"truth"`          // CEL: what is right, when it is asked
	Seen    string   `json:"seen,omitempty"` // CEL: what the cluster then did, once the step is done; "" when that is Truth
	Why     string   `json:"why"`

	text, why   template
	truth, seen *expression
}

// Choice is one answer to a Question. The right one is that whose Is equals the
// question's Truth.
type Choice struct {
	Say    string `json:"say"`
	Is     string `json:"is"`               // CEL
	Belief string `json:"belief,omitempty"` // the ID of the misconception that a learner who chooses it has
	Help   string `json:"help,omitempty"`   // for who chose it and is wrong
	Slip   bool   `json:"slip,omitempty"`   // it is chosen by oversight, and by no misconception

	say, help template
	is        *expression
}

// Asked is a question as it was put to a learner: filled in for a snapshot, with
// what is right then. It is plain JSON.
type Asked struct {
	Question string   `json:"question"`          // Markdown, as all of its texts
	Choices  []string `json:"choices"`           // what each choice says
	Is       []string `json:"is"`                // the value that each choice stands for
	Help     []string `json:"help"`              // of each choice; "" for one that needs none
	Beliefs  []string `json:"beliefs,omitempty"` // the misconception's ID of each choice; "" for none
	Right    int      `json:"right"`             // index into Choices
	Why      string   `json:"why"`
	Truth    string   `json:"truth"` // the value that is right
}

// Confidence is how sure a learner is of an answer.
type Confidence string

// How sure a learner is; "" when they did not say.
const (
	Sure  Confidence = "sure"
	Guess Confidence = "guess"
)

// Answered is a learner's answer. It is plain JSON.
type Answered struct {
	Choice int        `json:"choice"`
	Right  bool       `json:"right"`
	Sure   Confidence `json:"sure,omitempty"`
	Belief string     `json:"belief,omitempty"` // the misconception that the choice shows
	Asked  *Asked     `json:"asked"`
	// Seen is the value that the cluster then showed, "" until the step is done.
	// SeenAs is the choice that stands for it, -1 when none does. Where it is not
	// Asked.Right the cluster did something else than was right when asked.
	Seen   string `json:"seen,omitempty"`
	SeenAs int    `json:"seenAs"`
}

// answer makes the answer of a choice.
func (a *Asked) answer(choice int) *Answered {
	answered := &Answered{Choice: choice, Right: choice == a.Right, Asked: a, SeenAs: -1}
	if choice < len(a.Beliefs) && !answered.Right {
		answered.Belief = a.Beliefs[choice]
	}
	return answered
}

// valid says whether what was read from a file can be shown.
func (a *Answered) valid() bool {
	return a != nil && a.Asked != nil && a.Choice >= 0 && a.Choice < len(a.Asked.Choices) &&
		a.Asked.Right >= 0 && a.Asked.Right < len(a.Asked.Choices) &&
		len(a.Asked.Help) == len(a.Asked.Choices) && len(a.Asked.Is) == len(a.Asked.Choices)
}

// see adds what the cluster showed.
func (a *Answered) see(value string) {
	a.Seen, a.SeenAs = value, -1
	for i, is := range a.Asked.Is {
		if is == value {
			a.SeenAs = i
		}
	}
}

// Unasked is why a question cannot be asked: the cluster does not hold what it is
// about, so that no answer, or more than one, would be right.
type Unasked struct {
	Step string // its title
	Part string // "question" or "read back"
	Err  error
}

func (u *Unasked) Error() string { return fmt.Sprintf("step %q: %s: %v", u.Step, u.Part, u.Err) }

// Unwrap gives the expression's own error.
func (u *Unasked) Unwrap() error { return u.Err }

// ask fills a question in. It is an error when not exactly one choice is right.
func (q *Question) ask(in *input) (*Asked, error) {
	truth, err := q.truth.value(in)
	if err != nil {
		return nil, fmt.Errorf("truth: %w", err)
	}
	a := &Asked{Right: -1, Truth: truth}
	if a.Question, err = q.text.told(in); err != nil {
		return nil, err
	}
	if a.Why, err = q.why.told(in); err != nil {
		return nil, err
	}
	values := map[string]int{}
	for i := range q.Choices {
		c := &q.Choices[i]
		say, err := c.say.told(in)
		if err != nil {
			return nil, err
		}
		help, err := c.help.told(in)
		if err != nil {
			return nil, err
		}
		is, err := c.is.value(in)
		if err != nil {
			return nil, fmt.Errorf("choice %d: %w", i+1, err)
		}
		if other, twice := values[is]; twice {
			return nil, fmt.Errorf("the choices %d and %d are both %q", other+1, i+1, is)
		}
		values[is] = i
		if is == truth {
			a.Right = i
		}
		a.Choices, a.Is, a.Help, a.Beliefs = append(a.Choices, say), append(a.Is, is), append(a.Help, help), append(a.Beliefs, c.Belief)
	}
	if a.Right < 0 {
		return nil, fmt.Errorf("%q is right, and no choice says so", truth)
	}
	return a, nil
}

// Ask fills in the step's question for a snapshot. It is nil when the step asks
// none, has not begun, or is done. An error says what is wrong with the
// question, or what it looks at and cannot be read.
func (at Position) Ask(s *model.Snapshot) (*Asked, error) {
	step := at.Step()
	if step.Predict == nil || !at.state.begun || at.state.done {
		return nil, nil
	}
	a, err := step.Predict.ask(at.input(s))
	if err != nil {
		return nil, &Unasked{Step: step.Title, Part: "question", Err: err}
	}
	return a, nil
}

// AskBack fills in what is asked about what was just seen. It is nil when the
// step asks nothing then, or is not done, or asks about what a command printed in
// another place.
func (at Position) AskBack(s *model.Snapshot) (*Asked, error) {
	step := at.Step()
	if step.ReadBack == nil || !at.state.done {
		return nil, nil
	}
	a, err := step.ReadBack.ask(at.input(s))
	if err != nil && at.state.elsewhere {
		return nil, nil
	}
	if err != nil {
		return nil, &Unasked{Step: step.Title, Part: "read back", Err: err}
	}
	return a, nil
}

// Answer keeps the choice for a question of the current step, as Ask gave it,
// and says whether it did: a prediction is made once, and not when the step is
// done already. In a challenge that is solved by its answer a wrong one may be
// followed by another, and the right one makes the step done.
func (p *Play) Answer(a *Asked, choice int) bool {
	state, step := &p.steps[p.index], p.Step()
	if a == nil || step.Predict == nil || state.done || choice < 0 || choice >= len(a.Choices) {
		return false
	}
	if state.predicted != nil && !step.byAnswer {
		return false
	}
	state.predicted = a.answer(choice)
	if step.byAnswer {
		p.score.Tries++
		if state.predicted.Right {
			state.finish()
			p.revision++
		}
	}
	return true
}

// Sure says how sure the learner is of the answer to the current step's question.
func (p *Play) Sure(sure bool) {
	answered := p.steps[p.index].predicted
	if answered == nil {
		return
	}
	copied := *answered // a Position may hold the answer
	copied.Sure = Guess
	if sure {
		copied.Sure = Sure
	}
	p.steps[p.index].predicted = &copied
}

// AnswerBack keeps the choice for what AskBack gave, and says whether it did.
func (p *Play) AnswerBack(a *Asked, choice int) bool {
	state := &p.steps[p.index]
	if a == nil || p.Step().ReadBack == nil || !state.done || state.readBack != nil || choice < 0 || choice >= len(a.Choices) {
		return false
	}
	state.readBack = a.answer(choice)
	return true
}

// Predicted gives the answer to step i's question; ok is false when there is none.
func (p *Play) Predicted(i int) (answer Answered, ok bool) {
	if i < 0 || i >= len(p.steps) || p.steps[i].predicted == nil {
		return Answered{}, false
	}
	answer = *p.steps[i].predicted
	if seen := p.steps[i].seen; seen != nil {
		answer.see(*seen)
	}
	return answer, true
}

// ReadBackOf gives the answer to what step i asked once it was done; ok is false
// when there is none.
func (p *Play) ReadBackOf(i int) (answer Answered, ok bool) {
	if i < 0 || i >= len(p.steps) || p.steps[i].readBack == nil {
		return Answered{}, false
	}
	return *p.steps[i].readBack, true
}

// Revealed says whether the learner may see which answer to step i's question is
// right: once the step is done, or at once where there is nothing to do. It is
// false while the question is not answered.
func (p *Play) Revealed(i int) bool {
	if _, ok := p.Predicted(i); !ok {
		return false
	}
	step := p.lesson.Steps[i]
	return p.steps[i].done || step.Command == "" && !step.byAnswer
}
