package cli

import (
	"slices"
	"strings"
	"testing"

	"svctour/ui/shell"
)

// Leaving the tour removes the namespace that the dialog names: a proof of
// lessons or a probe of somebody else's may be at work in another of svctour's.
func TestLeavingTheTourRemovesItsNamespaceOnly(t *testing.T) {
	alone(t)
	api := newFakeCluster(t, "tour", "svctour-auto", "svctour-probe-x7k2p")
	b := &backend{globals: &globals{Kubeconfig: api.kubeconfig}, ctx: t.Context()}
	s, err := b.Connect(t.Context(), shell.Choice{Context: "c"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Clean(t.Context()); err != nil {
		t.Fatal(err)
	}
	if wrote := api.wrote(); len(wrote) > 0 {
		t.Errorf("a tour that made nothing wrote %q", wrote)
	}
	if name, err := s.EnsureNamespace(t.Context()); err != nil || name != "tour" {
		t.Fatalf("got namespace %q, %v", name, err)
	}
	if err := s.Clean(t.Context()); err != nil {
		t.Fatal(err)
	}
	var removed []string
	for _, write := range api.wrote() {
		if name, is := strings.CutPrefix(write, "DELETE /api/v1/namespaces/"); is && !strings.Contains(name, "/") {
			removed = append(removed, name)
		}
	}
	if !slices.Equal(removed, []string{"tour"}) {
		t.Errorf("removed namespaces %q", removed)
	}
}
