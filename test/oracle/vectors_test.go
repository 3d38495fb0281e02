package oracle

import (
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"svctour/cluster/convert"
	"svctour/model"
	"svctour/model/path"
)

// vectors is testdata/vectors.yaml. Not read from it: the nftables branches
// (only iptables rules are derived so far) and musl's traces (only glibc's
// resolver is modelled).
type vectors struct {
	Dataplane []dataplaneCase `json:"dataplane"`
	Names     []struct {
		Input    string `json:"input"`
		IPTables string `json:"iptables"`
	} `json:"names"`
	World map[string]dnsService `json:"dns_world"`
	DNS   []struct {
		ID     string   `json:"id"`
		Q      string   `json:"q"`
		Rcode  string   `json:"rcode"`
		Answer []string `json:"answer"`
	} `json:"dns"`
	Resolver []struct {
		ID    string          `json:"id"`
		Name  string          `json:"name"`
		Glibc json.RawMessage `json:"glibc"`
	} `json:"resolver"`
}

type dataplaneCase struct {
	ID     string `json:"id"`
	Title  string `json:"title"`
	Config struct {
		Family      int       `json:"family"`
		NodeIP      string    `json:"nodeIP"`
		NodeAddrs   []string  `json:"nodeAddrs"`
		Local       [2]string `json:"local"`
		LocalhostNP *bool     `json:"localhostNP"`
		NPAddrs     []string  `json:"npAddrs"`
		ServiceCIDR string    `json:"serviceCIDRs"` // nftables only
	} `json:"config"`
	Services []*v1.Service              `json:"services"`
	Slices   []*discovery.EndpointSlice `json:"slices"`
	Packets  []struct {
		Packet struct {
			Src        string `json:"src"`
			Iif        string `json:"iif"`
			Dst        string `json:"dst"`
			Port       uint16 `json:"port"`
			Proto      string `json:"proto"`
			RecordedOn string `json:"recordedOn"`
		} `json:"packet"`
		IPTables []branch `json:"iptables"`
	} `json:"packets"`
	Rules []string `json:"iptables_rules"`
}

// branch is one way that a packet may go.
type branch struct {
	P       string `json:"p"`
	Verdict string `json:"verdict"`
	Masq    bool   `json:"masq"`
	Path    string `json:"path"`
}

func readVectors(t *testing.T) *vectors {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := yaml.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return &v
}

// snapshot is a case's cluster, seen from node-a.
func (c *dataplaneCase) snapshot() *model.Snapshot {
	addresses := c.Config.NodeAddrs
	if addresses == nil {
		addresses = []string{"192.168.0.2", "10.244.1.1"}
	}
	node := &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-a", Labels: map[string]string{v1.LabelTopologyZone: "eu-a"}}}
	for _, a := range addresses {
		node.Status.Addresses = append(node.Status.Addresses, v1.NodeAddress{Type: v1.NodeInternalIP, Address: a})
	}
	proxy := model.Proxy{Mode: "iptables", MasqueradeBit: 14, LocalhostNodePort: true, ClusterCIDRs: []string{"10.244.0.0/16"}, NodePortAddresses: c.Config.NPAddrs}
	switch value := c.Config.Local[1]; c.Config.Local[0] {
	case "cidr":
		proxy.ClusterCIDRs = []string{value}
	case "prefix":
		proxy.DetectLocalMode, proxy.InterfacePrefix = "InterfaceNamePrefix", value
	case "iface":
		proxy.DetectLocalMode, proxy.BridgeInterface = "BridgeInterface", value
	}
	if c.Config.LocalhostNP != nil {
		proxy.LocalhostNodePort = *c.Config.LocalhostNP
	}
	for i, a := range proxy.NodePortAddresses {
		proxy.NodePortAddresses[i] = netip.PrefixFrom(netip.MustParseAddr(a), 32).String()
	}
	w := world{Node: node, Proxy: proxy, Services: c.Services, Slices: c.Slices}
	return w.snapshot()
}

func TestDataplaneVectors(t *testing.T) {
	packets := 0
	for _, c := range readVectors(t).Dataplane {
		t.Run(c.ID, func(t *testing.T) {
			family := path.IPv4
			if c.Config.Family == 6 {
				family = path.IPv6
			}
			s := c.snapshot()
			program := path.Compile(s, "node-a", family)
			for _, rule := range c.Rules {
				requireRule(t, program, rule)
			}
			for _, p := range c.Packets {
				packets++
				flow := path.Flow{
					Source:      netip.MustParseAddr(p.Packet.Src),
					Destination: netip.AddrPortFrom(netip.MustParseAddr(p.Packet.Dst), p.Packet.Port),
					Protocol:    p.Packet.Proto, Local: p.Packet.Iif == "", Interface: p.Packet.Iif,
				}
				if p.Packet.RecordedOn != "" {
					flow.Sticky = path.ChainName(path.ChainEndpoint, "default/web:http", "TCP", p.Packet.RecordedOn)
				}
				for name, outcomes := range map[string][]path.Outcome{
					"Compile":        path.Walk(program, flow, nil),
					"CompileService": path.Walk(path.CompileService(s, "node-a", family, s.Services...), flow, nil),
				} {
					requireBranches(t, name, p.IPTables, outcomes)
				}
			}
		})
	}
	if packets < 60 {
		t.Errorf("only %d packets: the vectors were not read", packets)
	}
}

func requireRule(t *testing.T, p *path.Program, line string) {
	t.Helper()
	table, rest, _ := strings.Cut(line, ": -A ")
	chain, rule, _ := strings.Cut(rest, " ")
	var have []string
	if c := p.Chain(table, chain); c != nil {
		for i := range c.Rules {
			have = append(have, normal(c.Rules[i].Restore()))
		}
	}
	if want := normal(strings.ReplaceAll(rule, "0x4000", "0x004000")); !slices.Contains(have, want) {
		t.Errorf("%s %s lacks\n  %s\nit has\n  %s", table, chain, want, strings.Join(have, "\n  "))
	}
}

func requireBranches(t *testing.T, how string, want []branch, outcomes []path.Outcome) {
	t.Helper()
	var got []branch
	total := 0.0
	for _, o := range outcomes {
		total += o.Probability
		got = append(got, branch{Verdict: verdict(&o), Masq: o.Masquerade, Path: chains(&o)})
	}
	if math.Abs(total-1) > 1e-9 {
		t.Errorf("%s: probabilities add up to %v", how, total)
	}
	if len(got) != len(want) {
		t.Fatalf("%s: %d branches, want %d: %+v", how, len(got), len(want), got)
	}
	for _, w := range want {
		i := slices.IndexFunc(got, func(b branch) bool { return b.Verdict == w.Verdict && b.Masq == w.Masq && b.Path == w.Path })
		if i < 0 {
			t.Errorf("%s: lacks\n  %+v\ngot\n  %+v", how, w, got)
			continue
		}
		if p := fraction(t, w.P); math.Abs(outcomes[i].Probability-p) > 1e-9 {
			t.Errorf("%s: %s has probability %v, want %v", how, w.Verdict, outcomes[i].Probability, p)
		}
	}
}

func fraction(t *testing.T, text string) float64 {
	t.Helper()
	var a, b float64 = 1, 1
	if _, err := fmt.Sscanf(text, "%g/%g", &a, &b); err != nil {
		if _, err := fmt.Sscanf(text, "%g", &a); err != nil {
			t.Fatalf("probability %q: %v", text, err)
		}
	}
	return a / b
}

// verdict writes an outcome's verdict as the vectors do.
func verdict(o *path.Outcome) string {
	last := o.Hops[len(o.Hops)-1]
	switch {
	case o.Verdict == path.DNAT:
		return fmt.Sprintf("DNAT %s:%d", o.Destination.IP, o.Destination.Port)
	case o.Verdict == path.Reject, o.Verdict == path.Drop:
		return strings.ToUpper(string(o.Verdict))
	case accepted(o):
		return "ACCEPT"
	case last.Hook == "INPUT":
		return "no kube-proxy rule applies (delivered to the node itself)"
	}
	return "no kube-proxy rule applies (routed unchanged)"
}

func accepted(o *path.Outcome) bool {
	return o.Verdict == path.None && slices.ContainsFunc(o.Hops, func(h path.Hop) bool { return h.Action == path.HopAccept })
}

// chains writes the chains of an outcome as the vectors do: those visited, each
// once a table, and what ends the path.
func chains(o *path.Outcome) string {
	var parts []string
	seen := map[string]bool{}
	for _, h := range o.Hops {
		if h.Table == "" || h.Table == "filter" && o.Verdict == path.DNAT {
			continue
		}
		if h.Chain == h.Hook {
			if start := h.Table + " " + h.Hook; !seen[start] {
				parts, seen = append(parts, start), map[string]bool{start: true}
			}
		}
		switch h.Action {
		case path.HopJump:
			if !seen[h.To] {
				parts, seen[h.To] = append(parts, h.To), true
			}
		case path.HopDNAT:
			parts = append(parts, "DNAT "+h.To)
		case path.HopReturn:
			parts[len(parts)-1] += " RETURN"
		case path.HopMasquerade, path.HopAccept, path.HopReject, path.HopDrop:
			parts = append(parts, strings.ToUpper(string(h.Action)))
		}
	}
	return strings.Join(parts, " > ")
}

func TestNameVectors(t *testing.T) {
	list := readVectors(t).Names
	if len(list) < 10 {
		t.Fatalf("only %d names were read", len(list))
	}
	for _, n := range list {
		words := strings.Fields(strings.ReplaceAll(n.Input, " (unnamed port)", ""))
		kind, endpoint := path.ChainService, ""
		if len(words) == 4 && words[2] == "endpoint" {
			kind, endpoint = path.ChainEndpoint, words[3]
		}
		namespace, rest, _ := strings.Cut(words[0], "/")
		service, port, _ := strings.Cut(rest, ":")
		if got := path.ChainName(kind, path.PortName(namespace, service, port), words[1], endpoint); got != n.IPTables {
			t.Errorf("%s: %s, want %s", n.Input, got, n.IPTables)
		}
	}
}

// convertAll is a snapshot of nothing but Services and slices.
func convertAll(services []*v1.Service, list []*discovery.EndpointSlice) model.Snapshot {
	var s model.Snapshot
	for _, svc := range services {
		s.Services = append(s.Services, convert.Service(svc))
	}
	for _, slice := range list {
		s.Slices = append(s.Slices, convert.EndpointSlice(slice))
	}
	return s
}
