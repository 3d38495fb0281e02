package diagnose

import (
	"fmt"
	"maps"
	"slices"

	"svctour/model"
)

// The selector matches several workloads that all can answer.
var selectorSeveral = Rule{
	ID: "selector-several", Lane: LaneSelector,
	Title: "Connections are spread over the Pods of several workloads",
	Explain: "Two workloads behind one Service are a canary or a mistake: each gets connections by its number of ready Pods. " +
		"If only one is meant, select a label that only it has.",
	Source: "https://kubernetes.io/docs/concepts/workloads/management/#canary-deployments",
	Check: func(s *Subject) []Finding {
		if !s.selects() || len(s.ready) < 2 {
			return nil
		}
		owners := map[string]int{}
		for _, pod := range s.ready {
			owners[s.owner(pod)]++
		}
		if len(owners) < 2 {
			return nil
		}
		list := slices.Sorted(maps.Keys(owners))
		return []Finding{{
			Severity: Info, Confidence: Certain,
			Headline: fmt.Sprintf("Selector %s matches the Pods of %s", pairs(s.Service.Selector), names(list)),
			Cause:    fmt.Sprintf("Connections are spread over all of them: %d of %s belong to %s.", owners[list[0]], model.Count(len(s.ready), "ready Pod"), list[0]),
			Evidence: []Fact{observed("Service", s.Service.Meta, "spec.selector", pairs(s.Service.Selector)), observed("Service", s.Service.Meta, "owners of the ready Pods", names(list))},
			Fix:      Fix{Explain: "If that is not a canary, give each workload a label of its own and select it."},
		}}
	},
}
