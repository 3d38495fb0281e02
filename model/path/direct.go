package path

import (
	"net/netip"
	"slices"

	"svctour/model"
	"svctour/model/endpoints"
)

// stays says whether the packet never leaves its client: a Pod has a loopback
// device and addresses of its own, and what is sent to them passes no rule of
// its node (pod_namespaces: https://kubernetes.io/docs/concepts/workloads/pods/#pod-networking).
func (q *query) stays() bool {
	return q.fromPodNetwork() && (q.address.IsLoopback() ||
		slices.ContainsFunc(q.client.IPs, func(text string) bool { return endpoints.ParseAddr(text) == q.address }))
}

// inside is the outcome of a packet that stays in its Pod.
func (q *query) inside() Outcome {
	whose := "its own address"
	if q.address.IsLoopback() {
		whose = "its loopback address"
	}
	return Outcome{
		Probability: 1, Verdict: None,
		Destination: &Destination{IP: q.address.String(), Port: int32(q.number), Pod: q.client.Key(), Node: q.client.Node},
		Hops: []Hop{{
			Node: q.node, Action: HopArrive, What: "stays in Pod " + q.client.Key() + ": " + q.address.String() + " is " + whose + ", and no rule of any node sees it",
			Chance: 1, Evidence: model.Derived, Sofar: 1,
		}},
	}
}

// ownMachine is the outcome of a packet to the loopback address of a machine
// outside the cluster.
func (q *query) ownMachine() Outcome {
	return q.over(End{Kind: EndOutside, What: "the packet never enters the cluster: " + q.address.String() + " is the client's own machine", Evidence: model.Derived})
}

// over is the one outcome of a packet that no rule sees.
func (q *query) over(end End) Outcome {
	evidence := model.Derived // that it goes no further
	if end.Kind == EndUnresolved {
		evidence = end.Evidence
	}
	return Outcome{
		Probability: 1, Verdict: None, End: end,
		Hops: []Hop{{Node: end.Node, Action: HopEnd, What: end.What, Chance: 1, Evidence: evidence, Sofar: 1}},
	}
}

// walkEach sends a packet to each of the addresses that a name has. CoreDNS
// shuffles them with each answer (plugin/loadbalance), and a client begins with
// the first: each is as likely.
func (q *query) walkEach() {
	services, locate := q.concerned(), q.locate()
	program := compileMode(q.trace.Mode, q.snapshot, q.node, FamilyOf(q.address), services)
	share := 1 / float64(len(q.addresses))
	q.indexNodes()
	var all []Outcome
	for _, address := range q.addresses {
		q.address, q.deciding = address, q.node
		q.flow.Destination = netip.AddrPortFrom(address, q.number)
		var outcomes []Outcome
		if q.stays() {
			outcomes = []Outcome{q.inside()}
		} else {
			outcomes = q.pass(program, services, locate)
		}
		for _, o := range outcomes {
			o.End = q.endOf(&o)
			o.Probability *= share
			for i := range o.Hops {
				o.Hops[i].Sofar *= share
			}
			all = append(all, o)
		}
	}
	q.trace.Outcomes, q.address, q.deciding = all, q.addresses[0], q.node
	q.ifKept = nil // tells what one address would be otherwise
}

// pass sends the packet through the rules of its first node and, when it is
// addressed to another, through those of that one.
func (q *query) pass(program *Program, services []*model.Service, locate Locate) []Outcome {
	q.trace.Outcomes = q.follow(program, q.flow, q.leaving(locate))
	other := q.nodeOf(q.address)
	if other != "" && other != q.node && len(q.trace.Outcomes) == 1 && q.trace.Outcomes[0].Verdict == None {
		q.onward(other, services, locate)
	}
	for i := range q.trace.Outcomes {
		q.direct(&q.trace.Outcomes[i], locate)
	}
	return q.trace.Outcomes
}

// direct adds where a packet goes that no rule changes, when a Pod or an endpoint
// has its address: there, by the routes of the Pods' network.
func (q *query) direct(o *Outcome, locate Locate) {
	named := len(q.addresses) > 0 // the address is an endpoint's
	last := o.Hops[len(o.Hops)-1].Action
	if o.Verdict != None || q.outside || q.isClusterIP() || last != HopRoute && !(named && last == HopDeliver) {
		return
	}
	to := netip.AddrPortFrom(q.address, q.number)
	place := locate(to)
	if place.Pod == "" && (!named || last == HopDeliver) {
		return
	}
	o.Destination = &Destination{IP: q.address.String(), Port: int32(q.number), Pod: place.Pod, Node: place.Node}
	add := func(h Hop) {
		h.Chance, h.Sofar = 1, o.Probability
		o.Hops = append(slices.Clip(o.Hops), h)
	}
	if place.Pod == "" {
		if q.fromPodNetwork() && q.outsidePods(q.address, place) {
			hop := q.pluginHop()
			add(*hop)
			o.Masquerade = hop.Evidence != model.Unknown
		}
		return
	}
	where, on := place.Node, "FORWARD"
	if where == "" || where == q.node {
		where, on = q.node, "POSTROUTING"
	}
	if last == HopDeliver {
		on = "INPUT"
	}
	add(Hop{Node: where, Hook: on, Action: HopArrive, What: "arrives at Pod " + place.Pod + " at " + to.String() + ": nothing was translated", Evidence: model.Derived})
	add(Hop{Node: q.node, Hook: "POSTROUTING", Action: HopReply, What: "reply: straight from the Pod, and nothing is translated back", Evidence: model.Derived})
}
