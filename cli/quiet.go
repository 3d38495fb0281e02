package cli

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"k8s.io/klog/v2"
)

// quiet keeps the terminal for the app alone: what Kubernetes' libraries and
// credential plugins say goes to the file "log" of the folder dir, which holds
// the last run's. The caller calls restore when the app has ended.
func quiet(dir string) (log *os.File, restore func() error, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("make a folder for the log: %w", err)
	}
	log, err = os.OpenFile(filepath.Join(dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("make the log: %w", err)
	}
	// Plugins that client-go starts write to os.Stderr, a panic of the Go runtime
	// still to the terminal. No connection is open yet, nor any when it is undone:
	// klog's logger cannot be exchanged while it is in use.
	stderr := os.Stderr
	klog.SetSlogLogger(slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelInfo})))
	os.Stderr = log
	return log, func() error {
		os.Stderr = stderr
		klog.ClearLogger()
		return log.Close()
	}, nil
}
