//go:build unix

package lab

import (
	"os"
	"os/exec"
	"syscall"
)

// detach gives the child a session of its own: neither the terminal's Ctrl-C
// nor its hanging up reaches it.
func detach(command *exec.Cmd) { command.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

// terminate asks a process to end.
func terminate(process *os.Process) error { return process.Signal(syscall.SIGTERM) }
