//go:build !linux && !windows

package lab

import (
	"os/exec"
	"strconv"
	"strings"
)

// ResidentBytes is the resident memory of a process, 0 if it cannot be told.
func ResidentBytes(pid int) int64 {
	out, err := exec.Command("ps", "-o", "rss=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return 0
	}
	kilobytes, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	if err != nil {
		return 0
	}
	return kilobytes << 10
}
