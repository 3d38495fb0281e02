package diagnose

import "net/netip"

func insideAny(ranges, addresses []string) bool {
	for _, r := range ranges {
		if inside(r, addresses) {
			return true
		}
	}
	return false
}

func inside(cidr string, addresses []string) bool {
	prefix, err := netip.ParsePrefix(cidr)
	if err != nil {
		return false
	}
	for _, text := range addresses {
		if address, err := netip.ParseAddr(text); err == nil && prefix.Contains(address.Unmap()) {
			return true
		}
	}
	return false
}
