package kernel

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"svctour/model"
	"svctour/model/path"
)

// inNamespace holds the mode of kube-proxy in the child that is the node: a
// process with a network of its own, and the other hosts' on its threads. All
// of it ends with the process.
const inNamespace = "SVCTOUR_TEST_KERNEL"

// TestWalkIsWhatTheKernelDoes loads the printed rules of each mode and compares
// what the kernel does to connections with what path.Walk says.
func TestWalkIsWhatTheKernelDoes(t *testing.T) {
	if mode := os.Getenv(inNamespace); mode != "" {
		testMode(t, mode)
		return
	}
	tools := map[string][]string{path.ModeIPTables: {"ip", "iptables-restore", "ip6tables-restore"}, path.ModeNFTables: {"ip", "nft"}}
	t.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")
	for _, mode := range []string{path.ModeIPTables, path.ModeNFTables} {
		t.Run(mode, func(t *testing.T) {
			for _, tool := range tools[mode] {
				if _, err := exec.LookPath(tool); err != nil {
					t.Skipf("no %s: Debian has it in iproute2, iptables and nftables", tool)
				}
			}
			runInNamespace(t, mode)
		})
	}
}

func runInNamespace(t *testing.T, mode string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root may make networks and load rules")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestWalkIsWhatTheKernelDoes$", "-test.v", "-test.timeout=5m")
	cmd.Env = append(os.Environ(), inNamespace+"="+mode)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSYS) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOSPC) {
		t.Skipf("no namespaces here: %v", err)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	if strings.Contains(string(out), "--- SKIP") {
		t.Skip("some of it was skipped")
	}
}

// The hosts: a client, two Pods of the node, the Pods of another node, and two
// addresses outside of the cluster. The node is 10.244.1.1 to its Pods and
// 172.18.0.2 to the others.
const (
	clientIP  = "10.244.1.20"
	bridgeIP  = "10.244.1.1"
	nodeIP    = "172.18.0.2"
	outsideIP = "198.51.100.7"
	friendIP  = "203.0.113.5" // the one that loadBalancerSourceRanges let in
)

// plan is connections from one host to one address, and what the walker must
// say of them for the comparison to be worth anything.
type plan struct {
	name       string
	from       *namespace // nil: the node
	source, to string
	times      int
	verdict    path.Verdict
	outcomes   int // different ones
	masquerade int // of them
}

func testMode(t *testing.T, mode string) {
	client, a, b := newNamespace(t, "client", clientIP), newNamespace(t, "a", "10.244.1.5"), newNamespace(t, "b", "10.244.1.6")
	remote := newNamespace(t, "remote", "10.244.2.7", "10.244.2.8", "10.244.2.9", "10.244.2.10", "10.244.2.11")
	outside := newNamespace(t, "outside", "172.18.0.1", outsideIP, friendIP)
	(*namespace)(nil).set(t, "ipv4/ip_forward 1", "ipv6/conf/all/forwarding 1", "ipv6/conf/default/accept_dad 0", "ipv4/icmp_ratelimit 0", "ipv6/icmp/ratelimit 0",
		"ipv4/ip_local_port_range 1024 65535", "ipv4/conf/default/rp_filter 0", "ipv4/conf/all/rp_filter 0")
	connect(t, bridgeIP, client, a, b)
	connect(t, nodeIP, remote, outside)
	(*namespace)(nil).run(t, fmt.Sprintf("link set lo up\nroute add default via %s dev to-outside\nroute add default via %s dev to-outside\n",
		in(path.IPv4, "172.18.0.1"), in(path.IPv6, "172.18.0.1")), "ip", "-batch", "-")
	for _, n := range []*namespace{a, b, remote} {
		for _, address := range n.addresses {
			for _, f := range families {
				n.serve(t, netip.AddrPortFrom(netip.MustParseAddr(in(f, address)), 8080))
			}
		}
	}
	for _, f := range families {
		t.Run(string(f), func(t *testing.T) {
			p := load(t, mode, f)
			for _, c := range plans(mode, client, a, outside) {
				t.Run(c.name, func(t *testing.T) { c.test(t, p) })
			}
			t.Run("affinity", func(t *testing.T) { testAffinity(t, p, client) })
		})
	}
}

func plans(mode string, client, a, outside *namespace) []plan {
	undefined := plan{"a port that the Service does not have", client, clientIP, "10.96.0.50:81", 1, path.Reject, 1, 0}
	list := []plan{
		{"a Pod to the cluster IP", client, clientIP, "10.96.0.50:80", 10000, path.DNAT, 7, 0},
		{"an endpoint to its own Service", a, "10.244.1.5", "10.96.0.50:80", 2000, path.DNAT, 7, 1},
		{"the node to the cluster IP", nil, nodeIP, "10.96.0.50:80", 2000, path.DNAT, 7, 7},
		{"outside to the cluster IP", outside, outsideIP, "10.96.0.50:80", 2000, path.DNAT, 7, 7},
		{"outside to the NodePort", outside, outsideIP, nodeIP + ":30080", 2000, path.DNAT, 7, 7},
		{"a Pod to the NodePort", client, clientIP, nodeIP + ":30080", 2000, path.DNAT, 7, 7},
		{"outside to a Local NodePort", outside, outsideIP, nodeIP + ":30081", 2000, path.DNAT, 2, 0},
		{"a Pod to a Local NodePort", client, clientIP, nodeIP + ":30081", 2000, path.DNAT, 7, 0},
		{"outside to a Local NodePort without local endpoints", outside, outsideIP, nodeIP + ":30082", 1, path.Drop, 1, 0},
		{"a Pod to an internally Local Service without local endpoints", client, clientIP, "10.96.0.52:80", 1, path.Drop, 1, 0},
		{"a Service without endpoints", client, clientIP, "10.96.0.53:80", 1, path.Reject, 1, 0},
		{"a NodePort without endpoints", outside, outsideIP, nodeIP + ":30083", 1, path.Reject, 1, 0},
		{"a load balancer's address", outside, friendIP, "192.0.2.10:80", 2000, path.DNAT, 7, 7},
		{"a load balancer's address from elsewhere", outside, outsideIP, "192.0.2.10:80", 1, path.Drop, 1, 0},
	}
	if mode == path.ModeNFTables {
		list = append(list, undefined)
	}
	return list
}

// cluster is two nodes with Services of one family.
func cluster(mode string, f path.Family) *model.Snapshot {
	s := model.Snapshot{
		Proxy:        model.Proxy{Mode: mode, ClusterCIDRs: []string{in(f, "10.244.0.0/16")}, MasqueradeBit: 14, LocalhostNodePort: true},
		Nodes:        []*model.Node{{Meta: model.Meta{Name: "node-a"}, Addresses: []model.NodeAddress{{Type: "InternalIP", Address: in(f, nodeIP)}}}},
		ServiceCIDRs: []string{in(f, "10.96.0.0/16")},
	}
	add := func(svc *model.Service, name, ip string, nodePort int32, endpoints ...string) {
		svc.Meta = model.Meta{Namespace: "default", Name: name}
		svc.ClusterIPs, svc.IPFamilies = []string{in(f, ip)}, []string{string(f)}
		svc.Ports = []model.ServicePort{{Protocol: "TCP", Port: 80, NodePort: nodePort}}
		s.Services = append(s.Services, svc)
		port := int32(8080)
		slice := &model.EndpointSlice{
			Meta: model.Meta{Namespace: "default", Name: name, Labels: map[string]string{model.ServiceNameLabel: name}}, AddressType: string(f),
			Ports: []model.EndpointPort{{Protocol: "TCP", Port: &port}},
		}
		for _, e := range endpoints {
			node := "node-b"
			if strings.HasPrefix(e, "10.244.1.") {
				node = "node-a"
			}
			slice.Endpoints = append(slice.Endpoints, model.Endpoint{Addresses: []string{in(f, e)}, Node: node})
		}
		s.Slices = append(s.Slices, slice)
	}
	remote := []string{"10.244.2.7", "10.244.2.8", "10.244.2.9", "10.244.2.10", "10.244.2.11"}
	all := append([]string{"10.244.1.5", "10.244.1.6"}, remote...)
	add(&model.Service{Type: model.NodePort}, "web", "10.96.0.50", 30080, all...)
	add(&model.Service{Type: model.NodePort, ExternalTrafficPolicy: "Local"}, "local", "10.96.0.51", 30081, all...)
	add(&model.Service{Type: model.NodePort, ExternalTrafficPolicy: "Local", InternalTrafficPolicy: "Local"}, "away", "10.96.0.52", 30082, remote...)
	add(&model.Service{Type: model.NodePort}, "empty", "10.96.0.53", 30083)
	add(&model.Service{Type: model.ClusterIP, SessionAffinity: "ClientIP", AffinitySeconds: 10800}, "sticky", "10.96.0.54", 0, all...)
	add(&model.Service{Type: model.LoadBalancer, Ingress: []model.Ingress{{IP: in(f, "192.0.2.10")}}, SourceRanges: []string{in(f, "203.0.113.0/24")}}, "lb", "10.96.0.55", 30085, all...)
	return model.NewSnapshot(s)
}

// load compiles, prints and loads the rules of the node.
func load(t *testing.T, mode string, f path.Family) *path.Program {
	t.Helper()
	node := (*namespace)(nil)
	if mode == path.ModeNFTables {
		p := path.CompileNFTables(cluster(mode, f), "node-a", f)
		node.run(t, path.PrintNFT(p), "nft", "-f", "-")
		return p
	}
	p := path.Compile(cluster(mode, f), "node-a", f)
	node.run(t, path.Print(p), map[path.Family]string{path.IPv4: "iptables-restore", path.IPv6: "ip6tables-restore"}[f])
	return p
}

// rounds is how often a count may miss what is expected. The test is one at 1 %:
// true random choices miss it once in a hundred, and three times in a row once
// in a million; wrong probabilities miss it every time.
const rounds = 3

func (c *plan) test(t *testing.T, p *path.Program) {
	flow := c.flow(p.Family)
	want, masquerade := expected(p, flow)
	for a := range want {
		if a.verdict != c.verdict {
			t.Fatalf("the walker says %s, not %s", a.verdict, c.verdict)
		}
	}
	if len(want) != c.outcomes || masquerade != c.masquerade {
		t.Fatalf("the walker has %d outcomes, %d of them masqueraded, not %d and %d", len(want), masquerade, c.outcomes, c.masquerade)
	}
	patience := 30 * time.Second
	if c.verdict == path.Drop {
		patience = 500 * time.Millisecond
	}
	for round := range rounds {
		start := time.Now()
		got, err := c.from.ask(flow.Source, flow.Destination, c.times, patience)
		if err != nil {
			t.Fatal(err)
		}
		for a := range got {
			if want[a] == 0 {
				t.Fatalf("the kernel does %+v, which the walker does not have among %+v", a, want)
			}
		}
		square, chance := chiSquare(want, got, c.times)
		t.Logf("%d connections in %v, %d outcomes: chi-square %.2f, p = %.3f", c.times, time.Since(start).Round(time.Millisecond), len(want), square, chance)
		if chance >= 0.01 {
			return
		}
		if round == rounds-1 {
			t.Errorf("%d times in a row below 1 %%: got %+v, want %+v", rounds, got, want)
		}
	}
}

// chiSquare is Pearson's statistic and the probability that true random choices
// are as far from what is expected.
func chiSquare(want map[answer]float64, got map[answer]int, times int) (square, chance float64) {
	for a, p := range want {
		d := float64(got[a]) - p*float64(times)
		square += d * d / (p * float64(times))
	}
	// The upper tail for n degrees of freedom, from those of n-2 (Abramowitz and
	// Stegun, 26.4.4 and 26.4.5).
	n, half := len(want)-1, square/2
	if n == 0 {
		return square, 1
	}
	term, k := math.Exp(-half), 2
	if n%2 == 1 {
		chance, term, k = math.Erfc(math.Sqrt(half)), 2*math.Sqrt(half/math.Pi)*term, 3
	}
	for ; k <= n; k += 2 {
		chance += term
		term *= square / float64(k)
	}
	return square, chance
}

func TestChiSquare(t *testing.T) {
	for _, c := range []struct {
		cells        int
		square, tail float64
	}{{2, 6.635, 0.01}, {3, 9.210, 0.01}, {4, 11.345, 0.01}, {5, 13.277, 0.01}, {7, 16.812, 0.01}, {8, 18.475, 0.01}, {7, 5.348, 0.5}} { // from tables
		want, got := map[answer]float64{}, map[answer]int{}
		for i := range c.cells {
			a := answer{destination: strconv.Itoa(i)}
			want[a], got[a] = 1/float64(c.cells), 1000000
		}
		n := 1000000 * c.cells
		off := int(math.Sqrt(c.square * 1000000 / 2)) // two cells bear it all
		got[answer{destination: "0"}] += off
		got[answer{destination: "1"}] -= off
		if square, tail := chiSquare(want, got, n); math.Abs(square-c.square) > 0.02 || math.Abs(tail-c.tail) > 0.001 {
			t.Errorf("%d cells: %.3f with %.4f, want %.3f with %.4f", c.cells, square, tail, c.square, c.tail)
		}
	}
}

// flow is the first packet of the plan's connections.
func (c *plan) flow(f path.Family) path.Flow {
	host, port, _ := strings.Cut(c.to, ":")
	flow := path.Flow{
		Source:      netip.MustParseAddr(in(f, c.source)),
		Destination: netip.MustParseAddrPort(net.JoinHostPort(in(f, host), port)),
		Protocol:    "tcp", Local: c.from == nil,
	}
	if c.from != nil {
		flow.Interface = "to-" + c.from.name
	}
	return flow
}

// expected is what the walker says, with probabilities, and how many of the
// outcomes are masqueraded: to the node's address on the way to the destination.
func expected(p *path.Program, flow path.Flow) (answers map[answer]float64, masquerade int) {
	answers = map[answer]float64{}
	for _, o := range path.Walk(p, flow, nil) {
		a := answer{verdict: o.Verdict}
		if o.Destination != nil {
			a.destination = net.JoinHostPort(o.Destination.IP, strconv.Itoa(int(o.Destination.Port)))
			a.source = flow.Source
		}
		if o.Masquerade {
			masquerade++
			towards := nodeIP
			if netip.MustParsePrefix(in(p.Family, "10.244.1.0/24")).Contains(netip.MustParseAddr(o.Destination.IP)) {
				towards = bridgeIP
			}
			a.source = netip.MustParseAddr(in(p.Family, towards))
		}
		answers[a] += o.Probability
	}
	return answers, masquerade
}

// testAffinity makes connections to a Service with ClientIP affinity: the first
// goes to any endpoint, and the others where the walker sends a client whose
// address is in that endpoint's list.
func testAffinity(t *testing.T, p *path.Program, client *namespace) {
	flow := (&plan{from: client, source: clientIP, to: "10.96.0.54:80"}).flow(p.Family)
	if want, _ := expected(p, flow); len(want) != 7 {
		t.Fatalf("the walker has %d outcomes for a new client", len(want))
	}
	got, err := client.ask(flow.Source, flow.Destination, 50, 30*time.Second)
	if err != nil || len(got) != 1 {
		t.Fatalf("50 connections of one client went to %+v, %v", got, err)
	}
	lists := 0
	for _, table := range p.Tables {
		for _, c := range table.Chains {
			for _, r := range c.Rules {
				if r.More().Recent == "" || r.More().RecentSeconds == 0 {
					continue
				}
				lists++
				flow.Sticky = r.More().Recent
				want, _ := expected(p, flow)
				for a, chance := range want {
					if chance > 1-1e-9 && got[a] == 50 {
						return
					}
				}
			}
		}
	}
	t.Errorf("the kernel keeps to %+v; the walker has none of %d lists lead there", got, lists)
}
