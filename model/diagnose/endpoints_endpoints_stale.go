package diagnose

import (
	"fmt"

	"svctour/model"
)

// Endpoints of Pods that are gone.
var endpointsStale = Rule{
	ID: "endpoints-stale", Lane: LaneEndpoints,
	Title:   "The EndpointSlices still list a Pod that is gone",
	Explain: "The EndpointSlice controller takes a Pod out when it ends. A ready endpoint whose Pod does not exist says that the controller is behind, or does not run: a share of the connections goes nowhere.",
	Source:  "pkg/controller/endpointslice; discovery/v1 Endpoint.targetRef",
	Lags:    true,
	Check: func(s *Subject) []Finding {
		if !s.selects() || s.unread("endpointslices") || s.hides(s.Namespace) {
			return nil
		}
		for _, slice := range s.slices {
			if slice.Labels[managedBy] != controllerName {
				continue
			}
			for i := range slice.Endpoints {
				e := &slice.Endpoints[i]
				if e.Target == nil || e.Target.Kind != "Pod" || !e.IsReady() || e.IsTerminating() || len(e.Addresses) == 0 {
					continue
				}
				pod := s.snapshot.Pod(slice.Namespace, e.Target.Name)
				if pod != nil && (e.Target.UID == "" || pod.UID == e.Target.UID) {
					continue
				}
				return []Finding{{
					Severity: Error, Confidence: Likely,
					Headline: fmt.Sprintf("EndpointSlice %s lists %s as ready, and its Pod %s is gone", slice.Name, e.Addresses[0], e.Target.Name),
					Cause:    "The EndpointSlice controller has not taken it out: it may not run (kube-controller-manager), or be far behind.",
					Evidence: []Fact{
						observed("EndpointSlice", slice.Meta, fmt.Sprintf("endpoints[%d].targetRef", i), e.Target.Kind+" "+e.Target.Name),
						{Object: "Namespace " + slice.Namespace, Field: "Pods named " + e.Target.Name, Value: "none with that UID", Kind: model.Observed},
					},
					Fix: command("See whether the controller manager runs.", "get pods -n kube-system -l component=kube-controller-manager"),
				}}
			}
		}
		return nil
	},
}
