package diagnose

import (
	"fmt"
	"maps"

	"svctour/model"
	"svctour/model/endpoints"
)

// Two Deployments that take each other's Pods for their own.
var workloadsShareSelector = Rule{
	ID: "workloads-share-selector", Lane: LaneSelector,
	Title:   "Two Deployments have the same selector",
	Explain: "Deployments with the same selector count each other's Pods, and kill or adopt them.",
	Source:  "https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#selector",
	Check: func(s *Subject) []Finding {
		if !s.selects() {
			return nil
		}
		var first *model.Deployment
		for _, d := range s.deployments(s.Namespace) {
			if len(d.Selector) == 0 || !endpoints.Matches(s.Service.Selector, d.TemplateLabels) {
				continue
			}
			if first != nil && maps.Equal(first.Selector, d.Selector) {
				return []Finding{{
					Severity: Warning, Confidence: Certain,
					Headline: fmt.Sprintf("Deployments %s and %s have the same selector, %s", first.Name, d.Name, pairs(d.Selector)),
					Cause:    "Each takes the other's Pods for its own.",
					Evidence: []Fact{observed("Deployment", first.Meta, "spec.selector", pairs(first.Selector)), observed("Deployment", d.Meta, "spec.selector", pairs(d.Selector))},
					Fix:      Fix{Explain: "Give each a label of its own in selector and template; a selector is immutable, so recreate one of them."},
				}}
			}
			if first == nil {
				first = d
			}
		}
		return nil
	},
}
