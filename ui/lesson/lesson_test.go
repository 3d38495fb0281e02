package lesson

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"svctour/lessons"
	"svctour/model"
	"svctour/ui/frame"
	"svctour/ui/shell"
	"svctour/ui/theme"
)

var plainTheme = theme.New(theme.Options{})

// cluster has the lesson's namespace with n Pods of the Deployment web.
func cluster(n int) *model.Snapshot {
	s := model.Snapshot{Sequence: uint64(n) + 1, Sync: model.Sync{Synced: true}, Proxy: model.DefaultProxy(),
		Namespaces: []*model.Namespace{{Meta: model.Meta{Name: "tour", UID: "ns-tour"}, Phase: "Active"}}}
	labels := map[string]string{"app": "web"}
	for i := range n {
		name := fmt.Sprintf("web-6d4b75cb6d-%05d", i)
		s.Pods = append(s.Pods, &model.Pod{Meta: model.Meta{Namespace: "tour", Name: name, UID: name, Labels: labels}, Node: "node-1", Phase: "Running",
			IPs: []string{fmt.Sprintf("10.244.%d.%d", i/250, i%250+1)}, Conditions: []model.Condition{{Type: "Ready", Status: "True"}}})
	}
	if n > 0 {
		s.Deployments = []*model.Deployment{{Meta: model.Meta{Namespace: "tour", Name: "web", UID: "web", Generation: 1, Labels: labels}, Selector: labels, TemplateLabels: labels,
			Replicas: int32(n), Updated: int32(n), Ready: int32(n), Available: int32(n), Observed: 1}}
	}
	return model.NewSnapshot(s)
}

// first is the first lesson at its first step, on a screen of w×h cells.
func first(t testing.TB, w, h int) *Screen {
	t.Helper()
	list, err := lessons.Load(os.DirFS("../../test/uitest/testdata/lessons"))
	if err != nil {
		t.Fatal(err)
	}
	play, err := lessons.NewPlay(list[0], "tour", lessons.Progress{})
	if err != nil {
		t.Fatal(err)
	}
	return New(play, "tour", shell.Size{W: w, H: h}, 1, plainTheme)
}

// asked are the intents of one kind.
func asked[T any](intent shell.Intent) []T {
	switch in := intent.(type) {
	case T:
		return []T{in}
	case shell.Intents:
		var out []T
		for _, one := range in {
			out = append(out, asked[T](one)...)
		}
		return out
	}
	return nil
}

// computed does the one computation that was asked for and gives its answer.
func computed(t testing.TB, intent shell.Intent) shell.Computed {
	t.Helper()
	list := asked[shell.Compute](intent)
	if len(list) != 1 {
		t.Fatalf("%d computations were asked for: %#v", len(list), intent)
	}
	return shell.Computed{Serial: list[0].Serial, Value: list[0].Work()}
}

// show lets the screen see a picture, and compute until nothing is left to do.
func show(t testing.TB, l *Screen, s *model.Snapshot) {
	t.Helper()
	intent := l.Handle(shell.World{Snapshot: s})
	for range 10 {
		if len(asked[shell.Compute](intent)) == 0 {
			return
		}
		intent = l.Handle(computed(t, intent))
	}
	t.Fatal("it computes without an end")
}

func drawn(l *Screen, w, h int) string {
	s := frame.New(w, h)
	l.Draw(s, plainTheme)
	return s.Plain()
}

func TestTheLastPictureStandsUntilTheNextIsComputed(t *testing.T) {
	l := first(t, 120, 40)
	show(t, l, cluster(0))
	before := drawn(l, 120, 40)
	one := computed(t, l.Handle(shell.World{Snapshot: cluster(1)}))
	if got := drawn(l, 120, 40); got != before {
		t.Fatalf("something is drawn that was not computed:\n%s", got)
	}
	for n := 2; n <= 3; n++ { // come while the first is computed
		if intent := l.Handle(shell.World{Snapshot: cluster(n)}); intent != nil {
			t.Fatalf("two computations are under way: %#v", intent)
		}
	}
	next := l.Handle(one)
	if got := drawn(l, 120, 40); !strings.Contains(got, "web-…00000") && !strings.Contains(got, "-00000") || strings.Contains(got, "-00002") {
		t.Fatalf("the first of three pictures:\n%s", got)
	}
	l.Handle(computed(t, next))
	if got := drawn(l, 120, 40); !strings.Contains(got, "00002") {
		t.Fatalf("the last of three pictures:\n%s", got)
	}
	after := drawn(l, 120, 40)
	if intent := l.Handle(one); intent != nil || drawn(l, 120, 40) != after {
		t.Error("an older answer took the place of a newer one")
	}
}

// What is computed for one step says nothing of another: neither is it done, nor
// is its command run.
func TestALateAnswerIsOfItsOwnStepOnly(t *testing.T) {
	l := first(t, 120, 40)
	show(t, l, cluster(0))
	late := computed(t, l.Handle(shell.World{Snapshot: cluster(3)})) // makes the first step done
	if intent := l.Do("next", 0); len(asked[shell.Compute](intent)) != 0 {
		t.Fatalf("two computations are under way: %#v", intent)
	}
	if run := asked[shell.Run](l.Do("go", 0)); len(run) != 0 {
		t.Fatalf("it runs %v before the step was looked at", run)
	}
	intent := l.Handle(late)
	if l.play.Done(0) || l.play.Done(1) || len(asked[shell.Save](intent)) != 0 {
		t.Fatal("the late answer was taken for this step's")
	}
	l.Handle(computed(t, intent))
	if !l.facts.judged.Position.Looked() || l.facts.judged.Position.Step() != l.play.Step() {
		t.Error("the step itself was not computed")
	}
}

// Drawing changes nothing, so that one screen can be drawn at several sizes; keys
// scroll by what is there at the screen's own.
func TestDrawingChangesNothing(t *testing.T) {
	l := first(t, 80, 24)
	show(t, l, cluster(60))
	l.Do("pane", int(filePane))
	own := drawn(l, 80, 24)
	for range 200 {
		l.Do("page down", 0)
	}
	end := drawn(l, 80, 24)
	if !strings.Contains(end, "containerPort") || strings.Contains(own, "containerPort") {
		t.Fatalf("scrolled to the end:\n%s", end)
	}
	for _, size := range [][2]int{{40, 12}, {120, 40}, {200, 60}, {80, 24}} {
		if a, b := drawn(l, size[0], size[1]), drawn(l, size[0], size[1]); a != b {
			t.Fatalf("at %v drawn twice:\n%s\n%s", size, a, b)
		}
	}
	if got := drawn(l, 80, 24); got != end {
		t.Fatalf("other sizes changed it:\n%s", got)
	}
	l.Do("up", 0)
	if got := drawn(l, 80, 24); got == end || strings.Contains(got, "containerPort") {
		t.Errorf("one row up from the end:\n%s", got)
	}
}

// The doctor is asked, by an intent, when the panes have changed; its report is
// drawn when it comes.
func TestTheDoctorIsAskedOnce(t *testing.T) {
	l := first(t, 120, 40)
	show(t, l, cluster(3))
	for i := 0; l.service() == "" && i < 20; i++ {
		l.Do("next", 0)
		show(t, l, cluster(3))
	}
	first := asked[shell.Diagnose](l.Do("doctor", 0))
	if len(first) != 1 || first[0].Service != l.service() || first[0].Namespace != "tour" {
		t.Fatalf("asked for %+v", first)
	}
	intent := l.Handle(computed(t, l.Handle(shell.World{Snapshot: cluster(2)})))
	if len(asked[shell.Diagnose](intent)) != 0 {
		t.Fatal("two diagnoses are under way")
	}
	again := asked[shell.Diagnose](l.Handle(shell.Diagnosed{Serial: first[0].Serial}))
	if len(again) != 1 {
		t.Fatal("the picture has changed since the diagnosis began")
	}
	if left := l.Handle(shell.Diagnosed{Serial: again[0].Serial}); len(asked[shell.Diagnose](left)) != 0 {
		t.Error("it is asked without an end")
	}
}

// A command that is asked for in the moment before the step was looked at runs
// after it, once, and only if the step still wants it.
func TestEnterIsNotLostBeforeTheFirstLook(t *testing.T) {
	for _, c := range []struct {
		pods, runs int
	}{{0, 1}, {3, 0}} {
		l := first(t, 120, 40)
		answer := computed(t, l.Handle(shell.World{Snapshot: cluster(c.pods)}))
		for range 2 {
			if intent := l.Do("go", 0); intent != nil {
				t.Fatalf("before the step was looked at: %#v", intent)
			}
		}
		runs := asked[shell.Run](l.Handle(answer))
		own := slices.DeleteFunc(runs, func(r shell.Run) bool { return r.Quiet }) // not those of the start state
		if len(own) != c.runs || l.play.Index() != 0 {
			t.Errorf("%d Pods: at step %d it ran %#v", c.pods, l.play.Index()+1, own)
		}
	}
}
