package diagnose

import "svctour/model"

// The Service has not been given an address.
var serviceNoClusterIP = Rule{
	ID: "service-no-clusterip", Lane: LaneService,
	Title:   "The Service has no cluster IP",
	Explain: "The API server allocates a cluster IP when a Service is created. One without was read from a file, or is of another type.",
	Source:  "https://kubernetes.io/docs/concepts/services-networking/cluster-ip-allocation/",
	Check: func(s *Subject) []Finding {
		if s.Service == nil || s.Service.Type == model.ExternalName || s.Service.ClusterIP() != "" || s.Service.ResourceVersion == "" {
			return nil
		}
		return []Finding{{
			Severity: Error, Confidence: Certain,
			Headline: "The Service has no cluster IP",
			Cause:    "Its name has no address, and no rule is about it.",
			Evidence: []Fact{observed("Service", s.Service.Meta, "spec.clusterIP", "")},
			Fix:      command("See what the API server says.", "describe service %s -n %s", s.Name, s.Namespace),
		}}
	},
}
