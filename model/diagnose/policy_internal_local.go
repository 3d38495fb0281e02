package diagnose

import (
	"fmt"
	"slices"

	"svctour/model"
)

// Clients on nodes without an endpoint get nothing.
var internalLocal = Rule{
	ID: "internal-local", Lane: LanePolicy,
	Title:   "internalTrafficPolicy Local: clients on nodes without a Pod get nothing",
	Explain: "With Local a client is sent to Pods of its own node only; where there is none, kube-proxy drops the connection. It is meant for DaemonSets.",
	Source:  "https://kubernetes.io/docs/concepts/services-networking/service-traffic-policy/",
	Check: func(s *Subject) []Finding {
		if !s.lives() || s.Service.InternalTrafficPolicy != "Local" || s.unread("nodes") || s.Service.Headless() {
			return nil
		}
		without, with := s.localNodes()
		if len(without) == 0 || s.Client != nil && slices.Contains(with, s.Client.Node) {
			return nil
		}
		severity := Warning
		if s.Client != nil { // it is on one of these nodes
			severity = Error
		}
		return []Finding{{
			Severity: severity, Confidence: Certain,
			Headline: fmt.Sprintf("Clients on %s reach nobody: no ready Pod runs there", names(without)),
			Cause:    "internalTrafficPolicy is Local: a node's clients get its own Pods only.",
			Evidence: []Fact{
				observed("Service", s.Service.Meta, "spec.internalTrafficPolicy", "Local"),
				{Object: about("Service", s.Service.Meta), Field: "nodes with a ready endpoint", Value: names(with), Kind: model.Derived},
			},
			Fix: patched("Let every Pod serve every client, or run one on each node (a DaemonSet).", "Service", s.Service.Meta, "merge", spec(object{"internalTrafficPolicy": "Cluster"})),
		}}
	},
}
