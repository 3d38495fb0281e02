package network

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"svctour/model"
	"svctour/model/path"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lab is a network of three nodes with Pods that answer.
type lab struct {
	*Network
	t        testing.TB
	snapshot model.Snapshot
}

func newLab(t testing.TB) *lab {
	t.Helper()
	options := Options{Gateway: netip.MustParseAddr("172.18.0.1"), Random: rand.NewPCG(1, 2)}
	l := &lab{t: t, snapshot: model.Snapshot{Proxy: model.DefaultProxy()}}
	l.snapshot.Proxy.ClusterCIDRs = []string{"10.244.0.0/16"}
	for i := range 3 {
		spec := NodeSpec{
			Name:    fmt.Sprintf("node-%d", i+1),
			Address: netip.AddrFrom4([4]byte{172, 18, 0, byte(i + 2)}),
			Pods:    netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 244, byte(i), 0}), 24),
		}
		options.Nodes = append(options.Nodes, spec)
		l.snapshot.Nodes = append(l.snapshot.Nodes, &model.Node{
			Meta: model.Meta{Name: spec.Name}, Addresses: []model.NodeAddress{{Type: "InternalIP", Address: spec.Address.String()}},
		})
	}
	network, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	l.Network = network
	t.Cleanup(network.Close)
	return l
}

func (l *lab) pod(node int, last byte) *Stack {
	l.t.Helper()
	stack, err := l.Node(fmt.Sprintf("node-%d", node)).Attach(netip.AddrFrom4([4]byte{10, 244, byte(node - 1), last}), fmt.Sprintf("pod-%d-%d", node, last))
	if err != nil {
		l.t.Fatal(err)
	}
	return stack
}

// serve answers HTTP with the server's own address and the client's.
func (l *lab) serve(stack *Stack, address string) {
	l.t.Helper()
	listener, err := stack.Listen(l.t.Context(), "tcp", address)
	if err != nil {
		l.t.Fatal(err)
	}
	name := stack.options.addresses[0].Addr()
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		fmt.Fprintf(w, "%s %s", name, host)
	})}
	done := make(chan struct{})
	go func() { defer close(done); server.Serve(listener) }()
	l.t.Cleanup(func() { server.Close(); <-done })
}

// service adds a Service of port 80 to port 8080 of Pods.
func (l *lab) service(name, clusterIP string, change func(*model.Service), endpoints ...string) {
	svc := &model.Service{
		Meta: model.Meta{Namespace: "default", Name: name}, Type: model.ClusterIP, ClusterIPs: []string{clusterIP}, IPFamilies: []string{"IPv4"},
		Ports: []model.ServicePort{{Protocol: "TCP", Port: 80, TargetPort: "8080"}},
	}
	if change != nil {
		change(svc)
	}
	port := int32(8080)
	slice := &model.EndpointSlice{
		Meta:        model.Meta{Namespace: "default", Name: name + "-1", Labels: map[string]string{model.ServiceNameLabel: name}},
		AddressType: "IPv4", Ports: []model.EndpointPort{{Protocol: svc.Ports[0].Protocol, Port: &port}},
	}
	for _, address := range endpoints {
		ip := netip.MustParseAddr(address)
		slice.Endpoints = append(slice.Endpoints, model.Endpoint{Addresses: []string{address}, Node: fmt.Sprintf("node-%d", ip.As4()[2]+1)})
	}
	l.snapshot.Services = append(l.snapshot.Services, svc)
	l.snapshot.Slices = append(l.snapshot.Slices, slice)
}

// install compiles the rules of every node.
func (l *lab) install(mode string) {
	s := model.NewSnapshot(l.snapshot)
	for _, node := range l.byPods {
		if mode == path.ModeNFTables {
			node.Install(path.CompileNFTables(s, node.Name, path.IPv4))
		} else {
			node.Install(path.Compile(s, node.Name, path.IPv4))
		}
	}
}

// get asks once and gives the answer.
func get(ctx context.Context, from *Stack, address string) (string, error) {
	transport := &http.Transport{DialContext: from.DialContext, DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/", nil)
	if err != nil {
		return "", err
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

func (l *lab) expect(from *Stack, address, want string) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), 20*time.Second)
	defer cancel()
	got, err := get(ctx, from, address)
	if err != nil || got != want {
		l.t.Errorf("GET %s: %q, %v; want %q", address, got, err, want)
	}
}

func (l *lab) expectError(from *Stack, address string, want error) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), 20*time.Second)
	if errors.Is(want, context.DeadlineExceeded) {
		cancel()
		ctx, cancel = context.WithTimeout(l.t.Context(), 300*time.Millisecond)
	}
	defer cancel()
	conn, err := from.DialContext(ctx, "tcp", address)
	if err == nil {
		conn.Close()
	}
	var timeout net.Error
	if errors.Is(want, context.DeadlineExceeded) && errors.As(err, &timeout) && timeout.Timeout() {
		return
	}
	if !errors.Is(err, want) {
		l.t.Errorf("dial %s: %v, want %v", address, err, want)
	}
}

var bothModes = []string{path.ModeIPTables, path.ModeNFTables}

func inModes(t *testing.T, run func(t *testing.T, mode string)) {
	for _, mode := range bothModes {
		t.Run(mode, func(t *testing.T) { run(t, mode) })
	}
}

func TestPodsReachEachOther(t *testing.T) {
	l := newLab(t)
	a, b, c := l.pod(1, 5), l.pod(1, 6), l.pod(2, 7)
	for _, s := range []*Stack{a, b, c} {
		l.serve(s, ":8080")
	}
	l.serve(b, "127.0.0.1:9090")
	l.expect(a, "10.244.0.6:8080", "10.244.0.6 10.244.0.5")
	l.expect(a, "10.244.1.7:8080", "10.244.1.7 10.244.0.5")
	l.expect(a, "10.244.0.5:8080", "10.244.0.5 10.244.0.5")
	l.expect(b, "127.0.0.1:9090", "10.244.0.6 127.0.0.1")
	l.expect(l.Node("node-1").Stack(), "10.244.0.5:8080", "10.244.0.5 10.244.0.1")
	l.expect(l.Node("node-1").Stack(), "10.244.1.7:8080", "10.244.1.7 172.18.0.2")
	l.expectError(a, "10.244.0.6:9090", syscall.ECONNREFUSED) // bound to its own loopback
	l.expectError(a, "10.244.0.6:1", syscall.ECONNREFUSED)
	l.expectError(a, "192.0.2.1:80", context.DeadlineExceeded)
	l.expectError(a, "172.18.0.99:80", syscall.EHOSTUNREACH)
	l.expectError(a, "10.244.0.77:80", syscall.EHOSTUNREACH)
	l.expectError(l.Outside(), "10.244.0.5:8080", syscall.ENETUNREACH)
}

func TestServices(t *testing.T) {
	inModes(t, func(t *testing.T, mode string) {
		l := newLab(t)
		client, web1, web2 := l.pod(1, 5), l.pod(1, 6), l.pod(2, 7)
		l.serve(web1, ":8080")
		l.serve(web2, ":8080")
		l.service("one", "10.96.0.11", nil, "10.244.0.6")
		l.service("far", "10.96.0.12", nil, "10.244.1.7")
		l.service("none", "10.96.0.13", nil)
		l.service("ports", "10.96.0.14", func(s *model.Service) {
			s.Type, s.Ports[0].NodePort = model.NodePort, 30080
		}, "10.244.1.7")
		l.service("local", "10.96.0.15", func(s *model.Service) {
			s.Type, s.Ports[0].NodePort, s.ExternalTrafficPolicy = model.NodePort, 30081, "Local"
		}, "10.244.1.7")
		l.service("inside", "10.96.0.16", func(s *model.Service) { s.InternalTrafficPolicy = "Local" }, "10.244.1.7")
		l.install(mode)

		l.expect(client, "10.96.0.11:80", "10.244.0.6 10.244.0.5")
		l.expect(client, "10.96.0.12:80", "10.244.1.7 10.244.0.5")
		l.expect(web1, "10.96.0.11:80", "10.244.0.6 10.244.0.1") // hairpin
		l.expect(l.Node("node-1").Stack(), "10.96.0.12:80", "10.244.1.7 172.18.0.2")
		l.expect(l.Node("node-1").Stack(), "10.96.0.11:80", "10.244.0.6 10.244.0.1")
		l.expectError(client, "10.96.0.13:80", syscall.ECONNREFUSED)
		l.expectError(l.Node("node-1").Stack(), "10.96.0.13:80", syscall.ECONNREFUSED)
		l.expect(l.Outside(), "172.18.0.3:30080", "10.244.1.7 10.244.1.1")
		l.expect(l.Outside(), "172.18.0.2:30080", "10.244.1.7 172.18.0.2")
		l.expect(client, "172.18.0.4:30080", "10.244.1.7 172.18.0.4")
		l.expect(l.Outside(), "172.18.0.3:30081", "10.244.1.7 172.18.0.1")
		l.expectError(l.Outside(), "172.18.0.2:30081", context.DeadlineExceeded)
		l.expect(client, "172.18.0.2:30081", "10.244.1.7 10.244.0.5") // short cut: never left the cluster
		l.expectError(client, "10.96.0.16:80", context.DeadlineExceeded)
		l.expectError(client, "172.18.0.2:30099", syscall.ECONNREFUSED)
		if mode == path.ModeIPTables {
			l.expect(l.Node("node-2").Stack(), "127.0.0.1:30080", "10.244.1.7 10.244.1.1")
			l.expectError(client, "10.96.0.11:81", context.DeadlineExceeded)
		} else {
			l.expectError(l.Node("node-2").Stack(), "127.0.0.1:30080", syscall.ECONNREFUSED)
			l.expectError(client, "10.96.0.11:81", syscall.ECONNREFUSED)
		}
	})
}

func TestShares(t *testing.T) {
	inModes(t, func(t *testing.T, mode string) {
		l := newLab(t)
		client := l.pod(1, 5)
		var endpoints []string
		for i := range 3 {
			s := l.pod(i+1, 9)
			l.serve(s, ":8080")
			endpoints = append(endpoints, s.options.addresses[0].Addr().String())
		}
		l.service("web", "10.96.0.11", nil, endpoints...)
		l.install(mode)
		const n = 3000
		got := map[string]int{}
		for range n {
			answer, err := get(t.Context(), client, "10.96.0.11:80")
			if err != nil {
				t.Fatal(err)
			}
			got[strings.Fields(answer)[0]]++
		}
		chi := 0.0
		for _, address := range endpoints {
			d := float64(got[address]) - n/3.0
			chi += d * d / (n / 3.0)
		}
		if chi > 9.21 || len(got) != 3 { // 1 % at two degrees of freedom
			t.Errorf("%v: chi-square %.2f", got, chi)
		}
		t.Logf("%v: chi-square %.2f", got, chi)
	})
}

func TestAffinity(t *testing.T) {
	inModes(t, func(t *testing.T, mode string) {
		l := newLab(t)
		client, other := l.pod(1, 5), l.pod(1, 6)
		var endpoints []string
		for i := range 3 {
			s := l.pod(i+1, 9)
			l.serve(s, ":8080")
			endpoints = append(endpoints, s.options.addresses[0].Addr().String())
		}
		l.service("web", "10.96.0.11", func(s *model.Service) { s.SessionAffinity, s.AffinitySeconds = "ClientIP", 600 }, endpoints...)
		l.install(mode)
		for _, from := range []*Stack{client, other} {
			first, err := get(t.Context(), from, "10.96.0.11:80")
			if err != nil {
				t.Fatal(err)
			}
			for range 20 {
				l.expect(from, "10.96.0.11:80", first)
			}
		}
	})
}

func TestCountersAreExact(t *testing.T) {
	l := newLab(t)
	client, web := l.pod(1, 5), l.pod(1, 6)
	l.serve(web, ":8080")
	l.service("web", "10.96.0.11", nil, "10.244.0.6")
	l.install(path.ModeIPTables)
	count := func() (packets uint64) {
		for _, chain := range l.Node("node-1").Ruleset() {
			if chain.Table == "nat" && chain.Chain == path.ChainName(path.ChainEndpoint, "default/web", "tcp", "10.244.0.6:8080") {
				for _, rule := range chain.Rules {
					if rule.Rule.Action == path.ActionDNAT {
						packets = rule.Counter.Packets
					}
				}
			}
		}
		return packets
	}
	before := count()
	for range 17 {
		l.expect(client, "10.96.0.11:80", "10.244.0.6 10.244.0.5")
	}
	if got := count() - before; got != 17 {
		t.Errorf("the endpoint's rule counted %d connections, want 17", got)
	}
	text := l.Node("node-1").SaveRules("nat", true)
	if !strings.Contains(text, "[17:") || !strings.Contains(text, "*nat") || strings.Contains(text, "*filter") {
		t.Errorf("iptables-save -c -t nat:\n%s", text)
	}
	l.install(path.ModeIPTables) // nothing has changed for this Service
	if got := count(); got != before+17 {
		t.Errorf("after a sync the rule counts %d", got)
	}
}

// echo answers every datagram to port 8080 of a Pod with a prefix and itself.
func (l *lab) echo(server *Stack, prefix string) {
	l.t.Helper()
	packets, err := server.ListenPacket(l.t.Context(), "udp", ":8080")
	if err != nil {
		l.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buffer := make([]byte, 1<<16)
		for {
			n, from, err := packets.ReadFrom(buffer)
			if err != nil {
				return
			}
			if _, err := packets.WriteTo(append([]byte(prefix), buffer[:n]...), from); err != nil {
				return
			}
		}
	}()
	l.t.Cleanup(func() { server.Close(); <-done })
}

func TestUDP(t *testing.T) {
	inModes(t, func(t *testing.T, mode string) {
		l := newLab(t)
		client, server := l.pod(1, 5), l.pod(2, 6)
		l.echo(server, "re: ")
		udp := func(s *model.Service) { s.Ports[0].Protocol = "UDP" }
		l.service("dns", "10.96.0.10", udp, "10.244.1.6")
		l.service("nobody", "10.96.0.17", udp)
		l.install(mode)
		ask := func(address string) (string, error) {
			conn, err := client.DialContext(t.Context(), "udp", address)
			if err != nil {
				return "", err
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(10 * time.Second))
			if _, err := conn.Write([]byte("hello")); err != nil {
				return "", err
			}
			buffer := make([]byte, 100)
			n, err := conn.Read(buffer)
			return string(buffer[:n]), err
		}
		if answer, err := ask("10.96.0.10:80"); answer != "re: hello" {
			t.Errorf("%q, %v", answer, err)
		}
		for _, address := range []string{"10.96.0.17:80", "10.244.1.6:9"} {
			if _, err := ask(address); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("%s: %v, want refused", address, err)
			}
		}
		list := strings.Join(l.Node("node-1").ListConnections(), "\n")
		if !strings.Contains(list, "udp      17 ") || !strings.Contains(list, "dst=10.96.0.10 ") || !strings.Contains(list, "src=10.244.1.6 dst=10.244.0.5 sport=8080 ") {
			t.Errorf("conntrack -L:\n%s", list)
		}
		gone := l.Node("node-1").DeleteConnections(func(c Connection) bool { return c.Protocol == "udp" && c.ReplySource.Port() == 8080 })
		if gone != 1 {
			t.Errorf("%d entries deleted", gone)
		}
	})
}

func TestPing(t *testing.T) {
	l := newLab(t)
	a := l.pod(1, 5)
	l.pod(2, 6)
	l.service("web", "10.96.0.11", nil, "10.244.1.6")
	l.install(path.ModeIPTables)
	for address, ttl := range map[string]int{"10.244.1.6": 62, "10.244.0.1": 64, "172.18.0.3": 63, "127.0.0.1": 64} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		echo, err := a.Ping(ctx, netip.MustParseAddr(address), 1, 56)
		cancel()
		if err != nil || echo.From.String() != address {
			t.Errorf("ping %s: %+v, %v", address, echo, err)
		}
		if echo.TTL != ttl {
			t.Errorf("ping %s: ttl %d, want %d", address, echo.TTL, ttl)
		}
	}
	// A node has no other way to a ClusterIP than its default route.
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := a.Ping(ctx, netip.MustParseAddr("10.96.0.11"), 1, 56); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("ping of a ClusterIP: %v", err)
	}
}

func TestPolicy(t *testing.T) {
	l := newLab(t)
	a, b, c := l.pod(1, 5), l.pod(1, 6), l.pod(2, 7)
	for _, s := range []*Stack{a, b, c} {
		l.serve(s, ":8080")
	}
	denied := netip.MustParseAddr("10.244.1.7")
	for _, node := range l.byPods {
		node.SetPolicy(func(f Flow) bool { return !(f.Ingress && f.Destination.Addr() == denied) })
	}
	l.expectError(a, "10.244.1.7:8080", context.DeadlineExceeded)
	l.expect(c, "10.244.0.6:8080", "10.244.0.6 10.244.1.7") // the answers come back
	l.expect(l.Node("node-2").Stack(), "10.244.1.7:8080", "10.244.1.7 10.244.1.1")
}

func TestAnnouncedAddress(t *testing.T) {
	inModes(t, func(t *testing.T, mode string) {
		l := newLab(t)
		web := l.pod(2, 7)
		l.serve(web, ":8080")
		l.service("lb", "10.96.0.11", func(s *model.Service) {
			s.Type, s.SourceRanges = model.LoadBalancer, []string{"172.18.0.9/32"}
			s.Ingress = []model.Ingress{{IP: "172.18.0.200"}}
		}, "10.244.1.7")
		l.install(mode)
		l.expectError(l.Outside(), "172.18.0.200:80", syscall.EHOSTUNREACH)
		l.Route(netip.MustParseAddr("172.18.0.200"), l.Node("node-1"))
		other, err := l.Host(netip.MustParseAddr("172.18.0.9"))
		if err != nil {
			t.Fatal(err)
		}
		l.expect(other, "172.18.0.200:80", "10.244.1.7 172.18.0.2")
		l.expectError(l.Outside(), "172.18.0.200:80", context.DeadlineExceeded) // not in the source ranges
	})
}

func TestAPodThatIsGone(t *testing.T) {
	l := newLab(t)
	a, b := l.pod(1, 5), l.pod(1, 6)
	l.serve(b, ":8080")
	l.expect(a, "10.244.0.6:8080", "10.244.0.6 10.244.0.5")
	listener, err := a.Listen(t.Context(), "tcp", ":1234")
	if err != nil {
		t.Fatal(err)
	}
	packets, err := a.ListenPacket(t.Context(), "udp", ":1235")
	if err != nil {
		t.Fatal(err)
	}
	accepted, received := make(chan error, 1), make(chan error, 1)
	go func() { _, err := listener.Accept(); accepted <- err }()
	go func() { _, _, err := packets.ReadFrom(make([]byte, 10)); received <- err }()
	b.Close()
	l.expectError(a, "10.244.0.6:8080", syscall.EHOSTUNREACH)
	a.Close()
	if err := <-accepted; err == nil {
		t.Error("a listener of a closed stack accepts")
	}
	if err := <-received; !errors.Is(err, net.ErrClosed) {
		t.Errorf("a socket of a closed stack reads: %v", err)
	}
	again := l.pod(1, 6)
	l.serve(again, ":8080")
	l.expect(l.Node("node-1").Stack(), "10.244.0.6:8080", "10.244.0.6 10.244.0.1")
}

func TestManyAtOnce(t *testing.T) {
	l := newLab(t)
	web := l.pod(2, 7)
	l.serve(web, ":8080")
	l.service("web", "10.96.0.11", nil, "10.244.1.7")
	l.install(path.ModeIPTables)
	var wait sync.WaitGroup
	for i := range 8 {
		client := l.pod(1+i%3, byte(20+i))
		wait.Go(func() {
			for range 50 {
				if _, err := get(t.Context(), client, "10.96.0.11:80"); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 20 {
		l.install(path.ModeIPTables)
	}
	wait.Wait()
}
