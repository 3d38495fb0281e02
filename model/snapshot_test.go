package model

import "testing"

// TestOneOfEachName: two objects of one name are one, the later; workloads of
// different kinds are not, and a list in order is left as it is.
func TestOneOfEachName(t *testing.T) {
	service := func(namespace, name, uid string) *Service {
		return &Service{Meta: Meta{Namespace: namespace, Name: name, UID: uid}}
	}
	shared := []*Node{{Meta: Meta{Name: "a"}}, {Meta: Meta{Name: "b"}}}
	s := NewSnapshot(Snapshot{
		Nodes:     shared,
		Services:  []*Service{service("b", "web", "1"), service("a", "web", "2"), service("b", "web", "3"), service("a", "api", "4")},
		Workloads: []*Workload{{Kind: "StatefulSet", Meta: Meta{Name: "x"}}, {Kind: "DaemonSet", Meta: Meta{Name: "x"}}},
	})
	got := ""
	for _, s := range s.Services {
		got += s.Key() + "=" + s.UID + " "
	}
	if want := "a/api=4 a/web=2 b/web=3 "; got != want {
		t.Errorf("Services %q, want %q", got, want)
	}
	if len(s.Workloads) != 2 || s.Workloads[0].Kind != "DaemonSet" {
		t.Errorf("%+v", s.Workloads)
	}
	if &s.Nodes[0] != &shared[0] {
		t.Error("a list in order was copied")
	}
}
