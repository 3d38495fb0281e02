package cli

import (
	"strings"
	"testing"

	"svctour/lessons"
	"svctour/model"
	"svctour/test/fakecluster"
)

// A proof writes to the cluster: that is asked for, unless the cluster is the lab.
func TestLessonAutoAsks(t *testing.T) {
	alone(t)
	api := fakecluster.New(t)
	code, stdout, stderr := svctour("lesson", "clusterip", "--auto", "--kubeconfig", api.Kubeconfig)
	if code != exitUsage || stdout != "" {
		t.Errorf("exit code %d, %q", code, stdout)
	}
	for _, want := range []string{`namespace "svctour-auto"`, `on "c" (http://127.0.0.1:`, "say --yes"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("stderr %q, want %q in it", stderr, want)
		}
	}
	if wrote := api.Wrote(); len(wrote) > 0 {
		t.Errorf("unasked it wrote %q", wrote)
	}
	g := &globals{Streams: Streams{In: strings.NewReader("")}}
	l := &lessons.Lesson{ID: "clusterip"}
	if err := agreeToLesson(t.Context(), g, l, model.Cluster{Lab: true}, "x", false); err != nil {
		t.Errorf("the lab: %v", err)
	}
	if err := agreeToLesson(t.Context(), g, l, model.Cluster{}, "x", true); err != nil {
		t.Errorf("--yes: %v", err)
	}
	if code, _, stderr := svctour("lesson", "clusterip", "--yes"); code != exitUsage || !strings.Contains(stderr, "go with --auto") {
		t.Errorf("--yes without --auto: exit code %d, %q", code, stderr)
	}
}
