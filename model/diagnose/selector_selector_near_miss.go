package diagnose

import "fmt"

// The selector matches nothing, and some Pods nearly do.
var selectorNearMiss = Rule{
	ID: "selector-near-miss", Lane: LaneSelector,
	Title: "The selector matches no Pod, but nearly does",
	Explain: "Labels are compared byte for byte: case, dashes and every pair count, and a Service looks at Pods in its own namespace only. " +
		"The doctor compares the selector with all Pods and templates and says which difference is the smallest.",
	Source: "https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/",
	Check: func(s *Subject) []Finding {
		if !s.noPods() {
			return nil
		}
		best := s.nearest()
		if best == nil {
			return nil
		}
		f := Finding{
			Severity: Error, Confidence: Likely,
			Headline: fmt.Sprintf("Selector %s matches no Pod: %s", pairs(s.Service.Selector), best.reason),
			Cause:    "A Service forwards to the Pods that have every pair of its selector, byte for byte. None has.",
			Evidence: []Fact{observed("Service", s.Service.Meta, "spec.selector", pairs(s.Service.Selector)), best.fact},
		}
		if best.fix != nil {
			f.Fix = *best.fix
		} else {
			f.Fix = s.selectInstead(best.change, "Select what the Pods have.")
		}
		return []Finding{f}
	},
}
