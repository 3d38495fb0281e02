package path

import (
	"slices"
	"strings"

	"svctour/model"
)

// derive brings the derived program up to date, and notes which chains and sets
// of it have changed.
func (w *Watch) derive(s *model.Snapshot) {
	before := w.derived
	if before == nil {
		w.derived = CompileAs(w.mode, s, w.node, w.family)
		before = &Program{}
	} else if w.derived = before.Update(s); w.derived == before {
		return
	}
	for _, t := range w.derived.Tables {
		old := before.Table(t.Name)
		if old == nil {
			old = &Table{}
		}
		realign(old.Chains, t.Chains, (*Chain).name, old.Chain, t.Chain, func(name string, c *Chain) {
			w.want(ChainID{t.Name, name}, func(s *slot) { s.chain = c })
		})
		w.wantSets(t.Name, old.Sets, t.Sets)
	}
	if w.mode == ModeIPVS {
		w.wantSets(ipsetTable, before.IPSets, w.derived.IPSets)
	}
}

func (w *Watch) wantSets(table string, before, after []*Set) {
	find := func(list []*Set) func(string) *Set {
		var byName map[string]*Set
		return func(name string) *Set {
			if byName == nil {
				byName = make(map[string]*Set, len(list))
				for _, s := range list {
					byName[s.Name] = s
				}
			}
			return byName[name]
		}
	}
	realign(before, after, (*Set).name, find(before), find(after), func(name string, set *Set) {
		w.want(ChainID{table, "@" + name}, func(s *slot) { s.set = set })
	})
}

// want notes that a chain's derived rules have changed, and drops the differences
// that were found with the old ones.
func (w *Watch) want(id ChainID, set func(*slot)) {
	s := w.slot(id.Table, []byte(id.Chain), nil, nil)
	set(s)
	s.unread = true
	w.tell(s, nil)
}

// tell notes how a chain differs.
func (w *Watch) tell(s *slot, list []Difference) {
	w.dirty = w.dirty || len(s.differences)+len(list) > 0
	s.differences = list
}

func (c *Chain) name() string { return c.Name }
func (s *Set) name() string   { return s.Name }

// realign calls changed for everything that differs between two lists that share
// most of their pointers; with nil for what was removed.
func realign[T any](before, after []*T, name func(*T) string, findBefore, findAfter func(string) *T, changed func(string, *T)) {
	i := 0
	for j := 0; j < len(after); {
		if i < len(before) && before[i] == after[j] {
			i, j = i+1, j+1
			continue
		}
		if i < len(before) && findAfter(name(before[i])) == nil {
			changed(name(before[i]), nil)
			i++
			continue
		}
		if now := name(after[j]); findBefore(now) != after[j] {
			changed(now, after[j])
			if i < len(before) && name(before[i]) == now {
				i++
			}
		}
		j++
	}
	for _, gone := range before[min(i, len(before)):] {
		if findAfter(name(gone)) == nil {
			changed(name(gone), nil)
		}
	}
}

// ours says whether kube-proxy answers for some of what a chain has.
func (w *Watch) ours(id ChainID) bool {
	switch id.Table {
	case NFTTable:
		return w.mode == ModeNFTables
	case ipsetTable:
		return w.mode == ModeIPVS
	case "nat", "filter":
		return w.mode != ModeNFTables && (proxyChain(id.Chain) || isHook(id.Chain))
	}
	return false
}

// compare compares the derived rules of a chain with those that the node has.
func (w *Watch) compare(s *slot) {
	s.unread, s.respelled = false, nil
	if !w.ours(s.id) {
		return
	}
	want := s.wanted()
	list := differ(s.id,
		side{len(want), func(i int) string { return want[i] }, func(i int) []string { return want[i : i+1] }},
		w.side(s.id, s.lines, func(line int, text string) {
			if s.respelled == nil {
				s.respelled = map[int]string{}
			}
			s.respelled[line] = text
		}))
	w.tell(s, list)
}

// since says what came to a chain and what went.
func (w *Watch) since(s *slot) []Difference {
	if !w.ours(s.id) {
		return nil
	}
	return differ(s.id, w.side(s.id, s.before, nil), w.side(s.id, s.lines, nil))
}

// between is a side without its first and last texts.
func (s side) between(first, last int) side {
	return side{s.n - first - last, func(i int) string { return s.text(first + i) }, func(i int) []string { return s.texts(first + i) }}
}

// side is one of two lists of rules that are compared. text gives a line as it
// is; texts gives it as Compare spells it, which may be no text at all.
type side struct {
	n     int
	text  func(int) string
	texts func(int) []string
}

// side is what a node has in a chain. note is called for the rules that
// Rule.String spells differently.
func (w *Watch) side(id ChainID, l *lines, note func(line int, text string)) side {
	known := map[int][]string{}
	return side{l.len(), l.line, func(i int) []string {
		texts, has := known[i]
		if !has {
			texts = w.spelled(id, l, i)
			known[i] = texts
			if note != nil && len(texts) == 1 && texts[0] != l.line(i) {
				note(i, texts[0])
			}
		}
		return texts
	}}
}

// differ does what compareChain does, for sides of which most lines are equal as
// they are: only the others are parsed.
func differ(id ChainID, want, have side) []Difference {
	first, last := 0, 0 // how many are the same at the beginning, and at the end
	for first < min(want.n, have.n) && want.text(first) == have.text(first) {
		first++
	}
	for last < min(want.n, have.n)-first && want.text(want.n-1-last) == have.text(have.n-1-last) {
		last++
	}
	if want, have = want.between(first, last), have.between(first, last); want.n+have.n == 0 {
		return nil
	}
	count := make(map[string]int, want.n)
	for i := range want.n {
		count[want.text(i)]++
	}
	plain := make([]bool, have.n) // the text at hand is one that is wanted
	left := want.n
	for i := range have.n {
		if text := have.text(i); count[text] > 0 {
			count[text]--
			plain[i] = true
			left--
		}
	}
	var missing, extra []string
	if left > 0 {
		for i := range want.n {
			if text := want.text(i); count[text] > 0 {
				count[text]--
				missing = append(missing, want.texts(i)...)
			}
		}
	}
	for i := range have.n {
		if !plain[i] {
			extra = append(extra, have.texts(i)...)
		}
	}
	if out := compareChain(id.Table, "@", missing, extra); len(out) > 0 { // no set has an order
		for i := range out {
			out[i].Chain = id.Chain
		}
		return out
	}
	if !ordered(id.Table, id.Chain) {
		return nil
	}
	if !slices.Equal(want.all(nil), have.all(plain)) {
		return []Difference{{Kind: Order, Table: id.Table, Chain: id.Chain}}
	}
	return nil
}

// all gives the texts of a side in order; the lines as they are where plain is set.
func (s side) all(plain []bool) []string {
	out := make([]string, 0, s.n)
	for i := range s.n {
		if plain != nil && plain[i] {
			out = append(out, s.text(i))
		} else {
			out = append(out, s.texts(i)...)
		}
	}
	return out
}

// wanted gives the texts of a slot's derived rules or elements. Those of a long
// chain are kept: most of them are the same after a change.
func (s *slot) wanted() []string {
	if s.set != nil {
		return s.set.wanted(s.id.Table)
	}
	if s.chain == nil {
		s.rules, s.texts = nil, nil
		return nil
	}
	var out []string
	if s.id.Table == NFTTable && s.chain.Base {
		out = append(out, s.chain.declared())
	}
	hook := s.id.Table != NFTTable && !proxyChain(s.chain.Name)
	rules := s.chain.Rules
	if hook {
		rules = slices.DeleteFunc(slices.Clone(rules), func(r *Rule) bool { return !s.chain.Base || !proxyChain(r.Chain) })
	}
	texts := s.textsOf(rules)
	if s.rules, s.texts = nil, nil; len(rules) >= manyLines {
		s.rules, s.texts = rules, texts
	}
	return append(out, texts...)
}

// textsOf gives the texts of rules. It takes the texts that are kept for the
// rules at the beginning and end that are still the same.
func (s *slot) textsOf(rules []*Rule) []string {
	texts := make([]string, len(rules))
	first := 0
	for first < min(len(rules), len(s.rules)) && rules[first] == s.rules[first] {
		texts[first] = s.texts[first]
		first++
	}
	end := len(rules)
	for shift := len(s.rules) - len(rules); end > first && end+shift > first && rules[end-1] == s.rules[end-1+shift]; end-- {
		texts[end-1] = s.texts[end-1+shift]
	}
	for i := first; i < end; i++ {
		texts[i] = withoutNFAcct(rules[i].String())
	}
	return texts
}

// wanted are the texts of a set's declaration and elements.
func (s *Set) wanted(table string) []string {
	if table == ipsetTable {
		var out []string
		for _, e := range s.Elements {
			out = append(out, s.texts(e)...)
		}
		return out
	}
	out := make([]string, 1, 1+len(s.Elements))
	if out[0] = "type " + s.Type; s.Timeout > 0 {
		out[0] += " timeout " + nftDuration(s.Timeout)
	}
	for _, e := range s.Elements {
		out = append(out, e.String())
	}
	return out
}

// spelled gives a line as Compare spells it: like Rule.String for a rule that this
// package understands; nothing for a line that kube-proxy does not write.
func (w *Watch) spelled(id ChainID, l *lines, line int) []string {
	text := l.line(line)
	switch id.Table {
	case NFTTable:
		return w.spelledNFT(id, l, line)
	case ipsetTable:
		words := strings.Fields(text)
		if len(words) == 1 {
			if key, ok := parseEntry(w.ipsets[id.Chain[1:]], words[0], w.family); ok {
				return []string{(&Element{Key: key}).entry()}
			}
		}
		return []string{strings.Join(words, " ")}
	}
	isChain := func(name string) bool { return w.byName[id.Table][name] != nil }
	rule, ok := parseRule(text, isChain, w.family == IPv6)
	switch {
	case isHook(id.Chain) && (!ok || !proxyChain(rule.Chain)):
		return nil
	case !ok:
		return []string{text}
	}
	return []string{withoutNFAcct(rule.String())}
}

// spelledNFT is spelled for nftables.
func (w *Watch) spelledNFT(id ChainID, l *lines, line int) []string {
	text := l.line(line)
	r := &nftReader{
		lexer:    lexer{text: text + "\n}", line: 1},
		observed: &Observed{Program: &Program{Mode: ModeNFTables, Family: w.family}, counters: map[ruleID]Counter{}},
		table:    &Table{Name: NFTTable},
	}
	name, isSet := strings.CutPrefix(id.Chain, "@")
	if isSet && line == 0 && strings.HasPrefix(text, "type ") {
		return []string{strings.Join(strings.Fields(text), " ")}
	}
	var out []string
	if isSet {
		s := &Set{Name: name, Type: l.setType()}
		r.lexer.text = "elements = { " + text + " }\n}"
		if _, err := r.statement(false); err != nil {
			return []string{text}
		}
		r.elements(s, r.tokens)
		for _, e := range s.Elements {
			out = append(out, e.String())
		}
	} else {
		c := &Chain{Name: id.Chain}
		r.sets = w.knownSets()
		if err := r.chain(c); err != nil {
			return []string{text}
		}
		if c.Base {
			out = append(out, c.declared())
		}
		for _, rule := range c.Rules {
			out = append(out, rule.String())
		}
	}
	for _, f := range r.observed.Foreign {
		out = append(out, f.Text)
	}
	return out
}

// setType is the type that a set is declared with.
func (l *lines) setType() string {
	if l.len() == 0 {
		return ""
	}
	declared, _ := strings.CutPrefix(l.line(0), "type ")
	kind, _, _ := strings.Cut(declared, " timeout ")
	return strings.Join(strings.Fields(kind), " ")
}

// knownSets gives those of the node's sets that rules refer to.
func (w *Watch) knownSets() map[string]*Set {
	if w.nftSets != nil {
		return w.nftSets
	}
	w.nftSets = map[string]*Set{}
	for _, s := range w.sets {
		if s.lines.len() == 0 {
			continue
		}
		made := &Set{Name: s.id.Chain[1:], Type: s.lines.setType()}
		if _, timeout, has := strings.Cut(s.lines.line(0), " timeout "); has {
			made.Timeout = parseNFTDuration(timeout)
		}
		w.nftSets[made.Name] = made
	}
	return w.nftSets
}
