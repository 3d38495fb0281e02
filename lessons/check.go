package lessons

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// judge says what a step lacks, or has too much.
func (r *reader) judge(step *Step, l *Lesson, line int) {
	r.judgeQuestions(step, line)
	lab := slices.ContainsFunc(slices.Concat(l.Needs, step.Needs), func(n Need) bool { return n.Kind == NeedLab })
	if step.Scope != nil && !lab {
		r.add(line, 0, "a step with a Scope changes what others use: it needs lab")
	}
	if step.Router != nil {
		if step.Command != "" || step.Check != "" || step.Predict != nil {
			r.add(line, 0, "a Router step has no command, no check and no other question")
		}
		if step.Given == nil {
			r.add(line, 0, "a Router step needs a Given: its start state")
		}
	}
	if r.challenge {
		r.judgeChallenge(step, line)
		return
	}
	if step.Check == "" {
		if len(step.Wrong) > 0 {
			r.add(line, 0, "a step without a check cannot be done wrongly")
		}
		if len(step.Lacks) > 0 {
			r.add(line, 0, "a step without a check waits for nothing")
		}
		return
	}
	if step.Command == "" {
		r.add(line, 0, "a step with a check needs the command that makes it true")
	}
	if len(step.Hints) == 0 {
		r.add(line, 0, "a step with a check needs at least one hint")
	}
	if len(step.Wrong) == 0 {
		r.add(line, 0, "a step with a check needs at least one Wrong, to show that the check rejects it")
	}
	if step.Given == nil {
		r.add(line, 0, "a step with a check needs a Given: its start state")
	}
}

func (r *reader) judgeQuestions(step *Step, line int) {
	if q := step.Predict; q != nil {
		switch {
		case step.Command == "" && q.Seen != "":
			r.add(line, 0, "a step without a command shows nothing new: its Predict has no seen")
		case step.Command != "" && !step.byAnswer && q.Seen == "":
			r.add(line, 0, "the Predict of a step with a command wants seen: what the cluster then did")
		}
	}
	if q := step.ReadBack; q != nil && q.Seen != "" {
		r.add(line, 0, "a Read back is about what was seen already: it has no seen")
	}
}

// judgeChallenge says what the one step of a challenge lacks.
func (r *reader) judgeChallenge(step *Step, line int) {
	lacking := func(missing bool, what string) {
		if missing {
			r.add(line, 0, "a challenge %s", what)
		}
	}
	lacking(step.Given == nil, "needs a Given: its broken start state")
	lacking(step.Command == "", "needs a command: the request that has to succeed")
	lacking(step.Debrief == "", "needs a Debrief")
	lacking(len(step.Hints) != 3, "has three hints: where to look, what to look at, what it means")
	lacking(step.Router != nil || step.File != nil || step.After != "", "has no Router, no manifest to show and no After")
	if step.byAnswer {
		lacking(step.Predict == nil, "that is solved by its answer needs a Predict")
		lacking(step.Check != "" || step.Solution != nil || len(step.Guards) > 0 || len(step.Wrong) > 0,
			"that is solved by its answer has no check, no Guard, no Wrong and no Solution")
		return
	}
	lacking(step.check == nil || !step.check.answered, "needs a check with answered in it: the request has to succeed")
	lacking(step.Solution == nil, "needs a Solution")
	lacking(len(step.Wrong) < 2, "needs at least two Wrong")
}

// whole says what is wrong with the lesson as a whole.
func (r *reader) whole(l *Lesson) {
	if r.challenge && len(l.Steps) != 1 {
		r.add(1, 0, "a challenge has one step, this one has %d", len(l.Steps))
	}
	if m := median(r.sentences); m > medianWords {
		r.add(1, 0, "half of the sentences have %d words or more: want at most %d", m, medianWords)
	}
	wrong, slips := 0, 0
	for _, q := range questionsOf(l) {
		for _, c := range q.Choices {
			if c.Slip {
				slips++
			}
			if c.Slip || c.Belief != "" {
				wrong++
			}
		}
	}
	if slips*3 > wrong {
		r.add(1, 0, "%d of %d wrong choices are slips: want at most one in three", slips, wrong)
	}
	l.sentences = r.sentences
}

// questionsOf gives every question of a lesson.
func questionsOf(l *Lesson) []*Question {
	var list []*Question
	for _, step := range l.Steps {
		for _, q := range []*Question{step.Predict, step.ReadBack} {
			if q != nil {
				list = append(list, q)
			}
		}
	}
	return list
}

// contents is what the blocks of a section hold.
type contents struct {
	prose string
	files []*File
	sh    *block
	cel   *block
	yaml  *block // without a file name
}

// body sorts the blocks of a section: fences of the given languages are data,
// every other block is prose.
func (r *reader) body(s section, data ...string) contents {
	var c contents
	var prose strings.Builder
	for i := range s.blocks {
		b := &s.blocks[i]
		language, name, _ := strings.Cut(b.info, " ")
		if !b.fence || !slices.Contains(data, language) {
			prose.WriteString(b.raw)
			continue
		}
		name = strings.TrimSpace(name)
		second := false
		switch {
		case language == "sh":
			second, c.sh = c.sh != nil, b
		case language == "cel":
			second, c.cel = c.cel != nil, b
		case name == "":
			second, c.yaml = c.yaml != nil, b
		default:
			if !isManifest(name) || strings.ContainsAny(name, "/\\ ") {
				r.add(b.line-1, 0, "file %q: want a plain name that ends in .yaml", name)
			}
			r.manifest(b.text, b.line)
			c.files = append(c.files, &File{Name: name, Content: b.text})
		}
		if second {
			r.add(b.line-1, 0, "a second %q block: there can be one here", language)
		}
	}
	c.prose = strings.TrimSpace(prose.String())
	return c
}

// onlyFile is the one manifest of a section.
func (r *reader) onlyFile(c contents, line int) *File {
	switch len(c.files) {
	case 0:
		return nil
	case 1:
		return c.files[0]
	}
	r.add(line, 0, "a second manifest: there can be one here")
	return c.files[0]
}

// flagsOfPlay are the flags that the program that runs the commands sets.
var flagsOfPlay = regexp.MustCompile(`^(-n|--namespace|--context|--cluster|--kubeconfig|-s|--server|--user|--token|-A|--all-namespaces)(=.*)?$`)

// namespaceFlag is one that a step may set which changes more than its namespace.
var namespaceFlag = regexp.MustCompile(`^(-n|--namespace)(=.*)?$`)

// command checks a command of one line, and that its file exists. In a step with
// a Scope it may name a namespace.
func (r *reader) command(b block, files map[string]string, scoped bool) command {
	text := strings.TrimSpace(b.text)
	if strings.Contains(text, "\n") {
		r.add(b.line, 0, "want one command of one line")
		return command{text: text}
	}
	c, err := parseCommand(text, r.dialect)
	if err != nil {
		r.add(b.line, 0, "%v", err)
		return c
	}
	args := make([]string, 0, len(c.words))
	for _, w := range c.words[1:] {
		arg, _ := w.constant()
		if arg == "--" { // what follows is the program's, in a Pod
			break
		}
		if flagsOfPlay.MatchString(arg) && !(scoped && namespaceFlag.MatchString(arg)) {
			r.add(b.line, 0, "%s: the cluster and the namespace are chosen by whoever plays the lesson", arg)
		}
		args = append(args, arg)
	}
	at, _, name, err := manifestArg(args)
	if err != nil {
		r.add(b.line, 0, "%v", err)
	} else if at >= 0 {
		if _, ok := files[strings.TrimPrefix(name, "./")]; !ok {
			r.add(b.line, 0, "there is no file %q at this step%s", name, listing(slices.Sorted(maps.Keys(files))))
		}
	}
	return c
}

func (r *reader) expression(b block) *expression {
	e, err := r.dialect.compile(strings.TrimRight(b.text, "\n"), aBool)
	if err != nil {
		r.failed(b, err)
	}
	return e
}
