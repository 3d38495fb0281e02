package path

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
)

// maxLine bounds one line of a listing, in bytes: nft(8) prints the choice
// between all endpoints of a Service in one.
const maxLine = 16 << 20

// listReader reads listings line by line into the slots of a Watch. What it
// has read stays apart until the look is complete.
type listReader struct {
	watch  *Watch
	chain  *ChainID // the only one that was asked for
	table  string
	tables []string // those that were begun
	last   *slot    // whose lines came last
	noted  *slot    // whose declaration came last
	run    run
	keep   bool // the counters of the run
	buffer []byte
	number int // of lines

	block    block // of nftables: what the line stands in
	depth    int   // of a block that is passed over
	elements bool
	header   []byte // of a set
	expires  bool   // the set is filled by packets
}

// read reads one listing.
func (r *listReader) read(l Listing) error {
	r.chain, r.table, r.tables, r.last, r.noted, r.number, r.block = l.Chain, "", nil, nil, nil, 0, outside
	r.run.slot = nil
	line, whole := r.saved, r.savedWhole
	switch name := l.Command[0]; {
	case name == "nft":
		line, whole = r.nft, r.nftWhole
	case name == "ipset":
		line, whole = r.ipset, func() error { return nil }
	case l.Chain != nil:
		r.table = l.Chain.Table
	}
	scanner := bufio.NewScanner(l.Text)
	if r.buffer == nil {
		r.buffer = make([]byte, 256<<10)
	}
	scanner.Buffer(r.buffer, maxLine)
	for scanner.Scan() {
		if r.number++; r.number > maxDump {
			return fmt.Errorf("read %s: more than %d lines", l.Command[0], maxDump)
		}
		if text := bytes.TrimSpace(scanner.Bytes()); len(text) > 0 && text[0] != '#' {
			if err := line(text); err != nil {
				return fmt.Errorf("read %s, line %d: %w", l.Command[0], r.number, err)
			}
		}
	}
	r.finish()
	if err := scanner.Err(); err != nil {
		return err
	}
	if err := whole(); err != nil {
		return fmt.Errorf("read %s: %w", l.Command[0], err)
	}
	return nil
}

// saved reads a line of iptables-save(8) -c, or of iptables(8) -S CHAIN -v.
func (r *listReader) saved(line []byte) error {
	switch {
	case r.chain != nil:
		return r.listed(line)
	case string(line) == "*":
		return errors.New("a table without a name")
	case line[0] == '*':
		name := string(line[1:])
		if slices.Contains(r.tables, name) {
			return fmt.Errorf("table %q comes twice", name)
		}
		r.table, r.tables = name, append(r.tables, name)
		return nil
	case string(line) == "COMMIT":
		r.finish()
		r.table = ""
		return nil
	case r.table == "":
		return errors.New("outside of a table")
	case line[0] == ':':
		name, _, _ := bytes.Cut(line[1:], blank)
		r.declare(name)
		return nil
	}
	var counter Counter
	counted := line[0] == '['
	if counted {
		var ok bool
		if counter, line, ok = bracketed(line); !ok {
			return errors.New("bad counters")
		}
	}
	rest, ok := bytes.CutPrefix(line, []byte("-A "))
	if !ok {
		return errors.New("neither a chain nor a rule")
	}
	name, rest, _ := bytes.Cut(rest, blank)
	return r.rule(name, rest, nil, counter, counted)
}

var blank = []byte(" ")

func (r *listReader) savedWhole() error {
	if r.chain == nil && len(r.tables) == 0 {
		return errors.New("it printed no table")
	}
	return nil
}

// listed reads a line of iptables -S CHAIN -v: a chain's name and policy, or a
// rule with its counter before its target.
func (r *listReader) listed(line []byte) error {
	if name, ok := bytes.CutPrefix(line, []byte("-N ")); ok {
		r.declare(name)
		return nil
	}
	if policy, ok := bytes.CutPrefix(line, []byte("-P ")); ok {
		name, _, _ := bytes.Cut(policy, blank)
		r.declare(name)
		return nil
	}
	rest, ok := bytes.CutPrefix(line, []byte("-A "))
	if !ok {
		return errors.New("neither a chain nor a rule")
	}
	name, rest, _ := bytes.Cut(rest, blank)
	head, counter, tail, counted := cutCounter(rest, []byte("-c "), nil)
	return r.rule(name, head, tail, counter, counted)
}

// declare notes that a chain is there.
func (r *listReader) declare(name []byte) {
	s := r.watch.slot(r.table, name, r.noted, func(s *slot) **slot { return &s.nextDeclared })
	s.declared, r.noted = r.watch.look, s
	if r.chain != nil && s.seen != r.watch.look { // a chain without rules prints nothing else
		r.enter(s)
	}
}

// rule takes a rule in.
func (r *listReader) rule(name, head, tail []byte, counter Counter, counted bool) error {
	s := r.run.slot
	if s == nil || s.id.Chain != string(name) || s.id.Table != r.table {
		s = r.watch.slot(r.table, name, r.last, func(s *slot) **slot { return &s.nextListed })
		if s.declared != r.watch.look {
			return fmt.Errorf("a rule of chain %q, which is not declared", name)
		}
		r.enter(s)
	}
	r.add(head, tail, counter, counted)
	return nil
}

// enter begins with the lines of a chain or set.
func (r *listReader) enter(s *slot) {
	r.finish()
	before := s.lines
	if s.seen == r.watch.look {
		before = s.next // its lines do not stand together
	} else {
		s.seen, s.next, s.nextCounts = r.watch.look, nil, nil
		r.watch.read = append(r.watch.read, s)
	}
	r.run.begin(s, before)
	if s.next != nil {
		r.run.n, r.run.at = before.len(), len(before.text)
	}
	r.last, r.keep = s, r.watch.keeps(s)
}

// add takes a line of the chain in.
func (r *listReader) add(head, tail []byte, counter Counter, counted bool) {
	w, s := r.watch, r.run.slot
	r.run.add(head, tail)
	w.lines++
	w.counted = w.counted || counted
	if !r.keep {
		return
	}
	if s.nextCounts == nil {
		s.nextCounts = make([]Counter, 0, max(r.run.before.len(), 1))
	}
	s.nextCounts = append(s.nextCounts, counter)
}

// finish ends with the lines of a chain.
func (r *listReader) finish() {
	if s := r.run.slot; s != nil {
		s.next, r.run.slot = r.run.end(), nil
	}
}

// bracketed reads "[packets:bytes] " before a rule.
func bracketed(line []byte) (c Counter, rest []byte, ok bool) {
	counts, rest, ok := bytes.Cut(line[1:], []byte("] "))
	packets, size, colon := bytes.Cut(counts, []byte(":"))
	var ok1, ok2 bool
	c.Packets, ok1 = number(packets)
	c.Bytes, ok2 = number(size)
	return c, rest, ok && colon && ok1 && ok2
}

// cutCounter takes "before PACKETS between BYTES" out of a line, where it stands
// outside of quotes.
func cutCounter(line, before, between []byte) (head []byte, c Counter, tail []byte, found bool) {
	for from := 0; ; {
		at := bytes.Index(line[from:], before)
		if at < 0 {
			return line, Counter{}, nil, false
		}
		at += from
		from = at + len(before)
		if at > 0 && line[at-1] != ' ' || quotes(line[:at])%2 != 0 {
			continue
		}
		packets, rest, _ := bytes.Cut(line[from:], blank)
		rest, ok := bytes.CutPrefix(rest, between)
		size, tail, _ := bytes.Cut(rest, blank)
		var ok1, ok2 bool
		c.Packets, ok1 = number(packets)
		c.Bytes, ok2 = number(size)
		if !ok || !ok1 || !ok2 {
			continue
		}
		if head = line[:at]; len(tail) == 0 {
			head = bytes.TrimRight(head, " ")
		}
		return head, c, tail, true
	}
}

// quotes counts the quotes that no backslash stands before.
func quotes(text []byte) int {
	n := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			n++
		}
	}
	return n
}

// number reads a decimal number of 64 bits.
func number(text []byte) (uint64, bool) {
	if len(text) == 0 {
		return 0, false
	}
	var n uint64
	for _, digit := range text {
		d := uint64(digit - '0')
		if digit < '0' || digit > '9' || n > (math.MaxUint64-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	return n, true
}
