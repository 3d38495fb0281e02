package diagnose

import (
	"fmt"

	"svctour/model"
)

// The scheduler finds no node for the Pod.
var podUnschedulable = Rule{
	ID: "pod-unschedulable", Lane: LanePods,
	Title:   "The Pods are not scheduled",
	Explain: "The scheduler finds no node with room, the right labels or tolerated taints. Its message says how many nodes fail for which reason.",
	Source:  "https://kubernetes.io/docs/concepts/scheduling-eviction/kube-scheduler/",
	Check: podRule(func(s *Subject, pod *model.Pod) *Finding {
		c := condition(pod, "PodScheduled")
		if pod.Node != "" || c == nil || c.Status != "False" {
			return nil
		}
		return &Finding{
			Confidence: Certain,
			Headline:   fmt.Sprintf("Pod %s has no node: %s", pod.Name, firstSentence(c.Message)),
			Cause:      "A Pod that is not scheduled has no address and cannot be an endpoint.",
			Evidence:   []Fact{observed("Pod", pod.Meta, "status.conditions[PodScheduled]", c.Reason+": "+c.Message)},
			Fix:        command("Make room, or change what the Pod asks for; the message says what is missing.", "describe pod %s -n %s", pod.Name, pod.Namespace),
		}
	}),
}
