package ui

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"svctour/ui/shell"
)

// askToQuit asks about the present cluster, if something was made there and
// stays, then about the lab. Without anything made it quits.
func (a *App) askToQuit() tea.Cmd {
	a.removing = false
	elsewhere := a.ledger.elsewhere(&a.link)
	switch {
	case a.link.namespace != "" && !a.ledger.ends(a.link.choice):
		a.ask(dialog{
			title: "Quit",
			text:  fmt.Sprintf("Namespace %q on %q holds what you made.", a.link.namespace, a.link.choice.Name()) + elsewhere,
			options: []option{
				{shell.Action{ID: "remove", Keys: []string{"r"}, Title: "remove it"}, func() tea.Cmd {
					a.removing = true
					return a.askAboutLab("")
				}},
				{shell.Action{ID: "keep", Keys: []string{"k", "enter"}, Title: "keep it"}, func() tea.Cmd { return a.askAboutLab("") }},
				{shell.Action{ID: "stay", Keys: []string{"esc"}, Title: "stay"}, nil},
			},
		})
		return nil
	case a.ledger.inLab() == "" && elsewhere != "":
		a.ask(dialog{
			title: "Quit",
			text:  strings.TrimSpace(elsewhere),
			options: []option{
				{shell.Action{ID: "leave", Keys: []string{"q", "enter"}, Title: "quit"}, a.finish},
				{shell.Action{ID: "stay", Keys: []string{"esc"}, Title: "stay"}, nil},
			},
		})
		return nil
	}
	return a.askAboutLab(elsewhere)
}

// askAboutLab asks whether the lab that this program started should go on
// running; one that was left untouched is not worth a question.
func (a *App) askAboutLab(elsewhere string) tea.Cmd {
	namespace := a.ledger.inLab()
	if namespace == "" {
		return a.finish()
	}
	a.ask(dialog{
		title: "Quit",
		text:  fmt.Sprintf("The lab and what you made in namespace %q can go on running, for kubectl or for later, or end now.", namespace) + elsewhere,
		options: []option{
			{shell.Action{ID: "remove", Keys: []string{"r", "enter"}, Title: "end the lab"}, a.finish},
			{shell.Action{ID: "keep", Keys: []string{"k"}, Title: "keep it running"}, func() tea.Cmd { return keepLab(a.ctx, a.options.Backend) }},
			{shell.Action{ID: "stay", Keys: []string{"esc"}, Title: "stay"}, nil},
		},
	})
	return nil
}

// finish does what was decided and quits.
func (a *App) finish() tea.Cmd {
	if !a.removing || a.link.session == nil {
		return a.quit()
	}
	a.ask(dialog{title: "Quit", text: fmt.Sprintf("Removing namespace %q …", a.link.namespace)})
	return clean(a.ctx, a.link.session)
}

func (a *App) cleaned(msg cleanedMsg) tea.Cmd {
	if msg.err != nil {
		a.ledger.say("Not everything could be removed: %v", msg.err)
	} else {
		a.ledger.forget(a.link.choice)
	}
	return a.quit()
}

func (a *App) kept(msg keptMsg) tea.Cmd {
	if msg.err != nil {
		a.notice = "The lab cannot be kept: " + msg.err.Error()
		return nil
	}
	a.ledger.say("The lab goes on running. Use it: svctour kubectl get svc -A. End it: svctour lab down")
	return a.finish()
}

// quit ends the program, with a farewell for each namespace that stays.
func (a *App) quit() tea.Cmd {
	if !a.quitting {
		a.quitting = true
		a.ledger.sayWhatStays()
	}
	return tea.Sequence(tea.Raw(ansi.ResetModeLightDark), tea.Quit)
}
