package live

import (
	"sort"

	"svctour/model"
	"svctour/model/dns"
	"svctour/model/path"
	"svctour/ui/frame"
	"svctour/ui/theme"
)

// View is everything the live panes draw, computed once per snapshot.
type View struct {
	Snapshot   *model.Snapshot
	Namespace  string
	Service    string // name of the Service the panes are about
	Client     string // "pod/NS/NAME", "node/NAME" or "outside"; "" when there is none
	Trace      *path.Trace
	TraceErr   string
	Resolution *dns.Resolution
	ResolveErr string
	Changes    *Changes
	// Seen is what the trace's node was seen to hold; nil when it was not asked.
	Seen *Seen
	// Walk is the packet under way; nil when none is.
	Walk *Walk
}

// Walk is a packet that moves along one outcome of the trace, hop by hop.
type Walk struct {
	Outcome int // index into Trace.Outcomes
	Hop     int // index into its Hops
	Done    bool
}

// service gives the Service of the view; nil when it does not exist.
func (v *View) service() *model.Service {
	if v.Snapshot == nil {
		return nil
	}
	return v.Snapshot.Service(v.Namespace, v.Service)
}

func sortChanges(changes []model.Change) {
	sort.Slice(changes, func(i, j int) bool { return changes[i].Text < changes[j].Text })
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

// cutApart cuts names to w columns and leaves in each what tells it from the
// others: a name loses its front if that is shared, else its end, else both; of
// names that are all the same the middle.
func cutApart(names []string, w int) func(string) string {
	front, end := shared(names)
	return func(name string) string {
		if frame.Width(name) <= w {
			return name
		}
		text := []rune(name)
		switch last := max(0, len(text)-w+1); {
		case len(text) == front && len(text) == end && w > 0:
			half := min(w/2, len(text))
			return string(text[:half]) + "…" + string(text[min(len(text), last+half):])
		case len(text)-front < w:
			return "…" + string(text[last:])
		case len(text)-end < w || front == 0:
			return frame.Truncate(name, w)
		}
		return frame.Truncate("…"+string(text[front:]), w)
	}
}

// shared gives the number of characters that all names begin with, and that
// they end in. Empty names do not count.
func shared(names []string) (front, end int) {
	var first []rune
	for _, name := range names {
		text := []rune(name)
		if len(text) == 0 {
			continue
		}
		if first == nil {
			first, front, end = text, len(text), len(text)
		}
		f, e := 0, 0
		for f < min(front, len(text)) && text[f] == first[f] {
			f++
		}
		for e < min(end, len(text)) && text[len(text)-1-e] == first[len(first)-1-e] {
			e++
		}
		front, end = f, e
	}
	return front, end
}

func blanks(n int) string {
	const many = "                                                                                                                                "
	for n > len(many) {
		return many + blanks(n-len(many))
	}
	return many[:max(0, n)]
}

// note is a muted sentence, wrapped.
func note(t *theme.Theme, text string, w int) []frame.Line {
	return frame.Wrap(frame.L(text, t.Muted), w, 0)
}
