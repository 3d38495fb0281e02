package review_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"svctour/lessons"
	"svctour/lessons/review"
)

// item is a question as a simulated person meets it.
type item struct {
	id, surface string
	about       []string
	beliefs     []string // of each choice; "" for the right one and for a slip
	right       int
	from        string
}

// school is all that there is to ask, read once.
type school struct {
	bank    *review.Bank
	lessons []item
	items   map[string][]item   // each question of the bank in its surfaces, by its id
	about   map[string][]string // ids of the questions, by misconception
}

func schoolOf(t *testing.T) *school {
	t.Helper()
	b, err := review.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	all, err := filled()
	if err != nil {
		t.Fatal(err)
	}
	s := &school{bank: b, lessons: lessonItems(t), items: map[string][]item{}, about: map[string][]string{}}
	for _, q := range b.Questions {
		for _, surface := range q.Surfaces() {
			asked := all[q.ID+"?"+surface.Key]
			it := item{id: asked.ID, surface: asked.Surface, about: asked.About, right: asked.Right, from: review.FromReview}
			for _, c := range asked.Choices {
				it.beliefs = append(it.beliefs, c.Belief)
			}
			s.items[q.ID] = append(s.items[q.ID], it)
		}
		for _, id := range q.About {
			s.about[id] = append(s.about[id], q.ID)
		}
	}
	return s
}

// lessonItems are the questions of the lessons 1 to 8. The right choice is the
// one without help; questions where that depends on the cluster are left out.
func lessonItems(t *testing.T) []item {
	t.Helper()
	list, err := lessons.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	var items []item
	for _, l := range list {
		if l.Kind != lessons.KindLesson || l.Number > 8 {
			continue
		}
		for _, step := range l.Steps {
			for name, q := range map[string]*lessons.Question{"": step.Predict, "/read-back": step.ReadBack} {
				if q == nil {
					continue
				}
				it := item{id: l.ID + "/" + step.ID + name, right: -1, from: review.FromLesson}
				for i, c := range q.Choices {
					it.beliefs = append(it.beliefs, c.Belief)
					if c.Belief != "" && !slices.Contains(it.about, c.Belief) {
						it.about = append(it.about, c.Belief)
					}
					if c.Help == "" {
						it.right = i
					}
				}
				if it.right >= 0 {
					items = append(items, it)
				}
			}
		}
	}
	slices.SortFunc(items, func(a, b item) int { return slices.Compare([]string{a.id}, []string{b.id}) })
	return items
}

// learner is a person who holds some misconceptions, and slips now and then.
type learner struct {
	holds map[string]bool
	slips float64 // the share of answers that are any other than meant
	guess float64 // the share of questions that are guessed, and called a guess
}

// pass plays what a person does in eight days: the questions of the lessons 1 to
// 8, one pass of the bank, and then whatever is due, an hour later, the next day
// and after a week. It gives what the person was said to hold at any time, and at
// the end.
func (l learner) pass(s *school, seed uint64) (ever map[string]bool, last []string) {
	random := rand.New(rand.NewPCG(seed, 14))
	now := time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)
	end := now.Add(8 * 24 * time.Hour)
	r, beliefs := &review.Record{}, s.bank.Beliefs()
	ever = map[string]bool{}
	answer := func(it item) {
		now = now.Add(time.Minute)
		choice, sure := l.means(it, random), true
		switch {
		case random.Float64() < l.guess:
			choice, sure = random.IntN(len(it.beliefs)), false
		case random.Float64() < l.slips:
			choice = (choice + 1 + random.IntN(len(it.beliefs)-1)) % len(it.beliefs)
		}
		r.Add(review.Answer{
			Question: it.id, Surface: it.surface, About: it.about, When: now, Right: choice == it.right, Sure: sure, Belief: it.beliefs[choice], From: it.from,
		})
		if it.beliefs[choice] == "" {
			return
		}
		if s := r.Standings([]string{it.beliefs[choice]})[0]; s.State == review.Held {
			ever[s.Belief] = true
		}
	}
	for _, it := range s.lessons {
		answer(it)
	}
	for _, i := range random.Perm(len(s.bank.Questions)) {
		surfaces := s.items[s.bank.Questions[i].ID]
		answer(surfaces[random.IntN(len(surfaces))])
	}
	for now.Before(end) {
		due := s.bank.Due(r, now)
		for _, standing := range due { // a sitting
			questions := s.about[standing.Belief]
			surfaces := s.items[questions[random.IntN(len(questions))]]
			answer(surfaces[random.IntN(len(surfaces))])
		}
		if len(due) > 0 {
			continue
		}
		next := s.bank.Next(r, now)
		if next.IsZero() {
			break
		}
		if limit := now.Add(12 * time.Hour); next.Before(limit) && r.Answers[len(r.Answers)-1].When.Before(now.Add(-2*time.Hour)) {
			next = limit // people sleep, and do not come back every hour
		}
		now = next
	}
	for _, standing := range r.Standings(beliefs) {
		if standing.State == review.Held {
			last = append(last, standing.Belief)
		}
	}
	return ever, last
}

// means is the choice of a person who does not slip: a belief that they hold, or
// what is right.
func (l learner) means(it item, random *rand.Rand) int {
	var held []int
	for i, id := range it.beliefs {
		if l.holds[id] {
			held = append(held, i)
		}
	}
	if len(held) == 0 {
		return it.right
	}
	return held[random.IntN(len(held))]
}

// TestPlantedMisconceptions: of each learner exactly what was planted is found.
func TestPlantedMisconceptions(t *testing.T) {
	s := schoolOf(t)
	ids := s.bank.Beliefs()
	for _, id := range ids { // each alone
		if _, got := (learner{holds: map[string]bool{id: true}}).pass(s, 1); !slices.Equal(got, []string{id}) {
			t.Errorf("planted %s, found %v", id, got)
		}
	}
	for seed := range uint64(300) { // several at once
		random := rand.New(rand.NewPCG(seed, 2))
		holds := map[string]bool{}
		for range 1 + random.IntN(6) {
			holds[ids[random.IntN(len(ids))]] = true
		}
		if _, got := (learner{holds: holds}).pass(s, seed); !slices.Equal(got, slices.Sorted(maps.Keys(holds))) {
			t.Errorf("seed %d: planted %v, found %v", seed, slices.Sorted(maps.Keys(holds)), got)
		}
	}
}

// TestSlipsAreNoMisconceptions: of people who hold none and slip in one answer of
// ten, or guess, few are ever said to hold any.
func TestSlipsAreNoMisconceptions(t *testing.T) {
	const people = 500
	s := schoolOf(t)
	for name, c := range map[string]struct {
		learner
		most float64 // share of people with at least one invented
	}{
		"knows all":       {learner{}, 0},
		"slips at 5 %":    {learner{slips: 0.05}, 0.01},
		"slips at 10 %":   {learner{slips: 0.1}, 0.05},
		"guesses a third": {learner{guess: 1.0 / 3}, 0},
		"guesses all":     {learner{guess: 1}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			invented, atEnd := 0, 0
			for seed := range uint64(people) {
				ever, last := c.pass(s, seed)
				invented += min(1, len(ever))
				atEnd += min(1, len(last))
			}
			t.Logf("of %d people %d were said to hold something some time, %d at the end", people, invented, atEnd)
			if float64(invented) > c.most*people {
				t.Errorf("more than %.0f %%", 100*c.most)
			}
		})
	}
}

// TestSlipsHideNothing: what is held by people who slip in one answer of ten is
// found, too.
func TestSlipsHideNothing(t *testing.T) {
	s := schoolOf(t)
	ids := s.bank.Beliefs()
	const people = 500
	missed, invented := 0, 0
	for seed := range uint64(people) {
		id := ids[int(seed)%len(ids)]
		ever, _ := (learner{holds: map[string]bool{id: true}, slips: 0.1}).pass(s, seed)
		if !ever[id] {
			missed++
		}
		delete(ever, id)
		invented += min(1, len(ever))
	}
	t.Logf("of %d people it was missed with %d; %d were said to hold something else", people, missed, invented)
	if missed > people/100 || invented > people*5/100 {
		t.Error("too many")
	}
}
