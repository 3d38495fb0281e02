package network

import (
	"encoding/binary"
	"net/netip"
)

// Protocol numbers (IANA) and what the router needs of the headers.
const (
	protocolICMP = 1
	protocolTCP  = 6
	protocolUDP  = 17

	icmpEchoReply      = 0
	icmpUnreachable    = 3
	icmpEchoRequest    = 8
	icmpTimeExceeded   = 11
	icmpNetUnreachable = 0
	icmpHostUnreach    = 1
	icmpPortUnreach    = 3

	flagFIN = 1 << 0
	flagSYN = 1 << 1
	flagRST = 1 << 2
	flagACK = 1 << 4
)

// packet is an IPv4 packet on its way (RFC 791). Its bytes are its own.
type packet struct {
	data []byte
	head int // bytes of the IP header

	in string // the interface it came in by on this node, "" if a process of the node sent it
}

// newPacket takes the bytes of an IPv4 packet; nil if they are none.
func newPacket(data []byte) *packet {
	if len(data) < 20 || data[0]>>4 != 4 {
		return nil
	}
	head := int(data[0]&15) * 4
	if head < 20 || len(data) < head {
		return nil
	}
	return &packet{data: data, head: head}
}

func (p *packet) protocol() byte { return p.data[9] }

func (p *packet) source() netip.Addr      { return netip.AddrFrom4([4]byte(p.data[12:16])) }
func (p *packet) destination() netip.Addr { return netip.AddrFrom4([4]byte(p.data[16:20])) }

// body is what follows the IP header.
func (p *packet) body() []byte { return p.data[p.head:] }

// fragment says whether the packet is a fragment other than the first.
func (p *packet) fragment() bool { return binary.BigEndian.Uint16(p.data[6:8])&0x1fff != 0 }

// tuple identifies a packet's connection and direction. An ICMP echo has its
// identifier for both ports, as conntrack has it for one.
type tuple struct {
	protocol         byte
	source, dest     netip.AddrPort
	icmpType, icmpID uint16
}

// reverse is the tuple of the answers.
func (t tuple) reverse() tuple {
	r := tuple{protocol: t.protocol, source: t.dest, dest: t.source, icmpID: t.icmpID}
	if t.protocol == protocolICMP {
		switch t.icmpType {
		case icmpEchoRequest:
			r.icmpType = icmpEchoReply
		case icmpEchoReply:
			r.icmpType = icmpEchoRequest
		}
	}
	return r
}

// tupleOf reads the tuple of an IPv4 packet or of the beginning of one that an
// ICMP error quotes; false if it has none.
func tupleOf(data []byte, head int) (tuple, bool) {
	t := tuple{protocol: data[9]}
	source, dest := netip.AddrFrom4([4]byte(data[12:16])), netip.AddrFrom4([4]byte(data[16:20]))
	body := data[head:]
	switch t.protocol {
	case protocolTCP, protocolUDP:
		if len(body) < 8 {
			return t, false
		}
		t.source = netip.AddrPortFrom(source, binary.BigEndian.Uint16(body[0:2]))
		t.dest = netip.AddrPortFrom(dest, binary.BigEndian.Uint16(body[2:4]))
	case protocolICMP:
		if len(body) < 8 {
			return t, false
		}
		t.icmpType, t.icmpID = uint16(body[0]), binary.BigEndian.Uint16(body[4:6])
		t.source, t.dest = netip.AddrPortFrom(source, 0), netip.AddrPortFrom(dest, 0)
	default:
		t.source, t.dest = netip.AddrPortFrom(source, 0), netip.AddrPortFrom(dest, 0)
	}
	return t, true
}

// flags are a TCP segment's; 0 for anything else.
func (p *packet) flags() byte {
	if body := p.body(); p.protocol() == protocolTCP && len(body) >= 20 {
		return body[13]
	}
	return 0
}

// icmpError says whether the packet is an ICMP error, which quotes another.
func (p *packet) icmpError() bool {
	body := p.body()
	return p.protocol() == protocolICMP && len(body) >= 8+20+8 && (body[0] == icmpUnreachable || body[0] == icmpTimeExceeded)
}

// setSource rewrites where the packet comes from, port included.
func (p *packet) setSource(to netip.AddrPort) {
	rewrite(p.data, p.head, 12, 0, to)
	p.checksum()
}

// setDestination rewrites where the packet goes, port included.
func (p *packet) setDestination(to netip.AddrPort) {
	rewrite(p.data, p.head, 16, 2, to)
	p.checksum()
}

// rewrite writes an address and a port into a packet. The stacks neither
// compute nor check the checksums of TCP and UDP: no wire can garble them.
func rewrite(data []byte, head, addressAt, portAt int, to netip.AddrPort) {
	address := to.Addr().As4()
	copy(data[addressAt:], address[:])
	if protocol := data[9]; (protocol == protocolTCP || protocol == protocolUDP) && len(data) >= head+4 {
		binary.BigEndian.PutUint16(data[head+portAt:], to.Port())
	}
}

// checksum writes the checksum of the IP header (RFC 1071).
func (p *packet) checksum() {
	p.data[10], p.data[11] = 0, 0
	binary.BigEndian.PutUint16(p.data[10:], sum(p.data[:p.head]))
}

func sum(data []byte) uint16 {
	var total uint32
	for i := 0; i+1 < len(data); i += 2 {
		total += uint32(data[i])<<8 | uint32(data[i+1])
	}
	if len(data)%2 == 1 {
		total += uint32(data[len(data)-1]) << 8
	}
	for total>>16 != 0 {
		total = total>>16 + total&0xffff
	}
	return ^uint16(total)
}

// hop takes one from the packet's time to live; false when it is used up.
func (p *packet) hop() bool {
	if p.data[8] <= 1 {
		return false
	}
	p.data[8]--
	p.checksum()
	return true
}

// errorAbout is the ICMP error (RFC 792) about a packet, nil if none may be
// sent about it (RFC 1122, 3.2.2).
func errorAbout(p *packet, kind, code byte, from netip.Addr) *packet {
	if p.fragment() || p.icmpError() || !p.source().IsValid() || p.source().IsUnspecified() {
		return nil
	}
	quoted := p.data[:min(len(p.data), p.head+576-28)]
	data := make([]byte, 20+8+len(quoted))
	data[0], data[8], data[9] = 0x45, 64, protocolICMP
	binary.BigEndian.PutUint16(data[2:], uint16(len(data)))
	source, dest := from.As4(), p.source().As4()
	copy(data[12:], source[:])
	copy(data[16:], dest[:])
	data[20], data[21] = kind, code
	copy(data[28:], quoted)
	binary.BigEndian.PutUint16(data[22:], sum(data[20:]))
	out := newPacket(data)
	out.checksum()
	return out
}
