package diagnose

import (
	"fmt"
	"strconv"
)

// port and targetPort are exchanged.
var targetPortSwapped = Rule{
	ID: "targetport-swapped", Lane: LanePort,
	Title:   "port and targetPort are exchanged",
	Explain: "port is what clients ask the Service for, targetPort is where the container listens.",
	Source:  "https://kubernetes.io/docs/concepts/services-networking/service/#field-spec-ports",
	Check: func(s *Subject) []Finding {
		if !s.lives() {
			return nil
		}
		for i := range s.Service.Ports {
			p := &s.Service.Ports[i]
			pod := s.ready[0]
			target, err := strconv.Atoi(p.TargetPort)
			// What clients ask for is the lower number: 80, not 8080.
			if err != nil || target >= int(p.Port) || s.declared(pod, p.TargetPort) || !s.declared(pod, strconv.Itoa(int(p.Port))) {
				continue
			}
			return []Finding{{
				Severity: Error, Confidence: Likely,
				Headline: fmt.Sprintf("port %d and targetPort %s seem to be exchanged: the Pods declare %s", p.Port, p.TargetPort, podPortsText(pod)),
				Cause:    fmt.Sprintf("Connections go to port %s of the Pods, where nothing is declared to listen.", p.TargetPort),
				Evidence: []Fact{observed("Service", s.Service.Meta, fmt.Sprintf("spec.ports[%d]", i), portsText(s.Service)), observed("Pod", pod.Meta, "ports", podPortsText(pod))},
				Fix: patched("Exchange them.", "Service", s.Service.Meta, "json", []any{
					object{"op": "replace", "path": fmt.Sprintf("/spec/ports/%d/targetPort", i), "value": p.Port},
				}),
			}}
		}
		return nil
	},
}
