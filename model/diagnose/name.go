package diagnose

import "fmt"

func (d *Doctor) findDNSDown() *Finding {
	service := d.dnsService()
	if service == nil || d.unread("endpointslices") {
		return nil
	}
	slices := d.snapshot.ServiceSlices(service.Namespace, service.Name)
	for _, slice := range slices {
		for i := range slice.Endpoints {
			if slice.Endpoints[i].IsReady() {
				return nil
			}
		}
	}
	f := &Finding{
		Severity: Error, Confidence: Certain,
		Headline: fmt.Sprintf("The cluster's DNS, Service %s, has no ready endpoint: no name resolves", service.Key()),
		Cause:    "Every look-up of a Service's name goes to CoreDNS, and none of its Pods is ready. Cluster IPs go on working.",
		Evidence: []Fact{observed("Service", service.Meta, "ready endpoints", "0")},
		Fix:      command("Bring CoreDNS back; its logs say why its Pods are not ready.", "kubectl get pods -n %s -l %s", service.Namespace, pairs(service.Selector)),
	}
	for _, deployment := range d.snapshot.Deployments {
		if deployment.Namespace == service.Namespace && has(deployment.TemplateLabels, service.Selector) {
			f.Evidence = append(f.Evidence, observed("Deployment", deployment.Meta, "spec.replicas", fmt.Sprint(deployment.Replicas)))
			if deployment.Replicas == 0 {
				f.Fix = patched("Scale it up again.", "Deployment", deployment.Meta, "merge", spec(object{"replicas": 2}))
				f.Fix.Command = fmt.Sprintf("kubectl scale deployment %s -n %s --replicas=2", word(deployment.Name), word(deployment.Namespace))
			}
		}
	}
	return f
}
