package router

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"

	"svctour/model/path"
)

// endpoint asks which rule of a chain, or element of a map, a random choice takes.
func (b *builder) endpoint(h *path.Hop, chain *path.Chain, right *path.Rule) {
	if len(right.More().Choices) > 0 {
		b.element(h, chain, right)
		return
	}
	t := b.at(Endpoint, h, chain.Name)
	at := slices.Index(chain.Rules, right)
	var others []candidate
	var drawn []string
	for i, r := range chain.Rules {
		why, matches := b.judge().Match(r, &b.packet)
		draw := 0.0
		if matches && r.Random() && i <= at {
			draw = b.draw(r.Probability, i == at)
			t.Draws = append(t.Draws, draw)
			drawn = append(drawn, number(draw))
		}
		switch {
		case i == at:
			continue
		case matches && !toEndpoint(r):
			continue // it marks, and the next rule follows
		case !matches:
			why = b.mismatch(r, why)
		case i > at:
			why = "That would be so with other draws. Here a rule before it takes the packet, and this one is never asked."
		default:
			why = fmt.Sprintf("Its draw is %s, not below its probability %.5f: the next rule is asked.", number(draw), r.Probability)
		}
		others = append(others, candidate{100*btoi(toEndpoint(r)) - abs(i-at), func() Option {
			return b.leads(optionOf(chain, r, why), h.Table, r)
		}})
	}
	t.Question = fmt.Sprintf("Which rule of %s takes the packet?", chain.Name)
	switch {
	case right.More().RecentSeconds > 0:
		t.Why = "The client was seen at this endpoint lately, and session affinity sends it there again."
	case len(drawn) == 0:
		t.Why = fmt.Sprintf("The only endpoint's rule of %s asks for nothing: every packet is taken.", chain.Name)
	default:
		t.Question = fmt.Sprintf("Each rule with a probability draws a number from 0 to 1: %s. Which rule of %s takes the packet?", strings.Join(drawn, ", then "), chain.Name)
		t.Why = fmt.Sprintf("Its draw %s is below its probability %.5f.", drawn[len(drawn)-1], right.Probability)
		if !right.Random() {
			t.Why = "No draw was low enough, and the last rule has no probability: it takes what is left."
		}
	}
	b.askOne(t, b.leads(optionOf(chain, right, ""), h.Table, right), best(others), Option{
		Text: "None: " + chain.Name + " ends, and the packet goes on as it is", Effect: none,
		Wrong: "The last rule has no probability: what the others leave, it takes.",
	})
}

// leads adds where the chain of an endpoint leads: its effect is that.
func (b *builder) leads(o Option, table string, r *path.Rule) Option {
	if to := b.rewritten(table, r.Chain); to.IsValid() {
		o.Text += " (" + to.String() + ")"
		o.Effect = "to " + to.String()
	}
	return o
}

// rewritten is the destination that the DNAT of a chain writes.
func (b *builder) rewritten(table, chain string) netip.AddrPort {
	if c := b.program(b.node).Chain(table, chain); c != nil {
		for _, r := range c.Rules {
			if r.Action == path.ActionDNAT {
				return r.To
			}
		}
	}
	return netip.AddrPort{}
}

// draw is a number below p, or from p up, with few digits.
func (b *builder) draw(p float64, below bool) float64 {
	scale := 100.0
	for p*scale < 3 {
		scale *= 100
	}
	limit := int(math.Ceil(p*scale)) - 1 // the largest that is below
	if below {
		return float64(b.rng.IntN(limit+1)) / scale
	}
	return float64(limit+1+b.rng.IntN(int(scale)-limit-1)) / scale
}

// element asks which element of numgen's map a draw takes.
func (b *builder) element(h *path.Hop, chain *path.Chain, right *path.Rule) {
	choices := right.More().Choices
	to := func(c path.Choice) netip.AddrPort {
		if c.To.IsValid() {
			return c.To
		}
		return b.rewritten(h.Table, c.Chain)
	}
	text := func(i int) string {
		if choices[i].To.IsValid() {
			return fmt.Sprintf("%d : %s . %d", i, choices[i].To.Addr(), choices[i].To.Port())
		}
		return fmt.Sprintf("%d : goto %s", i, choices[i].Chain)
	}
	at := slices.IndexFunc(choices, func(c path.Choice) bool {
		return c.To.IsValid() && c.To.String() == h.To || c.Chain != "" && c.Chain == h.To
	})
	if at < 0 {
		return
	}
	t := b.at(Endpoint, h, chain.Name)
	t.Draws = []float64{float64(at)}
	t.Question = fmt.Sprintf("numgen random mod %d gives %d. Which element of its map is taken?", len(choices), at)
	t.Why = fmt.Sprintf("numgen gives one of the numbers from 0 to %d, each as often as any: %d is this element's.", len(choices)-1, at)
	option := func(i int, wrong string) Option {
		return Option{Text: text(i), Wrong: wrong, Effect: "to " + to(choices[i]).String(), Chain: chain.Name, Rule: right.String()}
	}
	var others []candidate
	for i := range choices {
		if i != at {
			others = append(others, candidate{-abs(i - at), func() Option {
				return option(i, fmt.Sprintf("That is the element of %d, and numgen gave %d.", i, at))
			}})
		}
	}
	b.askOne(t, option(at, ""), best(others), Option{
		Text: "None: the packet goes on as it is", Effect: none,
		Wrong: fmt.Sprintf("numgen gives no other numbers than 0 to %d, and the map has an element for each.", len(choices)-1),
	})
}

// rewrite asks for the destination after DNAT, and before that for what IPVS or
// numgen chose.
func (b *builder) rewrite(h *path.Hop) {
	if h.Table == ipvs {
		b.served = true
		b.server(h)
	} else if rule := ruleOf(b.program(b.node).Chain(h.Table, h.Chain), h); rule != nil && len(rule.More().Choices) > 0 {
		b.element(h, b.program(b.node).Chain(h.Table, h.Chain), rule)
	}
	to, err := netip.ParseAddrPort(h.To)
	if err != nil {
		return
	}
	before := b.packet.Destination
	t := b.at(Destination, h, h.Chain)
	t.Question = "What is the packet's destination after DNAT?"
	t.Why = fmt.Sprintf("The endpoint is %s: DNAT writes its address and its port, which is the Service's targetPort.", to)
	option := func(a netip.AddrPort, wrong string, args ...any) Option {
		return Option{Text: a.String(), Effect: "to " + a.String(), Wrong: fmt.Sprintf(wrong, args...)}
	}
	others := []Option{
		option(netip.AddrPortFrom(to.Addr(), before.Port()), "%d is the port that the client used. Endpoints have the targetPort: DNAT writes %d.", before.Port(), to.Port()),
		option(before, "DNAT changes the destination: with %s it would reach no Pod.", before),
		option(netip.AddrPortFrom(before.Addr(), to.Port()), "DNAT writes the endpoint's address as well as its port."),
	}
	for i := range b.trace.Outcomes {
		if d := b.trace.Outcomes[i].Destination; d != nil && len(others) < 5 {
			if ip := netAddr(d.IP); ip.IsValid() {
				others = append(others, option(netip.AddrPortFrom(ip, uint16(d.Port)), "That is another endpoint, which this packet was not sent to."))
			}
		}
	}
	for _, ip := range path.NodeAddresses(b.snapshot, b.node, path.FamilyOf(to.Addr())) {
		others = append(others, option(netip.AddrPortFrom(ip, to.Port()), "%s is the address of node %s. DNAT writes the endpoint's own.", ip, b.node))
	}
	b.ask(t, option(to, ""), others...)
}

// ipvs is the table of hops that IPVS does.
const ipvs = "ipvs"

// server asks which virtual server takes the packet, and which real server it
// gives it to.
func (b *builder) server(h *path.Hop) {
	p := b.program(b.node)
	var taken *path.VirtualServer
	var others []candidate
	for _, e := range p.Servers.Elements {
		v := e.Server
		if v.Address == b.packet.Destination && v.Protocol == b.packet.Protocol {
			taken = v
			continue
		}
		at := v.Address
		others = append(others, candidate{b.fits(netip.PrefixFrom(at.Addr(), at.Addr().BitLen()), v.Protocol, at.Port()), func() Option {
			return virtual(v, b.elsewhere(at.Addr(), v.Protocol, at.Port(), ""))
		}})
	}
	if taken == nil {
		return
	}
	t := b.at(Rule, h, ipvs)
	t.Question = "IPVS stands in hook " + h.Hook + ". Which virtual server takes the packet?"
	t.Why = fmt.Sprintf("It is for %s.", b.to())
	b.askOne(t, virtual(taken, ""), best(others), Option{
		Text: "None: it is delivered to the node itself", Effect: none, Wrong: "A virtual server has this address, protocol and port.",
	})
	b.real(h, taken)
}

func virtual(v *path.VirtualServer, wrong string) Option {
	return Option{Text: v.String(), Wrong: wrong, Effect: "server " + v.Protocol + " " + v.Address.String(), Chain: ipvs, Rule: v.String()}
}

// real asks which real server of a virtual one takes the packet.
func (b *builder) real(h *path.Hop, v *path.VirtualServer) {
	at := slices.IndexFunc(v.Real, func(a netip.AddrPort) bool { return a.String() == h.To })
	if at < 0 {
		return
	}
	t := b.at(Endpoint, h, h.Chain)
	t.Draws = []float64{float64(at)}
	t.Question = fmt.Sprintf("Scheduler %s is at the %s of %d real servers. Which one takes the packet?", v.Scheduler, ordinal(at+1), len(v.Real))
	t.Why = fmt.Sprintf("%s is the %s.", v.Real[at], ordinal(at+1))
	option := func(i int, wrong string) Option {
		return Option{Text: fmt.Sprintf("-> %s", v.Real[i]), Effect: "to " + v.Real[i].String(), Wrong: wrong, Chain: h.Chain, Rule: h.Rule}
	}
	var others []candidate
	for i := range v.Real {
		if i != at {
			others = append(others, candidate{-abs(i - at), func() Option {
				return option(i, fmt.Sprintf("That is the %s: another connection's turn.", ordinal(i+1)))
			}})
		}
	}
	b.askOne(t, option(at, ""), best(others), Option{
		Text: "None: IPVS refuses the client", Effect: "reject", Wrong: "IPVS refuses a client only when there is no real server.",
	})
}

func abs(n int) int { return max(n, -n) }

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
