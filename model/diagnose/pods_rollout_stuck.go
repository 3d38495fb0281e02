package diagnose

import (
	"fmt"
	"strings"
)

// A rollout that does not come to an end.
var rolloutStuck = Rule{
	ID: "rollout-stuck", Lane: LanePods,
	Title:   "A Deployment's rollout does not get on",
	Explain: "The new Pods do not become ready, so that the old ones stay and answer. The Service works, with yesterday's program.",
	Source:  "https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#failed-deployment",
	Check: func(s *Subject) []Finding {
		if !s.lives() {
			return nil
		}
		seen := map[string]bool{}
		for _, pod := range s.selected {
			name, is := strings.CutPrefix(s.owner(pod), "Deployment/")
			if !is || seen[name] {
				continue
			}
			seen[name] = true
			d := s.snapshot.Deployment(s.Namespace, name)
			if d == nil {
				continue
			}
			for _, c := range d.Conditions {
				if c.Type != "Progressing" || c.Status != "False" || c.Reason != "ProgressDeadlineExceeded" {
					continue
				}
				return []Finding{{
					Severity: Warning, Confidence: Certain,
					Headline: fmt.Sprintf("The rollout of Deployment %s is stuck: %s", d.Name, orElse(c.Message, c.Reason)),
					Cause:    "The Pods that answer are those from before the change.",
					Evidence: []Fact{observed("Deployment", d.Meta, "status.conditions[Progressing]", c.Reason), observed("Deployment", d.Meta, "status.updatedReplicas", fmt.Sprint(d.Updated))},
					Fix:      command("See why the new Pods are not ready, or go back.", "rollout undo deployment %s -n %s", d.Name, d.Namespace),
				}}
			}
		}
		return nil
	},
}
