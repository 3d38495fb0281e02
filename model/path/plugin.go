package path

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"svctour/model"
	"svctour/model/endpoints"
)

// pluginHop is what the network plugin does to a Pod's packet that leaves the
// Pods' network, for another node's own address or a machine outside: it takes
// the first node's address for its source, because machines there need not know
// a way back to Pods. kindnet (cmd/kindnetd/masq.go), flannel (--ip-masq) and Calico
// (natOutgoing) do, and so does the lab's network; those of clouds mostly do
// not within their network (Amazon VPC CNI, "SNAT for Pods"). No API object
// tells: where the plugin is not known, this is an assumption.
func (q *query) pluginHop() *Hop {
	hop := &Hop{Node: q.node, Hook: "POSTROUTING", Action: HopMasquerade, What: "network plugin: source becomes node's address", Chance: 1, Evidence: model.Derived}
	if !q.pluginKnown() {
		hop.What, hop.Evidence = "network plugin (assumed): source becomes node's address", model.Unknown
	}
	return hop
}

// pluginKnown says whether the first node's plugin is one that always does this.
func (q *query) pluginKnown() bool {
	if node := q.snapshot.Node(q.node); node != nil && node.Labels["node.kubernetes.io/instance-type"] == "svctour-lab" {
		return true
	}
	return slices.ContainsFunc(q.snapshot.PodsIn("kube-system"), func(p *model.Pod) bool {
		return p.Node == q.node && p.Labels["app"] == "kindnet"
	})
}

// fromPodNetwork says whether the packet's source is a Pod's own address.
func (q *query) fromPodNetwork() bool { return q.client != nil && !q.client.HostNetwork }

// leaving makes locate tell what the plugin does on the way to a place.
func (q *query) leaving(locate Locate) Locate {
	if !q.fromPodNetwork() {
		return locate
	}
	hop := q.pluginHop()
	return func(to netip.AddrPort) Place {
		place := locate(to)
		if q.outsidePods(to.Addr(), place) {
			place.Plugin = hop
		}
		return place
	}
}

// outsidePods says whether an address is neither in the Pods' network nor the
// first node's own.
func (q *query) outsidePods(ip netip.Addr, place Place) bool {
	if q.snapshot.PodByIP(ip.String()) != nil {
		return false
	}
	if node := q.nodeOf(ip); node != "" {
		return node != q.node
	}
	if place.Pod != "" {
		return false
	}
	within := func(cidr string) bool { return parsePrefix(strings.TrimSpace(cidr)).Contains(ip) }
	return !slices.ContainsFunc(q.snapshot.Proxy.ClusterCIDRs, within) &&
		!slices.ContainsFunc(q.snapshot.Nodes, func(n *model.Node) bool { return slices.ContainsFunc(n.PodCIDRs, within) })
}

// onward takes a packet that its first node leaves as it is to the rules of the
// node that it is addressed to.
func (q *query) onward(other string, services []*model.Service, locate Locate) {
	first := q.trace.Outcomes[0].Hops
	first = append(first[:len(first)-1:len(first)-1], Hop{
		Node: q.node, Hook: first[len(first)-1].Hook, Action: HopRoute, What: "no rule here changes it: route to " + other, Chance: 1, Evidence: model.Derived,
	})
	q.deciding = other
	program := compileMode(q.trace.Mode, q.snapshot, other, FamilyOf(q.address), services)
	arriving := q.flow
	arriving.Local, arriving.Interface = false, ""
	if q.fromPodNetwork() {
		hop := q.pluginHop()
		first = append(first, *hop)
		if hop.Evidence == model.Unknown {
			q.ifKept = q.follow(program, arriving, locate)
		}
		arriving.Source = netip.Addr{}
		if addresses := NodeAddresses(q.snapshot, q.node, FamilyOf(q.address)); len(addresses) > 0 {
			arriving.Source = addresses[0]
		}
	} else {
		q.note("Whether the network between the nodes changes the source address on the way to %s is not known.", other)
	}
	q.trace.Outcomes = q.follow(program, arriving, locate)
	for i := range q.trace.Outcomes {
		o := &q.trace.Outcomes[i]
		o.Hops = append(first[:len(first):len(first)], o.Hops...)
		if o.Verdict == DNAT && q.fromPodNetwork() {
			o.Masquerade = o.Masquerade || first[len(first)-1].Evidence != model.Unknown
			o.Hops = append(o.Hops, Hop{
				Node: q.node, Hook: "POSTROUTING", Action: HopReply, What: "reply: conntrack sends it on to the client's own address", Chance: 1, Evidence: first[len(first)-1].Evidence,
			})
		}
	}
}

// remarkPlugin says that the plugin's part is an assumption, and what is
// otherwise if it does not hold.
func (q *query) remarkPlugin() {
	assumed := slices.ContainsFunc(q.trace.Outcomes, func(o Outcome) bool {
		return slices.ContainsFunc(o.Hops, func(h Hop) bool { return h.Action == HopMasquerade && h.Evidence == model.Unknown })
	})
	if !assumed {
		return
	}
	text := fmt.Sprintf("That the network plugin gives the packet the address of node %s, because it leaves the Pods' network, is assumed: kindnet, flannel and Calico with natOutgoing do, those of clouds mostly do not.", q.node)
	if q.ifKept != nil && !slices.EqualFunc(q.ifKept, q.trace.Outcomes, sameEnd) {
		text += " With the Pod's own address the outcome is another: " + inShort(q.ifKept) + "."
	}
	q.note("%s", text)
}

// sameEnd says whether two outcomes end alike, whatever their source becomes.
func sameEnd(a, b Outcome) bool {
	return a.Verdict == b.Verdict && a.Probability == b.Probability &&
		(a.Destination == nil && b.Destination == nil || a.Destination != nil && b.Destination != nil && *a.Destination == *b.Destination)
}

// inShort tells outcomes in a few words.
func inShort(outcomes []Outcome) string {
	if first := outcomes[0]; first.Verdict != DNAT {
		return map[Verdict]string{
			Reject: "it is refused", Drop: "it is dropped", None: "no rule changes it",
		}[first.Verdict]
	}
	var to []string
	for _, o := range outcomes {
		if o.Destination != nil {
			to = append(to, netip.AddrPortFrom(endpoints.ParseAddr(o.Destination.IP), uint16(o.Destination.Port)).String())
		}
	}
	if len(to) > 3 {
		return fmt.Sprintf("DNAT to one of %d endpoints", len(to))
	}
	return "DNAT to " + strings.Join(to, " or ")
}
