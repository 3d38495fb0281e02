package contents

import (
	"fmt"
	"strings"
	"testing"

	"svctour/lessons"
	"svctour/model"
	"svctour/ui/frame"
	"svctour/ui/shell"
	"svctour/ui/theme"
)

// some is n lessons of four steps each.
func some(n int) []*lessons.Lesson {
	var out []*lessons.Lesson
	for i := range n {
		out = append(out, &lessons.Lesson{
			ID: fmt.Sprintf("lesson-%d", i+1), Number: i + 1, Title: fmt.Sprintf("Title %d", i+1), Summary: fmt.Sprintf("Summary %d.", i+1),
			Minutes: 10, Steps: make([]*lessons.Step, 4),
		})
	}
	return out
}

// upTo is the progress of a lesson of which some steps are done.
func upTo(done int) lessons.Progress { return lessons.Progress{Done: make([]string, done)} }

func drawn(c *Screen, w, h int) string {
	s := frame.New(w, h)
	c.Draw(s, theme.New(theme.Options{}))
	return s.Plain()
}

// row is the line of the screen that has a text.
func row(t *testing.T, screen, text string) string {
	t.Helper()
	for line := range strings.SplitSeq(screen, "\n") {
		if strings.Contains(line, text) {
			return line
		}
	}
	t.Fatalf("no line has %q:\n%s", text, screen)
	return ""
}

func opens(t *testing.T, c *Screen) (lesson, title string) {
	t.Helper()
	open, ok := c.Do("open", 0).(shell.Open)
	if !ok {
		t.Fatalf("enter asks for %#v", c.Do("open", 0))
	}
	return open.Lesson, c.Actions()[0].Title
}

func TestTheCursorStandsOnTheFirstUnfinishedLesson(t *testing.T) {
	for _, c := range []struct {
		progress    map[string]lessons.Progress
		want, title string
	}{
		{nil, "lesson-1", "begin"},
		{map[string]lessons.Progress{"lesson-1": upTo(4)}, "lesson-2", "begin"},
		{map[string]lessons.Progress{"lesson-1": upTo(4), "lesson-2": upTo(1)}, "lesson-2", "go on"},
		{map[string]lessons.Progress{"lesson-1": upTo(4), "lesson-2": upTo(4), "lesson-3": upTo(4)}, "lesson-1", "look again"},
	} {
		if got, title := opens(t, New(some(3), c.progress, nil)); got != c.want || title != c.title {
			t.Errorf("with %v: %q (%s), want %q (%s)", c.progress, got, title, c.want, c.title)
		}
	}
}

func TestHowFarEachLessonIs(t *testing.T) {
	// More steps may be done than there are: the lesson was longer once.
	got := drawn(New(some(3), map[string]lessons.Progress{"lesson-1": upTo(7), "lesson-2": upTo(1)}, nil), 80, 24)
	for title, state := range map[string]string{"Title 1": "✓ done", "Title 2": "1 of 4 steps", "Title 3": "4 steps, about 10 min"} {
		if line := row(t, got, title); !strings.Contains(line, state) {
			t.Errorf("%q lacks %q", line, state)
		}
	}
	if line := row(t, got, "Title 2"); !strings.Contains(line, "▸") {
		t.Errorf("the cursor is not at %q", line)
	}
}

func TestMovingAndOpening(t *testing.T) {
	c := New(some(3), nil, nil)
	c.Do("down", 0)
	c.Do("down", 0)
	if got, _ := opens(t, c); got != "lesson-3" {
		t.Errorf("after going down: %q", got)
	}
	c.Do("up", 0)
	if got, _ := opens(t, c); got != "lesson-2" {
		t.Errorf("after going up: %q", got)
	}
	if open, _ := c.Do("row", 0).(shell.Open); open.Lesson != "lesson-1" {
		t.Errorf("a click opens %q", open.Lesson)
	}
	for id, want := range map[string]shell.Intent{"picker": shell.Picker{}, "quit": shell.Quit{}, "nonsense": nil} {
		if got := c.Do(id, 0); got != want {
			t.Errorf("%s asks for %#v, want %#v", id, got, want)
		}
	}
}

func TestTheCursorIsInSight(t *testing.T) {
	for _, size := range [][2]int{{40, 12}, {80, 24}, {200, 60}} {
		c := New(some(30), nil, nil)
		for i := range 31 {
			if got := drawn(c, size[0], size[1]); strings.Count(got, "▸") != 1 {
				t.Fatalf("%v after %d steps:\n%s", size, i, got)
			}
			c.Do("down", 0)
		}
	}
}

func TestTheClusterBelowTheLessons(t *testing.T) {
	c := New(some(1), nil, nil)
	if got := drawn(c, 80, 24); strings.Contains(got, "This cluster") {
		t.Errorf("a cluster that was not read:\n%s", got)
	}
	node := func(name, ready string) *model.Node {
		return &model.Node{Meta: model.Meta{Name: name}, Conditions: []model.Condition{{Type: "Ready", Status: ready}}}
	}
	s := model.Snapshot{Nodes: []*model.Node{node("node-1", "True"), node("node-2", "Unknown")}, Pods: []*model.Pod{{}}}
	c.Handle(shell.World{Snapshot: model.NewSnapshot(s)})
	row(t, drawn(c, 80, 24), "This cluster: 0 Services, 1 Pods, 1 of 2 nodes ready")

	s.Nodes, s.Cluster.Namespace = nil, "shop"
	s.Sync.Missing, s.Sync.Unwatched = map[string]string{"nodes": "forbidden", "namespaces": "forbidden"}, []string{"pods"}
	c.Handle(shell.World{Snapshot: model.NewSnapshot(s)})
	got := strings.Join(strings.Fields(drawn(c, 80, 24)), " ")
	for _, want := range []string{
		"This cluster: 0 Services, 1 Pods Only", `Only namespace "shop" can be read.`,
		"You may not read namespaces, nodes: what depends on them stays unknown.", "You may not watch pods: they are listed again every few seconds.",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in %q", want, got)
		}
	}
}
