package review

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"svctour/lessons"
	"svctour/model"
)

// Format is the version of the bank's format that this package reads.
const Format = 1

// maxSurfaces bounds the combinations of one question's variables: all of them
// are proved.
const maxSurfaces = 64

// MakeWorld makes a snapshot of manifests, as a cluster would have it once its
// controllers have answered, with kube-proxy in a mode ("" means its default).
// Package lessons knows no Kubernetes: whoever does gives this function.
type MakeWorld func(manifests, mode string) (*model.Snapshot, error)

// Bank is a set of questions. It is immutable once loaded.
type Bank struct {
	Questions []*Question

	base   string            // manifests that every world has
	worlds map[string]string // manifests by name
}

// Question is one question of the bank, which can be asked in several surfaces.
type Question struct {
	ID     string
	Lesson string   // the lesson that it belongs to
	About  []string // ids of the misconceptions among its choices

	bank     *Bank
	text     lessons.QuestionText
	mode     string // a template: which mode kube-proxy has
	world    string // a template of manifests
	surfaces []Surface
}

// Surface is one way to ask a question: a value for each of its variables.
type Surface struct {
	Key    string // "name=web n=3"; "" without variables
	Values map[string]any
}

// Surfaces gives every way to ask the question, at least two.
func (q *Question) Surfaces() []Surface { return q.surfaces }

// Namespace is where the objects of a world are that name no namespace.
const Namespace = "shop"

// file is what the bank's file holds.
type file struct {
	Format    int               `yaml:"format"`
	Base      string            `yaml:"base"`
	Worlds    map[string]string `yaml:"worlds"`
	Questions []item            `yaml:"questions"`
}

// item is one question in the file.
type item struct {
	ID        string           `yaml:"id"`
	Lesson    string           `yaml:"lesson"`
	Variables map[string][]any `yaml:"variables"`
	World     string           `yaml:"world"` // the name of one of the worlds
	Mode      string           `yaml:"mode"`

	lessons.QuestionText `yaml:",inline"`
}

// Load reads a bank. The error joins everything that is wrong with it.
func Load(data []byte) (*Bank, error) {
	var f file
	if err := yaml.Load(data, &f, yaml.WithKnownFields()); err != nil {
		return nil, fmt.Errorf("read the questions: %w", err)
	}
	if f.Format != Format {
		return nil, fmt.Errorf("read the questions: format %d: this program reads format %d", f.Format, Format)
	}
	b := &Bank{base: f.Base, worlds: f.Worlds}
	var problems []error
	seen := map[string]bool{}
	for i := range f.Questions {
		it := &f.Questions[i]
		q, err := b.question(it)
		if err == nil && seen[it.ID] {
			err = errors.New("another question has this id")
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("question %q: %w", it.ID, err))
			continue
		}
		seen[it.ID] = true
		b.Questions = append(b.Questions, q)
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return b, nil
}

var idPattern = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

func (b *Bank) question(it *item) (*Question, error) {
	q := &Question{ID: it.ID, Lesson: it.Lesson, bank: b, text: it.QuestionText, mode: it.Mode}
	if !idPattern.MatchString(it.ID) || !idPattern.MatchString(it.Lesson) {
		return nil, errors.New("id and lesson want lower-case letters, digits and single dashes")
	}
	if it.World != "" {
		text, ok := b.worlds[it.World]
		if !ok {
			return nil, fmt.Errorf("there is no world %q", it.World)
		}
		q.world = text
	}
	all, err := surfaces(it.Variables)
	if err != nil {
		return nil, err
	}
	q.surfaces = all
	if q.About = it.QuestionText.Beliefs(); len(q.About) == 0 {
		return nil, errors.New("none of its choices names a misconception")
	}
	return q, nil
}

// surfaces gives every combination of the variables' values.
func surfaces(variables map[string][]any) ([]Surface, error) {
	all := []Surface{{Values: map[string]any{}}}
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		values := variables[name]
		if len(values) == 0 || len(all)*len(values) > maxSurfaces {
			return nil, fmt.Errorf("variable %q: want 1 to %d surfaces in all", name, maxSurfaces)
		}
		var next []Surface
		for _, s := range all {
			for _, value := range values {
				one := Surface{Key: strings.TrimSpace(fmt.Sprintf("%s %s=%v", s.Key, name, value)), Values: maps.Clone(s.Values)}
				one.Values[name] = value
				next = append(next, one)
			}
		}
		all = next
	}
	if len(all) < 2 {
		return nil, errors.New("it wants at least two surfaces: variables with several values")
	}
	return all, nil
}

// Beliefs are the ids of the misconceptions that the bank has a question about, sorted.
func (b *Bank) Beliefs() []string {
	var out []string
	for _, q := range b.Questions {
		out = append(out, q.About...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Asks says whether the bank has a question about a misconception.
func (b *Bank) Asks(belief string) bool {
	return slices.ContainsFunc(b.Questions, func(q *Question) bool { return slices.Contains(q.About, belief) })
}

// Asked is a question as a person reads it, filled in.
type Asked struct {
	ID      string // of the question
	Lesson  string
	Surface string
	About   []string // ids of the misconceptions among its choices

	Question string // Markdown
	Choices  []Choice
	Right    int    // index into Choices
	Why      string // Markdown: why the right one is right
}

// Choice is one of the answers to choose from.
type Choice struct {
	Say    string // Markdown
	Help   string // Markdown: what is wrong with it; "" when it is right
	Belief string // the misconception; "" when it is right, or a slip
}

// Ask fills a question in: what is right is computed over the world of the surface.
func (q *Question) Ask(s Surface, world MakeWorld) (*Asked, error) {
	asked, err := q.ask(s, world)
	if err != nil {
		return nil, fmt.Errorf("question %q with %s: %w", q.ID, s.Key, err)
	}
	return asked, nil
}

func (q *Question) ask(s Surface, world MakeWorld) (*Asked, error) {
	question, err := lessons.CompileQuestion(q.text, s.Values)
	if err != nil {
		return nil, err
	}
	mode, err := lessons.Expand(q.mode, s.Values)
	if err != nil {
		return nil, err
	}
	manifests, err := expand(q.bank.base+"\n---\n"+q.world, s.Values)
	if err != nil {
		return nil, err
	}
	snapshot, err := world(manifests, mode)
	if err != nil {
		return nil, fmt.Errorf("make its world: %w", err)
	}
	filled, err := question.Fill(snapshot, Namespace)
	if err != nil {
		return nil, err
	}
	out := &Asked{
		ID: q.ID, Lesson: q.Lesson, Surface: s.Key, About: q.About,
		Question: filled.Question, Right: filled.Right, Why: filled.Why,
	}
	for i, say := range filled.Choices {
		choice := Choice{Say: say}
		if i != filled.Right {
			choice.Help, choice.Belief = filled.Help[i], filled.Beliefs[i]
		}
		out.Choices = append(out.Choices, choice)
	}
	return out, nil
}

// repeat begins a document of a world that is made several times; in it ${i}
// counts from 1.
const repeat = "# times "

// expand fills in a world's manifests.
func expand(text string, values map[string]any) (string, error) {
	var out []string
	for _, document := range strings.Split(text, "\n---\n") {
		document = strings.TrimSpace(document)
		first, rest, _ := strings.Cut(document, "\n")
		times, counted := strings.CutPrefix(first, repeat)
		if !counted {
			filled, err := lessons.Expand(document, values)
			if err != nil {
				return "", err
			}
			out = append(out, filled)
			continue
		}
		number, err := lessons.Expand(times, values)
		if err != nil {
			return "", err
		}
		var n int
		if _, err := fmt.Sscanf(number, "%d", &n); err != nil || n < 0 || n > 100 {
			return "", fmt.Errorf("%q: want a number up to 100", first)
		}
		inner := maps.Clone(values)
		for i := 1; i <= n; i++ {
			inner["i"] = i
			filled, err := lessons.Expand(rest, inner)
			if err != nil {
				return "", err
			}
			out = append(out, filled)
		}
	}
	return strings.Join(out, "\n---\n"), nil
}
