package path

import (
	"fmt"
	"slices"
	"strings"

	"svctour/model"
	"svctour/model/endpoints"
	"svctour/model/policy"
)

// denied is the end of a packet that NetworkPolicies do not let pass. Those of
// its client are asked with the destination that the client's node gives it,
// those of its destination with the source that arrives there (package policy).
func (q *query) denied(o *Outcome) (End, bool) {
	if len(q.snapshot.Policies) == 0 {
		return End{}, false
	}
	d := o.Destination
	to := policy.End{Address: endpoints.ParseAddr(d.IP), Pod: q.podNamed(d.Pod)}
	if to.Pod == nil {
		to.Node = q.nodeOf(to.Address)
	} else if to.Pod.HostNetwork {
		to.Node = to.Pod.Node
	}
	set := q.policies(to.Pod)
	c := policy.Connection{Source: q.sender(), Destination: to, Protocol: q.protocol(), Port: d.Port}
	if q.fromPodNetwork() {
		out := c
		if q.deciding != q.node { // another node translates it
			out.Destination, out.Port = policy.End{Address: q.address, Node: q.deciding}, int32(q.number)
		}
		if v := set.Egress(&out); !v.Passes() {
			return q.shut(o, policy.Egress, q.node, q.client.Key(), v, false), true
		}
	}
	c.Source = q.arriving(o)
	if v := set.Ingress(&c); !v.Passes() {
		unknown := c.Source.Pod == nil && c.Source.Node == "" && !c.Source.Address.IsValid()
		return q.shut(o, policy.Ingress, d.Node, d.Pod, v, unknown), true
	}
	return End{}, false
}

// policies are those of the namespaces of the client and of a destination.
func (q *query) policies(to *model.Pod) *policy.Set {
	var namespaces [2]string
	if q.client != nil {
		namespaces[0] = q.client.Namespace
	}
	if to != nil {
		namespaces[1] = to.Namespace
	}
	if set := q.sets[namespaces]; set != nil {
		return set
	}
	list := slices.DeleteFunc(slices.Clone(q.snapshot.Policies), func(p *model.NetworkPolicy) bool { return !slices.Contains(namespaces[:], p.Namespace) })
	set := policy.New(list, q.snapshot.Namespaces)
	if q.sets == nil {
		q.sets = map[[2]string]*policy.Set{}
	}
	q.sets[namespaces] = set
	return set
}

// sender is the client, as policies see it.
func (q *query) sender() policy.End {
	source := policy.End{Address: q.flow.Source}
	switch {
	case q.fromPodNetwork():
		source.Pod = q.client
	case !q.outside:
		source.Node = q.node
	}
	return source
}

// arriving is who a packet comes from where its destination's node decides: a
// node's own address is taken for its source only when it leaves that node.
func (q *query) arriving(o *Outcome) policy.End {
	from := ""
	switch {
	case o.Masquerade && o.Destination.Node != q.deciding:
		from = q.deciding
	case q.deciding != q.node && q.fromPodNetwork():
		from = q.node
	default:
		return q.sender()
	}
	source := policy.End{Node: from}
	if addresses := NodeAddresses(q.snapshot, from, FamilyOf(endpoints.ParseAddr(o.Destination.IP))); len(addresses) > 0 {
		source.Address = addresses[0]
	}
	return source
}

// shut ends an outcome where the policies of one side do.
func (q *query) shut(o *Outcome, direction policy.Direction, node, pod string, v policy.Verdict, unknown bool) End {
	end := End{Kind: EndDenied, Node: node, Pod: pod, Direction: direction.String(), Evidence: policy.Enforced(q.snapshot, node)}
	for _, p := range v.Policies {
		end.Policies = append(end.Policies, p.Key())
	}
	noun, side := "NetworkPolicy", "in"
	if len(end.Policies) > 1 {
		noun = "NetworkPolicies"
	}
	if direction == policy.Egress {
		side = "out"
	}
	end.What = fmt.Sprintf("no rule of %s %s lets it %s", noun, strings.Join(end.Policies, ", "), side)
	if end.Evidence == model.Unknown {
		end.What += ", if the network plugin obeys them"
	}
	if unknown {
		end.Evidence = model.Unknown
	}
	o.cut(q, direction)
	o.Hops = append(o.Hops, Hop{Node: node, Hook: "FORWARD", Action: HopDrop, What: "dropped: " + end.What, Chance: 1, Evidence: end.Evidence, Sofar: o.Probability})
	return end
}

// cut takes off an outcome what comes after the policies of one side: they
// stand where netfilter forwards, before a source is rewritten.
func (o *Outcome) cut(q *query, direction policy.Direction) {
	egress := direction == policy.Egress
	translated := o.Verdict != DNAT || egress && q.deciding != q.node
	for i := range o.Hops {
		h := &o.Hops[i]
		beyond := h.Action == HopArrive || h.Action == HopReply || egress && (h.Hook == "POSTROUTING" || h.Node != q.node)
		if translated && beyond {
			o.Hops = o.Hops[:i:i]
			break
		}
		translated = translated || h.Action == HopDNAT
	}
	if egress {
		o.Masquerade = false
	}
	if egress || o.Destination.Node == q.node {
		o.Conntrack = nil // an entry is kept when its first packet leaves the node
	}
}
