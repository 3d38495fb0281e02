package router

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"svctour/model/path"
)

// none is the option that nothing in a chain matches.
const none = "none"

// jump asks which rule of a chain sends the packet on. Where a rule sends it into
// a chain in which nothing matches, that is asked as well.
func (b *builder) jump(i int) {
	h := &b.outcome.Hops[i]
	chain := b.program(b.node).Chain(h.Table, h.Chain)
	rule := ruleOf(chain, h)
	switch {
	case rule == nil || h.To == "KUBE-MARK-MASQ":
		b.mark(h, rule)
		return
	case chain.Base:
	case toEndpoint(rule):
		b.endpoint(h, chain, rule)
		return
	default:
		b.rule(h, chain, rule)
	}
	if !b.decided(i) {
		in := *h
		in.Chain = h.To
		b.rule(&in, b.program(b.node).Chain(h.Table, h.To), nil)
	}
}

// decided says whether a rule of the chain that hop i leads to sends the packet on.
func (b *builder) decided(i int) bool {
	to := b.outcome.Hops[i].To
	for _, h := range b.outcome.Hops[i+1:] {
		marks := h.Action == path.HopMark || h.To == "KUBE-MARK-MASQ"
		if h.Chain == to && !marks {
			return true
		}
		if !marks {
			return false
		}
	}
	return false
}

// toEndpoint says whether a rule is one of those that choose an endpoint.
func toEndpoint(r *path.Rule) bool {
	return len(r.More().Choices) > 0 || strings.HasPrefix(r.Chain, "KUBE-SEP-") || strings.HasPrefix(r.Chain, "endpoint-")
}

// ruleOf finds the rule of a hop; nil when there is none.
func ruleOf(c *path.Chain, h *path.Hop) *path.Rule {
	if c == nil {
		return nil
	}
	i := slices.IndexFunc(c.Rules, func(r *path.Rule) bool { return r.String() == h.Rule })
	if i < 0 {
		return nil
	}
	return c.Rules[i]
}

// mark remembers why a packet is marked for masquerade.
func (b *builder) mark(h *path.Hop, rule *path.Rule) {
	if rule == nil {
		return
	}
	why := brief(rule)
	switch {
	case rule.NotSource:
		why = b.source() + " is not in " + rule.Source.String()
	case rule.More().NotInterf:
		why = "it came in by another interface than " + rule.More().Interface
	case rule.Source.IsValid():
		why = "it goes back to the Pod that sent it"
	case rule.SourceLocal:
		why = "it comes from this node itself"
	case strings.HasPrefix(h.Chain, "KUBE-EXT-") || strings.HasPrefix(h.Chain, "external-"):
		why = "it came to an external address or a nodePort of the Service"
	case h.Action == path.HopMark && h.Chain == "KUBE-MARK-MASQ":
		return
	}
	b.marked = why
	b.tell("%s marks it %#x: %s.", h.Chain, b.program(b.node).MasqueradeMark, why)
}

// rule asks which rule of a chain matches; right is nil when none does.
func (b *builder) rule(h *path.Hop, chain *path.Chain, right *path.Rule) {
	if chain == nil {
		return
	}
	t := b.at(Rule, h, chain.Name)
	what := "rule of "
	if b.trace.Mode == path.ModeNFTables {
		what = "rule, or element of a map, of chain "
	}
	t.Question = fmt.Sprintf("Which %s%s sends this packet on?", what, chain.Name)
	if b.visited[chain] {
		t.Question = fmt.Sprintf("Nothing took it, and it comes back to %s. Which rule sends it on now?", chain.Name)
	}
	b.visited[chain] = true
	answer := Option{Text: "No rule matches: " + chain.Name + " ends", Effect: none, Wrong: "One of the others matches: all that it asks for is so."}
	var others []Option
	element := (*path.Element)(nil)
	if right == nil {
		t.Why = fmt.Sprintf("%s has no rule for %s that sends it on.", chain.Name, b.to())
	} else {
		others = append(others, answer)
		answer = optionOf(chain, right, "")
		t.Why = fmt.Sprintf("Everything that the rule asks for is so, and the packet goes on in %s.", h.To)
		if element = b.judge().Found(right, &b.packet); element != nil {
			answer = elementOption(right.More().Lookup, element, "")
			t.Why = fmt.Sprintf("The map %s has an element for %s: the packet goes on in %s.", right.More().Lookup, b.to(), h.To)
		}
	}
	b.askOne(t, answer, best(b.neighbours(chain, right)), others...)
}

// to is the packet's destination in words.
func (b *builder) to() string {
	return strings.ToUpper(b.packet.Protocol) + " to " + b.packet.Destination.String()
}

// candidate is a wrong option to be made, and how plausible it is.
type candidate struct {
	fits   int
	option func() Option
}

// best makes the most plausible options, some more than a turn has: a few may be
// the same in effect.
func best(list []candidate) []Option {
	slices.SortStableFunc(list, func(x, y candidate) int { return cmp.Compare(y.fits, x.fits) })
	var out []Option
	for _, c := range list[:min(len(list), 4*maxOptions)] {
		out = append(out, c.option())
	}
	return out
}

// neighbours are the rules of a chain that do not match, and the elements of its
// maps that do not either.
func (b *builder) neighbours(chain *path.Chain, right *path.Rule) []candidate {
	var list []candidate
	for _, r := range chain.Rules {
		why, matches := b.judge().Match(r, &b.packet)
		if r.More().Lookup != "" {
			list = append(list, b.elements(r, why, matches)...)
		}
		if r == right || matches || r.Action == path.ActionNone {
			continue
		}
		list = append(list, candidate{b.fits(r.Destination, r.Protocol, r.Port), func() Option { return optionOf(chain, r, b.mismatch(r, why)) }})
	}
	return list
}

// fits counts what a rule asks for and the packet has.
func (b *builder) fits(to netip.Prefix, protocol string, port uint16) int {
	n := 0
	if to.IsValid() && to.Contains(b.packet.Destination.Addr()) {
		n += 2
	}
	if protocol != "" && protocol == b.packet.Protocol {
		n++
	}
	if port != 0 && port == b.packet.Destination.Port() {
		n += 2
	}
	return n
}

func optionOf(chain *path.Chain, r *path.Rule, wrong string) Option {
	return Option{Text: brief(r), Wrong: wrong, Effect: effect(r.Action, cmp.Or(r.Chain, r.More().Lookup)), Chain: chain.Name, Rule: r.String()}
}

// effect is what a rule or an element does: two that do the same are one to the packet.
func effect(action path.Action, chain string) string {
	if chain != "" {
		return "go to " + chain
	}
	return string(action)
}

func elementOption(in string, e *path.Element, wrong string) Option {
	text := e.String()
	if e.Comment != "" {
		text = strings.Replace(text, ` comment "`+e.Comment+`"`, "", 1)
	}
	return Option{Text: text, Wrong: wrong, Effect: effect(e.Action, e.Chain), Chain: in, Rule: e.String()}
}

// elements are those of a rule's map that are not the packet's: all of them, when
// the rule itself does not match.
func (b *builder) elements(r *path.Rule, why string, matches bool) []candidate {
	set := b.program(b.node).Tables[0].Set(r.More().Lookup)
	if set == nil {
		return nil
	}
	found := b.judge().Found(r, &b.packet)
	var out []candidate
	for _, e := range set.Elements {
		if e == found && matches {
			continue
		}
		var to netip.Prefix
		if e.Address.IsValid() {
			to = netip.PrefixFrom(e.Address, e.Address.BitLen())
		}
		out = append(out, candidate{b.fits(to, e.Protocol, e.Port), func() Option {
			return elementOption(set.Name, e, b.notElement(e, e == found, why))
		}})
	}
	return out
}

// notElement says why an element is not the packet's.
func (b *builder) notElement(e *path.Element, found bool, why string) string {
	text := fmt.Sprintf("That element is for %s: the packet is %s.", elementKey(e), b.to())
	switch {
	case found:
		return "The map is not asked for this packet: " + why + "."
	case e.Address.IsValid():
		return b.elsewhere(e.Address, e.Protocol, e.Port, text)
	}
	return text
}

func elementKey(e *path.Element) string {
	if e.Address.IsValid() {
		return strings.ToUpper(e.Protocol) + " to " + netip.AddrPortFrom(e.Address, e.Port).String()
	}
	return fmt.Sprintf("%s nodePort %d", strings.ToUpper(e.Protocol), e.Port)
}

// mismatch says why a rule does not match, as exactly as it can be told.
func (b *builder) mismatch(r *path.Rule, why string) string {
	switch to := b.packet.Destination; {
	case r.Destination.IsSingleIP() && !r.NotDest:
		return b.elsewhere(r.Destination.Addr(), r.Protocol, r.Port, "The packet passes it by: "+why+".")
	case r.Protocol != "" && r.Protocol != b.packet.Protocol:
		return fmt.Sprintf("That rule is for %s, and the packet is %s: it passes by.", strings.ToUpper(r.Protocol), strings.ToUpper(b.packet.Protocol))
	case r.Port != 0 && r.Port != to.Port():
		return fmt.Sprintf("That rule is for port %d, and the packet goes to port %d: it passes by.", r.Port, to.Port())
	case r.More().Lookup != "" && strings.HasPrefix(why, "the map"):
		return fmt.Sprintf("The map %s has no element for %s: the packet passes by.", r.More().Lookup, b.to())
	}
	return "The packet passes it by: " + why + "."
}

// elsewhere says that an address, protocol and port are not the packet's.
func (b *builder) elsewhere(ip netip.Addr, protocol string, port uint16, otherwise string) string {
	whose := ""
	if svc := b.owner(ip); svc != nil {
		whose = ", Service " + b.short(svc.Key()) + "'s"
	}
	switch to := b.packet.Destination; {
	case ip != to.Addr():
		return fmt.Sprintf("That is for %s%s: this packet goes to %s and passes it by.", netip.AddrPortFrom(ip, port), whose, to)
	case protocol != "" && protocol != b.packet.Protocol:
		return fmt.Sprintf("That is for %s, and this packet is %s: it passes by.", strings.ToUpper(protocol), strings.ToUpper(b.packet.Protocol))
	case port != 0 && port != to.Port():
		return fmt.Sprintf("That is for port %d, and this packet goes to port %d: it passes by.", port, to.Port())
	}
	return otherwise
}
