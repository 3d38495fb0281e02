package diagnose

import "fmt"

// A client that does not run asks nothing.
var clientNotRunning = Rule{
	ID: "client-not-running", Lane: LaneClient,
	Title:   "The client's Pod does not run",
	Explain: "Nothing can be asked from a Pod that is not running. Look at its own conditions and events first.",
	Source:  "https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/",
	Check: func(s *Subject) []Finding {
		pod := s.Client
		if pod == nil || pod.Phase == "Running" {
			return nil
		}
		return []Finding{{
			Severity: Error, Confidence: Certain,
			Headline: fmt.Sprintf("The client Pod %s is %s, not Running", pod.Name, pod.Phase),
			Cause:    "A connection starts in a running container.",
			Evidence: []Fact{observed("Pod", pod.Meta, "status.phase", pod.Phase)},
			Fix:      command("Find out why it does not run.", "describe pod %s -n %s", pod.Name, pod.Namespace),
		}}
	},
}
