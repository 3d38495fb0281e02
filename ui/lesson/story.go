package lesson

import (
	"fmt"
	"regexp"

	"svctour/lessons"
	"svctour/ui/frame"
	"svctour/ui/layout"
	"svctour/ui/live"
	"svctour/ui/question"
)

// notice is what asks for attention: it stands below the story, with a heading in
// the line between them.
type notice struct {
	heading string
	style   frame.Style
	laid    question.Laid
}

func (n *notice) add(lines ...frame.Line) { n.laid.Lines = append(n.laid.Lines, lines...) }

// gap parts what comes from what is there.
func (n *notice) gap() {
	if len(n.laid.Lines) > 0 {
		n.add(nil)
	}
}

// storyBox draws the story and what asks for attention. Where there is no room for
// both the second stays in sight, and the first is scrolled above it or stands below.
func (d *drawing) storyBox(s *frame.Surface, area frame.Rect) {
	box := s.Sub(area)
	inner := box.Box(d.t.Box, d.borderStyle(storyPane))
	s.Click(area, "pane", int(storyPane))
	w, h := inner.Size()
	inner = inner.Sub(frame.Rect{X: 1, Y: 0, W: w - 2, H: h})
	n := len(d.notice.laid.Lines)
	read, below := d.split(h)
	title := d.storyTitle()
	if n > 0 && !below {
		title = frame.L(d.notice.heading, d.notice.style)
	}
	box.Heading(0, title, d.storyNote())
	switch {
	case n == 0:
		live.Scrolled(inner, d.t, d.rows[storyPane], d.scroll[storyPane])
	case !below:
		offset := live.Offset(d.scroll[storyPane], d.rows[storyPane].Len(), h)
		live.Scrolled(inner, d.t, d.rows[storyPane], d.scroll[storyPane])
		d.notice.laid.Click(inner, offset)
	default:
		live.Scrolled(inner.Sub(frame.Rect{W: w - 2, H: read}), d.t, d.rows[storyPane], d.scroll[storyPane])
		box.Rule(1+read, d.t.Box, d.borderStyle(storyPane))
		box.Heading(1+read, frame.L(d.notice.heading, d.notice.style), nil)
		part := inner.Sub(frame.Rect{Y: read + 1, W: w - 2, H: h - read - 1})
		part.Rows(d.notice.laid.Lines, 0)
		d.notice.laid.Click(part, 0)
	}
}

// readRows is how few rows of the story there must be room for above a notice.
const readRows = 3

// split says how many rows of the story stand above the notice in a box of h rows;
// below is false when the notice comes first, and all of it is scrolled as one.
func (d *drawing) split(h int) (read int, below bool) {
	n := len(d.notice.laid.Lines)
	room := h - n - 1
	switch {
	case n == 0:
		return h, true
	case room >= d.read || room >= readRows:
		return min(d.read, room), true
	}
	return h, false
}

// storyNote is what stands at the right of the story's title.
func (d *drawing) storyNote() frame.Line {
	if d.doctor {
		return nil
	}
	return d.challengeNote()
}

// layStory lays out the story and the notice in w columns. What of them is scrolled
// is known once the box is: see settle.
func (d *drawing) layStory(w int, wants *layout.Wants) {
	lines := d.doctorLines(w)
	if !d.doctor {
		lines, d.notice = d.readLines(w), d.noticeLines(w)
	}
	d.rows[storyPane], d.read = lines, len(lines)
	wants.Story, wants.Now = d.read, len(d.notice.laid.Lines)
	if wants.Now > 0 {
		wants.Story += wants.Now + 1
	}
	wants.Asking = d.asking()
	wants.Looking = d.looking && !wants.Asking && d.turn() != revealing
}

// readLines are what the step tells from its beginning, and the hints.
func (d *drawing) readLines(w int) frame.Lines {
	l, t := d.Screen, d.t
	words := l.words()
	lines := l.texts.Story(words.Story, t, w)
	for i := 0; i < l.hints && i < len(words.Hints); i++ {
		hint := l.texts.Story(fmt.Sprintf("**Hint %d.** %s", i+1, words.Hints[i]), t, w)
		lines = append(append(lines, nil), hint...)
	}
	return lines
}

// words are the step's texts, filled in from the cluster once that was read.
func (l *Screen) words() lessons.Texts {
	if l.facts.judged.Position.Looked() {
		return l.facts.words
	}
	step := l.play.Step()
	unread := lessons.Texts{Story: blank.ReplaceAllString(step.Story, "…")}
	for _, hint := range step.Hints {
		unread.Hints = append(unread.Hints, blank.ReplaceAllString(hint, "…"))
	}
	return unread
}

// blank is what is filled in from the cluster.
var blank = regexp.MustCompile(`\$\{[^}]*\}`)

// settle makes of the story and the notice what is scrolled in a box of h rows.
func (d *drawing) settle(h int) {
	if _, below := d.split(h); below {
		return
	}
	read := d.rows[storyPane]
	d.rows[storyPane] = frame.Stack(d.notice.laid.Lines, frame.Lines{nil, frame.L(d.play.Step().Title, d.t.Strong)}, read)
}

func (l *Screen) large() bool { return l.class() == layout.Large }
