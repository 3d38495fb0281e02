package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"svctour/lab/folder"
)

func TestLastWords(t *testing.T) {
	dir := t.TempDir()
	if got := lastWords(dir); got != "" {
		t.Errorf("without a log: %q", got)
	}
	path := filepath.Join(dir, folder.Log)
	for content, want := range map[string]string{
		"I1123 10:00:00 1 a.go:1] fine\n": " (see " + path + ")",
		"E1123 x\nF1123 10:00:00 1 hooks.go:203] hook failed: time out\ngoroutine 1 [running]:\n": ": F1123 10:00:00 1 hooks.go:203] hook failed: time out (more in " + path + ")",
		"panic: oh\n\ngoroutine 7 [running]:\n":                                                   ": panic: oh (more in " + path + ")",
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := lastWords(dir); got != want {
			t.Errorf("%q: %q, want %q", content, got, want)
		}
	}
}

func TestOptions(t *testing.T) {
	for _, nodes := range []int{-1, MaxNodes + 1} {
		_, err := Start(t.Context(), StartOptions{Executable: "no-such-program", Dir: t.TempDir(), Nodes: nodes})
		if want := fmt.Sprintf("a lab has 1 to %d nodes, not %d", MaxNodes, nodes); err == nil || err.Error() != want {
			t.Errorf("%d nodes: %v, want %q", nodes, err, want)
		}
	}
}
