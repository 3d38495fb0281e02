package child

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"sync"

	"svctour/lab"
)

// RunChild is Run for a process that lab.Start has started: see lab.Report.
func RunChild(ctx context.Context, in io.Reader, out io.Writer, options lab.Options) error {
	ignoreBrokenPipe()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		if !kept(in) {
			cancel()
		}
	}()
	var mu sync.Mutex
	tell := func(r lab.Report) {
		mu.Lock()
		defer mu.Unlock()
		// A parent that has gone does not listen; the lab ends soon, or stays
		// because it was told to.
		_ = json.NewEncoder(out).Encode(r)
	}
	options.Progress = func(s lab.Stage) { tell(lab.Report{Stage: &s}) }
	err := Run(ctx, options, func(s lab.Status) { tell(lab.Report{Ready: &s}) })
	if err != nil {
		tell(lab.Report{Error: err.Error()})
	}
	return err
}

// kept reads in to its end and says whether lab.KeepWord was in it.
func kept(in io.Reader) bool {
	var seen bytes.Buffer
	_, _ = io.Copy(&seen, io.LimitReader(in, 1<<10))
	_, _ = io.Copy(io.Discard, in)
	return bytes.Contains(seen.Bytes(), []byte(lab.KeepWord))
}
