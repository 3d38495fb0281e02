package path

import (
	"maps"
	"math"
	"net/netip"
	"slices"
)

// layers is a map that shares most of itself with the one it was made from:
// what differs lies above, a zero value for a key that is gone.
type layers[K, V comparable] struct{ below, above map[K]V }

func (l *layers[K, V]) find(key K) V {
	if v, has := l.above[key]; has {
		return v
	}
	return l.below[key]
}

func (l *layers[K, V]) put(key K, v V) {
	if l.above == nil {
		l.above = map[K]V{}
	}
	l.above[key] = v
}

// maxAbove is from when on the layers are merged.
const maxAbove = 512

// next is a map that may be written to without changing l, which must not be
// written to any more.
func (l *layers[K, V]) next() layers[K, V] {
	switch {
	case l.below == nil:
		return layers[K, V]{below: l.above}
	case len(l.above) < maxAbove:
		return layers[K, V]{l.below, maps.Clone(l.above)}
	}
	merged := maps.Clone(l.below)
	var zero V
	for key, v := range l.above {
		if v == zero {
			delete(merged, key)
		} else {
			merged[key] = v
		}
	}
	return layers[K, V]{below: merged}
}

// longChain is the length from which a chain gets an index; below it, testing
// every rule is cheaper.
const longChain = 16

// ruleIndex finds the rules that can match a packet by its destination. It
// knows rules by labels that grow along the chain, with room between them, so
// that rules can come and go without touching the others.
type ruleIndex struct {
	labels   []uint64
	byTarget layers[netip.AddrPort, *[]uint64] // one address and a port; or the zero address and a port
	others   []uint64
}

// labelGap is the room between the labels of a new index: for halving it 32 times.
const labelGap = 1 << 32

func newRuleIndex(rules []*Rule) *ruleIndex {
	x := &ruleIndex{labels: make([]uint64, len(rules))}
	for i := range rules {
		x.labels[i] = uint64(i+1) * labelGap
		x.add(rules[i], x.labels[i])
	}
	return x
}

// target is what a rule is indexed by; false for one that any packet may match.
func (r *Rule) target() (netip.AddrPort, bool) {
	if r.Destination.IsSingleIP() && !r.NotDest {
		return netip.AddrPortFrom(r.Destination.Addr(), r.Port), r.Port != 0
	}
	return netip.AddrPortFrom(netip.Addr{}, r.Port), r.Port != 0
}

func (x *ruleIndex) add(r *Rule, label uint64) {
	key, ok := r.target()
	if !ok {
		at, _ := slices.BinarySearch(x.others, label)
		x.others = slices.Insert(x.others, at, label)
		return
	}
	list := []uint64{label}
	if have := x.byTarget.find(key); have != nil {
		at, _ := slices.BinarySearch(*have, label)
		list = slices.Insert(slices.Clone(*have), at, label)
	}
	x.byTarget.put(key, &list)
}

func (x *ruleIndex) remove(r *Rule, label uint64) {
	without := func(list []uint64) []uint64 {
		return slices.DeleteFunc(slices.Clone(list), func(l uint64) bool { return l == label })
	}
	key, ok := r.target()
	if !ok {
		x.others = without(x.others)
		return
	}
	if have := x.byTarget.find(key); have != nil {
		list := without(*have)
		x.byTarget.put(key, &list)
	}
}

// relabel is the index of a chain that was spliced; nil when there is no room
// left between its labels. removed and added are positions in the old chain and
// in the new one.
func (x *ruleIndex) relabel(before, after []*Rule, removed, added []int) *ruleIndex {
	next := &ruleIndex{labels: make([]uint64, len(after)), byTarget: x.byTarget.next(), others: slices.Clone(x.others)}
	for _, i := range removed {
		next.remove(before[i], x.labels[i])
	}
	kept := x.labels
	at, last := 0, uint64(0) // in the old chain; the label before
	for i := 0; i < len(after); {
		for len(removed) > 0 && removed[0] == at {
			removed, at = removed[1:], at+1
		}
		if len(added) == 0 || added[0] != i {
			next.labels[i], last = kept[at], kept[at]
			i, at = i+1, at+1
			continue
		}
		n := 1
		for n < len(added) && added[n] == i+n {
			n++
		}
		limit := last + uint64(n+1)*labelGap
		if at < len(kept) {
			limit = kept[at]
		}
		step := (limit - last) / uint64(n+1)
		if step == 0 {
			return nil
		}
		for range n {
			last += step
			next.labels[i] = last
			next.add(after[i], last)
			i++
		}
		added = added[n:]
	}
	return next
}

// Next gives the position of the first rule at or after from that can match a
// packet for destination; len(Rules) when none can. A chain is walked rule by
// rule (iptables(8), TARGETS); those skipped here have a destination that is
// not the packet's.
func (c *Chain) Next(from int, destination netip.AddrPort) int {
	if from >= len(c.Rules) {
		return len(c.Rules)
	}
	return c.next(from, destination)
}

// next is Next for a position in the chain.
func (c *Chain) next(from int, destination netip.AddrPort) int {
	if len(c.Rules) < longChain {
		return from
	}
	x := c.index.Load()
	if x == nil {
		x = newRuleIndex(c.Rules)
		c.index.Store(x)
	}
	if from >= len(c.Rules) {
		return from
	}
	best := uint64(math.MaxUint64)
	find := func(list []uint64) {
		if at, _ := slices.BinarySearch(list, x.labels[from]); at < len(list) {
			best = min(best, list[at])
		}
	}
	find(x.others)
	for _, key := range [...]netip.AddrPort{destination, netip.AddrPortFrom(netip.Addr{}, destination.Port())} {
		if list := x.byTarget.find(key); list != nil {
			find(*list)
		}
	}
	at, _ := slices.BinarySearch(x.labels, best)
	return at
}
