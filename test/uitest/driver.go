package uitest

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"svctour/lessons"
	"svctour/model"
	"svctour/model/meter"
	"svctour/ui"
	"svctour/ui/shell"
)

// Driver drives an App by messages, without a terminal. A command runs until it
// answers or the backend says that it waits; time goes on only by the driver.
// What does not come, or does not end, fails the test and shows the frame.
type Driver struct {
	App     *ui.App
	Backend *Backend
	Quit    bool // the program has ended itself

	// Timed does an update or a view, which what names; benchmarks measure it.
	Timed func(what string, work func())

	t      testing.TB
	now    time.Time
	depth  int
	late   chan lateAnswer
	asked  int            // looks that wait for their node
	held   []chan tea.Msg // the answers of commands that the backend holds
	timers []timer
}

// lateAnswer is the answer of a command that waited.
type lateAnswer struct {
	of  wait
	msg tea.Msg
}

type timer struct {
	after time.Duration
	fire  func(time.Time) tea.Msg
}

const (
	// patience is how long what must come is waited for.
	patience = time.Minute
	// aFrame is more than the time between two frames, which is not worth waiting for.
	aFrame = 10 * time.Millisecond
	// aTick is more than a step of an animation takes, and less than the time
	// between two looks at a node.
	aTick = time.Second
)

// Drive starts the app on a screen of w×h cells. The options may have a *Backend
// and lessons, else those of the tests; they need no clock.
func Drive(t testing.TB, w, h int, options ui.Options) *Driver {
	t.Helper()
	if options.Lessons == nil {
		list, err := Lessons()
		if err != nil {
			t.Fatal(err)
		}
		options.Lessons = list
	}
	backend, ok := options.Backend.(*Backend)
	if !ok {
		backend = NewBackend()
	}
	backend.waiting, backend.holding = make(chan wait), make(chan struct{})
	d := &Driver{Backend: backend, Timed: func(_ string, work func()) { work() }, t: t, now: Epoch, late: make(chan lateAnswer, 256)}
	options.Backend, options.Seed = backend, 1
	options.Now = d.Now
	options.Timer = func(after time.Duration, fire func(time.Time) tea.Msg) tea.Cmd {
		if after < aFrame {
			d.Pass(after)
			return func() tea.Msg { return fire(d.now) }
		}
		d.timers = append(d.timers, timer{after, fire})
		return nil
	}
	d.App = ui.New(t.Context(), options)
	d.run(d.App.Init())
	d.Send(tea.WindowSizeMsg{Width: w, Height: h})
	return d
}

// Tour opens the first lesson on a lab whose namespace is empty.
func Tour(t testing.TB, w, h int, options ui.Options) *Driver {
	t.Helper()
	d := Drive(t, w, h, options)
	d.Press("enter")
	d.Show(World())
	d.Press("enter")
	d.Show(World())
	d.Calm()
	return d
}

// giveUp fails the test and shows where the app stands.
func (d *Driver) giveUp(format string, args ...any) {
	d.t.Helper()
	d.t.Fatalf("%s:\n%s", fmt.Sprintf(format, args...), d.Frame())
}

// Now is the driver's time.
func (d *Driver) Now() time.Time { return d.now }

// Pass lets time go by; no timer fires.
func (d *Driver) Pass(by time.Duration) { d.now = d.now.Add(by) }

// Send gives a message to the app, draws, and does what follows from it.
func (d *Driver) Send(msg tea.Msg) {
	d.t.Helper()
	var cmd tea.Cmd
	d.Timed("update", func() { _, cmd = d.App.Update(msg) })
	d.Timed("view", func() { d.App.View() })
	d.run(cmd)
}

// run executes a command and what follows from it. A command that waits for the
// cluster is left waiting.
func (d *Driver) run(cmd tea.Cmd) {
	d.t.Helper()
	if cmd == nil {
		return
	}
	if d.depth > 200 {
		d.giveUp("commands follow from commands without an end")
	}
	d.depth++
	defer func() { d.depth-- }()
	done := make(chan tea.Msg, 1)
	go func() { done <- cmd() }()
	select {
	case msg := <-done:
		d.came(msg)
	case what := <-d.Backend.waiting:
		if what == forNode {
			d.asked++
		}
		go func() { d.late <- lateAnswer{what, <-done} }()
	case <-d.Backend.holding:
		d.held = append(d.held, done)
	case <-time.After(patience):
		d.giveUp("a command neither ends nor waits")
	}
}

// came does what the answer of a command asks for.
func (d *Driver) came(msg tea.Msg) {
	d.t.Helper()
	switch msg := msg.(type) {
	case nil:
	case tea.BatchMsg:
		for _, c := range msg {
			d.run(c)
		}
	case tea.QuitMsg:
		d.Quit = true
	default:
		value := reflect.ValueOf(msg)
		if value.Kind() != reflect.Slice {
			d.Send(msg)
			return
		}
		for i := range value.Len() { // tea.Sequence's message is not exported
			if c, ok := value.Index(i).Interface().(tea.Cmd); ok {
				d.run(c)
			}
		}
	}
}

// arrive sends the next answer of a command that waited, and says what for.
func (d *Driver) arrive(what string) wait {
	d.t.Helper()
	select {
	case answer := <-d.late:
		if answer.of == forNode {
			d.asked--
		}
		d.came(answer.msg)
		return answer.of
	case <-time.After(patience):
		d.giveUp("%s does not arrive", what)
		return 0
	}
}

// Show gives the app the next picture of the cluster.
func (d *Driver) Show(s *model.Snapshot) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	if err := d.Backend.Give(ctx, s); err != nil {
		d.giveUp("%v", err)
	}
	for d.App.World() != s {
		d.arrive("the picture")
	}
}

// EndLab lets the lab end by itself.
func (d *Driver) EndLab(why error) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	if err := d.Backend.EndLab(ctx, why); err != nil {
		d.giveUp("%v", err)
	}
	for d.arrive("the lab's end") != forLab {
	}
}

// Observe says what a command on a node prints. Looks that wait for their node
// are answered.
func (d *Driver) Observe(observe func(node string, command []string) (string, error)) {
	d.t.Helper()
	d.Backend.SetObserve(observe)
	for d.asked > 0 {
		d.arrive("a look at a node")
	}
}

// Heard lets the stream under way tell a batch.
func (d *Driver) Heard(batch meter.Batch) {
	d.t.Helper()
	batch.At = d.now
	d.tell(heard{batch: batch})
}

// StreamEnds lets the stream under way end, by io.EOF or for a reason.
func (d *Driver) StreamEnds(err error) {
	d.t.Helper()
	d.tell(heard{err: err})
}

// tell lets the stream under way tell something, and the app take it in.
func (d *Driver) tell(news heard) {
	d.t.Helper()
	select {
	case d.Backend.heard <- news:
	case <-time.After(patience):
		d.giveUp("no stream is under way")
	}
	for d.arrive("what was heard of the stream") != forStream {
	}
}

// Look lets the time pass until the app looks at its node again.
func (d *Driver) Look() {
	d.t.Helper()
	if d.fire(func(after time.Duration) bool { return after >= aTick }) == 0 {
		d.giveUp("the app plans no look at a node")
	}
}

// Hold lets kubectl wait from now on.
func (d *Driver) Hold() { d.Backend.Hold() }

// Release lets each kubectl that waits answer.
func (d *Driver) Release() {
	d.t.Helper()
	d.Backend.Release()
	for len(d.held) > 0 {
		d.Stopped()
	}
}

// Stopped sends the answer of the kubectl that waits longest: it was released,
// or its context has ended.
func (d *Driver) Stopped() {
	d.t.Helper()
	if len(d.held) == 0 {
		d.giveUp("no kubectl waits")
	}
	first := d.held[0]
	d.held = d.held[1:]
	select {
	case msg := <-first:
		d.came(msg)
	case <-time.After(patience):
		d.giveUp("a kubectl goes on")
	}
}

var codes = map[string]tea.Key{
	"enter": {Code: tea.KeyEnter}, "esc": {Code: tea.KeyEscape}, "up": {Code: tea.KeyUp}, "down": {Code: tea.KeyDown},
	"left": {Code: tea.KeyLeft}, "right": {Code: tea.KeyRight}, "tab": {Code: tea.KeyTab}, "space": {Code: tea.KeySpace, Text: " "},
	"pgup": {Code: tea.KeyPgUp}, "pgdown": {Code: tea.KeyPgDown}, "home": {Code: tea.KeyHome},
	"end": {Code: tea.KeyEnd}, "backspace": {Code: tea.KeyBackspace}, "delete": {Code: tea.KeyDelete},
	"ctrl+c": {Code: 'c', Mod: tea.ModCtrl}, "shift+tab": {Code: tea.KeyTab, Mod: tea.ModShift},
	"ctrl+g": {Code: 'g', Mod: tea.ModCtrl}, "ctrl+r": {Code: 'r', Mod: tea.ModCtrl}, "ctrl+s": {Code: 's', Mod: tea.ModCtrl},
	"ctrl+t": {Code: 't', Mod: tea.ModCtrl}, "ctrl+z": {Code: 'z', Mod: tea.ModCtrl},
}

// Press presses keys as a person does: one after having seen what the last did.
func (d *Driver) Press(keys ...string) {
	d.t.Helper()
	for _, k := range keys {
		d.Pass(time.Second)
		d.PressAtOnce(k)
	}
}

// PressAtOnce presses keys while no time passes.
func (d *Driver) PressAtOnce(keys ...string) {
	d.t.Helper()
	for _, k := range keys {
		key, ok := codes[k]
		if !ok {
			key = tea.Key{Code: []rune(k)[0], Text: k}
		}
		if got := tea.KeyPressMsg(key).String(); got != k {
			d.t.Fatalf("key %q is %q", k, got)
		}
		d.Send(tea.KeyPressMsg(key))
	}
}

// Type types a text.
func (d *Driver) Type(text string) {
	d.t.Helper()
	for _, r := range text {
		d.Send(tea.KeyPressMsg(tea.Key{Code: r, Text: string(r)}))
	}
}

// fire lets the timers fire that take as long as wanted: those alone that are
// set now.
func (d *Driver) fire(wanted func(time.Duration) bool) (fired int) {
	d.t.Helper()
	timers := d.timers
	d.timers = nil
	for _, timer := range timers {
		if !wanted(timer.after) {
			d.timers = append(d.timers, timer)
			continue
		}
		fired++
		d.Pass(timer.after)
		d.Send(timer.fire(d.now))
	}
	return fired
}

// Tick lets every animation go one step on, and says whether one did.
func (d *Driver) Tick() bool {
	d.t.Helper()
	return d.fire(func(after time.Duration) bool { return after < aTick }) > 0
}

// Calm lets every animation end.
func (d *Driver) Calm() {
	d.t.Helper()
	for range 200 {
		if !d.Tick() {
			return
		}
	}
	d.giveUp("an animation does not end")
}

// Frame is what the app shows, as text.
func (d *Driver) Frame() string { return d.App.Frame().Plain() }

// Sees fails unless the frame has each text.
func (d *Driver) Sees(texts ...string) {
	d.t.Helper()
	got := d.Frame()
	for _, text := range texts {
		if !strings.Contains(got, text) {
			d.t.Fatalf("the frame lacks %q:\n%s", text, got)
		}
	}
}

// Lacks fails if the frame has one of the texts.
func (d *Driver) Lacks(texts ...string) {
	d.t.Helper()
	got := d.Frame()
	for _, text := range texts {
		if strings.Contains(got, text) {
			d.t.Fatalf("the frame has %q:\n%s", text, got)
		}
	}
}

// Step is the step at which the open lesson stands.
func (d *Driver) Step() *lessons.Step {
	d.t.Helper()
	screen, ok := d.App.Screen().(interface{ Step() *lessons.Step })
	if !ok {
		d.giveUp("no lesson is open")
	}
	return screen.Step()
}

// ToStep goes on in the open lesson to the step of a title.
func (d *Driver) ToStep(title string) *lessons.Step {
	d.t.Helper()
	for range 30 {
		if step := d.Step(); step.Title == title {
			return step
		}
		d.Press("right")
	}
	d.giveUp("there is no step %q", title)
	return nil
}

// Predict answers the prediction that is asked, by its first choice, if one is.
func (d *Driver) Predict() {
	d.t.Helper()
	for _, a := range d.App.Screen().Actions() {
		if a.Title == "predict" && slices.Contains(a.Keys, "1") {
			d.Press("1", "s")
			return
		}
	}
}

// Key gives the title of what a key does, and why it cannot be done.
func (d *Driver) Key(key string) (title, why string) {
	d.t.Helper()
	for _, a := range d.App.Screen().Actions() {
		if slices.Contains(a.Keys, key) {
			return a.Title, a.Why
		}
	}
	d.giveUp("%q does nothing", key)
	return "", ""
}

// Watched is the node that the screen watches; "" for none.
func (d *Driver) Watched() string {
	w, ok := d.App.Screen().(shell.Watcher)
	if !ok {
		return ""
	}
	node, _ := w.Watches()
	return node
}

// Asked are the kubectl commands since the first n, without their namespace.
func (d *Driver) Asked(n int) []string {
	var out []string
	for _, args := range d.Backend.Ran()[n:] {
		out = append(out, strings.Join(args[1:], " "))
	}
	return out
}

// Last is the last kubectl command, its namespace first.
func (d *Driver) Last() []string {
	d.t.Helper()
	ran := d.Backend.Ran()
	if len(ran) == 0 {
		d.giveUp("no kubectl was run")
	}
	return ran[len(ran)-1]
}
