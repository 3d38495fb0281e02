package network

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"svctour/model"
	"svctour/model/path"
)

// target is what a client might want.
type target struct {
	netip.AddrPort
	protocol string
}

// generator makes clusters of three nodes, and packets that meet their first.
type generator struct {
	*rand.Rand
	s       model.Snapshot
	targets []target
	clients []netip.Addr // endpoints on the first node, for hairpins
}

func (g *generator) odds(p float64) bool { return g.Float64() < p }

func pick[T any](g *generator, options ...T) T { return options[g.IntN(len(options))] }

// program makes a cluster and gives the rules of its first node, where the
// router finds the endpoints.
func (g *generator) program(mode string, node *Node) *path.Program {
	g.s = model.Snapshot{Proxy: g.proxy(), ServiceCIDRs: pick(g, nil, []string{"10.96.0.0/16"})}
	for i := range 3 {
		g.s.Nodes = append(g.s.Nodes, &model.Node{
			Meta:      model.Meta{Name: fmt.Sprintf("node-%d", i+1), Labels: map[string]string{"topology.kubernetes.io/zone": fmt.Sprintf("zone-%d", i%2)}},
			Addresses: []model.NodeAddress{{Type: "InternalIP", Address: fmt.Sprintf("172.18.0.%d", i+2)}},
			PodCIDRs:  []string{fmt.Sprintf("10.244.%d.0/24", i)},
		})
	}
	for i := range 1 + g.IntN(5) {
		g.service(i)
	}
	clear(node.pods)
	for last := range byte(9) {
		node.pods[netip.AddrFrom4([4]byte{10, 244, 0, last + 2})] = &Stack{}
	}
	s := model.NewSnapshot(g.s)
	if mode == path.ModeNFTables {
		return path.CompileNFTables(s, node.Name, path.IPv4)
	}
	return path.Compile(s, node.Name, path.IPv4)
}

func (g *generator) proxy() model.Proxy {
	p := model.DefaultProxy()
	p.MasqueradeBit, p.MasqueradeAll, p.LocalhostNodePort = pick(g, int32(14), 14, 0, 31), g.odds(0.1), g.odds(0.7)
	p.ClusterCIDRs = pick(g, []string{"10.244.0.0/16"}, []string{"10.244.0.0/16"}, []string{"10.0.0.0/8"}, nil)
	p.DetectLocalMode = pick(g, "", "ClusterCIDR", "NodeCIDR", "BridgeInterface", "InterfaceNamePrefix")
	p.BridgeInterface, p.InterfacePrefix = "cni0", pick(g, "cni", "veth")
	if g.odds(0.3) {
		p.NodePortAddresses = pick(g, []string{"172.18.0.0/24"}, []string{"127.0.0.0/8"}, []string{"primary"}, []string{"203.0.113.0/24"}, []string{"0.0.0.0/0"})
	}
	return p
}

func (g *generator) service(i int) {
	svc := &model.Service{
		Meta: model.Meta{Namespace: "default", Name: fmt.Sprintf("svc-%d", i)}, Type: pick(g, model.ClusterIP, model.NodePort, model.LoadBalancer),
		ClusterIPs: []string{fmt.Sprintf("10.96.0.%d", 10+i)}, IPFamilies: []string{"IPv4"},
		InternalTrafficPolicy: pick(g, "", "Cluster", "Cluster", "Local"), SessionAffinity: pick(g, "None", "None", "ClientIP"), AffinitySeconds: pick(g, int32(0), 10, 10800),
		ExternalTrafficPolicy: pick(g, "Cluster", "Local"), TrafficDistribution: pick(g, "", "", "PreferClose"),
	}
	if g.odds(0.3) {
		svc.ExternalIPs = pick(g, []string{"192.0.2.50"}, []string{"192.0.2.51", "192.0.2.50"}, []string{"172.18.0.2"})
	}
	for j := range 1 + g.IntN(2) {
		p := model.ServicePort{Name: fmt.Sprintf("p%d", j), Protocol: pick(g, "TCP", "TCP", "UDP"), Port: pick(g, int32(80), 443, 53) + int32(1000*j)}
		if svc.Type != model.ClusterIP {
			p.NodePort = int32(30000 + 10*i + j)
		}
		svc.Ports = append(svc.Ports, p)
	}
	if svc.Type == model.LoadBalancer {
		for range g.IntN(3) {
			svc.Ingress = append(svc.Ingress, model.Ingress{IP: fmt.Sprintf("198.51.100.%d", g.IntN(6)), IPMode: pick(g, "", "VIP", "VIP", "Proxy")})
		}
		if g.odds(0.5) {
			svc.SourceRanges = pick(g, []string{"203.0.113.0/24"}, []string{"10.0.0.0/8"}, []string{"172.18.0.0/24", "203.0.113.0/28"}, []string{"198.51.100.0/24"})
		}
		if svc.ExternalTrafficPolicy == "Local" {
			svc.HealthCheckNodePort = int32(31000 + i)
		}
	}
	g.s.Services = append(g.s.Services, svc)
	g.aim(svc)
	for j := range g.IntN(3) {
		g.slice(svc, j)
	}
}

// aim adds what a client might want of a Service, and ports that it lacks.
func (g *generator) aim(svc *model.Service) {
	addresses := append(svc.ClusterIPs[:1:1], svc.ExternalIPs...)
	for _, in := range svc.Ingress {
		addresses = append(addresses, in.IP)
	}
	add := func(address string, port int32, protocol string) {
		if port != 0 {
			g.targets = append(g.targets, target{netip.AddrPortFrom(netip.MustParseAddr(address), uint16(port)), strings.ToLower(protocol)})
		}
	}
	for _, p := range svc.Ports {
		for _, address := range addresses {
			add(address, p.Port, p.Protocol)
			if g.odds(0.1) {
				add(address, 9, p.Protocol)
			}
		}
		for _, address := range []string{"172.18.0.2", "172.18.0.2", "172.18.0.3", "127.0.0.1"} {
			add(address, p.NodePort, p.Protocol)
		}
	}
	add("172.18.0.2", svc.HealthCheckNodePort, "TCP")
}

func (g *generator) slice(svc *model.Service, j int) {
	slice := &model.EndpointSlice{
		Meta:        model.Meta{Namespace: "default", Name: fmt.Sprintf("%s-%d", svc.Name, j), Labels: map[string]string{model.ServiceNameLabel: svc.Name}},
		AddressType: "IPv4",
	}
	for i := range svc.Ports {
		if port := pick(g, int32(8080), 9090); g.odds(0.9) {
			slice.Ports = append(slice.Ports, model.EndpointPort{Name: svc.Ports[i].Name, Protocol: svc.Ports[i].Protocol, Port: &port})
		}
	}
	for range g.IntN(5) {
		node := g.IntN(3)
		ip := netip.AddrFrom4([4]byte{10, 244, byte(node), byte(2 + g.IntN(9))})
		if g.odds(0.1) { // of the node's own network
			ip = netip.AddrFrom4([4]byte{172, 18, 0, byte(2 + node)})
		}
		e := model.Endpoint{Addresses: []string{ip.String()}, Node: fmt.Sprintf("node-%d", node+1)}
		if yes, no := true, false; g.odds(0.4) {
			e.Ready, e.Serving, e.Terminating = pick(g, &yes, &no, &no), pick(g, &yes, &no), pick(g, &yes, &no)
		}
		if g.odds(0.4) {
			e.ForZones = []string{pick(g, "zone-0", "zone-1")}
		}
		slice.Endpoints = append(slice.Endpoints, e)
		if g.odds(0.1) {
			g.targets = append(g.targets, target{netip.AddrPortFrom(ip, 8080), "tcp"})
		}
		if node == 0 {
			g.clients = append(g.clients, ip)
		}
	}
	g.s.Slices = append(g.s.Slices, slice)
}

// flow is the first packet of a connection that the first node sends, or that
// comes in from its Pods or from the other nodes' network.
func (g *generator) flow(p *path.Program) flow {
	to := pick(g, g.targets...)
	f := flow{Flow: path.Flow{Destination: to.AddrPort, Protocol: to.protocol}}
	if g.odds(0.1) {
		f.Protocol = pick(g, "tcp", "udp")
	}
	own := netip.MustParseAddr("172.18.0.2")
	loopback := f.Destination.Addr().IsLoopback()
	switch n := g.IntN(3); {
	case n == 0 || loopback:
		f.Local, f.Source = true, own
		if loopback {
			f.Source = f.Destination.Addr()
		}
	case n == 1:
		f.Interface, f.Source = "cni0", netip.AddrFrom4([4]byte{10, 244, 0, byte(2 + g.IntN(9))})
		if len(g.clients) > 0 && g.odds(0.4) {
			f.Source = pick(g, g.clients...)
		}
	default:
		f.Interface, f.Source = "eth0", netip.MustParseAddr(pick(g, "203.0.113.9", "203.0.113.200", "198.51.100.1", "172.18.0.3", "10.244.1.5"))
	}
	if lists := affinityLists(p); len(lists) > 0 && g.odds(0.5) {
		rule := pick(g, lists...).More()
		f.list, f.Sticky = rule.Recent, rule.Recent
		f.ago = time.Duration(g.IntN(int(rule.RecentSeconds))) * time.Second
		if g.odds(0.3) { // too long ago
			f.ago, f.Sticky = time.Duration(rule.RecentSeconds)*time.Second, ""
		}
	}
	return f
}

// affinityLists are the rules that ask whether a client was seen.
func affinityLists(p *path.Program) []*path.Rule {
	var out []*path.Rule
	for _, t := range p.Tables {
		for _, c := range t.Chains {
			for _, r := range c.Rules {
				if r.More().RecentSeconds > 0 {
					out = append(out, r)
				}
			}
		}
	}
	return out
}
