package prompt

import (
	"fmt"
	"slices"
	"strings"

	"svctour/model"
	"svctour/ui/frame"
	"svctour/ui/theme"
)

// Draw draws the line in the last row of the frame, and the output above it.
func (p *Prompt) Draw(s *frame.Surface, t *theme.Theme) {
	p.drawOutput(s, t)
	p.drawLine(s, t)
}

func (p *Prompt) drawOutput(s *frame.Surface, t *theme.Theme) {
	w, h := s.Size()
	lines, status := p.output(w-4, t)
	if len(lines) == 0 && status == nil {
		return
	}
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

func (p *Prompt) drawLine(s *frame.Surface, t *theme.Theme) {
	w, h := s.Size()
	y := h - 1
	s.Fill(frame.Rect{X: 0, Y: y, W: w, H: 1}, frame.Style{})
	s.Text(1, y, "$", t.Key)
	room := w - 4
	if len(p.text) == 0 && w >= 60 {
		s.Right(w-1, y, "tab completes   "+t.KeyName("enter")+" runs   esc closes", t.Muted)
	}
	start := p.cursor
	for used := 0; start > 0; start-- {
		if used += frame.Width(string(p.text[start-1])); used >= room {
			break
		}
	}
	x := 3 + s.Text(3, y, string(p.text[start:p.cursor]), t.Text)
	under, rest := " ", ""
	if p.cursor < len(p.text) {
		under, rest = string(p.text[p.cursor:p.cursor+1]), string(p.text[p.cursor+1:])
	}
	x += s.Text(x, y, under, frame.Style{Reverse: true})
	if x < w-1 {
		s.Text(x, y, frame.Truncate(rest, w-1-x), t.Text)
	}
}

// output is what stands above the line: completions to choose from, or the
// last command's answer; and how that ended.
func (p *Prompt) output(w int, t *theme.Theme) (lines []frame.Line, status frame.Line) {
	if p.command != "" {
		switch {
		case p.running:
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

// replyLines are the lines of the last reply. A reply may be long, and a frame
// seldom changes them: they are made once.
func (p *Prompt) replyLines(w int, t *theme.Theme) []frame.Line {
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
