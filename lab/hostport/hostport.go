// Package hostport asks a lab to make addresses inside it reachable on this
// machine's loopback, as extraPortMappings do for kind: a client of a port of
// 127.0.0.1 is one outside the cluster, at the lab's gateway. The lab's process
// does the forwarding.
package hostport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
)

// Loopback is where host ports listen; no other machine of the network reaches
// a lab.
var Loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// Mapping is one host port. Only TCP is forwarded.
type Mapping struct {
	Port uint16         // on Loopback
	To   netip.AddrPort // inside the lab
}

// Parse reads a mapping: NODEPORT, HOSTPORT:NODEPORT, both of them to node, or
// HOSTPORT:ADDRESS:PORT.
func Parse(text string, node netip.Addr) (Mapping, error) {
	bad := func(why string) (Mapping, error) {
		return Mapping{}, fmt.Errorf("host port %q: %s", text, why)
	}
	parts := strings.Split(text, ":")
	if len(parts) > 3 {
		return bad("want NODEPORT, HOSTPORT:NODEPORT or HOSTPORT:ADDRESS:PORT")
	}
	from, err := parsePort(parts[0])
	if err != nil {
		return bad(err.Error())
	}
	to, err := parsePort(parts[len(parts)-1])
	if err != nil {
		return bad(err.Error())
	}
	address := node
	if len(parts) == 3 {
		if address, err = netip.ParseAddr(parts[1]); err != nil || !address.Is4() {
			return bad(fmt.Sprintf("%q is not an IPv4 address", parts[1]))
		}
	}
	return Mapping{from, netip.AddrPortFrom(address, to)}, nil
}

func parsePort(text string) (uint16, error) {
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 {
		return 0, fmt.Errorf("%q is not a port, 1 to 65535", text)
	}
	return uint16(port), nil
}

// Listen is where the mapping's clients connect to.
func (m Mapping) Listen() netip.AddrPort { return netip.AddrPortFrom(Loopback, m.Port) }

// State is a mapping as it is.
type State struct {
	Listen string `json:"listen"` // address and port of this machine
	To     string `json:"to"`     // address and port inside the lab
	// Problem is why it does not work, empty if it does.
	Problem string `json:"problem,omitempty"`
}

// Check says, with an error, that a mapping's port cannot be had now.
func Check(ctx context.Context, m Mapping) error {
	listener, err := Bind(ctx, m)
	if err != nil {
		return err
	}
	return listener.Close()
}

// Bind listens at a mapping's port of this machine.
func Bind(ctx context.Context, m Mapping) (net.Listener, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp4", m.Listen().String())
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("port %d of this machine is taken by another program", m.Port)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("port %d of this machine is for privileged programs only", m.Port)
	case err != nil:
		return nil, fmt.Errorf("listen on this machine: %w", err)
	}
	return listener, nil
}
