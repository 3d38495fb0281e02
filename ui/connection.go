package ui

import (
	"errors"
	"fmt"

	tea "charm.land/bubbletea/v2"

	"svctour/ui/boot"
	"svctour/ui/shell"
)

// choices fills the picker and asks the clusters whether they answer: not those
// that a credential plugin signs in to, for each might open a window to log in.
func (a *App) choices(msg choicesMsg) tea.Cmd {
	a.picker.Load(msg.choices, msg.err)
	var cmds []tea.Cmd
	for _, c := range msg.choices {
		if !c.Lab && c.Plugin == "" {
			cmds = append(cmds, probe(a.ctx, a.options.Backend, c))
		}
	}
	return tea.Batch(cmds...)
}

// connect leaves the present cluster and reaches for another.
func (a *App) connect(c shell.Choice) tea.Cmd {
	left := a.disconnect()
	a.link.reach(a.ctx, c)
	shown := a.show(boot.New(c))
	if c.Lab {
		return tea.Batch(left, shown, startLab(a.link.ctx, a.options.Backend))
	}
	return tea.Batch(left, shown, connect(a.link.ctx, a.options.Backend, c))
}

// disconnect forgets the present cluster; answers under way are dropped.
func (a *App) disconnect() tea.Cmd {
	a.watch.stop()
	a.prompt.Reset()
	a.stopWriting()
	a.fix = fix{}
	a.wanted, a.dialog = "", nil // a question about it is settled
	session := a.link.drop()
	if session == nil {
		return nil
	}
	return closeSession(session)
}

func (a *App) leaveCluster() tea.Cmd {
	left := a.disconnect()
	return tea.Batch(left, a.show(a.picker), loadChoices(a.ctx, a.options.Backend))
}

// connection handles the news of reaching a cluster.
func (a *App) connection(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case stageMsg:
		return tea.Batch(nextStage(a.link.ctx, msg.more), a.tell(msg.stage))
	case labReadyMsg:
		if msg.err != nil {
			return a.connectFailed(msg.err)
		}
		return tea.Batch(connect(a.link.ctx, a.options.Backend, a.link.choice), a.labReady(msg))
	case connectedMsg:
		if msg.err != nil {
			return a.connectFailed(msg.err)
		}
		a.link.session = msg.session
		return nextSnapshot(a.link.ctx, a.link.session, 0)
	case labEndedMsg:
		return a.labEnded(msg.err)
	}
	return nil
}

// late closes the session: no one waits for it.
func (m connectedMsg) late(*App) tea.Cmd {
	if m.session == nil {
		return nil
	}
	return closeSession(m.session)
}

// late: a lab that was started all the same is this program's to end.
func (m labReadyMsg) late(a *App) tea.Cmd { return a.labReady(m) }

// labReady notes a lab that this program started, and waits for its end.
func (a *App) labReady(msg labReadyMsg) tea.Cmd {
	if !msg.started {
		return nil
	}
	a.ledger.labOurs = true
	return waitForLab(a.ctx, a.options.Backend)
}

func (a *App) labEnded(err error) tea.Cmd {
	a.ledger.labOurs = false
	a.ledger.forget(shell.Choice{Lab: true})
	switch {
	case a.quitting:
		return nil
	case a.link.choice == (shell.Choice{}): // where to choose it, it is said not to run
		return loadChoices(a.ctx, a.options.Backend)
	case !a.link.choice.Lab:
		return nil
	}
	left := a.disconnect()
	a.link.choice = shell.Choice{Lab: true}
	ended := errors.New("the lab has ended")
	if err != nil {
		ended = fmt.Errorf("the lab has ended: %w", err)
	}
	return tea.Batch(left, a.show(boot.New(a.link.choice)), a.connectFailed(ended))
}

func (a *App) connectFailed(err error) tea.Cmd {
	if b, ok := a.screen.(*boot.Screen); ok {
		b.Fail(err)
		return nil
	}
	a.notice = err.Error()
	return nil
}
