package diagnose

import (
	"fmt"
	"slices"

	"svctour/model"
	"svctour/model/endpoints"
)

// What the EndpointSlices alone tell a person who may not read Pods.
var endpointsEmpty = Rule{
	ID: "endpoints-empty", Lane: LaneEndpoints,
	Title:   "The Service has no usable endpoint",
	Explain: "The EndpointSlices hold no ready address, or no port for one of the Service's. Which Pods are meant, and what ails them, only somebody who may list Pods can see.",
	Source:  "https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/",
	Check: func(s *Subject) []Finding {
		if s.Service == nil || s.Service.Type == model.ExternalName || len(s.Service.Selector) == 0 || !s.unread("pods") || s.unread("endpointslices") {
			return nil
		}
		f := Finding{
			Severity: Error, Confidence: Certain,
			Cause: "Connections are refused. Why, the Pods would tell, which may not be listed here.",
			Fix:   command("Ask somebody who may list Pods to look, or for the right to.", "auth can-i list pods -n %s", s.Namespace),
		}
		all, ready := s.endpointCount()
		if ready == 0 {
			f.Headline = fmt.Sprintf("None of %s is ready", model.Count(all, "endpoint"))
			f.Evidence = []Fact{observed("Service", s.Service.Meta, "ready endpoints", "0")}
			return []Finding{f}
		}
		for i := range s.Service.Ports {
			p := &s.Service.Ports[i]
			if slices.ContainsFunc(s.slices, func(slice *model.EndpointSlice) bool { return endpoints.HasPort(slice, p) }) {
				continue
			}
			f.Headline = fmt.Sprintf("No EndpointSlice has a port for port %d: no Pod has its targetPort %s", p.Port, p.TargetPort)
			f.Evidence = []Fact{observed("Service", s.Service.Meta, "spec.ports", portsText(s.Service))}
			return []Finding{f}
		}
		return nil
	},
}
