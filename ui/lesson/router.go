package lesson

import (
	"fmt"

	"svctour/lessons"
	"svctour/model"
	"svctour/model/path"
	"svctour/model/router"
	"svctour/model/scene"
	"svctour/ui/frame"
	"svctour/ui/question"
	"svctour/ui/shell"
	"svctour/ui/theme"
)

// route is a learner's walk along the way of one packet. The way is that of the
// moment at which the walk began.
type route struct {
	course *router.Course // nil before it was made
	at     int            // the turn, as index into Course.Turns
	tried  []int          // wrong picks of the turn
	picked bool           // the right option was picked: why, is told
	first  int            // turns that were right at first go
	walks  uint64         // that were begun in this step: each is another way
}

// turn is the question that the walk stands at.
func (r *route) turn() *router.Turn { return &r.course.Turns[r.at] }

// pick takes an option in.
func (r *route) pick(n int) {
	switch right, _ := r.turn().Pick(n); {
	case r.picked:
	case right:
		if r.picked = true; len(r.tried) == 0 {
			r.first++
		}
	default:
		r.tried = append(r.tried[:len(r.tried):len(r.tried)], n)
	}
}

// next goes to the next turn; false when there is none.
func (r *route) next() bool {
	if r.at+1 >= len(r.course.Turns) {
		return false
	}
	r.at, r.tried, r.picked = r.at+1, nil, false
	return true
}

// card is the turn as a question.
func (r *route) card() *question.Card {
	turn := r.turn()
	c := &question.Card{
		Label:    fmt.Sprintf("Be the router: hop %d of %d", r.at+1, len(r.course.Turns)),
		Question: turn.Question, Why: turn.Why, Plain: true, Pick: -1, Tried: r.tried,
	}
	for i, o := range turn.Options {
		c.Choices = append(c.Choices, question.Choice{Say: o.Text, Help: o.Wrong, Right: i == turn.Right})
	}
	if r.picked {
		c.Phase, c.Pick, c.Tried = question.Revealed, turn.Right, nil
	}
	return c
}

// begin begins a walk that was made for the present step.
func (r *route) begin(c *router.Course) {
	if r.course == nil {
		*r = route{course: c, walks: r.walks + 1}
	}
}

// where is where the packet stands, and how it looks there.
func (r *route) where(t *theme.Theme) []frame.Line {
	turn := r.turn()
	var lines []frame.Line
	if !r.picked {
		for _, what := range turn.Since {
			lines = append(lines, frame.L(what, t.Muted))
		}
	}
	return append(lines,
		frame.L(turn.Where, t.Muted),
		frame.Line{{Text: t.Glyph.Packet + " ", Style: t.Warn}, {Text: turn.Packet.String(), Style: t.Strong}})
}

// courseOf makes the course of a Router step.
func courseOf(at lessons.Position, s *model.Snapshot, seed uint64) (*router.Course, error) {
	from, target := at.Route(s)
	return router.Of(s, path.Request{Namespace: at.Namespace(), From: from, Target: target}, seed)
}

// standing shows in the picture where the packet of the walk is.
func (l *Screen) standing() {
	if l.turn() != routing {
		l.live.Release()
		return
	}
	turn := l.route.turn()
	l.live.Hold(legOf(turn.Kind), turn.Chain, turn.Packet.Destination)
}

// legOf is the part of a way that a turn is about.
func legOf(kind router.Kind) scene.LegKind {
	switch kind {
	case router.Name:
		return scene.Ask
	case router.Answer:
		return scene.Answer
	case router.Interface, router.Hook:
		return scene.Send
	case router.Node, router.Ending:
		return scene.Deliver
	case router.Reply:
		return scene.Reply
	}
	return scene.Translate
}

// walkOn goes to the next turn; after the last the route was walked.
func (l *Screen) walkOn() shell.Intent {
	if l.route.next() {
		l.standing()
		return nil
	}
	turns := len(l.route.course.Turns)
	l.end = l.route.course.End
	l.play.Routed(l.route.first, turns-l.route.first)
	l.route = route{walks: l.route.walks}
	l.standing()
	return shell.Intents{shell.Save{Progress: l.play.Progress()}, l.look()}
}

// walked says how the route was walked.
func (d *drawing) walked(w int, walked lessons.Walked) []frame.Line {
	t := d.t
	lines := frame.Wrap(frame.Line{
		{Text: "You routed it: ", Style: t.Strong},
		{Text: fmt.Sprintf("%d of %d", walked.Right, walked.Right+walked.Wrong), Style: t.Strong},
		{Text: " hops right at first go.", Style: t.Strong},
	}, w, 0)
	if d.end != "" {
		lines = append(lines, frame.Wrap(frame.L(d.end, t.Text), w, 0)...)
	}
	return lines
}
