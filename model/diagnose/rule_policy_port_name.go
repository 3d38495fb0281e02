package diagnose

import (
	"fmt"
	"slices"

	"svctour/model"
)

// A policy that allows a port by a name that the Pods do not have.
var policyPortName = Rule{
	ID: "policy-port-name", Lane: LanePolicy,
	Title:   "A NetworkPolicy names a port that the Pods do not declare",
	Explain: "A named port in a policy is looked up among the Pods' container ports, like a targetPort. A name that no container has allows nothing.",
	Source:  "networking/v1 NetworkPolicyPort.port",
	Check: func(s *Subject) []Finding {
		return s.eachShut(func(p *model.ServicePort, pod *model.Pod, by []*model.NetworkPolicy) *Finding {
			target := s.target(p, pod)
			for _, policy := range by {
				for i := range *policy.Ingress {
					rule := &(*policy.Ingress)[i]
					at := slices.IndexFunc(rule.Ports, func(r model.PolicyPort) bool {
						return r.Protocol == p.Protocol && r.Port != "" && !numeric(r.Port) && !s.declared(pod, r.Port)
					})
					if at < 0 || target == 0 {
						continue
					}
					return &Finding{
						Severity: Error, Confidence: Certain,
						Headline: fmt.Sprintf("NetworkPolicy %s allows port %q, and the Pods have %s: connections time out", policy.Name, rule.Ports[at].Port, podPortsText(pod)),
						Cause:    "No container declares a port of this name, so that the rule allows nothing.",
						Evidence: []Fact{
							observed("NetworkPolicy", policy.Meta, fmt.Sprintf("spec.ingress[%d].ports[%d].port", i, at), rule.Ports[at].Port),
							observed("Pod", pod.Meta, "ports", podPortsText(pod)),
						},
						Fix: patched("Allow the port that the Service leads to.", "NetworkPolicy", policy.Meta, "json",
							[]any{object{"op": "replace", "path": fmt.Sprintf("/spec/ingress/%d/ports/%d/port", i, at), "value": target}}),
					}
				}
			}
			return nil
		})
	},
}
