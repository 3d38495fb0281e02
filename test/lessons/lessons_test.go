// Package lessons proves the built-in lessons on the lab, with the real binary
// and the real commands: every check is false at its step's start, stays false
// after each listed mistake, and is made true by the step's own command.
package lessons

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"svctour/lessons"
)

// patience bounds one command of the binary on a slow, shared machine.
const patience = 5 * time.Minute

// lab is a running lab and the binary that speaks to it.
type lab struct {
	binary string
	home   string
}

func startLab(t *testing.T) *lab {
	t.Helper()
	if testing.Short() {
		t.Skip("the lessons are proved on a real control plane")
	}
	dir, err := os.MkdirTemp("", "svl-*") // short: it holds sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	l := &lab{binary: filepath.Join(dir, "svctour"), home: filepath.Join(dir, "home")}
	if runtime.GOOS == "windows" {
		l.binary += ".exe"
	}
	build := exec.Command("go", "build", "-o", l.binary, ".")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	t.Cleanup(func() {
		if out, code := l.run(t, "lab", "down"); code != 0 {
			t.Errorf("lab down: exit code %d\n%s", code, out)
		}
	})
	if out, code := l.run(t, "lab", "up", "--detach"); code != 0 {
		t.Fatalf("lab up: exit code %d\n%s", code, out)
	}
	return l
}

// run runs the binary and gives both outputs together, and the exit code.
func (l *lab) run(t *testing.T, args ...string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, l.binary, args...)
	cmd.Env = append(os.Environ(), "SVCTOUR_HOME="+l.home, "KUBECONFIG=", "NO_COLOR=1")
	var out bytes.Buffer // not CombinedOutput's pipe: a detached lab may hold that open
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cmd.Stdout, cmd.Stderr = file, file
	err = cmd.Run()
	if _, err := file.Seek(0, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := out.ReadFrom(file); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("svctour %q: %v\n%s", args, err, &out)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

func TestLessonsOnTheLab(t *testing.T) {
	l := startLab(t)
	list, err := lessons.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	for _, lesson := range list {
		t.Run(lesson.ID, func(t *testing.T) {
			out, code := l.run(t, "lesson", lesson.ID, "--auto")
			if code != 0 || !strings.Contains(out, fmt.Sprintf("Lesson %d is proved.", lesson.Number)) {
				t.Fatalf("exit code %d\n%s", code, out)
			}
			for _, step := range lesson.Steps {
				for _, w := range step.Wrong {
					if !strings.Contains(out, "wrong "+w.Command) {
						t.Errorf("the wrong fix %q was not tried", w.Command)
					}
				}
			}
			t.Log(out)
		})
	}
	t.Run("jump in", func(t *testing.T) { everyStepFromNothing(t, l, list) })
	t.Run("after experiments", func(t *testing.T) { startStatesComeBack(t, l) })
	t.Run("broken lessons", func(t *testing.T) { theGuardCanFail(t, l) })
}

// everyStepFromNothing plays each step that has a start state of its own in an
// empty namespace: what resuming on another cluster does.
func everyStepFromNothing(t *testing.T, l *lab, list []*lessons.Lesson) {
	for _, lesson := range list {
		for i, step := range lesson.Steps {
			if step.Given == nil || i > 0 && step.Given == lesson.Steps[i-1].Given {
				continue
			}
			if out, code := l.run(t, "clean", "--yes"); code != 0 {
				t.Fatalf("clean: exit code %d\n%s", code, out)
			}
			out, code := l.run(t, "lesson", lesson.ID, "--auto", fmt.Sprintf("--step=%d", i+1))
			if code != 0 || !strings.Contains(out, fmt.Sprintf("Step %d is proved.", i+1)) {
				t.Errorf("lesson %q at step %d: exit code %d\n%s", lesson.ID, i+1, code, out)
			}
		}
	}
}

// startStatesComeBack does to the cluster what a curious learner may, and what
// apply alone does not undo: a Service by another port or without an address,
// and a client with the servers' label.
func startStatesComeBack(t *testing.T, l *lab) {
	run := func(want string, args ...string) {
		t.Helper()
		if out, code := l.run(t, args...); code != 0 || !strings.Contains(out, want) {
			t.Fatalf("svctour %q: exit code %d, want %q\n%s", args, code, want, out)
		}
	}
	run("", "clean", "--yes")
	run("is proved", "lesson", "clusterip", "--auto", "--step=3") // the Pods
	for _, step := range []struct {
		lesson, number string
		service        string // a flag of kubectl expose
	}{
		{"clusterip", "3", "--port=80"},
		{"clusterip", "6", "--port=8080"},
		{"clusterip", "6", "--cluster-ip=None"},
		{"nodeport", "1", "--port=8080"},
		{"nodeport", "1", "--cluster-ip=None"},
		{"nodeport", "3", "--port=8080"},
		{"nodeport", "3", "--cluster-ip=None"},
		{"loadbalancer", "2", "--port=8080"},
		{"loadbalancer", "2", "--cluster-ip=None"},
	} {
		run("", "kubectl", "-n", "svctour-auto", "delete", "service", "web", "--ignore-not-found")
		expose := []string{"kubectl", "-n", "svctour-auto", "expose", "deployment", "web", "--target-port=80", step.service}
		if !strings.HasPrefix(step.service, "--port") {
			expose = append(expose, "--port=80")
		}
		run("exposed", expose...)
		run("labeled", "kubectl", "-n", "svctour-auto", "label", "pod", "tmp", "app=web")
		run("is proved", "lesson", step.lesson, "--auto", "--step="+step.number)
	}
}

// theGuardCanFail breaks a lesson in three ways. Each must be noticed.
func theGuardCanFail(t *testing.T, l *lab) {
	text, err := os.ReadFile(filepath.Join("..", "..", "lessons", "content", "nodeport", "lesson.md"))
	if err != nil {
		t.Fatal(err)
	}
	check := "service('web').type == 'NodePort'\n  && service('web').ports.exists(p, p.nodePort != 0)\n"
	tests := []struct{ name, old, new, want string }{
		{"unsolved passes", check, "service('web').clusterIP != ''\n", "true before anything was done"},
		{"solved fails", check, "service('web').type == 'LoadBalancer'\n", "does not make the check true"},
		{"wrong passes", "replies.exists(r, r.exit != 0 && r.stderr.contains('provided port is not in the valid range'))",
			"replies.exists(r, r.exit != 0)", "makes its check true"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			broken := strings.Replace(string(text), test.old, test.new, 1)
			if broken == string(text) {
				t.Fatalf("the lesson does not hold %q", test.old)
			}
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(filepath.Join("..", "..", "lessons", "content", "nodeport"))); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "lesson.md"), []byte(broken), 0o600); err != nil {
				t.Fatal(err)
			}
			out, code := l.run(t, "lesson", dir, "--auto", "--timeout=5s")
			if code != 1 || !strings.Contains(out, test.want) {
				t.Errorf("exit code %d, want 1 and %q\n%s", code, test.want, out)
			}
		})
	}
}
