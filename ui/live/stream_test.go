package live

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"svctour/model"
	"svctour/model/meter"
	"svctour/ui/shell"
)

// shown are panes that show a state of a snapshot.
func shown(s *model.Snapshot, f Focus) *Panes {
	p := New("tour", 1)
	p.Take(p.Work()(s, f))
	return p
}

func TestWhatAStreamIsFor(t *testing.T) {
	with := func(change func(*Focus)) Focus {
		f := webFocus
		change(&f)
		return f
	}
	for _, c := range []struct {
		focus Focus
		want  string
	}{
		{webFocus, "http://web/"},
		{with(func(f *Focus) { f.Name = "" }), "http://10.96.142.31/"},
		{with(func(f *Focus) { f.Target = "10.96.142.31:80" }), "http://10.96.142.31/"},
		{with(func(f *Focus) { f.Target = "10.96.142.31:81" }), "http://10.96.142.31:81/"},
		{with(func(f *Focus) { f.Service, f.Target, f.Name = "none", "none", "none" }), "http://none/"}, // a look-up may fail
		{with(func(f *Focus) { f.Client = "outside" }), "the client is no Pod"},
		{with(func(f *Focus) { f.Client = "pod/nobody" }), "there is no Pod nobody to send from"},
		{with(func(f *Focus) { f.Target, f.Name = "", "" }), "there is nothing to send requests to"},
		{with(func(f *Focus) { f.Name = "web$(reboot)" }), "there is nothing to send requests to"},
	} {
		p := shown(cluster(3), c.focus)
		got := p.StreamAction().Why
		if in, ok := p.Stream().(shell.Stream); ok && got == "" {
			got = in.Spec.URL()
		}
		if got != c.want {
			t.Errorf("%+v: %q, want %q", c.focus, got, c.want)
		}
	}
}

// What is heard of a stream is counted by the state after it, once, and by no
// other stream's; another Service ends it.
func TestWhatIsHeardIsCountedOnce(t *testing.T) {
	s, other := cluster(3), webFocus
	other.Service = "else"
	p := shown(s, webFocus)
	begun, ok := p.Stream().(shell.Stream)
	if !ok || !p.stream.Running {
		t.Fatal("no stream begins")
	}
	batch := func(first int) shell.Streamed {
		b := meter.Batch{At: time.Unix(int64(first), 0)}
		for i := first; i < first+3; i++ {
			b.Samples = append(b.Samples, meter.Sample{Number: i, Start: b.At, HTTP: 200, Took: time.Millisecond, Said: fmt.Sprintf("web-6d4b75cb6d-%05d", i%3)})
		}
		return shell.Streamed{Serial: begun.Serial, Batch: b}
	}
	if p.Handle(shell.Streamed{Serial: begun.Serial + 1, Batch: batch(1).Batch}) {
		t.Error("another stream's answers are counted")
	}
	p.Handle(batch(1))
	work := p.Work()
	p.Handle(batch(4)) // comes while the state is computed
	p.Take(work(s, webFocus))
	if m := p.State().Meter; m == nil || m.Told != 3 || len(m.Pods) != 3 {
		t.Fatalf("%+v", m)
	}
	first := p.State().Meter
	p.Take(p.Work()(cluster(3), webFocus))
	if m := p.State().Meter; m.Told != 6 || first.Told != 3 {
		t.Fatalf("%+v", m)
	}
	view, _ := p.View()
	if got := drawn(view, Path, 78, 30, 0); !strings.Contains(got, "10/s  tmp → http://web/  6 requests, 6 answered, 0 failed") || !strings.Contains(got, "last BCABCA") {
		t.Errorf("drawn:\n%s", got)
	}
	if p.OffAim() != nil {
		t.Error("it ends though nothing has changed")
	}
	p.Take(p.Work()(s, other))
	if pace, ok := p.OffAim().(shell.Pace); !ok || pace != (shell.Pace{Serial: begun.Serial}) || p.State().Meter != nil || p.OffAim() != nil {
		t.Errorf("another Service: %+v, %+v", pace, p.State().Meter)
	}
	if p.Handle(batch(7)) {
		t.Error("the stream to the Service before is still counted")
	}
}

func TestWhyAStreamEnded(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{meter.ErrClientGone, "The client's Pod is gone, or its container ended."},
		{fmt.Errorf("%w: %w", meter.ErrNoExec, errors.New("nothing may be changed from here")), "Nothing may be changed from here."},
	} {
		p := shown(cluster(3), webFocus)
		begun := p.Stream().(shell.Stream)
		if !p.Handle(shell.Streamed{Serial: begun.Serial, Done: true, Err: c.err}) || p.stream.Under() || p.stream.Err != c.want {
			t.Errorf("%v: %+v", c.err, p.stream)
		}
	}
}
