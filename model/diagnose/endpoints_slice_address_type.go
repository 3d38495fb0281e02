package diagnose

import (
	"fmt"
	"slices"
	"strings"
)

// Slices of a kind that the Service cannot use.
var sliceAddressType = Rule{
	ID: "slice-address-type", Lane: LaneEndpoints,
	Title: "The EndpointSlices are of another address type than the Service",
	Explain: "kube-proxy uses a slice for a cluster IP of the same family, and none of type FQDN at all. A Service of family IPv4 needs a slice with addressType IPv4; " +
		"for a host's name use an ExternalName Service.",
	Source: "https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#address-types; pkg/proxy/endpointschangetracker.go",
	Check: func(s *Subject) []Finding {
		if !s.manual() || len(s.Service.IPFamilies) == 0 {
			return nil
		}
		var types []string
		for _, slice := range s.slices {
			if len(slice.Endpoints) == 0 {
				continue
			}
			if slices.Contains(s.Service.IPFamilies, slice.AddressType) {
				return nil
			}
			types = append(types, slice.AddressType)
		}
		if types == nil {
			return nil
		}
		return []Finding{{
			Severity: Error, Confidence: Certain,
			Headline: fmt.Sprintf("The Service is of family %s, its EndpointSlices are of addressType %s", strings.Join(s.Service.IPFamilies, ","), types[0]),
			Cause:    "kube-proxy joins slices and cluster IPs of one family; the others are ignored.",
			Evidence: []Fact{observed("Service", s.Service.Meta, "spec.ipFamilies", strings.Join(s.Service.IPFamilies, ",")), observed("EndpointSlice", s.slices[0].Meta, "addressType", types[0])},
			Fix:      Fix{Explain: fmt.Sprintf("Make the slice anew with addressType %s and addresses of that family (the field is immutable).", s.Service.IPFamilies[0])},
		}}
	},
}
