package diagnose

import "time"

// The Service itself is being deleted.
var serviceDeleting = Rule{
	ID: "service-deleting", Lane: LaneService,
	Title: "The Service is being deleted",
	Explain: "A Service with a finalizer, service.kubernetes.io/load-balancer-cleanup for example, stays until its controller has given the load balancer back. " +
		"Without that controller it stays for ever.",
	Source: "https://kubernetes.io/docs/tasks/access-application-cluster/create-external-load-balancer/#garbage-collecting-load-balancers",
	Check: func(s *Subject) []Finding {
		if s.Service == nil || !s.Service.Terminating() {
			return nil
		}
		return []Finding{{
			Severity: Warning, Confidence: Certain,
			Headline: "The Service is being deleted, and a finalizer keeps it",
			Cause:    "It goes when the controller of its finalizer has done its work.",
			Evidence: []Fact{observed("Service", s.Service.Meta, "metadata.deletionTimestamp", s.Service.Deleting.UTC().Format(time.RFC3339))},
			Fix:      command("See which finalizer, and whether its controller runs.", "get service %s -n %s -o jsonpath={.metadata.finalizers}", s.Name, s.Namespace),
		}}
	},
}
