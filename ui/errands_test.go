package ui_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"svctour/model"
	"svctour/test/uitest"
	"svctour/ui"
)

// fewEndpoints is a picture in which the step "More Pods" has not begun.
func fewEndpoints() *model.Snapshot {
	return uitest.World(append(uitest.ThreePods(), uitest.ClientPod(), uitest.WebService(model.ClusterIP, 0), uitest.WebSlice(2))...)
}

// anew is a picture of the same namespace, removed and created again.
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
	d.Observe(nodeSilent)
	d.Backend.SetReply(model.Reply{Stdout: "HTTP/1.1 200 OK\n"})
	d.ToStep("More Pods")
	for _, key := range []string{"enter", "r"} {
		if d.Show(uitest.WithService()); key == "r" {
			d.Show(fewEndpoints())
		}
		d.Predict()
		d.Hold()
		d.Press(key)
		if _, why := d.Key("r"); why == "" {
			t.Fatalf("%s: no command is under way", key)
		}
		d.Press("space")
		d.Sees("request under way")
		d.Release()
		for _, k := range []string{"enter", "r"} {
			if title, why := d.Key(k); why != "" {
				t.Errorf("%s, then space: %s (%s) cannot be done: %s", key, k, title, why)
			}
		}
		d.Sees("HTTP/1.1 200 OK; which")
	}
}

func TestWhatAScreenAskedForEndsWithIt(t *testing.T) {
	d := uitest.Tour(t, 120, 40, ui.Options{})
	d.Press("l", "j") // the second lesson, whose start state takes several commands
	d.Hold()
	ran := len(d.Backend.Ran())
	d.Press("enter")
	if got := d.Asked(ran); !slices.Equal(got, []string{"delete service web web-any --ignore-not-found"}) {
		t.Fatalf("ran %q", got)
	}
	d.Press("l", "k", "enter") // the first one
	d.Sees("1 ClusterIP", "kubectl apply -f web.yaml")
	d.Press("enter")
	d.Stopped() // no one released it
	if _, why := d.Key("r"); why != "a command is under way" {
		t.Error("the answer to another lesson's command ended this one's")
	}
	d.Lacks("Stopped.")
	d.Release()
	if got := d.Asked(ran); !slices.Equal(got, []string{"delete service web web-any --ignore-not-found", "apply -f -"}) {
		t.Errorf("ran %q: the row of the lesson that was left goes on", got)
	}
}

func TestARequestEndsWithItsScreen(t *testing.T) {
	d := atPath(t, 120, 40)
	d.Observe(nodeSilent)
	d.Hold()
	d.Press("space", "l", "enter")
	d.ToStep("More Pods")
	d.Show(uitest.WithService())
	d.Predict()
	d.Press("space")
	d.Stopped()
	d.Sees("request under way")
	d.Release()
}

func TestAFixIsNotOfferedOverAnotherScreen(t *testing.T) {
	d := atPath(t, 120, 40)
	service := uitest.WebService(model.ClusterIP, 0)
	service.Selector = map[string]string{"app": "wbe"}
	d.Show(uitest.World(append(uitest.ThreePods(), uitest.ClientPod(), service)...))
	d.Press("d")
	d.Hold()
	d.Press("f", "l")
	d.Stopped()
	d.Sees("Lessons")
	d.Lacks("refuse", "fix")
	d.Release()
}

func TestWhatAStepAskedForEndsWithIt(t *testing.T) {
	d := uitest.Tour(t, 120, 40, ui.Options{})
	d.Hold()
	ran := len(d.Backend.Ran())
	d.Press("enter")
	d.Press("right") // its start state asks for more than is there
	if got := d.Asked(ran); !slices.Equal(got, []string{"apply -f -", "delete service web --ignore-not-found"}) {
		t.Fatalf("ran %q", got)
	}
	d.Stopped()
	if title, _ := d.Key("enter"); title != "preparing" {
		t.Errorf("the answer to the earlier step's command made ⏎ %q", title)
	}
	d.Lacks("Stopped.")
	d.Release()
	d.Lacks("preparing")
}

func TestAStartStateThatDoesNotComeCanBeAskedForAgain(t *testing.T) {
	for _, size := range []struct{ w, h int }{{80, 24}, {120, 40}} {
		d := uitest.Tour(t, size.w, size.h, ui.Options{})
		d.Backend.SetAnswer(func(args []string, _ string) model.Reply {
			if args[0] == "apply" {
				return model.Reply{Stderr: "Error from server (Forbidden): exceeded quota: tight\n", Exit: 1}
			}
			return model.Reply{}
		})
		d.Press("l", "j")
		ran := len(d.Backend.Ran())
		d.Press("enter")
		given := d.Step().Given.Commands
		if got := d.Asked(ran); len(got) != len(given) {
			t.Errorf("ran %q: a refusal shows in the cluster, the row goes on", got)
		}
		d.Show(uitest.World(uitest.ThreePods()...))
		d.Press("right", "right")
		d.Sees("(Forbidden): exceeded", "try again")
		if size.w == 120 {
			d.Sees("service('web').type == 'NodePort'", "pod('tmp').ready", "readyEndpoints('web').size()")
			d.Lacks("services.all") // what is met is not missing
		}
		golden(t, fmt.Sprintf("refused-%dx%d", size.w, size.h), d.Frame())

		d.Backend.SetReply(model.Reply{})
		ran = len(d.Backend.Ran())
		d.Press("enter")
		if got := d.Asked(ran); len(got) != len(given) {
			t.Errorf("⏎ ran %q", got)
		}
		d.Sees("prepare again")
		d.Lacks("exceeded")
		d.Show(uitest.World(append(uitest.ThreePods(), uitest.ClientPod(), uitest.WebService(model.NodePort, 30080), uitest.WebSlice(3))...))
		d.Sees("$ kubectl get service web")
		if title, why := d.Key("enter"); title != "run" || why != "" {
			t.Errorf("⏎ is %q (%s) at the start of the step", title, why)
		}
	}
}

// A namespace that is created again needs its start state again, also when
// nothing changes after the command that was under way.
func TestAStartStateIsAskedForWheneverItIsLost(t *testing.T) {
	d := uitest.Tour(t, 120, 40, ui.Options{})
	given := d.ToStep("More Pods").Given.Commands
	d.Show(uitest.WithService())
	d.Predict()
	d.Hold()
	d.Press("enter")
	d.Show(anew(fewEndpoints()))
	ran := len(d.Backend.Ran())
	d.Release()
	if got := d.Asked(ran); len(got) != len(given) {
		t.Errorf("ran %q", got)
	}
	d.Show(anew(uitest.WithService()))
	ran = len(d.Backend.Ran())
	d.Show(fewEndpoints())
	if got := d.Asked(ran); len(got) != len(given) {
		t.Errorf("the second time it ran %q", got)
	}
}

func TestTheCommandShownIsTheOneThatRan(t *testing.T) {
	d := uitest.Tour(t, 200, 60, ui.Options{})
	d.ToStep("Delete one")
	d.Show(uitest.World(append(uitest.ThreePods(), uitest.ClientPod())...))
	const command = "kubectl delete pod web-6d4b75cb6d-9kf4z" // by its name the first
	d.Sees(command)
	d.Predict()
	d.Hold()
	d.Press("enter")
	d.Show(uitest.World(uitest.ThreePods()[0], uitest.ClientPod()))
	d.Sees(command)
	d.Release()
	d.Sees(command)
}

func TestNoExpressionIsShownAsACommand(t *testing.T) {
	d := uitest.Tour(t, 120, 40, ui.Options{})
	d.ToStep("Delete one")
	d.Show(uitest.World(append(uitest.ThreePods(), uitest.ClientPod())...))
	others := uitest.ThreePods() // someone else deleted one
	others[1].(*model.Pod).UID = "pod-3"
	d.Show(uitest.World(append(others, uitest.ClientPod())...))
	d.Sees("Done.", "kubectl delete pod POD")
	d.Press("right", "left")
	d.Sees("Done.", "kubectl delete pod POD")
}

func TestTheDoctorLeavesWithItsStep(t *testing.T) {
	d := atPath(t, 120, 40)
	d.Press("d")
	d.Sees("Doctor web")
	d.Press("right")
	d.Lacks("Doctor web")
}

func TestAHintIsSeen(t *testing.T) {
	for _, size := range []struct{ w, h int }{{40, 12}, {80, 24}, {120, 40}} {
		d := uitest.Tour(t, size.w, size.h, ui.Options{})
		step := d.ToStep("The Service")
		d.Show(uitest.WithService())
		d.Press("r", "d", "h")
		word, _, _ := strings.Cut(step.Hints[0], " ")
		d.Sees("Hint 1. " + word)
		d.Press("2", "h")
		d.Sees("Hint 2.")
	}
}

// A prediction is made once: not for a question that the doctor hides.
func TestNoPredictionBehindTheDoctor(t *testing.T) {
	d := uitest.Tour(t, 120, 40, ui.Options{})
	d.ToStep("The Service")
	d.Show(uitest.World(append(uitest.ThreePods(), uitest.ClientPod())...))
	saved := len(d.Backend.Saved())
	d.Press("d", "1", "s")
	if len(d.Backend.Saved()) != saved {
		t.Error("a question out of sight was answered")
	}
	d.Press("d", "1", "s")
	if len(d.Backend.Saved()) == saved {
		t.Error("the question in sight was not answered")
	}
}
