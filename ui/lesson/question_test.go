package lesson

import (
	"testing"

	"svctour/lessons"
	"svctour/ui/live"
	"svctour/ui/question"
)

// TestEachQuestionFitsBesideItsStory: on 80×24 and on 120×40 cells nobody has to
// scroll to read what is asked, of the lessons that people see.
func TestEachQuestionFitsBesideItsStory(t *testing.T) {
	list, err := lessons.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	const (
		small = 24 - 2 - 1 - 3 - 2 // without header, footer, command, the live pane in one line, border
		large = 40 - 2 - 5 - 2     // without header, footer, command, border
		file  = 6                  // rows of a manifest, at least
		rule  = 1                  // between story and question
		wide  = 80 - 4             // columns
		left  = 120*36/100 - 4     // columns of the story beside the stage
	)
	asked := 0
	for _, l := range list {
		for i, step := range l.Steps {
			room := large
			if step.File != nil {
				room -= file
			}
			for _, q := range []*lessons.Question{step.Predict, step.ReadBack} {
				if q == nil {
					continue
				}
				asked++
				card := question.Card{Question: q.Text, Phase: question.Unsure}
				for _, choice := range q.Choices {
					card.Choices = append(card.Choices, question.Choice{Say: choice.Say})
				}
				texts := live.NewTexts()
				rows := func(w int) int {
					return len(texts.Story(step.Story, plainTheme, w)) + rule + len(card.Lay(texts, plainTheme, w).Lines)
				}
				if n := rows(wide); n > small {
					t.Errorf("%s, step %d %q: the story and its question take %d rows of %d at 80×24", l.ID, i+1, step.Title, n, small)
				}
				if n := rows(left); n > room {
					t.Errorf("%s, step %d %q: the story and its question take %d rows of %d at 120×40", l.ID, i+1, step.Title, n, room)
				}
			}
		}
	}
	if asked < 20 {
		t.Errorf("only %d questions were found", asked)
	}
}
