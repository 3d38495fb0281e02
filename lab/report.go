package lab

import (
	"encoding/json"
	"fmt"
	"io"
)

// The child tells its parent how it is getting on in JSON lines on its
// standard output, and lives as long as its standard input is open: the system
// closes that when the parent ends, however it ends. KeepWord on it says that
// the lab stays nevertheless.

// Report is one line: a stage that begins, the status once ready, or why the
// lab could not run.
type Report struct {
	Stage *Stage  `json:"stage,omitempty"`
	Ready *Status `json:"ready,omitempty"`
	Error string  `json:"error,omitempty"`
}

// KeepWord is what the parent writes to a child that should outlive it.
const KeepWord = "keep\n"

// readReports hands each of the child's reports to handle until the child
// closes its output.
func readReports(out io.Reader, handle func(Report)) error {
	decoder := json.NewDecoder(out)
	for {
		var r Report
		if err := decoder.Decode(&r); err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("read what the lab reports: %w", err)
		}
		handle(r)
	}
}
