package diagnose

import "fmt"

// Nothing provides the load balancer.
var loadBalancerPending = Rule{
	ID: "load-balancer-pending", Lane: LaneOutside,
	Title:   "Nobody gives the load balancer an address",
	Explain: "Kubernetes has no load balancer of its own. Without a cloud's controller, MetalLB or the like EXTERNAL-IP stays pending; a loadBalancerClass asks for one particular controller.",
	Source:  "https://kubernetes.io/docs/concepts/services-networking/service/#loadbalancer",
	Check: func(s *Subject) []Finding {
		if !s.pending() {
			return nil
		}
		f := Finding{
			Severity: Error, Confidence: Likely,
			Headline: "EXTERNAL-IP is pending: no controller has taken the Service",
			Cause:    "There is no address and no event of a load balancer's controller. The cluster IP and the node ports work already.",
			Evidence: []Fact{observed("Service", s.Service.Meta, "status.loadBalancer.ingress", "none"), observed("Service", s.Service.Meta, "events", "none of a load balancer's controller")},
			Fix:      Fix{Explain: "Install a controller (MetalLB, cloud-provider-kind, minikube tunnel, a cloud's own); meanwhile use a node's address and nodePort " + nodePorts(s.Service) + "."},
		}
		if s.snapshot.Cluster.Lab {
			f.Fix = Fix{Explain: "The lab has one.", Command: "svctour lab addon enable load-balancer"}
		}
		if class := s.Service.LoadBalancerClass; class != "" {
			f.Headline = fmt.Sprintf("EXTERNAL-IP is pending: no controller has taken loadBalancerClass %s", class)
			f.Cause = "Only a controller of that class acts on the Service; the cluster's default one leaves it alone."
			f.Evidence = append(f.Evidence, observed("Service", s.Service.Meta, "spec.loadBalancerClass", class))
			f.Fix = Fix{Explain: "Install the controller of that class, or make the Service anew without it (the field is immutable)."}
		}
		return []Finding{f}
	},
}
