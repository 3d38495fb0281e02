package path

import (
	"cmp"
	"net/netip"
	"slices"
	"sort"
	"strings"

	"svctour/model"
)

// host is what kube-proxy's rules depend on besides Services and endpoints: the
// node it runs on and its configuration, for one IP family.
type host struct {
	family    Family
	node      string
	zone      string
	ip        netip.Addr   // the node's primary address of the family
	addresses []netip.Addr // every known address of the family
	detector  detector
	// nodePortIPs lists the addresses NodePorts answer on; nil means all of them.
	nodePortIPs       []netip.Addr
	localhostNodePort bool
	masqueradeAll     bool
	mark              uint32
	scheduler         string // of IPVS
}

// detector tells traffic of local Pods from other traffic (detectLocalMode).
// The zero detector is "not implemented".
type detector struct {
	source netip.Prefix
	interf string
}

func (d detector) implemented() bool { return d.source.IsValid() || d.interf != "" }

// match lets a rule match the Pods' traffic, or with not all other.
func (d detector) match(r *Rule, not bool) {
	if d.interf != "" {
		m := r.own()
		m.Interface, m.NotInterf = d.interf, not
		return
	}
	r.Source, r.NotSource = d.source, not
}

func newHost(s *model.Snapshot, node string, family Family) *host {
	h := &host{family: family, node: node, masqueradeAll: s.Proxy.MasqueradeAll, scheduler: cmp.Or(s.Proxy.Scheduler, "rr")}
	bit := s.Proxy.MasqueradeBit
	if bit < 0 || bit > 31 {
		bit = 14
	}
	h.mark = 1 << uint(bit)
	var podCIDRs []string
	if n := s.Node(node); n != nil {
		h.zone = n.Zone()
		podCIDRs = n.PodCIDRs
	}
	h.addresses = NodeAddresses(s, node, family)
	h.ip = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	if family == IPv6 {
		h.ip = netip.IPv6Loopback()
	}
	if len(h.addresses) > 0 {
		h.ip = h.addresses[0]
	}
	h.detector = newDetector(&s.Proxy, podCIDRs, family)
	h.setNodePortAddresses(&s.Proxy)
	return h
}

// NodeAddresses gives the known addresses of a node in one family, InternalIPs
// first: those of its Node object or, when that cannot be read, the hostIP of
// its Pods. Bridges and tunnel devices are not in the API. kube-proxy takes those
// of the machine's devices (pkg/proxy/util/network.go and nodeport_addresses.go).
func NodeAddresses(s *model.Snapshot, node string, family Family) []netip.Addr {
	var texts []string
	if n := s.Node(node); n != nil {
		for _, kind := range []string{"InternalIP", "ExternalIP"} {
			for _, a := range n.Addresses {
				if a.Type == kind && !slices.Contains(texts, a.Address) {
					texts = append(texts, a.Address)
				}
			}
		}
	} else if node != "" {
		for _, pod := range s.Pods {
			if pod.Node == node && pod.HostIP != "" && !slices.Contains(texts, pod.HostIP) {
				texts = append(texts, pod.HostIP)
			}
		}
	}
	return addressesOf(texts, family)
}

// newDetector is cmd/kube-proxy/app/server_linux.go getLocalDetectors.
func newDetector(proxy *model.Proxy, podCIDRs []string, family Family) detector {
	cidrs := proxy.ClusterCIDRs
	switch proxy.DetectLocalMode {
	case "", "ClusterCIDR":
	case "NodeCIDR":
		cidrs = podCIDRs
	case "BridgeInterface":
		return detector{interf: proxy.BridgeInterface}
	case "InterfaceNamePrefix":
		if proxy.InterfacePrefix == "" {
			return detector{}
		}
		return detector{interf: proxy.InterfacePrefix + "+"}
	default:
		return detector{}
	}
	for _, text := range cidrs {
		if p := parsePrefix(strings.TrimSpace(text)); p.IsValid() && FamilyOf(p.Addr()) == family {
			return detector{source: p}
		}
	}
	return detector{}
}

// setNodePortAddresses resolves nodePortAddresses: CIDRs and, since v1.37, the
// keywords "primary", "localhost" and "all" (pkg/proxy/util/nodeport_addresses.go,
// cmd/kube-proxy/app/server.go expandNodePortAddressKeywords). No entry for a
// family means all addresses of that family.
func (h *host) setNodePortAddresses(proxy *model.Proxy) {
	var prefixes []netip.Prefix
	for _, text := range proxy.NodePortAddresses {
		prefixes = append(prefixes, h.nodePortPrefixes(text)...)
	}
	loopback, all := false, len(prefixes) == 0
	for _, p := range prefixes {
		all = all || p.Bits() == 0
		loopback = loopback || p.Addr().IsLoopback() || p.Contains(netip.AddrFrom4([4]byte{127, 0, 0, 0}))
	}
	h.localhostNodePort = h.family == IPv4 && proxy.LocalhostNodePort && (all || loopback)
	if all {
		return
	}
	h.nodePortIPs = []netip.Addr{}
	local := append([]netip.Addr(nil), h.addresses...)
	if h.localhostNodePort {
		local = append(local, netip.AddrFrom4([4]byte{127, 0, 0, 1}))
	}
	for _, ip := range local {
		for _, p := range prefixes {
			if p.Contains(ip) {
				h.nodePortIPs = append(h.nodePortIPs, ip)
				break
			}
		}
	}
	sort.Slice(h.nodePortIPs, func(i, j int) bool { return h.nodePortIPs[i].Less(h.nodePortIPs[j]) })
}

func (h *host) nodePortPrefixes(text string) []netip.Prefix {
	v4 := h.family == IPv4
	switch text {
	case "all":
		if v4 {
			text = "0.0.0.0/0"
		} else {
			text = "::/0"
		}
	case "localhost":
		if v4 {
			text = "127.0.0.0/8"
		} else {
			text = "::1/128"
		}
	case "primary":
		if h.ip.IsLoopback() {
			return nil
		}
		return []netip.Prefix{netip.PrefixFrom(h.ip, h.ip.BitLen())}
	}
	if p := parsePrefix(text); p.IsValid() && FamilyOf(p.Addr()) == h.family {
		return []netip.Prefix{p}
	}
	return nil
}
