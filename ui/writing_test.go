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
	"svctour/ui/shell"
)

// writer is the first lesson at the step that makes the Service, its manifest in
// the editor. kubectl answers as an API server without that Service does.
func writer(t *testing.T, w, h int) *uitest.Driver {
	d := uitest.Tour(t, w, h, ui.Options{})
	for d.Step().File == nil || d.Step().File.Name != "web-svc.yaml" {
		d.Press("right")
	}
	d.Show(uitest.World(append(uitest.ThreePods(), uitest.ClientPod())...))
	d.Calm()
	d.Backend.SetAnswer(apiServer)
	d.Press("e")
	d.Calm()
	return d
}

const explainedSpec = "KIND:       Service\nVERSION:    v1\n\nFIELD: spec <ServiceSpec>\n\nFIELDS:\n  ports\t<[]ServicePort>\n    x\n\n  selector\t<map[string]string>\n    x\n\n  type\t<string>\n"

// apiServer refuses what these tests write wrongly.
func apiServer(args []string, stdin string) model.Reply {
	switch {
	case args[0] == "explain":
		return model.Reply{Stdout: explainedSpec}
	case args[0] != "apply":
		return model.Reply{}
	case strings.Contains(stdin, "prots"):
		return model.Reply{Exit: 1, Stderr: `Error from server (BadRequest): error when creating "STDIN": Service in version "v1" cannot be handled as a Service: strict decoding error: unknown field "spec.prots"` + "\n"}
	case strings.Contains(stdin, "99999"):
		return model.Reply{Exit: 1, Stderr: `The Service "web" is invalid: spec.ports[0].port: Invalid value: 99999: must be between 1 and 65535, inclusive` + "\n"}
	case slices.Contains(args, "--dry-run=server") && slices.Contains(args, "yaml"):
		return model.Reply{Stdout: strings.Replace(strings.TrimSpace(stdin), "spec:\n", "spec:\n  clusterIP: 10.96.7.7\n", 1) + "\nstatus: {}\n"}
	case slices.Contains(args, "--dry-run=server"):
		return model.Reply{Stdout: "service/web\n"}
	}
	return model.Reply{Stdout: "service/web created\n"}
}

// toEndOf puts the cursor behind a text of the step's manifest.
func toEndOf(d *uitest.Driver, text string) { toEnd(d, d.Step().File.Content, text) }

func toEnd(d *uitest.Driver, manifest, text string) {
	d.Press("pgup", "pgup", "home")
	for _, line := range strings.Split(manifest, "\n") {
		if strings.Contains(line, text) {
			d.Press("end")
			return
		}
		d.Press("down")
	}
}

const boxManifest = "apiVersion: v1\nkind: Service\nmetadata:\n  name: box\nspec:\n  selector:\n    app: box\n  ports:\n    - port: 80 # that of the Service\n"

// Over the sandbox, so that no lesson's words stand in the frames.
func TestEditorFrames(t *testing.T) {
	for _, size := range []struct{ w, h int }{{40, 12}, {80, 24}, {120, 40}, {200, 60}} {
		name := fmt.Sprintf("%dx%d", size.w, size.h)
		d := sandbox(t, size.w, size.h)
		d.Backend.SetAnswer(apiServer)
		d.Press("e")
		d.Sees("nothing writ")
		d.Send(tea.PasteMsg{Content: boxManifest})
		d.Calm()
		golden(t, "editor-"+name, d.Frame())
		toEnd(d, boxManifest, "port: 80")
		d.Press("home")
		for range "    - port: 80" {
			d.Press("right")
		}
		d.Press("backspace", "backspace")
		d.Type("99999")
		d.Calm()
		golden(t, "editor-problem-"+name, d.Frame())
		for range 3 {
			d.Press("backspace")
		}
		d.Press("ctrl+s")
		d.Calm()
		d.Sees("Apply box.yaml?", "New: Service box.")
		golden(t, "editor-diff-"+name, d.Frame())
	}
}

// A manifest is applied as if the command were typed: after its diff was shown,
// and never before.
func TestAManifestIsAppliedAfterItsDiff(t *testing.T) {
	d := writer(t, 120, 40)
	d.Sees("Write web-svc.yaml", "the API server would take it")
	d.Press("ctrl+s")
	d.Sees("Apply web-svc.yaml?", "+   clusterIP: # the API server chooses it")
	d.Lacks("status", "10.96.7.7")
	d.Press("n")
	d.Sees("Write web-svc.yaml")
	applied := func() (n int) {
		for _, args := range d.Backend.Ran() {
			if slices.Equal(args, []string{"tour", "apply", "-f", "-"}) {
				n++
			}
		}
		return n
	}
	before := applied() // the step's start state applies manifests, too
	d.Press("ctrl+s", "y")
	d.Sees("$ kubectl apply -f web-svc.yaml", "service/web created")
	if applied() != before+1 {
		t.Fatalf("applied %d times", applied()-before)
	}
	d.Press("esc")
	d.Show(uitest.WithService())
	d.Calm()
	d.Sees("Done.")
}

// Of an object that is there only what changes is shown, and none of what the API
// server keeps for itself.
func TestTheDiffOfAnObjectThatIsThere(t *testing.T) {
	d := sandbox(t, 120, 40)
	d.Backend.SetAnswer(func(args []string, stdin string) model.Reply {
		if args[0] == "get" {
			return model.Reply{Stdout: strings.Replace(boxManifest, "    app: box", "    app: bxo", 1) + "status: {}\n"}
		}
		return apiServer(args, stdin)
	})
	d.Press("e")
	d.Send(tea.PasteMsg{Content: boxManifest + "---\n" + strings.Replace(boxManifest, "name: box", "name: other", 1)})
	d.Calm()
	d.Press("ctrl+s")
	d.Sees("box.yaml changes this.", "# Service box", "-     app: bxo", "+     app: box", "# Service other")
	d.Lacks("status")
	if !slices.Contains(d.Asked(0), "get -o yaml --ignore-not-found service other") {
		t.Errorf("asked %q", d.Asked(0))
	}
}

func TestProblemsAreSuggestedOnceAndKeepFromApplying(t *testing.T) {
	d := writer(t, 120, 40)
	toEndOf(d, "ports:")
	for range "ports:" {
		d.Press("backspace")
	}
	d.Type("prots:")
	n := len(d.Backend.Ran())
	d.Calm()
	d.Sees(`Unknown field "spec.prots".`, "Did you mean ports?")
	if got := d.Asked(n); len(got) != 2 || !strings.HasPrefix(got[0], "apply --dry-run=server") || got[1] != "explain service.spec --api-version=v1" {
		t.Fatalf("asked %q: one check for one pause", got)
	}
	d.Press("ctrl+s")
	d.Sees("Not applied: 1 problem.", "Did you mean ports?")
	d.Lacks("Apply web-svc.yaml?")
	if got := d.Asked(n); len(got) != 3 {
		t.Fatalf("asked %q: which fields there are is known", got)
	}
	d.Press("ctrl+z")
	d.Lacks("prots:")
}

// What was written stays until the program ends, and each step has its own.
func TestTheTextIsKept(t *testing.T) {
	d := writer(t, 80, 24)
	d.Type("# mine ")
	d.Press("esc")
	d.Lacks("# mine")
	d.Press("right", "e")
	d.Sees("nothing written yet")
	d.Type("?$: ")
	d.Sees("?$: ")
	d.Press("esc", "left", "e")
	d.Sees("# mine apiVersion: v1", "line 1, column 8")
	d.Press("ctrl+r")
	d.Lacks("# mine")
	d.Press("ctrl+z", "ctrl+c")
	if d.Quit {
		t.Fatal("^C in the editor ends the program")
	}
	d.Press("e")
	d.Sees("# mine")
}

// Typing ends a check that is under way; what it would have said comes no more.
func TestALateCheckIsDropped(t *testing.T) {
	d := writer(t, 80, 24)
	d.Hold()
	d.Press("ctrl+t")
	d.Sees("checking")
	d.Type("#")
	d.Stopped()
	d.Sees("not checked yet")
	d.Release()
	d.Calm()
	d.Sees("1 problem", "The object has no apiVersion.")
}

func TestWhatTheServerIsAskedIsOnlyRead(t *testing.T) {
	d := writer(t, 80, 24)
	n := len(d.Backend.Ran())
	d.Send(tea.PasteMsg{Content: "---\napiVersion: v1\r\nkind: Service\nmetadata:\n  name: \x1b[2Jb\n"})
	d.Calm()
	d.Press("ctrl+s")
	for _, asked := range d.Asked(n) {
		if strings.HasPrefix(asked, "apply") && !strings.Contains(asked, "--dry-run=server") {
			t.Errorf("it wrote: %q", asked)
		}
	}
	if strings.Contains(d.App.Frame().Render(), "\x1b[2Jb") {
		t.Error("an escape sequence reaches the terminal")
	}
}

func TestTheEditorGoesWithItsCluster(t *testing.T) {
	d := writer(t, 80, 24)
	d.EndLab(nil)
	d.Lacks("Write web-svc.yaml")
}

func TestEditorByMouse(t *testing.T) {
	d := writer(t, 120, 40)
	rows := strings.Split(d.Frame(), "\n")
	for y, row := range rows {
		if at := strings.Index(row, "kind: Service"); at >= 0 && strings.Contains(row, "2 kind") {
			d.Send(tea.MouseClickMsg{X: 100, Y: y, Button: tea.MouseLeft})
			break
		}
	}
	d.Sees("line 2, column 14")
	d.Send(tea.MouseWheelMsg{Button: tea.MouseWheelDown})
	d.Sees("line 5, ")
}

func TestSandboxFrames(t *testing.T) {
	for _, size := range []struct{ w, h int }{{40, 12}, {80, 24}, {120, 40}, {200, 60}} {
		name := fmt.Sprintf("%dx%d", size.w, size.h)
		d := uitest.Drive(t, size.w, size.h, ui.Options{Choice: &shell.Choice{Lab: true}, Lesson: "sandbox"})
		d.Show(uitest.World())
		d.Show(uitest.World())
		d.Calm()
		golden(t, "sandbox-empty-"+name, d.Frame())
		d.Backend.SetReply(model.Reply{Stdout: "service/box created\n"})
		d.Press("1")
		d.Show(boxed())
		d.Calm()
		golden(t, "sandbox-"+name, d.Frame())
	}
}

// boxed is the world of the sandbox's first state.
func boxed() *model.Snapshot {
	guest := *uitest.ClientPod()
	guest.Name = "guest"
	service, slice := *uitest.WebService(model.ClusterIP, 0), *uitest.WebSlice(3)
	service.Name = "box"
	slice.Labels = map[string]string{model.ServiceNameLabel: "box"}
	return uitest.World(append(uitest.ThreePods(), &guest, &service, &slice)...)
}

func sandbox(t *testing.T, w, h int) *uitest.Driver {
	d := uitest.Drive(t, w, h, ui.Options{Choice: &shell.Choice{Lab: true}})
	d.Show(uitest.World())
	d.Press("s")
	d.Show(uitest.World())
	d.Calm()
	return d
}

// A digit removes what the sandbox made before, and nothing else.
func TestADigitBringsAStateAbout(t *testing.T) {
	d := sandbox(t, 120, 40)
	d.Press("esc")
	d.Sees("s Sandbox   This cluster:")
	d.Press("s")
	d.Show(uitest.World())
	d.Sees("there is no goal")
	d.Press("space")
	d.Sees("There is no client: press a digit, or r.")
	n := len(d.Backend.Ran())
	d.Press("2")
	d.Sees("The selector has a typo")
	want := []string{
		"delete deployments,statefulsets,services,networkpolicies -l app.kubernetes.io/part-of=svctour-sandbox --cascade=foreground",
		"apply -f -",
	}
	if got := d.Asked(n); !slices.Equal(got, want) {
		t.Fatalf("ran %q", got)
	}
	d.Show(boxed())
	d.Calm()
	d.Press("space")
	if got := d.Last(); !slices.Equal(got[1:4], []string{"exec", "guest", "--"}) {
		t.Errorf("space ran %q", got)
	}
	d.Press("e")
	d.Sees("Write box.yaml", "part-of: svctour-sandbox")
	d.Press("esc", "d")
	d.Sees("Doctor box")
	d.Press("d", "esc")
	d.Sees("Lessons")
}

// Another digit ends what the one before has under way.
func TestAnotherDigitIsNotWaitedFor(t *testing.T) {
	d := sandbox(t, 120, 40)
	d.Hold()
	d.Press("1", "3")
	d.Stopped() // of the first state: its answer comes no more
	d.Release()
	d.Sees("The readiness probe asks")
	if got := d.Last(); got[1] != "apply" {
		t.Errorf("the last command is %q", got)
	}
}

func TestTheSandboxAsksOnceOnAnotherCluster(t *testing.T) {
	d := uitest.Drive(t, 80, 24, ui.Options{Choice: &shell.Choice{Context: "prod", Server: "https://192.0.2.7:6443"}, Lesson: "sandbox"})
	d.Show(uitest.World())
	d.Sees("Write to this cluster?", "NetworkPolicy", "The sandbox makes")
	d.Press("n")
	if d.Backend.Namespaces() > 0 {
		t.Fatal("a namespace was made although the person declined")
	}
	d.Press("s", "y")
	d.Show(uitest.World())
	d.Sees("ns tour", "there is no goal")
	d.Press("1")
	d.Lacks("Write to this cluster?")
}
