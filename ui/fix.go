package ui

import (
	"context"
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"svctour/lessons"
	"svctour/model"
	"svctour/model/diagnose"
	"svctour/ui/frame"
	"svctour/ui/live"
	"svctour/ui/shell"
)

// A fix is shown as what it changes before anything is written: the object as
// it is beside what the API server answers to a dry run. What stood there
// before is kept, to be put back.

// fix is a change that was offered or made.
type fix struct {
	undo *lessons.Invocation // takes the last one back; nil when there is none
	stop context.CancelFunc  // ends the preview under way; nil when there is none
}

// drop ends the preview under way: none comes up over something else.
func (f *fix) drop() {
	if f.stop != nil {
		f.stop()
		f.stop = nil
	}
}

// deed is what a command of the prompt is about.
type deed int

const (
	typedDeed  deed = iota // what the person typed
	fixingDeed             // a fix
	undoDeed               // takes a fix back
)

// fixMsg is what a command would change.
type fixMsg struct {
	invoke  lessons.Invocation
	undo    lessons.Invocation
	diff    []live.DiffLine
	problem string
}

// preview asks what a command would change; it writes nothing.
func preview(offer context.Context, s shell.Session, namespace string, in lessons.Invocation, target *model.Ref) tea.Cmd {
	return within(offer, func(ctx context.Context) tea.Msg {
		ctx, cancel := context.WithTimeout(ctx, commandTime)
		defer cancel()
		msg := fixMsg{invoke: in}
		get := []string{"get", "-o", "yaml", strings.ToLower(target.Kind), target.Name}
		if target.Namespace != "" {
			get = append(get, "-n", target.Namespace)
		}
		now := s.Kubectl(ctx, namespace, get, "")
		if now.Exit != 0 {
			msg.problem = now.Stderr
			return msg
		}
		msg.undo = lessons.Invocation{Display: "kubectl replace -f -", Args: []string{"replace", "-f", "-"}, Stdin: without(now.Stdout, "resourceVersion")}
		then := model.Reply{}
		if in.Args[0] == "delete" {
			msg.undo.Display, msg.undo.Args = "kubectl create -f -", []string{"create", "-f", "-"}
		} else if then = s.Kubectl(ctx, namespace, append(slices.Clone(in.Args), "--dry-run=server", "-o", "yaml"), in.Stdin); then.Exit != 0 {
			msg.problem = then.Stderr
			return msg
		}
		msg.diff = live.Diff(without(now.Stdout, "resourceVersion", "generation"), without(then.Stdout, "resourceVersion", "generation"), 2)
		return msg
	})
}

// without leaves fields of an object's own metadata out of kubectl's YAML.
func without(yaml string, fields ...string) string {
	var out strings.Builder
	inside := false
	for line := range strings.Lines(yaml) {
		if line != "" && line[0] != ' ' {
			inside = strings.HasPrefix(line, "metadata:")
		}
		key, _, _ := strings.Cut(strings.TrimPrefix(line, "  "), ":")
		if inside && strings.HasPrefix(line, "  ") && slices.Contains(fields, key) {
			continue
		}
		out.WriteString(line)
	}
	return out.String()
}

// offer shows what a fix would change, or, where that cannot be shown, puts its
// command into the prompt.
func (a *App) offer(fix diagnose.Fix) tea.Cmd {
	if fix.Args == nil || fix.Target == nil || a.link.session == nil || a.prompt.Running() {
		return a.intent(shell.Prompt{Line: fix.Command})
	}
	a.fix.drop()
	offer, stop := context.WithCancel(a.errands)
	a.fix.stop = stop
	a.notice = "Asking the API server what it would change…"
	return preview(offer, a.link.session, a.link.namespace, lessons.Invocation{Display: fix.Command, Args: fix.Args}, fix.Target)
}

// previewed asks for a yes.
func (a *App) previewed(msg fixMsg) {
	a.fix.drop()
	if a.dialog != nil {
		return
	}
	a.notice = ""
	edit := option{shell.Action{ID: "edit", Keys: []string{"e"}, Title: "edit the command"}, func() tea.Cmd {
		return a.intent(shell.Prompt{Line: msg.invoke.Display})
	}}
	no := option{shell.Action{ID: "no", Keys: []string{"n", "esc"}, Title: "no"}, nil}
	switch {
	case msg.problem != "":
		a.interrupt(dialog{title: "The API server would refuse it", text: msg.invoke.Display + ": " + strings.TrimSpace(msg.problem), options: []option{edit, no}})
	case len(msg.diff) == 0:
		a.interrupt(dialog{title: "Nothing to change", text: msg.invoke.Display + " would change nothing.", options: []option{edit, no}})
	default:
		yes := option{shell.Action{ID: "yes", Keys: []string{"y"}, Title: "apply it (u takes it back)"}, func() tea.Cmd {
			return a.change(msg.invoke, &msg.undo, fixingDeed)
		}}
		a.interrupt(dialog{title: "Apply this fix?", text: msg.invoke.Display, diff: msg.diff, options: []option{yes, edit, no}})
	}
}

// change runs a fix, or what takes it back, as if it were typed.
func (a *App) change(in lessons.Invocation, undo *lessons.Invocation, of deed) tea.Cmd {
	if a.prompt.Running() || a.link.session == nil {
		a.notice = "A command is under way."
		return nil
	}
	a.fix.undo = undo
	return a.begin(in.Display, in, of)
}

// takeBack puts back what stood there before the last fix.
func (a *App) takeBack() tea.Cmd {
	if a.fix.undo == nil {
		return nil
	}
	return a.change(*a.fix.undo, a.fix.undo, undoDeed)
}

// changed is the answer to a command of change.
func (a *App) changed(msg typedMsg) tea.Cmd {
	if msg.of == typedDeed {
		return nil
	}
	made := msg.reply.Exit == 0
	if made == (msg.of == undoDeed) { // it was never made, or is taken back
		a.fix.undo = nil
	}
	return a.tell(shell.Fixed{Undo: a.fix.undo != nil})
}

// diffLines draws what changes, from a line on, in at most room lines.
func (a *App) diffLines(diff []live.DiffLine, from, room int) []frame.Line {
	var lines []frame.Line
	if from > 0 {
		lines = append(lines, frame.L(fmt.Sprintf("%s %d before", a.theme.Glyph.Pending, from), a.theme.Muted))
	}
	for i, d := range diff[from:] {
		if len(lines) == room-1 && from+i < len(diff)-1 {
			return append(lines, frame.L(fmt.Sprintf("%s %d more", a.theme.Glyph.Pending, len(diff)-from-i), a.theme.Muted))
		}
		style := a.theme.Muted
		switch d.Sign {
		case '+':
			style = a.theme.Added
		case '-':
			style = a.theme.Removed
		}
		lines = append(lines, frame.L(string(d.Sign)+" "+d.Text, style))
	}
	return lines
}
