package ui

import (
	"testing"

	"svctour/model"
)

// A Service whose selector misses: the doctor names it beside the live panes,
// and offers its fix at the prompt, where nothing runs before Enter.
func TestDoctor(t *testing.T) {
	for _, size := range []struct {
		name string
		w, h int
	}{{"80x24", 80, 24}, {"120x40", 120, 40}, {"200x60", 200, 60}} {
		t.Run(size.name, func(t *testing.T) {
			d := atPath(t, size.w, size.h)
			d.press("d")
			d.sees("No problem found")
			service := webService(model.ClusterIP, 0)
			service.Selector = map[string]string{"app": "wbe"}
			d.show(world(append(threePods(), clientPod(), service)...))
			d.sees("Doctor web", "SELECTOR", "app=web")
			golden(t, "doctor-"+size.name, d.frame())

			ran := len(d.backend.ran)
			d.press("f")
			if got := string(d.app.prompt.line); !d.app.prompt.open || got != `kubectl patch service web -n tour --type=merge -p '{"spec":{"selector":{"app":"web"}}}'` {
				t.Errorf("the prompt holds %q", got)
			}
			if len(d.backend.ran) != ran {
				t.Errorf("it ran %q unasked", d.backend.ran[ran:])
			}
			d.press("esc")
			d.press("d")
			if d.app.prompt.open {
				t.Error("the prompt stays")
			}
		})
	}
}
