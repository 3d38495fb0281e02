package diagnose

import (
	"fmt"

	"svctour/model"
)

// The Pods' node is gone.
var podNodeDown = Rule{
	ID: "pod-node-down", Lane: LanePods,
	Title:   "The Pods' node is not ready",
	Explain: "When a kubelet stops reporting, the node controller marks its Pods not ready, and they are no endpoints any more.",
	Source:  "https://kubernetes.io/docs/concepts/architecture/nodes/#condition",
	Check: podRule(func(s *Subject, pod *model.Pod) *Finding {
		node := s.snapshot.Node(pod.Node)
		if pod.Node == "" || s.unread("nodes") || node != nil && node.Ready() {
			return nil
		}
		if node == nil {
			return &Finding{
				Confidence: Certain, Headline: fmt.Sprintf("Node %s of Pod %s does not exist any more", pod.Node, pod.Name),
				Cause:    "Nobody runs the Pod.",
				Evidence: []Fact{observed("Pod", pod.Meta, "spec.nodeName", pod.Node)},
				Fix:      command("Delete the Pod, so that another is made.", "delete pod %s -n %s", pod.Name, pod.Namespace).changing("Pod", pod.Meta),
			}
		}
		return &Finding{
			Confidence: Certain, Headline: fmt.Sprintf("Node %s of Pod %s is not ready", pod.Node, pod.Name),
			Cause:    "Its Pods are marked not ready and are no endpoints.",
			Evidence: []Fact{observed("Node", node.Meta, "status.conditions[Ready]", "not True")},
			Fix:      command("See why.", "describe node %s", pod.Node),
		}
	}),
}
