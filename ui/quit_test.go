package ui_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"svctour/test/uitest"
	"svctour/ui"
	"svctour/ui/shell"
)

var prod = shell.Choice{Context: "prod", Server: "https://127.0.0.1:6443"}

const prodStays = `Kept namespace "tour" on "prod". To remove it: svctour --context prod clean`

// inLab has work done in the lab that the program started.
func inLab(t *testing.T) *uitest.Driver {
	d := uitest.Tour(t, 120, 40, ui.Options{})
	d.Backend.SetContexts(prod)
	return d
}

// inProd has work done on the person's own cluster.
func inProd(t *testing.T) *uitest.Driver {
	d := uitest.Drive(t, 120, 40, ui.Options{Choice: &prod})
	d.Backend.SetContexts(prod)
	d.Show(uitest.World())
	d.Press("enter", "y")
	d.Sees("ns tour")
	return d
}

// farewell fails unless the program has quit with just these lines.
func farewell(t *testing.T, d *uitest.Driver, want ...string) {
	t.Helper()
	if got := d.App.Farewell(); !d.Quit || !slices.Equal(got, want) {
		t.Fatalf("quit: %v, farewell %q, want %q", d.Quit, got, want)
	}
}

func TestBackingOutOfTheLabAsks(t *testing.T) {
	d := inLab(t)
	d.Press("esc", "esc", "esc")
	d.Sees(`what you made in namespace "tour"`, "keep it running")
	d.Press("esc")
	if d.Quit || d.Backend.Kept() {
		t.Fatalf("quit %v, kept %v", d.Quit, d.Backend.Kept())
	}
	d.Press("q", "k")
	if !d.Quit || !d.Backend.Kept() {
		t.Errorf("quit %v, kept %v", d.Quit, d.Backend.Kept())
	}
}

func TestALabChosenAgainIsNotUntouched(t *testing.T) {
	d := inLab(t)
	d.Press("esc", "esc", "enter")
	d.Show(uitest.World())
	d.Sees("Lessons")
	d.Press("q")
	d.Sees("keep it running")
	d.Press("r")
	farewell(t, d)
}

func TestAnUntouchedLabIsNotWorthAQuestion(t *testing.T) {
	d := uitest.Drive(t, 80, 24, ui.Options{})
	d.Press("enter")
	d.Show(uitest.World())
	d.Press("q")
	farewell(t, d)
}

func TestALabThatHasEndedIsNotAskedAbout(t *testing.T) {
	d := inLab(t)
	d.EndLab(errors.New("signal: killed"))
	d.Press("q")
	farewell(t, d)
}

// A cluster that was left is not the header's any more, and its end is no
// failure of what is shown.
func TestALabMayEndBehindThePicker(t *testing.T) {
	d := inLab(t)
	d.Press("esc", "esc")
	d.EndLab(errors.New("signal: killed"))
	d.Sees("Where?")
	d.Lacks("has ended", " svctour  lab")
	d.Press("q")
	farewell(t, d)
}

func TestBackingOutOfAClusterAsks(t *testing.T) {
	d := inProd(t)
	d.Press("esc", "esc", "esc")
	d.Sees(`Namespace "tour" on "prod", which you left, stays`, "--context prod clean` removes it")
	d.Press("esc")
	if d.Quit {
		t.Fatal("quit although the person wanted to stay")
	}
	d.Press("q", "q")
	farewell(t, d, prodStays)
}

func TestANamespaceThatIsMadeTooLateIsNotForgotten(t *testing.T) {
	d := uitest.Drive(t, 120, 40, ui.Options{Choice: &prod})
	d.Show(uitest.World())
	late := d.App.NamespaceMade(prod, "tour")
	d.Press("esc") // to the picker
	d.Send(late)
	d.Press("ctrl+c")
	farewell(t, d, prodStays)
}

func TestQuittingAtOnceSaysWhatStays(t *testing.T) {
	d := inProd(t)
	d.Press("ctrl+c")
	farewell(t, d, prodStays)
	d = inProd(t)
	d.Press("esc", "esc", "ctrl+c")
	farewell(t, d, prodStays)
}

// first the lab, then prod
func inBoth(t *testing.T) *uitest.Driver {
	d := inLab(t)
	d.Press("esc", "esc", "j", "enter")
	d.Show(uitest.World())
	d.Press("enter", "y")
	d.Press("q")
	d.Sees(`Namespace "tour" on "prod" holds what you made.`, "remove it")
	return d
}

func TestEachClusterIsAskedAbout(t *testing.T) {
	d := inBoth(t)
	d.Press("k")
	d.Sees("The lab and what you made", "end the lab")
	d.Press("k")
	if !d.Backend.Kept() || d.Backend.Cleaned() {
		t.Errorf("kept %v, removed %v", d.Backend.Kept(), d.Backend.Cleaned())
	}
	farewell(t, d, "The lab goes on running. Use it: svctour kubectl get svc -A. End it: svctour lab down", prodStays)

	d = inBoth(t)
	d.Press("r")
	d.Sees("end the lab")
	if d.Backend.Cleaned() {
		t.Error("the namespace is removed before the last question was answered")
	}
	d.Press("esc") // stay
	if d.Quit || d.Backend.Cleaned() {
		t.Fatalf("quit %v, removed %v although the person wanted to stay", d.Quit, d.Backend.Cleaned())
	}
	d.Press("q", "r", "r")
	if d.Backend.Kept() || !d.Backend.Cleaned() {
		t.Errorf("kept %v, removed %v", d.Backend.Kept(), d.Backend.Cleaned())
	}
	farewell(t, d)
}

func TestWhatWasLeftIsMentionedBesideTheLab(t *testing.T) {
	d := inProd(t)
	d.Press("esc", "esc", "enter") // the lab
	d.Show(uitest.World())
	d.Press("enter")
	d.Show(uitest.World())
	d.Press("q")
	d.Sees("The lab and what you made", `"tour" on "prod", which you left, stays`)
	d.Press("r")
	farewell(t, d, prodStays)
}

func TestARemovalThatFailsIsSaid(t *testing.T) {
	d := inProd(t)
	d.Backend.SetCleanErr(errors.New("not allowed"))
	d.Press("q", "r")
	if got := strings.Join(d.App.Farewell(), "\n"); got != "Not everything could be removed: not allowed\n"+prodStays {
		t.Errorf("farewell %q", got)
	}
}
