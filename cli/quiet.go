package cli

import (
	"fmt"
	"os"
	"path/filepath"

	"svctour/cluster"
)

// quiet keeps the terminal for the app alone: what Kubernetes' libraries and
// credential plugins say goes to the file "log" of the state folder, which
// holds the last run's and whose path it gives. The caller calls restore when the
// app has ended.
func quiet() (path string, restore func() error, err error) {
	dir, err := stateDir()
	if err != nil {
		return "", nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", nil, fmt.Errorf("make a folder for the log: %w", err)
	}
	path = filepath.Join(dir, "log")
	log, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return "", nil, fmt.Errorf("make the log: %w", err)
	}
	stderr := os.Stderr
	unsilence := cluster.SilenceLogs(log)
	cluster.RedirectStderr(log)
	return path, func() error {
		cluster.RedirectStderr(stderr)
		unsilence()
		return log.Close()
	}, nil
}
