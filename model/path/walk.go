package path

import (
	"fmt"
	"net/netip"
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
	// Sticky names the KUBE-SEP- chain whose affinity list holds Source; "" for
	// a client that was not seen before.
	Sticky string
}

// Place is where an address lives.
type Place struct {
	Pod  string // "namespace/name"; "" when no Pod holds it
	Node string // "" when unknown
}

// Locate finds the place of an endpoint's address.
type Locate func(netip.AddrPort) Place

// Limits that only a program nobody could load exceeds: iptables refuses loops.
const (
	maxDepth = 32      // chains in one another
	maxHops  = 512     // hops of one packet
	maxSteps = 1 << 19 // rules tested and hops told, of all outcomes together
)

// Walk sends a packet through the rules of its first node and gives every
// outcome; their probabilities add up to 1. Rules that were tested and did not
// match are not among the hops, except where that decides.
//
// Foreign rules and policies of the base chains are not known and count as
// accepting everything.
func Walk(p *Program, f Flow, locate Locate) []Outcome {
	if locate == nil {
		locate = func(netip.AddrPort) Place { return Place{} }
	}
	f.Protocol = strings.ToLower(f.Protocol)
	w := &walker{program: p, flow: f, locate: locate}
	first := &walk{chance: 1, destination: f.Destination}
	if f.Local {
		first.hooks = []hook{{"nat", "OUTPUT"}, {"filter", "OUTPUT"}, {"nat", "POSTROUTING"}}
	} else {
		first.hooks = []hook{{"nat", "PREROUTING"}}
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

type hook struct{ table, chain string }

// walker holds the walks still to be made; each random rule adds one.
type walker struct {
	program  *Program
	flow     Flow
	locate   Locate
	pending  []*walk
	outcomes []Outcome
	steps    int
}

// walk is the state of one packet on its way.
type walk struct {
	chance      float64
	destination netip.AddrPort
	mark        uint32
	dnat        bool
	masquerade  bool

	hooks []hook // still to pass
	at    hook
	stack []frame
	hops  *hopList
	len   int
}

// frame is a position in a chain.
type frame struct {
	chain *Chain
	next  int
	hops  *hopList // hops at the jump here, included
}

// hopList is a list that grows at its end and shares its beginning.
type hopList struct {
	Hop
	before *hopList
}

func (w *walk) add(h Hop) {
	w.hops = &hopList{h, w.hops}
	w.len++
}

func (w *walk) branch() *walk {
	b := *w
	b.stack = append([]frame(nil), w.stack...)
	b.hooks = append([]hook(nil), w.hooks...)
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
		top.next = top.chain.next(top.next, k.destination)
		if top.next >= len(top.chain.Rules) {
			w.leave(k)
			continue
		}
		r := &top.chain.Rules[top.next]
		top.next++
		if !w.matches(k, r) {
			continue
		}
		if r.Probability > 0 && r.Probability < 1 {
			missed := k.branch()
			missed.chance *= 1 - r.Probability
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
	if chain := w.program.Chain(k.at.table, k.at.chain); chain != nil {
		k.stack = append(k.stack, frame{chain: chain, hops: k.hops})
		return true
	}
	w.passed(k)
	return true
}

func verdictOf(k *walk) Verdict {
	if k.dnat {
		return DNAT
	}
	return None
}

// leave returns from a chain that ended, or from which a rule returned. A jump
// in filter or POSTROUTING that led to nothing is no hop.
func (w *walker) leave(k *walk) {
	top := k.stack[len(k.stack)-1]
	k.stack = k.stack[:len(k.stack)-1]
	if len(k.stack) == 0 {
		w.passed(k)
		return
	}
	if k.hops == top.hops && (k.at.table == "filter" || k.at.chain == "POSTROUTING") {
		k.hops = top.hops.before
		k.len--
	}
}

// passed continues after a base chain let the packet through.
func (w *walker) passed(k *walk) {
	k.stack = k.stack[:0]
	switch k.at {
	case hook{"nat", "PREROUTING"}:
		w.route(k)
		if w.program.isLocal(k.destination.Addr()) {
			k.hooks = []hook{{"filter", "INPUT"}}
		} else {
			k.hooks = []hook{{"filter", "FORWARD"}, {"nat", "POSTROUTING"}}
		}
	case hook{"nat", "OUTPUT"}:
		w.route(k)
	case hook{"nat", "POSTROUTING"}:
		if w.flow.Local && w.program.isLocal(k.destination.Addr()) {
			k.hooks = []hook{{"filter", "INPUT"}} // over the loopback device, in the same connection
		}
	}
}

// route records the routing decision that follows the nat rules.
func (w *walker) route(k *walk) {
	if !k.dnat {
		return
	}
	place := w.locate(k.destination)
	what := "route to " + k.destination.Addr().String()
	switch {
	case w.program.isLocal(k.destination.Addr()):
		what = "deliver to this node itself"
	case place.Node == w.program.Node && place.Node != "":
		what = "stays on this node"
	case place.Node != "":
		what = "route to " + place.Node
	}
	next := "FORWARD"
	if w.flow.Local {
		next = "OUTPUT"
	} else if w.program.isLocal(k.destination.Addr()) {
		next = "INPUT"
	}
	k.add(Hop{Node: w.program.Node, Hook: next, What: what, Chance: 1, Evidence: model.Derived})
}

// matches tests one rule, apart from its probability.
func (w *walker) matches(k *walk, r *Rule) bool {
	if r.Protocol != "" && r.Protocol != w.flow.Protocol || r.Port != 0 && r.Port != k.destination.Port() {
		return false
	}
	if r.Destination.IsValid() && r.Destination.Contains(k.destination.Addr()) == r.NotDest {
		return false
	}
	if r.Source.IsValid() && r.Source.Contains(w.flow.Source) == r.NotSource {
		return false
	}
	if r.Interface != "" && w.comesInBy(r.Interface) == r.NotInterf {
		return false
	}
	if r.SourceLocal && !w.program.isLocal(w.flow.Source) || r.DestLocal && !w.program.isLocal(k.destination.Addr()) {
		return false
	}
	if r.Mark != 0 && (k.mark&r.Mark == r.Mark) == r.NotMark {
		return false
	}
	if r.CTState != "" && inState(k, r.CTState) == r.NotCTState {
		return false
	}
	return r.Recent == "" || r.RecentSeconds == 0 || r.Recent == w.flow.Sticky
}

// comesInBy tests -i. Packets of the node's own processes have no interface.
func (w *walker) comesInBy(pattern string) bool {
	if w.flow.Local || w.flow.Interface == "" {
		return false
	}
	if prefix, ok := strings.CutSuffix(pattern, "+"); ok {
		return strings.HasPrefix(w.flow.Interface, prefix)
	}
	return w.flow.Interface == pattern
}

// inState tests --ctstate for the first packet of a connection.
func inState(k *walk, states string) bool {
	for state := range strings.SplitSeq(states, ",") {
		if state == "NEW" || state == "DNAT" && k.dnat {
			return true
		}
	}
	return false
}

// act carries out a rule that matched; true when the packet's way is over.
func (w *walker) act(k *walk, chain *Chain, r *Rule) bool {
	switch r.Action {
	case ActionNone:
	case ActionJump, ActionGoto:
		return w.jump(k, chain, r)
	case ActionReturn:
		if len(k.stack) > 1 && k.stack[len(k.stack)-1].chain.Name == "KUBE-POSTROUTING" && k.dnat {
			w.hop(k, chain, r, "not marked: the source stays (RETURN)")
		}
		w.leave(k)
	case ActionMarkOr:
		k.mark |= r.Set
		w.hop(k, chain, r, fmt.Sprintf("set mark %#x: masquerade later", r.Set))
	case ActionMarkXor:
		k.mark ^= r.Set
		w.hop(k, chain, r, fmt.Sprintf("clear mark %#x", r.Set))
	case ActionMasquerade:
		k.masquerade = true
		w.hop(k, chain, r, "masquerade: source becomes node's address")
		w.passed(k)
	case ActionDNAT:
		k.destination, k.dnat = r.To, true
		w.hop(k, chain, r, "DNAT to "+r.To.String())
		w.passed(k)
	case ActionAccept:
		w.hop(k, chain, r, "accept")
		w.passed(k)
	case ActionReject:
		w.hop(k, chain, r, "reject: the client is refused at once")
		w.finish(k, Reject)
		return true
	case ActionDrop:
		w.hop(k, chain, r, "drop: the client waits in vain")
		w.finish(k, Drop)
		return true
	}
	return false
}

func (w *walker) jump(k *walk, chain *Chain, r *Rule) bool {
	target := w.program.Chain(k.at.table, r.Chain)
	if target == nil || len(k.stack) >= maxDepth {
		w.hop(k, chain, r, "jump to a chain that is not there")
		w.finish(k, None)
		return true
	}
	w.hop(k, chain, r, "jump "+r.Chain)
	if r.Action == ActionGoto { // a goto does not come back: its caller's end is its own
		k.stack = k.stack[:len(k.stack)-1]
	}
	k.stack = append(k.stack, frame{chain: target, hops: k.hops})
	return false
}

func (w *walker) hop(k *walk, chain *Chain, r *Rule, what string) {
	chance := r.Probability
	if chance == 0 {
		chance = 1
	}
	k.add(Hop{
		Node: w.program.Node, Hook: k.at.chain, Table: k.at.table, Chain: chain.Name,
		Rule: r.String(), What: what, Chance: chance, Evidence: model.Derived,
	})
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
	out := Outcome{Probability: k.chance, Verdict: verdict, Masquerade: k.masquerade}
	if verdict == DNAT {
		place := w.locate(k.destination)
		out.Destination = &Destination{
			IP: k.destination.Addr().String(), Port: int32(k.destination.Port()), Pod: place.Pod, Node: place.Node,
		}
		w.arrive(k, place)
	} else if verdict == None {
		w.unmatched(k)
	}
	w.steps += k.len
	out.Hops = make([]Hop, k.len)
	for i, h := k.len-1, k.hops; h != nil; i, h = i-1, h.before {
		out.Hops[i] = h.Hop
	}
	w.outcomes = append(w.outcomes, out)
}

// unmatched says that kube-proxy leaves the packet alone.
func (w *walker) unmatched(k *walk) {
	what, hook := "no rule of kube-proxy changes it: routed as it is", "FORWARD"
	if w.flow.Local {
		hook = "OUTPUT"
	}
	if w.program.isLocal(k.destination.Addr()) {
		what, hook = "no rule of kube-proxy changes it: delivered to the node itself", "INPUT"
	}
	k.add(Hop{Node: w.program.Node, Hook: hook, What: what, Chance: 1, Evidence: model.Derived})
}

// arrive adds what happens beyond the first node's rules: the other node, if
// any, and the way back. Only the first packet of a connection meets nat rules;
// conntrack translates the rest, in both directions, where the entry was made.
func (w *walker) arrive(k *walk, place Place) {
	target := k.destination.String()
	if place.Pod != "" {
		target = "Pod " + place.Pod + " at " + target
	}
	where := place.Node
	if where == "" {
		where = w.program.Node
	}
	on, what := "POSTROUTING", "arrives at "+target
	switch {
	case w.program.isLocal(k.destination.Addr()):
		on = "INPUT"
	case place.Node != "" && place.Node != w.program.Node:
		on = "FORWARD"
		what += "; nothing is translated on this node"
	}
	k.add(Hop{Node: where, Hook: on, What: what, Chance: 1, Evidence: model.Derived})

	back := "reply: conntrack puts back the source " + w.flow.Destination.String()
	if k.masquerade {
		back += " and sends it on to the client's own address"
	}
	k.add(Hop{Node: w.program.Node, Hook: "POSTROUTING", What: back, Chance: 1, Evidence: model.Derived})
}
