package diagnose

import (
	"fmt"
	"net/netip"
	"slices"

	"svctour/model"
)

// Kubelets hand out a name server at an address that nothing has.
var dnsServerMissing = Rule{
	ID: "dns-server-missing", Lane: LaneName,
	Title: "Pods are told a name server that no Service has",
	Explain: "The kubelet's clusterDNS has to be the cluster IP of the DNS Service. After the Service was made anew, or with another Service range, it is not, " +
		"and no name resolves in any Pod. (A node-local cache listens on a link-local address instead.)",
	Source: "KubeletConfiguration, clusterDNS",
	Check: func(s *Subject) []Finding {
		dns := &s.snapshot.DNS
		if s.Service == nil || dns.Evidence != model.Derived || len(dns.Servers) == 0 || s.scoped() || s.unread("services") {
			return nil
		}
		server, err := netip.ParseAddr(dns.Servers[0])
		if err != nil || server.IsLinkLocalUnicast() || server.IsLoopback() {
			return nil
		}
		service := s.snapshot.Service("kube-system", "kube-dns")
		if service == nil || s.dnsService() != nil || slices.Contains(service.ClusterIPs, dns.Servers[0]) {
			return nil
		}
		return []Finding{{
			Severity: Error, Confidence: Certain,
			Headline: fmt.Sprintf("Pods ask %s for names, and the cluster's DNS is at %s", dns.Servers[0], service.ClusterIP()),
			Cause:    "No Service has the address that the kubelets hand out: every look-up times out.",
			Evidence: []Fact{
				{Object: dns.Source, Field: "clusterDNS", Value: dns.Servers[0], Kind: dns.Evidence},
				observed("Service", service.Meta, "spec.clusterIP", service.ClusterIP()),
			},
			Fix: Fix{Explain: fmt.Sprintf("Make Service kube-system/kube-dns anew with clusterIP %s, or give the kubelets %s and restart the Pods.", dns.Servers[0], service.ClusterIP())},
		}}
	},
}
