package lessons

import "fmt"

// Progress is what must be kept of a play to resume it. It is plain JSON.
type Progress struct {
	Lesson  string         `json:"lesson"`            // ID
	Step    string         `json:"step"`              // ID of the current step
	Done    []string       `json:"done,omitempty"`    // IDs of the steps that are done
	Answers map[string]int `json:"answers,omitempty"` // choices, by step ID
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
		Namespace: p.namespace,
		UID:       p.uid,
		Before:    p.steps[p.index].before,
	}
	for i, s := range p.steps {
		id := p.lesson.Steps[i].ID
		if s.done {
			progress.Done = append(progress.Done, id)
		}
		if s.answer >= 0 {
			if progress.Answers == nil {
				progress.Answers = map[string]int{}
			}
			progress.Answers[id] = s.answer
		}
	}
	return progress
}

// resume takes over progress. Steps that the lesson does not have any more are
// passed over: a lesson may have been edited since.
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
		p.steps[i].done = done[step.ID]
		if choice, ok := progress.Answers[step.ID]; ok && step.Predict != nil && choice >= 0 && choice < len(step.Predict.Choices) {
			p.steps[i].answer = choice
		}
		if step.ID == progress.Step {
			current = i
		}
	}
	if current < 0 {
		for current = 0; current+1 < len(p.steps) && p.steps[current].done; {
			current++
		}
	}
	p.index = current
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
