package still_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"svctour/model"
	"svctour/test/uitest"
	"svctour/ui/shell"
	"svctour/ui/still"
	"svctour/ui/theme"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sixth is a lesson whose sixth step is about a Service that is there, and a
// backend on which no node can be looked at.
func sixth(t *testing.T) (*uitest.Backend, still.Options) {
	t.Helper()
	list, err := uitest.Lessons()
	if err != nil {
		t.Fatal(err)
	}
	backend := uitest.NewBackend()
	backend.SetObserve(func(string, []string) (string, error) { return "", errors.New("not in a test") })
	return backend, still.Options{Backend: backend, Choice: shell.Choice{Lab: true}, Lesson: list[0], Step: 5, Theme: theme.Options{NoColor: true}}
}

// give hands pictures of the cluster to the app: the first one at once, the
// others when kubectl was asked to do something about it.
func give(t *testing.T, b *uitest.Backend, first *model.Snapshot, others ...*model.Snapshot) {
	ctx, cancel := context.WithCancel(t.Context())
	asked, done := make(chan struct{}), make(chan struct{})
	var once sync.Once
	b.SetAnswer(func([]string, string) model.Reply {
		once.Do(func() { close(asked) })
		return model.Reply{}
	})
	go func() {
		defer close(done)
		if b.Give(ctx, first) != nil {
			return
		}
		select {
		case <-asked:
		case <-ctx.Done():
		}
		for _, s := range others {
			if b.Give(ctx, s) != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
}

func TestMoments(t *testing.T) {
	backend, options := sixth(t)
	give(t, backend, uitest.World(), uitest.WithService())
	p := still.Open(t.Context(), options)
	p.Resize(120, 40)
	if err := p.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	start := p.Frame().Plain()
	see(t, start, "step 6/10", "▪▪▪▪▪▣", "10.96.142.31")
	if strings.Contains(start, "Not at the start") {
		t.Errorf("the step has not begun:\n%s", start)
	}
	if !slices.ContainsFunc(backend.Ran(), func(args []string) bool { return args[1] == "apply" }) {
		t.Errorf("the start state was not asked for: %q", backend.Ran())
	}

	if err := p.At(t.Context(), "sent"); err != nil {
		t.Fatal(err)
	}
	see(t, p.Frame().Plain(), "request under way")
	p.Background(true)
	see(t, p.Frame().Plain(), "request under way") // it is held
	if svg := string(p.SVG("A <request>")); !strings.Contains(svg, "<title>A &lt;request&gt;</title>") || !strings.Contains(svg, "request under way") {
		t.Errorf("the picture is\n%s", svg)
	}

	p.Resize(80, 24)
	if err := p.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(p.Frame().Plain(), "\n"); len(lines) != 24 {
		t.Errorf("%d rows", len(lines))
	}
	backend.SetReply(model.Reply{Stdout: "HTTP/1.1 200 OK\r\n\r\n" + uitest.PodName(1)})
	p.Resize(120, 40)
	if err := errors.Join(p.Ready(t.Context()), p.At(t.Context(), "reply")); err != nil {
		t.Fatal(err)
	}
	see(t, p.Frame().Plain(), "HTTP/1.1 200 OK, from tour/"+uitest.PodName(1), "◆")
	if err := errors.Join(p.Ready(t.Context()), p.At(t.Context(), "rule")); err != nil {
		t.Fatal(err)
	}
	see(t, p.Frame().Plain(), "◆")
	if err := p.At(t.Context(), "tea"); err == nil {
		t.Error("there is tea")
	}
	if err := p.Close(true); err != nil || !backend.Cleaned() || len(backend.Saved()) > 0 {
		t.Errorf("%v, cleaned %v, saved %v", err, backend.Cleaned(), backend.Saved())
	}
}

func see(t *testing.T, frame string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(frame, text) {
			t.Fatalf("the frame lacks %q:\n%s", text, frame)
		}
	}
}

// TestWhatDoesNotComeAbout: it is told what is missing, and nothing stays.
func TestWhatDoesNotComeAbout(t *testing.T) {
	backend, options := sixth(t)
	give(t, backend, uitest.World())
	backend.SetReply(model.Reply{Exit: 1, Stderr: "Error: too\n many"})
	p := still.Open(t.Context(), options)
	p.Resize(120, 40)
	err := p.Until(t.Context(), func() string { return "" }, func() bool { return len(backend.Ran()) > 2 })
	if err != nil {
		t.Fatal(err)
	}
	over, cancel := context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	if err := p.Ready(over); err == nil || !strings.Contains(err.Error(), "the start state does not come about: not service('web')") || !strings.Contains(err.Error(), "Error: too many") {
		t.Errorf("got %v", err)
	}
	interrupted, interrupt := context.WithCancel(t.Context())
	interrupt()
	if err := p.Ready(interrupted); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := p.Close(false); err != nil || backend.Cleaned() {
		t.Errorf("%v, cleaned %v", err, backend.Cleaned())
	}
}

// broken cannot be connected to.
type broken struct{ *uitest.Backend }

func (broken) Connect(context.Context, shell.Choice) (shell.Session, error) {
	return nil, errors.New("no route to host")
}

func TestWhatCannotBeReached(t *testing.T) {
	backend, options := sixth(t)
	options.Backend = broken{backend}
	p := still.Open(t.Context(), options)
	if err := p.Ready(t.Context()); err == nil || err.Error() != "no route to host" {
		t.Errorf("got %v", err)
	}
	if err := p.Close(true); err != nil {
		t.Error(err)
	}
}

func TestTheLabEnds(t *testing.T) {
	backend, options := sixth(t)
	p := still.Open(t.Context(), options)
	ended := make(chan error, 1)
	go func() { ended <- backend.EndLab(t.Context(), errors.New("the lab has ended: killed")) }()
	if err := p.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("got %v", err)
	}
	if err := errors.Join(<-ended, p.Close(true)); err != nil {
		t.Error(err)
	}
}
