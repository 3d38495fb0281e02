package lessons

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"
)

// step makes one step; files are those of the steps before.
func (r *reader) step(s section, l *Lesson, show Show, files map[string]string, previous *Step) *Step {
	step := &Step{ID: slug(s.title), Title: s.title, Line: s.line, byAnswer: l.Answers, files: maps.Clone(files)}
	if step.files == nil {
		step.files = map[string]string{}
	}
	scoped := slices.ContainsFunc(s.parts, func(p section) bool { return p.title == "Scope" })
	body := r.body(s, "yaml", "sh", "cel")
	step.Story = body.prose
	step.texts.story = r.bounded("the story", step.Story, storyWords, s.line)
	if file := r.onlyFile(body, s.line); file != nil {
		step.File = &File{Name: file.Name, Content: file.Content, Previous: files[file.Name]}
		step.files[file.Name] = file.Content
	}
	if cel := body.cel; cel != nil {
		step.Check, step.check = strings.TrimSpace(cel.text), r.expression(*cel)
	}
	if sh := body.sh; sh != nil {
		step.command, step.Command = r.command(*sh, step.files, scoped), strings.TrimSpace(sh.text)
	}
	p := &stepParts{reader: r, step: step, show: show, files: files, scoped: scoped}
	p.read(s.parts)
	step.Show = p.show
	r.templates(step, s.line)
	if step.Given == nil && previous != nil && !previous.Checked() {
		step.Given = previous.Given
	}
	r.judge(step, l, s.line)
	return step
}

// templates compiles what the panes show.
func (r *reader) templates(step *Step, line int) {
	for _, pane := range step.Show.open() {
		if pane != "endpoints" && pane != "dns" && pane != "path" {
			r.add(line, 0, "open %q: want endpoints, dns or path", pane)
		}
	}
	field := func(what, text string) template {
		t, err := parseTemplate(text, r.dialect, anyText)
		if err != nil {
			r.add(line, 0, "%s %q: %v", what, text, err)
		}
		return t
	}
	for i, text := range []string{step.Show.Service, step.Show.From, step.Show.Name, step.Show.Target} {
		step.show[i] = field("show", text)
	}
	if router := step.Router; router != nil {
		router.from, router.target = field("from", router.From), field("target", router.Target)
	}
}

// stepParts reads the "###" parts of a step.
type stepParts struct {
	*reader
	step   *Step
	show   Show
	files  map[string]string // of the steps before
	scoped bool              // commands may name a namespace
}

// partNames are the parts there are; those of a challenge come last.
var partNames = []string{"Predict", "Read back", "Router", "Hints", "Show", "Given", "Wrong", "Still wrong", "After", "Needs", "Scope",
	"Guard", "Solution", "Debrief"}

// ofChallenge are the parts that only a challenge has.
const ofChallenge = 11

func (p *stepParts) read(parts []section) {
	seen := map[string]bool{}
	for _, part := range parts {
		kind, _, _ := strings.Cut(part.title, ":")
		if seen[kind] && kind != "Wrong" {
			p.add(part.line, 0, "this step has a second %q", kind)
		}
		seen[kind] = true
		at := slices.Index(partNames, kind)
		switch {
		case at < 0:
			p.add(part.line, 0, "%q: want %s", part.title, strings.Join(partNames, ", "))
		case at >= ofChallenge && !p.challenge:
			p.add(part.line, 0, "%q: only a challenge has it", kind)
		default:
			p.part(kind, part)
		}
	}
}

func (p *stepParts) part(kind string, part section) {
	step := p.step
	switch kind {
	case "Predict":
		step.Predict = p.question(part)
	case "Read back":
		step.ReadBack = p.question(part)
	case "Router":
		step.Router = &Router{}
		p.block(part, step.Router)
	case "Hints":
		step.Hints = p.hints(part)
		for _, hint := range step.Hints {
			step.texts.hints = append(step.texts.hints, p.text(hint, part.line))
		}
	case "Show":
		p.block(part, &p.show) // what it does not mention stays
	case "Given":
		step.Given = p.given(part)
	case "Wrong":
		step.Wrong = append(step.Wrong, p.wrong(part))
	case "Still wrong":
		step.Lacks = p.lacks(part)
	case "After":
		step.After = p.body(part).prose
		step.texts.after = p.bounded("the text", step.After, afterWords, part.line)
	case "Needs":
		var list []string
		p.block(part, &list)
		step.Needs = p.needs(list, part.line)
	case "Scope":
		step.Scope = p.scope(part)
	case "Guard":
		step.Guards = p.guards(part)
	case "Solution":
		step.Solution = p.solution(part)
	case "Debrief":
		step.Debrief = p.body(part).prose
		step.texts.debrief = p.bounded("the debrief", step.Debrief, debriefWords, part.line)
	}
}

// block decodes the one block of YAML that a part consists of.
func (p *stepParts) block(s section, out any) bool {
	c := p.body(s, "yaml")
	if c.yaml == nil || len(c.files) > 0 || c.prose != "" {
		p.add(s.line, 0, "want one block of YAML here, and nothing else")
		return false
	}
	p.yaml(quoted(c.yaml.text), c.yaml.line, out)
	return true
}

func (p *stepParts) hints(s section) []string {
	var hints []string
	for _, b := range s.blocks {
		before, items, after := splitList(b)
		if b.fence || before != "" || after != "" {
			p.add(b.line, 0, `want only list items, "- hint"`)
		}
		for _, it := range items {
			if it.text == "" {
				p.add(it.line, 0, "an empty hint")
			}
			hints = append(hints, it.text)
		}
	}
	if len(hints) == 0 {
		p.add(s.line, 0, "there are no hints here")
	}
	return hints
}

func (p *stepParts) given(s section) *Setup {
	c := p.body(s, "sh", "cel")
	g := &Setup{files: p.files}
	if c.sh == nil || c.cel == nil {
		p.add(s.line, 0, "want a block of commands (sh) and one that says when the state is there (cel)")
		return g
	}
	g.commands, g.Commands = p.commands(*c.sh, p.files)
	g.Until, g.until = strings.TrimSpace(c.cel.text), p.expression(*c.cel)
	g.conditions = sync.OnceValue(func() []*expression { return g.until.conditions() })
	return g
}

// commands are those of a block, one a line.
func (p *stepParts) commands(b block, files map[string]string) (parsed []command, lines []string) {
	for i, line := range strings.Split(strings.TrimRight(b.text, "\n"), "\n") {
		if strings.TrimSpace(line) == "" {
			continue
		}
		parsed = append(parsed, p.command(block{text: line, line: b.line + i}, files, p.scoped))
		lines = append(lines, strings.TrimSpace(line))
	}
	return parsed, lines
}

func (p *stepParts) wrong(s section) Wrong {
	files := p.step.files
	c := p.body(s, "yaml", "sh", "cel")
	file := p.onlyFile(c, s.line)
	w := Wrong{Why: c.prose, File: file, files: files}
	if file != nil {
		file.Previous = files[file.Name]
		w.files = maps.Clone(files)
		w.files[file.Name] = file.Content
	}
	if c.sh == nil || c.prose == "" {
		p.add(s.line, 0, "want why it is wrong, and its command (sh)")
		return w
	}
	w.command, w.Command = p.command(*c.sh, w.files, p.scoped), strings.TrimSpace(c.sh.text)
	if c.cel != nil {
		w.Until, w.until = strings.TrimSpace(c.cel.text), p.expression(*c.cel)
	}
	return w
}

func (p *stepParts) scope(s section) *Scope {
	c := p.body(s, "sh")
	scope := &Scope{files: p.step.files}
	if c.sh == nil || strings.Trim(c.prose, ".` ") != "cluster" {
		p.add(s.line, 0, `want the word "cluster", and the commands (sh) that undo what the step changed`)
		return scope
	}
	scope.undo, scope.Undo = p.commands(*c.sh, scope.files)
	return scope
}

func (p *stepParts) solution(s section) *Solution {
	c := p.body(s, "yaml", "sh")
	solution := &Solution{files: maps.Clone(p.step.files)}
	for _, file := range c.files {
		solution.files[file.Name] = file.Content
	}
	if c.sh == nil {
		p.add(s.line, 0, "want the commands (sh) that solve the challenge")
		return solution
	}
	solution.commands, solution.Commands = p.commands(*c.sh, solution.files)
	return solution
}

// condition is one element of a Guard or of what is still wrong.
type condition struct {
	Holds  located `yaml:"holds"`
	Unless located `yaml:"unless"`
	Say    located `yaml:"say"`
}

func (p *stepParts) guards(s section) []Guard {
	var list []condition
	p.block(s, &list)
	guards := make([]Guard, len(list))
	for i, c := range list {
		if c.Holds.text == "" || c.Say.text == "" || c.Unless.text != "" {
			p.add(s.line, 0, "want a list of {holds: CEL, say: SENTENCE}")
			continue
		}
		guards[i] = Guard{Holds: c.Holds.text, Say: c.Say.text, holds: p.locatedCheck(c.Holds), say: p.text(c.Say.text, c.Say.line)}
	}
	return guards
}

// lacking is an element of what is still wrong: with a condition of its own, or a
// sentence alone, which is about the condition of the check at the same place.
type lacking struct {
	condition
	alone bool
}

// UnmarshalYAML implements yaml's construction from a node.
func (l *lacking) UnmarshalYAML(node *yaml.Node) error {
	if l.alone = node.Kind == yaml.ScalarNode; l.alone {
		return l.Say.UnmarshalYAML(node)
	}
	return node.Decode(&l.condition)
}

func (p *stepParts) lacks(s section) []Lack {
	var list []lacking
	p.block(s, &list)
	var conditions []*expression
	if p.step.check != nil && slices.ContainsFunc(list, func(l lacking) bool { return l.alone }) {
		conditions = p.step.check.conditions()
	}
	lacks := make([]Lack, len(list))
	for i, c := range list {
		switch {
		case c.alone && len(conditions) == len(list):
			lacks[i].Unless, lacks[i].unless = strings.TrimSpace(conditions[i].source), conditions[i]
		case c.alone:
			p.add(c.Say.line, 0, "want one sentence for each of the %d conditions of the check", len(conditions))
			continue
		case c.Unless.text == "" || c.Say.text == "" || c.Holds.text != "":
			p.add(s.line, 0, "want a list of sentences, or of {unless: CEL, say: SENTENCE}")
			continue
		default:
			lacks[i].Unless, lacks[i].unless = c.Unless.text, p.locatedCheck(c.Unless)
		}
		lacks[i].Say, lacks[i].say = c.Say.text, p.text(c.Say.text, c.Say.line)
	}
	return lacks
}

func (p *stepParts) locatedCheck(l located) *expression {
	return p.expression(block{text: l.text, line: l.line})
}
