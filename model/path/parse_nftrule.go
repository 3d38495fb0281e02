package path

import (
	"net/netip"
	"strconv"
	"strings"
)

// nftRuleReader reads one rule's words; ok falls when one is not understood.
type nftRuleReader struct {
	tokens  []token
	rule    Rule
	sets    map[string]*Set
	family  Family
	xor     bool // the rule clears the mark
	counter Counter
	counted bool
	ok      bool
}

func (r *nftRuleReader) need(ok bool) { r.ok = r.ok && ok }

// is takes the words if they come next.
func (r *nftRuleReader) is(words ...string) bool {
	if len(r.tokens) < len(words) {
		return false
	}
	for i, w := range words {
		if !r.tokens[i].is(w) {
			return false
		}
	}
	r.tokens = r.tokens[len(words):]
	return true
}

// next takes what comes next; nothing makes the rule foreign.
func (r *nftRuleReader) next() token {
	if len(r.tokens) == 0 {
		r.ok = false
		return token{}
	}
	t := r.tokens[0]
	r.tokens = r.tokens[1:]
	return t
}

// word takes a word; anything else makes the rule foreign.
func (r *nftRuleReader) word() string {
	t := r.next()
	r.need(t.isWord())
	return t.text
}

// quoted takes a quoted text.
func (r *nftRuleReader) quoted() string {
	t := r.next()
	r.need(t.quoted)
	return t.text
}

func (r *nftRuleReader) number(bits int) uint64 {
	n, err := strconv.ParseUint(r.word(), 0, bits)
	r.need(err == nil)
	return n
}

func (r *nftRuleReader) port() uint16 { return uint16(r.number(16)) }

func (r *nftRuleReader) protocol() string {
	switch text := r.word(); text {
	case "tcp", "6": // by number with nft -n
		return "tcp"
	case "udp", "17":
		return "udp"
	case "sctp", "132":
		return "sctp"
	}
	r.ok = false
	return ""
}

func (r *nftRuleReader) address() netip.Addr {
	a, err := netip.ParseAddr(r.word())
	r.need(err == nil && a.Is4() == (r.family == IPv4) && a.Zone() == "")
	return a
}

// set takes the name of a set after its @.
func (r *nftRuleReader) set() string {
	name, ok := strings.CutPrefix(r.word(), "@")
	r.need(ok && r.sets[name] != nil)
	return name
}

// read reads the whole rule; false when it is foreign.
func (r *nftRuleReader) read() bool {
	rule := &r.rule
	for r.ok && len(r.tokens) > 0 {
		switch {
		case r.is("counter", "packets"):
			r.counter.Packets = r.number(64)
			r.need(r.is("bytes"))
			r.counter.Bytes = r.number(64)
			r.counted = true
		case r.is("comment"):
			rule.Comment = r.quoted()
			r.need(len(r.tokens) == 0)
		case rule.Action != ActionNone:
			r.ok = false // nothing comes after what kube-proxy's rules do
		case !r.match():
			r.action()
		}
	}
	m := rule.More()
	updates := m.Recent != "" && m.RecentSeconds == 0
	r.need(updates == (rule.Action == ActionNone))
	r.need((rule.Mark != 0) == r.xor && (!r.xor || rule.Action == ActionMasquerade))
	if rule.Action == ActionDrop { // in sets, as kube-proxy has written them
		if rule.NotSource && len(m.NotSources) == 0 {
			rule.own().NotSources = []netip.Prefix{rule.Source}
			rule.Source, rule.NotSource = netip.Prefix{}, false
		}
		if rule.Destination.IsValid() && !rule.NotDest && len(m.Destinations) == 0 {
			rule.own().Destinations = []netip.Prefix{rule.Destination}
			rule.Destination = netip.Prefix{}
		}
	}
	return r.ok
}

// match reads a match; false when none comes next. One that comes twice is
// foreign: a rule has one field for it.
func (r *nftRuleReader) match() bool {
	rule, m, ip := &r.rule, r.rule.More(), r.family.nft()
	switch {
	case r.is("ct", "state", "new"):
		r.need(m.CTState == "")
		rule.own().CTState = "NEW"
	case r.is("ct", "status", "dnat"):
		r.need(m.Hairpin == "" && r.is(ip, "saddr", ".", ip, "daddr", ".", "meta", "l4proto", ".", "th", "dport"))
		rule.own().Hairpin = r.set()
	case r.is("fib", "saddr", "type", "local"):
		rule.SourceLocal = true
	case r.is("fib", "daddr", "type", "local"):
		rule.DestLocal = true
	case r.is("iifname"):
		r.need(m.Interface == "")
		more := rule.own()
		more.NotInterf = r.is("!=")
		more.Interface = r.next().text
		if name, any := strings.CutSuffix(more.Interface, "*"); any {
			more.Interface = name + "+"
		}
	case r.is("meta", "mark", "!=", "0x00000000/1"):
		r.need(rule.Mark == 0)
		rule.Mark = 1 << 31
	case r.is("meta", "mark", "&"), r.is("meta", "mark", "and"):
		r.need(rule.Mark == 0)
		bits := uint32(r.number(32))
		equal := r.is("==")
		r.need(equal || r.is("!="))
		want := uint32(0)
		if equal {
			want = bits
		}
		r.need(bits != 0 && bits&(bits-1) == 0 && uint32(r.number(32)) == want)
		rule.Mark = bits
	case r.is(ip, "saddr"):
		r.source()
	case r.is(ip, "daddr"):
		r.destination()
	case r.is("meta", "l4proto"):
		if r.is(".", "th", "dport", "vmap") {
			rule.Action = ActionVMap
			more := rule.own()
			more.PortOnly, more.Lookup = true, r.set()
			break
		}
		r.need(rule.Protocol == "")
		rule.Protocol = r.protocol()
	default:
		return false
	}
	return true
}

// source reads what follows saddr.
func (r *nftRuleReader) source() {
	rule, m := &r.rule, r.rule.More()
	if len(r.tokens) > 0 && strings.HasPrefix(r.tokens[0].text, "@") {
		r.need(m.Recent == "")
		more := rule.own()
		if more.Recent = r.set(); r.ok {
			more.RecentSeconds = r.sets[more.Recent].Timeout
		}
		r.need(more.RecentSeconds > 0)
		return
	}
	r.need(!rule.Source.IsValid() && len(m.NotSources) == 0)
	not := r.is("!=")
	if list := r.prefixes(); len(list) == 1 {
		rule.Source, rule.NotSource = list[0], not
	} else {
		r.need(not)
		rule.own().NotSources = list
	}
}

// destination reads what follows daddr.
func (r *nftRuleReader) destination() {
	rule, m := &r.rule, r.rule.More()
	if r.is(".", "meta", "l4proto", ".", "th", "dport", "vmap") {
		rule.Action = ActionVMap
		rule.own().Lookup = r.set()
		return
	}
	if len(r.tokens) > 0 && strings.HasPrefix(r.tokens[0].text, "@") {
		r.need(m.DestinationSet == "")
		rule.own().DestinationSet = r.set()
		return
	}
	r.need(!rule.Destination.IsValid() && len(m.Destinations) == 0)
	not := r.is("!=")
	if list := r.prefixes(); len(list) == 1 {
		rule.Destination, rule.NotDest = list[0], not
	} else {
		r.need(!not)
		rule.own().Destinations = list
	}
}

// prefixes reads an address, a prefix, or a set of those and of ranges. nft
// keeps the braces of a set of which one prefix is left after merging: such a
// set has it twice.
func (r *nftRuleReader) prefixes() []netip.Prefix {
	if !r.is("{") {
		list := r.prefix()
		r.need(len(list) == 1)
		return list
	}
	var list []netip.Prefix
	for r.ok {
		list = append(list, r.prefix()...)
		if r.is("}") {
			break
		}
		r.need(r.is(","))
	}
	if len(list) == 1 {
		list = append(list, list[0])
	}
	return list
}

// prefix reads one element of a set of prefixes.
func (r *nftRuleReader) prefix() []netip.Prefix {
	text := r.word()
	var s span
	if p, err := netip.ParsePrefix(text); err == nil {
		s = span{p.Masked().Addr(), lastOf(p)}
	} else {
		first, last, ranged := strings.Cut(text, "-")
		if !ranged {
			last = first
		}
		var err1, err2 error
		s.first, err1 = netip.ParseAddr(first)
		s.last, err2 = netip.ParseAddr(last)
		r.need(err1 == nil && err2 == nil && s.first.Zone() == "" && s.last.Zone() == "")
	}
	r.need(s.first.Is4() == (r.family == IPv4) && s.first.BitLen() == s.last.BitLen() && !s.last.Less(s.first))
	if !r.ok {
		return nil
	}
	return s.prefixes()
}

// action reads what the rule does.
func (r *nftRuleReader) action() {
	rule, ip := &r.rule, r.family.nft()
	switch {
	case r.is("update"):
		r.need(rule.More().Recent == "")
		rule.own().Recent = r.set()
		r.need(r.is("{", ip, "saddr", "}"))
	case r.is("meta", "mark", "set", "meta", "mark"):
		or := r.is("|") || r.is("or")
		r.xor = !or
		r.need(rule.Set == 0 && (or || r.is("^") || r.is("xor")))
		rule.Set = uint32(r.number(32))
		r.need(rule.Set != 0)
		if or {
			rule.Action = ActionMarkOr
		}
	case r.is("jump"):
		rule.Action, rule.Chain = ActionJump, r.word()
	case r.is("goto"):
		rule.Action, rule.Chain = ActionGoto, r.word()
	case r.is("drop"):
		rule.Action = ActionDrop
	case r.is("accept"):
		rule.Action = ActionAccept
	case r.is("return"):
		rule.Action = ActionReturn
	case r.is("reject"):
		rule.Action = ActionReject
		if r.is("with") {
			r.need(r.is("icmp", "port-unreachable") || r.is("icmpv6", "port-unreachable"))
		}
	case r.is("masquerade"):
		rule.Action, rule.FullyRandom = ActionMasquerade, r.is("fully-random")
	case r.is("dnat", ip, "to", "numgen"), r.is("dnat", ip, "addr", ".", "port", "to", "numgen"):
		rule.Action = ActionDNAT
		r.choices("map")
	case r.is("dnat", "to"):
		to, err := netip.ParseAddrPort(r.word())
		r.need(err == nil && to.Port() != 0 && to.Addr().Zone() == "" && to.Addr().Is4() == (r.family == IPv4))
		rule.Action, rule.To = ActionDNAT, to
	case r.is("numgen"):
		rule.Action = ActionVMap
		r.choices("vmap")
	default:
		r.ok = false
	}
}

// choices reads "random mod N map { 0 : ADDRESS . PORT, … }" or
// "random mod N vmap { 0 : goto CHAIN, … }".
func (r *nftRuleReader) choices(kind string) {
	r.need(r.is("random", "mod"))
	n := int(r.number(31))
	r.need(r.is(kind, "{"))
	var list []Choice
	for r.ok {
		r.need(int(r.number(31)) == len(list) && r.is(":"))
		var c Choice
		if kind == "map" {
			address := r.address()
			r.need(r.is("."))
			c.To = netip.AddrPortFrom(address, r.port())
		} else {
			r.need(r.is("goto"))
			c.Chain = r.word()
		}
		list = append(list, c)
		if r.is("}") {
			break
		}
		r.need(r.is(","))
	}
	r.need(len(list) == n)
	r.rule.own().Choices = list
}
