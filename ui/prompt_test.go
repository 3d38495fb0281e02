package ui_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"svctour/model"
	"svctour/test/uitest"
	"svctour/ui"
	"svctour/ui/frame"
	"svctour/ui/shell"
)

func prompted(t *testing.T, w, h int) *uitest.Driver {
	d := uitest.Tour(t, w, h, ui.Options{})
	toService(d)
	d.Press("$")
	return d
}

// open says whether the prompt is open.
func open(d *uitest.Driver) bool {
	_, open := d.App.PromptLine()
	return open
}

const table = "NAME   TYPE        CLUSTER-IP     EXTERNAL-IP   PORT(S)   AGE\nweb    ClusterIP   10.96.142.31   <none>        80/TCP    5s\n"

func TestPromptFrames(t *testing.T) {
	for _, size := range []struct{ w, h int }{{40, 12}, {80, 24}, {120, 40}, {200, 60}} {
		d := prompted(t, size.w, size.h)
		d.Backend.SetReply(model.Reply{Stdout: table})
		d.Type("get svc")
		d.Press("enter")
		if got := d.Last(); !slices.Equal(got, []string{"tour", "get", "svc"}) {
			t.Fatalf("ran %q", got)
		}
		d.Sees("$ kubectl get svc", "10.96.142.31")
		golden(t, fmt.Sprintf("prompt-%dx%d", size.w, size.h), d.Frame())
		d.Press("esc")
		if strings.Contains(d.Frame(), "kubectl get svc\n") || open(d) {
			t.Error("escape leaves the prompt open")
		}
	}
}

func TestPromptShowsFailuresAndNoControlCharacters(t *testing.T) {
	d := prompted(t, 80, 24)
	d.Backend.SetReply(model.Reply{Stdout: "\x1b[2Jgone\n", Stderr: "Error from server (NotFound)\n", Exit: 1})
	d.Type("kubectl get pod x")
	d.Press("enter")
	d.Sees("exit code 1", "NotFound")
	if strings.Contains(d.App.Frame().Render(), "\x1b[2Jgone") {
		t.Error("an escape sequence of the output reaches the terminal")
	}
	ran := len(d.Backend.Ran())
	d.Type("get pods | sh")
	d.Press("enter")
	d.Sees("is not understood")
	if len(d.Backend.Ran()) != ran {
		t.Error("a line with a shell's operator was run")
	}
}

func TestPromptScrollsItsOutput(t *testing.T) {
	d := prompted(t, 80, 24)
	var rows []string
	for i := range 60 {
		rows = append(rows, fmt.Sprintf("row %d.", i))
	}
	d.Backend.SetReply(model.Reply{Stdout: strings.Join(rows, "\n")})
	d.Type("get pods")
	d.Press("enter")
	d.Sees("row 0.", "more, pgdn")
	for range 10 {
		d.Send(tea.KeyPressMsg(tea.Key{Code: tea.KeyPgDown}))
	}
	d.Sees("row 59.")
	for range 10 {
		d.Send(tea.KeyPressMsg(tea.Key{Code: tea.KeyPgUp}))
	}
	d.Sees("row 0.")
}

func TestPromptHistory(t *testing.T) {
	d := prompted(t, 80, 24)
	for _, line := range []string{"get pods", "get svc", "get svc"} {
		d.Type(line)
		d.Press("enter")
	}
	d.Type("desc")
	for _, want := range []struct{ key, line string }{
		{"up", "get svc"}, {"up", "get pods"}, {"up", "get pods"}, {"down", "get svc"}, {"down", "desc"}, {"down", "desc"},
	} {
		d.Press(want.key)
		if got, _ := d.App.PromptLine(); got != want.line {
			t.Fatalf("%s gives %q, want %q", want.key, got, want.line)
		}
	}
}

func TestPromptCompletes(t *testing.T) {
	for line, want := range map[string]string{
		"desc":                                  "describe ",
		"get servi":                             "get service",
		"get svc w":                             "get svc web ",
		"kubectl get svc w":                     "kubectl get svc web ",
		"get svc -n ":                           "get svc -n ",
		"get svc -n kube":                       "get svc -n kube-system ",
		"get svc --namespace=kube":              "get svc --namespace=kube-system ",
		"get svc -n kube-system w":              "get svc -n kube-system w",
		"logs w":                                "logs web-6d4b75cb6d-",
		"logs web-6d4b75cb6d-x":                 "logs web-6d4b75cb6d-x2k9p ",
		"describe pod/web-6d4b75cb6d-9":         "describe pod/web-6d4b75cb6d-9kf4z ",
		"get nodes node-":                       "get nodes node-",
		"exec tmp -- cur":                       "exec tmp -- cur",
		"scale deployment/web --replicas=2":     "scale deployment/web --replicas=2",
		"scale deployment web --replicas=":      "scale deployment web --replicas=",
		"scale deployment --replicas=2 w":       "scale deployment --replicas=2 web ",
		"scale deployment --replicas 2 w":       "scale deployment --replicas 2 web ",
		"get pods -l app=w":                     "get pods -l app=w",
		"get pods -lapp=w":                      "get pods -lapp=w",
		"get pods --selector=w":                 "get pods --selector=w",
		"label pods web-6d4b75cb6d-x2k9p app=w": "label pods web-6d4b75cb6d-x2k9p app=w",
		"get pods -o ":                          "get pods -o ",
		"get pods --field-selector ":            "get pods --field-selector ",
		"get -o wide svc w":                     "get -o wide svc web ",
		"get -owide svc w":                      "get -owide svc web ",
		"get -Ao wide svc w":                    "get -Ao wide svc web ",
		"get -o=wide svc w":                     "get -o=wide svc web ",
		"get --show-labels svc w":               "get --show-labels svc web ",
		"get --watch -l app=web svc w":          "get --watch -l app=web svc web ",
		"delete --dry-run=server svc w":         "delete --dry-run=server svc web ",
		"delete --dry-run svc w":                "delete --dry-run svc web ",
		"logs -f web-6d4b75cb6d-x":              "logs -f web-6d4b75cb6d-x2k9p ",
		"logs -c nginx web-6d4b75cb6d-x":        "logs -c nginx web-6d4b75cb6d-x2k9p ",
		"logs -c web-6d4b75cb6d-x":              "logs -c web-6d4b75cb6d-x",
		"exec -it web-6d4b75cb6d-x":             "exec -it web-6d4b75cb6d-x2k9p ",
		"get -n kube-system -o name svc w":      "get -n kube-system -o name svc w",
	} {
		d := prompted(t, 80, 24)
		d.Type(line)
		d.Press("tab")
		if got, _ := d.App.PromptLine(); got != want {
			t.Errorf("%q becomes %q, want %q", line, got, want)
		}
	}
	d := prompted(t, 80, 24)
	d.Type("get nodes ")
	d.Press("tab")
	d.Sees("node-1 node-2 node-3")
}

// What is left of the cursor is in sight, however much was pasted.
func TestPromptShowsTheEndOfALongLine(t *testing.T) {
	d := prompted(t, 80, 24)
	d.Send(tea.PasteMsg{Content: strings.Repeat("x", 100<<10) + "界 the end"})
	row := strings.Split(d.Frame(), "\n")[23]
	if !strings.HasSuffix(row, "x界 the end") || frame.Width(row) != 1+2+75 {
		t.Errorf("%d columns: %q", frame.Width(row), row)
	}
	d.Send(tea.KeyPressMsg(tea.Key{Code: tea.KeyHome}))
	if row := strings.Split(d.Frame(), "\n")[23]; !strings.HasPrefix(row, " $ xxx") || !strings.HasSuffix(row, "x…") {
		t.Errorf("%q", row)
	}
}

func TestControlCStopsTheCommandNotTheProgram(t *testing.T) {
	d := prompted(t, 80, 24)
	d.Hold()
	d.Type("wait pod/tmp --for=condition=Ready")
	d.Press("enter")
	d.Sees("running")
	d.Press("ctrl+c")
	d.Stopped() // it was not released
	d.Sees("exit code -1", "Stopped.")
	if d.Quit {
		t.Fatal("the program ended with the command")
	}
	d.Type("get")
	d.Press("ctrl+c", "ctrl+c")
	if open(d) || d.Quit {
		t.Error("^C neither empties the line nor closes the prompt")
	}
	d.Press("ctrl+c")
	if !d.Quit {
		t.Error("^C without a prompt does not quit")
	}
}

func TestCommandsThatNeedTheTerminal(t *testing.T) {
	for line, want := range map[string]bool{
		"exec -it tmp -- sh": true, "exec tmp -it -- sh": true, "exec tmp -- ls -it": false, "exec tmp -c main -- ls": false,
		"run x -it --image=nginx:1.27": true, "run x --image=nginx:1.27": false, "edit svc web": true, "attach tmp": true,
		"port-forward svc/web 8080:80": true, "get pods -w": true, "get pods -Aw": true, "get pods -o wide": false,
		"logs -f web": true, "logs web": false, "apply -f web.yaml": false, "get pods --watch": true,
	} {
		if got := ui.NeedsTerminal(strings.Fields(line)); got != want {
			t.Errorf("%q: %v", line, got)
		}
	}
	d := prompted(t, 80, 24)
	d.Type("exec -it tmp -- sh")
	d.Press("enter")
	if got := d.Last(); !slices.Equal(got, []string{"terminal", "tour", "exec", "-it", "tmp", "--", "sh"}) {
		t.Fatalf("ran %q", got)
	}
	d.Sees("not in a test", "exit code -1")
}

func TestNoPromptWithoutACluster(t *testing.T) {
	d := uitest.Drive(t, 80, 24, ui.Options{})
	d.Press(":")
	d.Sees("No cluster is connected yet.")
	d = uitest.Drive(t, 80, 24, ui.Options{Choice: &shell.Choice{Context: "prod", Server: "https://192.0.2.7:6443"}})
	d.Show(uitest.World())
	d.Press(":")
	d.Type("get ns")
	d.Press("enter")
	if got := d.Last(); !slices.Equal(got, []string{"", "get", "ns"}) {
		t.Fatalf("ran %q: reading needs no namespace of ours", got)
	}
}
