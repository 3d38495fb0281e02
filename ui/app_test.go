package ui

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"svctour/lessons"
	"svctour/model"
	"svctour/model/diagnose"
	"svctour/model/path"
	"svctour/ui/frame"
	"svctour/ui/layout"
	"svctour/ui/lesson"
	"svctour/ui/shell"
	"svctour/ui/theme"
)

var update = flag.Bool("update", false, "rewrite the golden frames")

// golden compares a frame with testdata/NAME.txt.
func golden(t testing.TB, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got+"\n" != string(want) {
		t.Errorf("frame %s differs (go test ./ui -update rewrites it)\n--- got\n%s\n--- want\n%s", name, got, want)
	}
}

// driver drives an App by messages, without a terminal. A command runs until it
// answers or the backend says that it waits; time goes on only by the driver.
type driver struct {
	t       testing.TB
	app     *App
	backend *scripted
	now     time.Time
	quit    bool
	depth   int
	late    chan tea.Msg   // answers of commands that waited
	held    []chan tea.Msg // the answers of commands that the backend holds
	timers  []timer
	timed   func(what string, work func()) // does an update or a view; benchmarks measure it
}

type timer struct {
	after time.Duration
	fire  func(time.Time) tea.Msg
}

// patience is how long the driver waits for what must come.
const patience = 20 * time.Second

func drive(t testing.TB, w, h int, options Options) *driver {
	t.Helper()
	backend := &scripted{waiting: make(chan struct{}, 16), holding: make(chan struct{}), pictures: make(chan *model.Snapshot)}
	list, err := lessons.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	d := &driver{t: t, backend: backend, now: epoch, late: make(chan tea.Msg, 256), timed: func(_ string, work func()) { work() }}
	options.Backend, options.Lessons, options.Seed = backend, list, 1
	options.Now = func() time.Time { return d.now }
	options.Timer = func(after time.Duration, fire func(time.Time) tea.Msg) tea.Cmd {
		if after <= framePace { // the next frame is not worth waiting for
			d.now = d.now.Add(after)
			return func() tea.Msg { return fire(d.now) }
		}
		d.timers = append(d.timers, timer{after, fire})
		return nil
	}
	d.app = New(t.Context(), options)
	d.run(d.app.Init())
	d.send(tea.WindowSizeMsg{Width: w, Height: h})
	return d
}

func (d *driver) send(msg tea.Msg) {
	d.t.Helper()
	var cmd tea.Cmd
	d.timed("update", func() { _, cmd = d.app.Update(msg) })
	d.timed("view", func() { d.app.View() })
	d.run(cmd)
}

// run executes a command and what follows from it. A command that waits for
// the cluster is left waiting: show gives the next snapshot.
func (d *driver) run(cmd tea.Cmd) {
	d.t.Helper()
	if cmd == nil {
		return
	}
	if d.depth > 200 {
		d.t.Fatal("commands follow from commands without an end")
	}
	d.depth++
	defer func() { d.depth-- }()
	done := make(chan tea.Msg, 1)
	go func() { done <- cmd() }()
	var msg tea.Msg
	select {
	case msg = <-done:
	case <-d.backend.waiting:
		go func() { d.late <- <-done }()
		return
	case <-d.backend.holding:
		d.held = append(d.held, done)
		return
	}
	switch msg := msg.(type) {
	case nil:
	case tea.BatchMsg:
		for _, c := range msg {
			d.run(c)
		}
	case tea.QuitMsg:
		d.quit = true
	default:
		if value := reflect.ValueOf(msg); value.Kind() == reflect.Slice { // tea.Sequence's message is not exported
			for i := range value.Len() {
				if c, ok := value.Index(i).Interface().(tea.Cmd); ok {
					d.run(c)
				}
			}
			return
		}
		d.send(msg)
	}
}

var codes = map[string]tea.Key{
	"enter": {Code: tea.KeyEnter}, "esc": {Code: tea.KeyEscape}, "up": {Code: tea.KeyUp}, "down": {Code: tea.KeyDown},
	"left": {Code: tea.KeyLeft}, "right": {Code: tea.KeyRight}, "tab": {Code: tea.KeyTab}, "space": {Code: tea.KeySpace, Text: " "},
	"ctrl+c": {Code: 'c', Mod: tea.ModCtrl}, "shift+tab": {Code: tea.KeyTab, Mod: tea.ModShift},
}

// press presses keys as a person does: one after having seen what the last did.
func (d *driver) press(keys ...string) {
	d.t.Helper()
	for _, k := range keys {
		d.now = d.now.Add(time.Second)
		d.pressAtOnce(k)
	}
}

// pressAtOnce presses keys while no time passes.
func (d *driver) pressAtOnce(keys ...string) {
	d.t.Helper()
	for _, k := range keys {
		key, ok := codes[k]
		if !ok {
			key = tea.Key{Code: []rune(k)[0], Text: k}
		}
		if got := tea.KeyPressMsg(key).String(); got != k {
			d.t.Fatalf("key %q is %q", k, got)
		}
		d.send(tea.KeyPressMsg(key))
	}
}

// show gives the app the next picture of the cluster.
func (d *driver) show(s *model.Snapshot) {
	d.t.Helper()
	deadline := time.After(patience)
	select {
	case d.backend.pictures <- s:
	case <-deadline:
		d.t.Fatal("the app does not wait for the cluster")
	}
	for d.app.World() != s {
		select {
		case msg := <-d.late:
			d.send(msg)
		case <-deadline:
			d.t.Fatal("the picture does not arrive")
		}
	}
}

// due lets the timers fire that take this long, those alone that are set now.
func (d *driver) due(after time.Duration) (fired int) {
	d.t.Helper()
	timers := d.timers
	d.timers = nil
	for _, timer := range timers {
		if timer.after != after {
			d.timers = append(d.timers, timer)
			continue
		}
		fired++
		d.now = d.now.Add(after)
		d.send(timer.fire(d.now))
	}
	return fired
}

// calm lets every animation end.
func (d *driver) calm() {
	d.t.Helper()
	for range 200 {
		if d.due(tickTime) == 0 {
			return
		}
	}
	d.t.Fatal("an animation does not end")
}

// looks lets the app look at the node again.
func (d *driver) looks() {
	d.t.Helper()
	d.send(answer{d.app.watch.ctx, observeDueMsg{}})
}

func (d *driver) frame() string { return d.app.Frame().Plain() }

func (d *driver) sees(texts ...string) {
	d.t.Helper()
	got := d.frame()
	for _, text := range texts {
		if !strings.Contains(got, text) {
			d.t.Fatalf("the frame lacks %q:\n%s", text, got)
		}
	}
}

// scripted is a backend that answers from memory.
type scripted struct {
	waiting  chan struct{} // a command waits for the cluster
	pictures chan *model.Snapshot
	holding  chan struct{} // a kubectl is held
	hold     chan struct{} // kubectl answers once it is closed, or its context has ended; nil: at once
	ran      [][]string
	reply    model.Reply
	answer   func(args []string, stdin string) model.Reply // nil: reply
	saved    []lessons.Progress
	kept     bool
	cleaned  bool
	startErr error
	contexts []shell.Choice
	observe  func(node string, command []string) (string, error) // nil: the node does not answer
}

func (b *scripted) Choices(context.Context) ([]shell.Choice, error) {
	return append([]shell.Choice{{Lab: true}}, b.contexts...), nil
}
func (b *scripted) Probe(_ context.Context, c shell.Choice) (string, error) {
	if strings.Contains(c.Server, "192.0.2.") {
		return "", errors.New("no route to host")
	}
	return "v1.36.1", nil
}
func (b *scripted) StartLab(_ context.Context, report func(shell.Stage)) (bool, error) {
	report(shell.Stage{Name: "etcd", Done: true})
	return true, b.startErr
}
func (b *scripted) LabEnded(ctx context.Context) error {
	b.waiting <- struct{}{}
	<-ctx.Done()
	return ctx.Err()
}
func (b *scripted) KeepLab() error { b.kept = true; return nil }
func (b *scripted) Connect(context.Context, shell.Choice) (shell.Session, error) {
	return b, nil
}
func (b *scripted) LoadProgress() (map[string]lessons.Progress, error) { return nil, nil }
func (b *scripted) SaveProgress(p lessons.Progress) error {
	b.saved = append(b.saved, p)
	return nil
}
func (b *scripted) Next(ctx context.Context, _ uint64) (*model.Snapshot, error) {
	b.waiting <- struct{}{}
	select {
	case s := <-b.pictures:
		return s, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
func (b *scripted) EnsureNamespace(context.Context) (string, error) { return "tour", nil }
func (b *scripted) Kubectl(ctx context.Context, namespace string, args []string, stdin string) model.Reply {
	b.ran = append(b.ran, append([]string{namespace}, args...))
	if hold := b.hold; hold != nil {
		b.holding <- struct{}{}
		select {
		case <-hold:
		case <-ctx.Done():
			return model.Reply{Stderr: "Stopped.\n", Exit: -1}
		}
	}
	if b.answer != nil {
		return b.answer(args, stdin)
	}
	return b.reply
}
func (b *scripted) Diagnose(_ context.Context, snapshot *model.Snapshot, namespace, service string) (*diagnose.ServiceReport, error) {
	report := diagnose.New(snapshot).Service(namespace, service, diagnose.Options{})
	return &report, nil
}

func (b *scripted) Observe(ctx context.Context, ask path.Ask, take func(path.Listing) error) error {
	if b.observe == nil {
		b.waiting <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}
	for _, c := range ask.Commands() {
		text, err := b.observe(ask.Node, c.Args)
		if err != nil {
			return err
		}
		if err := take(c.Listing(ask, time.Time{}, strings.NewReader(text))); err != nil {
			return err
		}
	}
	return nil
}
func (b *scripted) Terminal(_ context.Context, namespace string, args []string) (shell.Child, error) {
	b.ran = append(b.ran, append([]string{"terminal", namespace}, args...))
	return nil, errors.New("not in a test")
}
func (b *scripted) Clean(context.Context) error { b.cleaned = true; return nil }
func (b *scripted) Close()                      {}

// tourStart opens the first lesson on a lab whose namespace is empty.
func tourStart(t testing.TB, w, h int, options Options) *driver {
	t.Helper()
	d := drive(t, w, h, options)
	d.press("enter")
	d.show(world())
	d.press("enter")
	d.show(world())
	d.calm()
	return d
}

func TestPicker(t *testing.T) {
	d := drive(t, 80, 24, Options{})
	d.backend.contexts = []shell.Choice{
		{Context: "kind-dev", Server: "https://127.0.0.1:34567", Current: true},
		{Context: "prod", Server: "https://192.0.2.7:6443"},
	}
	d.run(loadChoices(context.Background(), d.backend))
	d.sees("The lab", "kind-dev", "answers, v1.36.1", "no route to host")
	golden(t, "picker-80x24", d.frame())
}

// Each plugin might ask the person to log in: none runs for the picker.
func TestPickerRunsNoPlugin(t *testing.T) {
	d := drive(t, 80, 24, Options{})
	d.backend.contexts = []shell.Choice{
		{Context: "dev", Server: "https://127.0.0.1:34567"},
		{Context: "cloud", Server: "https://192.0.2.7:6443", Plugin: "/opt/bin/sign\x1b[2J-in"},
	}
	d.run(loadChoices(context.Background(), d.backend))
	d.sees("answers, v1.36.1", "-in; asked when chosen", "https://192.0.2.7:6443")
	if got := d.frame(); strings.Contains(got, "no route to host") || strings.Contains(got, "\x1b") {
		t.Errorf("the frame has an answer, or an escape:\n%s", got)
	}
}

func TestContextNeedsConsentBeforeAnyWrite(t *testing.T) {
	d := drive(t, 80, 24, Options{Choice: &shell.Choice{Context: "prod", Server: "https://192.0.2.7:6443"}})
	d.show(world())
	d.press("enter")
	d.sees("Write to this cluster?", "prod")
	if d.app.link.namespace != "" || len(d.backend.ran) > 0 {
		t.Fatal("something was written before the person agreed")
	}
	d.press("n")
	d.sees("Lessons")
	if d.app.link.namespace != "" {
		t.Fatal("a namespace was made although the person declined")
	}
	d.press("enter", "y")
	d.show(world())
	if d.app.link.namespace != "tour" {
		t.Fatalf("namespace %q after consent", d.app.link.namespace)
	}
}

func TestLessonFrames(t *testing.T) {
	for _, size := range []struct{ w, h int }{{80, 24}, {120, 40}, {200, 60}} {
		t.Run(fmt.Sprintf("%dx%d", size.w, size.h), func(t *testing.T) {
			d := tourStart(t, size.w, size.h, Options{})
			golden(t, fmt.Sprintf("lesson-empty-%dx%d", size.w, size.h), d.frame())
			d.press("?")
			golden(t, fmt.Sprintf("keys-%dx%d", size.w, size.h), d.frame())
			d.press("?")
			d.show(world(threePods()...))
			d.calm()
			golden(t, fmt.Sprintf("lesson-pods-%dx%d", size.w, size.h), d.frame())
			d.toService()
			golden(t, fmt.Sprintf("lesson-service-%dx%d", size.w, size.h), d.frame())
		})
	}
}

// toService goes to the step that makes the Service and shows its result.
func (d *driver) toService() {
	d.t.Helper()
	for range 20 {
		_, _, at, _ := d.app.screen.(*lesson.Screen).Status()
		if step := d.app.options.Lessons[0].Steps[at]; step.File != nil && step.File.Name == "web-svc.yaml" {
			d.show(world(append(threePods(), clientPod())...)) // the step's start state
			d.press("b")
			d.show(withService())
			d.calm()
			return
		}
		d.press("right")
	}
	d.t.Fatal("no step of the lesson makes a Service")
}

func withService() *model.Snapshot {
	return world(append(threePods(), clientPod(), webService(model.ClusterIP, 0), webSlice(3))...)
}

func TestEveryScreenFitsEverySize(t *testing.T) {
	pictures := map[string]*model.Snapshot{
		"empty":   world(),
		"pods":    world(threePods()...),
		"service": world(append(threePods(), webService(model.LoadBalancer, 30080), webSlice(3))...),
		"trouble": troubled(),
	}
	for name, picture := range pictures {
		for _, size := range []struct{ w, h int }{{20, 5}, {40, 12}, {69, 20}, {80, 24}, {110, 30}, {120, 40}, {200, 60}} {
			for _, look := range []theme.Options{{}, {Light: true}, {NoColor: true}, {ASCII: true}} {
				d := tourStart(t, size.w, size.h, Options{Theme: look})
				d.show(picture)
				for _, keys := range [][]string{{}, {"?"}, {"x", "tab"}, {"q"}} {
					d.press(keys...)
					checkFrame(t, name, size.w, size.h, d.app.Frame(), look)
				}
			}
		}
	}
}

// checkFrame holds what is true of every frame: exact height, no line wider
// than the screen, no control character.
func checkFrame(t testing.TB, name string, w, h int, s *frame.Surface, look theme.Options) {
	t.Helper()
	lines := strings.Split(s.Plain(), "\n")
	if len(lines) != h {
		t.Fatalf("%s at %d×%d: %d lines", name, w, h, len(lines))
	}
	for _, l := range lines {
		if frame.Width(l) > w {
			t.Fatalf("%s at %d×%d: a line of %d columns: %q", name, w, h, frame.Width(l), l)
		}
		if model.Printable(l) != l {
			t.Fatalf("%s at %d×%d: a control character in %q", name, w, h, l)
		}
	}
	if look.NoColor && strings.Contains(s.Render(), "[38;") {
		t.Fatalf("%s at %d×%d: a colour without colours", name, w, h)
	}
	if look.ASCII && strings.ContainsFunc(s.Plain(), func(r rune) bool { return r > '~' }) {
		t.Fatalf("%s at %d×%d: more than ASCII:\n%s", name, w, h, s.Plain())
	}
	if layout.Classify(w, h) == layout.TooSmall && !strings.Contains(s.Plain(), "cells") {
		t.Fatalf("%s at %d×%d does not say that it is too small:\n%s", name, w, h, s.Plain())
	}
}

func TestHostileNamesDoNotReachTheTerminal(t *testing.T) {
	pods := threePods()
	for _, o := range pods {
		pod := o.(*model.Pod)
		pod.Name = "web-\x1b]0;owned\x07-\x1b[2J\u202e" + pod.Name
		pod.Node = "\x9b31mnode"
	}
	d := tourStart(t, 120, 40, Options{Theme: theme.Options{NoColor: true}})
	d.show(world(pods...))
	rendered := d.app.Frame().Render()
	for _, bad := range []string{"\x1b]", "\x07", "\x1b[2J", "\u202e", "\x9b"} {
		if strings.Contains(rendered, bad) {
			t.Errorf("%q reached the terminal", bad)
		}
	}
}

func TestFrozenServerIsSaidAndHeals(t *testing.T) {
	d := tourStart(t, 80, 24, Options{})
	d.show(troubled())
	d.sees("not live", "has not answered")
	d.press("h") // keys go on working
	d.show(world())
	if strings.Contains(d.frame(), "not live") {
		t.Error("the trouble stays on screen after it is over")
	}
}

func TestQuitOffersToKeepOrRemove(t *testing.T) {
	d := tourStart(t, 80, 24, Options{})
	d.press("q")
	d.sees("end the lab", "keep it running", "stay")
	d.press("esc")
	if d.quit {
		t.Fatal("quit although the person wanted to stay")
	}
	d.press("q", "k")
	if !d.quit || !d.backend.kept {
		t.Errorf("quit %v, kept %v", d.quit, d.backend.kept)
	}
	if len(d.app.Farewell()) == 0 || !strings.Contains(d.app.Farewell()[0], "svctour lab down") {
		t.Errorf("farewell %q does not say how to end the lab", d.app.Farewell())
	}
}

func TestRunningTheStepsCommand(t *testing.T) {
	d := tourStart(t, 120, 40, Options{})
	d.backend.reply = model.Reply{Stdout: "deployment.apps/web created\n"}
	d.press("enter")
	if len(d.backend.ran) == 0 || d.backend.ran[len(d.backend.ran)-1][0] != "tour" {
		t.Fatalf("commands %q", d.backend.ran)
	}
	d.sees("deployment.apps/web created")
	d.show(world(threePods()...))
	d.sees("Done.")
	if len(d.backend.saved) == 0 {
		t.Error("progress was not saved")
	}
}

func TestAReplyThatFailsIsShown(t *testing.T) {
	d := tourStart(t, 80, 24, Options{})
	d.backend.reply = model.Reply{Stderr: "Error from server (Forbidden): no\n", Exit: 1}
	d.press("enter")
	d.sees("Error from server (Forbidden): no")
}

func TestThePacketWalksToItsEnd(t *testing.T) {
	d := tourStart(t, 120, 40, Options{})
	d.toService()
	d.press("w")
	if !strings.Contains(d.frame(), "◆") {
		t.Fatalf("no packet on its way:\n%s", d.frame())
	}
	d.calm()
	if strings.Contains(d.frame(), "◆") {
		t.Error("the packet never arrives")
	}
}

func TestBackAndAgain(t *testing.T) {
	d := tourStart(t, 120, 40, Options{})
	d.backend.reply = model.Reply{Stdout: "deployment.apps/web created\n"}
	d.press("enter")
	d.show(world(threePods()...))
	d.press("enter")
	d.sees("step 2/")
	d.press("left")
	d.sees("step 1/", "Done.")
	ran := len(d.backend.ran)
	d.press("r")
	if len(d.backend.ran) == ran {
		t.Fatal("again ran nothing to bring back the start state")
	}
	if strings.Contains(d.frame(), "Done.") {
		t.Error("the step is still done after again")
	}
	d.show(world())
	d.show(world(threePods()...))
	d.sees("step 1/", "Done.")
}

func TestAnActionThatCannotBeDoneSaysWhy(t *testing.T) {
	d := tourStart(t, 80, 24, Options{})
	d.press("left")
	d.sees("This is the first step.")
	d.press("space")
	d.sees("There is no path to walk yet.")
}

func TestMouseDoesWhatTheFooterSays(t *testing.T) {
	d := tourStart(t, 120, 40, Options{})
	row := strings.Split(d.frame(), "\n")[39]
	at := strings.Index(row, "lessons")
	if at < 0 {
		t.Fatalf("footer %q", row)
	}
	d.send(tea.MouseClickMsg{X: len([]rune(row[:at])), Y: 39, Button: tea.MouseLeft})
	d.sees("Lessons")
}

func TestWhatMayNotBeReadIsSaid(t *testing.T) {
	d := drive(t, 80, 24, Options{})
	d.press("enter")
	s := *world()
	s.Sync.Missing = map[string]string{"nodes": "forbidden", "namespaces": "forbidden"}
	s.Cluster.Namespace = "shop"
	d.show(model.NewSnapshot(s))
	d.sees(`Only namespace "shop" can be read.`, "namespaces, nodes")
	s.Sync.Missing, s.Sync.Unwatched = nil, []string{"services", "pods"}
	d.show(model.NewSnapshot(s))
	d.sees(`Only namespace "shop" can be read. You may not watch services, pods:`)
}
