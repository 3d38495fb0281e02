// Package lessons is the lesson engine: it reads lessons written as Markdown,
// YAML and CEL, plays one in one namespace and says when a step is done. A
// step is done when the cluster shows it, no matter who did it: checks are
// expressions over snapshots, never over keys that were pressed.
//
// A Play does no I/O. It is driven by the snapshots it observes and the
// replies it hears, and hands out the commands that its caller runs.
//
// The format that teachers write is described in docs/lessons.md.
package lessons

import (
	"slices"
	"strings"
)

// Format is the version of the lesson format that this package reads.
const Format = 1

// Lesson is one lesson. It is immutable once loaded.
type Lesson struct {
	ID      string  `json:"id"`
	Number  int     `json:"number"` // its place in the list
	Title   string  `json:"title"`
	Summary string  `json:"summary"` // one sentence
	Minutes int     `json:"minutes"` // how long it takes a class
	Steps   []*Step `json:"steps"`
}

// Step is one step of a lesson: one idea, and at most one command.
type Step struct {
	ID    string `json:"id"` // unique in its lesson; made from the title
	Title string `json:"title"`
	Story string `json:"story"` // Markdown
	// File is the manifest that the step shows; nil when it shows none.
	File *File `json:"file,omitempty"`
	// Command is what a person would type. It may hold ${…} with CEL
	// expressions over the snapshot: Play.Command expands them. It is "" in a
	// step that is only read.
	Command string      `json:"command,omitempty"`
	Check   string      `json:"check,omitempty"` // CEL; "" when the step is done once it was read, or its command once ran
	Predict *Prediction `json:"predict,omitempty"`
	Hints   []string    `json:"hints,omitempty"` // Markdown, from vague to plain
	Show    Show        `json:"show"`
	After   string      `json:"after,omitempty"` // Markdown, for when the step is done
	// Given brings a cluster into the step's start state; nil when it has
	// none of its own to ask for. A step that follows one which changes
	// nothing shares its Given.
	Given *Setup  `json:"given,omitempty"`
	Wrong []Wrong `json:"wrong,omitempty"`
	Line  int     `json:"line"` // of its heading in the lesson's file

	command command
	check   *expression
	show    [4]template       // the fields of Show, in order
	files   map[string]string // every file the lesson has at this step
}

// File is a manifest.
type File struct {
	Name    string `json:"name"`
	Content string `json:"content"`
	// Previous is what the file held in the last step that had it, for the
	// difference; "" when no earlier one had it.
	Previous string `json:"previous,omitempty"`
}

// Prediction is a question to answer before the command is run.
type Prediction struct {
	Question string   `json:"question"` // Markdown
	Choices  []string `json:"choices"`
	Answer   int      `json:"answer"` // index into Choices
	Why      string   `json:"why"`    // Markdown
}

// Show says what the panes beside the story are about. In a Step the fields
// may hold ${…}; Play.Show expands them. Each may be "".
type Show struct {
	Service string `json:"service,omitempty" yaml:"service"` // Service of the stage and the endpoints
	From    string `json:"from,omitempty" yaml:"from"`       // the client: pod/NAME, node/NAME or outside
	Name    string `json:"name,omitempty" yaml:"name"`       // DNS name to resolve from the client
	Target  string `json:"target,omitempty" yaml:"target"`   // what the client connects to: web, 10.96.1.2:80
	// Open names the panes that the step is about, besides the stage: endpoints,
	// dns and path, with commas between them. The others wait as one line.
	Open string `json:"open,omitempty" yaml:"open"`
}

// Opens says whether the step is about a pane.
func (s Show) Opens(pane string) bool {
	return slices.Contains(s.open(), pane)
}

func (s Show) open() []string {
	return strings.FieldsFunc(s.Open, func(r rune) bool { return r == ',' || r == ' ' })
}

// Setup is a start state: commands that bring it about and the CEL expression
// that says it is there.
type Setup struct {
	Commands []string `json:"commands"`
	Until    string   `json:"until"`

	commands []command
	until    *expression
	// conditions are those of until, compiled when first asked for.
	conditions func() []*expression
	files      map[string]string // as the steps before left them
}

// Wrong is a plausible command that must not solve its step. Auto runs every
// one of them.
type Wrong struct {
	Why     string `json:"why"` // why it does not solve the step
	Command string `json:"command"`
	File    *File  `json:"file,omitempty"`  // a manifest of its own
	Until   string `json:"until,omitempty"` // CEL: its effect is there

	command command
	until   *expression
	files   map[string]string
}

// Invocation is one kubectl command, ready to be run.
type Invocation struct {
	Display string   `json:"display"`         // as a person types it: "kubectl apply -f web.yaml"
	Args    []string `json:"args"`            // without "kubectl"; a manifest is "-f -"
	Stdin   string   `json:"stdin,omitempty"` // the manifest
}

// Reads says whether the step is only read: it has neither command nor check.
func (s *Step) Reads() bool { return s.Command == "" && s.check == nil }

// Outline is the command to show where it cannot be filled in: each value that
// only a cluster has is a placeholder in capitals, as in "kubectl delete pod POD".
func (s *Step) Outline() string {
	words := make([]string, len(s.command.words))
	for i, word := range s.command.words {
		words[i] = word.outline()
	}
	return strings.Join(words, " ")
}

// Checked says whether the step is done by what the cluster shows. A step
// without a check is done once its command ran, or once it was acknowledged.
func (s *Step) Checked() bool { return s.check != nil }
