package network

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"sync"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/loopback"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"

	"svctour/lab/child/process"
)

// The network interfaces of a stack.
const (
	nicLoopback tcpip.NICID = 1
	nicEthernet tcpip.NICID = 2
)

// Buffers of a connection: Linux' defaults would be 87 and 16 KiB, and grow to
// megabytes; a lab has many small connections.
const (
	bufferMin     = 4 << 10
	bufferDefault = 64 << 10
	bufferMax     = 256 << 10
)

// Stack is the network of a Pod, of a node, or of a host outside of the
// cluster. It implements process.Network. What is not IPv4 is not there.
type Stack struct {
	network *Network
	options stackOptions
	stack   *stack.Stack
	link    *link
	pings   pings
	closed  sync.Once
}

type stackOptions struct {
	name      string
	addresses []netip.Prefix // of eth0, the primary one first
	bridge    netip.Prefix   // of cni0, on nodes
	gateway   netip.Addr     // of the default route, invalid: none shown
	whole     bool           // every packet leaves the stack, also for its own addresses: a node's
	out       func(*packet)
}

var _ process.Network = (*Stack)(nil)

func newStack(n *Network, options stackOptions) (*Stack, error) {
	s := &Stack{network: n, options: options}
	s.stack = stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocolWithOptions(ipv4.Options{AllowExternalLoopbackTraffic: options.whole})},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol, icmp.NewProtocol4},
		HandleLocal:        !options.whole,
	})
	s.link = newLink(options)
	if err := s.setUp(); err != nil {
		s.stack.Destroy()
		return nil, err
	}
	n.wait.Go(s.link.receive)
	return s, nil
}

func (s *Stack) setUp() error {
	options := &s.options
	loop := netip.MustParsePrefix("127.0.0.1/8")
	addresses := slices.Clone(options.addresses)
	if options.bridge.IsValid() {
		addresses = append(addresses, options.bridge)
	}
	ethernet := nicEthernet
	if options.whole {
		addresses = append(addresses, loop)
	} else {
		if err := s.stack.CreateNICWithOptions(nicLoopback, loopback.New(), stack.NICOptions{Name: "lo"}); err != nil {
			return fmt.Errorf("make lo: %s", err)
		}
		if err := s.addAddress(nicLoopback, loop); err != nil {
			return err
		}
	}
	if err := s.stack.CreateNICWithOptions(ethernet, s.link, stack.NICOptions{Name: "eth0"}); err != nil {
		return fmt.Errorf("make eth0: %s", err)
	}
	for _, address := range addresses {
		if err := s.addAddress(ethernet, address); err != nil {
			return err
		}
	}
	var routes []tcpip.Route
	if !options.whole {
		routes = append(routes, tcpip.Route{Destination: header.IPv4LoopbackSubnet, NIC: nicLoopback})
	}
	s.stack.SetRouteTable(append(routes, tcpip.Route{Destination: header.IPv4EmptySubnet, NIC: ethernet}))

	sack, reuse := tcpip.TCPSACKEnabled(true), tcpip.TCPTimeWaitReuseOption(tcpip.TCPTimeWaitReuseGlobal)
	receive := tcpip.TCPReceiveBufferSizeRangeOption{Min: bufferMin, Default: bufferDefault, Max: bufferMax}
	send := tcpip.TCPSendBufferSizeRangeOption{Min: bufferMin, Default: bufferDefault, Max: bufferMax}
	for _, option := range []tcpip.SettableTransportProtocolOption{&sack, &reuse, &receive, &send} {
		if err := s.stack.SetTransportProtocolOption(tcp.ProtocolNumber, option); err != nil {
			return fmt.Errorf("set an option of TCP: %s", err)
		}
	}
	// net.ipv4.ip_local_port_range of Linux.
	if err := s.stack.SetPortRange(32768, 60999); err != nil {
		return fmt.Errorf("set the range of ports: %s", err)
	}
	s.stack.SetICMPLimit(1e9) // a lab refuses as often as it is asked
	return nil
}

func (s *Stack) addAddress(nic tcpip.NICID, prefix netip.Prefix) error {
	err := s.stack.AddProtocolAddress(nic, tcpip.ProtocolAddress{
		Protocol:          ipv4.ProtocolNumber,
		AddressWithPrefix: tcpip.AddressWithPrefix{Address: tcpip.AddrFrom4(prefix.Addr().As4()), PrefixLen: prefix.Bits()},
	}, stack.AddressProperties{})
	if err != nil {
		return fmt.Errorf("add address %s: %s", prefix, err)
	}
	return nil
}

// Close ends the stack: its connections break, its listeners end, packets for
// it are lost. It may be called more than once.
func (s *Stack) Close() {
	s.closed.Do(func() {
		s.link.close()
		s.stack.Close()
		for _, endpoint := range s.stack.CleanupEndpoints() {
			endpoint.Abort()
		}
		s.stack.RemoveNIC(nicEthernet)
		s.network.wait.Go(s.stack.Wait)
	})
}

// deliver gives the stack a packet from the wire.
func (s *Stack) deliver(p *packet) {
	if p.icmpError() {
		s.pings.failed(p)
	}
	s.link.enqueue(p.data)
}

// unreachable answers a packet of this stack's own with an ICMP error.
func (s *Stack) unreachable(p *packet, code byte, from netip.Addr) {
	if answer := errorAbout(p, icmpUnreachable, code, from); answer != nil {
		s.deliver(answer)
	}
}

// source chooses the address from which the stack speaks to another.
func (s *Stack) source(to netip.Addr) netip.Addr {
	switch {
	case to.IsLoopback() && s.options.whole:
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	case s.options.whole && s.own(to):
		return to
	case s.options.bridge.IsValid() && s.options.bridge.Masked().Contains(to):
		return s.options.bridge.Addr()
	case to.IsLoopback():
		return netip.Addr{}
	}
	return s.options.addresses[0].Addr()
}

func (s *Stack) own(address netip.Addr) bool {
	for _, prefix := range s.options.addresses {
		if prefix.Addr() == address {
			return true
		}
	}
	return s.options.bridge.IsValid() && s.options.bridge.Addr() == address
}

func full(address netip.AddrPort) tcpip.FullAddress {
	f := tcpip.FullAddress{Port: address.Port()}
	if address.Addr().IsValid() && !address.Addr().IsUnspecified() {
		f.Addr = tcpip.AddrFrom4(address.Addr().As4())
	}
	return f
}

func (s *Stack) parse(network, address string) (netip.AddrPort, error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return netip.AddrPort{}, err
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return netip.AddrPort{}, &net.AddrError{Err: "invalid port", Addr: address}
	}
	ip := netip.AddrFrom4([4]byte{})
	if host != "" && host != "::" {
		if ip, err = netip.ParseAddr(host); err != nil {
			return netip.AddrPort{}, &net.AddrError{Err: "not a numeric address", Addr: host}
		}
	}
	ip = ip.Unmap()
	if !ip.Is4() {
		return netip.AddrPort{}, os.NewSyscallError("socket", errNoFamily)
	}
	return netip.AddrPortFrom(ip, uint16(port)), nil
}

// DialContext connects. A Pod's or node's own listener that is not there, a
// REJECT, and a closed port refuse at once; a DROP lets it wait.
func (s *Stack) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	fail := func(addr net.Addr, err error) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: addr, Err: err}
	}
	to, err := s.parse(network, address)
	if err != nil {
		return fail(nil, err)
	}
	if to.Addr().IsUnspecified() { // as Linux: this host
		to = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), to.Port())
	}
	from := s.source(to.Addr())
	switch network {
	case "tcp", "tcp4":
		bind := tcpip.FullAddress{}
		if from.IsValid() && s.options.whole {
			bind.Addr = tcpip.AddrFrom4(from.As4())
		}
		conn, err := gonet.DialTCPWithBind(ctx, s.stack, bind, full(to), ipv4.ProtocolNumber)
		if err != nil {
			return fail(net.TCPAddrFromAddrPort(to), translate("connect", err))
		}
		return &tcpConn{conn}, nil
	case "udp", "udp4":
		local := full(netip.AddrPortFrom(from, 0))
		remote := full(to)
		conn, err := s.udp(&local, &remote)
		if err != nil {
			return fail(net.UDPAddrFromAddrPort(to), translate("connect", err))
		}
		return conn, nil
	}
	return fail(nil, net.UnknownNetworkError(network))
}

// Listen listens for TCP connections.
func (s *Stack) Listen(_ context.Context, network, address string) (net.Listener, error) {
	fail := func(addr net.Addr, err error) (net.Listener, error) {
		return nil, &net.OpError{Op: "listen", Net: network, Addr: addr, Err: err}
	}
	if network != "tcp" && network != "tcp4" {
		return fail(nil, net.UnknownNetworkError(network))
	}
	at, err := s.parse(network, address)
	if err != nil {
		return fail(nil, err)
	}
	listener, err := gonet.ListenTCP(s.stack, full(at), ipv4.ProtocolNumber)
	if err != nil {
		return fail(net.TCPAddrFromAddrPort(at), translate("bind", err))
	}
	return &tcpListener{listener}, nil
}

// ListenPacket listens for UDP datagrams.
func (s *Stack) ListenPacket(_ context.Context, network, address string) (net.PacketConn, error) {
	fail := func(addr net.Addr, err error) (net.PacketConn, error) {
		return nil, &net.OpError{Op: "listen", Net: network, Addr: addr, Err: err}
	}
	if network != "udp" && network != "udp4" {
		return fail(nil, net.UnknownNetworkError(network))
	}
	at, err := s.parse(network, address)
	if err != nil {
		return fail(nil, err)
	}
	local := full(at)
	conn, err := s.udp(&local, nil)
	if err != nil {
		return fail(net.UDPAddrFromAddrPort(at), translate("bind", err))
	}
	return conn, nil
}

// Interfaces are the stack's, as ip addr shows them.
func (s *Stack) Interfaces() []process.Interface {
	loop := process.Interface{Index: 1, Name: "lo", MTU: 65536, Loopback: true, Addresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/8")}}
	ethernet := process.Interface{Index: 2, Name: "eth0", MTU: linkMTU, MAC: s.link.mac(), Addresses: s.options.addresses}
	out := []process.Interface{loop, ethernet}
	if s.options.bridge.IsValid() {
		out = append(out, process.Interface{Index: 3, Name: "cni0", MTU: linkMTU, MAC: macOf(s.options.bridge.Addr()), Addresses: []netip.Prefix{s.options.bridge}})
	}
	return out
}

// Routes are the stack's, as ip route shows them.
func (s *Stack) Routes() []process.Route {
	var out []process.Route
	primary := s.options.addresses[0]
	if s.options.gateway.IsValid() {
		out = append(out, process.Route{To: netip.PrefixFrom(netip.AddrFrom4([4]byte{}), 0), Gateway: s.options.gateway, Interface: "eth0"})
	}
	out = append(out, process.Route{To: primary.Masked(), Interface: "eth0", Source: primary.Addr()})
	if s.options.bridge.IsValid() {
		out = append(out, process.Route{To: s.options.bridge.Masked(), Interface: "cni0", Source: s.options.bridge.Addr()})
		for _, node := range s.network.byPods {
			if node.Pods.Addr() != s.options.bridge.Masked().Addr() {
				out = append(out, process.Route{To: node.Pods, Gateway: node.Address, Interface: "eth0"})
			}
		}
	}
	return out
}

// Sockets are the stack's, as ss lists them.
func (s *Stack) Sockets() []process.Socket {
	var out []process.Socket
	for _, registered := range s.stack.RegisteredEndpoints() {
		endpoint, is := registered.(tcpip.Endpoint)
		if !is {
			continue
		}
		info, is := endpoint.Info().(*stack.TransportEndpointInfo)
		if !is {
			continue
		}
		socket := process.Socket{
			Local: addrPort(info.ID.LocalAddress, info.ID.LocalPort),
			Peer:  addrPort(info.ID.RemoteAddress, info.ID.RemotePort),
		}
		switch info.TransProto {
		case tcp.ProtocolNumber:
			socket.Protocol, socket.State = "tcp", tcpStates[tcp.EndpointState(endpoint.State())]
		case udp.ProtocolNumber:
			socket.Protocol, socket.State = "udp", "UNCONN"
			if socket.Peer.IsValid() && socket.Peer.Port() != 0 {
				socket.State = "ESTAB"
			}
		default:
			continue
		}
		out = append(out, socket)
	}
	return out
}

// tcpStates are TCP's as ss spells them.
var tcpStates = map[tcp.EndpointState]string{
	tcp.StateListen: "LISTEN", tcp.StateSynSent: "SYN-SENT", tcp.StateSynRecv: "SYN-RECV", tcp.StateEstablished: "ESTAB",
	tcp.StateFinWait1: "FIN-WAIT-1", tcp.StateFinWait2: "FIN-WAIT-2", tcp.StateCloseWait: "CLOSE-WAIT",
	tcp.StateLastAck: "LAST-ACK", tcp.StateClosing: "CLOSING", tcp.StateTimeWait: "TIME-WAIT", tcp.StateClose: "UNCONN",
}

func addrPort(address tcpip.Address, port uint16) netip.AddrPort {
	ip, ok := netip.AddrFromSlice(address.AsSlice())
	if !ok {
		ip = netip.AddrFrom4([4]byte{})
	}
	return netip.AddrPortFrom(ip, port)
}
