package ui

import (
	"context"
	"errors"
	"strings"

	tea "charm.land/bubbletea/v2"

	"svctour/lessons"
	"svctour/model"
	"svctour/ui/prompt"
	"svctour/ui/shell"
)

// promptKey gives a key to the open prompt.
func (a *App) promptKey(key tea.KeyPressMsg) tea.Cmd {
	switch a.prompt.Key(key.String(), key.Text) {
	case prompt.Submit:
		return a.submit()
	case prompt.Complete:
		a.prompt.Complete(a.link.world, a.link.prompts())
	case prompt.Cancel:
		a.stopTyped()
	}
	return nil
}

// openPrompt opens the prompt, or says why there is none.
func (a *App) openPrompt() {
	if why := a.promptWhy(); why != "" {
		a.notice = sentence(why)
		return
	}
	a.prompt.Open()
}

// promptWhy says why there can be no prompt now; "" when there can.
func (a *App) promptWhy() string {
	if a.link.session == nil {
		return "no cluster is connected yet"
	}
	return ""
}

// submit runs the line.
func (a *App) submit() tea.Cmd {
	if a.link.session == nil {
		return nil
	}
	line := a.prompt.Take()
	typed := lessons.Typed
	if typist, ok := a.screen.(shell.Typist); ok {
		typed = typist.Typed
	}
	invocation, err := typed(line)
	if err != nil {
		a.prompt.Begin(line)
		a.prompt.End(model.Reply{Command: line, Stderr: err.Error(), Exit: -1})
		return nil
	}
	return a.begin(line, invocation, typedDeed)
}

// begin runs a command, which the prompt shows as line.
func (a *App) begin(line string, in lessons.Invocation, of deed) tea.Cmd {
	a.prompt.Begin(line)
	stop, cancel := context.WithCancel(a.link.ctx)
	a.stopTyped = cancel
	if of == typedDeed && needsTerminal(in.Args) {
		return prepareChild(a.link.ctx, stop, a.link.session, a.link.namespace, in)
	}
	return runTyped(a.link.ctx, stop, a.link.session, a.link.namespace, in, of)
}

// needsTerminal says whether a command talks with the person, or goes on until
// they end it.
func needsTerminal(args []string) bool {
	if len(args) == 0 {
		return false
	}
	follow := ""
	switch args[0] {
	case "edit", "attach", "port-forward":
		return true
	case "exec", "run":
		follow = "it"
	case "get", "events":
		follow = "w"
	case "logs":
		follow = "f"
	}
	for _, arg := range args[1:] {
		switch {
		case arg == "--":
			return false
		case follow == "it" && (arg == "--stdin" || arg == "--tty"), follow == "w" && (arg == "--watch" || arg == "--watch-only"), follow == "f" && arg == "--follow":
			return true
		case follow != "" && len(arg) > 1 && arg[0] == '-' && arg[1] != '-' && strings.Trim(arg[1:], "itqpAwf") == "" && strings.ContainsAny(arg[1:], follow):
			return true
		}
	}
	return false
}

// child hands the terminal over and takes it back when the command has ended.
func (a *App) child(msg childMsg) tea.Cmd {
	scope := a.link.ctx
	ended := func(err error) tea.Msg {
		reply := model.Reply{Command: msg.command, Stdout: "The command has ended; it had the terminal to itself."}
		var exit interface{ ExitCode() int }
		switch {
		case errors.As(err, &exit):
			reply.Exit = exit.ExitCode()
		case err != nil:
			reply.Stdout, reply.Stderr, reply.Exit = "", err.Error(), -1
		}
		return answer{scope, typedMsg{reply, typedDeed}}
	}
	if msg.err != nil {
		return func() tea.Msg { return ended(msg.err) }
	}
	return tea.Exec(msg.child, ended)
}

// typed shows how the prompt's command went.
func (a *App) typed(msg typedMsg) tea.Cmd {
	a.stopTyped()
	a.prompt.End(msg.reply)
	cmd := a.changed(msg)
	if typist, ok := a.screen.(shell.Typist); ok {
		return tea.Batch(cmd, a.intent(typist.Overheard(msg.reply)))
	}
	return cmd
}
