package diagnose

import (
	"fmt"

	"svctour/model"
)

// Endpoints in the old form that no controller mirrors.
var endpointsNotMirrored = Rule{
	ID: "endpoints-not-mirrored", Lane: LaneSelector,
	Title: "A v1 Endpoints object is not mirrored to an EndpointSlice",
	Explain: "kube-proxy reads EndpointSlices only. For a Service without selector a controller mirrors the Endpoints object of the same name, " +
		"unless that has the label endpointslice.kubernetes.io/skip-mirror: true or is a leader election's. v1 Endpoints are deprecated: write a slice instead.",
	Source: "pkg/controller/endpointslicemirroring, shouldMirror; https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#endpointslice-mirroring",
	Check: func(s *Subject) []Finding {
		if s.Service == nil || s.Service.Type == model.ExternalName || len(s.Service.Selector) > 0 || s.unread("endpointslices") {
			return nil
		}
		if all, _ := s.endpointCount(); all > 0 {
			return nil
		}
		const skip, leader = "endpointslice.kubernetes.io/skip-mirror", "control-plane.alpha.kubernetes.io/leader"
		for _, e := range s.oldEndpoints(s.Namespace) {
			if len(e.Subsets) == 0 {
				continue
			}
			f := Finding{
				Severity: Error, Confidence: Certain,
				Cause:    "The old object alone does nothing: kube-proxy reads the slices that a controller makes of it.",
				Evidence: []Fact{observed("Endpoints", e.Meta, "subsets", fmt.Sprint(len(e.Subsets))), observed("Service", s.Service.Meta, "EndpointSlices with endpoints", "0")},
			}
			_, elected := e.Annotations[leader]
			switch {
			case e.Name == s.Name && e.Labels[skip] == "true":
				f.Headline = fmt.Sprintf("Endpoints %s is not mirrored: it has the label %s", e.Name, skip)
				f.Fix = patched("Take the label away, or write an EndpointSlice.", "Endpoints", e.Meta, "merge", object{"metadata": object{"labels": object{skip: nil}}})
			case e.Name == s.Name && elected:
				f.Headline = fmt.Sprintf("Endpoints %s is not mirrored: it has a leader election's annotation", e.Name)
				f.Fix = patched("Take the annotation away, or write an EndpointSlice.", "Endpoints", e.Meta, "merge", object{"metadata": object{"annotations": object{leader: nil}}})
			case e.Name != s.Name && near(e.Name, s.Name) && !s.names[e.Key()]:
				f.Confidence = Likely
				f.Headline = fmt.Sprintf("Endpoints %s belongs to no Service: it would have to be called %s", e.Name, s.Name)
				f.Fix = Fix{Explain: "Make it anew with the Service's name, or better write an EndpointSlice with the label " + model.ServiceNameLabel + ": " + s.Name + "."}
			default:
				continue
			}
			return []Finding{f}
		}
		return nil
	},
}
