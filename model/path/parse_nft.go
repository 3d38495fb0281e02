package path

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ParseNFT reads what `nft list table ip kube-proxy` or `nft list ruleset`
// printed (nft(8), nftables 1.0.6; with handles and counters or without), and
// of it the table kube-proxy of one family. Rules, elements and declarations of
// base chains that kube-proxy 1.37 does not write become Foreign, those of a
// set with @ and its name as their chain. What packets have put into sets is
// left out. An error says that text is not such output, with the line.
func ParseNFT(text string, family Family) (*Observed, error) {
	r := &nftReader{
		lexer:    lexer{text: text, line: 1},
		observed: &Observed{Program: &Program{Mode: ModeNFTables, Family: family, MasqueradeMark: 1 << 14}, counters: map[ruleID]Counter{}},
		sets:     map[string]*Set{},
	}
	if err := r.tables(); err != nil {
		return nil, fmt.Errorf("read nft list, line %d: %w", r.line, err)
	}
	p := r.observed.Program
	if len(p.Tables) == 0 {
		return nil, fmt.Errorf("read nft list: it printed no table %s %s", family.nft(), NFTTable)
	}
	if c := p.Chain(NFTTable, "masquerading"); c != nil {
		for _, rule := range c.Rules {
			if rule.Mark != 0 {
				p.MasqueradeMark = rule.Mark
			}
		}
	}
	return r.observed, nil
}

// token is a word, a quoted text, or one of { } ; , and newline.
type token struct {
	text       string
	quoted     bool
	start, end int // in the text
}

func (t token) is(word string) bool { return !t.quoted && t.text == word }

func (t token) isWord() bool { return !t.quoted && !strings.ContainsAny(t.text, "{};,\n") }

// lexer cuts nft's output into tokens.
type lexer struct {
	text string
	at   int
	line int
}

// next takes a token; an empty word that is not quoted is the end.
func (l *lexer) next() token {
	for l.at < len(l.text) && strings.IndexByte(" \t\r", l.text[l.at]) >= 0 {
		l.at++
	}
	start := l.at
	if start == len(l.text) {
		return token{start: start, end: start}
	}
	switch l.text[start] {
	case '\n':
		l.line++
		fallthrough
	case '{', '}', ';', ',':
		l.at++
		return token{l.text[start:l.at], false, start, l.at}
	case '#': // a handle, or a warning of nft's
		l.skip("\n")
		return l.next()
	case '"': // nft's strings have no escapes
		l.at++
		l.skip("\"\n")
		inside := l.text[start+1 : l.at]
		if l.at < len(l.text) && l.text[l.at] == '"' {
			l.at++
		}
		return token{inside, true, start, l.at}
	}
	l.skip(" \t\r\n{};,\"")
	return token{l.text[start:l.at], false, start, l.at}
}

// skip goes on to one of some characters, or to the end.
func (l *lexer) skip(until string) {
	if n := strings.IndexAny(l.text[l.at:], until); n >= 0 {
		l.at += n
		return
	}
	l.at = len(l.text)
}

// nftReader reads tables.
type nftReader struct {
	lexer
	observed *Observed
	table    *Table
	sets     map[string]*Set
	tokens   []token // of the statement
}

var errEnds = errors.New("the text ends inside of a table")

// statement reads up to the end of a line, to a semicolon, or to a brace that
// opens a block or closes the one around; end is that token. Braces that are
// closed in the same statement belong to it.
func (r *nftReader) statement(block bool) (end token, err error) {
	r.tokens = r.tokens[:0]
	for depth := 0; ; {
		t := r.next()
		switch {
		case t.text == "" && !t.quoted:
			return t, errEnds
		case t.is("{") && depth == 0 && block:
			return t, nil
		case t.is("{"):
			depth++
		case t.is("}") && depth == 0:
			return t, nil
		case t.is("}"):
			depth--
		case depth == 0 && (t.is("\n") || t.is(";")):
			return t, nil
		case t.is("\n"):
			continue
		}
		r.tokens = append(r.tokens, t)
	}
}

// written is a statement as it was printed.
func (r *nftReader) written(tokens []token) string {
	if len(tokens) == 0 {
		return ""
	}
	return r.text[tokens[0].start:tokens[len(tokens)-1].end]
}

func (r *nftReader) foreign(in, text string) {
	r.observed.Foreign = append(r.observed.Foreign, Foreign{r.table.Name, in, text})
}

// tables reads the whole text.
func (r *nftReader) tables() error {
	for {
		end, err := r.statement(true)
		if err != nil && len(r.tokens) == 0 {
			return nil
		}
		switch t := r.tokens; {
		case len(t) == 0 && end.is("\n"):
		case len(t) != 3 || !t[0].is("table") || !end.is("{"):
			return errors.New("neither a table nor a part of one")
		case !t[1].is(r.observed.Program.Family.nft()) || t[2].text != NFTTable:
			err = r.skipBlock()
		case r.table != nil:
			return fmt.Errorf("table %s comes twice", NFTTable)
		default:
			r.table = &Table{Name: NFTTable}
			r.observed.Program.Tables = []*Table{r.table}
			err = r.content()
		}
		if err != nil {
			return err
		}
	}
}

// skipBlock goes behind the brace that closes the block.
func (r *nftReader) skipBlock() error {
	for depth := 1; depth > 0; {
		switch t := r.next(); {
		case t.text == "" && !t.quoted:
			return errEnds
		case t.is("{"):
			depth++
		case t.is("}"):
			depth--
		}
	}
	return nil
}

// content reads the sets and chains of the table.
func (r *nftReader) content() error {
	for {
		end, err := r.statement(true)
		if err != nil || end.is("}") {
			return err
		}
		if !end.is("{") { // the table's comment
			continue
		}
		kind, name := "", ""
		if len(r.tokens) == 2 && r.tokens[1].isWord() {
			kind, name = r.tokens[0].text, r.tokens[1].text
		}
		switch kind {
		case "set", "map":
			err = r.set(kind, name)
		case "chain":
			err = r.chain(r.table.chain(name))
		default: // a counter, a flowtable: nothing that decides about packets
			err = r.skipBlock()
		}
		if err != nil {
			return err
		}
	}
}

// chain reads a chain's declaration and rules.
func (r *nftReader) chain(c *Chain) error {
	c.Base = false
	for {
		end, err := r.statement(false)
		if err != nil {
			return err
		}
		if t := r.tokens; len(t) > 0 {
			switch {
			case t[0].is("comment"):
			case t[0].is("type"):
				if c.Base = declares(c.Name, t); !c.Base {
					r.foreign(c.Name, r.written(t))
				}
			case t[0].is("policy") && len(t) == 2 && t[1].is("accept"):
			default:
				r.rule(c)
			}
		}
		if end.is("}") {
			return nil
		}
	}
}

// joined are tokens with one blank between them; "" when one is no word.
func joined(t []token) string {
	out := make([]string, len(t))
	for i := range t {
		if !t[i].isWord() {
			return ""
		}
		out[i] = t[i].text
	}
	return strings.Join(out, " ")
}

// declares says whether a declaration "type T hook H priority P" is that of
// kube-proxy's base chain of this name.
func declares(name string, t []token) bool {
	text := joined(t)
	for _, b := range nftBaseChains {
		if b.name == name {
			begin := fmt.Sprintf("type %s hook %s priority ", b.kind, b.hook)
			return text == begin+b.priority || text == begin+nftPriorities[b.hook+" "+b.priority]
		}
	}
	return false
}

func (r *nftReader) rule(c *Chain) {
	reader := &nftRuleReader{tokens: r.tokens, sets: r.sets, family: r.observed.Program.Family, ok: true}
	reader.rule.NFT, reader.rule.V6 = true, reader.family == IPv6
	if !reader.read() {
		head, _, tail, _ := cutCounter([]byte(r.written(r.tokens)), counterPackets, counterBytes)
		r.foreign(c.Name, string(head)+string(tail))
		return
	}
	c.add(reader.rule)
	id := ruleID{r.table.Name, c.Name, reader.rule.String()}
	count := r.observed.counters[id]
	count.Packets += reader.counter.Packets
	count.Bytes += reader.counter.Bytes
	r.observed.counters[id] = count
	r.observed.Counted = r.observed.Counted || reader.counted
}

// set reads a set's declaration and elements.
func (r *nftReader) set(kind, name string) error {
	s := &Set{Name: name, Map: kind == "map"}
	r.table.Sets = append(r.table.Sets, s)
	r.sets[name] = s
	for {
		end, err := r.statement(false)
		if err != nil {
			return err
		}
		t := r.tokens
		if len(t) > 1 {
			switch t[0].text {
			case "type":
				if s.Type == "" {
					s.Type = joined(t[1:])
				} else {
					r.foreign("@"+s.Name, r.written(t))
				}
			case "timeout":
				s.Timeout = parseNFTDuration(t[1].text)
			case "comment":
				s.Comment = t[1].text
			case "elements":
				r.elements(s, t)
			}
		}
		if end.is("}") {
			if s.Timeout > 0 { // clients
				s.Elements = nil
			}
			return nil
		}
	}
}

// elements reads "elements = { …, … }".
func (r *nftReader) elements(s *Set, t []token) {
	if s.Timeout > 0 {
		return
	}
	if len(t) < 4 || !t[1].is("=") || !t[2].is("{") || !t[len(t)-1].is("}") {
		r.foreign("@"+s.Name, r.written(t))
		return
	}
	parts := strings.Split(s.Type, " ")
	for t = t[3:]; len(t) > 0; {
		end := slices.IndexFunc(t, func(t token) bool { return t.is(",") || t.is("}") })
		if end < 0 {
			end = len(t)
		}
		reader := &nftRuleReader{tokens: t[:end], family: r.observed.Program.Family, ok: true}
		if e := reader.element(parts); reader.ok {
			s.Elements = append(s.Elements, &e)
		} else {
			r.foreign("@"+s.Name, r.written(t[:end]))
		}
		t = t[min(end+1, len(t)):]
	}
}

// element reads KEY [comment "…"] [: VERDICT], the key as the set's type has it.
func (r *nftRuleReader) element(parts []string) Element {
	var e Element
	for i, part := range parts {
		switch part {
		case ".":
			r.need(r.is("."))
		case "ipv4_addr", "ipv6_addr":
			e.Source, e.Address = e.Address, r.address()
		case "inet_proto":
			e.Protocol = r.protocol()
		case "inet_service":
			e.Port = r.port()
		case ":":
			r.need(i == len(parts)-2 && parts[i+1] == "verdict")
		case "verdict":
		default:
			r.ok = false
		}
	}
	if r.is("counter", "packets") {
		r.number(64)
		r.need(r.is("bytes"))
		r.number(64)
	}
	if r.is("comment") {
		e.Comment = r.quoted()
	}
	if !slices.Contains(parts, "verdict") {
		r.need(len(r.tokens) == 0)
		return e
	}
	r.need(r.is(":"))
	switch {
	case r.is("goto"):
		e.Action, e.Chain = ActionGoto, r.word()
	case r.is("drop"):
		e.Action = ActionDrop
	default:
		r.ok = false
	}
	r.need(len(r.tokens) == 0)
	return e
}

// parseNFTDuration reads what nftDuration prints; 0 for anything else.
func parseNFTDuration(text string) int32 {
	total := 0
	for text != "" {
		digits := strings.IndexAny(text, "dhms")
		if digits <= 0 || strings.HasPrefix(text[digits:], "ms") {
			return 0
		}
		n, err := strconv.ParseUint(text[:digits], 10, 31)
		unit := map[byte]int{'d': 86400, 'h': 3600, 'm': 60, 's': 1}[text[digits]]
		if err != nil || int(n) > (1<<31-1-total)/unit {
			return 0
		}
		total += int(n) * unit
		text = text[digits+1:]
	}
	return int32(total)
}
