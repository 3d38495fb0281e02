package path

import (
	"net/netip"
	"slices"
	"strings"

	"svctour/model"
)

// Flow is the first packet of a new connection, as Walk sees it.
type Flow struct {
	// Source is zero when it is not known; then it is no address that a rule names.
	Source      netip.Addr
	Destination netip.AddrPort
	Protocol    string // tcp, udp, sctp, in either case
	// Local packets are sent by a process of the node itself: they start at hook OUTPUT.
	Local     bool
	Interface string // the one a packet that is not Local comes in by; "" when unknown
	// Sticky names the affinity list that holds Source: the KUBE-SEP- chain, or
	// in nftables mode the affinity- set, in ipvs mode the real server's "ip:port";
	// "" for a client that was not seen before.
	Sticky string
}

// Place is where an address lives.
type Place struct {
	Pod  string // "namespace/name"; "" when no Pod holds it
	Node string // "" when unknown
	// Plugin is the hop by which the first node's network plugin rewrites the
	// source of what goes there; nil when it does not.
	Plugin *Hop
}

// Locate finds the place of an endpoint's address.
type Locate func(netip.AddrPort) Place

// Limits that only a program exceeds that the kernel refuses: iptables allows no loops.
const (
	maxDepth = 32      // chains in one another
	maxHops  = 512     // hops of one packet
	maxSteps = 1 << 19 // rules tested and hops told, of all outcomes together
)

// Walk sends a packet through the rules of its first node and gives every
// outcome; their probabilities add up to 1. Rules that were tested and did not
// match are not among the hops, except where that decides.
//
// The order of hooks, what a chain's end, a jump, a goto and a verdict mean, and
// that only a connection's first packet meets rules of type nat are netfilter's
// (iptables(8); iptables-extensions(8), statistic, addrtype, set and ipvs; nft(8),
// VERDICT STATEMENTS and NAT STATEMENTS; net/netfilter/nf_nat_core.c). What IPVS
// does, and where, is in walker.schedule.
//
// Foreign rules and policies of the base chains are not known and count as
// accepting everything.
func Walk(p *Program, f Flow, locate Locate) []Outcome {
	return walkAll(p, f, locate, false)
}

// Explain is Walk, by the same rules of netfilter (iptables(8), nft(8)), with the
// rules that did not match: see Hop.Passed.
func Explain(p *Program, f Flow, locate Locate) []Outcome {
	return walkAll(p, f, locate, true)
}

func walkAll(p *Program, f Flow, locate Locate, explain bool) []Outcome {
	if locate == nil {
		locate = func(netip.AddrPort) Place { return Place{} }
	}
	f.Protocol = strings.ToLower(f.Protocol)
	w := &walker{program: p, flow: f, locate: locate, explain: explain, texts: map[*Rule]ruleText{}}
	first := &walk{chance: 1, PacketInfo: PacketInfo{Source: f.Source, Destination: f.Destination, Protocol: f.Protocol, Interface: f.Interface, State: "NEW"}}
	if f.Local {
		first.Interface = ""
		first.hooks = w.hooks("OUTPUT")
	} else {
		first.hooks = w.hooks("PREROUTING")
	}
	w.pending = append(w.pending, first)
	for len(w.pending) > 0 {
		last := len(w.pending) - 1
		next := w.pending[last]
		w.pending = w.pending[:last]
		w.run(next)
	}
	return w.outcomes
}

// hook is a base chain: where it hangs in netfilter, and its table and name.
type hook struct{ point, table, chain string }

// nat says whether it is a chain of type nat, which only the first packet of a
// connection meets.
func (h hook) nat() bool { return h.table == "nat" || strings.HasPrefix(h.chain, "nat-") }

// baseChains are the chains of each netfilter hook in the order of their
// priorities (linux/netfilter_ipv4.h): destination NAT at -100, filter at 0,
// source NAT at 100. In nftables mode they are those of nftBaseChains. IPVS
// stands at 99 in INPUT and at -98 in OUTPUT (net/netfilter/ipvs/ip_vs_core.c,
// ip_vs_ops4).
var baseChains = map[string]map[string][]hook{
	ModeIPTables: {
		"PREROUTING":  {{"PREROUTING", "nat", "PREROUTING"}},
		"INPUT":       {{"INPUT", "filter", "INPUT"}},
		"FORWARD":     {{"FORWARD", "filter", "FORWARD"}},
		"OUTPUT":      {{"OUTPUT", "nat", "OUTPUT"}, {"OUTPUT", "filter", "OUTPUT"}},
		"POSTROUTING": {{"POSTROUTING", "nat", "POSTROUTING"}},
	},
	ModeIPVS: {
		"PREROUTING":  {{"PREROUTING", "nat", "PREROUTING"}},
		"INPUT":       {{"INPUT", "filter", "INPUT"}, {"INPUT", ipvsHook, ""}},
		"FORWARD":     {{"FORWARD", "filter", "FORWARD"}},
		"OUTPUT":      {{"OUTPUT", "nat", "OUTPUT"}, {"OUTPUT", ipvsHook, ""}, {"OUTPUT", "filter", "OUTPUT"}},
		"POSTROUTING": {{"POSTROUTING", "nat", "POSTROUTING"}},
	},
	ModeNFTables: {
		"PREROUTING":  {{"PREROUTING", NFTTable, "filter-prerouting-pre-dnat"}, {"PREROUTING", NFTTable, "nat-prerouting"}},
		"INPUT":       {{"INPUT", NFTTable, "filter-input"}},
		"FORWARD":     {{"FORWARD", NFTTable, "filter-forward"}},
		"OUTPUT":      {{"OUTPUT", NFTTable, "filter-output-pre-dnat"}, {"OUTPUT", NFTTable, "nat-output"}, {"OUTPUT", NFTTable, "filter-output"}},
		"POSTROUTING": {{"POSTROUTING", NFTTable, "nat-postrouting"}},
	},
}

// passes are the base chains that a packet passes from a hook to the next routing
// decision, or to its end.
var passes = func() map[string]map[string][]hook {
	out := map[string]map[string][]hook{}
	for mode, chains := range baseChains {
		out[mode] = map[string][]hook{
			"PREROUTING": chains["PREROUTING"], "INPUT": chains["INPUT"], "POSTROUTING": chains["POSTROUTING"],
			"FORWARD": slices.Concat(chains["FORWARD"], chains["POSTROUTING"]),
			"OUTPUT":  slices.Concat(chains["OUTPUT"], chains["POSTROUTING"]),
		}
	}
	return out
}()

// hooks are the base chains from a netfilter hook on. They must not be changed.
func (w *walker) hooks(from string) []hook { return passes[w.program.Mode][from] }

// walker holds the walks still to be made; each random rule adds one.
type walker struct {
	program  *Program
	flow     Flow
	locate   Locate
	explain  bool // keep the rules that did not match
	pending  []*walk
	outcomes []Outcome
	steps    int
	texts    map[*Rule]ruleText
	spare    []hopList
}

// IsLocal is Kernel's.
func (w *walker) IsLocal(address netip.Addr) bool { return w.program.isLocal(address) }

// Set is Kernel's.
func (w *walker) Set(name string) *Set {
	if w.program.Mode == ModeNFTables {
		return w.program.Tables[0].Set(name)
	}
	return w.program.IPSet(name)
}

// Seen is Kernel's: the flow names the only list that has its source.
func (w *walker) Seen(list string, _ netip.Addr, _ int32) bool { return list == w.flow.Sticky }

// walk is the state of one packet on its way.
type walk struct {
	PacketInfo
	chance     float64
	masquerade bool
	assumed    bool // masquerade by the network plugin, which may not be

	hooks []hook // still to pass
	at    hook
	stack []frame
	room  [8]frame // of a stack that is no deeper
	hops  *hopList
	len   int
}

// frame is a position in a chain.
type frame struct {
	chain *Chain
	next  int
	hops  *hopList // hops at the jump here, included
}

// hopList is a list that grows at its end and shares its beginning. Its entries
// are hops, and among them, when they are asked for, rules that were passed by.
type hopList struct {
	Hop
	passed *Passed
	before *hopList
}

func (w *walker) add(k *walk, h Hop) *Hop {
	h.Mark, h.Sofar = k.Mark, k.chance
	if len(w.spare) == 0 {
		w.spare = make([]hopList, 16)
	}
	at := &w.spare[0]
	w.spare = w.spare[1:]
	at.Hop, at.before = h, k.hops
	k.hops = at
	k.len++
	return &at.Hop
}

func (w *walk) branch() *walk {
	b := *w
	b.stack = append(b.room[:0], w.stack...)
	return &b
}

// run follows one packet to its end.
func (w *walker) run(k *walk) {
	for {
		if len(k.stack) == 0 {
			if !w.enter(k) {
				return
			}
			continue
		}
		top := &k.stack[len(k.stack)-1]
		if w.steps++; w.steps > maxSteps || k.len > maxHops {
			w.giveUp(k)
			return
		}
		from := top.next
		top.next = top.chain.next(from, k.Destination)
		if w.explain {
			k.passGroup(top.chain, top.next-from)
		}
		if top.next >= len(top.chain.Rules) {
			w.leave(k, false)
			continue
		}
		r := top.chain.Rules[top.next]
		top.next++
		if why := r.Match(&k.PacketInfo, w); why != Matched {
			if w.explain {
				w.pass(k, top.chain, r, why)
			}
			continue
		}
		if r.Random() {
			missed := k.branch()
			missed.chance *= 1 - r.Probability
			if w.explain {
				w.pass(missed, top.chain, r, notDrawn)
			}
			w.pending = append(w.pending, missed)
			k.chance *= r.Probability
		}
		if done := w.act(k, top.chain, r); done {
			return
		}
	}
}

// enter starts the next hook; false when the packet's way is over.
func (w *walker) enter(k *walk) bool {
	if len(k.hooks) == 0 {
		w.finish(k, verdictOf(k))
		return false
	}
	k.at = k.hooks[0]
	k.hooks = k.hooks[1:]
	if k.at.table == ipvsHook {
		return w.schedule(k)
	}
	if chain := w.program.Chain(k.at.table, k.at.chain); chain != nil {
		k.stack = append(k.stack, frame{chain: chain, hops: k.hops})
		return true
	}
	w.passed(k)
	return true
}

func verdictOf(k *walk) Verdict {
	if k.DNAT {
		return DNAT
	}
	return None
}

// leave returns from a chain that ended, or from which a rule returned. A jump
// in filter or POSTROUTING that led to nothing is no hop, and in ipvs mode none
// does, whose rules send every packet to the node through the same chains.
func (w *walker) leave(k *walk, returned bool) {
	top := k.stack[len(k.stack)-1]
	k.stack = k.stack[:len(k.stack)-1]
	if len(k.stack) == 0 {
		w.passed(k)
		return
	}
	var inside []*Passed
	last := k.hops
	for ; last != nil && last.passed != nil; last = last.before {
		inside = append(inside, last.passed)
	}
	if last != top.hops || last == nil || k.at.nat() && k.at.point != "POSTROUTING" && w.program.Mode != ModeIPVS {
		return
	}
	why := "nothing in " + top.chain.Name + " matches"
	if returned {
		why = top.chain.Name + " returns it"
	}
	k.hops = top.hops.before
	k.len--
	if w.explain {
		k.hops = &hopList{passed: &Passed{Chain: last.Chain, Rule: last.Rule, Why: why}, before: k.hops}
		for _, p := range slices.Backward(inside) {
			k.hops = &hopList{passed: p, before: k.hops}
		}
	}
}

// passed continues after a base chain let the packet through.
func (w *walker) passed(k *walk) {
	k.stack = k.stack[:0]
	switch {
	case k.at.point == "PREROUTING" && k.at.nat():
		w.route(k)
		w.dummy(k)
		if w.program.isLocal(k.Destination.Addr()) {
			k.hooks = w.hooks("INPUT")
		} else {
			k.hooks = w.hooks("FORWARD")
		}
	case k.at.point == "OUTPUT" && k.at.nat():
		w.route(k)
	case k.at.point == "POSTROUTING":
		if w.flow.Local && w.program.isLocal(k.Destination.Addr()) {
			k.Interface = "lo" // in the same connection
			k.hooks = w.hooks("INPUT")
		}
	}
}

// route records the routing decision that follows the nat rules.
func (w *walker) route(k *walk) {
	if !k.DNAT {
		return
	}
	place := w.locate(k.Destination)
	did, what := HopRoute, "route to "+k.Destination.Addr().String()
	switch {
	case w.program.isLocal(k.Destination.Addr()):
		did, what = HopDeliver, "deliver to this node itself"
	case place.Node == w.program.Node && place.Node != "":
		what = "stays on this node"
	case place.Node != "":
		what = "route to " + place.Node
	}
	next := "FORWARD"
	switch {
	case w.flow.Local:
		next = "OUTPUT"
	case w.program.isLocal(k.Destination.Addr()):
		next = "INPUT"
	case k.Server != nil:
		next = "OUTPUT"
	}
	w.add(k, Hop{Node: w.program.Node, Hook: next, Action: did, What: what, Chance: 1, Evidence: model.Derived})
}

// giveUp ends a packet that goes round in circles; when too many do, all that
// are still under way end with it.
func (w *walker) giveUp(k *walk) {
	if w.steps > maxSteps {
		for _, other := range w.pending {
			k.chance += other.chance
		}
		w.pending = nil
	}
	w.finish(k, None)
}

// finish records an outcome.
func (w *walker) finish(k *walk, verdict Verdict) {
	out := Outcome{Probability: k.chance, Verdict: verdict}
	if verdict == DNAT {
		place := w.locate(k.Destination)
		if place.Plugin != nil && !k.masquerade {
			w.add(k, *place.Plugin)
			known := place.Plugin.Evidence != model.Unknown
			k.masquerade, k.assumed = known, !known
		}
		out.Destination = &Destination{
			IP: k.Destination.Addr().String(), Port: int32(k.Destination.Port()), Pod: place.Pod, Node: place.Node,
		}
		w.arrive(k, place)
		out.Conntrack = w.conntrack(k)
	} else if verdict == None {
		w.unmatched(k)
	}
	out.Masquerade = k.masquerade
	w.steps += k.len
	out.Hops = make([]Hop, k.len)
	i := k.len
	for h := k.hops; h != nil; h = h.before {
		if h.passed != nil {
			out.Hops[i].Passed = append(out.Hops[i].Passed, *h.passed)
			continue
		}
		i--
		out.Hops[i] = h.Hop
	}
	for i := range out.Hops {
		slices.Reverse(out.Hops[i].Passed)
	}
	w.outcomes = append(w.outcomes, out)
}

// unmatched says that kube-proxy leaves the packet alone.
func (w *walker) unmatched(k *walk) {
	did, what, hook := HopRoute, "no rule of kube-proxy changes it: routed as it is", "FORWARD"
	if w.flow.Local {
		hook = "OUTPUT"
	}
	if w.program.isLocal(k.Destination.Addr()) {
		did, what, hook = HopDeliver, "no rule of kube-proxy changes it: delivered to the node itself", "INPUT"
	}
	w.add(k, Hop{Node: w.program.Node, Hook: hook, Action: did, What: what, Chance: 1, Evidence: model.Derived})
}

// arrive adds what happens beyond the first node's rules: the other node, if
// any, and the way back. Only the first packet of a connection meets nat rules;
// conntrack translates the rest, in both directions, where the entry was made.
func (w *walker) arrive(k *walk, place Place) {
	target := k.Destination.String()
	if place.Pod != "" {
		target = "Pod " + place.Pod + " at " + target
	}
	where := place.Node
	if where == "" {
		where = w.program.Node
	}
	on, what := "POSTROUTING", "arrives at "+target
	switch {
	case w.program.isLocal(k.Destination.Addr()):
		on = "INPUT"
	case place.Node != "" && place.Node != w.program.Node:
		on = "FORWARD"
		what += "; nothing is translated on this node"
	}
	w.add(k, Hop{Node: where, Hook: on, Action: HopArrive, What: what, Chance: 1, Evidence: model.Derived})

	who := "conntrack"
	if k.Server != nil {
		who = "IPVS"
	}
	back := "reply: " + who + " puts back the source " + w.flow.Destination.String()
	if k.masquerade {
		back += " and sends it on to the client's own address"
	}
	w.add(k, Hop{Node: w.program.Node, Hook: "POSTROUTING", Action: HopReply, What: back, Chance: 1, Evidence: model.Derived})
}

// conntrack is the entry that the connection gets on the first node, as
// conntrack -L lists it. Which address masquerading takes depends on the
// interface by which the packet leaves, and is not in the API.
func (w *walker) conntrack(k *walk) *Conntrack {
	source := ""
	if w.flow.Source.IsValid() {
		source = w.flow.Source.String()
	}
	entry := &Conntrack{
		Protocol: w.flow.Protocol,
		Original: Tuple{Source: source, Destination: w.flow.Destination.Addr().String(), DestinationPort: w.flow.Destination.Port()},
		Reply:    Tuple{Source: k.Destination.Addr().String(), SourcePort: k.Destination.Port(), Destination: source},
	}
	if k.masquerade || k.assumed {
		entry.Reply.Destination = ""
	}
	return entry
}
