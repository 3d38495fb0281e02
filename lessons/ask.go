package lessons

import (
	"errors"
	"regexp"
)

// questionBlock is a question as a lesson writes it.
type questionBlock struct {
	Question located      `yaml:"question"`
	Choices  []choiceLine `yaml:"choices"`
	Truth    located      `yaml:"truth"`
	Seen     located      `yaml:"seen"`
	Why      located      `yaml:"why"`
}

type choiceLine struct {
	Say    located `yaml:"say"`
	Is     located `yaml:"is"`
	Belief located `yaml:"belief"`
	Help   located `yaml:"help"`
	Slip   bool    `yaml:"slip"`
}

// question reads a Predict or a Read back.
func (p *stepParts) question(s section) *Question {
	var b questionBlock
	if !p.block(s, &b) {
		return nil
	}
	return p.made(b, s.line)
}

// made compiles a question; line is where it stands.
func (p *stepParts) made(b questionBlock, line int) *Question {
	if b.Question.text == "" || b.Truth.text == "" || b.Why.text == "" || len(b.Choices) < 2 || len(b.Choices) > 4 {
		p.add(line, 0, "a question wants question, two to four choices, truth and why")
		return nil
	}
	q := &Question{Text: b.Question.text, Truth: b.Truth.text, Seen: b.Seen.text, Why: b.Why.text}
	q.text = p.bounded("the question", q.Text, questionWords, b.Question.line)
	q.why = p.text(q.Why, b.Why.line)
	q.truth = p.located(b.Truth)
	if q.Seen != "" {
		if q.seen = p.located(b.Seen); q.seen != nil && q.truth != nil && !alike(q.seen.result, q.truth.result) {
			p.add(b.Seen.line, 0, "seen is a %s, and truth a %s", q.seen.result, q.truth.result)
		}
	}
	bare, is := 0, map[string]bool{}
	for _, c := range b.Choices {
		q.Choices = append(q.Choices, p.choice(c, q, line))
		if c.Help.text == "" {
			bare++
		}
		if is[c.Is.text] {
			p.add(max(c.Is.line, line), 0, "a second choice with is: %s", c.Is.text)
		}
		is[c.Is.text] = true
	}
	if bare > 1 {
		p.add(line, 0, "%d choices have no help: only the right one may have none", bare)
	}
	return q
}

func (p *stepParts) choice(c choiceLine, q *Question, line int) Choice {
	made := Choice{Say: c.Say.text, Is: c.Is.text, Belief: c.Belief.text, Help: c.Help.text, Slip: c.Slip}
	if made.Say == "" || made.Is == "" {
		p.add(max(c.Say.line, line), 0, "a choice wants say and is")
		return made
	}
	line = c.Say.line
	made.say, made.help = p.phrase(made.Say, line), p.text(made.Help, max(c.Help.line, line))
	made.is = p.valueOf(c.Is, q.truth)
	switch marked := made.Belief != "" || made.Slip; {
	case made.Belief != "" && made.Slip:
		p.add(line, 0, "a choice shows a belief or is a slip, not both")
	case marked && made.Help == "":
		p.add(line, 0, "a wrong choice wants help: words for who chose it")
	case !marked && made.Help != "":
		p.add(line, 0, "a choice with help wants the belief that it shows, or slip: true")
	}
	if made.Belief != "" {
		p.belief(made.Belief, c.Belief.line)
	}
	return made
}

var plainWords = regexp.MustCompile(`^[A-Za-z][\w .:/-]*$`)

// valueOf compiles what a choice stands for. Words that are no expression are
// a string.
func (p *stepParts) valueOf(l located, truth *expression) *expression {
	e, err := p.dialect.compile(l.text, anyValue)
	if err != nil && plainWords.MatchString(l.text) {
		e, err = p.dialect.compile("'"+l.text+"'", anyValue)
	}
	if err != nil {
		p.failed(block{line: l.line}, err)
		return nil
	}
	if truth != nil && !alike(e.result, truth.result) {
		p.add(l.line, 0, "is: %s is a %s, and truth a %s", l.text, e.result, truth.result)
	}
	return e
}

// located compiles a value.
func (p *stepParts) located(l located) *expression {
	e, err := p.dialect.compile(l.text, anyValue)
	if err != nil {
		p.failed(block{line: l.line}, err)
		return nil
	}
	return e
}

// failed tells a problem of an expression at its place.
func (r *reader) failed(b block, err error) {
	var at *compileError
	if errors.As(err, &at) {
		r.add(b.line+at.line-1, at.column, "%s", at.message)
		return
	}
	r.add(b.line, 0, "%v", err)
}
