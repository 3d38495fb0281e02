package diagnose

import (
	"fmt"
	"maps"
	"slices"

	"svctour/model"
)

// A port that only some Pods of one workload have.
var targetPortSomePods = Rule{
	ID: "targetport-some-pods", Lane: LanePort,
	Title: "Only some Pods of the workload have the target port",
	Explain: "While a rollout changes a container's port, old and new Pods are behind one Service. By name, those without it get no connections; " +
		"by number, connections to them are refused. Keep the name and change the number: each Pod's own number is used then.",
	Source: "pkg/api/v1/pod/util.go, FindPort; https://kubernetes.io/docs/concepts/services-networking/service/#field-spec-ports",
	Check: func(s *Subject) []Finding {
		if !s.lives() || len(s.ready) < 2 {
			return nil
		}
		for i := range s.Service.Ports {
			p := &s.Service.Ports[i]
			with, without := map[string]*model.Pod{}, map[string]*model.Pod{}
			missing := 0
			for _, pod := range s.ready {
				owner := s.owner(pod)
				n := s.target(p, pod)
				switch {
				case n == 0, numeric(p.TargetPort) && len(s.ports(pod).list) > 0 && !s.declared(pod, p.TargetPort):
					without[owner] = pod
					missing++
				case len(s.ports(pod).list) > 0:
					with[owner] = pod
				}
			}
			for _, owner := range slices.Sorted(maps.Keys(without)) {
				good, bad := with[owner], without[owner]
				if good == nil {
					continue
				}
				f := Finding{
					Severity: Warning, Confidence: Certain,
					Headline: fmt.Sprintf("%d of %s of %s have no port %s: a rollout changes it", missing, model.Count(len(s.ready), "ready Pod"), owner, p.TargetPort),
					Cause:    "The Pods without a port of this name get no connections.",
					Evidence: []Fact{
						observed("Service", s.Service.Meta, fmt.Sprintf("spec.ports[%d].targetPort", i), p.TargetPort),
						observed("Pod", good.Meta, "ports", podPortsText(good)), observed("Pod", bad.Meta, "ports", podPortsText(bad)),
					},
					Fix: Fix{Explain: "Give the container's port one name in the old and the new template, and let targetPort be that name."},
				}
				if numeric(p.TargetPort) {
					f.Confidence, f.Cause = Likely, "Connections to the Pods that do not declare this port are most likely refused."
				}
				return []Finding{f}
			}
		}
		return nil
	},
}
