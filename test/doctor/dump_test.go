package doctor

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"svctour/model"
	"svctour/model/diagnose"
)

// TestDump diagnoses what kubectl prints of the lab, in both forms, and wants
// the same of every Service as live. What is broken is seen in the files, too.
func TestDump(t *testing.T) {
	needLab(t)
	app, err := read("testdata/app.yaml")
	if err != nil {
		t.Fatal(err)
	}
	place, err := newPlace(t.Context(), "dumped")
	if err != nil {
		t.Fatal(err)
	}
	defer place.remove()
	broken := app.copied()
	set(broken.find("Service", "cache"), "spec.selector", "{app: cahce}")
	container("web", "image", "registry.k8s.io/e2e-test-images/agnhots:2.53")(&broken)
	if err := place.apply(t.Context(), broken); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"cache": "selector-near-miss", "web": "pod-image"}
	verdicts := func(reports []diagnose.ServiceReport) error {
		for _, r := range reports {
			if got := ""; !r.Healthy || want[r.Name] != "" {
				if len(r.Findings) > 0 {
					got = r.Findings[0].Rule
				}
				if got != want[r.Name] {
					return &unexpected{r}
				}
			}
		}
		return nil
	}
	if err := live.until(t.Context(), func(s *model.Snapshot) error {
		return verdicts(diagnose.New(s).All(place.namespace, diagnose.Options{}))
	}); err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{"yaml", "json"} {
		_, text := svctour(t, kubeconfig, "kubectl", "get", "services,endpointslices,pods,deployments,replicasets,statefulsets,daemonsets,networkpolicies,events", "-n", place.namespace, "-o", form)
		file := filepath.Join(t.TempDir(), "dump."+form)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		code, out := svctour(t, kubeconfig, "doctor", "-f", file, "-o", "json")
		var report diagnose.Report
		if err := json.Unmarshal([]byte(out), &report); err != nil || code != 1 || len(report.Services) != 10 {
			t.Fatalf("%s: exit code %d, %v, %d Services", form, code, err, len(report.Services))
		}
		if err := verdicts(report.Services); err != nil {
			t.Errorf("%s: %v", form, err)
		}
	}
}

type unexpected struct{ diagnose.ServiceReport }

func (u *unexpected) Error() string { return u.Name + ": " + first(u.ServiceReport) }
