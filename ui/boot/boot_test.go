package boot

import (
	"errors"
	"strings"
	"testing"

	"svctour/model"
	"svctour/ui/frame"
	"svctour/ui/shell"
	"svctour/ui/theme"
)

func drawn(b *Screen, w, h int, o theme.Options) string {
	s := frame.New(w, h)
	if o.ASCII {
		s = frame.NewASCII(w, h)
	}
	b.Draw(s, theme.New(o))
	return s.Plain()
}

func sees(t *testing.T, got string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(got, text) {
			t.Errorf("%q is not in\n%s", text, got)
		}
	}
}

func keys(b *Screen) string {
	var out []string
	for _, a := range b.Actions() {
		out = append(out, a.ID)
	}
	return strings.Join(out, " ")
}

func TestAStageIsShownOnceAndTurnsDone(t *testing.T) {
	b := New(shell.Choice{Lab: true})
	for _, stage := range []shell.Stage{{Name: "etcd"}, {Name: "kube-apiserver"}, {Name: "etcd", Done: true}} {
		if intent := b.Handle(stage); intent != nil {
			t.Errorf("a stage asks for %#v", intent)
		}
	}
	got := drawn(b, 80, 24, theme.Options{})
	sees(t, got, "Starting the lab", "✓ etcd", "⠋ kube-apiserver")
	if strings.Count(got, "etcd") != 1 {
		t.Errorf("etcd stands there more than once:\n%s", got)
	}
	b.Handle(shell.Tick{})
	b.Handle(shell.Tick{})
	sees(t, drawn(b, 80, 24, theme.Options{}), "✓ etcd", "⠙ kube-apiserver")
	sees(t, drawn(b, 80, 24, theme.Options{ASCII: true}), "+ etcd", "\\ kube-apiserver")
}

func TestAFailureStopsTheWheelAndCanBeTriedAgain(t *testing.T) {
	choice := shell.Choice{Lab: true}
	b := New(choice)
	b.Handle(shell.Stage{Name: "etcd", Done: true})
	b.Handle(shell.Stage{Name: "kube-apiserver"})
	if !b.Animating() || b.Failed() || keys(b) != "back quit" {
		t.Errorf("animating %v, failed %v, keys %q before anything failed", b.Animating(), b.Failed(), keys(b))
	}
	b.Fail(errors.New("the port is taken\x1b[2J"))
	got := drawn(b, 80, 24, theme.Options{})
	sees(t, got, "✓ etcd", "✗ kube-apiserver", "the port is taken")
	if strings.Contains(got, "\x1b") {
		t.Errorf("an escape is drawn: %q", got)
	}
	if b.Animating() || !b.Failed() || keys(b) != "retry back quit" {
		t.Errorf("animating %v, failed %v, keys %q after a failure", b.Animating(), b.Failed(), keys(b))
	}
	if again, ok := b.Do("retry", 0).(shell.Choose); !ok || again.Choice != choice {
		t.Errorf("try again asks for %#v", b.Do("retry", 0))
	}
}

func TestASilentServerIsSaidUntilItAnswers(t *testing.T) {
	b := New(shell.Choice{Context: "prod", Server: "https://192.0.2.7:6443"})
	sees(t, drawn(b, 80, 24, theme.Options{}), "Connecting to prod", "⠋ https://192.0.2.7:6443")
	b.Handle(shell.World{Snapshot: &model.Snapshot{Sync: model.Sync{Err: "No answer for 4 s."}}})
	sees(t, drawn(b, 80, 24, theme.Options{}), "No answer for 4 s. Asking again.")
	if b.Failed() {
		t.Error("a server that is asked again has failed")
	}
	b.Handle(shell.World{Snapshot: &model.Snapshot{}})
	if got := drawn(b, 80, 24, theme.Options{}); strings.Contains(got, "Asking again") {
		t.Errorf("it answers, and still:\n%s", got)
	}
}

func TestWhatTheKeysAskFor(t *testing.T) {
	b := New(shell.Choice{Lab: true})
	for id, want := range map[string]shell.Intent{"back": shell.Picker{}, "quit": shell.Quit{}, "nonsense": nil} {
		if got := b.Do(id, 0); got != want {
			t.Errorf("%s asks for %#v, want %#v", id, got, want)
		}
	}
}

// Nothing is drawn outside of the frame, however small or full it is.
func TestEverySize(t *testing.T) {
	b := New(shell.Choice{Lab: true})
	for _, name := range strings.Fields("etcd kube-apiserver controllers scheduler nodes dns network images proxy ready") {
		b.Handle(shell.Stage{Name: name, Done: true})
	}
	b.Fail(errors.New(strings.Repeat("a long reason ", 40)))
	for _, size := range [][2]int{{40, 12}, {80, 24}, {200, 60}} {
		lines := strings.Split(drawn(b, size[0], size[1], theme.Options{}), "\n")
		if len(lines) != size[1] {
			t.Errorf("%v: %d lines", size, len(lines))
		}
		for _, l := range lines {
			if frame.Width(l) > size[0] {
				t.Errorf("%v: %d columns: %q", size, frame.Width(l), l)
			}
		}
	}
}
