package network

import (
	"net/netip"
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
// a program lacks are passed over. Of two that translate, kube-proxy's comes
// before that of host ports.
var (
	filtering = map[hook][]base{
		prerouting: {{path.NFTTable, "filter-prerouting-pre-dnat"}},
		output:     {{"filter", "OUTPUT"}, {path.NFTTable, "filter-output"}},
		input:      {{"filter", "INPUT"}, {path.NFTTable, "filter-input"}},
		forward:    {{"filter", "FORWARD"}, {path.NFTTable, "filter-forward"}},
	}
	beforeOutput = []base{{path.NFTTable, "filter-output-pre-dnat"}}
	translating  = map[hook][]base{
		prerouting:  {{path.NFTTable, "nat-prerouting"}, {"nat", "PREROUTING"}},
		output:      {{path.NFTTable, "nat-output"}, {"nat", "OUTPUT"}},
		postrouting: {{path.NFTTable, "nat-postrouting"}, {"nat", "POSTROUTING"}},
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

// rewritten are the chains that kube-proxy writes again at every sync of
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

// passage is a packet on its way through a node. It is what the rules see of
// both: path.Rule.Match decides here as it does in the walk.
type passage struct {
	path.PacketInfo
	node   *Node
	packet *packet
	tuple  tuple // as the packet is now
	now    time.Time

	to         netip.AddrPort // set by DNAT
	masquerade bool
}

// IsLocal, Set and Seen are what rules ask of the node (path.Kernel).
func (g *passage) IsLocal(address netip.Addr) bool { return g.node.local(address) }

func (g *passage) Set(name string) *path.Set { return g.node.rules.sets[name] }

func (g *passage) Seen(list string, client netip.Addr, seconds int32) bool {
	return g.node.remembers(list, client, time.Duration(seconds)*time.Second, g.now)
}

// pass runs the chains of a hook. The first that translates the packet is the
// last that a connection meets there (net/netfilter/nf_nat_core.c, nf_nat_inet_fn).
func (g *passage) pass(chains []base) verdict {
	g.Source, g.Destination, g.Interface = g.tuple.source.Addr(), g.tuple.dest, g.packet.in
	for _, b := range chains {
		state := g.node.rules.tables[b.table][b.chain]
		if state == nil {
			continue
		}
		to, masquerade := g.to, g.masquerade
		decided, ended := g.chain(b.table, state, 0)
		if !ended {
			state.policy.add(g.packet)
		}
		if ended && decided != accept {
			return decided
		}
		if g.to != to || g.masquerade != masquerade {
			break
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
	for i := chain.Next(0, g.Destination); i < len(chain.Rules); i = chain.Next(i+1, g.Destination) {
		r := chain.Rules[i]
		if r.Match(&g.PacketInfo, g) != path.Matched || r.Random() && !g.node.network.random.chance(r.Probability) {
			continue
		}
		state.rules[i].add(g.packet)
		more, choice := r.More(), 0
		if more.Recent != "" && more.RecentSeconds == 0 {
			g.node.remember(more.Recent, g.Source, g.now)
		}
		if n := len(more.Choices); n > 0 {
			choice = g.node.network.random.below(n)
		}
		switch effect := r.Apply(&g.PacketInfo, g, choice); effect.Action {
		case path.ActionJump, path.ActionGoto:
			if next := g.node.rules.tables[table][effect.Chain]; next != nil {
				if decided, ended = g.chain(table, next, depth+1); ended {
					return decided, true
				}
			}
			if effect.Action == path.ActionGoto {
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
		case path.ActionDNAT:
			g.to = effect.To
			return accept, true
		case path.ActionMasquerade:
			g.masquerade = true
			return accept, true
		}
	}
	return accept, false
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
