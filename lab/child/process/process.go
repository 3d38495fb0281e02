// Package process is what a container of the lab runs: a Go function that sees
// the world only through its Process, as a program sees it only through system
// calls. Its network is a Pod's stack, its files are a container's.
package process

import (
	"context"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/spf13/afero"
)

// Main is a program. It returns its exit status (0 to 255) and has ended, with
// everything that it started, when it returns. The end of ctx is SIGKILL: it
// must return soon, its exit status does not matter.
type Main func(ctx context.Context, p *Process) int

// Signal is one of the signals that reach programs, by its number on Linux.
type Signal int

// The signals of signal(7) that the lab delivers. A kill that cannot be caught
// is the end of the program's context instead.
const (
	Interrupt Signal = 2  // SIGINT: Ctrl-C on its terminal
	Quit      Signal = 3  // SIGQUIT: nginx's graceful end
	Terminate Signal = 15 // SIGTERM: the kubelet asks it to end
)

// Process is one running program.
type Process struct {
	Args []string // Args[0] is the name it was called by
	Env  []string // KEY=VALUE, the last one of a key counts
	Dir  string   // working directory, absolute

	Stdin  io.Reader // never nil: without -i it is at its end
	Stdout io.Writer // never nil
	Stderr io.Writer // never nil; the same as Stdout on a terminal
	// Terminal is the controlling terminal (tty: true, exec -t), nil if there is
	// none. A stream of the program may be a pipe or a file nevertheless:
	// IsTerminal tells.
	Terminal *Terminal

	// PID and Parent are its number and its parent's in the PID namespace; the
	// Table sets them. Parent is 0 for what the container runtime started.
	PID, Parent int
	// Background keeps it out of its terminal's foreground process group.
	Background bool

	// Signals delivers what is sent to this program. It is never nil. Who does
	// not receive from it ignores signals, as process 1 of a container does
	// without a handler: the kubelet then kills it after the grace period.
	Signals <-chan Signal

	Files   afero.Fs // the container's file system; paths are absolute
	Net     Network  // the Pod's network namespace, or its node's
	Machine *Machine // what its containers and their programs share
	// Kernel is the node's kernel as a process with NET_ADMIN in the node's own
	// network namespace sees it: nil for any other.
	Kernel Kernel

	crashed func() // ends it after a panic in one of its goroutines; the Table sets it
}

// Machine is what the programs of one container share.
type Machine struct {
	Hostname string // the Pod's hostname, or the node's with hostNetwork
	Node     string // the name of the node
	// Programs finds an executable by its path in the container, as
	// /usr/bin/curl; nil if there is none.
	Programs func(path string) Main
	// Table is the container's PID namespace.
	Table *Table
}

// Network is a network namespace: a Pod's, a node's, or that of a host outside
// the cluster. Addresses are numeric: names are for the program to resolve.
// Errors are those of the net package: *net.OpError around ECONNREFUSED,
// EADDRINUSE, ENETUNREACH, EHOSTUNREACH, or a timeout.
type Network interface {
	// DialContext connects; network is tcp, tcp4, udp or udp4.
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
	// Listen listens for TCP; port 0 chooses one, an empty host means every address.
	Listen(ctx context.Context, network, address string) (net.Listener, error)
	// ListenPacket listens for UDP.
	ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error)
	// Ping sends one ICMP echo request (RFC 792) of size bytes and waits for
	// its answer; the error says unreachable or timeout.
	Ping(ctx context.Context, to netip.Addr, sequence, size int) (Echo, error)

	Interfaces() []Interface
	Routes() []Route
	Sockets() []Socket
}

// Echo is the answer to a ping.
type Echo struct {
	From netip.Addr
	Took time.Duration
	TTL  int
}

// Interface is a network interface, as ip addr shows it.
type Interface struct {
	Index     int
	Name      string // lo, eth0, cni0
	MAC       net.HardwareAddr
	MTU       int
	Addresses []netip.Prefix
	Loopback  bool
}

// Route is a line of ip route.
type Route struct {
	To        netip.Prefix // 0.0.0.0/0 for the default route
	Gateway   netip.Addr   // invalid: on the link
	Interface string
	Source    netip.Addr // invalid: not given
}

// Socket is a line of ss.
type Socket struct {
	Protocol string // tcp, udp
	State    string // LISTEN, ESTAB, UNCONN, TIME-WAIT, …, as ss spells them
	Local    netip.AddrPort
	Peer     netip.AddrPort // zero: any
}

// Kernel is a node's packet filter, as the tools on the node print it.
type Kernel interface {
	// SaveRules is iptables-save's text of one table, "" for all; with
	// counters it is iptables-save -c.
	SaveRules(table string, counters bool) string
	// ListRuleset is the text of nft list ruleset.
	ListRuleset() string
	// ListConnections are the lines of conntrack -L.
	ListConnections() []string
	// ForgetConnections deletes the connections whose lines match, and gives
	// these lines, as conntrack -D does.
	ForgetConnections(match func(line string) bool) []string
}
