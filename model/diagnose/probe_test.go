package diagnose

import (
	"fmt"
	"net/netip"
	"reflect"
	"testing"

	"svctour/model"
)

// TestParseConnections reads lines of conntrack-tools 1.4.7.
func TestParseConnections(t *testing.T) {
	at := netip.MustParseAddrPort
	for _, c := range []struct {
		line string
		want *Connection
	}{
		{
			"tcp      6 431999 ESTABLISHED src=10.244.1.5 dst=10.96.0.10 sport=43210 dport=80 src=10.244.2.7 dst=10.244.1.5 sport=8080 dport=43210 [ASSURED] mark=0 use=1",
			&Connection{"TCP", "ESTABLISHED", at("10.244.1.5:43210"), at("10.96.0.10:80"), at("10.244.2.7:8080")},
		},
		{
			"udp      17 28 src=10.244.1.5 dst=10.96.0.10 sport=5000 dport=53 [UNREPLIED] src=10.96.0.10 dst=10.244.1.5 sport=53 dport=5000 mark=0 use=1",
			&Connection{"UDP", "", at("10.244.1.5:5000"), at("10.96.0.10:53"), at("10.96.0.10:53")},
		},
		{ // with accounting, and of a zone
			"tcp      6 86 TIME_WAIT src=10.244.1.5 dst=10.96.0.10 sport=1 dport=80 packets=6 bytes=400 src=10.244.2.7 dst=10.244.1.5 sport=8080 dport=1 packets=4 bytes=300 [ASSURED] mark=0 zone=3 use=1",
			&Connection{"TCP", "TIME_WAIT", at("10.244.1.5:1"), at("10.96.0.10:80"), at("10.244.2.7:8080")},
		},
		{
			"tcp      6 119 SYN_SENT2 src=fd00:10:244:1::5 dst=fd00:10:96::a sport=7 dport=80 [UNREPLIED] src=fd00:10:244:2::7 dst=fd00:10:244:1::5 sport=8080 dport=7 mark=0 use=1",
			&Connection{"TCP", "SYN_SENT2", at("[fd00:10:244:1::5]:7"), at("[fd00:10:96::a]:80"), at("[fd00:10:244:2::7]:8080")},
		},
		{line: "icmp     1 29 src=10.244.1.5 dst=10.96.0.10 type=8 code=0 id=1 src=10.96.0.10 dst=10.244.1.5 type=0 code=0 id=1 mark=0 use=1"},
		{line: "conntrack v1.4.7 (conntrack-tools): 2 flow entries have been shown."},
		{line: "tcp      6 src=10.244.1.5 dst=x sport=1 dport=80 src=1.2.3.4 dst=1.2.3.4 sport=2 dport=3"},
		{line: "tcp src= dst= src= src="},
		{line: ""},
	} {
		var want []Connection
		if c.want != nil {
			want = []Connection{*c.want}
		}
		if got := ParseConnections(c.line + "\n"); !reflect.DeepEqual(got, want) {
			t.Errorf("%s\n got %+v\nwant %+v", c.line, got, want)
		}
	}
}

// TestStale: only connections that last, and lead to no endpoint, are old.
func TestStale(t *testing.T) {
	w := newWorld()
	service := w.service(ns, "long", map[string]string{"app": "long"}, port("", "TCP", 80, "8080"), port("dns", "UDP", 53, "53"))
	w.pod(ns, "long", map[string]string{"app": "long"}, container("c", "", "TCP", 8080))
	gone := w.pod(ns, "gone", map[string]string{"app": "other"}, container("c", "", "TCP", 8080))
	client := w.pod(ns, "client", nil, container("c", "", "TCP", 1))
	s := w.settle()
	live := s.Pod(ns, "long").IP()
	line := func(protocol, state, from string, port int, answers string, target int) string {
		return fmt.Sprintf("%s 6 100 %s src=%s dst=%s sport=4000 dport=%d src=%s dst=%s sport=%d dport=4000 mark=0 use=1\n",
			protocol, state, from, service.ClusterIP(), port, answers, from, target)
	}
	for _, c := range []struct {
		name, text string
		want       bool
	}{
		{"nothing", "", false},
		{"an endpoint", line("tcp", "ESTABLISHED", client.IP(), 80, live, 8080), false},
		{"a Pod that is no endpoint", line("tcp", "ESTABLISHED", client.IP(), 80, gone.IP(), 8080), true},
		{"another port of the endpoint", line("tcp", "ESTABLISHED", client.IP(), 80, live, 8081), true},
		{"one that has ended", line("tcp", "TIME_WAIT", client.IP(), 80, gone.IP(), 8080), false},
		{"another client's", line("tcp", "ESTABLISHED", "192.0.2.1", 80, gone.IP(), 8080), false},
		{"another port of the Service", line("tcp", "ESTABLISHED", client.IP(), 81, gone.IP(), 8080), false},
		{"not translated", line("tcp", "SYN_SENT", client.IP(), 80, service.ClusterIP(), 80), true},
		{"UDP to nobody", line("udp", "", client.IP(), 53, "10.244.9.9", 53), true},
		{"UDP at a TCP port", line("udp", "", client.IP(), 80, "10.244.9.9", 53), false},
	} {
		f := Stale(s, service, client, "kube-proxy-x", ParseConnections(c.text))
		if (f != nil) != c.want {
			t.Errorf("%s: %+v", c.name, f)
		}
		if f != nil && (f.Rule != "stale-conntrack" || f.Fix.Command == "" || len(f.Evidence) == 0 || f.Evidence[0].Kind != model.Observed) {
			t.Errorf("%s: %+v", c.name, f)
		}
	}
}

// TestProbedFrom: where the client's connections end says which lane is broken.
func TestProbedFrom(t *testing.T) {
	w := newWorld()
	w.service(ns, "long", map[string]string{"app": "long"}, port("", "TCP", 80, "8080"))
	w.pod(ns, "long", map[string]string{"app": "long"}, container("c", "", "TCP", 8080))
	w.pod(ns, "client", nil, container("c", "", "TCP", 1))
	s := w.settle()
	client, service := s.Pod(ns, "client"), s.Service(ns, "long")
	backends := Backends(s, service, 1)
	if len(backends) != 1 {
		t.Fatalf("%+v", backends)
	}
	for _, c := range []struct {
		answer FromClient
		rule   string
	}{
		{FromClient{}, ""},
		{FromClient{Name: Open, Address: Open, Backend: Open}, ""},
		{FromClient{Name: Open, Address: Refused, Backend: Refused}, ""},
		{FromClient{Name: Unresolved, Address: Open, Backend: Open}, "client-unresolved"},
		{FromClient{Name: Unresolved, Address: Silent, Backend: Silent}, "client-unresolved"},
		{FromClient{Name: Silent, Address: Open, Backend: Open}, "client-unresolved"}, // its resolver waits longer
		{FromClient{Name: Refused, Address: Open, Backend: Open}, "client-unresolved"},
		{FromClient{Name: Silent, Address: Silent, Backend: Open}, "client-not-translated"},
		{FromClient{Name: Refused, Address: Refused, Backend: Open}, "client-not-translated"},
		{FromClient{Name: Silent, Address: Silent, Backend: Silent}, "client-cannot-reach"},
		{FromClient{Name: Refused, Address: Refused, Backend: Refused}, "client-cannot-reach"},
	} {
		got := ""
		if f := ProbedFrom(client, service, backends[0], c.answer); f != nil {
			got = f.Rule
		}
		if got != c.rule {
			t.Errorf("%+v: %q, want %q", c.answer, got, c.rule)
		}
	}
}
