package diagnose

import (
	"fmt"
	"strings"

	"svctour/model"
)

// An EndpointSlice that was meant for the Service and does not say so.
var sliceLabel = Rule{
	ID: "slice-label", Lane: LaneSelector,
	Title: "An EndpointSlice lacks the label with the Service's name",
	Explain: "A slice belongs to the Service that its label kubernetes.io/service-name names, in its own namespace. Its own name does not count. " +
		"Without the label kube-proxy and DNS do not see it.",
	Source: "https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#ownership; discovery/v1 LabelServiceName",
	Check: func(s *Subject) []Finding {
		if s.Service == nil || s.Service.Type == model.ExternalName || len(s.Service.Selector) > 0 || s.unread("endpointslices") {
			return nil
		}
		if all, _ := s.endpointCount(); all > 0 {
			return nil
		}
		for _, slice := range s.loose() {
			of := slice.Service()
			meant := of == "" && (slice.Name == s.Name || strings.HasPrefix(slice.Name, s.Name+"-")) || of != "" && near(of, s.Name)
			if slice.Namespace != s.Namespace || len(slice.Endpoints) == 0 || !meant {
				continue
			}
			return []Finding{{
				Severity: Error, Confidence: Likely,
				Headline: fmt.Sprintf("EndpointSlice %s does not belong to Service %s: its label %s is %s", slice.Name, s.Name, model.ServiceNameLabel, orElse(of, "missing")),
				Cause:    "The label joins a slice to its Service, not its name.",
				Evidence: []Fact{
					observed("EndpointSlice", slice.Meta, "metadata.labels["+model.ServiceNameLabel+"]", of),
					observed("Service", s.Service.Meta, "EndpointSlices with endpoints", "0"),
				},
				Fix: patched("Label it with the Service's name.", "EndpointSlice", slice.Meta, "merge",
					object{"metadata": object{"labels": object{model.ServiceNameLabel: s.Name}}}),
			}}
		}
		return nil
	},
}
