// Package bench measures the running program against a real lab. Its figures
// are for reading; nothing here fails because a machine is slow.
//
//	go test ./test/bench -run '^$' -bench .
package bench

import (
	"context"
	"errors"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"svctour/cli"
	"svctour/cluster"
	"svctour/cluster/kubectl"
	"svctour/cluster/reach"
	"svctour/lab"
	"svctour/lessons"
	"svctour/model"
	"svctour/model/diagnose"
	"svctour/model/meter"
	"svctour/model/path"
	"svctour/ui"
	"svctour/ui/shell"
)

// TestMain lets this test binary be svctour, for the lab's process and for kubectl.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "lab" || os.Args[1] == "kubectl") {
		os.Exit(cli.Main(context.Background(), cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, os.Args))
	}
	os.Exit(m.Run())
}

func startLab(b *testing.B) *lab.Process {
	b.Helper()
	executable, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "svb-*")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	b.Setenv("SVCTOUR_HOME", dir)
	process, err := lab.Start(b.Context(), lab.StartOptions{Executable: executable, Dir: dir + "/lab"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := process.Stop(ctx); err != nil {
			b.Error(err)
		}
	})
	return process
}

// BenchmarkLabUp is the time from starting the lab's process until the API
// server is ready and three nodes are Ready, and the lab's memory then.
func BenchmarkLabUp(b *testing.B) {
	var resident int64
	var slowest time.Duration
	for b.Loop() {
		began := time.Now()
		process := startLab(b)
		slowest = max(slowest, time.Since(began))
		resident = max(resident, process.Status().ResidentBytes)
		b.StopTimer()
		if err := process.Stop(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(slowest.Seconds(), "slowest-s")
	b.ReportMetric(float64(resident)/1e6, "resident-MB")
}

// BenchmarkEventToFrame scales a Deployment up and down b.N times and measures,
// for every watch event of a Pod or an EndpointSlice that changes the screen,
// the time from its arrival until the frame that shows it was written to the
// terminal. Run it with -benchtime=200x.
func BenchmarkEventToFrame(b *testing.B) {
	process := startLab(b)
	events := &eventLog{}
	backend := &backend{kubeconfig: process.Status().Kubeconfig, events: events}
	list, err := lessons.Builtin()
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	app := &recorder{App: ui.New(ctx, ui.Options{Backend: backend, Lessons: list, Lesson: list[0].ID, Choice: &shell.Choice{Context: "svctour-lab"}}), events: events}
	program := tea.NewProgram(app, tea.WithContext(ctx), tea.WithInput(nil), tea.WithOutput(app), tea.WithWindowSize(120, 40),
		tea.WithEnvironment([]string{"TERM=xterm-256color", "COLORTERM=truecolor"}), tea.WithoutSignalHandler(), tea.WithFPS(ui.FramesPerSecond))
	ended := make(chan error, 1)
	go func() { _, err := program.Run(); ended <- err }()
	program.Send(tea.WindowSizeMsg{Width: 120, Height: 40})

	session := backend.wait(b)
	await(b, func() bool { return app.reads("Write to this cluster?") })
	program.Send(tea.KeyPressMsg(tea.Key{Code: 'y', Text: "y"})) // consent: the choice does not say that this is the lab
	await(b, func() bool { return app.shown().Namespace("tour") != nil })
	run := func(stdin string, args ...string) {
		if reply := session.Kubectl(ctx, "tour", args, stdin); reply.Exit != 0 {
			b.Fatalf("kubectl %q: %s", args, reply.Stderr)
		}
	}
	run(list[0].Steps[0].File.Content, "apply", "-f", "-")
	settled := func(n int) func() bool {
		return func() bool {
			ready := 0
			for _, pod := range app.shown().PodsIn("tour") {
				if pod.Ready() && !pod.Terminating() {
					ready++
				}
			}
			return ready == n && len(app.shown().PodsIn("tour")) == n
		}
	}
	await(b, settled(3))
	events.reset()
	b.ResetTimer()
	for i := range b.N {
		n := 4 - i%2 // 4, 3, 4, …
		run("", "scale", "deployment/web", "--replicas="+strconv.Itoa(n))
		await(b, settled(n))
	}
	b.StopTimer()
	await(b, func() bool { return len(events.times()) > 0 }) // the newest frame may not be written yet
	report(b, events.times())
	cancel()
	<-ended
	session.Close()
}

func report(b *testing.B, times []time.Duration) {
	b.Helper()
	if len(times) == 0 {
		b.Fatal("no event reached the screen")
	}
	sort.Slice(times, func(i, j int) bool { return times[i] < times[j] })
	at := func(q float64) float64 {
		return float64(times[min(len(times)-1, int(q*float64(len(times))))].Microseconds()) / 1000
	}
	b.ReportMetric(at(0.5), "p50-ms")
	b.ReportMetric(at(0.99), "p99-ms")
	b.ReportMetric(at(1), "max-ms")
	b.ReportMetric(float64(len(times)), "samples")
}

func await(b *testing.B, condition func() bool) {
	b.Helper()
	for deadline := time.Now().Add(time.Minute); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.Fatal("the cluster does not get there")
		}
	}
}

// eventLog joins watch events with the frames that show them.
type eventLog struct {
	mu      sync.Mutex
	pending []cluster.Event
	shown   []cluster.Event // in a composed frame that was not yet written
	taken   []time.Duration
}

func (l *eventLog) arrived(e cluster.Event) {
	if e.Resource != "pods" && e.Resource != "endpointslices" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pending = append(l.pending, e)
}

// composed moves the events that a snapshot holds to those waiting for the
// terminal; when the frame did not change there is nothing to wait for.
func (l *eventLog) composed(s *model.Snapshot, changed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var later []cluster.Event
	for _, e := range l.pending {
		switch {
		case !e.Time.Before(s.Time):
			later = append(later, e)
		case changed:
			l.shown = append(l.shown, e)
		}
	}
	l.pending = later
}

func (l *eventLog) written(at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.shown {
		l.taken = append(l.taken, at.Sub(e.Time))
	}
	l.shown = nil
}

func (l *eventLog) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pending, l.shown, l.taken = nil, nil, nil
}

func (l *eventLog) times() []time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.taken
}

// recorder is the app, watched: which snapshot a frame shows, and when bytes
// go to the terminal.
type recorder struct {
	*ui.App
	events *eventLog

	mu       sync.Mutex
	snapshot *model.Snapshot
	content  string
}

func (r *recorder) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	_, cmd := r.App.Update(msg)
	return r, cmd
}

func (r *recorder) View() tea.View {
	view := r.App.View()
	snapshot := r.Shown()
	r.mu.Lock()
	defer r.mu.Unlock()
	if snapshot != nil && snapshot != r.snapshot {
		r.events.composed(snapshot, view.Content != r.content)
		r.snapshot = snapshot
	}
	r.content = view.Content
	return view
}

// reads says whether the present frame holds a text.
func (r *recorder) reads(text string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Contains(ansi.Strip(r.content), text)
}

func (r *recorder) shown() *model.Snapshot {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.snapshot
}

// Write is the terminal.
func (r *recorder) Write(p []byte) (int, error) {
	r.events.written(time.Now())
	return len(p), nil
}

// backend connects the app to the lab as to any other cluster.
type backend struct {
	kubeconfig string
	events     *eventLog
	mu         sync.Mutex
	session    *session
}

type session struct{ *cluster.Connection }

func (s *session) EnsureNamespace(ctx context.Context) (string, error) {
	return s.Connection.EnsureNamespace(ctx, "tour")
}
func (s *session) Kubectl(ctx context.Context, namespace string, args []string, stdin string) model.Reply {
	return kubectl.Runner{Connection: s.Connection, Program: os.Args[0], Environment: os.Environ()}.Run(ctx, namespace, args, stdin)
}
func (s *session) Terminal(ctx context.Context, namespace string, args []string) (shell.Child, error) {
	return kubectl.Runner{Connection: s.Connection, Program: os.Args[0], Environment: os.Environ()}.Terminal(ctx, namespace, args)
}
func (s *session) Diagnose(_ context.Context, snapshot *model.Snapshot, namespace, service string) (*diagnose.ServiceReport, error) {
	report := diagnose.New(snapshot).Service(namespace, service, diagnose.Options{})
	return &report, nil
}

func (s *session) WhatIf(_ context.Context, snapshot *model.Snapshot, _ string, _ model.Edit) (*model.Planned, error) {
	return &model.Planned{Before: snapshot, Snapshot: snapshot}, nil
}

func (s *session) Bring(context.Context, lessons.Need) error { return errors.ErrUnsupported }

// noStream is for a measurement that sends none.
type noStream struct{}

func (noStream) Next(context.Context) (meter.Batch, error) { return meter.Batch{}, meter.ErrNoExec }

func (s *session) Stream(context.Context, string, meter.Spec, func() int) shell.Streaming {
	return noStream{}
}

func (s *session) Observe(ctx context.Context, ask path.Ask, take func(path.Listing) error) error {
	return reach.Observe(ctx, s.Connection, ask, take)
}
func (s *session) Clean(ctx context.Context) error {
	_, err := s.Connection.Clean(ctx, []string{"tour"}, true)
	return err
}

func (x *backend) Connect(ctx context.Context, _ shell.Choice) (shell.Session, error) {
	connection, err := cluster.Connect(ctx, cluster.Options{Kubeconfig: x.kubeconfig, OnEvent: x.events.arrived})
	if err != nil {
		return nil, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.session = &session{connection}
	return x.session, nil
}

func (x *backend) wait(b *testing.B) *session {
	b.Helper()
	get := func() *session {
		x.mu.Lock()
		defer x.mu.Unlock()
		return x.session
	}
	await(b, func() bool { return get() != nil })
	return get()
}

func (x *backend) Choices(context.Context) ([]shell.Choice, error)           { return nil, nil }
func (x *backend) Probe(context.Context, shell.Choice) (string, error)       { return "", nil }
func (x *backend) StartLab(context.Context, func(shell.Stage)) (bool, error) { return false, nil }
func (x *backend) LabEnded(ctx context.Context) error                        { <-ctx.Done(); return ctx.Err() }
func (x *backend) KeepLab() error                                            { return nil }
func (x *backend) LoadProgress() (map[string]lessons.Progress, error)        { return nil, nil }
func (x *backend) SaveProgress(lessons.Progress) error                       { return nil }
