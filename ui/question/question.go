// Package question draws one question with choices: what is asked, what was said,
// and whether that was right. It knows nothing of lessons: a screen gives it the
// words, keeps what was picked, and says when the answer may be told.
package question

import (
	"fmt"
	"slices"

	"svctour/ui/frame"
	"svctour/ui/live"
	"svctour/ui/shell"
	"svctour/ui/theme"
)

// Phase is how far a question is.
type Phase uint8

// The phases, in their order. A question may leave Unsure and Kept out.
const (
	Asked    Phase = iota // one of the choices is wanted
	Unsure                // a choice was picked; how sure the person is, is wanted
	Kept                  // the answer waits for what it is about to happen
	Revealed              // what is right is told
)

// Confidence is how sure a person was of an answer.
type Confidence uint8

// What a person can say of an answer.
const (
	Untold Confidence = iota
	Guess
	Sure
)

// Choice is one of the answers to choose from.
type Choice struct {
	Say   string // Markdown, one sentence
	Right bool
	Help  string // Markdown: what helps who picked it; "" with the right one
}

// Card is a question at one moment. It is a value: drawing it changes nothing.
type Card struct {
	Label      string       // of the question, for a heading: "Predict"
	Before     []frame.Line // above the question, to be wrapped: where a packet is
	Question   string       // Markdown, as all that follows
	Choices    []Choice
	Phase      Phase
	Pick       int // index into Choices; -1 when none was picked
	Confidence Confidence
	// Plain says that the texts are no Markdown, and the choices code.
	Plain bool
	// Tried are wrong picks of a question that is asked until the right one is
	// picked, in their order: the help of the last is told.
	Tried []int
	// Seen is what was seen in the end, where that is none of the choices; else "".
	Seen string
	Why  string // Markdown, told at the end
}

// Said is what was picked; nil when nothing was.
func (c *Card) Said() *Choice {
	if c.Pick < 0 || c.Pick >= len(c.Choices) {
		return nil
	}
	return &c.Choices[c.Pick]
}

// Right is the right choice; nil when it is not known.
func (c *Card) Right() *Choice {
	for i := range c.Choices {
		if c.Choices[i].Right {
			return &c.Choices[i]
		}
	}
	return nil
}

// Waits says whether the card waits for the person.
func (c *Card) Waits() bool { return c.Phase == Asked || c.Phase == Unsure }

// Heading is what stands above the card.
func (c *Card) Heading() string {
	switch c.Phase {
	case Kept:
		return "You said"
	case Revealed:
		return "The answer"
	}
	return c.Label
}

// The actions of a card, by which a screen knows them again. N is the index of a
// choice, or a Confidence.
const (
	AnswerID     = "answer"
	ConfidenceID = "confidence"
)

// Actions are what the person can do about the card now. verb is what picking a
// choice means, in one word for the footer.
func (c *Card) Actions(verb string) []shell.Action {
	if !c.Waits() {
		return nil
	}
	var actions []shell.Action
	if c.Phase == Unsure {
		actions = append(actions,
			shell.Action{ID: ConfidenceID, N: int(Sure), Keys: []string{"s"}, Title: "sure", Help: "you are sure of what you picked"},
			shell.Action{ID: ConfidenceID, N: int(Guess), Keys: []string{"g"}, Title: "a guess", Help: "you are not sure of what you picked"},
		)
		verb = "change"
	}
	for i, choice := range c.Choices {
		a := shell.Action{
			ID: AnswerID, N: i, Keys: []string{fmt.Sprint(i + 1)}, Keycap: fmt.Sprintf("1-%d", len(c.Choices)),
			Title: verb, Help: verb + ": " + c.plain(choice.Say), Quiet: i > 0,
		}
		if c.tried(i) {
			a.Why = "you have tried that one"
		}
		actions = append(actions, a)
	}
	return actions
}

// Beyond are the digits behind the last answer: they say that they are none.
func (c *Card) Beyond() (actions []shell.Action) {
	for digit := len(c.Choices) + 1; digit <= 9; digit++ {
		actions = append(actions, shell.Action{
			ID: "no answer", N: digit, Keys: []string{fmt.Sprint(digit)}, Title: "no answer", Hidden: true,
			Why: fmt.Sprintf("there is no answer %d: pick one from 1 to %d", digit, len(c.Choices)),
		})
	}
	return actions
}

func (c *Card) tried(i int) bool { return slices.Contains(c.Tried, i) }

func (c *Card) plain(text string) string {
	if c.Plain {
		return text
	}
	return live.Plain(text)
}

// Laid is a card at one width.
type Laid struct {
	Lines frame.Lines
	spots []spot
}

// spot are the rows of a card where a click means one of its actions.
type spot struct {
	from, rows int
	n          int
}

// Click lets the rows of choices that a surface shows, from an offset on, answer
// to the mouse.
func (l *Laid) Click(s *frame.Surface, offset int) {
	w, _ := s.Size()
	for _, at := range l.spots {
		s.Click(frame.Rect{X: 0, Y: at.from - offset, W: w, H: at.rows}, AnswerID, at.n)
	}
}

// Lay lays the card out in w columns. It has no heading: see Heading.
func (c *Card) Lay(x *live.Texts, t *theme.Theme, w int) Laid {
	l := layout{card: c, x: x, t: t, w: w}
	switch c.Phase {
	case Kept:
		l.kept()
	case Revealed:
		l.revealed()
	default:
		l.asked()
	}
	return l.Laid
}

type layout struct {
	Laid
	card *Card
	x    *live.Texts
	t    *theme.Theme
	w    int
}

func (l *layout) add(rows ...frame.Line) { l.Lines = append(l.Lines, rows...) }

// text adds Markdown.
func (l *layout) text(markdown string, style frame.Style) {
	if markdown != "" {
		l.add(l.rows(markdown, style, l.w)...)
	}
}

// rows are a text in w columns.
func (l *layout) rows(text string, style frame.Style, w int) frame.Lines {
	if l.card.Plain {
		return frame.Wrap(frame.L(text, style), w, 0)
	}
	return l.x.Styled(text, l.t, style, w)
}

// asked is the question with its choices, and what is wanted of the person.
func (l *layout) asked() {
	c, t := l.card, l.t
	style := t.Strong
	if c.Phase == Unsure {
		style = t.Muted
	}
	for _, before := range c.Before {
		l.add(frame.Wrap(before, l.w, 2)...)
	}
	l.text(c.Question, style)
	for i := range c.Choices {
		l.choice(i)
	}
	if n := len(c.Tried); n > 0 {
		l.text(c.Choices[c.Tried[n-1]].Help, t.Text)
	}
	if c.Phase == Unsure {
		l.confidence()
	}
}

// confidence asks how sure the person is, in one row where that is possible.
func (l *layout) confidence() {
	t := l.t
	asks := frame.L("How sure are you?", t.Strong)
	keys := frame.Line{{Text: "  s", Style: t.Key}, {Text: " sure", Style: t.Text}, {Text: "   g", Style: t.Key}, {Text: " a guess", Style: t.Text}}
	if asks.Width()+keys.Width() <= l.w {
		l.add(append(asks, keys...))
		return
	}
	l.add(frame.Wrap(asks, l.w, 0)...)
	l.add(frame.Wrap(keys, l.w, 0)...)
}

// choice is one of the choices, beside the key that picks it.
func (l *layout) choice(i int) {
	c, t := l.card, l.t
	mark, style := " ", t.Text
	key := t.Key
	switch {
	case c.tried(i):
		mark, style, key = t.Glyph.Cross, t.Muted, t.KeyOff
	case c.Phase == Unsure && i == c.Pick:
		mark, style = t.Glyph.Pointer, t.Accent.With(t.Strong)
	case c.Phase == Unsure:
		style = t.Muted
	}
	from := len(l.Lines)
	l.hanging(frame.Line{{Text: mark + " ", Style: style}, {Text: fmt.Sprint(i + 1), Style: key}, {Text: " ", Style: style}}, c.Choices[i].Say, style)
	if !c.tried(i) {
		l.spots = append(l.spots, spot{from, len(l.Lines) - from, i})
	}
}

// hanging is Markdown behind a few characters, under which nothing stands.
func (l *layout) hanging(head frame.Line, markdown string, style frame.Style) {
	indent := head.Width()
	if l.card.Plain {
		style = l.t.Code.With(style)
	}
	for i, row := range l.rows(markdown, style, max(1, l.w-indent)) {
		before := head
		if i > 0 {
			before = frame.L(fmt.Sprintf("%*s", indent, ""), frame.Style{})
		}
		l.add(append(before[:len(before):len(before)], row...))
	}
}

// kept is what was said, in as few rows as it takes.
func (l *layout) kept() {
	said := l.card.Said()
	if said == nil {
		return
	}
	l.hanging(frame.L(l.t.Glyph.Pointer+" ", l.t.Accent), said.Say, l.t.Text)
	l.note(map[Confidence]string{Sure: "You are sure.", Guess: "A guess."}[l.card.Confidence])
}

// note is a muted remark behind the last row, or below it.
func (l *layout) note(text string) {
	if text == "" || len(l.Lines) == 0 {
		return
	}
	last := l.Lines[len(l.Lines)-1]
	if last.Width()+2+frame.Width(text) <= l.w {
		l.Lines[len(l.Lines)-1] = append(last[:len(last):len(last)], frame.Span{Text: "  " + text, Style: l.t.Muted})
		return
	}
	for _, row := range frame.Wrap(frame.L(text, l.t.Muted), l.w-2, 0) {
		l.add(append(frame.L("  ", l.t.Muted), row...))
	}
}

// revealed is what was said, whether it was right, what was seen, and why.
func (l *layout) revealed() {
	c, t := l.card, l.t
	said, right := c.Said(), c.Right()
	if said != nil && !said.Right {
		l.hanging(frame.L(t.Glyph.Cross+" ", t.Bad), said.Say, t.Text)
		l.note(map[Confidence]string{Sure: "You were sure.", Guess: "You guessed.", Untold: "You said so."}[c.Confidence])
	}
	if right != nil {
		l.hanging(frame.L(t.Glyph.Check+" ", t.Good), right.Say, t.Good.With(t.Strong))
		if said != nil && said.Right {
			l.note(map[Confidence]string{Sure: "You were sure.", Guess: "You guessed right.", Untold: "You said so."}[c.Confidence])
		}
	}
	if c.Seen != "" {
		l.add(frame.Wrap(frame.Line{{Text: "The cluster shows something else: ", Style: t.Warn}, {Text: c.Seen, Style: t.Strong}}, l.w, 2)...)
	}
	if said != nil && !said.Right && said.Help != "" {
		l.text(said.Help, t.Text)
		if c.Why != "" {
			l.add(nil)
		}
	}
	l.text(c.Why, t.Text)
}
