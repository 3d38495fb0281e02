package lessons

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"svctour/model"
)

// Cluster is what Auto needs of a cluster.
type Cluster interface {
	// Kubectl runs one command in the namespace of the play, which args do not
	// name. Whatever goes wrong is in the reply.
	Kubectl(ctx context.Context, args []string, stdin string) model.Reply
	// Next blocks until there is a snapshot newer than the one with the sequence
	// after; 0 stands for none. Its error is that of ctx.
	Next(ctx context.Context, after uint64) (*model.Snapshot, error)
}

// AutoOptions are Auto's choices.
type AutoOptions struct {
	Namespace string        // required: exists, and is ours
	Out       io.Writer     // the transcript; nil discards it
	Timeout   time.Duration // for each thing waited for; 0 means a minute
	Step      int           // only this step, counted from 1; 0 means all
	// Has says whether a need is met, and else why not, as the end of a sentence;
	// nil: Need.Met.
	Has func(s *model.Snapshot, n Need) (met bool, why string)
	// Bring brings a need about. What it cannot bring about is left out, and why is
	// told; nil: it can bring about nothing.
	Bring func(ctx context.Context, n Need) error
	// LeftOut is told of each step that is left out, counted from 1, or of the whole
	// lesson, 0, and of the need that is not met; nil: no one is.
	LeftOut func(step int, n Need)
	// Route walks a route to its end and says what is wrong with it; nil: routes are
	// not walked.
	Route func(ctx context.Context, s *model.Snapshot, from, target string) error
}

// Violation is what a lesson does that it must not, or fails to do.
type Violation struct {
	Lesson, Step string
	Line         int // of the step in the lesson's file
	What         string
}

// Error says it in one sentence.
func (v *Violation) Error() string {
	return fmt.Sprintf("lesson %q, step %q (line %d): %s", v.Lesson, v.Step, v.Line, v.What)
}

// Auto plays a lesson without a learner and proves it. For each step it brings
// about the start state; the check must be false then. Every listed wrong fix
// must leave it false once its effect is there, and the start state must come
// back. Then the step's command must make it true. A question must have exactly
// one right choice when it is asked, and what is right must be what the cluster
// then shows. In a challenge the request is sent after each of these, and the
// solution must make the check true. The first *Violation ends it; other errors
// mean that the cluster could not be used.
//
// A step whose needs are neither met nor brought about is left out, and so is a
// whole lesson; the transcript says which and why. What steps changed outside of
// the namespace is undone at the end, also after an error.
func Auto(ctx context.Context, l *Lesson, c Cluster, o AutoOptions) error {
	if o.Out == nil {
		o.Out = io.Discard
	}
	if o.Timeout <= 0 {
		o.Timeout = time.Minute
	}
	play, err := NewPlay(l, o.Namespace, Progress{})
	if err != nil {
		return err
	}
	a := &auto{play: play, cluster: c, options: o}
	a.print("%s %d  %s", kindTitle(l), l.Number, l.Title)
	for a.last == nil || !a.last.Sync.Synced {
		if a.last, err = c.Next(ctx, a.sequence()); err != nil {
			return fmt.Errorf("read the cluster: %w", err)
		}
	}
	if missing, err := a.provide(ctx, 0, l.Needs); err != nil {
		return err
	} else if missing != "" {
		a.print("Left out: it needs %s", missing)
		return nil
	}
	return errors.Join(a.steps(ctx), a.undo(ctx))
}

// steps proves the steps that were asked for.
func (a *auto) steps(ctx context.Context) error {
	l, only := a.play.lesson, a.options.Step
	for i, step := range l.Steps {
		if only != 0 && only != i+1 {
			continue
		}
		a.play.Goto(i)
		a.print("%2d/%d  %s", i+1, len(l.Steps), step.Title)
		missing, err := a.provide(ctx, i+1, step.Needs)
		if err != nil {
			return err
		}
		if missing != "" {
			a.print("       left out: it needs %s", missing)
			a.play.steps[i].visited = false
			continue
		}
		if err := a.step(ctx); err != nil {
			return err
		}
	}
	if only != 0 {
		a.print("Step %d is proved.", only)
	} else {
		a.print("%s %d is proved.", kindTitle(l), l.Number)
	}
	return nil
}

// provide brings about what a step needs and is not there. missing is what could
// not be brought about, with the reason.
func (a *auto) provide(ctx context.Context, step int, needs []Need) (missing string, err error) {
	for _, n := range needs {
		met, why := a.has(n)
		if met {
			continue
		}
		if why = a.bring(ctx, n, why); why != "" {
			if a.options.LeftOut != nil {
				a.options.LeftOut(step, n)
			}
			return fmt.Sprintf("%s: %s", n, why), ctx.Err()
		}
		a.print("       brought about: %s", n)
		err := a.wait(ctx, fmt.Sprintf("%s does not come about", n), func() (bool, error) {
			met, _ := a.has(n)
			return met, nil
		})
		if err != nil {
			return "", err
		}
	}
	return "", nil
}

// bring says why a need cannot be brought about; "" when it is under way.
func (a *auto) bring(ctx context.Context, n Need, why string) string {
	if a.options.Bring == nil {
		return why
	}
	if err := a.options.Bring(ctx, n); err != nil {
		return err.Error()
	}
	return ""
}

func (a *auto) has(n Need) (met bool, why string) {
	if a.options.Has == nil {
		return n.Met(a.last)
	}
	return a.options.Has(a.last, n)
}

// undo runs the commands that undo what steps changed outside of the namespace,
// also when ctx has ended.
func (a *auto) undo(ctx context.Context) error {
	list, err := a.play.Undo(a.last)
	if err != nil || len(list) == 0 {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.options.Timeout)
	defer cancel()
	for _, inv := range list {
		reply, runErr := a.run(ctx, "undo", inv)
		switch {
		case runErr != nil:
			return errors.Join(err, runErr)
		case reply.Exit != 0:
			err = errors.Join(err, a.violation("%q, which undoes what it changed, ended with exit code %d: %s", inv.Display, reply.Exit, oneLine(reply.Stderr)))
		}
	}
	return err
}

// askAgain is how long a client waits before it asks once more.
const askAgain = time.Second

type auto struct {
	play    *Play
	cluster Cluster
	options AutoOptions
	last    *model.Snapshot
}

func (a *auto) step(ctx context.Context) error {
	step := a.play.Step()
	if err := a.restore(ctx); err != nil {
		return err
	}
	if a.done() {
		return a.violation("its check is true before anything was done")
	}
	if a.play.lesson.Kind == KindChallenge {
		return a.challenge(ctx)
	}
	for i := range step.Wrong {
		if err := a.wrong(ctx, &step.Wrong[i]); err != nil {
			return err
		}
	}
	if err := a.predict(ctx); err != nil {
		return err
	}
	if err := a.solve(ctx); err != nil {
		return err
	}
	return a.look(ctx)
}

// solve does what the step asks for.
func (a *auto) solve(ctx context.Context) error {
	step := a.play.Step()
	switch {
	case step.Router != nil:
		return a.route(ctx)
	case step.Command == "":
		a.play.Ack()
		a.print("       read")
		return nil
	}
	inv, err := a.play.Command(a.last)
	if err != nil {
		return a.violation("%v", err)
	}
	began := time.Now()
	reply, err := a.run(ctx, "$", inv)
	if err != nil {
		return err
	}
	failed := func() bool { return reply.Exit != 0 && !(step.Checked() && step.check.replies) }
	// A node writes its rules a moment after the Service: a person would ask again.
	for failed() && inv.Args[0] == "exec" && time.Since(began) < a.options.Timeout {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(askAgain):
		}
		if reply, err = a.run(ctx, "$", inv); err != nil {
			return err
		}
	}
	if failed() {
		return a.violation("its command %q ended with exit code %d: %s", inv.Display, reply.Exit, oneLine(reply.Stderr))
	}
	if err := a.wait(ctx, "its command does not make the check true", func() (bool, error) { return a.done(), nil }); err != nil {
		return err
	}
	a.print("       done after %.1f s", time.Since(began).Seconds())
	return nil
}

func (a *auto) route(ctx context.Context) error {
	from, target := a.play.Position().Route(a.last)
	if from == "" || target == "" {
		return a.violation("its route goes from %q to %q", from, target)
	}
	if a.options.Route == nil {
		a.print("       not walked: from %s to %s", from, target)
	} else if err := a.options.Route(ctx, a.last, from, target); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return a.violation("the route from %s to %s: %v", from, target, err)
	} else {
		a.print("       walked from %s to %s", from, target)
	}
	a.play.Routed(0, 0)
	return nil
}

// predict answers the step's question right.
func (a *auto) predict(ctx context.Context) error {
	if a.play.Step().Predict == nil {
		return nil
	}
	asked, err := a.ask(ctx, "question", Position.Ask)
	if err != nil {
		return err
	}
	a.play.Answer(asked, asked.Right)
	return nil
}

// ask waits until a question can be asked, and checks it.
func (a *auto) ask(ctx context.Context, what string, put func(Position, *model.Snapshot) (*Asked, error)) (asked *Asked, err error) {
	var putErr error
	err = a.wait(ctx, "its "+what+" cannot be asked", func() (bool, error) {
		asked, putErr = put(a.play.Position(), a.last)
		return putErr == nil && asked != nil, nil
	})
	if err != nil {
		if putErr != nil && ctx.Err() == nil {
			err = a.violation("%v", putErr)
		}
		return nil, err
	}
	a.print("     %s %s", "?", oneLine(asked.Question))
	a.print("         %s (%s)", oneLine(asked.Choices[asked.Right]), asked.Truth)
	for i, help := range asked.Help {
		if i != asked.Right && help == "" {
			return nil, a.violation("its %s: %q is right, and the wrong choice %q has no help", what, asked.Choices[asked.Right], asked.Choices[i])
		}
	}
	return asked, nil
}

// look compares what was predicted with what the cluster shows now, and answers
// what is asked about it.
func (a *auto) look(ctx context.Context) error {
	step, at := a.play.Step(), a.play.Index()
	if step.Predict != nil {
		if err := a.wait(ctx, "what was predicted is not seen", func() (bool, error) { return a.play.steps[at].seen != nil, nil }); err != nil {
			return err
		}
		if answer, _ := a.play.Predicted(at); answer.Seen != answer.Asked.Truth {
			return a.violation("its question says that %q is right, and the cluster then showed %q", answer.Asked.Truth, answer.Seen)
		}
	}
	if step.ReadBack == nil {
		return nil
	}
	asked, err := a.ask(ctx, "read back", Position.AskBack)
	if err != nil {
		return err
	}
	a.play.AnswerBack(asked, asked.Right)
	return nil
}

// restore brings about the step's start state.
func (a *auto) restore(ctx context.Context) error {
	a.play.Again()
	if _, err := a.play.Observe(a.last); err != nil {
		return a.violation("%v", err)
	}
	if a.play.Preparing() {
		given, err := a.play.Given(a.last)
		if err != nil {
			return a.violation("%v", err)
		}
		for _, inv := range given {
			if _, err := a.run(ctx, "given", inv); err != nil { // a refusal shows in the state
				return err
			}
		}
	}
	return a.wait(ctx, "its start state does not come about", func() (bool, error) {
		return !a.play.Preparing(), nil
	})
}

// wrong runs a wrong fix, waits for its effect and brings the start state back.
// In a challenge the request is sent with the effect there.
func (a *auto) wrong(ctx context.Context, w *Wrong) error {
	step := a.play.Step()
	inv, err := w.command.invoke(a.play.Position().input(a.last), w.files)
	if err != nil {
		return a.violation("wrong fix %q: %v", w.Command, err)
	}
	reply, err := a.run(ctx, "wrong", inv)
	if err != nil {
		return err
	}
	accepted := fmt.Sprintf("the wrong fix %q makes its check true", inv.Display)
	if a.done() {
		return a.violation("%s", accepted)
	}
	if w.until == nil {
		if reply.Exit == 0 {
			return a.violation("the wrong fix %q has no check of its own, so it should be refused, but it was not", inv.Display)
		}
		a.print("       rejected")
		return nil
	}
	if reply.Exit != 0 && !w.until.replies {
		return a.violation("the wrong fix %q ended with exit code %d: %s", inv.Display, reply.Exit, oneLine(reply.Stderr))
	}
	err = a.wait(ctx, fmt.Sprintf("the wrong fix %q does not have its effect", inv.Display), func() (bool, error) {
		if a.done() {
			return false, a.violation("%s", accepted)
		}
		return w.until.holds(a.play.Position().input(a.last))
	})
	if err != nil {
		return err
	}
	if a.play.lesson.Kind == KindChallenge {
		if err := a.request(ctx); err != nil {
			return err
		}
		if a.done() {
			return a.violation("%s", accepted)
		}
	}
	a.print("       rejected")
	if !w.until.replies {
		if there, err := step.Given.until.holds(a.play.Position().input(a.last)); err != nil || there {
			return a.violation("its Given does not notice the wrong fix %q, so it cannot be undone", inv.Display)
		}
	}
	return a.restore(ctx)
}

func (a *auto) done() bool { return a.play.Done(a.play.Index()) }

// run runs a command and lets the play hear the reply.
func (a *auto) run(ctx context.Context, mark string, inv Invocation) (model.Reply, error) {
	a.print("   %5s %s", mark, inv.Display)
	reply := a.cluster.Kubectl(ctx, inv.Args, inv.Stdin)
	if err := ctx.Err(); err != nil {
		return reply, err
	}
	reply.Command = inv.Display
	for _, text := range []string{reply.Stdout, reply.Stderr} {
		for line := range strings.Lines(text) {
			a.print("         %s", strings.TrimRight(line, "\n"))
		}
	}
	a.play.Heard(reply)
	if a.play.Preparing() {
		return reply, nil
	}
	if _, err := a.play.Observe(a.last); err != nil { // a check may look at the reply
		return reply, a.violation("%v", err)
	}
	return reply, nil
}

// wait takes in snapshots until met is true. Running out of time is a
// violation, told by failure.
func (a *auto) wait(ctx context.Context, failure string, met func() (bool, error)) error {
	limited, cancel := context.WithTimeout(ctx, a.options.Timeout)
	defer cancel()
	for {
		_, checkErr := a.play.Observe(a.last)
		if ok, err := met(); err != nil {
			return err
		} else if ok {
			return nil
		}
		next, err := a.cluster.Next(limited, a.sequence())
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case limited.Err() != nil:
			if checkErr != nil {
				return a.violation("%s: %v", failure, checkErr)
			}
			return a.violation("%s within %s", failure, a.options.Timeout)
		case err != nil:
			return fmt.Errorf("read the cluster: %w", err)
		}
		a.last = next
	}
}

// sequence is that of the last snapshot; 0 before the first.
func (a *auto) sequence() uint64 {
	if a.last == nil {
		return 0
	}
	return a.last.Sequence
}

func (a *auto) violation(format string, args ...any) error {
	step := a.play.Step()
	return &Violation{Lesson: a.play.lesson.ID, Step: step.Title, Line: step.Line, What: fmt.Sprintf(format, args...)}
}

func (a *auto) print(format string, args ...any) {
	fmt.Fprintln(a.options.Out, model.Printable(fmt.Sprintf(format, args...)))
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// kindTitle begins a line about the lesson.
func kindTitle(l *Lesson) string {
	if l.Kind == KindChallenge {
		return "Challenge"
	}
	return "Lesson"
}
