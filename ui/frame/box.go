package frame

import "strings"

// Border holds the characters of a box.
type Border struct {
	TopLeft, TopRight, BottomLeft, BottomRight string
	Horizontal, Vertical                       string
	Left, Right                                string // where a rule meets the sides
}

// Rounded is the border of panes.
var Rounded = Border{"╭", "╮", "╰", "╯", "─", "│", "├", "┤"}

// ASCII is a border of ASCII characters only.
var ASCII = Border{"+", "+", "+", "+", "-", "|", "+", "+"}

// Box draws a border around the whole surface and gives what is inside it.
func (s *Surface) Box(b Border, style Style) *Surface {
	w, h := s.Size()
	if w < 2 || h < 2 {
		return s.Sub(Rect{})
	}
	bar := strings.Repeat(b.Horizontal, w-2)
	s.Text(0, 0, b.TopLeft+bar+b.TopRight, style)
	for y := 1; y < h-1; y++ {
		s.Text(0, y, b.Vertical, style)
		s.Text(w-1, y, b.Vertical, style)
	}
	s.Text(0, h-1, b.BottomLeft+bar+b.BottomRight, style)
	return s.Sub(Rect{1, 1, w - 2, h - 2})
}

// Rule draws a dividing line across a boxed surface at row y, ends meeting the sides.
func (s *Surface) Rule(y int, b Border, style Style) {
	w, _ := s.Size()
	if w < 2 {
		return
	}
	s.Text(0, y, b.Left+strings.Repeat(b.Horizontal, w-2)+b.Right, style)
}

// Heading writes a title into a border row at its left, and a note at its right.
func (s *Surface) Heading(y int, title Line, note Line) {
	w, _ := s.Size()
	room := w - 4
	noteWidth := 0
	if n := note.Width(); n > 0 && n+2 < room {
		noteWidth = n + 2
		s.Text(w-2-noteWidth, y, " ", Style{})
		s.Line(w-1-noteWidth, y, n, note)
		s.Text(w-3, y, " ", Style{})
	}
	if tw := min(title.Width(), room-noteWidth-2); tw > 0 {
		s.Text(1, y, " ", Style{})
		s.Line(2, y, tw, title)
		s.Text(2+tw, y, " ", Style{})
	}
}
