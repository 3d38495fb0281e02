package ui_test

import (
	"fmt"
	"io"
	"net/netip"
	"testing"
	"time"

	"svctour/model/meter"
	"svctour/test/uitest"
)

// heardOf is a batch of n answers of a stream, the Pods of ThreePods in turn.
func heardOf(d *uitest.Driver, first, n int) meter.Batch {
	batch := meter.Batch{Sent: first + n - 1}
	for i := first; i < first+n; i++ {
		batch.Samples = append(batch.Samples, meter.Sample{
			Number: i, Start: d.Now(), Took: time.Duration(1+i%7) * time.Millisecond, HTTP: 200, Connected: true,
			Said: "HTTP/1.1 200 OK Hostname: " + uitest.PodName(i%3),
		})
	}
	return batch
}

func TestAStreamIsCounted(t *testing.T) {
	for _, size := range []struct{ w, h int }{{80, 24}, {120, 40}, {200, 60}} {
		d := atPath(t, size.w, size.h)
		d.Press("s")
		if all, rate := d.Backend.Streams(); len(all) != 1 || all[0] != (meter.Spec{Pod: "tmp", Host: "web", Port: 80}) || rate != 10 {
			t.Fatalf("asked for %+v, at %d/s", all, rate)
		}
		d.Sees("10/s", "http://web/")
		d.Heard(heardOf(d, 1, 120))
		failed := meter.Batch{Sent: 124, Samples: []meter.Sample{
			{Number: 121, Start: d.Now(), Outcome: meter.Refused, Exit: 7}, {Number: 122, Start: d.Now(), Outcome: meter.Timeout, Exit: 28},
			{Number: 123, Start: d.Now(), HTTP: 200, Connected: true, Port: 41000, Said: "HTTP/1.1 200 OK Welcome to nginx!"},
			{Number: 124, Start: d.Now(), HTTP: 200, Connected: true, Port: 41001, Said: "HTTP/1.1 200 OK Welcome to nginx!"},
		}}
		d.Heard(failed)
		d.Sees("124 requests, 122 answered, 2 failed", "33 %")
		golden(t, fmt.Sprintf("stream-stage-%dx%d", size.w, size.h), d.Frame())
		d.Press("5") // the path, where there is room for all of it
		d.Sees("refused", "nothing listens")
		d.Pass(time.Minute)
		d.Heard(meter.Batch{Led: []meter.Led{{Number: 123, To: netip.MustParseAddrPort("10.244.0.5:80")}}})
		d.Sees("A ", "B ", "C ", "not known")
		golden(t, fmt.Sprintf("stream-%dx%d", size.w, size.h), d.Frame())
		d.Press("+", "+")
		if _, rate := d.Backend.Streams(); rate != meter.MaxRate {
			t.Errorf("it goes at %d/s", rate)
		}
		if _, why := d.Key("+"); why == "" {
			t.Error("it could go faster")
		}
		d.Press("s")
		if _, rate := d.Backend.Streams(); rate != 0 {
			t.Errorf("it goes on at %d/s", rate)
		}
		d.Sees("stopping")
		d.Heard(meter.Batch{Sent: 125, Ended: true})
		d.StreamEnds(io.EOF)
		d.Press("5")
		d.Sees("stream ended", "1 of 125 that the client counts were not told")
		// Another begins from nothing.
		d.Press("s")
		d.Lacks("124 requests")
		d.Heard(heardOf(d, 1, 3))
		d.Sees("3 requests, 3 answered")
	}
}

// A stream ends with its step, and its last words are not the next one's.
func TestAStreamEndsWithItsStep(t *testing.T) {
	d := atPath(t, 120, 40)
	d.Press("s")
	d.Heard(heardOf(d, 1, 3))
	d.Press("right")
	d.Lacks("3 requests", "http://web/")
	if title, _ := d.Key("s"); title != "stream" {
		t.Errorf("the key is to %q", title)
	}
}

// Why a stream cannot be is told, with the reason alone.
func TestAStreamThatCannotBe(t *testing.T) {
	d := atPath(t, 120, 40)
	d.Press("s")
	d.StreamEnds(meter.ErrNoProgram)
	d.Sees("The client's container has no shell with curl or wget.")
	d.Press("s")
	d.StreamEnds(fmt.Errorf("%w: %w", meter.ErrNoExec, fmt.Errorf("pods \"tmp\" is forbidden")))
	d.Sees("Pods \"tmp\" is forbidden.")
	d.Show(uitest.World(append(uitest.ThreePods(), uitest.WebService("ClusterIP", 0), uitest.WebSlice(3))...))
	if _, why := d.Key("s"); why == "" {
		t.Error("a stream without a client")
	}
}

// Only one stream is under way: what is left of the one before is not counted.
func TestOneStreamAtATime(t *testing.T) {
	d := atPath(t, 120, 40)
	d.Press("s")
	d.Heard(heardOf(d, 1, 3))
	d.Press("s")
	d.StreamEnds(io.EOF)
	d.Sees("stream ended", "3 requests")
	d.Press("s")
	if all, rate := d.Backend.Streams(); len(all) != 2 || rate != 10 {
		t.Errorf("%d streams, the last at %d/s", len(all), rate)
	}
}
