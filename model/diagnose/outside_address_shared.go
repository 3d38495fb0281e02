package diagnose

import (
	"fmt"
	"slices"

	"svctour/model"
)

// Two Services claim one address and port from outside.
var addressShared = Rule{
	ID: "address-shared", Lane: LaneOutside,
	Title: "Two Services claim the same external address and port",
	Explain: "Nothing keeps two Services from naming one externalIP, or a load balancer from giving one address to both, with the same port. " +
		"kube-proxy writes rules for both, and the first one found takes every connection.",
	Source: "https://kubernetes.io/docs/concepts/services-networking/service/#external-ips",
	Check: func(s *Subject) []Finding {
		mine := externalAddresses(s.Service)
		if len(mine) == 0 {
			return nil
		}
		for _, other := range s.outward() {
			if other.Key() == s.Service.Key() {
				continue
			}
			for _, address := range externalAddresses(other) {
				port := samePort(s.Service, other)
				if port == 0 || !slices.Contains(mine, address) {
					continue
				}
				return []Finding{{
					Severity: Warning, Confidence: Certain,
					Headline: fmt.Sprintf("Service %s claims %s at port %d, too", other.Key(), address, port),
					Cause:    "kube-proxy has rules for both; only the first gets connections.",
					Evidence: []Fact{
						observed("Service", s.Service.Meta, "external addresses", names(mine)),
						observed("Service", other.Meta, "external addresses", names(externalAddresses(other))),
					},
					Fix: Fix{Explain: "Give one of them another address or another port."},
				}}
			}
		}
		return nil
	},
}

// samePort is a port that two Services have in common, 0 if none.
func samePort(a, b *model.Service) int32 {
	have := map[string]bool{}
	for _, p := range a.Ports {
		have[fmt.Sprintf("%d/%s", p.Port, p.Protocol)] = true
	}
	for _, p := range b.Ports {
		if have[fmt.Sprintf("%d/%s", p.Port, p.Protocol)] {
			return p.Port
		}
	}
	return 0
}
