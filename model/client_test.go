package model

import "testing"

func TestParseClient(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "pod/tmp": "pod/default/tmp", "po/shop/tmp": "pod/shop/tmp", "no/node-1": "node/node-1", "nodes/node-1": "node/node-1",
		"outside": "outside", "outside/203.0.113.9": "outside/203.0.113.9", "outside/::ffff:10.0.0.1": "outside/10.0.0.1",
	} {
		c, err := ParseClient(text, "default")
		if err != nil || c.String() != want {
			t.Errorf("%q: %q, %v; want %q", text, c, err, want)
		}
		if again, err := ParseClient(c.String(), ""); err != nil || again != c {
			t.Errorf("%q reads back as %+v, %v", c, again, err)
		}
	}
	for _, text := range []string{"tmp", "pod", "pod/", "pod/shop/", "node/", "outside/here", "svc/web"} {
		if c, err := ParseClient(text, "default"); err == nil {
			t.Errorf("%q is %+v", text, c)
		}
	}
}

func TestDiffTellsWhatWent(t *testing.T) {
	before := NewSnapshot(Snapshot{
		Pods: []*Pod{{Meta: Meta{Namespace: "default", Name: "web-1", UID: "1"}, IPs: []string{"10.244.0.5"}, Phase: "Running"}},
		Slices: []*EndpointSlice{{
			Meta:      Meta{Namespace: "default", Name: "web-x", Labels: map[string]string{ServiceNameLabel: "web"}},
			Endpoints: []Endpoint{{Addresses: []string{"10.244.0.5"}}},
		}},
	})
	want := []Change{
		{Removed, "pod", "1", "web-1", "10.244.0.5", "", "web-1 10.244.0.5 Running"},
		{Removed, "endpoint", "default/web/10.244.0.5", "web", "10.244.0.5", "", "10.244.0.5 ready"},
	}
	got := Diff(before, nil, "default")
	if len(got) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%+v, want %+v", got[i], want[i])
		}
	}
}
