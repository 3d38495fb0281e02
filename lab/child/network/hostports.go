package network

import (
	"crypto/sha512"
	"fmt"
	"net/netip"
	"slices"

	"svctour/model/path"
)

// HostPort leads what comes to a port of the node to a port of a Pod.
type HostPort struct {
	Protocol string     // tcp, udp
	Address  netip.Addr // of the node; invalid or unspecified: all of them
	Port     uint16     // hostPort
	To       uint16     // containerPort
}

// hostPorts are those of one Pod.
type hostPorts struct {
	stack *Stack
	name  string
	pod   netip.Addr
	ports []HostPort
}

// The chains and the mark of the CNI plugin portmap, which kind's nodes have
// for host ports (plugins/meta/portmap/portmap_iptables.go).
const (
	hostPortChain   = "CNI-HOSTPORT-DNAT"
	hostPortSetMark = "CNI-HOSTPORT-SETMARK"
	hostPortMasq    = "CNI-HOSTPORT-MASQ"
	hostPortMark    = 0x2000
)

// withHostPorts is program with portmap's rules behind its own: portmap appends
// its jumps where kube-proxy prepends, so that a node port comes before an equal
// host port.
func (n *Node) withHostPorts(program *path.Program) *path.Program {
	if len(n.hostPorts) == 0 {
		return program
	}
	out, nat := &path.Program{}, &path.Table{Name: "nat"}
	if program != nil {
		out.Mode = program.Mode
		for _, t := range program.Tables {
			if t.Name == "nat" {
				nat.Chains = slices.Clone(t.Chains)
				continue
			}
			out.Tables = append(out.Tables, t)
		}
	}
	out.Tables = append(out.Tables, nat)
	toPods := &path.Rule{DestLocal: true, Action: path.ActionJump, Chain: hostPortChain}
	extend(nat, "PREROUTING", toPods)
	extend(nat, "OUTPUT", toPods)
	extend(nat, "POSTROUTING", &path.Rule{Comment: "CNI portfwd requiring masquerade", Action: path.ActionJump, Chain: hostPortMasq})
	top := &path.Chain{Name: hostPortChain}
	nat.Chains = append(nat.Chains, top,
		&path.Chain{Name: hostPortSetMark, Rules: []*path.Rule{{Comment: "CNI portfwd masquerade mark", Action: path.ActionMarkOr, Set: hostPortMark}}},
		&path.Chain{Name: hostPortMasq, Rules: []*path.Rule{{Mark: hostPortMark, Action: path.ActionMasquerade}}})
	for _, of := range n.hostPorts {
		own := &path.Chain{Name: fmt.Sprintf("CNI-DN-%x", sha512.Sum512([]byte(of.name)))[:28]}
		nat.Chains = append(nat.Chains, own)
		for _, p := range of.ports {
			top.Rules = append(top.Rules, &path.Rule{
				Protocol: p.Protocol, Port: p.Port, Comment: fmt.Sprintf("dnat name: %q id: %q", "svctour", of.name),
				Action: path.ActionJump, Chain: own.Name,
			})
			own.Rules = append(own.Rules, n.hostPortRules(of.pod, p)...)
		}
	}
	return out
}

// hostPortRules are portmap's of one port: what comes from a Pod of the node,
// such as the one itself, or from the node's loopback is masqueraded, or the
// answer would not come back this way.
func (n *Node) hostPortRules(pod netip.Addr, p HostPort) []*path.Rule {
	match := path.Rule{Protocol: p.Protocol, Port: p.Port}
	if p.Address.IsValid() && !p.Address.IsUnspecified() {
		match.Destination = netip.PrefixFrom(p.Address, p.Address.BitLen())
	}
	near, loopback, rewrite := match, match, match
	near.Source, near.Action, near.Chain = n.Pods, path.ActionJump, hostPortSetMark
	loopback.Source, loopback.Action, loopback.Chain = netip.PrefixFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 32), path.ActionJump, hostPortSetMark
	rewrite.Action, rewrite.To = path.ActionDNAT, netip.AddrPortFrom(pod, p.To)
	return []*path.Rule{&near, &loopback, &rewrite}
}

// extend puts a rule at the end of a base chain, which is made if it is not there.
func extend(t *path.Table, name string, rule *path.Rule) {
	i := slices.IndexFunc(t.Chains, func(c *path.Chain) bool { return c.Name == name })
	if i < 0 {
		t.Chains = append(t.Chains, &path.Chain{Name: name, Base: true, Rules: []*path.Rule{rule}})
		return
	}
	t.Chains[i] = &path.Chain{Name: name, Base: true, Rules: append(slices.Clone(t.Chains[i].Rules), rule)}
}
