package diagnose

import (
	"fmt"
	"strings"
)

// All Pods have ended.
var podsEnded = Rule{
	ID: "pods-ended", Lane: LanePods,
	Title:   "The Pods have ended",
	Explain: "Pods that have succeeded or failed are no endpoints. A server runs in a Deployment, which replaces what ends.",
	Source:  "https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-phase",
	Check: func(s *Subject) []Finding {
		if !s.selects() || len(s.selected) > 0 || len(s.ended) == 0 {
			return nil
		}
		pod := s.ended[0]
		return []Finding{{
			Severity: Error, Confidence: Certain,
			Headline: fmt.Sprintf("Pod %s has ended (%s), and nothing replaces it", pod.Name, strings.TrimSpace(pod.Phase+" "+pod.Reason)),
			Cause:    orElse(pod.Message, "A Pod that has ended is no endpoint."),
			Evidence: []Fact{observed("Pod", pod.Meta, "status.phase", pod.Phase)},
			Fix:      command("Run the server in a Deployment; look at why it ended.", "logs %s -n %s", pod.Name, pod.Namespace),
		}}
	},
}
