package router

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"

	"svctour/model"
	"svctour/model/endpoints"
	"svctour/model/path"
)

// Course is the way of one packet as questions, in order.
type Course struct {
	From, Target, Mode, Service string // as in path.Trace
	Turns                       []Turn // never empty
	// End is how the way ended, a sentence: for after the last turn.
	End string
}

// Kind is what a turn asks for.
type Kind string

// The kinds, in the order in which they come.
const (
	Name        Kind = "name"        // which name is asked for first
	Answer      Kind = "answer"      // what DNS answers
	Interface   Kind = "interface"   // which interface has the address
	Hook        Kind = "hook"        // which netfilter hook sees the packet first
	Rule        Kind = "rule"        // which rule of a chain, or element of a map, matches
	Endpoint    Kind = "endpoint"    // what a random choice takes, given what was drawn
	Destination Kind = "destination" // what the destination is after DNAT
	Source      Kind = "source"      // whether the source is rewritten
	Node        Kind = "node"        // where the packet goes
	Reply       Kind = "reply"       // where the reply is translated back
	Verdict     Kind = "verdict"     // what the filter rules do
	Ending      Kind = "ending"      // what the client sees
)

// Turn is one question.
type Turn struct {
	Kind  Kind
	Where string // in one line: "node-1 · PREROUTING · nat KUBE-SERVICES"
	// Node, Hook, Table and Chain are Where's parts; "" where it is not about rules.
	Node, Hook, Table, Chain string
	Packet                   Packet // as it is now
	// Since tells what happened since the turn before that was not asked for.
	Since    []string
	Question string
	Options  []Option // 3 to 5; one is right
	Right    int
	Why      string // the right one is right
	// Draws are the numbers that an Endpoint turn gives: in iptables mode one of
	// each random rule up to the one that takes the packet, from 0 up to 1; in the
	// others one, from 0 up to the number of endpoints.
	Draws []float64
}

// Pick says whether option i is the one that the walk over the rules took
// (iptables(8), nft(8)), and why.
func (t *Turn) Pick(i int) (right bool, feedback string) {
	if i == t.Right {
		return true, t.Why
	}
	return false, t.Options[i].Wrong
}

// Option is one of the things to choose from.
type Option struct {
	Text string
	// Wrong is why it is wrong, or what would be if it were so; "" for the right one.
	Wrong string
	// Effect is what comes of it: no two options of a turn have the same.
	Effect string
	// Chain and Rule are those of an option that is a rule, as iptables-save or nft
	// print it, an element of a map, or a real server as ipvsadm prints it.
	Chain, Rule string
}

// Packet is the packet at a turn.
type Packet struct {
	Source      string // an address; "" when it is not known
	Destination string // "ip:port", or the name while it is looked up
	Protocol    string // TCP, UDP, SCTP
	Mark        uint32
}

// String writes the packet in one line.
func (p Packet) String() string {
	source := p.Source
	if source == "" {
		source = "the client"
	}
	out := source + " → " + p.Destination + " " + p.Protocol
	if p.Mark != 0 {
		out += fmt.Sprintf(", mark %#x", p.Mark)
	}
	return out
}

// ErrNoTurn is for a way on which there is nothing to choose.
var ErrNoTurn = errors.New("there is nothing to choose on this packet's way")

// Of makes the course of one packet: of the ways that it may go, one is drawn.
// Equal arguments give equal courses. Errors are those of path.Do, and ErrNoTurn.
// What is right comes from there: the rules of kube-proxy (pkg/proxy), netfilter's
// order (iptables(8), nft(8)) and CoreDNS' answers.
func Of(s *model.Snapshot, r path.Request, seed uint64) (*Course, error) {
	if r.Namespace == "" {
		r.Namespace = "default"
	}
	trace, err := path.Do(s, r)
	if err != nil {
		return nil, err
	}
	b := &builder{
		snapshot: s, request: r, trace: trace, rng: rand.New(rand.NewPCG(seed, 14)),
		programs: map[string]*path.Program{}, judges: map[string]*path.Judge{}, visited: map[*path.Chain]bool{},
		course: &Course{From: trace.From, Target: trace.Target, Mode: trace.Mode, Service: trace.Service},
	}
	b.outcome = &trace.Outcomes[b.rng.IntN(min(len(trace.Outcomes), maxDrawn))]
	b.names()
	b.walk()
	b.course.End = b.end()
	if len(b.course.Turns) == 0 {
		return nil, ErrNoTurn
	}
	return b.course, nil
}

// Walk makes a course and fails if it cannot be graded: it is for who walks it
// without a person. See Of for where the rules are from (iptables(8), nft(8)).
func Walk(s *model.Snapshot, r path.Request, seed uint64) error {
	c, err := Of(s, r, seed)
	if err != nil {
		return err
	}
	for i := range c.Turns {
		if err := c.Turns[i].check(); err != nil {
			return fmt.Errorf("turn %d: %w", i+1, err)
		}
	}
	return nil
}

// Bounds of a course.
const (
	maxDrawn   = 5 // endpoints that are drawn: more cannot be told by rules before them
	maxOptions = 5
	minOptions = 3
	maxSince   = 3
)

// check says what is wrong with a turn; nil when a learner can answer it.
func (t *Turn) check() error {
	switch {
	case t.Question == "" || t.Why == "" || t.Where == "":
		return fmt.Errorf("%s: it says too little: %+v", t.Kind, *t)
	case len(t.Options) < minOptions || len(t.Options) > maxOptions || t.Right < 0 || t.Right >= len(t.Options):
		return fmt.Errorf("%q: %d options, the right one is %d", t.Question, len(t.Options), t.Right)
	}
	effects, texts := map[string]bool{}, map[string]bool{}
	for i, o := range t.Options {
		if o.Text == "" || o.Effect == "" || effects[o.Effect] || texts[o.Text] || (o.Wrong == "") != (i == t.Right) {
			return fmt.Errorf("%q: option %q cannot be told from the others, or says not why it is wrong", t.Question, o.Text)
		}
		effects[o.Effect], texts[o.Text] = true, true
	}
	return nil
}

// builder makes one course.
type builder struct {
	snapshot *model.Snapshot
	request  path.Request
	trace    *path.Trace
	outcome  *path.Outcome
	rng      *rand.Rand
	programs map[string]*path.Program // by node
	judges   map[string]*path.Judge
	course   *Course

	since   []string
	visited map[*path.Chain]bool
	packet  path.PacketInfo // at the hop
	sent    netip.AddrPort  // the destination that the client gave it
	node    string          // whose rules see it
	base    string          // the base chain it is in
	marked  string          // why it is marked for masquerade; "" when it is not
	masked  *path.Hop       // the last hop that rewrites the source
	back    bool            // the reply was asked for
	served  bool            // IPVS chose the endpoint
	// assumed says that the source was rewritten on a node before, perhaps.
	assumed bool
}

// tell keeps what is not asked.
func (b *builder) tell(format string, args ...any) {
	b.since = append(b.since, fmt.Sprintf(format, args...))
	if len(b.since) > maxSince {
		b.since = b.since[1:]
	}
}

// ask adds a turn, of the most plausible wrong options. Where there are too few of
// them, the turn becomes a part of the next one.
func (b *builder) ask(t Turn, right Option, wrong ...Option) {
	effects, texts := map[string]bool{right.Effect: true}, map[string]bool{right.Text: true}
	right.Wrong = ""
	t.Options = append(t.Options, right)
	for _, o := range wrong {
		if o.Text == "" || o.Wrong == "" || effects[o.Effect] || texts[o.Text] || len(t.Options) == maxOptions {
			continue
		}
		effects[o.Effect], texts[o.Text] = true, true
		t.Options = append(t.Options, o)
	}
	if len(t.Options) < minOptions {
		b.tell("%s", t.Why)
		return
	}
	b.rng.Shuffle(len(t.Options), func(i, j int) {
		t.Options[i], t.Options[j] = t.Options[j], t.Options[i]
		switch t.Right {
		case i:
			t.Right = j
		case j:
			t.Right = i
		}
	})
	if t.Packet == (Packet{}) {
		t.Packet = b.now()
	}
	t.Since, b.since = b.since, nil
	b.course.Turns = append(b.course.Turns, t)
}

// askOne is ask with wrong options of which those at the end are among the turn's
// in any case.
func (b *builder) askOne(t Turn, right Option, wrong []Option, always ...Option) {
	room := maxOptions - 1 - len(always)
	effects, texts := map[string]bool{right.Effect: true}, map[string]bool{right.Text: true}
	for _, o := range always {
		effects[o.Effect], texts[o.Text] = true, true
	}
	var some []Option
	for _, o := range wrong {
		if len(some) < room && !effects[o.Effect] && !texts[o.Text] {
			effects[o.Effect], texts[o.Text] = true, true
			some = append(some, o)
		}
	}
	b.ask(t, right, append(some, always...)...)
}

// now is the packet as it is.
func (b *builder) now() Packet {
	p := Packet{Destination: b.packet.Destination.String(), Protocol: strings.ToUpper(b.packet.Protocol), Mark: b.packet.Mark}
	if b.packet.Source.IsValid() {
		p.Source = b.packet.Source.String()
	}
	return p
}

// source is the packet's source in a sentence.
func (b *builder) source() string {
	if !b.packet.Source.IsValid() {
		return "the client's own address"
	}
	return b.packet.Source.String()
}

// program is what kube-proxy wrote on a node.
func (b *builder) program(node string) *path.Program {
	p := b.programs[node]
	if p == nil {
		p = path.CompileAs(b.trace.Mode, b.snapshot, node, path.FamilyOf(b.sent.Addr()))
		b.programs[node] = p
	}
	return p
}

func (b *builder) judge() *path.Judge {
	j := b.judges[b.node]
	if j == nil {
		j = path.NewJudge(b.program(b.node))
		b.judges[b.node] = j
	}
	return j
}

// short leaves out the namespace of the request.
func (b *builder) short(key string) string {
	return strings.TrimPrefix(key, b.request.Namespace+"/")
}

// owner is the Service that has an address; nil when none has.
func (b *builder) owner(ip netip.Addr) *model.Service {
	is := func(text string) bool { return endpoints.ParseAddr(text) == ip }
	for _, svc := range b.snapshot.Services {
		for _, text := range svc.ClusterIPs {
			if is(text) {
				return svc
			}
		}
		for _, text := range svc.ExternalIPs {
			if is(text) {
				return svc
			}
		}
		for _, in := range svc.Ingress {
			if is(in.IP) {
				return svc
			}
		}
	}
	return nil
}

// at is where a hop is, for a turn about it.
func (b *builder) at(kind Kind, h *path.Hop, chain string) Turn {
	t := Turn{Kind: kind, Node: h.Node, Hook: h.Hook, Table: h.Table, Chain: chain}
	parts := []string{h.Node}
	if h.Node == "" {
		parts[0] = "the first node"
	}
	if h.Hook != "" {
		parts = append(parts, h.Hook)
	}
	switch {
	case chain == ipvs:
		parts = append(parts, ipvs)
	case chain != "":
		parts = append(parts, strings.TrimSpace(h.Table+" "+chain))
	}
	t.Where = strings.Join(parts, " · ")
	return t
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// ordinal writes 1 as "1st".
func ordinal(n int) string {
	suffix := "th"
	if n%100 < 11 || n%100 > 13 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return strconv.Itoa(n) + suffix
}
