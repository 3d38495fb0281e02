package diagnose

import (
	"fmt"

	"svctour/model"
)

// A readiness gate is not open.
var readinessGate = Rule{
	ID: "readiness-gate", Lane: LanePods,
	Title:   "A readiness gate is closed",
	Explain: "Besides its containers a Pod may wait for conditions that some controller sets, for example a load balancer's.",
	Source:  "https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-readiness-gate",
	Check: podRule(func(s *Subject, pod *model.Pod) *Finding {
		for _, gate := range pod.ReadinessGates {
			if c := condition(pod, gate); c == nil || c.Status != "True" {
				value := "not set"
				if c != nil {
					value = c.Status
				}
				return &Finding{
					Confidence: Certain,
					Headline:   fmt.Sprintf("Pod %s waits for its readiness gate %s", pod.Name, gate),
					Cause:      "No controller has set the condition to True.",
					Evidence:   []Fact{observed("Pod", pod.Meta, "status.conditions["+gate+"]", value)},
					Fix:        Fix{Explain: "See whether the controller that sets it runs, or take the gate out of the Pod's template."},
				}
			}
		}
		return nil
	}),
}
