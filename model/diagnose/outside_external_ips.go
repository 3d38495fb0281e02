package diagnose

import (
	"fmt"

	"svctour/model"
)

// Addresses that nothing routes to the nodes.
var externalIPs = Rule{
	ID: "external-ips", Lane: LaneOutside,
	Title: "externalIPs have to be routed to the nodes",
	Explain: "externalIPs are rules and nothing else: kube-proxy translates packets to such an address that arrive at a node, and nothing of Kubernetes gives the address to a node or announces it. " +
		"The admission plugin DenyServiceExternalIPs refuses them.",
	Source: "https://kubernetes.io/docs/concepts/services-networking/service/#external-ips",
	Check: func(s *Subject) []Finding {
		if !s.lives() || len(s.Service.ExternalIPs) == 0 || s.unread("nodes") {
			return nil
		}
		var loose []string
		for _, ip := range s.Service.ExternalIPs {
			if s.snapshot.NodeByIP(ip) == nil {
				loose = append(loose, ip)
			}
		}
		if len(loose) == 0 {
			return nil
		}
		return []Finding{{
			Severity: Info, Confidence: Certain,
			Headline: fmt.Sprintf("%s is no node's address: something has to route it to one", names(loose)),
			Cause:    "Kubernetes neither assigns nor announces externalIPs; kube-proxy translates what arrives.",
			Evidence: []Fact{
				observed("Service", s.Service.Meta, "spec.externalIPs", names(s.Service.ExternalIPs)),
				{Object: model.Count(len(s.snapshot.Nodes), "Node"), Field: "status.addresses", Value: "none is " + loose[0], Kind: model.Observed},
			},
			Fix: Fix{Explain: "Route the address to a node, or use type LoadBalancer with a controller that announces it."},
		}}
	},
}
