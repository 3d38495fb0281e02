package path

import (
	"cmp"
	"fmt"

	"svctour/model"
	"svctour/model/endpoints"
)

// remarks adds the notes that follow from the snapshot and the outcomes.
func (q *query) remarks() {
	if q.service != nil {
		q.remarkService(q.service)
	}
	q.remarkOutcomes()
	q.remarkPlugin()
	q.remarkProxy()
	q.remarkMissing()
}

func (q *query) remarkService(svc *model.Service) {
	if why := ignored(svc); why != "" {
		switch {
		case svc.Headless():
			q.note("Service %s is headless: DNS gives its endpoints' own addresses, and a client talks to one of them directly.", svc.Key())
		case svc.Type == model.ExternalName && q.trace.Outcomes[0].End.Kind == EndOutside:
			q.note("Service %s is an alias: DNS answers with the name %q, and no packet is rewritten.", svc.Key(), svc.ExternalName)
		}
		return
	}
	if q.port == nil && len(svc.Ports) > 0 && q.isClusterIP() {
		why := "A cluster IP exists in the rules only, so nothing answers."
		switch q.trace.Mode {
		case ModeNFTables:
			why = "In nftables mode the rules refuse the other ports of a cluster IP."
		case ModeIPVS:
			why = "In ipvs mode every node has the cluster IP on its device kube-ipvs0, and the rules refuse its other ports."
		}
		q.note("Service %s has no port %d; it has %s. %s", svc.Key(), q.number, portList(svc.Ports), why)
	}
	if svc.HealthCheckNodePort != 0 && int32(q.number) == svc.HealthCheckNodePort && q.port == nil {
		q.note("Port %d is the health check that load balancers ask: kube-proxy itself answers it.", q.number)
	}
	if svc.Type == model.LoadBalancer && len(svc.Ingress) == 0 {
		text := fmt.Sprintf("Service %s has no load balancer yet (EXTERNAL-IP <pending>): whoever provides load balancers in this cluster, if anybody, has not given it an address.", svc.Key())
		if q.port != nil && q.port.NodePort != 0 {
			text += fmt.Sprintf(" Its NodePort %d works meanwhile.", q.port.NodePort)
		}
		q.note("%s", text)
	}
	for _, in := range svc.Ingress {
		switch {
		case in.IP == "" && in.Hostname != "":
			q.note("The load balancer is known by name only (%s): kube-proxy writes no rule for it, and its traffic arrives at a NodePort.", in.Hostname)
		case in.IPMode == "Proxy":
			q.note("The load balancer's address %s has ipMode Proxy: kube-proxy writes no rule for it, and traffic to it leaves the cluster first.", in.IP)
		}
	}
	if svc.SessionAffinity == "ClientIP" {
		seconds := svc.AffinitySeconds
		if seconds == 0 {
			seconds = 10800
		}
		q.note("sessionAffinity is ClientIP: the shares are those of a new client. One that connected to an endpoint through this node in the last %d seconds goes there again.", seconds)
	}
}

// remarkOutcomes explains which endpoints were considered.
func (q *query) remarkOutcomes() {
	if q.service == nil || q.port == nil || !q.address.IsValid() || len(q.trace.Outcomes) == 0 {
		return
	}
	family := FamilyOf(q.address)
	h := newHost(q.snapshot, q.deciding, family)
	for _, p := range servicePorts(q.service, family) {
		if p.api.Name != q.port.Name || p.api.Protocol != q.port.Protocol {
			continue
		}
		list := p.endpoints(q.snapshot.ServiceSlices(q.service.Namespace, q.service.Name), h)
		q.remarkEndpoints(&p, list, p.usable(list, h))
	}
}

func (q *query) remarkEndpoints(p *servicePort, list []endpoints.Endpoint, r endpoints.Usable) {
	ready := 0
	for i := range list {
		if list[i].Ready {
			ready++
		}
	}
	verdict := q.trace.Outcomes[0].Verdict
	local := p.internalLocal || p.externalLocal
	switch {
	case local && len(r.Local) == 0 && (verdict == Drop || verdict == Reject && r.Any):
		q.note("A traffic policy is Local and node %s has no usable endpoint; other nodes have.", q.deciding)
	case verdict == Reject && len(list) == 0:
		q.note("No EndpointSlice of the Service holds an endpoint for this port.")
	case verdict == Reject:
		q.note("The Service has %d endpoint(s) for this port and none of them is ready.", len(list))
	case verdict == DNAT && ready == 0:
		q.note("No endpoint is ready: those that are terminating but still serving are used meanwhile.")
	case verdict == DNAT && r.Hints == endpoints.ZoneHints && len(r.Cluster) < ready:
		q.note("Topology hints keep traffic in the node's zone: %d of %d ready endpoints are used.", len(r.Cluster), ready)
	case verdict == DNAT && r.Hints == endpoints.NodeHints && len(r.Cluster) < ready:
		q.note("Topology hints keep traffic on the node: %d of %d ready endpoints are used.", len(r.Cluster), ready)
	}
	if q.trace.Mode == ModeIPVS && verdict == DNAT && (p.internalLocal && q.isClusterIP() || p.externalLocal && !q.isClusterIP()) && len(r.Local) == 0 {
		q.note("A traffic policy is Local and node %s has no usable endpoint: in ipvs mode those of other nodes stand in. Pods of this node can use them; the reply to any other client comes from the endpoint's own address, and the client discards it (kubernetes/kubernetes#97081).", q.deciding)
		return
	}
	if verdict == DNAT && p.internalLocal && q.isClusterIP() {
		q.note("internalTrafficPolicy is Local: only endpoints on node %s are used.", q.deciding)
	}
	if verdict == DNAT && p.externalLocal && q.outside {
		q.note("externalTrafficPolicy is Local: only endpoints on node %s are used, and they see the client's own address.", q.deciding)
	}
}

func (q *query) remarkProxy() {
	proxy := &q.snapshot.Proxy
	if q.trace.Mode == ModeIPVS {
		q.remarkIPVS()
	}
	if !proxy.Running {
		q.note("No kube-proxy was found: these are the rules it would write.")
	}
	switch {
	case proxy.Source == "":
	case proxy.Evidence == model.Unknown:
		q.note("kube-proxy's configuration is not known; assumed: %s.", proxy.Source)
	default:
		q.note("kube-proxy's configuration: %s.", proxy.Source)
	}
}

// remarkIPVS says what this mode is (https://kubernetes.io/docs/reference/networking/virtual-ips,
// "IPVS proxy mode"; KEP-5495).
func (q *query) remarkIPVS() {
	q.note("kube-proxy's mode ipvs is deprecated since v1.35; nftables is the mode to move to.")
	if len(q.trace.Outcomes) < 2 {
		return
	}
	switch scheduler := cmp.Or(q.snapshot.Proxy.Scheduler, "rr"); scheduler {
	case "rr", "wrr":
		q.note("IPVS takes the real servers in turn (scheduler %s), not at random: the shares are those of many connections.", scheduler)
	default:
		q.note("IPVS chooses by scheduler %s: the shares are those of many equal clients, and one connection's way depends on what went before or on its addresses.", scheduler)
	}
}

func (q *query) remarkMissing() {
	for _, each := range []struct{ resource, name, consequence string }{
		{"networkpolicies", "NetworkPolicies", "whether they let the packet pass is not known"},
		{"nodes", "Nodes", "zones are not known, and of the nodes' addresses only those that Pods report"},
		{"pods", "Pods", "endpoints are shown without Pods that no EndpointSlice names"},
	} {
		if why, missing := q.snapshot.Sync.Missing[each.resource]; missing {
			q.note("%s cannot be read (%s): %s.", each.name, why, each.consequence)
		}
	}
	if q.snapshot.Cluster.Namespace != "" {
		q.note("Only namespace %q can be read; Services of others are not known.", q.snapshot.Cluster.Namespace)
	}
	if q.node == "" {
		q.note("The first node is not known: rules that depend on it are those of a node without endpoints.")
	}
}
