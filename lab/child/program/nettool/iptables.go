package nettool

import (
	"fmt"
	"strings"
)

// line is a rule as iptables -L prints it: target, protocol, addresses, then
// what each match and the target say of themselves, in the rule's order.
func (l listing) line(rule savedRule) string {
	source, dest, in, protocol, target := "", "", "*", "all", ""
	notSource, notDest := " ", " "
	var says []string
	not := false
	words := rule.words
	value := func(n int) string {
		if n < len(words) {
			return strings.Trim(words[n], `"`)
		}
		return ""
	}
	for len(words) > 0 {
		taken := 2
		switch word := words[0]; word {
		case "!":
			not = true
			words = words[1:]
			continue
		case "-s":
			source = value(1)
			if not {
				notSource = "!"
			}
		case "-d":
			dest = value(1)
			if not {
				notDest = "!"
			}
		case "-i":
			in = value(1)
			if not {
				in = "!" + in
			}
		case "-p":
			protocol = value(1)
		case "-j":
			target = value(1)
			if text := ofTarget(words[min(2, len(words)):]); text != "" {
				says = append(says, text)
			}
			taken = len(words)
		case "-m":
			end := 2
			for end < len(words) && words[end] != "-m" && words[end] != "-j" {
				end++
			}
			says = append(says, l.ofMatch(value(1), words[min(2, len(words)):end]))
			taken = end
		}
		not = false
		words = words[min(taken, len(words)):]
	}
	if l.numeric {
		protocol = map[string]string{"all": "0", "tcp": "6", "udp": "17", "icmp": "1", "sctp": "132"}[protocol]
	}
	var b strings.Builder
	if l.verbose {
		fmt.Fprintf(&b, "%5s %5s ", abbreviated(rule.packets), abbreviated(rule.bytes))
	}
	fmt.Fprintf(&b, "%-9s  %-4s -- ", target, protocol)
	if l.verbose {
		fmt.Fprintf(&b, " %-6s %-6s ", in, "*")
	}
	fmt.Fprintf(&b, "%s%-19s %s%-19s ", notSource, l.address(source), notDest, l.address(dest))
	for _, text := range says {
		b.WriteString(" " + text)
	}
	return b.String()
}

func (l listing) address(prefix string) string {
	if prefix == "" {
		if l.numeric {
			return "0.0.0.0/0"
		}
		return "anywhere"
	}
	return strings.TrimSuffix(prefix, "/32")
}

// ofMatch is how a match prints itself; its own words where it does not differ.
func (l listing) ofMatch(name string, words []string) string {
	option := func(flag string) (string, bool) {
		for i, word := range words {
			if word == flag && i+1 < len(words) {
				return strings.Trim(words[i+1], `"`), true
			}
		}
		return "", false
	}
	has := func(flag string) bool {
		for _, word := range words {
			if word == flag {
				return true
			}
		}
		return false
	}
	not := ""
	if has("!") {
		not = "! "
	}
	switch name {
	case "comment":
		text, _ := option("--comment")
		return "/* " + text + " */"
	case "tcp", "udp", "sctp":
		text := name
		if port, is := option("--dport"); is {
			if known := service(port, name); !l.numeric && known != "*" {
				port = known
			}
			text += " dpt:" + port
		}
		return text
	case "conntrack":
		states, _ := option("--ctstate")
		return not + "ctstate " + states
	case "mark":
		mark, _ := option("--mark")
		return "mark match " + not + mark
	case "addrtype":
		text := "ADDRTYPE match"
		for _, side := range []string{"dst", "src"} {
			if kind, is := option("--" + side + "-type"); is {
				text += " " + side + "-type " + strings.TrimSpace(not) + kind
			}
		}
		return text
	case "statistic":
		probability, _ := option("--probability")
		return "statistic mode random probability " + probability
	case "recent":
		list, _ := option("--name")
		mask, _ := option("--mask")
		what := "SET"
		if seconds, is := option("--seconds"); is {
			what = "CHECK seconds: " + seconds + " reap"
		}
		return fmt.Sprintf("recent: %s name: %s side: source mask: %s", what, list, mask)
	}
	return strings.Join(append([]string{name, "match"}, words...), " ")
}

// ofTarget is how a target prints its options.
func ofTarget(words []string) string {
	if len(words) == 0 {
		return ""
	}
	value := ""
	if len(words) > 1 {
		value = words[1]
	}
	switch words[0] {
	case "--to-destination":
		return "to:" + value
	case "--random-fully":
		return "random-fully"
	case "--reject-with":
		return "reject-with " + value
	case "--set-xmark":
		bits, mask, _ := strings.Cut(value, "/")
		if mask == bits {
			return "MARK or " + bits
		}
		if mask == "0x0" {
			return "MARK xor " + bits
		}
		return "MARK xset " + value
	}
	return strings.Join(words, " ")
}
