package diagnose

import (
	"fmt"
	"strconv"

	"svctour/model"
)

// An ExternalName with a targetPort.
var externalNamePort = Rule{
	ID: "externalname-port", Lane: LanePort,
	Title:   "An ExternalName Service translates no port",
	Explain: "An ExternalName is a name in DNS and nothing else: there is no rule of kube-proxy's, ports and targetPort do nothing. Clients have to ask for the port on which the host itself listens.",
	Source:  "https://kubernetes.io/docs/concepts/services-networking/service/#externalname",
	Check: func(s *Subject) []Finding {
		if s.Service == nil || s.Service.Type != model.ExternalName {
			return nil
		}
		for i := range s.Service.Ports {
			p := &s.Service.Ports[i]
			if p.TargetPort == "" || p.TargetPort == strconv.Itoa(int(p.Port)) {
				continue
			}
			f := Finding{
				Severity: Warning, Confidence: Certain,
				Headline: fmt.Sprintf("The Service is an ExternalName: port %d is not translated to %s", p.Port, p.TargetPort),
				Cause:    fmt.Sprintf("The name resolves to %s; a client that asks for port %d asks that host for it.", s.Service.ExternalName, p.Port),
				Evidence: []Fact{observed("Service", s.Service.Meta, "spec.type", model.ExternalName), observed("Service", s.Service.Meta, fmt.Sprintf("spec.ports[%d]", i), portsText(s.Service))},
				Fix:      Fix{Explain: "Ask for the host's own port."},
			}
			if n, err := strconv.Atoi(p.TargetPort); err == nil {
				f.Fix = patched(fmt.Sprintf("Ask for port %d, and let the Service say so.", n), "Service", s.Service.Meta, "json",
					[]any{object{"op": "replace", "path": fmt.Sprintf("/spec/ports/%d/port", i), "value": n}})
			}
			return []Finding{f}
		}
		return nil
	},
}
