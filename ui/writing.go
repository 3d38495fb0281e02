package ui

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"svctour/lessons"
	"svctour/model"
	"svctour/ui/editor"
	"svctour/ui/layout"
	"svctour/ui/live"
	"svctour/ui/shell"
)

// A manifest is written in an editor over the screen. What is written goes to
// kubectl's standard input and nowhere else: to a dry run while there is a pause,
// and, after the person has seen what would change, to kubectl apply. The text
// stays until the program ends.

// writing is the manifest that is being written.
type writing struct {
	editor *editor.Editor            // nil while none is open
	drafts map[string]*editor.Editor // all that was begun, by what it is about
	fields map[string][]string       // of objects, by the question that told them; a map is not changed once it is here

	turn  int                // tells the check that is due from those before it
	scope context.Context    // of the check that is due, or under way
	end   context.CancelFunc // ends it; nil before the first
}

// pause is how long nothing is typed before the text is checked.
const pause = 500 * time.Millisecond

// checkDueMsg says that nothing was typed for a while.
type checkDueMsg struct{ turn int }

// checkedMsg is what the API server would say to a text.
type checkedMsg struct {
	revision  int
	problems  []editor.Problem
	unchecked string              // why it was not asked; a sentence
	fields    map[string][]string // that are known now

	apply bool // what it would change was asked for, too
	diff  []live.DiffLine
	makes []string // objects that are not there yet: "Service web"
}

// write opens the editor.
func (a *App) write(in shell.Write) tea.Cmd {
	if a.link.session == nil {
		a.notice = sentence(a.promptWhy())
		return nil
	}
	if a.writing.drafts == nil {
		a.writing.drafts = map[string]*editor.Editor{}
	}
	e := a.writing.drafts[in.About]
	if e == nil {
		e = editor.New(in.Name, in.Text)
		a.writing.drafts[in.About] = e
	}
	a.writing.editor = e
	return a.checkNow(false)
}

// stopWriting closes the editor; what was written stays.
func (a *App) stopWriting() {
	if a.writing.end != nil {
		a.writing.end()
	}
	a.writing.editor, a.writing.end = nil, nil
}

func (a *App) writingKey(msg tea.KeyPressMsg) tea.Cmd {
	e := a.writing.editor
	before := e.Revision()
	e.Page(layout.Beside(a.size.W, a.size.H).H - 2)
	wish := e.Key(msg)
	if e.Revision() != before {
		return a.checkSoon()
	}
	return a.writingWish(wish)
}

// writingWish does what the editor was asked for.
func (a *App) writingWish(wish editor.Wish) tea.Cmd {
	switch wish {
	case editor.Leave:
		a.stopWriting()
	case editor.Check:
		return a.checkNow(false)
	case editor.Apply:
		if strings.TrimSpace(a.writing.editor.Text()) == "" {
			a.notice = "There is nothing to apply yet."
			return nil
		}
		a.notice = "Asking the API server what it would change…"
		return a.checkNow(true)
	}
	return nil
}

// beginCheck ends the check that was due or under way, and makes room for another.
func (a *App) beginCheck() {
	if a.writing.end != nil {
		a.writing.end()
	}
	a.writing.turn++
	a.writing.scope, a.writing.end = context.WithCancel(a.link.ctx)
}

// checkSoon has the text checked once nothing is typed for a while.
func (a *App) checkSoon() tea.Cmd {
	a.beginCheck()
	scope, due := a.writing.scope, checkDueMsg{a.writing.turn}
	return a.options.Timer(pause, func(time.Time) tea.Msg { return answer{scope, due} })
}

// checkNow has the text checked; with apply what it would change is shown if
// nothing is wrong with it.
func (a *App) checkNow(apply bool) tea.Cmd {
	a.beginCheck()
	e := a.writing.editor
	e.Checking()
	return checkManifest(a.writing.scope, a.link.session, a.link.namespace, e.Text(), e.Revision(), apply, a.writing.fields)
}

// writingNews takes in what comes of a check.
func (a *App) writingNews(msg tea.Msg) tea.Cmd {
	if a.writing.editor == nil {
		return nil
	}
	switch msg := msg.(type) {
	case checkDueMsg:
		if msg.turn == a.writing.turn {
			return a.checkNow(false)
		}
	case checkedMsg:
		a.writing.fields = msg.fields
		if a.writing.editor.Checked(msg.revision, msg.problems, msg.unchecked) && msg.apply {
			a.offerManifest(msg)
		}
	}
	return nil
}

// offerManifest shows what a manifest would change, and applies it after a yes.
func (a *App) offerManifest(msg checkedMsg) {
	e := a.writing.editor
	a.notice = ""
	switch {
	case msg.unchecked != "":
		a.notice = "Not applied: " + msg.unchecked
		return
	case e.Wrong() > 0:
		a.notice = fmt.Sprintf("Not applied: %s.", counted(e.Wrong(), "problem"))
		e.Next()
		return
	case a.dialog != nil:
		return
	}
	text := e.Name() + " changes this."
	switch {
	case len(msg.diff) == 0:
		text = "The cluster has it already: " + e.Name() + " would change nothing."
	case len(msg.makes) > 0:
		text = "New: " + strings.Join(msg.makes, ", ") + "."
	}
	invoke := lessons.Invocation{Display: "kubectl apply -f " + model.ShellWord(e.Name()), Args: []string{"apply", "-f", "-"}, Stdin: e.Text()}
	a.interrupt(dialog{title: "Apply " + e.Name() + "?", text: text, diff: msg.diff, options: []option{
		{shell.Action{ID: "yes", Keys: []string{"y"}, Title: "apply it"}, func() tea.Cmd { return a.applyManifest(invoke) }},
		{shell.Action{ID: "no", Keys: []string{"n", "esc"}, Title: "no, write on"}, nil},
	}})
}

// applyManifest applies a manifest as if the command were typed.
func (a *App) applyManifest(in lessons.Invocation) tea.Cmd {
	if a.link.session == nil || a.prompt.Running() {
		a.notice = "A command is under way."
		return nil
	}
	a.stopWriting()
	return a.begin(in.Display, in, typedDeed)
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// checkManifest has the API server say what it would make of a text; nothing is
// written. fields are those that are known already.
func checkManifest(scope context.Context, s shell.Session, namespace, text string, revision int, apply bool, fields map[string][]string) tea.Cmd {
	return within(scope, func(ctx context.Context) tea.Msg {
		ctx, cancel := context.WithTimeout(ctx, commandTime)
		defer cancel()
		msg := checkedMsg{revision: revision, apply: apply, fields: fields}
		manifest := editor.Parse(text)
		if msg.problems = manifest.Problems(); len(msg.problems) > 0 || manifest.Empty() {
			return msg
		}
		reply := s.Kubectl(ctx, namespace, editor.DryRun("name"), text)
		msg.problems, msg.unchecked = manifest.Told(reply)
		if editor.Vague(reply) {
			if problems, unchecked := manifest.Told(s.Kubectl(ctx, namespace, editor.AsNew(), text)); unchecked == "" {
				msg.problems = problems
			}
		}
		msg.fields = suggest(ctx, s, namespace, msg.problems, fields)
		if apply && msg.unchecked == "" && reply.Exit == 0 {
			msg.look(ctx, s, namespace, manifest)
		}
		return msg
	})
}

// maxAsked is how many questions about fields one check may ask.
const maxAsked = 3

// suggest adds what may be meant to problems with unknown fields: the API server
// names none, but tells which fields there are. It gives what is known then.
func suggest(ctx context.Context, s shell.Session, namespace string, problems []editor.Problem, known map[string][]string) map[string][]string {
	asked := 0
	for i := range problems {
		args := problems[i].Ask()
		if args == nil {
			continue
		}
		question := strings.Join(args, " ")
		fields, ok := known[question]
		if !ok && asked < maxAsked {
			asked++
			reply := s.Kubectl(ctx, namespace, args, "")
			if fields = editor.Fields(reply.Stdout); reply.Exit == 0 {
				if known = maps.Clone(known); known == nil {
					known = map[string][]string{}
				}
				known[question] = fields
			}
		}
		problems[i].Suggest(fields)
	}
	return known
}

// look compares each object of a manifest, as it is, with what the API server
// answers to a dry run.
func (m *checkedMsg) look(ctx context.Context, s shell.Session, namespace string, manifest *editor.Manifest) {
	objects := manifest.Objects()
	for _, o := range objects {
		now := s.Kubectl(ctx, namespace, o.Get(), "")
		then := s.Kubectl(ctx, namespace, editor.DryRun("yaml"), o.Text)
		for _, reply := range []model.Reply{now, then} {
			if reply.Exit != 0 {
				m.unchecked = model.Sentence(strings.TrimSpace(reply.Stderr))
				return
			}
		}
		before, after := editor.Plain(now.Stdout), editor.Plain(then.Stdout)
		if strings.TrimSpace(now.Stdout) == "" {
			m.makes = append(m.makes, o.Title)
			before, after = "", editor.Made(then.Stdout, o.Text)
		}
		diff := live.Diff(before, after, 2)
		if len(objects) > 1 && len(diff) > 0 {
			m.diff = append(m.diff, live.DiffLine{Sign: ' ', Text: "# " + o.Title})
		}
		m.diff = append(m.diff, diff...)
	}
}
