package policy

import (
	"net/netip"
	"strconv"

	"svctour/model"
	"svctour/model/endpoints"
)

// Rule is one element of a policy's ingress or egress.
type Rule struct {
	*model.PolicyRule
	// Policy is whose rule it is, Index its place in spec.ingress or spec.egress.
	Policy *Policy
	Index  int

	set   *Set
	peers []peer
	ports []port
}

// peer is one element of from or to. One that names nothing, or nothing valid,
// is no peer at all.
type peer struct {
	source *model.PolicyPeer
	block  netip.Prefix // of an ipBlock that is valid
	except []netip.Prefix
}

type port struct {
	protocol    string
	name        string // of a port of the destination's containers
	first, last int32
}

// highest is the greatest port number.
const highest = 65535

func (s *Set) compile(p *Policy, source *[]model.PolicyRule) []*Rule {
	if source == nil {
		return nil
	}
	rules := make([]*Rule, len(*source))
	for i := range *source {
		from := &(*source)[i]
		r := &Rule{PolicyRule: from, Policy: p, Index: i, set: s}
		for j := range from.Peers {
			r.peers = append(r.peers, compilePeer(&from.Peers[j]))
		}
		for _, each := range from.Ports {
			r.ports = append(r.ports, compilePort(each))
		}
		rules[i] = r
	}
	return rules
}

func compilePeer(source *model.PolicyPeer) peer {
	p := peer{source: source, block: block(source.CIDR)}
	for _, text := range source.Except {
		if b := block(text); b.IsValid() {
			p.except = append(p.except, b)
		}
	}
	return p
}

// block reads a range as net.ParseCIDR does: an IPv4 range may be written as one
// of IPv6 (go.dev/src/net/ip.go).
func block(text string) netip.Prefix {
	b, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}
	}
	const mapped = 96 // bits of ::ffff:0:0
	if b.Addr().Is4In6() && b.Bits() >= mapped {
		b = netip.PrefixFrom(b.Addr().Unmap(), b.Bits()-mapped)
	}
	return b.Masked()
}

func compilePort(source model.PolicyPort) port {
	p := port{protocol: source.Protocol}
	number, err := strconv.ParseInt(source.Port, 10, 32)
	switch {
	case source.Port == "":
		p.last = highest
	case err != nil:
		p.name = source.Port
	default:
		p.first, p.last = int32(number), max(int32(number), source.End)
	}
	return p
}

// AllowsPort says whether the rule is about a port: the rule lists none, or one
// of this protocol that is without a number, has this number, holds it in its
// range up to endPort, or has the name that a container port of the destination
// gives to it (networking/v1 NetworkPolicyPort). A destination that is no Pod
// (nil) has no names. A protocol without ports, such as ICMP, is only allowed by
// a rule that lists no port.
func (r *Rule) AllowsPort(destination *model.Pod, protocol string, number int32) bool {
	if len(r.ports) == 0 {
		return true
	}
	for i := range r.ports {
		p := &r.ports[i]
		switch {
		case p.protocol != protocol:
		case p.name == "" && p.first <= number && number <= p.last:
			return true
		case p.name != "" && destination != nil && gives(destination, p, number):
			return true
		}
	}
	return false
}

// gives says whether a serving container declares a port of this name and number.
func gives(pod *model.Pod, p *port, number int32) bool {
	for d := range endpoints.ContainerPorts(pod) {
		if d.Port == number && d.Name == p.name && d.Protocol == p.protocol {
			return true
		}
	}
	return false
}

// AllowsPeer says whether the rule is about the other end of a connection: the
// rule lists no peer, or one that it is (networking/v1 NetworkPolicyPeer). An
// ipBlock is about every address, those of Pods too; selectors are about Pods
// with a network of their own.
func (r *Rule) AllowsPeer(e End) bool {
	if len(r.peers) == 0 {
		return true
	}
	for i := range r.peers {
		p := &r.peers[i]
		if p.source.CIDR != "" {
			if p.holds(e.Address) {
				return true
			}
		} else if e.Pod != nil && !e.Pod.HostNetwork && r.selects(p.source, e.Pod) {
			return true
		}
	}
	return false
}

// holds says whether an address is in the peer's ipBlock.
func (p *peer) holds(address netip.Addr) bool {
	if !p.block.IsValid() || !p.block.Contains(address) {
		return false
	}
	for _, except := range p.except {
		if except.Contains(address) {
			return false
		}
	}
	return true
}

// Selects says whether the selectors of one of the rule's peers match a Pod's
// labels and its namespace's; whether the Pod runs, or has a network of its own,
// does not matter here. Without a namespaceSelector a peer is of the policy's
// namespace; without a podSelector it is every Pod of the namespaces
// (networking/v1 NetworkPolicyPeer).
func (r *Rule) Selects(pod *model.Pod) bool {
	for i := range r.peers {
		if p := r.peers[i].source; p.CIDR == "" && r.selects(p, pod) {
			return true
		}
	}
	return false
}

func (r *Rule) selects(p *model.PolicyPeer, pod *model.Pod) bool {
	switch {
	case p.Pods == nil && p.Namespaces == nil:
		return false
	case p.Namespaces == nil && pod.Namespace != r.Policy.Namespace:
		return false
	case p.Namespaces != nil:
		labels, known := r.set.namespaces[pod.Namespace]
		if !known && !everything(p.Namespaces) || !endpoints.MatchesSelector(p.Namespaces, labels) {
			return false
		}
	}
	return p.Pods == nil || endpoints.MatchesSelector(p.Pods, pod.Labels)
}

func everything(s *model.LabelSelector) bool { return len(s.Labels) == 0 && len(s.Expressions) == 0 }
