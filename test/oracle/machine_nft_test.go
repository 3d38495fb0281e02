//go:build linux

package oracle

import (
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"svctour/model/path"
)

// nftMachine is a machine for the commands that kube-proxy hands to nft.
type nftMachine struct {
	*machine
	chains   map[string][]string
	bases    map[string]string            // chain → "type hook priority"
	elements map[string]map[string]string // set → key → verdict
}

var (
	nftAdd     = regexp.MustCompile(`^add (chain|rule|element) ip6? kube-proxy (\S+) ?(.*)$`)
	nftHook    = regexp.MustCompile(`type (\w+) hook (\w+) priority (-?\d+)`)
	nftElement = regexp.MustCompile(`^\{ (.*?)(?: comment "[^"]*")?(?: : (.*))? \}$`)
)

func newNFT(m *machine, dump string) *nftMachine {
	n := &nftMachine{machine: m, chains: map[string][]string{}, bases: map[string]string{}, elements: map[string]map[string]string{}}
	m.matches = func(rule string) bool {
		rest, matches := n.conditions(rule)
		return matches && n.verdict(rule, rest) != ""
	}
	for line := range strings.SplitSeq(dump, "\n") {
		match := nftAdd.FindStringSubmatch(line)
		if match == nil {
			continue
		}
		name, rest := match[2], match[3]
		switch match[1] {
		case "chain":
			n.chains[name] = append(n.chains[name], []string{}...)
			if hook := nftHook.FindStringSubmatch(rest); hook != nil {
				n.bases[name] = hook[2] + " " + hook[3]
			}
		case "rule":
			n.chains[name] = append(n.chains[name], rest)
		case "element":
			parts := nftElement.FindStringSubmatch(rest)
			if parts == nil {
				m.fail("what is the element %q?", rest)
				continue
			}
			if n.elements[name] == nil {
				n.elements[name] = map[string]string{}
			}
			n.elements[name][parts[1]] = parts[2]
		}
	}
	return n
}

// run carries out the base chains of a hook in the order of their priorities.
func (n *nftMachine) run(hook string) bool {
	type base struct {
		name     string
		priority int
	}
	var list []base
	for name, at := range n.bases {
		if where, priority, _ := strings.Cut(at, " "); where == strings.ToLower(hook) {
			p, _ := strconv.Atoi(priority)
			list = append(list, base{name, p})
		}
	}
	slices.SortFunc(list, func(a, b base) int { return a.priority - b.priority })
	for _, b := range list {
		n.chain(b.name)
		if n.end != "" || n.err != nil {
			return false
		}
	}
	return true
}

// chain carries out a chain; true when the packet has left the base chain.
func (n *nftMachine) chain(name string) bool {
	list, has := n.chains[name]
	if !has {
		n.fail("no chain %s", name)
		return true
	}
	for _, rule := range list {
		over, back := n.rule(name, rule)
		if over || n.err != nil {
			return true
		}
		if back {
			return false
		}
	}
	return false
}

// part is a beginning that a rule may have, and what it means: whether the
// packet passes it.
type part struct {
	pattern *regexp.Regexp
	holds   func(n *nftMachine, words []string) bool
}

func starts(pattern string) *regexp.Regexp { return regexp.MustCompile(`^` + pattern + `(?: |$)`) }

var nftParts = []part{
	{starts(`ct state new`), func(*nftMachine, []string) bool { return true }},
	{starts(`ct status dnat`), func(n *nftMachine, _ []string) bool { return n.rewritten }},
	{starts(`fib daddr type local`), func(n *nftMachine, _ []string) bool { return n.local(n.to) }},
	{starts(`fib saddr type local`), func(n *nftMachine, _ []string) bool { return n.local(n.source) }},
	{starts(`ip6? daddr @(\S+)`), func(n *nftMachine, w []string) bool { return n.has(w[1], n.to.String()) }},
	{starts(`ip6? saddr @(\S+)`), func(n *nftMachine, w []string) bool { return n.has(w[1], n.source.String()) }},
	{starts(`ip6? saddr \. ip6? daddr \. meta l4proto \. th dport @(\S+)`), func(n *nftMachine, w []string) bool {
		return n.has(w[1], fmt.Sprintf("%s . %s . %s . %d", n.source, n.to, n.protocol, n.port))
	}},
	{starts(`ip6? daddr \{ ([^}]*) \}`), func(n *nftMachine, w []string) bool { return n.anyOf(n.to, w[1]) }},
	{starts(`ip6? saddr != \{ ([^}]*) \}`), func(n *nftMachine, w []string) bool { return !n.anyOf(n.source, w[1]) }},
	{starts(`ip6? daddr != ([0-9a-f.:/]+)`), func(n *nftMachine, w []string) bool { return !n.within(n.to, w[1]) }},
	{starts(`ip6? saddr != ([0-9a-f.:/]+)`), func(n *nftMachine, w []string) bool { return !n.within(n.source, w[1]) }},
	{starts(`ip6? saddr ([0-9a-f.:]+(?:/\d+)?)`), func(n *nftMachine, w []string) bool { return n.within(n.source, w[1]) }},
	{starts(`iifname != (\S+)`), func(n *nftMachine, w []string) bool { return !n.cameBy(w[1]) }},
	{starts(`iifname (\S+)`), func(n *nftMachine, w []string) bool { return n.cameBy(w[1]) }},
	{starts(`meta l4proto (tcp|udp|sctp)`), func(n *nftMachine, w []string) bool { return w[1] == n.protocol }},
	{starts(`mark and (\S+) != 0`), func(n *nftMachine, w []string) bool { return n.mark&n.bits(w[1]) != 0 }},
	{starts(`update @\S+ \{ [^}]* \}`), func(*nftMachine, []string) bool { return true }},
}

func (n *nftMachine) has(set, key string) bool {
	_, has := n.elements[set][key]
	return has
}

func (n *nftMachine) anyOf(ip netip.Addr, list string) bool {
	for text := range strings.SplitSeq(list, ",") {
		if n.within(ip, strings.TrimSpace(text)) {
			return true
		}
	}
	return false
}

func (n *nftMachine) cameBy(name string) bool {
	name = strings.Trim(name, `"`)
	stem, wild := strings.CutSuffix(name, "*")
	return n.interf == name || wild && n.interf != "" && strings.HasPrefix(n.interf, stem)
}

func (n *nftMachine) bits(text string) uint64 {
	bits, err := strconv.ParseUint(text, 0, 32)
	if err != nil {
		n.fail("mark %q: %v", text, err)
	}
	return bits
}

var (
	nftComment = regexp.MustCompile(` ?comment "[^"]*"$`)
	nftVMap    = regexp.MustCompile(`^(?:ip6? daddr \. )?meta l4proto \. th dport vmap @(\S+)$`)
	nftSetMark = regexp.MustCompile(`^mark set mark (or|xor) (\S+)(?: (.*))?$`)
	nftRandom  = regexp.MustCompile(`^(dnat ip6? addr \. port to )?numgen random mod (\d+) v?map \{ (.*) \}$`)
	nftDNAT    = regexp.MustCompile(`^dnat to (\S+)$`)
)

// rule carries out one rule: whether the packet's way through the base chain is
// over, and whether it goes back to the chain before.
func (n *nftMachine) rule(chain, rule string) (over, back bool) {
	rest, matches := n.conditions(rule)
	if !matches {
		return false, false
	}
	verdict := n.verdict(rule, rest)
	if verdict == "" {
		return false, false
	}
	n.met(path.NFTTable, chain, rule, verdict)
	return n.follow(verdict)
}

// conditions gives what a rule does if it matches.
func (n *nftMachine) conditions(rule string) (rest string, matches bool) {
	rest = strings.TrimSpace(nftComment.ReplaceAllString(rule, ""))
	for again := true; again; {
		again = false
		if nftVMap.MatchString(rest) {
			break
		}
		for _, p := range nftParts {
			if words := p.pattern.FindStringSubmatch(rest); words != nil {
				if !p.holds(n, words) {
					return "", false
				}
				rest, again = rest[len(words[0]):], true
				break
			}
		}
	}
	return rest, true
}

// verdict is what is left of a rule, with maps and numgen looked up; "" when a map
// has nothing, or the rule only changes something.
func (n *nftMachine) verdict(rule, rest string) string {
	if words := nftVMap.FindStringSubmatch(rest); words != nil {
		key := fmt.Sprintf("%s . %s . %d", n.to, n.protocol, n.port)
		if !strings.HasPrefix(rest, "ip") {
			key = fmt.Sprintf("%s . %d", n.protocol, n.port)
		}
		return n.elements[words[1]][key]
	}
	if words := nftRandom.FindStringSubmatch(rest); words != nil {
		mod, _ := strconv.Atoi(words[2])
		at := 0.0
		if mod > 1 { // of one number there is nothing to draw
			at = n.draw()
		}
		choices := strings.Split(words[3], ",")
		if at != math.Trunc(at) || int(at) >= mod || mod != len(choices) {
			n.fail("numgen random mod %d with %d elements, and %v was drawn", mod, len(choices), at)
			return ""
		}
		number, what, _ := strings.Cut(strings.TrimSpace(choices[int(at)]), " : ")
		if number != strconv.Itoa(int(at)) {
			n.fail("element %d of %q has the number %s", int(at), rule, number)
		}
		if words[1] == "" {
			return what
		}
		address, port, _ := strings.Cut(what, " . ")
		return "dnat to " + netip.AddrPortFrom(netip.MustParseAddr(address), uint16(n.number(port))).String()
	}
	return rest
}

func (n *nftMachine) number(text string) int {
	v, err := strconv.Atoi(text)
	if err != nil {
		n.fail("%q is no number", text)
	}
	return v
}

func (n *nftMachine) follow(verdict string) (over, back bool) {
	verb, rest, _ := strings.Cut(verdict, " ")
	switch {
	case nftSetMark.MatchString(verdict):
		words := nftSetMark.FindStringSubmatch(verdict)
		if words[1] == "or" {
			n.mark |= n.bits(words[2])
		} else {
			n.mark ^= n.bits(words[2])
		}
		if words[3] != "" {
			return n.follow(words[3])
		}
	case nftDNAT.MatchString(verdict):
		to, err := netip.ParseAddrPort(nftDNAT.FindStringSubmatch(verdict)[1])
		if err != nil {
			n.fail("%s: %v", verdict, err)
		}
		n.rewrite(to)
		return true, false
	case verb == "masquerade":
		n.masq = true
		return true, false
	case verb == "jump":
		return n.chain(rest), false
	case verb == "goto":
		return n.chain(rest), true
	case verdict == "reject", verdict == "drop":
		n.end = verdict
		return true, false
	case verdict == "accept":
		return true, false
	case verdict == "return":
		return false, true
	default:
		n.fail("what does %q do?", verdict)
	}
	return false, false
}
