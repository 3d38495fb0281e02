package lessons

import (
	"fmt"
	"slices"
)

// Progress is what must be kept of a play to resume it. It is plain JSON.
type Progress struct {
	Lesson string   `json:"lesson"`         // ID
	Step   string   `json:"step"`           // ID of the current step
	Done   []string `json:"done,omitempty"` // IDs of the steps that are done
	// LeftOut are the IDs of the steps that were passed over because the cluster did
	// not have what they need.
	LeftOut []string `json:"leftOut,omitempty"`
	// Predictions and ReadBacks are the answers to questions, and Walks how routes
	// were walked, by step ID.
	Predictions map[string]Answered `json:"predictions,omitempty"`
	ReadBacks   map[string]Answered `json:"readBacks,omitempty"`
	Walks       map[string]Walked   `json:"walks,omitempty"`
	// Score is what a challenge took.
	Score Score `json:"score,omitzero"`
	// Namespace and UID say where it was played: under another UID it is
	// another cluster, or the namespace was created again.
	Namespace string `json:"namespace,omitempty"`
	UID       string `json:"uid,omitempty"`
	// Before is what the namespace held when the current step began; nil when
	// it has not begun or is done.
	Before *Picture `json:"before,omitempty"`
}

// Progress gives the play's present state. It shares Before with the play;
// neither changes it.
func (p *Play) Progress() Progress {
	progress := Progress{
		Lesson:    p.lesson.ID,
		Step:      p.Step().ID,
		Score:     p.score,
		Namespace: p.namespace,
		UID:       p.uid,
	}
	if s := p.steps[p.index]; !s.done {
		progress.Before = s.before
	}
	for i, s := range p.steps {
		id := p.lesson.Steps[i].ID
		if s.done {
			progress.Done = append(progress.Done, id)
		} else if s.leftOut {
			progress.LeftOut = append(progress.LeftOut, id)
		}
		if answer, ok := p.Predicted(i); ok {
			keep(&progress.Predictions, id, answer)
		}
		if answer, ok := p.ReadBackOf(i); ok {
			keep(&progress.ReadBacks, id, answer)
		}
		if s.walked != nil {
			keep(&progress.Walks, id, *s.walked)
		}
	}
	return progress
}

func keep[T any](in *map[string]T, id string, value T) {
	if *in == nil {
		*in = map[string]T{}
	}
	(*in)[id] = value
}

// resume takes over progress. Steps that the lesson does not have any more are
// passed over, as are answers to questions that it does not ask any more: a
// lesson may have been edited since.
func (p *Play) resume(progress Progress) error {
	if progress.Lesson == "" {
		return nil
	}
	if progress.Lesson != p.lesson.ID {
		return fmt.Errorf("resume lesson %q: the progress is of lesson %q", p.lesson.ID, progress.Lesson)
	}
	done := map[string]bool{}
	for _, id := range progress.Done {
		done[id] = true
	}
	current := -1
	for i, step := range p.lesson.Steps {
		p.steps[i].done, p.steps[i].leftOut = done[step.ID], slices.Contains(progress.LeftOut, step.ID)
		p.steps[i].recall(step, progress)
		if step.ID == progress.Step {
			current = i
		}
	}
	if current < 0 {
		for current = 0; current+1 < len(p.steps) && p.steps[current].done; {
			current++
		}
	}
	p.index, p.score = current, progress.Score
	if progress.Namespace != p.namespace {
		return nil // played elsewhere: what is done was learned, the cluster must be brought there
	}
	p.uid = progress.UID
	switch state := &p.steps[current]; {
	case state.done:
		state.begun = true
	case progress.Before != nil && p.lesson.Steps[current].ID == progress.Step:
		state.begun, state.before = true, progress.Before
	}
	return nil
}

// recall takes over what the learner said at a step.
func (s *stepState) recall(step *Step, progress Progress) {
	if answer, ok := progress.Predictions[step.ID]; ok && step.Predict != nil && answer.valid() {
		s.predicted = &answer
		if answer.Seen != "" {
			s.seen = &answer.Seen
		}
	}
	if answer, ok := progress.ReadBacks[step.ID]; ok && step.ReadBack != nil && answer.valid() {
		s.readBack = &answer
	}
	if walked, ok := progress.Walks[step.ID]; ok && step.Router != nil {
		s.walked = &walked
	}
}
