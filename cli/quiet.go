package cli

import (
	"fmt"
	"os"
	"path/filepath"

	"svctour/cluster"
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
	stderr := os.Stderr
	unsilence := cluster.SilenceLogs(log)
	cluster.RedirectStderr(log)
	return log, func() error {
		cluster.RedirectStderr(stderr)
		unsilence()
		return log.Close()
	}, nil
}
