package nettool

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

const (
	iptablesVersion  = "v1.8.9 (nf_tables)"
	conntrackVersion = "conntrack v1.4.7 (conntrack-tools): "
)

// denied is what iptables says to a process without NET_ADMIN.
func (c *command) denied() int {
	c.errorf("%s %s: Could not fetch rule set generation id: Permission denied (you must be root)\n", c.name, iptablesVersion)
	return 4
}

// saveRules is iptables-save.
func saveRules(c *command) int {
	opts, rest, bad := getopt(c.args, "t:,table: c,counters 4,ipv4")
	if bad != nil || len(rest) > 0 {
		if bad != nil {
			c.errorf("%s: %s\n", c.name, bad)
		}
		c.errorf("Unknown arguments found on commandline\n")
		return 1
	}
	if c.Kernel == nil {
		return c.denied()
	}
	table, counters := "", false
	for _, o := range opts {
		switch o.name {
		case "table":
			table = o.value
		case "counters":
			counters = true
		}
	}
	c.printf("%s", c.Kernel.SaveRules(table, counters))
	return 0
}

// saveNoRules is ip6tables-save: the lab has no IPv6, so there are no tables.
func saveNoRules(c *command) int {
	if c.Kernel == nil {
		return c.denied()
	}
	return 0
}

// nft lists the ruleset, its tables, one of them, or one chain, set or map.
func nft(c *command) int {
	words := slices.DeleteFunc(slices.Clone(c.args), func(arg string) bool { return strings.HasPrefix(arg, "-") })
	least := map[string]int{"ruleset": 2, "tables": 2, "table": 3, "chain": 4, "set": 4, "map": 4}
	if len(words) < 2 || words[0] != "list" || least[words[1]] == 0 || len(words) < least[words[1]] {
		return c.fail("the lab's nft knows only: list ruleset, list tables, list table [FAMILY] NAME, list chain|set|map [FAMILY] TABLE NAME")
	}
	if c.Kernel == nil {
		c.errorf("Operation not permitted (you must be root)\nnetlink: Error: cache initialization failed: Operation not permitted\n")
		return 1
	}
	ruleset := c.Kernel.ListRuleset()
	head, body, has := strings.Cut(ruleset, " {\n") // of its only table, if it has one
	switch words[1] {
	case "ruleset":
		c.printf("%s", ruleset)
		return 0
	case "tables":
		if has {
			c.printf("%s\n", head)
		}
		return 0
	}
	family, names := "ip", words[2:]
	if len(words) > least[words[1]] {
		family, names = words[2], words[3:]
	}
	if head != "table "+family+" "+names[0] {
		return c.noSuch(words, names[0])
	}
	if words[1] == "table" {
		c.printf("%s", ruleset)
		return 0
	}
	_, part, found := strings.Cut("\n"+body, "\n\t"+words[1]+" "+names[1]+" {\n")
	part, _, closed := strings.Cut("\n"+part, "\n\t}\n")
	if !found || !closed {
		return c.noSuch(words, names[1])
	}
	if part != "" {
		part += "\n"
	}
	c.printf("%s {\n\t%s %s {%s\t}\n}\n", head, words[1], names[1], cmp.Or(part, "\n"))
	return 0
}

// noSuch is what nft says when it does not find one of its words.
func (c *command) noSuch(words []string, name string) int {
	line := strings.Join(words, " ")
	c.errorf("Error: No such file or directory\n%s\n%s%s\n", line, strings.Repeat(" ", strings.LastIndex(line, name)), strings.Repeat("^", len(name)))
	return 1
}

// conntrack lists, counts or deletes the node's connections.
func conntrack(c *command) int {
	opts, rest, bad := getopt(c.args, `L,dump D,delete C,count p:,proto: s:,src:,orig-src: d:,dst:,orig-dst: r:,reply-src: q:,reply-dst:
		sport:,orig-port-src: dport:,orig-port-dst: state: o:,output: f:,family:`)
	if bad != nil {
		c.errorf("conntrack: %s\n%sBad parameter\nTry `conntrack -h' or 'conntrack --help' for more information.\n", bad, conntrackVersion)
		return 2
	}
	if c.Kernel == nil {
		c.errorf("%sOperation failed: sorry, you must be root or get CAP_NET_ADMIN capability to do this\n", conntrackVersion)
		return 1
	}
	verb, extended := "", false
	var filters []option
	for _, o := range opts {
		switch o.name {
		case "dump", "delete", "count":
			verb = o.name
		case "output":
			extended = strings.Contains(o.value, "extended")
		case "family":
		case "proto":
			if !slices.Contains([]string{"tcp", "udp", "icmp", "6", "17", "1"}, o.value) {
				c.errorf("%s`%s' unsupported protocol\nTry `conntrack -h' or 'conntrack --help' for more information.\n", conntrackVersion, o.value)
				return 2
			}
			filters = append(filters, o)
		default:
			filters = append(filters, o)
		}
	}
	if verb == "" || len(rest) > 1 || len(rest) == 1 && rest[0] != "conntrack" {
		c.errorf("%sThe lab's conntrack knows -L, -D and -C\n", conntrackVersion)
		return 2
	}
	match := func(line string) bool { return tracked(line, filters) }
	lines := slices.DeleteFunc(c.Kernel.ListConnections(), func(line string) bool { return !match(line) })
	switch verb {
	case "count":
		c.printf("%d\n", len(lines))
		return 0
	case "delete":
		lines = c.Kernel.ForgetConnections(match)
	}
	for _, line := range lines {
		if extended {
			line = "ipv4     2 " + line
		}
		c.printf("%s\n", line)
	}
	done := map[string]string{"dump": "shown", "delete": "deleted"}[verb]
	c.errorf("%s%d flow entries have been %s.\n", conntrackVersion, len(lines), done)
	if verb == "delete" && len(lines) == 0 {
		return 1
	}
	return 0
}

// tracked says whether a line of conntrack -L passes the filters.
func tracked(line string, filters []option) bool {
	fields := strings.Fields(line)
	get := func(key string, nth int) string {
		for _, field := range fields {
			if name, value, is := strings.Cut(field, "="); is && name == key {
				if nth == 0 {
					return value
				}
				nth--
			}
		}
		return ""
	}
	same := func(value, filter string) bool {
		if prefix, err := netip.ParsePrefix(filter); err == nil {
			address, err := netip.ParseAddr(value)
			return err == nil && prefix.Contains(address)
		}
		return value == filter
	}
	for _, f := range filters {
		ok := true
		switch f.name {
		case "proto":
			ok = len(fields) > 1 && (fields[0] == f.value || fields[1] == f.value)
		case "orig-src":
			ok = same(get("src", 0), f.value)
		case "orig-dst":
			ok = same(get("dst", 0), f.value)
		case "reply-src":
			ok = same(get("src", 1), f.value)
		case "reply-dst":
			ok = same(get("dst", 1), f.value)
		case "orig-port-src":
			ok = get("sport", 0) == f.value
		case "orig-port-dst":
			ok = get("dport", 0) == f.value
		case "state":
			ok = slices.Contains(fields, f.value)
		}
		if !ok {
			return false
		}
	}
	return true
}

// savedRule is a line of iptables-save -c.
type savedRule struct {
	packets, bytes string
	words          []string // after -A CHAIN, as they were written
}

// savedChain is a chain of iptables-save -c.
type savedChain struct {
	name, policy   string
	packets, bytes string
	rules          []savedRule
}

func counted(text string) (packets, bytes string) {
	packets, bytes, _ = strings.Cut(strings.Trim(text, "[]"), ":")
	return packets, bytes
}

// readSaved takes the text of one table apart.
func readSaved(text string) []*savedChain {
	var chains []*savedChain
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, ":"):
			fields := strings.Fields(line[1:])
			if len(fields) == 3 {
				packets, bytes := counted(fields[2])
				chains = append(chains, &savedChain{name: fields[0], policy: fields[1], packets: packets, bytes: bytes})
			}
		case strings.HasPrefix(line, "["):
			words := quotedWords(line)
			if len(words) < 3 {
				continue
			}
			packets, bytes := counted(words[0])
			for _, chain := range chains {
				if chain.name == words[2] {
					chain.rules = append(chain.rules, savedRule{packets, bytes, words[3:]})
				}
			}
		}
	}
	return chains
}

// quotedWords splits a line at blanks outside of quotes, and keeps the quotes.
func quotedWords(line string) []string {
	var words []string
	quoted, escaped := false, false
	start := -1
	for i, letter := range line + " " {
		switch {
		case letter == ' ' && !quoted:
			if start >= 0 {
				words = append(words, line[start:i])
			}
			start = -1
			continue
		case letter == '"' && !escaped:
			quoted = !quoted
		}
		escaped = letter == '\\' && !escaped
		if start < 0 {
			start = i
		}
	}
	return words
}

// iptables lists rules. It changes none: the lab's rules are kube-proxy's.
func iptables(c *command) int {
	table, verb, chain := "filter", "", ""
	numeric, verbose, numbers := false, false, false
	args := c.args
	for ; len(args) > 0; args = args[1:] {
		arg := args[0]
		switch {
		case (arg == "-t" || arg == "--table") && len(args) > 1:
			args = args[1:]
			table = args[0]
		case arg == "--list" || arg == "--list-rules":
			verb = map[string]string{"--list": "L", "--list-rules": "S"}[arg]
		case arg == "--numeric":
			numeric = true
		case arg == "--verbose":
			verbose = true
		case arg == "--line-numbers":
			numbers = true
		case len(arg) > 1 && arg[0] == '-' && strings.Trim(arg[1:], "LSnvw") == "":
			for _, letter := range arg[1:] {
				switch letter {
				case 'L', 'S':
					verb = string(letter)
				case 'n':
					numeric = true
				case 'v':
					verbose = true
				}
			}
		case !strings.HasPrefix(arg, "-") && verb != "" && chain == "":
			chain = arg
		default:
			c.errorf("%s %s: option %q: the lab's iptables only lists rules: -L and -S\n", c.name, iptablesVersion, arg)
			return 2
		}
	}
	switch {
	case verb == "":
		c.errorf("%s %s: no command specified\nTry `iptables -h' or 'iptables --help' for more information.\n", c.name, iptablesVersion)
		return 2
	case c.Kernel == nil:
		return c.denied()
	case !slices.Contains([]string{"filter", "nat", "mangle", "raw", "security"}, table):
		c.errorf("%s %s: table '%s' does not exist\nPerhaps iptables or your kernel needs to be upgraded.\n", c.name, iptablesVersion, table)
		return 3
	}
	chains := readSaved(c.Kernel.SaveRules(table, true))
	if chain != "" && !slices.ContainsFunc(chains, func(s *savedChain) bool { return s.name == chain }) {
		// What 1.8.9 says of a chain that is not there (iptables/nft.c, nft_is_table_compatible).
		c.errorf("%s %s: chain `%s' in table `%s' is incompatible, use 'nft' tool.\n", c.name, iptablesVersion, chain, table)
		return 1
	}
	if verb == "S" {
		c.listRules(chains, chain, verbose)
		return 0
	}
	c.listChains(chains, chain, listing{numeric: numeric, verbose: verbose, numbers: numbers})
	return 0
}

func (c *command) listRules(chains []*savedChain, only string, verbose bool) {
	for _, chain := range chains {
		if only != "" && chain.name != only {
			continue
		}
		if chain.policy == "-" {
			c.printf("-N %s\n", chain.name)
			continue
		}
		count := ""
		if verbose {
			count = " -c " + chain.packets + " " + chain.bytes
		}
		c.printf("-P %s %s%s\n", chain.name, chain.policy, count)
	}
	for _, chain := range chains {
		if only != "" && chain.name != only {
			continue
		}
		for _, rule := range chain.rules {
			words := slices.Clone(rule.words)
			if verbose { // before the target; last in a rule that has none
				at := slices.IndexFunc(words, func(word string) bool { return word == "-j" || word == "-g" })
				if at < 0 {
					at = len(words)
				}
				words = slices.Insert(words, at, "-c", rule.packets, rule.bytes)
			}
			c.printf("-A %s %s\n", chain.name, strings.Join(words, " "))
		}
	}
}

// listing is how iptables -L prints.
type listing struct{ numeric, verbose, numbers bool }

func (c *command) listChains(chains []*savedChain, only string, how listing) {
	first := true
	for _, chain := range chains {
		if only != "" && chain.name != only {
			continue
		}
		if !first {
			c.printf("\n")
		}
		first = false
		switch {
		case chain.policy == "-":
			c.printf("Chain %s (%d references)\n", chain.name, references(chains, chain.name))
		case how.verbose:
			c.printf("Chain %s (policy %s %s packets, %s bytes)\n", chain.name, chain.policy, abbreviated(chain.packets), abbreviated(chain.bytes))
		default:
			c.printf("Chain %s (policy %s)\n", chain.name, chain.policy)
		}
		head := "target     prot opt source               destination         "
		if how.verbose {
			head = " pkts bytes target     prot opt in     out     source               destination         "
		}
		if how.numbers {
			head = "num  " + head
		}
		c.printf("%s\n", head)
		for i, rule := range chain.rules {
			if how.numbers {
				c.printf("%-4d ", i+1)
			}
			c.printf("%s\n", how.line(rule))
		}
	}
}

func references(chains []*savedChain, name string) int {
	count := 0
	for _, chain := range chains {
		for _, rule := range chain.rules {
			if at := slices.Index(rule.words, "-j"); at >= 0 && at+1 < len(rule.words) && rule.words[at+1] == name {
				count++
			}
		}
	}
	return count
}

// abbreviated is a counter in at most five letters (xtables_print_num).
func abbreviated(count string) string {
	n, err := strconv.ParseUint(count, 10, 64)
	if err != nil || n < 100_000 {
		return count
	}
	for _, unit := range []string{"K", "M", "G"} {
		if n = (n + 500) / 1000; n < 10_000 {
			return fmt.Sprintf("%d%s", n, unit)
		}
	}
	return fmt.Sprintf("%dT", (n+500)/1000)
}
