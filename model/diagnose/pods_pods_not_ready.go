package diagnose

import (
	"fmt"

	"svctour/model"
)

// The Pods have just begun.
var podsNotReady = Rule{
	ID: "pods-not-ready", Lane: LanePods,
	Title:   "No Pod is ready",
	Explain: "The selector matches Pods, none of which is ready. If they have just been made, wait.",
	Source:  "https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-conditions",
	Check: podRule(func(s *Subject, pod *model.Pod) *Finding {
		value := pod.Phase
		for _, c := range allContainers(pod) {
			if c.State == "waiting" {
				value += ", container " + c.Name + " waiting: " + c.Reason
				break
			}
		}
		return &Finding{
			Confidence: Certain,
			Headline:   fmt.Sprintf("None of %s is ready", model.Count(len(s.selected), "matching Pod")),
			Cause:      "A Pod that is not ready is no endpoint. If it was made a moment ago, it may just be starting.",
			Evidence:   []Fact{observed("Pod", pod.Meta, "status", value)},
			Fix:        command("See what it waits for.", "describe pod %s -n %s", pod.Name, pod.Namespace),
		}
	}),
}
