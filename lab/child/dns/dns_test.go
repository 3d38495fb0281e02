package dns

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/spf13/afero"

	"svctour/lab/child/process"
)

// loopback is this machine's loopback as a program's network: every port that
// is asked for becomes a free one, which At tells.
type loopback struct {
	process.Network // what is not below is not used

	mu sync.Mutex
	at map[string]string // "tcp :53" -> address
	up chan struct{}     // one for each listener
}

func newLoopback() *loopback {
	return &loopback{at: map[string]string{}, up: make(chan struct{}, 16)}
}

func (l *loopback) note(network, asked string, got net.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at[network+" "+asked] = got.String()
	l.up <- struct{}{}
}

func (l *loopback) of(network, asked string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.at[network+" "+asked]
}

func (l *loopback) Listen(ctx context.Context, _, address string) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err == nil {
		l.note("tcp", address, listener.Addr())
	}
	return listener, err
}

func (l *loopback) ListenPacket(ctx context.Context, _, address string) (net.PacketConn, error) {
	conn, err := new(net.ListenConfig).ListenPacket(ctx, "udp", "127.0.0.1:0")
	if err == nil {
		l.note("udp", address, conn.LocalAddr())
	}
	return conn, err
}

func (l *loopback) Interfaces() []process.Interface {
	return []process.Interface{
		{Name: "lo", Addresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/8")}, Loopback: true},
		{Name: "eth0", Addresses: []netip.Prefix{netip.MustParsePrefix("172.18.0.1/16")}},
	}
}

func (l *loopback) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	at := l.of(network, address)
	if at == "" {
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
	}
	return new(net.Dialer).DialContext(ctx, network, at)
}

// running is a CoreDNS under test.
type running struct {
	*loopback
	files    afero.Fs
	signals  chan process.Signal
	out, err *buffer
	exit     chan int
}

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// run starts CoreDNS with a Corefile; it has ended when the test has.
func run(t *testing.T, network *loopback, files map[string]string) *running {
	t.Helper()
	r := &running{
		loopback: network, files: afero.NewMemMapFs(), signals: make(chan process.Signal, 1),
		out: &buffer{}, err: &buffer{}, exit: make(chan int, 1),
	}
	for name, content := range files {
		if err := afero.WriteFile(r.files, name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	t.Cleanup(func() { cancel(); <-ended })
	go func() {
		defer close(ended)
		r.exit <- Main(ctx, &process.Process{
			Args: []string{"/coredns", "-conf", "/etc/coredns/Corefile"}, Env: []string{"ZONE=from.env"}, Dir: "/",
			Stdin: strings.NewReader(""), Stdout: r.out, Stderr: r.err, Signals: r.signals, Files: r.files, Net: network,
		})
	}()
	return r
}

// listening waits until n listeners are there.
func (r *running) listening(t *testing.T, n int) {
	t.Helper()
	for range n {
		select {
		case <-r.up:
		case code := <-r.exit:
			t.Fatalf("ended with %d: %s%s", code, r.out, r.err)
		}
	}
}

func (r *running) ask(t *testing.T, network, name string, kind uint16) *dns.Msg {
	t.Helper()
	client := dns.Client{Net: network, Timeout: 20 * time.Second}
	answer, _, err := client.Exchange(new(dns.Msg).SetQuestion(name, kind), r.of(network, ":53"))
	if err != nil {
		t.Fatalf("%s over %s: %v", name, network, err)
	}
	return answer
}

func (r *running) get(t *testing.T, address, page string) (int, string) {
	t.Helper()
	response, err := http.Get("http://" + r.of("tcp", address) + page)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var body bytes.Buffer
	if _, err := body.ReadFrom(response.Body); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, body.String()
}

// answered is the addresses of an answer.
func answered(m *dns.Msg) string {
	var out []string
	for _, rr := range m.Answer {
		switch rr := rr.(type) {
		case *dns.A:
			out = append(out, rr.A.String())
		case *dns.CNAME:
			out = append(out, rr.Target)
		}
	}
	return strings.Join(out, " ")
}

const ownNames = `.:53 {
    errors
    log
    health {
        lameduck 1ms
    }
    ready
    prometheus :9153
    rewrite name old.test new.test
    hosts {
        10.1.2.3 new.test
        10.1.2.4 {$ZONE}
        fallthrough
    }
    import extra/*.conf
    forward . /etc/resolv.conf {
        max_concurrent 1000
    }
    cache 30
    loop
    reload
    loadbalance
}
`

func TestServes(t *testing.T) {
	network := newLoopback()
	if err := Upstream(t.Context(), network); err != nil {
		t.Fatal(err)
	}
	network.mu.Lock()
	for _, protocol := range []string{"tcp", "udp"} { // the two Pods of this test have one table
		network.at[protocol+" 172.18.0.1:53"] = network.at[protocol+" 0.0.0.0:53"]
	}
	network.mu.Unlock()
	<-network.up
	<-network.up
	r := run(t, network, map[string]string{
		"/etc/coredns/Corefile":        ownNames,
		"/etc/coredns/extra/more.conf": "template_is_not_here_but_this_is\n",
		"/etc/hosts":                   "10.9.9.9 in-the-pods-file # a comment\n",
		"/etc/resolv.conf":             "nameserver 172.18.0.1\n",
	})
	if code := <-r.exit; code != 1 || !strings.Contains(r.err.String(), "Unknown directive 'template_is_not_here_but_this_is'") {
		t.Fatalf("an unknown directive gives %d, %q", code, r.err)
	}

	files := map[string]string{
		"/etc/coredns/Corefile":        ownNames,
		"/etc/coredns/extra/more.conf": "any\n",
		"/etc/hosts":                   "10.9.9.9 in-the-pods-file # a comment\n",
		"/etc/resolv.conf":             "nameserver 172.18.0.1\n",
	}
	r = run(t, network, files)
	r.listening(t, 5)
	for _, c := range []struct {
		network, name string
		code          int
		want          string
	}{
		{"udp", "new.test.", dns.RcodeSuccess, "10.1.2.3"},
		{"tcp", "old.test.", dns.RcodeSuccess, "10.1.2.3"},
		{"udp", "from.env.", dns.RcodeSuccess, "10.1.2.4"},
		{"udp", "in-the-pods-file.", dns.RcodeSuccess, "10.9.9.9"},
		{"udp", "example.test.", dns.RcodeSuccess, "172.18.0.1"},
		{"tcp", "example.test.", dns.RcodeSuccess, "172.18.0.1"},
		{"udp", "www.example.com.", dns.RcodeNameError, ""},
	} {
		answer := r.ask(t, c.network, c.name, dns.TypeA)
		if answer.Rcode != c.code || answered(answer) != c.want {
			t.Errorf("%s over %s: %s %q, want %s %q", c.name, c.network,
				dns.RcodeToString[answer.Rcode], answered(answer), dns.RcodeToString[c.code], c.want)
		}
	}
	if code, body := r.get(t, ":8080", "/health"); code != 200 || body != "OK" {
		t.Errorf("health: %d %q", code, body)
	}
	if code, body := r.get(t, ":8181", "/ready"); code != 200 || body != "OK" {
		t.Errorf("ready: %d %q", code, body)
	}
	_, metrics := r.get(t, ":9153", "/metrics")
	for _, line := range []string{
		`coredns_dns_requests_total{family="1",proto="tcp",server="dns://:53",type="A",view="",zone="."} 2`,
		`coredns_plugin_enabled{name="errors",server="dns://:53",view="",zone="."} 1`,
	} {
		if !strings.Contains(metrics, line) {
			t.Errorf("the metrics have no %s:\n%s", line, metrics)
		}
	}
	r.signals <- process.Terminate
	if code := <-r.exit; code != 0 {
		t.Errorf("ends with %d on SIGTERM", code)
	}
	for _, line := range []string{
		"\n.:53\n", "CoreDNS-1.15.0\n", "Running configuration SHA512 = ", `"A IN new.test. udp `,
		"[INFO] SIGTERM: Shutting down servers then terminating", "[INFO] plugin/health: Going into lameduck mode for 1ms",
	} {
		if !strings.Contains("\n"+r.out.String(), line) {
			t.Errorf("the log has no %q:\n%s", line, r.out)
		}
	}
}

// Two CoreDNS in one program have each its own Corefile, readiness and metrics.
func TestTwoAtOnce(t *testing.T) {
	var all []*running
	for _, address := range []string{"10.0.0.1", "10.0.0.2"} {
		r := run(t, newLoopback(), map[string]string{
			"/etc/coredns/Corefile": ".:53 {\nprometheus :9153\nready\nhosts {\n" + address + " which.test\n}\n}\n", "/etc/hosts": "",
		})
		r.listening(t, 4)
		if got := answered(r.ask(t, "udp", "which.test.", dns.TypeA)); got != address {
			t.Errorf("which.test is %q, want %q", got, address)
		}
		all = append(all, r)
	}
	for _, r := range all {
		if _, metrics := r.get(t, ":9153", "/metrics"); !strings.Contains(metrics, `zone="."} 1`) || strings.Contains(metrics, `type="A",view="",zone="."} 2`) {
			t.Errorf("want one query:\n%s", metrics)
		}
	}
}

func TestReload(t *testing.T) {
	corefile := func(address string) string {
		return ".:53 {\nreload 2s 1s\nhosts {\n" + address + " which.test\n}\n}\n"
	}
	r := run(t, newLoopback(), map[string]string{"/etc/coredns/Corefile": corefile("10.0.0.1"), "/etc/hosts": ""})
	r.listening(t, 2)
	write := func(text string) {
		if err := afero.WriteFile(r.files, "/etc/coredns/Corefile", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(corefile("10.0.0.2"))
	r.listening(t, 2)
	if got := answered(r.ask(t, "udp", "which.test.", dns.TypeA)); got != "10.0.0.2" {
		t.Errorf("after the reload which.test is %q", got)
	}
}

func TestCorefileErrors(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"unknown directive":  {".:53 {\nforwrad . 1.1.1.1\n}\n", "Unknown directive 'forwrad'"},
		"bad upstream":       {".:53 {\nforward . nowhere\n}\n", `plugin/forward: not an IP address or file: "nowhere"`},
		"bad option":         {".:53 {\nforward . 10.0.0.1 {\nnothing\n}\n}\n", "plugin/forward: /etc/coredns/Corefile:3 - Error during parsing: unknown property 'nothing'"},
		"twice":              {".:53 {\nwhoami\n}\n.:53 {\nwhoami\n}\n", "cannot serve dns://.:53 - it is already defined"},
		"not in a cluster":   {".:53 {\nkubernetes cluster.local\n}\n", "plugin/kubernetes: unable to load in-cluster configuration"},
		"over TLS":           {"tls://.:853 {\nwhoami\n}\n", "only plain DNS is served here"},
		"weights of a file":  {".:53 {\nloadbalance weighted /etc/passwd\n}\n", "the policy weighted is not supported here"},
		"import of nothing":  {".:53 {\nimport other\n}\n", "File to import not found: other"},
		"not in this build":  {".:53 {\nroute53 example.org.:Z1\n}\n", "no action found for directive 'route53'"},
		"reload too often":   {".:53 {\nreload 1s\n}\n", "plugin/reload: interval value must be greater or equal to 2s"},
		"ready two times":    {".:53 {\nready\nready\n}\n", "plugin/ready: this plugin can only be used once per Server Block"},
		"block without end":  {".:53 {\nwhoami\n", "Unexpected token 'whoami', expecting '}'"},
		"health of no value": {".:53 {\nhealth {\nlameduck x\n}\n}\n", "plugin/health: unable to parse lameduck duration value: 'x'"},
	} {
		t.Run(name, func(t *testing.T) {
			r := run(t, newLoopback(), map[string]string{"/etc/coredns/Corefile": c.text})
			if code := <-r.exit; code != 1 || !strings.Contains(r.err.String(), c.want) {
				t.Errorf("ends with %d and %q, want 1 and %q", code, r.err, c.want)
			}
		})
	}
}

func TestForwardToASilentServer(t *testing.T) {
	network := newLoopback()
	silent, err := network.ListenPacket(t.Context(), "udp", "10.0.0.9:53")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	f := &forward{life: t.Context(), network: network, from: ".", servers: []string{"10.0.0.9:53"}, policy: "sequential"}
	started := time.Now()
	code, err := f.ServeDNS(t.Context(), &writer{}, new(dns.Msg).SetQuestion("a.test.", dns.TypeA))
	var timeout net.Error
	if code != dns.RcodeServerFailure || !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("gives %s, %v; want SERVFAIL and a timeout", dns.RcodeToString[code], err)
	}
	if took := time.Since(started); took < readTimeout {
		t.Errorf("gave up after %s, want %s", took, readTimeout)
	}
}

// writer is where an answer goes.
type writer struct {
	dns.ResponseWriter
	answer *dns.Msg
}

func (w *writer) RemoteAddr() net.Addr      { return &net.UDPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 1} }
func (w *writer) WriteMsg(m *dns.Msg) error { w.answer = m; return nil }

// A kill ends CoreDNS at once, whatever is asked of a server that is silent.
func TestKill(t *testing.T) {
	network := newLoopback()
	silent, err := network.ListenPacket(t.Context(), "udp", "10.0.0.9:53")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	<-network.up
	ctx, kill := context.WithCancel(t.Context())
	files := afero.NewMemMapFs()
	if err := afero.WriteFile(files, "/Corefile", []byte(".:53 {\nforward . 10.0.0.9\n}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	exit := make(chan int, 1)
	go func() {
		exit <- Main(ctx, &process.Process{Args: []string{"coredns"}, Dir: "/", Stdout: &buffer{}, Stderr: &buffer{}, Files: files, Net: network})
	}()
	<-network.up
	<-network.up
	query, err := new(dns.Msg).SetQuestion("a.test.", dns.TypeA).Pack()
	if err != nil {
		t.Fatal(err)
	}
	client, err := network.DialContext(ctx, "udp", ":53")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	if _, err := client.Write(query); err != nil {
		t.Fatal(err)
	}
	if _, _, err := silent.ReadFrom(make([]byte, 512)); err != nil { // the query is on its way
		t.Fatal(err)
	}
	started := time.Now()
	kill()
	<-exit
	if took := time.Since(started); took >= readTimeout {
		t.Errorf("took %s to end, want less than the %s of the upstream", took, readTimeout)
	}
}

func TestForwardExcept(t *testing.T) {
	f := &forward{life: t.Context(), network: newLoopback(), from: "test.", except: []string{"not.test."}, servers: []string{"10.0.0.9:53"}}
	for name, want := range map[string]bool{"a.test.": true, "test.": true, "a.not.test.": false, "other.": false} {
		w := &writer{}
		code, err := f.ServeDNS(t.Context(), w, new(dns.Msg).SetQuestion(name, dns.TypeA))
		asked := code == dns.RcodeServerFailure && errors.Is(err, syscall.ECONNREFUSED)
		if asked != want {
			t.Errorf("%s: asked %v (%v), want %v", name, asked, err, want)
		}
	}
}

func TestOutside(t *testing.T) {
	names := map[string]netip.Addr{"example.test.": netip.MustParseAddr("172.18.0.1")}
	for _, c := range []struct {
		name string
		kind uint16
		code int
		want string
	}{
		{"example.test.", dns.TypeA, dns.RcodeSuccess, "172.18.0.1"},
		{"EXAMPLE.test.", dns.TypeA, dns.RcodeSuccess, "172.18.0.1"},
		{"example.test.", dns.TypeAAAA, dns.RcodeSuccess, ""},
		{"other.test.", dns.TypeA, dns.RcodeNameError, ""},
	} {
		answer := outside(new(dns.Msg).SetQuestion(c.name, c.kind), names)
		if answer.Rcode != c.code || answered(answer) != c.want || !answer.RecursionAvailable {
			t.Errorf("%s: %v", c.name, answer)
		}
	}
}

func TestObjects(t *testing.T) {
	a := Objects(netip.MustParseAddr("10.96.0.10"), "cluster.local")
	if got := a.Service.Spec.ClusterIP; got != "10.96.0.10" || len(a.Service.Spec.Ports) != 3 {
		t.Errorf("the Service has %s and %d ports", got, len(a.Service.Spec.Ports))
	}
	if a.Account.Name != "coredns" || a.Role.Name != a.Binding.RoleRef.Name || *a.Deployment.Spec.Replicas != 2 {
		t.Errorf("got %+v", a)
	}
	pod := a.Deployment.Spec.Template.Spec
	if c := pod.Containers[0]; c.Image != ImageName || c.ReadinessProbe == nil || c.LivenessProbe == nil || pod.DNSPolicy != "Default" {
		t.Errorf("the Pod is %+v", pod)
	}
	// What kubeadm writes is what this CoreDNS reads, up to the API server.
	r := run(t, newLoopback(), map[string]string{
		"/etc/coredns/Corefile": a.Config.Data["Corefile"], "/etc/resolv.conf": "nameserver 172.18.0.1\n",
	})
	if code := <-r.exit; code != 1 || !strings.Contains(r.err.String(), "plugin/kubernetes: unable to load in-cluster configuration") {
		t.Errorf("ends with %d and %q", code, r.err)
	}
}
