package diagnose

import (
	"fmt"

	"svctour/model"
)

// The load balancer may use none of the nodes.
var loadBalancerNodes = Rule{
	ID: "load-balancer-nodes", Lane: LaneOutside,
	Title: "The nodes are excluded from load balancers",
	Explain: "A node with the label node.kubernetes.io/exclude-from-external-load-balancers is no target of a load balancer; kubeadm puts it on control planes. " +
		"Where every node has it, or with externalTrafficPolicy Local every node with a Pod, the load balancer has nobody to send to.",
	Source: "https://kubernetes.io/docs/reference/labels-annotations-taints/#node-kubernetes-io-exclude-from-external-load-balancers",
	Check: func(s *Subject) []Finding {
		const label = "node.kubernetes.io/exclude-from-external-load-balancers"
		if !s.lives() || s.Service.Type != model.LoadBalancer || s.unread("nodes") {
			return nil
		}
		have := map[string]bool{}
		for _, pod := range s.ready {
			have[pod.Node] = true
		}
		var excluded []string
		for _, node := range s.snapshot.Nodes {
			if s.Service.ExternalTrafficPolicy == "Local" && !have[node.Name] || !node.Ready() {
				continue
			}
			if _, is := node.Labels[label]; !is {
				return nil
			}
			excluded = append(excluded, node.Name)
		}
		if len(excluded) == 0 {
			return nil
		}
		return []Finding{{
			Severity: Warning, Confidence: Likely,
			Headline: fmt.Sprintf("The load balancer may use none of the nodes: %s", names(excluded)),
			Cause:    "Every node that could answer has the label " + label + ".",
			Evidence: []Fact{observed("Node", s.snapshot.Node(excluded[0]).Meta, "metadata.labels["+label+"]", "set"), observed("Service", s.Service.Meta, "spec.externalTrafficPolicy", orElse(s.Service.ExternalTrafficPolicy, "Cluster"))},
			Fix:      command("Let load balancers use a node.", "label node %s %s-", excluded[0], label).changing("Node", s.snapshot.Node(excluded[0]).Meta),
		}}
	},
}
