package nettool

import (
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// netcat is a run of nc: OpenBSD's, or busybox' with its options.
type netcat struct {
	*command
	busybox                                  bool
	listen, keep, zero, verbose, number, udp bool
	port                                     string
	wait                                     time.Duration
}

const (
	ncUsage        = "usage: nc [-46CDdFhklNnrStUuvZz] [-I length] [-i interval] [-M ttl]\n\t  [-m minttl] [-O length] [-P proxy_username] [-p source_port]\n\t  [-q seconds] [-s sourceaddr] [-T keyword] [-V rtable] [-W recvlimit]\n\t  [-w timeout] [-X proxy_protocol] [-x proxy_address[:port]]\n\t  [destination] [port]\n"
	busyboxNcUsage = "BusyBox v1.36.1 multi-call binary.\n\nUsage: nc [OPTIONS] HOST PORT  - connect\nnc [OPTIONS] -l -p PORT [HOST] [PORT]  - listen\n"
)

func busyboxNc(c *command) int { return (&netcat{command: c, busybox: true}).run() }
func openbsdNc(c *command) int { return (&netcat{command: c}).run() }

func (n *netcat) usage() int {
	if n.busybox {
		n.errorf("%s", busyboxNcUsage)
	} else {
		n.errorf("%s", ncUsage)
	}
	return 1
}

func (n *netcat) run() int {
	spec := "4 6 l k z v n u p: w: N q: d"
	if n.busybox {
		spec = "l k z v n u p: w:"
	}
	opts, rest, bad := getopt(n.args, spec)
	if bad != nil {
		n.errorf("nc: %s\n", bad)
		return n.usage()
	}
	for _, o := range opts {
		switch o.name {
		case "l":
			n.listen = true
		case "k":
			n.keep = true
		case "z":
			n.zero = true
		case "v":
			n.verbose = true
		case "n":
			n.number = true
		case "u":
			n.udp = true
		case "p":
			n.port = o.value
		case "w":
			count, err := strconv.Atoi(o.value)
			if err != nil || count < 0 {
				return n.fail("timeout invalid: %s", o.value)
			}
			n.wait = time.Duration(count) * time.Second
		}
	}
	if n.listen {
		return n.serve(rest)
	}
	if len(rest) != 2 {
		return n.usage()
	}
	first, last, bounds := strings.Cut(rest[1], "-")
	from, err := strconv.ParseUint(first, 10, 16)
	to := from
	if bounds && err == nil {
		to, err = strconv.ParseUint(last, 10, 16)
	}
	if err != nil || from == 0 || to < from {
		if n.busybox {
			return n.fail("bad port '%s'", rest[1])
		}
		return n.fail("port number invalid: %s", rest[1])
	}
	status := 1
	for port := from; port <= to && n.ctx.Err() == nil; port++ {
		if n.one(rest[0], strconv.FormatUint(port, 10)) == 0 {
			status = 0
		}
	}
	return status
}

func (n *netcat) protocol() string {
	if n.udp {
		return "udp"
	}
	return "tcp"
}

func (n *netcat) one(host, port string) int {
	resolver := NewResolver(n.Process)
	addresses, err := resolver.Addresses(n.ctx, host)
	if err != nil || n.number && addresses[0].String() != host {
		if err == nil {
			err = ErrNotFound
		}
		if n.busybox {
			return n.fail("bad address '%s'", host)
		}
		return n.fail("getaddrinfo for host \"%s\" port %s: %s", host, port, resolver.LookupError(err))
	}
	ctx, cancel := n.ctx, func() {}
	if n.wait > 0 {
		ctx, cancel = context.WithTimeout(ctx, n.wait)
	}
	address := addresses[0].String()
	conn, err := n.Net.DialContext(ctx, n.protocol(), net.JoinHostPort(address, port))
	cancel()
	if err == nil && n.zero && n.udp {
		err = n.probe(conn)
	}
	if err != nil {
		if conn != nil {
			_ = conn.Close()
		}
		why := reason(err)
		switch {
		case n.busybox && ctx.Err() == nil:
			n.errorf("nc: %s (%s:%s): %s\n", host, address, port, why)
		case n.busybox:
			n.errorf("nc: timed out\n")
		case n.verbose && ctx.Err() != nil:
			n.errorf("nc: connect to %s%s port %s (%s) timed out: Operation now in progress\n", host, n.numeric(host, address), port, n.protocol())
		case n.verbose:
			n.errorf("nc: connect to %s%s port %s (%s) failed: %s\n", host, n.numeric(host, address), port, n.protocol(), why)
		}
		return 1
	}
	defer func() { _ = conn.Close() }()
	if n.verbose {
		if n.busybox {
			n.errorf("%s (%s:%s) open\n", host, address, port)
		} else {
			n.errorf("Connection to %s%s %s port [%s/%s] succeeded!\n", host, n.numeric(host, address), port, n.protocol(), service(port, n.protocol()))
		}
	}
	if n.zero {
		return 0
	}
	return n.both(conn)
}

// numeric is " (ADDRESS)" after a name.
func (n *netcat) numeric(host, address string) string {
	if host == address || n.number {
		return ""
	}
	return " (" + address + ")"
}

// service is a port's name in /etc/services.
func service(port, protocol string) string {
	name := map[string]string{"22": "ssh", "25": "smtp", "53": "domain", "80": "http", "110": "pop3", "143": "imap2", "443": "https", "3306": "mysql", "5432": "postgresql", "6379": "redis", "8080": "http-alt"}[port]
	if name == "" || protocol == "udp" && name != "domain" {
		return "*"
	}
	return name
}

// probe sends datagrams to learn whether a port is closed, as nc -uz does.
func (n *netcat) probe(conn net.Conn) error {
	for range 4 {
		if _, err := conn.Write([]byte("X")); err != nil {
			return err
		}
		if err := conn.SetReadDeadline(time.Now().Add(250 * time.Millisecond)); err != nil {
			return err
		}
		if _, err := conn.Read(make([]byte, 16)); err != nil && !isTimeout(err) {
			return err
		}
	}
	return nil
}

// both copies in both directions until the other side ends, or -w's silence.
func (n *netcat) both(conn net.Conn) int {
	defer context.AfterFunc(n.ctx, func() { _ = conn.Close() })()
	n.Go(func() {
		_, err := io.Copy(conn, n.Stdin)
		if half, is := conn.(interface{ CloseWrite() error }); is && err == nil && !n.udp {
			_ = half.CloseWrite()
		}
	})
	var from io.Reader = conn
	if n.wait > 0 {
		from = &silence{conn, n.wait}
	}
	_, err := io.Copy(n.Stdout, from)
	if err != nil && !isTimeout(err) && !errors.Is(err, net.ErrClosed) && n.busybox {
		n.errorf("nc: %s\n", reason(err))
		return 1
	}
	return 0
}

func (n *netcat) serve(rest []string) int {
	host := ""
	switch {
	case len(rest) == 1 && n.port == "":
		n.port = rest[0]
	case len(rest) == 2:
		host, n.port = rest[0], rest[1]
	}
	if _, err := strconv.ParseUint(n.port, 10, 16); err != nil {
		return n.usage()
	}
	at := net.JoinHostPort(host, n.port)
	if n.udp {
		return n.serveUDP(at)
	}
	listener, err := n.Net.Listen(n.ctx, "tcp", at)
	if err != nil {
		if n.busybox {
			return n.fail("bind: %s", reason(err))
		}
		return n.fail("%s", reason(err))
	}
	defer func() { _ = listener.Close() }()
	defer context.AfterFunc(n.ctx, func() { _ = listener.Close() })()
	if n.verbose {
		if n.busybox {
			n.errorf("listening on [::]:%s ...\n", n.port)
		} else {
			n.errorf("Listening on 0.0.0.0 %s\n", n.port)
		}
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			return 1
		}
		if n.verbose {
			peer, port := hostPort(conn.RemoteAddr())
			n.errorf("Connection received on %s %s\n", peer, port)
		}
		if !n.keep {
			_ = listener.Close()
		}
		status := n.both(conn)
		_ = conn.Close()
		if !n.keep {
			return status
		}
	}
}

// serveUDP talks with the peer that sends first.
func (n *netcat) serveUDP(at string) int {
	conn, err := n.Net.ListenPacket(n.ctx, "udp", at)
	if err != nil {
		return n.fail("%s", reason(err))
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(n.ctx, func() { _ = conn.Close() })()
	buffer := make([]byte, 64<<10)
	started := false
	for {
		count, from, err := conn.ReadFrom(buffer)
		if err != nil {
			return 1
		}
		if !started {
			started = true
			if n.verbose {
				peer, port := hostPort(from)
				n.errorf("Connection received on %s %s\n", peer, port)
			}
			n.Go(func() { _, _ = io.Copy(&sender{conn, from}, n.Stdin) })
		}
		if _, err := n.Stdout.Write(buffer[:count]); err != nil {
			return 1
		}
	}
}

// sender writes datagrams to one peer.
type sender struct {
	net.PacketConn
	to net.Addr
}

func (s *sender) Write(p []byte) (int, error) { return s.WriteTo(p, s.to) }

// telnet is busybox' without its escape character.
func telnet(c *command) int {
	opts, rest, bad := getopt(c.args, "a l: e:")
	if bad != nil || len(opts) > 0 || len(rest) == 0 || len(rest) > 2 {
		c.errorf("BusyBox v1.36.1 multi-call binary.\n\nUsage: telnet [-a] [-l USER] HOST [PORT]\n\nConnect to telnet server\n")
		return 1
	}
	port := "23"
	if len(rest) == 2 {
		port = rest[1]
	}
	addresses, err := NewResolver(c.Process).Addresses(c.ctx, rest[0])
	if err != nil {
		return c.fail("bad address '%s'", rest[0])
	}
	conn, err := c.Net.DialContext(c.ctx, "tcp", net.JoinHostPort(addresses[0].String(), port))
	if err != nil {
		return c.fail("can't connect to remote host (%s): %s", addresses[0], reason(err))
	}
	defer func() { _ = conn.Close() }()
	c.printf("Connected to %s\n", rest[0])
	status := (&netcat{command: c}).both(conn)
	c.errorf("Connection closed by foreign host\n")
	return status
}
