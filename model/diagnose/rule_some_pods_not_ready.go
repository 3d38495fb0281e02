package diagnose

import (
	"fmt"
	"strings"
)

// Some Pods are ready, and others are not.
var someNotReady = Rule{
	ID: "some-pods-not-ready", Lane: LanePods,
	Title:   "Some of the Pods are not ready",
	Explain: "The Service works with the Pods that are ready; capacity is missing. A container that crashes, or an image that cannot be pulled, does not get better by itself.",
	Source:  "https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/",
	Check: func(s *Subject) []Finding {
		if !s.selects() || len(s.ready) == 0 {
			return nil
		}
		for _, pod := range s.notReady() {
			for _, c := range allContainers(pod) {
				stuck := c.State == "waiting" && c.Reason != "ContainerCreating" && c.Reason != "PodInitializing" && c.Reason != ""
				if !stuck && !crashes(c) {
					continue
				}
				return []Finding{{
					Severity: Warning, Confidence: Certain,
					Headline: fmt.Sprintf("Pod %s is not ready: container %s is %s", pod.Name, c.Name, strings.TrimSpace(c.State+" "+c.Reason)),
					Cause:    fmt.Sprintf("%d of %s are ready and answer.", len(s.ready), count(len(s.selected), "Pod")),
					Evidence: []Fact{observed("Pod", pod.Meta, containerField(c, "state"), strings.TrimSpace(c.State+" "+c.Reason))},
					Fix:      command("See why.", "kubectl describe pod %s -n %s", pod.Name, pod.Namespace),
				}}
			}
		}
		return nil
	},
}
