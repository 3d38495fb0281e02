package diagnose

import (
	"fmt"
	"strings"

	"svctour/model"
)

// The workload may not or cannot make its Pods.
var podsNotCreated = Rule{
	ID: "pods-not-created", Lane: LaneSelector,
	Title:   "The workload cannot create its Pods",
	Explain: "A quota, a missing ServiceAccount, or an admission webhook refuses the Pods; the ReplicaSet's events have the API server's words.",
	Source:  "https://kubernetes.io/docs/concepts/policy/resource-quotas/",
	Check: func(s *Subject) []Finding {
		if !s.noPods() {
			return nil
		}
		w := s.workload()
		if w == nil || w.replicas == 0 {
			return nil
		}
		f := Finding{
			Severity: Error, Confidence: Likely,
			Headline: fmt.Sprintf("%s %s wants %s and has none", w.kind, w.meta.Name, model.Count(int(w.replicas), "Pod")),
			Cause:    "Nothing has created the Pods yet.",
			Evidence: []Fact{observed(w.kind, w.meta, "spec.replicas", fmt.Sprint(w.replicas))},
			Fix:      command("Its events say why.", "describe %s %s -n %s", strings.ToLower(w.kind), w.meta.Name, w.meta.Namespace),
		}
		for _, c := range w.conditions {
			if c.Type == "ReplicaFailure" && c.Status == "True" {
				f.Cause, f.Confidence = c.Message, Certain
				f.Evidence = append(f.Evidence, observed(w.kind, w.meta, "status.conditions[ReplicaFailure]", c.Message))
			}
		}
		return []Finding{f}
	},
}
