package lessons

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// reader makes a Lesson of one file and gathers its problems.
type reader struct {
	file      string
	problems  *[]error
	beliefs   map[string]bool // IDs of the misconceptions there are
	values    map[string]any  // in place of those that the lesson gives its variables
	dialect   *dialect
	challenge bool
	sentences []sentence // of the texts that explain
}

func (r *reader) add(line, column int, format string, args ...any) {
	*r.problems = append(*r.problems, &Problem{File: r.file, Line: line, Column: column, Message: fmt.Sprintf(format, args...)})
}

// front is a lesson's front matter.
type front struct {
	Format    int            `yaml:"format"`
	ID        string         `yaml:"id"`
	Kind      Kind           `yaml:"kind"`
	Number    int            `yaml:"number"`
	Title     string         `yaml:"title"`
	Summary   string         `yaml:"summary"`
	Minutes   int            `yaml:"minutes"`
	Show      Show           `yaml:"show"` // for every step without its own
	Needs     []string       `yaml:"needs"`
	Modes     []string       `yaml:"modes"`
	Variables map[string]any `yaml:"variables"`
	Level     int            `yaml:"level"`
	Par       *Par           `yaml:"par"`
	Beliefs   []string       `yaml:"beliefs"`
	SolvedBy  string         `yaml:"solved-by"`
}

var idPattern = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// read makes the lesson; nil when even its parts cannot be told. files are the
// manifests of its folder.
func (r *reader) read(text string, files map[string]string) *Lesson {
	raw, rawFiles := text, files
	doc, ok := r.document(text)
	if !ok {
		return nil
	}
	var head front
	r.yaml(doc.front, doc.frontLine, &head)
	if head.Format != Format {
		r.add(1, 0, "format %d: this program reads format %d", head.Format, Format)
		return nil
	}
	head.Variables = r.variables(head.Variables)
	r.dialect = dialectOf(head.Variables)
	if len(head.Variables) > 0 {
		if doc, ok = r.document(fillIn(text, head.Variables)); !ok {
			return nil
		}
		head.Show = Show{}
		var again front // its show, filled in
		r.yaml(doc.front, doc.frontLine, &again)
		head.Show = again.Show
	}
	files = r.folder(files, head.Variables)
	l := r.lesson(&head)
	l.source = source{file: r.file, text: raw, files: rawFiles, beliefs: r.beliefs}
	if len(doc.steps) == 0 {
		r.add(1, 0, `the lesson has no steps: each begins with a "##" heading`)
	}
	ids := map[string]bool{}
	var previous *Step
	for _, s := range doc.steps {
		step := r.step(s, l, head.Show, files, previous)
		if step.ID == "" || ids[step.ID] {
			r.add(s.line, 0, "the title %q does not tell this step from the others", s.title)
		}
		ids[step.ID] = true
		l.Steps = append(l.Steps, step)
		files, previous = step.files, step
	}
	r.whole(l)
	return l
}

func (r *reader) document(text string) (document, bool) {
	doc, problem := parseDocument(text)
	if problem != nil {
		problem.File = r.file
		*r.problems = append(*r.problems, problem)
	}
	return doc, problem == nil
}

// folder fills the manifests of the folder in and checks them.
func (r *reader) folder(files map[string]string, variables map[string]any) map[string]string {
	filled := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		filled[name] = fillIn(files[name], variables)
		(&reader{file: path.Join(path.Dir(r.file), name), problems: r.problems}).manifest(filled[name], 1)
	}
	return filled
}

// lesson makes the lesson of its front matter, without steps.
func (r *reader) lesson(head *front) *Lesson {
	l := &Lesson{
		ID: head.ID, Kind: head.Kind, Number: head.Number, Title: head.Title, Summary: head.Summary, Minutes: head.Minutes,
		Needs: r.needs(head.Needs, 1), Modes: head.Modes, Variables: head.Variables,
		Level: head.Level, Par: head.Par, Beliefs: head.Beliefs, Answers: head.SolvedBy == "answer",
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
	r.phrase(head.Summary, 1)
	for _, mode := range head.Modes {
		if !slices.Contains(modes, mode) {
			r.add(1, 0, "mode %q: want iptables, nftables or ipvs", mode)
		}
	}
	switch head.Kind {
	case "", KindLesson:
		l.Kind = KindLesson
		if head.Level != 0 || head.Par != nil || head.SolvedBy != "" || len(head.Beliefs) > 0 {
			r.add(1, 0, "level, par, beliefs and solved-by are those of a challenge")
		}
	case KindChallenge:
		r.challenge = true
		r.frontOfChallenge(head)
	default:
		r.add(1, 0, "kind %q: want lesson or challenge", head.Kind)
	}
	return l
}

func (r *reader) frontOfChallenge(head *front) {
	if head.Level < 1 || head.Level > 3 {
		r.add(1, 0, "level %d: want 1, 2 or 3", head.Level)
	}
	if head.Par == nil || head.Par.Changes < 0 || head.Par.Looks < 0 {
		r.add(1, 0, "a challenge wants par: {changes: N, looks: N}")
	}
	if head.SolvedBy != "" && head.SolvedBy != "answer" {
		r.add(1, 0, "solved-by %q: want answer, or nothing", head.SolvedBy)
	}
	if len(head.Beliefs) == 0 {
		r.add(1, 0, "a challenge wants beliefs: the misconceptions that its debrief names")
	}
	for _, id := range head.Beliefs {
		r.belief(id, 1)
	}
}

// belief says that a misconception must be in the catalogue.
func (r *reader) belief(id string, line int) {
	if !r.beliefs[id] {
		r.add(line, 0, "belief %q: there is no such misconception in %s", id, beliefsFile)
	}
}

func (r *reader) needs(list []string, line int) []Need {
	var needs []Need
	for _, text := range list {
		need, err := parseNeed(text)
		if err != nil {
			r.add(line, 0, "%v", err)
			continue
		}
		needs = append(needs, need)
	}
	return needs
}

// slug makes an ID of a title: "Three Pods" → "three-pods".
func slug(title string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(title), func(ch rune) bool {
		return !unicode.IsLetter(ch) && !unicode.IsDigit(ch)
	}), "-")
}
