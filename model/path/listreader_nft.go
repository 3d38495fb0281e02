package path

import (
	"bytes"
	"errors"
	"fmt"
)

// block is what a line of nft's output stands in.
type block uint8

const (
	outside block = iota
	inTable
	inChain
	inSet
	otherBlock // a block of the table that decides nothing about packets
	otherTable // another family's, or not kube-proxy's
)

var (
	errNFT   = errors.New("neither a table nor a part of one")
	errBlock = errors.New("a block begins or ends within a line")
)

// nft reads a line of nft(8) list. nft puts what opens and what closes a block
// on a line of its own, and each rule on one.
func (r *listReader) nft(line []byte) error {
	switch r.block {
	case outside:
		return r.nftTable(line)
	case inTable:
		return r.nftBlock(line)
	case inChain:
		return r.nftRule(line)
	case inSet:
		return r.nftSet(line)
	}
	depth, err := braces(line)
	if err != nil && string(line) != "}" {
		return errBlock
	}
	switch {
	case depth > 1:
		return errBlock
	case depth == 1:
		r.depth++
	case string(line) == "}" && r.depth > 0:
		r.depth--
	case string(line) == "}" && r.block == otherBlock:
		r.block = inTable
	case string(line) == "}":
		r.block = outside
	}
	return nil
}

// nftTable reads "table ip kube-proxy {".
func (r *listReader) nftTable(line []byte) error {
	words := bytes.Fields(line)
	if len(words) != 4 || string(words[0]) != "table" || string(words[3]) != "{" {
		return errNFT
	}
	r.depth = 0
	if string(words[1]) != r.watch.family.nft() || string(words[2]) != NFTTable {
		r.block = otherTable
		return nil
	}
	if len(r.tables) > 0 {
		return fmt.Errorf("table %s comes twice", NFTTable)
	}
	r.table, r.tables, r.block = NFTTable, append(r.tables, NFTTable), inTable
	return nil
}

func (r *listReader) nftWhole() error {
	switch {
	case r.block != outside:
		return errEnds
	case len(r.tables) == 0:
		return fmt.Errorf("it printed no table %s %s", r.watch.family.nft(), NFTTable)
	}
	return nil
}

// nftBlock reads what opens a chain or set, or closes the table.
func (r *listReader) nftBlock(line []byte) error {
	if string(line) == "}" {
		r.block = outside
		return nil
	}
	depth, err := braces(line)
	switch {
	case err != nil:
		return err
	case depth == 0:
		if !bytes.HasPrefix(line, []byte("comment ")) {
			return errNFT
		}
		return nil
	case depth > 1 || !bytes.HasSuffix(line, []byte(" {")):
		return errBlock
	}
	words := bytes.Fields(line)
	kind := string(words[0])
	named := len(words) == 3
	switch {
	case named && kind == "chain":
		r.enter(r.watch.slot(r.table, words[1], r.last, func(s *slot) **slot { return &s.nextListed }))
		r.block = inChain
	case named && (kind == "set" || kind == "map"):
		name := append([]byte("@"), words[1]...)
		r.enter(r.watch.slot(r.table, name, r.last, func(s *slot) **slot { return &s.nextListed }))
		r.block, r.header, r.elements, r.expires = inSet, r.header[:0], false, false
	default:
		r.block = otherBlock
	}
	return nil
}

// nftRule reads a line of a chain.
func (r *listReader) nftRule(line []byte) error {
	switch {
	case string(line) == "}":
		r.finish()
		r.block = inTable
		return nil
	case bytes.HasPrefix(line, []byte("comment ")):
		return nil
	}
	if bytes.IndexByte(line, '{') >= 0 || bytes.IndexByte(line, '}') >= 0 {
		if depth, err := braces(line); err != nil || depth != 0 {
			return errBlock
		}
	}
	head, counter, tail, counted := cutCounter(line, counterPackets, counterBytes)
	r.add(head, tail, counter, counted)
	return nil
}

var (
	counterPackets = []byte("counter packets ")
	counterBytes   = []byte("bytes ")
)

// nftSet reads a line of a set: its declaration becomes one line, and each of
// its elements. The order in which nft prints those is that of a hash table.
func (r *listReader) nftSet(line []byte) error {
	switch {
	case r.elements:
		return r.nftElements(line)
	case string(line) == "}":
		r.declared()
		r.finish()
		r.block = inTable
		return nil
	case bytes.HasPrefix(line, []byte("elements = {")):
		r.declared()
		r.elements = true
		return r.nftElements(bytes.TrimSpace(line[len("elements = {"):]))
	}
	if depth, err := braces(line); err != nil || depth != 0 {
		return errBlock
	}
	if bytes.HasPrefix(line, []byte("timeout ")) {
		r.expires = true
	}
	if bytes.HasPrefix(line, []byte("type ")) || bytes.HasPrefix(line, []byte("timeout ")) {
		if len(r.header) > 0 {
			r.header = append(r.header, ' ')
		}
		r.header = append(r.header, line...)
	}
	return nil
}

// declared takes a set's declaration in, once.
func (r *listReader) declared() {
	if len(r.header) > 0 {
		r.add(r.header, nil, Counter{}, false)
		r.header = r.header[:0]
	}
}

// nftElements reads elements with commas between them, up to the brace.
func (r *listReader) nftElements(line []byte) error {
	if rest, ok := bytes.CutSuffix(line, []byte("}")); ok {
		line, r.elements = bytes.TrimRight(rest, " "), false
	}
	for len(line) > 0 {
		quoted, end := false, 0
		for end < len(line) && (quoted || line[end] != ',') {
			switch c := line[end]; {
			case c == '"':
				quoted = !quoted
			case !quoted && (c == '{' || c == '}' || c == ';' || c == '#'):
				return errBlock
			}
			end++
		}
		if quoted {
			return errBlock
		}
		element := bytes.TrimSpace(line[:end])
		line = bytes.TrimLeft(line[min(end+1, len(line)):], " ")
		if len(element) == 0 {
			return errors.New("an element is missing")
		}
		if !r.expires {
			head, _, tail, _ := cutCounter(element, counterPackets, counterBytes)
			r.add(head, tail, Counter{}, false)
		}
	}
	return nil
}

// braces says how many braces stay open at the end of a line; an error when one
// closes that the line did not open.
func braces(line []byte) (depth int, err error) {
	quoted := false
	for _, c := range line {
		switch {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '#':
			return depth, nil
		case c == '{':
			depth++
		case c == '}':
			if depth--; depth < 0 {
				return depth, errBlock
			}
		}
	}
	return depth, nil
}

// ipset reads a line of ipset(8) save.
func (r *listReader) ipset(line []byte) error {
	verb, rest, _ := bytes.Cut(line, blank)
	name, rest, _ := bytes.Cut(rest, blank)
	if len(rest) == 0 || string(verb) != "create" && string(verb) != "add" {
		return fmt.Errorf("%q: want create or add", line)
	}
	if r.watch.ipsets[string(name)] == "" {
		return nil
	}
	if s := r.run.slot; s == nil || s.id.Chain[1:] != string(name) {
		s = r.watch.slot(ipsetTable, append([]byte("@"), name...), r.last, func(s *slot) **slot { return &s.nextListed })
		if string(verb) == "add" && s.seen != r.watch.look {
			return fmt.Errorf("%q: the set is not declared", line)
		}
		r.enter(s)
	}
	if string(verb) == "add" {
		r.add(rest, nil, Counter{}, false)
	}
	return nil
}
