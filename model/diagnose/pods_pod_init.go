package diagnose

import (
	"fmt"
	"strings"

	"svctour/model"
)

// An init container does not finish.
var podInit = Rule{
	ID: "pod-init", Lane: LanePods,
	Title:   "An init container does not finish",
	Explain: "Containers start after every init container has succeeded, in order.",
	Source:  "https://kubernetes.io/docs/concepts/workloads/pods/init-containers/",
	Check: podRule(func(s *Subject, pod *model.Pod) *Finding {
		for i := range pod.InitContainers {
			c := &pod.InitContainers[i]
			done := c.State == "terminated" && c.ExitCode == 0 || c.Sidecar && c.State == "running"
			if done || c.State == "" || pod.Phase != "Pending" {
				continue
			}
			return &Finding{
				Confidence: Certain,
				Headline:   fmt.Sprintf("Init container %s of Pod %s has not finished (%s)", c.Name, pod.Name, strings.TrimSpace(c.State+" "+c.Reason)),
				Cause:      "The Pod's containers wait for it.",
				Evidence:   []Fact{observed("Pod", pod.Meta, "status.initContainerStatuses["+c.Name+"].state", strings.TrimSpace(c.State+" "+c.Reason))},
				Fix:        command("Its log says what it waits for.", "logs %s -n %s -c %s", pod.Name, pod.Namespace, c.Name),
			}
		}
		return nil
	}),
}
