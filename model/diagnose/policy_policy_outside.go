package diagnose

import (
	"fmt"
	"slices"

	"svctour/model"
	"svctour/model/policy"
)

// A Service for the outside whose Pods let in Pods only.
var policyOutside = Rule{
	ID: "policy-outside", Lane: LanePolicy,
	Title: "A NetworkPolicy lets in Pods only, and the Service is for the outside",
	Explain: "Clients from outside come with their own address, or a node's where it is rewritten: neither is a Pod, and podSelector and namespaceSelector do not match them. " +
		"Allow an ipBlock, or everybody, at this port.",
	Source: "https://kubernetes.io/docs/concepts/services-networking/network-policies/#networkpolicy-and-hostnetwork-pods",
	Check: func(s *Subject) []Finding {
		if !s.lives() || s.unread("networkpolicies") || s.Client != nil || s.Service.Type != model.NodePort && s.Service.Type != model.LoadBalancer {
			return nil
		}
		for i := range s.Service.Ports {
			p := &s.Service.Ports[i]
			var by *policy.Policy
			for _, pod := range s.ready {
				policies := s.policies.Isolating(pod, policy.Ingress)
				if len(policies) == 0 || s.letsOutsideIn(policies, pod, p.Protocol, s.target(p, pod)) {
					by = nil
					break
				}
				by = policies[0]
			}
			if by == nil {
				continue
			}
			target := s.target(p, s.ready[0])
			return []Finding{{
				Severity: Warning, Confidence: Likely,
				Headline: fmt.Sprintf("NetworkPolicy %s lets in Pods only at port %d: clients from outside time out", by.Name, target),
				Cause:    fmt.Sprintf("The Service is of type %s; who comes through a node's port or the load balancer is no Pod. (If the network plugin enforces policies.)", s.Service.Type),
				Evidence: []Fact{
					observed("Service", s.Service.Meta, "spec.type", s.Service.Type),
					observed("NetworkPolicy", by.Meta, "spec.ingress", model.Count(len(*by.Ingress), "rule")+", none for addresses or everybody"),
				},
				Fix: patched("Allow everybody at this port, or the ranges that clients come from (ipBlock).", "NetworkPolicy", by.Meta, "json", []any{object{
					"op": "add", "path": "/spec/ingress/-", "value": object{"ports": []any{object{"protocol": p.Protocol, "port": target}}},
				}}),
			}}
		}
		return nil
	},
}

// letsOutsideIn says whether policies let in a client that is no Pod.
func (s *Subject) letsOutsideIn(policies []*policy.Policy, pod *model.Pod, protocol string, port int32) bool {
	return anyRule(policies, policy.Ingress, func(r *policy.Rule) bool {
		return r.AllowsPort(pod, protocol, port) &&
			(len(r.Peers) == 0 || slices.ContainsFunc(r.Peers, func(p model.PolicyPeer) bool { return p.CIDR != "" }))
	})
}
