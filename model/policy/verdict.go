package policy

import (
	"net/netip"

	"svctour/model"
)

// Connection is what policies decide about, by its first packet.
type Connection struct {
	Source, Destination End
	Protocol            string // TCP, UDP, SCTP, or another
	Port                int32  // of the destination; 0 for a protocol without ports
}

// End is one end of a connection.
type End struct {
	Address netip.Addr
	// Pod has the address; nil if none has. A Pod of the host's network may stand
	// here: for policies it is its node.
	Pod *model.Pod
	// Node is the name of the node that the address is of, "" if it is a Pod's or
	// of neither.
	Node string
}

// Reason is why a connection may or may not pass.
type Reason string

const (
	// Open: no policy isolates the Pod in this direction, or the end is no Pod.
	Open Reason = "open"
	// Itself: a Pod cannot shut itself off from itself.
	Itself Reason = "itself"
	// OwnNode: what a Pod's own node sends it is always let in, or the kubelet
	// could not probe it.
	OwnNode Reason = "own node"
	// Allowed: a rule allows the connection.
	Allowed Reason = "allowed"
	// Denied: policies isolate the Pod, and none of their rules allows it.
	Denied Reason = "denied"
)

// Verdict is what the policies of one direction say.
type Verdict struct {
	Reason Reason
	// Policies isolate the Pod in this direction; none if it is open.
	Policies []*Policy
	// Rule is the first that allows the connection, with Reason Allowed.
	Rule *Rule
}

// Passes says whether this direction lets the connection through
// (networking/v1 NetworkPolicySpec).
func (v Verdict) Passes() bool { return v.Reason != Denied }

// Egress says whether the policies of a connection's source let it out
// (networking/v1 NetworkPolicySpec.egress).
func (s *Set) Egress(c *Connection) Verdict {
	return judge(s.Isolating(c.Source.Pod, Egress), Egress, c)
}

// Ingress says whether the policies of a connection's destination let it in
// (networking/v1 NetworkPolicySpec.ingress).
func (s *Set) Ingress(c *Connection) Verdict {
	return judge(s.Isolating(c.Destination.Pod, Ingress), Ingress, c)
}

// judge decides by the policies that isolate one end. For what passes without a
// rule see https://kubernetes.io/docs/concepts/services-networking/network-policies/ (a
// Pod cannot block access to itself) and networking/v1 NetworkPolicySpec.ingress
// (or if the traffic source is the pod's local node).
func judge(policies []*Policy, d Direction, c *Connection) Verdict {
	if len(policies) == 0 {
		return Verdict{Reason: Open}
	}
	other := c.Destination
	if d == Ingress {
		other = c.Source
	}
	switch {
	case c.Source.Pod != nil && c.Source.Pod == c.Destination.Pod:
		return Verdict{Reason: Itself, Policies: policies}
	case d == Ingress && other.Node != "" && other.Node == c.Destination.Pod.Node:
		return Verdict{Reason: OwnNode, Policies: policies}
	}
	for _, p := range policies {
		for _, r := range p.rules[d] {
			if r.AllowsPort(c.Destination.Pod, c.Protocol, c.Port) && r.AllowsPeer(other) {
				return Verdict{Reason: Allowed, Policies: policies, Rule: r}
			}
		}
	}
	return Verdict{Reason: Denied, Policies: policies}
}
