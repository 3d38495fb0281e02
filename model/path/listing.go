package path

import (
	"io"
	"strings"
	"time"
)

// ChainID names a chain of one family on a node, or with an "@" before its name
// a set or map of nftables, or an ipset (of table "ipvs").
type ChainID struct {
	Table string `json:"table"`
	Chain string `json:"chain"`
}

// Chains are the chains of a node that have a rule on the path, in its order
// (https://www.netfilter.org/documentation/HOWTO/packet-filtering-HOWTO-6.html).
func (t *Trace) Chains(node string) []ChainID {
	var out []ChainID
	has := map[ChainID]bool{}
	for i := range t.Outcomes {
		for j := range t.Outcomes[i].Hops {
			h := &t.Outcomes[i].Hops[j]
			id := ChainID{h.Table, h.Chain}
			if h.Node == node && h.Rule != "" && h.Table != ModeIPVS && !has[id] {
				has[id] = true
				out = append(out, id)
			}
		}
	}
	return out
}

// Ask says which rules of a node to read.
type Ask struct {
	Node   string
	Mode   string // of kube-proxy
	Family Family
	Chains []ChainID // these only; nil for all
}

// Listing is what one command printed on a node of the rules there.
type Listing struct {
	Node    string    `json:"node"`
	Mode    string    `json:"mode"`
	Family  Family    `json:"family"`
	Command []string  `json:"command"`          // as it was run on the node
	Chain   *ChainID  `json:"chain,omitempty"`  // the only one that the command lists; nil: all
	At      time.Time `json:"at"`               // when the command was started
	Absent  bool      `json:"absent,omitempty"` // the command said that the chain does not exist
	Text    io.Reader `json:"-"`                // what it printed; nil when Absent
}

// Command is one that lists rules on a node.
type Command struct {
	Args  []string
	Chain *ChainID // the only one that it lists; nil: all
}

// Commands are those that give what is asked for. Each chain takes one of its
// own: iptables(8) -S takes one chain, and nft(8) 1.0.6 finds nothing when it is
// to list several in one run. In mode ipvs kube-proxy's image has no program
// that lists the virtual servers.
func (a Ask) Commands() []Command {
	nft := a.Mode == ModeNFTables
	iptables := "iptables"
	if a.Family == IPv6 {
		iptables = "ip6tables"
	}
	if a.Chains == nil {
		switch {
		case nft:
			return []Command{{Args: []string{"nft", "list", "table", a.Family.nft(), NFTTable}}}
		case a.Mode == ModeIPVS:
			return []Command{{Args: []string{iptables + "-save", "-c"}}, {Args: []string{"ipset", "save"}}}
		}
		return []Command{{Args: []string{iptables + "-save", "-c"}}}
	}
	var out []Command
	for _, id := range a.Chains {
		args := []string{iptables, "-t", id.Table, "-S", id.Chain, "-v"}
		if nft {
			args = []string{"nft", "list", "chain", a.Family.nft(), id.Table, id.Chain}
		}
		out = append(out, Command{Args: args, Chain: &id})
	}
	return out
}

// Absent says whether a command failed because the node has no such chain, by
// what it wrote to its standard error (iptables(8), nft(8)).
func (c Command) Absent(complaint string) bool {
	if c.Chain == nil {
		return false
	}
	if c.Args[0] == "nft" {
		return strings.HasPrefix(complaint, "Error: No such file or directory")
	}
	return strings.Contains(complaint, "No chain/target/match by that name")
}

// Unclear says whether a command failed in a way that leaves open whether the
// node has the chain: iptables 1.8.9 with nf_tables says of a missing one what
// it says of one that other tools have changed ("is incompatible, use 'nft'
// tool"; iptables/nft.c, nft_is_table_compatible). Then the chain was not read.
func (c Command) Unclear(complaint string) bool {
	return c.Chain != nil && c.Args[0] != "nft" && strings.Contains(complaint, "is incompatible, use 'nft' tool")
}

// Listing is what the command, iptables(8) or nft(8), printed for an Ask.
func (c Command) Listing(a Ask, at time.Time, text io.Reader) Listing {
	return Listing{Node: a.Node, Mode: a.Mode, Family: a.Family, Command: c.Args, Chain: c.Chain, At: at, Absent: text == nil, Text: text}
}
