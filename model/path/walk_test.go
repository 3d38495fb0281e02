package path

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"svctour/model"
)

func flow(source, destination, protocol string) Flow {
	f := Flow{Destination: netip.MustParseAddrPort(destination), Protocol: protocol}
	if source != "" {
		f.Source = netip.MustParseAddr(source)
	}
	return f
}

// Each of n endpoints gets 1/n, whatever n is: the rules' probabilities are conditional.
func TestEndpointsShareEqually(t *testing.T) {
	for _, n := range []int{1, 2, 3, 7, 50, 1000} {
		s := changed(func(s *model.Snapshot) {
			s.Slices[0].Endpoints = nil
			for i := range n {
				s.Slices[0].Endpoints = append(s.Slices[0].Endpoints, on("node-b", fmt.Sprintf("10.244.%d.%d", 2+i/200, 1+i%200), "web"))
			}
		})
		outcomes := Walk(Compile(s, "node-a", IPv4), flow("10.244.1.20", "10.96.0.50:80", "TCP"), nil)
		requireWhole(t, outcomes)
		if len(outcomes) != n {
			t.Fatalf("%d outcomes of %d endpoints", len(outcomes), n)
		}
		for _, o := range outcomes {
			if math.Abs(o.Probability-1/float64(n)) > 1e-9 {
				t.Fatalf("%s has probability %v of %d endpoints", o.Destination.IP, o.Probability, n)
			}
		}
	}
}

// A client in an affinity list goes where it was.
func TestSticky(t *testing.T) {
	s := changed(func(s *model.Snapshot) { s.Services[0].SessionAffinity = "ClientIP" })
	f := flow("10.244.1.20", "10.96.0.50:80", "TCP")
	f.Sticky = ChainName(ChainEndpoint, "default/web", "TCP", "10.244.2.7:8080")
	outcomes := Walk(Compile(s, "node-a", IPv4), f, nil)
	if len(outcomes) != 1 || outcomes[0].Destination.IP != "10.244.2.7" {
		t.Errorf("%+v", outcomes)
	}
}

// However packets and clusters look, CompileService gives a packet to one of
// its Services the same outcomes as Compile, and those are whole.
func TestCompileServiceMeetsTheSameRules(t *testing.T) {
	const seed = 20261123
	random := rand.New(rand.NewSource(seed))
	addresses := []string{"10.96.0.50", "10.96.0.51", "10.96.0.52", "10.96.0.54", "10.96.0.60", "10.96.0.99", "172.18.0.2", "172.18.0.3", "192.0.2.10", "127.0.0.1", "10.244.1.5"}
	ports := []int{53, 80, 81, 30080, 30081, 30082, 30083, 31999, 8080}
	for i := range 2000 {
		s := changed(func(s *model.Snapshot) { shake(random, s) })
		f := Flow{
			Destination: netip.MustParseAddrPort(fmt.Sprintf("%s:%d", addresses[random.Intn(len(addresses))], ports[random.Intn(len(ports))])),
			Protocol:    []string{"TCP", "UDP"}[random.Intn(2)], Local: random.Intn(3) == 0, Interface: []string{"", "cali1", "eth0"}[random.Intn(3)],
		}
		if random.Intn(4) > 0 {
			f.Source = netip.MustParseAddr([]string{"10.244.1.20", "10.244.1.5", "172.18.0.2", "203.0.113.5", "192.0.2.10"}[random.Intn(5)])
		}
		q := &query{snapshot: s, address: f.Destination.Addr(), number: f.Destination.Port()}
		all := Walk(Compile(s, "node-a", IPv4), f, nil)
		few := Walk(CompileService(s, "node-a", IPv4, q.concerned()...), f, nil)
		requireWhole(t, all)
		if !reflect.DeepEqual(all, few) {
			t.Fatalf("seed %d, cluster %d, %+v:\nall  %+v\nsome %+v", seed, i, f, all, few)
		}
	}
}

// Both modes send a packet to the same endpoints. To one that has none they do
// not always the same: nftables mode refuses ports that a cluster IP does not
// have, and asks loadBalancerSourceRanges first.
func TestModesAgree(t *testing.T) {
	const seed = 20261124
	random := rand.New(rand.NewSource(seed))
	destinations := []string{"10.96.0.50:80", "10.96.0.51:80", "10.96.0.51:81", "10.96.0.52:80", "10.96.0.54:53", "10.96.0.60:80", "192.0.2.10:80", "172.18.0.2:30080", "172.18.0.2:30082", "172.18.0.3:30080"}
	verdicts := map[Verdict]int{}
	for i := range 3000 {
		s := changed(func(s *model.Snapshot) { shake(random, s) })
		s.Proxy.NodePortAddresses = nil
		f := flow([]string{"10.244.1.20", "10.244.1.5", "172.18.0.2", "203.0.113.5", "192.0.2.10"}[random.Intn(5)], destinations[random.Intn(len(destinations))], []string{"TCP", "UDP"}[random.Intn(2)])
		if f.Local = random.Intn(3) == 0; !f.Local {
			f.Interface = []string{"", "cali1", "eth0"}[random.Intn(3)]
		}
		iptables, nftables := Walk(Compile(s, "node-a", IPv4), f, nil), Walk(CompileNFTables(s, "node-a", IPv4), f, nil)
		requireWhole(t, nftables)
		a, b := outcomesText(&Trace{Outcomes: iptables}), outcomesText(&Trace{Outcomes: nftables})
		if a != b && (iptables[0].Verdict == DNAT || nftables[0].Verdict == DNAT) {
			t.Fatalf("seed %d, cluster %d, %+v:\niptables %s\nnftables %s", seed, i, f, a, b)
		}
		verdicts[nftables[0].Verdict]++
	}
	for _, v := range []Verdict{DNAT, Reject, Drop, None} {
		if verdicts[v] == 0 {
			t.Errorf("no packet with verdict %s: %v", v, verdicts)
		}
	}
}

// The rules that did not match come with the hop after them, and why.
func TestExplain(t *testing.T) {
	s := changed(nil)
	for _, mode := range []string{ModeIPTables, ModeNFTables, ModeIPVS} {
		t.Run(mode, func(t *testing.T) {
			f := flow("10.244.1.20", "10.96.0.50:80", "TCP")
			p := compileMode(mode, s, "node-a", IPv4, s.Services)
			plain, told := Walk(p, f, nil), Explain(p, f, nil)
			requireWhole(t, told)
			reasons := map[string]bool{}
			for i := range told {
				for j := range told[i].Hops {
					h := &told[i].Hops[j]
					if !h.Same(&plain[i].Hops[j]) || len(told[i].Hops) != len(plain[i].Hops) {
						t.Fatalf("outcome %d, hop %d: %+v with the rules passed by, %+v without", i, j, h, plain[i].Hops[j])
					}
					for _, passed := range h.Passed {
						reasons[passed.Why] = true
						if passed.Why == "" || (passed.Rule == "") != (passed.Count > 0) {
							t.Errorf("%+v", passed)
						}
					}
					h.Passed = nil
				}
			}
			want := []string{"for other destinations", "not drawn: it takes 50.0% of the packets", "the source 10.244.1.20 is in 10.244.0.0/16", "nothing in KUBE-FORWARD matches"}
			switch mode {
			case ModeIPVS:
				want = []string{"the source 10.244.1.20 is in 10.244.0.0/16", "the source 10.244.1.20 is not in 127.0.0.0/8",
					"the ipset KUBE-LOAD-BALANCER does not have it", "KUBE-IPVS-FILTER returns it", "the ipset KUBE-HEALTH-CHECK-NODE-PORT does not have it"}
			case ModeNFTables:
				want = []string{"the source 10.244.1.20 is in 10.244.0.0/16", "the map firewall-ips has nothing for it", "mark 0x4000 is not set", "no endpoint talks to itself"}
			}
			for _, why := range want {
				if !reasons[why] {
					t.Errorf("no rule was passed by because %s: %v", why, reasons)
				}
			}
		})
	}
}

// Session affinity in nftables mode.
func TestStickyNFTables(t *testing.T) {
	s := changed(func(s *model.Snapshot) { s.Services[0].SessionAffinity = "ClientIP" })
	p := CompileNFTables(s, "node-a", IPv4)
	f := flow("10.244.1.20", "10.96.0.50:80", "TCP")
	if outcomes := Walk(p, f, nil); len(outcomes) != 2 {
		t.Errorf("a new client: %+v", outcomes)
	}
	for _, set := range p.Tables[0].Sets {
		if strings.HasSuffix(set.Name, "10.244.2.7/8080") {
			f.Sticky = set.Name
		}
	}
	if outcomes := Walk(p, f, nil); len(outcomes) != 1 || outcomes[0].Destination.IP != "10.244.2.7" {
		t.Errorf("a client of 10.244.2.7: %+v", outcomes)
	}
}

// shake changes policies, endpoints and configuration at random.
func shake(random *rand.Rand, s *model.Snapshot) {
	policy := func() string { return []string{"", "Cluster", "Local"}[random.Intn(3)] }
	for _, svc := range s.Services {
		svc.InternalTrafficPolicy, svc.ExternalTrafficPolicy = policy(), policy()
		svc.SessionAffinity = []string{"None", "ClientIP"}[random.Intn(2)]
		if random.Intn(4) == 0 {
			svc.SourceRanges = []string{"172.18.0.0/16"}
		}
	}
	for _, slice := range s.Slices {
		for i := range slice.Endpoints {
			e := &slice.Endpoints[i]
			e.Ready, e.Terminating = ptr(random.Intn(3) > 0), ptr(random.Intn(3) == 0)
			if random.Intn(3) == 0 {
				e.ForZones = []string{"zone-node-a"}
			}
		}
		slice.Endpoints = slice.Endpoints[:random.Intn(len(slice.Endpoints)+1)]
	}
	s.Proxy.MasqueradeAll = random.Intn(5) == 0
	s.Proxy.LocalhostNodePort = random.Intn(5) > 0
	s.Proxy.DetectLocalMode = []string{"", "NodeCIDR", "InterfaceNamePrefix"}[random.Intn(3)]
	s.Proxy.InterfacePrefix = "cali"
	if random.Intn(4) == 0 {
		s.Proxy.NodePortAddresses = []string{"127.0.0.0/8", "172.18.0.2/32"}
	}
}

// The index of a long chain finds the rules that testing each one in turn finds.
func TestIndexKeepsOrder(t *testing.T) {
	s := clusterOf(200, 2)
	indexed := Compile(s, "node-0", IPv4)
	plain := Compile(s, "node-0", IPv4)
	for _, table := range plain.Tables {
		for _, c := range table.Chains {
			if n := len(c.Rules); n >= longChain { // an index that knows nothing: every rule is tested
				x := &ruleIndex{}
				for i := range c.Rules {
					x.labels = append(x.labels, uint64(i+1))
				}
				x.others = x.labels
				c.index.Store(x)
			}
		}
	}
	for i := range 200 {
		for _, destination := range []string{fmt.Sprintf("10.96.0.%d:80", i), fmt.Sprintf("172.18.0.2:%d", 30000+i), "10.96.0.7:81", "172.18.0.2:29999"} {
			f := flow("10.244.1.20", destination, "TCP")
			if a, b := Walk(indexed, f, nil), Walk(plain, f, nil); !reflect.DeepEqual(a, b) {
				t.Fatalf("%s: %+v without index %+v", destination, a, b)
			}
		}
	}
}

// Programs that no iptables would load end all the same.
func TestWalkEnds(t *testing.T) {
	looping := func(rules ...Rule) *Program {
		nat := &Table{Name: "nat"}
		nat.chain("PREROUTING").add(Rule{Action: ActionJump, Chain: "A"})
		nat.chain("A").add(rules...)
		return &Program{Mode: ModeIPTables, Family: IPv4, Tables: []*Table{nat}}
	}
	for name, p := range map[string]*Program{
		"jumps to itself":   looping(Rule{Action: ActionJump, Chain: "A"}),
		"goes to itself":    looping(Rule{Action: ActionGoto, Chain: "A"}),
		"jumps nowhere":     looping(Rule{Action: ActionJump, Chain: "B"}),
		"branches for ever": looping(Rule{Action: ActionGoto, Chain: "A", Probability: 0.5}),
		"no chains at all":  {Mode: ModeIPTables, Family: IPv4},
	} {
		t.Run(name, func(t *testing.T) {
			requireWhole(t, Walk(p, flow("10.244.1.20", "10.96.0.50:80", "TCP"), nil))
		})
	}
}

// FuzzCompile feeds arbitrary snapshots: nothing panics, and outcomes are whole.
func FuzzCompile(f *testing.F) {
	for _, s := range []*model.Snapshot{changed(nil), saved(), changed(func(s *model.Snapshot) { shake(rand.New(rand.NewSource(1)), s) })} {
		text, err := json.Marshal(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, "web:80", "pod/tmp")
		f.Add(text, "172.18.0.2:30080", "outside")
	}
	f.Fuzz(func(t *testing.T, text []byte, target, from string) {
		var s model.Snapshot
		if len(text) > 1<<16 || json.Unmarshal(text, &s) != nil {
			return
		}
		dropNil(&s.Services)
		dropNil(&s.Slices)
		dropNil(&s.Endpoints)
		dropNil(&s.Pods)
		dropNil(&s.Nodes)
		dropNil(&s.Namespaces)
		dropNil(&s.Deployments)
		dropNil(&s.ReplicaSets)
		snapshot := model.NewSnapshot(s)
		for _, family := range []Family{IPv4, IPv6} {
			if p := Compile(snapshot, "node-a", family); p.Rules() > 0 && !strings.Contains(Print(p), "KUBE-MARK-MASQ") {
				t.Error("the fixed rules are missing")
			}
			empty := model.NewSnapshot(model.Snapshot{Proxy: s.Proxy, Nodes: s.Nodes})
			for _, mode := range []string{ModeIPTables, ModeNFTables} {
				whole := compileMode(mode, snapshot, "node-a", family, snapshot.Services)
				if next := compileMode(mode, empty, "node-a", family, nil).Update(snapshot); printed(next) != printed(whole) {
					t.Errorf("%s: updated:\n%s\ncompiled:\n%s", mode, printed(next), printed(whole))
				}
			}
		}
		for _, mode := range []string{"", ModeIPTables, ModeNFTables} {
			if trace, err := Do(snapshot, Request{Target: target, From: from, Mode: mode, Explain: mode != ""}); err == nil {
				requireWhole(t, trace.Outcomes)
			}
		}
	})
}

func dropNil[T any](list *[]*T) {
	kept := (*list)[:0]
	for _, x := range *list {
		if x != nil {
			kept = append(kept, x)
		}
	}
	*list = kept
}

// A sampled packet goes each way as often as its probability says.
func TestSample(t *testing.T) {
	trace := do(t, changed(nil), Request{Target: "web"})
	count := map[string]int{}
	for i := range 100 {
		one := trace.Sample(float64(i) / 100)
		if len(one.Outcomes) != 1 || len(one.Notes) != len(trace.Notes)+1 {
			t.Fatalf("%+v", one)
		}
		count[one.Outcomes[0].Destination.IP]++
	}
	if count["10.244.1.5"] != 50 || count["10.244.2.7"] != 50 {
		t.Errorf("%v", count)
	}
	if one := trace.Sample(1); len(one.Outcomes) != 1 { // rounding leaves the last
		t.Errorf("%+v", one)
	}
	c := trace.Outcomes[0].Conntrack
	if want := (Conntrack{"tcp", Tuple{"10.244.1.20", 0, "10.96.0.50", 80}, Tuple{"10.244.1.5", 8080, "10.244.1.20", 0}}); *c != want {
		t.Errorf("conntrack %+v, want %+v", *c, want)
	}
	if c := do(t, changed(nil), Request{Target: "np", From: "outside"}).Outcomes[0].Conntrack; c.Reply.Destination != "" {
		t.Errorf("the address that masquerading takes is known: %+v", c)
	}
}
