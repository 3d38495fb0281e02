package live

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"

	"svctour/model"
	"svctour/ui/frame"
	"svctour/ui/theme"
)

// Story lays out Markdown in w columns: paragraphs, lists, quotes, code and
// the inline styles. Other blocks are shown as their text.
func Story(markdown string, t *theme.Theme, w int) []frame.Line {
	source := []byte(markdown)
	doc := goldmark.DefaultParser().Parse(text.NewReader(source))
	s := &story{source: source, t: t}
	s.blocks(doc, w, 0)
	for len(s.lines) > 0 && len(s.lines[len(s.lines)-1]) == 0 {
		s.lines = s.lines[:len(s.lines)-1]
	}
	return s.lines
}

// Plain is Markdown as one line of text.
func Plain(markdown string) string {
	var out []string
	for _, line := range Story(markdown, &theme.Theme{}, 1<<20) {
		if text := line.Plain(); text != "" {
			out = append(out, text)
		}
	}
	return strings.Join(out, " ")
}

// Texts lays out what is only read. A text is parsed and laid out once for a
// width, a theme and a style. It may be used by several goroutines.
type Texts struct {
	laid *memo[textKey, Laid]
}

type textKey struct {
	text, other string
	exit, w     int
	theme       *theme.Theme
	style       frame.Style
}

// Laid is a text that was laid out.
type Laid struct {
	Lines  frame.Lines
	Widest int // columns of the widest line
}

// textsKept is for how many texts the layout is kept: several times what one
// screen shows.
const textsKept = 128

// NewTexts makes a Texts that has laid out nothing yet.
func NewTexts() *Texts { return &Texts{newMemo[textKey, Laid](textsKept)} }

func (x *Texts) lay(key textKey, lines func() []frame.Line) Laid {
	return x.laid.get(key, func() Laid {
		out := Laid{Lines: slices.Clip(lines())} // to append to it is to copy it
		for _, l := range out.Lines {
			out.Widest = max(out.Widest, l.Width())
		}
		return out
	})
}

// Story lays out Markdown as Story does.
func (x *Texts) Story(markdown string, t *theme.Theme, w int) frame.Lines {
	return x.Styled(markdown, t, t.Text, w)
}

// Styled lays out Markdown in a style for what is plain in it.
func (x *Texts) Styled(markdown string, t *theme.Theme, plain frame.Style, w int) frame.Lines {
	key := textKey{text: markdown, w: w, theme: t, style: plain}
	return x.lay(key, func() []frame.Line { return Story(markdown, t.With(plain), w) }).Lines
}

// Manifest draws a file as Manifest does.
func (x *Texts) Manifest(content, previous string, t *theme.Theme) frame.Lines {
	key := textKey{text: content, other: previous, w: manifest, theme: t}
	return x.lay(key, func() []frame.Line { return Manifest(content, previous, t) }).Lines
}

// manifest stands in a key for the width, which a manifest does not depend on.
const manifest = -1

// Reply lays out what a command printed as Reply does.
func (x *Texts) Reply(r *model.Reply, t *theme.Theme, w int) Laid {
	key := textKey{text: r.Stdout, other: r.Stderr, exit: r.Exit, w: w, theme: t, style: t.Warn}
	return x.lay(key, func() []frame.Line { return Reply(r, t, w) })
}

type story struct {
	source []byte
	t      *theme.Theme
	lines  []frame.Line
}

func (s *story) gap() {
	if n := len(s.lines); n > 0 && len(s.lines[n-1]) > 0 {
		s.lines = append(s.lines, nil)
	}
}

func (s *story) blocks(parent ast.Node, w, indent int) {
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		switch block := n.(type) {
		case *ast.Heading:
			s.gap()
			s.flow(s.inline(n, s.t.Title), w, indent, "")
			s.gap()
		case *ast.List:
			s.gap()
			s.list(block, w, indent)
			s.gap()
		case *ast.Blockquote:
			s.gap()
			from := len(s.lines)
			s.blocks(n, w-2, 0)
			for i := from; i < len(s.lines); i++ {
				s.lines[i] = append(line(sp(s.t.Glyph.Down+" ", s.t.Quote)), s.lines[i]...)
			}
			s.gap()
		case *ast.FencedCodeBlock, *ast.CodeBlock:
			s.gap()
			s.code(n, w, indent)
			s.gap()
		case *ast.ThematicBreak:
			s.gap()
		default:
			s.flow(s.inline(n, s.t.Text), w, indent, "")
			if parent.Kind() == ast.KindDocument {
				s.gap()
			}
		}
	}
}

func (s *story) list(list *ast.List, w, indent int) {
	number := list.Start
	for item := list.FirstChild(); item != nil; item = item.NextSibling() {
		bullet := s.t.Glyph.Dot + " "
		if list.IsOrdered() {
			bullet = fmt.Sprintf("%d. ", number)
			number++
		}
		from := len(s.lines)
		s.blocks(item, w-frame.Width(bullet), indent)
		for i := from; i < len(s.lines); i++ {
			prefix := blanks(frame.Width(bullet))
			if i == from {
				prefix = bullet
			}
			s.lines[i] = append(line(sp(prefix, s.t.Accent)), s.lines[i]...)
		}
	}
}

func (s *story) code(n ast.Node, w, indent int) {
	for i := 0; i < n.Lines().Len(); i++ {
		segment := n.Lines().At(i)
		for _, text := range folded(strings.TrimRight(string(segment.Value(s.source)), "\n"), w-indent-2) {
			s.lines = append(s.lines, line(sp(blanks(indent+2)+text, s.t.Code)))
		}
	}
}

// cell is a piece of a table's row: texts stand two blanks or more apart.
var cell = regexp.MustCompile(`\S+(?: \S+)*`)

// folded breaks a row of a table that is wider than w: a cell that does not fit
// stands below the second one.
func folded(row string, w int) []string {
	row = strings.TrimRight(row, " ")
	cells := cell.FindAllStringIndex(row, -1)
	if len(cells) < 3 || frame.Width(row) <= w {
		return []string{row}
	}
	second := blanks(frame.Width(row[:cells[1][0]]))
	rows, from := []string{}, 0
	for i, c := range cells {
		if i > 1 && len(rows) == 0 && frame.Width(row[from:c[1]]) > w {
			rows, from = append(rows, strings.TrimRight(row[from:c[0]], " ")), c[0]
		} else if i > 1 && len(rows) > 0 {
			rows, from = append(rows, second+strings.TrimRight(row[from:c[0]], " ")), c[0]
		}
	}
	return append(rows, second+row[from:])
}

func (s *story) flow(l frame.Line, w, indent int, prefix string) {
	if prefix != "" {
		l = append(line(sp(prefix, s.t.Accent)), l...)
	}
	s.lines = append(s.lines, frame.Wrap(l, w, indent)...)
}

func (s *story) inline(parent ast.Node, style frame.Style) frame.Line {
	var out frame.Line
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		switch inline := n.(type) {
		case *ast.Text:
			out = append(out, sp(string(inline.Segment.Value(s.source)), style))
			if inline.SoftLineBreak() || inline.HardLineBreak() {
				out = append(out, sp(" ", style))
			}
		case *ast.String:
			out = append(out, sp(string(inline.Value), style))
		case *ast.CodeSpan:
			out = append(out, s.inline(n, style.With(s.t.Code))...)
		case *ast.Emphasis:
			emphasis := frame.Style{Italic: true}
			if inline.Level > 1 {
				emphasis = frame.Style{Bold: true}
			}
			out = append(out, s.inline(n, style.With(emphasis))...)
		default:
			out = append(out, s.inline(n, style)...)
		}
	}
	return out
}
