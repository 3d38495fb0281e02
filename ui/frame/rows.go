package frame

// Rows is what stands in a pane at one width. How many lines there are is known
// without them: a line is made when it is drawn, so that a long list costs no
// more than what is in sight.
type Rows interface {
	Len() int
	Row(i int) Line // 0 ≤ i < Len()
}

// Lines are Rows that have been made.
type Lines []Line

// Len implements Rows.
func (l Lines) Len() int { return len(l) }

// Row implements Rows.
func (l Lines) Row(i int) Line { return l[i] }

// List is Rows of n lines, each made by a function of its index.
func List(n int, row func(i int) Line) Rows { return list{n, row} }

type list struct {
	n   int
	row func(i int) Line
}

func (l list) Len() int       { return l.n }
func (l list) Row(i int) Line { return l.row(i) }

// Stack puts Rows below each other.
func Stack(parts ...Rows) Rows {
	s := stack{parts: parts}
	for _, part := range parts {
		s.n += part.Len()
	}
	return s
}

type stack struct {
	parts []Rows
	n     int
}

func (s stack) Len() int { return s.n }

func (s stack) Row(i int) Line {
	for _, part := range s.parts {
		if i < part.Len() {
			return part.Row(i)
		}
		i -= part.Len()
	}
	return nil
}

// Rows draws rows from the offset on, as many as the surface has.
func (s *Surface) Rows(r Rows, offset int) {
	w, h := s.Size()
	for y := range h {
		if i := offset + y; i >= 0 && i < r.Len() {
			s.Line(0, y, w, r.Row(i))
		}
	}
}
