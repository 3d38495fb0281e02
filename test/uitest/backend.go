package uitest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"svctour/lessons"
	"svctour/model"
	"svctour/model/diagnose"
	"svctour/model/meter"
	"svctour/model/path"
	"svctour/ui/shell"
)

// Backend answers the app from memory. It is its own and only session. All of
// its methods may be called at any time, from any goroutine.
type Backend struct {
	pictures chan *model.Snapshot
	ended    chan error

	// For a Driver, which has to know whether a command goes on: what a command
	// waits for, and that kubectl is held. Nil in a real program.
	waiting chan wait
	holding chan struct{}
	// For a Terminal, which has to know how many commands go on by themselves:
	// called with 1 when one begins to wait, and with -1 after. Nil for a Driver.
	parked func(by int)

	heard chan heard // of a stream

	mu       sync.Mutex
	plan     func(*model.Snapshot, model.Edit) (*model.Planned, error)
	contexts []shell.Choice
	answer   func(args []string, stdin string) model.Reply
	hold     chan struct{} // kubectl answers once it is closed, or its context has ended; nil: at once
	observe  func(node string, command []string) (string, error)
	observed chan struct{} // closed once observe is there
	cleanErr error
	ran      [][]string
	saved    []lessons.Progress
	streams  []meter.Spec
	rate     func() int
	ensured  int
	kept     bool
	cleaned  bool
}

// wait is what a command waits for.
type wait int

const (
	forNews   wait = iota // of the cluster
	forLab                // to end
	forNode               // to answer
	forStream             // to tell more
)

// heard is what a stream tells, or its end.
type heard struct {
	batch meter.Batch
	err   error
}

// NewBackend makes a backend of which every kubectl succeeds and prints nothing,
// and no node answers.
func NewBackend() *Backend {
	return &Backend{
		pictures: make(chan *model.Snapshot), ended: make(chan error), observed: make(chan struct{}), heard: make(chan heard),
		answer: func([]string, string) model.Reply { return model.Reply{} },
	}
}

// SetContexts says which clusters there are beside the lab. Those with an address
// in 192.0.2.0/24 cannot be reached.
func (b *Backend) SetContexts(contexts ...shell.Choice) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.contexts = contexts
}

// SetReply lets every kubectl from now on answer the same.
func (b *Backend) SetReply(reply model.Reply) {
	b.SetAnswer(func([]string, string) model.Reply { return reply })
}

// SetAnswer lets a function answer for kubectl from now on.
func (b *Backend) SetAnswer(answer func(args []string, stdin string) model.Reply) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answer = answer
}

// SetObserve says what a command on a node prints. Looks that wait for their
// node are answered too.
func (b *Backend) SetObserve(observe func(node string, command []string) (string, error)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.observe == nil {
		close(b.observed)
	}
	b.observe = observe
}

// SetCleanErr lets the removal of what was made fail.
func (b *Backend) SetCleanErr(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cleanErr = err
}

// Hold lets kubectl wait from now on.
func (b *Backend) Hold() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hold = make(chan struct{})
}

// Release lets each kubectl answer that waits because of Hold.
func (b *Backend) Release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.hold != nil {
		close(b.hold)
		b.hold = nil
	}
}

// Give hands the app the next picture of the cluster, once it waits for one.
func (b *Backend) Give(ctx context.Context, s *model.Snapshot) error {
	select {
	case b.pictures <- s:
		return nil
	case <-ctx.Done():
		return errors.New("the app does not wait for the cluster")
	}
}

// EndLab lets the lab that the app started end, once it waits for that.
func (b *Backend) EndLab(ctx context.Context, why error) error {
	select {
	case b.ended <- why:
		return nil
	case <-ctx.Done():
		return errors.New("the app does not wait for the lab's end")
	}
}

// Ran lists the kubectl commands so far: the namespace, then the arguments. One
// that wanted the terminal has "terminal" before that.
func (b *Backend) Ran() [][]string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.ran)
}

// Saved lists the progress that was saved, oldest first.
func (b *Backend) Saved() []lessons.Progress {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.saved)
}

// Namespaces counts how often the tour's namespace was asked for.
func (b *Backend) Namespaces() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ensured
}

// Kept says whether the lab is to outlive the program.
func (b *Backend) Kept() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.kept
}

// Cleaned says whether what was made was removed.
func (b *Backend) Cleaned() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cleaned
}

// parks notes that a command waits, until the function it gives is called.
func (b *Backend) parks() (end func()) {
	if b.parked == nil {
		return func() {}
	}
	b.parked(1)
	return func() { b.parked(-1) }
}

// waits tells the driver that a command waits.
func (b *Backend) waits(what wait) {
	if b.waiting != nil {
		b.waiting <- what
	}
}

// Choices implements shell.Backend.
func (b *Backend) Choices(context.Context) ([]shell.Choice, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]shell.Choice{{Lab: true}}, b.contexts...), nil
}

// Probe implements shell.Backend.
func (b *Backend) Probe(_ context.Context, c shell.Choice) (string, error) {
	if strings.Contains(c.Server, "192.0.2.") {
		return "", errors.New("no route to host")
	}
	return "v1.36.1", nil
}

// StartLab implements shell.Backend.
func (b *Backend) StartLab(_ context.Context, report func(shell.Stage)) (bool, error) {
	report(shell.Stage{Name: "etcd", Done: true})
	return true, nil
}

// LabEnded implements shell.Backend.
func (b *Backend) LabEnded(ctx context.Context) error {
	b.waits(forLab)
	defer b.parks()()
	select {
	case err := <-b.ended:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// KeepLab implements shell.Backend.
func (b *Backend) KeepLab() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kept = true
	return nil
}

// Connect implements shell.Backend.
func (b *Backend) Connect(context.Context, shell.Choice) (shell.Session, error) { return b, nil }

// LoadProgress implements shell.Backend.
func (b *Backend) LoadProgress() (map[string]lessons.Progress, error) { return nil, nil }

// SaveProgress implements shell.Backend.
func (b *Backend) SaveProgress(p lessons.Progress) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.saved = append(b.saved, p)
	return nil
}

// Next implements shell.Session.
func (b *Backend) Next(ctx context.Context, _ uint64) (*model.Snapshot, error) {
	b.waits(forNews)
	defer b.parks()()
	select {
	case s := <-b.pictures:
		return s, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// EnsureNamespace implements shell.Session.
func (b *Backend) EnsureNamespace(context.Context) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ensured++
	return "tour", nil
}

// Kubectl implements shell.Session.
func (b *Backend) Kubectl(ctx context.Context, namespace string, args []string, stdin string) model.Reply {
	b.mu.Lock()
	b.ran = append(b.ran, append([]string{namespace}, args...))
	hold := b.hold
	b.mu.Unlock()
	if hold != nil {
		if b.holding != nil {
			b.holding <- struct{}{}
		}
		end := b.parks()
		select {
		case <-hold:
			end()
		case <-ctx.Done():
			end()
			return model.Reply{Stderr: "Stopped.\n", Exit: -1}
		}
	}
	b.mu.Lock()
	answer := b.answer
	b.mu.Unlock()
	return answer(args, stdin)
}

// Streams lists what streams were asked for so far, and the rate of the last.
func (b *Backend) Streams() (all []meter.Spec, rate int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rate != nil {
		rate = b.rate()
	}
	return slices.Clone(b.streams), rate
}

// Stream implements shell.Session: it tells what a test says that it hears.
func (b *Backend) Stream(_ context.Context, _ string, spec meter.Spec, rate func() int) shell.Streaming {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.streams, b.rate = append(b.streams, spec), rate
	return streaming{b}
}

type streaming struct{ *Backend }

// Next implements shell.Streaming.
func (s streaming) Next(ctx context.Context) (meter.Batch, error) {
	s.waits(forStream)
	defer s.parks()()
	select {
	case news := <-s.heard:
		return news.batch, news.err
	case <-ctx.Done():
		return meter.Batch{}, ctx.Err()
	}
}

// Diagnose implements shell.Session.
func (b *Backend) Diagnose(_ context.Context, snapshot *model.Snapshot, namespace, service string) (*diagnose.ServiceReport, error) {
	report := diagnose.New(snapshot).Service(namespace, service, diagnose.Options{})
	return &report, nil
}

// SetPlan says what an edit would lead to; without it nothing would change.
func (b *Backend) SetPlan(plan func(*model.Snapshot, model.Edit) (*model.Planned, error)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.plan = plan
}

// WhatIf implements shell.Session.
func (b *Backend) WhatIf(_ context.Context, snapshot *model.Snapshot, _ string, edit model.Edit) (*model.Planned, error) {
	b.mu.Lock()
	plan := b.plan
	b.mu.Unlock()
	if plan == nil {
		return &model.Planned{Before: snapshot, Snapshot: snapshot}, nil
	}
	return plan(snapshot, edit)
}

// Observe implements shell.Session.
func (b *Backend) Observe(ctx context.Context, ask path.Ask, take func(path.Listing) error) error {
	select {
	case <-b.observed:
	default:
		b.waits(forNode)
	}
	end := b.parks()
	select {
	case <-b.observed:
	case <-ctx.Done():
	}
	end()
	if err := ctx.Err(); err != nil {
		return err
	}
	b.mu.Lock()
	observe := b.observe
	b.mu.Unlock()
	for _, c := range ask.Commands() {
		text, err := observe(ask.Node, c.Args)
		if err != nil {
			return err
		}
		if err := take(c.Listing(ask, time.Time{}, strings.NewReader(text))); err != nil {
			return err
		}
	}
	return nil
}

// Terminal implements shell.Session.
func (b *Backend) Terminal(_ context.Context, namespace string, args []string) (shell.Child, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ran = append(b.ran, append([]string{"terminal", namespace}, args...))
	return nil, errors.New("not in a test")
}

// Bring implements shell.Session: nothing is brought about here.
func (b *Backend) Bring(_ context.Context, need lessons.Need) error {
	return fmt.Errorf("a test has no %s", need)
}

// Clean implements shell.Session.
func (b *Backend) Clean(context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cleaned = b.cleanErr == nil
	return b.cleanErr
}

// Close implements shell.Session.
func (b *Backend) Close() {}
