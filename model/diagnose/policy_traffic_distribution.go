package diagnose

import (
	"fmt"

	"svctour/model"
)

// Zones are asked for, and there are none.
var trafficDistribution = Rule{
	ID: "traffic-distribution", Lane: LanePolicy,
	Title: "trafficDistribution asks for zones, and the nodes have none",
	Explain: "PreferSameZone (once PreferClose) keeps connections in the client's zone, by the label topology.kubernetes.io/zone of the nodes. " +
		"Where nodes lack it, or all share one value, it does nothing.",
	Source: "https://kubernetes.io/docs/reference/networking/virtual-ips/#traffic-distribution; KEP-4444",
	Check: func(s *Subject) []Finding {
		how := s.Service
		if !s.lives() || s.unread("nodes") || len(s.snapshot.Nodes) < 2 || how.TrafficDistribution != "PreferSameZone" && how.TrafficDistribution != "PreferClose" {
			return nil
		}
		zones := map[string]bool{}
		for _, node := range s.snapshot.Nodes {
			zones[node.Zone()] = true
		}
		if len(zones) > 1 {
			return nil
		}
		zone := s.snapshot.Nodes[0].Zone()
		return []Finding{{
			Severity: Info, Confidence: Certain,
			Headline: fmt.Sprintf("trafficDistribution %s has no effect: all nodes have the zone %s", how.TrafficDistribution, orElse(zone, "none")),
			Cause:    "Every endpoint is as near as any other.",
			Evidence: []Fact{
				observed("Service", how.Meta, "spec.trafficDistribution", how.TrafficDistribution),
				{Object: model.Count(len(s.snapshot.Nodes), "Node"), Field: "metadata.labels[topology.kubernetes.io/zone]", Value: zone, Kind: model.Observed},
			},
			Fix: Fix{Explain: "Label the nodes with their zones, or leave the field away."},
		}}
	},
}
