package contents

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
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

// withChallenges are the lessons and n challenges, which come first.
func withChallenges(all []*lessons.Lesson, n int) []*lessons.Lesson {
	var out []*lessons.Lesson
	for i := range n {
		out = append(out, &lessons.Lesson{
			ID: fmt.Sprintf("challenge-%d", i+1), Kind: lessons.KindChallenge, Number: i + 1, Title: fmt.Sprintf("Riddle %d", i+1), Summary: fmt.Sprintf("Symptom %d.", i+1),
			Minutes: 10, Level: i%3 + 1, Steps: make([]*lessons.Step, 1),
		})
	}
	return append(out, all...)
}

// upTo is the progress of a lesson of which some steps are done.
func upTo(done int) lessons.Progress { return lessons.Progress{Done: make([]string, done)} }

var update = flag.Bool("update", false, "rewrite the golden frames")

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got+"\n" != string(want) {
		t.Errorf("%s (go test ./ui/contents -update rewrites it):\n%s\nwant:\n%s", name, got, want)
	}
}

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
		if got, title := opens(t, New(some(3), c.progress, "", nil)); got != c.want || title != c.title {
			t.Errorf("with %v: %q (%s), want %q (%s)", c.progress, got, title, c.want, c.title)
		}
	}
}

func TestHowFarEachLessonIs(t *testing.T) {
	// More steps may be done than there are: the lesson was longer once.
	got := drawn(New(some(3), map[string]lessons.Progress{"lesson-1": upTo(7), "lesson-2": upTo(1)}, "", nil), 80, 24)
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
	c := New(some(3), nil, "", nil)
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
		c := New(some(30), nil, "", nil)
		for i := range 31 {
			if got := drawn(c, size[0], size[1]); strings.Count(got, "▸") != 1 {
				t.Fatalf("%v after %d steps:\n%s", size, i, got)
			}
			c.Do("down", 0)
		}
	}
}

func TestTheClusterBelowTheLessons(t *testing.T) {
	c := New(some(1), nil, "", nil)
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

// The lesson that was open last is where the person goes on, unless it is finished.
func TestTheCursorGoesOnWhereThePersonWas(t *testing.T) {
	progress := map[string]lessons.Progress{"lesson-1": upTo(4), "lesson-2": upTo(1), "lesson-4": upTo(2)}
	for last, want := range map[string]string{"": "lesson-2", "lesson-4": "lesson-4", "lesson-5": "lesson-5", "lesson-1": "lesson-2", "challenge-2": "challenge-2", "gone": "lesson-2"} {
		if got, _ := opens(t, New(withChallenges(some(8), 8), progress, last, nil)); got != want {
			t.Errorf("after %q: %q, want %q", last, got, want)
		}
	}
}

// Lessons and challenges stand apart, and eight of each fit on a small screen.
func TestLessonsAndChallenges(t *testing.T) {
	progress := map[string]lessons.Progress{"lesson-1": upTo(4), "challenge-1": {Done: []string{"mend"}, Score: lessons.Score{Changes: 1, Looks: 3}}}
	for _, size := range [][2]int{{80, 24}, {120, 40}, {200, 60}} {
		c := New(withChallenges(some(8), 8), progress, "", nil)
		got := drawn(c, size[0], size[1])
		for i := range 8 {
			row(t, got, fmt.Sprintf("Title %d", i+1))
			row(t, got, fmt.Sprintf("Riddle %d", i+1))
		}
		if strings.Index(got, "Title 8") > strings.Index(got, "Challenges") || strings.Index(got, "Challenges") > strings.Index(got, "Riddle 1") {
			t.Errorf("at %v they do not stand apart:\n%s", size, got)
		}
		row(t, got, "Summary 2.") // of the one under the cursor, at least
		if line := row(t, got, "Riddle 1"); !strings.Contains(line, "✓ solved with 1 change, 3 looks  ●◌◌ easy") {
			t.Errorf("a solved challenge is %q", line)
		}
		if line := row(t, got, "Riddle 3"); !strings.Contains(line, "●●● hard") {
			t.Errorf("a challenge is %q", line)
		}
		golden(t, fmt.Sprintf("contents-%dx%d", size[0], size[1]), got)
		c.Do("part", 0)
		if got, _ := opens(t, c); got != "challenge-1" {
			t.Errorf("the other part begins with %q", got)
		}
		c.Do("part", 0)
		if got, _ := opens(t, c); got != "lesson-1" {
			t.Errorf("the other part begins with %q", got)
		}
	}
}

// Where the list is longer than the screen, it says how much is above and below.
func TestALongListScrolls(t *testing.T) {
	c := New(withChallenges(some(30), 20), nil, "", nil)
	for i := range 50 {
		got := drawn(c, 80, 24)
		if strings.Count(got, "▸") != 1 || (i > 20 || i < 10) && !strings.Contains(got, " more") {
			t.Fatalf("after %d steps:\n%s", i, got)
		}
		if i == 0 && (strings.Contains(got, "↑") || !strings.Contains(got, "↓")) || i == 49 && (!strings.Contains(got, "↑") || strings.Contains(got, "↓")) {
			t.Fatalf("after %d steps:\n%s", i, got)
		}
		c.Do("down", 0)
	}
}

func TestNamesAreMadePrintable(t *testing.T) {
	all := withChallenges(some(2), 2)
	for _, l := range all {
		l.Title, l.Summary = "\x1b]0;owned\x07"+l.Title, "\x1b[2J\u202e"+strings.Repeat("long ", 50)
	}
	for _, look := range []theme.Options{{NoColor: true}, {ASCII: true, NoColor: true}} {
		for _, size := range [][2]int{{40, 12}, {80, 24}, {200, 60}} {
			s := frame.New(size[0], size[1])
			if look.ASCII {
				s = frame.NewASCII(size[0], size[1])
			}
			New(all, nil, "", nil).Draw(s, theme.New(look))
			if got := s.Render(); strings.Contains(got, "\x1b]") || strings.Contains(got, "\x1b[2J") || strings.Contains(got, "\u202e") {
				t.Errorf("an escape at %v: %q", size, got)
			}
		}
	}
}

// TestTheReview: what is due is asked for once, and said in the footer.
func TestTheReview(t *testing.T) {
	find := func(c *Screen) shell.Action {
		for _, a := range c.Actions() {
			if a.ID == "review" {
				return a
			}
		}
		t.Fatal("no action leads to the review")
		return shell.Action{}
	}
	c := New(some(1), nil, "", nil)
	if _, ok := c.Handle(shell.Size{W: 80, H: 24}).(shell.AskReview); !ok {
		t.Error("it does not ask what is due")
	}
	if c.Handle(shell.Size{W: 120, H: 40}) != nil {
		t.Error("it asks again at another size")
	}
	if a := find(c); !a.Hidden || c.Do("review", 0) != nil {
		t.Errorf("before there is a review: %+v", a)
	}
	c.Handle(shell.ReviewNews{})
	if a := find(c); a.Hidden || !a.Quiet || a.Title != "review" {
		t.Errorf("nothing is due: %+v", a)
	}
	c.Handle(shell.ReviewNews{Due: 3})
	c.Handle(shell.ReviewNews{Kept: true})
	if a := find(c); a.Quiet || a.Title != "review: 3 due" {
		t.Errorf("three are due: %+v", a)
	}
	if c.Do("review", 0) != (shell.Review{}) {
		t.Error("it does not lead there")
	}
}

// TestLeftOut: a lesson that has only left steps out is over.
func TestLeftOut(t *testing.T) {
	all := some(2)
	partly := upTo(3)
	partly.LeftOut = []string{"last"}
	c := New(all, map[string]lessons.Progress{"lesson-1": partly}, "lesson-1", nil)
	if at := c.goesOn(); at != 1 {
		t.Errorf("it goes on at row %d, want the other lesson", at)
	}
	if got := c.state(theme.New(theme.Options{}), all[0]).Plain(); !strings.Contains(got, "done, 1 left out") {
		t.Errorf("it is %q", got)
	}
}

// TestKnown: a lesson whose questions were answered is passed over, and stays open.
func TestKnown(t *testing.T) {
	all := some(3)
	c := New(all, nil, "", nil)
	find := func() shell.Action {
		for _, a := range c.Actions() {
			if a.ID == "place" {
				return a
			}
		}
		return shell.Action{}
	}
	if a := find(); !a.Hidden || c.Do("place", 0) != nil {
		t.Errorf("there is no review, and %+v", a)
	}
	c.Handle(shell.ReviewNews{})
	if a := find(); a.Hidden || c.Do("place", 0) != (shell.Place{Lesson: all[0].ID}) {
		t.Errorf("%+v does not lead to the questions", a)
	}
	c.Handle(shell.ReviewNews{Known: []string{all[0].ID}})
	if c.list.Row() != 1 {
		t.Errorf("the cursor stands at row %d, want the lesson that is not known", c.list.Row())
	}
	if got := c.state(theme.New(theme.Options{}), all[0]).Plain(); !strings.Contains(got, "known") {
		t.Errorf("it is %q", got)
	}
	c.Do("up", 0)
	if c.Handle(shell.ReviewNews{Known: []string{all[0].ID}}); c.list.Row() != 0 {
		t.Error("the cursor is moved away from under the person")
	}
	if a := find(); !a.Hidden {
		t.Errorf("asked again: %+v", a)
	}
	if c.Do("open", 0) != (shell.Open{Lesson: all[0].ID}) {
		t.Error("a known lesson cannot be opened")
	}
}
