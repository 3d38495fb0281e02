package diagnose

import (
	"fmt"

	"svctour/model"
)

// A headless Service translates no port.
var headlessPort = Rule{
	ID: "headless-port", Lane: LanePort,
	Title:   "A headless Service does not translate ports",
	Explain: "Without a cluster IP there is no rule of kube-proxy's: the name leads straight to the Pods, and port is only what SRV records say. Clients have to ask for the container's port.",
	Source:  "https://kubernetes.io/docs/concepts/services-networking/service/#headless-services",
	Check: func(s *Subject) []Finding {
		if !s.lives() || !s.Service.Headless() {
			return nil
		}
		for i := range s.Service.Ports {
			p := &s.Service.Ports[i]
			target := s.target(p, s.ready[0])
			if target == 0 || target == p.Port {
				continue
			}
			return []Finding{{
				Severity: Warning, Confidence: Certain,
				Headline: fmt.Sprintf("The Service is headless: port %d is not translated to %d", p.Port, target),
				Cause:    fmt.Sprintf("The name resolves to the Pods' own addresses; a client that asks for port %d is refused there.", p.Port),
				Evidence: []Fact{observed("Service", s.Service.Meta, "spec.clusterIP", model.None), observed("Service", s.Service.Meta, fmt.Sprintf("spec.ports[%d]", i), portsText(s.Service))},
				Fix: patched(fmt.Sprintf("Ask for port %d and let the Service say so, or give it a cluster IP (by making it anew).", target), "Service", s.Service.Meta, "json",
					[]any{object{"op": "replace", "path": fmt.Sprintf("/spec/ports/%d/port", i), "value": target}}),
			}}
		}
		return nil
	},
}
