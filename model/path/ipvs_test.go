package path

import (
	"fmt"
	"math/rand"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"svctour/model"
)

// ways writes an outcome's hops in one line each.
func ways(o Outcome) string {
	var lines []string
	for _, h := range o.Hops {
		lines = append(lines, strings.Join(strings.Fields(strings.Join([]string{h.Node, h.Hook, h.Table, h.Chain, h.What}, " ")), " "))
	}
	return strings.Join(lines, "\n")
}

// The hops of mode ipvs, in the order of net/netfilter/ipvs/ip_vs_core.c's hooks.
func TestIPVSHops(t *testing.T) {
	sources := func(s *model.Snapshot) { s.Services[2].SourceRanges = []string{"203.0.113.0/24"} }
	for name, c := range map[string]struct {
		request Request
		change  func(*model.Snapshot)
		want    string
	}{
		"Pod to cluster IP": {request: Request{Target: "web", From: "pod/tmp"}, want: `
node-a PREROUTING nat PREROUTING jump KUBE-SERVICES
node-a PREROUTING nat KUBE-SERVICES accept
node-a INPUT deliver to this node itself: 10.96.0.50 is on its device kube-ipvs0
node-a INPUT ipvs TCP 10.96.0.50:80 DNAT to 10.244.1.5:8080: IPVS, rr
node-a OUTPUT stays on this node
node-a POSTROUTING nat POSTROUTING jump KUBE-POSTROUTING
node-a POSTROUTING nat KUBE-POSTROUTING not marked: the source stays (RETURN)
node-a POSTROUTING arrives at Pod default/web-1 at 10.244.1.5:8080
node-a POSTROUTING reply: IPVS puts back the source 10.96.0.50:80`},
		"NodePort from outside": {request: Request{Target: "np", From: "outside"}, want: `
node-a PREROUTING nat PREROUTING jump KUBE-SERVICES
node-a PREROUTING nat KUBE-SERVICES jump KUBE-NODE-PORT
node-a PREROUTING nat KUBE-NODE-PORT jump KUBE-MARK-MASQ
node-a PREROUTING nat KUBE-MARK-MASQ set mark 0x4000: masquerade later
node-a INPUT ipvs TCP 172.18.0.2:30080 DNAT to 10.244.1.5:8080: IPVS, rr
node-a OUTPUT stays on this node
node-a POSTROUTING nat POSTROUTING jump KUBE-POSTROUTING
node-a POSTROUTING nat KUBE-POSTROUTING clear mark 0x4000
node-a POSTROUTING nat KUBE-POSTROUTING masquerade: source becomes node's address
node-a POSTROUTING arrives at Pod default/web-1 at 10.244.1.5:8080
node-a POSTROUTING reply: IPVS puts back the source 172.18.0.2:30080 and sends it on to the client's own address`},
		"node to cluster IP": {request: Request{Target: "web", From: "node/node-b"}, want: `
node-b OUTPUT nat OUTPUT jump KUBE-SERVICES
node-b OUTPUT nat KUBE-SERVICES jump KUBE-MARK-MASQ
node-b OUTPUT nat KUBE-MARK-MASQ set mark 0x4000: masquerade later
node-b OUTPUT nat KUBE-SERVICES accept
node-b OUTPUT ipvs TCP 10.96.0.50:80 DNAT to 10.244.1.5:8080: IPVS, rr
node-b OUTPUT route to node-a
node-b POSTROUTING nat POSTROUTING jump KUBE-POSTROUTING
node-b POSTROUTING nat KUBE-POSTROUTING clear mark 0x4000
node-b POSTROUTING nat KUBE-POSTROUTING masquerade: source becomes node's address
node-a FORWARD arrives at Pod default/web-1 at 10.244.1.5:8080; nothing is translated on this node
node-b POSTROUTING reply: IPVS puts back the source 10.96.0.50:80 and sends it on to the client's own address`},
		"a Pod to itself": {request: Request{Target: "web", From: "pod/web-1"}, want: `
node-a PREROUTING nat PREROUTING jump KUBE-SERVICES
node-a PREROUTING nat KUBE-SERVICES accept
node-a INPUT deliver to this node itself: 10.96.0.50 is on its device kube-ipvs0
node-a INPUT ipvs TCP 10.96.0.50:80 DNAT to 10.244.1.5:8080: IPVS, rr
node-a OUTPUT stays on this node
node-a POSTROUTING nat POSTROUTING jump KUBE-POSTROUTING
node-a POSTROUTING nat KUBE-POSTROUTING masquerade: source becomes node's address
node-a POSTROUTING arrives at Pod default/web-1 at 10.244.1.5:8080
node-a POSTROUTING reply: IPVS puts back the source 10.96.0.50:80 and sends it on to the client's own address`},
		"endpoint of the node itself": {request: Request{Target: "web", From: "pod/tmp"}, change: func(s *model.Snapshot) {
			s.Slices[0].Endpoints = []model.Endpoint{on("node-a", "172.18.0.2", "web-1")}
		}, want: `
node-a PREROUTING nat PREROUTING jump KUBE-SERVICES
node-a PREROUTING nat KUBE-SERVICES accept
node-a INPUT deliver to this node itself: 10.96.0.50 is on its device kube-ipvs0
node-a INPUT ipvs TCP 10.96.0.50:80 DNAT to 172.18.0.2:8080: IPVS, rr
node-a INPUT deliver to this node itself
node-a INPUT arrives at Pod default/web-1 at 172.18.0.2:8080
node-a POSTROUTING reply: IPVS puts back the source 10.96.0.50:80`},
		"no endpoints": {request: Request{Target: "empty.other", From: "pod/tmp"}, want: `
node-a PREROUTING nat PREROUTING jump KUBE-SERVICES
node-a PREROUTING nat KUBE-SERVICES accept
node-a INPUT deliver to this node itself: 10.96.0.60 is on its device kube-ipvs0
node-a INPUT ipvs TCP 10.96.0.60:80 reject: no real server, and IPVS refuses the client`},
		"port it does not have": {request: Request{Target: "web:81", From: "pod/tmp"}, want: `
node-a INPUT deliver to this node itself: 10.96.0.50 is on its device kube-ipvs0
node-a INPUT filter INPUT jump KUBE-IPVS-FILTER
node-a INPUT filter KUBE-IPVS-FILTER reject: the client is refused at once`},
		"load balancer, refused": {request: Request{Target: "192.0.2.10:80", From: "outside/198.51.100.9"}, change: sources, want: `
node-a PREROUTING nat PREROUTING jump KUBE-SERVICES
node-a PREROUTING nat KUBE-SERVICES accept
node-a INPUT deliver to this node itself: 192.0.2.10 is on its device kube-ipvs0
node-a INPUT filter INPUT jump KUBE-PROXY-FIREWALL
node-a INPUT filter KUBE-PROXY-FIREWALL jump KUBE-SOURCE-RANGES-FIREWALL
node-a INPUT filter KUBE-SOURCE-RANGES-FIREWALL drop: the client waits in vain`},
		"load balancer, from a node outside its ranges": {request: Request{Target: "192.0.2.10:80", From: "node/node-a"}, change: sources, want: `
node-a OUTPUT nat OUTPUT jump KUBE-SERVICES
node-a OUTPUT nat KUBE-SERVICES accept
node-a OUTPUT ipvs TCP 192.0.2.10:80 DNAT to 10.244.1.5:8080: IPVS, rr
node-a OUTPUT stays on this node
node-a OUTPUT filter OUTPUT jump KUBE-IPVS-OUT-FILTER
node-a OUTPUT filter KUBE-IPVS-OUT-FILTER drop: the client waits in vain`},
	} {
		t.Run(name, func(t *testing.T) {
			c.request.Mode = ModeIPVS
			trace := do(t, changed(c.change), c.request)
			if got := ways(trace.Outcomes[0]); got != strings.TrimSpace(c.want) {
				t.Errorf("hops:\n%s\nwant:\n%s", got, strings.TrimSpace(c.want))
			}
		})
	}
}

// A client that a virtual server remembers goes where it was.
func TestIPVSPersistence(t *testing.T) {
	s := changed(func(s *model.Snapshot) { s.Services[0].SessionAffinity = "ClientIP" })
	f := flow("10.244.1.20", "10.96.0.50:80", "TCP")
	f.Sticky = "10.244.2.7:8080"
	outcomes := Walk(CompileIPVS(s, "node-a", IPv4), f, nil)
	if len(outcomes) != 1 || outcomes[0].Destination.IP != "10.244.2.7" || outcomes[0].Probability != 1 {
		t.Errorf("%+v", outcomes)
	}
}

// What the mode is, and what the shares mean, is said.
func TestIPVSRemarks(t *testing.T) {
	for scheduler, want := range map[string]string{"": "in turn (scheduler rr)", "lc": "by scheduler lc"} {
		s := changed(func(s *model.Snapshot) { s.Proxy.Mode, s.Proxy.Scheduler = ModeIPVS, scheduler })
		notes := strings.Join(do(t, s, Request{Target: "web"}).Notes, "\n")
		for _, text := range []string{"deprecated since v1.35", want} {
			if !strings.Contains(notes, text) {
				t.Errorf("no note says %q:\n%s", text, notes)
			}
		}
	}
	local := changed(func(s *model.Snapshot) {
		s.Services[2].SourceRanges = nil
		s.Slices[2].Endpoints = s.Slices[2].Endpoints[1:]
	})
	if notes := strings.Join(do(t, local, Request{Target: "node/node-a:30082", From: "outside", Mode: ModeIPVS}).Notes, "\n"); !strings.Contains(notes, "stand in") {
		t.Errorf("that remote endpoints stand in is not said:\n%s", notes)
	}
}

// Under traffic policy Cluster, mode ipvs sends a packet to the same endpoints
// as mode iptables, and masquerades alike.
func TestIPVSAgrees(t *testing.T) {
	const seed = 20261127
	random := rand.New(rand.NewSource(seed))
	destinations := []string{"10.96.0.50:80", "10.96.0.51:80", "10.96.0.51:81", "10.96.0.52:80", "10.96.0.54:53", "10.96.0.60:80", "192.0.2.10:80", "172.18.0.2:30080", "172.18.0.2:30082"}
	compared := 0
	for i := range 3000 {
		s := changed(func(s *model.Snapshot) {
			shake(random, s)
			s.Proxy.NodePortAddresses = nil
			for _, svc := range s.Services {
				svc.InternalTrafficPolicy, svc.ExternalTrafficPolicy = "", ""
			}
		})
		f := flow([]string{"10.244.1.20", "10.244.1.5", "203.0.113.5"}[random.Intn(3)], destinations[random.Intn(len(destinations))], []string{"TCP", "UDP"}[random.Intn(2)])
		f.Interface = []string{"", "cali1", "eth0"}[random.Intn(3)]
		iptables, ipvs := Walk(Compile(s, "node-a", IPv4), f, nil), Walk(CompileIPVS(s, "node-a", IPv4), f, nil)
		requireWhole(t, ipvs)
		if iptables[0].Verdict != DNAT && ipvs[0].Verdict != DNAT {
			continue
		}
		compared++
		if a, b := sorted(iptables), sorted(ipvs); !slices.Equal(a, b) {
			t.Fatalf("seed %d, cluster %d, %+v:\niptables %s\nipvs     %s", seed, i, f, a, b)
		}
	}
	if compared < 500 {
		t.Errorf("only %d packets reached endpoints", compared)
	}
}

func sorted(outcomes []Outcome) []string {
	lines := strings.Split(outcomesText(&Trace{Outcomes: outcomes}), "; ")
	slices.Sort(lines)
	return lines
}

// A table as ipvsadm prints it on a busy node: IPv6 beside IPv4, connections, a
// real server that is being removed, and a service that is not kube-proxy's.
const ipvsTable = `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
FWM  256 rr
  -> 10.255.0.5:0                 Masq    1      0          0         
TCP  10.96.0.1:443 rr
  -> 172.18.0.2:6443              Masq    1      4          0         
TCP  10.96.0.10:53 rr persistent 10800
  -> 10.244.0.2:53                Masq    1      0          12        
  -> 10.244.0.3:53                Masq    0      3          1         
UDP  10.96.0.10:53 mh (mh-port)
SCTP 10.96.0.54:9999 rr
  -> 10.244.1.9:9999              Masq    1      0          0         
  -> 10.244.1.10:9999             Route   1      0          0         
TCP  [fd00:10:96::1]:443 rr
  -> [fc00:f853::2]:6443          Masq    1      0          0         
`

func TestParseIPVSAdm(t *testing.T) {
	o, err := ParseIPVS("*nat\nCOMMIT\n", "", ipvsTable, IPv4)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(o.Foreign); got != "[{ipvs @servers FWM 256 rr} {ipvs @servers FWM 256 rr -> 10.255.0.5:0 Masq 1 0 0} {ipvs @servers SCTP 10.96.0.54:9999 rr -> 10.244.1.10:9999 Route 1 0 0}]" {
		t.Errorf("not understood: %s", got)
	}
	v := o.Program.server(netip.MustParseAddrPort("10.96.0.10:53"), "tcp")
	if v == nil || v.Timeout != 10800 || len(v.Real) != 1 || len(v.Leaving) != 1 || v.Leaving[0].String() != "10.244.0.3:53" {
		t.Errorf("%+v", v)
	}
	var kept []string
	for line := range strings.Lines(ipvsTable) {
		if !strings.Contains(line, "fd00:") && !strings.Contains(line, "fc00:") && !strings.HasPrefix(line, "FWM") && !strings.Contains(line, "10.255.") && !strings.Contains(line, "Route") {
			kept = append(kept, line)
		}
	}
	counts := strings.NewReplacer("     4    ", "     0    ", "     12   ", "     0    ", " 12 ", " 0  ", "0      3          1 ", "0      0          0 ")
	want := counts.Replace(strings.Join(kept, ""))
	if got := PrintIPVS(o.Program); strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(want), " ") {
		t.Errorf("printed:\n%s\nwant:\n%s", got, want)
	}
	six, err := ParseIPVS("*nat\nCOMMIT\n", "", ipvsTable, IPv6)
	if err != nil || len(six.Program.Servers.Elements) != 1 || six.Program.Servers.Elements[0].Server.Real[0].String() != "[fc00:f853::2]:6443" {
		t.Errorf("%v %+v", err, six)
	}
}

// What a node has is compared with what it should have, as far as it was seen.
func TestCompareIPVS(t *testing.T) {
	p := CompileIPVS(changed(nil), "node-a", IPv4)
	servers := strings.Replace(PrintIPVS(p), "  -> 10.244.2.7:8080", "  -> 10.244.2.9:8080", 1)
	sets := strings.Replace(PrintIPSets(p), "add KUBE-IPVS-IPS 10.96.0.50\n", "", 1) + "create MINE hash:ip family inet hashsize 1024 maxelem 65536\nadd MINE 1.2.3.4\n"
	for name, c := range map[string]struct {
		sets, servers string
		want          []string
	}{
		"as it should be": {PrintIPSets(p), PrintIPVS(p), nil},
		"rules only":      {"", "", nil},
		"both":            {sets, servers, []string{"missing @KUBE-IPVS-IPS 10.96.0.50", "missing @servers TCP 10.96.0.50:80 -> 10.244.2.7:8080 Masq 1", "extra @servers TCP 10.96.0.50:80 -> 10.244.2.9:8080 Masq 1"}},
		"sets only":       {sets, "", []string{"missing @KUBE-IPVS-IPS 10.96.0.50"}},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := ParseIPVS(Print(p), c.sets, c.servers, IPv4)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range Compare(p, o) {
				got = append(got, d.Kind+" "+d.Chain+" "+d.Rule)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestParseIPVSSaysWhatIsWrong(t *testing.T) {
	for _, c := range []struct{ sets, servers, want string }{
		{"ipset v7.17: Kernel error\n", "", "want create or add"},
		{"add KUBE-IPVS-IPS 1.2.3.4\n", "", "not declared"},
		{"create KUBE-IPVS-IPS hash:net family inet\n", "", "type hash:ip"},
		{"", "Can't initialize ipvs: Protocol not available\n", "printed no table"},
	} {
		if _, err := ParseIPVS("*nat\nCOMMIT\n", c.sets, c.servers, IPv4); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q %q: %v, want %q", c.sets, c.servers, err, c.want)
		}
	}
}

func FuzzParseIPVS(f *testing.F) {
	f.Add("create KUBE-CLUSTER-IP hash:ip,port family inet hashsize 1024 maxelem 65536 bucketsize 12 initval 0xfdedc927\nadd KUBE-CLUSTER-IP 10.96.0.1,tcp:443\n", ipvsTable)
	f.Add("create KUBE-LOAD-BALANCER-SOURCE-CIDR hash:ip,port,net\nadd KUBE-LOAD-BALANCER-SOURCE-CIDR 192.0.2.1,udp:1,10.0.0.0/8\n", "")
	f.Fuzz(func(t *testing.T, sets, servers string) {
		o, err := ParseIPVS("*nat\nCOMMIT\n", sets, servers, IPv4)
		if err != nil {
			return
		}
		o.Foreign = nil
		again, err := ParseIPVS("*nat\nCOMMIT\n", PrintIPSets(o.Program), PrintIPVS(o.Program), IPv4)
		if err != nil || len(again.Foreign) > 0 {
			t.Fatalf("%v %+v", err, again)
		}
		if got, want := printed(again.Program), printed(o.Program); got != want {
			t.Errorf("printed again:\n%s\nthe first time:\n%s", got, want)
		}
	})
}
