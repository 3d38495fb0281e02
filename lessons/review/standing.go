package review

import (
	"cmp"
	"slices"
	"time"
)

// State is what the answers say of a person and one misconception.
type State string

const (
	NotMet   State = "not met"  // no question about it was answered
	Clear    State = "clear"    // never chosen, and what is right was known
	Unclear  State = "unclear"  // chosen, missed or guessed, but not often enough to say more
	Held     State = "held"     // the person believes it
	Overcome State = "overcome" // it was chosen once, and what is right is known since
)

// A misconception is held once the person was sure of it three times more often
// than of what is right. Whoever holds one chooses it nearly every time, so three
// reviews show it. Whoever does not, chooses it by a slip: where a tenth of all
// answers are slips, two on the same one happen to most people who answer a
// hundred questions, three before a right answer to few. A guess counts for
// neither side. The count stays within bounds, so that a person can change: what
// was long ago says less.
const (
	heldFrom = 3
	most     = 3
	least    = -1
)

// Spacing is after what time a misconception comes back: the same day, the next
// day, after a week. It is fixed: spacing that grows gains next to nothing over
// spacing that does not (Latimier and others 2021). The last two are ten hours
// short of it, so that what was learned in an evening is due in a morning.
func Spacing() []time.Duration {
	const day = 24 * time.Hour
	return []time.Duration{time.Hour, day - 10*time.Hour, 7*day - 10*time.Hour}
}

// Standing is what is known of a person and one misconception.
type Standing struct {
	Belief string    `json:"id"`
	State  State     `json:"state"`
	Right  int       `json:"right"`         // answers where it stood among the choices
	Wrong  int       `json:"wrong"`         // answers that chose it
	Last   time.Time `json:"last,omitzero"` // the last of either, or of a slip beside it
	// Due is when it should be asked for again; zero when it was not met, or was
	// right after each of the spacings.
	Due time.Time `json:"due,omitzero"`
	// First says that it comes before others: it was chosen and the person was
	// sure. Such errors are corrected best, and come back when that is forgotten.
	First bool `json:"sureAndWrong,omitempty"`

	weight   int    // sure choices less sure right answers, within bounds
	stage    int    // spacings that were mastered
	doubt    bool   // the last answer was wrong or a guess
	chosen   string // the question and surface where it was chosen last
	finished bool
}

// see takes one answer into account. Answers must come by time.
func (s *Standing) see(a *Answer) {
	first := s.Last.IsZero()
	s.Last = a.When
	switch {
	case a.Right:
		s.Right++
		s.right(a, first)
	case a.Belief == s.Belief:
		s.Wrong++
		s.wrong(a)
	default: // a slip, or another misconception: it says nothing of this one
		s.doubt = true
		if !s.finished && (first || !s.Due.After(a.When)) {
			s.Due = a.When.Add(Spacing()[0])
		}
	}
}

func (s *Standing) right(a *Answer, first bool) {
	if a.Sure {
		s.weight = max(least, s.weight-1)
	}
	s.doubt = !a.Sure
	spacing := Spacing()
	switch {
	case s.finished:
		return
	case first:
		s.Due = a.When.Add(spacing[0])
		return
	case s.Due.After(a.When): // too early to show that it is remembered
		return
	case a.Sure:
		s.stage++
	}
	if s.stage == len(spacing) {
		s.finished, s.Due, s.First = true, time.Time{}, false
		return
	}
	s.Due = a.When.Add(spacing[s.stage])
}

func (s *Standing) wrong(a *Answer) {
	surface := a.Question + "?" + a.Surface
	if a.Sure && surface != s.chosen { // the same question again is no second witness
		s.weight = min(most, s.weight+1)
	}
	s.chosen, s.stage, s.finished, s.doubt, s.First = surface, 0, false, true, a.Sure
	s.Due = a.When.Add(Spacing()[0])
}

// conclude sets State.
func (s *Standing) conclude() {
	switch {
	case s.Last.IsZero():
		s.State = NotMet
	case s.weight >= heldFrom:
		s.State = Held
	case s.Wrong > 0 && (s.stage >= 2 || s.finished):
		s.State = Overcome
	case s.Wrong == 0 && s.Right > 0 && !s.doubt:
		s.State = Clear
	default:
		s.State = Unclear
	}
}

// order of what is due: sure and wrong first, then wrong or unsure, then by time.
func (s *Standing) compare(other *Standing) int {
	return cmp.Or(cmp.Compare(s.rank(), other.rank()), s.Due.Compare(other.Due), cmp.Compare(s.Belief, other.Belief))
}

func (s *Standing) rank() int {
	switch {
	case s.First:
		return 0
	case s.doubt:
		return 1
	}
	return 2
}

// Standings gives what a record says of each of the misconceptions, in their order.
func (r *Record) Standings(beliefs []string) []Standing {
	out := make([]Standing, len(beliefs))
	at := make(map[string]int, len(beliefs))
	for i, id := range beliefs {
		out[i].Belief, at[id] = id, i
	}
	for i := range r.Answers {
		a := &r.Answers[i]
		for _, id := range a.About {
			if n, ok := at[id]; ok {
				out[n].see(a)
			}
		}
	}
	for i := range out {
		out[i].conclude()
	}
	return out
}

// Due gives the misconceptions of the bank that should be asked for at a time:
// first those whose choice the person was sure of, then wrong or unsure ones,
// then the others, the longest due first.
func (b *Bank) Due(r *Record, now time.Time) []Standing {
	due := slices.DeleteFunc(r.Standings(b.Beliefs()), func(s Standing) bool { return s.Due.IsZero() || s.Due.After(now) })
	slices.SortFunc(due, func(a, b Standing) int { return a.compare(&b) })
	return due
}

// Next is when something is due for the first time after now; zero when nothing
// is due later.
func (b *Bank) Next(r *Record, now time.Time) time.Time {
	var next time.Time
	for _, s := range r.Standings(b.Beliefs()) {
		if s.Due.After(now) && (next.IsZero() || s.Due.Before(next)) {
			next = s.Due
		}
	}
	return next
}
