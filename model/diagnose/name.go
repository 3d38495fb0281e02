package diagnose

import (
	"fmt"

	"svctour/model/endpoints"
	"svctour/model/policy"
)

func (d *Doctor) findDNSDown() *Finding {
	service := d.dnsService()
	if service == nil || d.unread("endpointslices") {
		return nil
	}
	if _, ready := endpoints.Count(d.snapshot.ServiceSlices(service.Namespace, service.Name)); ready > 0 {
		return nil
	}
	f := &Finding{
		Severity: Error, Confidence: Certain,
		Headline: fmt.Sprintf("The cluster's DNS, Service %s, has no ready endpoint: no name resolves", service.Key()),
		Cause:    "Every look-up of a Service's name goes to CoreDNS, and none of its Pods is ready. Cluster IPs go on working.",
		Evidence: []Fact{observed("Service", service.Meta, "ready endpoints", "0")},
		Fix:      command("Bring CoreDNS back; its logs say why its Pods are not ready.", "get pods -n %s -l %s", service.Namespace, pairs(service.Selector)),
	}
	for _, deployment := range d.deployments(service.Namespace) {
		if deployment.Namespace == service.Namespace && endpoints.Matches(service.Selector, deployment.TemplateLabels) {
			f.Evidence = append(f.Evidence, observed("Deployment", deployment.Meta, "spec.replicas", fmt.Sprint(deployment.Replicas)))
			if deployment.Replicas == 0 {
				f.Fix = patched("Scale it up again.", "Deployment", deployment.Meta, "merge", spec(object{"replicas": 2}))
				f.Fix = f.Fix.by("scale deployment %s -n %s --replicas=2", deployment.Name, deployment.Namespace)
			}
		}
	}
	return f
}

// findDNSShut finds the policy that keeps clients from the DNS Pods, nil if
// there is none.
func (s *Subject) findDNSShut() *Finding {
	service := s.dnsService()
	if service == nil {
		return nil
	}
	for _, pod := range s.matching(service.Namespace, service.Selector) {
		if !pod.Ready() || pod.Terminating() {
			continue
		}
		if s.letsIn(pod, "UDP", 53) {
			return nil
		}
		by := s.policies.Isolating(pod, policy.Ingress)[0]
		rule := object{"from": []any{object{"namespaceSelector": object{}}}, "ports": []any{object{"protocol": "UDP", "port": 53}, object{"protocol": "TCP", "port": 53}}}
		body := []any{object{"op": "add", "path": "/spec/ingress/-", "value": rule}}
		if len(*by.Ingress) == 0 {
			body = []any{object{"op": "add", "path": "/spec/ingress", "value": []any{rule}}}
		}
		return &Finding{
			Severity: Error, Confidence: Certain,
			Headline: fmt.Sprintf("NetworkPolicy %s keeps clients from the cluster's DNS: names time out", by.Key()),
			Cause:    "It selects the DNS Pods for ingress, and no rule of any policy that does lets port 53 in. (If the network plugin enforces policies.)",
			Evidence: []Fact{
				observed("NetworkPolicy", by.Meta, "spec.podSelector", selectorText(&by.Pods)),
				observed("Pod", pod.Meta, "metadata.labels", pairs(pod.Labels)),
			},
			Fix: patched("Allow every namespace at port 53, UDP and TCP.", "NetworkPolicy", by.Meta, "json", body),
		}
	}
	return nil
}
