package shell_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"svctour/lab/child/program/shell"
)

// FuzzScript runs scripts within this program: that it lives is the test.
func FuzzScript(f *testing.F) {
	for _, script := range killers {
		if len(script) < 300 {
			f.Add(script, "")
		}
	}
	f.Add("while read x; do echo $x; done", "a b\nc")
	f.Fuzz(func(t *testing.T, script, stdin string) {
		for _, args := range [][]string{{"sh", "-c", script, "name", "one", "two"}, {"sh"}} {
			p := newProcess(t, args...)
			p.Stdin = strings.NewReader(stdin)
			if len(args) == 1 {
				p.Stdin = strings.NewReader(script + "\n" + stdin)
			}
			p.Stdout, p.Stderr = io.Discard, io.Discard
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			p.Machine.Table.Run(ctx, shell.Main, p)
			cancel()
		}
	})
}
