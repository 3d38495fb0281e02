// Package shell is the lab's sh: mvdan.cc/sh's interpreter, shut in a process.
// Nothing of it reaches the machine that the lab runs on: files, programs,
// users, the environment and PIDs are the container's.
package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/spf13/afero"
	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"

	"svctour/lab/child/process"
)

// own marks a command that a builtin was turned into: no name in a script can
// hold a NUL.
const own = "\x00"

// errInterrupted ends the command line that Ctrl-C was pressed in.
var errInterrupted = errors.New("interrupted")

// shell is one running sh.
type shell struct {
	p      *process.Process
	name   string
	runner *interp.Runner
	ctx    context.Context
	cancel context.CancelFunc
	// stdin is what the interpreter holds as the shell's own input. Commands
	// read p.Stdin instead; feed is the other end, for the builtins that read.
	stdin, feed *os.File
	feeding     sync.WaitGroup
	fed         atomic.Bool

	interactive bool
	interrupted atomic.Bool

	mu      sync.Mutex
	traps   map[process.Signal]string // "" ignores
	pending []process.Signal
	running sync.WaitGroup
	live    atomic.Int32 // commands that run
	arrived chan struct{}
	ending  atomic.Int32 // 128 + the signal that ends the shell
	become  atomic.Bool  // the next command replaces the shell
	// functions are the names that some function was declared by, with the length
	// of each, declared is how long they are together.
	functions map[string]int
	declared  int
	// parts are the texts of what runs in goroutines, numbers where each is, kept
	// is how long they are together.
	parts   []string
	numbers map[string]int
	kept    int

	settling    chan chan struct{}
	stopSignals chan struct{}
	signalsDone chan struct{}
}

// Main is sh, also called ash and bash: sh [-eux] [-c SCRIPT [NAME [ARG...]] |
// FILE [ARG...]]; without a script it reads its input, with a prompt on a terminal.
func Main(ctx context.Context, p *process.Process) int {
	options, script, params, name, err := arguments(p)
	if err != nil {
		_, _ = fmt.Fprintln(p.Stderr, err)
		return 2
	}
	if script == nil && len(params) > 0 {
		text, err := readFile(p, params[0])
		if err != nil {
			_, _ = fmt.Fprintf(p.Stderr, "%s: can't open '%s': %s\n", name, params[0], process.Message(err))
			return 127
		}
		script, name, params = &text, params[0], params[1:]
	}
	s, err := newShell(ctx, p, name, append(options, append([]string{"--"}, params...)...))
	if err != nil {
		_, _ = fmt.Fprintf(p.Stderr, "%s: %v\n", name, err)
		return 2
	}
	defer s.close()
	status := 0
	switch {
	case script != nil:
		status = s.script(*script)
	case p.Terminal != nil && p.IsTerminal(p.Stdin):
		s.interactive = true
		status = s.prompt()
	default:
		status = s.lines()
	}
	if ending := s.ending.Load(); ending != 0 {
		return int(ending)
	}
	return status
}

func arguments(p *process.Process) (options []string, script *string, params []string, name string, err error) {
	name = path.Base(strings.TrimPrefix(p.Args[0], "-"))
	args, command := p.Args[1:], false
	for len(args) > 0 && len(args[0]) > 1 && (args[0][0] == '-' || args[0][0] == '+') && args[0] != "--" {
		switch args[0] {
		case "--login", "--norc", "--noprofile", "--posix":
			args = args[1:]
			continue
		case "-o", "+o":
			if len(args) < 2 {
				return nil, nil, nil, name, fmt.Errorf("%s: -o requires an argument", name)
			}
			options, args = append(options, args[0], args[1]), args[2:]
			continue
		}
		for _, letter := range args[0][1:] {
			switch letter {
			case 'c':
				command = true
			case 'e', 'u', 'x', 'n', 'f', 'a':
				options = append(options, string(args[0][0])+string(letter))
			case 'l', 'i', 's':
			default:
				return nil, nil, nil, name, fmt.Errorf("%s: Illegal option -%c", name, letter)
			}
		}
		args = args[1:]
	}
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if !command {
		return options, nil, args, name, nil
	}
	if len(args) == 0 {
		return nil, nil, nil, name, fmt.Errorf("%s: -c requires an argument", name)
	}
	text := args[0]
	if args = args[1:]; len(args) > 0 {
		name, args = args[0], args[1:]
	}
	return options, &text, args, name, nil
}

func readFile(p *process.Process, name string) (string, error) {
	file, err := p.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.LimitReader(file, maxScript+1))
	return string(text), err
}

func newShell(ctx context.Context, p *process.Process, name string, options []string) (*shell, error) {
	s := &shell{
		p: p, name: name, traps: map[process.Signal]string{}, functions: map[string]int{}, numbers: map[string]int{}, arrived: make(chan struct{}, 1),
		settling: make(chan chan struct{}), stopSignals: make(chan struct{}), signalsDone: make(chan struct{}),
	}
	s.ctx, s.cancel = context.WithCancel(ctx)
	var err error
	if s.stdin, s.feed, err = os.Pipe(); err != nil {
		s.cancel()
		return nil, fmt.Errorf("make the shell's input: %w", err)
	}
	// A process substitution is a FIFO in the folder for temporary files of the
	// machine: the interpreter takes that folder's name when it is first reset.
	s.runner, err = interp.New(
		func(r *interp.Runner) error { r.Dir = p.Path("."); return nil },
		interp.Env(environment{p, "/dev/null/none"}), interp.StdIO(s.stdin, untraced{p.Stdout}, untraced{p.Stderr}),
		interp.OpenHandler(s.open), interp.ReadDirHandler2(s.readDir), interp.StatHandler(s.stat),
		interp.AccessHandler(s.access), interp.CallHandler(s.call), interp.ExecHandlers(
			func(interp.ExecHandlerFunc) interp.ExecHandlerFunc { return s.exec }),
		interp.Params(options...),
	)
	if err == nil {
		s.runner.Reset()
		err = interp.Env(environment{p, ""})(s.runner)
		s.runner.Reset()
	}
	if err != nil {
		s.cancel()
		_, _ = s.stdin.Close(), s.feed.Close()
		return nil, err
	}
	p.Go(s.signals)
	return s, nil
}

// close ends what the shell started and waits for it.
func (s *shell) close() {
	s.cancel()
	s.endSignals()
	_ = s.stdin.Close()
	s.feeding.Wait()
	_ = s.feed.Close()
	s.running.Wait()
}

func (s *shell) endSignals() {
	s.mu.Lock()
	select {
	case <-s.stopSignals:
	default:
		close(s.stopSignals)
	}
	s.mu.Unlock()
	<-s.signalsDone
}

// script runs a whole script.
func (s *shell) script(text string) int {
	file, err := s.parse(text)
	if err != nil {
		_, _ = fmt.Fprintf(s.p.Stderr, "%s: syntax error: %v\n", s.name, err)
		return 2
	}
	// As dash and ash do, a script of one simple command becomes that command.
	if len(file.Stmts) == 1 && !file.Stmts[0].Background && !file.Stmts[0].Negated && len(file.Stmts[0].Redirs) == 0 {
		if call, is := file.Stmts[0].Cmd.(*syntax.CallExpr); is && len(call.Args) > 0 && len(call.Assigns) == 0 && !interp.IsBuiltin(call.Args[0].Lit()) {
			s.become.Store(plain(call))
		}
	}
	return s.run(file)
}

// plain says whether a command expands without running another.
func plain(call *syntax.CallExpr) bool {
	simple := true
	syntax.Walk(call, func(node syntax.Node) bool {
		if _, is := node.(*syntax.CmdSubst); is {
			simple = false
		}
		return simple
	})
	return simple
}

// run runs parsed statements and the traps of signals that came meanwhile.
func (s *shell) run(node syntax.Node) int {
	status := s.status(s.runner.Run(s.ctx, node))
	for !s.runner.Exited() {
		action := s.trapped()
		if action == "" {
			break
		}
		if file, err := s.parse(action); err == nil {
			for _, statement := range file.Stmts {
				if status = s.status(s.runner.Run(s.ctx, statement)); s.runner.Exited() {
					break
				}
			}
		}
	}
	return status
}

func (s *shell) status(err error) int {
	var status interp.ExitStatus
	var crashed crash
	switch {
	case err == nil:
		return 0
	case errors.As(err, &crashed):
		return crashed.status
	case errors.As(err, &status):
		return int(status)
	case errors.Is(err, errInterrupted):
		return 130
	case s.ctx.Err() != nil:
		return 137
	}
	_, _ = fmt.Fprintf(s.p.Stderr, "%s: %v\n", s.name, err)
	return 2
}

// lines runs a script as it comes on the standard input, which its commands
// read too: no byte behind a complete line is taken before that line has run.
func (s *shell) lines() int {
	status, text := 0, ""
	for {
		line, err := readLine(s.p.Stdin)
		text += line
		file, problem := s.parse(text)
		switch {
		case problem != nil && err == nil && syntax.IsIncomplete(problem):
			continue
		case problem != nil:
			_, _ = fmt.Fprintf(s.p.Stderr, "%s: syntax error: %v\n", s.name, problem)
			return 2
		}
		text = ""
		for _, statement := range file.Stmts {
			if status = s.run(statement); s.runner.Exited() || s.ctx.Err() != nil {
				return status
			}
		}
		if err != nil {
			if exit, err := s.parse(fmt.Sprintf("exit %d", status)); err == nil {
				return s.run(exit) // runs the trap of EXIT
			}
		}
	}
}

func readLine(in io.Reader) (string, error) {
	var line []byte
	for one := make([]byte, 1); ; {
		n, err := in.Read(one)
		if n > 0 {
			if line = append(line, one[0]); one[0] == '\n' {
				return string(line), nil
			}
			if len(line) > maxScript {
				return string(line), errors.New("the line is too long")
			}
		}
		if err != nil {
			return string(line), err
		}
	}
}

func (s *shell) at(dir, name string) *process.Process {
	p := *s.p
	p.Dir = dir
	return &p
}

// open opens what a redirection names.
func (s *shell) open(ctx context.Context, name string, flag int, mode fs.FileMode) (io.ReadWriteCloser, error) {
	hc := interp.HandlerCtx(ctx)
	p := s.at(hc.Dir, name)
	p.Stdout, p.Stderr = bounded(hc.Stdout), bare(hc.Stderr)
	file, err := p.OpenFile(name, flag, mode)
	if err == nil {
		return recovering{file}, nil
	}
	what, why := "can't open", error(errors.New(strings.ToLower(process.Message(err))))
	if flag&os.O_CREATE != 0 {
		what = "can't create"
	}
	if errors.Is(err, syscall.ENOENT) {
		why = errors.New("no such file")
		if flag&os.O_CREATE != 0 {
			why = errors.New("nonexistent directory")
		}
	}
	return nil, &fs.PathError{Op: s.name + ": " + what, Path: name, Err: why}
}

func (s *shell) readDir(ctx context.Context, name string) ([]fs.DirEntry, error) {
	infos, err := afero.ReadDir(s.p.Files, s.at(interp.HandlerCtx(ctx).Dir, name).Path(name))
	entries := make([]fs.DirEntry, 0, len(infos))
	for _, info := range infos {
		entries = append(entries, fs.FileInfoToDirEntry(info))
	}
	return entries, err
}

func (s *shell) stat(ctx context.Context, name string, _ bool) (fs.FileInfo, error) {
	if name == "" {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: syscall.ENOENT}
	}
	p := s.at(interp.HandlerCtx(ctx).Dir, name)
	info, err := s.p.Files.Stat(p.Path(name))
	if err != nil && p.Machine.Programs(p.Path(name)) != nil {
		return program{path.Base(name)}, nil
	}
	return info, err
}

func (s *shell) access(ctx context.Context, name string, mode interp.AccessMode) error {
	info, err := s.stat(ctx, name, true)
	if err != nil {
		return err
	}
	if mode&interp.AccessExec != 0 && !info.IsDir() && info.Mode()&0o111 == 0 {
		return syscall.EACCES
	}
	return nil
}

// exec runs a command that is neither a function nor a builtin.
func (s *shell) exec(ctx context.Context, args []string) error {
	switch args[0] {
	case partName:
		return s.part(ctx, args)
	case weighName:
		return s.weigh(ctx)
	case fitsName:
		return s.fits(ctx, args)
	case nothingName:
		return nil
	}
	hc := interp.HandlerCtx(ctx)
	child := s.p.Child(args)
	child.Dir, child.Env = hc.Dir, exported(hc.Env)
	child.Stdout, child.Stderr = bounded(hc.Stdout), bounded(hc.Stderr)
	if hc.Stdin == nil {
		child.Stdin = strings.NewReader("")
	} else if hc.Stdin != io.Reader(s.stdin) {
		child.Stdin = hc.Stdin
	}
	if name, is := strings.CutPrefix(args[0], own); is {
		switch name {
		case "command", "type", "cd", "fail":
			return s.builtin(child, name)
		}
		child.Args = append([]string{name}, args[1:]...)
	}
	if s.interactive && inBackground(ctx) {
		child.Background = true
		if child.Stdin == s.p.Stdin {
			child.Stdin = strings.NewReader("")
		}
	}
	if tooLong(child) {
		_, _ = fmt.Fprintf(child.Stderr, "%s: %s: Argument list too long\n", s.name, child.Args[0])
		return interp.ExitStatus(126)
	}
	_, main, err := process.LookPath(child, child.Args[0])
	if err != nil {
		s.become.Store(false)
		return s.missing(child, err)
	}
	if s.become.Swap(false) {
		s.endSignals()
		child.PID, child.Parent, child.Signals = s.p.PID, s.p.Parent, s.p.Signals
		s.p.Machine.Table.Become(child.PID, child.Args)
		return exit(main(ctx, child))
	}
	s.running.Add(1)
	s.live.Add(1)
	s.wake()
	defer s.running.Done()
	defer func() { s.live.Add(-1); s.wake() }()
	return exit(s.p.Machine.Table.Run(ctx, main, child))
}

// tooLong says whether execve(2) would say E2BIG.
func tooLong(child *process.Process) bool {
	size := 0
	for _, list := range [][]string{child.Args, child.Env} {
		for _, text := range list {
			size += len(text) + 9 // its end, and the pointer to it
		}
	}
	return size > maxArguments
}

func exit(status int) error {
	if status == 0 {
		return nil
	}
	return interp.ExitStatus(uint8(status))
}

func (s *shell) missing(child *process.Process, err error) error {
	name := child.Args[0]
	if !errors.Is(err, syscall.EACCES) {
		_, _ = fmt.Fprintf(child.Stderr, "%s: %s: not found\n", s.name, name)
		return interp.ExitStatus(127)
	}
	// A file without a program: a script, if it may be executed.
	full, _, _ := process.LookPath(child, name)
	info, problem := s.p.Files.Stat(full)
	if problem != nil || info.IsDir() || info.Mode()&0o111 == 0 {
		_, _ = fmt.Fprintf(child.Stderr, "%s: %s: Permission denied\n", s.name, name)
		return interp.ExitStatus(126)
	}
	child.Args = append([]string{"sh", full}, child.Args[1:]...)
	s.running.Add(1)
	defer s.running.Done()
	return exit(s.p.Machine.Table.Run(s.ctx, Main, child))
}
