package kubectl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"svctour/cluster"
)

// Terminal is an embedded kubectl that talks with the person: a child that
// has the terminal to itself until it ends. Run may be called once.
type Terminal struct{ cmd *exec.Cmd }

// Terminal prepares a kubectl command that needs a terminal, as Run does
// for others and under the same rules. The child is killed when ctx ends.
func (r Runner) Terminal(ctx context.Context, namespace string, args []string) (*Terminal, error) {
	if namespace == "" {
		namespace = r.Connection.Namespace()
	}
	if len(args) > 0 && args[0] == "kubectl" {
		args = args[1:]
	}
	known, err := inspectFor(args, true)
	named := known.namespace != "" || known.all
	if known.namespace == "" {
		known.namespace = namespace
	}
	if err == nil && known.manifest {
		err = refuse("a manifest on stdin has no place in a command with a terminal")
	}
	if err == nil && known.writes {
		err = r.allowWrite(ctx, known, "")
	}
	var refused refusal
	switch {
	case errors.As(err, &refused):
		return nil, &cluster.Explained{Text: cluster.Sentence(refused.Error()), Err: refused}
	case err != nil:
		return nil, cluster.ExplainError(err)
	}
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program to run kubectl: %w", err)
	}
	cmd := exec.CommandContext(ctx, program, r.kubectlArgs(namespace, named, args)...)
	cmd.Env = environment()
	return &Terminal{cmd}, nil
}

// SetStdin gives the child the terminal to read.
func (t *Terminal) SetStdin(r io.Reader) { t.cmd.Stdin = r }

// SetStdout gives the child the terminal to write; what is no file is left for
// os.Stdout, because the child would get a pipe.
func (t *Terminal) SetStdout(w io.Writer) {
	if _, ok := w.(*os.File); !ok {
		w = os.Stdout
	}
	t.cmd.Stdout, t.cmd.Stderr = w, w
}

// SetStderr does nothing: this program's stderr may be a file (see
// cluster.RedirectStderr), and the person is to see what went wrong.
func (t *Terminal) SetStderr(io.Writer) {}

// Run runs the child to its end. While it runs, the terminal's ^C is the
// child's alone.
func (t *Terminal) Run() error { return runInForeground(t.cmd) }
