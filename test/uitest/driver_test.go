package uitest_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"svctour/test/uitest"
	"svctour/ui"
)

// failing is a test that keeps why it failed to itself.
type failing struct {
	testing.TB
	why string
}

func (f *failing) Helper() {}

func (f *failing) Fatal(args ...any) { f.Fatalf("%s", fmt.Sprint(args...)) }

func (f *failing) Fatalf(format string, args ...any) {
	f.why = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// A driver that gives up fails its test, says why and shows the frame.
func TestADriverFailsWhenItGivesUp(t *testing.T) {
	boot := func(d *uitest.Driver) { d.Press("enter") } // the wheel turns until the cluster answers
	lesson := func(d *uitest.Driver) {
		boot(d)
		d.Show(uitest.World())
		d.Press("enter")
	}
	for name, c := range map[string]struct {
		to, do    func(*uitest.Driver)
		why, sees string
	}{
		"an animation": {boot, (*uitest.Driver).Calm, "an animation does not end", "Starting the lab"},
		"a look":       {lesson, (*uitest.Driver).Look, "plans no look", "step 1/10"},
		"a kubectl":    {lesson, (*uitest.Driver).Stopped, "no kubectl waits", "step 1/10"},
		"a command":    {boot, func(d *uitest.Driver) { d.Last() }, "no kubectl was run", "Starting the lab"},
		"a step":       {lesson, func(d *uitest.Driver) { d.ToStep("No such step") }, `no step "No such step"`, "step 10/10"},
		"a lesson":     {boot, func(d *uitest.Driver) { d.Step() }, "no lesson is open", "Starting the lab"},
		"a key":        {boot, func(d *uitest.Driver) { d.Key("z") }, `"z" does nothing`, "Starting the lab"},
		"a text":       {boot, func(d *uitest.Driver) { d.Sees("Lessons") }, `lacks "Lessons"`, "Starting the lab"},
		"no text":      {boot, func(d *uitest.Driver) { d.Lacks("lab") }, `has "lab"`, "Starting the lab"},
	} {
		f, done := &failing{TB: t}, make(chan bool)
		go func() {
			goesOn := false
			defer func() { done <- goesOn }()
			d := uitest.Drive(f, 80, 24, ui.Options{})
			c.to(d)
			c.do(d)
			goesOn = true
		}()
		if <-done {
			t.Errorf("%s: it goes on", name)
		}
		if !strings.Contains(f.why, c.why) || !strings.Contains(f.why, c.sees) {
			t.Errorf("%s: it fails with %q, which lacks %q or a frame with %q", name, f.why, c.why, c.sees)
		}
	}
}
