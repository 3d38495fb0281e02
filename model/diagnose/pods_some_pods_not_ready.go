package diagnose

import (
	"fmt"
	"strings"
	"time"

	"svctour/model"
)

// Some Pods are ready, and others are not.
var somePodsNotReady = Rule{
	ID: "some-pods-not-ready", Lane: LanePods,
	Title:   "Some of the Pods are not ready",
	Explain: "The Service works with the Pods that are ready; capacity is missing. A container that crashes, an image that cannot be pulled, a node that is gone, or a probe that has failed for a minute do not get better by themselves.",
	Source:  "https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/",
	Check: func(s *Subject) []Finding {
		if !s.selects() || len(s.ready) == 0 {
			return nil
		}
		for _, pod := range s.notReady() {
			f := Finding{
				Severity: Warning, Confidence: Certain,
				Cause: fmt.Sprintf("%d of %s are ready and answer.", len(s.ready), model.Count(len(s.selected), "Pod")),
				Fix:   command("See why.", "describe pod %s -n %s", pod.Name, pod.Namespace),
			}
			if node := s.snapshot.Node(pod.Node); node != nil && !node.Ready() {
				f.Headline = fmt.Sprintf("Pod %s is not ready: its node %s is not", pod.Name, node.Name)
				f.Evidence = []Fact{observed("Node", node.Meta, "status.conditions[Ready]", "not True")}
				f.Fix = command("See why.", "describe node %s", node.Name)
				return []Finding{f}
			}
			for _, c := range allContainers(pod) {
				stuck := c.State == "waiting" && c.Reason != "ContainerCreating" && c.Reason != "PodInitializing" && c.Reason != ""
				if !stuck && !crashes(c) {
					continue
				}
				f.Headline = fmt.Sprintf("Pod %s is not ready: container %s is %s", pod.Name, c.Name, strings.TrimSpace(c.State+" "+c.Reason))
				f.Evidence = []Fact{observed("Pod", pod.Meta, containerField(c, "state"), strings.TrimSpace(c.State+" "+c.Reason))}
				return []Finding{f}
			}
			since := condition(pod, "Ready")
			if since == nil || since.Since.IsZero() || s.snapshot.Time.Sub(since.Since) < time.Minute {
				continue
			}
			for _, c := range containers(pod) {
				if c.Ready || c.State != "running" || c.Readiness == nil {
					continue
				}
				f.Headline = fmt.Sprintf("Pod %s is not ready: the readinessProbe (%s) of container %s fails", pod.Name, probeText(c.Readiness), c.Name)
				f.Evidence = []Fact{observed("Pod", pod.Meta, containerField(c, "ready"), "false"), observed("Pod", pod.Meta, "status.conditions[Ready]", "False since "+since.Since.UTC().Format(time.RFC3339))}
				for _, e := range s.events["Pod "+pod.Key()] {
					if e.Reason == "Unhealthy" {
						f.Evidence = append(f.Evidence, observed("Event", e.Meta, e.Reason, e.Message))
						break
					}
				}
				return []Finding{f}
			}
		}
		return nil
	},
}
