package ui

import (
	"context"
	"fmt"
	"time"

	tea "charm.land/bubbletea/v2"

	"svctour/model/path"
	"svctour/ui/shell"
)

// watch is the node whose rules are being read for the present screen.
type watch struct {
	node   string // "" when none is watched
	family path.Family
	eye    *eye // what was seen of the node so far

	calm int // looks in a row in which nothing was new
	// turn tells the look that is due from those that were due before it: waiting
	// says that one is.
	turn    int
	waiting bool

	ctx context.Context    // ends when another node is watched, or none
	end context.CancelFunc // ends ctx; nil when none is watched
}

// stop ends the watch, and what is under way for it.
func (w *watch) stop() {
	if w.end != nil {
		w.end()
	}
	*w = watch{}
}

// follow keeps looking at the node that the present screen watches, and at no
// other: what was begun for an earlier one ends here.
func (a *App) follow() tea.Cmd {
	var node string
	var family path.Family
	if w, ok := a.screen.(shell.Watcher); ok && a.link.session != nil && a.link.world != nil && !a.quitting {
		node, family = w.Watches()
	}
	if node == a.watch.node && (node == "" || family == a.watch.family) {
		return nil
	}
	a.watch.stop()
	if node == "" {
		return nil
	}
	a.watch.node, a.watch.family, a.watch.eye = node, family, newEye(node, family)
	a.watch.ctx, a.watch.end = context.WithCancel(a.link.ctx)
	return a.look(glance{})
}

// look looks at the node that is watched; the chains that the screen shows are
// those that matter most.
func (a *App) look(g glance) tea.Cmd {
	if a.watch.node == "" {
		return nil
	}
	return observe(a.link.session, a.watch, a.glance(g), a.link.world)
}

// glance adds what the screen shows.
func (a *App) glance(g glance) glance {
	if w, ok := a.screen.(shell.Watcher); ok {
		g.chains = w.Chains()
	}
	return g
}

// rulesRead hands over what was seen and plans the next look.
func (a *App) rulesRead(msg rulesMsg) tea.Cmd {
	var told, next tea.Cmd
	if msg.news {
		told = a.tell(msg.rules)
	}
	if !msg.extra {
		if a.watch.calm++; a.screen.Animating() || msg.news && len(msg.rules.Changed) > 0 {
			a.watch.calm = 0
		}
		pace := max(observePace*time.Duration(min(1+a.watch.calm, observeRest)), observeShare*msg.took)
		if msg.news && msg.rules.Err != "" {
			pace, a.watch.calm = observeRetry, 0
		}
		next = a.lookAfter(pace)
	}
	return tea.Batch(told, next)
}

// lookAfter plans the next look; one that was planned before is dropped.
func (a *App) lookAfter(pace time.Duration) tea.Cmd {
	a.watch.turn++
	a.watch.waiting = true
	scope, due := a.watch.ctx, observeDueMsg{a.watch.turn}
	return a.options.Timer(pace, func(time.Time) tea.Msg { return answer{scope, due} })
}

// lookDue looks, if the look is the one that was planned last.
func (a *App) lookDue(msg observeDueMsg) tea.Cmd {
	if msg.turn != a.watch.turn {
		return nil
	}
	a.watch.waiting = false
	return a.look(glance{})
}

// lookSooner wakes a watch that has become slow because nothing happened.
func (a *App) lookSooner() tea.Cmd {
	if !a.watch.waiting || a.watch.calm == 0 {
		return nil
	}
	a.watch.calm = 0
	return a.lookAfter(observePace)
}

func (a *App) request(r shell.Request) tea.Cmd {
	if a.link.session == nil {
		return nil
	}
	var w *watch
	if a.watch.node != "" {
		at := a.watch
		w = &at
	}
	return sendRequest(a.errands, a.link.session, a.link.namespace, r, w, a.glance(glance{}), a.link.world)
}

// askForClient offers to make a client Pod; it writes only after a yes.
func (a *App) askForClient(in shell.MakeClient) {
	a.ask(dialog{
		title: "Make a client?",
		text: fmt.Sprintf("No Pod here can send the request. A client Pod can be made in namespace %q, which svctour made on %q:  $ %s",
			a.link.namespace, a.link.choice.Name(), in.Invoke.Display),
		options: []option{
			{shell.Action{ID: "yes", Keys: []string{"y"}, Title: "yes, make it"}, func() tea.Cmd {
				return makeClient(a.link.ctx, a.link.session, a.link.namespace, in.Invoke)
			}},
			{shell.Action{ID: "no", Keys: []string{"n", "esc"}, Title: "no"}, nil},
		},
	})
}

func (a *App) clientMade(msg clientMadeMsg) {
	if msg.reply.Exit != 0 {
		a.notice = "The client was not made: " + msg.reply.Stderr
		return
	}
	a.notice = "The client is being started. Send the request once it is ready."
}
