package reach

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"svctour/model/diagnose"
	"svctour/model/meter"
)

func newStream() *stream {
	return &stream{mark: "mark", spec: meter.Spec{Pod: "tmp", Host: "web", Port: 80}, begun: map[int]time.Time{}, ports: map[uint16]int{}}
}

// However the client's lines are cut into pieces, each is read once.
func TestLinesComeInPieces(t *testing.T) {
	var text strings.Builder
	for i := 1; i <= 5; i++ {
		fmt.Fprintf(&text, "mark r %d curl 0 200 0.001 %d HTTP/1.1 200 OK\nnoise\n", i, 40000+i)
	}
	text.WriteString("mark r 6 curl 0 200 0.001 40006 " + strings.Repeat("x", 3*maxLine) + "\nmark e 6\n")
	for size := 1; size < 100; size += 7 {
		s := newStream()
		for i := range 6 {
			s.begun[i+1] = time.Unix(int64(i), 0)
		}
		for rest := text.String(); rest != ""; {
			n := min(size, len(rest))
			if _, err := s.Write([]byte(rest[:n])); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if len(s.batch.Samples) != 6 || s.batch.Sent != 6 || !s.ended || len(s.begun) != 0 || len(s.ports) != 6 || s.batch.Samples[5].Start != time.Unix(5, 0) {
			t.Fatalf("pieces of %d: %+v", size, s.batch)
		}
		if kept := len(s.batch.Samples[5].Said); kept > maxLine {
			t.Fatalf("%d bytes of a line are kept", kept)
		}
	}
}

// A stream is as fast as was asked for, has no more than AtOnce requests under
// way, and makes up for nothing that could not be sent.
func TestPace(t *testing.T) {
	for _, rate := range []int{1, 10, 20, 50, 1000} {
		s, ticks := newStream(), make(chan int, meter.AtOnce)
		p := &pacer{stream: s, rate: func() int { return rate }, ticks: ticks}
		now := time.Unix(0, 0)
		beats := func(n int) (sent int) {
			before := p.sent
			for range n {
				now = now.Add(beat)
				if p.beat(now) {
					t.Fatal("it is over")
				}
			}
			return p.sent - before
		}
		answer := func() {
			clear(s.begun)
			for len(ticks) > 0 {
				<-ticks
			}
		}
		second := func() (sent int) {
			for range meter.MaxRate {
				sent += beats(1)
				answer()
			}
			return sent
		}
		if first, next, want := second(), second(), min(rate, meter.MaxRate); first+next < 2*want-1 || first+next > 2*want {
			t.Errorf("%d/s: %d and %d in a second", rate, first, next)
		}
		if rate < meter.MaxRate {
			continue
		}
		if sent := beats(100); sent != meter.AtOnce {
			t.Errorf("%d are under way", sent)
		}
		answer()
		if sent := beats(1); sent != 1 {
			t.Errorf("%d are made up for", sent)
		}
		rate = 0
		if p.beat(now) || p.stopped.IsZero() {
			t.Error("it goes on")
		}
		if sent := p.sent; p.beat(p.stopped.Add(time.Second)) || !p.beat(p.stopped.Add(2*drainTime)) || p.sent != sent {
			t.Error("it waits for ever, or sends")
		}
	}
}

func TestLed(t *testing.T) {
	at := netip.MustParseAddrPort
	list := []diagnose.Connection{
		{Protocol: "TCP", Client: at("10.244.0.9:40001"), Asked: at("10.96.0.80:80"), Answers: at("10.244.1.5:8080")},
		{Protocol: "TCP", Client: at("10.244.0.9:40002"), Asked: at("10.96.0.80:443"), Answers: at("10.244.1.6:8080")},
		{Protocol: "UDP", Client: at("10.244.0.9:40001"), Asked: at("10.96.0.80:80"), Answers: at("10.244.1.6:8080")},
		{Protocol: "TCP", Client: at("10.244.0.8:40001"), Asked: at("10.96.0.80:80"), Answers: at("10.244.1.6:8080")},
		{Protocol: "TCP", Client: at("10.244.0.9:40003"), Asked: at("10.96.0.80:80"), Answers: at("10.244.1.6:8080")},
	}
	got := led(list, "10.244.0.9", 80, map[uint16]int{40001: 7, 40002: 8})
	if len(got) != 1 || got[0] != (meter.Led{Number: 7, To: at("10.244.1.5:8080"), Asked: netip.MustParseAddr("10.96.0.80")}) {
		t.Errorf("%+v", got)
	}
}
