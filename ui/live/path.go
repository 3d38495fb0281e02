package live

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"

	"svctour/model"
	"svctour/model/path"
	"svctour/ui/frame"
	"svctour/ui/theme"
)

// shape says how the ways of a packet part and meet.
type shape struct {
	head  int     // hops that all outcomes have in common at their start
	tails [][]int // by outcome, the hops that all of them meet again at the end
}

func shapeOf(tr *path.Trace) shape {
	if len(tr.Outcomes) < 2 {
		return shape{}
	}
	head := sharedHead(tr.Outcomes)
	return shape{head, sharedTail(tr.Outcomes, head)}
}

// pathRows draw every outcome of a packet as one tree: the hops all outcomes
// share, one row for each outcome, and the hops they share again. With rules,
// the text of each rule stands under its hop.
func (v *View) pathRows(t *theme.Theme, w int) frame.Rows {
	tr := v.Trace
	if tr == nil {
		text := v.TraceErr
		if text == "" {
			text = "No packet to follow yet."
		}
		return note(t, text, w)
	}
	d := &pathDrawing{v: v, t: t, w: w}
	if v.Walk != nil {
		d.hopNow = v.Walk.hop(v.State)
	}
	d.add(d.packetLine(tr), none)
	d.lines = append(d.lines, seenNotes(v, t, w)...)
	branches := d.outcomes(tr)
	before := d.lines
	d.lines = nil
	d.tail(tr)
	d.lines = append(d.lines, v.Seen.changes(t, w, v.Rules)...)
	for _, text := range tr.Notes {
		for _, l := range frame.Wrap(frame.L(text, t.Muted), w, 0) {
			d.add(l, none)
		}
	}
	return frame.Stack(before, branches, d.lines)
}

// pathDrawing makes the rows of a path that stand before its outcomes, or
// behind them.
type pathDrawing struct {
	v    *View
	t    *theme.Theme
	w    int
	hook string // that was written last
	// hopNow is the hop that a walking packet stands on.
	hopNow int
	lines  frame.Lines
}

// owns says whether a row stands for a hop of an outcome.
type owns func(outcome, hop int) bool

func none(int, int) bool { return false }

// outcomes draws the hops before the ways part, and gives the rows of each way.
func (d *pathDrawing) outcomes(tr *path.Trace) frame.Rows {
	if len(tr.Outcomes) == 0 {
		return frame.Lines{}
	}
	first := tr.Outcomes[0]
	if len(tr.Outcomes) == 1 {
		for i, h := range first.Hops {
			d.hop(h, func(_, hop int) bool { return hop == i })
		}
		if first.Verdict != path.DNAT {
			d.add(append(line(sp(" "+d.t.Glyph.BranchEnd+" ", d.t.Muted)), d.outcome(first)...), none)
		}
		return frame.Lines{}
	}
	for i := range d.v.shape.head {
		d.hop(first.Hops[i], func(_, hop int) bool { return hop == i })
	}
	d.hook = ""
	if !d.v.Rules {
		return frame.List(len(tr.Outcomes), func(i int) frame.Line { return d.branch(tr, i) })
	}
	return d.branchesWithRules(tr)
}

// tail draws the rules that all ways meet again.
func (d *pathDrawing) tail(tr *path.Trace) {
	if len(tr.Outcomes) < 2 {
		return
	}
	tails := d.v.shape.tails
	for k, i := range tails[0] {
		d.hop(tr.Outcomes[0].Hops[i], func(outcome, hop int) bool { return hop == tails[outcome][k] })
	}
}

// sharedHead counts the hops that all outcomes have in common at their start.
func sharedHead(outcomes []path.Outcome) int {
	first := outcomes[0].Hops
	head := len(first)
	for _, o := range outcomes[1:] {
		n := 0
		for n < head && n < len(o.Hops) && sameHop(first[n], o.Hops[n]) {
			n++
		}
		head = n
	}
	return head
}

// sharedTail gives, for each outcome, the indexes of the rules after the ways
// parted that all outcomes meet in the same order, and of the reply. They are
// empty when the outcomes meet different ones.
func sharedTail(outcomes []path.Outcome, head int) [][]int {
	tails := make([][]int, len(outcomes))
	for i, o := range outcomes {
		rewritten := false
		for k := head; k < len(o.Hops); k++ {
			h := o.Hops[k]
			if rewritten && (h.Chain != "" || k == len(o.Hops)-1) {
				tails[i] = append(tails[i], k)
			}
			rewritten = rewritten || h.Action == path.HopDNAT
		}
	}
	for i, tail := range tails {
		same := len(tail) == len(tails[0])
		for k := 0; same && k < len(tail); k++ {
			same = sameHop(outcomes[i].Hops[tail[k]], outcomes[0].Hops[tails[0][k]])
		}
		if !same {
			return make([][]int, len(outcomes))
		}
	}
	return tails
}

func sameHop(a, b path.Hop) bool {
	return a.Node == b.Node && a.Hook == b.Hook && a.Table == b.Table && a.Chain == b.Chain && a.What == b.What
}

// add appends a row.
func (d *pathDrawing) add(l frame.Line, owned owns) { d.lines = append(d.lines, d.walked(l, owned)) }

// walked marks a row if a walking packet stands on one of its hops.
func (d *pathDrawing) walked(l frame.Line, owned owns) frame.Line {
	walk := d.v.Walk
	if walk == nil || !owned(walk.Outcome, d.hopNow) {
		return l
	}
	marked := frame.Line{{Text: d.t.Glyph.Packet, Style: d.t.Packet}}
	for i, span := range l {
		text := span.Text
		if i == 0 {
			text = strings.TrimPrefix(text, " ")
		}
		marked = append(marked, frame.Span{Text: text, Style: span.Style.With(d.t.Changed)})
	}
	return marked
}

func (d *pathDrawing) packetLine(tr *path.Trace) frame.Line {
	p := tr.Packet
	source := p.Source
	if source == "" {
		source = "outside"
	}
	row := line(sp(" "+source, d.t.Strong), sp(" "+d.t.Glyph.Arrow+" ", d.t.Muted),
		sp(fmt.Sprintf("%s:%d/%s", cmp.Or(p.Destination, p.Host, "no address"), p.Port, p.Protocol), d.t.Strong))
	if p.Node != "" {
		row = append(row, sp("   as "+p.Node+" sees it", d.t.Muted))
	}
	return row
}

func (d *pathDrawing) hop(h path.Hop, owned owns) {
	row := d.hopLine(h)
	d.add(d.marked(row, d.v.Seen.mark(&h, d.t)), owned)
	d.rule(h)
}

// marked puts what the node says of a rule at the end of its row. A row that
// is too long gives way.
func (d *pathDrawing) marked(row, mark frame.Line) frame.Line {
	if mark == nil {
		return row
	}
	room := d.w - mark.Width() - 1
	for len(row) > 1 && row.Width() > room {
		last := &row[len(row)-1]
		if rest := room - (row.Width() - frame.Width(last.Text)); rest > 3 {
			last.Text = frame.Truncate(last.Text, rest)
			break
		}
		row = row[:len(row)-1]
	}
	row = append(row, sp(blanks(max(1, d.w-mark.Width()-row.Width())), d.t.Muted))
	return append(row, mark...)
}

func (d *pathDrawing) rule(h path.Hop) {
	if d.v.Rules && h.Rule != "" {
		d.lines = append(d.lines, d.ruleLines(h)...)
	}
}

// The text of a rule stands under its hop, set in as far as the chains are.
const ruleIndent = 14

func (d *pathDrawing) ruleLines(h path.Hop) []frame.Line {
	rows := frame.Wrap(frame.L(h.Rule, d.t.Muted), max(10, d.w-ruleIndent), 2)
	for i, l := range rows {
		rows[i] = append(frame.Line{{Text: blanks(ruleIndent), Style: d.t.Muted}}, l...)
	}
	return rows
}

// hopLine is "HOOK  CHAIN → CHAIN  comment"; the hook is written where it changes.
func (d *pathDrawing) hopLine(h path.Hop) frame.Line {
	t, hook := d.t, h.Hook
	if hook == d.hook {
		hook = ""
	} else {
		d.hook = h.Hook
	}
	row := line(sp(" "+pad(hook, 11)+" ", t.Accent))
	if h.Chain != "" && h.Chain != h.Hook {
		row = append(row, sp(h.Chain+" ", t.Code))
	}
	if h.Chance > 0 && h.Chance < 1 {
		row = append(row, sp(model.Fraction(h.Chance)+" ", t.Strong))
	}
	if h.Action == path.HopJump {
		row = append(row, sp(t.Glyph.Arrow+" ", t.Muted), sp(h.To, t.Code))
	} else {
		row = append(row, sp(h.What, t.Text))
	}
	if comment, _, _ := strings.Cut(h.Comment, ";"); comment != "" && !d.v.Rules && row.Width()+3+len(comment) <= d.w {
		row = append(row, sp("   "+comment, t.Muted))
	}
	return row
}

// branch is the row of one outcome.
func (d *pathDrawing) branch(tr *path.Trace, i int) frame.Line {
	o, head := tr.Outcomes[i], d.v.shape.head
	glyph := d.t.Glyph.Branch
	if i == len(tr.Outcomes)-1 {
		glyph = d.t.Glyph.BranchEnd
	}
	row := line(sp(" "+glyph+" ", d.t.Muted), sp(pad(model.Fraction(o.Probability), 5)+" ", d.t.Strong))
	chain := ""
	for _, h := range o.Hops[head:] {
		if strings.HasPrefix(h.Chain, "KUBE-SEP-") || h.Table == path.ModeIPVS {
			chain = h.Chain
		}
	}
	if chain != "" && (d.w >= 84 || d.w >= 64 && !d.v.Seen.current()) { // counters need room
		row = append(row, sp(pad(chain, 25)+" ", d.t.Code))
	}
	row = d.marked(append(row, d.outcome(o)...), d.v.Seen.mark(dnatHop(o), d.t))
	return d.walked(row, func(outcome, hop int) bool { return outcome == i && hop >= head && !d.shared(i, hop) })
}

// shared says whether a hop of an outcome is one that all ways meet again.
func (d *pathDrawing) shared(outcome, hop int) bool {
	return slices.Contains(d.v.shape.tails[outcome], hop)
}

// branchesWithRules are the rows of the outcomes, each with the rules that it
// alone meets.
func (d *pathDrawing) branchesWithRules(tr *path.Trace) frame.Rows {
	ends := d.v.branchEnds(tr, max(10, d.w-ruleIndent))
	return frame.List(ends[len(ends)-1], func(row int) frame.Line {
		i := sort.SearchInts(ends, row+1)
		if i > 0 {
			row -= ends[i-1]
		}
		if row == 0 {
			return d.branch(tr, i)
		}
		row--
		for k := d.v.shape.head; k < len(tr.Outcomes[i].Hops); k++ {
			h := tr.Outcomes[i].Hops[k]
			if h.Rule == "" || d.shared(i, k) {
				continue
			}
			lines := d.ruleLines(h)
			if row < len(lines) {
				return lines[row]
			}
			row -= len(lines)
		}
		return nil
	})
}

// branchEnds gives, by outcome, how many rows the outcomes have up to it when
// each rule is wrapped to w columns.
func (v *State) branchEnds(tr *path.Trace, w int) []int {
	return v.ends.get(w, func() []int {
		ends, row := make([]int, len(tr.Outcomes)), 0
		for i, o := range tr.Outcomes {
			row++
			for k := v.shape.head; k < len(o.Hops); k++ {
				if o.Hops[k].Rule != "" && !slices.Contains(v.shape.tails[i], k) {
					row += frame.Wrapped(o.Hops[k].Rule, w, 2)
				}
			}
			ends[i] = row
		}
		return ends
	})
}

// outcome says in words what becomes of the packet.
func (d *pathDrawing) outcome(o path.Outcome) frame.Line {
	t := d.t
	switch {
	case o.Verdict == path.DNAT && o.Destination != nil:
		row := line(sp("DNAT ", t.Muted), sp(fmt.Sprintf("%s:%d", o.Destination.IP, o.Destination.Port), t.Good))
		if pod := o.Destination.Pod; pod != "" {
			row = append(row, sp("  "+model.ShortName(pod[strings.LastIndex(pod, "/")+1:]), t.Text))
		}
		if o.Destination.Node != "" {
			row = append(row, sp(" "+o.Destination.Node, t.Muted))
		}
		if o.Masquerade {
			row = append(row, sp(" SNAT", t.Warn))
		}
		return append(row, failure(t, &o)...)
	case o.Verdict == path.None && o.Destination != nil:
		row := line(sp("direct ", t.Muted), sp(fmt.Sprintf("%s:%d", o.Destination.IP, o.Destination.Port), t.Good))
		if pod := o.Destination.Pod; pod != "" {
			row = append(row, sp("  "+model.ShortName(pod[strings.LastIndex(pod, "/")+1:]), t.Text))
		}
		return append(row, failure(t, &o)...)
	case o.Verdict == path.Reject:
		return line(sp("REJECT", t.Bad), sp("  the client sees: connection refused", t.Text))
	case o.Verdict == path.Drop:
		return line(sp("DROP", t.Bad), sp("  the client waits until it times out", t.Text))
	}
	if row := failure(t, &o); row != nil {
		return row
	}
	return line(sp("no rule of kube-proxy matches", t.Warn))
}

// failure says how a packet that no rule refuses does not arrive; nil when it does,
// or when that is told of its hops.
func failure(t *theme.Theme, o *path.Outcome) frame.Line {
	text := map[path.EndKind]string{
		path.EndNoName: "NXDOMAIN", path.EndNoData: "NODATA", path.EndUnresolved: "not resolved", path.EndDenied: "denied by NetworkPolicy",
		path.EndClosed: "refused there", path.EndOutside: "outside the cluster",
	}[o.End.Kind]
	if text == "" {
		return nil
	}
	style := t.Bad
	if o.End.Evidence == model.Unknown {
		style = t.Warn
	}
	return line(sp("  "+text, style))
}

func leastEvidence(tr *path.Trace) model.Evidence {
	if len(tr.Outcomes) == 0 {
		return model.Unknown
	}
	least := model.Observed
	for i := range tr.Outcomes {
		for k := range tr.Outcomes[i].Hops {
			least = min(least, tr.Outcomes[i].Hops[k].Evidence)
		}
	}
	return least
}

// pathEvidence is the least evidence among the hops of the trace. Rules that
// the node was seen to hold are observed; where every rule is, so is the path,
// whose other hops follow from them, unless one rests on what is not known.
func (v *State) pathEvidence() model.Evidence {
	if v.least > model.Unknown && v.there > 0 && v.missing == 0 {
		return model.Observed
	}
	return v.least
}
