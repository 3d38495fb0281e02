package doctor

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"svctour/cluster/files"
	"svctour/model"
	"svctour/model/diagnose"
)

// TestSystemServices wants no warning about what the lab itself runs.
func TestSystemServices(t *testing.T) {
	needLab(t)
	err := live.until(t.Context(), func(s *model.Snapshot) error {
		d, n := diagnose.New(s), 0
		for _, namespace := range []string{"kube-system", "default"} {
			for _, r := range d.All(namespace, diagnose.Options{}) {
				if n++; !r.Healthy {
					return fmt.Errorf("%s/%s: %s", r.Namespace, r.Name, first(r))
				}
			}
		}
		if n < 2 || s.DNS.Evidence != model.Derived {
			return fmt.Errorf("%d Services, DNS %s", n, s.DNS.Source)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestEveryTrafficPolicy wants no warning about the healthy application,
// whatever its traffic policies, affinity and distribution are.
func TestEveryTrafficPolicy(t *testing.T) {
	needLab(t)
	app, err := read("testdata/app.yaml")
	if err != nil {
		t.Fatal(err)
	}
	place, err := newPlace(t.Context(), "policies")
	if err != nil {
		t.Fatal(err)
	}
	defer place.remove()
	for _, external := range []string{"Cluster", "Local"} {
		for _, internal := range []string{"Cluster", "Local"} {
			for _, distribution := range []string{"", "PreferSameZone", "PreferSameNode"} {
				for _, affinity := range []string{"None", "ClientIP"} {
					name := fmt.Sprintf("external %s, internal %s, distribution %q, affinity %s", external, internal, distribution, affinity)
					m := app.copied()
					for _, s := range []string{"door", "balanced"} {
						set(m.find("Service", s), "spec.externalTrafficPolicy", external)
					}
					set(m.find("Service", "agent"), "spec.internalTrafficPolicy", internal)
					for _, s := range []string{"web", "api", "door", "balanced", "agent", "cache"} {
						set(m.find("Service", s), "spec.sessionAffinity", affinity)
						if distribution != "" {
							set(m.find("Service", s), "spec.trafficDistribution", distribution)
						}
					}
					if err := place.apply(t.Context(), m); err != nil {
						t.Fatalf("%s: %v", name, err)
					}
					// It has to be the Service that was applied.
					if err := live.until(t.Context(), func(s *model.Snapshot) error {
						if got := s.Service(place.namespace, "balanced"); got == nil || got.ExternalTrafficPolicy != external || got.SessionAffinity != affinity || got.TrafficDistribution != distribution {
							return fmt.Errorf("Service balanced is %+v", got)
						}
						return place.healthy(s)
					}); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				}
			}
		}
	}
}

// TestCharts wants no warning about manifests in the style of well-known
// charts, neither on the lab nor from the files alone.
func TestCharts(t *testing.T) {
	needLab(t)
	charts, err := filepath.Glob("testdata/charts/*.yaml")
	if err != nil || len(charts) < 5 {
		t.Fatalf("%d files, %v", len(charts), err)
	}
	for _, file := range charts {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(name, func(t *testing.T) {
			snapshot, refused, err := files.Read(strings.NewReader(""), []string{file}, name)
			if err != nil || len(refused) > 0 {
				t.Fatalf("%v, refused %v", err, refused)
			}
			for _, r := range diagnose.New(snapshot).All("", diagnose.Options{}) {
				if !r.Healthy {
					t.Errorf("from the file: %s: %s", r.Name, first(r))
				}
			}
			m, err := read(file)
			if err != nil {
				t.Fatal(err)
			}
			place, err := newPlace(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			defer place.remove()
			if err := place.apply(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			// A Job's Pod ends: only the Services are looked at, and the workloads.
			if err := live.until(t.Context(), place.healthy); err != nil {
				t.Error(err)
			}
		})
	}
}
