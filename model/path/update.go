package path

import (
	"reflect"
	"slices"
	"sort"

	"svctour/model"
	"svctour/model/endpoints"
)

// origin is how a program came about, so that parts of it can be made again.
type origin struct {
	snapshot *model.Snapshot
	host     *host
	large    bool
	outputs  outputs
	// ends[i] is how far the outputs were filled before Services[i] of the
	// snapshot; one more is the end.
	ends []extent
	// overlapping are Services that have an element of a set in common with another:
	// what is whose cannot be told.
	overlapping map[*model.Service]bool
}

// outputs are where the rules of Services go: what they share, and in the table
// their own chains and sets.
type outputs struct {
	chains []*Chain
	sets   []*Set
	table  *Table
}

// maxLists is how many chains or sets a mode has that Services share.
const maxLists = 18

// extent is how far each of the outputs is filled.
type extent struct {
	shared                  [maxLists]int32
	chains, sets, endpoints int32 // endpoints: of all service ports
}

func (l *outputs) extent(endpoints int) extent {
	e := extent{chains: int32(len(l.table.Chains)), sets: int32(len(l.table.Sets)), endpoints: int32(endpoints)}
	for i, c := range l.chains {
		e.shared[i] = int32(len(c.Rules))
	}
	for i, s := range l.sets {
		e.shared[i] = int32(len(s.Elements))
	}
	return e
}

// serviceCompiler writes the rules of service ports.
type serviceCompiler interface {
	outputs() outputs
	servicePort(*servicePort, []endpoints.Endpoint)
}

// services writes the rules of Services one after the other.
func services(c serviceCompiler, s *model.Snapshot, h *host, list []*model.Service) *origin {
	into := c.outputs()
	m := &origin{snapshot: s, host: h, outputs: into, overlapping: map[*model.Service]bool{}}
	ends := make([]extent, 0, len(list)+1)
	total := 0
	for _, svc := range list {
		ends = append(ends, into.extent(total))
		for _, set := range into.sets {
			set.begin, set.common = len(set.Elements), nil
		}
		ports := servicePorts(svc, h.family)
		if len(ports) == 0 {
			continue
		}
		slices := s.ServiceSlices(svc.Namespace, svc.Name)
		for i := range ports {
			list := ports[i].endpoints(slices, h)
			total += len(list)
			c.servicePort(&ports[i], list)
		}
		for k, set := range into.sets {
			for _, at := range set.common {
				owner := sort.Search(len(ends), func(i int) bool { return int(ends[i].shared[k]) > at }) - 1
				m.overlapping[svc], m.overlapping[list[owner]] = true, true
			}
		}
	}
	m.ends = append(ends, into.extent(total))
	return m
}

// addServices fills a program with the rules of Services.
func (p *Program) addServices(c serviceCompiler, s *model.Snapshot, h *host, list []*model.Service) *origin {
	m := services(c, s, h, list)
	if len(list) == len(s.Services) {
		p.origin = m
	}
	return m
}

// Update gives the program for a later snapshot of the same cluster. Only
// Services that changed, or whose EndpointSlices did, are compiled; every other
// chain and set is shared with p, by pointer, as in kube-proxy's partial sync
// (pkg/proxy/iptables/proxier.go, needFullSync). When something changed that all
// rules depend on, the node or kube-proxy's configuration, all are compiled.
//
// Objects that did not change must be the same in both snapshots, by pointer.
func (p *Program) Update(s *model.Snapshot) *Program {
	m := p.origin
	if m == nil || m.snapshot.Proxy.Mode != s.Proxy.Mode {
		return p.remake(s)
	}
	if m.snapshot == s {
		return p
	}
	h := hostOf(p.Mode, s, p.Node, p.Family)
	if !reflect.DeepEqual(h, m.host) || !slices.Equal(s.ServiceCIDRs, m.snapshot.ServiceCIDRs) {
		return p.remake(s)
	}
	u := &update{old: p, origin: m, snapshot: s}
	u.find()
	if len(u.changed) == 0 && len(u.gone) == 0 {
		next := *p
		same := *m
		same.snapshot = s
		next.origin = &same
		return &next
	}
	if u.overlap {
		return p.remake(s)
	}
	next := u.program()
	if now := next.origin; u.overlap || p.Mode == ModeIPTables && (now.ends[len(now.ends)-1].endpoints > largeCluster) != m.large {
		return p.remake(s)
	}
	return next
}

// remake compiles everything.
func (p *Program) remake(s *model.Snapshot) *Program {
	return compileMode(p.Mode, s, p.Node, p.Family, s.Services)
}

// update makes a program out of another and a few compiled Services.
type update struct {
	old      *Program
	origin   *origin
	snapshot *model.Snapshot

	segments []segment
	changed  []*part
	gone     []int // Services of the old snapshot that no longer exist
	overlap  bool  // an overlapping Service changed
}

// segment is a run of Services in the new order: those from to to of the old
// program, or one compiled part.
type segment struct {
	from, to int
	part     *part
}

// part is what one Service adds to the outputs; was is its place in the old
// program, -1 for none.
type part struct {
	outputs
	extent extent
	was    int
}

// find lays the Services of both snapshots beside each other; both are sorted.
func (u *update) find() {
	touched := u.touchedSlices()
	before, after := u.origin.snapshot.Services, u.snapshot.Services
	i := 0
	for _, svc := range after {
		for i < len(before) && compareMeta(&before[i].Meta, &svc.Meta) < 0 {
			u.leave(i)
			i++
		}
		was := -1
		if i < len(before) && compareMeta(&before[i].Meta, &svc.Meta) == 0 {
			was = i
			i++
		}
		if was >= 0 && before[was] == svc && !touched[svc.Key()] {
			if n := len(u.segments); n > 0 && u.segments[n-1].part == nil && u.segments[n-1].to == was {
				u.segments[n-1].to++
			} else {
				u.segments = append(u.segments, segment{from: was, to: was + 1})
			}
			continue
		}
		if was >= 0 {
			u.overlap = u.overlap || u.origin.overlapping[before[was]]
		}
		part := u.compile(svc)
		part.was = was
		u.changed = append(u.changed, part)
		u.segments = append(u.segments, segment{part: part})
	}
	for ; i < len(before); i++ {
		u.leave(i)
	}
}

// leave notes that a Service no longer exists.
func (u *update) leave(i int) {
	u.gone = append(u.gone, i)
	u.overlap = u.overlap || u.origin.overlapping[u.origin.snapshot.Services[i]]
}

// touchedSlices names the Services of slices that came, went or changed.
func (u *update) touchedSlices() map[string]bool {
	touched := map[string]bool{}
	touch := func(s *model.EndpointSlice) { touched[s.Namespace+"/"+s.Service()] = true }
	before, after := u.origin.snapshot.Slices, u.snapshot.Slices
	for len(before) > 0 || len(after) > 0 {
		switch {
		case len(before) > 0 && len(after) > 0 && before[0] == after[0]:
			before, after = before[1:], after[1:]
		case len(after) == 0 || len(before) > 0 && compareMeta(&before[0].Meta, &after[0].Meta) <= 0:
			touch(before[0])
			before = before[1:]
		default:
			touch(after[0])
			after = after[1:]
		}
	}
	return touched
}

// compareMeta orders as NewSnapshot does.
func compareMeta(a, b *model.Meta) int {
	if a.Namespace != b.Namespace {
		if a.Namespace < b.Namespace {
			return -1
		}
		return 1
	}
	switch {
	case a.Name < b.Name:
		return -1
	case a.Name > b.Name:
		return 1
	}
	return 0
}

// compile gives what one Service adds.
func (u *update) compile(svc *model.Service) *part {
	m := u.blank()
	into := m.outputs()
	first := len(into.table.Sets)
	ends := services(m, u.snapshot, u.origin.host, []*model.Service{svc}).ends
	into.table.Sets = into.table.Sets[first:]
	ends[1].sets -= int32(first)
	return &part{outputs: into, extent: ends[1]}
}

// blank is a compiler that writes to empty outputs.
func (u *update) blank() serviceCompiler {
	if u.old.Mode == ModeIPVS {
		return newIPVSCompiler(u.origin.host)
	}
	c := &compiler{host: u.origin.host, large: u.origin.large, program: &Program{}}
	if u.old.Mode == ModeNFTables {
		n := &nftCompiler{compiler: c, table: &Table{Name: NFTTable}}
		n.sets()
		return n
	}
	c.nat = &Table{Name: "nat"}
	for _, shared := range c.shared() {
		*shared = &Chain{}
	}
	return c
}

// program puts the new program together.
func (u *update) program() *Program {
	next := *u.old
	old := u.origin.outputs
	table := u.table()
	next.Tables = slices.Clone(next.Tables)
	for i, t := range next.Tables {
		if t == old.table {
			next.Tables[i] = table
		} else if slices.ContainsFunc(old.chains, func(c *Chain) bool { return t.Chain(c.Name) == c }) {
			next.Tables[i] = t.copied()
		}
	}
	source := *u.origin
	source.snapshot, source.outputs.table = u.snapshot, table
	source.outputs.chains, source.outputs.sets = slices.Clone(old.chains), slices.Clone(old.sets)
	for k, c := range old.chains {
		if rules, removed, added := splice(u, c.Rules, k, func(p *part) []*Rule { return p.chains[k].Rules }, sameRule); len(removed)+len(added) > 0 {
			for _, t := range next.Tables {
				if t.Chain(c.Name) == c {
					source.outputs.chains[k] = t.replace(c, rules, removed, added)
				}
			}
		}
	}
	for k, s := range old.sets {
		if elements, removed, added := splice(u, s.Elements, k, func(p *part) []*Element { return p.sets[k].Elements }, sameElement); len(removed)+len(added) > 0 {
			out, in := pick(s.Elements, removed), pick(elements, added)
			now := s.with(elements, out, in)
			if u.overlap = u.overlap || now == nil; now != nil {
				source.outputs.sets[k] = now
				if at := slices.Index(table.Sets, s); at >= 0 {
					table.Sets[at] = now
				}
			}
		}
	}
	if next.Mode == ModeIPVS {
		u.ipvs(&next, source.outputs.sets)
	}
	source.ends = u.ends()
	next.origin = &source
	return &next
}

// ipvs gives a program of mode ipvs its sets, and the rules that follow from them.
func (u *update) ipvs(next *Program, sets []*Set) {
	last := len(sets) - 1
	next.IPSets, next.Servers = sets[:last:last], sets[last]
	next.Tables = ipvsTables(u.origin.host, next.IPSets)
}

// splice puts a shared list together. It gives the positions in old of what was
// removed, and those in now of what was added; none when all is as before.
func splice[T any](u *update, old []T, k int, of func(*part) []T, same func(a, b T) bool) (now []T, removed, added []int) {
	ends := u.origin.ends
	end := func(i int) int { return int(ends[i].shared[k]) }
	for _, i := range u.gone {
		removed = appendRange(removed, end(i), end(i+1))
	}
	alike := map[*part]bool{}
	length := 0
	for _, p := range u.changed {
		after := of(p)
		if p.was >= 0 {
			before := old[end(p.was):end(p.was+1)]
			if alike[p] = slices.EqualFunc(before, after, same); alike[p] {
				continue
			}
			removed = appendRange(removed, end(p.was), end(p.was+1))
		}
		length += len(after)
	}
	if len(removed)+length == 0 {
		return old, nil, nil
	}
	slices.Sort(removed)
	out := append(make([]T, 0, len(old)-len(removed)+length), old[:end(0)]...)
	for _, s := range u.segments {
		switch p := s.part; {
		case p == nil:
			out = append(out, old[end(s.from):end(s.to)]...)
		case alike[p]:
			out = append(out, old[end(p.was):end(p.was+1)]...)
		default:
			added = appendRange(added, len(out), len(out)+len(of(p)))
			out = append(out, of(p)...)
		}
	}
	return append(out, old[end(len(ends)-1):]...), removed, added
}

func appendRange(list []int, from, to int) []int {
	for i := from; i < to; i++ {
		list = append(list, i)
	}
	return list
}

func pick[T any](list []T, at []int) []T {
	out := make([]T, len(at))
	for i, k := range at {
		out[i] = list[k]
	}
	return out
}

// replace puts other rules into a chain of a copied table.
func (t *Table) replace(old *Chain, rules []*Rule, removed, added []int) *Chain {
	c := &Chain{Name: old.Name, Base: old.Base, Rules: rules}
	if x := old.index.Load(); x != nil {
		c.index.Store(x.relabel(old.Rules, rules, removed, added))
	}
	t.Chains[slices.Index(t.Chains, old)] = c
	t.names.put(c.Name, c)
	return c
}

// with is the set with other elements; nil when two Services have the same key.
func (s *Set) with(elements, out, in []*Element) *Set {
	now := &Set{Name: s.Name, Type: s.Type, Map: s.Map, Comment: s.Comment, Timeout: s.Timeout, Elements: elements}
	s.filled.Do(s.fill)
	now.index = s.index.next()
	now.filled.Do(func() {})
	for i := range out {
		now.index.put(out[i].Key, nil)
	}
	for i := range in {
		if now.index.find(in[i].Key) != nil {
			return nil
		}
		now.index.put(in[i].Key, in[i])
	}
	return now
}

func sameElement(a, b *Element) bool {
	x, y := *a, *b
	x.Server, y.Server = nil, nil
	return x == y && a.Server.equal(b.Server)
}

func sameRule(a, b *Rule) bool {
	x, y := *a, *b
	x.more, y.more = nil, nil
	return x == y && (a.more == b.more || reflect.DeepEqual(a.More(), b.More()))
}

// table is the table that holds the Services' own chains and sets.
func (u *update) table() *Table {
	old, ends := u.origin.outputs.table, u.origin.ends
	t := old.empty()
	t.Chains = append(make([]*Chain, 0, len(old.Chains)+16), old.Chains[:ends[0].chains]...)
	t.Sets = append(make([]*Set, 0, len(old.Sets)), old.Sets[:ends[0].sets]...)
	forget := func(i int) {
		for _, c := range old.Chains[ends[i].chains:ends[i+1].chains] {
			t.names.put(c.Name, nil)
		}
	}
	for _, i := range u.gone {
		forget(i)
	}
	for _, p := range u.changed {
		if p.was >= 0 {
			forget(p.was)
		}
	}
	for _, s := range u.segments {
		if s.part == nil {
			t.Chains = append(t.Chains, old.Chains[ends[s.from].chains:ends[s.to].chains]...)
			t.Sets = append(t.Sets, old.Sets[ends[s.from].sets:ends[s.to].sets]...)
			continue
		}
		t.Chains, t.Sets = append(t.Chains, s.part.table.Chains...), append(t.Sets, s.part.table.Sets...)
		for _, c := range s.part.table.Chains {
			t.names.put(c.Name, c)
		}
	}
	t.Chains = append(t.Chains, old.Chains[ends[len(ends)-1].chains:]...)
	t.Sets = append(t.Sets, old.Sets[ends[len(ends)-1].sets:]...)
	return t
}

// ends are the extents of the new program.
func (u *update) ends() []extent {
	old := u.origin.ends
	out := append(make([]extent, 0, len(u.snapshot.Services)+1), old[0])
	for _, s := range u.segments {
		if s.part != nil {
			out = append(out, out[len(out)-1].plus(extent{}, s.part.extent))
			continue
		}
		for i := s.from; i < s.to; i++ {
			out = append(out, out[len(out)-1].plus(old[i], old[i+1]))
		}
	}
	return out
}

// plus is e and what lies between two others.
func (e extent) plus(from, to extent) extent {
	for k := range e.shared {
		e.shared[k] += to.shared[k] - from.shared[k]
	}
	e.chains += to.chains - from.chains
	e.sets += to.sets - from.sets
	e.endpoints += to.endpoints - from.endpoints
	return e
}
