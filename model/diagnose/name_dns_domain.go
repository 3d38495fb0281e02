package diagnose

import "fmt"

// The cluster's domain is not the one that everybody types.
var dnsDomain = Rule{
	ID: "dns-domain", Lane: LaneName,
	Title:   "The cluster's domain is not cluster.local",
	Explain: "Names end with the domain that kubelets are told (dnsDomain). A name that ends in cluster.local does not exist in such a cluster.",
	Source:  "KubeletConfiguration, clusterDomain",
	Check: func(s *Subject) []Finding {
		if s.Service == nil || s.domain() == "cluster.local" {
			return nil
		}
		return []Finding{{
			Severity: Info, Confidence: Certain,
			Headline: fmt.Sprintf("Names here end in %s, not in cluster.local", s.domain()),
			Cause:    "A client that asks for a name in cluster.local gets NXDOMAIN.",
			Evidence: []Fact{{Object: s.snapshot.DNS.Source, Field: "clusterDomain", Value: s.domain(), Kind: s.snapshot.DNS.Evidence}},
			Fix:      Fix{Explain: fmt.Sprintf("Ask for %s.%s.svc, without a suffix, or with .%s.", s.Name, s.Namespace, s.domain())},
		}}
	},
}
