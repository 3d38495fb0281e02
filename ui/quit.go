package ui

import (
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"svctour/ui/shell"
)

// Whoever quits is asked what shall become of what was made: on the present
// cluster, and in the lab that this program started. On a cluster that was
// left nothing can be removed any more; how to do it is said instead.

// made is a namespace that this program made on a cluster, or found there as
// svctour's. It is remembered when the cluster is left.
type made struct {
	choice    shell.Choice
	namespace string
}

func (m made) on(c shell.Choice) bool { return m.choice.Lab == c.Lab && m.choice.Context == c.Context }

// remove is the command that removes it.
func (m made) remove() string {
	if m.choice.Lab {
		return "svctour clean"
	}
	return "svctour --context " + m.choice.Context + " clean"
}

// leftBehind is the farewell for it.
func (m made) leftBehind() string {
	return fmt.Sprintf("Kept namespace %q on %q. To remove it: %s", m.namespace, m.choice.Name(), m.remove())
}

// remember notes what was made on a cluster.
func (a *App) remember(c shell.Choice, namespace string) {
	a.forget(c)
	a.made = append(a.made, made{c, namespace})
}

// forget is for a cluster where nothing of it is left.
func (a *App) forget(c shell.Choice) {
	a.made = slices.DeleteFunc(a.made, func(m made) bool { return m.on(c) })
}

// ends says whether a cluster ends with this program.
func (a *App) ends(c shell.Choice) bool { return c.Lab && a.labOurs }

// askToQuit asks about the present cluster, if something was made there and
// stays, then about the lab. Without anything made it quits.
func (a *App) askToQuit() tea.Cmd {
	a.removing = false
	elsewhere := a.elsewhere()
	switch {
	case a.namespace != "" && !a.ends(a.choice):
		a.dialog = &dialog{
			title: "Quit",
			text:  fmt.Sprintf("Namespace %q on %q holds what you made.", a.namespace, a.choice.Name()) + elsewhere,
			options: []option{
				{shell.Action{ID: "remove", Keys: []string{"r"}, Title: "remove it"}, func() tea.Cmd {
					a.removing = true
					return a.askAboutLab("")
				}},
				{shell.Action{ID: "keep", Keys: []string{"k", "enter"}, Title: "keep it"}, func() tea.Cmd { return a.askAboutLab("") }},
				{shell.Action{ID: "stay", Keys: []string{"esc"}, Title: "stay"}, nil},
			},
		}
		return nil
	case a.madeInLab() == "" && elsewhere != "":
		a.dialog = &dialog{
			title: "Quit",
			text:  strings.TrimSpace(elsewhere),
			options: []option{
				{shell.Action{ID: "leave", Keys: []string{"q", "enter"}, Title: "quit"}, a.finish},
				{shell.Action{ID: "stay", Keys: []string{"esc"}, Title: "stay"}, nil},
			},
		}
		return nil
	}
	return a.askAboutLab(elsewhere)
}

// askAboutLab asks whether the lab that this program started shall go on
// running; one that was left untouched is not worth a question.
func (a *App) askAboutLab(elsewhere string) tea.Cmd {
	namespace := a.madeInLab()
	if namespace == "" {
		return a.finish()
	}
	a.dialog = &dialog{
		title: "Quit",
		text:  fmt.Sprintf("The lab and what you made in namespace %q can go on running, for kubectl or for later, or end now.", namespace) + elsewhere,
		options: []option{
			{shell.Action{ID: "remove", Keys: []string{"r", "enter"}, Title: "end the lab"}, a.finish},
			{shell.Action{ID: "keep", Keys: []string{"k"}, Title: "keep it running"}, func() tea.Cmd { return keepLab(a.options.Backend) }},
			{shell.Action{ID: "stay", Keys: []string{"esc"}, Title: "stay"}, nil},
		},
	}
	return nil
}

// madeInLab is the namespace made in the lab that this program started.
func (a *App) madeInLab() string {
	for _, m := range a.made {
		if a.ends(m.choice) {
			return m.namespace
		}
	}
	return ""
}

// elsewhere says what stays on clusters that were left, a sentence each, with a
// space before it.
func (a *App) elsewhere() string {
	var text strings.Builder
	for _, m := range a.made {
		if !a.ends(m.choice) && !(a.namespace != "" && m.on(a.choice)) {
			fmt.Fprintf(&text, " Namespace %q on %q, which you left, stays: `%s` removes it.", m.namespace, m.choice.Name(), m.remove())
		}
	}
	return text.String()
}

// finish does what was decided and quits.
func (a *App) finish() tea.Cmd {
	if !a.removing || a.session == nil {
		return a.quit()
	}
	a.dialog = &dialog{title: "Quit", text: fmt.Sprintf("Removing namespace %q …", a.namespace)}
	return clean(a.connected, a.session)
}

func (a *App) cleaned(msg cleanedMsg) tea.Cmd {
	if msg.err != nil {
		a.farewell = append(a.farewell, "Not everything could be removed: "+msg.err.Error())
	} else {
		a.forget(a.choice)
	}
	return a.quit()
}

func (a *App) kept(msg keptMsg) tea.Cmd {
	if msg.err != nil {
		a.notice = "The lab cannot be kept: " + msg.err.Error()
		return nil
	}
	a.farewell = append(a.farewell, "The lab goes on running. Use it: svctour kubectl get svc -A. End it: svctour lab down")
	return a.finish()
}

// quit ends the program, with a farewell for each namespace that stays.
func (a *App) quit() tea.Cmd {
	if !a.quitting {
		a.quitting = true
		for _, m := range a.made {
			if !a.ends(m.choice) {
				a.farewell = append(a.farewell, m.leftBehind())
			}
		}
	}
	return tea.Quit
}
