package path

import (
	"os"
	"slices"
	"strings"
	"testing"

	"svctour/model"
)

// saved is the cluster whose rules testdata/iptables-save.txt holds.
func saved() *model.Snapshot {
	s := model.Snapshot{
		Proxy: model.Proxy{Mode: "iptables", ClusterCIDRs: []string{"10.244.0.0/16"}, MasqueradeBit: 14, LocalhostNodePort: true},
		Nodes: []*model.Node{{Meta: model.Meta{Name: "node-a"}, Addresses: []model.NodeAddress{{Type: "InternalIP", Address: "192.168.0.2"}}}},
	}
	add := func(svc *model.Service, target int32, endpoints ...model.Endpoint) {
		s.Services = append(s.Services, svc)
		if len(endpoints) == 0 {
			return
		}
		slice := sliceOf(svc, endpoints...)
		for i := range slice.Ports {
			slice.Ports[i].Port = ptr(target)
		}
		s.Slices = append(s.Slices, slice)
	}
	tcp := func(name string, node int32) model.ServicePort {
		return model.ServicePort{Name: name, Protocol: "TCP", Port: 80, NodePort: node}
	}
	a, b, c := on("node-a", "10.244.1.5", "a"), on("node-a", "10.244.1.6", "b"), on("node-b", "10.244.2.7", "c")
	add(service("web", model.NodePort, "10.96.0.50", tcp("", 30080)), 8080, a, b, c)
	local := service("loc", model.LoadBalancer, "10.96.0.51", tcp("http", 30081))
	local.ExternalTrafficPolicy, local.InternalTrafficPolicy, local.HealthCheckNodePort = "Local", "Local", 31999
	local.Ingress, local.SourceRanges = []model.Ingress{{IP: "192.0.2.10"}}, []string{"203.0.113.0/25"}
	add(local, 8080, a, c)
	sticky := service("sticky", model.ClusterIP, "10.96.0.52", tcp("", 0))
	sticky.SessionAffinity, sticky.AffinitySeconds = "ClientIP", 10800
	add(sticky, 8080, a, c)
	add(service("empty", model.ClusterIP, "10.96.0.53", tcp("", 0)), 0)
	add(service("sig", model.ClusterIP, "10.96.0.54", model.ServicePort{Protocol: "SCTP", Port: 9999}), 9999, on("node-a", "10.244.1.9", "sig"))
	dns := service("kube-dns", model.ClusterIP, "10.96.0.10", model.ServicePort{Name: "dns", Protocol: "UDP", Port: 53}, model.ServicePort{Name: "dns-tcp", Protocol: "TCP", Port: 53})
	dns.Namespace = "kube-system"
	add(dns, 53, on("node-a", "10.244.0.2", "dns-1"), on("node-b", "10.244.0.3", "dns-2"))
	return model.NewSnapshot(s)
}

// chainsOf reads iptables-save text: the rules of each chain, by "table chain".
func chainsOf(text string) map[string][]string {
	out, table := map[string][]string{}, ""
	for line := range strings.SplitSeq(text, "\n") {
		switch {
		case strings.HasPrefix(line, "*"):
			table = line[1:]
		case strings.HasPrefix(line, ":"):
			name, _, _ := strings.Cut(line[1:], " ")
			out[table+" "+name] = []string{}
		case strings.HasPrefix(line, "-A "):
			chain, rule, _ := strings.Cut(line[3:], " ")
			out[table+" "+chain] = append(out[table+" "+chain], rule)
		}
	}
	return out
}

// TestPrintIsIPTablesSave compares the print with what iptables-save printed of
// the same rules. The dump has no jumps from base chains: only kube-proxy's own
// chains were loaded.
func TestPrintIsIPTablesSave(t *testing.T) {
	text, err := os.ReadFile("testdata/iptables-save.txt")
	if err != nil {
		t.Fatal(err)
	}
	want, got := chainsOf(string(text)), chainsOf(Print(Compile(saved(), "node-a", IPv4)))
	compared := 0
	for chain, rules := range want {
		if _, name, _ := strings.Cut(chain, " "); isHook(name) {
			continue
		}
		mine, has := got[chain]
		if !has {
			t.Errorf("chain %s is missing", chain)
			continue
		}
		if kind := strings.Fields(chain)[1]; kind == "KUBE-SERVICES" || kind == "KUBE-NODEPORTS" { // the order of Services is not fixed
			slices.Sort(rules)
			slices.Sort(mine)
		}
		compared += len(rules)
		if !slices.Equal(mine, rules) {
			t.Errorf("chain %s:\n  %s\nwant\n  %s", chain, strings.Join(mine, "\n  "), strings.Join(rules, "\n  "))
		}
	}
	for chain := range got {
		if _, name, _ := strings.Cut(chain, " "); want[chain] == nil && !isHook(name) {
			t.Errorf("chain %s is not in the dump", chain)
		}
	}
	if compared < 60 {
		t.Errorf("only %d rules were compared", compared)
	}
}

// The spellings that depend on the IP family.
func TestPrintIPv6(t *testing.T) {
	s := changed(func(s *model.Snapshot) {
		six := service("six", model.NodePort, "fd00:10:96::1", model.ServicePort{Protocol: "TCP", Port: 80, NodePort: 30099})
		six.IPFamilies, six.SessionAffinity = []string{"IPv6"}, "ClientIP"
		empty := service("six-empty", model.ClusterIP, "fd00:10:96::2", model.ServicePort{Protocol: "TCP", Port: 80})
		empty.IPFamilies = []string{"IPv6"}
		slice := sliceOf(six, on("node-a", "fd00:10:244:1::5", "web-1"))
		slice.AddressType = "IPv6"
		s.Services, s.Slices = append(s.Services, six, empty), append(s.Slices, slice)
	})
	text := Print(Compile(s, "node-a", IPv6))
	sep := ChainName(ChainEndpoint, "default/six", "TCP", "[fd00:10:244:1::5]:8080")
	for _, want := range []string{
		"-d fd00:10:96::1/128 -p tcp -m comment --comment \"default/six cluster IP\" -m tcp --dport 80 -j KUBE-SVC-",
		"-j REJECT --reject-with icmp6-port-unreachable",
		"! -d ::1/128 -m comment --comment \"kubernetes service nodeports; NOTE: this must be the last rule in this chain\" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS",
		"-m recent --rcheck --seconds 10800 --reap --name " + sep + " --mask ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff --rsource -j " + sep,
		"-j DNAT --to-destination [fd00:10:244:1::5]:8080",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "10.96.0.") {
		t.Errorf("an IPv4 Service is in the IPv6 rules:\n%s", text)
	}
}

// Names known from every cluster, and from kube-proxy's own tests.
func TestChainName(t *testing.T) {
	for _, c := range []struct {
		kind                           ChainKind
		namespace, service, port, want string
		protocol, endpoint             string
	}{
		{kind: ChainService, namespace: "default", service: "kubernetes", port: "https", protocol: "TCP", want: "KUBE-SVC-NPX46M4PTMTKRN6Y"},
		{kind: ChainService, namespace: "kube-system", service: "kube-dns", port: "dns", protocol: "UDP", want: "KUBE-SVC-TCOU7JCQXEZGVUNU"},
		{kind: ChainExternal, namespace: "default", service: "web", protocol: "tcp", want: "KUBE-EXT-LOLE4ISW44XBNF3G"},
		{kind: ChainEndpoint, namespace: "ns1", service: "svc1", port: "p80", protocol: "TCP", endpoint: "10.180.0.1:80", want: "KUBE-SEP-SXIVWICOYRO3J4NJ"},
		{kind: ChainEndpoint, namespace: "default", service: "web", port: "http", protocol: "TCP", endpoint: "[fd00:10:244:1::5]:8080", want: "KUBE-SEP-VQWBXALWTGJK2BTN"},
	} {
		got := ChainName(c.kind, PortName(c.namespace, c.service, c.port), c.protocol, c.endpoint)
		if got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
		if len(got) > 28 { // iptables' limit
			t.Errorf("%s is too long for iptables", got)
		}
	}
}
