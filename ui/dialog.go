package ui

import (
	"fmt"

	tea "charm.land/bubbletea/v2"

	"svctour/ui/frame"
	"svctour/ui/layout"
	"svctour/ui/shell"
	"svctour/ui/widget"
)

// dialog is a question over the screen. While it stands it gets every key.
type dialog struct {
	title   string
	text    string
	diff    []widget.DiffLine // what a change comes to
	options []option
}

type option struct {
	action shell.Action
	do     func() tea.Cmd
}

// confirmNamespace asks before the first write to a cluster that is not ours.
func confirmNamespace(context string, yes func() tea.Cmd) *dialog {
	return &dialog{
		title: "Write to this cluster?",
		text: fmt.Sprintf("Until now %q was only read. The lessons make a namespace of their own, labelled app.kubernetes.io/managed-by=svctour, and write nowhere else. "+
			"`svctour clean` removes it with everything in it.", context),
		options: []option{
			{shell.Action{ID: "yes", Keys: []string{"y"}, Title: "yes, make it"}, yes},
			{shell.Action{ID: "no", Keys: []string{"n", "esc"}, Title: "no, look only"}, nil},
		},
	}
}

// askToQuit offers to keep or to remove what was made; without anything made
// it quits.
func (a *App) askToQuit() tea.Cmd {
	switch {
	case a.session == nil || a.namespace == "" && !a.labOurs:
		return a.quit()
	case a.labOurs && a.namespace == "":
		return a.quit() // an untouched lab is not worth a question
	case a.labOurs:
		a.dialog = &dialog{
			title: "Quit",
			text:  fmt.Sprintf("The lab and what you made in namespace %q can go on running, for kubectl or for later, or end now.", a.namespace),
			options: []option{
				{shell.Action{ID: "remove", Keys: []string{"r", "enter"}, Title: "end the lab"}, a.quit},
				{shell.Action{ID: "keep", Keys: []string{"k"}, Title: "keep it running"}, func() tea.Cmd { return keepLab(a.options.Backend) }},
				{shell.Action{ID: "stay", Keys: []string{"esc"}, Title: "stay"}, nil},
			},
		}
	default:
		a.dialog = &dialog{
			title: "Quit",
			text:  fmt.Sprintf("Namespace %q on %q holds what you made.", a.namespace, a.choice.Name()),
			options: []option{
				{shell.Action{ID: "remove", Keys: []string{"r"}, Title: "remove it"}, a.removeAndQuit},
				{shell.Action{ID: "keep", Keys: []string{"k", "enter"}, Title: "keep it"}, func() tea.Cmd {
					a.farewell = append(a.farewell, a.leftBehind())
					return a.quit()
				}},
				{shell.Action{ID: "stay", Keys: []string{"esc"}, Title: "stay"}, nil},
			},
		}
	}
	return nil
}

func (a *App) leftBehind() string {
	return fmt.Sprintf("Kept namespace %q on %q. To remove it: svctour%s clean", a.namespace, a.choice.Name(), a.contextFlag())
}

func (a *App) contextFlag() string {
	if a.choice.Lab {
		return ""
	}
	return " --context " + a.choice.Context
}

func (a *App) removeAndQuit() tea.Cmd {
	a.dialog = &dialog{title: "Quit", text: fmt.Sprintf("Removing namespace %q …", a.namespace)}
	return clean(a.connected, a.session)
}

func (a *App) cleaned(msg cleanedMsg) tea.Cmd {
	if msg.err != nil {
		a.farewell = append(a.farewell, "Not everything could be removed: "+msg.err.Error(), a.leftBehind())
	}
	return a.quit()
}

func (a *App) kept(msg keptMsg) tea.Cmd {
	if msg.err != nil {
		a.notice = "The lab cannot be kept: " + msg.err.Error()
		return nil
	}
	a.farewell = append(a.farewell, "The lab goes on running. Use it: svctour kubectl get svc -A. End it: svctour lab down")
	return a.quit()
}

func (a *App) quit() tea.Cmd {
	a.quitting = true
	return tea.Quit
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
		text = append(append(text, frame.Line{}), a.diffLines(a.dialog.diff, max(2, room))...)
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
	for _, o := range a.dialog.options {
		key := a.keyName(o.action.Keys[0])
		box.Text(3, y, key, a.theme.Key)
		box.Line(10, y, width-12, frame.L(o.action.Title, a.theme.Text))
		box.Click(frame.Rect{X: 1, Y: y, W: width - 2, H: 1}, "dialog "+o.action.ID)
		y++
	}
}
