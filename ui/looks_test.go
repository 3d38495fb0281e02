package ui

import (
	"context"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"svctour/model/path"
	"svctour/ui/frame"
	"svctour/ui/shell"
	"svctour/ui/theme"
)

// still is a screen on which nothing moves, or something does.
type still struct{ moves bool }

func (s *still) Actions() []shell.Action           { return nil }
func (s *still) Do(string, int) shell.Intent       { return nil }
func (s *still) Handle(any) shell.Intent           { return nil }
func (s *still) Animating() bool                   { return s.moves }
func (s *still) Draw(*frame.Surface, *theme.Theme) {}

// A node is looked at less and less often while nothing happens, and soon again
// once something does: the cluster changes, its rules do, or a packet walks. One
// that could not be read is not asked sooner for that.
func TestLooksBecomeRare(t *testing.T) {
	var pauses []time.Duration
	screen := &still{}
	a := &App{ctx: context.Background(), screen: screen}
	a.options.Timer = func(after time.Duration, _ func(time.Time) tea.Msg) tea.Cmd {
		pauses = append(pauses, after)
		return nil
	}
	expect := func(what string, want ...time.Duration) {
		t.Helper()
		if len(pauses) != len(want) {
			t.Fatalf("%s: pauses %v, want %v", what, pauses, want)
		}
		for i := range want {
			if pauses[i] != want[i] {
				t.Fatalf("%s: pauses %v, want %v", what, pauses, want)
			}
		}
		pauses = nil
	}
	quiet := rulesMsg{news: true}
	for range 5 {
		a.rulesRead(quiet)
	}
	expect("quiet", 2*observePace, 3*observePace, 4*observePace, 4*observePace, 4*observePace)
	planned := a.watch.turn
	a.lookSooner()
	expect("the cluster has changed", observePace)
	if a.watch.turn == planned {
		t.Error("the look that was planned before is not dropped")
	}
	a.lookSooner()
	expect("and again")
	changed := quiet
	changed.rules.Changed = []path.Difference{{}}
	a.rulesRead(quiet)
	a.rulesRead(changed)
	expect("rules have changed", 2*observePace, observePace)
	screen.moves = true
	a.rulesRead(quiet)
	expect("a packet walks", observePace)
	screen.moves = false
	silent := quiet
	silent.rules.Err = "no kube-proxy"
	a.rulesRead(silent)
	a.lookSooner()
	expect("it could not be read", observeRetry)
}
