package diagnose

import (
	"fmt"
	"strconv"

	"svctour/model"
)

// One client address, one Pod.
var sessionAffinity = Rule{
	ID: "session-affinity", Lane: LanePolicy,
	Title: "sessionAffinity keeps a client at one Pod",
	Explain: "With ClientIP every connection from one address goes to the same Pod until sessionAffinityConfig's timeout, three hours unless said otherwise. " +
		"Clients behind one address, a NAT, a proxy or a load balancer, all meet the same Pod.",
	Source: "https://kubernetes.io/docs/reference/networking/virtual-ips/#session-affinity",
	Check: func(s *Subject) []Finding {
		if !s.lives() || s.Service.SessionAffinity != "ClientIP" || len(s.ready) < 2 {
			return nil
		}
		f := Finding{
			Severity: Info, Confidence: Certain,
			Headline: fmt.Sprintf("A client's address stays with one of the %s for %d s after its last connection", model.Count(len(s.ready), "Pod"), affinitySeconds(s.Service.AffinitySeconds)),
			Cause:    "sessionAffinity is ClientIP: connections are not spread, and those who share an address share the Pod.",
			Evidence: []Fact{
				observed("Service", s.Service.Meta, "spec.sessionAffinity", "ClientIP"),
				observed("Service", s.Service.Meta, "spec.sessionAffinityConfig.clientIP.timeoutSeconds", strconv.Itoa(int(affinitySeconds(s.Service.AffinitySeconds)))),
			},
			Fix: patched("Spread connections, if the program does not need this.", "Service", s.Service.Meta, "merge", spec(object{"sessionAffinity": "None", "sessionAffinityConfig": nil})),
		}
		if s.Service.Headless() {
			f.Headline = "sessionAffinity ClientIP does nothing for a headless Service"
			f.Cause = "There is no rule of kube-proxy's; a client chooses among the addresses itself."
		}
		return []Finding{f}
	},
}

// affinitySeconds is the timeout with its default (core/v1 DefaultClientIPServiceAffinitySeconds).
func affinitySeconds(n int32) int32 {
	if n == 0 {
		return 10800
	}
	return n
}
