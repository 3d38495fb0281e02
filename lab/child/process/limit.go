package process

import (
	"io"
	"io/fs"
	"os"
	"path"
	"sync"
	"syscall"

	"github.com/spf13/afero"
)

// WritableLimit is how many bytes a container may write beside its volumes, and
// into one of these: a lab's files are in memory. A kubelet has the node's disk
// for them, and evicts a Pod that takes too much of it.
const WritableLimit = 64 << 20

// nodeBytes is what a file or directory takes beside its content.
const nodeBytes = 1 << 10

// pathMax is how long a path may be (PATH_MAX of Linux).
const pathMax = 4096

// limited is a file system that is full when it holds max bytes.
type limited struct {
	afero.Fs
	max int64

	mu   sync.Mutex
	used int64 // at least what is there: what was removed is taken off when it is full
}

// Limit lets files hold at most max bytes; everything has to be written through
// what it returns. Writing more is ENOSPC.
func Limit(files afero.Fs, max int64) afero.Fs {
	l := &limited{Fs: files, max: max}
	l.used = l.count()
	return l
}

// count is what the file system holds.
func (l *limited) count() int64 {
	var total int64
	_ = afero.Walk(l.Fs, "/", func(name string, info fs.FileInfo, err error) error {
		if err == nil {
			total += nodeBytes + int64(len(name))
			if !info.IsDir() {
				total += info.Size()
			}
		}
		return nil
	})
	return total
}

// reserve makes sure of room for more bytes. The caller has locked l.
func (l *limited) reserve(more int64) error {
	if l.used+more > l.max {
		l.used = l.count()
	}
	if l.used+more > l.max {
		return syscall.ENOSPC
	}
	l.used += more
	return nil
}

// reserveNode makes sure of room for what name is to name, if it is not there,
// and for the directories above it that are not.
func (l *limited) reserveNode(name string) error {
	if len(name) >= pathMax {
		return syscall.ENAMETOOLONG
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var more int64
	for {
		if _, err := l.Fs.Stat(name); err == nil {
			return l.reserve(more)
		}
		more += nodeBytes + int64(len(name))
		above := path.Dir(name)
		if above == name {
			return l.reserve(more)
		}
		name = above
	}
}

func (l *limited) Create(name string) (afero.File, error) {
	return l.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
}

func (l *limited) OpenFile(name string, flag int, mode fs.FileMode) (afero.File, error) {
	if flag&os.O_CREATE != 0 {
		if err := l.reserveNode(name); err != nil {
			return nil, &fs.PathError{Op: "open", Path: name, Err: err}
		}
	}
	file, err := l.Fs.OpenFile(name, flag, mode)
	if err != nil {
		return nil, err
	}
	return &limitedFile{file, l}, nil
}

func (l *limited) Mkdir(name string, mode fs.FileMode) error {
	if err := l.reserveNode(name); err != nil {
		return &fs.PathError{Op: "mkdir", Path: name, Err: err}
	}
	return l.Fs.Mkdir(name, mode)
}

func (l *limited) MkdirAll(name string, mode fs.FileMode) error {
	if err := l.reserveNode(name); err != nil {
		return &fs.PathError{Op: "mkdir", Path: name, Err: err}
	}
	return l.Fs.MkdirAll(name, mode)
}

// limitedFile is an open file of a limited file system.
type limitedFile struct {
	afero.File
	files *limited
}

// grow makes sure of room for the file to end at end, and does what needs it.
func (f *limitedFile) grow(end int64, do func() (int, error)) (int, error) {
	info, err := f.File.Stat()
	if err != nil {
		return 0, err
	}
	if more := end - info.Size(); more > 0 {
		// A file that is open and removed is not counted any more, but it
		// cannot be larger than the file system.
		err = syscall.ENOSPC
		if end <= f.files.max {
			err = f.files.reserve(more)
		}
		if err != nil {
			return 0, &fs.PathError{Op: "write", Path: f.Name(), Err: err}
		}
	}
	return do()
}

func (f *limitedFile) Write(text []byte) (int, error) {
	f.files.mu.Lock()
	defer f.files.mu.Unlock()
	at, err := f.File.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, err
	}
	return f.grow(at+int64(len(text)), func() (int, error) { return f.File.Write(text) })
}

func (f *limitedFile) WriteString(text string) (int, error) { return f.Write([]byte(text)) }

func (f *limitedFile) WriteAt(text []byte, at int64) (int, error) {
	f.files.mu.Lock()
	defer f.files.mu.Unlock()
	return f.grow(at+int64(len(text)), func() (int, error) { return f.File.WriteAt(text, at) })
}

func (f *limitedFile) Truncate(size int64) error {
	f.files.mu.Lock()
	defer f.files.mu.Unlock()
	_, err := f.grow(size, func() (int, error) { return 0, f.File.Truncate(size) })
	return err
}
