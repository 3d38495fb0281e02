package path

import (
	"fmt"
	"strconv"
	"strings"

	"svctour/model"
)

// maxPassed bounds the rules that are kept one by one between two hops.
const maxPassed = 64

// pass keeps a rule that did not match, and why.
func (w *walker) pass(k *walk, chain *Chain, r *Rule, why Reason) {
	if why == elsewhere || k.passes() >= maxPassed {
		k.passGroup(chain, 1)
		return
	}
	k.hops = &hopList{passed: &Passed{Chain: chain.Name, Rule: w.text(r).rule, Why: r.why(&k.PacketInfo, why)}, before: k.hops}
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

// why puts the reason why the rule does not match a packet into words.
func (r *Rule) why(p *PacketInfo, why Reason) string {
	source := "the source " + p.Source.String()
	if !p.Source.IsValid() {
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
		return "the destination " + p.Destination.Addr().String() + " is not an address of this node"
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
	n := len(r.More().Choices)
	if n == 0 {
		return w.do(k, chain, r, r.Apply(&k.PacketInfo, w, 0))
	}
	k.chance /= float64(n)
	for i := n - 1; i > 0 && w.steps <= maxSteps; i-- { // k takes the first choice
		w.steps++
		if other := k.branch(); !w.do(other, chain, r, r.Apply(&other.PacketInfo, w, i)) {
			w.pending = append(w.pending, other)
		}
	}
	return w.do(k, chain, r, r.Apply(&k.PacketInfo, w, 0))
}

// do follows what a rule did; true when the packet's way is over.
func (w *walker) do(k *walk, chain *Chain, r *Rule, e Effect) bool {
	at := ruleAt{chain, r, e.Comment}
	switch e.Action {
	case ActionJump, ActionGoto:
		return w.jump(k, at, e)
	case ActionReturn:
		if len(k.stack) > 1 && k.stack[len(k.stack)-1].chain.Name == "KUBE-POSTROUTING" && k.DNAT {
			w.hop(k, at, HopReturn, "not marked: the source stays (RETURN)")
		}
		w.leave(k, true)
	case ActionMarkOr:
		w.hop(k, at, HopMark, fmt.Sprintf("set mark %#x: masquerade later", r.Set))
	case ActionMarkXor:
		w.hop(k, at, HopUnmark, fmt.Sprintf("clear mark %#x", r.Set))
	case ActionMasquerade:
		k.masquerade = true
		w.hop(k, at, HopMasquerade, "masquerade: source becomes node's address")
		w.passed(k)
	case ActionDNAT:
		w.hop(k, at, HopDNAT, "DNAT to "+e.To.String()).To = e.To.String()
		w.passed(k)
	case ActionAccept:
		w.hop(k, at, HopAccept, "accept")
		w.passed(k)
	case ActionReject:
		w.hop(k, at, HopReject, "reject: the client is refused at once")
		w.finish(k, Reject)
		return true
	case ActionDrop:
		w.hop(k, at, HopDrop, "drop: the client waits in vain")
		w.finish(k, Drop)
		return true
	}
	return false
}

// jump enters the chain of a jump or goto; true when it is not there.
func (w *walker) jump(k *walk, at ruleAt, e Effect) bool {
	target := w.program.Chain(k.at.table, e.Chain)
	if target == nil || len(k.stack) >= maxDepth {
		w.hop(k, at, HopEnd, "jump to a chain that is not there")
		w.finish(k, None)
		return true
	}
	what := "jump " + e.Chain
	if e.Chain == at.rule.Chain {
		what = w.text(at.rule).jump
	}
	w.hop(k, at, HopJump, what).To = e.Chain
	if e.Action == ActionGoto { // it does not come back: its caller's end is its own
		k.stack = k.stack[:len(k.stack)-1]
	}
	k.stack = append(k.stack, frame{chain: target, hops: k.hops})
	return false
}

// ruleAt is a rule, where it stands, and what is written beside it.
type ruleAt struct {
	chain   *Chain
	rule    *Rule
	comment string
}

// hop adds what a rule did, and gives it for what only some actions have.
func (w *walker) hop(k *walk, at ruleAt, did HopAction, what string) *Hop {
	chance := at.rule.Probability
	switch n := len(at.rule.More().Choices); {
	case n > 0:
		chance = 1 / float64(n)
	case chance == 0:
		chance = 1
	}
	return w.add(k, Hop{
		Node: w.program.Node, Hook: k.at.point, Table: k.at.table, Chain: at.chain.Name,
		Rule: w.text(at.rule).rule, Comment: at.comment, Action: did, What: what, Chance: chance, Evidence: model.Derived,
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
