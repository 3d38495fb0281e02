// Package folder is the folder of a lab: whose it is, what is in it, and how it
// is cleared. The process of the lab holds it; others look into it.
package folder

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

// The files in a lab's folder.
const (
	Lock       = "lock"
	Status     = "status.json"
	Kubeconfig = "kubeconfig"
	Log        = "lab.log"
	Data       = "data" // a folder: etcd's files, keys, and what else needs a disk
)

// A lab holds an exclusive lock on a file in its folder as long as it lives.
// The system drops it however the process ends, so a lock that can be had
// means that no lab is there, whatever files say and whichever process has the
// old number now.

// Held is a folder that this process has.
type Held struct {
	dir  string
	file *os.File
}

// lockWait is how long a start waits for a lock: another process may be asking
// for the status just then, or the lab before may be about to end.
const lockWait = 2 * time.Second

// Acquire takes dir for this process and clears what a killed lab left in it.
func Acquire(ctx context.Context, dir string) (*Held, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the lab's folder: %w", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, fmt.Errorf("close the lab's folder to others: %w", err)
	}
	path := filepath.Join(dir, Lock)
	deadline := time.Now().Add(lockWait)
	for {
		file, locked, err := tryLock(path)
		if err != nil {
			return nil, fmt.Errorf("lock the lab's folder %q: %w", dir, err)
		}
		if locked {
			h := &Held{dir, file}
			if err := h.claim(); err != nil {
				h.Release(false)
				return nil, err
			}
			return h, nil
		}
		if time.Now().After(deadline) {
			pid, _, _ := Holder(dir)
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

// tryLock opens and locks path. It is not locked if another process has it, or
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
func (h *Held) claim() error {
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
func (h *Held) clear(log bool) {
	names := []string{Status, Status + ".new", Kubeconfig, Kubeconfig + ".new", Data}
	if log {
		names = append(names, Log)
	}
	for _, name := range names {
		// What cannot be removed now is removed by the next lab.
		_ = os.RemoveAll(filepath.Join(h.dir, name))
	}
}

// Release removes the lab's files, without the log if keepLog is set, and the
// folder if nothing else is in it.
func (h *Held) Release(keepLog bool) {
	h.clear(!keepLog)
	path := filepath.Join(h.dir, Lock)
	removeLocked(h.file, path)
	_ = os.Remove(h.dir)
}

// Holder is the process that has dir, if one has.
func Holder(dir string) (pid int, alive bool, err error) {
	path := filepath.Join(dir, Lock)
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

// Sweep removes what a lab that was killed has left in dir.
func Sweep(dir string) error {
	path := filepath.Join(dir, Lock)
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	file, locked, err := tryLock(path)
	if err != nil {
		return fmt.Errorf("clean up the lab's folder: %w", err)
	}
	if locked {
		(&Held{dir, file}).Release(false)
	}
	return nil
}

// WriteFile replaces a file as a whole: a reader sees the old or the new.
func WriteFile(path string, content []byte) error {
	next := path + ".new"
	if err := os.WriteFile(next, content, 0o600); err != nil {
		return fmt.Errorf("write %q: %w", path, err)
	}
	if err := os.Rename(next, path); err != nil {
		return fmt.Errorf("write %q: %w", path, err)
	}
	return nil
}
