package diagnose

import (
	"fmt"
	"slices"
	"strings"

	"svctour/model"
)

// kube-proxy answers node ports on other addresses than the nodes'.
var nodePortAddresses = Rule{
	ID: "nodeport-addresses", Lane: LaneOutside,
	Title: "kube-proxy's nodePortAddresses leave a node's addresses out",
	Explain: "kube-proxy answers node ports on those of the node's addresses that lie in its nodePortAddresses, in nftables mode on the primary one alone unless told otherwise. " +
		"On the others nothing answers.",
	Source: "https://kubernetes.io/docs/concepts/services-networking/service/#service-nodeport-custom-listen-address",
	Check: func(s *Subject) []Finding {
		ranges := s.snapshot.Proxy.NodePortAddresses
		if !s.lives() || s.unread("nodes") || s.Service.Type != model.NodePort && s.Service.Type != model.LoadBalancer || nodePorts(s.Service) == "" ||
			len(ranges) == 0 || slices.Contains(ranges, "primary") || s.snapshot.Proxy.Evidence == model.Unknown {
			return nil
		}
		var out []string
		for _, node := range s.snapshot.Nodes {
			if ip := node.InternalIP(); ip != "" && !insideAny(ranges, []string{ip}) {
				out = append(out, node.Name)
			}
		}
		if len(out) == 0 {
			return nil
		}
		return []Finding{{
			Severity: Warning, Confidence: Certain,
			Headline: fmt.Sprintf("nodePort %s does not answer on the address of %s", nodePorts(s.Service), names(out)),
			Cause:    fmt.Sprintf("kube-proxy answers node ports in %s only.", strings.Join(ranges, ",")),
			Evidence: []Fact{
				{Object: s.snapshot.Proxy.Source, Field: "nodePortAddresses", Value: strings.Join(ranges, ","), Kind: s.snapshot.Proxy.Evidence},
				observed("Node", s.snapshot.Node(out[0]).Meta, "status.addresses[InternalIP]", s.snapshot.Node(out[0]).InternalIP()),
			},
			Fix: Fix{Explain: "Ask an address in these ranges, or add the nodes' range to nodePortAddresses and restart kube-proxy."},
		}}
	},
}
