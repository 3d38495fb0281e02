package path

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Counter is what the kernel counted at one rule since the rule was last
// written: kube-proxy writes some chains again at every sync. In table nat only
// the first packet of a connection meets a rule.
type Counter struct {
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
}

// Foreign is a rule with a match or target that kube-proxy does not write.
type Foreign struct {
	Table, Chain string
	Text         string // as printed, without "-A CHAIN", handle or counter
}

// Observed is what iptables-save(8) or nft(8) printed on a node. It is immutable.
type Observed struct {
	// Program holds the rules that this package understands; see Foreign. It
	// may be compared and printed; to walk it is only right without Foreign rules.
	Program *Program
	Foreign []Foreign
	Counted bool // the dump had counters

	counters map[ruleID]Counter
}

// ruleID names a rule by what iptables-save or nft list prints of it.
type ruleID struct{ table, chain, text string }

// Counter gives the counter of a rule, by Rule.String: the [packets:bytes] of
// iptables-save(8), the counter of nft(8). false when the node has no such
// rule. Of two equal rules in a chain it is their sum.
func (o *Observed) Counter(table, chain, rule string) (Counter, bool) {
	if o == nil {
		return Counter{}, false
	}
	c, ok := o.counters[ruleID{table, chain, withoutNFAcct(rule)}]
	return c, ok
}

// withoutNFAcct takes the match on an nfacct counter out of a rule's text. It
// matches every packet, and kube-proxy writes it only where the kernel has the
// counters (pkg/proxy/metrics, nfacct).
func withoutNFAcct(rule string) string {
	const match = " -m nfacct --nfacct-name  "
	before, after, ok := strings.Cut(" "+rule, match)
	if !ok {
		return rule
	}
	_, rest, more := strings.Cut(after, " ")
	if more {
		before += " " + rest
	}
	return strings.TrimPrefix(before, " ")
}

// maxDump bounds the rules and chains that Parse keeps: ten times what
// kube-proxy writes for the largest supported cluster.
const maxDump = 4 << 20

// Parse reads what `iptables-save -c` or `ip6tables-save -c` printed, with or
// without counters (iptables 1.8, iptables/iptables-save.c). Rules that it
// cannot express become Foreign. An error says that text is not such output,
// with the line.
func Parse(text string, family Family) (*Observed, error) {
	o := &Observed{Program: &Program{Mode: ModeIPTables, Family: family, MasqueradeMark: 1 << 14}, counters: map[ruleID]Counter{}}
	var table *Table
	number := 0
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSpace(line)
		if number++; number > maxDump {
			return nil, fmt.Errorf("read iptables-save: more than %d lines", maxDump)
		}
		var err error
		switch {
		case line == "" || line[0] == '#':
		case line == "*":
			err = errors.New("a table without a name")
		case line[0] == '*':
			if o.Program.Table(line[1:]) != nil {
				err = fmt.Errorf("table %q comes twice", line[1:])
				break
			}
			table = &Table{Name: line[1:]}
			o.Program.Tables = append(o.Program.Tables, table)
		case line == "COMMIT":
			table = nil
		case table == nil:
			err = errors.New("outside of a table")
		case line[0] == ':':
			name, _, _ := strings.Cut(line[1:], " ")
			table.chain(name)
		default:
			err = o.line(table, line)
		}
		if err != nil {
			return nil, fmt.Errorf("read iptables-save, line %d: %w", number, err)
		}
	}
	if len(o.Program.Tables) == 0 {
		return nil, errors.New("read iptables-save: it printed no table")
	}
	if c := o.Program.Chain("nat", "KUBE-MARK-MASQ"); c != nil {
		for _, r := range c.Rules {
			if r.Action == ActionMarkOr {
				o.Program.MasqueradeMark = r.Set
			}
		}
	}
	return o, nil
}

// line reads "[packets:bytes] -A CHAIN rule".
func (o *Observed) line(table *Table, line string) error {
	var counter Counter
	if line[0] == '[' {
		counts, rest, ok := strings.Cut(line[1:], "] ")
		packets, bytes, colon := strings.Cut(counts, ":")
		var err1, err2 error
		counter.Packets, err1 = strconv.ParseUint(packets, 10, 64)
		counter.Bytes, err2 = strconv.ParseUint(bytes, 10, 64)
		if !ok || !colon || err1 != nil || err2 != nil {
			return errors.New("bad counters")
		}
		line, o.Counted = rest, true
	}
	rest, ok := strings.CutPrefix(line, "-A ")
	if !ok {
		return errors.New("neither a chain nor a rule")
	}
	name, rest, _ := strings.Cut(rest, " ")
	chain := table.Chain(name)
	if chain == nil {
		return fmt.Errorf("a rule of chain %q, which is not declared", name)
	}
	isChain := func(name string) bool { return table.Chain(name) != nil }
	rule, ok := parseRule(rest, isChain, o.Program.Family == IPv6)
	if !ok {
		o.Foreign = append(o.Foreign, Foreign{table.Name, name, rest})
		return nil
	}
	chain.add(rule)
	id := ruleID{table.Name, name, withoutNFAcct(rule.String())}
	counter.Packets += o.counters[id].Packets
	counter.Bytes += o.counters[id].Bytes
	o.counters[id] = counter
	return nil
}

// ruleReader reads one rule's options; ok falls when one is not understood.
type ruleReader struct {
	words   []string
	rule    Rule
	isChain func(name string) bool
	mask    string // of -m recent
	ok      bool
}

func parseRule(text string, isChain func(name string) bool, v6 bool) (Rule, bool) {
	words, ok := splitWords(text)
	r := &ruleReader{words: words, rule: Rule{V6: v6}, isChain: isChain, ok: ok}
	for r.ok && len(r.words) > 0 {
		not := r.words[0] == "!"
		if not {
			r.words = r.words[1:]
		}
		r.option(r.next(), not)
	}
	if r.mask != "" && r.mask != recentMask(&r.rule) {
		return Rule{}, false
	}
	return r.rule, r.ok
}

// next takes a word; a missing one makes the rule foreign.
func (r *ruleReader) next() string {
	if len(r.words) == 0 {
		r.ok = false
		return ""
	}
	word := r.words[0]
	r.words = r.words[1:]
	return word
}

func (r *ruleReader) need(ok bool) { r.ok = r.ok && ok }

// option reads one option with its values.
func (r *ruleReader) option(name string, not bool) {
	rule := &r.rule
	switch name { // those that may be negated
	case "-s":
		rule.Source, rule.NotSource = r.prefix(), not
		return
	case "-d":
		rule.Destination, rule.NotDest = r.prefix(), not
		return
	case "-i":
		m := rule.own()
		m.Interface, m.NotInterf = r.next(), not
		return
	case "--mark":
		value, mask := r.bits()
		r.need(value == mask && value != 0)
		rule.Mark, rule.NotMark = value, not
		return
	case "--src-type":
		r.need(r.next() == "LOCAL")
		if rule.SourceLocal = !not; not {
			rule.own().SourceNotLocal = true
		}
		return
	case "--physdev-is-in":
		r.need(not)
		rule.own().NotBridged = true
		return
	case "--ctstate":
		m := rule.own()
		m.CTState, m.NotCTState = r.next(), not
		r.need(!not || rule.More().CTState != "NEW")
		return
	}
	r.need(!not)
	switch name {
	case "-p":
		rule.Protocol = r.next()
		r.need(rule.Protocol == "tcp" || rule.Protocol == "udp" || rule.Protocol == "sctp")
	case "-m":
		r.match(r.next())
	case "--comment":
		rule.Comment = r.next()
	case "--dport":
		port, err := strconv.ParseUint(r.next(), 10, 16)
		r.need(err == nil && port != 0 && rule.Protocol != "")
		rule.Port = uint16(port)
	case "--dst-type":
		rule.DestLocal = r.next() == "LOCAL"
		r.need(rule.DestLocal)
	case "--rcheck", "--set", "--reap", "--rsource":
	case "--seconds":
		seconds, err := strconv.ParseInt(r.next(), 10, 32)
		r.need(err == nil && seconds > 0)
		rule.own().RecentSeconds = int32(seconds)
	case "--name":
		rule.own().Recent = r.next()
	case "--mask":
		r.mask = r.next()
	case "--nfacct-name":
		rule.own().Counter = r.next()
	case "--match-set":
		m := rule.own()
		m.MatchSet, m.SetFields = r.next(), r.next()
	case "--vproto", "--vaddr", "--vport":
		r.ipvs(name, r.next())
	case "--mode":
		r.need(r.next() == "random")
	case "--probability":
		p, err := strconv.ParseFloat(r.next(), 64)
		r.need(err == nil && p > 0 && p < 1)
		rule.Probability = p
	case "-j":
		r.target(r.next())
	case "-g":
		rule.Action, rule.Chain = ActionGoto, r.next()
	default:
		r.ok = false
	}
}

func (r *ruleReader) match(name string) {
	switch name {
	case "comment", "addrtype", "recent", "mark", "conntrack", "nfacct", "statistic", "set", "physdev", "ipvs":
	case "tcp", "udp", "sctp":
		r.need(name == r.rule.Protocol)
	default:
		r.ok = false
	}
}

// ipvs reads an option of -m ipvs: what was scheduled for a virtual server.
func (r *ruleReader) ipvs(name, value string) {
	m := r.rule.own()
	switch name {
	case "--vproto":
		for protocol, number := range protocolNumbers {
			if value == strconv.Itoa(number) || value == protocol {
				m.IPVSProtocol = protocol
			}
		}
		r.need(m.IPVSProtocol != "")
	case "--vaddr":
		p := parsePrefix(value)
		a, err := netip.ParseAddr(value)
		if err != nil {
			a = p.Addr()
		}
		r.need(a.Zone() == "" && (err == nil || p.IsSingleIP()))
		m.IPVS = netip.AddrPortFrom(a, m.IPVS.Port())
	case "--vport":
		port, err := strconv.ParseUint(value, 10, 16)
		r.need(err == nil && port != 0)
		m.IPVS = netip.AddrPortFrom(m.IPVS.Addr(), uint16(port))
	}
}

func (r *ruleReader) target(name string) {
	rule := &r.rule
	if r.isChain(name) {
		rule.Action, rule.Chain = ActionJump, name
		return
	}
	switch rule.Action = Action(name); name {
	case "MARK":
		r.need(r.next() == "--set-xmark")
		value, mask := r.bits()
		rule.Action, rule.Set = ActionMarkOr, value
		if mask == 0 {
			rule.Action = ActionMarkXor
		}
		r.need(mask == value || mask == 0)
	case "DNAT":
		r.need(r.next() == "--to-destination")
		to, err := netip.ParseAddrPort(r.next())
		r.need(err == nil)
		rule.To = to
	case "MASQUERADE":
		if len(r.words) > 0 {
			rule.FullyRandom = r.next() == "--random-fully"
			r.need(rule.FullyRandom)
		}
	case "REJECT":
		answer := "icmp-port-unreachable"
		if rule.V6 {
			answer = "icmp6-port-unreachable"
		}
		r.need(r.next() == "--reject-with" && r.next() == answer)
	case "DROP", "ACCEPT", "RETURN":
	default:
		r.ok = false
	}
}

func (r *ruleReader) prefix() netip.Prefix {
	text := r.next()
	if p, err := netip.ParsePrefix(text); err == nil {
		return p
	}
	a, err := netip.ParseAddr(text)
	r.need(err == nil && a.Zone() == "")
	if !r.ok {
		return netip.Prefix{}
	}
	return netip.PrefixFrom(a, a.BitLen())
}

// bits reads "value/mask", or "value" with every bit in the mask.
func (r *ruleReader) bits() (value, mask uint32) {
	text, maskText, found := strings.Cut(r.next(), "/")
	v, err := strconv.ParseUint(text, 0, 32)
	r.need(err == nil)
	if !found {
		return uint32(v), 1<<32 - 1
	}
	m, err := strconv.ParseUint(maskText, 0, 32)
	r.need(err == nil)
	return uint32(v), uint32(m)
}

// splitWords splits at blanks outside of double quotes. false when a quote
// stays open.
func splitWords(text string) ([]string, bool) {
	var words []string
	for {
		text = strings.TrimLeft(text, " \t")
		if text == "" {
			return words, true
		}
		if text[0] != '"' {
			end := strings.IndexAny(text, " \t")
			if end < 0 {
				end = len(text)
			}
			words, text = append(words, text[:end]), text[end:]
			continue
		}
		end := 1
		for end < len(text) && text[end] != '"' {
			if text[end] == '\\' {
				end++
			}
			end++
		}
		if end >= len(text) {
			return nil, false
		}
		words, text = append(words, unquote(text[:end+1])), text[end+1:]
	}
}

// unquote undoes xtables_save_string (libxtables/xtables.c), which puts a
// backslash before quotes and backslashes.
func unquote(text string) string {
	if plain, err := strconv.Unquote(text); err == nil {
		return plain
	}
	var b strings.Builder
	for i := 1; i < len(text)-1; i++ {
		if text[i] == '\\' && i+1 < len(text)-1 {
			i++
		}
		b.WriteByte(text[i])
	}
	return b.String()
}
