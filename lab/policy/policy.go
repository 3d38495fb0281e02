// Package policy enforces NetworkPolicies on the lab's nodes, as a CNI plugin's
// agent does. One agent with one set of watches serves every node.
package policy

import (
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"svctour/lab/network"
)

// Set is what a number of NetworkPolicies say, with the Pods and Namespaces
// that they select among. It is immutable.
//
// It follows networking.k8s.io/v1: a Pod that no policy selects for a direction
// is open in it; one that policies select accepts what any rule of any of them
// allows. A connection needs the egress of its source and the ingress of its
// destination. Addresses are compared behind the translation of Services.
// Answers belong to their connection, and are never asked about.
type Set struct {
	pods map[netip.Addr]*pod
	// nodes are the addresses of nodes, by themselves: what comes from a
	// node to its own Pods always may (the kubelet's probes).
	nodes map[netip.Addr]string
}

type pod struct {
	namespace, node string
	labels          labels.Set
	ports           []corev1.ContainerPort
	ingress, egress []*compiled // the policies that select it
}

// compiled is one policy.
type compiled struct {
	ingress, egress []rule
}

type rule struct {
	peers []peer // none: everybody
	ports []port // none: every port
}

type peer struct {
	block  netip.Prefix
	except []netip.Prefix
	// For a peer without a block: Pods in namespaces.
	namespaces map[string]bool
	pods       labels.Selector
}

type port struct {
	protocol    string // lower case
	name        string // of a port of the destination's containers
	first, last uint16 // both 0: every port
}

// New compiles policies. Pods of the host's network, and Pods that have ended,
// have no address of their own: no policy applies to them, and only an ipBlock
// finds them. A selector or a block that is not valid selects nothing.
func New(policies []*networkingv1.NetworkPolicy, pods []*corev1.Pod, namespaces []*corev1.Namespace, nodes []*corev1.Node) *Set {
	s := &Set{pods: map[netip.Addr]*pod{}, nodes: map[netip.Addr]string{}}
	byNamespace := map[string][]*pod{}
	for _, each := range pods {
		if each.Spec.HostNetwork || each.Status.Phase == corev1.PodSucceeded || each.Status.Phase == corev1.PodFailed {
			continue
		}
		p := &pod{namespace: each.Namespace, node: each.Spec.NodeName, labels: each.Labels}
		for _, c := range each.Spec.InitContainers {
			if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
				p.ports = append(p.ports, c.Ports...)
			}
		}
		for _, c := range each.Spec.Containers {
			p.ports = append(p.ports, c.Ports...)
		}
		for _, ip := range each.Status.PodIPs {
			if address, err := netip.ParseAddr(ip.IP); err == nil {
				s.pods[address] = p
			}
		}
		byNamespace[each.Namespace] = append(byNamespace[each.Namespace], p)
	}
	for _, node := range nodes {
		for _, a := range node.Status.Addresses {
			if address, err := netip.ParseAddr(a.Address); err == nil {
				s.nodes[address] = node.Name
			}
		}
		// The bridge of a node has the first address of its podCIDR: it is
		// where the node's own packets to its Pods come from.
		if block, err := netip.ParsePrefix(node.Spec.PodCIDR); err == nil {
			s.nodes[block.Masked().Addr().Next()] = node.Name
		}
	}
	for _, policy := range policies {
		s.add(policy, byNamespace[policy.Namespace], namespaces)
	}
	return s
}

// add compiles one policy and ties it to the Pods that it selects.
func (s *Set) add(policy *networkingv1.NetworkPolicy, candidates []*pod, namespaces []*corev1.Namespace) {
	selector, err := metav1.LabelSelectorAsSelector(&policy.Spec.PodSelector)
	if err != nil {
		return // the API server lets none in
	}
	// Without policyTypes it is for ingress, and for egress if it has such rules.
	ingress, egress := len(policy.Spec.PolicyTypes) == 0, len(policy.Spec.PolicyTypes) == 0 && len(policy.Spec.Egress) > 0
	for _, kind := range policy.Spec.PolicyTypes {
		ingress = ingress || kind == networkingv1.PolicyTypeIngress
		egress = egress || kind == networkingv1.PolicyTypeEgress
	}
	c := &compiled{}
	for _, r := range policy.Spec.Ingress {
		c.ingress = append(c.ingress, newRule(policy.Namespace, r.From, r.Ports, namespaces))
	}
	for _, r := range policy.Spec.Egress {
		c.egress = append(c.egress, newRule(policy.Namespace, r.To, r.Ports, namespaces))
	}
	for _, p := range candidates {
		if !selector.Matches(p.labels) {
			continue
		}
		if ingress {
			p.ingress = append(p.ingress, c)
		}
		if egress {
			p.egress = append(p.egress, c)
		}
	}
}

func newRule(namespace string, peers []networkingv1.NetworkPolicyPeer, ports []networkingv1.NetworkPolicyPort, namespaces []*corev1.Namespace) rule {
	var r rule
	for _, each := range peers {
		r.peers = append(r.peers, newPeer(namespace, each, namespaces))
	}
	for _, each := range ports {
		p := port{protocol: "tcp"}
		if each.Protocol != nil {
			p.protocol = strings.ToLower(string(*each.Protocol))
		}
		switch {
		case each.Port == nil:
		case each.Port.Type == intstr.String:
			p.name = each.Port.StrVal
		default:
			p.first = uint16(each.Port.IntVal)
			p.last = p.first
			if each.EndPort != nil {
				p.last = uint16(*each.EndPort)
			}
		}
		r.ports = append(r.ports, p)
	}
	return r
}

func newPeer(namespace string, from networkingv1.NetworkPolicyPeer, namespaces []*corev1.Namespace) peer {
	var p peer
	if from.IPBlock != nil {
		block, err := netip.ParsePrefix(from.IPBlock.CIDR)
		if err != nil {
			return p
		}
		p.block = block.Masked()
		for _, text := range from.IPBlock.Except {
			if except, err := netip.ParsePrefix(text); err == nil {
				p.except = append(p.except, except.Masked())
			}
		}
		return p
	}
	pods := labels.Everything()
	if from.PodSelector != nil {
		selector, err := metav1.LabelSelectorAsSelector(from.PodSelector)
		if err != nil {
			return p
		}
		pods = selector
	}
	p.pods, p.namespaces = pods, map[string]bool{namespace: true}
	if from.NamespaceSelector != nil {
		p.namespaces = map[string]bool{}
		selector, err := metav1.LabelSelectorAsSelector(from.NamespaceSelector)
		if err != nil {
			return p
		}
		for _, each := range namespaces {
			if selector.Matches(labels.Set(each.Labels)) {
				p.namespaces[each.Name] = true
			}
		}
	}
	return p
}

// Allows decides on the first packet of a connection. It is asked at the node of
// the source for egress, and at that of the destination for ingress.
func (s *Set) Allows(f network.Flow) bool {
	source, destination := s.pods[f.Source.Addr()], s.pods[f.Destination.Addr()]
	switch {
	case f.Source.Addr() == f.Destination.Addr(): // a Pod may always talk to itself
		return true
	case !f.Ingress:
		return source == nil || len(source.egress) == 0 ||
			allowed(source.egress, func(c *compiled) []rule { return c.egress }, f.Destination.Addr(), destination, f, destination)
	case destination == nil || len(destination.ingress) == 0:
		return true
	}
	if node, is := s.nodes[f.Source.Addr()]; is && node == destination.node {
		return true
	}
	return allowed(destination.ingress, func(c *compiled) []rule { return c.ingress }, f.Source.Addr(), source, f, destination)
}

// allowed says whether any rule of the policies has the other end and the port.
func allowed(policies []*compiled, rules func(*compiled) []rule, other netip.Addr, otherPod *pod, f network.Flow, destination *pod) bool {
	return slices.ContainsFunc(policies, func(c *compiled) bool {
		return slices.ContainsFunc(rules(c), func(r rule) bool {
			return (len(r.peers) == 0 || slices.ContainsFunc(r.peers, func(p peer) bool { return p.has(other, otherPod) })) &&
				(len(r.ports) == 0 || slices.ContainsFunc(r.ports, func(p port) bool { return p.has(f, destination) }))
		})
	})
}

func (p peer) has(address netip.Addr, of *pod) bool {
	if p.block.IsValid() {
		return p.block.Contains(address) &&
			!slices.ContainsFunc(p.except, func(e netip.Prefix) bool { return e.Contains(address) })
	}
	return of != nil && p.pods != nil && p.namespaces[of.namespace] && p.pods.Matches(of.labels)
}

func (p port) has(f network.Flow, destination *pod) bool {
	if !strings.EqualFold(p.protocol, f.Protocol) {
		return false
	}
	number := f.Destination.Port()
	if p.name != "" {
		return destination != nil && slices.ContainsFunc(destination.ports, func(c corev1.ContainerPort) bool {
			protocol := string(c.Protocol)
			if protocol == "" {
				protocol = "tcp"
			}
			return c.Name == p.name && strings.EqualFold(protocol, p.protocol) && uint16(c.ContainerPort) == number
		})
	}
	return p.first == 0 || p.first <= number && number <= p.last
}
