// Package frame is the surface every screen draws on: a grid of cells with
// clipping, boxes and mouse regions. Text enters as plain strings with a style
// beside them, and every string is made printable on its way in: no escape
// sequence of a cluster's can reach the terminal through a frame.
//
// It is the only package that touches ultraviolet.
package frame

import (
	"image/color"
	"strings"

	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/ansi"

	"svctour/model"
)

// Style is how text looks. The zero value is the terminal's default.
type Style struct {
	Fg, Bg    color.Color // nil: the terminal's own
	Bold      bool
	Faint     bool
	Italic    bool
	Underline bool
	Strike    bool
	Reverse   bool
}

// With gives s overlaid by o: o's colours where set, attributes of both.
func (s Style) With(o Style) Style {
	if o.Fg != nil {
		s.Fg = o.Fg
	}
	if o.Bg != nil {
		s.Bg = o.Bg
	}
	s.Bold = s.Bold || o.Bold
	s.Faint = s.Faint || o.Faint
	s.Italic = s.Italic || o.Italic
	s.Underline = s.Underline || o.Underline
	s.Strike = s.Strike || o.Strike
	s.Reverse = s.Reverse || o.Reverse
	return s
}

func (s Style) cell() uv.Style {
	style := uv.Style{Fg: s.Fg, Bg: s.Bg}
	for _, attr := range [...]struct {
		on  bool
		bit uint8
	}{
		{s.Bold, uv.AttrBold}, {s.Faint, uv.AttrFaint}, {s.Italic, uv.AttrItalic},
		{s.Strike, uv.AttrStrikethrough}, {s.Reverse, uv.AttrReverse},
	} {
		if attr.on {
			style.Attrs |= attr.bit
		}
	}
	if s.Underline {
		style.Underline = ansi.UnderlineSingle
	}
	return style
}

// Rect is an area in cells.
type Rect struct{ X, Y, W, H int }

// Inset shrinks r by n cells on every side; never below zero size.
func (r Rect) Inset(n int) Rect {
	return Rect{r.X + n, r.Y + n, max(0, r.W-2*n), max(0, r.H-2*n)}
}

// Contains says whether the cell (x, y) is inside r.
func (r Rect) Contains(x, y int) bool {
	return x >= r.X && y >= r.Y && x < r.X+r.W && y < r.Y+r.H
}

func (r Rect) intersect(o Rect) Rect {
	x0, y0 := max(r.X, o.X), max(r.Y, o.Y)
	x1, y1 := min(r.X+r.W, o.X+o.W), min(r.Y+r.H, o.Y+o.H)
	return Rect{x0, y0, max(0, x1-x0), max(0, y1-y0)}
}

// The terminal reports that its colours have become dark, or light, while the
// program runs (mode 2031).
type (
	DarkScheme  = uv.DarkColorSchemeEvent
	LightScheme = uv.LightColorSchemeEvent
)

// Region is a part of the frame that answers to the mouse.
type Region struct {
	Rect Rect
	ID   string // of the action that a click means
	N    int    // which of several actions with that ID
}

type root struct {
	buf     uv.ScreenBuffer
	ascii   bool
	regions []Region
}

// Surface is a window onto a frame with coordinates of its own, from (0, 0);
// what is drawn outside of it is cut off.
type Surface struct {
	root *root
	area Rect // in frame coordinates
	clip Rect // in frame coordinates
}

// New makes an empty frame of w×h cells.
func New(w, h int) *Surface {
	w, h = max(0, w), max(0, h)
	area := Rect{0, 0, w, h}
	return &Surface{root: &root{buf: uv.NewScreenBuffer(w, h)}, area: area, clip: area}
}

// Again makes an empty frame of the size and kind of s in its memory. s must not
// be used any more.
func (s *Surface) Again() *Surface {
	s.root.buf.Clear()
	area := Rect{0, 0, s.root.buf.Width(), s.root.buf.Height()}
	return &Surface{root: &root{buf: s.root.buf, ascii: s.root.ascii}, area: area, clip: area}
}

// NewASCII makes an empty frame that shows only characters of ASCII: others
// become their nearest relative, or "?".
func NewASCII(w, h int) *Surface {
	s := New(w, h)
	s.root.ascii = true
	return s
}

var relatives = map[string]string{
	"…": ".", "·": ".", "•": "*", "×": "x", "–": "-", "—": "-", "’": "'", "‘": "'", "“": "\"", "”": "\"",
	"→": ">", "←": "<", "↑": "^", "↓": "v", "▶": ">", "▷": ">", "├": "|", "└": "`", "│": "|", "─": "-",
	"┄": "-", "┊": ":", "━": "=", "┃": "#", "⇒": ">", "▸": ">", "◆": "#", "●": "*", "◌": "o", "◐": "~", "○": "o", "✕": "x", "✗": "x", "▣": "@",
	"╡": "[", "╞": "]", "①": "1", "②": "2", "③": "3", "④": "4", "█": "#", "▉": "#", "▊": "#", "▋": "#", "▌": "#", "▍": "+", "▎": "+", "▏": "+",
	"┌": "+", "┐": "+", "┘": "+", "╭": "+", "╮": "+", "╯": "+", "╰": "`", "┤": "|", "┬": "+", "┴": "+", "┼": "+",
	"┏": "#", "┓": "#", "┗": "#", "┛": "#", "┣": "#", "┫": "#", "┳": "#", "┻": "#", "╋": "#",
}

// inASCII gives a grapheme's stand-in of one column.
func inASCII(cluster string) string {
	if len(cluster) == 1 {
		return cluster
	}
	if relative, ok := relatives[cluster]; ok {
		return relative
	}
	return "?"
}

// Size gives width and height.
func (s *Surface) Size() (w, h int) { return s.area.W, s.area.H }

// Sub gives the part r of s as a surface of its own.
func (s *Surface) Sub(r Rect) *Surface {
	area := Rect{s.area.X + r.X, s.area.Y + r.Y, r.W, r.H}
	return &Surface{root: s.root, area: area, clip: area.intersect(s.clip)}
}

// Text draws one line of text at (x, y) and gives the columns it takes,
// whether or not they were visible. Control characters are replaced first.
func (s *Surface) Text(x, y int, text string, style Style) int {
	text = model.Printable(text)
	cell := style.cell()
	at := x
	for len(text) > 0 {
		cluster, width := ansi.FirstGraphemeCluster(text, ansi.WcWidth)
		if cluster == "" {
			break
		}
		text = text[len(cluster):]
		if width == 0 {
			continue
		}
		if s.root.ascii && len(cluster) > 1 {
			cluster = inASCII(cluster) + strings.Repeat(" ", width-1)
			for i := range width {
				s.set(at+i, y, cluster[i:i+1], 1, cell)
			}
		} else {
			s.set(at, y, cluster, width, cell)
		}
		at += width
	}
	return at - x
}

func (s *Surface) set(x, y int, content string, width int, style uv.Style) {
	fx, fy := s.area.X+x, s.area.Y+y
	if fy < s.clip.Y || fy >= s.clip.Y+s.clip.H || fx < s.clip.X || fx+width > s.clip.X+s.clip.W {
		return
	}
	for i := 1; i < width; i++ { // so that no half of a wide character stays behind
		s.root.buf.SetCell(fx+i, fy, &uv.Cell{Content: " ", Width: 1, Style: style})
	}
	s.root.buf.SetCell(fx, fy, &uv.Cell{Content: content, Width: width, Style: style})
}

// Right draws text so that it ends at column x-1, and gives its width.
func (s *Surface) Right(x, y int, text string, style Style) int {
	w := Width(text)
	s.Text(x-w, y, text, style)
	return w
}

// Fill sets every cell of r to a blank in a style.
func (s *Surface) Fill(r Rect, style Style) {
	cell := style.cell()
	for y := r.Y; y < r.Y+r.H; y++ {
		for x := r.X; x < r.X+r.W; x++ {
			s.set(x, y, " ", 1, cell)
		}
	}
}

// Restyle overlays a style on what already stands in r.
func (s *Surface) Restyle(r Rect, change func(Style) Style) {
	for y := r.Y; y < r.Y+r.H; y++ {
		for x := r.X; x < r.X+r.W; x++ {
			fx, fy := s.area.X+x, s.area.Y+y
			if !s.clip.Contains(fx, fy) {
				continue
			}
			cell := s.root.buf.CellAt(fx, fy)
			if cell == nil || cell.Width == 0 {
				continue
			}
			copied := *cell
			copied.Style = change(fromCell(cell.Style)).cell()
			s.root.buf.SetCell(fx, fy, &copied)
		}
	}
}

func fromCell(c uv.Style) Style {
	return Style{
		Fg: c.Fg, Bg: c.Bg,
		Bold: c.Attrs&uv.AttrBold != 0, Faint: c.Attrs&uv.AttrFaint != 0, Italic: c.Attrs&uv.AttrItalic != 0,
		Strike: c.Attrs&uv.AttrStrikethrough != 0, Reverse: c.Attrs&uv.AttrReverse != 0,
		Underline: c.Underline != ansi.UnderlineNone,
	}
}

// Click makes r answer to the mouse with an action: its id, and which of
// several of that id it is. Later regions lie above earlier ones.
func (s *Surface) Click(r Rect, id string, n int) {
	area := Rect{s.area.X + r.X, s.area.Y + r.Y, r.W, r.H}.intersect(s.clip)
	if area.W > 0 && area.H > 0 {
		s.root.regions = append(s.root.regions, Region{area, id, n})
	}
}

// Regions are the mouse regions of the whole frame.
func (s *Surface) Regions() []Region { return s.root.regions }

// Hit gives the action under a cell of the frame, "" when there is none.
func Hit(regions []Region, x, y int) (id string, n int) {
	for i := len(regions) - 1; i >= 0; i-- {
		if regions[i].Rect.Contains(x, y) {
			return regions[i].ID, regions[i].N
		}
	}
	return "", 0
}

// Render gives the frame as lines with colours, for the terminal.
func (s *Surface) Render() string { return s.root.buf.Render() }

// Plain gives the frame as text without colours, trailing blanks removed.
func (s *Surface) Plain() string {
	lines := strings.Split(s.root.buf.String(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " \r")
	}
	return strings.Join(lines, "\n")
}

// Width gives the columns a text takes once made printable.
func Width(text string) int { return ansi.StringWidthWc(model.Printable(text)) }

// Truncate cuts a text to at most w columns, the last one "…" when something was cut.
func Truncate(text string, w int) string {
	return ansi.TruncateWc(model.Printable(text), max(0, w), "…")
}
