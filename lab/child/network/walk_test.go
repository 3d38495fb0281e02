package network

import (
	"encoding/binary"
	"flag"
	"maps"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"svctour/model"
	"svctour/model/path"
)

var (
	clusters = flag.Int("clusters", 1000, "random clusters in which to compare the router with the walk, in each mode")
	seed     = flag.Uint64("seed", 1, "seed of the first random cluster")
)

// TestRouterFollowsWalk sends packets through a node's router, once for each way
// that its random choices allow, and holds what becomes of them against the
// outcomes of path.Walk: verdict, destination, masquerade and probability.
func TestRouterFollowsWalk(t *testing.T) {
	node := newLab(t).Node("node-1")
	t.Cleanup(func() { clear(node.pods) }) // none has a stack that could be closed
	for _, mode := range []string{path.ModeIPTables, path.ModeNFTables} {
		packets, verdicts := 0, map[path.Verdict]int{}
		for i := range uint64(*clusters) {
			g := &generator{Rand: rand.New(rand.NewPCG(*seed+i, 7))}
			c := &comparison{node: node, program: g.program(mode, node), seen: verdicts}
			for range 8 {
				f := g.flow(c.program)
				packets++
				if router, walk := c.router(f), c.walk(f); !same(router, walk) {
					t.Fatalf("%s, %+v\nthe router: %v\nthe walk:   %v\nagain with: go test ./lab/network -run TestRouterFollowsWalk -clusters 1 -seed %d", mode, f, router, walk, *seed+i)
				}
			}
		}
		t.Logf("%s: %d clusters from seed %d, %d packets, outcomes %v, 0 differences", mode, *clusters, *seed, packets, verdicts)
		for _, v := range []path.Verdict{path.DNAT, path.Reject, path.Drop, path.None} {
			if verdicts[v] == 0 {
				t.Errorf("%s: no packet has the verdict %s", mode, v)
			}
		}
	}
}

// end is how a packet ends, as far as both tell.
type end struct {
	verdict     path.Verdict
	destination netip.AddrPort // of what goes on
	masquerade  bool
}

// same compares the probabilities of all ends.
func same(a, b map[end]float64) bool {
	return maps.EqualFunc(a, b, func(p, q float64) bool { return math.Abs(p-q) < 1e-9 })
}

// flow is a packet, and when its client was seen before at an endpoint.
type flow struct {
	path.Flow
	list string
	ago  time.Duration
}

// comparison is the same rules in the router and in the walk.
type comparison struct {
	node    *Node
	program *path.Program
	seen    map[path.Verdict]int
}

func (c *comparison) walk(f flow) map[end]float64 {
	out := map[end]float64{}
	plugin := &path.Hop{Action: path.HopMasquerade, Evidence: model.Derived}
	locate := func(to netip.AddrPort) path.Place {
		if c.leavesCluster(f, to) {
			return path.Place{Plugin: plugin}
		}
		return path.Place{}
	}
	for _, o := range path.Walk(c.program, f.Flow, locate) {
		e := end{verdict: o.Verdict, masquerade: o.Masquerade}
		switch o.Verdict {
		case path.DNAT:
			e.destination = netip.AddrPortFrom(netip.MustParseAddr(o.Destination.IP), uint16(o.Destination.Port))
		case path.None:
			e.destination = f.Destination
			e.masquerade = e.masquerade || c.leavesCluster(f, f.Destination)
		default:
			e.masquerade = false
		}
		out[e] += o.Probability
		c.seen[o.Verdict]++
	}
	return out
}

// leavesCluster says whether the network plugin masquerades what goes to a place.
func (c *comparison) leavesCluster(f flow, to netip.AddrPort) bool {
	n := c.node.network
	return n.isPod(f.Source) && !n.isPod(to.Addr()) && !c.node.local(to.Addr())
}

// router sends the packet as often as there are ways to choose on its path.
func (c *comparison) router(f flow) map[end]float64 {
	n, out := c.node, map[end]float64{}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.rules = newRuleset(c.program)
	n.now = func() time.Time { return time.Unix(1e9, 0) }
	for s := (&script{chanceOfAll: 1}); s != nil; s = s.next() {
		n.network.random = s
		clear(n.connections)
		clear(n.recent)
		if f.list != "" {
			n.remember(f.list, f.Source, n.now().Add(-f.ago))
		}
		e := c.route(f)
		out[e] += s.chanceOfAll
	}
	return out
}

// clientPort is the source port of every packet.
const clientPort = 40000

func (c *comparison) route(f flow) end {
	p := segment(f.Flow)
	p.in = f.Interface
	sent, _ := c.node.route(p, f.Local)
	switch {
	case sent == nil:
		return end{verdict: path.Drop}
	case sent.protocol() == protocolICMP:
		return end{verdict: path.Reject}
	}
	e := end{verdict: path.None}
	for _, entry := range c.node.connections {
		if entry.dnat {
			e.verdict = path.DNAT
		}
		e.destination = entry.tuples[reply].source
		e.masquerade = entry.tuples[reply].dest != netip.AddrPortFrom(f.Source, clientPort)
	}
	return e
}

// segment is the first packet of a connection.
func segment(f path.Flow) *packet {
	data := make([]byte, 40)
	data[0], data[8], data[9] = 0x45, 64, protocolUDP
	binary.BigEndian.PutUint16(data[2:], uint16(len(data)))
	if f.Protocol == "tcp" {
		data[9], data[32], data[33] = protocolTCP, 5<<4, flagSYN
	}
	p := newPacket(data)
	p.setSource(netip.AddrPortFrom(f.Source, clientPort))
	p.setDestination(f.Destination)
	return p
}

// script makes random choices in a given order, each way once.
type script struct {
	taken       []int // way taken at each choice
	ways        []int // how many there are
	at          int
	chanceOfAll float64 // of all ways taken
}

func (s *script) take(ways int) int {
	if s.at == len(s.taken) {
		s.taken, s.ways = append(s.taken, 0), append(s.ways, ways)
	}
	s.at++
	return s.taken[s.at-1]
}

func (s *script) chance(p float64) bool {
	if s.take(2) == 0 {
		s.chanceOfAll *= p
		return true
	}
	s.chanceOfAll *= 1 - p
	return false
}

// manyWays tells the port of a translated source from the choice of an endpoint.
const manyWays = 256

func (s *script) below(n int) int {
	if n > manyWays {
		return 0
	}
	i := s.take(n)
	s.chanceOfAll /= float64(n)
	return i
}

// next is the script of the next combination of ways; nil after the last.
func (s *script) next() *script {
	for i := len(s.taken) - 1; i >= 0; i-- {
		if s.taken[i]+1 < s.ways[i] {
			taken := slices.Clone(s.taken[:i+1])
			taken[i]++
			return &script{taken: taken, ways: slices.Clone(s.ways[:i+1]), chanceOfAll: 1}
		}
	}
	return nil
}
