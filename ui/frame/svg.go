package frame

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image/color"
	"strings"
	"unicode"
	"unicode/utf8"

	uv "github.com/charmbracelet/ultraviolet"
)

// SVGOptions say how a frame becomes a picture.
type SVGOptions struct {
	// Ink and Paper are the colours of text and background where a cell has none
	// of its own; nil: black on white.
	Ink, Paper color.Color
	// Title says what the picture shows to those who cannot see it; "": nothing.
	Title string
}

// A cell of a picture, in its units. Menlo and DejaVu Sans Mono are 1233/2048 of
// their size wide (hmtx) and reach from 0.928 above the baseline to 0.236 below
// it (hhea): at this size a character is as wide as a cell, and the lines of
// boxes meet from row to row.
const (
	svgWidth    = 10
	svgHeight   = 19
	svgBaseline = 15
	svgSize     = "16.61"
	svgMargin   = 10
	svgFonts    = "ui-monospace,Menlo,'DejaVu Sans Mono','Cascadia Mono',Consolas,'Liberation Mono',monospace"
)

// SVG gives the frame as a picture. Each piece of a row in one style is a text of
// its own, at its place in the grid and as wide as its cells, so that columns
// stay aligned in any font; words stay whole, to be found and copied. The same
// frame gives the same bytes.
func (s *Surface) SVG(o SVGOptions) []byte {
	p := picture{
		buf: &s.root.buf, classes: map[string]string{},
		ink: rgbOf(o.Ink, rgb{}), paper: rgbOf(o.Paper, rgb{255, 255, 255}),
	}
	columns, rows := s.root.buf.Width(), s.root.buf.Height()
	for y := range rows {
		p.grounds(y, columns)
		p.texts(y, columns)
	}
	w, h := columns*svgWidth+2*svgMargin, rows*svgHeight+2*svgMargin
	var out bytes.Buffer
	fmt.Fprintf(&out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\" font-family=\"%s\" font-size=\"%s\">\n", w, h, w, h, svgFonts, svgSize)
	if o.Title != "" {
		fmt.Fprintf(&out, "<title>%s</title>\n", escaped(o.Title))
	}
	// A terminal puts characters from left to right, whatever their script.
	fmt.Fprintf(&out, "<style>text{fill:%s;white-space:pre;direction:ltr;unicode-bidi:bidi-override}%s</style>\n", p.ink, p.css.String())
	fmt.Fprintf(&out, "<rect width=\"%d\" height=\"%d\" rx=\"6\" fill=\"%s\"/>\n", w, h, p.paper)
	if p.rects.Len() > 0 {
		fmt.Fprintf(&out, "<g shape-rendering=\"crispEdges\">\n%s</g>\n", p.rects.String())
	}
	fmt.Fprintf(&out, "<g xml:space=\"preserve\">\n%s</g>\n</svg>\n", p.words.String())
	return out.Bytes()
}

// picture is an SVG in the making.
type picture struct {
	buf        *uv.ScreenBuffer
	ink, paper rgb
	rects      bytes.Buffer      // grounds of cells
	words      bytes.Buffer      // texts
	css        bytes.Buffer      // rules of the classes
	classes    map[string]string // class by rule, in the order of their first use
}

// cell gives what stands at a place, and the columns it takes.
func (p *picture) cell(x, y int) (content string, width int, style Style) {
	cell := p.buf.CellAt(x, y)
	if cell == nil || cell.Content == "" || cell.Width < 1 {
		return " ", 1, Style{}
	}
	return cell.Content, cell.Width, fromCell(cell.Style)
}

// colours are those that a style comes to on paper.
func (p *picture) colours(s Style) (ink, paper rgb) {
	ink, paper = rgbOf(s.Fg, p.ink), rgbOf(s.Bg, p.paper)
	if s.Reverse {
		ink, paper = paper, ink
	}
	if s.Faint {
		ink = faint(ink, paper)
	}
	return ink, paper
}

// grounds draws the backgrounds of a row.
func (p *picture) grounds(y, columns int) {
	start, ground := 0, p.paper
	draw := func(end int) {
		if ground != p.paper {
			fmt.Fprintf(&p.rects, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"%s\"/>\n",
				svgMargin+start*svgWidth, svgMargin+y*svgHeight, (end-start)*svgWidth, svgHeight, ground)
		}
	}
	for x := 0; x < columns; {
		_, width, style := p.cell(x, y)
		if _, paper := p.colours(style); paper != ground {
			draw(x)
			start, ground = x, paper
		}
		x += width
	}
	draw(columns)
}

// piece is a part of a row that is one text.
type piece struct {
	x, width int // in cells
	text     string
	last     string // its last character
	rule     string // of its style
	kind     kind
}

// texts draws what is written in a row. A single blank between two words of one
// style is part of their text; more blanks are none of any.
func (p *picture) texts(y, columns int) {
	var now piece
	blanks := 0 // since now ended
	for x := 0; x < columns; {
		content, width, style := p.cell(x, y)
		if content == " " && !style.Underline && !style.Strike {
			blanks++
			x += width
			continue
		}
		next := piece{x: x, width: width, text: content, last: content, rule: p.rule(style), kind: kindOf(content, width)}
		if blanks < 2 && now.joins(next, blanks) {
			now.text += strings.Repeat(" ", blanks) + content
			now.width, now.last = now.width+blanks+width, content
		} else {
			p.write(now, y)
			now = next
		}
		blanks = 0
		x += width
	}
	p.write(now, y)
}

// joins says whether more may be part of the same text.
func (a piece) joins(b piece, blanks int) bool {
	if a.text == "" || a.rule != b.rule || a.kind != b.kind {
		return false
	}
	return a.kind != symbol || blanks == 0 && a.last == b.last
}

func (p *picture) write(t piece, y int) {
	if t.text == "" {
		return
	}
	fmt.Fprintf(&p.words, "<text x=\"%d\" y=\"%d\"", svgMargin+t.x*svgWidth, svgMargin+y*svgHeight+svgBaseline)
	if !strings.Contains("│┃┆┇┊┋║", t.text) { // an upright line meets nothing at its sides
		fmt.Fprintf(&p.words, " textLength=\"%d\"", t.width*svgWidth)
		if t.kind != plain { // its characters fill their cells
			p.words.WriteString(" lengthAdjust=\"spacingAndGlyphs\"")
		}
	}
	if t.rule != "" {
		fmt.Fprintf(&p.words, " class=\"%s\"", p.class(t.rule))
	}
	fmt.Fprintf(&p.words, ">%s</text>\n", escaped(t.text))
}

// rule is what CSS says of a style; "" for plain text.
func (p *picture) rule(s Style) string {
	var rule []string
	if ink, _ := p.colours(s); ink != p.ink {
		rule = append(rule, "fill:"+ink.String())
	}
	if s.Bold {
		rule = append(rule, "font-weight:bold")
	}
	if s.Italic {
		rule = append(rule, "font-style:italic")
	}
	switch {
	case s.Underline && s.Strike:
		rule = append(rule, "text-decoration:underline line-through")
	case s.Underline:
		rule = append(rule, "text-decoration:underline")
	case s.Strike:
		rule = append(rule, "text-decoration:line-through")
	}
	return strings.Join(rule, ";")
}

// class gives the class of a rule: a, b, … z, aa, ab and so on.
func (p *picture) class(rule string) string {
	if name, ok := p.classes[rule]; ok {
		return name
	}
	name := ""
	for n := len(p.classes) + 1; n > 0; n = (n - 1) / 26 {
		name = string(rune('a'+(n-1)%26)) + name
	}
	p.classes[rule] = name
	fmt.Fprintf(&p.css, ".%s{%s}", name, rule)
	return name
}

// kind is what a character is to a font.
type kind int

const (
	plain  kind = iota // letters and marks that every monospaced font has
	lines              // of boxes, which have to meet
	wide               // two columns
	symbol             // not in every monospaced font: its stand-in may have any width
)

func kindOf(cluster string, width int) kind {
	r, _ := utf8.DecodeRuneInString(cluster)
	switch {
	case width > 1:
		return wide
	case r >= 0x2500 && r <= 0x259f: // Box Drawing, Block Elements
		return lines
	case r < 0x250, r >= 0x2010 && r <= 0x2027, r >= 0x2190 && r <= 0x2193, unicode.IsLetter(r), unicode.IsDigit(r):
		return plain
	}
	return symbol
}

// escaped is a text as XML has it.
func escaped(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder takes everything
	return b.String()
}

// rgb is an opaque colour.
type rgb [3]uint32

func (c rgb) String() string { return fmt.Sprintf("#%02x%02x%02x", c[0], c[1], c[2]) }

// rgbOf gives a colour without its alpha, or another one when it is nil.
func rgbOf(c color.Color, otherwise rgb) rgb {
	if c == nil {
		return otherwise
	}
	r, g, b, _ := c.RGBA()
	return rgb{r >> 8, g >> 8, b >> 8}
}

// faint is the colour of faint text: three fifths of the way from the paper to
// the ink.
func faint(ink, paper rgb) rgb {
	for i := range ink {
		ink[i] = (3*ink[i] + 2*paper[i]) / 5
	}
	return ink
}
