//go:build unix

package lab

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

type lockKind int

const (
	exclusive lockKind = syscall.LOCK_EX
	shared    lockKind = syscall.LOCK_SH
)

// lock locks file until it is closed; false if somebody else has it.
func lock(file *os.File, kind lockKind) (bool, error) {
	for {
		err := syscall.Flock(int(file.Fd()), int(kind)|syscall.LOCK_NB)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, syscall.EWOULDBLOCK):
			return false, nil
		case !errors.Is(err, syscall.EINTR):
			return false, err
		}
	}
}

// removeLocked removes a file while its lock is held, so that nobody can have
// locked it in between, then lets go of it.
func removeLocked(file *os.File, path string) {
	_ = os.Remove(path)
	file.Close()
}

// detach gives the child a session of its own: neither the terminal's Ctrl-C
// nor its hanging up reaches it.
func detach(command *exec.Cmd) { command.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

// ignoreBrokenPipe lets a lab outlive whoever read its progress.
func ignoreBrokenPipe() { signal.Ignore(syscall.SIGPIPE) }

// terminate asks a process to end.
func terminate(process *os.Process) error { return process.Signal(syscall.SIGTERM) }
