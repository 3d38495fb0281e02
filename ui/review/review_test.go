package review

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"svctour/lessons/review"
	"svctour/ui/frame"
	"svctour/ui/question"
	"svctour/ui/shell"
	"svctour/ui/theme"
)

var update = flag.Bool("update", false, "rewrite the golden frames")

func asked() *review.Asked {
	return &review.Asked{
		ID: "running-is-not-ready", Lesson: "endpoints", Surface: "m=1 n=3 name=web", About: []string{"M48"}, Right: 1,
		Question: "Service `web` selects 4 Pods. All are Running, 1 of them not ready. How many get new connections?",
		Choices: []review.Choice{
			{Say: "4, all that run.", Help: "Running says that containers have started. 1 of the Pods is not ready.", Belief: "M48"},
			{Say: "3"},
			{Say: "None, until all are ready.", Help: "Each Pod is ready by itself. The others wait for none."},
		},
		Why: "Only ready endpoints get new connections, and that is a matter of each Pod.",
	}
}

func drawn(r *Screen, w, h int) string {
	s := frame.New(w, h)
	r.Draw(s, theme.New(theme.Options{}))
	return s.Plain()
}

// has says whether a text stands in a frame, wherever its lines break.
func has(screen, text string) bool {
	return strings.Contains(strings.Join(strings.Fields(screen), " "), text)
}

func begin(t *testing.T) *Screen {
	t.Helper()
	r := New()
	if _, ok := r.Handle(shell.Size{W: 80, H: 24}).(shell.AskReview); !ok {
		t.Fatal("it does not ask for a question")
	}
	if r.Handle(shell.Size{W: 120, H: 40}) != nil {
		t.Fatal("it asks again at another size")
	}
	return r
}

func TestOneQuestion(t *testing.T) {
	r := begin(t)
	if got := drawn(r, 80, 24); !has(got, "Looking up what is due") {
		t.Errorf("before any news:\n%s", got)
	}
	if r.Do(question.AnswerID, 0) != nil || r.Do(question.ConfidenceID, int(question.Sure)) != nil || r.Do("next", 0) != nil {
		t.Error("it answers what was not asked")
	}
	r.Handle(shell.ReviewNews{Asked: asked(), Due: 3})
	if got := drawn(r, 80, 24); !has(got, "How many get new connections?") || !has(got, "3 due") || has(got, "Only ready endpoints") {
		t.Errorf("asked:\n%s", got)
	}
	if r.Do(question.ConfidenceID, int(question.Sure)) != nil {
		t.Error("sure of nothing")
	}
	if r.Do(question.AnswerID, 3) != nil || r.Do(question.AnswerID, 0) != nil || r.Do(question.AnswerID, 2) != nil || r.Do(question.AnswerID, 0) != nil {
		t.Error("a choice alone is kept")
	}
	intent, ok := r.Do(question.ConfidenceID, int(question.Sure)).(shell.AnswerReview)
	if !ok || intent.Choice != 0 || !intent.Sure || intent.Asked.ID != "running-is-not-ready" {
		t.Errorf("%#v", intent)
	}
	if got := drawn(r, 80, 24); !has(got, "Running says that containers have started.") || !has(got, "Only ready endpoints get new connections") {
		t.Errorf("revealed:\n%s", got)
	}
	if r.Do(question.AnswerID, 1) != nil || r.Do(question.ConfidenceID, int(question.Guess)) != nil || r.card.Pick != 0 {
		t.Error("an answer is changed after what is right was told")
	}
	r.Handle(shell.ReviewNews{Kept: true, Err: "The answer was not kept: no space left."})
	if got := drawn(r, 80, 24); !has(got, "no space left") || !has(got, "Only ready endpoints") {
		t.Errorf("not kept:\n%s", got)
	}
	if _, ok := r.Do("next", 0).(shell.AskReview); !ok {
		t.Error("no next question is asked for")
	}
	r.Handle(shell.ReviewNews{Asked: asked(), Due: 1})
	r.Do(question.AnswerID, 1)
	if intent := r.Do(question.ConfidenceID, int(question.Guess)).(shell.AnswerReview); intent.Choice != 1 || intent.Sure {
		t.Errorf("%#v", intent)
	}
	r.Handle(shell.ReviewNews{Next: 50 * time.Minute})
	if got := drawn(r, 80, 24); !has(got, "That was all: 1 of 2 right. The next question comes in 50 minutes.") {
		t.Errorf("at the end:\n%s", got)
	}
}

func TestNothingDue(t *testing.T) {
	for _, test := range []struct {
		news shell.ReviewNews
		want string
	}{
		{shell.ReviewNews{}, "What you answer in a lesson comes back here"},
		{shell.ReviewNews{Next: 20 * time.Hour}, "The next question comes in 20 hours."},
		{shell.ReviewNews{Next: 6 * 24 * time.Hour}, "The next question comes in 6 days."},
		{shell.ReviewNews{Err: "The answers cannot be read."}, "The answers cannot be read."},
	} {
		r := begin(t)
		r.Handle(test.news)
		if got := drawn(r, 80, 24); !has(got, test.want) {
			t.Errorf("%+v: want %q in\n%s", test.news, test.want, got)
		}
	}
	r := begin(t)
	for id, want := range map[string]shell.Intent{"contents": shell.Contents{}, "quit": shell.Quit{}, "nonsense": nil} {
		if got := r.Do(id, 0); got != want {
			t.Errorf("%s asks for %#v, want %#v", id, got, want)
		}
	}
	if r.Handle(shell.Tick{}) != nil || r.Animating() {
		t.Error("it moves")
	}
}

// TestFrames compares whole frames; -update rewrites them.
func TestFrames(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {120, 40}, {200, 60}} {
		r := begin(t)
		r.Handle(shell.ReviewNews{Asked: asked(), Due: 3})
		for _, state := range []string{"asked", "unsure", "wrong"} {
			switch state {
			case "unsure":
				r.Do(question.AnswerID, 0)
			case "wrong":
				r.Do(question.ConfidenceID, int(question.Sure))
			}
			name := filepath.Join("testdata", fmt.Sprintf("%s-%dx%d.txt", state, size[0], size[1]))
			got := drawn(r, size[0], size[1])
			if *update {
				if err := os.MkdirAll("testdata", 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want, err := os.ReadFile(name); err != nil || string(want) != got {
				t.Errorf("%s, %v:\n%s", name, err, got)
			}
		}
	}
}
