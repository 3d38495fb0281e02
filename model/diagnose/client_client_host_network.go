package diagnose

import (
	"fmt"

	"svctour/model"
)

// A client on its node's network that does not ask the cluster's DNS.
var clientHostNetwork = Rule{
	ID: "client-host-network", Lane: LaneClient,
	Title: "A client on the host's network does not ask the cluster's DNS",
	Explain: "For a Pod with hostNetwork: true the kubelet takes dnsPolicy ClusterFirst, the default, for Default: the Pod gets its node's resolv.conf, " +
		"where no Service's name resolves. Set dnsPolicy: ClusterFirstWithHostNet.",
	Source: "https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#pod-s-dns-policy; pkg/kubelet/network/dns, getPodDNSType",
	Check: func(s *Subject) []Finding {
		pod := s.asker(func(pod *model.Pod) bool {
			return pod.HostNetwork && (pod.DNSPolicy == "ClusterFirst" || pod.DNSPolicy == "") && !s.asksCluster(pod)
		})
		if pod == nil {
			return nil
		}
		return []Finding{{
			Severity: Error, Confidence: Certain,
			Headline: fmt.Sprintf("Pod %s is on its node's network and asks the node's DNS: %s does not resolve in it", pod.Name, s.Name),
			Cause:    "With hostNetwork the kubelet takes dnsPolicy ClusterFirst for Default, and the node's name servers know no Service.",
			Evidence: []Fact{observed("Pod", pod.Meta, "spec.hostNetwork", "true"), observed("Pod", pod.Meta, "spec.dnsPolicy", orElse(pod.DNSPolicy, "ClusterFirst"))},
			Fix:      s.templateFix(pod, "Let it ask the cluster's DNS all the same.", object{"dnsPolicy": "ClusterFirstWithHostNet"}),
		}}
	},
}
