// Package hostport forwards ports of this machine's loopback into the lab, as
// the lab's ConfigMap asks for (svctour/lab/hostport).
package hostport

import (
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	asked "svctour/lab/hostport"
)

// dialTimeout is how long a client waits for an address inside the lab: a
// little longer than the first two SYNs of one that is dropped.
const dialTimeout = 5 * time.Second

// requestTimeout is how long a client has for the first byte of its request
// when the connection will be refused.
const requestTimeout = 200 * time.Millisecond

// acceptAgain is net/http's pause after an error of Accept, at its longest.
const acceptAgain = time.Second

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
	mapping  asked.Mapping
	listener net.Listener
	ctx      context.Context
	close    context.CancelFunc
}

// New makes a forwarder without ports. It ends with ctx.
func New(ctx context.Context, dial Dial) *Forwarder {
	return &Forwarder{ctx: ctx, dial: dial, open: map[uint16]*port{}}
}

// Set replaces the mappings: a port that is not among the new ones is closed with
// its connections, one that stays is not touched. The states are in the order of
// the ports.
func (f *Forwarder) Set(mappings []asked.Mapping) []asked.State {
	f.mu.Lock()
	defer f.mu.Unlock()
	wanted := map[uint16]asked.Mapping{}
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
	states := []asked.State{}
	for _, number := range slices.Sorted(maps.Keys(wanted)) {
		m := wanted[number]
		state := asked.State{Listen: m.Listen().String(), To: m.To.String()}
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

func (f *Forwarder) listen(m asked.Mapping) error {
	if f.ctx.Err() != nil {
		return errors.New("the lab is ending")
	}
	listener, err := asked.Bind(f.ctx, m)
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
