package ui

import (
	"context"
	"fmt"

	tea "charm.land/bubbletea/v2"

	"svctour/model/path"
	"svctour/ui/shell"
)

// watch is the node whose rules are being read for the present screen.
type watch struct {
	node   string
	family path.Family
	serial int
	before *path.Observed // the last look; nil before it
}

// follow keeps looking at the node that the present screen watches, and at no
// other: what was begun for an earlier one ends here.
func (a *App) follow() tea.Cmd {
	var node string
	var family path.Family
	if w, ok := a.screen.(shell.Watcher); ok && a.session != nil && a.world != nil && !a.quitting {
		node, family = w.Watches()
	}
	if node == a.watch.node && (node == "" || family == a.watch.family) {
		return nil
	}
	a.unwatch()
	a.watch.node, a.watch.family = node, family
	if node == "" {
		return nil
	}
	a.watching, a.endWatch = context.WithCancel(a.connected)
	return observe(a.watching, a.session, a.watch, a.world)
}

func (a *App) unwatch() {
	if a.endWatch != nil {
		a.endWatch()
		a.endWatch = nil
	}
	a.watch = watch{serial: a.watch.serial + 1}
}

// rulesRead hands over what was seen and plans the next look.
func (a *App) rulesRead(msg rulesMsg) tea.Cmd {
	if msg.serial != a.watch.serial {
		return nil
	}
	if msg.rules.Observed != nil {
		a.watch.before = msg.rules.Observed
	}
	pace := observePace
	if msg.rules.Err != "" {
		pace = observeRetry
	}
	return tea.Batch(a.tell(msg.rules), a.later(pace, msg.serial))
}

func (a *App) observeDue(msg observeDueMsg) tea.Cmd {
	if msg.serial != a.watch.serial || a.watch.node == "" || a.session == nil {
		return nil
	}
	return observe(a.watching, a.session, a.watch, a.world)
}

func (a *App) request(r shell.Request) tea.Cmd {
	if a.session == nil {
		return nil
	}
	var w *watch
	if a.watch.node != "" {
		at := a.watch
		w = &at
	}
	return sendRequest(a.errands, a.session, a.namespace, r, w, a.world)
}

// askForClient offers to make a client Pod; it writes only after a yes.
func (a *App) askForClient(in shell.MakeClient) {
	a.dialog = &dialog{
		title: "Make a client?",
		text: fmt.Sprintf("No Pod here can send the request. A client Pod can be made in namespace %q, which svctour made on %q:  $ %s",
			a.namespace, a.choice.Name(), in.Invoke.Display),
		options: []option{
			{shell.Action{ID: "yes", Keys: []string{"y"}, Title: "yes, make it"}, func() tea.Cmd {
				return makeClient(a.connected, a.session, a.namespace, in.Invoke)
			}},
			{shell.Action{ID: "no", Keys: []string{"n", "esc"}, Title: "no"}, nil},
		},
	}
}

func (a *App) clientMade(msg clientMadeMsg) {
	if msg.reply.Exit != 0 {
		a.notice = "The client was not made: " + msg.reply.Stderr
		return
	}
	a.notice = "The client is being started. Send the request once it is ready."
}
