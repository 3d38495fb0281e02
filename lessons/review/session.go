package review

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Session asks one person. It belongs to one goroutine.
type Session struct {
	bank   *Bank
	record *Record
	world  MakeWorld
	random *rand.Rand
}

// NewSession makes a session over a record, to which it adds what is answered.
// The same seed asks the same questions in the same way.
func NewSession(bank *Bank, record *Record, world MakeWorld, seed uint64) *Session {
	return &Session{bank: bank, record: record, world: world, random: rand.New(rand.NewPCG(seed, 14))}
}

// Due gives what is due, the first to be asked first.
func (s *Session) Due(now time.Time) []Standing { return s.bank.Due(s.record, now) }

// Next gives the next question that is due, filled in; nil when nothing is.
func (s *Session) Next(now time.Time) (*Asked, error) {
	due := s.Due(now)
	if len(due) == 0 {
		return nil, nil
	}
	return s.about(due[0].Belief)
}

// about chooses a question about a misconception: one that was not asked for
// longest, in a surface that was not asked for longest.
func (s *Session) about(belief string) (*Asked, error) {
	var fit []*Question
	for _, q := range s.bank.Questions {
		if slices.Contains(q.About, belief) {
			fit = append(fit, q)
		}
	}
	if len(fit) == 0 {
		return nil, fmt.Errorf("there is no question about %q", belief)
	}
	return s.fill(oldest(s, fit, func(q *Question) time.Time { return s.record.lastAsked(q.ID, nil) }))
}

// fill asks a question in a surface that was not used for longest.
func (s *Session) fill(q *Question) (*Asked, error) {
	surface := oldest(s, q.Surfaces(), func(f Surface) time.Time { return s.record.lastAsked(q.ID, &f.Key) })
	asked, err := q.Ask(surface, s.world)
	if err != nil {
		return nil, err
	}
	return s.shuffled(asked), nil
}

// oldest draws one of those whose time is the earliest.
func oldest[T any](s *Session, list []T, of func(T) time.Time) T {
	var best []T
	var when time.Time
	for _, one := range list {
		switch t := of(one); {
		case len(best) == 0 || t.Before(when):
			best, when = []T{one}, t
		case t.Equal(when):
			best = append(best, one)
		}
	}
	return best[s.random.IntN(len(best))]
}

// lastAsked is when a question was answered last, in one surface or in any; zero
// when it never was.
func (r *Record) lastAsked(question string, surface *string) time.Time {
	for i := len(r.Answers) - 1; i >= 0; i-- {
		if a := &r.Answers[i]; a.Question == question && (surface == nil || a.Surface == *surface) {
			return a.When
		}
	}
	return time.Time{}
}

// shuffled puts the choices in another order, so that nobody learns "the second".
func (s *Session) shuffled(a *Asked) *Asked {
	order := s.random.Perm(len(a.Choices))
	out := *a
	out.Choices = make([]Choice, len(order))
	for to, from := range order {
		out.Choices[to] = a.Choices[from]
		if from == a.Right {
			out.Right = to
		}
	}
	return &out
}

// Answer keeps the answer to a question and gives it back.
func (s *Session) Answer(asked *Asked, choice int, sure bool, from string, now time.Time) (Answer, error) {
	if choice < 0 || choice >= len(asked.Choices) {
		return Answer{}, fmt.Errorf("answer %d: there are %d choices", choice+1, len(asked.Choices))
	}
	a := Answer{
		Question: asked.ID, Surface: asked.Surface, About: asked.About, When: now,
		Right: choice == asked.Right, Sure: sure, Belief: asked.Choices[choice].Belief, From: from,
	}
	s.record.Add(a)
	return a, nil
}

// PlacementSize is how many questions tell whether a lesson can be skipped.
const PlacementSize = 5

// Placement draws the questions before a lesson, filled in: five, about as many
// different misconceptions as there are. An error says that the bank has too few.
func (s *Session) Placement(lesson string) ([]*Asked, error) {
	var left []*Question
	for _, q := range s.bank.Questions {
		if q.Lesson == lesson {
			left = append(left, q)
		}
	}
	if len(left) < PlacementSize {
		return nil, fmt.Errorf("lesson %q has %d questions, not %d", lesson, len(left), PlacementSize)
	}
	s.random.Shuffle(len(left), func(i, j int) { left[i], left[j] = left[j], left[i] })
	covered := map[string]bool{}
	var out []*Asked
	for len(out) < PlacementSize {
		best := 0
		for i, q := range left {
			if fresh(q, covered) > fresh(left[best], covered) {
				best = i
			}
		}
		asked, err := s.fill(left[best])
		if err != nil {
			return nil, err
		}
		for _, id := range left[best].About {
			covered[id] = true
		}
		out, left = append(out, asked), slices.Delete(left, best, best+1)
	}
	return out, nil
}

// fresh counts the misconceptions of a question that are not covered yet.
func fresh(q *Question, covered map[string]bool) int {
	n := 0
	for _, id := range q.About {
		if !covered[id] {
			n++
		}
	}
	return n
}

// Judge says whether a lesson can be skipped after the questions before it, and
// keeps that. It can after five right answers of five, or four if the person was
// not sure of the wrong one: a single slip or gap is no reason to sit through a
// lesson, but a belief that is wrong and firm is what the lesson is for.
func (s *Session) Judge(lesson string, answers []Answer, now time.Time) Placement {
	p := Placement{When: now, Asked: len(answers)}
	firm := false
	for _, a := range answers {
		if a.Right {
			p.Right++
		}
		firm = firm || !a.Right && a.Sure
	}
	p.Skip = p.Asked >= PlacementSize && p.Right >= p.Asked-1 && !firm
	s.record.Place(lesson, p)
	return p
}
