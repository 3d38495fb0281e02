// Package review_test proves the questions of the review over the worlds that
// they are asked in, and plays people who hold misconceptions.
package review_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"svctour/cluster/whatif"
	"svctour/lessons"
	"svctour/lessons/review"
	"svctour/model"
)

// world is what desk.World is, without the rest of a desk.
func world(manifests, mode string) (*model.Snapshot, error) {
	return whatif.Imagine(manifests, review.Namespace, mode)
}

// filled are the questions of the program's bank in every surface, by the id of
// the question and the surface's key, and what went wrong with the others.
var filled = sync.OnceValues(func() (map[string]*review.Asked, error) {
	b, err := review.Builtin()
	if err != nil {
		return nil, err
	}
	all := map[string]*review.Asked{}
	var problems []error
	for _, q := range b.Questions {
		for _, s := range q.Surfaces() {
			asked, err := q.Ask(s, world)
			if err != nil {
				problems = append(problems, err)
				continue
			}
			all[q.ID+"?"+s.Key] = asked
		}
	}
	return all, errors.Join(problems...)
})

// TestEverySurface: exactly one choice is right in every surface, every wrong one
// says why, and no two choices read the same.
func TestEverySurface(t *testing.T) {
	b, err := review.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	all, err := filled()
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range b.Questions {
		texts := map[string]bool{}
		for _, s := range q.Surfaces() {
			asked := all[q.ID+"?"+s.Key]
			texts[asked.Question] = true
			said := map[string]bool{}
			for i, c := range asked.Choices {
				if said[c.Say] {
					t.Errorf("%s, %s: two choices say %q", q.ID, s.Key, c.Say)
				}
				said[c.Say] = true
				if (c.Help == "") != (i == asked.Right) {
					t.Errorf("%s, %s: choice %q has help %q", q.ID, s.Key, c.Say, c.Help)
				}
				if model.Printable(c.Say+c.Help) != c.Say+c.Help {
					t.Errorf("%s, %s: %q is not printable", q.ID, s.Key, c.Say+c.Help)
				}
			}
		}
		if len(texts) < 2 {
			t.Errorf("%s reads the same in every surface", q.ID)
		}
	}
	t.Logf("%d questions in %d surfaces", len(b.Questions), len(all))
}

// TestBankCovers: five questions and more for each of the lessons 1 to 8, and one
// about each misconception that these name.
func TestBankCovers(t *testing.T) {
	b, err := review.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	list, err := lessons.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	known, err := lessons.Beliefs()
	if err != nil {
		t.Fatal(err)
	}
	perLesson := map[string]int{}
	for _, q := range b.Questions {
		perLesson[q.Lesson]++
		for _, id := range q.About {
			if _, ok := lessons.FindBelief(known, id); !ok {
				t.Errorf("question %q: there is no misconception %q", q.ID, id)
			}
		}
	}
	for _, l := range list {
		if l.Kind != lessons.KindLesson || l.Number > 8 {
			continue
		}
		if perLesson[l.ID] < review.PlacementSize {
			t.Errorf("lesson %q has %d questions", l.ID, perLesson[l.ID])
		}
		for _, step := range l.Steps {
			for _, q := range []*lessons.Question{step.Predict, step.ReadBack} {
				if q == nil {
					continue
				}
				for _, c := range q.Choices {
					if c.Belief != "" && !b.Asks(c.Belief) {
						t.Errorf("%s, step %q: no question of the review is about %s", l.ID, step.Title, c.Belief)
					}
				}
			}
		}
	}
	for id := range perLesson {
		if !slices.ContainsFunc(list, func(l *lessons.Lesson) bool { return l.ID == id }) {
			t.Errorf("questions belong to lesson %q, which is not there", id)
		}
	}
}

// TestPlacementOfEveryLesson draws the questions before each lesson.
func TestPlacementOfEveryLesson(t *testing.T) {
	b, err := review.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, q := range b.Questions {
		ids[q.Lesson] = true
	}
	for id := range ids {
		for seed := range uint64(2) {
			asked, err := review.NewSession(b, &review.Record{}, world, seed).Placement(id)
			if err != nil {
				t.Fatal(err)
			}
			seen := map[string]bool{}
			for _, a := range asked {
				seen[a.ID] = a.Lesson == id
			}
			if len(seen) != review.PlacementSize || seen[""] {
				t.Errorf("lesson %q, seed %d: %v", id, seed, fmt.Sprint(seen))
			}
		}
	}
}
