package lesson

import (
	"fmt"
	"strings"

	"svctour/model"
	"svctour/ui/live"
)

// Began says whether the step has begun, and what is shown is of it. Else why
// says what it waits for, as the end of a sentence.
func (l *Screen) Began() (ok bool, why string) {
	at := l.facts.judged.Position
	switch {
	case l.world == nil || !at.Looked() || l.live.State() == nil:
		return false, "the cluster has not been read yet"
	case l.play.Preparing():
		why = "the start state does not come about"
		if len(l.facts.missing) > 0 {
			why += ": not " + strings.Join(l.facts.missing, ", not ")
		}
		for _, reply := range l.refused {
			why += fmt.Sprintf("; %s: %s", reply.Command, strings.Join(strings.Fields(model.Printable(reply.Stderr)), " "))
		}
		if l.problem != "" {
			why += "; " + l.problem
		}
		return false, why
	case l.running != "":
		return false, fmt.Sprintf("%q is under way", l.running)
	}
	return true, ""
}

// Panes are those of the Service that the step is about.
func (l *Screen) Panes() *live.Panes { return l.live }

// Drawn is the snapshot that the screen is drawn from; nil before the first was
// computed.
func (l *Screen) Drawn() *model.Snapshot {
	if state := l.live.State(); state != nil {
		return state.Snapshot
	}
	return nil
}
