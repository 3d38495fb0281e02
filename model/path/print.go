package path

import (
	"fmt"
	"io"
	"math"
	"net/netip"
	"sort"
	"strconv"
	"strings"
)

// String is the rule as iptables-save(8) prints it (verified with 1.8.9 on both
// back ends), without "-A CHAIN", or as nft list does (1.0.6). It differs in
// spelling from what kube-proxy hands to these tools, see Restore.
func (r *Rule) String() string {
	if r.NFT {
		return r.nft(asListed)
	}
	w := make(words, 0, 24)
	w.prefix("-s", r.Source, r.NotSource, true)
	w.prefix("-d", r.Destination, r.NotDest, true)
	w.option(r.More().NotInterf, "-i", r.More().Interface)
	w.option(false, "-p", r.Protocol)
	if r.More().CTState == "NEW" { // kube-proxy puts it before the comment in its jumps from base chains
		w.add("-m", "conntrack", "--ctstate", "NEW")
	}
	if r.Comment != "" {
		w.add("-m", "comment", "--comment", strings.ReplaceAll(strconv.Quote(r.Comment), "'", `\'`))
	}
	w.matchSet(r)
	w.addrtype(r)
	switch {
	case r.More().Recent != "" && r.More().RecentSeconds > 0:
		w.add("-m", "recent", "--rcheck", "--seconds", strconv.Itoa(int(r.More().RecentSeconds)), "--reap", "--name", r.More().Recent, "--mask", recentMask(r), "--rsource")
	case r.More().Recent != "":
		w.add("-m", "recent", "--set", "--name", r.More().Recent, "--mask", recentMask(r), "--rsource")
	}
	if r.Protocol != "" && (r.More().MatchSet == "" || r.Port != 0) {
		w.add("-m", r.Protocol)
		if r.Port != 0 {
			w.add("--dport", strconv.Itoa(int(r.Port)))
		}
	}
	w.state(r)
	if m := r.More(); m.IPVS.IsValid() { // in the order of libxt_ipvs.c
		w.add("-m", "ipvs", "--vproto", strconv.Itoa(protocolNumbers[m.IPVSProtocol]), "--vaddr", m.IPVS.Addr().String(), "--vport", strconv.Itoa(int(m.IPVS.Port())))
	}
	if r.More().Counter != "" {
		w.add("-m", "nfacct", "--nfacct-name", "", r.More().Counter) // two blanks, as printed
	}
	if r.Probability > 0 {
		// The kernel keeps 31 bits of what kube-proxy wrote with ten decimals.
		written, _ := strconv.ParseFloat(strconv.FormatFloat(r.Probability, 'f', 10, 64), 64)
		w.add("-m", "statistic", "--mode", "random", "--probability", strconv.FormatFloat(math.Round(written*(1<<31))/(1<<31), 'f', 11, 64))
	}
	switch r.Action {
	case ActionMarkOr:
		w.add("-j", "MARK", "--set-xmark", fmt.Sprintf("%#x/%#x", r.Set, r.Set))
	case ActionMarkXor:
		w.add("-j", "MARK", "--set-xmark", fmt.Sprintf("%#x/0x0", r.Set))
	case ActionReject:
		answer := "icmp-port-unreachable"
		if r.V6 {
			answer = "icmp6-port-unreachable"
		}
		w.add("-j", "REJECT", "--reject-with", answer)
	default:
		w.action(r)
	}
	return strings.Join(w, " ")
}

// recentMask is the mask that -m recent compares client addresses with: all bits.
func recentMask(r *Rule) string {
	if r.V6 {
		return "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
	}
	return "255.255.255.255"
}

// Restore is the rule as kube-proxy writes it for iptables-restore, without
// "-A CHAIN" (pkg/proxy/iptables/proxier.go), or for nft
// (pkg/proxy/nftables/proxier.go).
func (r *Rule) Restore() string {
	if r.NFT {
		return r.nft(asWritten)
	}
	var w words
	ofSet := r.More().MatchSet != ""
	if ofSet {
		w.option(false, "-p", r.Protocol)
	}
	if r.More().CTState == "NEW" {
		w.add("-m", "conntrack", "--ctstate", "NEW")
	}
	if r.Comment != "" {
		comment := r.Comment
		if strings.Contains(comment, " ") {
			comment = strconv.Quote(comment)
		}
		w.add("-m", "comment", "--comment", comment)
	}
	w.matchSet(r)
	w.addrtype(r)
	switch {
	case r.More().Recent != "" && r.More().RecentSeconds > 0:
		w.add("-m", "recent", "--name", r.More().Recent, "--rcheck", "--seconds", strconv.Itoa(int(r.More().RecentSeconds)), "--reap")
	case r.More().Recent != "":
		w.add("-m", "recent", "--name", r.More().Recent, "--set")
	}
	if r.Protocol != "" && !ofSet {
		w.add("-m", r.Protocol, "-p", r.Protocol)
	}
	w.prefix("-d", r.Destination, r.NotDest, false)
	if r.Port != 0 {
		w.add("--dport", strconv.Itoa(int(r.Port)))
	}
	w.prefix("-s", r.Source, r.NotSource, false)
	w.option(r.More().NotInterf, "-i", r.More().Interface)
	w.state(r)
	if m := r.More(); m.IPVS.IsValid() {
		w.add("-m", "ipvs", "--vaddr", m.IPVS.Addr().String(), "--vproto", m.IPVSProtocol, "--vport", strconv.Itoa(int(m.IPVS.Port())))
	}
	if r.More().Counter != "" {
		w.add("-m", "nfacct", "--nfacct-name", r.More().Counter)
	}
	if r.Probability > 0 {
		w.add("-m", "statistic", "--mode", "random", "--probability", fmt.Sprintf("%0.10f", r.Probability))
	}
	switch r.Action {
	case ActionMarkOr:
		w.add("-j", "MARK", "--or-mark", fmt.Sprintf("%#08x", r.Set))
	case ActionMarkXor:
		w.add("-j", "MARK", "--xor-mark", fmt.Sprintf("%#08x", r.Set))
	default:
		w.action(r)
	}
	out := strings.Join(w, " ")
	if r.Mark != 0 {
		short, long := fmt.Sprintf("--mark %#x/%#x", r.Mark, r.Mark), fmt.Sprintf("--mark %#08x/%#08x", r.Mark, r.Mark)
		out = strings.Replace(out, short, long, 1)
	}
	return out
}

// words is a rule's command line.
type words []string

func (w *words) add(args ...string) { *w = append(*w, args...) }

func (w *words) option(not bool, name, value string) {
	if value == "" {
		return
	}
	if not {
		w.add("!")
	}
	w.add(name, value)
}

func (w *words) prefix(name string, p netip.Prefix, not, bits bool) {
	if !p.IsValid() {
		return
	}
	text := p.String()
	if !bits && p.IsSingleIP() {
		text = p.Addr().String()
	}
	w.option(not, name, text)
}

func (w *words) addrtype(r *Rule) {
	if r.DestLocal {
		w.add("-m", "addrtype", "--dst-type", "LOCAL")
	}
	if r.SourceLocal {
		w.add("-m", "addrtype", "--src-type", "LOCAL")
	}
	if r.More().SourceNotLocal {
		w.add("-m", "addrtype", "!", "--src-type", "LOCAL")
	}
}

// matchSet adds the match on an ipset, and on the bridge.
func (w *words) matchSet(r *Rule) {
	if m := r.More(); m.MatchSet != "" {
		w.add("-m", "set", "--match-set", m.MatchSet, m.SetFields)
	}
	if r.More().NotBridged {
		w.add("-m", "physdev", "!", "--physdev-is-in")
	}
}

// state adds the matches on mark and connection state, other than NEW.
func (w *words) state(r *Rule) {
	if r.Mark != 0 {
		w.add("-m", "mark")
		w.option(r.NotMark, "--mark", fmt.Sprintf("%#x/%#x", r.Mark, r.Mark))
	}
	if r.More().CTState != "" && r.More().CTState != "NEW" {
		w.add("-m", "conntrack")
		w.option(r.More().NotCTState, "--ctstate", r.More().CTState)
	}
}

func (w *words) action(r *Rule) {
	switch r.Action {
	case ActionNone:
	case ActionJump:
		w.add("-j", r.Chain)
	case ActionGoto:
		w.add("-g", r.Chain)
	case ActionDNAT:
		w.add("-j", "DNAT", "--to-destination", r.To.String())
	case ActionMasquerade:
		w.add("-j", "MASQUERADE")
		if r.FullyRandom {
			w.add("--random-fully")
		}
	default:
		w.add("-j", string(r.Action))
	}
}

// Print writes the program as iptables-save would (iptables 1.8,
// iptables/iptables-save.c): the chains of each table in alphabetical order,
// base chains first, counters at zero.
func Print(p *Program) string {
	var b strings.Builder
	for _, t := range p.Tables {
		chains := append([]*Chain(nil), t.Chains...)
		sort.SliceStable(chains, func(i, j int) bool {
			if chains[i].Base != chains[j].Base {
				return chains[i].Base
			}
			return !chains[i].Base && chains[i].Name < chains[j].Name
		})
		fmt.Fprintf(&b, "*%s\n", t.Name)
		for _, c := range chains {
			policy := "-"
			if c.Base {
				policy = "ACCEPT"
			}
			fmt.Fprintf(&b, ":%s %s [0:0]\n", c.Name, policy)
		}
		for _, c := range chains {
			for i := range c.Rules {
				io.WriteString(&b, strings.TrimRight("-A "+c.Name+" "+c.Rules[i].String(), " ")+"\n")
			}
		}
		b.WriteString("COMMIT\n")
	}
	return b.String()
}
