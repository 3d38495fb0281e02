package network

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// The kernel's net.ipv4.ipfrag_time, and how many packets a router puts
// together at once: with what a packet can hold, 4 MiB.
const (
	fragmentTime = 30 * time.Second
	fragmentsMax = 64
)

// moreFragments is the flag MF of RFC 791; fragmentMask are the bits of the offset.
const (
	moreFragments = 0x2000
	fragmentMask  = 0x1fff
)

// fragments puts packets that come in fragments together before anything else
// sees them, as the kernel's nf_defrag_ipv4 does where connections are tracked:
// only the first fragment has ports. What leaves the router is not cut again:
// the lab's wires take a packet of any size.
type fragments map[fragmentKey]*fragmented

// fragmentKey is what the fragments of one packet have in common (RFC 791, 3.2).
type fragmentKey struct {
	source, dest netip.Addr
	protocol     byte
	id           uint16
}

type fragmented struct {
	header  []byte         // of the first fragment, nil before it came
	bodies  map[int][]byte // by offset; those that overlap never make a whole
	total   int            // bytes of all bodies, 0 before the last fragment came
	expires time.Time
}

// whole is the packet itself, or the one that it makes complete; nil if others
// of its fragments have still to come.
func (f fragments) whole(p *packet, now time.Time) *packet {
	field := binary.BigEndian.Uint16(p.data[6:8])
	offset, more := int(field&fragmentMask)*8, field&moreFragments != 0
	if offset == 0 && !more {
		return p
	}
	body := p.body()
	if len(body) == 0 || more && len(body)%8 != 0 || p.head+offset+len(body) > 1<<16-1 {
		return nil
	}
	key := fragmentKey{p.source(), p.destination(), p.protocol(), binary.BigEndian.Uint16(p.data[4:6])}
	known := f[key]
	if known == nil || now.After(known.expires) {
		if f.sweep(now); len(f) >= fragmentsMax {
			return nil
		}
		known = &fragmented{bodies: map[int][]byte{}, expires: now.Add(fragmentTime)}
		f[key] = known
	}
	known.bodies[offset] = body
	if offset == 0 {
		known.header = p.data[:p.head]
	}
	if !more {
		known.total = offset + len(body)
	}
	data := known.join()
	if data == nil {
		return nil
	}
	delete(f, key)
	out := newPacket(data)
	out.in = p.in
	return out
}

// join is the whole packet, nil if something of it is missing.
func (known *fragmented) join() []byte {
	if known.header == nil || known.total == 0 {
		return nil
	}
	head := len(known.header)
	data := make([]byte, head, head+known.total)
	copy(data, known.header)
	for len(data) < head+known.total {
		body := known.bodies[len(data)-head]
		if body == nil {
			return nil
		}
		data = append(data, body...)
	}
	if len(data) != head+known.total || len(data) > 1<<16-1 {
		return nil
	}
	binary.BigEndian.PutUint16(data[2:], uint16(len(data)))
	binary.BigEndian.PutUint16(data[6:], 0)
	newPacket(data).checksum()
	return data
}

// sweep forgets what has waited for too long.
func (f fragments) sweep(now time.Time) {
	for key, known := range f {
		if now.After(known.expires) {
			delete(f, key)
		}
	}
}
