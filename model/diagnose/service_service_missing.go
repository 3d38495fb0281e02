package diagnose

import (
	"fmt"

	"svctour/model"
)

// The Service does not exist where it was looked for.
var serviceMissing = Rule{
	ID: "service-missing", Lane: LaneService,
	Title:   "There is no such Service",
	Explain: "A Service's short name works in its own namespace only; from another one it is NAME.NAMESPACE.",
	Source:  "https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/",
	Check: func(s *Subject) []Finding {
		if s.Service != nil || s.unread("services") || s.hides(s.Namespace) {
			return nil
		}
		f := Finding{
			Severity: Error, Confidence: Certain,
			Headline: fmt.Sprintf("There is no Service %s in namespace %s", s.Name, s.Namespace),
			Cause:    "Its name does not resolve, and nothing forwards to it.",
			Evidence: []Fact{{Object: "Namespace " + s.Namespace, Field: "Services named " + s.Name, Value: "0", Kind: model.Observed}},
			Fix:      command("See which Services there are.", "get services -n %s", s.Namespace),
		}
		for _, w := range s.workloads(s.Namespace) {
			if w.Kind == "StatefulSet" && w.Service == s.Name {
				f.Cause = fmt.Sprintf("StatefulSet %s names it as its serviceName: without it its Pods have no names (%s-0.%s).", w.Name, w.Name, s.Name)
				f.Evidence = append(f.Evidence, observed("StatefulSet", w.Meta, "spec.serviceName", w.Service))
				f.Fix = Fix{Explain: "Make a headless Service of this name that selects the StatefulSet's Pods: " + pairs(w.Selector) + "."}
				return []Finding{f}
			}
		}
		best := 3
		for _, other := range s.snapshot.Services {
			switch d := model.Distance(other.Name, s.Name); {
			case other.Name == s.Name:
				f.Cause = fmt.Sprintf("Namespace %s has one of this name: short names are looked up in the client's own namespace.", other.Namespace)
				f.Fix = Fix{Explain: fmt.Sprintf("Ask for %s.%s.", other.Name, other.Namespace)}
				f.Evidence = append(f.Evidence, observed("Service", other.Meta, "metadata.name", other.Name))
				return []Finding{f}
			case other.Namespace == s.Namespace && d < best:
				best = d
				f.Fix = Fix{Explain: fmt.Sprintf("Did you mean %s?", other.Name)}
			}
		}
		return []Finding{f}
	},
}
