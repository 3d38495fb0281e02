package path

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"svctour/model"
)

// reason is why a rule does not match a packet.
type reason uint8

const (
	matched reason = iota
	elsewhere
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

// misses tests one rule, apart from its probability.
func (w *walker) misses(k *walk, r *Rule) reason {
	to := k.destination.Addr()
	switch {
	case r.Protocol != "" && r.Protocol != w.flow.Protocol || r.Port != 0 && r.Port != k.destination.Port():
		return elsewhere
	case r.Destination.IsValid() && r.Destination.Contains(to) == r.NotDest:
		return elsewhere
	case r.Source.IsValid() && r.Source.Contains(w.flow.Source) == r.NotSource:
		return otherSource
	case r.More().Interface != "" && w.comesInBy(r.More().Interface) == r.More().NotInterf:
		return otherInterface
	case r.SourceLocal && !w.program.isLocal(w.flow.Source):
		return sourceNotLocal
	case r.DestLocal && !w.program.isLocal(to):
		return destinationNotLocal
	case r.Mark != 0 && (k.mark&r.Mark == r.Mark) == r.NotMark:
		return otherMark
	case r.More().CTState != "" && inState(k, r.More().CTState) == r.More().NotCTState:
		return otherState
	case r.More().Recent != "" && r.More().RecentSeconds > 0 && r.More().Recent != w.flow.Sticky:
		return notSeen
	case r.NFT:
		return w.missesSets(k, r)
	case r.more != nil && w.program.Mode == ModeIPVS:
		return w.missesIPVS(k, r)
	}
	return matched
}

// missesSets tests what only nftables rules have.
func (w *walker) missesSets(k *walk, r *Rule) reason {
	to := k.destination.Addr()
	in := func(set string, key Key) *Element {
		if s := w.program.Tables[0].Set(set); s != nil {
			return s.Find(key)
		}
		return nil
	}
	contains := func(p netip.Prefix) bool { return p.Contains(to) }
	switch {
	case r.More().DestinationSet != "" && in(r.More().DestinationSet, Key{Address: to}) == nil:
		return elsewhere
	case len(r.More().Destinations) > 0 && !slices.ContainsFunc(r.More().Destinations, contains):
		return elsewhere
	case slices.ContainsFunc(r.More().NotSources, func(p netip.Prefix) bool { return p.Contains(w.flow.Source) }):
		return otherSource
	case r.More().Hairpin != "" && (!k.dnat || in(r.More().Hairpin, Key{Source: w.flow.Source, Address: to, Protocol: w.flow.Protocol, Port: k.destination.Port()}) == nil):
		return notHairpin
	case r.More().Lookup != "" && w.lookup(k, r) == nil:
		return notInMap
	}
	return matched
}

// lookup asks a rule's verdict map for the packet; nil when it has nothing.
func (w *walker) lookup(k *walk, r *Rule) *Element {
	s := w.program.Tables[0].Set(r.More().Lookup)
	if s == nil {
		return nil
	}
	key := Key{Address: k.destination.Addr(), Protocol: w.flow.Protocol, Port: k.destination.Port()}
	if r.More().PortOnly {
		key.Address = netip.Addr{}
	}
	return s.Find(key)
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

// maxPassed bounds the rules that are kept one by one between two hops.
const maxPassed = 64

// pass keeps a rule that did not match, and why.
func (w *walker) pass(k *walk, chain *Chain, r *Rule, why reason) {
	if why == elsewhere || k.passes() >= maxPassed {
		k.passGroup(chain, 1)
		return
	}
	k.hops = &hopList{passed: &Passed{Chain: chain.Name, Rule: w.text(r).rule, Why: w.why(k, r, why)}, before: k.hops}
}

// passes counts the rules passed since the last hop.
func (k *walk) passes() int {
	n := 0
	for h := k.hops; h != nil && h.passed != nil; h = h.before {
		n++
	}
	return n
}

// passGroup keeps the number of rules that are for other destinations.
func (k *walk) passGroup(chain *Chain, rules int) {
	if rules <= 0 {
		return
	}
	before := k.hops
	if last := k.hops; last != nil && last.passed != nil && last.passed.Count > 0 && last.passed.Chain == chain.Name {
		rules += last.passed.Count
		before = last.before
	}
	k.hops = &hopList{passed: &Passed{Chain: chain.Name, Count: rules, Why: "for other destinations"}, before: before}
}

// why puts a reason into words.
func (w *walker) why(k *walk, r *Rule, why reason) string {
	source := "the source " + w.flow.Source.String()
	if !w.flow.Source.IsValid() {
		source = "the source, which is not known,"
	}
	isnot := func(not bool) string {
		if not {
			return " is"
		}
		return " is not"
	}
	switch why {
	case otherSource:
		if len(r.More().NotSources) > 0 {
			return source + " is in one of the ranges"
		}
		return source + isnot(r.NotSource) + " in " + r.Source.String()
	case otherInterface:
		return "the interface by which it comes in" + isnot(r.More().NotInterf) + " " + strings.Replace(r.More().Interface, "+", "*", 1)
	case sourceNotLocal:
		return source + " is not an address of this node"
	case sourceIsLocal:
		return source + " is an address of this node"
	case destinationNotLocal:
		return "the destination " + k.destination.Addr().String() + " is not an address of this node"
	case otherMark:
		return fmt.Sprintf("mark %#x%s set", r.Mark, isnot(r.NotMark))
	case otherState:
		return "it is the first packet of a connection"
	case notSeen:
		return "the client was not seen at this endpoint lately"
	case notHairpin:
		return "no endpoint talks to itself"
	case notInMap:
		return "the map " + r.More().Lookup + " has nothing for it"
	case notInSet:
		return "the ipset " + r.More().MatchSet + " does not have it"
	case notServed:
		return "IPVS did not take it as for " + r.More().IPVS.String()
	case notDrawn:
		return "not drawn: it takes " + strconv.FormatFloat(100*r.Probability, 'f', 1, 64) + "% of the packets"
	}
	return "it is for other destinations"
}

// act carries out a rule that matched; true when the packet's way is over.
func (w *walker) act(k *walk, chain *Chain, r *Rule) bool {
	if len(r.More().Choices) > 0 {
		return w.choose(k, chain, r)
	}
	switch r.Action {
	case ActionNone:
	case ActionJump, ActionGoto:
		return w.jump(k, chain, r, r.Chain, r.Action == ActionGoto)
	case ActionVMap:
		e := w.lookup(k, r)
		k.comment = e.Comment
		if e.Action == ActionDrop {
			return w.drop(k, chain, r)
		}
		return w.jump(k, chain, r, e.Chain, true)
	case ActionReturn:
		if len(k.stack) > 1 && k.stack[len(k.stack)-1].chain.Name == "KUBE-POSTROUTING" && k.dnat {
			w.hop(k, chain, r, HopReturn, "not marked: the source stays (RETURN)")
		}
		w.leave(k, true)
	case ActionMarkOr:
		k.mark |= r.Set
		w.hop(k, chain, r, HopMark, fmt.Sprintf("set mark %#x: masquerade later", r.Set))
	case ActionMarkXor:
		k.mark ^= r.Set
		w.hop(k, chain, r, HopUnmark, fmt.Sprintf("clear mark %#x", r.Set))
	case ActionMasquerade:
		k.masquerade = true
		k.mark ^= r.Set // nftables: the same rule clears the mark
		w.hop(k, chain, r, HopMasquerade, "masquerade: source becomes node's address")
		w.passed(k)
	case ActionDNAT:
		w.rewrite(k, chain, r, r.To)
	case ActionAccept:
		w.hop(k, chain, r, HopAccept, "accept")
		w.passed(k)
	case ActionReject:
		w.hop(k, chain, r, HopReject, "reject: the client is refused at once")
		w.finish(k, Reject)
		return true
	case ActionDrop:
		return w.drop(k, chain, r)
	}
	return false
}

// choose follows each of a rule's choices; k takes the first.
func (w *walker) choose(k *walk, chain *Chain, r *Rule) bool {
	k.chance /= float64(len(r.More().Choices))
	take := func(k *walk, c Choice) bool {
		if r.Action == ActionDNAT {
			w.rewrite(k, chain, r, c.To)
			return false
		}
		return w.jump(k, chain, r, c.Chain, true)
	}
	for i := len(r.More().Choices) - 1; i > 0 && w.steps <= maxSteps; i-- {
		w.steps++
		if other := k.branch(); !take(other, r.More().Choices[i]) {
			w.pending = append(w.pending, other)
		}
	}
	return take(k, r.More().Choices[0])
}

func (w *walker) rewrite(k *walk, chain *Chain, r *Rule, to netip.AddrPort) {
	k.destination, k.dnat = to, true
	w.hop(k, chain, r, HopDNAT, "DNAT to "+to.String()).To = to.String()
	w.passed(k)
}

func (w *walker) drop(k *walk, chain *Chain, r *Rule) bool {
	w.hop(k, chain, r, HopDrop, "drop: the client waits in vain")
	w.finish(k, Drop)
	return true
}

func (w *walker) jump(k *walk, chain *Chain, r *Rule, to string, leaving bool) bool {
	target := w.program.Chain(k.at.table, to)
	if target == nil || len(k.stack) >= maxDepth {
		w.hop(k, chain, r, HopEnd, "jump to a chain that is not there")
		w.finish(k, None)
		return true
	}
	what := "jump " + to
	if to == r.Chain {
		what = w.text(r).jump
	}
	w.hop(k, chain, r, HopJump, what).To = to
	if leaving { // a goto does not come back: its caller's end is its own
		k.stack = k.stack[:len(k.stack)-1]
	}
	k.stack = append(k.stack, frame{chain: target, hops: k.hops})
	return false
}

// hop adds what a rule did, and gives it for what only some actions have.
func (w *walker) hop(k *walk, chain *Chain, r *Rule, did HopAction, what string) *Hop {
	chance := r.Probability
	switch {
	case len(r.More().Choices) > 0:
		chance = 1 / float64(len(r.More().Choices))
	case chance == 0:
		chance = 1
	}
	comment := cmp.Or(r.Comment, k.comment)
	k.comment = ""
	return w.add(k, Hop{
		Node: w.program.Node, Hook: k.at.point, Table: k.at.table, Chain: chain.Name,
		Rule: w.text(r).rule, Comment: comment, Action: did, What: what, Chance: chance, Evidence: model.Derived,
	})
}

// ruleText is a rule's text, and what its jump does in words.
type ruleText struct{ rule, jump string }

// text is a rule's text: outcomes share rules, and each is written once.
func (w *walker) text(r *Rule) ruleText {
	text, has := w.texts[r]
	if !has {
		text.rule = r.String()
		if r.Chain != "" {
			text.jump = "jump " + r.Chain
		}
		w.texts[r] = text
	}
	return text
}
