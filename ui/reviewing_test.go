package ui_test

import (
	"context"
	"testing"
	"time"

	"svctour/lessons/review"
	"svctour/test/uitest"
	"svctour/ui"
	"svctour/ui/shell"
)

// twoDue is a review in which one question is due twice.
type twoDue struct {
	left    int
	answers []shell.AnswerReview
	err     string // of keeping an answer
	judged  []shell.AnswerPlacement
}

func (r *twoDue) Place(_ context.Context, lesson string) shell.PlacementNews {
	one := r.Ask(context.Background()).Asked
	one.Lesson = lesson
	return shell.PlacementNews{Asked: []*review.Asked{one, one}}
}

func (r *twoDue) Judge(_ context.Context, in shell.AnswerPlacement) shell.PlacementNews {
	r.judged = append(r.judged, in)
	return shell.PlacementNews{Result: &review.Placement{Asked: 2, Right: 2, Skip: true}}
}

func (r *twoDue) Ask(context.Context) shell.ReviewNews {
	if r.left == 0 {
		return shell.ReviewNews{Next: 14 * time.Hour}
	}
	return shell.ReviewNews{Due: r.left, Asked: &review.Asked{
		ID: "one-record", Lesson: "calling", Question: "How many A records has `web`?", Why: "The name leads to the ClusterIP.",
		Choices: []review.Choice{{Say: "Three, the Pods.", Help: "Only a headless Service has those.", Belief: "M46"}, {Say: "One."}}, Right: 1,
	}}
}

func (r *twoDue) Answer(_ context.Context, a shell.AnswerReview) shell.ReviewNews {
	r.answers, r.left = append(r.answers, a), r.left-1
	return shell.ReviewNews{Kept: true, Err: r.err}
}

// TestTheReviewFromHome: the home screen says how much is due, and leads there.
func TestTheReviewFromHome(t *testing.T) {
	due := &twoDue{left: 2}
	d := uitest.Drive(t, 80, 24, ui.Options{Choice: &prod, Reviews: due})
	d.Backend.SetContexts(prod)
	d.Show(uitest.World())
	d.Sees("review: 2 due")
	d.Press("r")
	d.Sees("2 due", "How many A records has web?", "Three, the Pods.")
	d.Lacks("The name leads to the ClusterIP.")
	d.Press("1", "s")
	d.Sees("Only a headless Service has those.", "The name leads to the ClusterIP.", "next")
	due.err = "The answer was not kept: no space left."
	d.Press("enter", "2", "g")
	d.Sees("no space left", "The name leads to the ClusterIP.")
	d.Press("enter")
	d.Sees("That was all: 1 of 2 right. The next question comes in 14 hours.")
	if len(due.answers) != 2 || due.answers[0].Choice != 0 || !due.answers[0].Sure || due.answers[1].Choice != 1 || due.answers[1].Sure {
		t.Errorf("%+v", due.answers)
	}
	d.Press("esc")
	d.Lacks("due")
	d.Press("r")
	d.Sees("Nothing is due. The next question comes in 14 hours.")
}

// TestSkippingALesson: whoever answers the questions before a lesson may skip it.
func TestSkippingALesson(t *testing.T) {
	due := &twoDue{left: 1}
	d := uitest.Drive(t, 80, 24, ui.Options{Choice: &prod, Reviews: due})
	d.Backend.SetContexts(prod)
	d.Show(uitest.World())
	d.Sees("know it?")
	d.Press("t")
	d.Sees("Do you know lesson 1", "1 of 2", "How many A records has web?")
	d.Press("enter")
	d.Sees("First pick an answer, by its number.")
	d.Press("7")
	d.Sees("There is no answer 7: pick one from 1 to 2.")
	d.Press("2", "enter")
	d.Sees("First say how sure you are: s or g.")
	d.Press("s")
	d.Sees("How many A records has web?", "The name leads to the ClusterIP.") // what was asked stays in sight
	d.Press("enter")
	d.Sees("2 of 2")
	d.Press("1", "g")
	d.Sees("result")
	d.Press("enter")
	d.Sees("2 of 2 right.", "may skip it")
	if len(due.judged) != 1 || len(due.judged[0].Answers) != 2 || !due.judged[0].Answers[0].Sure || due.judged[0].Answers[1].Choice != 0 {
		t.Errorf("%+v", due.judged)
	}
	d.Press("enter")
	d.Sees("Lessons")
}
