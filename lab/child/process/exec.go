package process

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	"github.com/spf13/afero"
)

// Errno is the error number behind an error of a file system, or the innermost
// error if there is none.
func Errno(err error) error {
	var number syscall.Errno
	switch {
	case errors.As(err, &number):
		return number
	case errors.Is(err, fs.ErrNotExist):
		return syscall.ENOENT
	case errors.Is(err, fs.ErrExist):
		return syscall.EEXIST
	case errors.Is(err, fs.ErrPermission):
		return syscall.EPERM
	}
	for next := errors.Unwrap(err); next != nil; next = errors.Unwrap(err) {
		err = next
	}
	return err
}

// Message is an error as strerror(3) words it: No such file or directory.
func Message(err error) string {
	text := Errno(err).Error()
	if text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// LookPath finds a program as execvp(3) does: by its path, or in the
// directories of PATH. The error is ENOENT, worded as containerd words it, or
// EACCES if a file has that name but is no program.
func LookPath(p *Process, name string) (string, Main, error) {
	if p.Machine == nil || p.Machine.Programs == nil || name == "" {
		return "", nil, errNotFound
	}
	if strings.Contains(name, "/") {
		full := p.Path(name)
		if main := p.Machine.Programs(full); main != nil {
			return full, main, nil
		}
		if _, err := p.Files.Stat(full); err == nil {
			return full, nil, syscall.EACCES
		}
		return "", nil, syscall.ENOENT
	}
	search, set := p.Lookup("PATH")
	if !set {
		search = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	}
	denied := ""
	for _, folder := range strings.Split(search, ":") {
		full := p.Path(path.Join(p.Path(folder), name))
		if main := p.Machine.Programs(full); main != nil {
			return full, main, nil
		}
		if found, err := p.Files.Stat(full); err == nil && !found.IsDir() {
			denied = full
		}
	}
	if denied != "" {
		return denied, nil, syscall.EACCES
	}
	return "", nil, errNotFound
}

type notFound struct{}

func (notFound) Error() string        { return "executable file not found in $PATH" }
func (notFound) Is(target error) bool { return target == syscall.ENOENT || target == fs.ErrNotExist }

var errNotFound error = notFound{}

// Getenv is the value of an environment variable, empty if it is not set.
func (p *Process) Getenv(key string) string {
	value, _ := p.Lookup(key)
	return value
}

// Lookup is the value of an environment variable and whether it is set.
func (p *Process) Lookup(key string) (string, bool) {
	for i := len(p.Env) - 1; i >= 0; i-- {
		if name, value, _ := strings.Cut(p.Env[i], "="); name == key {
			return value, true
		}
	}
	return "", false
}

// Path is a path as the program means it, made absolute.
func (p *Process) Path(name string) string {
	if !path.IsAbs(name) {
		name = path.Join("/", p.Dir, name)
	}
	return path.Clean(name)
}

// Open opens a file for reading; a relative path starts at p.Dir.
func (p *Process) Open(name string) (afero.File, error) { return p.OpenFile(name, os.O_RDONLY, 0) }

// OpenFile opens a file. The names of the program's own streams, as
// /dev/stdout, are these streams.
func (p *Process) OpenFile(name string, flag int, mode fs.FileMode) (afero.File, error) {
	if name == "" {
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.ENOENT}
	}
	full := p.Path(name)
	switch full {
	case "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0":
		return &streamFile{p: p, name: full, read: p.Stdin.Read}, nil
	case "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1":
		return &streamFile{p: p, name: full, write: p.Stdout.Write}, nil
	case "/dev/stderr", "/dev/fd/2", "/proc/self/fd/2":
		return &streamFile{p: p, name: full, write: p.Stderr.Write}, nil
	case "/dev/tty":
		if p.Terminal == nil {
			return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.ENXIO}
		}
		return &streamFile{p: p, name: full, read: p.Stdin.Read, write: p.Terminal.Write}, nil
	}
	return p.Files.OpenFile(full, flag, mode)
}

// IsTerminal is isatty(3) of one of the program's streams.
func (p *Process) IsTerminal(stream any) bool {
	if bound, is := stream.(*boundReader); is {
		stream = bound.source.from
	}
	return p.Terminal != nil && stream == any(p.Terminal)
}

// streamFile is one of a program's streams, opened by a name.
type streamFile struct {
	null
	p           *Process
	name        string
	read, write func([]byte) (int, error)
}

func (s *streamFile) Name() string { return s.name }

func (s *streamFile) Read(into []byte) (int, error) {
	if s.read == nil {
		return 0, &fs.PathError{Op: "read", Path: s.name, Err: syscall.EBADF}
	}
	return s.read(into)
}

func (s *streamFile) Write(text []byte) (int, error) {
	if s.write == nil {
		return 0, &fs.PathError{Op: "write", Path: s.name, Err: syscall.EBADF}
	}
	return s.write(text)
}

func (s *streamFile) WriteString(text string) (int, error) { return s.Write([]byte(text)) }

// Child is a process that p may start: with p's environment, directory, streams
// and terminal, and other arguments.
func (p *Process) Child(args []string) *Process {
	child := *p
	child.Args, child.Parent, child.PID, child.Signals = args, p.PID, 0, nil
	return &child
}

// Start starts a child of p by its name, found as execvp(3) does.
func (p *Process) Start(ctx context.Context, child *Process) (*Running, error) {
	_, main, err := LookPath(child, child.Args[0])
	if err != nil {
		return nil, err
	}
	return p.Machine.Table.Start(ctx, main, child), nil
}
