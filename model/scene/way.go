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
	AtAway // outside the cluster
)

// Spot is one place of the picture. Name is the machine's for AtNames, AtDoor
// and AtBand, and the Pod's key for AtPod and AtNamesPod.
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
func (l *Leg) Fails() bool { return l.End != "" && l.End != LeavesOff }

// Way is how one packet goes, from the look-up of the name to the answer.
type Way struct {
	Probability float64
	Legs        []Leg
}

// Ways is how many ways there are, one for each outcome of the path. Where there
// is no path there is one if there is at least a name to look up.
func (s *Scene) Ways() int {
	if s.trace != nil && len(s.trace.Outcomes) > 0 {
		return len(s.trace.Outcomes)
	}
	if len(s.nameLegs()) > 0 {
		return 1
	}
	return 0
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
		Carries: s.Client.Address + " → " + net.JoinHostPort(s.Names.Address, "53"),
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
		answer.End, answer.Why = NotKnown, "what a server outside the cluster answers is not known"
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
	sent := cmp.Or(p.Source, s.Client.label()) + " → " + net.JoinHostPort(p.Destination, strconv.Itoa(int(p.Port)))
	from := Spot{At: AtClient}
	var legs []Leg
	travel := func(to Spot) *Leg {
		legs = append(legs, Leg{Kind: Send, From: from, To: to, Carries: sent, Evidence: model.Derived})
		from = to
		return &legs[len(legs)-1]
	}
	if s.Client != nil && s.Client.Kind == model.ClientOutside {
		if s.Balancer != nil && s.Balancer.Address != "" && strings.HasPrefix(s.Balancer.Address, p.Destination) {
			travel(Spot{At: AtBalancer})
		} else if s.hasDoor(p.Port) {
			travel(Spot{AtDoor, p.Node})
		}
	}
	if s.Band == nil || o.Verdict == path.None {
		return append(legs, s.straight(o, from, sent))
	}
	last := travel(Spot{AtBand, p.Node})
	switch o.Verdict {
	case path.Reject:
		last.End, last.Why = Refused, "refused at "+cmp.Or(p.Node, "the node")+": no endpoint, the rule REJECTs"
		last.Rules, last.Evidence = chains(o), s.evidence
		return legs
	case path.Drop:
		last.End, last.Why = TimedOut, "dropped at "+cmp.Or(p.Node, "the node")+": the client waits until it times out"
		last.Rules, last.Evidence = chains(o), s.evidence
		return legs
	}
	d := o.Destination
	source := cmp.Or(p.Source, s.Client.label())
	if o.Masquerade {
		source = cmp.Or(p.Node, "the node")
	}
	carries := source + " → " + net.JoinHostPort(d.IP, strconv.Itoa(int(d.Port)))
	key := cmp.Or(d.Pod, net.JoinHostPort(d.IP, strconv.Itoa(int(d.Port))))
	what := "DNAT"
	if o.Masquerade {
		what = "DNAT, SNAT"
	}
	return append(legs,
		Leg{Kind: Translate, From: from, To: from, Carries: carries, Text: what, Rules: chains(o), Evidence: s.evidence},
		Leg{Kind: Deliver, From: from, To: Spot{AtPod, key}, Carries: carries, Evidence: model.Derived},
		Leg{
			Kind: Reply, From: Spot{AtPod, key}, To: Spot{At: AtClient}, Evidence: model.Derived, Text: "reply: conntrack puts the addresses back",
			Carries: net.JoinHostPort(p.Destination, strconv.Itoa(int(p.Port))) + " → " + cmp.Or(p.Source, s.Client.label()),
		})
}

// straight is the way of a packet that no rule translates.
func (s *Scene) straight(o *path.Outcome, from Spot, sent string) Leg {
	leg := Leg{Kind: Send, From: from, Carries: sent, Evidence: model.Derived, To: Spot{At: AtAway}}
	if d := o.Destination; d != nil {
		leg.To = Spot{AtPod, cmp.Or(d.Pod, net.JoinHostPort(d.IP, strconv.Itoa(int(d.Port))))}
		return leg
	}
	if s.Leaves() {
		leg.End, leg.Why = LeavesOff, "it leaves the cluster; what answers there is not known"
		return leg
	}
	leg.End, leg.Why = NotKnown, "no rule of kube-proxy matches"
	return leg
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
