package desk

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	tea "charm.land/bubbletea/v2"
)

// program ends in a way of its own.
type program struct {
	start  tea.Cmd
	update func() tea.Cmd
	view   func() string
}

func (p program) Init() tea.Cmd                       { return p.start }
func (p program) Update(tea.Msg) (tea.Model, tea.Cmd) { return p, p.update() }
func (p program) View() tea.View                      { return tea.NewView(p.view()) }

// log is a desk's log.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// TestHowTheTourEnds holds what is said of the ends of Bubble Tea's loop against
// the loop itself. The trace of a crash is in the log by then.
func TestHowTheTourEnds(t *testing.T) {
	none, empty := func() tea.Cmd { return nil }, func() string { return "" }
	panics := func() tea.Msg { panic("out of range") }
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		program program
		ctx     context.Context
		in      io.Reader
		want    string // "" for no error
	}{
		"quit":               {program: program{tea.Quit, none, empty}},
		"interrupt":          {program: program{tea.Interrupt, none, empty}},
		"its context ends":   {program: program{nil, none, empty}, ctx: ended},
		"panic in Update":    {program: program{nil, func() tea.Cmd { panic("out of range") }, empty}, want: ErrCrashed.Error()},
		"panic in View":      {program: program{nil, none, func() string { panic("out of range") }}, want: ErrCrashed.Error()},
		"panic in a command": {program: program{panics, none, empty}, want: ErrCrashed.Error()},
		"panic in a batch":   {program: program{tea.Batch(panics, func() tea.Msg { return nil }), none, empty}, want: ErrCrashed.Error()},
		"panic in a sequence": {
			program: program{tea.Sequence(func() tea.Msg { return nil }, tea.Batch(func() tea.Msg { return nil }, panics)), none, empty},
			want:    ErrCrashed.Error(),
		},
		"no terminal": {program: program{nil, none, empty}, in: iotest.ErrReader(errors.New("it is gone")), want: "run the tour: program was killed: "},
	} {
		t.Run(name, func(t *testing.T) {
			if c.ctx == nil {
				c.ctx = t.Context()
			}
			var said log
			d := New(Options{In: c.in, Log: &said})
			if c.in == nil {
				silent, hangUp := io.Pipe()
				defer hangUp.Close()
				d.options.In = silent
			}
			err := d.loop(c.ctx, c.program)
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)):
				t.Errorf("%v, want %q", err, c.want)
			}
			crashed := strings.HasPrefix(name, "panic")
			text := said.String()
			if crashed != (strings.Contains(text, "out of range") && strings.Contains(text, "desk.TestHowTheTourEnds")) {
				t.Errorf("the log has %q", text)
			}
		})
	}
}

// TestSuspend: ^Z stops the process group, and with it every desk in it.
func TestSuspend(t *testing.T) {
	for may, want := range map[bool]bool{false: true, true: false} {
		d := New(Options{Rights: Rights{Suspend: may}})
		if dropped := d.filter(nil, tea.SuspendMsg{}) == nil; dropped != want {
			t.Errorf("may suspend: %v, dropped: %v", may, dropped)
		}
		if d.filter(nil, tea.QuitMsg{}) == nil {
			t.Error("other messages are dropped")
		}
	}
}
