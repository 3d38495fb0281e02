package ui_test

import (
	"slices"
	"testing"

	"svctour/model"
	"svctour/test/uitest"
	"svctour/ui"
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
			d.Press("d")
			d.Sees("No problem found")
			service := uitest.WebService(model.ClusterIP, 0)
			service.Selector = map[string]string{"app": "wbe"}
			d.Show(uitest.World(append(uitest.ThreePods(), uitest.ClientPod(), service)...))
			d.Sees("Doctor web", "SELECTOR", "app=web")
			golden(t, "doctor-"+size.name, d.Frame())

			ran := len(d.Backend.Ran())
			d.Backend.SetAnswer(reselected)
			d.Press("f")
			d.Sees("Apply this fix?", "-     app: wbe", "+     app: web")
			golden(t, "fix-"+size.name, d.Frame())
			const patch = `patch service web -n tour --type=merge -p {"spec":{"selector":{"app":"web"}}}`
			if got := d.Asked(ran); !slices.Equal(got, []string{"get -o yaml service web -n tour", patch + " --dry-run=server -o yaml"}) {
				t.Errorf("it ran %q", got)
			}
			d.Press("esc") // no
			d.Press("u")   // there is nothing to take back
			if got := d.Asked(ran); len(got) != 2 {
				t.Errorf("it ran %q", got)
			}

			ran = len(d.Backend.Ran())
			replaced := ""
			d.Backend.SetAnswer(func(args []string, stdin string) model.Reply {
				if args[0] == "replace" {
					replaced = stdin
				}
				return reselected(args, stdin)
			})
			d.Press("f", "y")
			d.Sees("$ kubectl patch service web")
			if got := d.Asked(ran); len(got) != 3 || got[2] != patch {
				t.Errorf("it ran %q", got)
			}
			d.Press("esc", "u")
			if got := d.Asked(ran); len(got) != 4 || got[3] != "replace -f -" || replaced != ui.Without(selecting("wbe"), "resourceVersion") {
				t.Errorf("it ran %q with %q", got, replaced)
			}
			d.Press("esc", "u")
			if got := d.Asked(ran); len(got) != 4 {
				t.Errorf("what was taken back is taken back again: %q", got)
			}

			d.Press("f", "e") // to change the command before it runs
			if got, open := d.App.PromptLine(); !open || got != `kubectl patch service web -n tour --type=merge -p '{"spec":{"selector":{"app":"web"}}}'` {
				t.Errorf("the prompt holds %q", got)
			}
			d.Press("esc")
			d.Press("d")
			if _, open := d.App.PromptLine(); open {
				t.Error("the prompt stays")
			}
		})
	}
}

// A key on its way when the offer opens was meant for something else.
func TestAnOfferThatOpensByItselfTakesNoKeyAtFirst(t *testing.T) {
	d := atPath(t, 120, 40)
	service := uitest.WebService(model.ClusterIP, 0)
	service.Selector = map[string]string{"app": "wbe"}
	d.Show(uitest.World(append(uitest.ThreePods(), uitest.ClientPod(), service)...))
	d.Backend.SetAnswer(reselected)
	d.Press("d")
	ran := len(d.Backend.Ran())
	d.Press("f")
	d.PressAtOnce("y")
	d.Pass(ui.Grace / 2)
	d.PressAtOnce("y", "esc")
	d.Sees("Apply this fix?")
	if got := d.Asked(ran); len(got) != 2 {
		t.Errorf("it ran %q", got)
	}
	d.Pass(ui.Grace / 2)
	d.PressAtOnce("y")
	if got := d.Asked(ran); len(got) != 3 {
		t.Errorf("it ran %q", got)
	}
}

// reselected answers for a Service whose selector is about to be mended.
func reselected(args []string, _ string) model.Reply {
	if args[0] == "get" {
		return model.Reply{Stdout: selecting("wbe")}
	}
	return model.Reply{Stdout: selecting("web")}
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
