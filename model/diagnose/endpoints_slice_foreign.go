package diagnose

import (
	"fmt"
	"slices"

	"svctour/model"
)

// A slice that someone wrote beside the controller's.
var sliceForeign = Rule{
	ID: "slice-foreign", Lane: LaneEndpoints,
	Title: "Somebody wrote an EndpointSlice for a Service with a selector",
	Explain: "kube-proxy joins every slice with the Service's label, whoever wrote it. Addresses in a slice without a controller stay for ever, " +
		"also when nothing is there any more; a share of the connections goes to them.",
	Source: "https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#management",
	Check: func(s *Subject) []Finding {
		if !s.selecting() || s.unread("pods") {
			return nil
		}
		for _, slice := range s.slices {
			if slice.Labels[managedBy] != "" || controller(slice.Meta) != nil {
				continue
			}
			for i := range slice.Endpoints {
				e := &slice.Endpoints[i]
				if len(e.Addresses) == 0 || !e.IsReady() || slices.ContainsFunc(s.selected, func(pod *model.Pod) bool { return slices.Contains(pod.IPs, e.Addresses[0]) }) {
					continue
				}
				return []Finding{{
					Severity: Warning, Confidence: Likely,
					Headline: fmt.Sprintf("EndpointSlice %s adds %s, which is no Pod of the selector, and no controller looks after it", slice.Name, e.Addresses[0]),
					Cause:    "Connections are spread over the Pods and this address.",
					Evidence: []Fact{
						observed("EndpointSlice", slice.Meta, "metadata.labels["+managedBy+"]", ""),
						observed("EndpointSlice", slice.Meta, fmt.Sprintf("endpoints[%d].addresses", i), e.Addresses[0]),
						observed("Service", s.Service.Meta, "spec.selector", pairs(s.Service.Selector)),
					},
					Fix: command("Delete it, if the address should get no connections.", "delete endpointslice %s -n %s", slice.Name, slice.Namespace).changing("EndpointSlice", slice.Meta),
				}}
			}
		}
		return nil
	},
}
