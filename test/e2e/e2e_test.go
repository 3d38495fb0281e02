// Package e2e runs the real binary in a real terminal.
package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "svctour/cli" // what is built below: a result is not to be kept when it changes
)

var binary string

func TestMain(m *testing.M) {
	if runtime.GOOS == "windows" {
		fmt.Println("skipped: these tests drive tmux")
		return
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "svctour-e2e-*")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "svctour")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// patience is how long a condition may take on a slow, shared machine.
const patience = 90 * time.Second

// poll is how often a screen is looked at while waiting for it.
const poll = 40 * time.Millisecond

// until waits for a condition and fails the test with what() when it never comes.
func until(t *testing.T, condition func() bool, what func() string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatal(what())
		}
		time.Sleep(poll)
	}
}

// home is a folder for svctour's state, short enough for sockets, and checked
// to be left without a trace of a lab.
func home(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "svt-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// terminal is a tmux session of its own server.
type terminal struct {
	t      *testing.T
	socket string
}

// open starts the binary with args in a terminal of w×h cells.
func open(t *testing.T, home string, w, h int, env []string, args ...string) *terminal {
	t.Helper()
	return openCommand(t, home, w, h, env, binary+" "+strings.Join(args, " "))
}

// openCommand starts a command line of the shell's in a terminal.
func openCommand(t *testing.T, home string, w, h int, env []string, line string) *terminal {
	t.Helper()
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("tmux is not installed: the real binary is not driven in a terminal")
	}
	term := &terminal{t: t, socket: fmt.Sprintf("svctour-%d-%d", os.Getpid(), time.Now().UnixNano())}
	command := []string{"-L", term.socket, "-f", "/dev/null", "new-session", "-d", "-x", fmt.Sprint(w), "-y", fmt.Sprint(h)}
	for _, e := range append([]string{"SVCTOUR_HOME=" + home, "KUBECONFIG=" + filepath.Join(home, "none"), "LC_ALL=C.UTF-8"}, env...) {
		command = append(command, "-e", e)
	}
	shell := line + `; echo "[exit code $?]"; cat`
	command = append(command, "sh", "-c", shell)
	cmd := exec.Command("tmux", command...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("tmux: %v\n%s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("tmux", "-L", term.socket, "kill-server").Run() })
	return term
}

func (term *terminal) tmux(args ...string) string {
	term.t.Helper()
	out, err := exec.Command("tmux", append([]string{"-L", term.socket}, args...)...).CombinedOutput()
	if err != nil {
		term.t.Fatalf("tmux %q: %v\n%s", args, err, out)
	}
	return string(out)
}

func (term *terminal) screen() string { return term.tmux("capture-pane", "-p") }

func (term *terminal) press(keys ...string) {
	term.t.Helper()
	term.tmux(append([]string{"send-keys"}, keys...)...)
}

func (term *terminal) await(texts ...string) {
	term.t.Helper()
	last := ""
	until(term.t, func() bool {
		last = term.screen()
		for _, text := range texts {
			if !strings.Contains(last, text) {
				return false
			}
		}
		return true
	}, func() string { return fmt.Sprintf("the screen never shows %q:\n%s", texts, last) })
}

// svctour runs the binary and gives its outputs and exit code.
func svctour(t *testing.T, home string, env []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append(os.Environ(), append([]string{"SVCTOUR_HOME=" + home, "KUBECONFIG=" + filepath.Join(home, "none")}, env...)...)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if ctx.Err() != nil {
		t.Fatalf("svctour %q did not end\n%s%s", args, out.String(), errs.String())
	}
	var exit *exec.ExitError
	if err != nil && !asExit(err, &exit) {
		t.Fatal(err)
	}
	if libraryLog.MatchString(errs.String()) {
		t.Errorf("svctour %q: a library's log is on the terminal:\n%s", args, errs.String())
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// libraryLog is a line as klog writes it.
var libraryLog = regexp.MustCompile(`(?m)^[IWEF][0-9]{4} `)

func asExit(err error, target **exec.ExitError) bool {
	exit, ok := err.(*exec.ExitError)
	*target = exit
	return ok
}

// processes lists the processes of this binary, besides the tests' own.
func processes(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command("ps", "-eo", "pid=,stat=,args=").Output()
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, row := range strings.Split(string(out), "\n") {
		fields := strings.Fields(row)
		if len(fields) > 2 && strings.HasPrefix(fields[2], binary) && !strings.HasPrefix(fields[1], "Z") {
			found = append(found, row)
		}
	}
	return found
}

// leavesNothing waits until no process of the binary runs and the lab's folder is gone.
func leavesNothing(t *testing.T, home string) {
	t.Helper()
	var left []string
	until(t, func() bool {
		left = processes(t)
		if entries, err := os.ReadDir(filepath.Join(home, "lab")); err == nil {
			for _, e := range entries {
				left = append(left, "lab/"+e.Name())
			}
		}
		return len(left) == 0
	}, func() string { return "left behind:\n" + strings.Join(left, "\n") })
}

func signalByName(t *testing.T, match string, signal syscall.Signal) {
	t.Helper()
	var pids []int
	for _, row := range processes(t) {
		var pid int
		if strings.Contains(row, match) {
			if _, err := fmt.Sscan(row, &pid); err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	if len(pids) == 0 {
		t.Fatalf("no process matches %q:\n%s", match, strings.Join(processes(t), "\n"))
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, signal); err != nil {
			t.Fatal(err)
		}
	}
}
