package diagnose

import (
	"fmt"
	"strings"

	"svctour/model"
)

// Slices that the controller made before the selector was taken away.
var selectorRemovedStaleSlice = Rule{
	ID: "selector-removed-stale-slice", Lane: LaneSelector,
	Title:   "Endpoints remain from a selector that was removed",
	Explain: "The controller that made a slice stops looking after it when the Service loses its selector. kube-proxy goes on sending connections to addresses that nobody updates.",
	Source:  "pkg/controller/endpointslice/endpointslice_controller.go, syncService",
	Check: func(s *Subject) []Finding {
		if s.Service == nil || s.Service.Type == model.ExternalName || len(s.Service.Selector) > 0 {
			return nil
		}
		for _, slice := range s.slices {
			if slice.Labels[managedBy] != controllerName || len(slice.Endpoints) == 0 {
				continue
			}
			var addresses []string
			for i := range slice.Endpoints {
				addresses = append(addresses, slice.Endpoints[i].Addresses...)
			}
			return []Finding{{
				Severity: Error, Confidence: Certain,
				Headline: fmt.Sprintf("EndpointSlice %s is left over: the Service has no selector any more", slice.Name),
				Cause:    "It was made by the EndpointSlice controller, which does not update it now; connections still go to its addresses.",
				Evidence: []Fact{
					observed("EndpointSlice", slice.Meta, "metadata.labels["+managedBy+"]", controllerName),
					observed("EndpointSlice", slice.Meta, "endpoints[].addresses", strings.Join(addresses, ",")),
					observed("Service", s.Service.Meta, "spec.selector", "none"),
				},
				Fix: command("Delete the slice, or give the Service its selector back.", "delete endpointslice %s -n %s", slice.Name, slice.Namespace).changing("EndpointSlice", slice.Meta),
			}}
		}
		return nil
	},
}
