// Package kubectl runs the embedded kubectl for a person or a lesson, behind a
// guard: it reads anything of one cluster and writes only into namespaces that
// svctour made.
package kubectl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"svctour/cluster"
	"svctour/model"
)

// maxOutput bounds what is kept of each of a command's two outputs, in bytes.
const maxOutput = 256 << 10

// Runner runs the embedded kubectl against one cluster, for one person.
type Runner struct {
	Connection *cluster.Connection
	Program    string // required: a svctour binary, which has kubectl in it
	// Environment is kubectl's whole environment, in the form of os.Environ.
	Environment []string
	ReadOnly    bool // refuse every command that writes
	NoExec      bool // refuse to run programs in Pods
	// Anywhere lets commands write into namespaces that svctour did not make: for a
	// lab, which is svctour's own.
	Anywhere bool
}

// Run runs the embedded kubectl, as a child process of Program (`svctour
// kubectl …`), and gives what it printed. A leading "kubectl" in args
// is ignored. The command reads stdin and never asks on the terminal. Without -n
// it acts in namespace, or in the connection's if that is "". When ctx ends, the
// child is killed with everything it started.
//
// Reading commands may read anything; a command that writes is refused unless
// its namespace is one that svctour made, which is checked on the cluster, or
// Anywhere is set. A command that is refused or cannot be run gives Exit -1 and a sentence in
// Stderr. Each output is cut after 256 KiB.
func (r Runner) Run(ctx context.Context, namespace string, args []string, stdin string) model.Reply {
	if namespace == "" {
		namespace = r.Connection.Namespace()
	}
	if len(args) > 0 && args[0] == "kubectl" {
		args = args[1:]
	}
	reply := model.Reply{Command: commandLine(args), Exit: -1}
	known, err := inspect(args)
	named := known.namespace != "" || known.all
	if known.namespace == "" {
		known.namespace = namespace
	}
	if err == nil {
		err = r.allow(ctx, known, stdin)
	}
	if err != nil {
		var refused refusal
		if errors.As(err, &refused) {
			reply.Stderr = cluster.Sentence(refused.Error())
		} else {
			reply.Stderr = cluster.Explain(err)
		}
		return reply
	}
	r.run(ctx, &reply, r.kubectlArgs(namespace, named, args), stdin)
	return reply
}

// kubectlArgs is this program's command line for a kubectl command on this
// cluster. named says that the command chooses its namespace itself.
func (r Runner) kubectlArgs(namespace string, named bool, args []string) []string {
	full := []string{"kubectl"}
	if kubeconfig := r.Connection.Kubeconfig(); kubeconfig != "" {
		full = append(full, "--kubeconfig="+kubeconfig)
	}
	if context := r.Connection.Cluster().Context; context != "" {
		full = append(full, "--context="+context)
	}
	if !named {
		full = append(full, "--namespace="+namespace)
	}
	return append(full, args...)
}

// allow refuses what this person may not do.
func (r Runner) allow(ctx context.Context, known command, stdin string) error {
	switch {
	case known.writes && r.ReadOnly:
		return refuse("nothing may be changed from here")
	case known.executes && r.NoExec:
		return refuse("programs in Pods may not be run from here")
	case known.writes:
		return r.allowWrite(ctx, known, stdin)
	}
	return nil
}

// allowWrite refuses a write outside the namespaces that svctour made.
func (r Runner) allowWrite(ctx context.Context, known command, stdin string) error {
	if known.manifest {
		if err := inspectManifest(stdin, known.namespace); err != nil {
			return err
		}
	}
	if r.Anywhere {
		return nil
	}
	ns, err := r.Connection.Client().CoreV1().Namespaces().Get(ctx, known.namespace, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return refuse("namespace %q does not exist: svctour writes only into namespaces that it made", known.namespace)
	case err != nil:
		return r.Connection.FromServer(err)
	case !cluster.Ours(ns):
		return refuse("namespace %q was not made by svctour, so svctour does not write into it: use a terminal of your own", known.namespace)
	}
	return nil
}

// environment keeps kubectl from reading a kuberc file, whose aliases and
// defaults would change what its arguments mean.
func (r Runner) environment() []string {
	return append(slices.Clone(r.Environment), "KUBECTL_KUBERC=false")
}

// run runs kubectl to its end and fills in reply.
func (r Runner) run(ctx context.Context, reply *model.Reply, args []string, stdin string) {
	var stdout, stderr boundedBuffer
	cmd := exec.CommandContext(ctx, r.Program, args...)
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Env = r.environment()
	cmd.WaitDelay = 2 * time.Second // a grandchild may hold the outputs open
	isolate(cmd)
	done := make(chan error, 1)
	go func() {
		// Where the child dies with its parent, the parent is the thread
		// that started it (prctl(2) PR_SET_PDEATHSIG): keep it until then.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		done <- cmd.Run()
	}()
	err := <-done
	reply.Stdout, reply.Stderr = stdout.String(), stderr.String()
	var exit *exec.ExitError
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		reply.Stderr += "Stopped: it took too long."
	case ctx.Err() != nil:
		reply.Stderr += "Stopped."
	case err == nil:
		reply.Exit = 0
	case errors.As(err, &exit):
		reply.Exit = exit.ExitCode()
	default:
		reply.Stderr += cluster.Sentence(fmt.Sprintf("run kubectl: %v", err))
	}
}

// boundedBuffer keeps the first maxOutput bytes and says that more came.
type boundedBuffer struct {
	kept bytes.Buffer
	more bool
}

// Write implements io.Writer; it never fails.
func (b *boundedBuffer) Write(p []byte) (int, error) {
	room := maxOutput - b.kept.Len()
	if len(p) > room {
		b.more = true
		b.kept.Write(p[:room])
	} else {
		b.kept.Write(p)
	}
	return len(p), nil
}

func (b *boundedBuffer) String() string {
	if b.more {
		return strings.ToValidUTF8(b.kept.String(), "") + "\n… (cut)\n"
	}
	return b.kept.String()
}

// commandLine writes a command as a person would type it into a shell.
func commandLine(args []string) string {
	words := make([]string, 0, len(args)+1)
	words = append(words, "kubectl")
	for _, arg := range args {
		words = append(words, model.ShellWord(arg))
	}
	return strings.Join(words, " ")
}
