package ui

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"svctour/lessons"
	"svctour/model"
	"svctour/ui/lesson"
)

// hold lets kubectl wait from now on.
func (d *driver) hold() { d.backend.hold = make(chan struct{}) }

// release lets every kubectl that waits answer.
func (d *driver) release() {
	d.t.Helper()
	close(d.backend.hold)
	d.backend.hold = nil
	for len(d.held) > 0 {
		d.send(d.heldAnswer())
	}
}

// heldAnswer is the answer of the first kubectl that waited; it fails unless
// that was released, or its context has ended.
func (d *driver) heldAnswer() tea.Msg {
	d.t.Helper()
	if len(d.held) == 0 {
		d.t.Fatal("no kubectl waits")
	}
	first := d.held[0]
	d.held = d.held[1:]
	select {
	case msg := <-first:
		return msg
	case <-time.After(20 * time.Second):
		d.t.Fatal("a kubectl goes on")
		return nil
	}
}

// toStep goes to the step of a title in the open lesson.
func (d *driver) toStep(title string) *lessons.Step {
	d.t.Helper()
	number, _, _, steps := d.app.screen.(*lesson.Screen).Status()
	for range steps {
		_, _, at, _ := d.app.screen.(*lesson.Screen).Status()
		if step := d.app.options.Lessons[number-1].Steps[at]; step.Title == title {
			return step
		}
		d.press("right")
	}
	d.t.Fatalf("there is no step %q", title)
	return nil
}

// key gives the title of what a key does, and why it cannot be done.
func (d *driver) key(key string) (title, why string) {
	d.t.Helper()
	for _, a := range d.app.screen.Actions() {
		if slices.Contains(a.Keys, key) {
			return a.Title, a.Why
		}
	}
	d.t.Fatalf("%q does nothing", key)
	return "", ""
}

func (d *driver) lacks(texts ...string) {
	d.t.Helper()
	got := d.frame()
	for _, text := range texts {
		if strings.Contains(got, text) {
			d.t.Fatalf("the frame has %q:\n%s", text, got)
		}
	}
}

// fewEndpoints is a picture in which the step "More Pods" has not begun.
func fewEndpoints() *model.Snapshot {
	return world(append(threePods(), clientPod(), webService(model.ClusterIP, 0), webSlice(2))...)
}

// anew is a picture of a namespace that was removed and made again.
func anew(s *model.Snapshot) *model.Snapshot {
	again := *s
	again.Namespaces = slices.Clone(again.Namespaces)
	ns := *again.Namespaces[2]
	ns.UID += "-again"
	again.Namespaces[2] = &ns
	return model.NewSnapshot(again)
}

func TestARequestDoesNotHideTheEndOfACommand(t *testing.T) {
	d := atPath(t, 120, 40)
	d.backend.observe = nodeSilent
	d.backend.reply = model.Reply{Stdout: "HTTP/1.1 200 OK\n"}
	d.toStep("More Pods")
	for _, key := range []string{"enter", "r"} {
		if d.show(withService()); key == "r" {
			d.show(fewEndpoints())
		}
		d.hold()
		d.press(key)
		if _, why := d.key("r"); why == "" {
			t.Fatalf("%s: no command is under way", key)
		}
		d.press("space")
		d.sees("request under way")
		d.release()
		for _, k := range []string{"enter", "r"} {
			if title, why := d.key(k); why != "" {
				t.Errorf("%s, then space: %s (%s) cannot be done: %s", key, k, title, why)
			}
		}
		d.sees("HTTP/1.1 200 OK; which")
	}
}

func TestWhatAScreenAskedForEndsWithIt(t *testing.T) {
	d := tourStart(t, 120, 40, Options{})
	d.press("l", "j") // the second lesson, whose start state takes several commands
	d.hold()
	ran := len(d.backend.ran)
	d.press("enter")
	if got := asked(d, ran); !slices.Equal(got, []string{"delete service web web-any --ignore-not-found"}) {
		t.Fatalf("ran %q", got)
	}
	d.press("l", "enter") // the first one
	d.sees("1 ClusterIP", "kubectl apply -f web.yaml")
	d.press("enter")
	d.send(d.heldAnswer()) // nobody released it
	if _, why := d.key("r"); why != "a command is under way" {
		t.Error("the answer to another lesson's command ended this one's")
	}
	d.lacks("Stopped.")
	d.release()
	if got := asked(d, ran); !slices.Equal(got, []string{"delete service web web-any --ignore-not-found", "apply -f -"}) {
		t.Errorf("ran %q: the row of the lesson that was left goes on", got)
	}
}

func TestARequestEndsWithItsScreen(t *testing.T) {
	d := atPath(t, 120, 40)
	d.backend.observe = nodeSilent
	d.hold()
	d.press("space", "l", "enter")
	d.toStep("More Pods")
	d.show(withService())
	d.press("space")
	d.send(d.heldAnswer())
	d.sees("request under way")
	d.release()
}

func TestAFixIsNotOfferedOverAnotherScreen(t *testing.T) {
	d := atPath(t, 120, 40)
	service := webService(model.ClusterIP, 0)
	service.Selector = map[string]string{"app": "wbe"}
	d.show(world(append(threePods(), clientPod(), service)...))
	d.press("d")
	d.hold()
	d.press("f", "l")
	d.send(d.heldAnswer())
	d.sees("Lessons")
	d.lacks("refuse", "fix")
	d.release()
}

func TestWhatAStepAskedForEndsWithIt(t *testing.T) {
	d := tourStart(t, 120, 40, Options{})
	d.hold()
	ran := len(d.backend.ran)
	d.press("enter")
	d.press("right") // its start state asks for more than is there
	if got := asked(d, ran); !slices.Equal(got, []string{"apply -f -", "delete service web --ignore-not-found"}) {
		t.Fatalf("ran %q", got)
	}
	d.send(d.heldAnswer())
	if title, _ := d.key("enter"); title != "preparing" {
		t.Errorf("the answer to the earlier step's command made ⏎ %q", title)
	}
	d.lacks("Stopped.")
	d.release()
	d.lacks("preparing")
}

func TestAStartStateThatDoesNotComeCanBeAskedForAgain(t *testing.T) {
	for _, size := range []struct{ w, h int }{{80, 24}, {120, 40}} {
		d := tourStart(t, size.w, size.h, Options{})
		d.backend.answer = func(args []string, _ string) model.Reply {
			if args[0] == "apply" {
				return model.Reply{Stderr: "Error from server (Forbidden): exceeded quota: tight\n", Exit: 1}
			}
			return model.Reply{}
		}
		d.press("l", "j")
		given := d.app.options.Lessons[1].Steps[0].Given.Commands
		ran := len(d.backend.ran)
		d.press("enter")
		if got := asked(d, ran); len(got) != len(given) {
			t.Errorf("ran %q: a refusal shows in the cluster, the row goes on", got)
		}
		d.show(world(threePods()...))
		d.press("right", "right")
		d.sees("(Forbidden): exceeded", "try again")
		if size.w == 120 {
			d.sees("service('web').type == 'NodePort'", "pod('tmp').ready", "readyEndpoints('web').size()")
			d.lacks("services.all") // what is met is not missing
		}
		golden(t, fmt.Sprintf("refused-%dx%d", size.w, size.h), d.frame())

		d.backend.answer = nil
		ran = len(d.backend.ran)
		d.press("enter")
		if got := asked(d, ran); len(got) != len(given) {
			t.Errorf("⏎ ran %q", got)
		}
		d.sees("prepare again")
		d.lacks("exceeded")
		d.show(world(append(threePods(), clientPod(), webService(model.NodePort, 30080), webSlice(3))...))
		d.sees("$ kubectl get service web")
		if title, why := d.key("enter"); title != "run" || why != "" {
			t.Errorf("⏎ is %q (%s) at the start of the step", title, why)
		}
	}
}

// A namespace that is made anew wants its start state once more, also when
// nothing changes after the command that was under way.
func TestAStartStateIsAskedForWheneverItIsLost(t *testing.T) {
	d := tourStart(t, 120, 40, Options{})
	given := d.toStep("More Pods").Given.Commands
	d.show(withService())
	d.hold()
	d.press("enter")
	d.show(anew(fewEndpoints()))
	ran := len(d.backend.ran)
	d.release()
	if got := asked(d, ran); len(got) != len(given) {
		t.Errorf("ran %q", got)
	}
	d.show(anew(withService()))
	ran = len(d.backend.ran)
	d.show(fewEndpoints())
	if got := asked(d, ran); len(got) != len(given) {
		t.Errorf("the second time it ran %q", got)
	}
}

func TestTheCommandShownIsTheOneThatRan(t *testing.T) {
	d := tourStart(t, 200, 60, Options{})
	d.toStep("Delete one")
	d.show(world(append(threePods(), clientPod())...))
	const command = "kubectl delete pod web-6d4b75cb6d-9kf4z" // by its name the first
	d.sees(command)
	d.hold()
	d.press("enter")
	d.show(world(threePods()[0], clientPod()))
	d.sees(command)
	d.release()
	d.sees(command)
}

func TestNoExpressionIsShownAsACommand(t *testing.T) {
	d := tourStart(t, 120, 40, Options{})
	d.toStep("Delete one")
	d.show(world(append(threePods(), clientPod())...))
	others := threePods() // somebody else deleted one
	others[1].(*model.Pod).UID = "pod-3"
	d.show(world(append(others, clientPod())...))
	d.sees("Done.", "kubectl delete pod POD")
	d.press("right", "left")
	d.sees("Done.", "kubectl delete pod POD")
}

func TestTheDoctorLeavesWithItsStep(t *testing.T) {
	d := atPath(t, 120, 40)
	d.press("d")
	d.sees("Doctor web")
	d.press("right")
	d.lacks("Doctor web")
}

func TestAHintIsSeen(t *testing.T) {
	for _, size := range []struct{ w, h int }{{40, 12}, {80, 24}, {120, 40}} {
		d := tourStart(t, size.w, size.h, Options{})
		step := d.toStep("The Service")
		d.show(withService())
		d.press("r", "d", "h")
		word, _, _ := strings.Cut(step.Hints[0], " ")
		d.sees("Hint 1. " + word)
		d.press("2", "h")
		d.sees("Hint 2.")
	}
}

// A prediction is made once: not for a question that the doctor hides.
func TestNoPredictionBehindTheDoctor(t *testing.T) {
	d := tourStart(t, 120, 40, Options{})
	d.toStep("The Service")
	d.show(world(append(threePods(), clientPod())...))
	saved := len(d.backend.saved)
	d.press("d", "a")
	if len(d.backend.saved) != saved {
		t.Error("a question out of sight was answered")
	}
	d.press("d", "a")
	if len(d.backend.saved) == saved {
		t.Error("the question in sight was not answered")
	}
}
