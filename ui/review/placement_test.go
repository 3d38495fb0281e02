package review

import (
	"testing"

	"svctour/lessons"
	"svctour/lessons/review"
	"svctour/ui/frame"
	"svctour/ui/question"
	"svctour/ui/shell"
	"svctour/ui/theme"
)

// placing is the screen with its five questions.
func placing(t *testing.T) *Placement {
	t.Helper()
	p := NewPlacement(&lessons.Lesson{ID: "endpoints", Number: 2, Title: "Endpoints"})
	if got := p.Handle(shell.Size{W: 80, H: 24}); got != (shell.AskPlacement{Lesson: "endpoints"}) {
		t.Fatalf("it asks for %#v", got)
	}
	p.Handle(shell.PlacementNews{Asked: []*review.Asked{asked(), asked(), asked(), asked(), asked()}})
	return p
}

func picture(p *Placement) string {
	s := frame.New(80, 24)
	p.Draw(s, theme.New(theme.Options{}))
	return s.Plain()
}

func TestFiveQuestions(t *testing.T) {
	p := placing(t)
	for i := range 5 {
		if p.Do("next", 0) != nil {
			t.Fatal("a question is passed over")
		}
		p.Do(question.AnswerID, 1)
		if got := picture(p); has(got, "Only ready endpoints") {
			t.Errorf("told too early:\n%s", got)
		}
		p.Do(question.ConfidenceID, int(question.Sure))
		p.Do(question.ConfidenceID, int(question.Guess)) // said once
		if got := picture(p); !has(got, "Do you know lesson 2, Endpoints?") || !has(got, "Only ready endpoints") {
			t.Errorf("question %d:\n%s", i+1, got)
		}
		if i < 4 && p.Do("next", 0) != nil {
			t.Fatal("judged too early")
		}
	}
	sent, ok := p.Do("next", 0).(shell.AnswerPlacement)
	if !ok || sent.Lesson != "endpoints" || len(sent.Answers) != 5 || sent.Answers[4].Choice != 1 || !sent.Answers[4].Sure {
		t.Fatalf("%#v", sent)
	}
	if p.Do("next", 0) != nil {
		t.Error("judged twice")
	}
	p.Handle(shell.PlacementNews{Err: "The answers were not kept: no space left."})
	if got := picture(p); !has(got, "no space left") {
		t.Errorf("not kept:\n%s", got)
	}
	if _, again := p.Do("next", 0).(shell.AnswerPlacement); !again {
		t.Error("it cannot be tried again")
	}
	for skip, want := range map[bool]string{true: "You know this lesson and may skip it.", false: "This lesson has something for you."} {
		p.Handle(shell.PlacementNews{Result: &review.Placement{Asked: 5, Right: 4, Skip: skip}})
		if got := picture(p); !has(got, "4 of 5 right. "+want) {
			t.Errorf("skip %v:\n%s", skip, got)
		}
	}
	if p.Do("open", 0) != (shell.Open{Lesson: "endpoints"}) {
		t.Error("the lesson does not open")
	}
}

func TestQuestionsThatCannotBeRead(t *testing.T) {
	p := NewPlacement(&lessons.Lesson{ID: "endpoints", Number: 2, Title: "Endpoints"})
	p.Handle(shell.Size{W: 80, H: 24})
	p.Handle(shell.PlacementNews{Err: "Your answers cannot be read."})
	if got := picture(p); !has(got, "Your answers cannot be read.") {
		t.Errorf("%s", got)
	}
	if p.Do(question.AnswerID, 0) != nil || p.Do("next", 0) != nil || p.Do("contents", 0) != (shell.Contents{}) {
		t.Error("there is no way out, or something is answered")
	}
}
