package diagnose

import (
	"fmt"
	"slices"
	"strconv"

	"svctour/model"
)

// A policy that allows the Service's port and not the Pods'.
var policyServicePort = Rule{
	ID: "policy-service-port", Lane: LanePolicy,
	Title: "A NetworkPolicy allows the Service's port, not the Pods'",
	Explain: "A policy is about the Pods' own ports: kube-proxy has translated port to targetPort before the packet comes to the Pod. " +
		"Allow targetPort, by its number or its name.",
	Source: "https://kubernetes.io/docs/concepts/services-networking/network-policies/; networking/v1 NetworkPolicyPort",
	Check: func(s *Subject) []Finding {
		return s.eachShut(func(p *model.ServicePort, pod *model.Pod, by []*model.NetworkPolicy) *Finding {
			target := s.target(p, pod)
			for _, policy := range by {
				for i := range *policy.Ingress {
					rule := &(*policy.Ingress)[i]
					at := slices.IndexFunc(rule.Ports, func(r model.PolicyPort) bool {
						return r.Protocol == p.Protocol && r.Port == strconv.Itoa(int(p.Port)) && r.End == 0
					})
					if at < 0 || target == p.Port || target == 0 || s.declared(pod, strconv.Itoa(int(p.Port))) {
						continue
					}
					return &Finding{
						Severity: Error, Confidence: Likely,
						Headline: fmt.Sprintf("NetworkPolicy %s allows port %d, which is the Service's; the Pods' is %d: connections time out", policy.Name, p.Port, target),
						Cause:    "A policy sees packets after kube-proxy has translated their port.",
						Evidence: []Fact{
							observed("NetworkPolicy", policy.Meta, fmt.Sprintf("spec.ingress[%d].ports[%d].port", i, at), rule.Ports[at].Port),
							observed("Service", s.Service.Meta, "spec.ports", portsText(s.Service)),
							observed("Pod", pod.Meta, "ports", podPortsText(pod)),
						},
						Fix: patched("Allow the Pods' port.", "NetworkPolicy", policy.Meta, "json",
							[]any{object{"op": "replace", "path": fmt.Sprintf("/spec/ingress/%d/ports/%d/port", i, at), "value": target}}),
					}
				}
			}
			return nil
		})
	},
}
