package path

import (
	"fmt"
	"net/netip"
	"slices"

	"svctour/model"
)

// ipvsHook stands for IPVS in a hook's place for a table.
const ipvsHook = "ipvs"

// schedule is what IPVS does with a packet that reaches it: for one to a virtual
// server it takes a real server and rewrites the destination; true when the
// packet goes on.
//
// A packet that came from outside of the node leaves IPVS in OUTPUT, whose rules
// of type nat it does not meet because its destination was decided in
// PREROUTING; so FORWARD never sees it. One for a real server that is the node
// itself is delivered at once. Without any real server the client is sent an
// ICMP port unreachable, whatever the protocol (net/netfilter/ipvs/ip_vs_core.c,
// ip_vs_in and ip_vs_leave; ip_vs_xmit.c, ip_vs_nat_xmit and
// ip_vs_nat_send_or_cont).
//
// The shares are those of many connections: scheduler rr takes real servers in
// turn, not at random, and kube-proxy gives them the same weight.
func (w *walker) schedule(k *walk) bool {
	v := w.program.server(k.Destination, w.flow.Protocol)
	if v == nil || k.Server != nil {
		w.passed(k)
		return true
	}
	k.Server = v
	if len(v.Real) == 0 {
		w.serverHop(k, v.String(), HopReject, "reject: no real server, and IPVS refuses the client", 1)
		w.finish(k, Reject)
		return false
	}
	real := v.Real
	if v.Timeout > 0 && w.flow.Sticky != "" {
		if i := slices.IndexFunc(real, func(a netip.AddrPort) bool { return a.String() == w.flow.Sticky }); i >= 0 {
			real = real[i : i+1]
		}
	}
	k.chance /= float64(len(real))
	for i := len(real) - 1; i > 0 && w.steps <= maxSteps; i-- {
		w.steps++
		other := k.branch()
		w.deliver(other, real[i], len(real))
		w.pending = append(w.pending, other)
	}
	w.deliver(k, real[0], len(real))
	return true
}

// deliver sends a packet to one of n real servers.
func (w *walker) deliver(k *walk, real netip.AddrPort, n int) {
	k.Destination, k.DNAT = real, true
	w.serverHop(k, realServer(real, 1), HopDNAT, "DNAT to "+real.String()+": IPVS, "+k.Server.Scheduler, 1/float64(n))
	w.route(k)
	if k.at.point == "INPUT" {
		k.hooks = nil
		if !w.program.isLocal(real.Addr()) {
			k.hooks = append([]hook{{"OUTPUT", "filter", "OUTPUT"}}, w.hooks("POSTROUTING")...)
		}
	}
}

func (w *walker) serverHop(k *walk, rule string, did HopAction, what string, chance float64) {
	hop := Hop{
		Node: w.program.Node, Hook: k.at.point, Table: ipvsHook, Chain: k.Server.name(),
		Rule: rule, Action: did, What: what, Chance: chance, Evidence: model.Derived,
	}
	if did == HopDNAT {
		hop.To = k.Destination.String()
	}
	w.add(k, hop)
}

// server finds the virtual server for a destination; nil when there is none.
func (p *Program) server(to netip.AddrPort, protocol string) *VirtualServer {
	if p.Servers == nil {
		return nil
	}
	if e := p.Servers.Find(Key{Address: to.Addr(), Protocol: protocol, Port: to.Port()}); e != nil {
		return e.Server
	}
	return nil
}

// dummy says why a packet to a Service is delivered to the node that it meets first.
func (w *walker) dummy(k *walk) {
	if to := k.Destination.Addr(); w.program.bound(to) {
		w.add(k, Hop{
			Node: w.program.Node, Hook: "INPUT", Action: HopDeliver, What: fmt.Sprintf("deliver to this node itself: %s is on its device kube-ipvs0", to),
			Chance: 1, Evidence: model.Derived,
		})
	}
}
