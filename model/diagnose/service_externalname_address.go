package diagnose

import (
	"fmt"
	"net/netip"

	"svctour/model"
)

// An ExternalName that is an address.
var externalNameAddress = Rule{
	ID: "externalname-address", Lane: LaneService,
	Title:   "externalName is an IP address",
	Explain: "An ExternalName Service is a CNAME record. DNS serves the address as if it were a host's name, which no resolver finds. Use a Service without selector and an EndpointSlice with the address.",
	Source:  "https://kubernetes.io/docs/concepts/services-networking/service/#externalname",
	Check: func(s *Subject) []Finding {
		if s.Service == nil || s.Service.Type != model.ExternalName {
			return nil
		}
		if _, err := netip.ParseAddr(s.Service.ExternalName); err != nil {
			return nil
		}
		return []Finding{{
			Severity: Error, Confidence: Certain,
			Headline: fmt.Sprintf("externalName %s is an address, but it is served as a host's name", s.Service.ExternalName),
			Cause:    "The name is answered with a CNAME to a host called like the address, and that does not resolve.",
			Evidence: []Fact{observed("Service", s.Service.Meta, "spec.externalName", s.Service.ExternalName)},
			Fix: Fix{
				Explain: "Replace it by a Service of type ClusterIP without selector, and an EndpointSlice with the address.",
				Command: fmt.Sprintf("kubectl apply -n %s -f - <<'EOF'\n%s\nEOF", s.Namespace, selectorless(s.Service)),
			},
		}}
	},
}
