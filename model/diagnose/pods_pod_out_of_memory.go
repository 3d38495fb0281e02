package diagnose

import (
	"fmt"
	"strings"

	"svctour/model"
)

// A container was killed for its memory.
var podOutOfMemory = Rule{
	ID: "pod-out-of-memory", Lane: LanePods,
	Title:   "A container is killed for using too much memory",
	Explain: "The kernel kills a container that exceeds its memory limit. Raise the limit or lower what the program uses.",
	Source:  "https://kubernetes.io/docs/tasks/configure-pod-container/assign-memory-resource/",
	Check: podRule(func(s *Subject, pod *model.Pod) *Finding {
		for _, c := range allContainers(pod) {
			if c.LastReason != "OOMKilled" && c.Reason != "OOMKilled" {
				continue
			}
			return &Finding{
				Confidence: Certain,
				Headline:   fmt.Sprintf("Container %s of Pod %s is killed for its memory, again and again", c.Name, pod.Name),
				Cause:      "It exceeds its memory limit; it is an endpoint only between its starts.",
				Evidence:   []Fact{observed("Pod", pod.Meta, containerField(c, "lastState.terminated.reason"), "OOMKilled"), observed("Pod", pod.Meta, containerField(c, "restartCount"), fmt.Sprint(c.Restarts))},
				Fix:        command("Raise the limit, or find the leak.", "set resources %s -n %s --limits=memory=SIZE", strings.ToLower(s.owner(pod)), pod.Namespace),
			}
		}
		return nil
	}),
}
