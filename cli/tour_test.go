package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	tea "charm.land/bubbletea/v2"

	"svctour/lab"
	"svctour/ui/shell"
)

// Leaving the tour removes the namespace that the dialog names: a proof of
// lessons or a probe of somebody else's may be at work in another of svctour's.
func TestLeavingTheTourRemovesItsNamespaceOnly(t *testing.T) {
	alone(t)
	api := newFakeCluster(t, "tour", "svctour-auto", "svctour-probe-x7k2p")
	b := &backend{globals: &globals{Kubeconfig: api.kubeconfig}, ctx: t.Context()}
	s, err := b.Connect(t.Context(), shell.Choice{Context: "c"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Clean(t.Context()); err != nil {
		t.Fatal(err)
	}
	if wrote := api.wrote(); len(wrote) > 0 {
		t.Errorf("a tour that made nothing wrote %q", wrote)
	}
	if name, err := s.EnsureNamespace(t.Context()); err != nil || name != "tour" {
		t.Fatalf("got namespace %q, %v", name, err)
	}
	if err := s.Clean(t.Context()); err != nil {
		t.Fatal(err)
	}
	var removed []string
	for _, write := range api.wrote() {
		if name, is := strings.CutPrefix(write, "DELETE /api/v1/namespaces/"); is && !strings.Contains(name, "/") {
			removed = append(removed, name)
		}
	}
	if !slices.Equal(removed, []string{"tour"}) {
		t.Errorf("removed namespaces %q", removed)
	}
}

// A lab that ended between its start and the connection is no reason to open the
// person's own current context in its place.
func TestALabThatHasEndedIsNotReplaced(t *testing.T) {
	alone(t)
	api := newFakeCluster(t, "tour")
	t.Setenv("KUBECONFIG", api.kubeconfig)
	b := &backend{globals: &globals{}, ctx: t.Context()}
	if version, err := b.Probe(t.Context(), shell.Choice{Lab: true}); !errors.Is(err, lab.ErrNotRunning) {
		t.Errorf("probed a server of version %q, %v", version, err)
	}
	if s, err := b.Connect(t.Context(), shell.Choice{Lab: true}); !errors.Is(err, lab.ErrNotRunning) {
		t.Errorf("connected: %v", err)
		s.Close()
	}
}

// program ends in a way of its own.
type program struct {
	start  tea.Cmd
	update func() tea.Cmd
}

func (p program) Init() tea.Cmd                       { return p.start }
func (p program) Update(tea.Msg) (tea.Model, tea.Cmd) { return p, p.update() }
func (p program) View() tea.View                      { return tea.NewView("") }

// TestTourEnd holds what is said of the ends of Bubble Tea's loop against the
// loop itself.
func TestTourEnd(t *testing.T) {
	none := func() tea.Cmd { return nil }
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	log := filepath.Join(t.TempDir(), "log")
	for name, c := range map[string]struct {
		program program
		ctx     context.Context
		in      io.Reader
		want    string // before the log's path; "" for no error
	}{
		"quit":               {program: program{tea.Quit, none}},
		"interrupt":          {program: program{tea.Interrupt, none}},
		"signal":             {program: program{nil, none}, ctx: ended},
		"panic in a command": {program: program{func() tea.Msg { panic("out of reach") }, none}, want: "the tour has crashed; where is written in "},
		"no terminal":        {program: program{nil, none}, in: iotest.ErrReader(errors.New("it is gone")), want: "run the tour: program was killed: "},
	} {
		if c.ctx == nil {
			c.ctx = t.Context()
		}
		_, err := tea.NewProgram(c.program, tea.WithContext(c.ctx), tea.WithInput(c.in), tea.WithOutput(io.Discard)).Run()
		switch err = tourEnd(err, log); {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want) || !strings.Contains(err.Error(), log)):
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// The trace of a crash is in the log that the person is told of.
func TestTraceOfACrash(t *testing.T) {
	alone(t)
	log, restore, err := quiet()
	if err != nil {
		t.Fatal(err)
	}
	crashing := program{nil, func() tea.Cmd { panic("out of range") }}
	_, err = tea.NewProgram(crashing, tea.WithInput(nil), tea.WithOutput(io.Discard)).Run()
	if err := tourEnd(err, log); err == nil || err.Error() != "the tour has crashed; where is written in "+log {
		t.Errorf("got %v", err)
	}
	if err := restore(); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(log); err != nil || !strings.Contains(string(text), "out of range") || !strings.Contains(string(text), "cli.program.Update") {
		t.Errorf("%v, the log has %q", err, text)
	}
}

func TestAwaitTrace(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	file, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString("goroutine leaks\nCaught panic:\r\n\r\nout of range\r\n"); err != nil {
		t.Fatal(err)
	}
	go file.WriteString("goroutine 7 [running]:\r\n") //nolint:errcheck // what is waited for tells
	awaitTrace(log)
	if text, err := os.ReadFile(log); err != nil || !strings.Contains(string(text), "goroutine 7") {
		t.Errorf("%v: %q", err, text)
	}
}
