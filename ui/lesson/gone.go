package lesson

import (
	"fmt"

	"svctour/ui/frame"
	"svctour/ui/shell"
)

// gone says whether the namespace of the lesson was there, and was deleted.
func (l *Screen) gone() bool {
	return l.there && l.world.Sync.Synced && l.world.Namespace(l.namespace) == nil
}

// goneAction makes the namespace again.
func (l *Screen) goneAction() shell.Action {
	return shell.Action{ID: "go", Keys: []string{"enter"}, Title: "make it again", Help: "make the namespace again, and this step's start state in it"}
}

// remake opens the lesson anew where it stands: that makes the namespace, and a
// step in a new namespace begins with its start state.
func (l *Screen) remake() shell.Intent {
	return shell.Intents{shell.Save{Progress: l.play.Progress()}, shell.Open{Lesson: l.play.Lesson().ID}}
}

// goneNotice says what has happened.
func (d *drawing) goneNotice(n *notice, w int) {
	n.heading, n.style = "The namespace is gone", d.t.Bad
	n.add(frame.Wrap(frame.L(fmt.Sprintf(
		"Namespace %q was deleted, and with it everything that you made. %s makes it again, and this step's start state in it.",
		d.namespace, d.t.Glyph.Enter), d.t.Text), w, 0)...)
}
