// Package lesson is the screen of one lesson: the story and the manifest on
// one side, the live cluster on the other.
package lesson

import (
	"math/rand/v2"
	"strings"

	"svctour/lessons"
	"svctour/model"
	"svctour/model/diagnose"
	"svctour/model/dns"
	"svctour/model/path"
	"svctour/ui/layout"
	"svctour/ui/live"
	"svctour/ui/shell"
)

// pane is one of the parts that can be focused and scrolled.
type pane int

const (
	storyPane pane = iota
	mapPane
	endpointsPane
	dnsPane
	pathPane
	filePane
	commandPane
	panes
)

var paneTitles = [panes]string{"Lesson", "Map", "Endpoints", "DNS", "Path", "Manifest", "Commands"}

// livePanes are always visible on a large screen.
var livePanes = []pane{mapPane, endpointsPane, dnsPane, pathPane}

// Screen plays one lesson.
type Screen struct {
	play *lessons.Play
	view live.View

	size    shell.Size
	focus   pane
	lastTab pane       // the live pane that was in focus last
	scroll  [panes]int // as asked for; drawing bounds it by what there is
	offset  [panes]int // as drawn
	rules   bool       // show the rules' text on the path
	hints   int        // how many hints are shown

	running   string        // the command under way, as typed; "" when none is
	preparing bool          // the commands under way bring about a start state
	prepared  bool          // the start state was asked for, and has not been seen since
	refused   []model.Reply // of the commands that should have brought it about
	missing   []string      // conditions of the start state that are not met after them
	ran       string        // the step's command as it was run; "" before
	replies   []model.Reply
	problem   string // a check that could not be evaluated, a command that could not be made

	doctor   bool                    // the diagnosis stands where the story does
	report   *diagnose.ServiceReport // of the step's Service; nil without one
	undo     bool                    // a fix was applied that can be taken back
	request  request
	requests int // sent so far
	walkTick int
	random   *rand.Rand
}

// New makes the screen. The same seed walks packets the same way.
func New(play *lessons.Play, namespace string, size shell.Size, seed uint64) *Screen {
	return &Screen{
		play:    play,
		size:    size,
		lastTab: mapPane,
		view:    live.View{Namespace: namespace, Changes: &live.Changes{}},
		random:  rand.New(rand.NewPCG(seed, seed)),
	}
}

// Handle implements shell.Screen.
func (l *Screen) Handle(msg any) shell.Intent {
	switch msg := msg.(type) {
	case shell.Size:
		l.size = msg
	case shell.World:
		return l.observe(msg)
	case shell.Heard:
		return l.heard(msg)
	case shell.Rules:
		l.readRules(&msg)
	case shell.Answered:
		l.answered(msg)
	case shell.Fixed:
		l.undo = msg.Undo
	case shell.Tick:
		l.tick()
	}
	return nil
}

func (l *Screen) observe(world shell.World) shell.Intent {
	l.view.Changes.Add(world.Changes)
	l.view.Snapshot = world.Snapshot
	l.problem = ""
	var intents shell.Intents
	wasDone := l.play.Done(l.play.Index())
	changed, err := l.play.Observe(world.Snapshot)
	if err != nil {
		l.problem = err.Error()
	}
	if changed {
		intents = append(intents, shell.Save{Progress: l.play.Progress()})
	}
	l.refresh()
	if !wasDone && l.play.Done(l.play.Index()) {
		l.stepDone()
	}
	l.missing = nil
	switch {
	case !l.play.Preparing():
		if l.prepared { // what was brought about can be looked at now
			l.lastTab = l.opening()
		}
		l.prepared = false // should the start state be wanted again
	case l.stalled():
		l.missing = l.play.Missing()
	case l.running == "":
		intents = append(intents, l.prepare())
	}
	return intents
}

// prepare asks for the commands that bring about the step's start state.
func (l *Screen) prepare() shell.Intent {
	given, err := l.play.Given(l.view.Snapshot)
	if err != nil {
		l.problem = err.Error()
	}
	if len(given) == 0 {
		return nil
	}
	l.prepared = true
	return l.run(given, true)
}

// stalled says that the commands of the start state have ended, and that it is
// not there: it may still come, or they must be run again.
func (l *Screen) stalled() bool { return l.prepared && l.running == "" && l.play.Preparing() }

// stepDone makes room for what the step has to say now.
func (l *Screen) stepDone() {
	if l.class() == layout.Large {
		l.scroll[storyPane] = bottom // where the result stands
		return
	}
	l.scroll[storyPane] = 0
	l.lookAt(l.telling())
}

// refresh computes what the panes draw from the present snapshot.
func (l *Screen) refresh() {
	v := &l.view
	if v.Snapshot == nil {
		return
	}
	show := l.play.Show(v.Snapshot)
	v.Service = show.Service
	v.Trace, v.TraceErr, v.Resolution, v.ResolveErr = nil, "", nil, ""
	if l.report = nil; l.doctor && v.Service != "" {
		report := diagnose.New(v.Snapshot).Service(v.Namespace, v.Service, diagnose.Options{})
		l.report = &report
	}
	if show.Target != "" {
		trace, err := path.Do(v.Snapshot, path.Request{Namespace: v.Namespace, Target: show.Target, From: show.From})
		if err != nil {
			v.TraceErr = sentence(err)
		} else {
			v.Trace, v.Client = trace, trace.From
		}
	}
	if v.Trace == nil {
		v.Client, v.Walk = show.From, nil
	}
	if show.Name != "" {
		from := show.From
		if from == "" || from == "outside" {
			from = l.anyPod()
		}
		if from != "" {
			resolution, err := dns.Resolve(v.Snapshot, dns.Request{Namespace: v.Namespace, From: from, Name: show.Name})
			if err != nil {
				v.ResolveErr = sentence(err)
			} else {
				v.Resolution = resolution
			}
		}
	}
	if v.Walk != nil && (v.Walk.Outcome >= len(v.Trace.Outcomes) || v.Walk.Hop >= len(v.Trace.Outcomes[v.Walk.Outcome].Hops)) {
		v.Walk = nil
	}
}

// sentence writes an error as people do.
func sentence(err error) string {
	text := err.Error()
	text = strings.ToUpper(text[:1]) + text[1:]
	if strings.HasSuffix(text, "?") { // a name that may have been meant
		return text
	}
	return text + "."
}

// anyPod names a Pod of the namespace that a look-up can be asked from.
func (l *Screen) anyPod() string {
	for _, pod := range l.view.Snapshot.PodsIn(l.view.Namespace) {
		if pod.IP() != "" && !pod.Terminating() {
			return "pod/" + pod.Namespace + "/" + pod.Name
		}
	}
	return ""
}

// run asks for commands to be run.
func (l *Screen) run(invocations []lessons.Invocation, preparing bool) shell.Intent {
	l.preparing = preparing
	l.running = invocations[0].Display
	l.refused, l.replies = nil, nil
	if !preparing {
		l.ran = l.running
	}
	return shell.Run{Quiet: preparing, Invokes: invocations}
}

func (l *Screen) heard(msg shell.Heard) shell.Intent {
	if msg.Last {
		l.running, l.preparing = "", false
	}
	l.scroll[commandPane] = 0
	var intents shell.Intents
	switch {
	case !msg.Quiet:
		l.replies = append(l.replies, msg.Reply)
		intents = append(intents, l.Overheard(msg.Reply))
	case msg.Reply.Exit != 0:
		l.refused = append(l.refused, msg.Reply)
	}
	if msg.Last { // a quiet cluster sends no other picture
		intents = append(intents, l.look())
	}
	return intents
}

// Typed implements shell.Typist: the lesson's files can be named.
func (l *Screen) Typed(line string) (lessons.Invocation, error) { return l.play.Typed(line) }

// Overheard implements shell.Typist: a step may be done by any command that
// does what it asks for.
func (l *Screen) Overheard(reply model.Reply) shell.Intent {
	changed, err := l.play.Heard(reply)
	if err != nil {
		l.problem = err.Error()
	}
	if changed {
		l.stepDone()
		return shell.Save{Progress: l.play.Progress()}
	}
	return nil
}

// stepChanged ends and forgets what belonged to the step before, and lets the
// new one see the present picture.
func (l *Screen) stepChanged() shell.Intent {
	l.hints = 0
	l.running, l.preparing, l.prepared = "", false, false
	l.refused, l.missing = nil, nil
	l.problem = ""
	l.ran, l.replies = "", nil
	l.doctor = false
	l.scroll = [panes]int{}
	l.view.Walk, l.view.Seen, l.request = nil, nil, request{}
	l.refresh()
	l.focus = storyPane
	l.lastTab = l.opening()
	return shell.Intents{shell.Stop{}, l.look()}
}

// opening is the pane in sight when the step begins.
func (l *Screen) opening() pane {
	if l.play.Step().File != nil && !l.play.Done(l.play.Index()) {
		return filePane
	}
	return l.telling()
}

// telling is the live pane that has most to tell about the step. Where there is
// no Service yet, the map has: the others would only say so.
func (l *Screen) telling() pane {
	v := &l.view
	switch {
	case v.Trace != nil && l.play.Step().File == nil:
		return pathPane
	case v.Snapshot != nil && v.Snapshot.Service(v.Namespace, v.Service) != nil:
		return endpointsPane
	}
	return mapPane
}

// lookAt moves the focus to a pane.
func (l *Screen) lookAt(p pane) {
	l.focus = p
	if p != storyPane {
		l.lastTab = p
	}
}

func (l *Screen) class() layout.Class { return layout.Classify(l.size.W, l.size.H) }

// Animating implements shell.Screen.
func (l *Screen) Animating() bool {
	return l.view.Changes.Busy() || l.view.Walk != nil || l.running != "" || l.request.waiting
}

// walkPace is how many ticks a packet stays on a hop, walkRest how many it
// rests where it arrived.
const (
	walkPace = 3
	walkRest = 16
)

func (l *Screen) tick() {
	l.view.Changes.Tick()
	walk := l.view.Walk
	if walk == nil || l.view.Trace == nil {
		return
	}
	l.walkTick++
	hops := len(l.view.Trace.Outcomes[walk.Outcome].Hops)
	switch {
	case walk.Hop < hops-1 && l.walkTick >= walkPace:
		walk.Hop++
		l.walkTick = 0
	case walk.Hop >= hops-1 && l.walkTick >= walkRest:
		l.view.Walk = nil
	}
}

// startWalk sends a packet along one outcome, chosen by its probability.
func (l *Screen) startWalk() {
	trace := l.view.Trace
	if trace == nil || len(trace.Outcomes) == 0 {
		return
	}
	at := l.random.Float64()
	outcome := len(trace.Outcomes) - 1
	for i, o := range trace.Outcomes {
		if at -= o.Probability; at < 0 {
			outcome = i
			break
		}
	}
	if len(trace.Outcomes[outcome].Hops) == 0 {
		return
	}
	l.view.Walk, l.walkTick = &live.Walk{Outcome: outcome}, 0
	if l.class() != layout.Large {
		l.lookAt(pathPane)
	}
}

// Status is where the lesson stands, for the header.
func (l *Screen) Status() (number int, title string, step, steps int) {
	lesson := l.play.Lesson()
	return lesson.Number, lesson.Title, l.play.Index(), len(lesson.Steps)
}

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
