package path

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// PrintNFT gives an nftables program as the commands with which kube-proxy
// would make it (sigs.k8s.io/knftables): the table, its sets and maps, its
// chains with their rules, and the elements. nft(8) -f takes it.
func PrintNFT(p *Program) string {
	var b strings.Builder
	for _, t := range p.Tables {
		in := p.Family.nft() + " " + t.Name
		fmt.Fprintf(&b, "add table %s { comment \"rules for kube-proxy\" ; }\n", in)
		for _, c := range t.Chains {
			fmt.Fprintf(&b, "add chain %s %s%s\n", in, c.Name, nftChainOptions(c.Name))
		}
		for _, s := range t.Sets {
			fmt.Fprintf(&b, "add %s %s %s {%s }\n", s.kind(), in, s.Name, s.options())
		}
		for _, c := range t.Chains {
			for i := range c.Rules {
				fmt.Fprintf(&b, "add rule %s %s %s\n", in, c.Name, c.Rules[i].Restore())
			}
		}
		for _, s := range t.Sets {
			for i := range s.Elements {
				fmt.Fprintf(&b, "add element %s %s { %s }\n", in, s.Name, s.Elements[i].String())
			}
		}
	}
	return b.String()
}

func nftChainOptions(name string) string {
	for _, b := range nftBaseChains {
		if b.name == name {
			return fmt.Sprintf(" { type %s hook %s priority %s ; }", b.kind, b.hook, b.priority)
		}
	}
	if name == "reject-chain" {
		return ` { comment "helper for @no-endpoint-services / @no-endpoint-nodeports" ; }`
	}
	return ""
}

func (s *Set) kind() string {
	if s.Map {
		return "map"
	}
	return "set"
}

func (s *Set) options() string {
	out := " type " + s.Type + " ;"
	if s.Timeout > 0 {
		out += fmt.Sprintf(" flags dynamic,timeout ; timeout %ds ;", s.Timeout)
	}
	if s.Comment != "" {
		out += " comment " + quote(s.Comment) + " ;"
	}
	return out
}

// String is the element as kube-proxy writes it (sigs.k8s.io/knftables,
// objects.go): KEY [comment "…"] [: VERDICT].
func (e *Element) String() string {
	var key []string
	if e.Source.IsValid() {
		key = append(key, e.Source.String())
	}
	if e.Address.IsValid() {
		key = append(key, e.Address.String())
	}
	if e.Protocol != "" {
		key = append(key, e.Protocol, strconv.Itoa(int(e.Port)))
	}
	out := strings.Join(key, " . ")
	if e.Comment != "" {
		out += " comment " + quote(e.Comment)
	}
	switch e.Action {
	case ActionGoto:
		out += " : goto " + e.Chain
	case ActionDrop:
		out += " : drop"
	}
	return out
}

func quote(text string) string { return `"` + text + `"` }

// spelling tells who writes a rule.
type spelling bool

const (
	asWritten spelling = false // kube-proxy, for nft to read
	asListed  spelling = true  // nft list
)

// nft is an nftables rule.
func (r *Rule) nft(as spelling) string {
	ip := "ip"
	if r.V6 {
		ip = "ip6"
	}
	var w []string
	add := func(words ...string) { w = append(w, words...) }
	if r.More().CTState != "" {
		add("ct state", strings.ToLower(r.More().CTState))
	}
	if r.More().DestinationSet != "" {
		add(ip, "daddr @"+r.More().DestinationSet)
	}
	if r.SourceLocal {
		add("fib saddr type local")
	}
	if r.DestLocal {
		add("fib daddr type local")
	}
	if r.Source.IsValid() {
		add(ip, "saddr", unless(r.NotSource)+prefixText(r.Source))
	}
	if r.More().Interface != "" {
		name := strings.Replace(r.More().Interface, "+", "*", 1)
		if as == asListed {
			name = quote(name)
		}
		add("iifname", unless(r.More().NotInterf)+name)
	}
	if r.Destination.IsValid() {
		add(ip, "daddr", unless(r.NotDest)+prefixText(r.Destination))
	}
	if len(r.More().Destinations) > 0 {
		add(ip, "daddr", as.prefixes(r.More().Destinations, ","))
	}
	if len(r.More().NotSources) > 0 {
		add(ip, "saddr !=", as.prefixes(r.More().NotSources, " , "))
	}
	if r.More().Recent != "" {
		if r.More().RecentSeconds > 0 {
			add(ip, "saddr @"+r.More().Recent)
		} else {
			add("update @"+r.More().Recent+" {", ip, "saddr }")
		}
	}
	if r.More().Hairpin != "" {
		add("ct status dnat", ip, "saddr .", ip, "daddr . meta l4proto . th dport @"+r.More().Hairpin)
	}
	if r.Protocol != "" {
		add("meta l4proto", r.Protocol)
	}
	add(r.nftVerdict(ip, as)...)
	out := strings.Join(w, " ")
	if r.Comment != "" {
		out += " comment " + quote(r.Comment)
	}
	return out
}

// nftVerdict is what the rule does.
func (r *Rule) nftVerdict(ip string, as spelling) []string {
	switch r.Action {
	case ActionJump:
		return []string{"jump", r.Chain}
	case ActionGoto:
		return []string{"goto", r.Chain}
	case ActionReject:
		return []string{"reject"}
	case ActionDrop:
		return []string{"drop"}
	case ActionAccept:
		return []string{"accept"}
	case ActionReturn:
		return []string{"return"}
	case ActionMarkOr:
		return []string{as.setMark("or", r.Set)}
	case ActionMasquerade:
		var out []string
		if r.Mark != 0 {
			out = []string{as.marked(r.Mark), as.setMark("xor", r.Set)}
		}
		out = append(out, "masquerade")
		if r.FullyRandom {
			out = append(out, "fully-random")
		}
		return out
	case ActionVMap:
		return r.nftLookup(ip, as)
	case ActionDNAT:
		if len(r.More().Choices) == 0 {
			return []string{"dnat to", r.To.String()}
		}
		texts := make([]string, len(r.More().Choices))
		for i, c := range r.More().Choices {
			texts[i] = fmt.Sprintf("%d : %s . %d", i, c.To.Addr(), c.To.Port())
		}
		to := "addr . port to"
		if as == asListed {
			to = "to"
		}
		return []string{"dnat", ip, to, "numgen random mod", strconv.Itoa(len(texts)), "map {", as.join(texts), "}"}
	}
	return nil
}

func (r *Rule) nftLookup(ip string, as spelling) []string {
	switch {
	case len(r.More().Choices) > 0:
		texts := make([]string, len(r.More().Choices))
		for i, c := range r.More().Choices {
			texts[i] = fmt.Sprintf("%d : goto %s", i, c.Chain)
		}
		return []string{"numgen random mod", strconv.Itoa(len(texts)), "vmap {", as.join(texts), "}"}
	case r.More().PortOnly:
		return []string{"meta l4proto . th dport vmap @" + r.More().Lookup}
	}
	return []string{ip, "daddr . meta l4proto . th dport vmap @" + r.More().Lookup}
}

func (as spelling) join(texts []string) string {
	if as == asListed {
		return strings.Join(texts, ", ")
	}
	return strings.Join(texts, " , ")
}

// marked matches packets that have all of the bits, of which there is one.
func (as spelling) marked(bits uint32) string {
	switch {
	case as == asWritten:
		return fmt.Sprintf("mark and %#08x != 0", bits)
	case bits == 1<<31: // a mask from the top down is a prefix to nft
		return "meta mark != 0x00000000/1"
	}
	return fmt.Sprintf("meta mark & 0x%08x != 0x00000000", bits)
}

func (as spelling) setMark(how string, bits uint32) string {
	if as == asWritten {
		return fmt.Sprintf("mark set mark %s %#08x", how, bits)
	}
	return fmt.Sprintf("meta mark set meta mark %s 0x%08x", map[string]string{"or": "|", "xor": "^"}[how], bits)
}

// prefixes is an anonymous set of addresses.
func (as spelling) prefixes(list []netip.Prefix, comma string) string {
	if as == asWritten {
		return "{ " + strings.Join(prefixTexts(list), comma) + " }"
	}
	ranges := merged(list)
	texts := make([]string, len(ranges))
	for i, r := range ranges {
		texts[i] = r.String()
	}
	if len(list) == 1 {
		return texts[0]
	}
	return "{ " + strings.Join(texts, ", ") + " }"
}

func unless(not bool) string {
	if not {
		return "!= "
	}
	return ""
}

// prefixText is a prefix as nft has it: a single address without its length.
func prefixText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

func prefixTexts(prefixes []netip.Prefix) []string {
	out := make([]string, len(prefixes))
	for i, p := range prefixes {
		out[i] = prefixText(p)
	}
	return out
}
