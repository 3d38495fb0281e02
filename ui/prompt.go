package ui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	tea "charm.land/bubbletea/v2"

	"svctour/lessons"
	"svctour/model"
	"svctour/ui/frame"
	"svctour/ui/shell"
	"svctour/ui/theme"
)

// prompt is the line for kubectl commands at the bottom of every screen, with
// the last command's output above it. While it is open it gets every key.
type prompt struct {
	open    bool
	line    []rune
	cursor  int
	history []string
	at      int    // in history; len(history) is the line being typed
	draft   []rune // that line, while older ones are looked at

	serial  int
	cancel  context.CancelFunc // of the command under way; nil when none is
	command string
	reply   *model.Reply
	printed printout
	offered []string // completions to choose from
	scroll  int
	height  int // of the output, as drawn last
}

const historyLimit = 200

func (p *prompt) set(line string) { p.line, p.cursor = []rune(line), len([]rune(line)) }

func (p *prompt) insert(text string) {
	var clean []rune
	for _, r := range text {
		if unicode.IsSpace(r) {
			r = ' '
		}
		if unicode.IsPrint(r) {
			clean = append(clean, r)
		}
	}
	p.line = slices.Insert(p.line, p.cursor, clean...)
	p.cursor += len(clean)
	p.offered = nil
}

// edit changes the line as readline(3) does; false when the key is none of its.
func (p *prompt) edit(key tea.KeyPressMsg) bool {
	switch key.String() {
	case "left", "ctrl+b":
		p.cursor = max(0, p.cursor-1)
	case "right", "ctrl+f":
		p.cursor = min(len(p.line), p.cursor+1)
	case "home", "ctrl+a":
		p.cursor = 0
	case "end", "ctrl+e":
		p.cursor = len(p.line)
	case "backspace", "ctrl+h":
		if p.cursor > 0 {
			p.cursor--
			p.line = slices.Delete(p.line, p.cursor, p.cursor+1)
		}
	case "delete":
		if p.cursor < len(p.line) {
			p.line = slices.Delete(p.line, p.cursor, p.cursor+1)
		}
	case "ctrl+u":
		p.line, p.cursor = slices.Clone(p.line[p.cursor:]), 0
	case "ctrl+k":
		p.line = p.line[:p.cursor]
	case "ctrl+w":
		start := p.cursor
		for start > 0 && p.line[start-1] == ' ' {
			start--
		}
		for start > 0 && p.line[start-1] != ' ' {
			start--
		}
		p.line, p.cursor = slices.Delete(p.line, start, p.cursor), start
	case "up", "ctrl+p":
		p.recall(-1)
	case "down", "ctrl+n":
		p.recall(1)
	default:
		if key.Text == "" {
			return false
		}
		p.insert(key.Text)
	}
	p.offered = nil
	return true
}

func (p *prompt) recall(step int) {
	to := p.at + step
	if to < 0 || to > len(p.history) {
		return
	}
	if p.at == len(p.history) {
		p.draft = slices.Clone(p.line)
	}
	if p.at = to; to == len(p.history) {
		p.set(string(p.draft))
		return
	}
	p.set(p.history[to])
}

// remember ends a line: it goes into the history unless it repeats the last.
func (p *prompt) remember(line string) {
	if len(p.history) == 0 || p.history[len(p.history)-1] != line {
		p.history = append(p.history, line)
	}
	if over := len(p.history) - historyLimit; over > 0 {
		p.history = slices.Delete(p.history, 0, over)
	}
	p.at, p.draft = len(p.history), nil
	p.set("")
}

// promptKey gives a key to the open prompt.
func (a *App) promptKey(key tea.KeyPressMsg) tea.Cmd {
	p := &a.prompt
	switch key.String() {
	case "ctrl+c":
		a.cancelPrompt()
	case "esc":
		p.open, p.reply, p.offered, p.command = false, nil, nil, ""
		if p.cancel != nil {
			p.cancel()
		}
	case "enter":
		return a.submit()
	case "tab":
		p.complete(a.world, a.promptNamespace())
	case "pgup", "shift+up":
		p.scroll = max(0, p.scroll-max(1, p.height-1))
	case "pgdown", "shift+down":
		p.scroll += max(1, p.height-1) // drawing bounds it
	default:
		p.edit(key)
	}
	return nil
}

// cancelPrompt is ^C: it ends the command under way, else empties the line,
// else closes the prompt.
func (a *App) cancelPrompt() {
	p := &a.prompt
	switch {
	case p.cancel != nil:
		p.cancel()
	case len(p.line) > 0:
		p.set("")
		p.at = len(p.history)
	default:
		p.open, p.reply, p.offered, p.command = false, nil, nil, ""
	}
}

func (a *App) promptNamespace() string {
	if a.namespace != "" {
		return a.namespace
	}
	return a.choice.Namespace
}

// promptWhy says why there can be no prompt now; "" when there can.
func (a *App) promptWhy() string {
	if a.session == nil {
		return "no cluster is connected yet"
	}
	return ""
}

// submit runs the line.
func (a *App) submit() tea.Cmd {
	p := &a.prompt
	line := strings.TrimSpace(string(p.line))
	if line == "" || p.cancel != nil || a.session == nil {
		return nil
	}
	p.remember(line)
	if first, _, _ := strings.Cut(line, " "); first != "kubectl" {
		line = "kubectl " + line
	}
	p.command, p.reply, p.offered, p.scroll = line, nil, nil, 0
	typed := lessons.Typed
	if typist, ok := a.screen.(shell.Typist); ok {
		typed = typist.Typed
	}
	invocation, err := typed(line)
	if err != nil {
		p.reply = &model.Reply{Command: line, Stderr: err.Error(), Exit: -1}
		return nil
	}
	p.serial++
	ctx, cancel := context.WithCancel(a.connected)
	p.cancel = cancel
	if needsTerminal(invocation.Args) {
		return prepareChild(ctx, a.session, a.namespace, invocation, p.serial)
	}
	return runTyped(ctx, a.session, a.namespace, invocation, p.serial)
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
	if msg.serial != a.prompt.serial {
		return nil
	}
	ended := func(err error) tea.Msg {
		reply := model.Reply{Command: msg.command, Stdout: "The command has ended; it had the terminal to itself."}
		var exit interface{ ExitCode() int }
		switch {
		case errors.As(err, &exit):
			reply.Exit = exit.ExitCode()
		case err != nil:
			reply.Stdout, reply.Stderr, reply.Exit = "", err.Error(), -1
		}
		return typedMsg{msg.serial, reply}
	}
	if msg.err != nil {
		return func() tea.Msg { return ended(msg.err) }
	}
	return tea.Exec(msg.child, ended)
}

func (a *App) typed(msg typedMsg) tea.Cmd {
	p := &a.prompt
	if msg.serial != p.serial || p.cancel == nil {
		return nil
	}
	p.cancel()
	p.cancel, p.reply = nil, &msg.reply
	cmd := a.changed(msg)
	if typist, ok := a.screen.(shell.Typist); ok {
		return tea.Batch(cmd, a.intent(typist.Overheard(msg.reply)))
	}
	return cmd
}

// drawPrompt draws the line in place of the footer and the output above it.
func (a *App) drawPrompt(s *frame.Surface) {
	p, t := &a.prompt, a.theme
	w, h := a.size.W, a.size.H
	lines, status := p.output(w-4, a)
	if len(lines) > 0 || status != nil {
		height := min(len(lines)+2, max(5, h*2/3), h-2)
		box := s.Sub(frame.Rect{X: 0, Y: h - 1 - height, W: w, H: height})
		box.Fill(frame.Rect{W: w, H: height}, frame.Style{})
		inner := box.Box(t.Box, t.Focus)
		box.Heading(0, frame.L("$ "+model.Printable(p.command), t.Title), status)
		iw, ih := inner.Size()
		p.height = ih
		p.scroll = max(0, min(p.scroll, len(lines)-ih))
		inner.Sub(frame.Rect{X: 1, W: iw - 2, H: ih}).Lines(lines, p.scroll)
		if hidden := len(lines) - ih - p.scroll; hidden > 0 {
			inner.Right(iw-1, ih-1, fmt.Sprintf(" %d more, pgdn ", hidden), t.Muted)
		}
	}
	y := h - 1
	s.Fill(frame.Rect{X: 0, Y: y, W: w, H: 1}, frame.Style{})
	s.Text(1, y, "$", t.Key)
	room := w - 4
	hint := "tab completes   " + a.keyName("enter") + " runs   esc closes"
	if len(p.line) == 0 && w >= 60 {
		s.Right(w-1, y, hint, t.Muted)
	}
	start := p.cursor
	for used := 0; start > 0; start-- {
		if used += frame.Width(string(p.line[start-1])); used >= room {
			break
		}
	}
	x := 3 + s.Text(3, y, string(p.line[start:p.cursor]), t.Text)
	under, rest := " ", ""
	if p.cursor < len(p.line) {
		under, rest = string(p.line[p.cursor:p.cursor+1]), string(p.line[p.cursor+1:])
	}
	x += s.Text(x, y, under, frame.Style{Reverse: true})
	if x < w-1 {
		s.Text(x, y, frame.Truncate(rest, w-1-x), t.Text)
	}
}

// output is what stands above the line: completions to choose from, or the
// last command's answer; and how that ended.
func (p *prompt) output(w int, a *App) (lines []frame.Line, status frame.Line) {
	t := a.theme
	if p.command != "" {
		switch {
		case p.cancel != nil:
			status = frame.L("running "+t.Glyph.Pending+" ^C stops it", t.Accent)
		case p.reply != nil && p.reply.Exit != 0:
			status = frame.L(fmt.Sprintf("exit code %d", p.reply.Exit), t.Bad)
		case p.reply != nil:
			status = frame.L(t.Glyph.Check, t.Good)
		}
	}
	if p.reply != nil {
		lines = slices.Clip(p.replyLines(w, t))
	}
	if len(p.offered) > 0 {
		lines = append(lines, frame.Wrap(frame.L(strings.Join(p.offered, " "), t.Accent), w, 0)...)
	}
	return lines, status
}

// printout is a reply as the lines that are drawn.
type printout struct {
	reply *model.Reply
	w     int
	theme *theme.Theme
	lines []frame.Line
}

// replyLines are the lines of the last reply. A frame changes them seldom, and
// a reply may be long: they are made once.
func (p *prompt) replyLines(w int, t *theme.Theme) []frame.Line {
	if o := &p.printed; o.reply != p.reply || o.w != w || o.theme != t {
		lines := append(textLines(p.reply.Stdout, t.Text, w), textLines(p.reply.Stderr, t.Warn, w)...)
		*o = printout{p.reply, w, t, lines}
	}
	return p.printed.lines
}

// textLines are the lines of an output, safe for the terminal; long ones wrap.
func textLines(text string, style frame.Style, w int) []frame.Line {
	var lines []frame.Line
	for row := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		row = strings.ReplaceAll(strings.TrimRight(row, "\r"), "\t", "        ")
		for _, piece := range frame.Cut(row, w) {
			lines = append(lines, frame.L(piece, style))
		}
	}
	if len(lines) == 1 && lines[0].Width() == 0 {
		return nil
	}
	return lines
}
