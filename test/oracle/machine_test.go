//go:build linux

package oracle

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"

	"svctour/model"
)

// machine carries out the texts of rules that kube-proxy wrote, and knows nothing
// of package path: neither its rules nor its matcher nor its walk. It is for one
// packet, the first of its connection.
type machine struct {
	packet
	node  *v1.Node
	draws []float64 // what random rules are to draw, in order
	trail []met
	at    map[string]int // how much of the trail was held against turns about a chain
	masq  bool
	end   string // "reject", "drop"; "" when the packet goes on
	err   error  // of what could not be read
	// matches says whether a rule matches the packet as it is, its random part aside.
	matches func(rule string) bool
}

// packet is what rules can ask of it.
type packet struct {
	source, to       netip.Addr
	port             uint16
	protocol, interf string
	mark             uint64
	rewritten        bool // by DNAT
	original         netip.AddrPort
}

// met is a rule that matched, and the packet then.
type met struct {
	table, chain, rule, action string
	packet
}

// marking says whether the rule only leads to the mark that asks for masquerade.
func (m met) marking() bool {
	return m.action == "-j KUBE-MARK-MASQ" || strings.HasPrefix(m.action, "mark")
}

func (m *machine) fail(format string, args ...any) {
	if m.err == nil {
		m.err = fmt.Errorf(format, args...)
	}
}

// local says whether the node holds an address.
func (m *machine) local(ip netip.Addr) bool {
	return ip.IsLoopback() || slices.ContainsFunc(m.node.Status.Addresses, func(a v1.NodeAddress) bool {
		other, err := netip.ParseAddr(a.Address)
		return err == nil && other == ip && a.Type != v1.NodeHostName
	})
}

// draw takes the next number; 1 when there is none, which is below no probability.
func (m *machine) draw() float64 {
	if len(m.draws) == 0 {
		m.fail("a rule draws a number that the course does not tell")
		return 1
	}
	d := m.draws[0]
	m.draws = m.draws[1:]
	return d
}

// then is what the machine would say of a rule if the packet were as then.
func (m *machine) then(p packet, rule string) bool {
	now, draws, err := m.packet, m.draws, m.err
	m.packet, m.draws = p, []float64{0}
	matches := m.matches(rule)
	m.packet, m.draws, m.err = now, draws, err
	return matches
}

func (m *machine) met(table, chain, rule, action string) {
	m.trail = append(m.trail, met{table, chain, rule, action, m.packet})
}

// rewrite is DNAT.
func (m *machine) rewrite(to netip.AddrPort) {
	m.to, m.port, m.rewritten = to.Addr(), to.Port(), true
}

// prefix reads an address, or one with a length.
func prefix(text string) (netip.Prefix, bool) {
	if ip, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(ip, ip.BitLen()), true
	}
	p, err := netip.ParsePrefix(text)
	return p, err == nil
}

func (m *machine) within(ip netip.Addr, text string) bool {
	p, ok := prefix(text)
	if !ok {
		m.fail("%q is no address", text)
	}
	return p.Contains(ip)
}

// hooks sends the packet through the hooks of a node: run carries out the base
// chains of one, and says whether the packet goes on.
func (m *machine) hooks(fromNode bool, run func(hook string) bool) {
	on := func(hooks ...string) bool {
		for _, hook := range hooks {
			if !run(hook) {
				return false
			}
		}
		return true
	}
	switch {
	case fromNode:
		if on("OUTPUT", "POSTROUTING") && m.local(m.to) {
			on("INPUT")
		}
	case !on("PREROUTING"):
	case m.local(m.to):
		on("INPUT")
	default:
		on("FORWARD", "POSTROUTING")
	}
}

// interfaceOf is the one by which packets of Pods come in, as kube-proxy is told.
func interfaceOf(p *model.Proxy) string {
	switch p.DetectLocalMode {
	case "BridgeInterface":
		return p.BridgeInterface
	case "InterfaceNamePrefix":
		return p.InterfacePrefix + "0"
	}
	return ""
}
