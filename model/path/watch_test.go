package path

import (
	"fmt"
	"math/rand"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"svctour/model"
)

// onNode is what a node's tools print, line by line, so that it can be changed.
type onNode struct {
	mode   string
	family Family
	lines  []string // of iptables-save -c, or nft list table
	sets   []string // of ipset save
}

// nodeWith prints a program as the node's tools do, with counters.
func nodeWith(random *rand.Rand, p *Program) *onNode {
	n := &onNode{mode: p.Mode, family: p.Family}
	if p.Mode == ModeNFTables {
		n.lines = strings.Split(ListNFT(p), "\n")
	} else {
		n.lines = strings.Split(Print(p), "\n")
	}
	if p.Mode == ModeIPVS {
		n.sets = strings.Split(PrintIPSets(p), "\n")
	}
	n.count(random)
	return n
}

var counters = regexp.MustCompile(`^\[\d+:\d+\] |counter packets \d+ bytes \d+ `)

// count gives rules other counters.
func (n *onNode) count(random *rand.Rand) {
	for i, line := range n.lines {
		line = counters.ReplaceAllString(line, "")
		packets := []int{0, 0, random.Intn(5), random.Intn(1 << 30)}[random.Intn(4)]
		switch {
		case strings.HasPrefix(line, "-A "):
			line = fmt.Sprintf("[%d:%d] %s", packets, 60*packets, line)
		case n.isRule(i) && random.Intn(2) == 0:
			line = fmt.Sprintf("\t\tcounter packets %d bytes %d %s", packets, 60*packets, strings.TrimSpace(line))
			if at := strings.LastIndex(line, " jump "); at > 0 {
				line = "\t\t" + strings.TrimSpace(counters.ReplaceAllString(line[:at], "")) + fmt.Sprintf(" counter packets %d bytes %d", packets, 60*packets) + line[at:]
			}
		}
		n.lines[i] = line
	}
}

// isRule says whether a line is a rule, and whole.
func (n *onNode) isRule(i int) bool {
	line := n.lines[i]
	if n.mode != ModeNFTables {
		return strings.Contains(line, "-A ")
	}
	for at := i; at > 0; at-- {
		if before := strings.TrimSpace(n.lines[at]); strings.HasSuffix(before, " {") {
			return at < i && strings.HasPrefix(before, "chain ") && strings.TrimSpace(line) != "}" && !strings.HasPrefix(strings.TrimSpace(line), "comment ") && !strings.HasPrefix(line, "\t\ttype ") && strings.TrimSpace(line) != ""
		}
	}
	return false
}

// meddle changes what the node has: a rule goes, comes twice, changes places
// with the next, or one comes that kube-proxy does not write.
func (n *onNode) meddle(random *rand.Rand) {
	n.lines = slices.Clone(n.lines)
	var rules []int
	for i := range n.lines {
		if n.isRule(i) {
			rules = append(rules, i)
		}
	}
	at := rules[random.Intn(len(rules))]
	line := n.lines[at]
	switch random.Intn(6) {
	case 0:
		n.lines = slices.Delete(n.lines, at, at+1)
	case 1:
		n.lines = slices.Insert(n.lines, at, line)
	case 2:
		if n.isRule(at + 1) {
			n.lines[at], n.lines[at+1] = n.lines[at+1], n.lines[at]
		}
	case 3: // foreign
		if n.mode == ModeNFTables {
			n.lines = slices.Insert(n.lines, at, "\t\tip daddr 10.0.0.1 udp sport 7 counter packets 7 bytes 8 drop")
		} else {
			chain := strings.Fields(line[strings.Index(line, "-A "):])[1]
			n.lines = slices.Insert(n.lines, at, "[3:4] -A "+chain+" -p tcp -m multiport --dports 1,2 -j RETURN")
		}
	case 4: // spelled in another way
		n.lines[at] = strings.NewReplacer("/32 ", " ", "0x00004000", "0x4000", "meta l4proto tcp", "meta l4proto 6").Replace(line)
	default:
		if len(n.sets) > 1 {
			n.sets = slices.Clone(n.sets)
			n.sets = slices.Delete(n.sets, len(n.sets)/2, len(n.sets)/2+1)
			if n.sets = slices.DeleteFunc(n.sets, func(s string) bool { return s == "" }); len(n.sets) > 0 && strings.HasPrefix(n.sets[len(n.sets)-1], "add") {
				if more := n.sets[len(n.sets)-1] + "9"; !slices.Contains(n.sets, more) {
					n.sets = slices.Insert(n.sets, len(n.sets)-1, more)
				}
			}
			return
		}
		n.lines = slices.DeleteFunc(n.lines, func(l string) bool { return l == line })
	}
}

// parsed is the whole of it, read at once.
func (n *onNode) parsed(t testing.TB) *Observed {
	t.Helper()
	text := strings.Join(n.lines, "\n")
	var o *Observed
	var err error
	switch n.mode {
	case ModeNFTables:
		o, err = ParseNFT(text, n.family)
	case ModeIPVS:
		o, err = ParseIPVS(text, strings.Join(n.sets, "\n"), "", n.family)
	default:
		o, err = Parse(text, n.family)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return o
}

// answer runs a command on the node.
func (n *onNode) answer(c Command) (text string, found bool) {
	if c.Args[0] == "ipset" {
		return strings.Join(n.sets, "\n"), true
	}
	if c.Chain == nil {
		return strings.Join(n.lines, "\n"), true
	}
	var out []string
	if n.mode == ModeNFTables {
		at := slices.Index(n.lines, "\tchain "+c.Chain.Chain+" {")
		if at < 0 {
			return "", false
		}
		end := at + slices.Index(n.lines[at:], "\t}")
		return n.lines[0] + "\n" + strings.Join(n.lines[at:end+1], "\n") + "\n}\n", true
	}
	table := ""
	for _, line := range n.lines {
		if strings.HasPrefix(line, "*") {
			table = line[1:]
		}
		if table != c.Chain.Table {
			continue
		}
		if name, rest, _ := strings.Cut(strings.TrimPrefix(line, ":"), " "); line != name && strings.HasPrefix(line, ":") && name == c.Chain.Chain {
			if strings.HasPrefix(rest, "-") {
				out = append(out, "-N "+name)
			} else {
				out = append(out, "-P "+name+" ACCEPT -c 5 6")
			}
		}
		counter, rule, has := strings.Cut(line, "] -A "+c.Chain.Chain)
		if !has || rule != "" && rule[0] != ' ' {
			continue
		}
		counter = " -c " + strings.Replace(counter[1:], ":", " ", 1)
		at := max(strings.LastIndex(rule, " -j "), strings.LastIndex(rule, " -g "))
		if at < 0 {
			at = len(rule)
		}
		out = append(out, "-A "+c.Chain.Chain+rule[:at]+counter+rule[at:])
	}
	return strings.Join(out, "\n"), len(out) > 0
}

// look lets a Watch look at the node.
func (n *onNode) look(t testing.TB, w *Watch, s *model.Snapshot, chains []ChainID, at time.Time, all bool) *View {
	t.Helper()
	ask := w.Ask(n.mode, chains, at, all)
	for _, c := range ask.Commands() {
		text, found := n.answer(c)
		l := c.Listing(ask, at, strings.NewReader(text))
		if !found {
			l = c.Listing(ask, at, nil)
		}
		if err := w.Read(l); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
	}
	return w.Seen(s)
}

func texts(list []Difference) []string {
	var out []string
	for _, d := range list {
		out = append(out, fmt.Sprint(d))
	}
	slices.Sort(out)
	return out
}

func requireSame(t *testing.T, what string, got, want []Difference) {
	t.Helper()
	if a, b := texts(got), texts(want); !slices.Equal(a, b) {
		t.Fatalf("%s: %d %q\nwant %d %q", what, len(a), a, len(b), b)
	}
}

// requireCounters fails unless a view has the counters of an observation: all of
// them, or those of some chains.
func requireCounters(t *testing.T, v *View, o *Observed, only map[ChainID]bool) {
	t.Helper()
	for id, want := range o.counters {
		got, ok := v.Counter(id.table, id.chain, id.text)
		if only != nil && !only[ChainID{id.table, id.chain}] {
			if ok {
				t.Fatalf("%+v has a counter, but was not read", id)
			}
			continue
		}
		if !ok || got != want {
			t.Fatalf("%+v: %v %v, want %v", id, got, ok, want)
		}
	}
}

// However a cluster and a node change, a Watch sees what reading everything at
// once sees; and of chains that it did not read it says what it last saw.
func TestWatchSeesWhatParsingSees(t *testing.T) {
	for _, mode := range []string{ModeIPTables, ModeNFTables, ModeIPVS} {
		for _, family := range []Family{IPv4, IPv6} {
			t.Run(mode+"/"+string(family), func(t *testing.T) { testWatch(t, mode, family) })
		}
	}
}

func testWatch(t *testing.T, mode string, family Family) {
	random := rand.New(rand.NewSource(20261130))
	s := clusterOf(12, 3)
	if family == IPv6 {
		s = sixth(s)
	}
	w, big := NewWatch("node-0", family), NewWatch("node-0", family)
	big.few = 0
	n := nodeWith(random, CompileAs(mode, s, "node-0", family))
	var before *Observed
	looks, different, changes := 0, 0, 0
	at := time.Unix(0, 0)
	for range 150 {
		switch random.Intn(5) {
		case 0, 1: // the API changes; the node follows later
			if s = someChange(random, s); family == IPv6 {
				s = sixth(s)
			}
			proxy := s.Proxy
			with := *s
			with.Proxy, with.Proxy.Mode = proxy, mode
			s = model.NewSnapshot(with)
		case 2:
			n = nodeWith(random, CompileAs(mode, s, "node-0", family))
		case 3:
			n.meddle(random)
		default:
			n.count(random)
		}
		o := n.parsed(t)
		at = at.Add(time.Second)
		v := n.look(t, w, s, nil, at, false)
		derived := CompileAs(mode, s, "node-0", family)
		requireSame(t, "differences", v.Differences, Compare(derived, o))
		if before != nil {
			requireSame(t, "changed", v.Changed, o.Since(before))
			changes += len(v.Changed)
		}
		if v.Counted != o.Counted && len(o.Foreign) == 0 {
			t.Fatalf("counted: %v", v.Counted)
		}
		requireCounters(t, v, o, nil)
		before = o
		looks, different = looks+1, different+len(v.Differences)
		testBig(t, random, n, big, s, o, derived, at)
	}
	if different < looks || changes < looks/2 {
		t.Errorf("%d looks saw %d differences and %d changes", looks, different, changes)
	}
}

// testBig lets a Watch for which every node is a big one look at some chains.
func testBig(t *testing.T, random *rand.Rand, n *onNode, w *Watch, s *model.Snapshot, o *Observed, derived *Program, at time.Time) {
	t.Helper()
	var chains []ChainID
	for _, table := range o.Program.Tables {
		for _, c := range table.Chains {
			if random.Intn(4) == 0 && len(chains) < maxAsked-2 {
				chains = append(chains, ChainID{table.Name, c.Name})
			}
		}
	}
	gone := ChainID{derived.Tables[len(derived.Tables)-1].Name, "KUBE-SVC-NOT-THERE"}
	chains = append(chains, gone, gone)
	v := n.look(t, w, s, chains, at, random.Intn(30) == 0)
	only := map[ChainID]bool{}
	for _, c := range chains {
		only[c] = true
	}
	requireCounters(t, v, o, only)
	of := func(list []Difference) (in, out []Difference) {
		for _, d := range list {
			if only[ChainID{d.Table, d.Chain}] {
				in = append(in, d)
			} else {
				out = append(out, d)
			}
		}
		return in, out
	}
	all := Compare(derived, o)
	if v.Whole {
		if v.All != at {
			t.Fatal("the time of the look at everything")
		}
		requireSame(t, "all differences", v.Differences, all)
		return
	}
	if at.Sub(v.All) > allEvery {
		t.Fatal("the last look at everything is too long ago")
	}
	want, _ := of(all)
	got, others := of(v.Differences)
	requireSame(t, "differences of the chains read", got, want)
	changed, elsewhere := of(v.Changed)
	if len(elsewhere) > 0 {
		t.Fatalf("came or went in chains that were not read: %v of %v", elsewhere, changed)
	}
	// What was not read is not told of a chain that is another now.
	for _, d := range others {
		if s := w.byName[d.Table][d.Chain]; s.unread {
			t.Fatalf("%+v, but the chain was not read since it was derived", d)
		}
	}
}

// sixth is a cluster with IPv6 addresses.
func sixth(s *model.Snapshot) *model.Snapshot {
	address := func(text string) string {
		if strings.Contains(text, ":") {
			return text
		}
		return "fd00::" + strings.ReplaceAll(text, ".", ":")
	}
	all := func(list []string) []string {
		out := slices.Clone(list)
		for i := range out {
			out[i] = address(out[i])
		}
		return out
	}
	out := *s
	out.Proxy.ClusterCIDRs = []string{"fd00::10:244:0:0/96"}
	out.Nodes, out.Services, out.Slices = slices.Clone(s.Nodes), slices.Clone(s.Services), slices.Clone(s.Slices)
	for i, svc := range s.Services {
		if len(svc.IPFamilies) > 0 && svc.IPFamilies[0] == "IPv6" && strings.Contains(svc.ClusterIPs[0], ":") {
			continue
		}
		six := *svc
		six.IPFamilies, six.ClusterIPs, six.SourceRanges = []string{"IPv6"}, all(svc.ClusterIPs), nil
		six.Ingress = slices.Clone(svc.Ingress)
		for k := range six.Ingress {
			six.Ingress[k].IP = address(six.Ingress[k].IP)
		}
		out.Services[i] = &six
	}
	for i, slice := range s.Slices {
		six := *slice
		six.AddressType, six.Endpoints = "IPv6", slices.Clone(slice.Endpoints)
		for k := range six.Endpoints {
			six.Endpoints[k].Addresses = all(six.Endpoints[k].Addresses)
		}
		if slice.AddressType == "IPv6" && !slices.ContainsFunc(slice.Endpoints, func(e model.Endpoint) bool { return strings.Contains(e.Addresses[0], ".") }) {
			continue
		}
		out.Slices[i] = &six
	}
	for i, node := range s.Nodes {
		if strings.Contains(node.Addresses[0].Address, ":") {
			continue
		}
		six := *node
		six.Addresses = []model.NodeAddress{{Type: "InternalIP", Address: address(node.Addresses[0].Address)}}
		out.Nodes[i] = &six
	}
	return model.NewSnapshot(out)
}

// FuzzListing gives a Watch what is no listing, or one that is odd: it fails
// where Parse does, and else sees what Parse does; and reading the same again
// after other texts makes no difference.
func FuzzListing(f *testing.F) {
	p := Compile(clusterOf(2, 2), "node-0", IPv4)
	f.Add(Print(p), "*nat\n:KUBE-A - [0:0]\n[1:2] -A KUBE-A -j X\n[3:4] -A KUBE-A -j X\nCOMMIT\n")
	f.Add("*nat\n:A - [0:0]\n:KUBE-B - [0:0]\n-A KUBE-B\n-A A -j KUBE-B\n-A KUBE-B -m comment --comment \"a \\\" b\"\nCOMMIT\n*filter\n", "*nat\nCOMMIT\n*nat\n")
	f.Add("[1:2]\n", ":A\n*nat\n[x:1] -A A\n")
	f.Fuzz(func(t *testing.T, one, other string) {
		w := NewWatch("node-0", IPv4)
		s := clusterOf(2, 2)
		for _, text := range []string{one, other, one} {
			o, failed := Parse(text, IPv4)
			ask := w.Ask(ModeIPTables, nil, time.Time{}, true)
			err := w.Read(ask.Commands()[0].Listing(ask, time.Time{}, strings.NewReader(text)))
			if (err != nil) != (failed != nil) {
				t.Fatalf("%v, but Parse: %v", err, failed)
			}
			if err != nil {
				continue
			}
			for _, foreign := range o.Foreign {
				if _, ok := parseRule(foreign.Text, func(string) bool { return true }, false); ok {
					return // it jumps to a chain that is not declared, which no kernel lets in
				}
			}
			v := w.Seen(s)
			requireSame(t, "differences", v.Differences, Compare(p, o))
			for id, want := range o.counters {
				if !proxyChain(id.chain) || id.table != "nat" && id.table != "filter" {
					continue // a Watch keeps such a rule as it is printed
				}
				if got, ok := v.Counter(id.table, id.chain, id.text); !ok || got != want && len(o.Foreign) == 0 {
					t.Fatalf("%+v: %v %v, want %v", id, got, ok, want)
				}
			}
		}
	})
}
