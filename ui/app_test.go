package ui_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"svctour/model"
	"svctour/test/uitest"
	"svctour/ui"
	"svctour/ui/frame"
	"svctour/ui/layout"
	"svctour/ui/shell"
	"svctour/ui/theme"
)

var update = flag.Bool("update", false, "rewrite the golden frames")

// golden compares a frame with testdata/NAME.txt.
func golden(t testing.TB, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got+"\n" != string(want) {
		t.Errorf("frame %s differs (go test ./ui -update rewrites it)\n--- got\n%s\n--- want\n%s", name, got, want)
	}
}

func TestPicker(t *testing.T) {
	backend := uitest.NewBackend()
	backend.SetContexts(
		shell.Choice{Context: "kind-dev", Server: "https://127.0.0.1:34567", Current: true},
		shell.Choice{Context: "prod", Server: "https://192.0.2.7:6443"},
	)
	d := uitest.Drive(t, 80, 24, ui.Options{Backend: backend})
	d.Sees("The lab", "kind-dev", "answers, v1.36.1", "no route to host")
	golden(t, "picker-80x24", d.Frame())
}

// Each plugin might ask the person to log in: none runs for the picker.
func TestPickerRunsNoPlugin(t *testing.T) {
	backend := uitest.NewBackend()
	backend.SetContexts(
		shell.Choice{Context: "dev", Server: "https://127.0.0.1:34567"},
		shell.Choice{Context: "cloud", Server: "https://192.0.2.7:6443", Plugin: "/opt/bin/sign\x1b[2J-in"},
	)
	d := uitest.Drive(t, 80, 24, ui.Options{Backend: backend})
	d.Sees("answers, v1.36.1", "-in; asked when chosen", "https://192.0.2.7:6443")
	if got := d.Frame(); strings.Contains(got, "no route to host") || strings.Contains(got, "\x1b") {
		t.Errorf("the frame has an answer, or an escape:\n%s", got)
	}
}

func TestContextNeedsConsentBeforeAnyWrite(t *testing.T) {
	d := uitest.Drive(t, 80, 24, ui.Options{Choice: &shell.Choice{Context: "prod", Server: "https://192.0.2.7:6443"}})
	d.Show(uitest.World())
	d.Press("enter")
	d.Sees("Write to this cluster?", "prod")
	if d.Backend.Namespaces() > 0 || len(d.Backend.Ran()) > 0 {
		t.Fatal("something was written before the person agreed")
	}
	d.Press("n")
	d.Sees("Lessons")
	if d.Backend.Namespaces() > 0 {
		t.Fatal("a namespace was made although the person declined")
	}
	d.Press("enter", "y")
	d.Show(uitest.World())
	if d.Backend.Namespaces() != 1 {
		t.Fatalf("%d namespaces were made after consent", d.Backend.Namespaces())
	}
	d.Sees("ns tour")
}

func TestLessonFrames(t *testing.T) {
	for _, size := range []struct{ w, h int }{{80, 24}, {120, 40}, {200, 60}} {
		t.Run(fmt.Sprintf("%dx%d", size.w, size.h), func(t *testing.T) {
			d := uitest.Tour(t, size.w, size.h, ui.Options{})
			golden(t, fmt.Sprintf("lesson-empty-%dx%d", size.w, size.h), d.Frame())
			d.Press("?")
			golden(t, fmt.Sprintf("keys-%dx%d", size.w, size.h), d.Frame())
			d.Press("?")
			d.Show(uitest.World(uitest.ThreePods()...))
			d.Calm()
			golden(t, fmt.Sprintf("lesson-pods-%dx%d", size.w, size.h), d.Frame())
			toService(d)
			golden(t, fmt.Sprintf("lesson-service-%dx%d", size.w, size.h), d.Frame())
		})
	}
}

// toService goes to the step that makes the Service and shows its result.
func toService(d *uitest.Driver) {
	for d.Step().File == nil || d.Step().File.Name != "web-svc.yaml" {
		d.Press("right")
	}
	d.Show(uitest.World(append(uitest.ThreePods(), uitest.ClientPod())...)) // the step's start state
	d.Press("2", "s")
	d.Show(uitest.WithService())
	d.Calm()
}

func TestEveryScreenFitsEverySize(t *testing.T) {
	pictures := map[string]*model.Snapshot{
		"empty":   uitest.World(),
		"pods":    uitest.World(uitest.ThreePods()...),
		"service": uitest.World(append(uitest.ThreePods(), uitest.WebService(model.LoadBalancer, 30080), uitest.WebSlice(3))...),
		"trouble": uitest.Troubled(),
	}
	for name, picture := range pictures {
		for _, size := range []struct{ w, h int }{{20, 5}, {40, 12}, {69, 20}, {80, 24}, {110, 30}, {120, 40}, {200, 60}} {
			for _, look := range []theme.Options{{}, {Light: true}, {NoColor: true}, {ASCII: true}} {
				d := uitest.Tour(t, size.w, size.h, ui.Options{Theme: look})
				d.Show(picture)
				for _, keys := range [][]string{{}, {"?"}, {"x", "tab"}, {"$"}, {"esc"}, {"q"}} {
					d.Press(keys...)
					checkFrame(t, name, size.w, size.h, d.App.Frame(), look)
				}
			}
		}
	}
}

// checkFrame holds what is true of every frame: exact height, no line wider
// than the screen, no control character, and nothing in the corner where the
// terminal tries glyphs out.
func checkFrame(t testing.TB, name string, w, h int, s *frame.Surface, look theme.Options) {
	t.Helper()
	lines := strings.Split(s.Plain(), "\n")
	if len(lines) != h {
		t.Fatalf("%s at %d×%d: %d lines", name, w, h, len(lines))
	}
	for _, l := range lines {
		if frame.Width(l) > w {
			t.Fatalf("%s at %d×%d: a line of %d columns: %q", name, w, h, frame.Width(l), l)
		}
		if model.Printable(l) != l {
			t.Fatalf("%s at %d×%d: a control character in %q", name, w, h, l)
		}
	}
	if last := lines[h-1]; last != "" && last[0] != ' ' {
		t.Fatalf("%s at %d×%d: the last row begins in the first column: %q", name, w, h, last)
	}
	if look.NoColor && strings.Contains(s.Render(), "[38;") {
		t.Fatalf("%s at %d×%d: a colour without colours", name, w, h)
	}
	if look.ASCII && strings.ContainsFunc(s.Plain(), func(r rune) bool { return r > '~' }) {
		t.Fatalf("%s at %d×%d: more than ASCII:\n%s", name, w, h, s.Plain())
	}
	if layout.Classify(w, h) == layout.TooSmall && !strings.Contains(s.Plain(), "cells") {
		t.Fatalf("%s at %d×%d does not say that it is too small:\n%s", name, w, h, s.Plain())
	}
}

func TestHostileNamesDoNotReachTheTerminal(t *testing.T) {
	pods := uitest.ThreePods()
	for _, o := range pods {
		pod := o.(*model.Pod)
		pod.Name = "web-\x1b]0;owned\x07-\x1b[2J\u202e" + pod.Name
		pod.Node = "\x9b31mnode"
	}
	d := uitest.Tour(t, 120, 40, ui.Options{Theme: theme.Options{NoColor: true}})
	d.Show(uitest.World(pods...))
	rendered := d.App.Frame().Render()
	for _, bad := range []string{"\x1b]", "\x07", "\x1b[2J", "\u202e", "\x9b"} {
		if strings.Contains(rendered, bad) {
			t.Errorf("%q reached the terminal", bad)
		}
	}
}

func TestFrozenServerIsSaidAndHeals(t *testing.T) {
	d := uitest.Tour(t, 80, 24, ui.Options{})
	d.Show(uitest.Troubled())
	d.Sees("not live", "has not answered")
	d.Press("h") // keys go on working
	d.Show(uitest.World())
	if strings.Contains(d.Frame(), "not live") {
		t.Error("the trouble stays on screen after it is over")
	}
}

func TestQuitOffersToKeepOrRemove(t *testing.T) {
	d := uitest.Tour(t, 80, 24, ui.Options{})
	d.Press("q")
	d.Sees("end the lab", "keep it running", "stay")
	d.Press("esc")
	if d.Quit {
		t.Fatal("quit although the person wanted to stay")
	}
	d.Press("q", "k")
	if !d.Quit || !d.Backend.Kept() {
		t.Errorf("quit %v, kept %v", d.Quit, d.Backend.Kept())
	}
	if len(d.App.Farewell()) == 0 || !strings.Contains(d.App.Farewell()[0], "svctour lab down") {
		t.Errorf("farewell %q does not say how to end the lab", d.App.Farewell())
	}
}

func TestRunningTheStepsCommand(t *testing.T) {
	d := uitest.Tour(t, 120, 40, ui.Options{})
	d.Backend.SetReply(model.Reply{Stdout: "deployment.apps/web created\n"})
	d.Press("enter")
	if len(d.Backend.Ran()) == 0 || d.Last()[0] != "tour" {
		t.Fatalf("commands %q", d.Backend.Ran())
	}
	d.Sees("deployment.apps/web created")
	d.Show(uitest.World(uitest.ThreePods()...))
	d.Sees("Done.")
	if len(d.Backend.Saved()) == 0 {
		t.Error("progress was not saved")
	}
}

func TestAReplyThatFailsIsShown(t *testing.T) {
	d := uitest.Tour(t, 80, 24, ui.Options{})
	d.Backend.SetReply(model.Reply{Stderr: "Error from server (Forbidden): no\n", Exit: 1})
	d.Press("enter")
	d.Sees("Error from server (Forbidden): no")
}

func TestThePacketWalksToItsEnd(t *testing.T) {
	d := uitest.Tour(t, 120, 40, ui.Options{})
	toService(d)
	d.Press("w")
	if !strings.Contains(d.Frame(), "◆") {
		t.Fatalf("no packet on its way:\n%s", d.Frame())
	}
	d.Calm()
	if strings.Contains(d.Frame(), "◆") {
		t.Error("the packet never arrives")
	}
}

func TestBackAndAgain(t *testing.T) {
	d := uitest.Tour(t, 120, 40, ui.Options{})
	d.Backend.SetReply(model.Reply{Stdout: "deployment.apps/web created\n"})
	d.Press("enter")
	d.Show(uitest.World(uitest.ThreePods()...))
	d.Press("enter")
	d.Sees("step 2/")
	d.Press("left")
	d.Sees("step 1/", "Done.")
	ran := len(d.Backend.Ran())
	d.Press("r")
	if len(d.Backend.Ran()) == ran {
		t.Fatal("again ran nothing to bring back the start state")
	}
	if strings.Contains(d.Frame(), "Done.") {
		t.Error("the step is still done after again")
	}
	d.Show(uitest.World())
	d.Show(uitest.World(uitest.ThreePods()...))
	d.Sees("step 1/", "Done.")
}

func TestAnActionThatCannotBeDoneSaysWhy(t *testing.T) {
	d := uitest.Tour(t, 80, 24, ui.Options{})
	d.Press("left")
	d.Sees("This is the first step.")
	d.Press("space")
	d.Sees("There is no path to walk yet.")
}

func TestMouseDoesWhatTheFooterSays(t *testing.T) {
	d := uitest.Tour(t, 120, 40, ui.Options{})
	row := strings.Split(d.Frame(), "\n")[39]
	at := strings.Index(row, "lessons")
	if at < 0 {
		t.Fatalf("footer %q", row)
	}
	d.Send(tea.MouseClickMsg{X: len([]rune(row[:at])), Y: 39, Button: tea.MouseLeft})
	d.Sees("Lessons")
}

func TestWhatMayNotBeReadIsSaid(t *testing.T) {
	d := uitest.Drive(t, 80, 24, ui.Options{})
	d.Press("enter")
	s := *uitest.World()
	s.Sync.Missing = map[string]string{"nodes": "forbidden", "namespaces": "forbidden"}
	s.Cluster.Namespace = "shop"
	d.Show(model.NewSnapshot(s))
	d.Sees(`Only namespace "shop" can be read.`, "namespaces, nodes")
	s.Sync.Missing, s.Sync.Unwatched = nil, []string{"services", "pods"}
	d.Show(model.NewSnapshot(s))
	d.Sees(`Only namespace "shop" can be read. You may not watch services, pods:`)
}

// TestNothingMovesWithoutMotion: a packet is shown where its way ends, and stays.
func TestNothingMovesWithoutMotion(t *testing.T) {
	d := uitest.Tour(t, 120, 40, ui.Options{Still: true})
	toService(d)
	d.Press("w")
	d.Sees("◆", "⇒ 10.244.")
	before := d.Frame()
	d.Calm()
	if d.Frame() != before {
		t.Errorf("it moved:\n%s\n%s", before, d.Frame())
	}
}
