package cli

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"time"

	"svctour/lessons"
	"svctour/lessons/review"
)

// reviewItem is one misconception in Review.
type reviewItem struct {
	review.Standing
	Text   string   `json:"belief"`
	Truth  string   `json:"truth"`
	Source []string `json:"source"`
}

// reviewDocument is what svctour review --list prints as data.
type reviewDocument struct {
	Due        int                         `json:"due"` // how many are due now
	Next       time.Time                   `json:"next,omitzero"`
	Answers    int                         `json:"answers"`
	Items      []reviewItem                `json:"items"`
	Placements map[string]review.Placement `json:"placements,omitempty"`
}

// listReview tells how a person stands with each misconception.
func listReview(g *globals, bank *review.Bank, record *review.Record, now time.Time) error {
	beliefs, err := lessons.Beliefs()
	if err != nil {
		return err
	}
	ids := make([]string, len(beliefs))
	for i, b := range beliefs {
		ids[i] = b.ID
	}
	document := reviewDocument{
		Due: len(bank.Due(record, now)), Next: bank.Next(record, now), Answers: len(record.Answers), Placements: record.Placements,
	}
	for i, s := range record.Standings(ids) {
		if !bank.Asks(s.Belief) { // nothing asks for it again
			s.Due = time.Time{}
		}
		document.Items = append(document.Items, reviewItem{s, beliefs[i].Belief, beliefs[i].Truth, beliefs[i].Source})
	}
	return writeLessons(g, "Review", document, func(w io.Writer) error {
		_, err := io.WriteString(w, reviewText(document, now, textWidth))
		return err
	})
}

// states are in the order of the list.
var states = []review.State{review.Held, review.Unclear, review.Overcome, review.Clear, review.NotMet}

// reviewText lists what was met, the worst first, and counts the rest.
func reviewText(d reviewDocument, now time.Time, width int) string {
	p := page{width: width}
	counts := map[review.State]int{}
	for _, it := range d.Items {
		counts[it.State]++
	}
	p.line(fmt.Sprintf("%d misconceptions: %d held, %d unclear, %d overcome, %d clear, %d not met.", len(d.Items),
		counts[review.Held], counts[review.Unclear], counts[review.Overcome], counts[review.Clear], counts[review.NotMet]))
	for _, state := range states {
		if state == review.NotMet || counts[state] == 0 {
			continue
		}
		p.blank()
		p.line(string(state))
		for _, it := range d.Items {
			if it.State != state {
				continue
			}
			p.title(fmt.Sprintf("  %s  chosen %d, right %d", it.Belief, it.Wrong, it.Right), dueText(it.Due, now))
			p.paragraph("       believed: ", "       ", it.Text)
			p.paragraph("       in truth: ", "       ", it.Truth)
		}
	}
	for i, id := range slices.Sorted(maps.Keys(d.Placements)) {
		if i == 0 {
			p.blank()
		}
		placement := d.Placements[id]
		can := "it has something for you"
		if placement.Skip {
			can = "you can skip it"
		}
		p.line(fmt.Sprintf("Lesson %s: %d of %d right before it, %s.", id, placement.Right, placement.Asked, can))
	}
	p.blank()
	if d.Due > 0 {
		p.line(fmt.Sprintf("%d due now: `svctour review` asks.", d.Due))
	} else {
		p.line("Nothing is due now. " + nextText(d.Next, now))
	}
	return p.String()
}

func nextDue(bank *review.Bank, record *review.Record, now time.Time) string {
	return nextText(bank.Next(record, now), now)
}

func nextText(next, now time.Time) string {
	if next.IsZero() {
		return "Nothing comes back later."
	}
	return "The next is " + dueText(next, now) + "."
}

// dueText tells a time as people do.
func dueText(due, now time.Time) string {
	left := due.Sub(now)
	switch {
	case due.IsZero():
		return "not due again"
	case left <= 0:
		return "due now"
	case left < time.Hour:
		return fmt.Sprintf("due in %d min", int(math.Ceil(left.Minutes())))
	case left < 36*time.Hour:
		return fmt.Sprintf("due in %d h", int(math.Ceil(left.Hours())))
	}
	return fmt.Sprintf("due in %d days", int(math.Round(left.Hours()/24)))
}
