package path

import (
	"net/netip"
	"slices"
	"sync/atomic"

	"svctour/model"
)

// Modes of kube-proxy (KubeProxyConfiguration.mode).
const (
	ModeIPTables = "iptables"
	ModeNFTables = "nftables"
	ModeIPVS     = "ipvs"
)

// Family is an IP family. kube-proxy writes one program for each.
type Family string

const (
	IPv4 Family = "IPv4"
	IPv6 Family = "IPv6"
)

// FamilyOf is the family of an address; IPv4-mapped IPv6 counts as IPv4
// (k8s.io/utils, net/ipfamily.go, IPFamilyOf).
func FamilyOf(address netip.Addr) Family {
	if address.Unmap().Is4() {
		return IPv4
	}
	return IPv6
}

// Program is what one kube-proxy writes for one IP family of one node. It is
// immutable once built and may be shared.
type Program struct {
	Mode   string
	Family Family
	Node   string
	Tables []*Table
	// Local holds the addresses the node is known to have, for
	// "-m addrtype --dst-type LOCAL". Bridges and tunnels are not in the API,
	// so the list may be incomplete; loopback counts without being listed.
	Local []netip.Addr
	// MasqueradeMark is the packet mark that asks for masquerade, 0x4000 by default.
	MasqueradeMark uint32
	// What ipvs mode has besides tables: the ipsets, of which KUBE-IPVS-IPS has
	// the addresses on the node's device kube-ipvs0, and the virtual servers, an
	// element each. Servers is nil where they were not read.
	IPSets  []*Set
	Servers *Set

	origin *origin // nil for one that was not compiled for all Services
}

// Table is an iptables table, or kube-proxy's nftables table of one family.
type Table struct {
	Name   string // "nat", "filter"; "kube-proxy"
	Chains []*Chain
	Sets   []*Set // nftables: its named sets and maps

	names names
}

// names finds chains by name.
type names = layers[string, *Chain]

// empty is a table that will have most of t's chains; it knows all their names.
func (t *Table) empty() *Table {
	c := &Table{Name: t.Name}
	c.names = t.names.next()
	return c
}

// copied is a table that may be changed without changing t.
func (t *Table) copied() *Table {
	c := t.empty()
	c.Chains, c.Sets = slices.Clone(t.Chains), slices.Clone(t.Sets)
	return c
}

// Chain is an ordered list of rules.
type Chain struct {
	Name  string
	Base  bool    // the kernel starts here: PREROUTING, INPUT, FORWARD, OUTPUT, POSTROUTING
	Rules []*Rule // not to be written to

	index atomic.Pointer[ruleIndex] // of a long chain, made when first needed
}

// Rule is one rule: what it matches, and what it does then. A zero field
// matches everything. A big cluster has a million of them: the fields are in an
// order that leaves no gaps, and those that few rules need are in More.
type Rule struct {
	Comment     string
	Source      netip.Prefix // -s
	Destination netip.Prefix // -d
	Protocol    string       // -p: tcp, udp, sctp
	// Probability in (0,1) makes the match random (-m statistic); 0 means none.
	Probability float64

	Action Action
	Chain  string         // ActionJump, ActionGoto: the chain
	To     netip.AddrPort // ActionDNAT: the new destination

	more *More
	Mark uint32 // -m mark --mark Mark/Mark
	Set  uint32 // ActionMarkOr, ActionMarkXor: the bits
	Port uint16 // --dport

	V6          bool // an ip6tables rule, or one of an ip6 table
	NFT         bool // an nftables rule
	NotSource   bool
	NotDest     bool
	NotMark     bool
	SourceLocal bool // -m addrtype --src-type LOCAL
	DestLocal   bool // -m addrtype --dst-type LOCAL
	// FullyRandom picks masquerading's source port at random (--random-fully).
	FullyRandom bool
}

// More is what few rules have: kept apart, it makes the many small. A zero
// field matches everything.
type More struct {
	Interface  string // -i; a final "+" matches every name that begins so
	NotInterf  bool
	CTState    string // -m conntrack --ctstate, "NEW" or "RELATED,ESTABLISHED"
	NotCTState bool
	Counter    string // -m nfacct --nfacct-name
	// Recent names the list of client addresses of session affinity (-m recent
	// --name): with RecentSeconds, the rule matches a source seen within that
	// time (--rcheck --reap); without, it records the source (--set).
	Recent        string
	RecentSeconds int32

	// What only rules of ipvs mode have: -m set --match-set MatchSet SetFields,
	// -m physdev ! --physdev-is-in, -m addrtype ! --src-type LOCAL, and -m ipvs
	// --vaddr --vproto --vport.
	MatchSet, SetFields string
	NotBridged          bool
	SourceNotLocal      bool
	IPVS                netip.AddrPort
	IPVSProtocol        string

	// What only nftables rules have.
	DestinationSet string         // ip daddr @set
	Destinations   []netip.Prefix // ip daddr { … }
	NotSources     []netip.Prefix // ip saddr != { … }
	// Hairpin names the set of (source, destination, protocol, port) in which a
	// translated packet must be (ct status dnat).
	Hairpin string
	// Lookup names the verdict map that ActionVMap asks, with the destination's
	// address unless PortOnly; a packet that it does not have goes on.
	Lookup   string
	PortOnly bool
	// Choices are numgen's: one of them is taken at random, each as often as any.
	Choices []Choice
}

var noMore More

// More is what few rules have (iptables-extensions(8)), never nil and not to be
// written to.
func (r *Rule) More() *More {
	if r.more == nil {
		return &noMore
	}
	return r.more
}

// own gives the rule a copy of More, to write to: copied rules share it.
func (r *Rule) own() *More {
	e := *r.More()
	r.more = &e
	return r.more
}

// Choice is one element of an anonymous map that numgen picks from: where
// ActionDNAT goes, or to which chain ActionVMap does.
type Choice struct {
	To    netip.AddrPort
	Chain string
}

// Action is what a rule does to a packet that it matches.
type Action string

const (
	ActionNone       Action = "" // nothing: the next rule follows
	ActionJump       Action = "jump"
	ActionGoto       Action = "goto"
	ActionDNAT       Action = "DNAT"
	ActionMarkOr     Action = "or-mark"
	ActionMarkXor    Action = "xor-mark"
	ActionMasquerade Action = "MASQUERADE"
	ActionReject     Action = "REJECT"
	ActionDrop       Action = "DROP"
	ActionAccept     Action = "ACCEPT"
	ActionReturn     Action = "RETURN"
	ActionVMap       Action = "vmap" // what Lookup has for the packet, or one of Choices
)

// Table finds a table, "nat" or "filter" (kube-proxy,
// pkg/util/iptables/iptables.go), or kube-proxy's own of nftables
// (pkg/proxy/nftables/proxier.go, kubeProxyTable); nil when there is none.
func (p *Program) Table(name string) *Table {
	for _, t := range p.Tables {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// Chain finds a chain of a table; nil when there is none (iptables(8): names
// are unique in a table).
func (p *Program) Chain(table, chain string) *Chain {
	if t := p.Table(table); t != nil {
		return t.Chain(chain)
	}
	return nil
}

// Rules counts the rules of the program: those of iptables(8), or of nft(8).
func (p *Program) Rules() int {
	n := 0
	for _, t := range p.Tables {
		for _, c := range t.Chains {
			n += len(c.Rules)
		}
	}
	return n
}

// Chain finds a chain; nil when there is none (iptables(8): names are unique in
// a table).
func (t *Table) Chain(name string) *Chain {
	return t.names.find(name)
}

// chain finds or makes a chain.
func (t *Table) chain(name string) *Chain {
	if c := t.names.find(name); c != nil {
		return c
	}
	c := &Chain{Name: name, Base: isHook(name)}
	t.Chains = append(t.Chains, c)
	t.names.put(name, c)
	return c
}

func (c *Chain) add(rules ...Rule) {
	for i := range rules {
		c.Rules = append(c.Rules, &rules[i])
	}
}

func isHook(chain string) bool {
	switch chain {
	case "PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING":
		return true
	}
	return false
}

// hostOf is what the rules of a mode depend on besides Services.
func hostOf(mode string, s *model.Snapshot, node string, family Family) *host {
	if mode != ModeNFTables {
		return newHost(s, node, family)
	}
	proxy := s.Proxy
	if len(proxy.NodePortAddresses) == 0 { // pkg/proxy/apis/config/v1alpha1 defaults of this mode
		proxy.NodePortAddresses = []string{"primary"}
	}
	proxy.LocalhostNodePort = false
	with := *s
	with.Proxy = proxy
	return newHost(&with, node, family)
}

// isLocal says whether the node holds an address (addrtype LOCAL).
func (p *Program) isLocal(address netip.Addr) bool {
	if !address.IsValid() {
		return false
	}
	if address.IsLoopback() {
		return true
	}
	return slices.Contains(p.Local, address) || p.bound(address)
}

// bound says whether an address is on the node's device kube-ipvs0, which only
// ipvs mode has.
func (p *Program) bound(address netip.Addr) bool {
	if len(p.IPSets) == 0 {
		return false
	}
	s := p.IPSet(ipsetName(setBound, p.Family))
	return s != nil && s.Find(Key{Address: address}) != nil
}

// IPSet finds an ipset of ipvs mode (kube-proxy, pkg/proxy/ipvs/ipset.go names
// them); nil when there is none.
func (p *Program) IPSet(name string) *Set {
	for _, s := range p.IPSets {
		if s.Name == name {
			return s
		}
	}
	return nil
}
