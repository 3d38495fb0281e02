package widget

import (
	"fmt"
	"testing"

	"svctour/model/path"
)

func TestGrowthOutlivesAReset(t *testing.T) {
	const rule = "-j KUBE-SEP-A"
	hop := path.Hop{Node: "node-1", Hook: "PREROUTING", Table: "nat", Chain: "KUBE-SVC-A", Rule: rule}
	trace := &path.Trace{Outcomes: []path.Outcome{{Hops: []path.Hop{hop}}, {Hops: []path.Hop{hop}}}}
	s := &Seen{Node: "node-1"}
	for _, look := range []struct{ packets, grown uint64 }{
		{10, 0},  // what was counted before anybody looked
		{12, 2},  // two connections
		{12, 2},  // none
		{1, 3},   // kube-proxy wrote the chain anew, then one more
		{0, 3},   // anew, and nothing since
		{40, 43}, // forty
	} {
		o, err := path.Parse(fmt.Sprintf("*nat\n:KUBE-SVC-A - [0:0]\n:KUBE-SEP-A - [0:0]\n[%d:0] -A KUBE-SVC-A %s\nCOMMIT\n", look.packets, rule), path.IPv4)
		if err != nil {
			t.Fatal(err)
		}
		s.Take(o, nil, "", trace)
		if got := s.Grown()[ruleKey(&hop)]; got != look.grown {
			t.Errorf("at %d packets: grown by %d, want %d", look.packets, got, look.grown)
		}
	}
	s.Take(nil, nil, "no answer", trace)
	if s.Err == "" || s.Rules == nil {
		t.Error("a look that failed takes away what was seen before")
	}
}
