package diagnose

import (
	"fmt"
	"strings"
)

// The Service is of another IP family than its Pods.
var familyMismatch = Rule{
	ID: "family-mismatch", Lane: LaneEndpoints,
	Title: "The Pods have no address of the Service's IP family",
	Explain: "An endpoint needs an address of the Service's family. Pods get addresses of the families that the cluster's network gives them, those with hostNetwork their node's. " +
		"A Service of the other family has no endpoint.",
	Source: "https://kubernetes.io/docs/concepts/services-networking/dual-stack/",
	Check: func(s *Subject) []Finding {
		if !s.lives() {
			return nil
		}
		for _, pod := range s.ready {
			if len(pod.IPs) == 0 || !s.familyDiffers(pod) {
				return nil
			}
		}
		pod := s.ready[0]
		family := "IPv4"
		if strings.Contains(pod.IP(), ":") {
			family = "IPv6"
		}
		return []Finding{{
			Severity: Error, Confidence: Certain,
			Headline: fmt.Sprintf("The Service is of family %s, and its Pods have %s addresses only", strings.Join(s.Service.IPFamilies, ","), family),
			Cause:    "No Pod has an address that could be an endpoint of this family.",
			Evidence: []Fact{observed("Service", s.Service.Meta, "spec.ipFamilies", strings.Join(s.Service.IPFamilies, ",")), observed("Pod", pod.Meta, "status.podIPs", strings.Join(pod.IPs, ","))},
			Fix:      Fix{Explain: fmt.Sprintf("Make the Service anew with ipFamilies [%s], or ipFamilyPolicy: PreferDualStack on a cluster with both (the first family is immutable).", family)},
		}}
	},
}
