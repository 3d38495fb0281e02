package path

import (
	"fmt"
	"slices"
	"testing"

	"svctour/model"
)

// choices draws from a fuzzer's bytes; when they are used up, zero.
type choices []byte

func (c *choices) below(n int) int {
	if len(*c) == 0 || n <= 1 {
		return 0
	}
	v := int((*c)[0])
	*c = (*c)[1:]
	return v % n
}

func (c *choices) text(options ...string) string {
	i := c.below(len(options) + 1)
	if i < len(options) {
		return options[i]
	}
	n := min(c.below(40), len(*c))
	out := string((*c)[:n])
	*c = (*c)[n:]
	return out
}

func (c *choices) number() int32 {
	return []int32{80, 0, 1, -1, 65535, 65536, 30080, 1 << 30, -1 << 31, int32(c.below(256))}[c.below(10)]
}

func (c *choices) truth() *bool {
	return []*bool{nil, ptr(true), ptr(false)}[c.below(3)]
}

func (c *choices) address() string {
	return c.text("10.96.0.50", "10.244.1.5", "10.244.2.7", "172.18.0.2", "192.0.2.10", "fd00::5", "::1", "127.0.0.1", "0.0.0.0", "::ffff:10.0.0.1", "", model.None, "fe80::1%eth0", "010.1.1.1")
}

func (c *choices) several(n int, one func() string) []string {
	var out []string
	for range c.below(n + 1) {
		out = append(out, one())
	}
	return out
}

func (c *choices) cluster() *model.Snapshot {
	name := func() string { return c.text("web", "", "db") }
	s := model.Snapshot{ServiceCIDRs: c.several(2, func() string { return c.text("10.96.0.0/16", "fd00::/108", "0.0.0.0/0") })}
	s.Proxy = model.Proxy{
		Mode: c.text(ModeIPTables, ModeNFTables, ModeIPVS), MasqueradeBit: c.number(), MasqueradeAll: c.below(4) == 1, LocalhostNodePort: c.below(2) == 0,
		ClusterCIDRs:    c.several(2, func() string { return c.text("10.244.0.0/16", "fd00:10:244::/56") }),
		DetectLocalMode: c.text("", "ClusterCIDR", "NodeCIDR", "BridgeInterface", "InterfaceNamePrefix"), BridgeInterface: c.text("cni0"), InterfacePrefix: c.text("veth", ""),
		NodePortAddresses: c.several(3, func() string { return c.text("primary", "localhost", "all", "127.0.0.0/8", "::/0", "172.18.0.0/16") }),
	}
	for range c.below(3) {
		s.Nodes = append(s.Nodes, &model.Node{
			Meta:      model.Meta{Name: c.text("node-a", "node-b", ""), Labels: map[string]string{"topology.kubernetes.io/zone": c.text("z")}},
			Addresses: []model.NodeAddress{{Type: c.text("InternalIP", "Hostname"), Address: c.address()}}, PodCIDRs: c.several(2, c.address),
		})
	}
	for range c.below(4) {
		svc := &model.Service{
			Meta: model.Meta{Namespace: c.text("default", ""), Name: name()}, Type: c.text(model.ClusterIP, model.NodePort, model.LoadBalancer, model.ExternalName),
			ClusterIPs: c.several(2, c.address), ExternalIPs: c.several(2, c.address), IPFamilies: c.several(2, func() string { return c.text("IPv4", "IPv6") }),
			InternalTrafficPolicy: c.text("Local", "Cluster", ""), ExternalTrafficPolicy: c.text("Local", "Cluster", ""), SessionAffinity: c.text("ClientIP", "None"), AffinitySeconds: c.number(),
			SourceRanges: c.several(2, func() string { return c.text("10.0.0.0/8", "0.0.0.0/0", "::/0", " 172.18.0.0/16 ") }), HealthCheckNodePort: c.number(),
		}
		for range c.below(3) {
			svc.Ports = append(svc.Ports, model.ServicePort{Name: name(), Protocol: c.text("TCP", "UDP", "SCTP", ""), Port: c.number(), NodePort: c.number()})
		}
		for range c.below(2) {
			svc.Ingress = append(svc.Ingress, model.Ingress{IP: c.address(), IPMode: c.text("VIP", "Proxy", "")})
		}
		s.Services = append(s.Services, svc)
	}
	for range c.below(4) {
		slice := &model.EndpointSlice{
			Meta:        model.Meta{Namespace: c.text("default", ""), Name: name(), Labels: map[string]string{model.ServiceNameLabel: name()}},
			AddressType: c.text("IPv4", "IPv6", "FQDN"),
		}
		for range c.below(3) {
			slice.Ports = append(slice.Ports, model.EndpointPort{Name: name(), Protocol: c.text("TCP", "UDP", "SCTP", ""), Port: []*int32{nil, ptr(c.number())}[c.below(2)]})
		}
		for range c.below(4) {
			slice.Endpoints = append(slice.Endpoints, model.Endpoint{
				Addresses: c.several(2, c.address), Node: c.text("node-a", "node-b", ""), Ready: c.truth(), Serving: c.truth(), Terminating: c.truth(),
				ForZones: c.several(1, func() string { return c.text("z") }), ForNodes: c.several(1, func() string { return c.text("node-a") }),
				Target: []*model.Ref{nil, {Kind: "Pod", Name: name()}}[c.below(2)],
			})
		}
		s.Slices = append(s.Slices, slice)
	}
	return model.NewSnapshot(s)
}

// FuzzClusters makes odd clusters of the bytes: whatever the API could hold,
// nothing panics, outcomes are whole, and updating one cluster's program to
// another's gives what compiling it gives.
func FuzzClusters(f *testing.F) {
	for seed := range 40 {
		data := make([]byte, 40*seed)
		for i := range data {
			data[i] = byte((i + 1) * (2*seed + 1) * 37 >> (seed % 5))
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c := choices(data)
		before, after := c.cluster(), c.cluster()
		for _, family := range []Family{IPv4, IPv6} {
			for _, mode := range []string{ModeIPTables, ModeNFTables, ModeIPVS} {
				p := compileMode(mode, before, "node-a", family, before.Services)
				whole := compileMode(mode, after, "node-a", family, after.Services)
				if next := p.Update(after); distinct(after.Services) && distinct(before.Services) && printed(next) != printed(whole) {
					t.Errorf("%s: updated:\n%s\ncompiled:\n%s", mode, printed(next), printed(whole))
				}
				if mode == ModeIPVS {
					requireRead(t, whole)
				}
				for _, svc := range after.Services {
					for _, port := range svc.Ports {
						for _, target := range append([]string{svc.Name}, svc.ClusterIPs...) {
							request := Request{Namespace: svc.Namespace, Target: fmt.Sprintf("%s:%d", target, port.Port), Mode: mode, Explain: true, From: c.text("", "node/node-a", "outside")}
							if trace, err := Do(after, request); err == nil {
								requireEnds(t, trace)
							}
						}
					}
				}
			}
		}
	})
}

// requireRead fails unless what ipvsadm and ipset would print of a program is
// read as the program. An address of the other family, which the API server does
// not let into a Service, is not.
func requireRead(t *testing.T, p *Program) {
	t.Helper()
	for _, s := range p.ipvsSets() {
		if slices.ContainsFunc(s.Elements, func(e *Element) bool { return e.Address.IsValid() && FamilyOf(e.Address) != p.Family }) {
			return
		}
	}
	o, err := ParseIPVS("*nat\nCOMMIT\n", PrintIPSets(p), PrintIPVS(p), p.Family)
	if err != nil {
		t.Fatalf("%v\n%s%s", err, PrintIPSets(p), PrintIPVS(p))
	}
	o.Program.Tables = p.Tables
	if got, want := printed(o.Program), printed(p); got != want {
		t.Errorf("%+v\nread:\n%s\nprinted:\n%s", o.Foreign, got, want)
	}
}

// distinct says whether no two Services have one name, as the API guarantees.
func distinct(list []*model.Service) bool {
	seen := map[string]bool{}
	for _, svc := range list {
		if seen[svc.Key()] {
			return false
		}
		seen[svc.Key()] = true
	}
	return true
}
