package process

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode"
)

// Kill is SIGKILL: no program sees it, its context ends.
const Kill Signal = 9

// Table is a PID namespace (pid_namespaces(7)): the first program started in it
// is process 1, and every other ends when that one does.
type Table struct {
	mu    sync.Mutex
	last  int
	live  map[int]*Running
	forks int // what runs beside the programs: parts of shells
}

// ProcessLimit is how many processes run in one PID namespace at once, parts of
// shells included, as with a kubelet's podPidsLimit: one more cannot be made.
const ProcessLimit = 256

// Crashed is the exit status of a program that ended by a panic.
const Crashed = 2

// NewTable makes an empty PID namespace.
func NewTable() *Table { return &Table{live: map[int]*Running{}} }

// Running is a started program.
type Running struct {
	PID, Parent int
	Started     time.Time

	args    []string
	signals chan Signal
	cancel  context.CancelFunc
	done    chan struct{}
	status  int
	mu      sync.Mutex
	killed  bool
	crashed bool
}

// Start starts a program and returns at once. It fills in p.PID and p.Signals,
// and binds p.Stdin to the program's life: a read under way ends with it, and
// what arrives later is for the next reader of the same stream. p must not be
// started twice.
func (t *Table) Start(ctx context.Context, main Main, p *Process) *Running {
	ctx, cancel := context.WithCancel(ctx)
	r := &Running{
		Parent: p.Parent, args: slices.Clone(p.Args), Started: time.Now(),
		signals: make(chan Signal, 8), cancel: cancel, done: make(chan struct{}),
	}
	t.mu.Lock()
	if t.full() {
		main = refused
	}
	t.last++
	r.PID = t.last
	t.live[r.PID] = r
	t.mu.Unlock()
	p.PID, p.Signals, p.Stdin = r.PID, r.signals, bind(ctx, p.Stdin)
	p.crashed = r.crash
	if p.Terminal != nil && !p.Background {
		p.Terminal.enter(r)
	}
	go func() {
		status := run(ctx, main, p)
		if p.Terminal != nil {
			p.Terminal.leave(r)
		}
		cancel()
		t.mu.Lock()
		delete(t.live, r.PID)
		rest := slices.Collect(maps.Values(t.live))
		t.mu.Unlock()
		if r.PID == 1 {
			for _, other := range rest {
				other.Kill()
			}
		}
		r.mu.Lock()
		switch r.status = status; {
		case r.crashed:
			r.status = Crashed
		case r.killed:
			r.status = 128 + int(Kill)
		}
		r.mu.Unlock()
		close(r.done)
	}()
	return r
}

// full says that no process can be made. The caller has locked t.
func (t *Table) full() bool { return len(t.live)+t.forks >= ProcessLimit }

// Fork makes room for a process that is part of a program, as a subshell is.
// The error is EAGAIN if there are too many; otherwise done ends it.
func (t *Table) Fork() (done func(), err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.full() {
		return nil, syscall.EAGAIN
	}
	t.forks++
	return sync.OnceFunc(func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.forks--
	}), nil
}

// refused runs in the place of a program that gets no process.
func refused(_ context.Context, p *Process) int {
	_, _ = fmt.Fprintf(p.Stderr, "%s: can't fork: %s\n", strings.Join(p.Args[:min(1, len(p.Args))], ""), Message(syscall.EAGAIN))
	return 1
}

// run calls main. A panic in it is the end of the program alone.
func run(ctx context.Context, main Main, p *Process) (status int) {
	defer func() {
		if problem := recover(); problem != nil {
			sayCrash(p, problem)
			status = Crashed
		}
	}()
	return main(ctx, p)
}

// crash ends a program in one of whose goroutines a panic was.
func (r *Running) crash() {
	r.mu.Lock()
	r.crashed = true
	r.mu.Unlock()
	r.cancel()
}

// Go runs part of a program beside it. Each goroutine of a program is started by
// it, for a panic in any of them is the end of the program alone, with the exit
// status Crashed.
func (p *Process) Go(part func()) {
	go func() {
		defer p.Recover()
		part()
	}()
}

// Recover is deferred where code of a program is called by a goroutine that the
// program did not start. A panic there ends the program.
func (p *Process) Recover() {
	if problem := recover(); problem != nil {
		sayCrash(p, problem)
		if p.crashed != nil {
			p.crashed()
		}
	}
}

func sayCrash(p *Process, problem any) {
	_, _ = fmt.Fprintf(p.Stderr, "%s: panic: %s\n", strings.Join(p.Args[:min(1, len(p.Args))], ""), CrashText(problem))
}

// CrashText is the value of a panic in one line that any terminal may be shown.
func CrashText(problem any) string {
	const most = 200 // runes
	text := []rune(fmt.Sprint(problem))
	if len(text) > most {
		text = append(text[:most], '…')
	}
	for i, r := range text {
		if !unicode.IsPrint(r) {
			text[i] = ' '
		}
	}
	return string(text)
}

// Run starts a program and waits for its end; it returns the exit status.
func (t *Table) Run(ctx context.Context, main Main, p *Process) int {
	return t.Start(ctx, main, p).Wait()
}

// List is what ps shows, by PID.
func (t *Table) List() []*Running {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.SortedFunc(maps.Values(t.live), func(a, b *Running) int { return cmp.Compare(a.PID, b.PID) })
}

// Find is the running program with this PID, nil if there is none.
func (t *Table) Find(pid int) *Running {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.live[pid]
}

// Signal sends a signal. It never blocks: a program that receives none has a
// short queue of them, as of pending signals.
func (r *Running) Signal(signal Signal) {
	if signal == Kill {
		r.Kill()
		return
	}
	select {
	case r.signals <- signal:
	default:
	}
}

// Kill ends the program as SIGKILL does; its exit status becomes 137.
func (r *Running) Kill() {
	r.mu.Lock()
	select {
	case <-r.done:
	default:
		r.killed = true
	}
	r.mu.Unlock()
	r.cancel()
}

// Become gives a running program other arguments to show, as execve(2) does.
func (t *Table) Become(pid int, args []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r := t.live[pid]; r != nil {
		own := slices.Clone(args)
		r.mu.Lock()
		r.args = own
		r.mu.Unlock()
	}
}

// Args is its command line.
func (r *Running) Args() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.args
}

// Done is closed when the program has ended.
func (r *Running) Done() <-chan struct{} { return r.done }

// Wait waits for the program's end and returns its exit status.
func (r *Running) Wait() int {
	<-r.done
	return r.Status()
}

// Status is the exit status of a program that has ended.
func (r *Running) Status() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

// Default gives main the default disposition of signals (signal(7)): one that
// arrives ends it with 128 + its number, unless it is process 1, which only
// gets the signals that it has a handler for.
func Default(main Main) Main {
	return func(ctx context.Context, p *Process) int {
		if p.PID == 1 {
			return main(ctx, p)
		}
		ctx, cancel := context.WithCancel(ctx)
		caught := make(chan int, 1)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			select {
			case signal := <-p.Signals:
				caught <- 128 + int(signal)
				cancel()
			case <-ctx.Done():
			}
		}()
		own := *p
		own.Stdin = bind(ctx, p.Stdin)
		status := main(ctx, &own)
		cancel()
		<-ended
		select {
		case status = <-caught:
		default:
		}
		return status
	}
}

// source is a byte stream whose reads can be given up without losing bytes: at
// most one read of the stream is under way, and what it brings stays here.
type source struct {
	from io.Reader

	mu      sync.Mutex
	buffer  []byte
	err     error
	reading bool
	change  chan struct{} // closed and replaced when buffer or err changed
}

type boundReader struct {
	ctx    context.Context
	source *source
}

// bind is a reader of from whose reads end with ctx.
func bind(ctx context.Context, from io.Reader) io.Reader {
	switch from := from.(type) {
	case nil:
		return strings.NewReader("")
	case *strings.Reader:
		return from
	case *boundReader:
		return &boundReader{ctx, from.source}
	}
	return &boundReader{ctx, &source{from: from, change: make(chan struct{})}}
}

func (b *boundReader) Read(into []byte) (int, error) {
	s := b.source
	for {
		s.mu.Lock()
		if err := b.ctx.Err(); err != nil {
			s.mu.Unlock()
			return 0, err
		}
		if len(s.buffer) > 0 {
			n := copy(into, s.buffer)
			s.buffer = s.buffer[n:]
			s.mu.Unlock()
			return n, nil
		}
		if err := s.err; err != nil {
			if err != io.EOF {
				s.mu.Unlock()
				return 0, err
			}
			s.err = nil // ^D on a terminal is the end of one reader's file only
			s.mu.Unlock()
			return 0, io.EOF
		}
		if !s.reading {
			s.reading = true
			go s.read(len(into))
		}
		change := s.change
		s.mu.Unlock()
		select {
		case <-change:
		case <-b.ctx.Done():
		}
	}
}

func (s *source) read(size int) {
	buffer := make([]byte, size)
	n, err := readSafely(s.from, buffer)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buffer, s.err, s.reading = append(s.buffer, buffer[:n]...), err, false
	close(s.change)
	s.change = make(chan struct{})
}

// readSafely reads. A panic in a reader, which may be a program's, is an error.
func readSafely(from io.Reader, into []byte) (n int, err error) {
	defer func() {
		if problem := recover(); problem != nil {
			n, err = 0, errors.New(CrashText(problem))
		}
	}()
	return from.Read(into)
}
