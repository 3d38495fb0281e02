package live

import (
	"math/rand/v2"
	"strings"

	"svctour/model"
	"svctour/model/diagnose"
	"svctour/model/meter"
	"svctour/model/path"
	"svctour/ui/frame"
	"svctour/ui/shell"
	"svctour/ui/stage"
	"svctour/ui/theme"
)

// Pane is one of the panes.
type Pane int

// The panes, in the order in which they stand on a screen.
const (
	Stage Pane = iota
	Endpoints
	DNS
	Path
)

// Panes are for a screen that shows a Service, which embeds them: they hold the
// state that was computed last, and what moves between two states. They live on
// the UI goroutine; the work that they hand out runs elsewhere.
type Panes struct {
	// Rules says whether the text of each rule stands on the path.
	Rules bool
	// Still says that nothing moves: a packet is shown where it comes to its end.
	Still bool
	// Goal is how the cluster would be after what is to be done; nil while that is
	// not shown.
	Goal *State

	namespace string
	state     *State // nil until the first was computed
	tick      int
	walk      *Walk
	looks     []*Look // at the node, which no state has taken in yet
	forget    bool    // what was seen so far is of no interest to the next state
	request   Request
	requests  int // sent so far
	reply     *model.Reply
	stream    Stream
	streams   int           // begun so far
	batches   []meter.Batch // of the stream, which no state has taken in yet
	random    *rand.Rand

	report    *diagnose.ServiceReport
	diagnosis shell.Turn
}

// New makes the panes of Services in a namespace. The same seed walks packets
// the same way.
func New(namespace string, seed uint64) *Panes {
	return &Panes{namespace: namespace, random: rand.New(rand.NewPCG(seed, seed))}
}

// State is what was computed last; nil before.
func (p *Panes) State() *State { return p.state }

// View is what there is to draw now; ok is false before a first state.
func (p *Panes) View() (v View, ok bool) {
	return View{State: p.state, Tick: p.tick, Walk: p.walk, Rules: p.Rules, Request: p.request, Stream: p.stream, Goal: p.Goal}, p.state != nil
}

// Work gives the function that computes the next state: everything that Compute
// gives, what changed since the present state, and what has arrived meanwhile
// from the node and as the answer to a request. The function may run on any
// goroutine and changes nothing: Take makes its result the present state.
func (p *Panes) Work() func(*model.Snapshot, Focus) *State {
	present, looks, tick := p.state, p.looks, p.tick
	stream, batches := p.stream, p.batches
	var seen *Seen
	if present != nil && !p.forget {
		seen = present.Seen
	}
	var answer *answer
	if p.reply != nil {
		answer = newAnswer(&p.request, p.reply)
	}
	return func(s *model.Snapshot, f Focus) *State {
		next := present.again(s, f)
		if present != nil && present.Snapshot != s && present.Snapshot.Sync.Synced {
			next.Changes = present.Changes.After(model.Diff(present.Snapshot, s, f.Namespace), tick)
		} else if present != nil {
			next.Changes = present.Changes
		}
		next.Seen = seen
		for _, look := range looks {
			next.Seen = next.Seen.after(look, next.Trace)
		}
		next.there, next.missing = next.Seen.rulesOnNode(next.Trace)
		next.looks, next.answer = len(looks), answer
		next.count(present, &stream, batches)
		if answer != nil {
			answer.find(next)
		}
		next.draft(present, tick)
		return next
	}
}

// again gives a state of its own of what Compute gives; it is not computed a
// second time.
func (v *State) again(s *model.Snapshot, f Focus) *State {
	if v == nil || v.Snapshot != s || v.Focus != f {
		return compute(s, f)
	}
	same := *v
	return &same
}

// Take makes a state the present one. It must come from the last Work.
func (p *Panes) Take(next *State) {
	if next.metered != p.stream.serial {
		next.Meter = nil
	}
	p.state, p.forget = next, false
	p.looks = p.looks[next.looks:]
	if next.metered == p.stream.serial {
		p.batches = p.batches[next.batches:]
	}
	if w := p.walk; w != nil && w.Outcome >= next.Scene.Ways() {
		p.walk = nil
	}
	if next.answer != nil && p.request.waiting && next.answer.serial == p.request.serial {
		p.answered(next.answer)
	}
}

// Forget drops what belongs to an earlier focus: the packet under way, the
// request, the stream, and what the node was seen to hold.
func (p *Panes) Forget() {
	p.setStream(Stream{Rate: p.stream.Rate})
	p.walk, p.request, p.reply, p.looks, p.forget, p.Goal = nil, Request{}, nil, nil, true, nil
}

// Handle takes in news, and says whether there is a state to compute.
func (p *Panes) Handle(msg any) (due bool) {
	switch msg := msg.(type) {
	case shell.Rules:
		p.looks = append(p.looks, newLook(&msg))
		return true
	case shell.Answered:
		return p.hear(msg)
	case shell.Streamed:
		return p.heardOf(msg)
	case shell.Tick:
		busy := p.state != nil && p.state.Changes.Busy(p.tick)
		p.step()
		return busy && !p.state.Changes.Busy(p.tick) // what went leaves the picture
	}
	return false
}

func newLook(r *shell.Rules) *Look {
	return &Look{Node: r.Node, Family: r.Family, Rules: r.Observed, Differences: r.Differences, Changed: r.Changed, Err: r.Err}
}

// Diagnose asks for the doctor's report of the present Service; nil when there
// is none, or when one is under way.
func (p *Panes) Diagnose() shell.Intent {
	if p.state == nil || p.state.Focus.Service == "" {
		p.report = nil
		return nil
	}
	serial, ok := p.diagnosis.Begin()
	if !ok {
		return nil
	}
	return shell.Diagnose{Serial: serial, Namespace: p.namespace, Service: p.state.Focus.Service}
}

// Diagnosed accepts a report. again says that another was asked for meanwhile.
func (p *Panes) Diagnosed(msg shell.Diagnosed) (again bool) {
	again, ok := p.diagnosis.End(msg.Serial)
	if ok {
		p.report = msg.Report
	}
	return again
}

// Report is the doctor's last report on the present Service; nil when there is
// none yet.
func (p *Panes) Report() *diagnose.ServiceReport {
	if p.report == nil || p.state == nil || p.report.Name != p.state.Focus.Service {
		return nil
	}
	return p.report
}

// Watches names the node and the family of the rules that the path runs
// through; "" when there is no such node.
func (p *Panes) Watches() (string, path.Family) {
	if p.state == nil || p.state.Trace == nil || p.state.Trace.Packet.Node == "" {
		return "", ""
	}
	packet := &p.state.Trace.Packet
	if strings.Contains(packet.Destination, ":") {
		return packet.Node, path.IPv6
	}
	return packet.Node, path.IPv4
}

// Chains are the chains of that node on the path, in its order.
func (p *Panes) Chains() []path.ChainID {
	if node, _ := p.Watches(); node == "" {
		return nil
	}
	return p.state.chains
}

// Animating says whether anything moves.
func (p *Panes) Animating() bool {
	return p.walk != nil && !p.Still && !p.walk.Held || p.request.waiting || p.state != nil && p.state.Changes.Busy(p.tick)
}

// step is one step of animation.
func (p *Panes) step() {
	p.tick++
	walk := p.walk
	if walk == nil || p.Still || walk.Held {
		return
	}
	if walk.Step >= stage.Steps(walk.way(p.state)) {
		p.walk = nil
		return
	}
	next := *walk
	next.Step++
	p.walk = &next
}

// begin lets a packet start along an outcome.
func (p *Panes) begin(outcome int, proven bool) {
	w := &Walk{Outcome: outcome, Proven: proven}
	if p.Still {
		w.Step = stage.Steps(w.way(p.state))
	}
	p.walk = w
}

// Walk sends a predicted packet along one outcome, chosen by its probability,
// and says whether there was one to send.
func (p *Panes) Walk() bool {
	p.request, p.reply = Request{}, nil
	return p.startWalk()
}

func (p *Panes) startWalk() bool {
	if p.state == nil || p.state.Scene.Ways() == 0 {
		return false
	}
	chosen := p.state.Scene.Ways() - 1
	if p.state.Trace != nil {
		at := p.random.Float64()
		for i := range p.state.Trace.Outcomes {
			if at -= p.state.Trace.Outcomes[i].Probability; at < 0 {
				chosen = i
				break
			}
		}
	}
	if len(p.state.Scene.Way(chosen, false).Legs) == 0 {
		return false
	}
	p.begin(chosen, false)
	return true
}

// Rows gives what stands in a pane of w columns; the stage is drawn by DrawStage.
func (v View) Rows(p Pane, t *theme.Theme, w int) frame.Rows {
	if v.veils(p) {
		return note(t, veil, w)
	}
	switch p {
	case Endpoints:
		return v.endpointRows(t, w)
	case DNS:
		return v.lookUpRows(t, w)
	}
	return frame.Stack(v.Request.rows(t, w), v.meterRows(t, w), v.pathRows(t, w))
}

// veil stands for what is left out.
const veil = "It tells the answer: it is shown afterwards."

// veils says whether a pane is left out.
func (v View) veils(p Pane) bool { return v.Veiled && p != Stage }

// Draw draws a pane at a scroll position, which it bounds by what there is.
func (v View) Draw(s *frame.Surface, t *theme.Theme, p Pane, scroll int) {
	if p == Stage {
		v.DrawStage(s, t)
		return
	}
	w, _ := s.Size()
	Scrolled(s, t, v.Rows(p, t, w), scroll)
}

// Title is what stands above a pane: its name, or something more precise.
func (v View) Title(p Pane, name string) string {
	switch {
	case p == Stage && v.Goal != nil:
		return v.Goal.heading("Goal")
	case p == Stage && v.State != nil:
		return v.heading("Stage")
	case p == Endpoints:
		return "EndpointSlices"
	case p == DNS && v.State != nil && v.Resolution != nil:
		return "DNS " + v.Resolution.Name
	case p == Path && v.State != nil && v.Trace != nil:
		title := "Path"
		if node := v.Trace.Packet.Node; node != "" {
			title += " on " + node
		}
		return title + " · " + v.Trace.Mode
	}
	return name
}

// Evidence is the word that says how a pane's facts are known; empty for a pane
// without facts.
func (v View) Evidence(p Pane, t *theme.Theme) frame.Line {
	e := model.Observed // read from the API server
	switch {
	case v.State == nil || v.veils(p) || p == DNS && v.Resolution == nil || p == Path && v.Trace == nil:
		return nil
	case p == Stage && v.Goal != nil:
		e = min(model.Derived, v.Goal.Scene.Evidence())
	case p == Stage:
		e = v.Scene.Evidence()
	case p == DNS:
		e = resolutionEvidence(v.Resolution)
	case p == Path:
		e = v.pathEvidence()
	}
	word := frame.L(e.String(), t.Evidence(e))
	if p == DNS && e == model.Unknown && partlyKnown(v.Resolution) {
		word = append(frame.L(model.Derived.String(), t.Derived), frame.Span{Text: ", partly ", Style: t.Muted}, word[0])
	}
	return word
}
