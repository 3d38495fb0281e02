package diagnose

import (
	"fmt"

	"svctour/model"
)

// Nothing is like the selector.
var selectorMatchesNothing = Rule{
	ID: "selector-matches-nothing", Lane: LaneSelector,
	Title:   "The selector matches no Pod",
	Explain: "No Pod of the namespace has the selector's labels, and none is similar.",
	Source:  "https://kubernetes.io/docs/concepts/services-networking/service/#defining-a-service",
	Check: func(s *Subject) []Finding {
		if !s.noPods() || s.workload() != nil {
			return nil
		}
		f := Finding{
			Severity: Error, Confidence: Certain,
			Headline: fmt.Sprintf("Selector %s matches no Pod", pairs(s.Service.Selector)),
			Cause:    "No Pod of the namespace has these labels, and no workload would make one.",
			Evidence: []Fact{
				observed("Service", s.Service.Meta, "spec.selector", pairs(s.Service.Selector)),
				{Object: "Namespace " + s.Namespace, Field: "Pods", Value: fmt.Sprint(len(s.all[s.Namespace])), Kind: model.Observed},
			},
			Fix: command("Compare with the labels that there are.", "get pods -n %s --show-labels", s.Namespace),
		}
		for _, d := range s.deployments(s.Namespace) { // by its name, at least
			if d.Name == s.Name && len(d.Selector) > 0 {
				f.Fix = s.selectInstead(d.Selector, "Select the Pods of Deployment "+d.Name+", which has the Service's name.")
				f.Headline += fmt.Sprintf("; those of Deployment %s have %s", d.Name, pairs(d.Selector))
			}
		}
		return []Finding{f}
	},
}
