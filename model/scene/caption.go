package scene

import (
	"cmp"
	"fmt"
	"strings"

	"svctour/model"
	"svctour/model/path"
)

// Tone is how a caption is meant.
type Tone uint8

// The tones of captions.
const (
	Plain Tone = iota
	Bad        // something fails
	Remark
)

// Caption is one line below, or above, the picture.
type Caption struct {
	Step     int // ① and so on; 0 for none
	Text     string
	After    string // what a translation makes of Text; "" for none
	Note     string // at the right
	Tone     Tone
	Name     bool // it is of the look-up
	Rules    bool // Text is the chains that decide
	Evidence model.Evidence
}

// Evidence is the weakest of what the picture says.
func (s *Scene) Evidence() model.Evidence {
	e := model.Observed
	if len(s.Unread) > 0 {
		e = model.Unknown
	}
	for _, c := range s.Captions() {
		e = min(e, c.Evidence)
	}
	return e
}

// Captions say what the picture shows, in the order of a packet's way. The first
// is of the look-up, if there is one.
func (s *Scene) Captions() []Caption {
	out := s.captions()
	for i := range out {
		c := &out[i]
		c.Text, c.After = s.say(c.Text), s.say(c.After)
		if s.plan != nil {
			c.Evidence = min(c.Evidence, model.Derived)
		}
	}
	return out
}

func (s *Scene) captions() []Caption {
	var out []Caption
	step := 0
	if legs := s.nameLegs(); len(legs) > 0 {
		step++
		out = append(out, nameCaption(legs, step))
	}
	if s.trace != nil && len(s.trace.Outcomes) > 0 && (len(out) == 0 || out[0].Tone != Bad) {
		out = append(out, s.packetCaptions(step+1)...)
	}
	return append(out, s.remarks()...)
}

func nameCaption(legs []Leg, step int) Caption {
	c := Caption{Step: step, Name: true, Text: legs[0].Text, Evidence: legs[0].Evidence}
	last := &legs[len(legs)-1]
	switch {
	case last.Fails():
		c.Tone, c.After = Bad, string(last.End)+": "+last.Why
	case last.End != "":
		c.After = last.Why
	default:
		c.After = last.Text
	}
	return c
}

// packetCaptions say what happens to the packet: where its destination is
// rewritten, and to what.
func (s *Scene) packetCaptions(step int) []Caption {
	p, first := &s.trace.Packet, &s.trace.Outcomes[0]
	if len(s.packetLegs(first)) == 0 { // it is not sent
		if step > 1 {
			return nil
		}
		return []Caption{{Step: step, Text: model.Sentence(first.End.What), Tone: Bad, Evidence: first.End.Evidence}}
	}
	w := s.Way(0, false)
	var last *Leg
	for i := range w.Legs {
		if k := w.Legs[i].Kind; k == Send || k == Translate || k == Deliver && w.Legs[i].End != "" {
			last = &w.Legs[i]
		}
	}
	if last == nil {
		return nil
	}
	c := Caption{Step: step, Text: w.Legs[len(w.Legs)-1].Carries, Evidence: last.Evidence}
	for i := range w.Legs {
		if w.Legs[i].Kind == Send {
			c.Text = w.Legs[i].Carries
		}
	}
	switch {
	case last.End == LeavesOff:
		c.Note = "no rule"
		return []Caption{c}
	case last.End != "":
		c.Note = string(last.End)
		return []Caption{c, {Text: model.Sentence(last.Why), Tone: Bad, Evidence: last.Evidence, Note: strings.Join(last.Rules, " ▸ ")}}
	case last.Kind == Send:
		c.Note = "no translation"
		if n := s.Ways(); n > 1 {
			c.Text = cmp.Or(p.Source, s.Client.label()) + " → " + fmt.Sprintf("one of %d addresses, port %d", n, p.Port)
		}
		return []Caption{c}
	}
	c.Note = last.Text
	if n := s.Ways(); n > 1 {
		source, _, _ := strings.Cut(last.Carries, " → ")
		c.After = source + " → " + fmt.Sprintf("one of %d Pods", n)
	} else {
		c.After = last.Carries
	}
	return []Caption{c, {Text: strings.Join(last.Rules, " ▸ "), Note: "reply: conntrack", Tone: Remark, Rules: true, Evidence: last.Evidence}}
}

// remarks say what a learner would else have to guess.
func (s *Scene) remarks() []Caption {
	var out []Caption
	add := func(tone Tone, e model.Evidence, format string, args ...any) {
		out = append(out, Caption{Text: fmt.Sprintf(format, args...), Tone: tone, Evidence: e})
	}
	if len(s.Unread) > 0 {
		add(Bad, model.Observed, "Not read, so not in the picture: %s.", strings.Join(s.Unread, ", "))
	}
	switch s.Kind {
	case NoService:
		if s.Name != "" {
			add(Remark, model.Observed, "There is no Service %s: clients must know the address of a Pod.", s.Name)
		}
	case Headless:
		add(Remark, model.Observed, "Headless: no virtual address. DNS lists the Pods; no rule, no port mapping.")
	case ExternalName:
		s.aliasRemark(add)
	}
	if s.Band != nil && s.Band.Ready == 0 {
		s.emptyRemark(add)
	}
	if b := s.Balancer; b != nil && b.Pending {
		add(Bad, model.Observed, "It asks for a load balancer: no address is assigned yet.")
	}
	if p := s.trace; p != nil && s.Client != nil && s.Client.Kind == model.ClientOutside && s.service != nil && len(p.Outcomes) > 0 && p.Outcomes[0].Verdict == path.DNAT {
		switch s.service.ExternalTrafficPolicy {
		case "Local":
			add(Remark, model.Derived, "externalTrafficPolicy Local: the Pod sees the client's own address; nodes without an endpoint drop.")
		default:
			add(Remark, model.Derived, "The Pod sees %s, not the client: externalTrafficPolicy Cluster.", cmp.Or(p.Packet.Node, "the node"))
		}
	}
	return out
}

func (s *Scene) aliasRemark(add func(Tone, model.Evidence, string, ...any)) {
	a := s.Alias
	switch {
	case a.Why != "":
		add(Bad, model.Observed, "%s is another name for %s: %s.", s.Name, a.To, a.Why)
	case a.Inside:
		add(Remark, model.Observed, "%s is another name for %s: DNS says so, and no port is mapped.", s.Name, a.To)
	default:
		add(Remark, model.Observed, "%s is another name for %s, outside the cluster: no Pod, no rule, only DNS.", s.Name, a.To)
	}
}

// emptyRemark says why a Service has no ready endpoint.
func (s *Scene) emptyRemark(add func(Tone, model.Evidence, string, ...any)) {
	strangers, waiting := 0, 0
	has := ""
	for i := range s.Machines {
		for k := range s.Machines[i].Pods {
			p := &s.Machines[i].Pods[k]
			switch {
			case p.Stranger && p.State == Outside:
				strangers++
				has = p.Why
			case p.Trouble():
				waiting++
			}
		}
	}
	switch {
	case waiting > 0:
		add(Bad, model.Observed, "%s, none of them ready.", model.Count(waiting, "Pod"))
	case s.Band.Selector == "":
		add(Bad, model.Observed, "It has no selector, and no endpoint was written for it.")
	case strangers > 0:
		add(Bad, model.Observed, "No Pod has %s; %d here have %s.", s.Band.Selector, strangers, has)
	default:
		add(Bad, model.Observed, "No Pod has %s.", s.Band.Selector)
	}
}
