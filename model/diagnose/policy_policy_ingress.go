package diagnose

import (
	"fmt"
	"net/netip"

	"svctour/model"
	"svctour/model/policy"
)

// NetworkPolicies let no one in, or not the client.
var policyIngress = Rule{
	ID: "policy-ingress", Lane: LanePolicy,
	Title:   "A NetworkPolicy keeps clients out",
	Explain: "A Pod that any policy selects for ingress accepts only what some policy allows. What is not allowed is dropped: the client times out.",
	Source:  "https://kubernetes.io/docs/concepts/services-networking/network-policies/",
	Check: func(s *Subject) []Finding {
		return s.eachShut(func(p *model.ServicePort, pod *model.Pod, policies []*policy.Policy) *Finding {
			by := policies[0]
			who, cause := "anybody", "No rule of any policy that selects the Pods allows this port."
			from := []any{object{"podSelector": object{}}}
			if s.Client != nil {
				who, cause = "Pod "+s.Client.Name, "No rule of any policy that selects the Pods allows this client at this port."
				from = []any{object{"podSelector": object{"matchLabels": s.Client.Labels}, "namespaceSelector": object{"matchLabels": object{"kubernetes.io/metadata.name": s.Client.Namespace}}}}
				if s.Client.HostNetwork { // selectors do not see it
					from = hostBlocks(s.Client)
				}
			}
			rule := object{"from": from, "ports": []any{object{"protocol": p.Protocol, "port": s.target(p, pod)}}}
			path, op := "/spec/ingress/-", any(rule)
			if len(*by.Ingress) == 0 {
				path, op = "/spec/ingress", []any{rule}
			}
			return &Finding{
				Severity: Error, Confidence: Certain,
				Headline: fmt.Sprintf("NetworkPolicy %s does not let %s in at port %d: connections time out", by.Name, who, s.target(p, pod)),
				Cause:    cause + " (If the network plugin enforces policies.)",
				Evidence: []Fact{
					observed("NetworkPolicy", by.Meta, "spec.podSelector", selectorText(&by.Pods)),
					observed("NetworkPolicy", by.Meta, "spec.ingress", model.Count(len(*by.Ingress), "rule")),
					observed("Pod", pod.Meta, "metadata.labels", pairs(pod.Labels)),
				},
				Fix: patched("Allow the clients that should come in.", "NetworkPolicy", by.Meta, "json", []any{object{"op": "add", "path": path, "value": op}}),
			}
		})
	},
}

// hostBlocks are peers with the addresses of a Pod, which are its node's.
func hostBlocks(pod *model.Pod) []any {
	out := []any{}
	for _, e := range ends(pod) {
		if e.Address.IsValid() {
			out = append(out, object{"ipBlock": object{"cidr": netip.PrefixFrom(e.Address, e.Address.BitLen()).String()}})
		}
	}
	return out
}
