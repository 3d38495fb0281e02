package cli

import (
	"testing"

	"svctour/model/diagnose"
)

func TestTurns(t *testing.T) {
	report := func(healthy bool) *diagnose.Report {
		s := diagnose.ServiceReport{Namespace: "shop", Name: "web", Healthy: healthy}
		if !healthy {
			s.Findings = []diagnose.Finding{{Headline: "No Pod is ready"}}
		}
		return &diagnose.Report{Services: []diagnose.ServiceReport{s}}
	}
	for _, c := range []struct {
		before, after bool
		want          string
	}{
		{false, true, "✓ shop/web has healed\n"}, {true, false, "✗ shop/web has broken: No Pod is ready\n"}, {true, true, ""}, {false, false, ""},
	} {
		if got := turns(health(report(c.before)), report(c.after)); got != c.want {
			t.Errorf("%v, then %v: %q, want %q", c.before, c.after, got, c.want)
		}
	}
}
