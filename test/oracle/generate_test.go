//go:build linux

package oracle

import (
	"flag"
	"fmt"
	"math/rand"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"svctour/model"
)

var (
	worlds = flag.Int("worlds", 2000, "random worlds to compare with kube-proxy, in each mode")
	seed   = flag.Int64("seed", 1, "seed of the first random world; 0 takes one from the clock")
)

// TestRandomWorlds compares the rules of random clusters with kube-proxy's.
func TestRandomWorlds(t *testing.T) {
	first := *seed
	if first == 0 {
		first = time.Now().UnixNano() % 1_000_000_000
	}
	for _, mode := range modes {
		services, rules := 0, 0
		for i := range int64(*worlds) {
			w := newGenerator(first + i).world()
			w.Proxy.Mode = mode
			ok := t.Run(fmt.Sprintf("%s/seed=%d", mode, first+i), func(t *testing.T) { rules += requireSame(t, w) })
			if !ok {
				t.Fatalf("again with: go test ./test/oracle -run TestRandomWorlds -worlds 1 -seed %d", first+i)
			}
			services += len(w.Services)
		}
		t.Logf("%s: %d worlds from seed %d: %d Services, %d rules, 0 differences", mode, *worlds, first, services, rules)
	}
}

// generator makes worlds. Equal seeds make equal worlds.
type generator struct {
	*rand.Rand
	w *world
}

func newGenerator(seed int64) *generator {
	return &generator{Rand: rand.New(rand.NewSource(seed))}
}

func (g *generator) chance(p float64) bool { return g.Float64() < p }

func pick[T any](g *generator, options ...T) T { return options[g.Intn(len(options))] }

func (g *generator) world() *world {
	g.w = &world{Node: &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-a"}}, Proxy: g.proxy()}
	if g.chance(0.8) {
		g.w.Node.Labels = map[string]string{v1.LabelTopologyZone: "zone-1"}
	}
	g.w.Node.Spec.PodCIDRs = []string{"10.244.1.0/24", "fd00:10:244:1::/64"}
	g.w.Node.Status.Addresses = []v1.NodeAddress{
		{Type: v1.NodeHostName, Address: "node-a"},
		{Type: v1.NodeInternalIP, Address: "172.18.0.2"},
		{Type: v1.NodeInternalIP, Address: "fc00:f853::2"},
	}
	if g.chance(0.3) {
		g.w.Node.Status.Addresses = append(g.w.Node.Status.Addresses, v1.NodeAddress{Type: v1.NodeExternalIP, Address: "198.51.100.7"})
	}
	for i := range 1 + g.Intn(6) {
		g.service(i)
	}
	g.w.Proxy.Scheduler = pick(g, "", "", "rr", "lc", "mh")
	if svc := pick(g, g.w.Services...); g.chance(0.1) && svc.Spec.Type != v1.ServiceTypeExternalName { // the node's own addresses
		svc.Spec.ExternalIPs = append(svc.Spec.ExternalIPs[:len(svc.Spec.ExternalIPs):len(svc.Spec.ExternalIPs)], "172.18.0.2", "fc00:f853::2")
	}
	return g.w
}

func (g *generator) proxy() model.Proxy {
	p := model.Proxy{
		Mode: "iptables", MasqueradeBit: pick(g, int32(14), 14, 0, 31, 5), MasqueradeAll: g.chance(0.1), LocalhostNodePort: g.chance(0.8),
		ClusterCIDRs: pick(g, []string{"10.244.0.0/16"}, []string{"10.244.0.0/16", "fd00:10:244::/56"}, []string{"fd00:10:244::/56", "10.244.7.9/16", "10.0.0.0/8"}, nil),
	}
	p.DetectLocalMode = pick(g, "", "ClusterCIDR", "NodeCIDR", "BridgeInterface", "InterfaceNamePrefix")
	p.BridgeInterface, p.InterfacePrefix = "cni0", "veth"
	if g.chance(0.3) {
		p.NodePortAddresses = pick(g, []string{"172.18.0.0/16"}, []string{"127.0.0.0/8"}, []string{"172.18.0.0/24", "127.0.0.1/32", "::1/128"},
			[]string{"fc00:f853::/64"}, []string{"0.0.0.0/0"}, []string{"203.0.113.0/24"}, []string{"::/0", "172.18.0.2/32"}, []string{"198.51.100.0/24", "172.18.0.2/32"})
	}
	return p
}

func (g *generator) service(i int) {
	svc := &v1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: pick(g, "default", "shop", "kube-system"), Name: fmt.Sprintf("svc-%d", i)}}
	spec := &svc.Spec
	spec.Type = pick(g, v1.ServiceTypeClusterIP, v1.ServiceTypeNodePort, v1.ServiceTypeLoadBalancer, v1.ServiceTypeLoadBalancer)
	if g.chance(0.06) {
		spec.Type = v1.ServiceTypeExternalName
		spec.ExternalName = "www.example.com"
	}
	spec.InternalTrafficPolicy = pick(g, nil, ptr(v1.ServiceInternalTrafficPolicyCluster), ptr(v1.ServiceInternalTrafficPolicyLocal))
	spec.SessionAffinity = v1.ServiceAffinityNone
	if g.chance(0.3) {
		spec.SessionAffinity = v1.ServiceAffinityClientIP
		spec.SessionAffinityConfig = &v1.SessionAffinityConfig{ClientIP: &v1.ClientIPConfig{TimeoutSeconds: ptr(pick(g, int32(10800), 1, 86400))}}
	}
	if g.chance(0.3) {
		spec.ExternalIPs = pick(g, []string{"192.0.2.50"}, []string{"192.0.2.50", "192.0.2.51"}, []string{"2001:db8::50", "192.0.2.50"}, []string{"192.0.2.050"})
	}
	if spec.Type != v1.ServiceTypeClusterIP || len(spec.ExternalIPs) > 0 {
		spec.ExternalTrafficPolicy = pick(g, v1.ServiceExternalTrafficPolicyCluster, v1.ServiceExternalTrafficPolicyLocal)
	}
	g.addresses(svc, i)
	g.ports(svc, i)
	if spec.Type == v1.ServiceTypeLoadBalancer {
		g.loadBalancer(svc, i)
	}
	if g.chance(0.03) {
		svc.Labels = map[string]string{"service.kubernetes.io/service-proxy-name": "other"}
	}
	g.w.Services = append(g.w.Services, svc)
	if g.chance(0.9) {
		g.slices(svc)
	}
}

func (g *generator) addresses(svc *v1.Service, i int) {
	v4, v6 := fmt.Sprintf("10.96.0.%d", 10+i), fmt.Sprintf("fd00:10:96::%x", 10+i)
	spec := &svc.Spec
	switch n := g.Intn(20); {
	case spec.Type == v1.ServiceTypeExternalName:
		return
	case n < 9:
		spec.ClusterIPs, spec.IPFamilies = []string{v4}, []v1.IPFamily{v1.IPv4Protocol}
	case n < 12:
		spec.ClusterIPs, spec.IPFamilies = []string{v6}, []v1.IPFamily{v1.IPv6Protocol}
	case n < 15:
		spec.ClusterIPs, spec.IPFamilies = []string{v4, v6}, []v1.IPFamily{v1.IPv4Protocol, v1.IPv6Protocol}
	case n < 17:
		spec.ClusterIPs, spec.IPFamilies = []string{v6, v4}, []v1.IPFamily{v1.IPv6Protocol, v1.IPv4Protocol}
	case n < 18 && spec.Type == v1.ServiceTypeClusterIP:
		spec.ClusterIPs, spec.IPFamilies = []string{v1.ClusterIPNone}, []v1.IPFamily{v1.IPv4Protocol}
	default:
		spec.ClusterIPs = []string{v4} // an old object: no families
	}
	spec.ClusterIP = spec.ClusterIPs[0]
}

func (g *generator) ports(svc *v1.Service, i int) {
	names := [][]string{{""}, {"http"}, {"http", "metrics"}, {"dns", "dns-tcp", "metrics"}}[g.Intn(4)]
	for j, name := range names {
		p := v1.ServicePort{Name: name, Port: int32(80 + j), Protocol: pick(g, v1.ProtocolTCP, v1.ProtocolTCP, v1.ProtocolUDP, v1.ProtocolSCTP)}
		if svc.Spec.Type == v1.ServiceTypeNodePort || svc.Spec.Type == v1.ServiceTypeLoadBalancer && g.chance(0.8) {
			p.NodePort = int32(30000 + 10*i + j)
		}
		svc.Spec.Ports = append(svc.Spec.Ports, p)
	}
	if len(names) > 1 && g.chance(0.3) { // the same number twice, as kube-dns has it
		svc.Spec.Ports[1].Port = svc.Spec.Ports[0].Port
		svc.Spec.Ports[0].Protocol, svc.Spec.Ports[1].Protocol = v1.ProtocolUDP, v1.ProtocolTCP
	}
}

func (g *generator) loadBalancer(svc *v1.Service, i int) {
	ingress := []v1.LoadBalancerIngress{
		{IP: fmt.Sprintf("192.0.2.%d", 100+i)},
		{IP: fmt.Sprintf("2001:db8::%d", 100+i), IPMode: ptr(v1.LoadBalancerIPModeVIP)},
		{IP: fmt.Sprintf("192.0.2.%d", 150+i), IPMode: ptr(v1.LoadBalancerIPModeProxy)},
		{Hostname: "lb.example.com"},
		{IP: fmt.Sprintf("192.0.2.%d", 200+i), IPMode: ptr(v1.LoadBalancerIPModeVIP)},
	}
	g.Shuffle(len(ingress), func(a, b int) { ingress[a], ingress[b] = ingress[b], ingress[a] })
	svc.Status.LoadBalancer.Ingress = ingress[:g.Intn(len(ingress)+1)]
	if g.chance(0.5) {
		svc.Spec.LoadBalancerSourceRanges = pick(g, []string{"203.0.113.0/24"}, []string{" 203.0.113.0/25 ", "172.18.0.0/16"}, []string{"0.0.0.0/0"},
			[]string{"203.0.113.9/32", "2001:db8::/32", "fc00::/7"}, []string{"203.0.113.77/24"}, []string{"::/0", "10.0.0.0/8"})
	}
	if svc.Spec.ExternalTrafficPolicy == v1.ServiceExternalTrafficPolicyLocal && g.chance(0.9) {
		svc.Spec.HealthCheckNodePort = int32(32000 + i)
	}
}

func (g *generator) slices(svc *v1.Service) {
	for n := range 1 + g.Intn(3) {
		slice := &discovery.EndpointSlice{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: svc.Namespace, Name: fmt.Sprintf("%s-%d", svc.Name, n), Labels: map[string]string{discovery.LabelServiceName: svc.Name},
			},
			AddressType: pick(g, discovery.AddressTypeIPv4, discovery.AddressTypeIPv4, discovery.AddressTypeIPv6),
		}
		if g.chance(0.03) {
			slice.Labels[v1.IsHeadlessService] = ""
		}
		for j, p := range svc.Spec.Ports {
			ep := discovery.EndpointPort{Name: ptr(p.Name), Protocol: ptr(p.Protocol), Port: ptr(int32(8080 + j))}
			switch g.Intn(25) {
			case 0:
				ep.Name = ptr("renamed")
			case 1:
				ep.Protocol = ptr(v1.ProtocolSCTP)
			case 2:
				ep.Port = nil
			case 3:
				ep.Port = ptr(int32(9090))
			case 4:
				continue
			}
			slice.Ports = append(slice.Ports, ep)
		}
		// 0 to 6 endpoints a slice. hinted worlds hint all of them, so that hints take effect.
		zones, nodes := g.chance(0.4), g.chance(0.2)
		for k := range g.Intn(7) {
			slice.Endpoints = append(slice.Endpoints, g.endpoint(slice.AddressType, 10*n+k, zones, nodes))
		}
		if n == 1 && g.chance(0.2) {
			g.takeOver(slice)
		}
		g.w.Slices = append(g.w.Slices, slice)
	}
}

// takeOver adds an endpoint with an address that another slice of the Service
// already has; one of the two is terminating. Two of the same kind would make
// kube-proxy's choice random.
func (g *generator) takeOver(slice *discovery.EndpointSlice) {
	before := g.w.Slices[len(g.w.Slices)-1]
	if len(before.Endpoints) == 0 || before.AddressType != slice.AddressType {
		return
	}
	e := *before.Endpoints[g.Intn(len(before.Endpoints))].DeepCopy()
	terminating := e.Conditions.Terminating != nil && *e.Conditions.Terminating
	e.Conditions = discovery.EndpointConditions{Ready: ptr(terminating), Serving: ptr(true), Terminating: ptr(!terminating)}
	slice.Endpoints = append(slice.Endpoints, e)
}

func (g *generator) endpoint(kind discovery.AddressType, k int, zones, nodes bool) discovery.Endpoint {
	node := pick(g, "node-a", "node-b", "node-c")
	ip := fmt.Sprintf("10.244.%d.%d", 1+g.Intn(3), k+pick(g, 1, 90))
	if kind == discovery.AddressTypeIPv6 {
		ip = fmt.Sprintf("fd00:10:244:%d::%x", 1+g.Intn(3), k+1)
	}
	e := discovery.Endpoint{Addresses: []string{ip}, NodeName: &node}
	if g.chance(0.05) {
		e.NodeName = nil
	}
	if g.chance(0.1) {
		e.Addresses = append(e.Addresses, "10.244.9.9")
	}
	switch n := g.Intn(20); {
	case n < 10:
		e.Conditions = discovery.EndpointConditions{Ready: ptr(true), Serving: ptr(true), Terminating: ptr(false)}
	case n < 12: // all nil
	case n < 14:
		e.Conditions = discovery.EndpointConditions{Ready: ptr(false), Serving: ptr(false), Terminating: ptr(false)}
	case n < 18:
		e.Conditions = discovery.EndpointConditions{Ready: ptr(false), Serving: ptr(true), Terminating: ptr(true)}
	case n < 19:
		e.Conditions = discovery.EndpointConditions{Ready: ptr(false), Serving: ptr(false), Terminating: ptr(true)}
	default:
		e.Conditions = discovery.EndpointConditions{Ready: ptr(true), Serving: ptr(false), Terminating: ptr(true)}
	}
	if (zones || nodes) && g.chance(0.95) {
		e.Hints = &discovery.EndpointHints{}
		if zones {
			e.Hints.ForZones = []discovery.ForZone{{Name: pick(g, "zone-1", "zone-2")}}
		}
		if nodes {
			e.Hints.ForNodes = []discovery.ForNode{{Name: node}}
		}
	}
	return e
}
