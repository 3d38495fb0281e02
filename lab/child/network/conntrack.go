package network

import (
	"fmt"
	"net/netip"
	"time"
)

// Directions of a connection's packets.
const (
	original = 0
	reply    = 1
)

// connectionsMax bounds a node's table, as net.netfilter.nf_conntrack_max does:
// a packet that would need one more entry is dropped.
const connectionsMax = 65536

// tcpState is a connection's as conntrack follows it (the kernel's
// nf_conntrack_proto_tcp.c); entries of other protocols have none.
type tcpState int

const (
	stateNone tcpState = iota
	stateSynSent
	stateSynRecv
	stateEstablished
	stateFinWait
	stateCloseWait
	stateLastAck
	stateTimeWait
	stateClose
)

// tcpStateInfo has a state's name and its timeout in the kernel's defaults.
var tcpStateInfo = [...]struct {
	name    string
	timeout time.Duration
}{
	stateNone: {"NONE", 0}, stateSynSent: {"SYN_SENT", 120 * time.Second}, stateSynRecv: {"SYN_RECV", 60 * time.Second},
	stateEstablished: {"ESTABLISHED", 5 * 24 * time.Hour}, stateFinWait: {"FIN_WAIT", 120 * time.Second},
	stateCloseWait: {"CLOSE_WAIT", 60 * time.Second}, stateLastAck: {"LAST_ACK", 30 * time.Second},
	stateTimeWait: {"TIME_WAIT", 120 * time.Second}, stateClose: {"CLOSE", 10 * time.Second},
}

// The kernel's defaults for UDP and ICMP, and for protocols that it does not know.
const (
	udpTimeout     = 30 * time.Second
	udpStream      = 120 * time.Second
	udpStreamAfter = 2 * time.Second // a stream is one that still talks after this time
	icmpTimeout    = 30 * time.Second
	otherTimeout   = 600 * time.Second
)

// entry is a tracked connection. What happens to a packet of one direction is
// that its tuple becomes the reverse of the other direction's.
type entry struct {
	tuples         [2]tuple
	state          tcpState
	replied        bool
	assured        bool
	dnat           bool
	since, expires time.Time
	packets, bytes [2]uint64
}

// Connection is a tracked connection, as conntrack -L shows it.
type Connection struct {
	Protocol string // tcp, udp, icmp
	State    string // of TCP
	// Source and Destination are what the client sent.
	Source, Destination netip.AddrPort
	// ReplySource and ReplyDestination are what the answer has before it is
	// translated back: another source than Destination means DNAT, another
	// destination than Source means masquerade.
	ReplySource, ReplyDestination netip.AddrPort
	Replied, Assured              bool
	Expires                       time.Duration // from now, if no packet comes
	Packets, Bytes                [2]uint64     // of the original direction, and of the replies

	id uint16 // ICMP echo
}

func protocolName(protocol byte) string {
	switch protocol {
	case protocolTCP:
		return "tcp"
	case protocolUDP:
		return "udp"
	case protocolICMP:
		return "icmp"
	}
	return "unknown"
}

// ForgetConnections is conntrack -D for callers that know connections by their lines.
func (n *Node) ForgetConnections(match func(line string) bool) []string {
	var lines []string
	n.DeleteConnections(func(c Connection) bool {
		line := c.String()
		if !match(line) {
			return false
		}
		lines = append(lines, line)
		return true
	})
	return lines
}

func (e *entry) connection(now time.Time) Connection {
	o, r := e.tuples[original], e.tuples[reply]
	c := Connection{
		Protocol: protocolName(o.protocol), Source: o.source, Destination: o.dest, ReplySource: r.source, ReplyDestination: r.dest,
		Replied: e.replied, Assured: e.assured, Expires: max(0, e.expires.Sub(now)), Packets: e.packets, Bytes: e.bytes, id: o.icmpID,
	}
	if o.protocol == protocolTCP {
		c.State = tcpStateInfo[e.state].name
	}
	return c
}

// String is the connection's line in conntrack -L (conntrack-tools 1.4.7) with
// net.netfilter.nf_conntrack_acct on.
func (c Connection) String() string {
	number := map[string]int{"tcp": protocolTCP, "udp": protocolUDP, "icmp": protocolICMP}[c.Protocol]
	line := fmt.Sprintf("%-8s %d %d ", c.Protocol, number, int(c.Expires/time.Second))
	if c.State != "" {
		line += c.State + " "
	}
	line += c.half(c.Source, c.Destination, original)
	if !c.Replied {
		line += "[UNREPLIED] "
	}
	line += c.half(c.ReplySource, c.ReplyDestination, reply)
	if c.Assured {
		line += "[ASSURED] "
	}
	return line + "mark=0 use=1"
}

func (c Connection) half(source, dest netip.AddrPort, direction int) string {
	what := fmt.Sprintf("sport=%d dport=%d", source.Port(), dest.Port())
	switch c.Protocol {
	case "icmp":
		kind := icmpEchoRequest
		if direction == reply {
			kind = icmpEchoReply
		}
		what = fmt.Sprintf("type=%d code=0 id=%d", kind, c.id)
	case "unknown":
		what = ""
	}
	if what != "" {
		what += " "
	}
	return fmt.Sprintf("src=%s dst=%s %spackets=%d bytes=%d ", source.Addr(), dest.Addr(), what, c.Packets[direction], c.Bytes[direction])
}

// first says whether a packet may begin a connection, and in which state. As
// with the kernel's nf_conntrack_tcp_loose, a segment from the middle of a
// connection may.
func first(p *packet) (tcpState, bool) {
	switch p.protocol() {
	case protocolTCP:
		switch flags := p.flags(); {
		case flags&(flagSYN|flagACK|flagRST|flagFIN) == flagSYN:
			return stateSynSent, true
		case flags&(flagSYN|flagACK|flagRST|flagFIN) == flagACK:
			return stateEstablished, true
		}
		return stateNone, false
	case protocolICMP:
		return stateNone, len(p.body()) >= 8 && p.body()[0] == icmpEchoRequest
	}
	return stateNone, true
}

// seen follows a connection by one of its packets.
func (e *entry) seen(p *packet, direction int, now time.Time) {
	e.packets[direction]++
	e.bytes[direction] += uint64(len(p.data))
	if direction == reply {
		e.replied = true
	}
	timeout := otherTimeout
	switch p.protocol() {
	case protocolTCP:
		before := e.state
		e.state = before.next(p.flags(), direction)
		if e.state == stateEstablished && e.replied && (before == stateSynRecv || before == stateEstablished) {
			e.assured = true
		}
		timeout = tcpStateInfo[e.state].timeout
	case protocolUDP:
		timeout = udpTimeout
		if e.replied && now.Sub(e.since) > udpStreamAfter {
			e.assured, timeout = true, udpStream
		}
	case protocolICMP:
		timeout = icmpTimeout
	}
	e.expires = now.Add(timeout)
}

// next is the kernel's table tcp_conntracks, without simultaneous opens.
func (s tcpState) next(flags byte, direction int) tcpState {
	switch {
	case flags&flagRST != 0:
		return stateClose
	case flags&flagSYN != 0:
		if flags&flagACK != 0 && direction == reply && s == stateSynSent {
			return stateSynRecv
		}
	case flags&flagFIN != 0:
		switch s {
		case stateSynRecv, stateEstablished:
			return stateFinWait
		case stateFinWait, stateCloseWait:
			return stateLastAck
		}
	case flags&flagACK != 0:
		switch {
		case s == stateSynRecv && direction == original:
			return stateEstablished
		case s == stateFinWait:
			return stateCloseWait
		case s == stateLastAck:
			return stateTimeWait
		}
	}
	return s
}

// find is the entry of a tuple and the tuple's direction; nil if there is none.
func (n *Node) find(t tuple, now time.Time) (*entry, int) {
	e := n.connections[t]
	if e == nil {
		return nil, 0
	}
	if now.After(e.expires) {
		n.forget(e)
		return nil, 0
	}
	if e.tuples[original] == t {
		return e, original
	}
	return e, reply
}

func (n *Node) forget(e *entry) {
	for _, t := range e.tuples {
		if n.connections[t] == e {
			delete(n.connections, t)
		}
	}
}

// confirm enters a new connection, whose packet is about to leave the router,
// in the table. Its answers must be told from those of other connections: if
// need be, its source port changes for that. It is false if there is no room.
func (n *Node) confirm(e *entry, now time.Time) bool {
	if len(n.connections) >= 2*connectionsMax {
		n.sweepLocked(now)
		if len(n.connections) >= 2*connectionsMax {
			return false
		}
	}
	answer := &e.tuples[reply]
	for try := 0; ; try++ {
		other := n.connections[*answer]
		if other == nil || now.After(other.expires) {
			break
		}
		if try == portTries || answer.protocol == protocolICMP {
			return false
		}
		answer.dest = netip.AddrPortFrom(answer.dest.Addr(), n.port(answer.dest.Port()))
	}
	n.connections[e.tuples[original]] = e
	n.connections[*answer] = e
	return true
}

// portTries is how many ports are tried for a connection (NF_NAT_MAX_ATTEMPTS).
const portTries = 128

// port is a random one for a translated source: from the range in which the
// original one is (the kernel's nf_nat_l4proto_unique_tuple).
func (n *Node) port(was uint16) uint16 {
	low, high := 1024, 65535
	switch {
	case was == 0: // ICMP has none
		return 0
	case was < 512:
		low, high = 1, 511
	case was < 1024:
		low, high = 600, 1023
	}
	return uint16(low + n.network.random.below(high-low+1))
}

func (n *Node) sweep(now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sweepLocked(now)
}

func (n *Node) sweepLocked(now time.Time) {
	n.fragments.sweep(now)
	for _, e := range n.connections {
		if now.After(e.expires) {
			n.forget(e)
		}
	}
}

// Connections are the node's tracked connections, in no order.
func (n *Node) Connections() []Connection {
	now := time.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []Connection
	for t, e := range n.connections {
		if t == e.tuples[original] && !now.After(e.expires) {
			out = append(out, e.connection(now))
		}
	}
	return out
}

// ListConnections are the lines of conntrack -L.
func (n *Node) ListConnections() []string {
	var out []string
	for _, c := range n.Connections() {
		out = append(out, c.String())
	}
	return out
}

// DeleteConnections forgets the connections that match, as conntrack -D does,
// and says how many they were. Their next packet meets the rules again.
func (n *Node) DeleteConnections(match func(Connection) bool) int {
	now, count := time.Now(), 0
	n.mu.Lock()
	defer n.mu.Unlock()
	for t, e := range n.connections {
		if t == e.tuples[original] && match(e.connection(now)) {
			n.forget(e)
			count++
		}
	}
	return count
}
