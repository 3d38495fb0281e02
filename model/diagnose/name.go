package diagnose

import "fmt"

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

// The cluster's domain is not the one that everybody types.
var clusterDomain = Rule{
	ID: "dns-domain", Lane: LaneName,
	Title:   "The cluster's domain is not cluster.local",
	Explain: "Names end with the domain that kubelets are told (clusterDomain). A name that ends in cluster.local does not exist in such a cluster.",
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
