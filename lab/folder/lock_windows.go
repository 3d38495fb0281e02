package folder

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

type lockKind uint32

const (
	exclusive lockKind = windows.LOCKFILE_EXCLUSIVE_LOCK
	shared    lockKind = 0
)

// The byte that is locked lies beyond the content: Windows' locks keep others
// from reading what is locked.
const lockedByte = 1 << 20

// lock locks file until it is closed; false if another process has it.
func lock(file *os.File, kind lockKind) (bool, error) {
	err := windows.LockFileEx(windows.Handle(file.Fd()), uint32(kind)|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &windows.Overlapped{Offset: lockedByte})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return false, nil
	}
	return err == nil, err
}

// removeLocked removes a file; an open one cannot be removed.
func removeLocked(file *os.File, path string) {
	file.Close()
	_ = os.Remove(path)
}
