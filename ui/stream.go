package ui

import (
	"context"
	"sync/atomic"

	tea "charm.land/bubbletea/v2"

	"svctour/ui/shell"
)

// stream is the stream of requests under way.
type stream struct {
	serial int
	rate   *atomic.Int32      // the stream's command reads it; nil when there is no stream
	scope  context.Context    // within the screen's errands
	end    context.CancelFunc // ends it at once
}

// startStream begins a stream; one that is under way ends.
func (a *App) startStream(in shell.Stream) tea.Cmd {
	if a.link.session == nil {
		return nil
	}
	a.endStream()
	s := stream{serial: in.Serial, rate: new(atomic.Int32)}
	s.rate.Store(int32(in.Rate))
	s.scope, s.end = context.WithCancel(a.errands)
	a.stream = s
	return sendStream(s.scope, a.link.session, a.link.namespace, in, func() int { return int(s.rate.Load()) })
}

// setPace changes the rate of the stream under way.
func (a *App) setPace(in shell.Pace) {
	if a.stream.rate != nil && a.stream.serial == in.Serial {
		a.stream.rate.Store(int32(in.Rate))
	}
}

// endStream ends the stream under way, if there is one.
func (a *App) endStream() {
	if a.stream.end != nil {
		a.stream.end()
	}
	a.stream = stream{}
}

// streamed hands on what was heard, and waits for more.
func (a *App) streamed(msg streamedMsg) tea.Cmd {
	if msg.streamed.Done {
		a.endStream()
		return a.tell(msg.streamed)
	}
	next := nextStreamed(a.stream.scope, msg.stream, msg.streamed.Serial)
	return tea.Batch(next, a.tell(msg.streamed))
}
