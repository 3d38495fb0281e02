package nettool

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/spf13/afero"
	"go.uber.org/goleak"

	"svctour/lab/child/network"
	"svctour/lab/child/process"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lab is two hosts: one that serves HTTP and names, and one to run tools on.
func lab(t *testing.T) *network.Stack {
	t.Helper()
	return labOf(t, answer)
}

// labOf is lab with a server of names of its own.
func labOf(t *testing.T, answer dns.HandlerFunc) *network.Stack {
	t.Helper()
	n, err := network.New(network.Options{Gateway: netip.MustParseAddr("172.18.0.1")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	host := func(text string) *network.Stack {
		stack, err := n.Host(netip.MustParseAddr(text))
		if err != nil {
			t.Fatal(err)
		}
		return stack
	}
	server, client := host("172.18.0.50"), host("172.18.0.51")
	listener, err := server.Listen(t.Context(), "tcp", ":80")
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		_, _ = fmt.Fprintf(w, "%s %s\n", r.Method, r.Host)
	})
	web := &http.Server{Handler: mux}
	done := make(chan struct{})
	go func() { defer close(done); _ = web.Serve(listener) }()
	packets, err := server.ListenPacket(t.Context(), "udp", ":53")
	if err != nil {
		t.Fatal(err)
	}
	resolver := &dns.Server{PacketConn: packets, Handler: answer}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = resolver.ActivateAndServe() }()
	t.Cleanup(func() { _ = web.Close(); <-done; _ = packets.Close(); <-ended })
	return client
}

func answer(w dns.ResponseWriter, question *dns.Msg) {
	out := new(dns.Msg).SetReply(question)
	out.Authoritative = true
	switch q := question.Question[0]; {
	case q.Name != "web.default.svc.cluster.local.":
		out.Rcode = dns.RcodeNameError
	case q.Qtype == dns.TypeA:
		record, _ := dns.NewRR(q.Name + " 30 IN A 172.18.0.50")
		out.Answer = []dns.RR{record}
	}
	_ = w.WriteMsg(out)
}

func run1(t *testing.T, stack *network.Stack, main process.Main, line string) (int, string, string) {
	t.Helper()
	files := afero.NewMemMapFs()
	for name, text := range map[string]string{
		"/etc/resolv.conf": "search default.svc.cluster.local svc.cluster.local\nnameserver 172.18.0.50\noptions ndots:5\n",
		"/etc/hosts":       "127.0.0.1 localhost\n",
	} {
		if err := afero.WriteFile(files, name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var out, errs bytes.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	status := main(ctx, &process.Process{
		Args: strings.Fields(line), Dir: "/", Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, Signals: make(chan process.Signal), Files: files, Net: stack,
	})
	return status, out.String(), errs.String()
}

func TestTools(t *testing.T) {
	stack := lab(t)
	for _, c := range []struct {
		line      string
		busybox   bool
		status    int
		out, errs string // parts of the outputs
	}{
		{"curl -s web", false, 0, "GET web\n", ""},
		{"curl -sS -o /dev/null -w %{http_code},%{num_connects},%{remote_ip}:%{remote_port}\\n web", false, 0, "200,1,172.18.0.50:80\n", ""},
		{"curl -s -w %{num_connects} web web", false, 0, "GET web\n1GET web\n0", ""},
		{"curl -sS nope", false, 6, "", "curl: (6) Could not resolve host: nope\n"},
		{"curl -sS web:81", false, 7, "", "curl: (7) Failed to connect to web port 81 after "},
		{"curl -sSf web/nope", false, 22, "", "curl: (22) The requested URL returned error: 404\n"},
		{"curl -s -d a=1 --resolve other:80:172.18.0.50 other", false, 0, "POST other\n", ""},
		{"curl --foo web", false, 2, "", "curl: option --foo: is unknown\n"},
		{"curl -sS http://:80", false, 3, "", "curl: (3) URL rejected: No host part in the URL\n"},
		{"wget -qO- web", true, 0, "GET web\n", ""},
		{"wget -O /dev/null web", true, 0, "", "Connecting to web (172.18.0.50:80)\n"},
		{"wget web/nope", true, 1, "", "wget: server returned error: HTTP/1.1 404 Not Found\n"},
		{"wget web:81", true, 1, "", "wget: can't connect to remote host (172.18.0.50): Connection refused\n"},
		{"wget nope:80", true, 1, "", "wget: bad address 'nope:80'\n"},
		{"nslookup web", true, 1, "Server:\t\t172.18.0.50\nAddress:\t172.18.0.50:53\n\nName:\tweb.default.svc.cluster.local\nAddress: 172.18.0.50\n\n** server can't find web.svc.cluster.local: NXDOMAIN\n", ""},
		{"nslookup web", false, 0, "Server:\t\t172.18.0.50\nAddress:\t172.18.0.50#53\n\nName:\tweb.default.svc.cluster.local\nAddress: 172.18.0.50\n\n", ""},
		{"nslookup nope", false, 1, "** server can't find nope: NXDOMAIN\n", ""},
		{"dig +short web.default.svc.cluster.local", false, 0, "172.18.0.50\n", ""},
		{"dig +noall +answer +search web", false, 0, "web.default.svc.cluster.local. 30 IN\tA\t172.18.0.50\n", ""},
		{"host web", false, 0, "web.default.svc.cluster.local has address 172.18.0.50\n", ""},
		{"getent hosts nope", false, 2, "", ""},
		{"nc -zv web 80", false, 0, "", "Connection to web (172.18.0.50) 80 port [tcp/http] succeeded!\n"},
		{"nc -zv web 81", false, 1, "", "nc: connect to web (172.18.0.50) port 81 (tcp) failed: Connection refused\n"},
		{"ping -c 1 web", true, 0, "1 packets transmitted, 1 packets received, 0% packet loss\n", ""},
		{"ping -c 1 web", false, 0, "1 packets transmitted, 1 received, 0% packet loss", ""},
		{"ping nope", true, 1, "", "ping: bad address 'nope'\n"},
		{"ip -br addr", false, 0, "lo               UNKNOWN        127.0.0.1/8 \n", ""},
	} {
		table := Commands
		if c.busybox {
			table = BusyBox
		}
		name, _, _ := strings.Cut(c.line, " ")
		status, out, errs := run1(t, stack, table[name], c.line)
		if status != c.status || !strings.Contains(out, c.out) || !strings.Contains(errs, c.errs) {
			t.Errorf("%s (busybox: %t): status %d, want %d\noutput %q, want %q\nerrors %q, want %q", c.line, c.busybox, status, c.status, out, c.out, errs, c.errs)
		}
	}
}

// TestListing holds iptables -L against what iptables 1.8.9 prints of the rules.
func TestListing(t *testing.T) {
	for rule, want := range map[string]string{
		`[0:0] -A C -j MARK --set-xmark 0x4000/0x4000`:                                                           "MARK       0    --  0.0.0.0/0            0.0.0.0/0            MARK or 0x4000",
		`[0:0] -A C ! -s 10.244.0.0/16 -d 10.96.1.2/32 -p tcp -m comment --comment "a b" -m tcp --dport 80 -j X`: "X          6    -- !10.244.0.0/16        10.96.1.2            /* a b */ tcp dpt:80",
		`[0:0] -A C -m mark ! --mark 0x4000/0x4000 -j RETURN`:                                                    "RETURN     0    --  0.0.0.0/0            0.0.0.0/0            mark match ! 0x4000/0x4000",
		`[0:0] -A C -s 10.244.0.0/16 ! -d 10.244.0.0/16 -j MASQUERADE`:                                           "MASQUERADE  0    --  10.244.0.0/16       !10.244.0.0/16       ",
	} {
		chains := readSaved(":C - [0:0]\n" + rule + "\n")
		if got := (listing{numeric: true}).line(chains[0].rules[0]); got != want {
			t.Errorf("%s:\n%q, want\n%q", rule, got, want)
		}
	}
}
