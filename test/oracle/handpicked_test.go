//go:build linux

package oracle

import (
	"fmt"
	"testing"

	v1 "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"svctour/model"
	"svctour/model/path"
)

// The options of a hand-picked Service.
type option func(*v1.Service, *[]*discovery.EndpointSlice)

func serviceType(kind v1.ServiceType) option {
	return func(s *v1.Service, _ *[]*discovery.EndpointSlice) {
		s.Spec.Type = kind
		for i := range s.Spec.Ports {
			s.Spec.Ports[i].NodePort = s.Spec.Ports[i].Port + 30000
		}
		s.Spec.ExternalTrafficPolicy = v1.ServiceExternalTrafficPolicyCluster
		if kind == v1.ServiceTypeLoadBalancer {
			s.Status.LoadBalancer.Ingress = []v1.LoadBalancerIngress{{IP: "192.0.2.10"}}
		}
	}
}

func spec(change func(*v1.ServiceSpec)) option {
	return func(s *v1.Service, _ *[]*discovery.EndpointSlice) { change(&s.Spec) }
}

func ingress(list ...v1.LoadBalancerIngress) option {
	return func(s *v1.Service, _ *[]*discovery.EndpointSlice) { s.Status.LoadBalancer.Ingress = list }
}

func externalLocal() option {
	return spec(func(s *v1.ServiceSpec) { s.ExternalTrafficPolicy = v1.ServiceExternalTrafficPolicyLocal })
}

func internalLocal() option {
	return spec(func(s *v1.ServiceSpec) { s.InternalTrafficPolicy = ptr(v1.ServiceInternalTrafficPolicyLocal) })
}

func affinity(seconds int32) option {
	return spec(func(s *v1.ServiceSpec) {
		s.SessionAffinity = v1.ServiceAffinityClientIP
		s.SessionAffinityConfig = &v1.SessionAffinityConfig{ClientIP: &v1.ClientIPConfig{TimeoutSeconds: &seconds}}
	})
}

// port adds a port; its endpoints listen on 8000 more.
func port(name string, protocol v1.Protocol, number int32) option {
	return spec(func(s *v1.ServiceSpec) {
		s.Ports = append(s.Ports, v1.ServicePort{Name: name, Protocol: protocol, Port: number})
	})
}

// slice gives the Service one more slice, with the Service's ports.
func slice(list ...discovery.Endpoint) option {
	return func(s *v1.Service, slices *[]*discovery.EndpointSlice) {
		slice := &discovery.EndpointSlice{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: s.Namespace, Name: fmt.Sprintf("%s-%d", s.Name, len(*slices)), Labels: map[string]string{discovery.LabelServiceName: s.Name},
			},
			AddressType: discovery.AddressTypeIPv4, Endpoints: list,
		}
		for _, e := range list {
			if len(e.Addresses[0]) > len("255.255.255.255") || e.Addresses[0][0] == 'f' {
				slice.AddressType = discovery.AddressTypeIPv6
			}
		}
		for _, p := range s.Spec.Ports {
			slice.Ports = append(slice.Ports, discovery.EndpointPort{Name: ptr(p.Name), Protocol: ptr(p.Protocol), Port: ptr(p.Port + 8000)})
		}
		*slices = append(*slices, slice)
	}
}

// at is a ready endpoint on a node.
func at(ip, node string) discovery.Endpoint {
	return discovery.Endpoint{Addresses: []string{ip}, NodeName: &node, Conditions: discovery.EndpointConditions{Ready: ptr(true), Serving: ptr(true), Terminating: ptr(false)}}
}

func state(e discovery.Endpoint, ready, serving, terminating bool) discovery.Endpoint {
	e.Conditions = discovery.EndpointConditions{Ready: &ready, Serving: &serving, Terminating: &terminating}
	return e
}

func hinted(e discovery.Endpoint, zone, node string) discovery.Endpoint {
	e.Hints = &discovery.EndpointHints{}
	if zone != "" {
		e.Hints.ForZones = []discovery.ForZone{{Name: zone}}
	}
	if node != "" {
		e.Hints.ForNodes = []discovery.ForNode{{Name: node}}
	}
	return e
}

var (
	here, here2, there, far = at("10.244.1.5", "node-a"), at("10.244.1.6", "node-a"), at("10.244.2.7", "node-b"), at("10.244.3.100", "node-c")
	here6, there6           = at("fd00:10:244:1::5", "node-a"), at("fd00:10:244:2::7", "node-b")
	tcp, udp, sctp          = v1.ProtocolTCP, v1.ProtocolUDP, v1.ProtocolSCTP
	nodePort, lb            = serviceType(v1.ServiceTypeNodePort), serviceType(v1.ServiceTypeLoadBalancer)
)

// handpicked are the Services a person would think of.
var handpicked = []struct {
	name    string
	options []option
}{
	{"one unnamed port", []option{port("", tcp, 80), slice(here)}},
	{"three endpoints", []option{port("http", tcp, 80), slice(here, here2, there)}},
	{"no slice", []option{port("http", tcp, 80)}},
	{"empty slice", []option{port("http", tcp, 80), slice()}},
	{"none ready", []option{port("http", tcp, 80), slice(state(here, false, false, false), state(there, false, false, false))}},
	{"udp", []option{port("", udp, 53), slice(here, there)}},
	{"sctp", []option{port("sig", sctp, 99), slice(here)}},
	{"three ports", []option{port("http", tcp, 80), port("https", tcp, 443), port("admin", tcp, 90), slice(here, there)}},
	{"dns, same number twice", []option{port("dns", udp, 53), port("dns-tcp", tcp, 53), slice(here, there)}},
	{"two slices", []option{port("http", tcp, 80), slice(here), slice(there, far)}},
	{"same address in two slices", []option{port("http", tcp, 80), slice(state(here, false, true, true)), slice(here)}},
	{"byte order of addresses", []option{port("http", tcp, 80), slice(at("10.244.1.100", "node-a"), at("10.244.1.10", "node-a"), at("9.1.1.1", "node-b"))}},
	{"terminating but serving only", []option{port("http", tcp, 80), slice(state(here, false, true, true), state(there, false, true, true), state(far, false, false, true))}},
	{"ready while terminating (publishNotReadyAddresses)", []option{port("http", tcp, 80), slice(state(here, true, false, true))}},
	{"nil conditions", []option{port("http", tcp, 80), slice(discovery.Endpoint{Addresses: []string{"10.244.1.5"}})}},
	{"affinity, three hours", []option{affinity(10800), port("http", tcp, 80), slice(here, there, far)}},
	{"affinity, one second, one endpoint", []option{affinity(1), port("", tcp, 80), slice(here)}},
	{"internal Local", []option{internalLocal(), port("http", tcp, 80), slice(here, there)}},
	{"internal Local without local endpoint", []option{internalLocal(), port("http", tcp, 80), slice(there)}},
	{"zone hints", []option{port("http", tcp, 80), slice(hinted(here, "zone-1", ""), hinted(there, "zone-2", ""))}},
	{"zone hints, one missing", []option{port("http", tcp, 80), slice(hinted(here, "zone-1", ""), there)}},
	{"node hints", []option{port("http", tcp, 80), slice(hinted(here, "zone-1", "node-a"), hinted(here2, "zone-1", "node-b"), hinted(there, "zone-2", "node-b"))}},
	{"node hints, none for this node", []option{port("http", tcp, 80), slice(hinted(there, "zone-1", "node-b"), hinted(far, "zone-2", "node-c"))}},
	{"NodePort", []option{port("http", tcp, 80), nodePort, slice(here, there)}},
	{"NodePort without endpoints", []option{port("http", tcp, 81), nodePort}},
	{"NodePort Local", []option{port("http", tcp, 82), nodePort, externalLocal(), slice(here, there)}},
	{"NodePort Local without local endpoint", []option{port("http", udp, 83), nodePort, externalLocal(), slice(there)}},
	{"NodePort, both Local", []option{port("http", tcp, 84), nodePort, externalLocal(), internalLocal(), slice(here, here2, there)}},
	{"NodePort, internal Local without local endpoint", []option{port("http", tcp, 85), nodePort, internalLocal(), slice(there)}},
	{"NodePort Local, local one terminating", []option{port("http", tcp, 86), nodePort, externalLocal(), slice(state(here, false, true, true), there)}},
	{"NodePort Local, hints", []option{port("http", tcp, 87), nodePort, externalLocal(), slice(hinted(here, "zone-2", ""), hinted(there, "zone-1", ""))}},
	{"NodePort with affinity", []option{affinity(600), port("http", tcp, 88), nodePort, externalLocal(), slice(here, there)}},
	{"LoadBalancer", []option{port("http", tcp, 100), lb, slice(here, there)}},
	{"LoadBalancer pending", []option{port("http", tcp, 101), lb, ingress(), slice(here)}},
	{"LoadBalancer, hostname", []option{port("http", tcp, 102), lb, ingress(v1.LoadBalancerIngress{Hostname: "lb.example.com"}), slice(here)}},
	{"LoadBalancer, ipMode Proxy", []option{port("http", tcp, 103), lb, ingress(v1.LoadBalancerIngress{IP: "192.0.2.10", IPMode: ptr(v1.LoadBalancerIPModeProxy)}), slice(here)}},
	{"LoadBalancer, two addresses", []option{port("http", tcp, 104), lb, ingress(v1.LoadBalancerIngress{IP: "192.0.2.10", IPMode: ptr(v1.LoadBalancerIPModeVIP)}, v1.LoadBalancerIngress{IP: "192.0.2.11"}), slice(here)}},
	{"LoadBalancer, source ranges", []option{port("http", tcp, 105), lb, slice(here), spec(func(s *v1.ServiceSpec) { s.LoadBalancerSourceRanges = []string{"203.0.113.0/25", " 198.51.100.7/32"} })}},
	{"LoadBalancer, source ranges with the node", []option{port("http", tcp, 106), lb, slice(here), spec(func(s *v1.ServiceSpec) { s.LoadBalancerSourceRanges = []string{"172.18.0.0/16"} })}},
	{"LoadBalancer, source range /0", []option{port("http", tcp, 107), lb, slice(here), spec(func(s *v1.ServiceSpec) { s.LoadBalancerSourceRanges = []string{"203.0.113.0/25", "0.0.0.0/0"} })}},
	{"LoadBalancer, source ranges, no endpoints", []option{port("http", tcp, 108), lb, spec(func(s *v1.ServiceSpec) { s.LoadBalancerSourceRanges = []string{"203.0.113.0/25"} })}},
	{"LoadBalancer Local with health check", []option{port("http", tcp, 109), lb, externalLocal(), slice(here, there), spec(func(s *v1.ServiceSpec) { s.HealthCheckNodePort = 32000 })}},
	{"LoadBalancer Local without local endpoint", []option{port("http", tcp, 110), port("https", tcp, 111), lb, externalLocal(), slice(there), spec(func(s *v1.ServiceSpec) { s.HealthCheckNodePort = 32001 })}},
	{"LoadBalancer without nodePorts", []option{port("http", tcp, 112), lb, slice(here), spec(func(s *v1.ServiceSpec) { s.Ports[0].NodePort = 0; s.AllocateLoadBalancerNodePorts = ptr(false) })}},
	{"externalIPs", []option{port("http", tcp, 80), slice(here), spec(func(s *v1.ServiceSpec) { s.ExternalIPs = []string{"192.0.2.50", "2001:db8::50", "192.0.2.51"} })}},
	{"externalIPs Local", []option{port("http", tcp, 81), slice(there), externalLocal(), spec(func(s *v1.ServiceSpec) { s.ExternalIPs = []string{"192.0.2.50"} })}},
	{"externalIPs without endpoints", []option{port("http", tcp, 82), spec(func(s *v1.ServiceSpec) { s.ExternalIPs = []string{"192.0.2.50"} })}},
	{"IPv6 only", []option{port("http", tcp, 80), spec(func(s *v1.ServiceSpec) {
		s.ClusterIP, s.ClusterIPs, s.IPFamilies = "fd00:10:96::50", []string{"fd00:10:96::50"}, []v1.IPFamily{v1.IPv6Protocol}
	}), slice(here6, there6), affinity(60)}},
	{"dual stack", []option{port("http", tcp, 113), nodePort, spec(func(s *v1.ServiceSpec) {
		s.ClusterIPs, s.IPFamilies = append(s.ClusterIPs, "fd00:10:96::60"), []v1.IPFamily{v1.IPv4Protocol, v1.IPv6Protocol}
	}), slice(here, there), slice(here6, there6)}},
	{"headless", []option{port("http", tcp, 80), slice(here), spec(func(s *v1.ServiceSpec) { s.ClusterIP, s.ClusterIPs = "None", []string{"None"} })}},
	{"ExternalName", []option{spec(func(s *v1.ServiceSpec) {
		s.Type, s.ExternalName, s.ClusterIP, s.ClusterIPs = v1.ServiceTypeExternalName, "www.example.com", "", nil
	})}},
	{"another proxy's", []option{port("http", tcp, 80), slice(here), func(s *v1.Service, _ *[]*discovery.EndpointSlice) {
		s.Labels = map[string]string{"service.kubernetes.io/service-proxy-name": "other"}
	}}},
}

// pickedWorld is the world of hand-picked Services from..to.
func pickedWorld(from, to int) *world {
	w := &world{
		Node: &v1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: "node-a", Labels: map[string]string{v1.LabelTopologyZone: "zone-1"}},
			Status:     v1.NodeStatus{Addresses: []v1.NodeAddress{{Type: v1.NodeInternalIP, Address: "172.18.0.2"}, {Type: v1.NodeInternalIP, Address: "fc00:f853::2"}}},
		},
		Proxy: model.Proxy{Mode: "iptables", ClusterCIDRs: []string{"10.244.0.0/16", "fd00:10:244::/56"}, MasqueradeBit: 14, LocalhostNodePort: true},
	}
	for i := from; i < to; i++ {
		ip := fmt.Sprintf("10.96.1.%d", i+1)
		svc := &v1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "tour", Name: fmt.Sprintf("s%02d", i)}}
		svc.Spec = v1.ServiceSpec{
			Type: v1.ServiceTypeClusterIP, ClusterIP: ip, ClusterIPs: []string{ip}, IPFamilies: []v1.IPFamily{v1.IPv4Protocol}, SessionAffinity: v1.ServiceAffinityNone,
			InternalTrafficPolicy: ptr(v1.ServiceInternalTrafficPolicyCluster),
		}
		for _, apply := range handpicked[i].options {
			apply(svc, &w.Slices)
		}
		w.Services = append(w.Services, svc)
	}
	return w
}

// modes are those of kube-proxy that the model knows.
var modes = []string{path.ModeIPTables, path.ModeNFTables, path.ModeIPVS}

// TestHandpickedServices compares each Service alone, then all in one cluster.
func TestHandpickedServices(t *testing.T) {
	for _, mode := range modes {
		world := func(from, to int) *world {
			w := pickedWorld(from, to)
			w.Proxy.Mode = mode
			return w
		}
		for i, c := range handpicked {
			t.Run(mode+"/"+c.name, func(t *testing.T) { requireSame(t, world(i, i+1)) })
		}
		t.Run(mode+"/together", func(t *testing.T) {
			t.Logf("%d Services, %d rules of kube-proxy, 0 differences", len(handpicked), requireSame(t, world(0, len(handpicked))))
		})
	}
}

// TestConfigurations compares the hand-picked Services under kube-proxy's options.
func TestConfigurations(t *testing.T) {
	for name, change := range map[string]func(*world){
		"masqueradeAll":         func(w *world) { w.Proxy.MasqueradeAll = true },
		"masqueradeBit":         func(w *world) { w.Proxy.MasqueradeBit = 3 },
		"no cluster CIDR":       func(w *world) { w.Proxy.ClusterCIDRs = nil },
		"scheduler":             func(w *world) { w.Proxy.Scheduler = "lc" },
		"scheduler mh":          func(w *world) { w.Proxy.Scheduler = "mh" },
		"node CIDR":             func(w *world) { w.Proxy.DetectLocalMode, w.Node.Spec.PodCIDRs = "NodeCIDR", []string{"10.244.1.0/24"} },
		"node without CIDR":     func(w *world) { w.Proxy.DetectLocalMode = "NodeCIDR" },
		"bridge":                func(w *world) { w.Proxy.DetectLocalMode, w.Proxy.BridgeInterface = "BridgeInterface", "cni0" },
		"interface prefix":      func(w *world) { w.Proxy.DetectLocalMode, w.Proxy.InterfacePrefix = "InterfaceNamePrefix", "cali" },
		"no localhost NodePort": func(w *world) { w.Proxy.LocalhostNodePort = false },
		"nodePortAddresses":     func(w *world) { w.Proxy.NodePortAddresses = []string{"172.18.0.0/16", "127.0.0.0/8"} },
		"no zone":               func(w *world) { w.Node.Labels = nil },
		"another node":          func(w *world) { w.Node.Name = "node-b" },
	} {
		for _, mode := range modes {
			t.Run(mode+"/"+name, func(t *testing.T) {
				w := pickedWorld(0, len(handpicked))
				w.Proxy.Mode = mode
				change(w)
				requireSame(t, w)
			})
		}
	}
}

// TestLargeCluster compares both sides of the threshold at which kube-proxy
// leaves out comments.
func TestLargeCluster(t *testing.T) {
	for _, n := range []int{1000, 1001} {
		w := pickedWorld(0, 2)
		w.Slices = nil
		slice := &discovery.EndpointSlice{
			ObjectMeta:  metav1.ObjectMeta{Namespace: "tour", Name: "big", Labels: map[string]string{discovery.LabelServiceName: "s01"}},
			AddressType: discovery.AddressTypeIPv4, Ports: []discovery.EndpointPort{{Name: ptr("http"), Protocol: &tcp, Port: ptr(int32(8080))}},
		}
		for i := range n {
			slice.Endpoints = append(slice.Endpoints, at(fmt.Sprintf("10.244.%d.%d", i/200, 1+i%200), "node-b"))
		}
		w.Slices = append(w.Slices, slice)
		diff, _ := compare(t, w)
		if len(diff) > 0 {
			t.Fatalf("%d endpoints: %d differences, the first: %s", n, len(diff), diff[0])
		}
	}
}
