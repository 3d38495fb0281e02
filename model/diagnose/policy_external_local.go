package diagnose

import (
	"fmt"

	"svctour/model"
)

// Nodes without an endpoint drop what comes from outside.
var externalLocal = Rule{
	ID: "external-local", Lane: LanePolicy,
	Title: "externalTrafficPolicy Local: nodes without a Pod drop",
	Explain: "With Local a node forwards connections from outside only to Pods of its own, to keep the client's address. A node without one drops them. " +
		"A load balancer that asks the health check port avoids such nodes; somebody who types a node's address does not.",
	Source: "https://kubernetes.io/docs/reference/networking/virtual-ips/#external-traffic-policy",
	Check: func(s *Subject) []Finding {
		if !s.lives() || s.Service.ExternalTrafficPolicy != "Local" || s.unread("nodes") || s.Service.Type != model.NodePort && s.Service.Type != model.LoadBalancer {
			return nil
		}
		without, with := s.localNodes()
		if len(without) == 0 {
			return nil
		}
		f := Finding{
			Severity: Warning, Confidence: Certain,
			Headline: fmt.Sprintf("%s have no ready Pod and drop what comes from outside: %s", model.Count(len(without), "node"), names(without)),
			Cause:    fmt.Sprintf("externalTrafficPolicy is Local; only %s forward. From inside the cluster use the cluster IP.", names(with)),
			Evidence: []Fact{
				observed("Service", s.Service.Meta, "spec.externalTrafficPolicy", "Local"),
				{Object: about("Service", s.Service.Meta), Field: "nodes with a ready endpoint", Value: names(with), Kind: model.Derived},
			},
			Fix: patched("Forward on every node (the client's address is lost), or spread the Pods over the nodes.", "Service", s.Service.Meta, "merge", spec(object{"externalTrafficPolicy": "Cluster"})),
		}
		if s.Service.Type == model.LoadBalancer { // it finds the right nodes by healthCheckNodePort
			f.Severity = Info
		}
		return []Finding{f}
	},
}
