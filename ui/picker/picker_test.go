package picker

import (
	"fmt"
	"strings"
	"testing"

	"svctour/ui/frame"
	"svctour/ui/shell"
	"svctour/ui/theme"
)

func drawn(p *Screen, w, h int) string {
	s := frame.New(w, h)
	p.Draw(s, theme.New(theme.Options{}))
	return s.Plain()
}

// many is a picker of the lab and n contexts.
func many(n int) *Screen {
	choices := []shell.Choice{{Lab: true}}
	for i := range n {
		choices = append(choices, shell.Choice{Context: fmt.Sprintf("cluster-%02d", i), Server: fmt.Sprintf("https://192.0.2.%d:6443", i)})
	}
	p := New()
	p.Load(choices, nil)
	return p
}

func action(p *Screen, id string) shell.Action {
	for _, a := range p.Actions() {
		if a.ID == id {
			return a
		}
	}
	return shell.Action{}
}

func TestTheCursorIsInSight(t *testing.T) {
	for _, size := range [][2]int{{40, 12}, {80, 24}, {200, 60}} {
		p := many(40)
		for i := range 82 {
			if got := drawn(p, size[0], size[1]); strings.Count(got, "▸") != 1 {
				t.Fatalf("%v after %d steps:\n%s", size, i, got)
			}
			p.Do("down", 0)
		}
	}
}

func TestSearch(t *testing.T) {
	p := many(40)
	if action(p, "search").Quiet {
		t.Error("a long list does not say that it can be searched")
	}
	p.Do("search", 0)
	for _, r := range "2.17" {
		if !p.Key(string(r), string(r)) {
			t.Fatalf("%q is not used", r)
		}
	}
	got := drawn(p, 80, 24)
	if !strings.Contains(got, "/ 2.17") || !strings.Contains(got, "cluster-17") || strings.Contains(got, "cluster-16") {
		t.Errorf("searched for 2.17:\n%s", got)
	}
	if p.Key("enter", "") || p.Reading() {
		t.Error("enter goes on reading")
	}
	if chosen, _ := p.Do("choose", 0).(shell.Choose); chosen.Choice.Context != "cluster-17" {
		t.Errorf("chose %+v", chosen)
	}
	p.Do("search", 0)
	p.Key("x", "x")
	if action(p, "choose").Why == "" || p.Do("choose", 0) != nil || p.Do("row", 3) != nil {
		t.Error("something is chosen that does not match")
	}
	p.Key("esc", "")
	if got := drawn(p, 200, 60); !strings.Contains(got, "cluster-16") || strings.Contains(got, "/") && strings.Contains(got, "Where?  /") {
		t.Errorf("escape does not show all again:\n%s", got)
	}
}

func TestProbesAreShownBesideTheirCluster(t *testing.T) {
	p := many(2)
	p.Handle(shell.Probed{Choice: shell.Choice{Context: "cluster-01", Server: "https://192.0.2.1:6443"}, Version: "v1.37.2"})
	p.Handle(shell.Probed{Choice: shell.Choice{Context: "cluster-00", Server: "https://192.0.2.0:6443"}, Err: "no\x1b[2J route"})
	got := drawn(p, 80, 24)
	if !strings.Contains(got, "answers, v1.37.2  https://192.0.2.1:6443") || strings.Contains(got, "\x1b") {
		t.Error(got)
	}
}
