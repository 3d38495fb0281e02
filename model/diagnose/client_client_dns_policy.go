package diagnose

import (
	"fmt"
	"strings"

	"svctour/model"
)

// A client that asks other name servers than the cluster's.
var clientDNSPolicy = Rule{
	ID: "client-dns-policy", Lane: LaneClient,
	Title: "The client asks other name servers than the cluster's",
	Explain: "dnsPolicy Default hands the node's resolv.conf to a Pod, and None only what its dnsConfig says. Names of Services are known to the cluster's DNS alone. " +
		"Use ClusterFirst, or list the cluster's server first: a resolver asks the next one only when it gets no answer, not when the answer is no.",
	Source: "https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#pod-s-dns-policy",
	Check: func(s *Subject) []Finding {
		pod := s.asker(func(pod *model.Pod) bool {
			return (pod.DNSPolicy == "Default" || pod.DNSPolicy == "None") && !s.asksCluster(pod)
		})
		if pod == nil {
			return nil
		}
		servers := "the node's"
		if pod.DNSPolicy == "None" && pod.DNS != nil {
			servers = strings.Join(pod.DNS.Nameservers, ",")
		}
		return []Finding{{
			Severity: Error, Confidence: Certain,
			Headline: fmt.Sprintf("Pod %s has dnsPolicy %s and does not ask the cluster's DNS: %s does not resolve in it", pod.Name, pod.DNSPolicy, s.Name),
			Cause:    "Only the cluster's DNS knows the names of Services.",
			Evidence: []Fact{
				observed("Pod", pod.Meta, "spec.dnsPolicy", pod.DNSPolicy),
				{Object: about("Pod", pod.Meta), Field: "resolv.conf nameserver", Value: servers, Kind: model.Derived},
			},
			Fix: s.templateFix(pod, "Let it ask the cluster's DNS.", object{"dnsPolicy": "ClusterFirst"}),
		}}
	},
}
