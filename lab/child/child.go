package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
)

// The child tells its parent how it is getting on in JSON lines on its
// standard output, and lives as long as its standard input is open: the system
// closes that when the parent ends, however it ends. keepWord on it says that
// the lab shall stay nevertheless.

// report is one line: a stage that begins, the status once ready, or why the
// lab could not run.
type report struct {
	Stage *Stage  `json:"stage,omitempty"`
	Ready *Status `json:"ready,omitempty"`
	Error string  `json:"error,omitempty"`
}

const keepWord = "keep\n"

// RunChild is Run for a process that Start has started.
func RunChild(ctx context.Context, in io.Reader, out io.Writer, options Options) error {
	ignoreBrokenPipe()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		if !kept(in) {
			cancel()
		}
	}()
	var mu sync.Mutex
	tell := func(r report) {
		mu.Lock()
		defer mu.Unlock()
		// A parent that has gone does not listen; the lab ends soon, or stays
		// because it was told to.
		_ = json.NewEncoder(out).Encode(r)
	}
	options.Progress = func(s Stage) { tell(report{Stage: &s}) }
	err := Run(ctx, options, func(s Status) { tell(report{Ready: &s}) })
	if err != nil {
		tell(report{Error: err.Error()})
	}
	return err
}

// kept reads in to its end and says whether keepWord was in it.
func kept(in io.Reader) bool {
	var seen bytes.Buffer
	_, _ = io.Copy(&seen, io.LimitReader(in, 1<<10))
	_, _ = io.Copy(io.Discard, in)
	return bytes.Contains(seen.Bytes(), []byte(keepWord))
}

// readReports hands each of the child's reports to handle until the child
// closes its output.
func readReports(out io.Reader, handle func(report)) error {
	decoder := json.NewDecoder(out)
	for {
		var r report
		if err := decoder.Decode(&r); err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("read what the lab reports: %w", err)
		}
		handle(r)
	}
}
