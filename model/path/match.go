package path

import (
	"net/netip"
	"slices"
	"strings"
)

// PacketInfo is what rules can ask of a packet: its headers, and what the kernel
// keeps of it and of its connection (struct nft_pktinfo, struct nf_conn). A field
// that is not known is zero, and then no rule that names a value matches it.
type PacketInfo struct {
	Source      netip.Addr
	Destination netip.AddrPort
	Protocol    string // tcp, udp, sctp, icmp
	Interface   string // by which it came in; "" for what a process of the node sent
	Mark        uint32
	State       string         // of its connection: NEW, ESTABLISHED, RELATED, INVALID
	DNAT        bool           // the destination of its connection was rewritten
	Server      *VirtualServer // of IPVS, which rewrote it; else nil
}

// Kernel is what rules ask of the node besides the packet.
type Kernel interface {
	// IsLocal says whether the node holds an address (addrtype LOCAL).
	IsLocal(address netip.Addr) bool
	// Set is a set or map of nftables, or an ipset; nil when there is none.
	Set(name string) *Set
	// Seen says whether a session affinity list saw the client in the last seconds.
	Seen(list string, client netip.Addr, seconds int32) bool
}

// Reason is why a rule does not match a packet; Matched when it does.
type Reason uint8

const (
	Matched   Reason = iota
	elsewhere        // it is for other destinations
	otherSource
	otherInterface
	sourceNotLocal
	destinationNotLocal
	otherMark
	otherState
	notSeen
	notHairpin
	notInMap
	notDrawn
	notInSet
	notServed
	sourceIsLocal
)

// Match tests everything that a rule asks for except its probability, which
// Random is for (iptables(8); iptables-extensions(8), addrtype, conntrack, mark,
// recent, set and ipvs; nft(8), EXPRESSIONS). Both the walk and the lab's routers
// decide by this function.
//
// Whether a packet came in by a bridge's port (physdev) is not known; Match
// assumes that it did not. That does no harm: kube-proxy's rule that asks for it
// is followed by one that accepts the same packets on every address of the node.
func (r *Rule) Match(p *PacketInfo, k Kernel) Reason {
	switch {
	case r.Protocol != "" && r.Protocol != p.Protocol || r.Port != 0 && r.Port != p.Destination.Port():
		return elsewhere
	case r.Destination.IsValid() && r.Destination.Contains(p.Destination.Addr()) == r.NotDest:
		return elsewhere
	case r.Source.IsValid() && r.Source.Contains(p.Source) == r.NotSource:
		return otherSource
	case r.SourceLocal && !k.IsLocal(p.Source):
		return sourceNotLocal
	case r.DestLocal && !k.IsLocal(p.Destination.Addr()):
		return destinationNotLocal
	case r.Mark != 0 && (p.Mark&r.Mark == r.Mark) == r.NotMark:
		return otherMark
	case r.more != nil:
		return r.more.match(p, k)
	}
	return Matched
}

// match tests the conditions that only few rules have.
func (m *More) match(p *PacketInfo, k Kernel) Reason {
	to := p.Destination.Addr()
	switch {
	case m.Interface != "" && p.comesInBy(m.Interface) == m.NotInterf:
		return otherInterface
	case m.CTState != "" && p.inState(m.CTState) == m.NotCTState:
		return otherState
	case m.Recent != "" && m.RecentSeconds > 0 && !k.Seen(m.Recent, p.Source, m.RecentSeconds):
		return notSeen
	case m.DestinationSet != "" && find(k, m.DestinationSet, Key{Address: to}) == nil:
		return elsewhere
	case len(m.Destinations) > 0 && !anyContains(m.Destinations, to):
		return elsewhere
	case anyContains(m.NotSources, p.Source):
		return otherSource
	case m.Hairpin != "" && (!p.DNAT || find(k, m.Hairpin, Key{Source: p.Source, Address: to, Protocol: p.Protocol, Port: p.Destination.Port()}) == nil):
		return notHairpin
	case m.Lookup != "" && m.lookup(p, k) == nil:
		return notInMap
	case m.MatchSet != "" && !p.inSet(k.Set(m.MatchSet), m.SetFields):
		return notInSet
	case m.SourceNotLocal && k.IsLocal(p.Source):
		return sourceIsLocal
	case m.IPVS.IsValid() && (p.Server == nil || p.Server.Address != m.IPVS || p.Server.Protocol != m.IPVSProtocol):
		return notServed
	}
	return Matched
}

// Random says whether chance decides, with the rule's Probability, over a packet
// that it matches (iptables-extensions(8), statistic).
func (r *Rule) Random() bool { return r.Probability > 0 && r.Probability < 1 }

// Effect is what a rule does to a packet that it matches.
type Effect struct {
	Action  Action         // as in Rule, but for ActionVMap: what the map has
	Chain   string         // ActionJump, ActionGoto: the chain
	To      netip.AddrPort // ActionDNAT: the new destination
	Comment string         // kube-proxy's, of the rule or of the map's element that decided
}

// Apply carries out a rule that matches a packet: it writes marks and the new
// destination to p, and says what is left to be done. A rule with several choices
// uses the one at index choice (iptables-extensions(8), MARK, DNAT, MASQUERADE; nft(8), VERDICT
// STATEMENTS).
func (r *Rule) Apply(p *PacketInfo, k Kernel, choice int) Effect {
	e := Effect{Action: r.Action, Chain: r.Chain, To: r.To, Comment: r.Comment}
	if r.more != nil {
		r.more.choose(&e, p, k, choice)
	}
	switch e.Action {
	case ActionMarkOr:
		p.Mark |= r.Set
	case ActionMarkXor, ActionMasquerade: // in nftables the same rule clears the mark
		p.Mark ^= r.Set
	case ActionDNAT:
		p.Destination, p.DNAT = e.To, true
	}
	return e
}

// choose completes the effect of a rule that picks it from choices or a map.
func (m *More) choose(e *Effect, p *PacketInfo, k Kernel, choice int) {
	if len(m.Choices) > 0 {
		e.To, e.Chain = m.Choices[choice].To, m.Choices[choice].Chain
		if e.Action == ActionVMap {
			e.Action = ActionGoto
		}
		return
	}
	if e.Action != ActionVMap {
		return
	}
	if found := m.lookup(p, k); found != nil {
		e.Action, e.Chain = found.Action, found.Chain
		if e.Comment == "" {
			e.Comment = found.Comment
		}
	}
}

// lookup asks a verdict map for the packet; nil when it has nothing.
func (m *More) lookup(p *PacketInfo, k Kernel) *Element {
	key := Key{Address: p.Destination.Addr(), Protocol: p.Protocol, Port: p.Destination.Port()}
	if m.PortOnly {
		key.Address = netip.Addr{}
	}
	return find(k, m.Lookup, key)
}

func find(k Kernel, set string, key Key) *Element {
	if s := k.Set(set); s != nil {
		return s.Find(key)
	}
	return nil
}

func anyContains(prefixes []netip.Prefix, address netip.Addr) bool {
	for _, prefix := range prefixes {
		if prefix.Contains(address) {
			return true
		}
	}
	return false
}

// comesInBy tests -i. Packets of the node's own processes come in by no interface.
func (p *PacketInfo) comesInBy(pattern string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "+"); ok {
		return p.Interface != "" && strings.HasPrefix(p.Interface, prefix)
	}
	return p.Interface == pattern
}

// inState tests --ctstate.
func (p *PacketInfo) inState(states string) bool {
	for state := range strings.SplitSeq(states, ",") {
		if state == p.State || state == "DNAT" && p.DNAT {
			return true
		}
	}
	return false
}

// inSet tests -m set --match-set: fields are src or dst for each of the set's
// dimensions (ipset(8)). The source port is not known.
func (p *PacketInfo) inSet(s *Set, fields string) bool {
	if s == nil {
		return false
	}
	var key Key
	var third netip.Addr
	_, kinds, _ := strings.Cut(s.Type, ":")
	dimensions := strings.Split(kinds, ",")
	for i, field := range strings.Split(fields, ",") {
		if i >= len(dimensions) {
			return false
		}
		address, port := p.Destination.Addr(), p.Destination.Port()
		if field == "src" {
			address, port = p.Source, 0
		}
		switch {
		case dimensions[i] == "port":
			key.Port = port
			if len(dimensions) > 1 {
				key.Protocol = p.Protocol
			}
		case i == 0:
			key.Address = address
		default:
			third = address
		}
	}
	if s.Type != "hash:ip,port,net" {
		key.Source = third
		return s.Find(key) != nil
	}
	return slices.ContainsFunc(s.Elements, func(e *Element) bool {
		return e.Address == key.Address && e.Protocol == key.Protocol && e.Port == key.Port && e.Net.Contains(third)
	})
}
