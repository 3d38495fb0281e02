package kubeletapi

import (
	"context"
	"net"
	"sync"
)

// Listener is a net.Listener through memory, whose connections keep the rules
// for deadlines that taking a connection over from net/http relies on.
type Listener struct {
	accept chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// NewListener is a listener that Dial connects to.
func NewListener() *Listener {
	return &Listener{accept: make(chan net.Conn), closed: make(chan struct{})}
}

// Dial is a new connection to the listener. The error is net.ErrClosed or the
// context's.
func (l *Listener) Dial(ctx context.Context) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.accept <- server:
		return client, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Accept is the other end of a Dial.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.accept:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept and Dial; connections stay.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr names it.
func (l *Listener) Addr() net.Addr { return address{} }

type address struct{}

func (address) Network() string { return "pipe" }
func (address) String() string  { return "kubelet" }
