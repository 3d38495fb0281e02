package lessons

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"

	"go.yaml.in/yaml/v4"
)

// Limits of texts, in words, so that a step fits its pane on a projector.
const (
	storyWords = 90
	afterWords = 70
)

// reader makes a Lesson of one file and gathers its problems.
type reader struct {
	file     string
	problems *[]error
}

func (r *reader) add(line, column int, format string, args ...any) {
	*r.problems = append(*r.problems, &Problem{File: r.file, Line: line, Column: column, Message: fmt.Sprintf(format, args...)})
}

// front is a lesson's front matter.
type front struct {
	Format  int    `yaml:"format"`
	ID      string `yaml:"id"`
	Number  int    `yaml:"number"`
	Title   string `yaml:"title"`
	Summary string `yaml:"summary"`
	Minutes int    `yaml:"minutes"`
	Show    Show   `yaml:"show"` // for every step without its own
}

var idPattern = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// read makes the lesson; nil when even its parts cannot be told.
func (r *reader) read(text string, files map[string]string) *Lesson {
	doc, problem := parseDocument(text)
	if problem != nil {
		problem.File = r.file
		*r.problems = append(*r.problems, problem)
		return nil
	}
	var head front
	r.yaml(doc.front, doc.frontLine, &head)
	if head.Format != Format {
		r.add(1, 0, "format %d: this program reads format %d", head.Format, Format)
		return nil
	}
	switch dir := path.Dir(r.file); {
	case !idPattern.MatchString(head.ID):
		r.add(1, 0, "id %q: want lower-case letters, digits and single dashes", head.ID)
	case dir != "." && head.ID != dir:
		r.add(1, 0, "id %q: want the name of its folder, %q", head.ID, dir)
	}
	if head.Number < 1 || head.Minutes < 1 || head.Title == "" || head.Summary == "" {
		r.add(1, 0, "the front matter wants number and minutes from 1, a title and a summary")
	}
	if len(doc.steps) == 0 {
		r.add(1, 0, `the lesson has no steps: each begins with a "##" heading`)
	}
	l := &Lesson{ID: head.ID, Number: head.Number, Title: head.Title, Summary: head.Summary, Minutes: head.Minutes}
	ids := map[string]bool{}
	var previous *Step
	for _, s := range doc.steps {
		step := r.step(s, head.Show, files, previous)
		if step.ID == "" || ids[step.ID] {
			r.add(s.line, 0, "the title %q does not tell this step from the others", s.title)
		}
		ids[step.ID] = true
		l.Steps = append(l.Steps, step)
		files, previous = step.files, step
	}
	return l
}

// step makes one step; files are those of the steps before.
func (r *reader) step(s section, show Show, files map[string]string, previous *Step) *Step {
	step := &Step{ID: slug(s.title), Title: s.title, Line: s.line, files: maps.Clone(files)}
	if step.files == nil {
		step.files = map[string]string{}
	}
	body := r.body(s, "yaml", "sh", "cel")
	step.Story = body.prose
	if n := words(step.Story); n == 0 || n > storyWords {
		r.add(s.line, 0, "the story has %d words: want 1 to %d", n, storyWords)
	}
	if body.file != nil {
		step.File = &File{Name: body.file.Name, Content: body.file.Content, Previous: files[body.file.Name]}
		step.files[step.File.Name] = step.File.Content
	}
	if cel := body.cel; cel != nil {
		step.Check, step.check = strings.TrimSpace(cel.text), r.expression(*cel)
	}
	parts := map[string]int{}
	for _, part := range s.parts {
		kind, _, _ := strings.Cut(part.title, ":")
		if parts[kind]++; parts[kind] > 1 && kind != "Wrong" {
			r.add(part.line, 0, "this step has a second %q", kind)
		}
		switch kind {
		case "Predict":
			step.Predict = r.prediction(part)
		case "Hints":
			step.Hints = r.hints(part)
		case "After":
			step.After = r.body(part).prose
			if n := words(step.After); n == 0 || n > afterWords {
				r.add(part.line, 0, "the text has %d words: want 1 to %d", n, afterWords)
			}
		case "Show":
			show = r.showOf(part, show)
		case "Given":
			step.Given = r.given(part, files)
		case "Wrong":
			step.Wrong = append(step.Wrong, r.wrong(part, step.files))
		default:
			r.add(part.line, 0, "%q: want Predict, Hints, Show, Given, Wrong or After", part.title)
		}
	}
	step.Show = show
	for _, pane := range show.open() {
		if pane != "endpoints" && pane != "dns" && pane != "path" {
			r.add(s.line, 0, "open %q: want endpoints, dns or path", pane)
		}
	}
	for i, text := range []string{show.Service, show.From, show.Name, show.Target} {
		t, err := parseTemplate(text)
		if err != nil {
			r.add(s.line, 0, "show %q: %v", text, err)
		}
		step.show[i] = t
	}
	if sh := body.sh; sh != nil {
		step.command, step.Command = r.command(*sh, step.files), strings.TrimSpace(sh.text)
	}
	if step.Given == nil && previous != nil && !previous.Checked() {
		step.Given = previous.Given
	}
	r.judge(step, s.line)
	return step
}

// judge says what a step lacks.
func (r *reader) judge(step *Step, line int) {
	if step.Check == "" {
		if len(step.Wrong) > 0 {
			r.add(line, 0, "a step without a check cannot be done wrongly")
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

// contents is what the blocks of a section hold.
type contents struct {
	prose string
	file  *File
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
			second = c.file != nil
			if !isManifest(name) || strings.ContainsAny(name, "/\\ ") {
				r.add(b.line-1, 0, "file %q: want a plain name that ends in .yaml", name)
			}
			r.manifest(b.text, b.line)
			c.file = &File{Name: name, Content: b.text}
		}
		if second {
			r.add(b.line-1, 0, "a second %q block: there can be one here", language)
		}
	}
	c.prose = strings.TrimSpace(prose.String())
	return c
}

func (r *reader) prediction(s section) *Prediction {
	p := &Prediction{Answer: -1}
	for _, b := range s.blocks {
		question, items, why := splitList(b)
		p.Question, p.Why = question, why
		for _, it := range items {
			box, text, ok := strings.Cut(it.text, "]")
			if !ok || box != "[ " && box != "[x" {
				r.add(it.line, 0, `want "- [ ] choice", or "- [x] choice" for the right one`)
				continue
			}
			if box == "[x" {
				if p.Answer >= 0 {
					r.add(it.line, 0, "a second right choice")
				}
				p.Answer = len(p.Choices)
			}
			p.Choices = append(p.Choices, strings.TrimSpace(text))
		}
	}
	if len(s.blocks) != 1 || p.Question == "" || p.Why == "" || len(p.Choices) < 2 || len(p.Choices) > 4 || p.Answer < 0 || slices.Contains(p.Choices, "") {
		r.add(s.line, 0, "a prediction wants a question, two to four choices with one of them right, and why")
	}
	return p
}

func (r *reader) hints(s section) []string {
	var hints []string
	for _, b := range s.blocks {
		before, items, after := splitList(b)
		if b.fence || before != "" || after != "" {
			r.add(b.line, 0, `want only list items, "- hint"`)
		}
		for _, it := range items {
			if it.text == "" {
				r.add(it.line, 0, "an empty hint")
			}
			hints = append(hints, it.text)
		}
	}
	if len(hints) == 0 {
		r.add(s.line, 0, "there are no hints here")
	}
	return hints
}

func (r *reader) showOf(s section, inherited Show) Show {
	c := r.body(s, "yaml")
	if c.yaml == nil || c.file != nil || c.prose != "" {
		r.add(s.line, 0, "want one block of YAML with service, from, name, target")
		return inherited
	}
	r.yaml(c.yaml.text, c.yaml.line, &inherited) // what it does not mention stays
	return inherited
}

func (r *reader) given(s section, files map[string]string) *Setup {
	c := r.body(s, "sh", "cel")
	g := &Setup{files: files}
	if c.sh == nil || c.cel == nil {
		r.add(s.line, 0, "want a block of commands (sh) and one that says when the state is there (cel)")
		return g
	}
	for i, line := range strings.Split(strings.TrimRight(c.sh.text, "\n"), "\n") {
		if strings.TrimSpace(line) == "" {
			continue
		}
		parsed := r.command(block{text: line, line: c.sh.line + i}, files)
		g.commands, g.Commands = append(g.commands, parsed), append(g.Commands, strings.TrimSpace(line))
	}
	g.Until, g.until = strings.TrimSpace(c.cel.text), r.expression(*c.cel)
	g.conditions = sync.OnceValue(func() []*expression { return g.until.conditions() })
	return g
}

func (r *reader) wrong(s section, files map[string]string) Wrong {
	c := r.body(s, "yaml", "sh", "cel")
	w := Wrong{Why: c.prose, File: c.file, files: files}
	if c.file != nil {
		c.file.Previous = files[c.file.Name]
		w.files = maps.Clone(files)
		w.files[c.file.Name] = c.file.Content
	}
	if c.sh == nil || c.prose == "" {
		r.add(s.line, 0, "want why it is wrong, and its command (sh)")
		return w
	}
	w.command, w.Command = r.command(*c.sh, w.files), strings.TrimSpace(c.sh.text)
	if c.cel != nil {
		w.Until, w.until = strings.TrimSpace(c.cel.text), r.expression(*c.cel)
	}
	return w
}

// flagsOfPlay are the flags that the program that runs the commands sets.
var flagsOfPlay = regexp.MustCompile(`^(-n|--namespace|--context|--cluster|--kubeconfig|-s|--server|--user|--token|-A|--all-namespaces)(=.*)?$`)

// command checks a command of one line, and that its file exists.
func (r *reader) command(b block, files map[string]string) command {
	text := strings.TrimSpace(b.text)
	if strings.Contains(text, "\n") {
		r.add(b.line, 0, "want one command of one line")
		return command{text: text}
	}
	c, err := parseCommand(text, true)
	if err != nil {
		r.add(b.line, 0, "%v", err)
		return c
	}
	args := make([]string, 0, len(c.words))
	for _, w := range c.words[1:] {
		arg, _ := w.constant()
		if flagsOfPlay.MatchString(arg) {
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
	e, err := compile(strings.TrimRight(b.text, "\n"), aBool)
	var at *compileError
	switch {
	case errors.As(err, &at):
		r.add(b.line+at.line-1, at.column, "%s", at.message)
	case err != nil:
		r.add(b.line, 0, "%v", err)
	}
	return e
}

// manifest checks that every document of a manifest is a Kubernetes object
// without a namespace of its own. line is where the text begins.
func (r *reader) manifest(text string, line int) {
	loader, err := yaml.NewLoader(strings.NewReader(strings.Repeat("\n", line-1) + text))
	if err != nil {
		r.add(line, 0, "%v", err)
		return
	}
	objects := 0
	for {
		var node yaml.Node
		if err := loader.Load(&node); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			r.yamlError(line, err)
			return
		}
		var object struct {
			APIVersion string `yaml:"apiVersion"`
			Kind       string `yaml:"kind"`
			Metadata   struct {
				Name      string `yaml:"name"`
				Namespace string `yaml:"namespace"`
			} `yaml:"metadata"`
		}
		if err := node.Decode(&object); err != nil {
			r.yamlError(line, err)
			return
		}
		objects++
		switch m := object.Metadata; {
		case object.APIVersion == "" || object.Kind == "" || m.Name == "":
			r.add(max(node.Line, line), 0, "want a Kubernetes object with apiVersion, kind and metadata.name")
		case m.Namespace != "":
			r.add(max(node.Line, line), 0, "metadata.namespace: the namespace is chosen by whoever plays the lesson")
		}
	}
	if objects == 0 {
		r.add(line, 0, "the manifest is empty")
	}
}

// yaml reads one document, all of whose fields must be known.
func (r *reader) yaml(text string, line int, out any) {
	padded := strings.Repeat("\n", line-1) + text // so that its errors count the file's lines
	if err := yaml.Load([]byte(padded), out, yaml.WithKnownFields()); err != nil {
		r.yamlError(line, err)
	}
}

func (r *reader) yamlError(line int, err error) {
	var many *yaml.LoadErrors
	var one *yaml.LoadError
	switch {
	case errors.As(err, &many) && len(many.Errors) > 0:
		for _, e := range many.Errors {
			r.add(max(e.Mark.Line, line), 0, "%s", e.Message)
		}
	case errors.As(err, &one):
		r.add(max(one.Mark.Line, line), 0, "%s", one.Message)
	default:
		r.add(line, 0, "%v", err)
	}
}

func words(s string) int { return len(strings.Fields(s)) }

// slug makes an ID of a title: "Three Pods" → "three-pods".
func slug(title string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(title), func(ch rune) bool {
		return !unicode.IsLetter(ch) && !unicode.IsDigit(ch)
	}), "-")
}
