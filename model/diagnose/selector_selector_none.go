package diagnose

import "svctour/model"

// A Service without selector, for which no one has written endpoints.
var selectorNone = Rule{
	ID: "selector-none", Lane: LaneSelector,
	Title:   "The Service has no selector, and nobody wrote endpoints for it",
	Explain: "Without a selector no controller fills EndpointSlices: whoever made the Service has to. Their label kubernetes.io/service-name joins them.",
	Source:  "https://kubernetes.io/docs/concepts/services-networking/service/#services-without-selectors",
	Check: func(s *Subject) []Finding {
		if s.Service == nil || s.Service.Type == model.ExternalName || len(s.Service.Selector) > 0 || s.unread("endpointslices") {
			return nil
		}
		if all, _ := s.endpointCount(); all > 0 {
			return nil
		}
		f := Finding{
			Severity: Error, Confidence: Certain,
			Headline: "The Service has no selector and no EndpointSlice: it leads nowhere",
			Cause:    "The EndpointSlice controller leaves Services without a selector alone.",
			Evidence: []Fact{observed("Service", s.Service.Meta, "spec.selector", "none"), observed("Service", s.Service.Meta, "EndpointSlices with endpoints", "0")},
			Fix:      Fix{Explain: "Give it a selector, or write an EndpointSlice with the label kubernetes.io/service-name: " + s.Name + "."},
		}
		for _, deployment := range s.deployments(s.Namespace) {
			if deployment.Name == s.Name && len(deployment.Selector) > 0 {
				f.Fix = patched("Select the Pods of Deployment "+deployment.Name+".", "Service", s.Service.Meta, "strategic", spec(object{"selector": deployment.Selector}))
			}
		}
		return []Finding{f}
	},
}
