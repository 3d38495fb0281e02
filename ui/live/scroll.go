package live

import (
	"fmt"

	"svctour/ui/frame"
	"svctour/ui/theme"
)

// Offset bounds a scroll position by what there is: n rows, of which h are in
// sight.
func Offset(scroll, n, h int) int { return max(0, min(scroll, n-h)) }

// Scrolled draws rows at a scroll position, and says how many are hidden below.
func Scrolled(s *frame.Surface, t *theme.Theme, rows frame.Rows, scroll int) {
	w, h := s.Size()
	offset := Offset(scroll, rows.Len(), h)
	s.Rows(rows, offset)
	if hidden := rows.Len() - h - offset; hidden > 0 && h > 1 {
		s.Right(w, h-1, fmt.Sprintf("… %d more ", hidden), t.Muted)
	}
}
