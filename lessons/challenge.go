package lessons

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"svctour/model"
)

// reply is what a command printed, and the world in which it was run.
type reply struct {
	model.Reply
	world uint64 // worldOf; 0 when the step does not ask for it
}

// worldOf tells states of a namespace apart by what decides where a request
// goes: Services, EndpointSlices, NetworkPolicies, and which Pods are ready.
func worldOf(p *Picture) uint64 {
	h := fnv.New64a()
	put := func(m *model.Meta) { fmt.Fprintf(h, "%s %s\n", m.UID, m.ResourceVersion) }
	for _, s := range p.Services {
		put(&s.Meta)
	}
	for _, s := range p.Slices {
		put(&s.Meta)
	}
	for _, s := range p.Policies {
		put(&s.Meta)
	}
	for _, pod := range p.Pods {
		fmt.Fprintf(h, "%s %t %t %v %v\n", pod.UID, pod.Ready(), pod.Terminating(), pod.IPs, pod.Labels)
	}
	return h.Sum64()
}

// answered says whether the last run of the step's command ended well, and
// nothing that matters changed since.
func (at Position) answered(in *input) bool {
	want, err := at.Step().command.invoke(in, at.Step().files)
	if err != nil {
		return false
	}
	for _, r := range slices.Backward(at.replies) {
		if strings.Join(strings.Fields(r.Command), " ") == strings.Join(strings.Fields(want.Display), " ") {
			return r.Exit == 0 && r.world == worldOf(in.now)
		}
	}
	return false
}

// Answered says whether the last run of the step's command, the request of a
// challenge, ended well, and nothing that matters changed since.
func (at Position) Answered(s *model.Snapshot) bool { return at.answered(at.input(s)) }

// GuardState is a guard of a challenge, over a snapshot.
type GuardState struct {
	Holds bool
	Say   string // Markdown, for when it does not hold
	Err   error  // why that cannot be told
}

// Guards gives the conditions that a fix must keep; none while Preparing.
func (at Position) Guards(s *model.Snapshot) []GuardState {
	if !at.state.begun && !at.state.done {
		return nil
	}
	in := at.input(s)
	var list []GuardState
	for i := range at.Step().Guards {
		g := &at.Step().Guards[i]
		state := GuardState{}
		state.Holds, state.Err = g.holds.holds(in)
		if say, err := g.say.told(in); err == nil {
			state.Say = say
		} else if state.Err == nil {
			state.Err = err
		}
		list = append(list, state)
	}
	return list
}

// Lacking says what the step's check still waits for: the sentences of its
// "Still wrong" that apply, up to the first one about something that is not there,
// or else its conditions as the lesson writes them.
// None unless the step has begun and is not done.
func (at Position) Lacking(s *model.Snapshot) []string {
	step := at.Step()
	if step.check == nil || !at.state.begun || at.state.done {
		return nil
	}
	in := at.input(s)
	var list []string
	for i := range step.Lacks {
		l := &step.Lacks[i]
		there, err := l.unless.holds(in)
		if err == nil && there {
			continue
		}
		if say, err := l.say.told(in); err == nil {
			list = append(list, say)
		}
		if err != nil { // what it is about is not there: nor is what the others ask of it
			break
		}
	}
	if len(list) > 0 {
		return list
	}
	list = unmet(step.check.conditions(), in)
	for i, text := range list {
		if text == varAnswered {
			list[i] = "the request was not answered since the cluster last changed"
		}
	}
	return list
}

// Effort is what a learner does in a challenge.
type Effort int

// What is counted.
const (
	EffortLook   Effort = iota // a command or a pane that only shows something
	EffortChange               // a command that changes something
)

// looking are the commands of kubectl that change nothing.
var looking = []string{"get", "describe", "logs", "explain", "top", "events", "diff", "api-resources", "api-versions",
	"cluster-info", "version", "options", "exec", "wait", "auth", "config", "port-forward", "proxy"}

// Effort says what a command counts as: one that runs a program in a Pod is a look.
func (in Invocation) Effort() Effort {
	if len(in.Args) == 0 || slices.Contains(looking, in.Args[0]) {
		return EffortLook
	}
	if len(in.Args) > 1 && in.Args[0] == "rollout" && (in.Args[1] == "status" || in.Args[1] == "history") {
		return EffortLook
	}
	return EffortChange
}

// Score is what a challenge took a learner.
type Score struct {
	Changes int `json:"changes,omitempty"`
	Looks   int `json:"looks,omitempty"`
	Tries   int `json:"tries,omitempty"` // answers, of a challenge that is solved by one
}

// Within says whether it took no more changes and no more looks than par.
func (s Score) Within(par Par) bool { return s.Changes <= par.Changes && s.Looks <= par.Looks }

// Count adds to the score of a challenge that has begun and is not solved. The
// step's own command, the request, is not counted: it may be sent at will.
func (p *Play) Count(e Effort) {
	state := p.steps[p.index]
	if p.lesson.Kind != KindChallenge || state.done || !state.begun {
		return
	}
	if e == EffortChange {
		p.score.Changes++
	} else {
		p.score.Looks++
	}
}

// Score gives what was counted.
func (p *Play) Score() Score { return p.score }

// Walked is how a learner walked a route.
type Walked struct {
	Right int `json:"right"` // picks
	Wrong int `json:"wrong"`
}

// Routed says that the route of a Router step was walked to its end, with so
// many right and wrong picks: the step is done.
func (p *Play) Routed(right, wrong int) {
	state := &p.steps[p.index]
	if p.Step().Router == nil || state.done {
		return
	}
	state.walked = &Walked{Right: right, Wrong: wrong}
	state.finish()
	p.revision++
}

// WalkedAt gives how the route of step i was walked; ok is false when it was not.
func (p *Play) WalkedAt(i int) (w Walked, ok bool) {
	if i < 0 || i >= len(p.steps) || p.steps[i].walked == nil {
		return Walked{}, false
	}
	return *p.steps[i].walked, true
}

// Route gives the client and the target of a Router step, filled in from the
// snapshot; "" for what is not there yet.
func (at Position) Route(s *model.Snapshot) (from, target string) {
	router := at.Step().Router
	if router == nil {
		return "", ""
	}
	show := at.Show(s)
	from, target = show.From, show.Target
	in := at.input(s)
	if router.From != "" {
		from, _, _ = router.from.expand(in)
	}
	if router.Target != "" {
		target, _, _ = router.target.expand(in)
	}
	return from, target
}

// Undo gives the commands that undo what steps changed outside of the
// namespace, the last step's first: for the end of a lesson. Those of steps that
// the play never came to are not among them.
func (p *Play) Undo(s *model.Snapshot) ([]Invocation, error) {
	var list []Invocation
	for i, step := range slices.Backward(p.lesson.Steps) {
		if state := p.steps[i]; step.Scope == nil || !state.visited && !state.done {
			continue
		}
		for _, c := range step.Scope.undo {
			inv, err := c.invoke(p.Position().input(s), step.Scope.files)
			if err != nil {
				return list, fmt.Errorf("step %q: scope: %w", step.Title, err)
			}
			list = append(list, inv)
		}
	}
	return list, nil
}
