package path

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// PrintNFT gives an nftables program as the commands with which kube-proxy
// would make it (sigs.k8s.io/knftables): the table, its sets and maps, its
// chains with their rules, and the elements. nft -f takes it.
func PrintNFT(p *Program) string {
	var b strings.Builder
	family := "ip"
	if p.Family == IPv6 {
		family = "ip6"
	}
	for _, t := range p.Tables {
		in := family + " " + t.Name
		fmt.Fprintf(&b, "add table %s { comment \"rules for kube-proxy\" ; }\n", in)
		for _, c := range t.Chains {
			fmt.Fprintf(&b, "add chain %s %s%s\n", in, c.Name, nftChainOptions(c.Name))
		}
		for _, s := range t.Sets {
			fmt.Fprintf(&b, "add %s %s %s {%s }\n", s.kind(), in, s.Name, s.options())
		}
		for _, c := range t.Chains {
			for i := range c.Rules {
				fmt.Fprintf(&b, "add rule %s %s %s\n", in, c.Name, c.Rules[i].nft())
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

// String is the element as kube-proxy writes it: KEY [comment "…"] [: VERDICT].
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

// nft is an nftables rule in kube-proxy's own spelling.
func (r *Rule) nft() string {
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
		add("iifname", unless(r.More().NotInterf)+strings.Replace(r.More().Interface, "+", "*", 1))
	}
	if r.Destination.IsValid() {
		add(ip, "daddr", unless(r.NotDest)+prefixText(r.Destination))
	}
	if len(r.More().Destinations) > 0 {
		add(ip, "daddr {", strings.Join(prefixTexts(r.More().Destinations), ","), "}")
	}
	if len(r.More().NotSources) > 0 {
		add(ip, "saddr != {", strings.Join(prefixTexts(r.More().NotSources), " , "), "}")
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
	add(r.nftVerdict(ip)...)
	out := strings.Join(w, " ")
	if r.Comment != "" {
		out += " comment " + quote(r.Comment)
	}
	return out
}

// nftVerdict is what the rule does.
func (r *Rule) nftVerdict(ip string) []string {
	mark := func(bits uint32) string { return fmt.Sprintf("%#08x", bits) }
	switch r.Action {
	case ActionJump:
		return []string{"jump", r.Chain}
	case ActionGoto:
		return []string{"goto", r.Chain}
	case ActionReject:
		return []string{"reject"}
	case ActionDrop:
		return []string{"drop"}
	case ActionMarkOr:
		return []string{"mark set mark or", mark(r.Set)}
	case ActionMasquerade:
		if r.Mark != 0 {
			return []string{"mark and", mark(r.Mark), "!= 0 mark set mark xor", mark(r.Set), "masquerade fully-random"}
		}
		return []string{"masquerade fully-random"}
	case ActionVMap:
		return r.nftLookup(ip)
	case ActionDNAT:
		if len(r.More().Choices) == 0 {
			return []string{"dnat to", r.To.String()}
		}
		texts := make([]string, len(r.More().Choices))
		for i, c := range r.More().Choices {
			texts[i] = fmt.Sprintf("%d : %s . %d", i, c.To.Addr(), c.To.Port())
		}
		return []string{"dnat", ip, "addr . port to numgen random mod", strconv.Itoa(len(texts)), "map {", strings.Join(texts, " , "), "}"}
	}
	return nil
}

func (r *Rule) nftLookup(ip string) []string {
	switch {
	case len(r.More().Choices) > 0:
		texts := make([]string, len(r.More().Choices))
		for i, c := range r.More().Choices {
			texts[i] = fmt.Sprintf("%d : goto %s", i, c.Chain)
		}
		return []string{"numgen random mod", strconv.Itoa(len(texts)), "vmap {", strings.Join(texts, " , "), "}"}
	case r.More().PortOnly:
		return []string{"meta l4proto . th dport vmap @" + r.More().Lookup}
	}
	return []string{ip, "daddr . meta l4proto . th dport vmap @" + r.More().Lookup}
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
