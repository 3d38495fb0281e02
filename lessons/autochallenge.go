package lessons

import (
	"context"
	"time"
)

// tries is how often a request is sent again at least, within the time for which
// a thing is waited for.
const tries = 30

// challenge proves the step of a challenge, whose start state is there.
func (a *auto) challenge(ctx context.Context) error {
	step := a.play.Step()
	if err := a.request(ctx); err != nil {
		return err
	}
	if a.done() {
		return a.violation("it is solved before anything was done")
	}
	if step.byAnswer {
		return a.answer(ctx)
	}
	for i := range step.Wrong {
		if err := a.wrong(ctx, &step.Wrong[i]); err != nil {
			return err
		}
	}
	if err := a.predict(ctx); err != nil {
		return err
	}
	began := time.Now()
	for _, c := range step.Solution.commands {
		inv, err := c.invoke(a.play.Position().input(a.last), step.Solution.files)
		if err != nil {
			return a.violation("solution: %v", err)
		}
		reply, err := a.run(ctx, "$", inv)
		if err != nil {
			return err
		}
		if reply.Exit != 0 {
			return a.violation("its solution's %q ended with exit code %d: %s", inv.Display, reply.Exit, oneLine(reply.Stderr))
		}
	}
	if err := a.requestUntilSolved(ctx); err != nil {
		return err
	}
	a.print("       solved after %.1f s", time.Since(began).Seconds())
	return a.look(ctx)
}

// answer solves a challenge by the right answer. No wrong one may solve it.
func (a *auto) answer(ctx context.Context) error {
	asked, err := a.ask(ctx, "question", Position.Ask)
	if err != nil {
		return err
	}
	for i := range asked.Choices {
		if i == asked.Right {
			continue
		}
		a.play.Answer(asked, i)
		if a.done() {
			return a.violation("the wrong answer %q solves it", asked.Choices[i])
		}
	}
	a.play.Answer(asked, asked.Right)
	if !a.done() {
		return a.violation("the right answer does not solve it")
	}
	a.print("       solved by its answer")
	if _, err := a.play.Observe(a.last); err != nil {
		return a.violation("%v", err)
	}
	return a.look(ctx)
}

// request sends the step's own command, which may fail.
func (a *auto) request(ctx context.Context) error {
	inv, err := a.play.Command(a.last)
	if err != nil {
		return a.violation("%v", err)
	}
	_, err = a.run(ctx, "?", inv)
	return err
}

// requestUntilSolved sends the request until the challenge is solved: the cluster
// takes its time to follow the solution.
func (a *auto) requestUntilSolved(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, a.options.Timeout)
	defer cancel()
	var checkErr error
	for {
		if err := a.request(limited); err != nil && limited.Err() == nil {
			return err
		}
		_, checkErr = a.play.Observe(a.last)
		if a.done() {
			return nil
		}
		pause, end := context.WithTimeout(limited, a.options.Timeout/tries)
		next, err := a.cluster.Next(pause, a.sequence())
		paused := pause.Err() != nil
		end()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case limited.Err() != nil && checkErr != nil:
			return a.violation("its solution does not solve it: %v", checkErr)
		case limited.Err() != nil:
			return a.violation("its solution does not solve it within %s", a.options.Timeout)
		case err == nil:
			a.last = next
		case !paused:
			return err
		}
	}
}
