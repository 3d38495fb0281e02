package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"svctour/lab/folder"
)

// StartOptions say which program runs the lab, and where.
type StartOptions struct {
	Executable string // required: a svctour binary, usually os.Executable()
	Dir        string // required: the lab's folder
	Nodes      int    // 0: DefaultNodes
	ProxyMode  string // kube-proxy's: iptables or nftables; "": iptables
	// Progress is told when a stage of the start begins and when it is done;
	// may be nil. It is called from another goroutine.
	Progress func(Stage)
	// Args are the executable's arguments, nil: ChildArgs.
	Args []string
	// Environment is that of the lab's process, as os.Environ has it; nil: this
	// process's.
	Environment []string
}

// ChildFlag is the hidden flag of "lab up" that makes svctour the lab's process.
const ChildFlag = "child"

// ChildArgs are the arguments with which svctour becomes a lab's process.
func ChildArgs(options Options) []string {
	return []string{"lab", "up", "--" + ChildFlag + "=" + options.Dir, "--nodes=" + strconv.Itoa(options.Nodes), "--proxy-mode=" + options.ProxyMode}
}

// Process is a lab that this process has started.
type Process struct {
	dir     string
	command *exec.Cmd
	tie     io.WriteCloser // open: the lab stays
	status  Status
	done    chan struct{}
	err     error // why it ended, once done is closed
}

// Start starts a lab as a child of this process and returns once it is ready.
// It ends when this process ends, also by SIGKILL, unless Keep was called; a
// terminal's Ctrl-C does not reach it. If ctx ends before it is ready, it is
// stopped.
func Start(ctx context.Context, options StartOptions) (*Process, error) {
	run := Options{Dir: options.Dir, Nodes: options.Nodes, ProxyMode: options.ProxyMode}
	if err := run.Complete(); err != nil {
		return nil, err
	}
	args := options.Args
	if args == nil {
		args = ChildArgs(run)
	}
	command := exec.Command(options.Executable, args...)
	command.Env = options.Environment
	detach(command)
	tie, err := command.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start the lab: %w", err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start the lab: %w", err)
	}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start the lab: %w", err)
	}
	p := &Process{dir: run.Dir, command: command, tie: tie, done: make(chan struct{})}
	ready := make(chan Status, 1)
	go p.follow(out, options.Progress, ready)
	select {
	case p.status = <-ready:
		return p, nil
	case <-p.done:
		return nil, p.err
	case <-ctx.Done():
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), killAfter+time.Second)
		defer cancel()
		return nil, errors.Join(fmt.Errorf("start the lab: %w", context.Cause(ctx)), p.Stop(stopCtx))
	}
}

// follow reads the child's reports until it ends.
func (p *Process) follow(out io.Reader, progress func(Stage), ready chan<- Status) {
	defer close(p.done)
	var reported string
	readErr := readReports(out, func(r Report) {
		switch {
		case r.Ready != nil:
			ready <- *r.Ready
		case r.Error != "":
			reported = r.Error
		case r.Stage != nil && progress != nil:
			progress(*r.Stage)
		}
	})
	waitErr := p.command.Wait()
	switch {
	case reported != "":
		p.err = errors.New(reported)
	case waitErr != nil || readErr != nil:
		p.err = fmt.Errorf("the lab's process ended: %w%s", errors.Join(waitErr, readErr), lastWords(p.dir))
	default:
		p.err = ErrEnded
	}
}

// deathLine is how a line begins that says why a process of Kubernetes' parts
// ends: klog's fatal ones, and the Go runtime's. Hundreds of stacks follow it.
var deathLine = regexp.MustCompile(`(?m)^(F\d{4} |panic: |fatal error: ).*`)

// lastWords are what the log of a lab that has crashed says of it.
func lastWords(dir string) string {
	path := filepath.Join(dir, folder.Log)
	content, err := os.ReadFile(path)
	if err != nil || len(content) == 0 {
		return ""
	}
	if line := deathLine.Find(content); line != nil {
		return fmt.Sprintf(": %s (more in %s)", bytes.TrimSpace(line), path)
	}
	return fmt.Sprintf(" (see %s)", path)
}

// Status is the lab's status when it had become ready; ReadStatus has today's.
func (p *Process) Status() Status { return p.status }

// Done is closed when the lab has ended, for whatever reason; Err says which.
func (p *Process) Done() <-chan struct{} { return p.done }

// ErrEnded says that a lab has ended as it was told to.
var ErrEnded = errors.New("the lab has ended")

// Err is why the lab has ended, nil while it runs: ErrEnded unless it failed or
// was killed.
func (p *Process) Err() error {
	select {
	case <-p.done:
		return p.err
	default:
		return nil
	}
}

// Keep lets the lab outlive this process.
func (p *Process) Keep() error {
	if _, err := io.WriteString(p.tie, KeepWord); err != nil {
		return fmt.Errorf("tell the lab to stay: %w", err)
	}
	if err := p.tie.Close(); err != nil {
		return fmt.Errorf("tell the lab to stay: %w", err)
	}
	return nil
}

// killAfter is how long a lab may take to end before it is killed: one that
// was stopped (SIGSTOP) never would.
const killAfter = 5 * time.Second

// Stop ends the lab and returns when it is gone, with everything it had.
func (p *Process) Stop(ctx context.Context) error {
	_ = p.tie.Close() // an error: it was told to stay, or has gone
	_ = terminate(p.command.Process)
	timer := time.NewTimer(killAfter)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		_ = p.command.Process.Kill()
		<-p.done
	case <-ctx.Done():
		_ = p.command.Process.Kill()
		<-p.done
	}
	return folder.Sweep(p.dir)
}

// Down ends the lab in dir, no matter who started it, and returns when it is gone;
// ErrNotRunning if there is none.
func Down(ctx context.Context, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("find the lab's folder %q: %w", dir, err)
	}
	pid, alive, err := folder.Holder(dir)
	if err != nil {
		return err
	}
	if !alive {
		return errors.Join(ErrNotRunning, folder.Sweep(dir))
	}
	process, err := os.FindProcess(pid)
	if pid == 0 || err != nil {
		return fmt.Errorf("end the lab: its process %d cannot be found: try again", pid)
	}
	defer process.Release()
	_ = terminate(process) // an error: it has just ended
	killed := time.Now().Add(killAfter)
	err = wait.PollUntilContextCancel(ctx, pollEvery, true, func(context.Context) (bool, error) {
		now, alive, err := folder.Holder(dir)
		if err != nil || !alive || now != pid {
			return true, err
		}
		if time.Now().After(killed) {
			_ = process.Kill()
		}
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("end the lab: %w", err)
	}
	return folder.Sweep(dir)
}

const pollEvery = 10 * time.Millisecond
