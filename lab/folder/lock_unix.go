//go:build unix

package folder

import (
	"errors"
	"os"
	"syscall"
)

type lockKind int

const (
	exclusive lockKind = syscall.LOCK_EX
	shared    lockKind = syscall.LOCK_SH
)

// lock locks file until it is closed; false if another process has it.
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

// removeLocked removes a file while its lock is held, so that no one can have
// locked it in between, then lets go of it.
func removeLocked(file *os.File, path string) {
	_ = os.Remove(path)
	file.Close()
}
