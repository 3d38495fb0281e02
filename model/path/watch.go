package path

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"svctour/model"
)

// Watch follows the rules of one family on one node, from look to look. It keeps
// what the node printed, and the program derived for it, so that the time of a
// look depends on what changed: unchanged lines are neither copied nor parsed,
// unchanged Services are not compiled.
//
// A look is a call of Ask, one of Read for every listing, then one of Seen. On a
// big node Ask leaves chains out. For those a View tells what the last look at
// all rules showed, as long as the rules derived for them stay the same. A Watch
// is for one goroutine at a time.
type Watch struct {
	node   string
	family Family
	mode   string
	few    int // fewLines, but in tests

	derived *Program
	slots   []*slot
	byName  map[string]map[string]*slot // by table and chain
	ipsets  map[string]string           // kube-proxy's of the family: their types

	look    int32 // the number of the look
	whole   bool  // the look is at everything
	asked   map[ChainID]bool
	started bool // a look at everything has succeeded
	last    time.Time
	at      time.Time
	size    int // lines of the last look at everything
	lines   int // of this look
	counted bool
	read    []*slot // in this look
	reader  listReader

	sets    []*slot         // of nftables
	nftSets map[string]*Set // what rules need to know of them, once a rule of this look did

	dirty   bool // the list of differences has to be made again
	differs []Difference
}

// slot is what is known of one chain or set, on the node and derived.
type slot struct {
	id    ChainID
	chain *Chain // derived; nil for none
	set   *Set   // derived, of an id with an "@"
	lines *lines // on the node; nil when it is not there

	differences []Difference
	unread      bool           // what is derived changed since the chain was read
	respelled   map[int]string // rules that the node spells otherwise than Rule.String

	rules []*Rule // of a long chain: those that wanted is the text of
	texts []string

	// The rest belongs to the look under way.
	seen, declared int32
	next, before   *lines
	nextCounts     []Counter
	counts         []Counter // of the last look that read the chain

	nextListed, nextDeclared *slot // what came next in the look before
}

// fewLines is the largest number of lines with which a node is asked for all its
// rules at every look. All rules take one command; single chains take one each.
const fewLines = 10000

// maxAsked bounds the chains that are read of a big node at a look.
const maxAsked = 24

// allEvery is how often all rules of a big node are read.
const allEvery = time.Minute

// NewWatch follows the rules of one family on a node: kube-proxy writes those of
// IPv4 and IPv6 apart (pkg/proxy/metaproxier/meta_proxier.go).
func NewWatch(node string, family Family) *Watch {
	w := &Watch{node: node, family: family, few: fewLines, ipsets: map[string]string{}}
	for _, set := range ipsets {
		w.ipsets[ipsetName(set.name, family)] = set.kind
	}
	w.reader.watch = w
	return w
}

// forget drops all that was read, so that the next look begins from scratch.
func (w *Watch) forget() {
	w.derived, w.slots, w.sets, w.byName = nil, nil, nil, map[string]map[string]*slot{}
	w.started, w.size, w.differs, w.dirty = false, 0, nil, true
}

// Ask begins a look and says what to read. That is everything at the first look,
// when all is set, when a minute has passed since the last look at everything,
// and always on a node with few rules; otherwise it is chains, those on the
// screen. mode is kube-proxy's (pkg/proxy/apis/config, ProxyMode).
func (w *Watch) Ask(mode string, chains []ChainID, at time.Time, all bool) Ask {
	if mode != w.mode || w.byName == nil || len(w.slots) > 4*(w.size+fewLines) {
		w.forget()
	}
	w.mode, w.at, w.lines, w.read, w.counted = mode, at, 0, w.read[:0], false
	w.look++
	w.asked = make(map[ChainID]bool, len(chains))
	ask := Ask{Node: w.node, Mode: mode, Family: w.family}
	for _, id := range chains {
		if id.Table == ipsetTable || w.asked[id] || len(w.asked) == maxAsked {
			continue
		}
		w.asked[id] = true
		ask.Chains = append(ask.Chains, id)
	}
	w.whole = all || !w.started || w.size <= w.few || len(ask.Chains) == 0 || at.Sub(w.last) >= allEvery
	if w.whole {
		ask.Chains = nil
	}
	return ask
}

// keeps says whether the counters of a chain are kept.
func (w *Watch) keeps(s *slot) bool {
	return w.size <= w.few || w.asked[s.id]
}

// Read reads a listing of the present look: the output of iptables-save(8),
// iptables(8) -S, nft(8) list or ipset(8) save. An error names a line that the
// command does not print.
func (w *Watch) Read(l Listing) error {
	if l.Absent {
		s := w.slot(l.Chain.Table, []byte(l.Chain.Chain), nil, nil)
		s.seen, s.next, s.nextCounts = w.look, nil, nil
		w.read = append(w.read, s)
		return nil
	}
	return w.reader.read(l)
}

// slot finds a chain's slot, or makes one. after is the slot that came before:
// what came next in the look before is tried first.
func (w *Watch) slot(table string, name []byte, after *slot, next func(*slot) **slot) *slot {
	if after != nil {
		if s := *next(after); s != nil && s.id.Chain == string(name) && s.id.Table == table {
			return s
		}
	}
	in := w.byName[table]
	if in == nil {
		in = map[string]*slot{}
		w.byName[table] = in
	}
	s := in[string(name)]
	if s == nil {
		s = &slot{id: ChainID{table, string(name)}}
		in[s.id.Chain] = s
		w.slots = append(w.slots, s)
		if table == NFTTable && len(name) > 0 && name[0] == '@' {
			w.sets = append(w.sets, s)
		}
	}
	if after != nil {
		*next(after) = s
	}
	return s
}

// View is what a look showed. It does not change.
type View struct {
	// Counted says whether the listings had counters.
	Counted bool
	// All is when the last look at all rules began. Chains that this look did not
	// read are as they were then.
	All time.Time
	// Whole says that this look read all rules.
	Whole bool
	// Differences are those from the derived rules, as Compare gives them. For a
	// chain that this look did not read they are those of the last look at all
	// rules; there are none if its derived rules have changed since.
	Differences []Difference
	// Changed is what came (Extra) and went (Missing) in the chains of this look
	// since they were read before.
	Changed []Difference

	chains map[ChainID]seenChain
}

// seenChain is a chain with its counters.
type seenChain struct {
	lines     *lines
	counts    []Counter
	respelled map[int]string
}

// Counter gives the counter of a rule, by Rule.String: the [packets:bytes] of
// iptables-save(8), the counter of nft(8). It is false when the node has no such
// rule, or its chain was not read. Equal rules in a chain are counted together.
func (v *View) Counter(table, chain, rule string) (Counter, bool) {
	if v == nil {
		return Counter{}, false
	}
	c, ok := v.chains[ChainID{table, chain}]
	if !ok {
		return Counter{}, false
	}
	var sum Counter
	found := false
	add := func(line int) {
		found = true
		if line < len(c.counts) {
			sum.Packets += c.counts[line].Packets
			sum.Bytes += c.counts[line].Bytes
		}
	}
	rule = withoutNFAcct(rule)
	c.lines.find(rule, add)
	for line, text := range c.respelled {
		if text == rule && c.lines.line(line) != rule {
			add(line)
		}
	}
	return sum, found
}

// Seen ends a look and gives what it showed. The rules are derived from s, as
// kube-proxy does (pkg/proxy/iptables/proxier.go, syncProxyRules). s must be from
// before the look, so that no rule is missed that was written after it.
func (w *Watch) Seen(s *model.Snapshot) *View {
	first := !w.started
	w.derive(s)
	v := &View{Counted: w.counted, Whole: w.whole, chains: map[ChainID]seenChain{}}
	if w.whole {
		w.started, w.last, w.size = true, w.at, w.lines
		for _, s := range w.slots {
			if s.seen != w.look {
				s.next, s.nextCounts = nil, nil
				if s.lines != nil || s.unread {
					w.read = append(w.read, s)
				}
			}
		}
	}
	v.All = w.last
	for _, s := range w.read {
		s.before, s.lines, s.counts = s.lines, s.next, s.nextCounts
		s.next, s.nextCounts = nil, nil
	}
	w.nftSets = nil
	for _, s := range w.read {
		if s.lines != s.before && !first {
			v.Changed = append(v.Changed, w.since(s)...)
		}
		if s.lines != s.before || s.unread {
			w.compare(s)
		}
		s.before = nil
		if s.lines != nil && w.keeps(s) {
			s.lines.indexed()
			v.chains[s.id] = seenChain{s.lines, s.counts, s.respelled}
		}
	}
	if w.dirty {
		w.gather()
	}
	v.Differences = w.differs
	sortDifferences(v.Changed)
	return v
}

// gather makes the list of all differences.
func (w *Watch) gather() {
	w.differs, w.dirty = nil, false
	for _, s := range w.slots {
		w.differs = append(w.differs, s.differences...)
	}
	sortDifferences(w.differs)
}

// sortDifferences puts them in the order of Compare; those of one chain stay.
func sortDifferences(list []Difference) {
	place := map[string]int{"filter": 1, "nat": 2, ipsetTable: 3}
	slices.SortStableFunc(list, func(a, b Difference) int {
		return cmp.Or(cmp.Compare(place[a.Table], place[b.Table]), strings.Compare(a.Chain, b.Chain))
	})
}
