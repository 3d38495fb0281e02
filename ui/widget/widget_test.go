package widget

import (
	"strings"
	"testing"

	"svctour/model/path"
	"svctour/ui/frame"
	"svctour/ui/theme"
)

func plain(lines []frame.Line) string {
	var rows []string
	for _, l := range lines {
		rows = append(rows, strings.TrimRight(l.Plain(), " "))
	}
	return strings.Join(rows, "\n")
}

func TestFraction(t *testing.T) {
	for _, c := range []struct {
		p    float64
		want string
	}{{1, "1"}, {0, "0"}, {0.5, "1/2"}, {1.0 / 3, "1/3"}, {0.33333333349, "1/3"}, {0.01, "1/100"}, {0.4, "40.0%"}, {2.0 / 3, "66.7%"}} {
		if got := Fraction(c.p); got != c.want {
			t.Errorf("%v: %q, want %q", c.p, got, c.want)
		}
	}
}

func TestManifestMarksWhatChanged(t *testing.T) {
	before := "kind: Service\nspec:\n  type: ClusterIP\n  ports:\n    - port: 80\n"
	after := "kind: Service\nspec:\n  type: NodePort\n  ports:\n    - port: 80\n      nodePort: 30080\n"
	want := `  kind: Service
  spec:
-   type: ClusterIP
+   type: NodePort
    ports:
      - port: 80
+       nodePort: 30080`
	if got := plain(Manifest(after, before, theme.New(theme.Options{}))); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := plain(Manifest(before, "", theme.New(theme.Options{}))); strings.ContainsAny(got, "+") {
		t.Errorf("a first version marks lines as new:\n%s", got)
	}
}

func TestStory(t *testing.T) {
	markdown := "A **Service** has a *name* and\nan `address`.\n\n- one\n- two is longer than the row is wide\n\n1. first\n\n> quoted\n\n```\ncode here\n```\n"
	want := `A Service has a name
and an address.

· one
· two is longer than
  the row is wide

1. first

│ quoted

  code here`
	if got := plain(Story(markdown, theme.New(theme.Options{}), 20)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestSharedTailNeedsTheSameRules(t *testing.T) {
	hop := func(chain, what string) path.Hop {
		return path.Hop{Node: "n", Hook: "POSTROUTING", Chain: chain, What: what}
	}
	dnat := func(ip string) path.Hop { return hop("KUBE-SEP-"+ip, "DNAT to "+ip) }
	same := []path.Outcome{
		{Hops: []path.Hop{dnat("a"), hop("", "stays"), hop("KUBE-POSTROUTING", "return"), hop("", "reply")}},
		{Hops: []path.Hop{dnat("b"), hop("", "route to n2"), hop("KUBE-POSTROUTING", "return"), hop("", "reply")}},
	}
	if tails := sharedTail(same, 0); len(tails[0]) != 2 || tails[1][0] != 2 {
		t.Errorf("tails %v: the rule and the reply are shared", tails)
	}
	same[1].Hops[2].What = "masquerade"
	if tails := sharedTail(same, 0); len(tails[0]) != 0 {
		t.Errorf("tails %v of outcomes that meet different rules", tails)
	}
}
