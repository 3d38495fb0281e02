package network

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// resolveTimeout is how long the kernel asks for an address on a link before
// it gives up: three requests, one a second (mcast_solicit, retrans_time_ms).
const resolveTimeout = 3 * time.Second

// way is a packet in a node's router.
type way struct {
	*passage
	own       bool // sent by the node itself
	entry     *entry
	direction int
	fresh     bool // the connection's first packet: nat tables see it
}

// exit is where a packet leaves a router: a stack of the node, another node, or
// a host. With none of them it is lost.
type exit struct {
	stack *Stack
	node  *Node
	host  *host
	// What has no way answers with this ICMP code, after a delay.
	refused bool
	code    byte
	delay   time.Duration
}

// receive takes a packet that came by an interface: hook PREROUTING.
func (n *Node) receive(p *packet, in string) {
	p.in = in
	n.handle(p, false)
}

// send takes a packet of the node's own stack: hook OUTPUT.
func (n *Node) send(p *packet) {
	p.in = ""
	n.handle(p, true)
}

// handle does the packet's way with the node locked, and what leaves the node
// afterwards: no two nodes are ever locked at once.
func (n *Node) handle(p *packet, own bool) {
	n.mu.Lock()
	out, to := n.route(p, own)
	n.mu.Unlock()
	switch {
	case out == nil:
	case to.delay > 0:
		time.AfterFunc(to.delay, func() {
			if n.network.life.Err() == nil {
				to.delay = 0
				n.leave(out, to)
			}
		})
	default:
		n.leave(out, to)
	}
}

func (n *Node) leave(p *packet, to exit) {
	switch {
	case to.stack != nil:
		to.stack.deliver(p)
	case to.node != nil:
		to.node.receive(p, "eth0")
	case to.host != nil:
		to.host.stack.deliver(p)
	}
}

// exitFor is the routing decision.
func (n *Node) exitFor(to netip.Addr) exit {
	switch {
	case n.local(to):
		return exit{stack: n.stack}
	case n.Pods.Contains(to):
		if pod := n.pods[to]; pod != nil {
			return exit{stack: pod}
		}
		return exit{refused: true, code: icmpHostUnreach, delay: resolveTimeout}
	}
	return n.network.exitFor(to, n)
}

// route takes a packet through the hooks. It gives what leaves, which may be an
// answer to the packet, and where it goes.
func (n *Node) route(p *packet, own bool) (*packet, exit) {
	if p = n.fragments.whole(p, n.now()); p == nil {
		return nil, exit{}
	}
	w := &way{passage: &passage{node: n, packet: p, now: n.now()}, own: own}
	if !n.track(w) {
		return nil, exit{}
	}
	first, before := prerouting, filtering[prerouting]
	if own {
		first, before = output, beforeOutput
	}
	if decided := w.pass(before); decided != accept {
		return n.refuse(w, decided)
	}
	if w.fresh {
		if decided := w.pass(translating[first]); decided != accept {
			return n.refuse(w, decided)
		}
		if w.to.IsValid() {
			w.entry.tuples[reply].source = w.to
			w.entry.dnat = true
		}
	}
	w.translateDestination()
	to := n.exitFor(p.destination())
	if decided := n.admit(w, to); decided != accept {
		return n.refuse(w, decided)
	}
	if to.refused {
		return n.answer(w, to.code, to.delay)
	}
	if w.fresh && (own || to.stack != n.stack) {
		w.pass(translating[postrouting])
		if !w.masquerade && to.stack == nil && n.network.leavesCluster(w.packet) {
			n.left.add(w.packet)
			w.masquerade = true
		}
		if w.masquerade {
			source := n.Address
			if to.stack != nil && to.stack != n.stack {
				source = n.bridge
			}
			w.entry.tuples[reply].dest = netip.AddrPortFrom(source, n.port(w.entry.tuples[reply].dest.Port()))
		}
	}
	if own && to.stack == n.stack { // over the loopback device
		p.in = "lo"
		if decided := w.pass(filtering[input]); decided != accept {
			return n.refuse(w, decided)
		}
	}
	if w.fresh && !n.confirm(w.entry, w.now) {
		return nil, exit{}
	}
	w.translateSource()
	return p, to
}

// admit takes a packet through the filter and the policies.
func (n *Node) admit(w *way, to exit) verdict {
	hook := forward
	switch {
	case w.own:
		hook = output
	case to.stack == n.stack:
		hook = input
	}
	if hook == forward && !w.packet.hop() {
		return drop
	}
	if decided := w.pass(filtering[hook]); decided != accept || n.policy == nil || !w.fresh {
		return decided
	}
	flow := Flow{Source: w.entry.tuples[original].source, Destination: w.entry.tuples[reply].source, Protocol: w.Protocol}
	source, dest := flow.Source.Addr(), flow.Destination.Addr()
	if source == dest { // a Pod may always talk to itself
		return accept
	}
	if w.packet.in == "cni0" && !n.policy(flow) {
		return drop
	}
	flow.Ingress = true
	if to.stack != nil && to.stack != n.stack && !w.own && !n.local(source) && !n.policy(flow) {
		return drop
	}
	return accept
}

// refuse ends a packet that may not go on.
func (n *Node) refuse(w *way, decided verdict) (*packet, exit) {
	if decided == reject {
		return n.answer(w, icmpPortUnreach, 0)
	}
	return nil, exit{}
}

// answer is an ICMP error for a packet's sender, about the packet that it sent.
func (n *Node) answer(w *way, code byte, delay time.Duration) (*packet, exit) {
	if w.entry != nil {
		t := w.entry.tuples[w.direction]
		w.packet.setSource(t.source)
		w.packet.setDestination(t.dest)
	}
	from := n.Address
	switch {
	case w.packet.in == "cni0":
		from = n.bridge
	case w.own:
		from = w.packet.source()
	}
	out := errorAbout(w.packet, icmpUnreachable, code, from)
	if out == nil {
		return nil, exit{}
	}
	to := n.exitFor(out.destination())
	if to.refused {
		return nil, exit{}
	}
	to.delay = delay
	return out, to
}

// track finds or makes a packet's connection; false drops the packet.
func (n *Node) track(w *way) bool {
	now := w.now
	w.State, w.Protocol = "INVALID", protocolName(w.packet.protocol())
	w.tuple = tuple{protocol: w.packet.protocol(), source: netip.AddrPortFrom(w.packet.source(), 0), dest: netip.AddrPortFrom(w.packet.destination(), 0)}
	if w.packet.icmpError() {
		n.trackError(w)
		return true
	}
	t, ok := tupleOf(w.packet.data, w.packet.head)
	if !ok {
		return true
	}
	w.tuple = t
	e, direction := n.find(t, now)
	begins, may := first(w.packet)
	if e != nil && direction == original && begins == stateSynSent && e.state >= stateTimeWait {
		n.forget(e) // the same ports again
		e = nil
	}
	if e == nil {
		if !may {
			return true
		}
		e, direction = &entry{tuples: [2]tuple{t, t.reverse()}, state: begins, since: now}, original
		w.fresh = true
	}
	e.seen(w.packet, direction, now)
	w.entry, w.direction = e, direction
	w.State, w.DNAT = "NEW", e.dnat
	if e.replied {
		w.State = "ESTABLISHED"
	}
	return true
}

// trackError translates an ICMP error about a packet of a known connection, and
// the packet that it quotes, as the kernel's nf_nat_icmp_reply_translation.
func (n *Node) trackError(w *way) {
	quoted := w.packet.body()[8:]
	head := int(quoted[0]&15) * 4
	if quoted[0]>>4 != 4 || head < 20 || len(quoted) < head+8 {
		return
	}
	inner, ok := tupleOf(quoted, head)
	if !ok {
		return
	}
	e, direction := n.find(inner.reverse(), w.now)
	if e == nil {
		return
	}
	w.State = "RELATED"
	from, to := e.tuples[direction], e.tuples[1-direction]
	rewrite(quoted, head, 12, 0, to.source)
	rewrite(quoted, head, 16, 2, to.dest)
	binary.BigEndian.PutUint16(quoted[10:], 0)
	binary.BigEndian.PutUint16(quoted[10:], sum(quoted[:head]))
	w.packet.setDestination(to.source)
	if from.source != to.dest {
		w.packet.setSource(to.dest)
	}
	body := w.packet.body()
	binary.BigEndian.PutUint16(body[2:], 0)
	binary.BigEndian.PutUint16(body[2:], sum(body))
}

// wanted is what the packet's tuple becomes in this router.
func (w *way) wanted() tuple { return w.entry.tuples[1-w.direction].reverse() }

func (w *way) translateDestination() {
	if w.entry == nil {
		return
	}
	if to := w.wanted().dest; to != w.tuple.dest {
		w.packet.setDestination(to)
		w.tuple.dest = to
	}
}

func (w *way) translateSource() {
	if w.entry == nil {
		return
	}
	if from := w.wanted().source; from != w.tuple.source {
		w.packet.setSource(from)
		w.tuple.source = from
	}
}

// exitFor is who has an address on the nodes' network, as a node sees it. What
// is elsewhere leaves by the default route, and nothing there answers.
func (n *Network) exitFor(to netip.Addr, from *Node) exit {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if node := n.routes[to]; node != nil && node != from {
		return exit{node: node}
	}
	for _, node := range n.byPods {
		if node != from && (node.Address == to || node.Pods.Contains(to)) {
			return exit{node: node}
		}
	}
	if host := n.hosts[to]; host != nil {
		return exit{host: host}
	}
	if n.wire.Contains(to) {
		return exit{refused: true, code: icmpHostUnreach, delay: resolveTimeout}
	}
	return exit{host: n.gateway}
}
