package diagnose

import (
	"fmt"

	"svctour/model"
)

// Two containers of a Pod want one port.
var podPortConflict = Rule{
	ID: "pod-port-conflict", Lane: LanePods,
	Title:   "Two containers of the Pod want the same port",
	Explain: "The containers of a Pod share one network: the second that binds a port fails with \"address already in use\" and crashes.",
	Source:  "https://kubernetes.io/docs/concepts/workloads/pods/#pod-networking",
	Check: podRule(func(_ *Subject, pod *model.Pod) *Finding {
		owner := map[string]*model.Container{}
		for _, c := range containers(pod) {
			for _, p := range c.Ports {
				key := fmt.Sprintf("%d/%s", p.Port, p.Protocol)
				other := owner[key]
				if other == nil {
					owner[key] = c
					continue
				}
				if other.Name == c.Name || !crashes(c) && !crashes(other) {
					continue
				}
				crashed := c
				if !crashes(c) {
					crashed = other
				}
				return &Finding{
					Confidence: Likely,
					Headline:   fmt.Sprintf("Containers %s and %s of Pod %s both declare port %s, and %s crashes", other.Name, c.Name, pod.Name, key, crashed.Name),
					Cause:      "The containers of a Pod share its network: only one can bind a port.",
					Evidence: []Fact{
						observed("Pod", pod.Meta, "spec.containers["+other.Name+"].ports", key), observed("Pod", pod.Meta, "spec.containers["+c.Name+"].ports", key),
						crashFact(pod, crashed),
					},
					Fix: command("Let one of them listen on another port; its log says which one could not bind.", "logs %s -n %s -c %s --previous", pod.Name, pod.Namespace, crashed.Name),
				}
			}
		}
		return nil
	}),
}
