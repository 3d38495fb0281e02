package path

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// nftPriorities is how nft list prints the priorities of kube-proxy's base
// chains: by name where the hook has one (nft(8), "Standard priority names").
var nftPriorities = map[string]string{
	"prerouting -110": "dstnat - 10", "prerouting -100": "dstnat", "postrouting 100": "srcnat",
	"input 0": "filter", "forward 0": "filter", "output 0": "filter",
}

// ListNFT gives an nftables program as `nft list table ip kube-proxy` prints it
// (nft(8)) once kube-proxy has written it (nftables 1.0.6, held against the
// tool in test/oracle). The elements of sets are in the program's order; nft's
// is that of the kernel's hash tables.
func ListNFT(p *Program) string {
	var b strings.Builder
	for _, t := range p.Tables {
		fmt.Fprintf(&b, "table %s %s {\n\tcomment \"rules for kube-proxy\"\n", p.Family.nft(), t.Name)
		between := ""
		for _, s := range t.Sets {
			fmt.Fprintf(&b, "%s\t%s %s {\n%s\t}\n", between, s.kind(), s.Name, s.listed())
			between = "\n"
		}
		for _, c := range t.Chains {
			fmt.Fprintf(&b, "%s\tchain %s {\n", between, c.Name)
			between = "\n"
			if line := c.declared(); line != "" {
				fmt.Fprintf(&b, "\t\t%s\n", line)
			}
			for _, r := range c.Rules {
				fmt.Fprintf(&b, "\t\t%s\n", r)
			}
			b.WriteString("\t}\n")
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// nft is the family's name in nftables.
func (f Family) nft() string {
	if f == IPv6 {
		return "ip6"
	}
	return "ip"
}

// declared is what nft prints of a chain before its rules; "" for most.
func (c *Chain) declared() string {
	for _, b := range nftBaseChains {
		if b.name == c.Name && c.Base {
			priority, named := nftPriorities[b.hook+" "+b.priority]
			if !named {
				priority = b.priority
			}
			return fmt.Sprintf("type %s hook %s priority %s; policy accept;", b.kind, b.hook, priority)
		}
	}
	if c.Name == "reject-chain" {
		return `comment "helper for @no-endpoint-services / @no-endpoint-nodeports"`
	}
	return ""
}

// listed is what nft prints of a set. One that rules fill has a size.
func (s *Set) listed() string {
	out := "\t\ttype " + s.Type + "\n"
	if s.Timeout > 0 {
		out += "\t\tsize 65535\n\t\tflags dynamic,timeout\n\t\ttimeout " + nftDuration(s.Timeout) + "\n"
	}
	if s.Comment != "" {
		out += "\t\tcomment " + quote(s.Comment) + "\n"
	}
	if len(s.Elements) == 0 {
		return out
	}
	var b strings.Builder
	b.WriteString(out + "\t\telements = { ")
	for i, e := range s.Elements {
		switch {
		case i == 0:
		case s.Type == "ipv4_addr" && i%2 == 1: // set_expr_print of nftables' src/expression.c: two IPv4 addresses a line
			b.WriteString(", ")
		default:
			b.WriteString(",\n\t\t\t     ")
		}
		b.WriteString(e.String())
	}
	return b.String() + " }\n"
}

// nftDuration is seconds as nft prints them: 90061 are 1d1h1m1s.
func nftDuration(seconds int32) string {
	out := ""
	for _, unit := range []struct {
		seconds int32
		name    string
	}{{86400, "d"}, {3600, "h"}, {60, "m"}, {1, "s"}} {
		if n := seconds / unit.seconds; n > 0 {
			out += fmt.Sprintf("%d%s", n, unit.name)
			seconds %= unit.seconds
		}
	}
	return out
}

// span is a range of addresses, both ends included.
type span struct{ first, last netip.Addr }

// merged gives the ranges that prefixes cover together, as nft joins them in an
// anonymous set: sorted, with what overlaps or touches in one.
func merged(prefixes []netip.Prefix) []span {
	all := make([]span, len(prefixes))
	for i, p := range prefixes {
		all[i] = span{p.Masked().Addr(), lastOf(p)}
	}
	slices.SortFunc(all, func(a, b span) int { return a.first.Compare(b.first) })
	out := all[:0]
	for _, s := range all {
		if n := len(out) - 1; n >= 0 && s.first.BitLen() == out[n].last.BitLen() && (s.first.Compare(out[n].last) <= 0 || s.first == out[n].last.Next()) {
			if out[n].last.Less(s.last) {
				out[n].last = s.last
			}
			continue
		}
		out = append(out, s)
	}
	return out
}

// lastOf is the highest address of a prefix.
func lastOf(p netip.Prefix) netip.Addr {
	bytes := p.Addr().AsSlice()
	for i := range bytes {
		if keep := p.Bits() - 8*i; keep < 8 {
			bytes[i] |= 0xff >> max(keep, 0)
		}
	}
	last, _ := netip.AddrFromSlice(bytes)
	return last
}

// prefixes are the fewest that cover a range.
func (s span) prefixes() []netip.Prefix {
	var out []netip.Prefix
	for at := s.first; at.IsValid() && at.Compare(s.last) <= 0; {
		p := netip.PrefixFrom(at, at.BitLen())
		for p.Bits() > 0 {
			wider := netip.PrefixFrom(at, p.Bits()-1)
			if wider.Masked().Addr() != at || s.last.Less(lastOf(wider)) {
				break
			}
			p = wider
		}
		out = append(out, p)
		at = lastOf(p).Next()
	}
	return out
}

// String is the range as nft prints it: an address, a prefix where it is one.
func (s span) String() string {
	if list := s.prefixes(); len(list) == 1 {
		return prefixText(list[0])
	}
	return s.first.String() + "-" + s.last.String()
}
