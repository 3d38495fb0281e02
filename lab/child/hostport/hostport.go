// Package hostport makes addresses inside the lab reachable on this machine's
// loopback, as extraPortMappings do for kind: whoever connects to a port of
// 127.0.0.1 is a client outside the cluster, at the lab's gateway.
package hostport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Loopback is where host ports listen; nobody else in this machine's network
// reaches a lab.
var Loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// dialTimeout is how long a client waits for an address inside the lab: a
// little longer than the first two SYNs of one that is dropped.
const dialTimeout = 5 * time.Second

// requestTimeout is how long a client has for the first byte of its request
// when it is to be refused.
const requestTimeout = 200 * time.Millisecond

// acceptAgain is net/http's pause after an error of Accept, at its longest.
const acceptAgain = time.Second

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

// Dial connects from the lab's gateway; network is tcp.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Forwarder has the host ports of a lab.
type Forwarder struct {
	ctx  context.Context
	dial Dial

	mu      sync.Mutex
	open    map[uint16]*port
	working sync.WaitGroup
}

// port is one that listens.
type port struct {
	mapping  Mapping
	listener net.Listener
	ctx      context.Context
	close    context.CancelFunc
}

// New makes a forwarder without ports. It ends with ctx.
func New(ctx context.Context, dial Dial) *Forwarder {
	return &Forwarder{ctx: ctx, dial: dial, open: map[uint16]*port{}}
}

// Set makes the mappings those that there are: a port that is not among them
// is closed with its connections, what stays is not touched. The states are in
// the order of the ports.
func (f *Forwarder) Set(mappings []Mapping) []State {
	f.mu.Lock()
	defer f.mu.Unlock()
	wanted := map[uint16]Mapping{}
	for _, m := range mappings {
		wanted[m.Port] = m
	}
	for number, p := range f.open {
		if wanted[number] != p.mapping {
			p.close()
			p.listener.Close()
			delete(f.open, number)
		}
	}
	states := []State{}
	for _, number := range slices.Sorted(maps.Keys(wanted)) {
		m := wanted[number]
		state := State{Listen: m.Listen().String(), To: m.To.String()}
		if f.open[number] == nil {
			if err := f.listen(m); err != nil {
				state.Problem = err.Error()
			}
		}
		states = append(states, state)
	}
	return states
}

// Wait returns when everything is closed, after the end of the context.
func (f *Forwarder) Wait() {
	func() {
		f.mu.Lock() // Set is not opening anything
		defer f.mu.Unlock()
	}()
	f.working.Wait()
}

// Check says, with an error, that a mapping's port cannot be had now.
func Check(ctx context.Context, m Mapping) error {
	listener, err := bind(ctx, m)
	if err != nil {
		return err
	}
	return listener.Close()
}

func bind(ctx context.Context, m Mapping) (net.Listener, error) {
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

func (f *Forwarder) listen(m Mapping) error {
	if f.ctx.Err() != nil {
		return errors.New("the lab is ending")
	}
	listener, err := bind(f.ctx, m)
	if err != nil {
		return err
	}
	p := &port{mapping: m, listener: listener}
	p.ctx, p.close = context.WithCancel(f.ctx)
	f.open[m.Port] = p
	f.working.Go(func() {
		defer context.AfterFunc(p.ctx, func() { listener.Close() })()
		for {
			client, err := listener.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil { // this process has too many files open
				select {
				case <-time.After(acceptAgain):
				case <-p.ctx.Done():
				}
				continue
			}
			f.working.Go(func() { f.forward(p, client) })
		}
	})
	return nil
}

// forward connects a client to where its port leads, until both have said all
// they have to say.
func (f *Forwarder) forward(p *port, client net.Conn) {
	defer client.Close()
	dialing, cancel := context.WithTimeout(p.ctx, dialTimeout)
	inside, err := f.dial(dialing, "tcp", p.mapping.To.String())
	cancel()
	if err != nil {
		// A reset after the request is what clients of docker's proxy, and so of
		// kind, see: "Recv failure: Connection reset by peer", says curl.
		client.SetReadDeadline(time.Now().Add(requestTimeout))
		client.Read(make([]byte, 1))
		if tcp, ok := client.(*net.TCPConn); ok {
			tcp.SetLinger(0)
		}
		return
	}
	defer inside.Close()
	defer context.AfterFunc(p.ctx, func() {
		client.Close()
		inside.Close()
	})()
	var both sync.WaitGroup
	both.Go(func() { pass(inside, client) })
	both.Go(func() { pass(client, inside) })
	both.Wait()
}

// pass copies what from says, and that it has ended.
func pass(to, from net.Conn) {
	_, err := io.Copy(to, from)
	half, ok := to.(interface{ CloseWrite() error })
	if err != nil || !ok || half.CloseWrite() != nil {
		to.Close()
		from.Close()
	}
}
