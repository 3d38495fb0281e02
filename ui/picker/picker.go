// Package picker is the first screen: which cluster to look at.
package picker

import (
	"fmt"
	"path/filepath"

	"svctour/ui/frame"
	"svctour/ui/list"
	"svctour/ui/shell"
	"svctour/ui/theme"
)

// Screen lists the lab and every kubeconfig context.
type Screen struct {
	rows   []row
	list   list.List
	err    string // why the kubeconfig could not be read
	loaded bool
}

type row struct {
	choice  shell.Choice
	probed  bool
	version string
	err     string
}

// New makes the screen with the lab as its only choice until Load.
func New() *Screen {
	p := &Screen{rows: []row{{choice: shell.Choice{Lab: true}}}}
	p.index()
	return p
}

// index tells the list what its rows are searched by.
func (p *Screen) index() {
	var keys []string
	for _, r := range p.rows {
		keys = append(keys, r.choice.Name()+" "+r.choice.Server)
	}
	p.list.Set(keys)
}

// Load fills in the choices; err is shown below them.
func (p *Screen) Load(choices []shell.Choice, err error) {
	p.loaded = true
	if err != nil {
		p.err = err.Error()
	}
	if len(choices) == 0 {
		return
	}
	p.rows = p.rows[:0]
	for _, c := range choices {
		p.rows = append(p.rows, row{choice: c})
	}
	p.index()
}

// Actions implements shell.Screen.
func (p *Screen) Actions() []shell.Action {
	return []shell.Action{
		{ID: "choose", Keys: []string{"enter"}, Title: "open", Why: p.none()},
		{ID: "up", Keys: []string{"up", "k"}, Title: "up", Help: "up (down: j)", Quiet: true},
		{ID: "down", Keys: []string{"down", "j"}, Title: "down", Hidden: true},
		{ID: "search", Keys: []string{"/"}, Title: "search", Help: "search the list by name or address (esc: all again)", Quiet: len(p.rows) <= few},
		{ID: "quit", Keys: []string{"q", "esc"}, Title: "quit"},
	}
}

// few is how many clusters are seen at a glance, without a search.
const few = 8

// none says why there is nothing to open; "" when there is.
func (p *Screen) none() string {
	if p.list.Row() < 0 {
		return "nothing matches the search"
	}
	return ""
}

// Reading implements shell.Reader.
func (p *Screen) Reading() bool { return p.list.Searching() }

// Key implements shell.Reader.
func (p *Screen) Key(key, text string) bool { return p.list.Key(key, text) }

// Do implements shell.Screen.
func (p *Screen) Do(id string, n int) shell.Intent {
	switch id {
	case "up":
		p.list.Step(-1)
	case "down":
		p.list.Step(1)
	case "search":
		p.list.Search()
	case "choose":
		if row := p.list.Row(); row >= 0 {
			return shell.Choose{Choice: p.rows[row].choice}
		}
	case "row":
		if p.list.Go(n) {
			return shell.Choose{Choice: p.rows[n].choice}
		}
	case "quit":
		return shell.Quit{}
	}
	return nil
}

// Handle implements shell.Screen.
func (p *Screen) Handle(msg any) shell.Intent {
	if probed, ok := msg.(shell.Probed); ok {
		for i := range p.rows {
			if p.rows[i].choice == probed.Choice {
				p.rows[i].probed, p.rows[i].version, p.rows[i].err = true, probed.Version, probed.Err
			}
		}
	}
	return nil
}

// Animating implements shell.Screen.
func (p *Screen) Animating() bool { return false }

// Draw implements shell.Screen.
func (p *Screen) Draw(s *frame.Surface, t *theme.Theme) {
	w, h := s.Size()
	width := min(w-4, 96)
	body := s.Sub(frame.Rect{X: (w - width) / 2, Y: 1, W: width, H: h - 2})
	_, bodyH := body.Size()
	y := 0
	if bodyH >= 16 {
		y = 1
	}
	body.Text(0, y, "svctour", t.Title)
	body.Text(9, y, "Kubernetes Services, made visible", t.Text)
	y += 2
	if bodyH >= 14 {
		for _, l := range frame.Wrap(frame.L("Create a Service step by step and watch its EndpointSlices, the way a packet takes and what its name resolves to, read live from a real cluster.", t.Muted), width, 0) {
			body.Line(0, y, width, l)
			y++
		}
		y++
	}
	p.drawTitle(body, t, y)
	y++
	room := max(1, (bodyH-y-2)/2)
	for _, row := range p.list.Window(room) {
		p.drawRow(body, t, row, y, width)
		y += 2
	}
	if hidden := p.list.Len() - room; hidden > 0 {
		body.Right(width, y-1, fmt.Sprintf("%d of %d", p.list.Place()+1, p.list.Len()), t.Muted)
	}
	if p.err != "" && y < bodyH {
		for _, l := range frame.Wrap(frame.L(p.err, t.Warn), width, 0) {
			body.Line(0, y, width, l)
			y++
		}
	}
}

// drawTitle asks the screen's question, and shows what is searched for.
func (p *Screen) drawTitle(s *frame.Surface, t *theme.Theme, y int) {
	x := s.Text(0, y, "Where?", t.Strong)
	if !p.list.Searching() && p.list.Searched() == "" {
		return
	}
	x += 2 + s.Text(x+2, y, "/", t.Key)
	x += s.Text(x+1, y, p.list.Searched(), t.Text)
	if p.list.Searching() {
		s.Text(x+1, y, " ", frame.Style{Reverse: true})
	}
}

func (p *Screen) drawRow(s *frame.Surface, t *theme.Theme, i, y, w int) {
	r := p.rows[i]
	pointer, style := "  ", t.Text
	if i == p.list.Row() {
		pointer, style = t.Glyph.Pointer+" ", t.Selected
		s.Fill(frame.Rect{X: 0, Y: y, W: w, H: 1}, t.Selected)
	}
	s.Text(0, y, pointer, style.With(t.Key))
	if r.choice.Lab {
		s.Text(2, y, "The lab", style.With(t.Strong))
		s.Line(2, y+1, w-2, frame.L(labText(r.choice), t.Muted))
	} else {
		at := 2 + s.Text(2, y, frame.Truncate(r.choice.Context, w/2), style.With(t.Strong))
		if r.choice.Current {
			s.Text(at+2, y, "current context", style.With(t.Muted))
		}
		text, state := p.state(r, t)
		s.Line(2, y+1, w-2, frame.Line{{Text: text + "  ", Style: state}, {Text: r.choice.Server, Style: t.Muted}})
	}
	s.Click(frame.Rect{X: 0, Y: y, W: w, H: 2}, "row", i)
}

func labText(c shell.Choice) string {
	if c.Running {
		return "Running already: real Kubernetes, with what was made in it."
	}
	return "Real Kubernetes inside this program: ready in seconds, gone when you quit."
}

func (p *Screen) state(r row, t *theme.Theme) (string, frame.Style) {
	switch {
	case r.choice.Plugin != "":
		return fmt.Sprintf("%s signs in with %s; asked when chosen", t.Glyph.Pending, filepath.Base(r.choice.Plugin)), t.Muted
	case !r.probed:
		return t.Glyph.Pending + " asking", t.Muted
	case r.err != "":
		return t.Glyph.Cross + " " + r.err, t.Bad
	}
	return t.Glyph.Check + " answers, " + r.version, t.Good
}
