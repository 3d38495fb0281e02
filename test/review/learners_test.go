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

// pass is what a person meets in the lessons and in one pass of the bank: every
// question of the lessons, then every question of the bank in two surfaces.
func pass(t *testing.T, random *rand.Rand) []item {
	t.Helper()
	b, err := review.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	filled, err := bank()
	if err != nil {
		t.Fatal(err)
	}
	items := lessonItems(t)
	var reviewed []item
	for _, q := range b.Questions {
		surfaces := slices.Clone(q.Surfaces())
		random.Shuffle(len(surfaces), func(i, j int) { surfaces[i], surfaces[j] = surfaces[j], surfaces[i] })
		for _, s := range surfaces[:2] {
			asked := filled[q.ID+"?"+s.Key]
			it := item{id: asked.ID, surface: asked.Surface, about: asked.About, right: asked.Right, from: review.FromReview}
			for _, c := range asked.Choices {
				it.beliefs = append(it.beliefs, c.Belief)
			}
			reviewed = append(reviewed, it)
		}
	}
	random.Shuffle(len(reviewed), func(i, j int) { reviewed[i], reviewed[j] = reviewed[j], reviewed[i] })
	return append(items, reviewed...)
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

// answers plays a pass, one answer every ten minutes.
func (l learner) answers(items []item, random *rand.Rand) *review.Record {
	r := &review.Record{}
	now := time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)
	for _, it := range items {
		now = now.Add(10 * time.Minute)
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
	}
	return r
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

// found plays a learner and gives the misconceptions that were said to be held.
func (l learner) found(t *testing.T, seed uint64) (held []string) {
	random := rand.New(rand.NewPCG(seed, 14))
	b, err := review.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range l.answers(pass(t, random), random).Standings(b.Beliefs()) {
		if s.State == review.Held {
			held = append(held, s.Belief)
		}
	}
	return held
}

// TestPlantedMisconceptions: of each learner exactly what was planted is found.
func TestPlantedMisconceptions(t *testing.T) {
	b, err := review.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	ids := b.Beliefs()
	for _, id := range ids { // each alone
		if got := (learner{holds: map[string]bool{id: true}}).found(t, 1); !slices.Equal(got, []string{id}) {
			t.Errorf("planted %s, found %v", id, got)
		}
	}
	for seed := range uint64(400) { // several at once
		random := rand.New(rand.NewPCG(seed, 2))
		holds := map[string]bool{}
		for range 1 + random.IntN(6) {
			holds[ids[random.IntN(len(ids))]] = true
		}
		if got := (learner{holds: holds}).found(t, seed); !slices.Equal(got, slices.Sorted(maps.Keys(holds))) {
			t.Errorf("seed %d: planted %v, found %v", seed, slices.Sorted(maps.Keys(holds)), got)
		}
	}
}

// TestSlipsAreNoMisconceptions: of people who hold none and slip in one answer of
// ten, or guess everything, few are said to hold any.
func TestSlipsAreNoMisconceptions(t *testing.T) {
	const people = 1000
	for name, c := range map[string]struct {
		learner
		most float64 // share of people with at least one invented
	}{
		"knows all":       {learner{}, 0},
		"slips at 5 %":    {learner{slips: 0.05}, 0.01},
		"slips at 10 %":   {learner{slips: 0.1}, 0.03},
		"guesses a third": {learner{guess: 1.0 / 3}, 0},
		"guesses all":     {learner{guess: 1}, 0.03},
	} {
		t.Run(name, func(t *testing.T) {
			invented := 0
			for seed := range uint64(people) {
				if held := c.found(t, seed); len(held) > 0 {
					invented++
				}
			}
			t.Logf("%d of %d people", invented, people)
			if float64(invented) > c.most*people {
				t.Errorf("%d of %d are said to hold something, more than %.0f %%", invented, people, 100*c.most)
			}
		})
	}
}

// TestSlipsHideFew: of what is held by people who slip in one answer of ten,
// nearly all is found, and nearly nothing else.
func TestSlipsHideFew(t *testing.T) {
	b, err := review.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	ids := b.Beliefs()
	planted, missed, invented := 0, 0, 0
	for seed := range uint64(1000) {
		id := ids[int(seed)%len(ids)]
		planted++
		got := (learner{holds: map[string]bool{id: true}, slips: 0.1}).found(t, seed)
		if !slices.Contains(got, id) {
			missed++
		}
		invented += len(slices.DeleteFunc(got, func(other string) bool { return other == id }))
	}
	t.Logf("%d planted, %d missed, %d invented", planted, missed, invented)
	if missed > planted*15/100 || invented > planted*3/100 {
		t.Errorf("of %d planted %d were missed, and %d invented", planted, missed, invented)
	}
}
