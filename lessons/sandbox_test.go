package lessons

import (
	"strings"
	"testing"

	"svctour/model"
)

func TestSandbox(t *testing.T) {
	states, err := Sandbox()
	if err != nil {
		t.Fatal(err)
	}
	titles := map[string]bool{}
	for i := range states {
		s := &states[i]
		if titles[s.Title] || len(strings.Fields(s.Title)) > 4 || len(strings.Fields(s.Say)) > 16 || !strings.HasSuffix(s.Say, ".") {
			t.Errorf("%q: %q", s.Title, s.Say)
		}
		titles[s.Title] = true
		manifest := s.Manifest("tour", "cluster.local")
		if strings.Contains(manifest, "${") || strings.Contains(manifest, "namespace: ") {
			t.Errorf("%q: %s", s.Title, manifest)
		}
		var problems []error
		if (&reader{file: s.Title, problems: &problems}).manifest(manifest, 1); len(problems) > 0 {
			t.Errorf("%q: %v", s.Title, problems)
		}
		show := s.ShowIn(model.NewSnapshot(model.Snapshot{}), "tour")
		if show.Service == "" || show.From == "" || show.Name == "" {
			t.Errorf("%q shows %+v of an empty cluster", s.Title, show)
		}
	}
	list, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Find(list, SandboxID); err == nil {
		t.Errorf("a lesson has the ID of the sandbox")
	}
}

// The state's own node port is what the panes are about.
func TestSandboxShowsWhatThereIs(t *testing.T) {
	states, err := Sandbox()
	if err != nil {
		t.Fatal(err)
	}
	s := model.NewSnapshot(model.Snapshot{
		Nodes:    []*model.Node{{Meta: model.Meta{Name: "node-1"}, Addresses: []model.NodeAddress{{Type: "InternalIP", Address: "172.18.0.2"}}}},
		Services: []*model.Service{{Meta: model.Meta{Namespace: "tour", Name: "box"}, Type: model.NodePort, Ports: []model.ServicePort{{Port: 80, NodePort: 31234}}}},
	})
	if got := states[3].ShowIn(s, "tour").Target; got != "172.18.0.2:31234" {
		t.Errorf("target %q", got)
	}
}

func TestSandboxRefusesWhatItCannotFindAgain(t *testing.T) {
	good, err := content.ReadFile("content/sandbox.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{
		{"app.kubernetes.io/part-of: svctour-client\n", "a: b\n"},
		{"parts: [guest, box, typo]", "parts: [guest, bxo, typo]"},
		{"title: ClusterIP", "title: \"\""},
		{"say: The selector", "said: The selector"},
		{"target: \"box:81\"", "target: \"${\""},
	} {
		bad := strings.Replace(string(good), c[0], c[1], 1)
		if bad == string(good) {
			t.Fatalf("%q is not there", c[0])
		}
		if _, err := readSandbox([]byte(bad)); err == nil {
			t.Errorf("%q is taken", c[1])
		}
	}
}
