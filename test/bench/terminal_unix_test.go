//go:build unix

package bench

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"svctour/test/drive"
)

// BenchmarkFirstFrame is the time from starting the real binary in a terminal
// of 120×40 until its first screen has been written to it.
func BenchmarkFirstFrame(b *testing.B) {
	binary, home := build(b), b.TempDir()
	var times []time.Duration
	for b.Loop() {
		began := time.Now()
		t := openTerminal(b, home, binary)
		times = append(times, t.await("Where?").Sub(began))
		b.StopTimer()
		t.quit()
		b.StartTimer()
	}
	report(b, times)
}

// BenchmarkKeyFrozenServer is the time from a key until the real binary writes
// to its terminal, while the API server and all of the lab hang (SIGSTOP).
func BenchmarkKeyFrozenServer(b *testing.B) {
	binary, process := build(b), startLab(b)
	t := openTerminal(b, os.Getenv("SVCTOUR_HOME"), binary, "--lab")
	t.await("Lessons", "● live")
	t.press("\r")
	t.await("step 1/")
	pid := process.Status().PID
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
			b.Error(err)
		}
	}()
	t.await("not live")
	var times []time.Duration
	for b.Loop() {
		b.StopTimer()
		t.quiet()
		b.StartTimer()
		began := t.press("?") // the list of keys, and away again
		times = append(times, t.next().at.Sub(began))
	}
	report(b, times)
	t.quit()
}

func build(b *testing.B) string {
	b.Helper()
	binary, err := drive.Build(b.Context(), b.TempDir(), "svctour", ".")
	if err != nil {
		b.Fatal(err)
	}
	return binary
}

// terminal is a pseudo-terminal in which the program runs.
type terminal struct {
	b      *testing.B
	file   *os.File
	cmd    *exec.Cmd
	writes chan write // closed when the program has ended
	unread string     // written since the last key
}

// write is what the program wrote at once, and when.
type write struct {
	at   time.Time
	text string
}

func openTerminal(b *testing.B, home, binary string, args ...string) *terminal {
	b.Helper()
	t := &terminal{b: b, cmd: exec.CommandContext(b.Context(), binary, args...), writes: make(chan write, 1024)}
	t.cmd.Env = append(os.Environ(), "SVCTOUR_HOME="+home, "KUBECONFIG="+home+"/none", "TERM=xterm-256color", "LC_ALL=C.UTF-8")
	var err error
	if t.file, err = pty.StartWithSize(t.cmd, &pty.Winsize{Rows: 40, Cols: 120}); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { t.file.Close() })
	go func() {
		defer close(t.writes)
		buffer := make([]byte, 1<<16)
		for {
			n, err := t.file.Read(buffer)
			if err != nil { // EIO: no process has the other end open any more
				return
			}
			t.writes <- write{time.Now(), string(buffer[:n])}
		}
	}()
	return t
}

// press types and says when.
func (t *terminal) press(keys string) time.Time {
	t.b.Helper()
	t.unread = ""
	at := time.Now()
	if _, err := fmt.Fprint(t.file, keys); err != nil {
		t.b.Fatal(err)
	}
	return at
}

func (t *terminal) next() write {
	t.b.Helper()
	select {
	case w, open := <-t.writes:
		if !open {
			t.b.Fatal("the program has ended")
		}
		return w
	case <-time.After(time.Minute):
		t.b.Fatalf("nothing more is written to the terminal; last:\n%q", t.unread)
		panic("not reached")
	}
}

// await says when these texts had been written, all of them since the last key.
func (t *terminal) await(texts ...string) time.Time {
	t.b.Helper()
	at := time.Now()
	for deadline := at.Add(time.Minute); time.Now().Before(deadline); {
		if !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(t.unread, text) }) {
			return at
		}
		w := t.next()
		at, t.unread = w.at, t.unread+w.text
	}
	t.b.Fatalf("no %q on the terminal:\n%q", texts, t.unread)
	panic("not reached")
}

// quiet waits until nothing has been written for a while.
func (t *terminal) quiet() {
	for {
		select {
		case <-t.writes:
		case <-time.After(200 * time.Millisecond):
			return
		}
	}
}

func (t *terminal) quit() {
	t.b.Helper()
	t.press("\x03")
	for range t.writes { // until it has ended
	}
	if err := t.cmd.Wait(); err != nil {
		t.b.Error(err)
	}
}
