package ui

import (
	"context"

	tea "charm.land/bubbletea/v2"

	"svctour/model"
	"svctour/ui/shell"
)

// link is the connection to the present cluster, and what is known over it.
type link struct {
	choice    shell.Choice
	session   shell.Session // nil until connected
	world     *model.Snapshot
	namespace string // the tour's, once made

	ctx   context.Context    // ends when the cluster is left, or with the program
	leave context.CancelFunc // ends ctx; nil before the first cluster
}

// reach begins a link to another cluster. The one before has been dropped.
func (l *link) reach(ctx context.Context, c shell.Choice) {
	l.choice = c
	l.ctx, l.leave = context.WithCancel(ctx)
}

// drop forgets the cluster: no answer from it comes any more. The session that
// was open is the caller's to close; nil when there was none.
func (l *link) drop() shell.Session {
	if l.leave != nil {
		l.leave()
	}
	session := l.session
	*l = link{ctx: l.ctx}
	return session
}

// prompts says where a command acts that names no namespace.
func (l *link) prompts() string {
	if l.namespace != "" {
		return l.namespace
	}
	return l.choice.Namespace
}

// answer is what a command came back with, and the scope that it belongs to:
// the program, the link, the screen's errands, the node that is watched.
type answer struct {
	scope context.Context
	msg   tea.Msg
}

// within runs work for a scope. Once the scope has ended the work is cancelled,
// and its answer is dropped, however late it comes. This is the only way in
// which a late answer is told from one that is waited for.
func within(scope context.Context, work func(context.Context) tea.Msg) tea.Cmd {
	return func() tea.Msg {
		msg := work(scope)
		if msg == nil {
			return nil
		}
		return answer{scope, msg}
	}
}

// leftover is an answer that has to be put away when it comes too late: it
// holds something open, or tells of something made.
type leftover interface {
	late(a *App) tea.Cmd
}

// arrived hands on an answer that is waited for.
func (a *App) arrived(in answer) tea.Cmd {
	if in.scope.Err() == nil {
		return a.update(in.msg)
	}
	if left, ok := in.msg.(leftover); ok {
		return left.late(a)
	}
	a.stale = false
	return nil
}
