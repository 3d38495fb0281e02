package diagnose

import (
	"fmt"
	"strings"

	"svctour/model"
)

// The allowed source ranges are none, or not the cluster's own.
var sourceRanges = Rule{
	ID: "source-ranges", Lane: LanePolicy,
	Title:   "loadBalancerSourceRanges lets few in",
	Explain: "Only clients in the ranges pass a load balancer's address; others time out. Where the load balancer or a node rewrites the source, the rewritten one is compared.",
	Source:  "https://kubernetes.io/docs/concepts/services-networking/service/#aws-nlb-support, loadBalancerSourceRanges",
	Check: func(s *Subject) []Finding {
		if !s.lives() || s.Service.Type != model.LoadBalancer || len(s.Service.SourceRanges) == 0 || s.Client == nil || insideAny(s.Service.SourceRanges, s.Client.IPs) {
			return nil
		}
		return []Finding{{
			Severity: Warning, Confidence: Likely,
			Headline: fmt.Sprintf("Pod %s is in none of the load balancer's source ranges", s.Client.Name),
			Cause:    "Its connections to the load balancer's address are dropped; those to the cluster IP are not.",
			Evidence: []Fact{observed("Service", s.Service.Meta, "spec.loadBalancerSourceRanges", strings.Join(s.Service.SourceRanges, ",")), observed("Pod", s.Client.Meta, "status.podIP", s.Client.IP())},
			Fix:      Fix{Explain: "Use the cluster IP from inside, or add the Pods' range."},
		}}
	},
}
