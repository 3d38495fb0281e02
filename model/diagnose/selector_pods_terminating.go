package diagnose

import (
	"fmt"

	"svctour/model"
)

// Only Pods that are going away.
var podsTerminating = Rule{
	ID: "pods-terminating", Lane: LaneSelector,
	Title: "All Pods of the Service are being deleted",
	Explain: "Terminating Pods are endpoints only as a last resort: kube-proxy uses them while they still serve and no other is ready. " +
		"A Pod stays Terminating when its node is gone, or a finalizer keeps it.",
	Source: "https://kubernetes.io/docs/tutorials/services/pods-and-endpoint-termination-flow/; KEP-1669",
	Check: func(s *Subject) []Finding {
		if !s.selects() || len(s.selected) > 0 || len(s.leaving) == 0 {
			return nil
		}
		pod := s.leaving[0]
		f := Finding{
			Severity: Error, Confidence: Certain,
			Headline: fmt.Sprintf("%s of the Service: all are being deleted, none is there to replace them", model.Count(len(s.leaving), "Pod")),
			Cause:    "A terminating Pod gets connections only while it is still ready and nothing else is.",
			Evidence: []Fact{observed("Pod", pod.Meta, "metadata.deletionTimestamp", "set"), observed("Service", s.Service.Meta, "spec.selector", pairs(s.Service.Selector))},
			Fix:      command("See what makes their successors, and what keeps them.", "get pods,replicasets,events -n %s", s.Namespace),
		}
		if node := s.snapshot.Node(pod.Node); node != nil && !node.Ready() {
			f.Cause = fmt.Sprintf("Node %s is not ready: nobody there ends the Pod.", node.Name)
			f.Evidence = append(f.Evidence, observed("Node", node.Meta, "status.conditions[Ready]", "not True"))
			f.Fix = command("When the node is gone for good, let go of the Pod.", "delete pod %s -n %s --force", pod.Name, pod.Namespace).changing("Pod", pod.Meta)
		}
		return []Finding{f}
	},
}
