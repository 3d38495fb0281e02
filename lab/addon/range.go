package addon

import (
	"fmt"
	"net/netip"
	"strings"
)

// DefaultPool is the addresses that the lab's load balancers have: in the
// nodes' network, behind those of its nodes.
const DefaultPool = "172.18.0.200-172.18.0.250"

// poolLimit keeps a mistyped range from being a list of the whole network.
const poolLimit = 1 << 16

// Range is a range of IPv4 addresses, both ends included.
type Range struct{ First, Last netip.Addr }

// ParseRange reads a range, FIRST-LAST, or a single address.
func ParseRange(text string) (Range, error) {
	from, to, ranged := strings.Cut(text, "-")
	if !ranged {
		to = from
	}
	first, err := netip.ParseAddr(strings.TrimSpace(from))
	if err != nil {
		return Range{}, fmt.Errorf("address pool %q: want FIRST-LAST, as in %s", text, DefaultPool)
	}
	last, err := netip.ParseAddr(strings.TrimSpace(to))
	if err != nil {
		return Range{}, fmt.Errorf("address pool %q: want FIRST-LAST, as in %s", text, DefaultPool)
	}
	switch {
	case !first.Is4() || !last.Is4():
		return Range{}, fmt.Errorf("address pool %q: the lab has IPv4 only", text)
	case last.Less(first):
		return Range{}, fmt.Errorf("address pool %q: %s comes before %s", text, last, first)
	}
	r := Range{first, last}
	if r.size() > poolLimit {
		return Range{}, fmt.Errorf("address pool %q: more than %d addresses", text, poolLimit)
	}
	return r, nil
}

// String is the range as ParseRange reads it.
func (r Range) String() string { return r.First.String() + "-" + r.Last.String() }

func (r Range) size() int {
	number := func(a netip.Addr) int {
		b := a.As4()
		return int(b[0])<<24 | int(b[1])<<16 | int(b[2])<<8 | int(b[3])
	}
	return number(r.Last) - number(r.First) + 1
}

// Contains says whether an address is in the range.
func (r Range) Contains(a netip.Addr) bool {
	return a.Is4() && !a.Less(r.First) && !r.Last.Less(a)
}
