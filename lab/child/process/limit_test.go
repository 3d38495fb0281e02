package process_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/afero"

	"svctour/lab/child/process"
)

// TestALimitedFileSystemIsFull fills one as a full disk is filled: what fails is
// ENOSPC, what is there stays, and what is removed makes room.
func TestALimitedFileSystemIsFull(t *testing.T) {
	const limit = 64 << 10
	files := process.Limit(afero.NewMemMapFs(), limit)
	full := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%s: %v, want ENOSPC", what, err)
		}
	}
	if err := afero.WriteFile(files, "/keep", []byte("kept"), 0o644); err != nil {
		t.Fatal(err)
	}
	block := bytes.Repeat([]byte("x"), 4<<10)
	fill := func(name string) (int, error) {
		f, err := files.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
		if err != nil {
			return 0, err
		}
		defer f.Close()
		for n := 0; ; n++ {
			if _, err := f.Write(block); err != nil {
				return n, err
			}
		}
	}
	n, err := fill("/big")
	full("write", err)
	if n < limit/len(block)/2 || n*len(block) > limit {
		t.Errorf("%d blocks fitted", n)
	}
	if err.Error() != "write /big: no space left on device" || process.Message(err) != "No space left on device" {
		t.Errorf("error %q, message %q", err, process.Message(err))
	}
	keep, err := files.OpenFile("/keep", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer keep.Close()
	full("truncate", keep.Truncate(limit))
	_, err = keep.WriteAt(block, limit)
	full("write at an offset", err)
	if _, err = keep.Seek(limit, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	_, err = keep.WriteString("x")
	full("write behind the end", err)
	if got, err := afero.ReadFile(files, "/keep"); string(got) != "kept" || err != nil {
		t.Errorf("/keep: %q, %v", got, err)
	}
	if _, err := keep.WriteAt([]byte("held"), 0); err != nil { // no longer than before
		t.Errorf("write in place: %v", err)
	}
	if err := files.Remove("/big"); err != nil {
		t.Fatal(err)
	}
	if again, err := fill("/other"); again != n {
		t.Errorf("after a removal %d blocks fitted, %v, want %d", again, err, n)
	}
	if err := files.RemoveAll("/other"); err != nil {
		t.Fatal(err)
	}
	for i := range limit {
		if err = files.Mkdir(fmt.Sprint("/", i), 0o755); err != nil {
			break
		}
	}
	full("mkdir without end", err)
	_, err = files.Create("/one-more")
	full("create", err)
}

// TestAContainerWritesItsLimit writes more than a container may: over its image's
// files as well as beside them.
func TestAContainerWritesItsLimit(t *testing.T) {
	image := afero.NewMemMapFs()
	if err := afero.WriteFile(image, "/etc/motd", []byte("image"), 0o644); err != nil {
		t.Fatal(err)
	}
	files, block := process.NewFiles(image), make([]byte, 8<<20)
	var err error
	for n := 0; n <= process.WritableLimit/len(block) && err == nil; n++ {
		err = afero.WriteFile(files, fmt.Sprint("/tmp/", n), block, 0o644)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("error %v, want ENOSPC", err)
	}
	if got, err := afero.ReadFile(files, "/etc/motd"); string(got) != "image" || err != nil {
		t.Errorf("/etc/motd: %q, %v", got, err)
	}
}

// A path of directories takes room for each of them.
func TestDirectoriesTakeRoom(t *testing.T) {
	files := process.Limit(afero.NewMemMapFs(), 64<<10)
	for levels, want := range map[int]error{10: nil, 100: syscall.ENOSPC, 2048: syscall.ENAMETOOLONG} {
		if err := files.MkdirAll(strings.Repeat("/a", levels), 0o755); !errors.Is(err, want) {
			t.Errorf("%d levels: %v, want %v", levels, err, want)
		}
	}
}
