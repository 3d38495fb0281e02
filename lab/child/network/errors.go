package network

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"
)

const errNoFamily = syscall.EAFNOSUPPORT

// codes are gVisor's errors, which its adapters hand on as text, by what Linux
// calls them.
var codes = []struct {
	text string
	code syscall.Errno
}{
	{"connection was refused", syscall.ECONNREFUSED},
	{"connection refused", syscall.ECONNREFUSED},
	{"no route to host", syscall.EHOSTUNREACH},
	{"host is unreachable", syscall.EHOSTUNREACH},
	{"host is down", syscall.EHOSTUNREACH},
	{"network is unreachable", syscall.ENETUNREACH},
	{"port is in use", syscall.EADDRINUSE},
	{"address already in use", syscall.EADDRINUSE},
	{"no ports are available", syscall.EADDRNOTAVAIL},
	{"bad local address", syscall.EADDRNOTAVAIL},
	{"connection reset by peer", syscall.ECONNRESET},
	{"connection aborted", syscall.ECONNABORTED},
	{"broken pipe", syscall.EPIPE},
	{"endpoint is closed for send", syscall.EPIPE},
	{"message too long", syscall.EMSGSIZE},
	{"permission denied", syscall.EACCES},
	{"operation timed out", syscall.ETIMEDOUT},
}

// translate is an error of gVisor's as the net package would give it.
func translate(call string, err error) error {
	var timeout net.Error
	switch {
	case err == nil, errors.Is(err, io.EOF), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, net.ErrClosed):
		if errors.Is(err, context.DeadlineExceeded) {
			return os.ErrDeadlineExceeded
		}
		return err
	case errors.As(err, &timeout) && timeout.Timeout():
		return os.ErrDeadlineExceeded
	}
	text := err.Error()
	for _, c := range codes {
		if strings.Contains(text, c.text) {
			return os.NewSyscallError(call, c.code)
		}
	}
	if strings.Contains(text, "operation canceled") || strings.Contains(text, "closed") {
		return net.ErrClosed
	}
	return err
}

// again is an error of a connection's call, with its addresses kept.
func again(call string, err error) error {
	var op *net.OpError
	if err == nil || !errors.As(err, &op) {
		return err
	}
	changed := *op
	changed.Err = translate(call, op.Err)
	return &changed
}

type tcpConn struct{ *gonet.TCPConn }

func (c *tcpConn) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	return n, again("read", err)
}

func (c *tcpConn) Write(p []byte) (int, error) {
	n, err := c.TCPConn.Write(p)
	return n, again("write", err)
}

type tcpListener struct{ *gonet.TCPListener }

func (l *tcpListener) Accept() (net.Conn, error) {
	conn, err := l.TCPListener.Accept()
	if err != nil {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.Addr(), Err: net.ErrClosed}
	}
	return &tcpConn{conn.(*gonet.TCPConn)}, nil
}

// Close stops listening; a call of Accept that waits returns with an error.
func (l *tcpListener) Close() error {
	l.TCPListener.Shutdown()
	return l.TCPListener.Close()
}

// udpConn is a socket whose readers wake up for ICMP errors too, as on Linux:
// gVisor's adapter waits for data only.
type udpConn struct {
	*gonet.UDPConn
	queue *waiter.Queue
	entry waiter.Entry
}

// udp makes a socket, bound and perhaps connected.
func (s *Stack) udp(local, remote *tcpip.FullAddress) (*udpConn, error) {
	c := &udpConn{queue: &waiter.Queue{}}
	endpoint, err := s.stack.NewEndpoint(udp.ProtocolNumber, ipv4.ProtocolNumber, c.queue)
	if err != nil {
		return nil, errors.New(err.String())
	}
	if err = endpoint.Bind(*local); err == nil && remote != nil {
		err = endpoint.Connect(*remote)
	}
	if err != nil {
		endpoint.Close()
		return nil, errors.New(err.String())
	}
	c.UDPConn = gonet.NewUDPConn(c.queue, endpoint)
	c.entry = waiter.NewFunctionEntry(waiter.EventErr, func(waiter.EventMask) {
		go c.queue.Notify(waiter.ReadableEvents) // not from within a notification
	})
	c.queue.EventRegister(&c.entry)
	return c, nil
}

func (c *udpConn) Close() error {
	c.queue.EventUnregister(&c.entry)
	return c.UDPConn.Close()
}

func (c *udpConn) Read(p []byte) (int, error) {
	n, err := c.UDPConn.Read(p)
	return n, c.ended("read", err)
}

func (c *udpConn) ReadFrom(p []byte) (int, net.Addr, error) {
	n, from, err := c.UDPConn.ReadFrom(p)
	return n, from, c.ended("recvfrom", err)
}

// ended is an error of a reading call. gVisor's adapter reports a socket that
// was closed as the end of a stream, which package net never does for packets.
func (c *udpConn) ended(call string, err error) error {
	if errors.Is(err, io.EOF) {
		return &net.OpError{Op: call, Net: "udp", Addr: c.LocalAddr(), Err: net.ErrClosed}
	}
	return again(call, err)
}

func (c *udpConn) Write(p []byte) (int, error) {
	n, err := c.UDPConn.Write(p)
	return n, again("write", err)
}

func (c *udpConn) WriteTo(p []byte, to net.Addr) (int, error) {
	n, err := c.UDPConn.WriteTo(p, to)
	return n, again("sendto", err)
}
