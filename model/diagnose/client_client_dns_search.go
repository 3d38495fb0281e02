package diagnose

import (
	"fmt"
	"slices"
	"strings"

	"svctour/model"
)

// A client without the search domains that make short names work.
var clientDNSSearch = Rule{
	ID: "client-dns-search", Lane: LaneClient,
	Title: "The client has no search domain for short names",
	Explain: "web becomes web.shop.svc.cluster.local by the search line of resolv.conf. With dnsPolicy None a Pod has only the search domains of its dnsConfig; " +
		"without the cluster's only full names resolve.",
	Source: "https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#pod-dns-config; resolv.conf(5)",
	Check: func(s *Subject) []Finding {
		pod := s.asker(func(pod *model.Pod) bool { return pod.DNSPolicy == "None" && s.asksCluster(pod) })
		if pod == nil {
			return nil
		}
		full := fmt.Sprintf("%s.svc.%s", s.Namespace, s.domain())
		if pod.DNS != nil && slices.ContainsFunc(pod.DNS.Searches, func(search string) bool { return strings.TrimSuffix(search, ".") == full }) {
			return nil
		}
		return []Finding{{
			Severity: Warning, Confidence: Certain,
			Headline: fmt.Sprintf("Pod %s has no search domain %s: the short name %s does not resolve in it", pod.Name, full, s.Name),
			Cause:    "With dnsPolicy None only the search domains of dnsConfig are tried.",
			Evidence: []Fact{observed("Pod", pod.Meta, "spec.dnsPolicy", "None"), observed("Pod", pod.Meta, "spec.dnsConfig.searches", strings.Join(pod.DNS.Searches, ","))},
			Fix: s.templateFix(pod, fmt.Sprintf("Add the search domains, or ask for %s.%s. in full.", s.Name, full),
				object{"dnsConfig": object{"searches": []any{full, "svc." + s.domain(), s.domain()}}}),
		}}
	},
}
