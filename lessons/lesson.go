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
const Format = 2

// Kind tells a lesson from a challenge.
type Kind string

// The kinds of lessons.
const (
	KindLesson    Kind = "lesson"    // teaches, step by step
	KindChallenge Kind = "challenge" // one broken cluster to mend: the symptom is told, not the cause
)

// Lesson is one lesson or challenge. It is immutable once loaded.
type Lesson struct {
	ID      string `json:"id"`
	Kind    Kind   `json:"-"`      // where it is printed, it is the kind of the whole
	Number  int    `json:"number"` // its place among those of its kind
	Title   string `json:"title"`
	Summary string `json:"summary"` // one sentence
	Minutes int    `json:"minutes"` // how long it takes a class
	// Needs are what the whole lesson needs of a cluster; a step may need more.
	Needs []Need `json:"needs,omitempty"`
	// Modes are the kube-proxy modes that the lesson has to be proved in; none
	// means whichever the cluster has.
	Modes []string `json:"modes,omitempty"`
	// Variables are what differs by place, with the values that this Lesson was
	// made for: integers and strings. See With.
	Variables map[string]any `json:"variables,omitempty"`
	Steps     []*Step        `json:"steps"`

	// Of a challenge only.
	Level   int      `json:"level,omitempty"`   // 1, 2 or 3
	Par     *Par     `json:"par,omitempty"`     // what it takes
	Beliefs []string `json:"beliefs,omitempty"` // IDs of the misconceptions that its debrief names
	// Answers says that the challenge is solved by the right answer to its
	// question: nothing is broken there.
	Answers bool `json:"solvedByAnswer,omitempty"`

	source    source // for With
	sentences []sentence
}

// Par is what a challenge takes: a learner can beat it.
type Par struct {
	Changes int `json:"changes" yaml:"changes"` // commands that change something
	Looks   int `json:"looks" yaml:"looks"`     // commands that only look
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
	Command string `json:"command,omitempty"`
	Check   string `json:"check,omitempty"` // CEL; "" when the step is done once it was read, or its command once ran
	// Predict is asked before the command is run; ReadBack once the step is done,
	// about what was just seen. Either may be nil.
	Predict  *Question `json:"predict,omitempty"`
	ReadBack *Question `json:"readBack,omitempty"`
	// Router makes the step a walk along the live trace: see Play.Routed. Such a
	// step has no other question, no command and no check.
	Router *Router  `json:"router,omitempty"`
	Hints  []string `json:"hints,omitempty"` // Markdown, from vague to plain
	Show   Show     `json:"show"`
	After  string   `json:"after,omitempty"` // Markdown, for when the step is done
	// Lacks say what a check that is false still waits for: see Position.Lacking.
	Lacks []Lack `json:"stillWrong,omitempty"`
	// Needs are what this step needs besides those of the lesson.
	Needs []Need `json:"needs,omitempty"`
	// Scope is set when the step changes something outside of its namespace.
	Scope *Scope `json:"scope,omitempty"`
	// Given brings a cluster into the step's start state; nil when it has
	// none of its own to ask for. A step that follows one which changes
	// nothing shares its Given.
	Given *Setup  `json:"given,omitempty"`
	Wrong []Wrong `json:"wrong,omitempty"`
	Line  int     `json:"line"` // of its heading in the lesson's file

	// Of a challenge only.
	Guards   []Guard   `json:"guards,omitempty"`
	Solution *Solution `json:"-"`                 // not for a learner to read
	Debrief  string    `json:"debrief,omitempty"` // Markdown, for when it is solved

	command  command
	check    *expression
	byAnswer bool              // done by the right answer to Predict
	show     [4]template       // the fields of Show, in order
	files    map[string]string // every file the lesson has at this step
	texts    stepTexts
}

// Router is a walk along the live trace, hop by hop. Its fields may hold ${…}
// and are those of Show unless the step says otherwise.
type Router struct {
	From   string `json:"from" yaml:"from"`
	Target string `json:"target" yaml:"target"`

	from, target template
}

// Guard is a condition that a fix must keep.
type Guard struct {
	Holds string `json:"holds"` // CEL
	Say   string `json:"say"`   // Markdown, shown while it does not hold

	holds *expression
	say   template
}

// Lack is one thing that a step's check may still wait for.
type Lack struct {
	Unless string `json:"unless"` // CEL: true once it is there
	Say    string `json:"say"`    // Markdown: what is still wrong, never how to mend it

	unless *expression
	say    template
}

// Solution is what solves a challenge. Auto runs it; no learner sees it.
type Solution struct {
	Commands []string

	commands []command
	files    map[string]string
}

// Scope is how a step that changes more than its namespace is undone.
type Scope struct {
	Undo []string `json:"undo"` // commands; each does no harm where its work is done

	undo  []command
	files map[string]string
}

// File is a manifest.
type File struct {
	Name    string `json:"name"`
	Content string `json:"content"`
	// Previous is what the file held in the last step that had it, for the
	// difference; "" when no earlier one had it.
	Previous string `json:"previous,omitempty"`
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

// Reads says whether the step is only read: it has neither command nor check,
// and nothing else to be done.
func (s *Step) Reads() bool {
	return s.Command == "" && s.check == nil && s.Router == nil && !s.byAnswer
}

// Outline is the command to show where it cannot be filled in: each value that
// only a cluster has is a placeholder in capitals, as in "kubectl delete pod POD".
func (s *Step) Outline() string {
	words := make([]string, len(s.command.words))
	for i, word := range s.command.words {
		words[i] = word.outline()
	}
	return strings.Join(words, " ")
}

// WantsWord says whether nothing but the app knows what became of the step's
// command: no object of the cluster shows it. Somebody who runs it in another place
// has to say so.
func (s *Step) WantsWord() bool {
	return s.Command != "" && s.Router == nil && !s.byAnswer && (s.check == nil || s.check.replies)
}

// Checked says whether the step is done by what the cluster shows. A step
// without a check is done once its command ran, its route was walked or its
// question was answered right, or else once it was acknowledged.
func (s *Step) Checked() bool { return s.check != nil }
