package learner

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"svctour/cli"
	"svctour/lab"
	"svctour/lessons"
)

// Patience is how long a condition may take on a slow, shared machine.
const Patience = 3 * time.Minute

// Main runs a package's tests, and lets its test binary be svctour, for the lab's
// process and kubectl.
func Main(m *testing.M) {
	if !Helps() {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Main(ctx, cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, os.Args)
	stop()
	os.Exit(code)
}

// Helps says whether this process is svctour, and not the one that tests.
func Helps() bool {
	return len(os.Args) > 1 && (os.Args[1] == "lab" || os.Args[1] == "kubectl")
}

// Lab starts a lab in a folder; stop ends it.
func Lab(ctx context.Context, executable, dir string) (stop func() error, err error) {
	process, err := lab.Start(ctx, lab.StartOptions{Executable: executable, Dir: dir})
	if err != nil {
		return nil, err
	}
	return func() error {
		ctx, cancel := context.WithTimeout(context.Background(), Patience)
		defer cancel()
		return process.Stop(ctx)
	}, nil
}

// TestLab starts a lab for a test, and gives its folder.
func TestLab(t testing.TB) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "lab")
	stop, err := Lab(t.Context(), os.Args[0], dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// Courses are the built-in lessons and challenges, with a node port of a learner's own.
func Courses(nodePort int) ([]*lessons.Lesson, error) {
	list, err := lessons.Builtin()
	if err != nil {
		return nil, err
	}
	list = slices.Clone(list)
	for i, l := range list {
		if _, ok := l.Variables["nodePort"]; !ok {
			continue
		}
		if list[i], err = l.With(map[string]any{"nodePort": nodePort}); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// Terminal is a second terminal, beside the one with the app.
type Terminal struct {
	Home, LabDir, Namespace string
}

// Run runs a command line there, in which kubectl is svctour's and acts on the
// learner's namespace.
func (t Terminal) Run(ctx context.Context, command, stdin string) error {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	const kubectl = `program=$0; namespace=$1; kubectl() { "$program" kubectl -n "$namespace" "$@"; }; `
	shell := exec.CommandContext(ctx, "sh", "-c", kubectl+command, os.Args[0], t.Namespace)
	shell.Dir, shell.Stdin = t.Home, strings.NewReader(stdin)
	shell.Env = append(os.Environ(), "HOME="+t.Home, "KUBECONFIG="+filepath.Join(t.LabDir, "kubeconfig"))
	if out, err := shell.CombinedOutput(); err != nil {
		return fmt.Errorf("%q in a second terminal: %w\n%s", command, err, out)
	}
	return nil
}
