package path

import (
	"net/netip"
	"sort"
	"strings"

	"svctour/model"
)

// Labels that take a Service or an EndpointSlice out of kube-proxy's watch
// (cmd/kube-proxy/app/server.go).
const (
	proxyNameLabel = "service.kubernetes.io/service-proxy-name"
	headlessLabel  = "service.kubernetes.io/headless"
)

// servicePort is one port of a Service as one family's kube-proxy sees it
// (pkg/proxy/serviceport.go, BaseServicePortInfo).
type servicePort struct {
	name          string // PortName
	portName      string // the port's own name, joins slices
	apiProtocol   string // as in the API, joins slices
	protocol      string // lower case
	port          uint16
	nodePort      uint16
	clusterIP     netip.Addr
	externalIPs   []netip.Addr
	vips          []netip.Addr
	sourceRanges  []netip.Prefix
	healthPort    uint16
	affinity      int32 // seconds; 0 means none
	internalLocal bool
	externalLocal bool
}

// ignored says why kube-proxy ignores a Service; "" when it does not.
func ignored(svc *model.Service) string {
	switch {
	case svc.Type == model.ExternalName:
		return "ExternalName is a name in DNS only"
	case svc.Headless():
		return "a headless Service has no address of its own; DNS gives the Pods' addresses"
	case svc.ClusterIP() == "":
		return "it has no cluster IP"
	}
	if _, has := svc.Labels[proxyNameLabel]; has {
		return "its label " + proxyNameLabel + " hands it to another proxy"
	}
	return ""
}

// servicePorts gives the ports of a Service that the proxier of a family
// handles, in spec order.
func servicePorts(svc *model.Service, family Family) []servicePort {
	if ignored(svc) != "" {
		return nil
	}
	clusterIP := clusterIPOf(svc, family)
	if !clusterIP.IsValid() {
		return nil
	}
	base := servicePort{
		clusterIP:     clusterIP,
		externalIPs:   addressesOf(svc.ExternalIPs, family),
		vips:          vipsOf(svc, family),
		sourceRanges:  sourceRangesOf(svc, family),
		internalLocal: svc.InternalTrafficPolicy == "Local",
		externalLocal: svc.ExternalTrafficPolicy == "Local" && mayBeExternal(svc),
	}
	if svc.SessionAffinity == "ClientIP" {
		base.affinity = svc.AffinitySeconds
		if base.affinity == 0 {
			base.affinity = 10800 // core/v1 DefaultClientIPServiceAffinitySeconds
		}
	}
	if svc.Type == model.LoadBalancer && base.externalLocal {
		base.healthPort = uint16(svc.HealthCheckNodePort)
	}
	ports := make([]servicePort, 0, len(svc.Ports))
	for i := range svc.Ports {
		p := base
		api := &svc.Ports[i]
		p.name = PortName(svc.Namespace, svc.Name, api.Name)
		p.portName, p.apiProtocol, p.protocol = api.Name, api.Protocol, strings.ToLower(api.Protocol)
		p.port, p.nodePort = uint16(api.Port), uint16(api.NodePort)
		ports = append(ports, p)
	}
	return ports
}

// mayBeExternal is pkg/api/v1/service ExternallyAccessible: whether
// externalTrafficPolicy means anything for the Service.
func mayBeExternal(svc *model.Service) bool {
	return svc.Type == model.LoadBalancer || svc.Type == model.NodePort ||
		svc.Type == model.ClusterIP && len(svc.ExternalIPs) > 0
}

// clusterIPOf is pkg/proxy/util GetClusterIPByFamily.
func clusterIPOf(svc *model.Service, family Family) netip.Addr {
	if len(svc.IPFamilies) == 0 {
		if ip := parseAddr(svc.ClusterIP()); ip.IsValid() && FamilyOf(ip) == family {
			return ip
		}
		return netip.Addr{}
	}
	for i, f := range svc.IPFamilies {
		if Family(f) == family && i < len(svc.ClusterIPs) {
			return parseAddr(svc.ClusterIPs[i])
		}
	}
	return netip.Addr{}
}

func addressesOf(texts []string, family Family) []netip.Addr {
	var out []netip.Addr
	for _, text := range texts {
		if ip := parseAddr(text); ip.IsValid() && FamilyOf(ip) == family {
			out = append(out, ip)
		}
	}
	return out
}

// vipsOf gives the load balancer addresses kube-proxy itself answers for:
// ingress with an IP and ipMode VIP (KEP-1860).
func vipsOf(svc *model.Service, family Family) []netip.Addr {
	var out []netip.Addr
	for _, in := range svc.Ingress {
		if in.IPMode == "" || in.IPMode == "VIP" {
			out = append(out, addressesOf([]string{in.IP}, family)...)
		}
	}
	return out
}

// sourceRangesOf gives loadBalancerSourceRanges of a family; none when one of them is /0.
func sourceRangesOf(svc *model.Service, family Family) []netip.Prefix {
	var out []netip.Prefix
	for _, text := range svc.SourceRanges {
		p := parsePrefix(strings.TrimSpace(text))
		if !p.IsValid() || FamilyOf(p.Addr()) != family {
			continue
		}
		if p.Bits() == 0 {
			return nil
		}
		out = append(out, p)
	}
	return out
}

func (p *servicePort) accessible() bool {
	return p.nodePort != 0 || len(p.vips) > 0 || len(p.externalIPs) > 0
}

func (p *servicePort) usesCluster() bool { return !p.internalLocal || p.accessible() }

func (p *servicePort) usesLocal() bool {
	return p.internalLocal || p.externalLocal && p.accessible()
}

// endpoint is one endpoint of a service port.
type endpoint struct {
	ip          netip.Addr
	text        string // "ip:port" or "[ipv6]:port"
	chain       string // its KUBE-SEP- chain; set for those in use
	address     netip.AddrPort
	local       bool
	ready       bool
	serving     bool
	terminating bool
	zones       []string
	nodes       []string
}

// fallback says whether the endpoint may be used when nothing is ready (KEP-1669).
func (e *endpoint) fallback() bool { return e.serving && e.terminating }

// endpointsOf gives the endpoints of a service port, from every slice of the
// Service, ordered by their text as kube-proxy orders them
// (pkg/proxy/endpointslicecache.go).
func endpointsOf(slices []*model.EndpointSlice, p *servicePort, family Family, node string) []endpoint {
	var out []endpoint
	seen := map[string]int{}
	for _, slice := range slices {
		if _, headless := slice.Labels[headlessLabel]; headless || slice.AddressType != string(family) {
			continue
		}
		for _, port := range slice.Ports {
			if port.Port == nil || *port.Port == 0 || port.Name != p.portName || port.Protocol != p.apiProtocol {
				continue
			}
			for i := range slice.Endpoints {
				e, ok := newEndpoint(&slice.Endpoints[i], uint16(*port.Port), node)
				if !ok {
					continue
				}
				if at, exists := seen[e.text]; !exists {
					seen[e.text] = len(out)
					out = append(out, e)
				} else if !e.terminating { // a Pod that took over a terminating one's address
					out[at] = e
				}
			}
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].text < out[j].text })
	return out
}

func newEndpoint(e *model.Endpoint, port uint16, node string) (endpoint, bool) {
	if len(e.Addresses) == 0 {
		return endpoint{}, false
	}
	ip := parseAddr(e.Addresses[0])
	if !ip.IsValid() {
		return endpoint{}, false
	}
	address := netip.AddrPortFrom(ip, port)
	return endpoint{
		ip: ip, text: address.String(), address: address,
		local: node != "" && e.Node == node,
		ready: e.IsReady(), serving: e.IsServing(), terminating: e.IsTerminating(),
		zones: e.ForZones, nodes: e.ForNodes,
	}, true
}

// reach is which endpoints a service port uses on one node.
type reach struct {
	cluster []endpoint // traffic policy Cluster
	local   []endpoint // traffic policy Local
	all     []endpoint // both, each once
	has     bool       // some node has a usable endpoint
	hints   string     // "node" or "zone" when topology hints chose among the ready ones
}

// categorize is pkg/proxy/topology.go CategorizeEndpoints.
func categorize(endpoints []endpoint, p *servicePort, node, zone string) reach {
	var r reach
	if len(endpoints) == 0 {
		return r
	}
	if p.usesCluster() {
		r.hints = hintMode(endpoints, node, zone)
		r.cluster = filter(endpoints, func(e *endpoint) bool {
			return e.ready && (r.hints != "node" || contains(e.nodes, node)) && (r.hints != "zone" || contains(e.zones, zone))
		})
		if len(r.cluster) == 0 {
			r.cluster = filter(endpoints, (*endpoint).fallback)
		}
		r.has = len(r.cluster) > 0
	}
	if !p.usesLocal() {
		r.all = r.cluster
		return r
	}
	for i := range endpoints {
		if e := &endpoints[i]; e.ready || e.fallback() {
			r.has = true
		}
	}
	r.local = filter(endpoints, func(e *endpoint) bool { return e.local && e.ready })
	if len(r.local) == 0 {
		r.local = filter(endpoints, func(e *endpoint) bool { return e.local && e.fallback() })
	}
	r.all = union(r.cluster, r.local)
	return r
}

// hintMode says which topology hints apply (KEP-2433, KEP-3015): all ready
// endpoints must carry them and one must be for this node or zone.
func hintMode(endpoints []endpoint, node, zone string) string {
	ready := filter(endpoints, func(e *endpoint) bool { return e.ready })
	if len(ready) == 0 {
		return ""
	}
	every := func(f func(*endpoint) bool) bool { return len(filter(ready, f)) == len(ready) }
	some := func(f func(*endpoint) bool) bool { return len(filter(ready, f)) > 0 }
	if every(func(e *endpoint) bool { return len(e.nodes) > 0 }) &&
		some(func(e *endpoint) bool { return contains(e.nodes, node) }) {
		return "node"
	}
	if every(func(e *endpoint) bool { return len(e.zones) > 0 }) &&
		some(func(e *endpoint) bool { return contains(e.zones, zone) }) {
		return "zone"
	}
	return ""
}

func filter(endpoints []endpoint, keep func(*endpoint) bool) []endpoint {
	var out []endpoint
	for i := range endpoints {
		if keep(&endpoints[i]) {
			out = append(out, endpoints[i])
		}
	}
	return out
}

// union merges two ordered lists.
func union(a, b []endpoint) []endpoint {
	if len(b) == 0 {
		return a
	}
	out := append([]endpoint(nil), a...)
	for _, e := range b {
		if at := sort.Search(len(a), func(i int) bool { return a[i].text >= e.text }); at == len(a) || a[at].text != e.text {
			out = append(out, e)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].text < out[j].text })
	return out
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// parseAddr reads an IP address as Kubernetes does for stored objects
// (k8s.io/utils/net ParseIPSloppy: leading zeros are decimal, IPv4-mapped IPv6
// is IPv4). The zero Addr means it is none.
func parseAddr(text string) netip.Addr {
	ip, err := netip.ParseAddr(text)
	if err != nil {
		ip, err = netip.ParseAddr(dropZeros(text))
	}
	if err != nil || ip.Zone() != "" {
		return netip.Addr{}
	}
	return ip.Unmap()
}

// parsePrefix reads a CIDR, likewise, and clears its host bits.
func parsePrefix(text string) netip.Prefix {
	address, bits, ok := strings.Cut(text, "/")
	if !ok {
		return netip.Prefix{}
	}
	ip, err := netip.ParseAddr(address)
	if err != nil {
		ip = parseAddr(address)
	}
	p, err := netip.ParsePrefix(ip.String() + "/" + bits)
	if err != nil {
		return netip.Prefix{}
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked()
}

func dropZeros(text string) string {
	if strings.Contains(text, ":") {
		return text
	}
	parts := strings.Split(text, ".")
	for i, part := range parts {
		for len(part) > 1 && part[0] == '0' {
			part = part[1:]
		}
		parts[i] = part
	}
	return strings.Join(parts, ".")
}
