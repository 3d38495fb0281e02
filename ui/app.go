// Package ui is the terminal program: one Bubble Tea model, the App, that owns
// the screens, turns keys into actions and actions into commands.
package ui

import (
	"context"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"svctour/lessons"
	"svctour/model"
	"svctour/ui/contents"
	"svctour/ui/frame"
	"svctour/ui/lesson"
	"svctour/ui/picker"
	"svctour/ui/prompt"
	"svctour/ui/review"
	"svctour/ui/sandbox"
	"svctour/ui/shell"
	"svctour/ui/theme"
)

// FramesPerSecond is how often Bubble Tea's renderer is to look whether there is
// something to write, which it does for as long as it runs: more often, and
// looking alone takes more of a processor than all else that an idle app does.
const FramesPerSecond = 50

// Options say how the program starts.
type Options struct {
	Backend shell.Backend     // required
	Reviews shell.Reviews     // nil: there is no review
	Lessons []*lessons.Lesson // required, in order
	Choice  *shell.Choice     // skip the picker
	Lesson  string            // open this lesson, or the sandbox by its ID, once connected; "" shows the list
	Theme   theme.Options     // Light is set when the terminal tells its background
	Seed    uint64            // of the packets' walks
	Still   bool              // nothing moves by itself

	// Now and Timer are the clock; nil for the real one.
	Now   func() time.Time
	Timer func(time.Duration, func(time.Time) tea.Msg) tea.Cmd
}

// App is the tea.Model of the whole program.
type App struct {
	ctx     context.Context // ends with the program
	options Options
	theme   *theme.Theme
	size    shell.Size

	screen  shell.Screen
	picker  *picker.Screen
	dialog  *dialog
	help    bool
	notice  string       // a sentence in place of the footer until the next key
	refused shell.Action // whose reason the notice is, as long as it holds

	link       link
	errands    context.Context    // what the screen has asked for; ends when it stops it, or goes
	endErrands context.CancelFunc // ends errands; nil before the first
	shown      context.Context    // what is computed for the screen; ends when another is shown
	endShown   context.CancelFunc
	ledger     ledger
	progress   map[string]lessons.Progress
	unsaved    []lessons.Progress
	wanted     string // the lesson to open once the namespace is there
	removing   bool   // the present cluster's namespace, once every question is answered

	prompt    prompt.Prompt
	stopTyped context.CancelFunc // ends the prompt's command
	fix       fix
	writing   writing
	watch     watch
	stream    stream

	ticking   bool
	quitting  bool
	measuring bool // the terminal was asked how wide it draws glyphs

	stale    bool           // something has happened since the last frame
	awaiting bool           // the next frame comes with a frameMsg
	composed time.Time      // when the last frame was begun
	canvas   *frame.Surface // that the last frame was drawn on; nil before the first
	view     tea.View
	drawn    *model.Snapshot // what the view was drawn from; nil before the first
	areas    []frame.Region
}

// New makes the program. Everything it starts ends with ctx.
func New(ctx context.Context, o Options) *App {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Timer == nil {
		o.Timer = tea.Tick
	}
	return &App{ctx: ctx, link: link{ctx: ctx}, shown: ctx, endShown: func() {}, options: o, theme: theme.New(o.Theme), picker: picker.New(), progress: map[string]lessons.Progress{}, stale: true}
}

// Farewell is what to print once the terminal is back: what was left behind
// and how to remove it.
func (a *App) Farewell() []string { return a.ledger.farewell }

// Session is the open session, nil when there is none. The caller closes it
// after the program has ended.
func (a *App) Session() shell.Session { return a.link.session }

// Screen is the present screen; nil before Init.
func (a *App) Screen() shell.Screen { return a.screen }

// World is the newest snapshot; nil before the first.
func (a *App) World() *model.Snapshot { return a.link.world }

// Shown is the snapshot that the present frame was drawn from: what is drawn is
// computed beside the app, and may be a little older than World.
func (a *App) Shown() *model.Snapshot { return a.drawn }

// Init implements tea.Model.
func (a *App) Init() tea.Cmd {
	a.screen = a.picker
	first := loadChoices(a.ctx, a.options.Backend)
	if a.options.Choice != nil {
		first = a.connect(*a.options.Choice)
	}
	return tea.Batch(tea.RequestBackgroundColor, tea.Raw(ansi.SetModeLightDark), a.greet(), first)
}

// Update implements tea.Model.
func (a *App) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	before := a.stale
	a.stale = true
	cmd := a.update(msg)
	a.stale = a.stale || before
	return a, tea.Batch(cmd, a.follow(), a.animate(), a.pace())
}

// framePace is the least time between two frames: what happens more often, such
// as the turning of a wheel, is seen together.
const framePace = 8 * time.Millisecond

// frameMsg says that it is time for the next frame.
type frameMsg struct{}

// pace lets a frame that would come too early wait.
func (a *App) pace() tea.Cmd {
	wait := framePace - a.options.Now().Sub(a.composed)
	if !a.stale || a.awaiting || wait <= 0 {
		return nil
	}
	a.awaiting = true
	return a.options.Timer(wait, func(time.Time) tea.Msg { return frameMsg{} })
}

func (a *App) update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case answer:
		return a.arrived(msg)
	case tea.WindowSizeMsg:
		a.size = shell.Size{W: msg.Width, H: msg.Height}
		return a.tell(a.size)
	case frameMsg:
		a.awaiting, a.stale = false, false // stale as before
	case frame.DarkScheme, frame.LightScheme:
		a.stale = false
		return tea.RequestBackgroundColor
	case tea.BackgroundColorMsg:
		a.options.Theme.Light = !msg.IsDark()
		a.theme = theme.New(a.options.Theme)
	case tea.ColorProfileMsg:
		a.profile(msg)
	case tea.CursorPositionMsg:
		return a.measured(msg)
	case tea.KeyPressMsg:
		return a.keyPress(msg)
	case tea.PasteMsg:
		return a.paste(msg.Content)
	case tea.MouseClickMsg:
		if mouse := msg.Mouse(); mouse.Button == tea.MouseLeft {
			return a.click(mouse.X, mouse.Y)
		}
	case tea.MouseWheelMsg:
		return a.wheel(msg.Mouse().Button)
	case tickMsg:
		a.ticking = false
		return a.tell(shell.Tick{})
	case choicesMsg:
		return a.choices(msg)
	case shell.Probed:
		return a.intent(a.picker.Handle(msg))
	case stageMsg, labReadyMsg, labEndedMsg, connectedMsg:
		return a.connection(msg)
	case snapshotMsg:
		return a.snapshot(msg)
	case progressMsg:
		return a.progressLoaded(msg)
	case namespaceMsg:
		return a.namespaceMade(msg)
	case heardMsg:
		return a.heard(msg)
	case answeredMsg:
		return a.tell(msg.answered)
	case streamedMsg:
		return a.streamed(msg)
	case shell.Computed, shell.Diagnosed, shell.Planned, shell.ReviewNews, shell.PlacementNews:
		return a.tell(msg)
	case typedMsg:
		return a.typed(msg)
	case childMsg:
		return a.child(msg)
	case fixMsg:
		a.previewed(msg)
	case checkDueMsg, checkedMsg:
		return a.writingNews(msg)
	case rulesMsg:
		return a.rulesRead(msg)
	case observeDueMsg:
		return a.lookDue(msg)
	case clientMadeMsg:
		a.clientMade(msg)
	case savedMsg:
		return a.saved(msg)
	case cleanedMsg:
		return a.cleaned(msg)
	case keptMsg:
		return a.kept(msg)
	default:
		a.stale = false // nothing of ours: the frame stands
	}
	return nil
}

// tell hands news to the screen.
func (a *App) tell(msg any) tea.Cmd { return a.intent(a.screen.Handle(msg)) }

// show makes another screen the present one. What the one before asked for
// ends with it.
func (a *App) show(s shell.Screen) tea.Cmd {
	a.stop()
	a.stopWriting()
	a.endShown()
	a.shown, a.endShown = context.WithCancel(a.link.ctx)
	a.screen = s
	cmd := tea.Batch(a.tell(a.size), a.tell(shell.Fixed{Undo: a.fix.undo != nil}))
	if a.link.world != nil {
		cmd = tea.Batch(cmd, a.tell(shell.World{Snapshot: a.link.world}))
	}
	return cmd
}

// stop ends what the present screen has asked for. A kubectl under way is
// killed: what it wrote stands, a request that it had not sent is never sent,
// and nothing of an earlier step's lands in a later one's start state.
func (a *App) stop() {
	if a.endErrands != nil {
		a.endErrands()
	}
	a.stream = stream{} // it ended with them
	a.errands, a.endErrands = context.WithCancel(a.link.ctx)
}

// intent does what a screen asks for.
func (a *App) intent(intent shell.Intent) tea.Cmd {
	switch in := intent.(type) {
	case shell.Intents:
		var cmds []tea.Cmd
		for _, one := range in {
			cmds = append(cmds, a.intent(one))
		}
		return tea.Sequence(cmds...)
	case shell.Choose:
		return a.connect(in.Choice)
	case shell.Picker:
		return a.leaveCluster()
	case shell.Contents:
		return a.show(a.contents())
	case shell.Open:
		return a.open(in.Lesson)
	case shell.Run:
		return runCommands(a.errands, a.link.session, a.link.namespace, in)
	case shell.Stop:
		a.stop()
	case shell.Request:
		return a.request(in)
	case shell.Stream:
		return a.startStream(in)
	case shell.Pace:
		a.setPace(in)
	case shell.Compute:
		return compute(a.shown, in)
	case shell.Diagnose:
		return diagnoseService(a.shown, a.link.session, a.link.world, in)
	case shell.Plan:
		return plan(a.shown, a.link.session, a.link.world, in)
	case shell.Bring:
		return bring(a.shown, a.link.session, in.Need)
	case shell.Look:
		return a.look(glance{all: true})
	case shell.MakeClient:
		a.askForClient(in)
	case shell.Prompt:
		if a.openPrompt(); a.prompt.IsOpen() {
			a.prompt.Set(in.Line)
		}
	case shell.Write:
		return a.write(in)
	case shell.Fix:
		return a.offer(in.Fix)
	case shell.Undo:
		return a.takeBack()
	case shell.Save:
		a.progress[in.Progress.Lesson] = in.Progress
		return a.save(in.Progress)
	case shell.Review:
		return a.show(review.New())
	case shell.AskReview:
		return askReview(a.shown, a.options.Reviews)
	case shell.AnswerReview:
		return answerReview(a.ctx, a.options.Reviews, in)
	case shell.Place:
		if l, err := lessons.Find(a.options.Lessons, in.Lesson); err == nil {
			return a.show(review.NewPlacement(l))
		}
	case shell.AskPlacement:
		return askPlacement(a.shown, a.options.Reviews, in.Lesson)
	case shell.AnswerPlacement:
		return answerPlacement(a.ctx, a.options.Reviews, in)
	case shell.Quit:
		return a.askToQuit()
	}
	return nil
}

func (a *App) contents() *contents.Screen {
	return contents.New(a.options.Lessons, a.progress, a.wanted, a.link.world)
}

// save keeps progress on disk, one save at a time so that none overtakes another.
func (a *App) save(p lessons.Progress) tea.Cmd {
	a.unsaved = append(a.unsaved, p)
	if len(a.unsaved) > 1 {
		return nil
	}
	return saveProgress(a.options.Backend, a.unsaved[0])
}

func (a *App) saved(msg savedMsg) tea.Cmd {
	if msg.err != nil {
		a.notice = "Progress was not saved: " + msg.err.Error()
	}
	if a.unsaved = a.unsaved[1:]; len(a.unsaved) > 0 {
		return saveProgress(a.options.Backend, a.unsaved[0])
	}
	return nil
}

// Unsaved lists, oldest first, what the caller should save after the program has ended.
func (a *App) Unsaved() []lessons.Progress { return a.unsaved }

// open opens a lesson, or the sandbox by its ID; the tour's namespace is made first, on a cluster that
// is not the lab only after the person has agreed.
func (a *App) open(id string) tea.Cmd {
	a.wanted = id
	switch {
	case a.link.namespace != "" && (a.link.world == nil || a.link.world.Namespace(a.link.namespace) != nil):
		return a.openLesson()
	case a.link.choice.Lab, a.link.namespace != "": // it was deleted, or cannot be seen
		return ensureNamespace(&a.link)
	}
	a.ask(confirmNamespace(a.link.choice.Context, id == lessons.SandboxID, func() tea.Cmd { return ensureNamespace(&a.link) }))
	return nil
}

func (a *App) namespaceMade(msg namespaceMsg) tea.Cmd {
	if msg.err != nil {
		a.notice = msg.err.Error()
		return nil
	}
	a.ledger.remember(msg.choice, msg.name)
	a.link.namespace = msg.name
	return a.openLesson()
}

// late: what was made is remembered, also when the cluster was left meanwhile.
func (m namespaceMsg) late(a *App) tea.Cmd {
	if m.err == nil {
		a.ledger.remember(m.choice, m.name)
	}
	return nil
}

func (a *App) openLesson() tea.Cmd {
	if a.wanted == lessons.SandboxID {
		return a.openSandbox()
	}
	l, err := lessons.Find(a.options.Lessons, a.wanted)
	if err != nil {
		a.notice = err.Error()
		return nil
	}
	play, err := lessons.NewPlay(l, a.link.namespace, a.progress[l.ID])
	if err != nil {
		a.notice = err.Error()
		return nil
	}
	if play.Finished() {
		play.Goto(0) // to look again, from the beginning
	}
	screen := lesson.New(play, a.link.namespace, a.size, a.options.Seed, a.theme)
	screen.Still(a.options.Still)
	return a.show(screen)
}

func (a *App) openSandbox() tea.Cmd {
	states, err := lessons.Sandbox()
	if err != nil {
		a.notice = err.Error()
		return nil
	}
	screen := sandbox.New(states, a.link.namespace, a.size, a.options.Seed, a.theme)
	screen.Still(a.options.Still)
	return a.show(screen)
}

func (a *App) snapshot(msg snapshotMsg) tea.Cmd {
	if msg.err != nil {
		a.notice = "The cluster cannot be watched any more: " + msg.err.Error()
		return nil
	}
	first := a.link.world == nil || !a.link.world.Sync.Synced
	a.link.world = msg.snapshot
	next := nextSnapshot(a.link.ctx, a.link.session, a.link.world.Sequence)
	told := a.tell(shell.World{Snapshot: a.link.world})
	if first && a.link.world.Sync.Synced {
		return tea.Batch(next, told, loadProgress(a.link.ctx, a.options.Backend))
	}
	return tea.Batch(next, told, a.lookSooner())
}

// progressLoaded is the end of connecting: the tour can begin.
func (a *App) progressLoaded(msg progressMsg) tea.Cmd {
	if msg.err != nil {
		a.notice = "Earlier progress could not be read: " + msg.err.Error()
	}
	if msg.progress != nil {
		a.progress = msg.progress
	}
	if a.options.Lesson != "" && a.wanted == "" {
		return tea.Batch(a.show(a.contents()), a.open(a.options.Lesson))
	}
	return a.show(a.contents())
}

func (a *App) heard(msg heardMsg) tea.Cmd {
	errands := a.errands // those of the run: its answer is in time
	cmd := a.tell(msg.heard)
	if msg.rest != nil {
		return tea.Batch(cmd, runCommands(errands, a.link.session, a.link.namespace, *msg.rest))
	}
	return cmd
}

// animate keeps one timer going while something moves.
func (a *App) animate() tea.Cmd {
	if a.ticking || a.screen == nil || !a.screen.Animating() {
		return nil
	}
	a.ticking = true
	return a.options.Timer(tickTime, func(time.Time) tea.Msg { return tickMsg{} })
}

// liveText says how the connection is, for the header.
func (a *App) liveText() (frame.Line, bool) {
	t := a.theme
	switch {
	case a.link.session == nil:
		return nil, false
	case a.link.world == nil || !a.link.world.Sync.Synced && a.link.world.Sync.Err == "":
		return frame.Line{{Text: t.Glyph.Pending + " reading", Style: t.Warn}}, false
	case a.link.world.Sync.Err != "":
		return frame.Line{{Text: t.Glyph.Trouble + " not live", Style: t.Bad}}, a.link.world.Sync.Synced
	}
	return frame.Line{{Text: t.Glyph.Live + " live", Style: t.Good}}, false
}

// told is the notice that holds, on one line; "" for none. Why an action cannot be
// done is over once it can be, or cannot for another reason.
func (a *App) told(actions []shell.Action) string {
	if a.refused.Why != "" && a.notice == sentence(a.refused.Why) && !slices.ContainsFunc(actions, func(action shell.Action) bool {
		return action.ID == a.refused.ID && action.N == a.refused.N && action.Why == a.refused.Why
	}) {
		return ""
	}
	return strings.Join(strings.Fields(model.Printable(a.notice)), " ")
}
