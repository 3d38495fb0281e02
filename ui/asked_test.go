package ui_test

import (
	"fmt"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"svctour/model"
	"svctour/test/uitest"
	"svctour/ui"
	"svctour/ui/frame"
	"svctour/ui/theme"
)

// sizes are those of the golden frames of what is asked.
func sizes() [][2]int { return [][2]int{{80, 24}, {120, 40}, {200, 60}} }

// opened is a lesson of the tests', opened on a cluster.
func opened(t testing.TB, w, h int, lesson string, world *model.Snapshot, o ui.Options) *uitest.Driver {
	t.Helper()
	o.Lesson = lesson
	d := uitest.Drive(t, w, h, o)
	d.Press("enter")
	d.Show(world)
	d.Calm()
	return d
}

// withoutService has four Pods and no Service.
func withoutService() *model.Snapshot {
	return uitest.World(append(uitest.ThreePods(), uitest.ClientPod())...)
}

// shot compares the frame with a golden one of its size.
func shot(t testing.TB, d *uitest.Driver, name string, size [2]int) {
	t.Helper()
	golden(t, fmt.Sprintf("%s-%dx%d", name, size[0], size[1]), d.Frame())
}

// tells fails unless the first column of boxes has each text, however it is broken
// into rows.
func tells(t testing.TB, d *uitest.Driver, texts ...string) {
	t.Helper()
	var words []string
	for row := range strings.Lines(d.Frame()) {
		if _, inside, ok := strings.Cut(row, "│"); ok {
			inside, _, _ = strings.Cut(inside, "│")
			words = append(words, strings.Fields(inside)...)
		}
	}
	got := strings.Join(words, " ")
	for _, text := range texts {
		if !strings.Contains(got, text) {
			t.Fatalf("it does not say %q:\n%s", text, d.Frame())
		}
	}
}

// TestAPrediction goes the whole way of a question: asked, picked, how sure, kept
// until the step is done, told with the choice's own help, read back.
func TestAPrediction(t *testing.T) {
	for _, size := range sizes() {
		d := opened(t, size[0], size[1], "asking", withoutService(), ui.Options{})
		d.Sees("Predict", "4 Pods run here.", "1 One for each Pod, 4.", "2 3: those that carry the label.", "1-3 predict")
		d.Lacks("There is no Service web") // nothing tells the answer
		shot(t, d, "asked", size)
		ran := len(d.Backend.Ran())
		d.Press("enter")
		d.Sees("First say what you expect, by its number.")
		d.Press("g")
		d.Sees("First say what you expect, by its number.")
		if len(d.Backend.Ran()) != ran {
			t.Fatalf("it ran %q before the question was answered", d.Asked(ran))
		}
		d.Press("3", "1")
		d.Sees("▸ 1 One for each Pod, 4.", "How sure are you?", "s sure", "g a guess")
		shot(t, d, "unsure", size)
		d.Press("enter")
		d.Sees("First say how sure you are: s or g.")
		d.Press("s")
		tells(t, d, "▸ One for each Pod, 4. You are sure.")
		d.Sees("You said", "⏎ run")
		d.Lacks("does not carry", "compares the selector", "✗")
		shot(t, d, "kept", size)
		d.Press("enter")
		if got := d.Asked(ran); len(got) != 1 || got[0] != "apply -f -" {
			t.Fatalf("it ran %q", got)
		}
		d.Sees("Not yet")
		tells(t, d, "There is no Service web yet.")
		shot(t, d, "lacking", size)
		d.Show(uitest.WithService())
		d.Calm()
		d.Sees("✓ Done. The cluster shows it.", "⏎ go on")
		tells(t, d, "✗ One for each Pod, 4.", "✓ 3: those that carry the label.", "does not carry the label")
		d.Lacks("Which Pod is not in it?", "The slice follows")
		shot(t, d, "wrong", size)
		d.Press("enter")
		tells(t, d, "Which Pod is not in it?")
		d.Sees("Read back", "1-2 answer")
		d.Lacks("✗ One for each", "The slice follows")
		shot(t, d, "readback", size)
		d.Press("1")
		tells(t, d, "✓ tmp", "Its label is run and not app.", "The slice follows the Pods from now on.")
		d.Sees("⏎ next")
		shot(t, d, "after", size)
		saved := d.Backend.Saved()
		last := saved[len(saved)-1]
		if answer := last.Predictions["a-service"]; answer.Right || answer.Sure != "sure" || answer.Belief != "M39" {
			t.Errorf("kept %+v", answer)
		}
		if answer := last.ReadBacks["a-service"]; !answer.Right {
			t.Errorf("kept %+v", answer)
		}
		d.Press("enter")
		d.Sees("A look")
	}
}

func TestARightPrediction(t *testing.T) {
	for _, size := range sizes() {
		d := opened(t, size[0], size[1], "asking", withoutService(), ui.Options{})
		d.Press("2", "g", "enter")
		d.Show(uitest.WithService())
		d.Calm()
		tells(t, d, "✓ 3: those that carry the label.", "You guessed right.")
		d.Lacks("✗")
		shot(t, d, "right", size)
	}
}

// A step that was done elsewhere asks what was seen, and not what will be.
func TestDoneBeforeItWasAsked(t *testing.T) {
	d := opened(t, 120, 40, "asking", withoutService(), ui.Options{})
	d.Press("1")
	d.Show(uitest.WithService())
	d.Calm()
	d.Lacks("How sure", "✗ One for each")
	d.Press("s") // it comes too late to be kept
	d.Sees("Read back")
	tells(t, d, "Which Pod is not in it?")
	d.Press("1")
	d.Sees("✓ Done.", "The slice follows")
}

// Nothing is to wait for where nothing is to do.
func TestAQuestionWithoutACommand(t *testing.T) {
	d := opened(t, 120, 40, "asking", uitest.WithService(), ui.Options{})
	d.ToStep("A look")
	d.Show(uitest.WithService())
	d.Sees("Which network interface")
	d.Press("2", "g")
	d.Sees("The answer", "⏎ next")
	tells(t, d, "✗ One on every node.", "✓ None.", "In this mode the address is only a rule.")
	d.Press("enter")
	d.Sees("One packet")
}

// What is asked is drawn from the present cluster; what was said stands as it was
// said.
func TestTheQuestionFollowsTheCluster(t *testing.T) {
	d := opened(t, 120, 40, "asking", withoutService(), ui.Options{})
	three := uitest.World(append(uitest.ThreePods()[:2], uitest.ClientPod())...)
	d.Show(three)
	d.Sees("3 Pods run here.", "1 One for each Pod, 3.", "2 2: those")
	d.Press("1", "s")
	d.Show(withoutService())
	d.Sees("▸ One for each Pod, 3.")
}

// Where the cluster makes two choices the same, the question says so and keeps no one
// from going on.
func TestAQuestionThatCannotBePut(t *testing.T) {
	d := opened(t, 120, 40, "asking", withoutService(), ui.Options{})
	d.Show(uitest.World(uitest.ThreePods()...)) // without the client the two counts are equal
	d.Sees("Something is not as it should be", "This cannot be asked now")
	if title, why := d.Key("enter"); title != "run" || why != "" {
		t.Errorf("⏎ is %q (%s)", title, why)
	}
	d.Show(withoutService())
	d.Sees("4 Pods run here.")
}

// TestARoute walks a packet's way hop by hop: a wrong pick is told and can be made
// good, and the first picks count.
func TestARoute(t *testing.T) {
	for _, size := range sizes() {
		d := opened(t, size[0], size[1], "asking", uitest.WithService(), ui.Options{})
		d.ToStep("One packet")
		d.Show(uitest.WithService())
		d.Calm()
		d.Sees("Be the router: hop 1 of ")
		shot(t, d, "route", size)
		for d.Press("1"); !strings.Contains(d.Frame(), "✗"); d.Press("1") {
			d.Press("r") // it was right: walk another way
		}
		shot(t, d, "route-wrong", size)
		for hop := 0; !strings.Contains(d.Frame(), "You routed it"); hop++ {
			for _, key := range []string{"1", "2", "3", "4", "5"} {
				if title, _ := d.Key("enter"); title != "next hop" {
					d.Press(key)
				}
			}
			if title, _ := d.Key("enter"); title != "next hop" || hop > 40 {
				t.Fatalf("the walk does not go on:\n%s", d.Frame())
			}
			d.Press("enter")
		}
		tells(t, d, "hops right at first go", "Every packet of the connection")
		shot(t, d, "routed", size)
	}
}

// A step whose needs are not met is named, with the reason, and nothing is run.
func TestAStepThatIsLeftOut(t *testing.T) {
	d := opened(t, 80, 24, "asking", uitest.WithService(), ui.Options{})
	d.ToStep("Two hundred nodes")
	d.Show(uitest.WithService())
	ran := len(d.Backend.Ran())
	d.Sees("Left out here", "⏎ finish")
	tells(t, d, "This step needs at least 200 nodes, and this cluster has 3 nodes.")
	if len(d.Backend.Ran()) != ran {
		t.Errorf("it ran %q", d.Asked(ran))
	}
	d.Press("enter")
	d.Sees("Challenges")
}

// TestAChallenge: the request by one key, a guard, the score, and in the end the
// debrief and a solution.
func TestAChallenge(t *testing.T) {
	broken := func(label string) *model.Snapshot {
		pods := uitest.ThreePods()
		if label != "" {
			pods[0].(*model.Pod).Labels["app"] = label
		}
		service := uitest.WebService(model.ClusterIP, 0)
		service.Selector = map[string]string{"app": "wbe"}
		return uitest.World(append(pods, uitest.ClientPod(), service)...)
	}
	for _, size := range sizes() {
		d := opened(t, size[0], size[1], "silent", broken(""), ui.Options{})
		d.Sees("Challenge: Nobody answers", "●●◌", "0 changes, 0 looks", "⏎ send the request")
		d.Lacks("step 1/1", "typo", "no endpoint", "wbe") // nothing is shown that was not looked at
		shot(t, d, "challenge", size)
		d.Press("space")
		d.Sees("First look at it: 2.")
		d.Backend.SetReply(model.Reply{Stderr: "curl: (7) Failed to connect\ncommand terminated with exit code 7\n", Exit: 7})
		d.Press("enter")
		d.Sees("Not solved yet", "The request is not answered.", "0 changes, 0 looks")
		d.Backend.SetReply(model.Reply{Stdout: "labeled\n"})
		d.Press("$")
		d.Type("label pod " + uitest.PodName(0) + " app=wbe --overwrite")
		d.Press("enter", "esc")
		d.Show(broken("wbe"))
		d.Calm()
		d.Sees("1 change, 0 looks")
		tells(t, d, "The three Pods must keep their label app.")
		shot(t, d, "guard", size)
		d.Lacks("no endpoint")
		d.Press("2", "3", "2")
		d.Sees("1 change, 2 looks", "no endpoint")
		d.Press("d")
		d.Press("d")
		d.Sees("1 change, 3 looks")
		d.Press("v")
		d.Sees("First solve it.")
		d.Show(uitest.WithService())
		d.Backend.SetReply(model.Reply{Stdout: "<html>hello</html>\n"})
		d.Press("enter")
		d.Show(uitest.WithService())
		d.Calm()
		d.Sees("✓ Solved with 1 change, 3 looks", "⏎ finish")
		tells(t, d, "Par is 1 change, 2 looks.", "The selector had a typo")
		d.Lacks("kubectl patch service web")
		shot(t, d, "solved", size)
		d.Press("v")
		d.Sees("kubectl patch service web")
		d.Press("enter")
		d.Sees("Lessons", "✓ solved with 1 change, 3 looks")
	}
}

// TestQuestionsKeepTheirRoom: whatever is asked, at every size, without colours and
// in ASCII.
func TestQuestionsKeepTheirRoom(t *testing.T) {
	pods := uitest.ThreePods()
	for _, o := range pods {
		o.(*model.Pod).Name += "\x1b[2J\u202e"
	}
	hostile := uitest.World(append(pods, uitest.ClientPod())...)
	for _, size := range []struct{ w, h int }{{40, 12}, {69, 20}, {80, 24}, {110, 30}, {120, 40}, {200, 60}} {
		for _, look := range []theme.Options{{}, {Light: true}, {NoColor: true}, {ASCII: true}} {
			for _, world := range []*model.Snapshot{withoutService(), hostile} {
				d := opened(t, size.w, size.h, "asking", world, ui.Options{Theme: look})
				for _, keys := range [][]string{{}, {"tab"}, {"1"}, {"?"}, {"?", "s"}, {"enter"}, {"?"}} {
					d.Press(keys...)
					checkFrame(t, "asking", size.w, size.h, d.App.Frame(), look)
				}
				c := opened(t, size.w, size.h, "silent", world, ui.Options{Theme: look})
				for _, keys := range [][]string{{}, {"enter"}, {"h"}, {"?"}} {
					c.Press(keys...)
					checkFrame(t, "silent", size.w, size.h, c.App.Frame(), look)
				}
			}
		}
	}
}

// TestAClickAnswers: the mouse does what the digits do.
func TestAClickAnswers(t *testing.T) {
	for _, size := range sizes() {
		d := opened(t, size[0], size[1], "asking", withoutService(), ui.Options{})
		for y, row := range strings.Split(d.Frame(), "\n") {
			if at := strings.Index(row, "3 None, until"); at >= 0 {
				d.Send(tea.MouseClickMsg{X: frame.Width(row[:at]), Y: y, Button: tea.MouseLeft})
			}
		}
		d.Sees("▸ 3 None", "How sure are you?")
	}
}

// TestKeysThatMeanNothing: a key says so when it does nothing, and a digit behind
// the last answer is no answer and leads to no pane.
func TestKeysThatMeanNothing(t *testing.T) {
	d := uitest.Tour(t, 120, 40, ui.Options{})
	d.Press("y")
	d.Sees("y does nothing here: ? lists the keys.")
	toService(d)
	d.Press("r")
	d.Show(uitest.World(append(uitest.ThreePods(), uitest.ClientPod())...))
	d.Calm()
	for _, digit := range []string{"5", "9"} {
		d.Press(digit)
		d.Sees("There is no answer " + digit + ": pick one from 1 to ")
	}
}
