package policy

import (
	"net/netip"
	"slices"
	"testing"

	"svctour/model"
)

// The cluster of the tests: in namespace shop a web, a Pod that has two
// addresses and a sidecar; in ops a client. Each node has one of them.
type world struct {
	model.Snapshot
	web, client, hosted *model.Pod
}

func newWorld() *world {
	w := &world{
		web: &model.Pod{
			Meta: model.Meta{Namespace: "shop", Name: "web", Labels: map[string]string{"app": "web"}}, Node: "node-1", Phase: "Running",
			IPs:            []string{"10.244.1.2", "fd00::1:2"},
			InitContainers: []model.Container{{Sidecar: true, Ports: []model.ContainerPort{{Name: "metrics", Port: 9090, Protocol: "TCP"}}}, {Ports: []model.ContainerPort{{Name: "setup", Port: 7000, Protocol: "TCP"}}}},
			Containers:     []model.Container{{Ports: []model.ContainerPort{{Name: "web", Port: 8080, Protocol: "TCP"}, {Name: "dns", Port: 53, Protocol: "UDP"}}}},
		},
		client: &model.Pod{Meta: model.Meta{Namespace: "ops", Name: "client", Labels: map[string]string{"app": "client"}}, Node: "node-2", Phase: "Running", IPs: []string{"10.244.2.2"}},
		hosted: &model.Pod{Meta: model.Meta{Namespace: "shop", Name: "hosted", Labels: map[string]string{"app": "web"}}, Node: "node-2", Phase: "Running", HostNetwork: true, IPs: []string{"172.18.0.3"}},
	}
	ended := &model.Pod{Meta: model.Meta{Namespace: "shop", Name: "ended", Labels: map[string]string{"app": "web"}}, Node: "node-2", Phase: "Succeeded", IPs: []string{"10.244.2.2"}}
	w.Pods = []*model.Pod{w.web, w.client, w.hosted, ended}
	w.Namespaces = []*model.Namespace{
		{Meta: model.Meta{Name: "shop", Labels: map[string]string{"team": "shop"}}}, {Meta: model.Meta{Name: "ops", Labels: map[string]string{"team": "ops"}}},
	}
	w.Nodes = []*model.Node{
		{Meta: model.Meta{Name: "node-1"}, Addresses: []model.NodeAddress{{Type: "InternalIP", Address: "172.18.0.2"}, {Type: "Hostname", Address: "node-1"}}, PodCIDRs: []string{"10.244.1.0/24"}},
		{Meta: model.Meta{Name: "node-2"}, Addresses: []model.NodeAddress{{Type: "InternalIP", Address: "172.18.0.3"}}, PodCIDRs: []string{"10.244.2.0/24"}},
	}
	return w
}

// policy adds one of namespace shop for the Pods with a label app; without
// rules it is not about that direction.
func (w *world) policy(name, app string, ingress, egress []model.PolicyRule) {
	p := &model.NetworkPolicy{Meta: model.Meta{Namespace: "shop", Name: name}, Pods: selects(app)}
	if ingress != nil {
		p.Ingress = &ingress
	}
	if egress != nil {
		p.Egress = &egress
	}
	w.Policies = append(w.Policies, p)
}

func selects(app string) model.LabelSelector {
	return model.LabelSelector{Labels: map[string]string{"app": app}}
}

func (w *world) connection(t *Table, from, to, protocol string, port int32) *Connection {
	return &Connection{Source: t.End(netip.MustParseAddr(from)), Destination: t.End(netip.MustParseAddr(to)), Protocol: protocol, Port: port}
}

var none = []model.PolicyRule{}

func peers(p ...model.PolicyPeer) []model.PolicyRule { return []model.PolicyRule{{Peers: p}} }

func ports(p ...model.PolicyPort) []model.PolicyRule { return []model.PolicyRule{{Ports: p}} }

const (
	web, web6, client = "10.244.1.2", "fd00::1:2", "10.244.2.2"
	node1, node2      = "172.18.0.2", "172.18.0.3"
	bridge1           = "10.244.1.1"
	outside           = "198.51.100.7"
)

func TestIngress(t *testing.T) {
	clients, everyNamespace, ops := selects("client"), model.LabelSelector{}, model.LabelSelector{Labels: map[string]string{"team": "ops"}}
	for _, c := range []struct {
		name     string
		rules    []model.PolicyRule
		from, to string
		protocol string
		port     int32
		want     Reason
	}{
		{"no rule", none, client, web, "TCP", 8080, Denied},
		{"a Pod to itself", none, web, web, "TCP", 8080, Itself},
		{"a Pod to itself by its other address", none, web6, web, "TCP", 8080, Itself},
		{"the Pod's node", none, node1, web, "TCP", 8080, OwnNode},
		{"the bridge of the Pod's node", none, bridge1, web, "TCP", 8080, OwnNode},
		{"another node", none, node2, web, "TCP", 8080, Denied},
		{"a Pod that is not selected", none, web, client, "TCP", 80, Open},
		{"a Pod of the host's network", none, client, node2, "TCP", 80, Open},
		{"an address that no Pod has", none, client, outside, "TCP", 80, Open},
		{"anybody", []model.PolicyRule{{}}, outside, web, "TCP", 8080, Allowed},
		{"an IPv6 range", peers(model.PolicyPeer{CIDR: "fd00::2:0/112"}), "fd00::2:2", web6, "TCP", 8080, Allowed},
		{"an IPv4 range written as IPv6", peers(model.PolicyPeer{CIDR: "::ffff:198.51.100.0/120"}), outside, web, "TCP", 8080, Allowed},
		{"a range with bits of a host", peers(model.PolicyPeer{CIDR: "198.51.100.9/24"}), outside, web, "TCP", 8080, Allowed},
		{"a range without what is excepted", peers(model.PolicyPeer{CIDR: "0.0.0.0/0", Except: []string{"198.51.100.0/24"}}), outside, web, "TCP", 8080, Denied},
		{"a range that is none", peers(model.PolicyPeer{CIDR: "everything"}), outside, web, "TCP", 8080, Denied},
		{"a peer that names nothing", peers(model.PolicyPeer{}), client, web, "TCP", 8080, Denied},
		{"Pods of the policy's namespace", peers(model.PolicyPeer{Pods: &clients}), client, web, "TCP", 8080, Denied},
		{"Pods of every namespace", peers(model.PolicyPeer{Pods: &clients, Namespaces: &everyNamespace}), client, web, "TCP", 8080, Allowed},
		{"Pods of a namespace", peers(model.PolicyPeer{Namespaces: &ops}), client, web, "TCP", 8080, Allowed},
		{"a range or Pods", peers(model.PolicyPeer{CIDR: "192.0.2.0/24"}, model.PolicyPeer{Namespaces: &ops}), client, web, "TCP", 8080, Allowed},
		{"a Pod on the host's network is no peer of a selector", peers(model.PolicyPeer{Namespaces: &everyNamespace}), node2, web, "TCP", 8080, Denied},
		{"every port of a protocol", ports(model.PolicyPort{Protocol: "UDP"}), client, web, "UDP", 4711, Allowed},
		{"every port of another protocol", ports(model.PolicyPort{Protocol: "UDP"}), client, web, "TCP", 4711, Denied},
		{"SCTP", ports(model.PolicyPort{Protocol: "SCTP", Port: "8080"}), client, web, "SCTP", 8080, Allowed},
		{"a protocol without ports, where ports are listed", ports(model.PolicyPort{Protocol: "TCP"}), client, web, "ICMP", 0, Denied},
		{"a protocol without ports, where none are", []model.PolicyRule{{}}, client, web, "ICMP", 0, Allowed},
		{"a range's last port", ports(model.PolicyPort{Protocol: "TCP", Port: "8000", End: 8080}), client, web, "TCP", 8080, Allowed},
		{"the port behind a range", ports(model.PolicyPort{Protocol: "TCP", Port: "8000", End: 8079}), client, web, "TCP", 8080, Denied},
		{"a name", ports(model.PolicyPort{Protocol: "TCP", Port: "web"}), client, web, "TCP", 8080, Allowed},
		{"a name for another number", ports(model.PolicyPort{Protocol: "TCP", Port: "web"}), client, web, "TCP", 8081, Denied},
		{"a name of another protocol's port", ports(model.PolicyPort{Protocol: "TCP", Port: "dns"}), client, web, "TCP", 53, Denied},
		{"a name that a sidecar gives", ports(model.PolicyPort{Protocol: "TCP", Port: "metrics"}), client, web, "TCP", 9090, Allowed},
		{"a name that an init container gives", ports(model.PolicyPort{Protocol: "TCP", Port: "setup"}), client, web, "TCP", 7000, Denied},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			w.policy("in", "web", c.rules, nil)
			table := NewTable(&w.Snapshot)
			asked := w.connection(table, c.from, c.to, c.protocol, c.port)
			got := table.Ingress(asked)
			if got.Reason != c.want || got.Passes() != (c.want != Denied) {
				t.Errorf("%s, passes %v; want %s", got.Reason, got.Passes(), c.want)
			}
			if direct := New(w.Policies, w.Namespaces).Ingress(asked); direct.Reason != got.Reason {
				t.Errorf("the set says %s, the table %s", direct.Reason, got.Reason)
			}
			if out := table.Egress(asked); out.Reason != Open {
				t.Errorf("egress %s, want open: no policy is about it", out.Reason)
			}
		})
	}
}

func TestEgress(t *testing.T) {
	clients, everyNamespace := selects("client"), model.LabelSelector{}
	for _, c := range []struct {
		name  string
		rules []model.PolicyRule
		from  string
		to    string
		want  Reason
	}{
		{"nowhere", none, web, client, Denied},
		{"the own node is no exception", none, web, node1, Denied},
		{"Pods", peers(model.PolicyPeer{Pods: &clients, Namespaces: &everyNamespace}), web, client, Allowed},
		{"Pods, to another address", peers(model.PolicyPeer{Pods: &clients, Namespaces: &everyNamespace}), web, outside, Denied},
		{"a range", peers(model.PolicyPeer{CIDR: "198.51.100.0/24"}), web, outside, Allowed},
		{"a name that only the source has", ports(model.PolicyPort{Protocol: "TCP", Port: "web"}), web, client, Denied},
		{"from a Pod that is not selected", none, client, web, Open},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			w.policy("out", "web", nil, c.rules)
			table := NewTable(&w.Snapshot)
			asked := w.connection(table, c.from, c.to, "TCP", 8080)
			if got := table.Egress(asked); got.Reason != c.want {
				t.Errorf("%s, want %s", got.Reason, c.want)
			}
			if in := table.Ingress(asked); in.Reason != Open {
				t.Errorf("ingress %s, want open: no policy is about it", in.Reason)
			}
		})
	}
}

// TestVerdictNames: a verdict names the policies that isolate the Pod, and the
// rule that lets the connection pass.
func TestVerdictNames(t *testing.T) {
	w := newWorld()
	w.policy("deny", "web", none, none)
	w.policy("other", "api", []model.PolicyRule{{}}, nil)
	w.policy("ports", "web", ports(model.PolicyPort{Protocol: "TCP", Port: "80"}, model.PolicyPort{Protocol: "TCP", Port: "81"}), nil)
	w.policy("web", "web", []model.PolicyRule{{Peers: []model.PolicyPeer{{CIDR: "192.0.2.0/24"}}}, {Ports: []model.PolicyPort{{Protocol: "TCP", Port: "8080"}}}}, nil)
	table := NewTable(&w.Snapshot)

	v := table.Ingress(w.connection(table, client, web, "TCP", 8080))
	if got := names(v.Policies); !slices.Equal(got, []string{"deny", "ports", "web"}) {
		t.Errorf("isolated by %q", got)
	}
	if v.Rule == nil || v.Rule.Policy.Name != "web" || v.Rule.Index != 1 {
		t.Errorf("allowed by %+v, want the second rule of web", v.Rule)
	}
	v = table.Egress(w.connection(table, web, client, "TCP", 80))
	if got := names(v.Policies); v.Passes() || v.Rule != nil || !slices.Equal(got, []string{"deny"}) {
		t.Errorf("egress %s by %q", v.Reason, got)
	}
}

func names(policies []*Policy) []string {
	var out []string
	for _, p := range policies {
		out = append(out, p.Name)
	}
	return out
}

// TestSelects: whether the peers of a rule exist is asked of Pods that have
// ended, and of those on the host's network, too.
func TestSelects(t *testing.T) {
	w := newWorld()
	webs, unlabelled, everyNamespace := selects("web"), selects(""), model.LabelSelector{}
	w.policy("in", "web", []model.PolicyRule{
		{Peers: []model.PolicyPeer{{Pods: &webs}}},
		{Peers: []model.PolicyPeer{{Namespaces: &webs}}},
		{Peers: []model.PolicyPeer{{CIDR: "0.0.0.0/0"}}},
		{Peers: []model.PolicyPeer{{Pods: &unlabelled}, {Namespaces: &everyNamespace}}},
	}, nil)
	rules := New(w.Policies, nil).In("shop")[0].Rules(Ingress)
	for i, want := range [][]bool{{true, false, true, true}, {false, false, false, false}, {false, false, false, false}, {true, true, true, true}} {
		for j, pod := range w.Pods {
			if got := rules[i].Selects(pod); got != want[j] {
				t.Errorf("rule %d selects %s: %v", i, pod.Name, got)
			}
		}
	}
}

// TestNoAllocation: a node asks for every new connection.
func TestNoAllocation(t *testing.T) {
	w := newWorld()
	w.policy("in", "web", peers(model.PolicyPeer{CIDR: "192.0.2.0/24"}), nil)
	table := NewTable(&w.Snapshot)
	from, to := netip.MustParseAddr(client), netip.MustParseAddr(web)
	passed := false
	allocated := testing.AllocsPerRun(100, func() {
		c := Connection{Source: table.End(from), Destination: table.End(to), Protocol: "TCP", Port: 8080}
		passed = passed || table.Egress(&c).Passes() && table.Ingress(&c).Passes()
	})
	if allocated != 0 || passed {
		t.Errorf("%v allocations, passed %v", allocated, passed)
	}
}

// BenchmarkTable asks about a Pod of 1,000 that 50 policies isolate.
func BenchmarkTable(b *testing.B) {
	w := newWorld()
	for i := range 1000 {
		w.Pods = append(w.Pods, &model.Pod{
			Meta: model.Meta{Namespace: "shop", Labels: map[string]string{"app": "web"}}, Node: "node-1", Phase: "Running",
			IPs: []string{netip.AddrFrom4([4]byte{10, 245, byte(i >> 8), byte(i)}).String()},
		})
	}
	clients := selects("client")
	for range 50 {
		w.policy("in", "web", []model.PolicyRule{{Peers: []model.PolicyPeer{{Pods: &clients}}, Ports: []model.PolicyPort{{Protocol: "TCP", Port: "80", End: 90}}}}, nil)
	}
	b.Run("compile", func(b *testing.B) {
		for b.Loop() {
			NewTable(&w.Snapshot)
		}
	})
	b.Run("ask", func(b *testing.B) {
		table := NewTable(&w.Snapshot)
		from, to := netip.MustParseAddr(client), netip.MustParseAddr(web)
		for b.Loop() {
			c := Connection{Source: table.End(from), Destination: table.End(to), Protocol: "TCP", Port: 80}
			if table.Ingress(&c).Passes() {
				b.Fatal("let in")
			}
		}
	})
}
