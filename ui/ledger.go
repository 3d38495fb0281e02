package ui

import (
	"fmt"
	"slices"
	"strings"

	"svctour/model"
	"svctour/ui/shell"
)

// ledger is what this program made and what becomes of it. It outlives links:
// on a cluster that was left nothing can be removed any more, but how to do it
// can be said.
type ledger struct {
	made     []made
	labOurs  bool     // this program started the lab, which ends with it
	farewell []string // what to print once the terminal is back
}

// made is a namespace that this program made on a cluster, or found there as
// svctour's.
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
	return "svctour --context " + model.ShellWord(m.choice.Context) + " clean"
}

// remember notes what was made on a cluster.
func (l *ledger) remember(c shell.Choice, namespace string) {
	l.forget(c)
	l.made = append(l.made, made{c, namespace})
}

// forget is for a cluster where nothing of it is left.
func (l *ledger) forget(c shell.Choice) {
	l.made = slices.DeleteFunc(l.made, func(m made) bool { return m.on(c) })
}

// ends says whether a cluster ends with this program.
func (l *ledger) ends(c shell.Choice) bool { return c.Lab && l.labOurs }

// inLab is the namespace made in the lab that this program started; "" when
// there is none.
func (l *ledger) inLab() string {
	for _, m := range l.made {
		if l.ends(m.choice) {
			return m.namespace
		}
	}
	return ""
}

// elsewhere says what stays on clusters other than the present one, a sentence
// each, with a space before it.
func (l *ledger) elsewhere(present *link) string {
	var text strings.Builder
	for _, m := range l.made {
		if !l.ends(m.choice) && !(present.namespace != "" && m.on(present.choice)) {
			fmt.Fprintf(&text, " Namespace %q on %q, which you left, stays: `%s` removes it.", m.namespace, m.choice.Name(), m.remove())
		}
	}
	return text.String()
}

// say adds a line to the farewell.
func (l *ledger) say(format string, args ...any) {
	l.farewell = append(l.farewell, fmt.Sprintf(format, args...))
}

// sayWhatStays ends the farewell with each namespace that stays.
func (l *ledger) sayWhatStays() {
	for _, m := range l.made {
		if !l.ends(m.choice) {
			l.say("Kept namespace %q on %q. To remove it: %s", m.namespace, m.choice.Name(), m.remove())
		}
	}
}
