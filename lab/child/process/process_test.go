package process_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/spf13/afero"
	"go.uber.org/goleak"

	"svctour/lab/child/process"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T, table *process.Table, main process.Main, change func(*process.Process)) (*process.Running, *process.Process) {
	t.Helper()
	p := &process.Process{Args: []string{"test"}, Dir: "/", Stdout: io.Discard, Stderr: io.Discard, Files: process.NewFiles(nil)}
	if change != nil {
		change(p)
	}
	r := table.Start(t.Context(), main, p)
	t.Cleanup(func() { r.Kill(); r.Wait() })
	return r, p
}

func hold(ctx context.Context, _ *process.Process) int { <-ctx.Done(); return 0 }

func TestEndOfProcess1EndsTheOthers(t *testing.T) {
	table := process.NewTable()
	first, _ := start(t, table, hold, nil)
	second, _ := start(t, table, hold, nil)
	if first.PID != 1 || second.PID != 2 || len(table.List()) != 2 || table.Find(2) != second {
		t.Fatalf("PIDs %d and %d, %d listed", first.PID, second.PID, len(table.List()))
	}
	first.Kill()
	if status := second.Wait(); status != 137 {
		t.Errorf("the other ended with %d, want 137", status)
	}
}

func TestDispositionOfSignals(t *testing.T) {
	table := process.NewTable()
	first, _ := start(t, table, process.Default(hold), nil)
	second, _ := start(t, table, process.Default(hold), nil)
	first.Signal(process.Terminate)
	second.Signal(process.Terminate)
	if status := second.Wait(); status != 143 {
		t.Errorf("SIGTERM: status %d, want 143", status)
	}
	if table.Find(1) == nil {
		t.Error("process 1 has no handler, and SIGTERM ended it")
	}
}

func TestPanicEndsTheProgramOnly(t *testing.T) {
	var out bytes.Buffer
	r, _ := start(t, process.NewTable(), func(context.Context, *process.Process) int { panic("no") },
		func(p *process.Process) { p.Stderr = &out })
	if r.Wait() != 2 || out.String() != "test: panic: no\n" {
		t.Errorf("status %d, %q", r.Status(), out.String())
	}
}

func TestCancelledReadLosesNothing(t *testing.T) {
	reader, writer := io.Pipe()
	table := process.NewTable()
	var shared io.Reader
	keep := func(ctx context.Context, p *process.Process) int {
		_, err := p.Stdin.Read(make([]byte, 10))
		if err == nil {
			return 1
		}
		return 0
	}
	first, p := start(t, table, keep, func(p *process.Process) { p.Stdin = reader })
	shared = p.Stdin
	first.Kill()
	first.Wait()
	read := func(_ context.Context, p *process.Process) int {
		text, err := io.ReadAll(p.Stdin)
		if string(text) != "kept" || err != nil {
			return 1
		}
		return 0
	}
	second, _ := start(t, table, read, func(p *process.Process) { p.Stdin = shared })
	fmt.Fprint(writer, "kept")
	writer.Close()
	if status := second.Wait(); status != 0 {
		t.Errorf("the second reader did not get what came after the first's end")
	}
}

type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(text)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func TestTerminalEditsLines(t *testing.T) {
	for _, c := range []struct{ typed, read, shown string }{
		{"abc\r", "abc\n", "abc\r\n"},
		{"ax\x7fb\n", "ab\n", "ax\b \bb\r\n"},
		{"one two\x17x\n", "one x\n", "one two\b \b\b \b\b \bx\r\n"},
		{"gone\x15x\n", "x\n", "gone\b \b\b \b\b \b\b \bx\r\n"},
		{"a\n\x04never", "a\n", "a\r\nnever"},
		{"ab\x04\x04", "ab", "ab"},
	} {
		reader, writer := io.Pipe()
		var out screen
		var got []byte
		r, _ := start(t, process.NewTable(), func(_ context.Context, p *process.Process) int {
			got, _ = io.ReadAll(p.Stdin)
			return 0
		}, func(p *process.Process) {
			process.NewTerminal(reader, &out, process.Size{Columns: 80, Rows: 24}).Connect(p)
		})
		fmt.Fprint(writer, c.typed)
		writer.Close()
		r.Wait()
		if string(got) != c.read || !strings.HasPrefix(c.shown, out.String()) {
			t.Errorf("%q: read %q and shown %q, want %q and %q", c.typed, got, out.String(), c.read, c.shown)
		}
	}
}

func TestTerminalInterrupts(t *testing.T) {
	reader, writer := io.Pipe()
	var out screen
	table := process.NewTable()
	start(t, table, hold, nil)
	r, p := start(t, table, process.Default(hold), func(p *process.Process) {
		process.NewTerminal(reader, &out, process.Size{}).Connect(p)
	})
	p.Terminal.Resize(process.Size{Columns: 132, Rows: 50})
	<-p.Terminal.Resized()
	if p.Terminal.Size().Columns != 132 {
		t.Errorf("size %v", p.Terminal.Size())
	}
	fmt.Fprint(writer, "\x03")
	if status := r.Wait(); status != 130 || out.String() != "^C" {
		t.Errorf("status %d, shown %q", status, out.String())
	}
	writer.Close()
}

func TestFilesOfAContainer(t *testing.T) {
	image := afero.NewMemMapFs()
	if err := afero.WriteFile(image, "/etc/motd", []byte("image"), 0o644); err != nil {
		t.Fatal(err)
	}
	volume := afero.NewMemMapFs()
	if err := afero.WriteFile(volume, "/key", []byte("value"), 0o644); err != nil {
		t.Fatal(err)
	}
	one, two := process.NewFiles(image), process.NewFiles(image)
	count := 0
	for _, err := range []error{
		one.Mount("/etc/config", volume, true), two.Mount("/shared", volume, false),
		one.Provide("/run/token", 0o600, func() ([]byte, error) { count++; return fmt.Append(nil, count), nil }),
		afero.WriteFile(one, "/etc/motd", []byte("own"), 0o644),
		afero.WriteFile(two, "/shared/new", []byte("seen"), 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		files      afero.Fs
		name, want string
	}{
		{one, "/etc/motd", "own"}, {two, "/etc/motd", "image"}, {one, "/etc/config/key", "value"},
		{one, "/etc/config/new", "seen"}, {one, "/run/token", "1"}, {one, "/run/token", "2"}, {one, "/dev/null", ""},
	} {
		if got, err := afero.ReadFile(c.files, c.name); string(got) != c.want || err != nil {
			t.Errorf("%s: %q, %v, want %q", c.name, got, err, c.want)
		}
	}
	for name, want := range map[string]syscall.Errno{
		"/etc/config/key": syscall.EROFS, "/etc/config/x": syscall.EROFS, "/etc": syscall.EISDIR,
		"/none/x": syscall.ENOENT, "/etc/motd/x": syscall.ENOTDIR, "/run/token": syscall.EROFS,
	} {
		if _, err := one.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o644); !errors.Is(err, want) {
			t.Errorf("write %s: %v, want %v", name, err, want)
		}
	}
	entries, err := afero.ReadDir(one, "/etc")
	if err != nil || len(entries) != 2 || entries[0].Name() != "config" || !entries[0].IsDir() {
		t.Errorf("/etc: %v, %v", entries, err)
	}
	if err := one.Remove("/etc/config"); !errors.Is(err, syscall.EBUSY) {
		t.Errorf("remove a mount point: %v", err)
	}
}

func TestLookPath(t *testing.T) {
	p := &process.Process{
		Env: []string{"PATH=/none:/bin"}, Dir: "/bin", Files: process.NewFiles(nil),
		Machine: &process.Machine{Programs: func(name string) process.Main {
			if name == "/bin/run" {
				return hold
			}
			return nil
		}},
	}
	if err := afero.WriteFile(p.Files, "/text", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]error{
		"run": nil, "./run": nil, "/bin/run": nil, "nothing": syscall.ENOENT, "/text": syscall.EACCES, "/bin/ls": syscall.ENOENT,
	} {
		if _, _, err := process.LookPath(p, name); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
}
