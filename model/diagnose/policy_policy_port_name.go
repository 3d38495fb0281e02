package diagnose

import (
	"fmt"

	"svctour/model"
)

// A policy that allows a port by a name that the Pods do not have.
var policyPortName = Rule{
	ID: "policy-port-name", Lane: LanePolicy,
	Title:   "A NetworkPolicy names a port that the Pods do not declare",
	Explain: "A named port in a policy is looked up among the Pods' container ports, like a targetPort. A name that no container has allows nothing.",
	Source:  "networking/v1 NetworkPolicyPort.port",
	Check: func(s *Subject) []Finding {
		wrong := func(_ *model.ServicePort, pod *model.Pod, r model.PolicyPort) bool {
			return r.Port != "" && !numeric(r.Port) && !s.declared(pod, r.Port)
		}
		return s.eachWrongPort(wrong, func(_ *model.ServicePort, pod *model.Pod, a *allowedPort) *Finding {
			return &Finding{
				Severity: Error, Confidence: Certain,
				Headline: fmt.Sprintf("NetworkPolicy %s allows port %q, and the Pods have %s: connections time out", a.policy.Name, a.port, podPortsText(pod)),
				Cause:    "No container declares a port of this name, so that the rule allows nothing.",
				Evidence: []Fact{a.evidence(), observed("Pod", pod.Meta, "ports", podPortsText(pod))},
				Fix:      a.fix("Allow the port that the Service leads to."),
			}
		})
	},
}
