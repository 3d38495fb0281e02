package diagnose

import (
	"fmt"
	"slices"
	"strconv"

	"svctour/model"
	"svctour/model/endpoints"
)

// targetPort names a port that no Pod has.
var targetPortName = Rule{
	ID: "targetport-name", Lane: LanePort,
	Title: "targetPort is a name that no Pod declares",
	Explain: "A targetPort by name is looked up in each Pod's containers[].ports[].name. The Pods without it stay in the EndpointSlice, but without a port: " +
		"counting addresses says that all is well, and connections are refused.",
	Source: "pkg/api/v1/pod/util.go, FindPort",
	Check: func(s *Subject) []Finding {
		if !s.lives() {
			return nil
		}
		for i := range s.Service.Ports {
			p := &s.Service.Ports[i]
			if p.TargetPort == "" || numeric(p.TargetPort) {
				continue
			}
			if slices.ContainsFunc(s.ready, func(pod *model.Pod) bool { return s.target(p, pod) > 0 }) {
				continue
			}
			pod := s.ready[0]
			f := Finding{
				Severity: Error, Confidence: Certain,
				Headline: fmt.Sprintf("targetPort %s of port %d is no port of the Pods, which have %s", p.TargetPort, p.Port, podPortsText(pod)),
				Cause:    "The endpoints are there, but without a port, so that kube-proxy refuses connections.",
				Evidence: []Fact{
					observed("Service", s.Service.Meta, fmt.Sprintf("spec.ports[%d].targetPort", i), p.TargetPort),
					observed("Pod", pod.Meta, "ports", podPortsText(pod)),
				},
			}
			for _, slice := range s.slices {
				if len(slice.Endpoints) > 0 && !endpoints.HasPort(slice, p) {
					f.Evidence = append(f.Evidence, observed("EndpointSlice", slice.Meta, "ports", "none for "+orElse(p.Name, strconv.Itoa(int(p.Port)))))
					break
				}
			}
			f.Fix = Fix{Explain: "Name the container's port so, or change targetPort."}
			if right := s.rightPort(pod, p); right != "" {
				f.Fix = s.setTargetPort(i, right, "Use the port that the Pods have.")
			}
			return []Finding{f}
		}
		return nil
	},
}
