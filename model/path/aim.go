package path

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"svctour/model"
	"svctour/model/endpoints"
)

// aim finds the packet's destination and source.
func (q *query) aim() error {
	t := &q.target
	if q.service != nil {
		if err := q.choosePort(); err != nil {
			return err
		}
	}
	var err error
	switch {
	case q.unsent != nil, len(q.addresses) > 0:
		q.aimAtName()
	case t.Node != "":
		err = q.aimAtNode(t.Node)
	case t.Address.IsValid():
		q.address = t.Address
		if q.service != nil {
			q.enter()
		}
		err = q.aimAtAddress()
	default:
		err = q.aimAtService()
	}
	if err != nil {
		return err
	}
	protocol := t.Protocol
	if protocol == "" && q.port != nil {
		protocol = q.port.Protocol
	}
	if protocol == "" {
		protocol = "TCP"
	}
	q.flow.Protocol = strings.ToLower(protocol)
	q.flow.Destination = netip.AddrPortFrom(q.address, q.number)
	q.setSource()
	packet := &q.trace.Packet
	*packet = Packet{Host: packet.Host, Port: int32(q.number), Protocol: protocol, Node: q.node, Local: q.flow.Local, Interface: q.flow.Interface}
	if q.flow.Source.IsValid() {
		packet.Source = q.flow.Source.String()
	}
	if q.address.IsValid() && len(q.addresses) < 2 {
		packet.Destination = q.address.String()
	}
	return nil
}

// aimAtName takes the port as the client gives it, for nothing maps it; when it
// gives none, that of the Service's first port.
func (q *query) aimAtName() {
	q.number = uint16(q.target.number())
	if q.number == 0 && q.port != nil {
		q.number = uint16(q.port.Port)
	}
	if len(q.addresses) > 0 {
		q.address = q.addresses[0]
	}
}

// choosePort finds the Service port that the target names; the first when it
// names none. A number that the Service does not have stays without a port:
// that packet is worth tracing too.
func (q *query) choosePort() error {
	if q.port != nil {
		return nil
	}
	t, ports := &q.target, q.service.Ports
	atNode := t.Node != "" || t.Address.IsValid() && q.nodeOf(t.Address) != ""
	if atNode && t.Port != "" && t.number() == 0 {
		return fmt.Errorf("target %q: port %q of a node: want a number", q.request.Target, t.Port)
	}
	if !atNode {
		q.port = t.portOf(q.service)
	}
	if q.port != nil {
		if t.Port == "" && len(ports) > 1 {
			q.note("%s has %s; this is %s.", q.service.Name, portList(ports), portText(q.port))
		}
		return nil
	}
	switch {
	case atNode:
	case t.Port != "" && t.number() == 0:
		return fmt.Errorf("target %q: Service %s has no port named %q; it has %s", q.request.Target, q.service.Key(), t.Port, portList(ports))
	case t.Port == "" && len(ports) > 0:
		return fmt.Errorf("target %q: Service %s has no %s port; it has %s", q.request.Target, q.service.Key(), t.Protocol, portList(ports))
	}
	return nil
}

func portText(p *model.ServicePort) string {
	text := strconv.Itoa(int(p.Port))
	if p.Protocol != "TCP" && p.Protocol != "" {
		text += "/" + p.Protocol
	}
	if p.Name != "" {
		text += " (" + p.Name + ")"
	}
	return text
}

func portList(ports []model.ServicePort) string {
	if len(ports) == 0 {
		return "no ports"
	}
	texts := make([]string, len(ports))
	for i := range ports {
		texts[i] = portText(&ports[i])
	}
	if len(ports) == 1 {
		return "port " + texts[0]
	}
	return "ports " + strings.Join(texts, ", ")
}

func (q *query) aimAtNode(name string) error {
	if len(q.snapshot.Nodes) > 0 && q.snapshot.Node(name) == nil {
		return fmt.Errorf("target %q: no Node %q", q.request.Target, name)
	}
	addresses := append(NodeAddresses(q.snapshot, name, IPv4), NodeAddresses(q.snapshot, name, IPv6)...)
	if len(addresses) == 0 {
		return fmt.Errorf("target %q: no address of node %q is known", q.request.Target, name)
	}
	q.address = addresses[0]
	return q.aimAtAddress()
}

// aimAtAddress sets the port of a packet to q.address.
func (q *query) aimAtAddress() error {
	q.number = uint16(q.target.number())
	if q.number != 0 {
		return nil
	}
	if q.port == nil || q.target.Port == "" && q.nodeOf(q.address) != "" {
		return fmt.Errorf("target %q: which port? Write %s", q.request.Target, netip.AddrPortFrom(q.address, 80))
	}
	q.number = uint16(q.port.Port)
	return nil
}

// aimAtService picks the address a client would use: the cluster IP or, from
// outside, the load balancer's, else a node's.
func (q *query) aimAtService() error {
	svc := q.service
	q.number = uint16(q.target.number())
	if q.port != nil {
		q.number = uint16(q.port.Port)
	}
	if svc.Type == model.ExternalName || svc.Headless() {
		return nil
	}
	host := q.hosted
	if !q.outside && !host {
		q.address = q.clusterIP()
		return nil
	}
	if host {
		q.note("%s is a load balancer outside the cluster; no rule on a node knows it. It sends traffic on to a node, as shown.", q.target.Host)
	}
	if vips := append(vipsOf(svc, IPv4), vipsOf(svc, IPv6)...); len(vips) > 0 && !host {
		q.address = vips[0]
		q.enter()
		rest := "any node would do the same with its own endpoints"
		if svc.ExternalTrafficPolicy == "Local" {
			rest = "with externalTrafficPolicy Local, load balancers use the nodes that have a ready endpoint"
		}
		q.note("From outside, a client uses the load balancer's address %s. It reaches node %s here; %s.", vips[0], q.node, rest)
		return nil
	}
	if q.outside && len(svc.Ingress) > 0 { // a load balancer outside the cluster chooses the node
		q.node = q.entrance()
	}
	if q.port != nil && q.port.NodePort != 0 && q.node != "" {
		addresses := append(NodeAddresses(q.snapshot, q.node, IPv4), NodeAddresses(q.snapshot, q.node, IPv6)...)
		if len(addresses) > 0 {
			q.address, q.number = addresses[0], uint16(q.port.NodePort)
			if !host {
				q.note("From outside, a client uses a node's address and the NodePort: %s.", netip.AddrPortFrom(q.address, q.number))
			}
			return nil
		}
	}
	if external := append(addressesOf(svc.ExternalIPs, IPv4), addressesOf(svc.ExternalIPs, IPv6)...); len(external) > 0 && !host {
		q.address = external[0]
		q.enter()
		q.note("From outside, a client uses the external IP %s, if the network outside routes it to a node.", external[0])
		return nil
	}
	q.address = q.clusterIP()
	return nil
}

// clusterIP is the Service's address in a family that the client has, else its first.
func (q *query) clusterIP() netip.Addr {
	var first netip.Addr
	for _, text := range q.service.ClusterIPs {
		ip := endpoints.ParseAddr(text)
		if !ip.IsValid() {
			continue
		}
		if !first.IsValid() {
			first = ip
		}
		if q.client == nil || len(addressesOf(q.client.IPs, FamilyOf(ip))) > 0 {
			return ip
		}
	}
	return first
}

// setSource finds the packet's source address and interface.
func (q *query) setSource() {
	if !q.address.IsValid() {
		return
	}
	family := FamilyOf(q.address)
	switch {
	case len(q.addresses) == 0 && q.stays():
		q.flow.Source = q.address
		return
	case q.outside:
		q.outsideSource(family)
		return
	case q.flow.Local && (q.address.IsLoopback() || q.atDummy()):
		q.flow.Source = q.address
		return
	case q.flow.Local:
		if addresses := NodeAddresses(q.snapshot, q.node, family); len(addresses) > 0 {
			q.flow.Source = addresses[0]
		} else {
			q.note("No %s address of node %q is known, so the packet's source is not either.", family, q.node)
		}
		return
	case q.client == nil:
		return
	}
	if addresses := addressesOf(q.client.IPs, family); len(addresses) > 0 {
		q.flow.Source = addresses[0]
	} else {
		q.note("Pod %s has no %s address: it cannot send this packet at all.", q.client.Key(), family)
	}
	switch detect := newDetector(&q.snapshot.Proxy, nil, family); {
	case q.snapshot.Proxy.DetectLocalMode == "InterfaceNamePrefix" && detect.implemented():
		q.flow.Interface = strings.TrimSuffix(detect.interf, "+") + "0"
	case q.snapshot.Proxy.DetectLocalMode == "BridgeInterface" && detect.implemented():
		q.flow.Interface = detect.interf
	}
	if q.flow.Interface != "" {
		q.note("That the Pod's traffic comes in by an interface of kube-proxy's configuration (%s) is assumed, not seen.", q.flow.Interface)
	}
}

// atDummy says whether the destination is on the node's own device kube-ipvs0:
// routing to an address of the node itself takes that address as the source.
func (q *query) atDummy() bool {
	return q.trace.Mode == ModeIPVS && compileIPVS(q.snapshot, q.node, FamilyOf(q.address), q.concerned()).bound(q.address)
}

// outsideSource gives a client outside the cluster an address when the rules
// ask for one: the first of loadBalancerSourceRanges.
func (q *query) outsideSource(family Family) {
	if q.flow.Source.IsValid() || q.service == nil {
		return
	}
	ranges := sourceRangesOf(q.service, family)
	if len(ranges) == 0 {
		return
	}
	for _, vip := range vipsOf(q.service, family) {
		if vip == q.address {
			q.flow.Source = ranges[0].Addr()
			if !ranges[0].IsSingleIP() {
				q.flow.Source = ranges[0].Addr().Next()
			}
			q.note("Only clients in loadBalancerSourceRanges (%s) are let in; the source %s is an example of one.",
				strings.Join(q.service.SourceRanges, ", "), q.flow.Source)
			return
		}
	}
}

// walk runs the packet through the rules.
func (q *query) walk() {
	q.deciding = q.node
	switch {
	case q.unsent != nil:
		q.trace.Outcomes = []Outcome{*q.unsent}
		return
	case len(q.addresses) > 0:
		q.walkEach()
		return
	case q.stays():
		q.trace.Outcomes = []Outcome{q.inside()}
		return
	case q.outside && q.address.IsLoopback():
		q.trace.Outcomes = []Outcome{q.ownMachine()}
		return
	}
	if why := q.unroutable(); why != "" {
		q.trace.Outcomes = []Outcome{{
			Probability: 1, Verdict: None,
			Hops: []Hop{{Node: q.node, Hook: q.firstHook(), Action: HopEnd, What: why, Chance: 1, Evidence: model.Derived}},
		}}
		return
	}
	services, locate := q.concerned(), q.locate()
	program := compileMode(q.trace.Mode, q.snapshot, q.node, FamilyOf(q.address), services)
	q.trace.Outcomes = q.pass(program, services, locate)
}

func (q *query) follow(p *Program, f Flow, locate Locate) []Outcome {
	return walkAll(p, f, locate, q.request.Explain)
}

func (q *query) firstHook() string {
	if q.flow.Local {
		return "OUTPUT"
	}
	return "PREROUTING"
}

// unroutable says why no rule is asked at all; "" when some are.
func (q *query) unroutable() string {
	if q.service != nil && !q.target.Address.IsValid() && q.target.Node == "" {
		if why := ignored(q.service); why != "" {
			return "kube-proxy writes no rule for Service " + q.service.Key() + ": " + why
		}
	}
	if !q.address.IsValid() {
		return "there is no address to send to"
	}
	if q.outside && q.isClusterIP() {
		return "no route: " + q.address.String() + " is a cluster IP, and networks outside the cluster do not know it"
	}
	return ""
}

func (q *query) isClusterIP() bool {
	if q.service == nil {
		return false
	}
	for _, text := range q.service.ClusterIPs {
		if endpoints.ParseAddr(text) == q.address {
			return true
		}
	}
	return false
}

// concerned gives the Services whose rules can match the packet.
func (q *query) concerned() []*model.Service {
	if q.request.Explain { // then the rules of the others are told, too
		return q.snapshot.Services
	}
	var aimed map[netip.Addr]bool // for more addresses than one
	if len(q.addresses) > 1 {
		aimed = make(map[netip.Addr]bool, len(q.addresses))
		for _, address := range q.addresses {
			aimed[address] = true
		}
	}
	var out []*model.Service
	for _, svc := range q.snapshot.Services {
		if svc == q.service || q.matches(svc, aimed) {
			out = append(out, svc)
		}
	}
	return out
}

// matches says whether rules of a Service can match a packet to the destination
// or, if aimed has any, to one of several.
func (q *query) matches(svc *model.Service, aimed map[netip.Addr]bool) bool {
	for i := range svc.Ports {
		if svc.Ports[i].NodePort != 0 && uint16(svc.Ports[i].NodePort) == q.number {
			return true
		}
	}
	if svc.HealthCheckNodePort != 0 && uint16(svc.HealthCheckNodePort) == q.number {
		return true
	}
	if aimed == nil {
		return holds(svc, q.address)
	}
	is := func(text string) bool { return aimed[endpoints.ParseAddr(text)] }
	return slices.ContainsFunc(svc.ClusterIPs, is) || slices.ContainsFunc(svc.ExternalIPs, is) ||
		slices.ContainsFunc(svc.Ingress, func(in model.Ingress) bool { return is(in.IP) })
}

// locate finds endpoints by the Service's slices, and other addresses by their Pod.
func (q *query) locate() Locate {
	places := map[netip.Addr]Place{}
	if q.service != nil {
		for _, slice := range q.snapshot.ServiceSlices(q.service.Namespace, q.service.Name) {
			for i := range slice.Endpoints {
				e := &slice.Endpoints[i]
				if len(e.Addresses) == 0 {
					continue
				}
				place := Place{Node: e.Node}
				if e.Target != nil && e.Target.Kind == "Pod" {
					place.Pod = slice.Namespace + "/" + e.Target.Name
				}
				if ip := endpoints.ParseAddr(e.Addresses[0]); ip.IsValid() && (places[ip].Pod == "" || !e.IsTerminating()) {
					places[ip] = place
				}
			}
		}
	}
	return func(address netip.AddrPort) Place {
		place := places[address.Addr()]
		if place.Pod == "" {
			if pod := q.snapshot.PodByIP(address.Addr().String()); pod != nil {
				place.Pod = pod.Key()
				if place.Node == "" {
					place.Node = pod.Node
				}
			}
		}
		return place
	}
}
