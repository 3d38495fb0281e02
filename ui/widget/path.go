package widget

import (
	"fmt"
	"math"
	"strings"

	"svctour/model"
	"svctour/model/path"
	"svctour/ui/frame"
	"svctour/ui/theme"
)

// Path draws every outcome of a packet as one tree: the hops all outcomes
// share, one row for each outcome, and the hops they share again. With rules,
// the text of each rule stands under its hop.
func Path(v *View, t *theme.Theme, w int, rules bool) []frame.Line {
	tr := v.Trace
	if tr == nil {
		text := v.TraceErr
		if text == "" {
			text = "No packet to follow yet."
		}
		return note(t, text, w)
	}
	head, tail := sharedHops(tr.Outcomes)
	d := &pathDrawing{v: v, t: t, w: w, rules: rules}
	d.add(d.packetLine(tr), -1, 0, 0)
	if len(tr.Outcomes) > 0 {
		first := tr.Outcomes[0]
		for i := 0; i < head; i++ {
			d.hop(first.Hops[i], -1, i)
		}
		if len(tr.Outcomes) > 1 {
			for i := range tr.Outcomes {
				d.branch(tr, i, head, len(tr.Outcomes[i].Hops)-tail)
			}
		} else {
			for i := head; i < len(first.Hops)-tail; i++ {
				d.hop(first.Hops[i], -1, i)
			}
			d.verdict(first)
		}
		for i := len(first.Hops) - tail; i < len(first.Hops); i++ {
			d.tailHop(first.Hops[i], len(first.Hops)-i)
		}
	}
	for _, text := range tr.Notes {
		for _, l := range frame.Wrap(frame.L(text, t.Muted), w, 0) {
			d.add(l, -1, -1, -1)
		}
	}
	return d.lines
}

type pathDrawing struct {
	v     *View
	t     *theme.Theme
	w     int
	rules bool
	hook  string
	lines []frame.Line
}

// sharedHops counts the hops that all outcomes have in common at both ends.
func sharedHops(outcomes []path.Outcome) (head, tail int) {
	if len(outcomes) == 0 {
		return 0, 0
	}
	first := outcomes[0].Hops
	head, tail = len(first), len(first)
	for _, o := range outcomes[1:] {
		n := 0
		for n < head && n < len(o.Hops) && sameHop(first[n], o.Hops[n]) {
			n++
		}
		head = n
		m := 0
		for m < tail && m < len(o.Hops) && sameHop(first[len(first)-1-m], o.Hops[len(o.Hops)-1-m]) {
			m++
		}
		tail = m
	}
	if len(outcomes) == 1 {
		return len(first), 0
	}
	for _, o := range outcomes {
		tail = min(tail, len(o.Hops)-head)
	}
	return head, tail
}

func sameHop(a, b path.Hop) bool {
	return a.Node == b.Node && a.Hook == b.Hook && a.Table == b.Table && a.Chain == b.Chain && a.What == b.What
}

// add appends a row; a walking packet that stands on one of its hops marks it.
// Hops from..to (exclusive) of an outcome (-1: of any) belong to the row.
func (d *pathDrawing) add(l frame.Line, outcome, from, to int) {
	if walk := d.v.Walk; walk != nil && (outcome < 0 || outcome == walk.Outcome) && walk.Hop >= from && walk.Hop < to {
		marked := frame.Line{{Text: d.t.Glyph.Packet, Style: d.t.Packet}}
		for i, span := range l {
			text := span.Text
			if i == 0 {
				text = strings.TrimPrefix(text, " ")
			}
			marked = append(marked, frame.Span{Text: text, Style: span.Style.With(d.t.Changed)})
		}
		l = marked
	}
	d.lines = append(d.lines, l)
}

func (d *pathDrawing) packetLine(tr *path.Trace) frame.Line {
	p := tr.Packet
	source := p.Source
	if source == "" {
		source = "outside"
	}
	row := line(sp(" "+source, d.t.Strong), sp(" "+d.t.Glyph.Arrow+" ", d.t.Muted),
		sp(fmt.Sprintf("%s:%d/%s", p.Destination, p.Port, p.Protocol), d.t.Strong))
	if p.Node != "" {
		row = append(row, sp("   as "+p.Node+" sees it", d.t.Muted))
	}
	return row
}

func (d *pathDrawing) hop(h path.Hop, outcome, i int) {
	d.add(d.hopLine(h), outcome, i, i+1)
	d.rule(h)
}

func (d *pathDrawing) tailHop(h path.Hop, fromEnd int) {
	l := d.hopLine(h)
	if walk := d.v.Walk; walk != nil {
		hops := len(d.v.Trace.Outcomes[walk.Outcome].Hops)
		d.add(l, -1, hops-fromEnd, hops-fromEnd+1)
	} else {
		d.add(l, -1, -1, -1)
	}
	d.rule(h)
}

func (d *pathDrawing) rule(h path.Hop) {
	if !d.rules || h.Rule == "" {
		return
	}
	for _, l := range frame.Wrap(frame.L(h.Rule, d.t.Muted), max(10, d.w-14), 2) {
		d.lines = append(d.lines, append(frame.Line{{Text: blanks(14), Style: d.t.Muted}}, l...))
	}
}

// hopLine is "HOOK        what"; the hook is written where it changes.
func (d *pathDrawing) hopLine(h path.Hop) frame.Line {
	hook := h.Hook
	if hook == d.hook {
		hook = ""
	} else {
		d.hook = h.Hook
	}
	row := line(sp(" "+pad(hook, 12)+" ", d.t.Accent))
	if h.Chain != "" {
		row = append(row, sp(chainLabel(h.Chain)+" ", d.t.Code))
	}
	if h.Chance > 0 && h.Chance < 1 {
		row = append(row, sp(Fraction(h.Chance)+" ", d.t.Strong))
	}
	return append(row, sp(h.What, d.t.Text))
}

// chainLabel leaves a chain's name whole: it is what a person will grep for.
func chainLabel(chain string) string { return chain }

func (d *pathDrawing) branch(tr *path.Trace, i, from, to int) {
	o := tr.Outcomes[i]
	glyph := d.t.Glyph.Branch
	if i == len(tr.Outcomes)-1 {
		glyph = d.t.Glyph.BranchEnd
	}
	row := line(sp(" "+glyph+" ", d.t.Muted), sp(pad(Fraction(o.Probability), 5)+" ", d.t.Strong))
	chain := ""
	for _, h := range o.Hops[from:to] {
		if h.Chain != "" && (chain == "" || strings.HasPrefix(h.Chain, "KUBE-SEP-")) {
			chain = h.Chain
		}
	}
	if chain != "" && d.w >= 64 {
		row = append(row, sp(pad(chain, 25)+" ", d.t.Code))
	}
	d.add(append(row, d.outcome(o)...), i, from, to)
	if d.rules {
		for _, h := range o.Hops[from:to] {
			d.rule(h)
		}
	}
	d.hook = ""
}

// outcome says in words what becomes of the packet.
func (d *pathDrawing) outcome(o path.Outcome) frame.Line {
	t := d.t
	switch {
	case o.Verdict == path.DNAT && o.Destination != nil:
		row := line(sp("DNAT ", t.Muted), sp(fmt.Sprintf("%s:%d", o.Destination.IP, o.Destination.Port), t.Good))
		if pod := o.Destination.Pod; pod != "" {
			row = append(row, sp("  "+shortName(pod[strings.LastIndex(pod, "/")+1:]), t.Text))
		}
		if o.Destination.Node != "" {
			row = append(row, sp(" "+o.Destination.Node, t.Muted))
		}
		if o.Masquerade {
			row = append(row, sp(" SNAT", t.Warn))
		}
		return row
	case o.Verdict == path.Reject:
		return line(sp("REJECT", t.Bad), sp("  the client sees: connection refused", t.Text))
	case o.Verdict == path.Drop:
		return line(sp("DROP", t.Bad), sp("  the client waits until it times out", t.Text))
	}
	return line(sp("no rule of kube-proxy matches", t.Warn))
}

func (d *pathDrawing) verdict(o path.Outcome) {
	d.add(append(line(sp(" "+d.t.Glyph.BranchEnd+" ", d.t.Muted)), d.outcome(o)...), -1, -1, -1)
}

// Fraction writes a probability as people say it: "1/3" where it is one over a
// small whole number, else in per cent.
func Fraction(p float64) string {
	switch {
	case p >= 0.9995:
		return "1"
	case p <= 0:
		return "0"
	}
	if n := math.Round(1 / p); n <= 100 && math.Abs(p-1/n) < 1e-6 {
		return fmt.Sprintf("1/%.0f", n)
	}
	return fmt.Sprintf("%.1f%%", p*100)
}

// PathEvidence is the least evidence among the hops of the view's trace.
func PathEvidence(v *View) model.Evidence {
	if v.Trace == nil || len(v.Trace.Outcomes) == 0 {
		return model.Unknown
	}
	least := model.Observed
	for _, outcome := range v.Trace.Outcomes {
		for _, hop := range outcome.Hops {
			least = min(least, hop.Evidence)
		}
	}
	return least
}
