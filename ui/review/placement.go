package review

import (
	"fmt"

	"svctour/lessons"
	"svctour/lessons/review"
	"svctour/ui/frame"
	"svctour/ui/live"
	"svctour/ui/question"
	"svctour/ui/shell"
	"svctour/ui/theme"
)

// Placement asks the questions that tell whether a lesson can be skipped.
type Placement struct {
	lesson  *lessons.Lesson
	texts   *live.Texts
	began   bool // the questions were asked for
	asked   []*review.Asked
	answers []shell.AnswerReview
	card    question.Card // the one after the answers, or the last until it is left
	sent    bool          // the answers are being judged
	result  *review.Placement
	problem string // why nothing can be asked or kept
}

// NewPlacement makes the screen. It asks for its questions once it is shown.
func NewPlacement(l *lessons.Lesson) *Placement { return &Placement{lesson: l, texts: live.NewTexts()} }

// asking says whether a question is shown.
func (p *Placement) asking() bool { return len(p.asked) > 0 && p.result == nil }

// Actions implements shell.Screen.
func (p *Placement) Actions() []shell.Action {
	var actions []shell.Action
	switch {
	case p.asking():
		actions = asking(&p.card, p.onward())
	case p.result != nil && !p.result.Skip, p.problem != "":
		actions = append(actions, shell.Action{ID: "open", Keys: []string{"enter"}, Title: "begin", Help: "begin the lesson"})
	case p.result != nil:
		actions = append(actions, shell.Action{ID: "contents", Keys: []string{"enter"}, Title: "go on", Help: "to the list, at the lesson after it"})
	}
	return append(actions,
		shell.Action{ID: "contents", Keys: []string{"esc"}, Title: "lessons"},
		shell.Action{ID: "quit", Keys: []string{"q"}, Title: "quit"},
	)
}

// onward is where the key after an answer leads.
func (p *Placement) onward() string {
	if len(p.answers) == len(p.asked) {
		return "result"
	}
	return "next"
}

// Do implements shell.Screen.
func (p *Placement) Do(id string, n int) shell.Intent {
	switch id {
	case question.AnswerID:
		if p.asking() && p.card.Waits() && n >= 0 && n < len(p.card.Choices) {
			p.card.Pick, p.card.Phase = n, question.Unsure
		}
	case question.ConfidenceID:
		if p.asking() && p.card.Phase == question.Unsure {
			p.card.Confidence, p.card.Phase = question.Confidence(n), question.Revealed
			p.answers = append(p.answers, shell.AnswerReview{Asked: p.asked[len(p.answers)], Choice: p.card.Pick, Sure: question.Confidence(n) == question.Sure})
		}
	case "next":
		switch {
		case !p.asking() || p.card.Phase != question.Revealed || p.sent:
		case len(p.answers) < len(p.asked):
			p.card = cardOf(p.asked[len(p.answers)])
		default:
			p.sent = true
			return shell.AnswerPlacement{Lesson: p.lesson.ID, Answers: p.answers}
		}
	case "open":
		return shell.Open{Lesson: p.lesson.ID}
	case "contents":
		return shell.Contents{}
	case "quit":
		return shell.Quit{}
	}
	return nil
}

// Handle implements shell.Screen.
func (p *Placement) Handle(msg any) shell.Intent {
	if _, shown := msg.(shell.Size); shown && !p.began {
		p.began = true
		return shell.AskPlacement{Lesson: p.lesson.ID}
	}
	news, ok := msg.(shell.PlacementNews)
	if !ok {
		return nil
	}
	p.problem, p.sent = news.Err, false
	if news.Result != nil {
		p.result = news.Result
	} else if len(news.Asked) > 0 && p.asked == nil {
		p.asked, p.card = news.Asked, cardOf(news.Asked[0])
	}
	return nil
}

// Animating implements shell.Screen.
func (p *Placement) Animating() bool { return false }

// Draw implements shell.Screen.
func (p *Placement) Draw(s *frame.Surface, t *theme.Theme) {
	pg := page{title: fmt.Sprintf("Do you know lesson %d, %s?", p.lesson.Number, p.lesson.Title), problem: p.problem}
	switch at := len(p.answers); {
	case p.asking():
		if p.card.Phase == question.Revealed {
			at--
		}
		pg.aside, pg.lesson, pg.card = fmt.Sprintf("%d of %d", at+1, len(p.asked)), p.lesson.ID, &p.card
	case p.result != nil:
		pg.text = p.verdict()
	case p.problem == "":
		pg.text = "Looking up the questions…"
	}
	pg.draw(s, t, p.texts)
}

// verdict tells what the answers came to.
func (p *Placement) verdict() string {
	text := fmt.Sprintf("%d of %d right. ", p.result.Right, p.result.Asked)
	if p.result.Skip {
		return text + "You know this lesson and may skip it. It stays in the list, and its questions come back in the review."
	}
	return text + "This lesson has something for you."
}
