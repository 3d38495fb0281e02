package diagnose

import "fmt"

// Endpoints that are cluster IPs.
var sliceClusterIP = Rule{
	ID: "slice-cluster-ip", Lane: LaneEndpoints,
	Title:   "An endpoint is another Service's cluster IP",
	Explain: "kube-proxy translates a connection once. When the endpoint is a cluster IP, nothing translates it again, and no host has the address. To lead to another Service use an ExternalName.",
	Source:  "https://kubernetes.io/docs/concepts/services-networking/service/#services-without-selectors",
	Check: func(s *Subject) []Finding {
		if !s.manual() {
			return nil
		}
		for _, slice := range s.slices {
			for i := range slice.Endpoints {
				for _, address := range slice.Endpoints[i].Addresses {
					other := s.byClusterIP()[address]
					if other == nil {
						continue
					}
					return []Finding{{
						Severity: Error, Confidence: Certain,
						Headline: fmt.Sprintf("Endpoint %s is the cluster IP of Service %s: nothing translates it again", address, other.Key()),
						Cause:    "An endpoint has to be the address of something that listens; a cluster IP is only a rule, which the first translation has passed.",
						Evidence: []Fact{
							observed("EndpointSlice", slice.Meta, fmt.Sprintf("endpoints[%d].addresses", i), address),
							observed("Service", other.Meta, "spec.clusterIP", address),
						},
						Fix: Fix{Explain: fmt.Sprintf("Use an ExternalName Service with externalName %s.%s.svc.%s, or the Pods' own selector.", other.Name, other.Namespace, s.domain())},
					}}
				}
			}
		}
		return nil
	},
}
