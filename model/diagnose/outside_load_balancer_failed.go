package diagnose

import (
	"fmt"
	"strings"
)

// The load balancer's controller says why there is no address.
var loadBalancerFailed = Rule{
	ID: "load-balancer-failed", Lane: LaneOutside,
	Title:   "The load balancer cannot be made",
	Explain: "The controller that provides load balancers reports in the Service's events: no address left in its pool, a quota, missing rights.",
	Source:  "https://kubernetes.io/docs/tasks/access-application-cluster/create-external-load-balancer/",
	Check: func(s *Subject) []Finding {
		if !s.pending() {
			return nil
		}
		events := s.events["Service "+s.Service.Key()]
		for i := len(events) - 1; i >= 0; i-- {
			e := events[i]
			if e.Reason != "SyncLoadBalancerFailed" && e.Reason != "AllocationFailed" && e.Reason != "CreatingLoadBalancerFailed" && !strings.Contains(strings.ToLower(e.Reason), "failed") {
				continue
			}
			return []Finding{{
				Severity: Error, Confidence: Certain,
				Headline: "The load balancer gets no address: " + short(e.Message),
				Cause:    fmt.Sprintf("%s reports it. The cluster IP and the node ports work already.", orElse(e.Source, "The controller")),
				Evidence: []Fact{observed("Event", e.Meta, e.Reason, short(e.Message)), observed("Service", s.Service.Meta, "status.loadBalancer.ingress", "none")},
				Fix:      Fix{Explain: "Do what the message asks for: enlarge the pool or the quota, or free an address by deleting a LoadBalancer Service."},
			}}
		}
		return nil
	},
}
