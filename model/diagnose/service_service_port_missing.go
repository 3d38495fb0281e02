package diagnose

import (
	"fmt"
	"strconv"

	"svctour/model"
)

// The client asks for a port that the Service does not have.
var servicePortMissing = Rule{
	ID: "service-port-missing", Lane: LaneService,
	Title:   "The Service has no such port",
	Explain: "Three numbers with three owners: port is the Service's, targetPort the container's, nodePort the nodes'. Each works at its own address only.",
	Source:  "https://kubernetes.io/docs/concepts/services-networking/service/#type-nodeport",
	Check: func(s *Subject) []Finding {
		if s.Service == nil || s.Port == "" || s.Service.Type == model.ExternalName || len(s.Service.Ports) == 0 {
			return nil
		}
		number, err := strconv.Atoi(s.Port)
		for _, p := range s.Service.Ports {
			if err == nil && p.Port == int32(number) || err != nil && p.Name == s.Port {
				return nil
			}
		}
		if len(s.Service.Ports) == 0 {
			return nil
		}
		first := s.Service.Ports[0]
		f := Finding{
			Severity: Error, Confidence: Certain,
			Headline: fmt.Sprintf("Service %s has no port %s", s.Name, s.Port),
			Cause:    "No rule is about this port: with iptables the packet leaves the node and is lost, with nftables it is refused.",
			Evidence: []Fact{observed("Service", s.Service.Meta, "spec.ports", portsText(s.Service))},
			Fix:      Fix{Explain: fmt.Sprintf("Ask for %s:%d.", s.Name, first.Port)},
		}
		for _, p := range s.Service.Ports {
			switch {
			case err == nil && p.NodePort == int32(number):
				f.Cause = fmt.Sprintf("%d is the nodePort: it answers on the nodes' addresses only.", number)
				f.Fix.Explain = fmt.Sprintf("Ask for %s:%d, or for NODE-IP:%d.", s.Name, p.Port, number)
			case p.TargetPort == s.Port:
				f.Cause = fmt.Sprintf("%s is the targetPort: it answers on the Pods' own addresses only.", s.Port)
				f.Fix.Explain = fmt.Sprintf("Ask for %s:%d.", s.Name, p.Port)
			}
		}
		return []Finding{f}
	},
}
