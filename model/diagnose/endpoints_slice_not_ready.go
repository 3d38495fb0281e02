package diagnose

import (
	"fmt"

	"svctour/model"
)

// Endpoints written by hand that are not ready.
var sliceNotReady = Rule{
	ID: "slice-not-ready", Lane: LaneEndpoints,
	Title:   "The written endpoints are marked not ready",
	Explain: "conditions.ready: false keeps an endpoint out of kube-proxy's rules and of DNS. In a slice that somebody writes, nobody but its writer changes that.",
	Source:  "https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#conditions",
	Check: func(s *Subject) []Finding {
		if !s.manual() || s.Service.PublishNotReady {
			return nil
		}
		all, ready := s.endpointCount()
		if all == 0 || ready > 0 {
			return nil
		}
		slice := s.slices[0]
		return []Finding{{
			Severity: Error, Confidence: Certain,
			Headline: fmt.Sprintf("None of the Service's %s is marked ready", model.Count(all, "written endpoint")),
			Cause:    "The Service has no selector: whoever writes its EndpointSlices says which endpoints are ready.",
			Evidence: []Fact{observed("EndpointSlice", slice.Meta, "endpoints[].conditions.ready", "false"), observed("Service", s.Service.Meta, "spec.selector", "none")},
			Fix: patched("Mark it ready, if it is.", "EndpointSlice", slice.Meta, "json",
				[]any{object{"op": "add", "path": "/endpoints/0/conditions", "value": object{"ready": true}}}),
		}}
	},
}
