package live

import (
	"fmt"
	"strings"
	"testing"

	"svctour/model"
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

// made makes every row.
func made(rows frame.Rows) []frame.Line {
	out := make([]frame.Line, rows.Len())
	for i := range out {
		out[i] = rows.Row(i)
	}
	return out
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
	dnat := func(ip string) path.Hop {
		h := hop("KUBE-SEP-"+ip, "DNAT to "+ip)
		h.Action = path.HopDNAT
		return h
	}
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

// Whatever tells one endpoint from another is in sight, however long it is: the
// address as it is, of the names what differs.
func TestEndpointsAreToldApart(t *testing.T) {
	yes, port := true, int32(80)
	eks := "ip-10-0-%s.eu-central-1.compute.internal"
	for _, c := range []struct {
		name                   string
		addresses, nodes, pods [3]string
	}{
		{"kind", [3]string{"10.244.1.5", "10.244.1.6", "10.244.211.166"}, [3]string{"kind-control-plane", "kind-worker", "kind-worker2"}, [3]string{"web-6d4b75cb6d-x2k9p", "web-6d4b75cb6d-9kf4z", "web-6d4b75cb6d-pq7wm"}},
		{"IPv6", [3]string{"fd00:10:244:1::5", "fd00:10:244:1::6", "fd00:10:244:12::ab:6"}, [3]string{"kind-worker", "kind-worker2", "kind-worker"}, [3]string{"web-0", "web-1", "web-2"}},
		{"IPv6 in full", [3]string{"2001:db8:1234:5678:9abc:def0:1234:5671", "2001:db8:1234:5678:9abc:def0:1234:5672", "fd00::1"}, [3]string{"gke-shop-default-pool-0a1b2c3d-x7zk", "gke-shop-default-pool-0a1b2c3d-q2mv", ""}, [3]string{"checkout-backend-6d4b75cb6d-x2k9p", "checkout-backend-6d4b75cb6d-9kf4z", "checkout-backend-6d4b75cb6d-pq7wm"}},
		{"EKS", [3]string{"10.0.12.34", "10.0.12.35", "10.0.13.34"}, [3]string{fmt.Sprintf(eks, "12-4"), fmt.Sprintf(eks, "12-77"), fmt.Sprintf(eks, "13-4")}, [3]string{"a-rather-long-name-of-a-statefulset-0", "a-rather-long-name-of-a-statefulset-1", "a-rather-long-name-of-a-statefulset-2"}},
	} {
		slice := &model.EndpointSlice{Meta: model.Meta{Namespace: "tour", Name: "web-7xk2v", Labels: map[string]string{model.ServiceNameLabel: "web"}},
			Ports: []model.EndpointPort{{Protocol: "TCP", Port: &port}}}
		for i := range c.addresses {
			slice.Endpoints = append(slice.Endpoints, model.Endpoint{Addresses: []string{c.addresses[i]}, Ready: &yes, Node: c.nodes[i], Target: &model.Ref{Kind: "Pod", Name: c.pods[i]}})
		}
		v := View{State: Compute(model.NewSnapshot(model.Snapshot{
			Services: []*model.Service{{Meta: model.Meta{Namespace: "tour", Name: "web"}, Type: model.ClusterIP}}, Slices: []*model.EndpointSlice{slice}}),
			Focus{Namespace: "tour", Service: "web"})}
		for w := 60; w <= 200; w++ {
			got := plain(made(v.Rows(Endpoints, theme.New(theme.Options{}), w)))
			rows := strings.Split(got, "\n")[1:4]
			names := map[string]string{}
			for i, row := range rows {
				if frame.Width(row) > w {
					t.Fatalf("%s: a row of %d columns in %d:\n%s", c.name, frame.Width(row), w, got)
				}
				cells := strings.Fields(row)
				if cells[1] != c.addresses[i] {
					t.Fatalf("%s at %d: the address %s is cut:\n%s", c.name, w, c.addresses[i], got)
				}
				shown := map[string]string{}
				switch {
				case len(cells) == 5:
					shown[cells[3]], shown[cells[4]] = c.nodes[i], c.pods[i]
				case c.nodes[i] != "" && w >= 80:
					t.Fatalf("%s at %d: a column is missing:\n%s", c.name, w, got)
				case len(cells) == 4:
					shown[cells[3]] = c.pods[i]
				}
				for cut, whole := range shown {
					if other, ok := names[cut]; ok && other != whole {
						t.Fatalf("%s at %d: %s and %s read the same:\n%s", c.name, w, whole, other, got)
					}
					names[cut] = whole
				}
			}
		}
		if got := plain(made(v.Rows(Endpoints, theme.New(theme.Options{}), 200))); !strings.Contains(got, c.nodes[0]+" ") || !strings.Contains(got, c.pods[0]) {
			t.Errorf("%s: a name is cut although there is room:\n%s", c.name, got)
		}
	}
}

// TestMapJoinsPortsByName: a Pod that is an endpoint of none of the Service's
// ports gets no connections, ready or not.
