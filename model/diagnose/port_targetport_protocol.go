package diagnose

import (
	"fmt"
	"strconv"

	"svctour/model"
)

// The Service speaks another protocol than the Pods' port.
var targetPortProtocol = Rule{
	ID: "targetport-protocol", Lane: LanePort,
	Title:   "The port is of another protocol",
	Explain: "TCP 53 and UDP 53 are different ports. The Service's protocol has to be the container port's.",
	Source:  "https://kubernetes.io/docs/reference/networking/service-protocols/",
	Check: func(s *Subject) []Finding {
		if !s.lives() {
			return nil
		}
		for i := range s.Service.Ports {
			p := &s.Service.Ports[i]
			pod := s.ready[0]
			var other *model.ContainerPort
			same := false
			wanted := orElse(p.TargetPort, strconv.Itoa(int(p.Port)))
			if !s.declared(pod, wanted) || numeric(wanted) && s.declared(pod, wanted+"/"+p.Protocol) || !numeric(wanted) && s.target(p, pod) > 0 {
				continue
			}
			for _, port := range s.ports(pod).list {
				if port.Name == p.TargetPort && p.TargetPort != "" || strconv.Itoa(int(port.Port)) == wanted {
					if port.Protocol == p.Protocol {
						same = true
					} else {
						other = &port
					}
				}
			}
			if same || other == nil {
				continue
			}
			return []Finding{{
				Severity: Error, Confidence: Likely,
				Headline: fmt.Sprintf("Port %d is %s, the container's port %d is %s", p.Port, p.Protocol, other.Port, other.Protocol),
				Cause:    "Packets arrive for a protocol that nothing listens on.",
				Evidence: []Fact{observed("Service", s.Service.Meta, fmt.Sprintf("spec.ports[%d].protocol", i), p.Protocol), observed("Pod", pod.Meta, "ports", podPortsText(pod))},
				Fix: patched("Use the container's protocol.", "Service", s.Service.Meta, "json",
					[]any{object{"op": "replace", "path": fmt.Sprintf("/spec/ports/%d/protocol", i), "value": other.Protocol}}),
			}}
		}
		return nil
	},
}
