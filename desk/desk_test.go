package desk

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"svctour/lab"
	"svctour/model"
	"svctour/test/fakecluster"
	"svctour/ui/shell"
)

// Leaving the tour removes the namespace that the dialog names: a proof of
// lessons or another person's probe may be at work in another of svctour's.
func TestLeavingTheTourRemovesItsNamespaceOnly(t *testing.T) {
	api := fakecluster.New(t, "tour", "svctour-auto", "svctour-probe-x7k2p")
	b := backend{New(Options{Kubeconfig: api.Kubeconfig, Rights: Everything()})}
	s, err := b.Connect(t.Context(), shell.Choice{Context: "c"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Clean(t.Context()); err != nil {
		t.Fatal(err)
	}
	if wrote := api.Wrote(); len(wrote) > 0 {
		t.Errorf("a tour that made nothing wrote %q", wrote)
	}
	if name, err := s.EnsureNamespace(t.Context()); err != nil || name != "tour" {
		t.Fatalf("got namespace %q, %v", name, err)
	}
	if err := s.Clean(t.Context()); err != nil {
		t.Fatal(err)
	}
	var removed []string
	for _, write := range api.Wrote() {
		if name, is := strings.CutPrefix(write, "DELETE /api/v1/namespaces/"); is && !strings.Contains(name, "/") {
			removed = append(removed, name)
		}
	}
	if !slices.Equal(removed, []string{"tour"}) {
		t.Errorf("removed namespaces %q", removed)
	}
}

// What a server does not show is an error in words, and nothing is written.
func TestWhatIfOnlyAsks(t *testing.T) {
	api := fakecluster.New(t, "tour")
	b := backend{New(Options{Kubeconfig: api.Kubeconfig, Rights: Everything()})}
	s, err := b.Connect(t.Context(), shell.Choice{Context: "c"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	snapshot := model.NewSnapshot(model.Snapshot{Sync: model.Sync{Synced: true}})
	edit := model.Edit{Patch: &model.Patch{Object: model.Ref{Kind: "Service", Name: "web"}, Data: "spec: {type: NodePort}"}}
	if _, err := s.WhatIf(t.Context(), snapshot, "tour", edit); err == nil || !strings.Contains(err.Error(), "403 Forbidden") {
		t.Errorf("a Service that may not be read: %v", err)
	}
	if _, err := s.WhatIf(t.Context(), snapshot, "tour", model.Edit{Manifest: "kind: Service"}); err == nil || !strings.Contains(err.Error(), "apiVersion and kind must be set") {
		t.Errorf("a manifest without apiVersion: %v", err)
	}
	if wrote := api.Wrote(); len(wrote) > 0 {
		t.Errorf("what-if wrote %q", wrote)
	}
}

// A lab that ended between its start and the connection is no reason to open the
// person's own current context in its place.
func TestALabThatHasEndedIsNotReplaced(t *testing.T) {
	api := fakecluster.New(t, "tour")
	b := backend{New(Options{LabDir: t.TempDir(), Environment: Environment{"KUBECONFIG=" + api.Kubeconfig}, Rights: Everything()})}
	if version, err := b.Probe(t.Context(), shell.Choice{Lab: true}); !errors.Is(err, lab.ErrNotRunning) {
		t.Errorf("probed a server of version %q, %v", version, err)
	}
	if s, err := b.Connect(t.Context(), shell.Choice{Lab: true}); !errors.Is(err, lab.ErrNotRunning) {
		t.Errorf("connected: %v", err)
		s.Close()
	}
}

// TestRights: what a desk may not do it does not do, and says so.
func TestRights(t *testing.T) {
	api := fakecluster.New(t, "tour")
	environment := Environment{"KUBECONFIG=" + api.Kubeconfig}
	t.Run("files", func(t *testing.T) {
		for _, may := range []bool{false, true} {
			b := backend{New(Options{LabDir: t.TempDir(), Environment: environment, Rights: Rights{Files: may}})}
			choices, err := b.Choices(t.Context())
			if want := map[bool]int{false: 1, true: 2}[may]; err != nil || len(choices) != want {
				t.Errorf("files %v: %d choices, %v, want %d", may, len(choices), err, want)
			}
			if _, err := b.Probe(t.Context(), shell.Choice{Context: "c"}); (err == nil) != may {
				t.Errorf("files %v: %v", may, err)
			}
		}
	})
	t.Run("lab", func(t *testing.T) {
		b := backend{New(Options{LabDir: t.TempDir(), Executable: "no-such-program"})}
		if started, err := b.StartLab(t.Context(), func(shell.Stage) {}); started || !errors.Is(err, lab.ErrNotRunning) {
			t.Errorf("started %v, %v", started, err)
		}
	})
	t.Run("commands", func(t *testing.T) {
		d := New(Options{Environment: environment, Executable: "no-such-program", Rights: Rights{Files: true, ReadOnly: true}})
		s, err := backend{d}.Connect(t.Context(), shell.Choice{Context: "c"})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if name, err := s.EnsureNamespace(t.Context()); !errors.Is(err, errReadOnly) {
			t.Errorf("made namespace %q, %v", name, err)
		}
		if child, err := s.Terminal(t.Context(), "tour", []string{"edit", "service", "web"}); !errors.Is(err, errTerminal) {
			t.Errorf("terminal: %v, %v", child, err)
		}
		reply := s.Kubectl(t.Context(), "tour", []string{"delete", "service", "web"}, "")
		if reply.Exit != -1 || !strings.Contains(reply.Stderr, "hing may be changed") {
			t.Errorf("delete: %+v", reply)
		}
		d.options.Rights.ReadOnly = false
		reply = s.Kubectl(t.Context(), "tour", []string{"exec", "web", "--", "date"}, "")
		if reply.Exit != -1 || !strings.Contains(reply.Stderr, "rograms in Pods may not be run") {
			t.Errorf("exec: %+v", reply)
		}
		if wrote := api.Wrote(); len(wrote) > 0 {
			t.Errorf("it wrote %q", wrote)
		}
	})
}

func TestEnvironment(t *testing.T) {
	e := Environment{"A=1", "LANG=de_DE.ISO-8859-1", "A=2", "HOME=/home/ada"}
	if got := e.Get("A") + e.Get("B"); got != "2" {
		t.Errorf("A is %q", got)
	}
	if !e.ASCII() || (Environment{"LANG=C", "LC_ALL=en_US.utf8"}).ASCII() || (Environment{}).ASCII() {
		t.Error("the locale is misread")
	}
	if got := e.Kubeconfigs(); !slices.Equal(got, []string{"/home/ada/.kube/config"}) {
		t.Errorf("kubeconfigs %q", got)
	}
	if got := (Environment{"KUBECONFIG=/a:/b::/a"}).Kubeconfigs(); !slices.Equal(got, []string{"/a", "/b"}) {
		t.Errorf("kubeconfigs %q", got)
	}
	if got, err := e.StateDir(); err != nil || got != "/home/ada/.local/state/svctour" {
		t.Errorf("state %q, %v", got, err)
	}
	if _, err := (Environment{}).StateDir(); err == nil {
		t.Error("a state folder without a home")
	}
}
