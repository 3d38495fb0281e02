package ui

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"svctour/lessons"
	"svctour/model"
	"svctour/model/path"
	"svctour/ui/shell"
)

// This file holds every command beside its message. A command does I/O, ends
// with its context, and answers with exactly one message.

type choicesMsg struct {
	choices []shell.Choice
	err     error
}

func loadChoices(ctx context.Context, b shell.Backend) tea.Cmd {
	return func() tea.Msg {
		choices, err := b.Choices(ctx)
		return choicesMsg{choices, err}
	}
}

// probeTime bounds how long a cluster may take to answer in the picker.
const probeTime = 5 * time.Second

func probe(ctx context.Context, b shell.Backend, c shell.Choice) tea.Cmd {
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(ctx, probeTime)
		defer cancel()
		version, err := b.Probe(ctx, c)
		if err != nil {
			return shell.Probed{Choice: c, Err: err.Error()}
		}
		return shell.Probed{Choice: c, Version: version}
	}
}

// stageMsg is one stage of the lab's start; more follow on the channel.
type stageMsg struct {
	stage      shell.Stage
	more       <-chan shell.Stage
	generation int
}

type labReadyMsg struct {
	started    bool
	err        error
	generation int
}

// startLab starts the lab; its stages arrive as messages of their own.
func startLab(ctx context.Context, b shell.Backend, generation int) tea.Cmd {
	stages := make(chan shell.Stage, 16) // every stage of one start fits: none is dropped, none blocks
	start := func() tea.Msg {
		defer close(stages)
		started, err := b.StartLab(ctx, func(s shell.Stage) {
			select {
			case stages <- s:
			case <-ctx.Done():
			}
		})
		return labReadyMsg{started, err, generation}
	}
	return tea.Batch(start, nextStage(stages, generation))
}

func nextStage(stages <-chan shell.Stage, generation int) tea.Cmd {
	return func() tea.Msg {
		stage, ok := <-stages // closed when the start ends, which its context bounds
		if !ok {
			return nil
		}
		return stageMsg{stage, stages, generation}
	}
}

type labEndedMsg struct{ err error }

func waitForLab(ctx context.Context, b shell.Backend) tea.Cmd {
	return func() tea.Msg {
		err := b.LabEnded(ctx)
		if ctx.Err() != nil {
			return nil
		}
		return labEndedMsg{err}
	}
}

type connectedMsg struct {
	session    shell.Session
	err        error
	generation int
}

func connect(ctx context.Context, b shell.Backend, c shell.Choice, generation int) tea.Cmd {
	return func() tea.Msg {
		session, err := b.Connect(ctx, c)
		return connectedMsg{session, err, generation}
	}
}

type snapshotMsg struct {
	snapshot   *model.Snapshot
	err        error
	generation int
}

func nextSnapshot(ctx context.Context, s shell.Session, generation int) tea.Cmd {
	return func() tea.Msg {
		snapshot, err := s.Next(ctx)
		return snapshotMsg{snapshot, err, generation}
	}
}

type progressMsg struct {
	progress   map[string]lessons.Progress
	err        error
	generation int
}

func loadProgress(b shell.Backend, cluster string, generation int) tea.Cmd {
	return func() tea.Msg {
		progress, err := b.LoadProgress(cluster)
		return progressMsg{progress, err, generation}
	}
}

type savedMsg struct{ err error }

func saveProgress(b shell.Backend, u Unsaved) tea.Cmd {
	return func() tea.Msg { return savedMsg{b.SaveProgress(u.Cluster, u.Progress)} }
}

type namespaceMsg struct {
	choice     shell.Choice
	name       string
	err        error
	generation int
}

func ensureNamespace(ctx context.Context, s shell.Session, choice shell.Choice, generation int) tea.Cmd {
	return func() tea.Msg {
		name, err := s.EnsureNamespace(ctx)
		return namespaceMsg{choice, name, err, generation}
	}
}

// heardMsg is the answer to the first command of a run, and what is left of it.
type heardMsg struct {
	errand context.Context // once it has ended nobody waits for the answer
	heard  shell.Heard
	rest   *shell.Run
}

// commandTime bounds one kubectl command.
const commandTime = 60 * time.Second

func runCommands(errand context.Context, s shell.Session, namespace string, run shell.Run) tea.Cmd {
	return func() tea.Msg {
		if s == nil || len(run.Invokes) == 0 {
			return nil
		}
		ctx, cancel := context.WithTimeout(errand, commandTime)
		defer cancel()
		first := run.Invokes[0]
		reply := s.Kubectl(ctx, namespace, first.Args, first.Stdin)
		reply.Command = first.Display
		msg := heardMsg{errand: errand, heard: shell.Heard{Quiet: run.Quiet, Reply: reply}}
		goOn := reply.Exit == 0 || run.Quiet && reply.Exit > 0 // below 0 it could not be run at all
		if len(run.Invokes) > 1 && goOn {
			msg.rest = &shell.Run{Quiet: run.Quiet, Invokes: run.Invokes[1:]}
		}
		msg.heard.Last = msg.rest == nil
		return msg
	}
}

type rulesMsg struct {
	rules  shell.Rules
	serial int // of the watch
}

// observeTime bounds one look at a node.
const observeTime = 10 * time.Second

func observe(ctx context.Context, s shell.Session, w watch, world *model.Snapshot) tea.Cmd {
	return func() tea.Msg { return rulesMsg{look(ctx, s, w, world), w.serial} }
}

// look reads a node's rules and lays them beside the derived ones.
func look(ctx context.Context, s shell.Session, w watch, world *model.Snapshot) shell.Rules {
	ctx, cancel := context.WithTimeout(ctx, observeTime)
	defer cancel()
	rules := shell.Rules{Node: w.node, Family: w.family}
	observed, err := s.Observe(ctx, w.node, world.Proxy.Mode, w.family)
	if err != nil {
		rules.Err = err.Error()
		return rules
	}
	rules.Observed = observed
	if w.before != nil {
		rules.Changed = observed.Since(w.before)
	}
	rules.Differences = path.Compare(path.CompileAs(world.Proxy.Mode, world, w.node, w.family), observed)
	return rules
}

// observeDueMsg says that it is time to look at the node again.
type observeDueMsg struct{ serial int }

// A node that could be read is read again soon, another less often.
const (
	observePace  = 1500 * time.Millisecond
	observeRetry = 10 * time.Second
)

func observeLater(after time.Duration, serial int) tea.Cmd {
	return tea.Tick(after, func(time.Time) tea.Msg { return observeDueMsg{serial} })
}

// answeredMsg is the answer to a request.
type answeredMsg struct {
	errand   context.Context // as heardMsg's
	answered shell.Answered
}

func sendRequest(errand context.Context, s shell.Session, namespace string, r shell.Request, w *watch, world *model.Snapshot) tea.Cmd {
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(errand, commandTime)
		defer cancel()
		reply := s.Kubectl(ctx, namespace, r.Invoke.Args, r.Invoke.Stdin)
		reply.Command = r.Invoke.Display
		answered := shell.Answered{Serial: r.Serial, Reply: reply}
		if w != nil {
			rules := look(errand, s, *w, world)
			answered.Rules = &rules
		}
		return answeredMsg{errand, answered}
	}
}

type clientMadeMsg struct{ reply model.Reply }

func makeClient(ctx context.Context, s shell.Session, namespace string, invoke lessons.Invocation) tea.Cmd {
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(ctx, commandTime)
		defer cancel()
		return clientMadeMsg{s.Kubectl(ctx, namespace, invoke.Args, invoke.Stdin)}
	}
}

// typedMsg is the answer to a typed command.
type typedMsg struct {
	serial int
	reply  model.Reply
}

func runTyped(ctx context.Context, s shell.Session, namespace string, in lessons.Invocation, serial int) tea.Cmd {
	return func() tea.Msg {
		reply := s.Kubectl(ctx, namespace, in.Args, in.Stdin)
		reply.Command = in.Display
		return typedMsg{serial, reply}
	}
}

// childMsg is a command that waits for the terminal.
type childMsg struct {
	serial  int
	command string
	child   shell.Child
	err     error
}

func prepareChild(ctx context.Context, s shell.Session, namespace string, in lessons.Invocation, serial int) tea.Cmd {
	return func() tea.Msg {
		child, err := s.Terminal(ctx, namespace, in.Args)
		return childMsg{serial, in.Display, child, err}
	}
}

type cleanedMsg struct{ err error }

// cleanTime bounds the removal of what was made; namespaces take a while to go.
const cleanTime = 90 * time.Second

func clean(ctx context.Context, s shell.Session) tea.Cmd {
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(ctx, cleanTime)
		defer cancel()
		return cleanedMsg{s.Clean(ctx)}
	}
}

type keptMsg struct{ err error }

func keepLab(b shell.Backend) tea.Cmd {
	return func() tea.Msg { return keptMsg{b.KeepLab()} }
}

// closeSession ends an earlier connection without waiting for it.
func closeSession(s shell.Session) tea.Cmd {
	return func() tea.Msg {
		s.Close()
		return nil
	}
}

type tickMsg struct{}

// tickTime is one step of animation.
const tickTime = 120 * time.Millisecond

func tick() tea.Cmd {
	return tea.Tick(tickTime, func(time.Time) tea.Msg { return tickMsg{} })
}
