package endpoints

import (
	"iter"
	"net/netip"
	"slices"
	"strings"

	"svctour/model"
)

// headlessLabel takes an EndpointSlice out of kube-proxy's watch
// (cmd/kube-proxy/app/server.go).
const headlessLabel = "service.kubernetes.io/headless"

// numbers gives the numbers that a slice has for a Service's port: ports are
// joined by name and protocol, and one without a number is ignored
// (pkg/proxy/endpointslicecache.go, endpointInfoByServicePort).
func numbers(slice *model.EndpointSlice, port *model.ServicePort) iter.Seq[uint16] {
	return func(yield func(uint16) bool) {
		for i := range slice.Ports {
			p := &slice.Ports[i]
			if p.Name == port.Name && p.Protocol == port.Protocol && p.Port != nil && *p.Port != 0 && !yield(uint16(*p.Port)) {
				return
			}
		}
	}
}

// HasPort says whether a slice has a number for a Service's port: ports are
// joined by name and protocol, whatever their numbers are
// (pkg/proxy/endpointslicecache.go, endpointInfoByServicePort).
func HasPort(slice *model.EndpointSlice, port *model.ServicePort) bool {
	for range numbers(slice, port) {
		return true
	}
	return false
}

// Joined gives what the slices of a Service hold for one of its ports, ready or
// not, with the address and number to which connections go. An endpoint that
// stands in several slices comes several times. Only the first address of an
// endpoint counts (pkg/proxy/endpointslicecache.go, addEndpoints).
func Joined(slices []*model.EndpointSlice, port *model.ServicePort) iter.Seq2[netip.AddrPort, *model.Endpoint] {
	return func(yield func(netip.AddrPort, *model.Endpoint) bool) {
		for _, slice := range slices {
			for number := range numbers(slice, port) {
				for i := range slice.Endpoints {
					e := &slice.Endpoints[i]
					if ip := firstAddress(e); ip.IsValid() && !yield(netip.AddrPortFrom(ip, number), e) {
						return
					}
				}
			}
		}
	}
}

func firstAddress(e *model.Endpoint) netip.Addr {
	if len(e.Addresses) == 0 {
		return netip.Addr{}
	}
	return ParseAddr(e.Addresses[0])
}

// Count counts the endpoints of slices, and those of them that are ready, on
// whatever port (discovery/v1, EndpointConditions).
func Count(slices []*model.EndpointSlice) (all, ready int) {
	for _, slice := range slices {
		all += len(slice.Endpoints)
		for i := range slice.Endpoints {
			if slice.Endpoints[i].IsReady() {
				ready++
			}
		}
	}
	return all, ready
}

// Served says whether a Service has an address as its cluster IP, and an endpoint
// that is ready, on whatever port (discovery/v1, EndpointConditions).
func Served(s *model.Snapshot, clusterIP string) bool {
	return slices.ContainsFunc(s.Services, func(service *model.Service) bool {
		if !slices.Contains(service.ClusterIPs, clusterIP) {
			return false
		}
		_, ready := Count(s.ServiceSlices(service.Namespace, service.Name))
		return ready > 0
	})
}

// Endpoint is one endpoint of a Service's port as kube-proxy on one node sees it
// (pkg/proxy/endpoint.go, BaseEndpointInfo).
type Endpoint struct {
	Address     netip.AddrPort
	Text        string // "10.244.1.7:8080" or "[fd00::7]:8080"
	Local       bool   // on the node that was asked for
	Ready       bool
	Serving     bool
	Terminating bool
	Zones       []string // topology hints
	Nodes       []string
}

// Fallback says whether the endpoint is used while none is ready: it is
// terminating and still serves (KEP-1669).
func (e *Endpoint) Fallback() bool { return e.Serving && e.Terminating }

// Of gives the endpoints that kube-proxy on a node has for a Service's port in
// one family, "IPv4" or "IPv6", from all slices of the Service and in the order
// of their texts (pkg/proxy/endpointslicecache.go, endpointsMapFromEndpointInfo).
// Without a node none is Local.
func Of(list []*model.EndpointSlice, port *model.ServicePort, family, node string) []Endpoint {
	var out []Endpoint
	at := map[netip.AddrPort]int{}
	for _, slice := range list {
		if _, headless := slice.Labels[headlessLabel]; headless || slice.AddressType != family {
			continue
		}
		for number := range numbers(slice, port) {
			for i := range slice.Endpoints {
				e := &slice.Endpoints[i]
				ip := firstAddress(e)
				if !ip.IsValid() {
					continue
				}
				address := netip.AddrPortFrom(ip, number)
				if i, exists := at[address]; !exists {
					at[address] = len(out)
					out = append(out, newEndpoint(e, address, node))
				} else if !e.IsTerminating() { // a Pod may have taken over the address of a terminating one
					out[i] = newEndpoint(e, address, node)
				}
			}
		}
	}
	slices.SortFunc(out, func(a, b Endpoint) int { return strings.Compare(a.Text, b.Text) })
	return out
}

func newEndpoint(e *model.Endpoint, address netip.AddrPort, node string) Endpoint {
	return Endpoint{
		Address: address, Text: address.String(), Local: node != "" && e.Node == node,
		Ready: e.IsReady(), Serving: e.IsServing(), Terminating: e.IsTerminating(),
		Zones: e.ForZones, Nodes: e.ForNodes,
	}
}
