package nettool

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/afero"

	"svctour/lab/child/process"
)

// oracle is a network where every connection is accepted and answers the same
// bytes, and where nothing listens.
type oracle struct{ answer []byte }

func (o oracle) DialContext(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	go func() {
		_ = far.SetDeadline(time.Now().Add(100 * time.Millisecond))
		_, _ = far.Read(make([]byte, 4096))
		_, _ = far.Write(o.answer)
		_ = far.Close()
	}()
	return near, nil
}
func (oracle) Listen(context.Context, string, string) (net.Listener, error) {
	return nil, net.ErrClosed
}
func (oracle) ListenPacket(context.Context, string, string) (net.PacketConn, error) {
	return nil, net.ErrClosed
}
func (oracle) Ping(_ context.Context, to netip.Addr, _, size int) (process.Echo, error) {
	if !to.Is4() || size > 65507 {
		panic("the lab's network would have panicked") // as gVisor's does
	}
	return process.Echo{From: to, TTL: 64, Took: time.Millisecond}, nil
}
func (oracle) Interfaces() []process.Interface {
	return []process.Interface{{Index: 1, Name: "lo", Loopback: true, MTU: 65536, Addresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/8")}}}
}
func (oracle) Routes() []process.Route   { return []process.Route{{Interface: "eth0"}} }
func (oracle) Sockets() []process.Socket { return []process.Socket{{Protocol: "tcp", State: "LISTEN"}} }

// filter is a node's packet filter without a rule.
type filter struct{ text string }

func (f filter) SaveRules(string, bool) string { return f.text }
func (f filter) ListRuleset() string           { return f.text }
func (f filter) ListConnections() []string     { return strings.Split(f.text, "\n") }
func (f filter) ForgetConnections(match func(string) bool) []string {
	return slices.DeleteFunc(strings.Split(f.text, "\n"), func(line string) bool { return !match(line) })
}

// said is what a program writes, from any goroutine.
type said struct {
	sync.Mutex
	bytes.Buffer
}

func (s *said) Write(text []byte) (int, error) {
	s.Lock()
	defer s.Unlock()
	return s.Buffer.Write(text)
}

func (s *said) String() string {
	s.Lock()
	defer s.Unlock()
	return s.Buffer.String()
}

// FuzzNettools runs every tool within this program: that it lives, and
// that none panics, is the test. Arguments are separated by newlines; text is what servers answer, and what the
// packet filter prints.
func FuzzNettools(f *testing.F) {
	type named struct {
		name string
		main process.Main
	}
	var tools []named
	for _, table := range []map[string]process.Main{Commands, BusyBox, Node} {
		for _, name := range slices.Sorted(maps.Keys(table)) {
			tools = append(tools, named{name, table[name]})
		}
	}
	number := func(name string) uint8 {
		return uint8(slices.IndexFunc(tools, func(t named) bool { return t.name == name }))
	}
	for _, seed := range [][2]string{
		{"ping", "-c\n1\n::1"}, {"ping", "-c\n1\n-s\n65508\n1.2.3.4"}, {"ping", "-c\n1\n-i\n0.002\n127.0.0.1"}, {"ping", "-c\n1\nfe80::1%eth0"}, {"ping", "-c1\n1.2.3.4"}, {"ping", "-c\n0"},
		{"curl", "-v\nhttp://a/"}, {"curl", "-w\n%{http_code}%{x}%\nhttp://[::1]:80/"}, {"curl", "-d\n@/etc/hosts\n-H\nA\nx:99999"}, {"curl", "-T\n-\nftp://x"}, {"curl", "--resolve\n*:80:1.2.3.4\nhttp://a"}, {"curl", "-o\n/\nhttp://a/{1,2}[1-9999999999]"},
		{"dig", "@1.2.3.4\n-x\n::1"}, {"dig", "+short\na\nANY\n+time=0"}, {"dig", "-t"}, {"dig", "+trace\n."}, {"host", "-t\nPTR\n1.2.3.4\n::1"}, {"nslookup", "-type=any\na\n::1"}, {"nslookup", "-\n-"},
		{"nc", "-zv\n1.2.3.4\n1-99999"}, {"nc", "-l\n-p\n-1"}, {"nc", "-w\n1e9\na\n80"}, {"telnet", "a\n99999"}, {"wget", "-qO-\nhttp://a/"}, {"wget", "--post-data\nx\nhttps://a"},
		{"ip", "-4\naddr\nshow\ndev"}, {"ip", "route\nget\n::1"}, {"ip", "-j\nlink"}, {"ss", "-tlnp\nsport\n=\n:80"}, {"netstat", "-an"}, {"ifconfig", "eth0\n1.2.3.4"}, {"route", "-n"}, {"getent", "hosts\n::1"},
		{"iptables", "-t\nnat\n-L\nX\n-n\n-v\n--line-numbers"}, {"iptables", "-S\n\n-v"}, {"iptables-save", "-t\nx\n-c"}, {"conntrack", "-L\n-p\ntcp\n-d\nx"}, {"conntrack", "-D\n-s\n1.2.3.4"}, {"nft", "-a\nlist\nchain\nip\nx\ny"}, {"nft", "list\nruleset"},
	} {
		f.Add(number(seed[0]), seed[1], "*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -j X\nCOMMIT\n")
		f.Add(number(seed[0]), seed[1], "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 99999999999\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffff\r\n")
	}
	f.Fuzz(func(t *testing.T, which uint8, arguments, text string) {
		tool := tools[int(which)%len(tools)]
		files := process.NewFiles(nil)
		if err := files.MkdirAll("/etc", 0o755); err != nil {
			t.Fatal(err)
		}
		for name, content := range map[string]string{"/etc/resolv.conf": "nameserver 10.96.0.10\nsearch a.b\noptions ndots:5\n", "/etc/hosts": "1.2.3.4 a\n" + text} {
			if err := afero.WriteFile(files, name, []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		var errs said
		p := &process.Process{
			Args: append([]string{tool.name}, strings.Split(arguments, "\n")...), Dir: "/", Files: files, Net: oracle{[]byte(text)}, Kernel: filter{text},
			Stdin: strings.NewReader(text), Stdout: io.Discard, Stderr: &errs,
			Machine: &process.Machine{Hostname: "web", Table: process.NewTable(), Programs: func(string) process.Main { return nil }},
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		p.Machine.Table.Run(ctx, tool.main, p)
		if text := errs.String(); strings.Contains(text, ": panic: ") {
			t.Errorf("%q: %s", p.Args, text)
		}
	})
}
