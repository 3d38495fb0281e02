package diagnose

import (
	"fmt"
	"strconv"

	"svctour/model"
)

// Names with a dot are not searched for when ndots is 1.
var clientNDots = Rule{
	ID: "client-ndots", Lane: LaneClient,
	Title: "ndots is too low for names with a dot",
	Explain: "web.shop has one dot. With ndots:1 a resolver asks for it as it is first, and musl's (Alpine) stops there: the search " +
		"domains of the cluster are never tried. Keep ndots at 2 or more, or use the full name with its final dot.",
	Source: "resolv.conf(5); https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#pod-dns-config",
	Check: func(s *Subject) []Finding {
		if s.Service == nil {
			return nil
		}
		for _, pod := range s.clients(s.odd[s.Namespace]) {
			if pod.DNS == nil {
				continue
			}
			for _, option := range pod.DNS.Options {
				n, err := strconv.Atoi(option.Value)
				if option.Name != "ndots" || err != nil || n > 1 {
					continue
				}
				return []Finding{{
					Severity: Warning, Confidence: Likely,
					Headline: fmt.Sprintf("Pod %s has ndots:%d: %s.%s may not resolve in it", pod.Name, n, s.Name, s.Namespace),
					Cause:    "A name with as many dots as ndots is asked for as it is first. musl's resolver ends there, glibc goes on with the search domains.",
					Evidence: []Fact{
						observed("Pod", pod.Meta, "spec.dnsConfig.options[ndots]", option.Value),
						{Object: about("Pod", pod.Meta), Field: "resolv.conf", Value: fmt.Sprintf("options ndots:%d", n), Kind: model.Derived},
					},
					Fix: Fix{Explain: fmt.Sprintf("Set ndots to 2 or more in spec.dnsConfig (a Pod's is fixed: change its template), or ask for %s.%s.svc.%s. with a final dot.", s.Name, s.Namespace, s.domain())},
				}}
			}
		}
		return nil
	},
}
