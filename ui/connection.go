package ui

import (
	"context"
	"errors"

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
	a.choice = c
	a.connected, a.leave = context.WithCancel(a.ctx)
	shown := a.show(boot.New(c))
	if c.Lab {
		return tea.Batch(left, shown, startLab(a.connected, a.options.Backend, a.generation))
	}
	return tea.Batch(left, shown, connect(a.connected, a.options.Backend, c, a.generation))
}

// disconnect forgets the present cluster; answers under way are dropped.
func (a *App) disconnect() tea.Cmd {
	a.generation++
	a.unwatch()
	a.prompt = prompt{history: a.prompt.history, at: len(a.prompt.history), serial: a.prompt.serial + 1}
	if a.leave != nil {
		a.leave()
		a.leave = nil
	}
	session := a.session
	a.session, a.world, a.namespace, a.wanted = nil, nil, "", ""
	a.fix = fix{serial: a.fix.serial + 1}
	if session == nil {
		return nil
	}
	return closeSession(session)
}

func (a *App) leaveCluster() tea.Cmd {
	left := a.disconnect()
	a.choice = shell.Choice{}
	return tea.Batch(left, a.show(a.picker), loadChoices(a.ctx, a.options.Backend))
}

// connection handles the news of reaching a cluster.
func (a *App) connection(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case stageMsg:
		next := nextStage(msg.more, msg.generation)
		if msg.generation != a.generation {
			return next
		}
		return tea.Batch(next, a.tell(msg.stage))
	case labReadyMsg:
		if msg.generation != a.generation {
			return nil
		}
		if msg.err != nil {
			return a.connectFailed(msg.err)
		}
		a.labOurs = a.labOurs || msg.started
		cmd := connect(a.connected, a.options.Backend, a.choice, a.generation)
		if msg.started {
			cmd = tea.Batch(cmd, waitForLab(a.ctx, a.options.Backend))
		}
		return cmd
	case connectedMsg:
		if msg.generation != a.generation {
			if msg.session != nil {
				return closeSession(msg.session)
			}
			return nil
		}
		if msg.err != nil {
			return a.connectFailed(msg.err)
		}
		a.session = msg.session
		return nextSnapshot(a.connected, a.session, a.generation)
	case labEndedMsg:
		a.labOurs = false
		a.forget(shell.Choice{Lab: true})
		switch {
		case a.quitting:
			return nil
		case a.choice == (shell.Choice{}): // where to choose it, it is said not to run
			return loadChoices(a.ctx, a.options.Backend)
		case !a.choice.Lab:
			return nil
		}
		left := a.disconnect()
		return tea.Batch(left, a.show(boot.New(shell.Choice{Lab: true})), a.connectFailed(labEnded(msg.err)))
	}
	return nil
}

func labEnded(err error) error {
	if err == nil {
		return errors.New("the lab has ended")
	}
	return errors.New("the lab has ended: " + err.Error())
}

func (a *App) connectFailed(err error) tea.Cmd {
	if b, ok := a.screen.(*boot.Screen); ok {
		b.Fail(err)
		return nil
	}
	a.notice = err.Error()
	return nil
}
