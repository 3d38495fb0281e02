package diagnose

// A NetworkPolicy keeps clients from the cluster's DNS.
var dnsPolicy = Rule{
	ID: "dns-policy", Lane: LaneName,
	Title: "A NetworkPolicy keeps clients from the cluster's DNS",
	Explain: "A policy in the namespace of CoreDNS, often a default deny, isolates it like any other Pod: look-ups time out, while addresses go on working. " +
		"Allow every namespace at port 53, UDP and TCP.",
	Source: "https://kubernetes.io/docs/concepts/services-networking/network-policies/",
	Check: func(s *Subject) []Finding {
		if s.Service == nil || s.unread("networkpolicies") || s.unread("pods") {
			return nil
		}
		if s.Client != nil { // others may be let in
			if f := s.findDNSShut(); f != nil && !s.Client.HostNetwork {
				return []Finding{*f}
			}
			return nil
		}
		if !s.shutKnown {
			s.shutKnown, s.shut = true, s.findDNSShut()
		}
		if s.shut == nil {
			return nil
		}
		return []Finding{*s.shut}
	},
}
