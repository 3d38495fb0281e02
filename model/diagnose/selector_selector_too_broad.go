package diagnose

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"svctour/model"
)

// The selector matches Pods of several workloads, some of which cannot answer.
var selectorTooBroad = Rule{
	ID: "selector-too-broad", Lane: LaneSelector,
	Title:   "The selector also matches Pods of another workload",
	Explain: "A selector with a label that several workloads share sends connections to all of them. Give each a label of its own.",
	Source:  "https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/",
	Check: func(s *Subject) []Finding {
		if !s.selects() || len(s.selected) < 2 {
			return nil
		}
		right, wrong := map[string]*model.Pod{}, map[string]*model.Pod{}
		for _, pod := range s.selected {
			owner := s.owner(pod)
			if s.serves(pod) {
				right[owner] = pod
			} else if len(s.ports(pod).list) > 0 || strings.HasPrefix(owner, "Job/") {
				wrong[owner] = pod
			}
		}
		if len(right) == 0 || len(wrong) == 0 || len(s.Service.Ports) == 0 {
			return nil
		}
		good, bad := slices.Sorted(maps.Keys(right))[0], slices.Sorted(maps.Keys(wrong))[0]
		if right[bad] != nil { // a rollout: the same workload before and after
			return nil
		}
		f := Finding{
			Severity: Error, Confidence: Likely,
			Headline: fmt.Sprintf("Selector %s matches Pods of %s and of %s, which has no port %s", pairs(s.Service.Selector), good, bad, s.Service.Ports[0].TargetPort),
			Cause:    "Connections are spread over both; those that meet the wrong Pods are refused.",
			Evidence: []Fact{
				observed("Service", s.Service.Meta, "spec.selector", pairs(s.Service.Selector)),
				observed("Pod", right[good].Meta, "ports", podPortsText(right[good])),
				observed("Pod", wrong[bad].Meta, "ports", podPortsText(wrong[bad])),
			},
			Fix: Fix{Explain: "Give the workloads distinct labels, and select one of them. A Service's selector has no NotIn."},
		}
		for key, value := range right[good].Labels {
			if !slices.Contains(madeLabels, key) && wrong[bad].Labels[key] != value && s.Service.Selector[key] != value {
				f.Fix = patched(fmt.Sprintf("Select what only the Pods of %s have.", good), "Service", s.Service.Meta, "strategic", spec(object{"selector": object{key: value}}))
				if key == "app" || key == "app.kubernetes.io/name" {
					break
				}
			}
		}
		return []Finding{f}
	},
}
