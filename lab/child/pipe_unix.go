//go:build unix

package child

import (
	"os/signal"
	"syscall"
)

// ignoreBrokenPipe lets a lab outlive the process that read its progress.
func ignoreBrokenPipe() { signal.Ignore(syscall.SIGPIPE) }
