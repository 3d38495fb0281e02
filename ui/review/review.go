// Package review asks what the lessons taught, one question after the other.
package review

import (
	"fmt"
	"slices"
	"time"

	"svctour/lessons/review"
	"svctour/ui/frame"
	"svctour/ui/live"
	"svctour/ui/question"
	"svctour/ui/shell"
	"svctour/ui/theme"
)

// Screen asks what is due. What it asks, and when, is the app's to find out.
type Screen struct {
	texts *live.Texts
	asked *review.Asked // nil before the first and after the last
	card  question.Card
	began bool // the first question was asked for
	come  bool // the first news has come

	due             int // misconceptions, the present one's among them
	next            time.Duration
	answered, right int
	problem         string // why nothing can be asked or kept
}

// New makes the screen. It asks for its first question once it is shown.
func New() *Screen { return &Screen{texts: live.NewTexts()} }

// Actions implements shell.Screen.
func (r *Screen) Actions() []shell.Action {
	var actions []shell.Action
	if r.asked != nil {
		actions = asking(&r.card, "next")
	}
	return append(actions,
		shell.Action{ID: "contents", Keys: []string{"esc"}, Title: "lessons"},
		shell.Action{ID: "quit", Keys: []string{"q"}, Title: "quit"},
	)
}

// Do implements shell.Screen.
func (r *Screen) Do(id string, n int) shell.Intent {
	switch id {
	case question.AnswerID:
		if r.asked != nil && r.card.Waits() && n >= 0 && n < len(r.card.Choices) {
			r.card.Pick, r.card.Phase = n, question.Unsure
		}
	case question.ConfidenceID:
		return r.reveal(question.Confidence(n))
	case "next":
		if r.asked != nil && r.card.Phase == question.Revealed {
			return shell.AskReview{}
		}
	case "contents":
		return shell.Contents{}
	case "quit":
		return shell.Quit{}
	}
	return nil
}

// reveal tells what is right, and has the answer kept.
func (r *Screen) reveal(sure question.Confidence) shell.Intent {
	if r.asked == nil || r.card.Phase != question.Unsure {
		return nil
	}
	r.card.Confidence, r.card.Phase = sure, question.Revealed
	r.answered++
	if r.card.Pick == r.asked.Right {
		r.right++
	}
	return shell.AnswerReview{Asked: r.asked, Choice: r.card.Pick, Sure: sure == question.Sure}
}

// Handle implements shell.Screen.
func (r *Screen) Handle(msg any) shell.Intent {
	if _, shown := msg.(shell.Size); shown && !r.began {
		r.began = true
		return shell.AskReview{}
	}
	news, ok := msg.(shell.ReviewNews)
	if !ok {
		return nil
	}
	if r.problem = news.Err; news.Kept || r.problem != "" {
		return nil
	}
	r.come, r.asked, r.due, r.next = true, news.Asked, news.Due, news.Next
	if r.asked == nil {
		return nil
	}
	r.card = cardOf(r.asked)
	return nil
}

// asking are what can be done while a question is shown; title is where the key
// after its answer leads.
func asking(card *question.Card, title string) []shell.Action {
	next := shell.Action{ID: "next", Keys: []string{"enter", "space"}, Title: title, Help: "go on"}
	switch card.Phase {
	case question.Revealed:
		return []shell.Action{next}
	case question.Unsure:
		next.Why = "first say how sure you are: s or g"
	default:
		next.Why = "first pick an answer, by its number"
	}
	next.Hidden = true
	return slices.Concat(card.Actions("answer"), card.Beyond(), []shell.Action{next})
}

// cardOf puts a question on a card.
func cardOf(asked *review.Asked) question.Card {
	card := question.Card{Label: "Question", Question: asked.Question, Pick: -1, Why: asked.Why}
	for i, c := range asked.Choices {
		card.Choices = append(card.Choices, question.Choice{Say: c.Say, Right: i == asked.Right, Help: c.Help})
	}
	return card
}

// Animating implements shell.Screen.
func (r *Screen) Animating() bool { return false }

// Draw implements shell.Screen.
func (r *Screen) Draw(s *frame.Surface, t *theme.Theme) {
	p := page{title: "Review", problem: r.problem}
	if r.asked == nil {
		p.text = r.rest()
	} else {
		p.aside, p.lesson, p.card = fmt.Sprintf("%d due", r.due), r.asked.Lesson, &r.card
	}
	p.draw(s, t, r.texts)
}

// page is what one of the screens of this package shows.
type page struct {
	title, aside, problem string
	text                  string         // in place of a question
	card                  *question.Card // nil for none
	lesson                string         // that the question is of
}

func (p page) draw(s *frame.Surface, t *theme.Theme, texts *live.Texts) {
	w, h := s.Size()
	width := min(w-4, 76)
	body := s.Sub(frame.Rect{X: (w - width) / 2, Y: 1, W: width, H: h - 2})
	y := 0
	if h >= 20 {
		y = 1
	}
	body.Line(0, y, width-frame.Width(p.aside)-2, frame.L(p.title, t.Title))
	body.Right(width, y, p.aside, t.Muted)
	y += 2
	flow := func(text string, style frame.Style) {
		for _, line := range frame.Wrap(frame.L(text, style), width, 0) {
			body.Line(0, y, width, line)
			y++
		}
	}
	if p.problem != "" {
		flow(p.problem, t.Bad)
		y++
	}
	if p.card == nil {
		flow(p.text, t.Text)
		return
	}
	body.Text(0, y, p.card.Heading(), t.Strong)
	body.Right(width, y, "lesson "+p.lesson, t.Muted)
	y++
	if p.card.Phase == question.Revealed { // the card has only the answer then
		for _, line := range texts.Styled(p.card.Question, t, t.Muted, width) {
			body.Line(0, y, width, line)
			y++
		}
		y++
	}
	laid := p.card.Lay(texts, t, width)
	pane := body.Sub(frame.Rect{X: 0, Y: y, W: width, H: max(0, h-2-y)})
	pane.Rows(laid.Lines, 0)
	laid.Click(pane, 0)
}

// rest is what is said when there is no question.
func (r *Screen) rest() string {
	if !r.come {
		return "Looking up what is due…"
	}
	text := "Nothing is due."
	if r.answered > 0 {
		text = fmt.Sprintf("That was all: %d of %d right.", r.right, r.answered)
	}
	switch {
	case r.next > 0:
		text += " The next question comes in " + rough(r.next) + "."
	case r.answered == 0:
		text += " What you answer in a lesson comes back here: the same day, the next day and after a week."
	}
	return text
}

// rough tells a time to wait as people do.
func rough(d time.Duration) string {
	switch {
	case d < 90*time.Minute:
		return fmt.Sprintf("%d minutes", max(1, int(d.Round(time.Minute).Minutes())))
	case d < 36*time.Hour:
		return fmt.Sprintf("%d hours", int(d.Round(time.Hour).Hours()))
	}
	return fmt.Sprintf("%d days", int((d+12*time.Hour).Hours()/24))
}
