package kubectl

import (
	"strings"
	"testing"
)

func TestWhatMayHaveATerminal(t *testing.T) {
	for _, line := range []string{
		"exec -it web-1 -- sh", "exec web-1 --tty --stdin -- sh", "run tmp --image=x -it --rm -- sh", "attach -it web-1",
		"edit service web", "edit deploy/web", "port-forward service/web 8080:80", "port-forward web-1 8080 9090",
	} {
		if c, err := inspectFor(strings.Fields(line), true); err != nil || !c.writes {
			t.Errorf("%s: %+v, %v", line, c, err)
		}
		if _, err := inspect(strings.Fields(line)); err == nil {
			t.Errorf("%s is let through without a terminal", line)
		}
	}
	for _, line := range []string{
		"edit node/node-1", "edit clusterrole/admin", "edit -f x.yaml", "edit svc -l app=web", "exec -it node/node-1 -- sh", "get pods -t",
		"port-forward web-1 8080 --address=0.0.0.0", "port-forward web-1", "debug -it node/node-1", "attach web-1 --context=other", "proxy", "cp a b:c",
	} {
		if _, err := inspectFor(strings.Fields(line), true); err == nil {
			t.Errorf("%s is let through", line)
		}
	}
	for _, line := range []string{"get pods -w", "logs -f web-1", "get pods -Aw"} {
		if c, err := inspectFor(strings.Fields(line), true); err != nil || c.writes {
			t.Errorf("%s: %+v, %v", line, c, err)
		}
	}
}
