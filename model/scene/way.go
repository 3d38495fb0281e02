package scene

import (
	"cmp"
	"fmt"
	"net"
	"strconv"
	"strings"

	"svctour/model"
	"svctour/model/dns"
	"svctour/model/path"
)

// Place is a kind of spot in the picture.
type Place uint8

// The places between which a packet travels.
const (
	AtClient Place = iota
	AtNames        // the DNS Service's virtual address, on the machine Name
	AtNamesPod
	AtBalancer
	AtDoor // a nodePort of the machine Name
	AtBand // the virtual address, on the machine Name
	AtPod
	AtMachine // the machine Name itself
	AtAway    // outside the cluster
)

// Spot is one place of the picture. Name is the machine's for AtNames, AtDoor,
// AtBand and AtMachine, and the Pod's key for AtPod and AtNamesPod.
type Spot struct {
	At   Place
	Name string
}

// LegKind is what happens on a part of the way.
type LegKind uint8

// The parts of a way, in the order in which they come.
const (
	Ask       LegKind = iota // the query goes to the DNS server
	Answer                   // its answer comes back
	Send                     // the packet travels as its client sent it
	Translate                // it stands where its addresses are rewritten
	Deliver                  // it travels to the endpoint
	Reply                    // the answer travels back
)

// EndKind is how a way ends before its packet was answered.
type EndKind string

// The ends of a way.
const (
	Refused   EndKind = "refused"
	TimedOut  EndKind = "timeout"
	NXDomain  EndKind = "NXDOMAIN"
	NoData    EndKind = "NODATA"
	NoAnswer  EndKind = "no answer"
	Reset     EndKind = "reset"
	NotKnown  EndKind = "not known"
	LeavesOff EndKind = "leaves the cluster"
)

// Leg is one part of a way.
type Leg struct {
	Kind     LegKind
	From, To Spot
	Carries  string   // source → destination, while it travels
	Text     string   // what happens, in a few words
	Rules    []string // the chains that decide, in their order
	Evidence model.Evidence
	// End is how the way ends at To; "" when it goes on. Why says it in words.
	End EndKind
	Why string
}

// Fails says whether the way ends here without what the client wanted.
func (l *Leg) Fails() bool { return l.End != "" && l.End != LeavesOff && l.End != NotKnown }

// Way is how one packet goes, from the look-up of the name to the answer.
type Way struct {
	Probability float64
	Legs        []Leg
}

// Ways is how many ways there are, one for each outcome of the path. Where there
// is no path there is one if there is at least a name to look up.
func (s *Scene) Ways() int {
	names := len(s.nameLegs()) > 0
	if s.trace != nil && len(s.trace.Outcomes) > 0 && (names || len(s.packetLegs(&s.trace.Outcomes[0])) > 0) {
		return len(s.trace.Outcomes)
	}
	if names {
		return 1
	}
	return 0
}

// Failing is the first way that fails; -1 when none does, as far as they are looked
// at.
func (s *Scene) Failing() int {
	const most = 64
	for i := range min(s.Ways(), most) {
		if legs := s.Way(i, false).Legs; len(legs) > 0 && legs[len(legs)-1].Fails() {
			return i
		}
	}
	return -1
}

// Way gives the i-th way: that of the i-th outcome of the path (model/path,
// walk.go), after the look-up (model/dns, resolve.go). observed says that an answer
// has proven it.
func (s *Scene) Way(i int, observed bool) Way {
	w := Way{Probability: 1, Legs: s.nameLegs()}
	if n := len(w.Legs); n > 0 && w.Legs[n-1].End != "" && !observed {
		return w
	}
	if s.trace == nil || i < 0 || i >= len(s.trace.Outcomes) {
		return w
	}
	o := &s.trace.Outcomes[i]
	w.Probability = o.Probability
	w.Legs = append(w.Legs, s.packetLegs(o)...)
	if observed {
		for k := range w.Legs {
			w.Legs[k].Evidence = max(w.Legs[k].Evidence, s.proven(w.Legs[k].Kind))
		}
	}
	return w
}

// proven is what an answer says of a part of the way that led to it: that the
// packet was sent, arrived and was answered, but not by which rules.
func (s *Scene) proven(kind LegKind) model.Evidence {
	if kind == Send || kind == Deliver || kind == Reply {
		return model.Observed
	}
	return model.Unknown
}

// nameLegs are the look-up of the name, if a Pod asks for one.
func (s *Scene) nameLegs() []Leg {
	r := s.resolution
	if r == nil || s.Names == nil || s.Client == nil || s.Client.Kind != model.ClientPod || len(r.Queries) == 0 {
		return nil
	}
	ask := Leg{
		Kind: Ask, From: Spot{At: AtClient}, To: Spot{AtNames, s.Client.Machine}, Evidence: least(r),
		Carries: s.Client.Address + " → " + hostPort(s.Names.Address, 53),
		Text:    s.Client.Label + " asks " + cmp.Or(s.Names.Name, "the DNS server") + " " + s.Names.Address + " for " + r.Name,
	}
	if s.Names.Name != "" && s.Names.Ready == 0 {
		ask.End, ask.Why = NoAnswer, s.Names.Name+" has no ready endpoint"
		return []Leg{ask}
	}
	answer := Leg{Kind: Answer, From: ask.To, To: Spot{At: AtClient}, Evidence: ask.Evidence}
	last := &r.Queries[len(r.Queries)-1]
	switch {
	case len(r.Answers) > 0:
		answer.Text = answerText(r)
		return []Leg{ask, answer}
	case strings.EqualFold(last.Rcode, string(dns.Silent)):
		ask.End, ask.Why = NoAnswer, "no DNS server answers"
		return []Leg{ask}
	case last.Rcode == "NXDOMAIN":
		answer.End, answer.Why = NXDomain, "no such name: "+last.Name
	case last.Rcode == "NOERROR":
		answer.End, answer.Why = NoData, "the name exists, and has no address"
	case last.Rcode == "":
		answer.End, answer.Why = NotKnown, "the cluster has no such name, and what servers outside of it say is not known"
	default:
		answer.End, answer.Why = NoAnswer, last.Rcode
	}
	answer.Text = string(answer.End)
	return []Leg{ask, answer}
}

// answerText is what a look-up gave, in one line.
func answerText(r *dns.Resolution) string {
	var parts []string
	for i, a := range r.Answers {
		if i == 3 && len(r.Answers) > 4 {
			parts = append(parts, fmt.Sprintf("%d more", len(r.Answers)-3))
			break
		}
		parts = append(parts, a.Type+" "+a.Data)
	}
	return strings.Join(parts, ", ")
}

func least(r *dns.Resolution) model.Evidence {
	e := model.Observed
	for i := range r.Queries {
		e = min(e, r.Queries[i].Evidence)
	}
	return e
}

// packetLegs are the way of the packet after its address is known.
func (s *Scene) packetLegs(o *path.Outcome) []Leg {
	p := &s.trace.Packet
	switch o.End.Kind {
	case path.EndNoName, path.EndNoData, path.EndUnresolved: // no packet is sent
		return nil
	}
	source := cmp.Or(p.Source, s.Client.label())
	to := cmp.Or(p.Destination, strings.TrimSuffix(p.Host, "."))
	if d := o.Destination; d != nil && p.Destination == "" {
		to = d.IP
	}
	w := &journey{at: Spot{At: AtClient}, carries: source + " → " + hostPort(to, p.Port)}
	if o.End.Kind == path.EndLost || o.End.Kind == path.EndDenied && o.End.Direction == "Egress" {
		w.travel(Send, Spot{At: AtClient}, model.Derived)
		return w.end(o)
	}
	if s.Client != nil && s.Client.Kind == model.ClientOutside {
		if s.Balancer != nil && p.Destination != "" && strings.HasPrefix(s.Balancer.Address, p.Destination) {
			w.travel(Send, Spot{At: AtBalancer}, model.Derived)
		} else if s.hasDoor(p.Port) {
			w.travel(Send, Spot{AtDoor, p.Node}, model.Derived)
		}
	}
	if s.Band == nil || o.Verdict == path.None {
		w.travel(Send, s.target(o), model.Derived)
		return w.end(o)
	}
	w.travel(Send, Spot{AtBand, p.Node}, model.Derived)
	if o.Verdict != path.DNAT {
		w.last().Rules, w.last().Evidence = chains(o), s.evidence
		return w.end(o)
	}
	what := "DNAT"
	if o.Masquerade {
		source, what = cmp.Or(p.Node, "the node"), "DNAT, SNAT"
	}
	w.carries = source + " → " + hostPort(o.Destination.IP, o.Destination.Port)
	w.travel(Translate, w.at, s.evidence)
	w.last().Rules, w.last().Text = chains(o), what
	w.travel(Deliver, s.target(o), model.Derived)
	if legs := w.end(o); legs[len(legs)-1].End != "" {
		return legs
	}
	w.carries = hostPort(p.Destination, p.Port) + " → " + cmp.Or(p.Source, s.Client.label())
	w.travel(Reply, Spot{At: AtClient}, model.Derived)
	w.last().Text = "reply: conntrack puts the addresses back"
	return w.legs
}

// journey is a packet on its way from spot to spot.
type journey struct {
	at      Spot
	carries string
	legs    []Leg
}

func (w *journey) travel(kind LegKind, to Spot, e model.Evidence) {
	w.legs = append(w.legs, Leg{Kind: kind, From: w.at, To: to, Carries: w.carries, Evidence: e})
	w.at = to
}

func (w *journey) last() *Leg { return &w.legs[len(w.legs)-1] }

// end marks the last leg with how the outcome ends, unless the packet arrives.
func (w *journey) end(o *path.Outcome) []Leg {
	last, end := w.last(), &o.End
	kinds := map[path.EndKind]EndKind{
		path.EndRejected: Refused, path.EndClosed: Refused, path.EndDropped: TimedOut, path.EndDenied: TimedOut, path.EndLost: TimedOut, path.EndOutside: LeavesOff,
	}
	last.End = kinds[end.Kind]
	if last.End == "" {
		return w.legs
	}
	place := end.Node
	if end.Pod != "" {
		_, place, _ = strings.Cut(end.Pod, "/")
	}
	switch end.Kind {
	case path.EndRejected:
		last.Why = "refused at " + cmp.Or(place, "the node") + ": the rule REJECTs"
	case path.EndDropped:
		last.Why = "dropped at " + cmp.Or(place, "the node") + ": the client waits until it times out"
	default:
		last.Why = end.What
		if place != "" {
			last.Why += ": " + place
		}
	}
	last.Evidence = min(last.Evidence, end.Evidence)
	return w.legs
}

// target is where an outcome leads: a Pod, a node, or out of the cluster.
func (s *Scene) target(o *path.Outcome) Spot {
	d := o.Destination
	switch {
	case d == nil && o.End.Kind != path.EndOutside && o.End.Node != "":
		return Spot{AtMachine, o.End.Node}
	case d == nil:
		return Spot{At: AtAway}
	}
	return Spot{AtPod, cmp.Or(d.Pod, hostPort(d.IP, d.Port))}
}

func hostPort(host string, port int32) string {
	if port == 0 {
		return host
	}
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}

func (s *Scene) hasDoor(port int32) bool {
	for i := range s.Machines {
		for _, d := range s.Machines[i].Doors {
			if d.Port == port {
				return true
			}
		}
	}
	return false
}

func (c *Client) label() string {
	if c == nil {
		return "client"
	}
	return cmp.Or(c.Address, c.Label)
}

// chains are those that the packet passes on its way to its verdict, each once.
func chains(o *path.Outcome) []string {
	var out []string
	for i := range o.Hops {
		h := &o.Hops[i]
		if h.Chain != "" && (len(out) == 0 || out[len(out)-1] != h.Chain) && h.Chain != h.Hook {
			out = append(out, h.Chain)
		}
		if h.Action == path.HopDNAT || h.Action == path.HopReject || h.Action == path.HopDrop {
			break
		}
	}
	return out
}
