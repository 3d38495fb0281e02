package live

import "svctour/ui/frame"

// names are what is known of the names in a column: enough to cut each of them
// to any width without looking at the others.
type names struct {
	widest     int // columns of the widest
	front, end int // characters that all of them begin with, and that all end in
	first      []rune
}

// add takes a name into account. An empty one shares nothing with the others.
func (n *names) add(name string) {
	n.widest = max(n.widest, frame.Width(name))
	text := []rune(name)
	switch {
	case len(text) == 0:
		return
	case n.first == nil:
		n.first, n.front, n.end = text, len(text), len(text)
	}
	f, e := 0, 0
	for f < min(n.front, len(text)) && text[f] == n.first[f] {
		f++
	}
	for e < min(n.end, len(text)) && text[len(text)-1-e] == n.first[len(n.first)-1-e] {
		e++
	}
	n.front, n.end = f, e
}

// cut cuts a name to w columns and leaves in it what tells it from the others:
// it loses its front if that is shared, else its end, else both; names that are
// all the same lose their middle.
func (n *names) cut(name string, w int) string {
	if frame.Width(name) <= w {
		return name
	}
	text := []rune(name)
	switch last := max(0, len(text)-w+1); {
	case len(text) == n.front && len(text) == n.end && w > 0:
		half := min(w/2, len(text))
		return string(text[:half]) + "…" + string(text[min(len(text), last+half):])
	case len(text)-n.front < w:
		return "…" + string(text[last:])
	case len(text)-n.end < w || n.front == 0:
		return frame.Truncate(name, w)
	}
	return frame.Truncate("…"+string(text[n.front:]), w)
}
