package lessons

import (
	"context"
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
// back. Then the step's command must make it true. The first *Violation ends
// it; other errors mean that the cluster could not be used.
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
	a.print("Lesson %d  %s", l.Number, l.Title)
	for a.last == nil || !a.last.Sync.Synced {
		if a.last, err = c.Next(ctx, a.sequence()); err != nil {
			return fmt.Errorf("read the cluster: %w", err)
		}
	}
	for i := range l.Steps {
		if o.Step != 0 && o.Step != i+1 {
			continue
		}
		play.Goto(i)
		a.print("%2d/%d  %s", i+1, len(l.Steps), play.Step().Title)
		if err := a.step(ctx); err != nil {
			return err
		}
	}
	if o.Step != 0 {
		a.print("Step %d is proved.", o.Step)
	} else {
		a.print("Lesson %d is proved.", l.Number)
	}
	return nil
}

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
	for i := range step.Wrong {
		if err := a.wrong(ctx, &step.Wrong[i]); err != nil {
			return err
		}
	}
	if step.Predict != nil {
		right, err := a.play.Answer(step.Predict.Answer)
		if err != nil || !right {
			return a.violation("its prediction's own answer is not right")
		}
	}
	if step.Command == "" {
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
	if reply.Exit != 0 && !(step.Checked() && step.check.replies) {
		return a.violation("its command %q ended with exit code %d: %s", inv.Display, reply.Exit, oneLine(reply.Stderr))
	}
	if err := a.wait(ctx, "its command does not make the check true", func() (bool, error) { return a.done(), nil }); err != nil {
		return err
	}
	a.print("       done after %.1f s", time.Since(began).Seconds())
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
