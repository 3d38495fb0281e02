package diagnose

import (
	"fmt"

	"svctour/model"
	"svctour/model/policy"
)

// A client whose egress is restricted and that may not ask for names.
var clientEgressDNS = Rule{
	ID: "client-egress-dns", Lane: LaneClient,
	Title: "A NetworkPolicy keeps the client from asking the cluster's DNS",
	Explain: "An egress policy allows what it lists and nothing else. One that allows the backends but not port 53 of the cluster's DNS makes " +
		"every name time out, while addresses work. Allow UDP and TCP 53 to the DNS Pods.",
	Source: "https://kubernetes.io/docs/concepts/services-networking/network-policies/",
	Check: func(s *Subject) []Finding {
		if s.Service == nil || len(s.selected) == 0 {
			return nil
		}
		clients := []*model.Pod{s.Client}
		if s.Client == nil {
			clients = s.clients(s.mute(s.Namespace))
		} else if !s.isMute(s.Client) {
			return nil
		}
		for _, client := range clients {
			// Who may not reach the Service at all is no client of it, unless
			// named as one.
			if s.Client == nil && !s.reaches(client) {
				continue
			}
			by := s.policies.Isolating(client, policy.Egress)[0]
			rule := object{"to": []any{object{
				"namespaceSelector": object{"matchLabels": object{"kubernetes.io/metadata.name": "kube-system"}},
				"podSelector":       object{"matchLabels": object{"k8s-app": "kube-dns"}},
			}}, "ports": []any{object{"protocol": "UDP", "port": 53}, object{"protocol": "TCP", "port": 53}}}
			return []Finding{{
				Severity: Error, Confidence: Certain,
				Headline: fmt.Sprintf("NetworkPolicy %s keeps Pod %s from the cluster's DNS: names time out", by.Name, client.Name),
				Cause:    "The policy selects the client for egress, and no rule of any policy that does allows port 53 to the DNS Pods.",
				Evidence: []Fact{
					observed("NetworkPolicy", by.Meta, "spec.podSelector", selectorText(&by.Pods)),
					observed("Pod", client.Meta, "metadata.labels", pairs(client.Labels)),
					{Object: about("Pod", client.Meta), Field: "egress to port 53/UDP of the DNS Pods", Value: "denied, if the network plugin enforces policies", Kind: model.Derived},
				},
				Fix: patched("Allow the DNS Pods at port 53, UDP and TCP.", "NetworkPolicy", by.Meta, "json",
					[]any{object{"op": "add", "path": "/spec/egress/-", "value": rule}}),
			}}
		}
		return nil
	},
}
