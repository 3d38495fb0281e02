package kernel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"svctour/model/path"
)

// namespace is a network namespace with one interface, eth0, that leads to the
// node. It lasts as long as the test's process.
type namespace struct {
	name      string
	addresses []string // of IPv4, see in
	thread    int
	calls     chan func()
}

// newNamespace makes one, on a thread of its own.
func newNamespace(t *testing.T, name string, addresses ...string) *namespace {
	t.Helper()
	n := &namespace{name: name, addresses: addresses, calls: make(chan func())}
	ready := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		err := unix.Unshare(unix.CLONE_NEWNET)
		n.thread = unix.Gettid()
		ready <- err
		for call := range n.calls {
			call()
		}
	}()
	t.Cleanup(func() { close(n.calls) })
	if err := <-ready; err != nil {
		t.Fatal(err)
	}
	return n
}

// do runs a function whose sockets and children are in the namespace; nil is the node.
func (n *namespace) do(call func()) {
	if n == nil {
		call()
		return
	}
	done := make(chan struct{})
	n.calls <- func() {
		defer close(done)
		call()
	}
	<-done
}

// run gives a command its input.
func (n *namespace) run(t *testing.T, input, name string, args ...string) {
	t.Helper()
	var out []byte
	var err error
	n.do(func() {
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Stdin = strings.NewReader(input)
		out, err = cmd.CombinedOutput()
	})
	if err != nil {
		t.Fatalf("%s %s: %v\n%s\n%s", name, strings.Join(args, " "), err, out, input)
	}
}

// set writes kernel parameters, "name value".
func (n *namespace) set(t *testing.T, parameters ...string) {
	t.Helper()
	var err error
	n.do(func() {
		for _, p := range parameters {
			name, value, _ := strings.Cut(p, " ")
			err = errors.Join(err, os.WriteFile("/proc/sys/net/"+name, []byte(value), 0o644))
		}
	})
	if err != nil {
		t.Skipf("the kernel's parameters cannot be set here: %v", err)
	}
}

// in is an IPv4 address or prefix in a family: IPv6 has the same under fd00::/96.
func in(family path.Family, text string) string {
	if family == path.IPv4 {
		return text
	}
	address, bits, isPrefix := strings.Cut(text, "/")
	four := netip.MustParseAddr(address).As4()
	out := netip.AddrFrom16([16]byte{0: 0xfd, 12: four[0], four[1], four[2], four[3]}).String()
	if isPrefix {
		length, _ := strconv.Atoi(bits)
		out += "/" + strconv.Itoa(length+96)
	}
	return out
}

var families = []path.Family{path.IPv4, path.IPv6}

// connect lays a cable between the node and each namespace. gateway is the
// node's address at that end: what masquerading takes on the way there.
func connect(t *testing.T, gateway string, namespaces ...*namespace) {
	t.Helper()
	for _, n := range namespaces {
		n.set(t, "ipv6/conf/default/accept_dad 0", "ipv4/ip_local_port_range 1024 65535")
		cable := "to-" + n.name
		node := fmt.Sprintf("link add %s type veth peer name eth0 netns %d\nlink set %s up\n", cable, n.thread, cable)
		inside := "link set lo up\nlink set eth0 up\n"
		for _, f := range families {
			bits, flag := 32, ""
			if f == path.IPv6 {
				bits, flag = 128, " nodad" // else it cannot be bound until the kernel's worker has looked
			}
			node += fmt.Sprintf("addr add %s/%d dev %s%s\n", in(f, gateway), bits, cable, flag)
			for _, a := range n.addresses {
				node += fmt.Sprintf("route add %s dev %s\n", in(f, a), cable)
				inside += fmt.Sprintf("addr add %s/%d dev eth0%s\n", in(f, a), bits, flag)
			}
			inside += fmt.Sprintf("route add %s dev eth0\nroute add default via %s dev eth0\n", in(f, gateway), in(f, gateway))
		}
		(*namespace)(nil).run(t, node, "ip", "-batch", "-")
		n.run(t, inside, "ip", "-batch", "-")
	}
}

// serve starts a server at an address of the namespace that tells each client
// the address it answers at and the client's.
func (n *namespace) serve(t *testing.T, at netip.AddrPort) {
	t.Helper()
	var l net.Listener
	var err error
	n.do(func() { l, err = net.Listen("tcp", at.String()) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				fmt.Fprintf(c, "%s %s\n", c.LocalAddr(), c.RemoteAddr())
				io.Copy(io.Discard, c) // until the client has gone: it is the one to close
			}()
		}
	}()
}

// answer is what became of a connection: where it went, and the source that it
// had there.
type answer struct {
	verdict     path.Verdict
	destination string
	source      netip.Addr
}

// ask makes connections one after the other and counts what becomes of them.
// The client ends them with a reset, so that no port waits for anything.
func (n *namespace) ask(source netip.Addr, to netip.AddrPort, times int, patience time.Duration) (map[answer]int, error) {
	counts := map[answer]int{}
	var err error
	n.do(func() {
		dialer := net.Dialer{Timeout: patience, LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(source, 0))}
		var a answer
		for range times {
			if a, err = ask(&dialer, to); err != nil {
				return
			}
			counts[a]++
		}
	})
	return counts, err
}

func ask(dialer *net.Dialer, to netip.AddrPort) (answer, error) {
	c, err := dialer.DialContext(context.Background(), "tcp", to.String())
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return answer{verdict: path.Reject}, nil
	case errors.As(err, &timeout) && timeout.Timeout():
		return answer{verdict: path.Drop}, nil
	case err != nil:
		return answer{}, err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return answer{}, err
	}
	line := make([]byte, 256)
	length, err := c.Read(line)
	if err != nil {
		return answer{}, err
	}
	at, from, _ := bytes.Cut(bytes.TrimSpace(line[:length]), []byte(" "))
	seen, err := netip.ParseAddrPort(string(from))
	if err != nil {
		return answer{}, fmt.Errorf("the server said %q", line[:length])
	}
	return answer{path.DNAT, string(at), seen.Addr().Unmap()}, c.(*net.TCPConn).SetLinger(0)
}
