package frame

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"svctour/model"
)

// Span is a piece of text in one style.
type Span struct {
	Text  string
	Style Style
}

// Line is one row of styled text.
type Line []Span

// L makes a line of one span.
func L(text string, style Style) Line { return Line{{text, style}} }

// Width gives the columns of a line.
func (l Line) Width() int {
	w := 0
	for _, span := range l {
		w += Width(span.Text)
	}
	return w
}

// Plain gives the text of a line.
func (l Line) Plain() string {
	var b strings.Builder
	for _, span := range l {
		b.WriteString(span.Text)
	}
	return b.String()
}

// Line draws a line at (x, y), at most w columns of it, ending in "…" when it is longer.
func (s *Surface) Line(x, y, w int, line Line) {
	cut := line.Width() > w
	room := w
	if cut {
		room = max(0, w-1)
	}
	at := 0
	for _, span := range line {
		text := span.Text
		if width := Width(text); at+width > room {
			text = cutTo(text, room-at)
			at += s.Text(x+at, y, text, span.Style)
			if cut && w > 0 {
				s.Text(x+at, y, "…", span.Style)
			}
			return
		}
		at += s.Text(x+at, y, text, span.Style)
	}
}

// cutTo gives the longest start of text that fits into w columns.
func cutTo(text string, w int) string {
	return ansi.TruncateWc(model.Printable(text), max(0, w), "")
}

// Lines draws rows from the top, scrolled down by offset, and gives how many rows exist.
func (s *Surface) Lines(lines []Line, offset int) int {
	w, h := s.Size()
	for y := 0; y < h && y+offset < len(lines); y++ {
		s.Line(0, y, w, lines[y+offset])
	}
	return len(lines)
}

// Cut breaks a text into pieces of at most w columns wherever a character ends,
// in one pass: a command may print all it knows in one line. A character wider
// than w is a piece of its own.
func Cut(text string, w int) []string {
	text = model.Printable(text)
	var pieces []string
	start, columns := 0, 0
	for at := 0; at < len(text); {
		cluster, width := ansi.FirstGraphemeCluster(text[at:], ansi.WcWidth)
		if columns+width > w && at > start {
			pieces = append(pieces, text[start:at])
			start, columns = at, 0
		}
		at += len(cluster)
		columns += width
	}
	return append(pieces, text[start:])
}

// Wrap breaks a line of spans at blanks into rows of at most w columns; a word
// longer than a row is cut. Rows after the first start with indent blanks.
func Wrap(line Line, w, indent int) []Line {
	if w <= 0 {
		return nil
	}
	indent = min(indent, w/2)
	var rows []Line
	var row Line
	at, fresh := 0, true
	newRow := func() {
		rows = append(rows, row)
		row, at, fresh = nil, 0, true
		if indent > 0 {
			row = Line{{strings.Repeat(" ", indent), Style{}}}
			at = indent
		}
	}
	for _, word := range words(line) {
		width := word.line.Width()
		gap := 0
		if word.spaced && !fresh {
			gap = 1
		}
		if !fresh && at+gap+width > w {
			newRow()
			gap = 0
		}
		if gap > 0 {
			row = append(row, Span{" ", word.spaceStyle})
			at++
		}
		for width > w-at { // a word wider than the row
			head, tail := splitLine(word.line, w-at)
			if head.Width() == 0 {
				break
			}
			row = append(row, head...)
			newRow()
			word.line, width = tail, tail.Width()
		}
		row = append(row, word.line...)
		at += width
		fresh = false
	}
	if len(row) > 0 || len(rows) == 0 {
		rows = append(rows, row)
	}
	return rows
}

// Wrapped says into how many rows Wrap breaks a text, without making them.
func Wrapped(text string, w, indent int) int {
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
		return len(Wrap(L(text, Style{}), w, indent))
	}
	if w <= 0 {
		return 0
	}
	indent = min(indent, w/2)
	rows, at, fresh := 1, 0, true
	for len(text) > 0 {
		width := strings.IndexByte(text, ' ')
		if width < 0 {
			width = len(text)
		}
		text = text[min(width+1, len(text)):]
		if width == 0 {
			continue
		}
		switch {
		case fresh:
		case at+1+width > w:
			rows, at = rows+1, indent
		default:
			at++
		}
		for ; width > w-at; rows, at = rows+1, indent { // a word wider than the row
			width -= w - at
		}
		at, fresh = at+width, false
	}
	return rows
}

type word struct {
	line       Line
	spaced     bool // a blank stands before it
	spaceStyle Style
}

// words splits a line at blanks; a word may hold several spans.
func words(line Line) []word {
	var out []word
	var current Line
	spaced := false
	var spaceStyle Style
	flush := func() {
		if len(current) > 0 {
			out = append(out, word{current, spaced, spaceStyle})
			current, spaced = nil, false
		}
	}
	for _, span := range line {
		for i, part := range strings.Split(span.Text, " ") {
			if i > 0 {
				flush()
				spaced, spaceStyle = true, span.Style
			}
			if part != "" {
				current = append(current, Span{part, span.Style})
			}
		}
	}
	flush()
	return out
}

func splitLine(line Line, w int) (head, tail Line) {
	for i, span := range line {
		width := Width(span.Text)
		if width <= w {
			head = append(head, span)
			w -= width
			continue
		}
		cut := cutTo(span.Text, w)
		if cut != "" {
			head = append(head, Span{cut, span.Style})
		}
		tail = append(tail, Span{strings.TrimPrefix(model.Printable(span.Text), cut), span.Style})
		return head, append(tail, line[i+1:]...)
	}
	return head, nil
}
