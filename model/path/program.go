package path

import "net/netip"

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

// FamilyOf is the family of an address; IPv4-mapped IPv6 counts as IPv4.
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
}

// Table is an iptables table, or kube-proxy's nftables table of one family.
type Table struct {
	Name   string // "nat", "filter"; "kube-proxy"
	Chains []*Chain
	Sets   []*Set // nftables: its named sets and maps

	byName map[string]*Chain
}

// Chain is an ordered list of rules.
type Chain struct {
	Name  string
	Base  bool // the kernel starts here: PREROUTING, INPUT, FORWARD, OUTPUT, POSTROUTING
	Rules []Rule

	index *ruleIndex
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

// More is what few rules have, never nil and not to be written to.
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

// Table finds a table; nil when there is none.
func (p *Program) Table(name string) *Table {
	for _, t := range p.Tables {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// Chain finds a chain of a table; nil when there is none.
func (p *Program) Chain(table, chain string) *Chain {
	if t := p.Table(table); t != nil {
		return t.Chain(chain)
	}
	return nil
}

// Rules counts the rules of the program.
func (p *Program) Rules() int {
	n := 0
	for _, t := range p.Tables {
		for _, c := range t.Chains {
			n += len(c.Rules)
		}
	}
	return n
}

// Chain finds a chain; nil when there is none.
func (t *Table) Chain(name string) *Chain {
	if t.byName != nil {
		return t.byName[name]
	}
	for _, c := range t.Chains {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// chain finds or makes a chain.
func (t *Table) chain(name string) *Chain {
	if c := t.byName[name]; c != nil {
		return c
	}
	if t.byName == nil {
		t.byName = map[string]*Chain{}
	}
	c := &Chain{Name: name, Base: isHook(name)}
	t.Chains = append(t.Chains, c)
	t.byName[name] = c
	return c
}

func (c *Chain) add(rules ...Rule) { c.Rules = append(c.Rules, rules...) }

func isHook(chain string) bool {
	switch chain {
	case "PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING":
		return true
	}
	return false
}

// isLocal says whether the node holds an address (addrtype LOCAL).
func (p *Program) isLocal(address netip.Addr) bool {
	if !address.IsValid() {
		return false
	}
	if address.IsLoopback() {
		return true
	}
	for _, a := range p.Local {
		if a == address {
			return true
		}
	}
	return false
}

// indexed is the length from which a chain gets an index; below it, testing
// every rule is cheaper.
const indexed = 16

// ruleIndex finds the rules that can match a packet by its destination.
type ruleIndex struct {
	byTarget map[netip.AddrPort][]int // one address and a port; or the zero address and a port
	others   []int
}

// seal builds the indexes of long chains. Call it once, before the program is shared.
func (p *Program) seal() *Program {
	for _, t := range p.Tables {
		for _, c := range t.Chains {
			if len(c.Rules) >= indexed {
				c.index = newRuleIndex(c.Rules)
			}
		}
	}
	return p
}

func newRuleIndex(rules []Rule) *ruleIndex {
	index := &ruleIndex{byTarget: map[netip.AddrPort][]int{}}
	for i := range rules {
		r := &rules[i]
		if r.Port == 0 {
			index.others = append(index.others, i)
			continue
		}
		key := netip.AddrPortFrom(netip.Addr{}, r.Port)
		if r.Destination.IsSingleIP() && !r.NotDest {
			key = netip.AddrPortFrom(r.Destination.Addr(), r.Port)
		}
		index.byTarget[key] = append(index.byTarget[key], i)
	}
	return index
}

// Next gives the position of the first rule at or after from that can match a
// packet for destination; len(Rules) when none can.
func (c *Chain) Next(from int, destination netip.AddrPort) int {
	if from >= len(c.Rules) {
		return len(c.Rules)
	}
	return c.next(from, destination)
}

// next gives the position of the first rule at or after from that can match a
// packet for destination; len(Rules) when none can.
func (c *Chain) next(from int, destination netip.AddrPort) int {
	if c.index == nil {
		return from
	}
	best := len(c.Rules)
	for _, list := range [...][]int{
		c.index.byTarget[destination],
		c.index.byTarget[netip.AddrPortFrom(netip.Addr{}, destination.Port())],
		c.index.others,
	} {
		lo, hi := 0, len(list)
		for lo < hi {
			if mid := (lo + hi) / 2; list[mid] < from {
				lo = mid + 1
			} else {
				hi = mid
			}
		}
		if lo < len(list) && list[lo] < best {
			best = list[lo]
		}
	}
	return best
}
