package kubectl

import (
	"context"
	"errors"
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
	if err == nil {
		err = r.allow(ctx, known, "")
	}
	var refused refusal
	switch {
	case errors.As(err, &refused):
		return nil, &cluster.Explained{Text: cluster.Sentence(refused.Error()), Err: refused}
	case err != nil:
		return nil, cluster.ExplainError(err)
	}
	cmd := exec.CommandContext(ctx, r.Program, r.kubectlArgs(namespace, named, args)...)
	cmd.Env = r.environment()
	return &Terminal{cmd}, nil
}

// SetStdin gives the child the terminal to read.
func (t *Terminal) SetStdin(r io.Reader) { t.cmd.Stdin = r }

// SetStdout gives the child the terminal to write.
func (t *Terminal) SetStdout(w io.Writer) { t.cmd.Stdout, t.cmd.Stderr = w, w }

// SetStderr does nothing: this program's stderr may be a file, and the person has
// to see what went wrong.
func (t *Terminal) SetStderr(io.Writer) {}

// Run runs the child to its end. While it runs, the terminal's ^C is the
// child's alone. It is an error if SetStdout was given something that is not a
// file, because the child would get a pipe.
func (t *Terminal) Run() error {
	if _, ok := t.cmd.Stdout.(*os.File); !ok {
		return errors.New("there is no terminal to give to kubectl")
	}
	return runInForeground(t.cmd)
}
