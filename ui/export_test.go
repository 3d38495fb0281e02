package ui

import (
	"context"
	"errors"

	tea "charm.land/bubbletea/v2"

	"svctour/model"
	"svctour/ui/shell"
)

// What the tests of package ui_test see of an app's inside.

const (
	Grace     = grace
	FramePace = framePace
)

var (
	NeedsTerminal = needsTerminal
	Without       = without
)

// PromptLine is the prompt's line, and whether the prompt is open.
func (a *App) PromptLine() (text string, open bool) { return a.prompt.Text(), a.prompt.IsOpen() }

// BeginLook plans a look at the node, of what is known now.
func (a *App) BeginLook() tea.Cmd { return a.look(glance{}) }

// LookDue is the message that it is time to look at the node that is watched now.
func (a *App) LookDue() tea.Msg { return answer{a.watch.ctx, observeDueMsg{a.watch.turn}} }

// WatchEnded says whether what a LookDue was for has ended.
func WatchEnded(due tea.Msg) bool { return errors.Is(due.(answer).scope.Err(), context.Canceled) }

// NamespaceMade is the message that the tour's namespace was made over the present link.
func (a *App) NamespaceMade(c shell.Choice, name string) tea.Msg {
	return answer{a.link.ctx, namespaceMsg{choice: c, name: name}}
}

// Redraw lets the next View compose a frame.
func (a *App) Redraw() { a.stale, a.awaiting = true, false }

// Tell gives news to the screen. The commands that it asks for are not run.
func (a *App) Tell(msg any) { a.tell(msg) }

// Printed shows what a command has printed in the prompt.
func (a *App) Printed(reply model.Reply) {
	a.prompt.Begin("kubectl get pods")
	a.prompt.End(reply)
}
