package diagnose

import (
	"fmt"

	"svctour/model"
)

// The Service's namespace is being deleted.
var namespaceTerminating = Rule{
	ID: "namespace-terminating", Lane: LaneService,
	Title:   "The namespace is being deleted",
	Explain: "In a namespace that is Terminating nothing can be created: no Pod is replaced. A finalizer that nobody removes keeps it so for ever; its conditions say which.",
	Source:  "https://kubernetes.io/docs/concepts/overview/working-with-objects/namespaces/; plugin/pkg/admission/namespace/lifecycle",
	Check: func(s *Subject) []Finding {
		namespace := s.snapshot.Namespace(s.Namespace)
		if s.Service == nil || namespace == nil || namespace.Phase != "Terminating" && !namespace.Terminating() {
			return nil
		}
		return []Finding{{
			Severity: Error, Confidence: Certain,
			Headline: fmt.Sprintf("Namespace %s is being deleted, and the Service with it", s.Namespace),
			Cause:    "Its objects go one after the other, and none can be made.",
			Evidence: []Fact{observed("Namespace", namespace.Meta, "status.phase", orElse(namespace.Phase, model.None))},
			Fix:      command("See what keeps it; use another namespace.", "describe namespace %s", s.Namespace),
		}}
	},
}
