package desk

import (
	"fmt"
	"log/slog"
	"reflect"
	"runtime/debug"
	"sync/atomic"

	tea "charm.land/bubbletea/v2"
)

// guard runs a program so that a panic in it, or in one of its commands, ends
// that program and no other. Bubble Tea itself would print the trace on the
// process's standard error, after it has ended the program.
type guard struct {
	model   tea.Model
	log     *slog.Logger
	end     func() // the program; it may block, and is called on a goroutine of its own
	crashed atomic.Bool
}

// Init implements tea.Model.
func (g *guard) Init() (cmd tea.Cmd) {
	defer g.recover(&cmd)
	return g.safe(g.model.Init())
}

// Update implements tea.Model.
func (g *guard) Update(msg tea.Msg) (_ tea.Model, cmd tea.Cmd) {
	defer g.recover(&cmd)
	next, cmd := g.model.Update(msg)
	g.model = next
	return g, g.safe(cmd)
}

// View implements tea.Model.
func (g *guard) View() (view tea.View) {
	if g.crashed.Load() {
		return tea.NewView("")
	}
	defer func() {
		if p := recover(); p != nil {
			g.crash(p)
			view = tea.NewView("")
		}
	}()
	return g.model.View()
}

// recover makes a panic of Init or Update the end of the program.
func (g *guard) recover(cmd *tea.Cmd) {
	if p := recover(); p != nil {
		g.crash(p)
		*cmd = tea.Quit
	} else if g.crashed.Load() {
		*cmd = tea.Quit
	}
}

func (g *guard) crash(p any) {
	g.log.Error("Caught panic", "panic", fmt.Sprint(p), "trace", string(debug.Stack()))
	g.crashed.Store(true)
	go g.end()
}

// safe is a command whose panic ends the program.
func (g *guard) safe(cmd tea.Cmd) tea.Cmd {
	if cmd == nil {
		return nil
	}
	return func() (msg tea.Msg) {
		defer func() {
			if p := recover(); p != nil {
				g.crash(p)
				msg = tea.QuitMsg{}
			}
		}()
		return g.inside(cmd())
	}
}

// inside makes the commands safe that a message holds: those of tea.Batch, and
// those of tea.Sequence, whose type has no name outside of Bubble Tea.
func (g *guard) inside(msg tea.Msg) tea.Msg {
	value := reflect.ValueOf(msg)
	if !value.IsValid() || value.Kind() != reflect.Slice || value.Type().Elem() != reflect.TypeFor[tea.Cmd]() {
		return msg
	}
	safe := reflect.MakeSlice(value.Type(), value.Len(), value.Len())
	for i := range value.Len() {
		cmd, _ := value.Index(i).Interface().(tea.Cmd)
		safe.Index(i).Set(reflect.ValueOf(g.safe(cmd)))
	}
	return safe.Interface()
}
