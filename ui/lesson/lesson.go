// Package lesson is the screen of one lesson: the story and the manifest on
// one side, the live cluster on the other.
package lesson

import (
	"strings"

	"svctour/lessons"
	"svctour/model"
	"svctour/model/path"
	"svctour/ui/layout"
	"svctour/ui/live"
	"svctour/ui/shell"
	"svctour/ui/theme"
)

// pane is one of the parts that can be focused and scrolled.
type pane int

const (
	storyPane pane = iota
	stagePane
	endpointsPane
	dnsPane
	pathPane
	filePane
	commandPane
	panes
)

var paneTitles = [panes]string{"Lesson", "Stage", "Endpoints", "DNS", "Path", "Manifest", "Commands"}

// livePanes are always visible on a large screen.
var livePanes = []pane{stagePane, endpointsPane, dnsPane, pathPane}

// livePane gives the live pane that p is.
func (p pane) livePane() (live.Pane, bool) {
	switch p {
	case stagePane:
		return live.Stage, true
	case endpointsPane:
		return live.Endpoints, true
	case dnsPane:
		return live.DNS, true
	case pathPane:
		return live.Path, true
	}
	return 0, false
}

// Screen plays one lesson.
type Screen struct {
	play  *lessons.Play
	live  *live.Panes
	texts *live.Texts
	theme *theme.Theme // by which rows are counted when keys scroll

	namespace string
	seed      uint64
	world     *model.Snapshot // the newest; what is drawn may be a little older
	computing shell.Turn      // of what is drawn
	there     bool            // the namespace was seen; then it is not only out of sight
	due       bool            // the next computation has to judge the step
	facts     facts           // of the step, as they were computed last

	size    shell.Size
	focus   pane
	lastTab pane       // the live pane that was in focus last
	looking bool       // the learner went to a live pane
	arrived bool       // the step was come to, and nothing was computed for it yet
	scroll  [panes]int // as asked for; drawing bounds it by what there is
	hints   int        // how many hints are shown

	bringing   bool          // what the step needs was asked for, and is not there yet
	notBrought string        // why the lab does not get it; "" when nothing is known
	running    string        // the command under way, as typed; "" when none is
	preparing  bool          // the commands under way bring about a start state
	eager      bool          // the command was asked for before the step was looked at
	prepared   bool          // the start state was asked for, and has not been seen since
	refused    []model.Reply // of the commands that should have brought it about
	missing    []string      // conditions of the start state that are not met after them
	ran        string        // the step's command as it was run; "" before
	replies    []model.Reply
	problem    string // a check that could not be evaluated, a command that could not be made

	pick      int         // the prediction's choice, until it is known how sure the learner is; -1: none
	tried     []int       // wrong answers to the question that solves a challenge
	told      bool        // what the prediction came to was read
	attempted bool        // something was done about the step
	sent      bool        // a packet was sent, in the picture or in reality
	route     route       // of a step that is a walk along the path
	end       string      // how the walked route ended
	opened    [panes]bool // of a challenge, that were looked at
	solution  bool        // of a solved challenge, is shown
	fixing    bool        // a fix is being made, or taken back
	leaving   bool        // what steps changed outside of the namespace is being undone

	doctor bool       // the diagnosis stands where the story does
	full   bool       // the stage takes the whole screen
	goal   shell.Turn // of thinking the step's command through
	undo   bool       // a fix was applied that can be taken back
}

// New makes the screen. The same seed walks packets the same way.
func New(play *lessons.Play, namespace string, size shell.Size, seed uint64, t *theme.Theme) *Screen {
	return &Screen{
		play:      play,
		namespace: namespace,
		seed:      seed,
		size:      size,
		theme:     t,
		pick:      -1,
		lastTab:   stagePane,
		live:      live.New(namespace, seed),
		texts:     live.NewTexts(),
	}
}

// Still keeps everything on the stage from moving: a packet is shown where its way
// ends.
func (l *Screen) Still(still bool) { l.live.Still = still }

// Handle implements shell.Screen.
func (l *Screen) Handle(msg any) shell.Intent {
	switch msg := msg.(type) {
	case shell.Size:
		l.size = msg
	case shell.World:
		l.world = msg.Snapshot
		l.there = l.there || l.world.Namespace(l.namespace) != nil
		return l.look()
	case shell.Computed:
		return l.computed(msg)
	case shell.Diagnosed:
		if l.live.Diagnosed(msg) && l.doctor {
			return l.live.Diagnose()
		}
	case shell.Planned:
		l.planned(msg)
	case shell.Brought:
		l.bringing, l.notBrought = msg.Err == "", msg.Err
	case shell.Heard:
		return l.heard(msg)
	case shell.Fixed:
		l.undo = msg.Undo
		if l.fixing {
			l.fixing, l.attempted = false, true
			l.count(lessons.EffortChange)
		}
	default:
		if l.live.Handle(msg) {
			return l.compute()
		}
	}
	return nil
}

// prepare asks for the commands that bring about the step's start state.
func (l *Screen) prepare() shell.Intent {
	if l.facts.givenErr != nil {
		l.problem = l.facts.givenErr.Error()
	}
	if len(l.facts.given) == 0 {
		return nil
	}
	l.prepared = true
	return l.run(l.facts.given, true)
}

// stalled says that the commands of the start state have ended, and that it is
// not there: it may still come, or they must be run again.
func (l *Screen) stalled() bool { return l.prepared && l.running == "" && l.play.Preparing() }

// stepDone makes room for what the step has to say now.
func (l *Screen) stepDone() {
	l.scroll[storyPane] = 0
	if l.class() != layout.Large {
		l.lookAt(l.telling())
		l.looking = false // it is not what the learner asked for
	}
}

// run asks for commands to be run.
func (l *Screen) run(invocations []lessons.Invocation, preparing bool) shell.Intent {
	l.preparing = preparing
	l.play.Underway(preparing)
	l.running = invocations[0].Display
	l.refused, l.replies = nil, nil
	if !preparing {
		l.ran, l.attempted = l.running, true
	}
	return shell.Run{Quiet: preparing, Invokes: invocations}
}

func (l *Screen) heard(msg shell.Heard) shell.Intent {
	if msg.Last {
		l.running, l.preparing = "", false
		l.play.Underway(false)
		if l.leaving {
			return shell.Contents{}
		}
	}
	l.scroll[commandPane] = 0
	switch {
	case !msg.Quiet:
		l.replies = append(l.replies, msg.Reply)
		return l.listen(msg.Reply)
	case msg.Reply.Exit != 0:
		l.refused = append(l.refused, msg.Reply)
	}
	if msg.Last { // a quiet cluster sends no other picture
		return l.look()
	}
	return nil
}

// Typed implements shell.Typist: the lesson's files can be named.
func (l *Screen) Typed(line string) (lessons.Invocation, error) { return l.play.Typed(line) }

// Overheard implements shell.Typist: a step may be done by any command that
// does what it asks for.
func (l *Screen) Overheard(reply model.Reply) shell.Intent {
	l.countTyped(&reply)
	return l.listen(reply)
}

// listen takes in what a command of the learner's printed.
func (l *Screen) listen(reply model.Reply) shell.Intent {
	l.attempted = true
	if l.play.Heard(reply) {
		l.stepDone()
		return shell.Intents{shell.Save{Progress: l.play.Progress()}, l.look()}
	}
	return l.look()
}

// stepChanged ends and forgets what belonged to the step before, and lets the
// new one see the present picture.
func (l *Screen) stepChanged() shell.Intent {
	l.hints = 0
	l.running, l.preparing, l.prepared, l.eager, l.bringing = "", false, false, false, false
	l.refused, l.missing = nil, nil
	l.problem, l.notBrought = "", ""
	l.ran, l.replies = "", nil
	l.pick, l.tried, l.told, l.attempted, l.sent = -1, nil, false, false, false
	l.route, l.end, l.solution, l.fixing = route{walks: l.route.walks}, "", false, false
	l.doctor, l.opened = false, [panes]bool{}
	l.scroll = [panes]int{}
	l.live.Forget()
	l.facts = facts{}
	l.focus, l.looking = storyPane, false
	l.arrived = true
	return shell.Intents{shell.Stop{}, l.look()}
}

// opening is the pane in sight when the step begins.
func (l *Screen) opening() pane {
	if l.play.Step().File != nil && !l.play.Done(l.play.Index()) {
		return filePane
	}
	return l.telling()
}

// telling is the live pane that has most to tell about the step: the one that it
// is about, else the stage.
func (l *Screen) telling() pane {
	for _, p := range livePanes {
		if p != stagePane && l.about(p) {
			return p
		}
	}
	return stagePane
}

// about says whether the step is about a pane, so that it is open.
func (l *Screen) about(p pane) bool { return l.facts.show.Opens(strings.ToLower(paneTitles[p])) }

// open says whether a pane shows all that it has, where there is room: the others
// wait as one line.
func (l *Screen) open(p pane) bool { return p == stagePane || p == l.focus || l.about(p) }

// lookAt moves the focus to a pane.
func (l *Screen) lookAt(p pane) {
	l.focus, l.looking = p, p != storyPane
	if p != storyPane {
		l.lastTab = p
	}
}

func (l *Screen) class() layout.Class { return layout.Classify(l.size.W, l.size.H) }

// Animating implements shell.Screen.
func (l *Screen) Animating() bool { return l.running != "" || l.live.Animating() }

// Watches implements shell.Watcher: the node whose rules the path runs through.
func (l *Screen) Watches() (string, path.Family) {
	if !l.pathInSight() {
		return "", ""
	}
	return l.live.Watches()
}

// pathInSight says whether the path is drawn at the present size.
func (l *Screen) pathInSight() bool {
	switch l.class() {
	case layout.Large:
		return true
	case layout.Medium:
		return l.tab() == pathPane || l.tab() == stagePane
	}
	return l.focus == pathPane || l.focus == stagePane || l.live.Waiting()
}

// Status is where the lesson stands, for the header.
func (l *Screen) Status() (number int, title string, step, steps int) {
	lesson := l.play.Lesson()
	return lesson.Number, lesson.Title, l.play.Index(), len(lesson.Steps)
}

// Step is the step that the lesson stands at.
func (l *Screen) Step() *lessons.Step { return l.play.Step() }

// StepsDone says for each step whether it is done.
func (l *Screen) StepsDone() []bool {
	done := make([]bool, len(l.play.Lesson().Steps))
	for i := range done {
		done[i] = l.play.Done(i)
	}
	return done
}

// Progress is the lesson's progress, to be kept.
func (l *Screen) Progress() lessons.Progress { return l.play.Progress() }
