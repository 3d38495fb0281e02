package ui

import (
	"context"
	"sync"
	"time"

	"svctour/model"
	"svctour/model/path"
	"svctour/ui/shell"
)

// observeTime bounds one look at a node.
const observeTime = 10 * time.Second

// glance is what a look is for.
type glance struct {
	chains []path.ChainID // on the screen
	all    bool           // the person asked for a look at everything
}

// eye looks at one node, in commands, one look at a time: each takes up where
// the last ended.
type eye struct {
	node   string
	family path.Family
	turn   chan struct{} // holds a token while nothing is looked at
	watch  *path.Watch   // of the look that has the token

	mu     sync.Mutex
	breaks context.CancelFunc // ends the look under way for a newer one; nil when it is to go on
}

func newEye(node string, family path.Family) *eye {
	e := &eye{node: node, family: family, turn: make(chan struct{}, 1), watch: path.NewWatch(node, family)}
	e.turn <- struct{}{}
	return e
}

// look reads the node's rules and lays them beside those derived from world. A
// look that is under way is broken off, or if the person asked for it, waited
// for. ok is false when a newer look broke this one off.
func (e *eye) look(ctx context.Context, s shell.Session, g glance, world *model.Snapshot) (rules shell.Rules, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, observeTime)
	defer cancel()
	e.mu.Lock()
	if e.breaks != nil {
		e.breaks()
	}
	if e.breaks = cancel; g.all {
		e.breaks = nil
	}
	e.mu.Unlock()
	rules = shell.Rules{Node: e.node, Family: e.family}
	select {
	case <-e.turn:
	case <-ctx.Done():
		rules.Err = "the look before has not ended"
		return rules, ctx.Err() != context.Canceled
	}
	defer func() { e.turn <- struct{}{} }()
	ask := e.watch.Ask(world.Proxy.Mode, g.chains, time.Now(), g.all)
	if err := s.Observe(ctx, ask, e.watch.Read); err != nil {
		rules.Err = err.Error()
		return rules, ctx.Err() != context.Canceled
	}
	view := e.watch.Seen(world)
	rules.Observed, rules.Differences, rules.Changed = view, view.Differences, view.Changed
	return rules, true
}
