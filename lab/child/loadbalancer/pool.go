// Package loadbalancer is the lab's load balancers: the cloud service
// controller of Kubernetes (k8s.io/cloud-provider) over a pool of addresses,
// and what announces each of them from a node, as MetalLB does in layer 2 mode.
// It runs as the program of a Pod: see addon.Enable.
package loadbalancer

import (
	"fmt"
	"net/netip"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"svctour/lab/addon"
)

// Pool is a range of addresses, and whose each of them is. It may be used from
// several goroutines.
type Pool struct {
	addon.Range

	mu     sync.Mutex
	owners map[netip.Addr]types.UID
	held   map[types.UID]netip.Addr
}

// ParsePool makes a pool of a range that addon.ParseRange reads.
func ParsePool(text string) (*Pool, error) {
	r, err := addon.ParseRange(text)
	if err != nil {
		return nil, err
	}
	return &Pool{Range: r, owners: map[netip.Addr]types.UID{}, held: map[types.UID]netip.Addr{}}, nil
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
	for a := p.First; p.Contains(a); a = a.Next() {
		if _, taken := p.owners[a]; !taken {
			return a
		}
	}
	return netip.Addr{}
}
