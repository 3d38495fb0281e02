// Package contents is the table of contents: the lessons and the challenges, and
// how far each of them is.
package contents

import (
	"fmt"
	"slices"
	"strings"

	"svctour/lessons"
	"svctour/model"
	"svctour/ui/list"
	"svctour/ui/shell"
)

// Screen lists the lessons, then the challenges.
type Screen struct {
	lessons  []*lessons.Lesson // in the order in which they stand
	progress map[string]lessons.Progress
	world    *model.Snapshot
	list     list.List

	asked  bool // what is due in the review was asked for
	review bool // there is a review
	due    int  // in the review

	last  string   // the lesson that was open last
	known []string // the lessons that may be skipped, by ID
}

// New makes the screen. The cursor stands where the person goes on: at the lesson
// that was open last, unless it is finished, else at one that was begun, else at the
// first that was not. last is the ID of the lesson that was open last; "" for none.
func New(all []*lessons.Lesson, progress map[string]lessons.Progress, last string, world *model.Snapshot) *Screen {
	c := &Screen{progress: progress, world: world, lessons: slices.Clone(all), last: last}
	slices.SortStableFunc(c.lessons, func(a, b *lessons.Lesson) int { return rank(a) - rank(b) })
	titles := make([]string, len(c.lessons))
	for i, l := range c.lessons {
		titles[i] = l.Title + " " + l.Summary
	}
	c.list.Set(titles)
	c.list.Go(c.goesOn())
	return c
}

// rank puts the challenges behind the lessons.
func rank(l *lessons.Lesson) int {
	if challenge(l) {
		return 1
	}
	return 0
}

// goesOn is the row at which the person goes on; -1 when everything is finished.
func (c *Screen) goesOn() int {
	begun, fresh := -1, -1
	for i, l := range c.lessons {
		n := c.done(l)
		_, over := c.over(l)
		switch {
		case over:
			continue
		case l.ID == c.last && !c.skips(l):
			return i
		case n > 0 && begun < 0:
			begun = i
		case n == 0 && fresh < 0 && !c.skips(l):
			fresh = i
		}
	}
	if begun >= 0 {
		return begun
	}
	return fresh
}

func (c *Screen) done(l *lessons.Lesson) int {
	return min(len(c.progress[l.ID].Done), len(l.Steps))
}

// over says whether nothing of a lesson is left to do, and how many of its steps
// were left out.
func (c *Screen) over(l *lessons.Lesson) (leftOut int, over bool) {
	leftOut = len(c.progress[l.ID].LeftOut)
	return leftOut, c.done(l)+leftOut >= len(l.Steps)
}

// skips says whether a lesson that has not begun may be skipped: the person knows it.
func (c *Screen) skips(l *lessons.Lesson) bool {
	return c.done(l) == 0 && slices.Contains(c.known, l.ID)
}

// Actions implements shell.Screen.
func (c *Screen) Actions() []shell.Action {
	title := "begin"
	at := c.lessons[c.list.Row()]
	switch _, over := c.over(at); {
	case over:
		title = "look again"
	case c.done(at) > 0:
		title = "go on"
	}
	return []shell.Action{
		{ID: "open", Keys: []string{"enter"}, Title: title, Help: "open what is under the cursor"},
		{ID: "place", Keys: []string{"t"}, Title: "know it?", Help: "five questions: whoever knows a lesson may skip it",
			Hidden: !c.review || challenge(at) || c.done(at) > 0 || c.skips(at)},
		{ID: "up", Keys: []string{"up", "k"}, Title: "up", Help: "up (down: j)", Quiet: true},
		{ID: "down", Keys: []string{"down", "j"}, Title: "down", Hidden: true},
		{ID: "part", Keys: []string{"tab"}, Title: c.otherPart(), Help: "to the first lesson, or the first challenge", Hidden: c.otherPart() == ""},
		c.reviewAction(),
		{ID: "sandbox", Keys: []string{"s"}, Title: "sandbox", Help: "ten states of a cluster by one key each, and no goal", Quiet: c.world != nil}, // the foot of the list has it
		{ID: "picker", Keys: []string{"esc"}, Title: "other cluster"},
		{ID: "quit", Keys: []string{"q"}, Title: "quit"},
	}
}

// reviewAction leads to the review, if there is one, and says how much is due.
func (c *Screen) reviewAction() shell.Action {
	a := shell.Action{ID: "review", Keys: []string{"r"}, Title: "review", Help: "ask again what the lessons taught, when it is due", Quiet: c.due == 0, Hidden: !c.review}
	if c.due > 0 {
		a.Title = fmt.Sprintf("review: %d due", c.due)
	}
	return a
}

// otherPart is the part of the list that the cursor is not in; "" when there is none.
func (c *Screen) otherPart() string {
	here := challenge(c.lessons[c.list.Row()])
	for _, l := range c.lessons {
		if challenge(l) != here {
			return strings.ToLower(heading(l))
		}
	}
	return ""
}

// Do implements shell.Screen.
func (c *Screen) Do(id string, n int) shell.Intent {
	switch id {
	case "up":
		c.list.Step(-1)
	case "down":
		c.list.Step(1)
	case "place":
		if at := c.lessons[c.list.Row()]; c.review && !challenge(at) {
			return shell.Place{Lesson: at.ID}
		}
	case "part":
		here := challenge(c.lessons[c.list.Row()])
		c.list.Go(slices.IndexFunc(c.lessons, func(l *lessons.Lesson) bool { return challenge(l) != here }))
	case "open":
		return shell.Open{Lesson: c.lessons[c.list.Row()].ID}
	case "review":
		if c.review {
			return shell.Review{}
		}
	case "sandbox":
		return shell.Open{Lesson: lessons.SandboxID}
	case "picker":
		return shell.Picker{}
	case "row":
		if c.list.Go(n) {
			return shell.Open{Lesson: c.lessons[n].ID}
		}
	case "quit":
		return shell.Quit{}
	}
	return nil
}

// Handle implements shell.Screen.
func (c *Screen) Handle(msg any) shell.Intent {
	switch msg := msg.(type) {
	case shell.World:
		c.world = msg.Snapshot
	case shell.Size:
		if !c.asked {
			c.asked = true
			return shell.AskReview{}
		}
	case shell.ReviewNews:
		if c.review = true; !msg.Kept {
			stood := c.goesOn()
			c.due, c.known = msg.Due, msg.Known
			if c.list.Row() == stood { // nobody has moved it
				c.list.Go(c.goesOn())
			}
		}
	}
	return nil
}

// Animating implements shell.Screen.
func (c *Screen) Animating() bool { return false }

func challenge(l *lessons.Lesson) bool { return l.Kind == lessons.KindChallenge }
