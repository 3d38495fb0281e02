// Package loadbalancer is the lab's load balancers: the cloud service
// controller of Kubernetes (k8s.io/cloud-provider) over a pool of addresses,
// and what announces each of them from a node, as MetalLB does in layer 2 mode.
// It runs as the program of a Pod: see Enable.
package loadbalancer

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// DefaultPool is the addresses that the lab's load balancers have: in the
// nodes' network, behind those of its nodes.
const DefaultPool = "172.18.0.200-172.18.0.250"

// poolLimit keeps a mistyped range from being a list of the whole network.
const poolLimit = 1 << 16

// Pool is a range of IPv4 addresses, and whose each of them is. It may be used
// from several goroutines.
type Pool struct {
	first, last netip.Addr

	mu     sync.Mutex
	owners map[netip.Addr]types.UID
	held   map[types.UID]netip.Addr
}

// ParsePool reads a range, FIRST-LAST, or a single address.
func ParsePool(text string) (*Pool, error) {
	from, to, ranged := strings.Cut(text, "-")
	if !ranged {
		to = from
	}
	first, err := netip.ParseAddr(strings.TrimSpace(from))
	if err != nil {
		return nil, fmt.Errorf("address pool %q: want FIRST-LAST, as in %s", text, DefaultPool)
	}
	last, err := netip.ParseAddr(strings.TrimSpace(to))
	if err != nil {
		return nil, fmt.Errorf("address pool %q: want FIRST-LAST, as in %s", text, DefaultPool)
	}
	switch {
	case !first.Is4() || !last.Is4():
		return nil, fmt.Errorf("address pool %q: the lab has IPv4 only", text)
	case last.Less(first):
		return nil, fmt.Errorf("address pool %q: %s comes before %s", text, last, first)
	}
	p := &Pool{first: first, last: last, owners: map[netip.Addr]types.UID{}, held: map[types.UID]netip.Addr{}}
	if p.size() > poolLimit {
		return nil, fmt.Errorf("address pool %q: more than %d addresses", text, poolLimit)
	}
	return p, nil
}

// String is the range as ParsePool reads it.
func (p *Pool) String() string { return p.first.String() + "-" + p.last.String() }

func (p *Pool) size() int {
	number := func(a netip.Addr) int {
		b := a.As4()
		return int(b[0])<<24 | int(b[1])<<16 | int(b[2])<<8 | int(b[3])
	}
	return number(p.last) - number(p.first) + 1
}

// Contains says whether an address is in the range.
func (p *Pool) Contains(a netip.Addr) bool {
	return a.Is4() && !a.Less(p.first) && !p.last.Less(a)
}

// Allocate gives an owner an address: the wanted one if that is valid, or else
// the one that it has, or else the lowest that is free. An owner has one
// address; one that it had before is free again.
func (p *Pool) Allocate(owner types.UID, wanted netip.Addr) (netip.Addr, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	has, holds := p.held[owner]
	if !wanted.IsValid() {
		if holds {
			return has, nil
		}
		if wanted = p.free(); !wanted.IsValid() {
			return wanted, fmt.Errorf("no address is free in the pool %s", p)
		}
	}
	if !p.Contains(wanted) {
		return netip.Addr{}, fmt.Errorf("address %s is not in the pool %s", wanted, p)
	}
	if other, taken := p.owners[wanted]; taken && other != owner {
		return netip.Addr{}, fmt.Errorf("address %s is another Service's", wanted)
	}
	if holds {
		delete(p.owners, has)
	}
	p.owners[wanted], p.held[owner] = owner, wanted
	return wanted, nil
}

// Held is the address that an owner has.
func (p *Pool) Held(owner types.UID) (netip.Addr, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	address, ok := p.held[owner]
	return address, ok
}

// Release makes an owner's address free again.
func (p *Pool) Release(owner types.UID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.owners, p.held[owner])
	delete(p.held, owner)
}

func (p *Pool) free() netip.Addr {
	for a := p.first; p.Contains(a); a = a.Next() {
		if _, taken := p.owners[a]; !taken {
			return a
		}
	}
	return netip.Addr{}
}
