package diagnose

import "fmt"

// The StatefulSet's governing Service has a cluster IP.
var statefulSetNotHeadless = Rule{
	ID: "statefulset-not-headless", Lane: LanePort,
	Title:   "The StatefulSet's Service is not headless",
	Explain: "A StatefulSet's Pods are meant to be asked for by their own names, and Kubernetes promises those under a headless Service only. CoreDNS answers them under another, too; other DNS servers need not.",
	Source:  "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#limitations",
	Check: func(s *Subject) []Finding {
		if !s.lives() || s.Service.Headless() {
			return nil
		}
		for _, pod := range s.ready {
			set := controller(pod.Meta)
			if set == nil || set.Kind != "StatefulSet" || pod.Subdomain != s.Name {
				continue
			}
			return []Finding{{
				Severity: Warning, Confidence: Likely,
				Headline: fmt.Sprintf("Service %s governs StatefulSet %s but is not headless", s.Name, set.Name),
				Cause:    fmt.Sprintf("%s.%s is only promised to resolve under a Service with clusterIP: None.", pod.Name, s.Name),
				Evidence: []Fact{observed("Service", s.Service.Meta, "spec.clusterIP", s.Service.ClusterIP()), observed("Pod", pod.Meta, "spec.subdomain", pod.Subdomain)},
				Fix:      Fix{Explain: "Make the Service anew with clusterIP: None (the field is immutable), and another one with a cluster IP if clients want one address."},
			}}
		}
		return nil
	},
}
