package shell_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"svctour/lab/child/process"
	"svctour/lab/child/program/shell"
	"svctour/model/meter"
)

// shared is a stream that several commands write to at the same time.
type shared struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *shared) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(text)
}

// TestStreamScript: what sends the app's streams of requests runs here as in the
// shells of real images.
func TestStreamScript(t *testing.T) {
	const mark = "svctour-TEST"
	curl := process.Default(func(_ context.Context, p *process.Process) int {
		_, _ = fmt.Fprintf(p.Stderr, "* Connected to web (10.96.0.9) port 80\n< HTTP/1.1 200 OK\n< Server: nginx\n")
		_, _ = fmt.Fprintf(p.Stdout, "web-1\n  * %s\n\n%s 200 0.001250 40312", strings.Repeat("x", 2000), mark)
		return 0
	})
	p := newProcess(t, (meter.Spec{Pod: "tmp", Host: "web", Port: 80}).Command(mark)...)
	inner := p.Machine.Programs
	p.Machine.Programs = func(name string) process.Main {
		if name == "/bin/curl" {
			return curl
		}
		return inner(name)
	}
	var out, errs shared
	in, beat := io.Pipe()
	p.Stdin, p.Stdout, p.Stderr = in, &out, &errs
	go func() {
		for i := range 100 {
			_, _ = fmt.Fprintln(beat, i+1)
		}
		_ = beat.Close()
	}()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if status := p.Machine.Table.Run(ctx, shell.Main, p); status != 0 || errs.text.Len() > 0 {
		t.Errorf("status %d, %q", status, errs.text.String())
	}
	seen, last := map[int]bool{}, meter.Line{}
	for text := range strings.Lines(out.text.String()) {
		line, ok := meter.Read(mark, text)
		if !ok {
			t.Fatalf("%q is no line", text)
		}
		if last = line; line.Sample != nil {
			if s := line.Sample; s.Outcome != meter.OK || s.HTTP != 200 || s.Port != 40312 || !strings.Contains(s.Said, "web-1") || len(text) > 1024 {
				t.Fatalf("%q is %+v", text, s)
			}
			seen[line.Sample.Number] = true
		}
	}
	if len(seen) != 100 || last.Sent != 100 || !last.End {
		t.Errorf("%d requests were told, the last line is %+v", len(seen), last)
	}
	if left := p.Machine.Table.List(); len(left) > 0 {
		t.Errorf("%d processes stay behind", len(left))
	}
}
