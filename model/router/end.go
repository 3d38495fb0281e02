package router

import (
	"fmt"
	"net/netip"
	"strings"

	"svctour/model"
	"svctour/model/path"
)

// walk asks about each hop.
func (b *builder) walk() {
	b.begin()
	hops := b.outcome.Hops
	switch {
	case hops[0].Action == path.HopEnd && b.sent.IsValid():
		b.iface(&hops[0])
	case hops[0].Action != path.HopEnd:
		b.start()
	}
	for i := range hops {
		h := &hops[i]
		b.enter(h)
		b.hop(i, h)
		b.packet.Mark = h.Mark
		if h.Action == path.HopDNAT {
			if to, err := netip.ParseAddrPort(h.To); err == nil {
				b.packet.Destination, b.packet.DNAT = to, true
			}
		}
	}
	b.ending()
}

// begin makes the packet as its client sends it.
func (b *builder) begin() {
	sent := &b.trace.Packet
	to := netAddr(sent.Destination)
	if d := b.outcome.Destination; !to.IsValid() && d != nil {
		to = netAddr(d.IP)
		if len(b.trace.Outcomes) > 1 {
			b.tell("DNS gives several addresses, and the client takes the first: %s.", to)
		}
	}
	b.sent = netip.AddrPortFrom(to, uint16(sent.Port))
	b.packet = path.PacketInfo{
		Source: netAddr(sent.Source), Destination: b.sent, Protocol: strings.ToLower(sent.Protocol), Interface: sent.Interface, State: "NEW",
	}
	b.node = sent.Node
}

// enter follows the packet to another node, whose rules see it as one that comes in.
func (b *builder) enter(h *path.Hop) {
	if d := b.outcome.Destination; h.Node == b.node || h.Node == "" || h.Action == path.HopArrive || h.Action == path.HopReply || d != nil && b.packet.DNAT {
		return
	}
	b.assumed = b.masked != nil && b.masked.Evidence == model.Unknown
	if b.masked != nil && b.packet.Source.IsValid() {
		if ip := path.NodeAddresses(b.snapshot, b.node, path.FamilyOf(b.sent.Addr())); len(ip) > 0 {
			b.packet.Source = ip[0]
		}
	}
	b.packet.Interface, b.packet.Mark = "", 0
	b.node, b.base, b.marked, b.masked = h.Node, "", "", nil
}

// hop asks about one hop.
func (b *builder) hop(i int, h *path.Hop) {
	if chain := b.chain(h); chain != nil && chain.Base {
		b.base = h.Table + " " + h.Chain
	}
	nat := b.base == "nat PREROUTING" || b.base == "nat OUTPUT" || strings.HasPrefix(b.base, path.NFTTable+" nat-") && h.Hook != "POSTROUTING"
	switch h.Action {
	case path.HopJump:
		if nat && b.trace.Mode != path.ModeIPVS {
			b.jump(i)
		} else if h.To == "KUBE-MARK-MASQ" {
			b.mark(h, ruleOf(b.chain(h), h))
		}
	case path.HopMark:
		b.mark(h, ruleOf(b.chain(h), h))
	case path.HopDNAT:
		b.rewrite(h)
	case path.HopMasquerade:
		b.masked = h
		if h.Table == "" && !b.packet.DNAT {
			b.tell("%s", model.Sentence(h.What))
		}
	case path.HopRoute:
		if strings.Contains(h.What, "no rule here changes it") {
			b.tell("No rule of %s changes it: routing sends it on, and the other node's rules see it.", h.Node)
		}
	case path.HopArrive:
		b.keeps(h)
		b.place(h)
	case path.HopReply:
		b.reply(h)
	case path.HopReject, path.HopDrop:
		b.verdict(i)
	}
}

func (b *builder) chain(h *path.Hop) *path.Chain {
	if h.Chain == "" || h.Table == ipvs || h.Table == "" {
		return nil
	}
	return b.program(h.Node).Chain(h.Table, h.Chain)
}

// keeps asks whether the source is rewritten on the node that decides.
func (b *builder) keeps(h *path.Hop) {
	if b.node == "" || !b.packet.DNAT || b.assumed || b.masked != nil && b.masked.Evidence == model.Unknown {
		return
	}
	source, own := b.source(), false
	for _, ip := range path.NodeAddresses(b.snapshot, b.node, path.FamilyOf(b.sent.Addr())) {
		own = own || ip == b.packet.Source
	}
	t := Turn{Kind: Source, Node: b.node, Hook: "POSTROUTING", Where: b.node + " · POSTROUTING"}
	t.Question = fmt.Sprintf("The packet leaves by POSTROUTING. What becomes of its source, %s?", source)
	mark := fmt.Sprintf("mark %#x", b.program(b.node).MasqueradeMark)
	keep := Option{Text: "It stays " + source, Effect: "keep"}
	taken := Option{Text: "It becomes " + b.node + "'s own address", Effect: "node " + b.node}
	if own { // the same to the endpoint
		keep.Effect = taken.Effect
	}
	right := keep
	t.Why = "No rule set " + mark + " on its way, and POSTROUTING masquerades only what is marked."
	taken.Wrong = t.Why
	switch {
	case b.masked != nil && b.masked.Table == "":
		right = taken
		t.Why = "The network plugin masquerades what a Pod sends out of the Pods' network."
	case b.masked != nil:
		right = taken
		t.Why = "It is masqueraded: the endpoint is to answer this node, which translates the reply back."
		if b.marked != "" {
			t.Why = fmt.Sprintf("It has %s, because %s: POSTROUTING masquerades it.", mark, b.marked)
		} else if strings.Contains(b.masked.Rule, "hairpin") || strings.Contains(b.masked.Rule, "KUBE-LOOP-BACK") {
			t.Why = "The Pod reaches itself: without masquerade it would answer itself, and the reply would never be translated."
		}
	}
	keep.Wrong = t.Why
	others := []Option{keep, taken}
	service := Option{Text: fmt.Sprintf("It becomes %s, where the client sent it", b.sent.Addr()), Effect: "service", Wrong: fmt.Sprintf("%s is the source of the reply. On the way to the endpoint masquerading takes the node's own address.", b.sent.Addr())}
	endpoint := Option{Text: fmt.Sprintf("It becomes %s, the endpoint's", b.packet.Destination.Addr()), Effect: "endpoint", Wrong: "DNAT wrote that as the destination. Masquerading takes the address of the node that does it."}
	if d := b.outcome.Destination; d != nil && d.Node != "" && d.Node != b.node {
		endpoint = Option{Text: "It becomes " + d.Node + "'s own address", Effect: "node " + d.Node, Wrong: fmt.Sprintf("%s only passes it on: the rules that decide stand on %s.", d.Node, b.node)}
	}
	if owner := b.sent.Addr(); b.snapshot.NodeByIP(owner.String()) == nil {
		others = append(others, service)
	}
	b.ask(t, right, append(others, endpoint,
		Option{Text: "It becomes kube-proxy's address", Effect: "kube-proxy", Wrong: "kube-proxy writes rules and is no hop: no packet goes through it."})...)
}

// verdict asks what the filter rules do with a packet that they end.
func (b *builder) verdict(i int) {
	h := &b.outcome.Hops[i]
	t := b.at(Verdict, h, h.Chain)
	t.Question = "A rule of " + h.Chain + " decides. What does it do with the packet?"
	if h.Table == ipvs {
		t.Question = "The virtual server has no real server. What does IPVS do with the packet?"
	}
	why := b.whyEnded(i)
	right := Option{Text: "REJECT: the client is sent an error", Effect: "reject"}
	other := Option{Text: "DROP: the packet is discarded", Effect: "drop", Wrong: "The rule that matches answers with an error: " + why + "."}
	if h.Action == path.HopDrop {
		right, other = other, right
		other.Wrong = "The rule that matches sends nothing back: " + why + "."
	}
	t.Why = "The rule that matches says so: " + why + "."
	b.ask(t, right, other,
		Option{Text: "No rule matches: it leaves " + h.Node + " as it is", Effect: "pass", Wrong: "A rule matches, and the packet's way ends here: " + why + "."},
		Option{Text: "ACCEPT: it goes on to an endpoint", Effect: "accept", Wrong: "It reaches no endpoint: " + why + "."})
}

// whyEnded is what the rule that ends the packet's way is for.
func (b *builder) whyEnded(i int) string {
	h := &b.outcome.Hops[i]
	at := h
	if h.Chain == "reject-chain" && i > 0 { // the map that led here says why
		at = &b.outcome.Hops[i-1]
	}
	switch {
	case h.Table == ipvs:
		return "the virtual server " + b.sent.String() + " has no real server"
	case strings.HasPrefix(h.Chain, "firewall-"):
		return "the source " + b.source() + " is not in loadBalancerSourceRanges"
	case strings.Contains(at.Rule, "@no-endpoint-") && h.Action == path.HopDrop:
		return at.Comment + " has no endpoint on this node"
	case strings.Contains(at.Rule, "@no-endpoint-"):
		return at.Comment + " has no endpoint"
	case strings.HasPrefix(at.Comment, "Reject ") || strings.HasPrefix(at.Comment, "Drop "):
		return "it is the rule to " + strings.ToLower(at.Comment[:1]) + at.Comment[1:]
	case at.Comment != "":
		return at.Comment
	}
	return "the rule is " + at.Rule
}

// ending asks what the client sees, where that is certain and not an answer.
func (b *builder) ending() {
	end := &b.outcome.End
	if end.Evidence == model.Unknown {
		return
	}
	right, why := "", ""
	switch end.Kind {
	case path.EndRejected:
		right, why = "refused", "The ICMP error reaches the client, and its connect fails at once."
	case path.EndClosed:
		right, why = "refused", "Nothing listens on the port, and the machine there refuses at once."
	case path.EndDropped:
		right, why = "timeout", "Nothing comes back: the client sends again and again, until its patience ends."
	case path.EndLost:
		if last := &b.outcome.Hops[len(b.outcome.Hops)-1]; last.Action != path.HopRoute {
			return
		}
		right, why = "timeout", "No machine has the address, and nothing comes back: the client waits until its time is up."
	case path.EndNoName, path.EndNoData:
		right, why = "name", "Without an address there is nothing to send a packet to."
	default:
		return
	}
	t := Turn{Kind: Ending, Where: "the client", Question: "What does the client see?", Why: why}
	if !b.sent.IsValid() {
		t.Packet = Packet{Source: b.trace.Packet.Source, Destination: b.trace.Target, Protocol: b.trace.Packet.Protocol}
	}
	options := []Option{
		{Text: "It is refused at once: connection refused", Effect: "refused", Wrong: "For that something has to answer: a rule with REJECT, or a machine where nothing listens. " + why},
		{Text: "It waits until its time is up: timed out", Effect: "timeout", Wrong: "It need not wait: it learns at once that it fails. " + why},
		{Text: "It could not resolve the host", Effect: "name", Wrong: "The name was found, or none was looked up: this fails later. " + why},
		{Text: "An answer from an endpoint", Effect: "answer", Wrong: "No packet reaches an endpoint. " + why},
	}
	for i := range options {
		if options[i].Effect == right {
			b.ask(t, options[i], options...)
		}
	}
}

// end tells how the way ended.
func (b *builder) end() string {
	e := &b.outcome.End
	where := b.short(e.Pod)
	switch {
	case e.Pod != "" && e.Node != "":
		where = "Pod " + where + " on node " + e.Node
	case e.Pod != "":
		where = "Pod " + where
	case e.Node != "":
		where = "node " + e.Node
	}
	switch what, arrives := strings.CutPrefix(e.What, "arrives"); {
	case arrives && strings.HasPrefix(what, " at "):
		return "The packet arrives" + what + " on " + where + "."
	case arrives && where != "":
		return "The packet arrives at " + where + what + "."
	case where == "":
		return model.Sentence(e.What)
	}
	return "At " + where + ": " + e.What + "."
}
