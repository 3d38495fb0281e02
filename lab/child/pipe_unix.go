//go:build unix

package child

import (
	"os/signal"
	"syscall"
)

// ignoreBrokenPipe lets a lab outlive whoever read its progress.
func ignoreBrokenPipe() { signal.Ignore(syscall.SIGPIPE) }
