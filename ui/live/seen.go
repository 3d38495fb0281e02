package live

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"svctour/model/path"
	"svctour/ui/frame"
	"svctour/ui/theme"
)

// Seen is what a node was seen to hold, kept up from look to look.
type Seen struct {
	Node        string
	Family      path.Family
	Rules       *path.View        // nil until the node could be read
	Differences []path.Difference // of that look, from what was derived when it began
	Err         string            // why the last look failed; Rules may be older

	tallies map[string]*tally
	changed []path.Difference // what last came and went
	age     int               // looks since
}

// calmLooks is for how many looks a change is told.
const calmLooks = 4

// Look is one look at a node.
type Look struct {
	Node        string
	Family      path.Family
	Rules       *path.View        // nil with Err
	Differences []path.Difference // from the rules derived for the node
	Changed     []path.Difference // since the look before
	Err         string            // why the node could not be looked at
}

// after gives what a node was seen to hold, with one more look at it. The growth
// of the trace's counters is counted from here on. s may be nil and does not change.
func (s *Seen) after(look *Look, trace *path.Trace) *Seen {
	next := &Seen{Node: look.Node, Family: look.Family}
	if s != nil && s.Node == look.Node && s.Family == look.Family {
		*next = *s
	}
	next.take(look, trace)
	next.note(look.Changed)
	return next
}

// note takes in what came and went on the node since the look before.
func (s *Seen) note(changed []path.Difference) {
	switch s.age++; {
	case len(changed) > 0:
		s.changed, s.age = changed, 0
	case s.age >= calmLooks:
		s.changed = nil
	}
}

// changes says what came and went on the node; with rules, which ones.
func (s *Seen) changes(t *theme.Theme, w int, rules bool) []frame.Line {
	if s == nil || s.Err != "" {
		return nil
	}
	came, went := 0, 0
	for _, d := range s.changed {
		switch d.Kind {
		case path.Extra:
			came++
		case path.Missing:
			went++
		}
	}
	if came+went == 0 {
		return nil
	}
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{{came, "came"}, {went, "went"}} {
		switch {
		case p.n == 1:
			parts = append(parts, "1 rule "+p.what)
		case p.n > 1:
			parts = append(parts, fmt.Sprintf("%d rules %s", p.n, p.what))
		}
	}
	lines := []frame.Line{line(sp(" On "+s.Node+" just now: "+strings.Join(parts, ", ")+".", t.Observed))}
	const most = 6
	for i, d := range s.changed {
		if !rules || d.Rule == "" {
			continue
		}
		if i == most {
			return append(lines, line(sp(fmt.Sprintf("   and %d more", len(s.changed)-most), t.Muted)))
		}
		mark, style := " + ", t.Added
		if d.Kind == path.Missing {
			mark, style = " - ", t.Removed
		}
		lines = append(lines, frame.Wrap(line(sp(mark+d.Chain+" "+d.Rule, style)), w, 3)...)
	}
	return lines
}

// tally follows one counter over the times when kube-proxy writes its rule
// again, which sets it to 0.
type tally struct{ last, grown uint64 }

func ruleKey(h *path.Hop) string { return h.Table + " " + h.Chain + " " + h.Rule }

func (s *Seen) take(look *Look, trace *path.Trace) {
	s.Err = look.Err
	if look.Rules == nil {
		return
	}
	s.Rules, s.Differences = look.Rules, look.Differences
	if trace == nil {
		return
	}
	seen := map[string]*tally{}
	for i := range trace.Outcomes {
		for j := range trace.Outcomes[i].Hops {
			h := &trace.Outcomes[i].Hops[j]
			counter, ok := s.counter(h)
			key := ruleKey(h)
			if !ok || seen[key] != nil {
				continue
			}
			now := &tally{last: counter.Packets}
			if before := s.tallies[key]; before != nil {
				now.grown = before.grown
				if counter.Packets >= before.last {
					now.grown += counter.Packets - before.last
				} else {
					now.grown += counter.Packets // set to 0 in between
				}
			}
			seen[key] = now
		}
	}
	s.tallies = seen
}

// counter gives the counter of a hop's rule. false when the hop is not one of
// this node's rules, or the node lacks it.
func (s *Seen) counter(h *path.Hop) (path.Counter, bool) {
	if s == nil || s.Rules == nil || h.Rule == "" || h.Node != s.Node {
		return path.Counter{}, false
	}
	return s.Rules.Counter(h.Table, h.Chain, h.Rule)
}

// counting says whether the counters of a trace were read.
func (s *Seen) counting() bool { return s != nil && s.tallies != nil }

// grew says by how much the counter of a hop's rule has risen since it was
// first seen; 0 before the node was read.
func (s *Seen) grew(h *path.Hop) uint64 {
	if s == nil || h == nil {
		return 0
	}
	if t := s.tallies[ruleKey(h)]; t != nil {
		return t.grown
	}
	return 0
}

// dnatHop is the hop that rewrites the destination; nil when there is none.
func dnatHop(o path.Outcome) *path.Hop {
	for i := range o.Hops {
		if h := &o.Hops[i]; h.Rule != "" && h.Action == path.HopDNAT {
			return h
		}
	}
	return nil
}

// current says whether the last look succeeded: what an earlier one saw may not
// be true any more.
func (s *Seen) current() bool { return s != nil && s.Rules != nil && s.Err == "" }

// lacks says whether the last look missed a rule. A look that began before the
// rule was derived cannot miss it.
func (s *Seen) lacks(h *path.Hop) bool {
	return slices.ContainsFunc(s.Differences, func(d path.Difference) bool {
		return d.Kind == path.Missing && d.Of(h.Table, h.Chain, h.Rule)
	})
}

// mark is what the node says of a hop's rule: its counter, or that it is not
// there. nil when it says nothing: the last look failed or is older than the
// rule, or the node was not asked, as it never is for what IPVS holds.
func (s *Seen) mark(h *path.Hop, t *theme.Theme) frame.Line {
	if !s.current() || h == nil || h.Rule == "" || h.Node != s.Node || h.Table == path.ModeIPVS {
		return nil
	}
	counter, ok := s.counter(h)
	if !ok {
		if !s.lacks(h) {
			return nil
		}
		return line(sp(t.Glyph.Trouble+" not on the node", t.Bad))
	}
	if !s.Rules.Counted {
		return line(sp(t.Glyph.Check, t.Observed))
	}
	unit := "pkts"
	if counter.Packets == 1 {
		unit = "pkt"
	}
	mark := line(sp(fmt.Sprintf("%d %s", counter.Packets, unit), t.Observed))
	if tally := s.tallies[ruleKey(h)]; tally != nil && tally.grown > 0 && !crowded(h) {
		mark = append(mark, sp(fmt.Sprintf(" +%d", tally.grown), t.Changed))
	}
	return mark
}

// crowded says whether every connection of the node meets the rule, also those
// by which it is looked at: its growth tells nothing about a Service.
func crowded(h *path.Hop) bool { return h.Chain == h.Hook || h.Chain == "KUBE-POSTROUTING" }

// rulesOnNode counts the rules of the trace that the node holds, and that it
// lacks or was not asked for.
func (s *Seen) rulesOnNode(trace *path.Trace) (there, missing int) {
	if !s.current() || trace == nil {
		return 0, 0
	}
	for i := range trace.Outcomes {
		for j := range trace.Outcomes[i].Hops {
			h := &trace.Outcomes[i].Hops[j]
			if h.Rule == "" || h.Node != s.Node {
				continue
			}
			if _, ok := s.counter(h); ok {
				there++
			} else {
				missing++
			}
		}
	}
	return there, missing
}

// seenNotes says what looking at the node showed beyond the path.
func seenNotes(v *View, t *theme.Theme, w int) []frame.Line {
	s := v.Seen
	switch {
	case s == nil:
		return nil
	case s.Err != "":
		return frame.Wrap(line(sp(" The rules are derived; "+s.Node+" was not looked at: "+strings.TrimSuffix(s.Err, ".")+".", t.Warn)), w, 1)
	case s.Rules == nil || len(s.Differences) == 0:
		return nil
	}
	first := s.Differences[0]
	text := fmt.Sprintf(" %s and the API differ in %d rules; the first: %s in %s %s.", s.Node, len(s.Differences), first.Kind, first.Table, first.Chain)
	if len(s.Differences) == 1 {
		text = fmt.Sprintf(" %s and the API differ in one rule: %s in %s %s.", s.Node, first.Kind, first.Table, first.Chain)
	}
	if !s.Rules.Whole {
		text = strings.TrimSuffix(text, ".") + "; all its rules were last read at " + s.Rules.All.Format(time.TimeOnly) + "."
	}
	return frame.Wrap(line(sp(text, t.Warn)), w, 1)
}
