package desk

import (
	"context"
	"fmt"
	"io"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"svctour/cluster"
	"svctour/cluster/reach"
	"svctour/model/meter"
	"svctour/ui/shell"
)

// heldBatches is how much of a stream waits to be asked for: a second and a half.
const heldBatches = 16

// streaming is a stream of requests under way.
type streaming struct {
	heard chan meter.Batch // closed at the end
	err   error            // why, once heard is closed
}

// Next implements shell.Streaming.
func (s *streaming) Next(ctx context.Context) (meter.Batch, error) {
	select {
	case batch, more := <-s.heard:
		if !more {
			return meter.Batch{}, s.err
		}
		return batch, nil
	case <-ctx.Done():
		return meter.Batch{}, ctx.Err()
	}
}

// Stream sends requests from a Pod of a namespace that svctour made.
func (s *session) Stream(ctx context.Context, namespace string, spec meter.Spec, rate func() int) shell.Streaming {
	out := &streaming{heard: make(chan meter.Batch, heldBatches)}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.open, cancel)
	s.streams.Go(func() {
		defer cancel()
		defer stop()
		defer close(out.heard)
		if out.err = s.mayStream(ctx, namespace); out.err != nil {
			return
		}
		out.err = reach.Stream(ctx, s.Connection, namespace, spec, rate, func(b meter.Batch) {
			select {
			case out.heard <- b:
			case <-ctx.Done():
			}
		})
		if out.err == nil {
			out.err = io.EOF
		}
	})
	return out
}

// mayStream refuses what kubectl exec is refused for.
func (s *session) mayStream(ctx context.Context, namespace string) error {
	switch {
	case !s.desk.options.Rights.Exec:
		return fmt.Errorf("%w: %w", meter.ErrNoExec, errExec)
	case s.desk.options.Rights.ReadOnly:
		return fmt.Errorf("%w: %w", meter.ErrNoExec, errReadOnly)
	}
	ns, err := s.Client().CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", meter.ErrNoExec, cluster.ExplainError(s.FromServer(err)))
	case !cluster.Ours(ns):
		return fmt.Errorf("%w: namespace %q was not made by svctour", meter.ErrNoExec, namespace)
	}
	return nil
}
