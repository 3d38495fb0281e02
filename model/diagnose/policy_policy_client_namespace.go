package diagnose

import (
	"fmt"

	"svctour/model"
	"svctour/model/endpoints"
	"svctour/model/policy"
)

// A policy that means the client, but looks in its own namespace only.
var policyClientNamespace = Rule{
	ID: "policy-client-namespace", Lane: LanePolicy,
	Title:   "A NetworkPolicy lets the client's labels in, from its own namespace only",
	Explain: "A podSelector without a namespaceSelector selects Pods of the policy's namespace. For a client elsewhere put a namespaceSelector into the same element of the list.",
	Source:  "https://kubernetes.io/docs/concepts/services-networking/network-policies/#behavior-of-to-and-from-selectors",
	Check: func(s *Subject) []Finding {
		if s.Client == nil || s.Client.HostNetwork || s.Client.Namespace == s.Namespace {
			return nil
		}
		return s.eachShut(func(p *model.ServicePort, pod *model.Pod, by []*policy.Policy) *Finding {
			for _, each := range by {
				for i, rule := range each.Rules(policy.Ingress) {
					if !rule.AllowsPort(pod, p.Protocol, s.target(p, pod)) {
						continue
					}
					for j := range rule.Peers {
						peer := &rule.Peers[j]
						if peer.Namespaces != nil || peer.Pods == nil || !endpoints.MatchesSelector(peer.Pods, s.Client.Labels) {
							continue
						}
						return &Finding{
							Severity: Error, Confidence: Certain,
							Headline: fmt.Sprintf("NetworkPolicy %s lets Pods %s in, of namespace %s only; the client is in %s", each.Name, selectorText(peer.Pods), each.Namespace, s.Client.Namespace),
							Cause:    "Without a namespaceSelector a peer is a Pod of the policy's own namespace.",
							Evidence: []Fact{
								observed("NetworkPolicy", each.Meta, fmt.Sprintf("spec.ingress[%d].from[%d].podSelector", i, j), selectorText(peer.Pods)),
								observed("Pod", s.Client.Meta, "metadata.namespace", s.Client.Namespace),
							},
							Fix: patched("Let in those of the client's namespace.", "NetworkPolicy", each.Meta, "json", []any{object{
								"op": "add", "path": fmt.Sprintf("/spec/ingress/%d/from/%d/namespaceSelector", i, j),
								"value": object{"matchLabels": object{"kubernetes.io/metadata.name": s.Client.Namespace}},
							}}),
						}
					}
				}
			}
			return nil
		})
	},
}
