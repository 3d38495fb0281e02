package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// stateDir is where svctour keeps its state: SVCTOUR_HOME, or "svctour" under
// XDG_STATE_HOME, or the platform's usual place for it. It need not exist yet.
func stateDir() (string, error) {
	if home := os.Getenv("SVCTOUR_HOME"); home != "" {
		return filepath.Abs(home)
	}
	if state := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(state) { // the specification ignores relative ones
		return filepath.Join(state, "svctour"), nil
	}
	if runtime.GOOS == "windows" {
		if local := os.Getenv("LOCALAPPDATA"); local != "" {
			return filepath.Join(local, "svctour"), nil
		}
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find a folder for svctour's state (set SVCTOUR_HOME): %w", err)
	}
	return filepath.Join(home, ".local", "state", "svctour"), nil
}

// labDir is where the lab keeps its files.
func labDir() (string, error) {
	dir, err := stateDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "lab"), nil
}
