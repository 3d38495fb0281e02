package diagnose

import (
	"fmt"
	"strings"

	"svctour/model"
)

// Topology hints were asked for and are not there.
var topologyHints = Rule{
	ID: "topology-hints", Lane: LanePolicy,
	Title: "Topology hints were asked for, and there are none",
	Explain: "With topology-mode Auto the controller writes hints only when zones have enough endpoints for their share of CPUs, and takes them away otherwise; " +
		"connections then go to all zones. trafficDistribution: PreferSameZone is the simple successor.",
	Source: "https://kubernetes.io/docs/concepts/services-networking/topology-aware-routing/",
	Check: func(s *Subject) []Finding {
		if !s.lives() {
			return nil
		}
		mode := s.Service.Annotations["service.kubernetes.io/topology-mode"]
		if mode == "" {
			mode = s.Service.Annotations["service.kubernetes.io/topology-aware-hints"]
		}
		if !strings.EqualFold(mode, "auto") {
			return nil
		}
		for _, slice := range s.slices {
			for i := range slice.Endpoints {
				if len(slice.Endpoints[i].ForZones) > 0 {
					return nil
				}
			}
		}
		zones := map[string]bool{}
		for _, node := range s.snapshot.Nodes {
			zones[node.Zone()] = true
		}
		delete(zones, "")
		f := Finding{
			Severity: Warning, Confidence: Certain,
			Headline: "topology-mode Auto is set, but the endpoints have no hints: zones are ignored",
			Cause:    fmt.Sprintf("The EndpointSlice controller could not share %s out over %s by their CPUs.", model.Count(len(s.ready), "endpoint"), model.Count(len(zones), "zone")),
			Evidence: []Fact{observed("Service", s.Service.Meta, "metadata.annotations[service.kubernetes.io/topology-mode]", mode), observed("Service", s.Service.Meta, "endpoints with hints", "0")},
			Fix: patched("Prefer the client's own zone without conditions.", "Service", s.Service.Meta, "merge", object{
				"metadata": object{"annotations": object{"service.kubernetes.io/topology-mode": nil, "service.kubernetes.io/topology-aware-hints": nil}},
				"spec":     object{"trafficDistribution": "PreferClose"},
			}),
		}
		if len(zones) == 0 && !s.unread("nodes") {
			f.Cause = "No node has the label topology.kubernetes.io/zone, so that there is nothing to share the endpoints out over."
		}
		for _, e := range s.events["Service "+s.Service.Key()] {
			if e.Reason == "TopologyAwareHintsDisabled" {
				f.Cause = e.Message
				f.Evidence = append(f.Evidence, observed("Event", e.Meta, e.Reason, short(e.Message)))
			}
		}
		return []Finding{f}
	},
}
