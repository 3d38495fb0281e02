package diagnose

import (
	"fmt"
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
		wrong := func(p *model.ServicePort, pod *model.Pod, r model.PolicyPort) bool {
			number := strconv.Itoa(int(p.Port))
			return r.Port == number && r.End == 0 && s.target(p, pod) != p.Port && !s.declared(pod, number)
		}
		return s.eachWrongPort(wrong, func(p *model.ServicePort, pod *model.Pod, a *allowedPort) *Finding {
			return &Finding{
				Severity: Error, Confidence: Likely,
				Headline: fmt.Sprintf("NetworkPolicy %s allows port %d, which is the Service's; the Pods' is %d: connections time out", a.policy.Name, p.Port, a.target),
				Cause:    "A policy sees packets after kube-proxy has translated their port.",
				Evidence: []Fact{
					a.evidence(), observed("Service", s.Service.Meta, "spec.ports", portsText(s.Service)), observed("Pod", pod.Meta, "ports", podPortsText(pod)),
				},
				Fix: a.fix("Allow the Pods' port."),
			}
		})
	},
}
