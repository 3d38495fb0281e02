package live

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"svctour/model"
	"svctour/model/path"
	"svctour/ui/theme"
)

func TestGrowthOutlivesAReset(t *testing.T) {
	const rule = "-j KUBE-SEP-A"
	hop := path.Hop{Node: "node-1", Hook: "PREROUTING", Table: "nat", Chain: "KUBE-SVC-A", Rule: rule}
	trace := &path.Trace{Outcomes: []path.Outcome{{Hops: []path.Hop{hop}}, {Hops: []path.Hop{hop}}}}
	s := &Seen{Node: "node-1"}
	node := path.NewWatch("node-1", path.IPv4)
	for _, look := range []struct{ packets, grown uint64 }{
		{10, 0},  // what was counted before the first look
		{12, 2},  // two connections
		{12, 2},  // none
		{1, 3},   // kube-proxy wrote the chain again, then one more
		{0, 3},   // written again, and nothing since
		{40, 43}, // forty
	} {
		o := seenIn(t, node, fmt.Sprintf("*nat\n:KUBE-SVC-A - [0:0]\n:KUBE-SEP-A - [0:0]\n[%d:0] -A KUBE-SVC-A %s\nCOMMIT\n", look.packets, rule))
		s = s.after(&Look{Node: "node-1", Rules: o}, trace)
		if got := s.grew(&hop); got != look.grown {
			t.Errorf("at %d packets: grown by %d, want %d", look.packets, got, look.grown)
		}
	}
	before := s
	s = s.after(&Look{Node: "node-1", Err: "no answer"}, trace)
	if s.Err == "" || s.Rules == nil {
		t.Error("a look that failed takes away what was seen before")
	}
	if before.Err != "" || before.grew(&hop) != 43 {
		t.Error("a later look changed what an earlier one gave")
	}
	if other := s.after(&Look{Node: "node-2", Err: "no answer"}, trace); other.Rules != nil || other.counting() {
		t.Error("what one node was seen to hold is told of another")
	}
}

// seenIn is what a Watch sees in what iptables-save -c printed.
func seenIn(t *testing.T, w *path.Watch, dump string) *path.View {
	t.Helper()
	ask := w.Ask(path.ModeIPTables, nil, time.Time{}, true)
	if err := w.Read(ask.Commands()[0].Listing(ask, time.Time{}, strings.NewReader(dump))); err != nil {
		t.Fatal(err)
	}
	return w.Seen(model.NewSnapshot(model.Snapshot{}))
}

// What came and went on the node is told for a few looks, with the rules where
// rules are shown.
func TestChangesOnTheNode(t *testing.T) {
	node := path.NewWatch("node-1", path.IPv4)
	dump := func(rules ...string) *path.View {
		return seenIn(t, node, "*nat\n:KUBE-SVC-A - [0:0]\n:KUBE-SEP-A - [0:0]\n:KUBE-SEP-B - [0:0]\n"+strings.Join(rules, "\n")+"\nCOMMIT\n")
	}
	const a, b = "-A KUBE-SVC-A -j KUBE-SEP-A", "-A KUBE-SVC-A -m comment --comment \"\x1b[31m\" -m tcp17 -j KUBE-SEP-B" // of no kind that kube-proxy writes
	dump(a)
	if same := dump(a).Changed; len(same) > 0 {
		t.Errorf("%v", same)
	}
	text := func(s *Seen, rules bool) string { return plain(s.changes(theme.New(theme.Options{}), 60, rules)) }
	s := &Seen{Node: "node-1"}
	s.note(dump(b).Changed)
	if got, want := text(s, false), " On node-1 just now: 1 rule came, 1 rule went."; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := text(s, true); !strings.Contains(got, "- KUBE-SVC-A -j KUBE-SEP-A") || !strings.Contains(got, "+ KUBE-SVC-A -m comment") {
		t.Errorf("%q", got)
	}
	for range calmLooks {
		if text(s, false) == "" {
			t.Error("it is not told for long enough")
		}
		s.note(nil)
	}
	if got := text(s, true); got != "" {
		t.Errorf("still told: %q", got)
	}
}

// Rules that were all seen on the node make a path observed, unless one of its
// other hops is an assumption.
func TestEvidenceOfAPath(t *testing.T) {
	rules := seenIn(t, path.NewWatch("node-1", path.IPv4), "*nat\n:KUBE-SVC-A - [0:0]\n:KUBE-SEP-A - [0:0]\n[1:0] -A KUBE-SVC-A -j KUBE-SEP-A\nCOMMIT\n")
	rule := path.Hop{Node: "node-1", Hook: "PREROUTING", Table: "nat", Chain: "KUBE-SVC-A", Rule: "-j KUBE-SEP-A", Evidence: model.Derived}
	for _, other := range []struct{ evidence, want model.Evidence }{{model.Derived, model.Observed}, {model.Unknown, model.Unknown}} {
		hop := path.Hop{Node: "node-1", Hook: "POSTROUTING", Evidence: other.evidence}
		v := seeing(&path.Trace{Outcomes: []path.Outcome{{Hops: []path.Hop{rule, hop}}}}, &Look{Node: "node-1", Rules: rules})
		if got := v.pathEvidence(); got != other.want {
			t.Errorf("with a hop that is %s: %s, want %s", other.evidence, got, other.want)
		}
	}
}

// seeing is a view of a path whose node was looked at.
func seeing(trace *path.Trace, looks ...*Look) *View {
	s := &State{Trace: trace, least: leastEvidence(trace)}
	for _, look := range looks {
		s.Seen = s.Seen.after(look, trace)
	}
	s.there, s.missing = s.Seen.rulesOnNode(trace)
	return &View{State: s}
}

// A look says nothing of a rule that was wanted only after it had begun, and
// nothing of the present once a later look has failed.
func TestMarksAreOfTheLastLookOnly(t *testing.T) {
	look := func(dump string) *path.View {
		return seenIn(t, path.NewWatch("node-1", path.IPv4), "*nat\n:KUBE-SERVICES - [0:0]\n:KUBE-SVC-A - [0:0]\n"+dump+"COMMIT\n")
	}
	hop := &path.Hop{Node: "node-1", Hook: "PREROUTING", Table: "nat", Chain: "KUBE-SERVICES", Rule: "-d 10.96.0.5/32 -j KUBE-SVC-A", Evidence: model.Derived}
	trace := &path.Trace{Outcomes: []path.Outcome{{Hops: []path.Hop{*hop}}}}
	without, with := look(""), look("[7:0] -A KUBE-SERVICES "+hop.Rule+"\n")
	const missing, counted, derived = "▲ not on the node", "7 pkts", ""
	for _, c := range []struct {
		name    string
		rules   *path.View
		wanted  *path.View // what was derived when the look began
		err     string
		want    string
		details int // of what differs, in the notes
	}{
		{"looked before the rule was wanted", without, without, "", derived, 0},
		{"looked after", without, with, "", missing, 1},
		{"it is there", with, with, "", counted, 0},
		{"it could not be looked at", nil, nil, "no answer", derived, 1},
		{"it is there again", with, with, "", counted, 0},
	} {
		var differences []path.Difference
		if c.rules == without && c.wanted == with {
			differences = []path.Difference{{Kind: path.Missing, Table: hop.Table, Chain: hop.Chain, Rule: hop.Rule}}
		}
		v := seeing(trace, &Look{Node: "node-1", Rules: with}, // an earlier look
			&Look{Node: "node-1", Rules: c.rules, Differences: differences, Changed: differences, Err: c.err})
		s := v.Seen
		if got := s.mark(hop, theme.New(theme.Options{})).Plain(); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		if got := len(seenNotes(v, theme.New(theme.Options{}), 200)); got != c.details {
			t.Errorf("%s: %d notes, want %d", c.name, got, c.details)
		}
		if observed := v.pathEvidence() == model.Observed; observed != (c.want == counted) {
			t.Errorf("%s: observed is %v", c.name, observed)
		}
		if c.err != "" && s.changes(theme.New(theme.Options{}), 80, true) != nil {
			t.Errorf("%s: what changed before is told as news", c.name)
		}
	}
}
