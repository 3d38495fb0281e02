package review

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

const hour = time.Hour

func standing(t *testing.T, answers ...Answer) Standing {
	t.Helper()
	return recordOf(answers...).Standings([]string{"M02"})[0]
}

func wrong(question string, after time.Duration) Answer {
	return answer(question, after, func(a *Answer) { a.Right, a.Belief = false, "M02" })
}

func guess(a Answer) Answer {
	a.Sure = false
	return a
}

func TestStates(t *testing.T) {
	slip := answer("c", 2*hour, func(a *Answer) { a.Right = false })
	for name, c := range map[string]struct {
		answers []Answer
		want    State
	}{
		"nothing":                          {nil, NotMet},
		"about others":                     {[]Answer{answer("a", 0, func(a *Answer) { a.About = []string{"M05"} })}, NotMet},
		"right":                            {[]Answer{answer("a", 0, nil)}, Clear},
		"guessed":                          {[]Answer{guess(answer("a", 0, nil))}, Unclear},
		"a slip":                           {[]Answer{slip}, Unclear},
		"once":                             {[]Answer{wrong("a", 0)}, Unclear},
		"twice":                            {[]Answer{wrong("a", 0), wrong("b", hour)}, Unclear},
		"three times":                      {[]Answer{wrong("a", 0), wrong("b", hour), wrong("c", 2*hour)}, Held},
		"the same question three times":    {[]Answer{wrong("a", 0), wrong("a", hour), wrong("a", 2*hour)}, Unclear},
		"three times, once by guessing":    {[]Answer{wrong("a", 0), wrong("b", hour), guess(wrong("c", 2*hour))}, Unclear},
		"three times, and right once":      {[]Answer{wrong("a", 0), wrong("b", hour), wrong("c", 2*hour), answer("d", 3*hour, nil)}, Unclear},
		"right in between":                 {[]Answer{wrong("a", 0), wrong("b", hour), answer("d", 2*hour, nil), wrong("c", 3*hour)}, Unclear},
		"right in between, and once more":  {[]Answer{wrong("a", 0), wrong("b", hour), answer("d", 2*hour, nil), wrong("c", 3*hour), wrong("a", 4*hour)}, Held},
		"right in between, but guessed":    {[]Answer{wrong("a", 0), wrong("b", hour), guess(answer("d", 2*hour, nil)), wrong("c", 3*hour)}, Held},
		"right before three times":         {[]Answer{answer("c", 0, nil), answer("d", 1, nil), wrong("a", hour), wrong("b", 2*hour), wrong("c", 3*hour)}, Unclear},
		"right before four times":          {[]Answer{answer("c", 0, nil), answer("d", 1, nil), wrong("a", hour), wrong("b", 2*hour), wrong("c", 3*hour), wrong("d", 4*hour)}, Held},
		"right the same day and next":      {[]Answer{wrong("a", 0), answer("b", hour, nil), answer("c", 24*hour, nil)}, Overcome},
		"right twice on one day":           {[]Answer{wrong("a", 0), answer("b", hour, nil), answer("c", 2*hour, nil)}, Unclear},
		"held, then right on two days":     {[]Answer{wrong("a", 0), wrong("b", 1), wrong("c", 2), answer("b", 2*hour, nil), answer("c", 24*hour, nil)}, Overcome},
		"overcome, then chosen again":      {[]Answer{wrong("a", 0), answer("b", hour, nil), answer("c", 24*hour, nil), wrong("d", 200*hour)}, Unclear},
		"overcome, then chosen four times": {[]Answer{wrong("a", 0), answer("b", hour, nil), answer("c", 24*hour, nil), wrong("d", 200*hour), wrong("e", 201*hour), wrong("f", 202*hour), wrong("g", 203*hour)}, Held},
	} {
		t.Run(name, func(t *testing.T) {
			if got := standing(t, c.answers...); got.State != c.want {
				t.Errorf("%s, want %s: %+v", got.State, c.want, got)
			}
		})
	}
}

// TestSpacing walks one misconception through the same day, the next and a week.
func TestSpacing(t *testing.T) {
	answers := []Answer{wrong("a", 0)}
	expect := func(due time.Duration, first bool) {
		t.Helper()
		s := standing(t, answers...)
		if !s.Due.Equal(monday.Add(due)) || s.First != first {
			t.Errorf("due %v after, first %v; want %v, %v", s.Due.Sub(monday), s.First, due, first)
		}
	}
	expect(hour, true)
	answers = append(answers, answer("b", hour/2, nil)) // too early to count
	expect(hour, true)
	answers = append(answers, answer("b", 2*hour, nil))
	expect(2*hour+14*hour, true)
	answers = append(answers, guess(answer("c", 24*hour, nil))) // not sure: the next day again
	expect(24*hour+14*hour, true)
	answers = append(answers, answer("b", 48*hour, nil))
	expect(48*hour+158*hour, true)
	answers = append(answers, answer("c", 48*hour+158*hour, nil))
	if s := standing(t, answers...); !s.Due.IsZero() || s.First || s.State != Overcome {
		t.Errorf("after the week: %+v", s)
	}
	answers = append(answers, wrong("b", 500*hour))
	expect(501*hour, true)
}

// bankOf is a bank that asks about some misconceptions, and cannot be filled in.
func bankOf(beliefs ...string) *Bank {
	b := &Bank{}
	for _, id := range beliefs {
		b.Questions = append(b.Questions, &Question{ID: "about-" + id, About: []string{id}})
	}
	return b
}

func TestOrderOfWhatIsDue(t *testing.T) {
	about := func(id string, a Answer) Answer {
		a.About, a.Question = []string{id}, "about-"+id
		if !a.Right {
			a.Belief = id
		}
		return a
	}
	r := recordOf(
		about("M01", answer("", 0, nil)),             // right and sure
		about("M02", guess(wrong("", 3*hour))),       // wrong, a guess
		about("M03", wrong("", 4*hour)),              // wrong and sure
		about("M04", guess(answer("", hour, nil))),   // right, a guess
		about("M05", wrong("", 2*hour)),              // wrong and sure, longer ago
		about("M06", answer("", 9*hour+hour/2, nil)), // not due yet
		about("M07", answer("", hour, nil)),          // no question of the bank is about it
	)
	var got []string
	b := bankOf("M01", "M02", "M03", "M04", "M05", "M06")
	for _, s := range b.Due(r, monday.Add(10*hour)) {
		got = append(got, s.Belief)
	}
	if want := []string{"M05", "M03", "M04", "M02", "M01"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if next := b.Next(r, monday.Add(10*hour)); !next.Equal(monday.Add(10*hour + hour/2)) {
		t.Errorf("the next is due at %v", next)
	}
}

// TestNothingDueIsLost answers at random and asks at random times: whatever was
// met is due some time, until it was right after each of the spacings; and what
// is due comes in order.
func TestNothingDueIsLost(t *testing.T) {
	beliefs := []string{"M01", "M02", "M03", "M04", "M05"}
	b := bankOf(beliefs...)
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		r, now := &Record{}, monday
		spaced := map[string]int{} // right and sure when due, since it was chosen last
		for range 60 {
			now = now.Add(time.Duration(random.Int64N(int64(60 * hour))))
			about := beliefs[random.IntN(4):][:2]
			before := map[string]Standing{}
			for _, s := range r.Standings(beliefs) {
				before[s.Belief] = s
			}
			a := Answer{Question: fmt.Sprint("q", random.IntN(9)), Surface: fmt.Sprint(random.IntN(3)), About: about, When: now, Sure: random.IntN(2) == 0, From: FromReview}
			switch random.IntN(3) {
			case 0:
				a.Right = true
			case 1:
				a.Belief = about[random.IntN(2)]
			}
			r.Add(a)
			for _, id := range about {
				was := before[id]
				switch due := !was.Due.IsZero() && !was.Due.After(now); {
				case a.Belief == id:
					spaced[id] = 0
				case a.Right && a.Sure && due:
					spaced[id]++
				}
			}
			for _, s := range r.Standings(beliefs) {
				finished := spaced[s.Belief] >= len(Spacing())
				if met := !s.Last.IsZero(); met && s.Due.IsZero() != finished {
					t.Fatalf("seed %d: %+v after %d right answers in time", seed, s, spaced[s.Belief])
				}
			}
			due := b.Due(r, now)
			if !slices.IsSortedFunc(due, func(a, b Standing) int { return a.compare(&b) }) {
				t.Fatalf("seed %d: out of order: %+v", seed, due)
			}
			for i, s := range due {
				if s.Due.After(now) || i > 0 && s.First && !due[i-1].First {
					t.Fatalf("seed %d: %+v at %v", seed, due, now)
				}
			}
			scheduled := 0
			for _, s := range r.Standings(beliefs) {
				if !s.Due.IsZero() {
					scheduled++
				}
			}
			if all := b.Due(r, now.Add(1000*hour)); len(all) != scheduled {
				t.Fatalf("seed %d: %d of %d come back", seed, len(all), scheduled)
			}
		}
	}
}

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		right int
		sure  bool // of the wrong ones
		skip  bool
	}{{5, false, true}, {4, false, true}, {4, true, false}, {3, false, false}, {0, true, false}} {
		var answers []Answer
		for i := range PlacementSize {
			answers = append(answers, Answer{Right: i < c.right, Sure: i < c.right || c.sure})
		}
		s := NewSession(bankOf(), &Record{}, nil, 1)
		if got := s.Judge("clusterip", answers, monday); got.Skip != c.skip || got.Right != c.right || s.record.Placements["clusterip"].Skip != c.skip {
			t.Errorf("%+v: %+v", c, got)
		}
	}
	s := NewSession(bankOf(), &Record{}, nil, 1)
	if got := s.Judge("clusterip", []Answer{{Right: true}}, monday); got.Skip {
		t.Errorf("one answer is enough: %+v", got)
	}
}
