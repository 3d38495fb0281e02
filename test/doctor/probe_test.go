package doctor

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"svctour/model"
	"svctour/model/diagnose"
)

// TestProbe settles by connecting what the API objects do not show.
func TestProbe(t *testing.T) {
	needLab(t)
	app, err := read("testdata/app.yaml")
	if err != nil {
		t.Fatal(err)
	}
	place, err := newPlace(t.Context(), "probed")
	if err != nil {
		t.Fatal(err)
	}
	defer place.remove()
	for _, c := range []struct {
		name, service, rule string
		change              func(*manifest)
	}{
		{"all is well", "web", "", func(*manifest) {}},
		{"another port than it says", "cache", "not-listening", container("cache", "args", "[netexec, --http-port=6380]")},
		{"localhost only", "cache", "binds-localhost", func(m *manifest) {
			container("cache", "image", "python:3-alpine")(m)
			container("cache", "args", "[python3, -m, http.server, '6379', --bind, 127.0.0.1]")(m)
		}},
	} {
		m := app.copied()
		c.change(&m)
		if err := place.apply(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		if err := live.until(t.Context(), place.healthy); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		before := pods(t)
		code, out := svctour(t, kubeconfig, "doctor", c.service, "-n", place.namespace, "--probe", "--from", "pod/client", "-o", "json")
		var report diagnose.Report
		if err := json.Unmarshal([]byte(out), &report); err != nil || len(report.Services) != 1 {
			t.Fatalf("%s: %v: %s", c.name, err, out)
		}
		s := report.Services[0]
		switch {
		case c.rule == "" && (code != 0 || len(s.NotChecked) > 0):
			t.Errorf("%s: exit code %d, %s, not checked: %v", c.name, code, first(s), s.NotChecked)
		case c.rule != "" && (code != 1 || len(s.Findings) == 0 || s.Findings[0].Rule != c.rule):
			t.Errorf("%s: exit code %d, the first finding is %s, want %s", c.name, code, first(s), c.rule)
		}
		if after := pods(t); !slices.Equal(before, after) {
			t.Errorf("%s: Pods were %v and are %v", c.name, before, after)
		}
	}
}

// pods are the Pods of the probed namespace.
func pods(t *testing.T) []string {
	t.Helper()
	var out []string
	if err := live.until(t.Context(), func(s *model.Snapshot) error {
		for _, p := range s.PodsIn("probed") {
			out = append(out, fmt.Sprint(p.Name, " ", p.UID))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}
