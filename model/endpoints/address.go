package endpoints

import (
	"net/netip"
	"strings"
)

// ParseAddr reads an IP address as Kubernetes reads those of stored objects
// (k8s.io/utils/net, ParseIPSloppy): leading zeros are decimal, and an
// IPv4-mapped IPv6 address is IPv4. The zero Addr means that it is none.
func ParseAddr(text string) netip.Addr {
	ip, err := netip.ParseAddr(text)
	if err != nil {
		ip, err = netip.ParseAddr(withoutZeros(text))
	}
	if err != nil || ip.Zone() != "" {
		return netip.Addr{}
	}
	return ip.Unmap()
}

func withoutZeros(text string) string {
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

// familyOf is the family of an address as a Service and an EndpointSlice name it.
func familyOf(ip netip.Addr) string {
	if ip.Is4() {
		return "IPv4"
	}
	return "IPv6"
}
