package diagnose

import (
	"fmt"

	"svctour/model"
	"svctour/model/policy"
)

// A named client that no egress policy lets out to the backends.
var clientEgress = Rule{
	ID: "client-egress", Lane: LaneClient,
	Title: "A NetworkPolicy keeps the client from the backends",
	Explain: "A policy for egress is about the Pods' addresses and ports, not the Service's: kube-proxy has translated the address before most plugins look. " +
		"Allow the backends' labels at their targetPort.",
	Source: "https://kubernetes.io/docs/concepts/services-networking/network-policies/",
	Check: func(s *Subject) []Finding {
		if s.Client == nil || s.Service == nil || len(s.selected) == 0 || s.unread("networkpolicies") {
			return nil
		}
		policies := s.policies.Isolating(s.Client, policy.Egress)
		if len(policies) == 0 || s.reaches(s.Client) {
			return nil
		}
		by, backend := policies[0], s.selected[0]
		ports := []any{}
		for i := range s.Service.Ports[:min(len(s.Service.Ports), someText)] {
			p := &s.Service.Ports[i]
			if number := s.target(p, backend); number > 0 {
				ports = append(ports, object{"protocol": p.Protocol, "port": number})
			}
		}
		if len(ports) == 0 {
			return nil
		}
		rule := object{"to": []any{object{"podSelector": object{"matchLabels": s.Service.Selector}}}, "ports": ports}
		if s.Client.Namespace != s.Namespace {
			rule["to"] = []any{object{
				"podSelector":       object{"matchLabels": s.Service.Selector},
				"namespaceSelector": object{"matchLabels": object{"kubernetes.io/metadata.name": s.Namespace}},
			}}
		}
		body := []any{object{"op": "add", "path": "/spec/egress/-", "value": rule}}
		if len(*by.Egress) == 0 {
			body = []any{object{"op": "add", "path": "/spec/egress", "value": []any{rule}}}
		}
		return []Finding{{
			Severity: Error, Confidence: Certain,
			Headline: fmt.Sprintf("NetworkPolicy %s does not let Pod %s out to the Pods of %s: connections time out", by.Name, s.Client.Name, s.Name),
			Cause:    "The policy selects the client for egress, and no rule of any policy that does allows the backends' ports. (If the network plugin enforces policies.)",
			Evidence: []Fact{
				observed("NetworkPolicy", by.Meta, "spec.podSelector", selectorText(&by.Pods)),
				observed("NetworkPolicy", by.Meta, "spec.egress", model.Count(len(*by.Egress), "rule")),
				observed("Pod", s.Client.Meta, "metadata.labels", pairs(s.Client.Labels)),
				{Object: about("Pod", s.Client.Meta), Field: "egress to Pod " + backend.Name, Value: "denied", Kind: model.Derived},
			},
			Fix: patched("Allow the backends at their own port.", "NetworkPolicy", by.Meta, "json", body),
		}}
	},
}
