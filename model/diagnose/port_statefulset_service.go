package diagnose

import "fmt"

// The StatefulSet's governing Service has another name.
var statefulSetService = Rule{
	ID: "statefulset-service", Lane: LanePort,
	Title:   "The StatefulSet names another Service",
	Explain: "Pod names like db-0.db exist under the Service that the StatefulSet's serviceName names, because its Pods get that as their subdomain.",
	Source:  "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#stable-network-id",
	Check: func(s *Subject) []Finding {
		if !s.lives() || !s.Service.Headless() {
			return nil
		}
		for _, pod := range s.ready {
			set := controller(pod.Meta)
			if set == nil || set.Kind != "StatefulSet" || pod.Subdomain == s.Name || pod.Subdomain == "" || s.names[s.Namespace+"/"+pod.Subdomain] {
				continue
			}
			return []Finding{{
				Severity: Error, Confidence: Certain,
				Headline: fmt.Sprintf("StatefulSet %s says serviceName %s, which does not exist: %s.%s has no address", set.Name, pod.Subdomain, pod.Name, s.Name),
				Cause:    "Its Pods' names are made under the Service of that name; this one only has the addresses.",
				Evidence: []Fact{observed("Pod", pod.Meta, "spec.subdomain", pod.Subdomain), observed("Service", s.Service.Meta, "metadata.name", s.Name)},
				Fix: Fix{
					Explain: fmt.Sprintf("Make a headless Service %s, or recreate the StatefulSet with serviceName: %s (the field is immutable).", pod.Subdomain, s.Name),
					Command: fmt.Sprintf("kubectl get service %s -n %s -o json | jq '.metadata={name:\"%s\"}|del(.spec.clusterIPs)' | kubectl apply -n %s -f -", s.Name, s.Namespace, pod.Subdomain, s.Namespace),
				},
			}}
		}
		return nil
	},
}
