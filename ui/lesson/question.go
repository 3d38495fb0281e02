package lesson

import (
	"fmt"

	"svctour/lessons"
	"svctour/ui/frame"
	"svctour/ui/question"
	"svctour/ui/shell"
)

// turn is what the learner is about to do in a step.
type turn int

// The turns of a step, in their order. Most steps leave some out.
const (
	doing       turn = iota // read, look, run the command
	predicting              // say what will happen
	routing                 // say where the packet goes, hop by hop
	revealing               // compare what was said with what happened
	readingBack             // say what was just seen
	over                    // everything was asked
)

// asks says whether a question waits for the learner.
func (t turn) asks() bool { return t == predicting || t == routing || t == readingBack }

// turn gives what the learner is about to do.
func (l *Screen) turn() turn {
	i, step := l.play.Index(), l.play.Step()
	done := l.play.Done(i)
	_, predicted := l.play.Predicted(i)
	_, readBack := l.play.ReadBackOf(i)
	switch {
	case l.gone(), l.leftOut() != "" || l.play.Preparing():
		return doing
	case !done && step.Router != nil && l.route.course != nil:
		return routing
	case !done && l.facts.ask != nil && (!predicted || l.play.Lesson().Answers):
		return predicting
	case !done && !(step.Reads() && l.play.Revealed(i)):
		return doing
	case step.ReadBack == nil || readBack || l.facts.backErr != nil || l.facts.back == nil && l.facts.judged.Position.Done():
		return over
	case predicted && !l.told, l.facts.back == nil:
		return revealing
	}
	return readingBack
}

// asking says whether a question is in sight that waits for the learner.
func (l *Screen) asking() bool { return !l.doctor && l.turn().asks() }

// card is the question that belongs to the present turn; nil when none does.
func (l *Screen) card() *question.Card {
	i := l.play.Index()
	switch t := l.turn(); t {
	case predicting:
		c := waiting("Predict", l.facts.ask)
		if c.Pick, c.Tried = l.pick, l.tried; l.pick >= 0 {
			c.Phase = question.Unsure
		}
		return c
	case readingBack:
		return waiting("Read back", l.facts.back)
	case routing:
		return l.route.card()
	case over:
		if a, ok := l.play.ReadBackOf(i); ok {
			return answered(a, question.Revealed)
		}
		fallthrough
	default:
		a, ok := l.play.Predicted(i)
		switch {
		case ok && l.play.Revealed(i):
			return answered(a, question.Revealed)
		case ok && !l.play.Lesson().Answers:
			return answered(a, question.Kept)
		}
	}
	return nil
}

// waiting is a question that waits for its answer.
func waiting(label string, a *lessons.Asked) *question.Card {
	c := cardOf(a)
	c.Label = label
	return c
}

// answered is a question whose answer is known.
func answered(a lessons.Answered, phase question.Phase) *question.Card {
	c := cardOf(a.Asked)
	c.Phase, c.Pick = phase, a.Choice
	switch a.Sure {
	case lessons.Sure:
		c.Confidence = question.Sure
	case lessons.Guess:
		c.Confidence = question.Guess
	}
	switch {
	case a.Seen == "" || a.SeenAs == a.Asked.Right:
	case a.SeenAs >= 0:
		c.Seen = a.Asked.Choices[a.SeenAs]
	default:
		c.Seen = a.Seen
	}
	return c
}

func cardOf(a *lessons.Asked) *question.Card {
	c := &question.Card{Question: a.Question, Why: a.Why, Pick: -1}
	for i, say := range a.Choices {
		c.Choices = append(c.Choices, question.Choice{Say: say, Help: a.Help[i], Right: i == a.Right})
	}
	return c
}

// answerActions are what can be done about the question in sight.
func (l *Screen) answerActions() []shell.Action {
	if !l.asking() {
		return nil
	}
	verb := map[turn]string{predicting: "predict", routing: "pick", readingBack: "answer"}[l.turn()]
	if l.play.Lesson().Answers {
		verb = "answer"
	}
	return l.card().Actions(verb)
}

// answer takes a choice in.
func (l *Screen) answer(n int) shell.Intent {
	card := l.card()
	if !l.asking() || n < 0 || n >= len(card.Choices) {
		return nil
	}
	switch l.turn() {
	case routing:
		l.route.pick(n)
	case readingBack:
		l.play.AnswerBack(l.facts.back, n)
		return shell.Save{Progress: l.play.Progress()}
	case predicting:
		if l.play.Lesson().Answers {
			return l.conclude(n)
		}
		l.pick = n // until it is known how sure the learner is
	}
	return nil
}

// confide keeps the prediction, and how sure the learner is of it.
func (l *Screen) confide(sure bool) shell.Intent {
	if l.turn() != predicting || l.pick < 0 {
		return nil
	}
	l.play.Answer(l.facts.ask, l.pick)
	l.play.Sure(sure)
	l.pick = -1
	return shell.Save{Progress: l.play.Progress()}
}

// unasked is why the step does not go on before its question was answered; "" when
// it does, as in a challenge whose request may be sent at any time.
func (l *Screen) unasked() string {
	switch t := l.turn(); {
	case !t.asks(), t == routing && l.route.picked, t == predicting && l.play.Lesson().Answers:
		return ""
	case t == predicting && l.pick >= 0:
		return "first say how sure you are: s or g"
	case t == predicting:
		return "first say what you expect, by its number"
	case t == routing:
		return "first say where the packet goes, by its number"
	}
	return "first say what you saw, by its number"
}

// veiled says whether the panes would tell what the learner is asked: until it has
// happened, or the learner has sent a packet to see it.
func (l *Screen) veiled() bool {
	i := l.play.Index()
	_, predicted := l.play.Predicted(i)
	switch now := l.turn(); {
	case now == predicting, now == routing:
		return !l.play.Lesson().Answers
	case l.challenge():
		return false
	}
	return predicted && !l.play.Revealed(i) && l.ran == "" && !l.sent
}

// noticeLines lay out what asks for attention in w columns.
func (d *drawing) noticeLines(w int) notice {
	l, t := d.Screen, d.t
	n := notice{style: t.Title}
	if l.gone() {
		d.goneNotice(&n, w)
		return n
	}
	if why := l.leftOut(); why != "" {
		n.heading, n.style = "Left out here", t.Warn
		if l.bringable() {
			n.heading = "Not here yet"
			why = fmt.Sprintf("This step needs the add-on %s. ⏎ starts it in the lab, as `svctour lab addon enable %[1]s` does.", l.facts.lacks.Name)
		}
		n.add(frame.Wrap(frame.L(why, t.Text), w, 0)...)
		if l.notBrought != "" {
			n.add(frame.Wrap(frame.L(l.notBrought, t.Bad), w, 0)...)
		}
		return n
	}
	if card := l.card(); card != nil {
		n.heading = card.Heading()
		if l.turn() == routing {
			n.heading, card.Before = card.Label, l.route.where(t)
		}
		n.laid = card.Lay(l.texts, t, w)
	}
	switch done := l.play.Done(l.play.Index()); {
	case l.play.Lesson().Kind == lessons.KindChallenge:
		d.challengeNotice(&n, w)
	case done:
		d.doneNotice(&n, w)
	case l.lacks():
		n.heading, n.style = "Not yet", t.Warn
		n.laid.Lines = append(d.lackingLines(w), n.laid.Lines...)
	}
	if l.problem != "" {
		if n.heading == "" {
			n.heading, n.style = "Something is not as it should be", t.Bad
		}
		n.gap()
		n.add(frame.Wrap(frame.L(l.problem, t.Bad), w, 0)...)
	}
	return n
}

// doneNotice is what there is to say once the step is done.
func (d *drawing) doneNotice(n *notice, w int) {
	l, t := d.Screen, d.t
	now, step := l.turn(), l.play.Step()
	if walked, ok := l.play.WalkedAt(l.play.Index()); ok {
		n.add(d.walked(w, walked)...)
	}
	if now != readingBack && !(step.Reads() && n.heading != "") {
		n.heading, n.style = t.Glyph.Check+" "+l.doneBy(), t.Good.With(t.Strong)
	}
	if after := l.words().After; now == over && after != "" {
		n.gap()
		n.add(l.texts.Story(after, t, w)...)
	}
	if len(n.laid.Lines) == 0 { // a heading alone is not drawn
		n.add(frame.L(t.Glyph.Enter+" leads on.", t.Muted))
	}
}

// doneBy says that the step is done, and by what that is known.
func (l *Screen) doneBy() string {
	switch {
	case l.play.ByWord():
		return "Done, by your word."
	case l.play.Step().Checked():
		return "Done. The cluster shows it."
	}
	return "Done."
}

// lacks says whether something was tried in vain, and it is known what lacks.
func (l *Screen) lacks() bool { return l.attempted && l.running == "" && len(l.facts.lacking) > 0 }

// lackingLines say what is still wrong, and not how it is put right.
func (d *drawing) lackingLines(w int) frame.Lines {
	var lines frame.Lines
	for _, say := range d.facts.lacking {
		for i, row := range d.texts.Story(say, d.t, w-2) {
			mark := frame.L(d.t.Glyph.Dot+" ", d.t.Warn)
			if i > 0 {
				mark = frame.L("  ", d.t.Warn)
			}
			lines = append(lines, append(mark, row...))
		}
	}
	return lines
}
