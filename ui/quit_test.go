package ui

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"svctour/ui/shell"
)

var prod = shell.Choice{Context: "prod", Server: "https://127.0.0.1:6443"}

const prodStays = `Kept namespace "tour" on "prod". To remove it: svctour --context prod clean`

// inLab has work done in the lab that the program started.
func inLab(t *testing.T) *driver {
	d := tourStart(t, 120, 40, Options{})
	d.backend.contexts = []shell.Choice{prod}
	return d
}

// inProd has work done on the person's own cluster.
func inProd(t *testing.T) *driver {
	d := drive(t, 120, 40, Options{Choice: &prod})
	d.backend.contexts = []shell.Choice{prod}
	d.show(world())
	d.press("enter", "y")
	d.sees("ns tour")
	return d
}

// farewell fails unless the program has quit with just these lines.
func (d *driver) farewell(want ...string) {
	d.t.Helper()
	if got := d.app.Farewell(); !d.quit || !slices.Equal(got, want) {
		d.t.Fatalf("quit: %v, farewell %q, want %q", d.quit, got, want)
	}
}

func TestBackingOutOfTheLabAsks(t *testing.T) {
	d := inLab(t)
	d.press("esc", "esc", "esc")
	d.sees(`what you made in namespace "tour"`, "keep it running")
	d.press("esc")
	if d.quit || d.backend.kept {
		t.Fatalf("quit %v, kept %v", d.quit, d.backend.kept)
	}
	d.press("q", "k")
	if !d.quit || !d.backend.kept {
		t.Errorf("quit %v, kept %v", d.quit, d.backend.kept)
	}
}

func TestALabChosenAgainIsNotUntouched(t *testing.T) {
	d := inLab(t)
	d.press("esc", "esc", "enter")
	d.show(world())
	d.sees("Lessons")
	d.press("q")
	d.sees("keep it running")
	d.press("r")
	d.farewell()
}

func TestAnUntouchedLabIsNotWorthAQuestion(t *testing.T) {
	d := drive(t, 80, 24, Options{})
	d.press("enter")
	d.show(world())
	d.press("q")
	d.farewell()
}

func TestALabThatHasEndedIsNotAskedAbout(t *testing.T) {
	d := inLab(t)
	d.send(labEndedMsg{errors.New("signal: killed")})
	d.press("q")
	d.farewell()
}

// A cluster that was left is not the header's any more, and its end is no
// failure of what is shown.
func TestALabMayEndBehindThePicker(t *testing.T) {
	d := inLab(t)
	d.press("esc", "esc")
	d.send(labEndedMsg{errors.New("signal: killed")})
	d.sees("Where?")
	d.lacks("has ended", " svctour  lab")
	d.press("q")
	d.farewell()
}

func TestBackingOutOfAClusterAsks(t *testing.T) {
	d := inProd(t)
	d.press("esc", "esc", "esc")
	d.sees(`Namespace "tour" on "prod", which you left, stays`, "--context prod clean` removes it")
	d.press("esc")
	if d.quit {
		t.Fatal("quit although the person wanted to stay")
	}
	d.press("q", "q")
	d.farewell(prodStays)
}

func TestANamespaceThatIsMadeTooLateIsNotForgotten(t *testing.T) {
	d := drive(t, 120, 40, Options{Choice: &prod})
	d.show(world())
	late := answer{d.app.link.ctx, namespaceMsg{choice: prod, name: "tour"}}
	d.press("esc") // to the picker
	d.send(late)
	d.press("ctrl+c")
	d.farewell(prodStays)
}

func TestQuittingAtOnceSaysWhatStays(t *testing.T) {
	d := inProd(t)
	d.press("ctrl+c")
	d.farewell(prodStays)
	d = inProd(t)
	d.press("esc", "esc", "ctrl+c")
	d.farewell(prodStays)
}

// first the lab, then prod
func inBoth(t *testing.T) *driver {
	d := inLab(t)
	d.press("esc", "esc", "j", "enter")
	d.show(world())
	d.press("enter", "y")
	d.press("q")
	d.sees(`Namespace "tour" on "prod" holds what you made.`, "remove it")
	return d
}

func TestEachClusterIsAskedAbout(t *testing.T) {
	d := inBoth(t)
	d.press("k")
	d.sees("The lab and what you made", "end the lab")
	d.press("k")
	if !d.backend.kept || d.backend.cleaned {
		t.Errorf("kept %v, removed %v", d.backend.kept, d.backend.cleaned)
	}
	d.farewell("The lab goes on running. Use it: svctour kubectl get svc -A. End it: svctour lab down", prodStays)

	d = inBoth(t)
	d.press("r")
	d.sees("end the lab")
	if d.backend.cleaned {
		t.Error("the namespace is removed before the last question was answered")
	}
	d.press("esc") // stay
	if d.quit || d.backend.cleaned {
		t.Fatalf("quit %v, removed %v although the person wanted to stay", d.quit, d.backend.cleaned)
	}
	d.press("q", "r", "r")
	if d.backend.kept || !d.backend.cleaned {
		t.Errorf("kept %v, removed %v", d.backend.kept, d.backend.cleaned)
	}
	d.farewell()
}

func TestWhatWasLeftIsMentionedBesideTheLab(t *testing.T) {
	d := inProd(t)
	d.press("esc", "esc", "enter") // the lab
	d.show(world())
	d.press("enter")
	d.show(world())
	d.press("q")
	d.sees("The lab and what you made", `"tour" on "prod", which you left, stays`)
	d.press("r")
	d.farewell(prodStays)
}

func TestARemovalThatFailsIsSaid(t *testing.T) {
	d := inProd(t)
	d.send(cleanedMsg{errors.New("not allowed")})
	if got := strings.Join(d.app.Farewell(), "\n"); got != "Not everything could be removed: not allowed\n"+prodStays {
		t.Errorf("farewell %q", got)
	}
}
