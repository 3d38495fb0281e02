package node

import (
	"fmt"
	"net/netip"
)

// pool hands out a node's Pod addresses: one after the other, so that an
// address comes back only when all others have been used, as the host-local
// CNI plugin does.
type pool struct {
	prefix netip.Prefix
	last   netip.Addr // handed out last
	used   map[netip.Addr]bool
}

// newPool hands out prefix's addresses from .2 on: .0 is the network, .1 the
// node's bridge, the last one the broadcast address.
func newPool(prefix netip.Prefix) *pool {
	return &pool{prefix: prefix, last: prefix.Addr().Next(), used: map[netip.Addr]bool{}}
}

// take hands out the next free address.
func (p *pool) take() (netip.Addr, error) {
	first := p.prefix.Addr().Next().Next()
	address := p.last
	for {
		address = address.Next()
		if !p.prefix.Contains(address.Next()) { // the broadcast address
			address = first
		}
		if !p.used[address] {
			p.used[address] = true
			p.last = address
			return address, nil
		}
		if address == p.last {
			return netip.Addr{}, fmt.Errorf("no IP addresses available in range set: %s-%s", first, p.prefix)
		}
	}
}

func (p *pool) release(address netip.Addr) { delete(p.used, address) }
