package network

import (
	"net/netip"
	"strings"
	"time"

	"svctour/model/path"
)

// The hooks of netfilter.
type hook int

const (
	prerouting hook = iota
	input
	forward
	output
	postrouting
)

// base is one chain that hangs on a hook.
type base struct{ table, chain string }

// filtering are the chains that every packet passes at a hook, translating
// those that only the first packet of a connection does. Names of chains that
// a program lacks are passed over.
var (
	filtering = map[hook][]base{
		prerouting: {{path.NFTTable, "filter-prerouting-pre-dnat"}},
		output:     {{"filter", "OUTPUT"}, {path.NFTTable, "filter-output"}},
		input:      {{"filter", "INPUT"}, {path.NFTTable, "filter-input"}},
		forward:    {{"filter", "FORWARD"}, {path.NFTTable, "filter-forward"}},
	}
	beforeOutput = []base{{path.NFTTable, "filter-output-pre-dnat"}}
	translating  = map[hook][]base{
		prerouting:  {{"nat", "PREROUTING"}, {path.NFTTable, "nat-prerouting"}},
		output:      {{"nat", "OUTPUT"}, {path.NFTTable, "nat-output"}},
		postrouting: {{"nat", "POSTROUTING"}, {path.NFTTable, "nat-postrouting"}},
	}
)

// Counter counts what a rule has matched.
type Counter struct{ Packets, Bytes uint64 }

func (c *Counter) add(p *packet) {
	c.Packets++
	c.Bytes += uint64(len(p.data))
}

// chainState is a chain as installed: its rules' counters, and for a base
// chain those of its policy, ACCEPT.
type chainState struct {
	chain  *path.Chain
	rules  []Counter
	policy Counter
}

// ruleset is the program that a node executes.
type ruleset struct {
	program *path.Program
	tables  map[string]map[string]*chainState
	sets    map[string]*path.Set
}

func newRuleset(program *path.Program) *ruleset {
	r := &ruleset{program: program, tables: map[string]map[string]*chainState{}, sets: map[string]*path.Set{}}
	if program == nil {
		return r
	}
	for _, table := range program.Tables {
		chains := map[string]*chainState{}
		for _, chain := range table.Chains {
			chains[chain.Name] = &chainState{chain: chain, rules: make([]Counter, len(chain.Rules))}
		}
		r.tables[table.Name] = chains
		for _, set := range table.Sets {
			r.sets[set.Name] = set
		}
	}
	return r
}

// rewritten are the chains that kube-proxy writes anew at every sync of
// iptables, which sets their counters to 0 (pkg/proxy/iptables/proxier.go).
var rewritten = map[string]bool{"KUBE-SERVICES": true, "KUBE-NODEPORTS": true, "KUBE-POSTROUTING": true, "KUBE-MARK-MASQ": true}

// keep takes over the counters of chains that are as they were.
func (r *ruleset) keep(old *ruleset) {
	for table, chains := range r.tables {
		for name, state := range chains {
			before := old.tables[table][name]
			if before == nil {
				continue
			}
			state.policy = before.policy
			if state.chain.Base {
				keepEqual(state, before)
				continue
			}
			if table == "filter" || table == "nat" && rewritten[name] || len(before.rules) != len(state.rules) {
				continue
			}
			same := true
			for i := range state.chain.Rules {
				same = same && state.chain.Rules[i].String() == before.chain.Rules[i].String()
			}
			if same {
				state.rules = before.rules
			}
		}
	}
}

// keepEqual takes over the counters of a base chain's rules up to the first
// difference: who adds a rule to it leaves the others alone.
func keepEqual(state, before *chainState) {
	for i := range min(len(state.rules), len(before.rules)) {
		if state.chain.Rules[i].String() != before.chain.Rules[i].String() {
			return
		}
		state.rules[i] = before.rules[i]
	}
}

// verdict is what a hook decides about a packet.
type verdict int

const (
	accept verdict = iota
	drop
	reject
)

// passage is a packet at a hook of a node.
type passage struct {
	node   *Node
	packet *packet
	tuple  tuple // as the packet is now
	state  string
	dnat   bool // of its connection
	now    time.Time

	to         netip.AddrPort // set by DNAT
	masquerade bool
}

// pass runs the chains of a hook.
func (g *passage) pass(chains []base) verdict {
	for _, b := range chains {
		state := g.node.rules.tables[b.table][b.chain]
		if state == nil {
			continue
		}
		decided, ended := g.chain(b.table, state, 0)
		if !ended {
			state.policy.add(g.packet)
		}
		if ended && decided != accept {
			return decided
		}
	}
	return accept
}

// maxDepth is how deep chains may jump, as in the kernel.
const maxDepth = 16

// chain runs one chain; ended is false if it let the packet through to its end.
func (g *passage) chain(table string, state *chainState, depth int) (decided verdict, ended bool) {
	if depth > maxDepth {
		return drop, true
	}
	chain := state.chain
	for i := chain.Next(0, g.tuple.dest); i < len(chain.Rules); i = chain.Next(i+1, g.tuple.dest) {
		r := chain.Rules[i]
		if !g.matches(r) {
			continue
		}
		state.rules[i].add(g.packet)
		if r.More().Recent != "" && r.More().RecentSeconds == 0 {
			g.node.remember(r.More().Recent, g.tuple.source.Addr(), g.now)
		}
		action, target, to := r.Action, r.Chain, r.To
		if len(r.More().Choices) > 0 {
			choice := r.More().Choices[g.node.network.random.below(len(r.More().Choices))]
			target, to = choice.Chain, choice.To
		}
		if action == path.ActionVMap {
			action = path.ActionGoto
			if r.More().Lookup != "" {
				element := g.lookup(r)
				if element == nil {
					continue
				}
				action, target = element.Action, element.Chain
			}
		}
		switch action {
		case path.ActionJump, path.ActionGoto:
			if next := g.node.rules.tables[table][target]; next != nil {
				if decided, ended = g.chain(table, next, depth+1); ended {
					return decided, true
				}
			}
			if action == path.ActionGoto {
				return accept, false
			}
		case path.ActionReturn:
			return accept, false
		case path.ActionAccept:
			return accept, true
		case path.ActionDrop:
			return drop, true
		case path.ActionReject:
			return reject, true
		case path.ActionMarkOr:
			g.packet.mark |= r.Set
		case path.ActionMarkXor:
			g.packet.mark ^= r.Set
		case path.ActionDNAT:
			g.to = to
			return accept, true
		case path.ActionMasquerade:
			g.packet.mark ^= r.Set
			g.masquerade = true
			return accept, true
		}
	}
	return accept, false
}

func (g *passage) lookup(r *path.Rule) *path.Element {
	set := g.node.rules.sets[r.More().Lookup]
	if set == nil {
		return nil
	}
	key := path.Key{Protocol: protocolName(g.tuple.protocol), Port: g.tuple.dest.Port()}
	if !r.More().PortOnly {
		key.Address = g.tuple.dest.Addr()
	}
	return set.Find(key)
}

// matches says whether a rule matches the packet.
func (g *passage) matches(r *path.Rule) bool {
	t, n := &g.tuple, g.node
	if r.Protocol != "" && r.Protocol != protocolName(t.protocol) || r.Port != 0 && (r.Port != t.dest.Port() || t.protocol == protocolICMP) {
		return false
	}
	if r.Destination.IsValid() && r.Destination.Contains(t.dest.Addr()) == r.NotDest {
		return false
	}
	if r.Source.IsValid() && r.Source.Contains(t.source.Addr()) == r.NotSource {
		return false
	}
	if r.More().Interface != "" && comesInBy(r.More().Interface, g.packet.in) == r.More().NotInterf {
		return false
	}
	if r.SourceLocal && !n.local(t.source.Addr()) || r.DestLocal && !n.local(t.dest.Addr()) {
		return false
	}
	if r.Mark != 0 && (g.packet.mark&r.Mark == r.Mark) == r.NotMark {
		return false
	}
	if r.More().CTState != "" && g.inState(r.More().CTState) == r.More().NotCTState {
		return false
	}
	if r.More().Recent != "" && r.More().RecentSeconds > 0 && !n.remembers(r.More().Recent, t.source.Addr(), time.Duration(r.More().RecentSeconds)*time.Second, g.now) {
		return false
	}
	if r.NFT && !g.inSets(r) {
		return false
	}
	return r.Probability <= 0 || r.Probability >= 1 || n.network.random.float() < r.Probability
}

// inSets tests what only nftables rules have.
func (g *passage) inSets(r *path.Rule) bool {
	t, sets := &g.tuple, g.node.rules.sets
	if r.More().DestinationSet != "" {
		if set := sets[r.More().DestinationSet]; set == nil || set.Find(path.Key{Address: t.dest.Addr()}) == nil {
			return false
		}
	}
	if len(r.More().Destinations) > 0 && !anyContains(r.More().Destinations, t.dest.Addr()) || anyContains(r.More().NotSources, t.source.Addr()) {
		return false
	}
	if r.More().Hairpin != "" {
		key := path.Key{Source: t.source.Addr(), Address: t.dest.Addr(), Protocol: protocolName(t.protocol), Port: t.dest.Port()}
		if set := sets[r.More().Hairpin]; !g.dnat || set == nil || set.Find(key) == nil {
			return false
		}
	}
	return true
}

func anyContains(prefixes []netip.Prefix, address netip.Addr) bool {
	for _, prefix := range prefixes {
		if prefix.Contains(address) {
			return true
		}
	}
	return false
}

func comesInBy(pattern, name string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "+"); ok {
		return name != "" && strings.HasPrefix(name, prefix)
	}
	return name == pattern
}

// inState tests -m conntrack --ctstate.
func (g *passage) inState(states string) bool {
	for state := range strings.SplitSeq(states, ",") {
		if state == g.state || state == "DNAT" && g.dnat {
			return true
		}
	}
	return false
}

// recentLimit is how many addresses a list of -m recent keeps, and for how
// many the lab does: xt_recent's ip_list_tot is 100.
const recentLimit = 100

// remember notes that a source was seen (xt_recent --set, nft's update).
func (n *Node) remember(list string, source netip.Addr, now time.Time) {
	seen := n.recent[list]
	if seen == nil {
		seen = map[netip.Addr]time.Time{}
		n.recent[list] = seen
	}
	if _, has := seen[source]; !has && len(seen) >= recentLimit {
		oldest := source
		at := now
		for address, when := range seen {
			if when.Before(at) {
				oldest, at = address, when
			}
		}
		delete(seen, oldest)
	}
	seen[source] = now
}

// remembers says whether a source was seen within a time (--rcheck --seconds).
func (n *Node) remembers(list string, source netip.Addr, within time.Duration, now time.Time) bool {
	at, has := n.recent[list][source]
	return has && now.Sub(at) < within
}
