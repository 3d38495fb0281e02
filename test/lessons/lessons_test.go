// Package lessons proves the built-in lessons and challenges on labs, with the
// real binary and the real commands: every check is false at its step's start,
// stays false after each listed mistake, and is made true by the step's own
// command; what a question says is right is what the cluster then shows.
package lessons

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"svctour/lessons"
)

// side is how many lessons are proved at a time. They mostly wait, whatever the
// machine has of processors.
const side = "4"

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", side); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// patience bounds one command of the binary on a slow, shared machine.
const patience = 8 * time.Minute

// lab is a running lab and the binary that speaks to it.
type lab struct {
	mode   string
	binary string
	home   string
}

// TestSet holds the lessons together: nothing is explained twice, and each
// misconception is asked for twice.
func TestSet(t *testing.T) {
	for _, problem := range lessons.LintBuiltin() {
		t.Error(problem)
	}
}

func build(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("the lessons are proved on a real control plane")
	}
	binary := filepath.Join(shortDir(t), "svctour")
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	cmd := exec.Command("go", "build", "-o", binary, ".")
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return binary
}

// shortDir is a folder whose path is short enough for sockets.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "svl-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func startLab(t *testing.T, binary, mode string) *lab {
	t.Helper()
	l := &lab{mode: mode, binary: binary, home: filepath.Join(shortDir(t), "home")}
	t.Cleanup(func() {
		if out, code := l.run(t, "lab", "down"); code != 0 {
			t.Errorf("lab down: exit code %d\n%s", code, out)
		}
	})
	if out, code := l.run(t, "lab", "up", "--detach", "--proxy-mode="+mode); code != 0 {
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

// serial and doors make namespaces and node ports that no two proofs share.
var serial, doors atomic.Int32

// door gives a node port of the part of the range from which the API server takes
// none by itself (ServiceNodePortStaticSubrange: 30000 to 30085).
func door() string { return fmt.Sprint(30001 + doors.Add(1)%80) }

// namespace gives one for a single proof.
func namespace() string { return fmt.Sprintf("svl-%d", serial.Add(1)) }

// prove plays a lesson without a learner, in a namespace of its own.
func (l *lab) prove(t *testing.T, lesson *lessons.Lesson, flags ...string) (string, int) {
	t.Helper()
	args := append([]string{"lesson", lesson.ID, "--auto", "--here", "-n", namespace()}, flags...)
	if _, ok := lesson.Variables["nodePort"]; ok {
		args = append(args, "--set=nodePort="+door())
	}
	return l.run(t, args...)
}

// The labs run side by side, and so do the lessons on each.
func TestLessonsOnTheLab(t *testing.T) {
	binary := build(t)
	list, err := lessons.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	labs := []*lab{startLab(t, binary, "iptables"), startLab(t, binary, "nftables")}
	t.Run("lessons", func(t *testing.T) {
		for _, lesson := range list {
			t.Run(lesson.ID, func(t *testing.T) {
				t.Parallel()
				provedEverywhere(t, labs, lesson)
			})
		}
	})
	t.Run("jump in", func(t *testing.T) {
		for _, lesson := range list {
			t.Run(lesson.ID, func(t *testing.T) {
				t.Parallel()
				everyStepFromNothing(t, labs[0], lesson)
			})
		}
	})
	t.Run("broken lessons", func(t *testing.T) { theGuardCanFail(t, labs[0]) })
}

// provedEverywhere proves a lesson on each lab that it is for. A step that needs
// another mode than the first lab's has to be proved on the other.
func provedEverywhere(t *testing.T, labs []*lab, lesson *lessons.Lesson) {
	outputs := map[string]string{}
	for i, l := range labs {
		if i > 0 && !slices.Contains(lesson.Modes, l.mode) && !needsMode(lesson, l.mode) {
			continue
		}
		out, code := l.prove(t, lesson)
		if code != 0 || !strings.Contains(out, "is proved.") {
			t.Fatalf("mode %s: exit code %d\n%s", l.mode, code, out)
		}
		t.Logf("mode %s:\n%s", l.mode, out)
		outputs[l.mode] = out
	}
	for i, step := range lesson.Steps {
		proved := 0
		for _, out := range outputs {
			if part := partOf(out, lesson, i); !strings.Contains(part, "left out:") {
				proved++
				for _, w := range step.Wrong {
					if w.Command = strings.Split(w.Command, "${")[0]; !strings.Contains(part, "wrong "+w.Command) {
						t.Errorf("%s: the wrong fix %q was not tried", step.Title, w.Command)
					}
				}
			}
		}
		if proved == 0 {
			t.Errorf("%s was proved on no lab", step.Title)
		}
	}
}

func needsMode(lesson *lessons.Lesson, mode string) bool {
	want := lessons.Need{Kind: lessons.NeedMode, Name: mode}
	return slices.Contains(lesson.Needs, want) || slices.ContainsFunc(lesson.Steps, func(s *lessons.Step) bool { return slices.Contains(s.Needs, want) })
}

// partOf is what a transcript tells of one step.
func partOf(out string, lesson *lessons.Lesson, i int) string {
	heading := func(i int) string { return fmt.Sprintf("%2d/%d  %s\n", i+1, len(lesson.Steps), lesson.Steps[i].Title) }
	_, part, _ := strings.Cut(out, heading(i))
	if i+1 < len(lesson.Steps) {
		part, _, _ = strings.Cut(part, heading(i+1))
	}
	return part
}

// everyStepFromNothing plays each step that has a start state of its own in an
// empty namespace: what resuming on another cluster does.
func everyStepFromNothing(t *testing.T, l *lab, lesson *lessons.Lesson) {
	for i, step := range lesson.Steps {
		if i == 0 || step.Given == nil || step.Given == lesson.Steps[i-1].Given {
			continue // the first one was just played in an empty namespace
		}
		out, code := l.prove(t, lesson, fmt.Sprintf("--step=%d", i+1))
		if code != 0 || !strings.Contains(out, fmt.Sprintf("Step %d is proved.", i+1)) {
			t.Errorf("at step %d: exit code %d\n%s", i+1, code, out)
		}
	}
}

// theGuardCanFail breaks a lesson in several ways. Each must be noticed.
func theGuardCanFail(t *testing.T, l *lab) {
	folder := filepath.Join("..", "..", "lessons", "testdata", "nodeport")
	text, err := os.ReadFile(filepath.Join(folder, "lesson.md"))
	if err != nil {
		t.Fatal(err)
	}
	check := "service('web').type == 'NodePort'\n  && service('web').ports.exists(p, p.nodePort != 0)\n"
	tests := []struct{ name, old, new, want string }{
		{"unsolved passes", check, "service('web').clusterIP != ''\n", "true before anything was done"},
		{"solved fails", check, "service('web').type == 'LoadBalancer'\n", "does not make the check true"},
		{"wrong passes", "replies.exists(r, r.exit != 0 && r.stderr.contains('provided port is not in the valid range'))",
			"replies.exists(r, r.exit != 0)", "makes its check true"},
		{"truth is not what is seen", "seen: \"service('web').clusterIP == before.service('web').clusterIP\"", "seen: \"service('web').clusterIP == ''\"", "the cluster then showed"},
		{"no choice is right", "truth: \"path('outside', service('web').clusterIP + ':80').end\"", "truth: \"'nowhere'\"", "no choice says so"},
		{"start state never comes", "service('web').type == 'ClusterIP' && service('web').clusterIP != 'None'", "service('web').type == 'Nothing'", "start state does not come about"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			broken := strings.Replace(string(text), test.old, test.new, 1)
			if broken == string(text) {
				t.Fatalf("the lesson does not hold %q", test.old)
			}
			broken = strings.ReplaceAll(broken, "30080", door())
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(folder)); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "lesson.md"), []byte(broken), 0o600); err != nil {
				t.Fatal(err)
			}
			out, code := l.run(t, "lesson", dir, "--auto", "--here", "--timeout=8s", "-n", namespace())
			if code != 1 || !strings.Contains(out, test.want) {
				t.Errorf("exit code %d, want 1 and %q\n%s", code, test.want, out)
			}
		})
	}
}
