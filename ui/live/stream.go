package live

import (
	"errors"
	"slices"

	"svctour/model"
	"svctour/model/meter"
	"svctour/model/path"
	"svctour/ui/shell"
)

// Stream is a stream of requests under way, or the last one.
type Stream struct {
	Running bool // requests are sent
	Ending  bool // no more are begun, and those under way are waited for
	Rate    int  // requests a second that are asked for
	Spec    meter.Spec
	Err     string // why it ended, when it was not stopped; a sentence

	serial  int
	service string // that it is for
}

// Under says whether the stream has not ended yet.
func (s *Stream) Under() bool { return s.Running || s.Ending }

// rates are those to choose from, in requests a second.
func rates() []int { return []int{1, 2, 5, 10, 20, meter.MaxRate} }

const firstRate = 10

// aimed is what a stream of now would be for; problem says why there is none.
func (v *State) aimed() (spec meter.Spec, problem string) {
	client := v.Client
	switch {
	case client.Kind != model.ClientPod || client.Namespace != v.Focus.Namespace:
		return spec, "the client is no Pod"
	case v.Snapshot.Pod(client.Namespace, client.Name) == nil:
		return spec, "there is no Pod " + client.Name + " to send from"
	case v.Trace != nil && v.Trace.Packet.Protocol != "TCP":
		return spec, "the Service does not speak TCP"
	}
	spec = meter.Spec{Pod: client.Name, Port: 80}
	target, err := path.ParseTarget(v.Focus.Target, v.Snapshot.DNS.Domain)
	if err != nil {
		return spec, "there is nothing to send requests to"
	}
	if v.Trace != nil {
		spec.Host, spec.Port = v.Trace.Packet.Destination, uint16(v.Trace.Packet.Port)
	}
	// What the client looks up it looks up for each request, as programs do.
	if !target.Address.IsValid() && target.Node == "" && v.Focus.Name != "" {
		spec.Host = v.Focus.Name
	}
	if spec.Check() != nil {
		return spec, "there is nothing to send requests to"
	}
	return spec, ""
}

// StreamAction starts or stops the stream.
func (p *Panes) StreamAction() shell.Action {
	a := shell.Action{Title: "stream", Help: "send requests again and again, and count", Quiet: true}
	switch {
	case p.stream.Ending:
		a.Title, a.Why = "stopping", "the last requests are waited for"
	case p.stream.Running:
		a.Title, a.Help, a.Quiet = "stop the stream", "send no more requests", false
	case p.state == nil:
		a.Why, a.Hidden = "the cluster has not been read yet", true
	default:
		_, a.Why = p.state.aimed()
		a.Hidden = a.Why != ""
	}
	return a
}

// PaceActions make the stream faster and slower.
func (p *Panes) PaceActions() (faster, slower shell.Action) {
	faster = shell.Action{Title: "faster", Help: "more requests a second", Quiet: true, Hidden: !p.stream.Running}
	slower = shell.Action{Title: "slower", Help: "fewer requests a second", Quiet: true, Hidden: !p.stream.Running}
	if all := rates(); p.stream.Rate >= all[len(all)-1] {
		faster.Why = "this is the highest rate"
	} else if p.stream.Rate <= all[0] {
		slower.Why = "this is the lowest rate"
	}
	return faster, slower
}

// Stream starts the stream, or stops it.
func (p *Panes) Stream() shell.Intent {
	switch {
	case p.stream.Ending || p.state == nil:
		return nil
	case p.stream.Running:
		p.stream.Running, p.stream.Ending = false, true
		return shell.Pace{Serial: p.stream.serial}
	}
	spec, problem := p.state.aimed()
	if problem != "" {
		return nil
	}
	rate := p.stream.Rate
	if rate == 0 {
		rate = firstRate
	}
	p.streams++
	p.setStream(Stream{Running: true, Rate: rate, Spec: spec, serial: p.streams, service: p.state.Focus.Service})
	return shell.Stream{Serial: p.stream.serial, Spec: spec, Rate: rate}
}

// setStream makes another stream the present one: nothing is counted of it yet.
func (p *Panes) setStream(s Stream) {
	p.stream, p.batches = s, nil
	if p.state != nil && p.state.Meter != nil {
		uncounted := *p.state
		uncounted.Meter = nil
		p.state = &uncounted
	}
}

// Pace makes the stream faster (1) or slower (-1).
func (p *Panes) Pace(by int) shell.Intent {
	all := rates()
	at := slices.Index(all, p.stream.Rate) + by
	if !p.stream.Running || at < 0 || at >= len(all) {
		return nil
	}
	p.stream.Rate = all[at]
	return shell.Pace{Serial: p.stream.serial, Rate: all[at]}
}

// OffAim ends the stream when the panes have come to be about another Service.
func (p *Panes) OffAim() shell.Intent {
	if p.stream.serial == 0 || p.state == nil || p.state.Focus.Service == p.stream.service {
		return nil
	}
	ended := p.stream
	p.setStream(Stream{Rate: ended.Rate})
	if !ended.Under() {
		return nil
	}
	return shell.Pace{Serial: ended.serial}
}

// heardOf takes in what was heard of a stream, and says whether it was waited for.
func (p *Panes) heardOf(msg shell.Streamed) (due bool) {
	if msg.Serial != p.stream.serial || !p.stream.Under() {
		return false
	}
	if !msg.Done {
		p.batches = append(p.batches, msg.Batch)
		return true
	}
	p.stream.Running, p.stream.Ending = false, false
	if msg.Err != nil {
		p.stream.Err = model.Sentence(streamError(msg.Err).Error())
	}
	return true
}

// streamError leaves out the words of meter.ErrNoExec before a reason.
func streamError(err error) error {
	if several, ok := err.(interface{ Unwrap() []error }); ok && errors.Is(err, meter.ErrNoExec) {
		for _, reason := range several.Unwrap() {
			if !errors.Is(reason, meter.ErrNoExec) {
				return reason
			}
		}
	}
	return err
}

// count gives a state the tally of the stream, with the batches that came since
// the state before.
func (v *State) count(before *State, stream *Stream, batches []meter.Batch) {
	v.Meter, v.metered, v.world, v.batches = nil, stream.serial, nil, len(batches)
	if stream.serial == 0 || v.Focus.Service != stream.service {
		return
	}
	aim := meter.Aim{Client: v.Client, Namespace: v.Focus.Namespace, Service: v.Focus.Service, Host: stream.Spec.Host, Port: stream.Spec.Port}
	same := before != nil && before.metered == stream.serial && before.world != nil
	switch {
	case same && before.Snapshot == v.Snapshot && before.Focus == v.Focus:
		v.Meter, v.world = before.Meter, before.world
	case same:
		v.Meter, v.world = before.Meter, meter.Look(v.Snapshot, aim, v.Trace, before.world)
		if v.Meter != nil {
			v.Meter = v.Meter.Add(meter.Batch{At: v.Snapshot.Time}, v.world)
		}
	default:
		v.world = meter.Look(v.Snapshot, aim, v.Trace, nil)
	}
	for _, batch := range batches {
		v.Meter = v.Meter.Add(batch, v.world)
	}
}
