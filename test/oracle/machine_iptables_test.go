//go:build linux

package oracle

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// iptablesMachine is a machine for what kube-proxy hands to iptables-restore.
type iptablesMachine struct {
	*machine
	rules rules
	table string
}

func (m *iptablesMachine) run(hook string) bool {
	for _, table := range map[string][]string{
		"PREROUTING": {"nat"}, "INPUT": {"filter"}, "FORWARD": {"filter"}, "OUTPUT": {"nat", "filter"}, "POSTROUTING": {"nat"},
	}[hook] {
		m.table = table
		m.chain(hook)
		if m.end != "" || m.err != nil {
			return false
		}
	}
	return true
}

// chain carries out a chain; true when the packet has left the base chain.
func (m *iptablesMachine) chain(name string) bool {
	list, has := m.rules[m.table+" "+name]
	if !has {
		m.fail("no chain %s in %s", name, m.table)
		return true
	}
	for _, rule := range list {
		action, matches := m.match(rule)
		if m.err != nil {
			return true
		}
		if !matches {
			continue
		}
		m.met(m.table, name, rule, action)
		switch verb, rest, _ := strings.Cut(action, " "); {
		case action == "": // it has no target
		case strings.HasPrefix(rest, "MARK --or-mark "), strings.HasPrefix(rest, "MARK --xor-mark "):
			m.setMark(rest)
		case strings.HasPrefix(rest, "DNAT --to-destination "):
			to, err := netip.ParseAddrPort(strings.TrimPrefix(rest, "DNAT --to-destination "))
			if err != nil {
				m.fail("%s: %v", rule, err)
			}
			m.rewrite(to)
			return true
		case strings.HasPrefix(rest, "MASQUERADE"):
			m.masq = true
			return true
		case rest == "REJECT", rest == "DROP":
			m.end = strings.ToLower(rest)
			return true
		case rest == "ACCEPT":
			return true
		case rest == "RETURN":
			return false
		case verb == "-j":
			if m.chain(rest) {
				return true
			}
		default:
			m.fail("what does %q do?", rule)
			return true
		}
	}
	return false
}

func (m *iptablesMachine) setMark(text string) {
	words := strings.Fields(text)
	bits, err := strconv.ParseUint(words[2], 0, 32)
	if err != nil {
		m.fail("%s: %v", text, err)
	}
	if words[1] == "--or-mark" {
		m.mark |= bits
	} else {
		m.mark ^= bits
	}
}

// flags are what may follow a comment.
var flags = []string{"-m", "-p", "-d", "-s", "-i", "-j", "-g", "!"}

// match reads a rule from left to right. A random condition is asked last: the
// kernel asks it only of packets for which all before it is so.
func (m *iptablesMachine) match(rule string) (action string, matches bool) {
	words, ok, not, random := quotedFields(rule), true, false, ""
	and := func(holds bool) {
		ok = ok && holds != not
		not = false
	}
	for i := 0; i < len(words); i++ {
		next := func() string {
			if i++; i < len(words) {
				return words[i]
			}
			m.fail("%q ends too early", rule)
			return ""
		}
		switch words[i] {
		case "-m", "--name", "--mode":
			next()
		case "--comment": // the fake leaves the quotes out in the jumps from base chains
			for next(); i+1 < len(words) && !slices.Contains(flags, words[i+1]); {
				next()
			}
		case "--reap":
		case "!":
			not = true
		case "-p":
			and(next() == m.protocol)
		case "-d":
			and(m.within(m.to, next()))
		case "-s":
			and(m.within(m.source, next()))
		case "--dport":
			and(next() == strconv.Itoa(int(m.port)))
		case "-i":
			name := next()
			stem, wild := strings.CutSuffix(name, "+")
			and(m.interf == name || wild && m.interf != "" && strings.HasPrefix(m.interf, stem))
		case "--dst-type":
			and(next() == "LOCAL" && m.local(m.to))
		case "--src-type":
			and(next() == "LOCAL" && m.local(m.source))
		case "--ctstate":
			states := next()
			and(strings.Contains(states, "NEW") || strings.Contains(states, "DNAT") && m.rewritten)
		case "--mark":
			bits, err := strconv.ParseUint(strings.Split(next(), "/")[0], 0, 32)
			if err != nil {
				m.fail("%s: %v", rule, err)
			}
			and(m.mark&bits == bits)
		case "--rcheck": // the client was seen nowhere
			and(false)
		case "--seconds":
			next()
		case "--set":
		case "--probability":
			random = next()
		case "-j", "-g":
			action = strings.Join(words[i:], " ")
			i = len(words)
		default:
			m.fail("what is %q in %q?", words[i], rule)
			return "", false
		}
	}
	if ok && random != "" {
		p, err := strconv.ParseFloat(random, 64)
		if err != nil {
			m.fail("%s: %v", rule, err)
		}
		ok = m.draw() < p
	}
	return action, ok
}

// quotedFields splits a rule into words; a quoted text is one.
func quotedFields(text string) []string {
	var out []string
	for i, part := range strings.Split(text, `"`) {
		if i%2 == 1 {
			out = append(out, part)
			continue
		}
		out = append(out, strings.Fields(part)...)
	}
	return out
}
