package live

import (
	"fmt"
	"strings"

	"svctour/model"
	"svctour/model/meter"
	"svctour/model/path"
	"svctour/model/scene"
	"svctour/ui/frame"
	"svctour/ui/stage"
	"svctour/ui/theme"
)

// size is that of a picture, in cells.
type size struct{ w, h int }

// sizes are those at which a state's picture is kept: one screen, and some more.
const sizes = 4

// draft makes the picture of a state, at the sizes at which the one before was
// drawn: so that drawing it finds it ready.
func (v *State) draft(before *State, tick int) {
	in := v.input()
	if v.Changes != nil {
		in.Fresh = map[string]bool{}
		for id := range v.Changes.marks {
			_, in.Fresh[id] = v.Changes.at(id, tick)
		}
		for _, c := range v.Changes.gone {
			if c.Subject == "pod" && in.Fresh[c.ID] {
				in.Gone = append(in.Gone, c)
			}
		}
	}
	v.arrange(in, before)
}

// arrange makes the scene, and pictures of the sizes that another state has.
func (v *State) arrange(in scene.Input, before *State) {
	v.Scene, v.pictures = scene.Of(in), newMemo[size, *stage.Picture](sizes)
	if before != nil && before.pictures != nil {
		for _, at := range before.pictures.keys() {
			v.picture(at)
		}
	}
}

func (v *State) input() scene.Input {
	in := scene.Input{
		Snapshot: v.Snapshot, Namespace: v.Focus.Namespace, Service: v.Focus.Service, Client: v.Client, Trace: v.Trace,
		Resolution: v.Resolution,
	}
	if v.Trace != nil {
		in.Evidence = v.pathEvidence()
	}
	return in
}

func (v *State) picture(at size) *stage.Picture {
	return v.pictures.get(at, func() *stage.Picture { return stage.Arrange(v.Scene, at.w, at.h) })
}

// Goal gives the state of a cluster as it would be after an edit: to be shown, with
// what would come, go or turn marked.
func Goal(p *model.Planned, f Focus, present *State) *State {
	v := compute(p.Snapshot, f)
	in := v.input()
	in.Plan = p
	v.arrange(in, present)
	return v
}

// DrawStage draws the picture, and below it how the last request or the stream
// went; or the goal, while that is shown.
func (v View) DrawStage(s *frame.Surface, t *theme.Theme) {
	w, h := s.Size()
	if v.Goal != nil {
		v.Goal.picture(size{w, h - 1}).Draw(s, t, stage.Show{})
		s.Line(2, h-1, w-4, frame.Line{{Text: "This is how it would be, and is not yet:  + comes  - goes  ~ turns", Style: t.Derived}})
		return
	}
	if said := v.said(t, w-4); h > 10 || v.Stream.serial != 0 {
		said = said[:min(len(said), 1+max(0, h-11)/4)]
		h -= len(said)
		for i, l := range said {
			s.Line(2, h+i, w-4, l)
		}
	}
	show := stage.Show{Veiled: v.Veiled, Mark: func(uid string) (string, frame.Style, bool) {
		_, ok := v.Changes.at(uid, v.Tick)
		return v.sign(uid), v.marked(t, uid, frame.Style{}), ok
	}}
	if m := v.Meter; m != nil {
		show.Meter = onStage(m)
	}
	if v.Walk != nil {
		m := v.Walk.moment(v.State)
		show.Packet = &m
	}
	v.picture(size{w, h}).Draw(s, t, show)
}

// said is what stands below the picture: how the stream goes and what fails in it,
// else how the last request went. Where there is a path there is always a line,
// so that the picture does not move when a request is sent.
func (v *View) said(t *theme.Theme, w int) frame.Lines {
	m := v.Meter
	switch {
	case v.Stream.serial == 0 && v.Trace == nil:
		return nil
	case v.Stream.serial == 0:
		return frame.Lines{v.Request.line(t, w)}
	}
	lines := frame.Lines{v.streamLine(t)}
	if v.Stream.Err != "" {
		lines = append(lines, frame.L(t.Glyph.Cross+" "+v.Stream.Err, t.Bad))
	}
	if m == nil {
		return lines
	}
	for i := range m.Failed {
		lines = append(lines, failedLine(&m.Failed[i], t))
	}
	if strip := stripLine(m, keysOf(m), t, w); strip != nil {
		lines = append(lines, strip)
	}
	return lines
}

// onStage gives a Pod's part of a stream to the picture.
func onStage(m *meter.Tally) func(key string) (stage.Meter, bool) {
	rows, letters := map[string]*meter.Row{}, keysOf(m)
	for i := range m.Pods {
		rows[m.Pods[i].Pod] = &m.Pods[i]
	}
	return func(key string) (stage.Meter, bool) {
		_, name, _ := strings.Cut(key, "/")
		r := rows[name]
		if r == nil {
			return stage.Meter{}, false
		}
		out := stage.Meter{Letter: letters[name], Count: r.Count, Share: r.Share, Failed: r.Errors}
		if r.P50 > 0 {
			out.Latency = short(r.P50)
		}
		return out, true
	}
}

// heading is a stage's title.
func (v *State) heading(word string) string {
	if v.Scene.Kind == scene.NoService {
		return word
	}
	return word + " " + v.Focus.Service + " · " + string(v.Scene.Kind)
}

// Walk is a packet on its way along one outcome of the trace.
type Walk struct {
	Outcome int  // index into Trace.Outcomes
	Step    int  // how many steps of animation are behind it
	Proven  bool // an answer came this way
	Held    bool // it stays where it is
}

func (w Walk) way(v *State) scene.Way { return v.Scene.Way(w.Outcome, w.Proven) }

func (w Walk) moment(v *State) stage.Moment { return stage.At(w.way(v), w.Step) }

// hop is the hop that the packet stands on; -1 while it is at none.
func (w Walk) hop(v *State) int {
	if v.Trace == nil || w.Outcome >= len(v.Trace.Outcomes) {
		return -1
	}
	hops, m := v.Trace.Outcomes[w.Outcome].Hops, w.moment(v)
	if m.Leg >= len(m.Way.Legs) || len(hops) == 0 {
		return -1
	}
	decided := len(hops) - 1
	for i := range hops {
		if a := hops[i].Action; a == path.HopDNAT || a == path.HopReject || a == path.HopDrop {
			decided = i
			break
		}
	}
	part := func(from, to int) int { return from + int(m.Part*float64(to-from)) }
	switch leg := &m.Way.Legs[m.Leg]; {
	case leg.Kind == scene.Translate, leg.Kind == scene.Send && m.Leg == len(m.Way.Legs)-1:
		return part(0, decided)
	case leg.Kind == scene.Deliver:
		return part(decided, max(decided, len(hops)-2))
	case leg.Kind == scene.Reply:
		return len(hops) - 1
	case leg.Kind == scene.Send:
		return 0
	}
	return -1
}

// Summary is a pane in one line, for where it waits.
func (v View) Summary(p Pane, t *theme.Theme) frame.Line {
	if v.State == nil {
		return nil
	}
	if v.veils(p) {
		return frame.L("shown afterwards", t.Muted)
	}
	switch p {
	case Endpoints:
		return v.endpointSummary(t)
	case DNS:
		if v.Resolution != nil {
			return answerLine(v.Resolution, t)
		}
	case Path:
		if v.Stream.Under() {
			return v.streamLine(t)
		}
		return v.pathSummary(t)
	}
	return nil
}

func (v View) endpointSummary(t *theme.Theme) frame.Line {
	if v.service == nil {
		return nil
	}
	ready, all := 0, 0
	var names []string
	for i := range v.slices {
		s := &v.slices[i]
		names = append(names, s.Name)
		ready, all = ready+s.ready, all+len(s.Endpoints)
	}
	if len(names) == 0 {
		return line(sp("no EndpointSlice", t.Warn))
	}
	style := t.Good
	if ready == 0 {
		style = t.Warn
	}
	return line(sp(strings.Join(names[:min(2, len(names))], ", ")+"  ", t.Text), sp(model.Count(all, "endpoint"), t.Strong), sp(fmt.Sprintf(", %d ready", ready), style))
}

func (v View) pathSummary(t *theme.Theme) frame.Line {
	if v.Trace == nil || len(v.Trace.Outcomes) == 0 {
		return nil
	}
	d := &pathDrawing{v: &v, t: t, w: 200}
	if n := len(v.Trace.Outcomes); n > 1 {
		return append(d.packetLine(v.Trace), sp("   "+model.Count(n, "outcome"), t.Muted))
	}
	return append(d.packetLine(v.Trace), append(line(sp("   ", t.Muted)), d.outcome(v.Trace.Outcomes[0])...)...)
}
