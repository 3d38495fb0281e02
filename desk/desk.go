// Package desk is one person's place: their streams, environment, cluster,
// namespace, lab, progress and rights. It does what a person asks for, in the
// app or on the command line: it starts and joins labs, connects to clusters,
// examines Services, and keeps what was learned.
//
// Many desks live in one process. So a desk uses nothing that belongs to the
// whole process: no standard stream, environment, signal, exit or global logger.
package desk

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/go-logr/logr"
	"k8s.io/klog/v2"

	"svctour/lab"
)

// Options are what a person brings.
type Options struct {
	// In, Out and Err are the person's streams; required for Run. A terminal is
	// an *os.File.
	In  io.Reader
	Out io.Writer
	Err io.Writer
	// Environment is the person's. It is all that the desk, and any program that
	// it starts, sees of an environment.
	Environment Environment
	// Log takes what libraries and crashes say; nil: it is dropped.
	Log io.Writer
	// ASCII says that the person's terminal has no UTF-8, NoColor that no colours
	// are wanted. Profile is what colours it has; nil: as Environment and Out say.
	ASCII   bool
	NoColor bool
	// NoMotion says that nothing on the screen moves by itself.
	NoMotion bool
	Profile  *colorprofile.Profile
	// Width and Height are the screen's size in cells, where Out is no terminal.
	Width, Height int

	// Kubeconfig and Namespace are kubectl's --kubeconfig and --namespace; "": as
	// kubectl has it.
	Kubeconfig string
	Namespace  string
	// Namespaces are candidates for the namespace of the lessons: the first that
	// is free or svctour's is used. nil means "tour", then "svctour-tour".
	Namespaces []string

	// Executable is the path of a svctour binary, which runs as the lab and as
	// kubectl.
	Executable string
	// LabDir is the lab's folder.
	LabDir string
	// Progress keeps what the person has learned; nil: in memory.
	Progress Progress
	Rights   Rights
}

// Rights are what a desk may do besides looking at a cluster and playing lessons.
type Rights struct {
	Lab      bool // start a lab of its own, and end it; without, join one that runs
	Exec     bool // run programs in Pods: kubectl exec, and the doctor's probes from inside
	Terminal bool // give the terminal to a program until it ends
	Suspend  bool // stop the program's process group on ^Z, as a shell's job does
	Files    bool // read the person's kubeconfig, and with it run credential plugins
	ReadOnly bool // change nothing in a cluster
}

// Everything is what a person may do at a terminal of their own.
func Everything() Rights {
	return Rights{Lab: true, Exec: true, Terminal: true, Suspend: true, Files: true}
}

// namespaces are where lessons are played unless the options say otherwise.
func namespaces() []string { return []string{"tour", "svctour-tour"} }

// Desk is one person's place.
type Desk struct {
	options Options
	log     *slog.Logger

	mu      sync.Mutex
	ended   bool         // the app has ended: a lab that is just starting must not stay
	process *lab.Process // the lab that this desk has started; nil when it did not
	kept    bool
	program *tea.Program // that runs now
}

// New makes a desk.
func New(o Options) *Desk {
	if o.Namespaces == nil {
		o.Namespaces = namespaces()
	}
	if o.Progress == nil {
		o.Progress = &MemoryProgress{}
	}
	if o.In == nil {
		o.In = nothing{}
	}
	if o.Out == nil {
		o.Out = io.Discard
	}
	if o.Err == nil {
		o.Err = io.Discard
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	return &Desk{options: o, log: slog.New(slog.NewTextHandler(o.Log, nil))}
}

// nothing is an empty input.
type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, io.EOF }

// context makes client-go write to the desk's log in all that it does with ctx.
func (d *Desk) context(ctx context.Context) context.Context {
	return klog.NewContext(ctx, logr.FromSlogHandler(d.log.Handler()))
}

// stopTime is how long a lab may take to end.
const stopTime = 10 * time.Second

// endLab ends the lab that this desk has started, unless the person keeps it.
func (d *Desk) endLab() error {
	d.mu.Lock()
	process, kept := d.process, d.kept
	d.process, d.ended = nil, true
	d.mu.Unlock()
	if process == nil || kept {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	if err := process.Stop(ctx); err != nil {
		return fmt.Errorf("stop the lab: %w", err)
	}
	return nil
}
