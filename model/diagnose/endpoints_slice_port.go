package diagnose

import (
	"fmt"
	"slices"

	"svctour/model"
	"svctour/model/endpoints"
)

// Slices written by hand whose ports are not the Service's.
var slicePort = Rule{
	ID: "slice-port", Lane: LaneEndpoints,
	Title: "A written EndpointSlice has no port of the Service's name",
	Explain: "kube-proxy joins the Service's ports and a slice's by name and protocol, not by number: an unnamed port needs an unnamed one, and a slice's port is the target's number. " +
		"A slice's port without a number is skipped.",
	Source: "https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/; discovery/v1 EndpointPort",
	Check: func(s *Subject) []Finding {
		if !s.manual() {
			return nil
		}
		filled := slices.DeleteFunc(slices.Clone(s.slices), func(slice *model.EndpointSlice) bool { return len(slice.Endpoints) == 0 })
		if len(filled) == 0 {
			return nil
		}
		one := filled[len(filled)-1]
		for i := range s.Service.Ports {
			p := &s.Service.Ports[i]
			if slices.ContainsFunc(filled, func(slice *model.EndpointSlice) bool { return endpoints.HasPort(slice, p) }) {
				continue
			}
			f := Finding{
				Severity: Error, Confidence: Certain,
				Headline: fmt.Sprintf("No EndpointSlice has a port named %q of protocol %s, as port %d of the Service is", p.Name, p.Protocol, p.Port),
				Cause:    "Ports are joined by name and protocol: to this port kube-proxy sees no endpoint, and connections are refused.",
				Evidence: []Fact{observed("Service", s.Service.Meta, fmt.Sprintf("spec.ports[%d]", i), portsText(s.Service)), observed("EndpointSlice", one.Meta, "ports", slicePortsText(one))},
				Fix:      Fix{Explain: fmt.Sprintf("Give the slice a port named %q of protocol %s, with the number on which the target listens.", p.Name, p.Protocol)},
			}
			if at := slices.IndexFunc(one.Ports, func(e model.EndpointPort) bool { return e.Protocol == p.Protocol && e.Port != nil }); at >= 0 && len(s.Service.Ports) == 1 && len(one.Ports) == 1 {
				f.Fix = patched("Give the slice's port the name of the Service's.", "EndpointSlice", one.Meta, "json",
					[]any{object{"op": "add", "path": fmt.Sprintf("/ports/%d/name", at), "value": p.Name}})
			}
			return []Finding{f}
		}
		return nil
	},
}
