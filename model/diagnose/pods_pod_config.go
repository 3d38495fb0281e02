package diagnose

import (
	"fmt"
	"slices"

	"svctour/model"
)

// A ConfigMap or Secret is missing.
var podConfig = Rule{
	ID: "pod-config", Lane: LanePods,
	Title:   "A container cannot be created",
	Explain: "It names a ConfigMap, a Secret, a key or a volume that does not exist.",
	Source:  "https://kubernetes.io/docs/tasks/configure-pod-container/configure-pod-configmap/",
	Check: podRule(func(s *Subject, pod *model.Pod) *Finding {
		for _, c := range allContainers(pod) {
			if c.State == "waiting" && slices.Contains([]string{"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}, c.Reason) {
				return &Finding{
					Confidence: Certain,
					Headline:   fmt.Sprintf("Container %s of Pod %s cannot be created: %s", c.Name, pod.Name, orElse(c.Message, c.Reason)),
					Cause:      "The container does not start, so that the Pod is not ready.",
					Evidence:   []Fact{observed("Pod", pod.Meta, containerField(c, "state.waiting"), c.Reason+": "+c.Message)},
					Fix:        command("Create what is missing, or correct its name.", "describe pod %s -n %s", pod.Name, pod.Namespace),
				}
			}
		}
		for _, e := range s.events["Pod "+pod.Key()] {
			if e.Reason == "FailedMount" && pod.Phase == "Pending" {
				return &Finding{
					Confidence: Certain,
					Headline:   fmt.Sprintf("A volume of Pod %s cannot be mounted: %s", pod.Name, e.Message),
					Cause:      "Containers start when every volume is there.",
					Evidence:   []Fact{observed("Event", e.Meta, e.Reason, e.Message)},
					Fix:        command("Create what is missing, or correct its name.", "describe pod %s -n %s", pod.Name, pod.Namespace),
				}
			}
		}
		return nil
	}),
}
