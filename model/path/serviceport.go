package path

import (
	"net/netip"
	"strings"

	"svctour/model"
	"svctour/model/endpoints"
)

// proxyNameLabel takes a Service out of kube-proxy's watch
// (cmd/kube-proxy/app/server.go).
const proxyNameLabel = "service.kubernetes.io/service-proxy-name"

// servicePort is one port of a Service as one family's kube-proxy sees it
// (pkg/proxy/serviceport.go, BaseServicePortInfo).
type servicePort struct {
	api           *model.ServicePort
	name          string // PortName
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
		p.api, p.name, p.protocol = api, PortName(svc.Namespace, svc.Name, api.Name), strings.ToLower(api.Protocol)
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
		if ip := endpoints.ParseAddr(svc.ClusterIP()); ip.IsValid() && FamilyOf(ip) == family {
			return ip
		}
		return netip.Addr{}
	}
	for i, f := range svc.IPFamilies {
		if Family(f) == family && i < len(svc.ClusterIPs) {
			return endpoints.ParseAddr(svc.ClusterIPs[i])
		}
	}
	return netip.Addr{}
}

func addressesOf(texts []string, family Family) []netip.Addr {
	var out []netip.Addr
	for _, text := range texts {
		if ip := endpoints.ParseAddr(text); ip.IsValid() && FamilyOf(ip) == family {
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

// endpoints are those of the service port on a node, from the slices of its
// Service.
func (p *servicePort) endpoints(slices []*model.EndpointSlice, h *host) []endpoints.Endpoint {
	return endpoints.Of(slices, p.api, string(h.family), h.node)
}

// usable are those of its endpoints that it uses on a node.
func (p *servicePort) usable(list []endpoints.Endpoint, h *host) endpoints.Usable {
	return endpoints.Categorize(list, p.usesCluster(), p.usesLocal(), h.node, h.zone)
}

// hairpin is the element of a set of endpoints that may reach themselves.
func hairpin(p *servicePort, e *endpoints.Endpoint) Element {
	ip := e.Address.Addr()
	return Element{Key: Key{Source: ip, Address: ip, Protocol: p.protocol, Port: e.Address.Port()}}
}

// parsePrefix reads a CIDR, likewise, and clears its host bits.
func parsePrefix(text string) netip.Prefix {
	address, bits, ok := strings.Cut(text, "/")
	if !ok {
		return netip.Prefix{}
	}
	ip, err := netip.ParseAddr(address)
	if err != nil {
		ip = endpoints.ParseAddr(address)
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
