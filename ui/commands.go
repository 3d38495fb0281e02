package ui

import (
	"context"
	"io"
	"time"

	tea "charm.land/bubbletea/v2"

	"svctour/lessons"
	"svctour/model"
	"svctour/ui/shell"
)

// This file holds every command beside its message. A command does I/O, ends
// with the scope that it is begun for, and answers with exactly one message.

type choicesMsg struct {
	choices []shell.Choice
	err     error
}

func loadChoices(ctx context.Context, b shell.Backend) tea.Cmd {
	return within(ctx, func(ctx context.Context) tea.Msg {
		choices, err := b.Choices(ctx)
		return choicesMsg{choices, err}
	})
}

// probeTime bounds how long a cluster may take to answer in the picker.
const probeTime = 5 * time.Second

func probe(ctx context.Context, b shell.Backend, c shell.Choice) tea.Cmd {
	return within(ctx, func(ctx context.Context) tea.Msg {
		ctx, cancel := context.WithTimeout(ctx, probeTime)
		defer cancel()
		version, err := b.Probe(ctx, c)
		if err != nil {
			return shell.Probed{Choice: c, Err: err.Error()}
		}
		return shell.Probed{Choice: c, Version: version}
	})
}

// stageMsg is one stage of the lab's start; more follow on the channel.
type stageMsg struct {
	stage shell.Stage
	more  <-chan shell.Stage
}

type labReadyMsg struct {
	started bool
	err     error
}

// startLab starts the lab; its stages arrive as messages of their own.
func startLab(link context.Context, b shell.Backend) tea.Cmd {
	stages := make(chan shell.Stage, 16) // every stage of one start fits: none is dropped, none blocks
	start := within(link, func(ctx context.Context) tea.Msg {
		defer close(stages)
		started, err := b.StartLab(ctx, func(s shell.Stage) {
			select {
			case stages <- s:
			case <-ctx.Done():
			}
		})
		return labReadyMsg{started, err}
	})
	return tea.Batch(start, nextStage(link, stages))
}

func nextStage(link context.Context, stages <-chan shell.Stage) tea.Cmd {
	return within(link, func(context.Context) tea.Msg {
		stage, ok := <-stages // closed when the start ends, which its context bounds
		if !ok {
			return nil
		}
		return stageMsg{stage, stages}
	})
}

type labEndedMsg struct{ err error }

func waitForLab(program context.Context, b shell.Backend) tea.Cmd {
	return within(program, func(ctx context.Context) tea.Msg { return labEndedMsg{b.LabEnded(ctx)} })
}

type connectedMsg struct {
	session shell.Session
	err     error
}

func connect(link context.Context, b shell.Backend, c shell.Choice) tea.Cmd {
	return within(link, func(ctx context.Context) tea.Msg {
		session, err := b.Connect(ctx, c)
		return connectedMsg{session, err}
	})
}

type snapshotMsg struct {
	snapshot *model.Snapshot
	err      error
}

func nextSnapshot(link context.Context, s shell.Session, after uint64) tea.Cmd {
	return within(link, func(ctx context.Context) tea.Msg {
		snapshot, err := s.Next(ctx, after)
		return snapshotMsg{snapshot, err}
	})
}

type progressMsg struct {
	progress map[string]lessons.Progress
	err      error
}

func loadProgress(link context.Context, b shell.Backend) tea.Cmd {
	return within(link, func(context.Context) tea.Msg {
		progress, err := b.LoadProgress()
		return progressMsg{progress, err}
	})
}

type savedMsg struct{ err error }

// saveProgress is of no scope: what was learned is kept in any case.
func saveProgress(b shell.Backend, p lessons.Progress) tea.Cmd {
	return func() tea.Msg { return savedMsg{b.SaveProgress(p)} }
}

type namespaceMsg struct {
	choice shell.Choice
	name   string
	err    error
}

func ensureNamespace(l *link) tea.Cmd {
	session, choice := l.session, l.choice
	return within(l.ctx, func(ctx context.Context) tea.Msg {
		name, err := session.EnsureNamespace(ctx)
		return namespaceMsg{choice, name, err}
	})
}

// heardMsg is the answer to the first command of a run, and what is left of it.
type heardMsg struct {
	heard shell.Heard
	rest  *shell.Run
}

// commandTime bounds one kubectl command.
const commandTime = 60 * time.Second

func runCommands(errand context.Context, s shell.Session, namespace string, run shell.Run) tea.Cmd {
	if s == nil || len(run.Invokes) == 0 {
		return nil
	}
	return within(errand, func(ctx context.Context) tea.Msg {
		ctx, cancel := context.WithTimeout(ctx, commandTime)
		defer cancel()
		first := run.Invokes[0]
		reply := s.Kubectl(ctx, namespace, first.Args, first.Stdin)
		reply.Command = first.Display
		msg := heardMsg{heard: shell.Heard{Quiet: run.Quiet, Reply: reply}}
		goOn := reply.Exit == 0 || run.Quiet && reply.Exit > 0 // below 0 it could not be run at all
		if len(run.Invokes) > 1 && goOn {
			msg.rest = &shell.Run{Quiet: run.Quiet, Invokes: run.Invokes[1:]}
		}
		msg.heard.Last = msg.rest == nil
		return msg
	})
}

// rulesMsg is one look at the node that is watched.
type rulesMsg struct {
	rules shell.Rules
	took  time.Duration
	extra bool // the person asked for it: the next one is planned already
	news  bool // false: a newer look broke this one off
}

func observe(s shell.Session, w watch, g glance, world *model.Snapshot) tea.Cmd {
	return within(w.ctx, func(ctx context.Context) tea.Msg {
		began := time.Now()
		rules, news := w.eye.look(ctx, s, g, world)
		return rulesMsg{rules, time.Since(began), g.all, news}
	})
}

// observeDueMsg says that it is time to look at the node again.
type observeDueMsg struct{ turn int }

// A node that could be read is read again soon, another less often. A look that
// takes long is followed by a pause of observeShare times as long; where looks
// find nothing new the pause grows to observeRest times observePace, until the
// cluster changes or something moves on the screen.
const (
	observePace  = 1500 * time.Millisecond
	observeRest  = 4
	observeRetry = 10 * time.Second
	observeShare = 4
)

// answeredMsg is the answer to a request.
type answeredMsg struct{ answered shell.Answered }

func sendRequest(errand context.Context, s shell.Session, namespace string, r shell.Request, w *watch, g glance, world *model.Snapshot) tea.Cmd {
	return within(errand, func(errand context.Context) tea.Msg {
		ctx, cancel := context.WithTimeout(errand, commandTime)
		defer cancel()
		reply := s.Kubectl(ctx, namespace, r.Invoke.Args, r.Invoke.Stdin)
		reply.Command = r.Invoke.Display
		answered := shell.Answered{Serial: r.Serial, Reply: reply}
		if w != nil {
			if rules, news := w.eye.look(errand, s, g, world); news {
				answered.Rules = &rules
			}
		}
		return answeredMsg{answered}
	})
}

// streamedMsg is what was heard of a stream; more may follow.
type streamedMsg struct {
	streamed shell.Streamed
	stream   shell.Streaming
}

// sendStream begins a stream, which ends with scope, and waits for what is heard
// of it first.
func sendStream(scope context.Context, s shell.Session, namespace string, in shell.Stream, rate func() int) tea.Cmd {
	return within(scope, func(ctx context.Context) tea.Msg {
		return hear(ctx, s.Stream(ctx, namespace, in.Spec, rate), in.Serial)
	})
}

func nextStreamed(scope context.Context, stream shell.Streaming, serial int) tea.Cmd {
	return within(scope, func(ctx context.Context) tea.Msg { return hear(ctx, stream, serial) })
}

func hear(ctx context.Context, stream shell.Streaming, serial int) tea.Msg {
	batch, err := stream.Next(ctx)
	news := shell.Streamed{Serial: serial, Batch: batch, Done: err != nil}
	if err != io.EOF {
		news.Err = err
	}
	return streamedMsg{news, stream}
}

// compute does a screen's work off the goroutine that draws.
func compute(shown context.Context, in shell.Compute) tea.Cmd {
	return within(shown, func(context.Context) tea.Msg {
		return shell.Computed{Serial: in.Serial, Value: in.Work()}
	})
}

func diagnoseService(shown context.Context, s shell.Session, world *model.Snapshot, in shell.Diagnose) tea.Cmd {
	return within(shown, func(ctx context.Context) tea.Msg {
		report, err := s.Diagnose(ctx, world, in.Namespace, in.Service)
		if err != nil {
			report = nil // the cluster was left
		}
		return shell.Diagnosed{Serial: in.Serial, Report: report}
	})
}

// plan thinks an edit through; it writes nothing.
func plan(shown context.Context, s shell.Session, world *model.Snapshot, in shell.Plan) tea.Cmd {
	return within(shown, func(ctx context.Context) tea.Msg {
		ctx, cancel := context.WithTimeout(ctx, commandTime)
		defer cancel()
		planned, err := s.WhatIf(ctx, world, in.Namespace, in.Edit)
		if err != nil {
			return shell.Planned{Serial: in.Serial, Err: model.Sentence(err.Error())}
		}
		return shell.Planned{Serial: in.Serial, Value: in.Work(planned)}
	})
}

// bring lets the lab have what a step needs.
func bring(shown context.Context, s shell.Session, need lessons.Need) tea.Cmd {
	return within(shown, func(ctx context.Context) tea.Msg {
		ctx, cancel := context.WithTimeout(ctx, commandTime)
		defer cancel()
		if err := s.Bring(ctx, need); err != nil {
			return shell.Brought{Err: model.Sentence(err.Error())}
		}
		return shell.Brought{}
	})
}

type clientMadeMsg struct{ reply model.Reply }

func makeClient(link context.Context, s shell.Session, namespace string, invoke lessons.Invocation) tea.Cmd {
	return within(link, func(ctx context.Context) tea.Msg {
		ctx, cancel := context.WithTimeout(ctx, commandTime)
		defer cancel()
		return clientMadeMsg{s.Kubectl(ctx, namespace, invoke.Args, invoke.Stdin)}
	})
}

// typedMsg is the answer to the prompt's command.
type typedMsg struct {
	reply model.Reply
	of    deed
}

// runTyped runs the prompt's command; stop, within the link, ends it early: its
// answer is still wanted then.
func runTyped(link, stop context.Context, s shell.Session, namespace string, in lessons.Invocation, of deed) tea.Cmd {
	return within(link, func(context.Context) tea.Msg {
		reply := s.Kubectl(stop, namespace, in.Args, in.Stdin)
		reply.Command = in.Display
		return typedMsg{reply, of}
	})
}

// childMsg is a command that waits for the terminal.
type childMsg struct {
	command string
	child   shell.Child
	err     error
}

func prepareChild(link, stop context.Context, s shell.Session, namespace string, in lessons.Invocation) tea.Cmd {
	return within(link, func(context.Context) tea.Msg {
		child, err := s.Terminal(stop, namespace, in.Args)
		return childMsg{in.Display, child, err}
	})
}

type cleanedMsg struct{ err error }

// cleanTime bounds the removal of what was made; namespaces take a while to go.
const cleanTime = 90 * time.Second

// clean is of the program's scope: quitting waits for it.
func clean(program context.Context, s shell.Session) tea.Cmd {
	return within(program, func(ctx context.Context) tea.Msg {
		ctx, cancel := context.WithTimeout(ctx, cleanTime)
		defer cancel()
		return cleanedMsg{s.Clean(ctx)}
	})
}

type keptMsg struct{ err error }

func keepLab(program context.Context, b shell.Backend) tea.Cmd {
	return within(program, func(context.Context) tea.Msg { return keptMsg{b.KeepLab()} })
}

// closeSession ends an earlier connection without waiting for it.
func closeSession(s shell.Session) tea.Cmd {
	return func() tea.Msg {
		s.Close()
		return nil
	}
}

// tickMsg is one step of animation.
type tickMsg struct{}

const tickTime = 50 * time.Millisecond
