package diagnose

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"svctour/model"
)

// examples are the cases of one rule. yes: the rule's finding has to be the
// first about the Service. no: something near it, about which the rule has to be
// silent.
type examples struct{ yes, no []example }

// example is the healthy world with one thing changed. What the change puts
// into the world's ask is asked for.
type example struct {
	service string
	change  func(*world)
}

// A lane's cases stand in the file of its name.
var cases = []map[string]examples{
	clientCases, nameCases, serviceCases, selectorCases, podCases, probeCases, endpointCases, portCases, policyCases, outsideCases,
}

func TestCases(t *testing.T) {
	for _, lane := range cases {
		for id, c := range lane {
			t.Run(id, func(t *testing.T) {
				for i, e := range c.yes {
					r := e.diagnose()
					if len(r.Findings) == 0 || r.Findings[0].Rule != id {
						t.Errorf("yes %d: the first finding about %s is %s", i, e.service, first(r))
						continue
					}
					checkFinding(t, &r.Findings[0])
				}
				for i, e := range c.no {
					r := e.diagnose()
					if at := slices.IndexFunc(r.Findings, func(f Finding) bool { return f.Rule == id }); at >= 0 {
						t.Errorf("no %d: it speaks: %s", i, r.Findings[at].Headline)
					}
				}
			})
		}
	}
}

func (e example) diagnose() ServiceReport {
	w := newWorld()
	e.change(w)
	return New(w.settle()).Service(ns, e.service, w.ask)
}

// checkFinding wants a finding to be whole.
func checkFinding(t *testing.T, f *Finding) {
	t.Helper()
	if f.Headline == "" || f.Cause == "" || len(f.Evidence) == 0 || f.Fix.Explain == "" || f.Confidence == "" || f.Severity == "" {
		t.Errorf("the finding lacks something: %+v", f)
	}
	for _, fact := range f.Evidence {
		if fact.Object == "" || fact.Field == "" {
			t.Errorf("a fact is about nothing: %+v", fact)
		}
	}
	if f.Fix.Patch != nil && (f.Fix.Target == nil || f.Fix.Target.Name == "") {
		t.Errorf("a patch of nothing: %+v", f.Fix)
	}
	text, err := json.Marshal(f)
	if err != nil || strings.Contains(string(text), "%!") {
		t.Errorf("%s: %v", text, err)
	}
}

// TestEveryRuleHasCases wants a positive and a negative case of every rule, and
// every rule to explain itself.
func TestEveryRuleHasCases(t *testing.T) {
	yes, no := map[string]int{}, map[string]int{}
	for _, lane := range cases {
		for id, c := range lane {
			if RuleByID(id) == nil {
				t.Errorf("there are cases of %q, which is no rule", id)
			}
			yes[id] += len(c.yes)
			no[id] += len(c.no)
		}
	}
	seen := map[string]bool{}
	for _, rule := range Rules {
		if yes[rule.ID] == 0 || no[rule.ID] == 0 {
			t.Errorf("rule %s has %d positive and %d negative cases, want one of each", rule.ID, yes[rule.ID], no[rule.ID])
		}
		if seen[rule.ID] || rule.ID == "" || rule.Title == "" || rule.Explain == "" || rule.Source == "" || !slices.Contains(Lanes, rule.Lane) {
			t.Errorf("rule %q lacks something, or is there twice", rule.ID)
		}
		seen[rule.ID] = true
	}
	const least = 60
	if len(Rules) < least {
		t.Errorf("%d rules, want %d", len(Rules), least)
	}
	total := 0
	for id := range seen {
		total += yes[id] + no[id]
	}
	t.Logf("%d rules, %d cases", len(Rules), total)
}

// Changes that several lanes use.

func nothing(*world) {}

// each changes every Pod of a workload.
func each(workload string, change func(*model.Pod)) func(*world) {
	return func(w *world) {
		for _, p := range w.backends(workload) {
			change(p)
		}
	}
}

// unready makes a workload's Pods not ready, and changes them.
func unready(workload string, change func(*model.Pod)) func(*world) {
	return func(w *world) { w.broken(workload, change) }
}

// crashed is a container that ends again and again.
func crashed(c *model.Container, reason string, code int32) {
	c.Ready, c.State, c.Reason, c.Restarts, c.LastReason, c.LastExitCode = false, "waiting", "CrashLoopBackOff", 4, reason, code
}

func label(key, value string) model.LabelSelector {
	return model.LabelSelector{Labels: map[string]string{key: value}}
}
