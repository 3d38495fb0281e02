package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"svctour/lessons"
	"svctour/test/learner"
)

// TestTheWholeTour does the first lesson from its first step to its last with the
// keyboard alone, by what the screen says, on a lab that the program starts itself.
func TestTheWholeTour(t *testing.T) {
	for _, size := range []struct{ w, h int }{{80, 24}, {120, 40}} {
		t.Run(fmt.Sprintf("%dx%d", size.w, size.h), func(t *testing.T) {
			home := home(t)
			term := open(t, home, size.w, size.h, nil)
			term.await("The lab")
			term.press("Enter")
			term.await("Lessons", "ClusterIP")
			term.press("Enter")
			term.await("step 1/")
			term.goOn(func(screen string) bool { return learner.Place(screen) == "" })
			term.await("Lessons", "done")
			term.press("q")
			term.await("end the lab")
			term.press("r")
			term.await("[exit code 0]")
			leavesNothing(t, home)
		})
	}
}

// goOn does what leads on in a lesson until the screen is as asked for. Nothing
// is done twice: a command that comes late would undo what a test does next.
func (term *terminal) goOn(end func(screen string) bool) {
	term.t.Helper()
	for screen := term.screen(); !end(screen); screen = term.screen() {
		move, ok := learner.Next(screen)
		if ok && !move.Again() {
			term.press(move.Key)
		}
		until(term.t, func() bool {
			now := term.screen()
			return learner.Stand(now) != learner.Stand(screen) || end(now)
		}, func() string { return fmt.Sprintf("nothing comes of %+v:\n%s", move, screen) })
	}
}

// TestAnotherTerminalCounts: a step is done when the cluster shows it, no matter
// who did it.
func TestAnotherTerminalCounts(t *testing.T) {
	home := home(t)
	term := open(t, home, 120, 40, nil, "--lab")
	term.await("Lessons")
	term.press("Enter")
	term.await("step 1/", "⏎ run ")
	list, err := lessons.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	manifest := filepath.Join(home, "web.yaml")
	if err := os.WriteFile(manifest, []byte(list[0].Steps[0].File.Content), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, errs, code := svctour(t, home, []string{"KUBECONFIG="}, "kubectl", "apply", "-n", "tour", "-f", manifest); code != 0 {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	term.await("Done.")
	out, errs, code := svctour(t, home, []string{"KUBECONFIG="}, "doctor", "-A")
	if code != 0 || !strings.HasPrefix(errs, "svctour: using the lab") || strings.Count(errs, "\n") != 1 {
		t.Errorf("doctor -A beside the tour: exit code %d\n%s%s", code, out, errs)
	}
	term.press("C-c")
	term.await("[exit code 0]")
	leavesNothing(t, home)
}

// TestFrozenServer: with the API server stopped the screen says so and keys
// answer; afterwards it recovers by itself.
func TestFrozenServer(t *testing.T) {
	home := home(t)
	term := open(t, home, 120, 40, nil, "--lab")
	term.await("Lessons")
	term.press("Enter")
	term.await("step 1/", "live")
	signalByName(t, "lab up", syscall.SIGSTOP)
	term.await("not live")
	term.press("?")
	term.await("any key closes")
	term.press("?")
	signalByName(t, "lab up", syscall.SIGCONT)
	until(t, func() bool { return !strings.Contains(term.screen(), "not live") }, func() string {
		return "it does not recover:\n" + term.screen()
	})
	term.press("Enter")
	term.await("Done.")
	// Quitting while the lab is frozen must not leave it behind.
	signalByName(t, "lab up", syscall.SIGSTOP)
	term.press("C-c")
	term.await("[exit code 0]")
	leavesNothing(t, home)
}

// TestKilledTour: the lab ends with a program that had no chance to say so.
func TestKilledTour(t *testing.T) {
	home := home(t)
	term := open(t, home, 80, 24, nil, "--lab")
	term.await("Lessons")
	signalByName(t, binary+" --lab", syscall.SIGKILL)
	leavesNothing(t, home)
}

// doFirstStep opens the first lesson and does its first step.
func (term *terminal) doFirstStep() {
	term.t.Helper()
	term.await("Lessons")
	term.press("Enter")
	term.await("step 1/", "⏎ run ")
	term.press("Enter")
	term.await("Done.")
}

// TestKeptLab: a lab that is kept outlives the program and can be joined and ended.
func TestKeptLab(t *testing.T) {
	home := home(t)
	term := open(t, home, 120, 40, nil, "--lab")
	term.doFirstStep()
	term.press("q")
	term.await("keep it running")
	term.press("k")
	term.await("[exit code 0]", "svctour lab down")
	stdout, stderr, code := svctour(t, home, nil, "lab", "status", "-o", "json")
	var status struct {
		Running bool `json:"running"`
		Nodes   []struct {
			Ready bool `json:"ready"`
		} `json:"nodes"`
	}
	if err := json.Unmarshal([]byte(stdout), &status); err != nil || code != 0 {
		t.Fatalf("exit code %d, %v\n%s%s", code, err, stdout, stderr)
	}
	if !status.Running || len(status.Nodes) != 3 {
		t.Errorf("status %s", stdout)
	}
	// Work is resumed: the first step is still done.
	term = open(t, home, 120, 40, nil, "--lab")
	term.await("Lessons", "1 of ")
	term.press("C-c")
	term.await("[exit code 0]")
	if stdout, stderr, code := svctour(t, home, nil, "lab", "down"); code != 0 {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
	leavesNothing(t, home)
}

// TestProgressOutlivesTheLab: what was learned is the person's. In the next lab
// the lesson goes on where it was, with the start state of that step.
func TestProgressOutlivesTheLab(t *testing.T) {
	home := home(t)
	term := open(t, home, 120, 40, nil, "--lab")
	term.await("Lessons")
	if strings.Contains(term.screen(), "1 of ") {
		t.Fatalf("there is progress at first:\n%s", term.screen())
	}
	term.doFirstStep()
	term.press("Enter")
	term.await("step 2/", "⏎ run ")
	term.press("q")
	term.await("end the lab")
	term.press("r")
	term.await("[exit code 0]")
	leavesNothing(t, home)

	term = open(t, home, 120, 40, nil, "--lab")
	term.await("Lessons", "1 of ")
	if out, errs, code := svctour(t, home, []string{"KUBECONFIG="}, "kubectl", "get", "namespaces", "-o", "name"); code != 0 || strings.Contains(out, "/tour") {
		t.Fatalf("the new lab has the lessons' namespace: exit code %d\n%s%s", code, out, errs)
	}
	term.press("Enter")
	term.await("step 2/", "⏎ run ")
	out, errs, code := svctour(t, home, []string{"KUBECONFIG="}, "kubectl", "get", "deployment", "web", "-n", "tour", "-o", "jsonpath={.status.readyReplicas}")
	if code != 0 || out != "3" {
		t.Errorf("the start state of step 2 is not there: exit code %d\n%s%s", code, out, errs)
	}
	term.press("Enter")
	term.await("Done.")
	term.press("C-c")
	term.await("[exit code 0]")
	leavesNothing(t, home)
}

func TestTooSmallAndResized(t *testing.T) {
	home := home(t)
	term := open(t, home, 20, 5, nil)
	term.await("needs 40")
	term.tmux("resize-window", "-x", "80", "-y", "24")
	term.await("The lab")
	term.press("q")
	term.await("[exit code 0]")
}

// TestQuitWhileStarting: a lab that is only half there is not left behind.
func TestQuitWhileStarting(t *testing.T) {
	home := home(t)
	term := open(t, home, 80, 24, nil, "--lab")
	term.await("kube-apiserver")
	term.press("C-c")
	term.await("[exit code 0]")
	leavesNothing(t, home)
}

// TestFixInTheApp breaks a Service from another terminal, has the doctor's fix
// applied, and takes it back.
func TestFixInTheApp(t *testing.T) {
	home := home(t)
	term := open(t, home, 120, 40, nil, "--lab")
	term.doFirstStep()
	for i := 2; i <= 5; i++ {
		term.press("Right")
		term.await(fmt.Sprintf("step %d/", i))
	}
	term.goOn(func(screen string) bool { return strings.Contains(screen, "Done.") })
	kubectl := func(args ...string) string {
		out, errs, code := svctour(t, home, []string{"KUBECONFIG="}, append([]string{"kubectl", "-n", "tour"}, args...)...)
		if code != 0 {
			t.Fatalf("exit code %d\n%s%s", code, out, errs)
		}
		return out
	}
	kubectl("patch", "service", "web", "--type=merge", "-p", `{"spec":{"selector":{"app":"wbe"}}}`)
	term.press("d")
	term.await("SELECTOR")
	term.press("f")
	term.await("Apply this fix?", "-     app: wbe", "+     app: web")
	until(t, func() bool { // right after it has opened the question takes no key
		if strings.Contains(term.screen(), "Apply this fix?") {
			term.press("y")
		}
		return strings.Contains(term.screen(), "service/web patched")
	}, term.screen)
	term.press("Escape")
	term.await("No problem found", "d story") // the prompt is closed
	term.press("u")
	term.await("service/web replaced")
	if selector := kubectl("get", "service", "web", "-o", "jsonpath={.spec.selector.app}"); selector != "wbe" {
		t.Errorf("the selector is %q after the fix was taken back", selector)
	}
	term.press("Escape")
	term.await("SELECTOR", "d story")
	term.press("C-c")
	term.await("[exit code 0]")
	leavesNothing(t, home)
}
