package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A lab holds an exclusive lock on a file in its folder as long as it lives.
// The system drops it however the process ends, so a lock that can be had
// means that nobody is there, whatever files say and whichever process has the
// old number now.

// held is a folder that this process has.
type held struct {
	dir  string
	file *os.File
}

// lockWait is how long a start waits for a lock: somebody may be asking for
// the status just then, or the lab before may be about to end.
const lockWait = 2 * time.Second

// acquire takes dir for this process and clears what a killed lab left in it.
func acquire(ctx context.Context, dir string) (*held, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the lab's folder: %w", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, fmt.Errorf("close the lab's folder to others: %w", err)
	}
	path := filepath.Join(dir, lockFile)
	deadline := time.Now().Add(lockWait)
	for {
		file, locked, err := tryLock(path)
		if err != nil {
			return nil, fmt.Errorf("lock the lab's folder %q: %w", dir, err)
		}
		if locked {
			h := &held{dir, file}
			if err := h.claim(); err != nil {
				h.release(false)
				return nil, err
			}
			return h, nil
		}
		if time.Now().After(deadline) {
			pid, _, _ := holder(dir)
			return nil, fmt.Errorf("a lab is already running in %q (process %d); end it with %q", dir, pid, "svctour lab down")
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(20 * time.Millisecond):
		}
		if err := os.MkdirAll(dir, 0o700); err != nil { // the lab before may just have removed it
			return nil, fmt.Errorf("make the lab's folder: %w", err)
		}
	}
}

// tryLock opens and locks path. It is not locked if somebody else has it, or
// has removed the file before the lock was had.
func tryLock(path string) (*os.File, bool, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if errors.Is(err, fs.ErrNotExist) { // the folder has just gone
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	locked, err := lock(file, exclusive)
	if err == nil && locked && stillThere(file, path) {
		return file, true, nil
	}
	file.Close()
	return nil, false, err
}

// stillThere says whether path is still the file that was opened.
func stillThere(file *os.File, path string) bool {
	opened, err := file.Stat()
	if err != nil {
		return false
	}
	now, err := os.Stat(path)
	return err == nil && os.SameFile(opened, now)
}

// claim removes what is left of a lab before, and writes whose folder it is.
func (h *held) claim() error {
	h.clear(true)
	if err := h.file.Truncate(0); err != nil {
		return fmt.Errorf("claim the lab's folder: %w", err)
	}
	if _, err := h.file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		return fmt.Errorf("claim the lab's folder: %w", err)
	}
	return nil
}

// clear removes a lab's files, and nothing else that may lie in the folder.
func (h *held) clear(log bool) {
	names := []string{statusFile, statusFile + ".new", kubeconfigFile, kubeconfigFile + ".new", dataFolder}
	if log {
		names = append(names, logFile)
	}
	for _, name := range names {
		// What cannot be removed now is removed by the next lab.
		_ = os.RemoveAll(filepath.Join(h.dir, name))
	}
}

// release removes the lab's files, the log only unless it is to be kept, and
// the folder if nothing else is in it.
func (h *held) release(keepLog bool) {
	h.clear(!keepLog)
	path := filepath.Join(h.dir, lockFile)
	removeLocked(h.file, path)
	_ = os.Remove(h.dir)
}

// holder is the process that has dir, if one has.
func holder(dir string) (pid int, alive bool, err error) {
	path := filepath.Join(dir, lockFile)
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("look for a lab in %q: %w", dir, err)
	}
	defer file.Close()
	free, err := lock(file, shared)
	if err != nil {
		return 0, false, fmt.Errorf("look for a lab in %q: %w", dir, err)
	}
	if free {
		return 0, false, nil
	}
	content := make([]byte, 32)
	n, _ := file.ReadAt(content, 0)
	pid, err = strconv.Atoi(strings.TrimSpace(string(content[:n])))
	if err != nil { // locked this very moment, its number not written yet
		return 0, true, nil
	}
	return pid, true, nil
}
