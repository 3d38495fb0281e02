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

func TestDiff(t *testing.T) {
	text := func(lines []DiffLine) string {
		var out string
		for _, l := range lines {
			out += string(l.Sign) + l.Text + "\n"
		}
		return out
	}
	long := strings.Repeat("same\n", 5000)
	for _, c := range []struct{ name, before, after, want string }{
		{"equal", "a\nb\n", "a\nb\n", ""},
		{"one of five", "a\nb\nc\nd\ne\n", "a\nb\nX\nd\ne\n", " b\n-c\n+X\n d\n"},
		{"two far apart", "a\n1\n2\n3\n4\nz\n", "A\n1\n2\n3\n4\nZ\n", "-a\n+A\n 1\n 4\n-z\n+Z\n"},
		{"everything goes", "a\nb\n", "", "-a\n-b\n"},
		{"in a large file", long + "a\n" + long, long + "b\n" + long, " same\n-a\n+b\n same\n"},
	} {
		if got := text(Diff(c.before, c.after, 1)); got != c.want {
			t.Errorf("%s: got\n%swant\n%s", c.name, got, c.want)
		}
	}
	if got := Diff(strings.Repeat("x\n", 3000), strings.Repeat("y\n", 3000), 1); len(got) != 6000 {
		t.Errorf("%d lines of two files that share nothing", len(got))
	}
}
