package ui

import (
	"fmt"
	"time"

	tea "charm.land/bubbletea/v2"

	"svctour/ui/frame"
	"svctour/ui/layout"
	"svctour/ui/live"
	"svctour/ui/shell"
)

// dialog is a question over the screen. While it stands it gets every key.
type dialog struct {
	deaf    time.Time // no key answers it before
	title   string
	text    string
	diff    []live.DiffLine // what a change comes to
	scroll  int             // lines of diff above those in sight; drawing bounds it
	options []option
}

// grace is how long a dialog that opens by itself takes no key: the one on its
// way was meant for something else.
const grace = 300 * time.Millisecond

// ask opens a dialog that the person has just asked for.
func (a *App) ask(d dialog) { a.dialog = &d }

// interrupt opens a dialog that comes by itself.
func (a *App) interrupt(d dialog) {
	d.deaf = a.options.Now().Add(grace)
	a.ask(d)
}

// deaf says whether a dialog stands that takes no key yet.
func (a *App) deaf() bool { return a.dialog != nil && a.options.Now().Before(a.dialog.deaf) }

type option struct {
	action shell.Action
	do     func() tea.Cmd
}

// confirmNamespace asks before the first write to a cluster that is not ours: one
// question for all that the lessons make, or with sandbox, what that makes.
func confirmNamespace(context string, sandbox bool, yes func() tea.Cmd) dialog {
	text := "The lessons make a namespace of their own, labelled app.kubernetes.io/managed-by=svctour, and write nowhere else. "
	if sandbox {
		text = "The sandbox makes a namespace of its own, labelled app.kubernetes.io/managed-by=svctour. Each digit removes there what the one before made, " +
			"and makes a Pod, Deployments or a StatefulSet, Services and a NetworkPolicy. It writes nowhere else. "
	}
	return dialog{
		title: "Write to this cluster?",
		text:  fmt.Sprintf("Until now %q was only read. ", context) + text + "`svctour clean` removes it with everything in it.",
		options: []option{
			{shell.Action{ID: "yes", Keys: []string{"y"}, Title: "yes, make it"}, yes},
			{shell.Action{ID: "no", Keys: []string{"n", "esc"}, Title: "no, look only"}, nil},
		},
	}
}

// turn moves the diff by a key, and says whether the key does that.
func (d *dialog) turn(key string) bool {
	by := map[string]int{"up": -1, "k": -1, "down": 1, "j": 1, "pgup": -10, "pgdown": 10}[key]
	if len(d.diff) == 0 || by == 0 {
		return false
	}
	d.scroll += by
	return true
}

func (a *App) drawDialog(s *frame.Surface) {
	w, h := s.Size()
	width := min(66, w-4)
	if len(a.dialog.diff) > 0 {
		width = min(96, w-4)
	}
	text := frame.Wrap(frame.L(a.dialog.text, a.theme.Text), width-4, 0)
	if len(a.dialog.diff) > 0 {
		room := h - len(text) - len(a.dialog.options) - 7
		room = max(2, room)
		a.dialog.scroll = live.Offset(a.dialog.scroll, len(a.dialog.diff)+min(1, a.dialog.scroll), room)
		text = append(append(text, frame.Line{}), a.diffLines(a.dialog.diff, a.dialog.scroll, room)...)
	}
	height := len(text) + len(a.dialog.options) + 5
	if len(a.dialog.options) == 0 {
		height = len(text) + 4
	}
	area := layout.Center(w, h, width, height)
	box := s.Sub(area)
	box.Fill(frame.Rect{W: area.W, H: area.H}, frame.Style{})
	box.Box(a.theme.Box, a.theme.Focus)
	var note frame.Line
	if len(a.dialog.diff) > 0 { // read from the API server, and answered by it
		note = frame.L("observed", a.theme.Observed)
	}
	box.Heading(0, frame.L(a.dialog.title, a.theme.Title), note)
	y := 2
	for _, l := range text {
		box.Line(2, y, width-4, l)
		y++
	}
	y++
	for i, o := range a.dialog.options {
		key := a.theme.KeyName(o.action.Keys[0])
		box.Text(3, y, key, a.theme.Key)
		box.Line(10, y, width-12, frame.L(o.action.Title, a.theme.Text))
		box.Click(frame.Rect{X: 1, Y: y, W: width - 2, H: 1}, "dialog", i)
		y++
	}
}
