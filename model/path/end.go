package path

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"svctour/model"
	"svctour/model/endpoints"
)

// EndKind is how a packet's way ends.
type EndKind string

const (
	EndArrives    EndKind = "arrives"    // at the Pod or the node that it goes to, where something is said to listen, or nothing is said of it
	EndRejected   EndKind = "rejected"   // a rule answers with an ICMP error: "connection refused"
	EndDropped    EndKind = "dropped"    // a rule discards it: the client times out
	EndDenied     EndKind = "denied"     // NetworkPolicies let it not pass: the client times out, or is refused, as the network plugin likes
	EndNoName     EndKind = "nxdomain"   // DNS has no such name: no packet is sent
	EndNoData     EndKind = "nodata"     // DNS has the name, but no address for it: no packet is sent
	EndUnresolved EndKind = "unresolved" // the look-up fails otherwise, or its answer is not known: no packet is followed
	EndClosed     EndKind = "closed"     // the Pod or node that it reaches refuses it: nothing is known to listen on the port
	EndOutside    EndKind = "outside"    // it leaves the cluster, or never enters it: what lies there is not known
	EndLost       EndKind = "lost"       // it cannot be sent, or no machine has the address: the client times out
)

// End is where and how a packet's way ends: each Outcome has exactly one. The
// rule of a rejected or a dropped packet is that of the last hop.
type End struct {
	Kind EndKind `json:"kind"`
	// Node is where: whose rule or network plugin ends it, or where the Pod is.
	// "" outside the cluster, or when it is not known.
	Node string `json:"node,omitempty"`
	// Pod is the Pod that it reaches or that refuses it, or, when it is denied,
	// the one that the policies isolate: "namespace/name".
	Pod string `json:"pod,omitempty"`
	// Name is what DNS was asked for, of a look-up that fails, or the name outside
	// the cluster; with the final dot.
	Name string `json:"name,omitempty"`
	// Direction and Policies say of a denied packet which side is isolated,
	// "Ingress" or "Egress", and by which NetworkPolicies, "namespace/name".
	Direction string         `json:"direction,omitempty"`
	Policies  []string       `json:"policies,omitempty"`
	What      string         `json:"what"` // in words, without the place
	Evidence  model.Evidence `json:"evidence"`
}

// conclude gives every outcome its end.
func (q *query) conclude() {
	for i := range q.trace.Outcomes {
		if o := &q.trace.Outcomes[i]; o.End.Kind == "" {
			o.End = q.endOf(o)
		}
	}
}

// endOf finds the end of a packet that was sent.
func (q *query) endOf(o *Outcome) End {
	last := &o.Hops[len(o.Hops)-1]
	switch {
	case o.Verdict == Reject:
		return End{Kind: EndRejected, Node: last.Node, What: "refused by a rule", Evidence: last.Evidence}
	case o.Verdict == Drop:
		return End{Kind: EndDropped, Node: last.Node, What: "dropped by a rule", Evidence: last.Evidence}
	case q.fromPodNetwork() && !q.flow.Source.IsValid() && q.address.IsValid():
		return End{Kind: EndLost, Node: q.node, Pod: q.client.Key(), What: "the Pod has no address of this family to send from", Evidence: model.Derived}
	case o.Destination != nil:
		if end, denied := q.denied(o); denied {
			return end
		}
		return q.reached(o)
	case last.Action == HopEnd:
		return End{Kind: EndLost, Node: last.Node, What: last.What, Evidence: last.Evidence}
	case last.Action == HopDeliver:
		return q.atNode(last.Node, int32(q.number))
	case q.outside && q.snapshot.PodByIP(q.address.String()) != nil:
		return End{Kind: EndLost, What: "networks outside the cluster mostly do not know the Pods' addresses", Evidence: model.Unknown}
	case q.isClusterIP() || q.inServiceRange(q.address):
		return End{Kind: EndLost, Node: last.Node, What: "no rule takes it, and no machine has the address: nothing answers", Evidence: model.Derived}
	}
	return End{Kind: EndOutside, What: "nothing in the cluster is known to have the address", Evidence: model.Unknown}
}

// inServiceRange says whether an address can be nothing but a cluster IP.
func (q *query) inServiceRange(ip netip.Addr) bool {
	return slices.ContainsFunc(q.snapshot.ServiceCIDRs, func(cidr string) bool { return parsePrefix(strings.TrimSpace(cidr)).Contains(ip) })
}

// reached is the end of a packet that no policy keeps from its destination.
func (q *query) reached(o *Outcome) End {
	d := o.Destination
	ip := endpoints.ParseAddr(d.IP)
	switch {
	case d.Pod != "" && o.Verdict == DNAT:
		return q.doubted(arrives(d), q.podNamed(d.Pod), d.Port)
	case d.Pod != "":
		return q.knock(o)
	}
	if node := q.nodeOf(ip); node != "" {
		return q.atNode(node, d.Port)
	}
	if q.outsidePods(ip, Place{Node: d.Node}) {
		return End{Kind: EndOutside, What: "the address is outside of the cluster", Evidence: model.Unknown}
	}
	if _, unread := q.snapshot.Sync.Missing["pods"]; unread {
		return End{Kind: EndArrives, Node: d.Node, What: "arrives", Evidence: model.Unknown}
	}
	return End{Kind: EndLost, Node: d.Node, What: "no Pod is known to have the address", Evidence: model.Derived}
}

func arrives(d *Destination) End {
	return End{Kind: EndArrives, Node: d.Node, Pod: d.Pod, What: "arrives", Evidence: model.Derived}
}

// doubted is an end on a port that a Service chose and the Pod does not declare,
// though it declares others: whether anything listens there is not known.
func (q *query) doubted(end End, pod *model.Pod, port int32) End {
	if pod != nil && port != 0 && undeclared(pod, port, q.protocol()) {
		end.What += fmt.Sprintf("; its containers declare other ports than %d, and whether anything listens there is not known", port)
		end.Evidence = model.Unknown
	}
	return end
}

// atNode is the end of a packet that is delivered to a node itself: kube-proxy
// answers load balancers' health checks (pkg/proxy/healthcheck), a Pod in the
// node's network what it declares. What else listens there no object tells.
func (q *query) atNode(node string, port int32) End {
	if q.service != nil && q.service.HealthCheckNodePort != 0 && q.service.HealthCheckNodePort == port {
		return End{Kind: EndArrives, Node: node, What: "arrives at kube-proxy", Evidence: model.Derived}
	}
	for _, pod := range q.snapshot.Pods {
		if pod.Node == node && pod.HostNetwork && !pod.Ended() && declaresPort(pod, port, q.protocol()) {
			return End{Kind: EndArrives, Node: node, Pod: pod.Key(), What: "arrives", Evidence: model.Derived}
		}
	}
	return End{Kind: EndClosed, Node: node, What: fmt.Sprintf("refused by the node itself: nothing is known to listen on %d", port), Evidence: model.Unknown}
}

// protocol is the packet's, as objects write it.
func (q *query) protocol() string { return strings.ToUpper(q.flow.Protocol) }

// knock is the end of a packet that reaches a Pod on the port that was asked
// for, which no rule changed; a hop tells when the Pod refuses it.
func (q *query) knock(o *Outcome) End {
	d := o.Destination
	end, pod := arrives(d), q.podNamed(d.Pod)
	said := q.claims(pod, d)
	running := pod == nil || !stopped(pod)
	if running && said.have(d.Port) || d.Port == 0 {
		return q.doubted(end, pod, d.Port)
	}
	end.Kind = EndClosed
	end.What = fmt.Sprintf("refused by the Pod itself: nothing is known to listen on %d", d.Port)
	switch all := said.text(); {
	case !running:
		end.What = "refused by the Pod itself: none of its containers runs"
	case all != "":
		end.What += "; " + all
	}
	loopback := endpoints.ParseAddr(d.IP).IsLoopback() // what is for the Pod alone is seldom declared
	if running && (loopback || pod == nil || pod.HostNetwork || len(said.declared) == 0) {
		end.Evidence = model.Unknown // programs listen on ports that nothing declares
	}
	if last := len(o.Hops) - 1; o.Hops[last].Action == HopReply {
		o.Hops = o.Hops[:last]
	}
	o.Hops = append(slices.Clip(o.Hops), Hop{Node: cmp.Or(d.Node, q.node), Action: HopEnd, What: end.What, Chance: 1, Evidence: end.Evidence, Sofar: o.Probability})
	return end
}
