package process

import (
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/afero"
	"github.com/spf13/afero/mem"
)

// Files is a container's file system: a layer of its own over its image's
// files, with volumes mounted in it and files whose content is made when they
// are opened. Paths are absolute. It is safe for concurrent use.
type Files struct {
	mu       sync.RWMutex
	root     afero.Fs
	mounts   []mount // the longest path first
	provided map[string]provided
}

type mount struct {
	at       string
	files    afero.Fs
	readOnly bool
}

type provided struct {
	mode    fs.FileMode
	content func() ([]byte, error)
}

var _ afero.Fs = (*Files)(nil)

// NewFiles makes a file system over an image's files, which stay as they are
// and may be shared; nil for an empty image. WritableLimit is what it takes.
func NewFiles(image afero.Fs) *Files {
	f := &Files{root: Limit(afero.NewMemMapFs(), WritableLimit), provided: map[string]provided{}}
	if image != nil {
		f.root = afero.NewCopyOnWriteFs(afero.NewReadOnlyFs(image), f.root)
	}
	_ = f.root.MkdirAll("/tmp", 0o777|fs.ModeSticky)
	return f
}

// Mount shows the root of files at a path, which is made. With readOnly every
// change through this path is EROFS.
func (f *Files) Mount(at string, files afero.Fs, readOnly bool) error {
	at = path.Clean("/" + at)
	if err := f.MkdirAll(path.Dir(at), 0o755); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mounts = append(f.mounts, mount{at, files, readOnly})
	slices.SortStableFunc(f.mounts, func(a, b mount) int { return len(b.at) - len(a.at) })
	return nil
}

// Provide shows a read-only file at a path whose content is what content
// returns when it is opened.
func (f *Files) Provide(at string, mode fs.FileMode, content func() ([]byte, error)) error {
	at = path.Clean("/" + at)
	if err := f.MkdirAll(path.Dir(at), 0o755); err != nil {
		// A parent in a read-only volume is shown by the provided file itself.
		if Errno(err) != syscall.EROFS {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.provided[at] = provided{mode, content}
	return nil
}

// find is the file system that holds a path, and the path in it.
func (f *Files) find(name string) (files afero.Fs, inner, full string, readOnly bool) {
	full = path.Clean("/" + name)
	f.mu.RLock()
	defer f.mu.RUnlock()
	for _, m := range f.mounts {
		if full == m.at || strings.HasPrefix(full, strings.TrimSuffix(m.at, "/")+"/") {
			return m.files, path.Clean("/" + full[len(m.at):]), full, m.readOnly
		}
	}
	return f.root, full, full, false
}

// change is find for a change of what the path names: a mount point or a
// provided file cannot be removed or replaced.
func (f *Files) change(operation, name string) (afero.Fs, string, error) {
	files, inner, full, readOnly := f.find(name)
	f.mu.RLock()
	defer f.mu.RUnlock()
	if _, is := f.provided[full]; is || readOnly {
		return nil, "", &fs.PathError{Op: operation, Path: name, Err: syscall.EROFS}
	}
	return files, inner, nil
}

func (f *Files) pinned(name string) bool {
	full := path.Clean("/" + name)
	f.mu.RLock()
	defer f.mu.RUnlock()
	return full == "/" || slices.ContainsFunc(f.mounts, func(m mount) bool { return m.at == full })
}

// children are the names of mount points and provided files below a directory.
func (f *Files) children(full string) []string {
	var names []string
	add := func(at string) {
		if rest, below := strings.CutPrefix(at, strings.TrimSuffix(full, "/")+"/"); below && rest != "" {
			first, _, _ := strings.Cut(rest, "/")
			names = append(names, first)
		}
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	for _, m := range f.mounts {
		add(m.at)
	}
	for at := range f.provided {
		add(at)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Name is afero's.
func (f *Files) Name() string { return "Files" }

// Open opens for reading.
func (f *Files) Open(name string) (afero.File, error) { return f.OpenFile(name, os.O_RDONLY, 0) }

// Create makes or truncates a file.
func (f *Files) Create(name string) (afero.File, error) {
	return f.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
}

// OpenFile is open(2).
func (f *Files) OpenFile(name string, flag int, mode fs.FileMode) (afero.File, error) {
	files, inner, full, readOnly := f.find(name)
	writes := flag&(os.O_WRONLY|os.O_RDWR|os.O_CREATE|os.O_TRUNC|os.O_APPEND) != 0
	fail := func(err error) (afero.File, error) { return nil, &fs.PathError{Op: "open", Path: name, Err: err} }
	if full == "/dev/null" {
		return null{}, nil
	}
	f.mu.RLock()
	made, is := f.provided[full]
	f.mu.RUnlock()
	if is {
		if writes {
			return fail(syscall.EROFS)
		}
		text, err := made.content()
		if err != nil {
			return fail(err)
		}
		return contentFile(path.Base(full), made.mode, text), nil
	}
	info, err := f.Stat(full)
	switch {
	case err == nil && info.IsDir() && writes:
		return fail(syscall.EISDIR)
	case err == nil && flag&os.O_CREATE != 0 && flag&os.O_EXCL != 0:
		return fail(syscall.EEXIST)
	case err == nil && info.IsDir():
		return f.openDirectory(files, inner, full, info)
	case err != nil && flag&os.O_CREATE == 0:
		return fail(Errno(err))
	case writes && readOnly:
		return fail(syscall.EROFS)
	case err != nil:
		if parent, err := f.Stat(path.Dir(full)); err != nil {
			return fail(Errno(err))
		} else if !parent.IsDir() {
			return fail(syscall.ENOTDIR)
		}
	}
	file, err := files.OpenFile(inner, flag, mode)
	if err != nil {
		return fail(Errno(err))
	}
	return file, nil
}

func contentFile(name string, mode fs.FileMode, text []byte) afero.File {
	data := mem.CreateFile(name)
	mem.SetMode(data, mode)
	writer := mem.NewFileHandle(data)
	_, _ = writer.Write(text)
	return mem.NewReadOnlyFileHandle(data)
}

// Stat is stat(2).
func (f *Files) Stat(name string) (fs.FileInfo, error) {
	files, inner, full, _ := f.find(name)
	if full == "/dev/null" {
		return info{name: "null", mode: fs.ModeDevice | fs.ModeCharDevice | 0o666}, nil
	}
	f.mu.RLock()
	made, is := f.provided[full]
	f.mu.RUnlock()
	if is {
		text, err := made.content()
		if err != nil {
			return nil, &fs.PathError{Op: "stat", Path: name, Err: err}
		}
		return info{name: path.Base(full), mode: made.mode, size: int64(len(text)), at: time.Now()}, nil
	}
	found, err := files.Stat(inner)
	if err != nil {
		if len(f.children(full)) > 0 || full == "/" {
			return info{name: path.Base(full), mode: fs.ModeDir | 0o755}, nil
		}
		return nil, &fs.PathError{Op: "stat", Path: name, Err: Errno(err)}
	}
	mode := found.Mode()
	if found.IsDir() {
		mode |= fs.ModeDir
		if mode.Perm() == 0 {
			mode |= 0o755
		}
	}
	return info{path.Base(full), mode, found.Size(), found.ModTime()}, nil
}

// LstatIfPossible is Stat: there are no symbolic links.
func (f *Files) LstatIfPossible(name string) (fs.FileInfo, bool, error) {
	found, err := f.Stat(name)
	return found, false, err
}

func (f *Files) openDirectory(files afero.Fs, inner, full string, own fs.FileInfo) (afero.File, error) {
	entries := map[string]fs.FileInfo{}
	if listed, err := afero.ReadDir(files, inner); err == nil {
		for _, entry := range listed {
			entries[entry.Name()] = entry
		}
	}
	for _, name := range f.children(full) {
		entries[name] = nil
	}
	names := make([]string, 0, len(entries))
	for name := range entries {
		names = append(names, name)
	}
	slices.Sort(names)
	d := &directory{name: full, own: own}
	for _, name := range names {
		if entry, err := f.Stat(path.Join(full, name)); err == nil {
			d.entries = append(d.entries, entry)
		}
	}
	return d, nil
}

// Mkdir is mkdir(2).
func (f *Files) Mkdir(name string, mode fs.FileMode) error {
	fail := func(err error) error { return &fs.PathError{Op: "mkdir", Path: name, Err: err} }
	if _, err := f.Stat(name); err == nil {
		return fail(syscall.EEXIST)
	}
	if parent, err := f.Stat(path.Dir(path.Clean("/" + name))); err != nil {
		return fail(Errno(err))
	} else if !parent.IsDir() {
		return fail(syscall.ENOTDIR)
	}
	files, inner, err := f.change("mkdir", name)
	if err != nil {
		return err
	}
	if err := files.MkdirAll(inner, mode); err != nil {
		return fail(Errno(err))
	}
	return nil
}

// MkdirAll makes a directory and its parents, if they are not there.
func (f *Files) MkdirAll(name string, mode fs.FileMode) error {
	full := path.Clean("/" + name)
	if found, err := f.Stat(full); err == nil {
		if !found.IsDir() {
			return &fs.PathError{Op: "mkdir", Path: name, Err: syscall.ENOTDIR}
		}
		return nil
	}
	if err := f.MkdirAll(path.Dir(full), mode); err != nil {
		return err
	}
	return f.Mkdir(full, mode)
}

// Remove is unlink(2) or rmdir(2).
func (f *Files) Remove(name string) error {
	found, err := f.Stat(name)
	if err != nil {
		return err
	}
	fail := func(err error) error { return &fs.PathError{Op: "remove", Path: name, Err: err} }
	if f.pinned(name) {
		return fail(syscall.EBUSY)
	}
	if found.IsDir() {
		if below, err := afero.ReadDir(f, name); err == nil && len(below) > 0 {
			return fail(syscall.ENOTEMPTY)
		}
	}
	files, inner, err := f.change("remove", name)
	if err != nil {
		return err
	}
	if err := files.Remove(inner); err != nil {
		return fail(Errno(err))
	}
	return nil
}

// RemoveAll removes a file or a directory with what is below it.
func (f *Files) RemoveAll(name string) error {
	found, err := f.Stat(name)
	if err != nil {
		return nil
	}
	if found.IsDir() {
		below, err := afero.ReadDir(f, name)
		if err != nil {
			return err
		}
		for _, entry := range below {
			if err := f.RemoveAll(path.Join(name, entry.Name())); err != nil {
				return err
			}
		}
	}
	return f.Remove(name)
}

// Rename is rename(2); between two mounts it is EXDEV.
func (f *Files) Rename(from, to string) error {
	source, inner, err := f.change("rename", from)
	if err != nil {
		return err
	}
	target, innerTo, err := f.change("rename", to)
	if err != nil {
		return err
	}
	fail := func(err error) error { return &fs.PathError{Op: "rename", Path: from, Err: err} }
	if source != target {
		return fail(syscall.EXDEV)
	}
	if f.pinned(from) || f.pinned(to) {
		return fail(syscall.EBUSY)
	}
	if err := source.Rename(inner, innerTo); err != nil {
		return fail(Errno(err))
	}
	return nil
}

// Chmod is chmod(2).
func (f *Files) Chmod(name string, mode fs.FileMode) error {
	files, inner, err := f.change("chmod", name)
	if err != nil {
		return err
	}
	return files.Chmod(inner, mode)
}

// Chown is chown(2).
func (f *Files) Chown(name string, user, group int) error {
	files, inner, err := f.change("chown", name)
	if err != nil {
		return err
	}
	return files.Chown(inner, user, group)
}

// Chtimes is utimes(2).
func (f *Files) Chtimes(name string, access, modified time.Time) error {
	files, inner, err := f.change("chtimes", name)
	if err != nil {
		return err
	}
	return files.Chtimes(inner, access, modified)
}

type info struct {
	name string
	mode fs.FileMode
	size int64
	at   time.Time
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) Mode() fs.FileMode  { return i.mode }
func (i info) ModTime() time.Time { return i.at }
func (i info) IsDir() bool        { return i.mode.IsDir() }
func (i info) Sys() any           { return nil }

// null is /dev/null.
type null struct{ afero.File }

func (null) Read([]byte) (int, error)                  { return 0, io.EOF }
func (null) ReadAt([]byte, int64) (int, error)         { return 0, io.EOF }
func (null) Write(text []byte) (int, error)            { return len(text), nil }
func (null) WriteString(text string) (int, error)      { return len(text), nil }
func (null) WriteAt(text []byte, _ int64) (int, error) { return len(text), nil }
func (null) Seek(int64, int) (int64, error)            { return 0, nil }
func (null) Close() error                              { return nil }
func (null) Name() string                              { return "/dev/null" }
func (null) Sync() error                               { return nil }
func (null) Truncate(int64) error                      { return nil }
func (null) Stat() (fs.FileInfo, error) {
	return info{name: "null", mode: fs.ModeDevice | fs.ModeCharDevice | 0o666}, nil
}

// directory is an open directory as it was when it was opened.
type directory struct {
	null
	name    string
	own     fs.FileInfo
	entries []fs.FileInfo
}

func (d *directory) Name() string               { return d.name }
func (d *directory) Stat() (fs.FileInfo, error) { return d.own, nil }
func (d *directory) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.name, Err: syscall.EISDIR}
}

func (d *directory) Readdir(count int) ([]fs.FileInfo, error) {
	if count <= 0 {
		all := d.entries
		d.entries = nil
		return all, nil
	}
	if len(d.entries) == 0 {
		return nil, io.EOF
	}
	n := min(count, len(d.entries))
	some := d.entries[:n]
	d.entries = d.entries[n:]
	return some, nil
}

func (d *directory) Readdirnames(count int) ([]string, error) {
	some, err := d.Readdir(count)
	names := make([]string, 0, len(some))
	for _, entry := range some {
		names = append(names, entry.Name())
	}
	return names, err
}
