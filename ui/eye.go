package ui

import (
	"context"
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

// eye looks at one node, in commands: one look takes up where the last ended.
type eye struct {
	node   string
	family path.Family
	turn   chan struct{} // holds one token while nobody looks
	watch  *path.Watch
}

func newEye(node string, family path.Family) *eye {
	e := &eye{node: node, family: family, turn: make(chan struct{}, 1), watch: path.NewWatch(node, family)}
	e.turn <- struct{}{}
	return e
}

// look reads the node's rules and lays them beside those derived from world. It
// waits for a look that is under way.
func (e *eye) look(ctx context.Context, s shell.Session, g glance, world *model.Snapshot) shell.Rules {
	ctx, cancel := context.WithTimeout(ctx, observeTime)
	defer cancel()
	rules := shell.Rules{Node: e.node, Family: e.family}
	select {
	case <-e.turn:
	case <-ctx.Done():
		rules.Err = "the look before has not ended"
		return rules
	}
	defer func() { e.turn <- struct{}{} }()
	ask := e.watch.Ask(world.Proxy.Mode, g.chains, time.Now(), g.all)
	if err := s.Observe(ctx, ask, e.watch.Read); err != nil {
		rules.Err = err.Error()
		return rules
	}
	view := e.watch.Seen(world)
	rules.Observed, rules.Differences, rules.Changed = view, view.Differences, view.Changed
	return rules
}
