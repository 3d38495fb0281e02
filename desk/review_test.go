package desk

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"svctour/lessons"
	"svctour/lessons/review"
	"svctour/ui/shell"
)

// TestAnswersAreKept: what a lesson asks is kept for the review, once the person
// has said how sure they are.
func TestAnswersAreKept(t *testing.T) {
	dir := t.TempDir()
	for name, store := range map[string]Progress{"memory": &MemoryProgress{}, "file": NewFileProgress(dir)} {
		t.Run(name, func(t *testing.T) {
			asked := &lessons.Asked{Beliefs: []string{"", "M39", "M41"}}
			p := lessons.Progress{Lesson: "clusterip", Predictions: map[string]lessons.Answered{"three-pods": {Choice: 1, Belief: "M39", Asked: asked}}}
			save := func(want int) *review.Record {
				t.Helper()
				if err := store.Save(p); err != nil {
					t.Fatal(err)
				}
				got, err := store.Review()
				if err != nil || len(got.Answers) != want {
					t.Fatalf("%v: %+v, want %d answers", err, got, want)
				}
				return got
			}
			save(0)
			p.Predictions = map[string]lessons.Answered{"three-pods": {Choice: 1, Belief: "M39", Sure: lessons.Sure, Asked: asked}}
			a := save(1).Answers[0]
			if a.Question != "clusterip/three-pods" || a.Right || !a.Sure || a.Belief != "M39" || len(a.About) != 2 || a.From != review.FromLesson || time.Since(a.When) > time.Minute {
				t.Errorf("%+v", a)
			}
			save(1)
			p.ReadBacks = map[string]lessons.Answered{"three-pods": {Choice: 0, Right: true, Asked: asked}}
			if a := save(2).Answers; a[0].Question+a[1].Question != "clusterip/three-pods"+"clusterip/three-pods/read-back" {
				t.Errorf("%+v", a)
			}
			more := &review.Record{}
			more.Add(review.Answer{Question: "x", When: time.Now(), Right: true, From: review.FromReview})
			for range 2 {
				if err := store.KeepReview(more); err != nil {
					t.Fatal(err)
				}
			}
			save(3)
		})
	}
	if info, err := os.Stat(filepath.Join(dir, "review.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

// TestReviewThatCannotBeRead is left alone.
func TestReviewThatCannotBeRead(t *testing.T) {
	for _, content := range []string{`{"version": 2, "answers": []}`, `{"version": 1, "answers": [`} {
		dir := t.TempDir()
		path := filepath.Join(dir, "review.json")
		write(t, path, content)
		store := NewFileProgress(dir)
		if r, err := store.Review(); err == nil {
			t.Errorf("%s is read as %+v", content, r)
		}
		if err := store.KeepReview(&review.Record{}); err == nil {
			t.Errorf("%s is written over", content)
		}
		if data, err := os.ReadFile(path); err != nil || string(data) != content {
			t.Errorf("%s becomes %s, %v", content, data, err)
		}
	}
}

// TestReviews: what is due is asked of the app's person, and the answer kept.
func TestReviews(t *testing.T) {
	d := New(Options{})
	r := reviews{d}
	if news := r.Ask(t.Context()); news.Asked != nil || news.Due != 0 || news.Err != "" {
		t.Errorf("at first %+v", news)
	}
	record := &review.Record{}
	record.Add(review.Answer{Question: "x", About: []string{"M39"}, Belief: "M39", Sure: true, When: time.Now().Add(-2 * time.Hour), From: review.FromLesson})
	if err := d.options.Progress.KeepReview(record); err != nil {
		t.Fatal(err)
	}
	news := r.Ask(t.Context())
	if news.Asked == nil || news.Due != 1 || news.Err != "" {
		t.Fatalf("one is due: %+v", news)
	}
	if kept := r.Answer(t.Context(), shell.AnswerReview{Asked: news.Asked, Choice: news.Asked.Right, Sure: true}); !kept.Kept || kept.Err != "" {
		t.Errorf("%+v", kept)
	}
	if news := r.Ask(t.Context()); news.Asked != nil || news.Due != 0 || news.Next <= 0 || news.Next > 14*time.Hour {
		t.Errorf("after a right answer: %+v", news)
	}
	if kept := r.Answer(t.Context(), shell.AnswerReview{Asked: news.Asked, Choice: 9}); kept.Err == "" {
		t.Errorf("a tenth choice is kept: %+v", kept)
	}
}
