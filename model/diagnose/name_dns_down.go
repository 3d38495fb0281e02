package diagnose

// The cluster's DNS does not answer.
var dnsDown = Rule{
	ID: "dns-down", Lane: LaneName,
	Title:   "The cluster's DNS has no ready endpoint",
	Explain: "Pods ask the address of Service kube-dns for names. Without a ready CoreDNS Pod behind it no name resolves, while addresses go on working.",
	Source:  "https://kubernetes.io/docs/tasks/administer-cluster/dns-debugging-resolution/",
	Check: func(s *Subject) []Finding {
		if !s.dnsKnown {
			s.dnsKnown, s.dns = true, s.findDNSDown()
		}
		if s.dns == nil || s.Service == nil {
			return nil
		}
		return []Finding{*s.dns}
	},
}
