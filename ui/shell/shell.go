// Package shell holds what every screen shares with the app: the interface of
// a screen, its actions, and the intents by which it asks the app for things.
// A screen draws and decides; it never does I/O and starts no command.
package shell

import (
	"context"
	"io"
	"time"

	"svctour/lessons"
	"svctour/lessons/review"
	"svctour/model"
	"svctour/model/diagnose"
	"svctour/model/meter"
	"svctour/model/path"
	"svctour/ui/frame"
	"svctour/ui/theme"
)

// Action is something the person can do on a screen. Keys, footer, help and
// mouse all come from the same list.
type Action struct {
	ID   string
	N    int      // which of several with this ID: a row, a pane, an answer
	Keys []string // as bubbletea names them: "enter", "q", "shift+tab"
	// Keycap is how the footer writes the keys, where several actions share a place
	// there: "1-3". The first of Keys when empty.
	Keycap string
	Title  string // two or three words, for the footer
	Help   string // a sentence for the list of keys; Title when empty
	// Why is the reason it cannot be done now; "" when it can.
	Why string
	// Quiet actions are listed in the help but not in the footer, hidden ones
	// in neither: another action's help speaks for them.
	Quiet  bool
	Hidden bool
}

// Screen is one page of the app.
type Screen interface {
	// Actions lists what can be done now, most important first.
	Actions() []Action
	// Do performs an action by its ID and N and says what the app has to do about it.
	Do(id string, n int) Intent
	// Handle takes in news: a World, Heard, Tick or another message of this package.
	Handle(msg any) Intent
	// Animating says whether the screen wants a Tick.
	Animating() bool
	// Draw draws the screen between header and footer; s is the whole frame.
	Draw(s *frame.Surface, t *theme.Theme)
}

// Watcher is a screen that shows what a node does. While it is shown the app
// reads that node's rules again and again, and hands them over as Rules.
type Watcher interface {
	// Watches names the node and the family; "" when there is none to look at.
	Watches() (node string, family path.Family)
	// Chains are those of the node that the screen shows, the first ones first.
	Chains() []path.ChainID
}

// Reader is a screen that reads text of its own, such as what to search for.
type Reader interface {
	// Reading says whether keys go to Key first.
	Reading() bool
	// Key takes a key, named as Bubble Tea does, and the text that it types. It
	// says whether it used it; else the key has its usual meaning.
	Key(key, text string) bool
}

// Intent is what a screen asks of the app: one of the types below, Intents, or nil.
type Intent any

// Intents is several intents in order.
type Intents []Intent

type (
	// Choose connects to a cluster.
	Choose struct{ Choice Choice }
	// Open opens a lesson, or the sandbox by lessons.SandboxID.
	Open struct{ Lesson string }
	// Contents goes to the list of lessons.
	Contents struct{}
	// Picker goes to the list of clusters.
	Picker struct{}
	// Run runs commands one after the other; each answer comes back as Heard.
	// A command that fails ends the row, unless it is Quiet and was only
	// refused: whether that matters shows in the cluster. One Run at a time.
	Run struct {
		Quiet   bool // preparation: not shown as the learner's own command
		Invokes []lessons.Invocation
	}
	// Stop ends the Run, the Request and the Stream under way; no answer to them
	// comes any more. The same happens when another screen is shown.
	Stop struct{}
	// Request sends a real request: a kubectl command whose answer comes back
	// as Answered with the same serial, after the rules of the watched node
	// were read again.
	Request struct {
		Serial int
		Invoke lessons.Invocation
	}
	// Stream sends requests again and again, Rate of them a second, from a Pod of
	// the tour's namespace. What is heard comes back as Streamed with the same
	// serial. There is one Stream at a time: another ends the one before. It ends
	// as a Request does.
	Stream struct {
		Serial int
		Spec   meter.Spec
		Rate   int // 1 to meter.MaxRate
	}
	// Pace changes the rate of the Stream under way. With 0 no more requests are
	// begun: those under way are still told, and then it is Done.
	Pace struct{ Serial, Rate int }
	// Compute asks for work to be done off the UI goroutine: a function of values
	// that do not change. What it gives comes back to the same screen as Computed,
	// unless another screen is shown by then.
	Compute struct {
		Serial int
		Work   func() any
	}
	// Diagnose asks for the doctor's report of a Service as it is now. It comes
	// back as Diagnosed in the same way.
	Diagnose struct {
		Serial             int
		Namespace, Service string
	}
	// Plan asks how the cluster would be after an edit, which is not made. Work
	// makes of it, in the same command, what comes back as Planned.
	Plan struct {
		Serial    int
		Namespace string
		Edit      model.Edit
		Work      func(*model.Planned) any
	}
	// Bring asks for what a step needs and svctour's lab can have. It comes back as
	// Brought in the same way.
	Bring struct{ Need lessons.Need }
	// Look asks for a look at all rules of the node that is watched.
	Look struct{}
	// MakeClient asks the person for consent to make a client Pod in the
	// tour's namespace, and then makes it.
	MakeClient struct{ Invoke lessons.Invocation }
	// Prompt opens the kubectl prompt with a line that waits for Enter.
	Prompt struct{ Line string }
	// Write opens the editor over the screen. What was written about the same
	// matter before stands there again; else Text does. Once the API server would
	// take it and the person has seen what it changes, it is applied as if it were
	// typed.
	Write struct {
		About string // the matter: the same for the same step
		Name  string // what the manifest is called: "web-svc.yaml"
		Text  string
	}
	// Fix shows what a fix of the doctor's changes, and makes the change after a
	// yes. Where that cannot be shown its command waits at the prompt.
	Fix struct{ Fix diagnose.Fix }
	// Undo takes the last Fix back.
	Undo struct{}
	// Save keeps the progress of a lesson.
	Save struct{ Progress lessons.Progress }
	// Review goes to the questions of the review.
	Review struct{}
	// AskReview asks for the next of them that is due. It comes as ReviewNews.
	AskReview struct{}
	// AnswerReview keeps the answer to one of them, also when another screen is
	// shown by then.
	AnswerReview struct {
		Asked  *review.Asked
		Choice int // index into its Choices
		Sure   bool
	}
	// Place goes to the questions that tell whether a lesson can be skipped.
	Place struct{ Lesson string }
	// AskPlacement asks for these questions. They come as PlacementNews.
	AskPlacement struct{ Lesson string }
	// AnswerPlacement keeps the answers to all of them, and has them judged.
	AnswerPlacement struct {
		Lesson  string
		Answers []AnswerReview
	}
	// Quit asks to leave; the app offers to keep or remove what was made.
	Quit struct{}
)

type (
	// World is a new picture of the cluster.
	World struct{ Snapshot *model.Snapshot }
	// Computed is what the work of a Compute gave.
	Computed struct {
		Serial int
		Value  any
	}
	// Diagnosed is the report that a Diagnose asked for.
	Diagnosed struct {
		Serial int
		Report *diagnose.ServiceReport
	}
	// Planned is what a Plan gave, or why there is none: a sentence.
	Planned struct {
		Serial int
		Value  any
		Err    string
	}
	// Brought says that a Bring has ended; Err is why the lab does not have it, a
	// sentence, or "".
	Brought struct{ Err string }
	// Heard is the answer to one command of a Run.
	Heard struct {
		Quiet bool
		Last  bool // no further command of this Run follows
		Reply model.Reply
	}
	// Rules is what a node was seen to hold just now, or why it could not be
	// looked at.
	Rules struct {
		Node        string
		Family      path.Family
		Observed    *path.View        // nil with Err
		Differences []path.Difference // against the rules derived for the node
		Changed     []path.Difference // since the look before: Extra came, Missing went
		Err         string
	}
	// Answered is the answer to a Request. Rules are as of right after it; nil
	// when they could not be read.
	Answered struct {
		Serial int
		Reply  model.Reply
		Rules  *Rules
	}
	// Streamed is what was heard of a Stream. With Done it has ended, and Err says
	// why when it was not by a Pace.
	Streamed struct {
		Serial int
		Batch  meter.Batch
		Done   bool
		Err    error
	}
	// Fixed says that a Fix was made, or taken back; Undo whether there is one
	// to take back.
	Fixed struct{ Undo bool }
	// ReviewNews is the next question of the review, or what became of an answer.
	ReviewNews struct {
		Asked *review.Asked // nil when nothing is due
		Due   int           // how many misconceptions are due, those of Asked among them
		Next  time.Duration // until something is due later; 0 when nothing is
		Known []string      // the lessons that the person may skip, by ID
		Kept  bool          // it is about an answer: the fields above say nothing
		Err   string        // why there is no question, or why the answer is not kept
	}
	// PlacementNews are the questions before a lesson, or what the answers came to.
	PlacementNews struct {
		Asked  []*review.Asked
		Result *review.Placement // nil: these are the questions
		Err    string            // why there is none, or why it is not kept
	}
	// Tick is one step of animation.
	Tick struct{}
	// Size is the size of the terminal in cells.
	Size struct{ W, H int }
	// Probed says whether a choice answers.
	Probed struct {
		Choice  Choice
		Version string
		Err     string
	}
	// Stage is the progress of the lab's start.
	Stage struct {
		Name string
		Done bool
	}
)

// Choice is one cluster to connect to.
type Choice struct {
	Lab       bool
	Running   bool   // the lab: it runs already
	Context   string // kubeconfig context; "" for the lab
	Server    string // API server URL
	Namespace string
	Current   bool // the kubeconfig's current context
	// Plugin is the command of a credential plugin that signs in, which may want
	// the person to log in; "" without one.
	Plugin string
}

// Name is how screens call the choice.
func (c Choice) Name() string {
	if c.Lab {
		return "lab"
	}
	return c.Context
}

// Backend is what the app needs from outside. Every method may do I/O and is
// only called from commands; each ends when its context does.
type Backend interface {
	// Choices lists the clusters, the lab first.
	Choices(ctx context.Context) ([]Choice, error)
	// Probe asks whether a cluster answers and gives its version.
	Probe(ctx context.Context, c Choice) (version string, err error)
	// StartLab starts the lab, or joins the one that runs, and reports stages.
	// started is false when it joined: then the lab is not this program's to end.
	StartLab(ctx context.Context, report func(Stage)) (started bool, err error)
	// LabEnded blocks until a lab started by StartLab ends by itself, and says why.
	LabEnded(ctx context.Context) error
	// KeepLab lets the lab started by StartLab outlive the program.
	KeepLab() error
	// Connect opens a session.
	Connect(ctx context.Context, c Choice) (Session, error)
	// LoadProgress and SaveProgress keep what the person has learned, on whichever
	// cluster: progress by the lessons' IDs.
	LoadProgress() (map[string]lessons.Progress, error)
	SaveProgress(progress lessons.Progress) error
}

// Reviews is the review of one person. Its methods may do I/O and are only called
// from commands.
type Reviews interface {
	// Ask gives the next question that is due.
	Ask(ctx context.Context) ReviewNews
	// Answer keeps the answer to one.
	Answer(ctx context.Context, a AnswerReview) ReviewNews
	// Place gives the questions before a lesson.
	Place(ctx context.Context, lesson string) PlacementNews
	// Judge keeps the answers to them, and says whether the lesson can be skipped.
	Judge(ctx context.Context, a AnswerPlacement) PlacementNews
}

// Child is a program that takes the terminal over until it ends.
type Child interface {
	SetStdin(io.Reader)
	SetStdout(io.Writer)
	SetStderr(io.Writer)
	Run() error
}

// Typist is a screen that reads typed commands in its own way, and wants to
// hear their answers.
type Typist interface {
	// Typed makes an invocation of a line that begins with "kubectl".
	Typed(line string) (lessons.Invocation, error)
	// Overheard takes in the answer.
	Overheard(model.Reply) Intent
}

// Streaming is a stream of requests under way.
type Streaming interface {
	// Next blocks until something is heard of it. Every request is told once. The
	// error is io.EOF when the stream was let end and is told whole, else one of
	// package meter's, wrapped, or ctx's. While nothing asks for more, no more
	// requests are sent, after a while.
	Next(ctx context.Context) (meter.Batch, error)
}

// Session is one connected cluster.
type Session interface {
	// Next blocks until there is a snapshot newer than the one of sequence after,
	// and gives it; 0 stands for none.
	Next(ctx context.Context, after uint64) (*model.Snapshot, error)
	// EnsureNamespace makes the tour's namespace, or finds the one svctour made.
	EnsureNamespace(ctx context.Context) (string, error)
	// Kubectl runs the embedded kubectl in the tour's namespace.
	Kubectl(ctx context.Context, namespace string, args []string, stdin string) model.Reply
	// Terminal prepares a kubectl command that takes the terminal over.
	Terminal(ctx context.Context, namespace string, args []string) (Child, error)
	// Observe has the rules of a node's kube-proxy listed on the node, and hands
	// over what each command printed, one after the other.
	Observe(ctx context.Context, ask path.Ask, take func(path.Listing) error) error
	// Stream begins to send requests from a Pod of a namespace, by one program for
	// all of them and as many a second as rate says at that moment. It ends when ctx
	// does. With a rate of 0 it lets those under way end first.
	Stream(ctx context.Context, namespace string, spec meter.Spec, rate func() int) Streaming
	// Diagnose gives the doctor's report of a Service: of a snapshot, or of later
	// ones while what it would say may be over in a moment.
	Diagnose(ctx context.Context, snapshot *model.Snapshot, namespace, service string) (*diagnose.ServiceReport, error)
	// WhatIf gives the cluster of a snapshot as it would be after an edit, which is
	// not made: nothing is written. Its errors are what the API server would say.
	WhatIf(ctx context.Context, snapshot *model.Snapshot, namespace string, edit model.Edit) (*model.Planned, error)
	// Bring lets svctour's lab have what a step needs.
	Bring(ctx context.Context, need lessons.Need) error
	// Clean removes the namespace that EnsureNamespace gave, and nothing else.
	Clean(ctx context.Context) error
	// Close ends the session and waits for its goroutines.
	Close()
}
