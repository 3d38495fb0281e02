package diagnose

import (
	"fmt"

	"svctour/model"
)

// A container ends as soon as it starts.
var podCrashes = Rule{
	ID: "pod-crashes", Lane: LanePods,
	Title:   "A container crashes after each start",
	Explain: "The kubelet waits longer before each restart, up to five minutes. The log of the run before says why it ended.",
	Source:  "https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy",
	Check: podRule(func(s *Subject, pod *model.Pod) *Finding {
		for _, c := range containers(pod) {
			if !crashes(c) {
				continue
			}
			return &Finding{
				Confidence: Certain,
				Headline:   fmt.Sprintf("Container %s of Pod %s crashes: %s", c.Name, pod.Name, crashText(c)),
				Cause:      "The Pod is an endpoint only in the moments in which it runs and is ready.",
				Evidence:   []Fact{crashFact(pod, c), observed("Pod", pod.Meta, containerField(c, "restartCount"), fmt.Sprint(c.Restarts))},
				Fix:        command("Read what it said before it ended.", "logs %s -n %s -c %s --previous", pod.Name, pod.Namespace, c.Name),
			}
		}
		return nil
	}),
}
