package router

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"

	"svctour/model"
	"svctour/model/path"
)

// start asks which interface has the destination, and which hook sees the packet
// first.
func (b *builder) start() {
	first := &b.outcome.Hops[0]
	b.iface(first)
	t := b.at(Hook, first, "")
	t.Hook = ""
	t.Question = "Which netfilter hook sees this packet first?"
	t.Where = cmp.Or(first.Node, "the first node")
	local := b.trace.Packet.Local
	sender := "this packet comes from outside the node"
	switch {
	case local:
		sender = "this packet is sent by a process of the node"
	case b.trace.Client.Kind == model.ClientPod:
		sender = "this packet comes from a Pod, by an interface"
	}
	options := map[string]Option{
		"PREROUTING":  {Text: "PREROUTING: it comes in by an interface", Wrong: "PREROUTING sees what comes in by an interface: " + sender + "."},
		"OUTPUT":      {Text: "OUTPUT: a process of the node sends it", Wrong: "OUTPUT sees what processes of the node itself send: " + sender + "."},
		"INPUT":       {Text: "INPUT: it is for the node itself", Wrong: "INPUT comes later, after the routing decision, and only for what is delivered to the node itself."},
		"FORWARD":     {Text: "FORWARD: it is for another machine", Wrong: "FORWARD comes later, after the routing decision: " + sender + "."},
		"POSTROUTING": {Text: "POSTROUTING: it leaves the node", Wrong: "POSTROUTING is the last hook: there the source is rewritten."},
		"":            {Text: "None: it stays in its Pod", Effect: "no hook"},
	}
	right := options[first.Hook]
	right.Effect = cmp.Or(first.Hook, right.Effect)
	t.Why = fmt.Sprintf("%s is the first: %s.", first.Hook, sender)
	if first.Hook == "" {
		t.Why = "A Pod has a loopback device and addresses of its own: no rule of the node sees what it sends to itself."
		for name, o := range options {
			o.Wrong = "The node's hooks see only what leaves the Pod, and this packet does not."
			options[name] = o
		}
	}
	var others []Option
	for _, name := range []string{"PREROUTING", "OUTPUT", "INPUT", "FORWARD", "POSTROUTING"} {
		o := options[name]
		o.Effect = name
		others = append(others, o)
	}
	b.ask(t, right, others...)
}

// iface asks which interface has the destination, where that is known.
func (b *builder) iface(first *path.Hop) {
	to := b.sent.Addr()
	pod, node, svc := b.snapshot.PodByIP(to.String()), b.snapshot.NodeByIP(to.String()), b.owner(to)
	cluster := svc != nil && b.isClusterIP(svc, to)
	if pod == nil && node == nil && !cluster {
		return
	}
	const dummy = "kube-ipvs0"
	bound := b.trace.Mode == path.ModeIPVS && b.bound(first.Node, to)
	nowhere := Option{Text: "None of them", Effect: none, Wrong: "An interface has it, and the kernel knows it without any rule."}
	device := Option{Text: dummy + ", on every node", Effect: dummy, Wrong: "Only kube-proxy in ipvs mode makes " + dummy + ", and the node's runs in mode " + b.trace.Mode + "."}
	if b.trace.Mode == path.ModeIPVS {
		device.Wrong = "Only addresses of Services are on " + dummy + "."
	}
	t := b.at(Interface, first, "")
	t.Hook, t.Where = "", cmp.Or(first.Node, "the first node")
	t.Question = fmt.Sprintf("Which interface has the address %s?", to)
	var right Option
	switch {
	case bound:
		right = device
		t.Why = "In ipvs mode kube-proxy puts each Service's address on every node's kube-ipvs0: the packet is delivered there, to IPVS."
		nowhere.Wrong = t.Why
	case pod != nil:
		right = b.podInterface(pod, "")
		t.Why = fmt.Sprintf("It is the address of Pod %s.", b.short(pod.Key()))
	case node != nil:
		right = nodeInterface(node, to, "")
		t.Why = fmt.Sprintf("It is the address of node %s.", node.Name)
	default:
		right = nowhere
		t.Why = fmt.Sprintf("It is the ClusterIP of Service %s: no interface has it, only rules know it.", b.short(svc.Key()))
	}
	others := []Option{nowhere, device}
	if right.Effect != none {
		others[0], others[1] = device, nowhere
	}
	b.ask(t, right, append(b.interfaces(to), others...)...)
}

func (b *builder) isClusterIP(svc *model.Service, ip netip.Addr) bool {
	for _, text := range svc.ClusterIPs {
		if netAddr(text) == ip {
			return true
		}
	}
	return false
}

// bound says whether an address is on a node's device kube-ipvs0.
func (b *builder) bound(node string, ip netip.Addr) bool {
	for _, set := range b.program(node).IPSets {
		if strings.HasSuffix(set.Name, "IPVS-IPS") {
			return set.Find(path.Key{Address: ip}) != nil
		}
	}
	return false
}

func (b *builder) podInterface(pod *model.Pod, wrong string) Option {
	return Option{Text: "eth0 of Pod " + b.short(pod.Key()), Effect: "pod " + pod.Key(), Wrong: wrong}
}

func nodeInterface(node *model.Node, ip netip.Addr, wrong string) Option {
	return Option{Text: "an interface of node " + node.Name, Effect: "node " + node.Name, Wrong: wrong}
}

// interfaces are up to two machines that have other addresses.
func (b *builder) interfaces(not netip.Addr) []Option {
	var out []Option
	if d := b.outcome.Destination; d != nil && d.Pod != "" && netAddr(d.IP) != not {
		namespace, name, _ := strings.Cut(d.Pod, "/")
		if pod := b.snapshot.Pod(namespace, name); pod != nil && pod.IP() != "" {
			out = append(out, b.podInterface(pod, fmt.Sprintf("Pod %s has the address %s.", b.short(pod.Key()), pod.IP())))
		}
	}
	for _, node := range b.snapshot.Nodes {
		if ip := path.NodeAddresses(b.snapshot, node.Name, path.FamilyOf(not)); len(ip) > 0 && ip[0] != not && b.snapshot.NodeByIP(not.String()) != node && len(out) < 2 {
			out = append(out, nodeInterface(node, ip[0], fmt.Sprintf("Node %s has the address %s.", node.Name, ip[0])))
		}
	}
	if len(out) < 2 {
		for _, pod := range b.snapshot.Pods {
			if pod.IP() != "" && netAddr(pod.IP()) != not && !pod.HostNetwork && len(out) < 2 {
				out = append(out, b.podInterface(pod, fmt.Sprintf("Pod %s has the address %s.", b.short(pod.Key()), pod.IP())))
			}
		}
	}
	return out
}

// place asks where the packet goes once its destination is decided.
func (b *builder) place(h *path.Hop) {
	d := b.outcome.Destination
	if d == nil || d.Node == "" || b.node == "" {
		return
	}
	to := netAddr(d.IP)
	itself := b.judge().Local(&path.PacketInfo{Destination: netip.AddrPortFrom(to, uint16(d.Port))})
	what := "the endpoint"
	if d.Pod != "" {
		what = "Pod " + b.short(d.Pod)
	}
	t := b.at(Node, h, "")
	t.Node, t.Hook, t.Where = b.node, "", b.node+" · routing"
	t.Question = fmt.Sprintf("The destination is %s now. Where does %s send it?", b.packet.Destination, b.node)
	t.Why = fmt.Sprintf("%s has that address, on node %s.", what, d.Node)
	wrong := fmt.Sprintf("%s is %s's, on node %s.", to, what, d.Node)
	at := func(node string) Option {
		text := "To node " + node
		if node == b.node {
			text = "To a Pod on this node, " + node
		}
		return Option{Text: text, Effect: "to node " + node, Wrong: wrong}
	}
	right := at(d.Node)
	self := Option{Text: "To a process of this node itself (INPUT)", Effect: "to " + b.node + " itself", Wrong: fmt.Sprintf("%s is no address of %s: INPUT sees only what is for the node itself.", to, b.node)}
	others := []Option{self}
	if itself {
		right = self
		t.Why = fmt.Sprintf("%s is an address of %s itself: a process in the node's network has it.", to, b.node)
		wrong, others = t.Why, nil
	} else {
		others = append(others, at(b.node))
	}
	for _, node := range b.snapshot.Nodes {
		if node.Name != b.node && len(others) < 3 {
			others = append(others, at(node.Name))
		}
	}
	for i := range others {
		if others[i].Effect != self.Effect {
			others[i].Wrong = wrong
		}
	}
	others = append(others, Option{Text: "Out of the cluster, to the nodes' gateway", Effect: "outside", Wrong: wrong},
		Option{Text: "Back to its client", Effect: "back", Wrong: "Only the reply goes back: this packet is on its way to the endpoint."})
	b.ask(t, right, others...)
}

// reply asks where the reply is translated back.
func (b *builder) reply(h *path.Hop) {
	if b.back {
		return
	}
	b.back = true
	d := b.outcome.Destination
	if d == nil || h.Node == "" || h.Evidence == model.Unknown {
		return
	}
	t := b.at(Reply, h, "")
	t.Hook = ""
	t.Where = "the way back"
	t.Node = h.Node
	t.Packet = Packet{Source: netip.AddrPortFrom(netAddr(d.IP), uint16(d.Port)).String(), Destination: b.source(), Protocol: strings.ToUpper(b.packet.Protocol)}
	if b.masked != nil {
		t.Packet.Destination = b.masked.Node
	}
	t.Question = "The endpoint answers. Where is the source of its reply rewritten?"
	who := "conntrack"
	if b.served {
		who = "IPVS"
	}
	nowhere := Option{Text: "Nowhere: the client sees the endpoint's address", Effect: "nowhere", Wrong: fmt.Sprintf("The client sent to %s: from another address it would not take the answer.", b.sent)}
	on := func(node, wrong string) Option {
		return Option{Text: fmt.Sprintf("On node %s, by %s", node, who), Effect: "on " + node, Wrong: wrong}
	}
	right := on(h.Node, "")
	t.Why = fmt.Sprintf("Node %s rewrote the destination, and its %s remembers: it puts back the source %s.", h.Node, who, b.sent)
	wrong := "Only the node that rewrote the destination remembers it, and that is " + h.Node + "."
	if b.packet.DNAT {
		t.Packet.Mark = 0
	} else {
		right = nowhere
		t.Why = "Nothing was translated on the way, and so nothing is on the way back."
		wrong = "No rule changed the packet: there is nothing to put back."
	}
	others := []Option{}
	if !b.packet.DNAT {
		others = append(others, on(h.Node, wrong))
	}
	if d.Node != "" && d.Node != h.Node {
		others = append(others, on(d.Node, wrong))
	}
	others = append(others,
		Option{Text: "In the endpoint's Pod, before it sends", Effect: "in the Pod", Wrong: fmt.Sprintf("The Pod got a packet to its own address, and knows nothing of %s.", b.sent)},
		Option{Text: "In kube-proxy, which passes the reply on", Effect: "in kube-proxy", Wrong: "kube-proxy writes rules and no packet goes through it: the kernel carries them out."},
		nowhere)
	if !b.packet.DNAT {
		others[len(others)-3].Wrong = wrong
	}
	b.ask(t, right, others...)
}
