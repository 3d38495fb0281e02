package live

import (
	"svctour/ui/frame"
	"svctour/ui/theme"
)

// View is a state at one moment of its animation: what there is to draw. It is
// a value; drawing it changes nothing.
type View struct {
	*State
	Tick    int   // how many steps of animation there were
	Walk    *Walk // the packet under way; nil when none is
	Rules   bool  // show the text of each rule on the path
	Request Request
	Stream  Stream // its count is the State's Meter
	Goal    *State // how it would be; nil while it is not shown
	// Veiled leaves out what tells how a packet goes and ends: of the picture that
	// part, and the other panes. Who looks at it is asked just that.
	Veiled bool
}

// line joins spans, for readability at the call.
func line(spans ...frame.Span) frame.Line { return spans }

func sp(text string, style frame.Style) frame.Span { return frame.Span{Text: text, Style: style} }

// pad fills text with blanks to w columns, or cuts it.
func pad(text string, w int) string {
	width := frame.Width(text)
	if width > w {
		return frame.Truncate(text, w)
	}
	return text + blanks(w-width)
}

func blanks(n int) string {
	const many = "                                                                                                                                "
	for n > len(many) {
		return many + blanks(n-len(many))
	}
	return many[:max(0, n)]
}

// note is a muted sentence, wrapped.
func note(t *theme.Theme, text string, w int) frame.Lines {
	return frame.Wrap(frame.L(text, t.Muted), w, 0)
}
