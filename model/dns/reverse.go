package dns

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// reverseAddr reads the address in a name under in-addr.arpa (RFC 1035, 3.5) or
// ip6.arpa (RFC 3596, 2.5).
func reverseAddr(name string) (netip.Addr, bool) {
	if digits, ok := strings.CutSuffix(name, ".in-addr.arpa"); ok {
		labels := strings.Split(digits, ".")
		slices.Reverse(labels)
		ip, err := netip.ParseAddr(strings.Join(labels, "."))
		return ip, err == nil && ip.Is4()
	}
	digits, ok := strings.CutSuffix(name, ".ip6.arpa")
	labels := strings.Split(digits, ".")
	if !ok || len(labels) < 32 {
		return netip.Addr{}, false
	}
	slices.Reverse(labels)
	groups := []string{}
	for group := range slices.Chunk(labels[:len(labels)/4*4], 4) {
		groups = append(groups, strings.Join(group, ""))
	}
	ip, err := netip.ParseAddr(strings.Join(groups, ":"))
	return ip.Unmap(), err == nil && ip.Zone() == ""
}

// ReverseName is the name whose PTR record belongs to an address (RFC 1035 3.5,
// RFC 3596 2.5).
func ReverseName(ip netip.Addr) string {
	if ip = ip.Unmap(); ip.Is4() {
		b := ip.As4()
		return fmt.Sprintf("%d.%d.%d.%d.in-addr.arpa.", b[3], b[2], b[1], b[0])
	}
	var out strings.Builder
	b := ip.As16()
	for i := len(b) - 1; i >= 0; i-- {
		fmt.Fprintf(&out, "%x.%x.", b[i]&0xf, b[i]>>4)
	}
	return out.String() + "ip6.arpa."
}
