package proxy

import (
	"net/netip"
	"strings"

	"svctour/lab/child/network"
	"svctour/model"
	"svctour/model/endpoints"
)

// flows says which UDP entries of conntrack lead nowhere any more
// (pkg/proxy/conntrack/cleanup.go): a UDP client that goes on sending would
// keep its entry, and so a Pod that is gone, for ever.
type flows struct {
	byAddress  map[netip.AddrPort]map[netip.AddrPort]bool // a Service's address and port: its serving endpoints
	byNodePort map[uint16]map[netip.AddrPort]bool
}

// staleFlows reads the Services and their serving endpoints. Traffic policies,
// topology and readiness do not count. A NodePort without any serving endpoint
// is left alone: it would be matched by its number whatever the address.
func staleFlows(s *model.Snapshot) flows {
	f := flows{byAddress: map[netip.AddrPort]map[netip.AddrPort]bool{}, byNodePort: map[uint16]map[netip.AddrPort]bool{}}
	for _, svc := range s.Services {
		if svc.Type == model.ExternalName || svc.Headless() {
			continue
		}
		addresses := append([]string(nil), svc.ClusterIPs...)
		addresses = append(addresses, svc.ExternalIPs...)
		for _, ingress := range svc.Ingress {
			if ingress.IPMode == "" || ingress.IPMode == "VIP" {
				addresses = append(addresses, ingress.IP)
			}
		}
		for i := range svc.Ports {
			port := &svc.Ports[i]
			if port.Protocol != "UDP" {
				continue
			}
			serving := servingEndpoints(s, svc, port)
			for _, text := range addresses {
				if address, err := netip.ParseAddr(text); err == nil {
					f.byAddress[netip.AddrPortFrom(address, uint16(port.Port))] = serving
				}
			}
			if port.NodePort != 0 && len(serving) > 0 {
				f.byNodePort[uint16(port.NodePort)] = serving
			}
		}
	}
	return f
}

func servingEndpoints(s *model.Snapshot, svc *model.Service, port *model.ServicePort) map[netip.AddrPort]bool {
	serving := map[netip.AddrPort]bool{}
	for address, e := range endpoints.Joined(s.ServiceSlices(svc.Namespace, svc.Name), port) {
		if e.IsServing() {
			serving[address] = true
		}
	}
	return serving
}

// match says whether an entry has to be deleted.
func (f flows) match(c network.Connection) bool {
	if !strings.EqualFold(c.Protocol, "udp") {
		return false
	}
	serving, ours := f.byAddress[c.Destination]
	if ours && !serving[c.ReplySource] {
		return true
	}
	serving, ours = f.byNodePort[c.Destination.Port()]
	return ours && !serving[c.ReplySource]
}
