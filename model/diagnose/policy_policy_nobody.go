package diagnose

import (
	"fmt"

	"svctour/model"
	"svctour/model/policy"
)

// A policy whose peers do not exist.
var policyNobody = Rule{
	ID: "policy-nobody", Lane: LanePolicy,
	Title: "A NetworkPolicy lets in Pods that do not exist",
	Explain: "from selects Pods by their labels and namespaces by theirs; a namespace's name is its label kubernetes.io/metadata.name. " +
		"podSelector and namespaceSelector in one element of the list both have to hold, in two elements either does.",
	Source: "https://kubernetes.io/docs/concepts/services-networking/network-policies/#behavior-of-to-and-from-selectors",
	Check: func(s *Subject) []Finding {
		if s.Client != nil {
			return nil
		}
		return s.eachShut(func(p *model.ServicePort, pod *model.Pod, by []*policy.Policy) *Finding {
			for _, each := range by {
				for i, rule := range each.Rules(policy.Ingress) {
					if len(rule.Peers) == 0 || !rule.AllowsPort(pod, p.Protocol, s.target(p, pod)) || s.peersExist(rule) {
						continue
					}
					text := "Pods " + selectorText(orEvery(rule.Peers[0].Pods))
					if rule.Peers[0].Namespaces != nil {
						text += " of namespaces " + selectorText(rule.Peers[0].Namespaces)
					}
					return &Finding{
						Severity: Error, Confidence: Likely,
						Headline: fmt.Sprintf("NetworkPolicy %s lets in %s, and there are none: connections time out", each.Name, text),
						Cause:    "The rule allows the port, but no Pod of the cluster is one of its peers.",
						Evidence: []Fact{
							observed("NetworkPolicy", each.Meta, fmt.Sprintf("spec.ingress[%d].from", i), text),
							{Object: "Cluster", Field: "Pods that are such peers", Value: "0", Kind: model.Observed},
						},
						Fix: Fix{Explain: "Correct the labels: see kubectl get pods -A --show-labels, and kubectl get namespaces --show-labels."},
					}
				}
			}
			return nil
		})
	},
}

func orEvery(s *model.LabelSelector) *model.LabelSelector {
	if s == nil {
		return &model.LabelSelector{}
	}
	return s
}
