package path

import (
	"maps"
	"slices"
	"sort"
	"strings"
)

// Kinds of Difference.
const (
	Missing = "missing" // kube-proxy should have written it; the node does not have it
	Extra   = "extra"   // the node has it; nothing in the API asks for it
	Order   = "order"   // the same rules in another order, where order decides
)

// Difference is one thing that a node's rules and the derived ones do not share.
type Difference struct {
	Kind  string `json:"kind"`
	Table string `json:"table"`
	Chain string `json:"chain"` // or, in nftables mode, a set after an "@"
	// Rule is a rule or an element of a set as iptables-save, nft list, ipset
	// save or ipvsadm prints it, or the declaration of a base chain or a set; "" for Order.
	Rule string `json:"rule,omitempty"`
}

// Of says whether the difference is about a rule, named as for Counter: by what
// iptables-save(8) or nft(8) prints of it.
func (d Difference) Of(table, chain, rule string) bool {
	return d.Table == table && d.Chain == chain && d.Rule == withoutNFAcct(rule)
}

// Compare lays the rules of a node beside those that kube-proxy should have
// written there. It looks at kube-proxy's own chains, and in base chains at
// the jumps to them; what others write is none of its business. The order of
// rules counts in the chains that choose an endpoint: kube-proxy walks its
// Services in no order (pkg/proxy/iptables/proxier.go, syncProxyRules).
//
// In nftables mode the whole table is kube-proxy's, a chain's rules are of one
// Service or fixed, and the elements of sets have no order. A chain without
// rules makes no difference: kube-proxy empties a chain some time before it
// deletes it (pkg/proxy/nftables/proxier.go, staleChains).
//
// In ipvs mode the entries of ipsets and the virtual servers count, too, as
// table "ipvs", but for those that either side did not look at.
func Compare(derived *Program, observed *Observed) []Difference {
	return compare(&Observed{Program: derived}, observed)
}

// Since says what came to a node (Extra) and what went (Missing) since it was
// looked at before, by the same measure as Compare: the rules that
// iptables-save(8) or nft(8) listed then and now.
func (o *Observed) Since(before *Observed) []Difference { return compare(before, o) }

func compare(wanted, observed *Observed) []Difference {
	var out []Difference
	tables := []string{"filter", "nat"}
	switch {
	case wanted.Program.Mode == ModeNFTables:
		tables = []string{NFTTable}
	case wanted.Program.Mode == ModeIPVS && observed.Program.Mode == ModeIPVS:
		tables = append(tables, ipsetTable)
	}
	for _, table := range tables {
		want, have := wanted.rulesOf(table), observed.rulesOf(table)
		if table == ipsetTable {
			dropUnseen(want, observed.Program)
			dropUnseen(have, wanted.Program)
		}
		chains := map[string]bool{}
		for c := range want {
			chains[c] = true
		}
		for c := range have {
			chains[c] = true
		}
		names := make([]string, 0, len(chains))
		for c := range chains {
			names = append(names, c)
		}
		sort.Strings(names)
		for _, c := range names {
			out = append(out, compareChain(table, c, want[c], have[c])...)
		}
	}
	return out
}

func compareChain(table, chain string, want, have []string) []Difference {
	count := map[string]int{}
	for _, r := range have {
		count[r]++
	}
	var out []Difference
	for _, r := range want {
		if count[r]--; count[r] < 0 {
			out = append(out, Difference{Missing, table, chain, r})
		}
	}
	for _, r := range have {
		if count[r] > 0 {
			count[r]--
			out = append(out, Difference{Extra, table, chain, r})
		}
	}
	if len(out) > 0 || !ordered(table, chain) {
		return out
	}
	for i := range want {
		if want[i] != have[i] {
			return []Difference{{Kind: Order, Table: table, Chain: chain}}
		}
	}
	return nil
}

// ordered says whether the order of a chain's rules is kube-proxy's to decide.
func ordered(table, chain string) bool {
	if table == NFTTable {
		return !strings.HasPrefix(chain, "@")
	}
	return strings.HasPrefix(chain, "KUBE-SVC-") || strings.HasPrefix(chain, "KUBE-SVL-")
}

func (o *Observed) rulesOf(table string) map[string][]string {
	out := rulesOf(o.Program, table)
	for _, f := range o.Foreign {
		if f.Table == table && (table == NFTTable || proxyChain(f.Chain)) {
			out[f.Chain] = append(out[f.Chain], f.Text)
		}
	}
	return out
}

// rulesOf gives the texts of the rules that kube-proxy is to answer for, by
// chain, and of an nftables table the rest.
func rulesOf(p *Program, table string) map[string][]string {
	out := map[string][]string{}
	if table == ipsetTable {
		for _, s := range p.ipvsSets() {
			out["@"+s.Name] = nil
			for _, e := range s.Elements {
				out["@"+s.Name] = append(out["@"+s.Name], s.texts(e)...)
			}
		}
		return out
	}
	t := p.Table(table)
	if t == nil {
		return out
	}
	for _, c := range t.Chains {
		if table == NFTTable && c.Base {
			out[c.Name] = append(out[c.Name], c.declared())
		}
		for _, r := range c.Rules {
			if table == NFTTable || proxyChain(c.Name) || c.Base && proxyChain(r.Chain) {
				out[c.Name] = append(out[c.Name], withoutNFAcct(r.String()))
			}
		}
	}
	for _, s := range t.Sets {
		declared := "type " + s.Type
		if s.Timeout > 0 {
			declared += " timeout " + nftDuration(s.Timeout)
		}
		texts := []string{declared}
		for _, e := range s.Elements {
			texts = append(texts, e.String())
		}
		out["@"+s.Name] = texts
	}
	return out
}

// ipvsSets are the sets of mode ipvs that a program has.
func (p *Program) ipvsSets() []*Set {
	if p.Servers == nil {
		return p.IPSets
	}
	return append(slices.Clip(p.IPSets), p.Servers)
}

// dropUnseen takes out what the other side did not look at.
func dropUnseen(sets map[string][]string, other *Program) {
	maps.DeleteFunc(sets, func(name string, _ []string) bool {
		return name == "@servers" && other.Servers == nil || name != "@servers" && other.IPSets == nil
	})
}

// proxyChain says whether a chain is kube-proxy's. The canaries and the hint
// are kubelet's and the wrapper's (KEP-3178).
func proxyChain(name string) bool {
	switch name {
	case "KUBE-KUBELET-CANARY", "KUBE-PROXY-CANARY", "KUBE-IPTABLES-HINT":
		return false
	}
	return strings.HasPrefix(name, "KUBE-")
}
