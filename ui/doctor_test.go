package ui

import (
	"slices"
	"strings"
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
			d.backend.answer = func(args []string, _ string) model.Reply {
				if args[0] == "get" {
					return model.Reply{Stdout: selecting("wbe")}
				}
				return model.Reply{Stdout: selecting("web")}
			}
			d.press("f")
			d.sees("Apply this fix?", "-     app: wbe", "+     app: web")
			golden(t, "fix-"+size.name, d.frame())
			const patch = `patch service web -n tour --type=merge -p {"spec":{"selector":{"app":"web"}}}`
			if got := asked(d, ran); !slices.Equal(got, []string{"get -o yaml service web -n tour", patch + " --dry-run=server -o yaml"}) {
				t.Errorf("it ran %q", got)
			}
			d.press("esc") // no
			d.press("u")   // there is nothing to take back
			if got := asked(d, ran); len(got) != 2 {
				t.Errorf("it ran %q", got)
			}

			ran = len(d.backend.ran)
			replaced := ""
			answer := d.backend.answer
			d.backend.answer = func(args []string, stdin string) model.Reply {
				if args[0] == "replace" {
					replaced = stdin
				}
				return answer(args, stdin)
			}
			d.press("f", "y")
			d.sees("$ kubectl patch service web")
			if got := asked(d, ran); len(got) != 3 || got[2] != patch {
				t.Errorf("it ran %q", got)
			}
			d.press("esc", "u")
			if got := asked(d, ran); len(got) != 4 || got[3] != "replace -f -" || replaced != without(selecting("wbe"), "resourceVersion") {
				t.Errorf("it ran %q with %q", got, replaced)
			}
			d.press("esc", "u")
			if got := asked(d, ran); len(got) != 4 {
				t.Errorf("what was taken back is taken back again: %q", got)
			}

			d.press("f", "e") // to change the command before it runs
			if got := d.app.prompt.Text(); !d.app.prompt.IsOpen() || got != `kubectl patch service web -n tour --type=merge -p '{"spec":{"selector":{"app":"web"}}}'` {
				t.Errorf("the prompt holds %q", got)
			}
			d.press("esc")
			d.press("d")
			if d.app.prompt.IsOpen() {
				t.Error("the prompt stays")
			}
		})
	}
}

// A key on its way when the offer opens was meant for something else.
func TestAnOfferThatOpensByItselfTakesNoKeyAtFirst(t *testing.T) {
	d := atPath(t, 120, 40)
	service := webService(model.ClusterIP, 0)
	service.Selector = map[string]string{"app": "wbe"}
	d.show(world(append(threePods(), clientPod(), service)...))
	d.backend.answer = func(args []string, _ string) model.Reply {
		if args[0] == "get" {
			return model.Reply{Stdout: selecting("wbe")}
		}
		return model.Reply{Stdout: selecting("web")}
	}
	d.press("d")
	ran := len(d.backend.ran)
	d.press("f")
	d.pressAtOnce("y")
	d.now = d.now.Add(grace / 2)
	d.pressAtOnce("y", "esc")
	d.sees("Apply this fix?")
	if got := asked(d, ran); len(got) != 2 {
		t.Errorf("it ran %q", got)
	}
	d.now = d.now.Add(grace / 2)
	d.pressAtOnce("y")
	if got := asked(d, ran); len(got) != 3 {
		t.Errorf("it ran %q", got)
	}
}

// selecting is a Service as kubectl get -o yaml prints it.
func selecting(app string) string {
	return `apiVersion: v1
kind: Service
metadata:
  name: web
  namespace: tour
  resourceVersion: "` + app + `"
spec:
  clusterIP: 10.96.142.31
  ports:
  - port: 80
  selector:
    app: ` + app + `
  type: ClusterIP
`
}

// asked are the kubectl commands since the first n.
func asked(d *driver, n int) []string {
	var out []string
	for _, args := range d.backend.ran[n:] {
		out = append(out, strings.Join(args[1:], " "))
	}
	return out
}
