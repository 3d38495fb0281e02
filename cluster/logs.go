package cluster

import (
	"io"
	"log/slog"
	"os"

	"k8s.io/klog/v2"
)

// SilenceLogs sends everything that Kubernetes' libraries log to w instead of
// stderr; io.Discard is fine. Call it before the first connection, and undo
// after the last one was closed: klog's logger cannot be exchanged while it is
// in use.
func SilenceLogs(w io.Writer) (undo func()) {
	klog.SetSlogLogger(slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelInfo})))
	return klog.ClearLogger
}

// RedirectStderr makes f what code in this process, and the credential plugins
// that client-go starts, take for stderr. A program that draws on the whole
// terminal calls it before it starts any goroutine; a panic of the Go runtime
// still reaches the real stderr.
func RedirectStderr(f *os.File) { os.Stderr = f }
