package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// runLessonsCommand runs the command line and gives stdout, stderr and the exit code.
func runLessonsCommand(args ...string) (string, string, int) {
	var out, errs bytes.Buffer
	code := Main(context.Background(), Streams{In: strings.NewReader(""), Out: &out, Err: &errs}, append([]string{"svctour"}, args...))
	return out.String(), errs.String(), code
}

func TestLessonsCommands(t *testing.T) {
	broken := t.TempDir()
	text := "---\nformat: 2\nid: small\nnumber: 1\ntitle: Small\nsummary: S.\nminutes: 1\n---\n\n## First\n\nStory.\n\n```cel\npods.nothing\n```\n"
	if err := os.WriteFile(filepath.Join(broken, "lesson.md"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		args []string
		code int
		want string
	}{
		{[]string{"lessons"}, 0, "clusterip"},
		{[]string{"lessons", "list"}, 0, "LoadBalancer"},
		{[]string{"lessons", "show", "nodeport"}, 0, "nodePort: 30080"},
		{[]string{"lessons", "show", "nothing"}, 2, `no lesson "nothing": there is clusterip, `},
		{[]string{"lessons", "show"}, 2, "name one lesson"},
		{[]string{"lessons", "lint"}, 0, "No problems."},
		{[]string{"lessons", "lint", "../lessons/content"}, 0, "No problems."},
		{[]string{"lessons", "lint", broken}, 1, filepath.Join(broken, "lesson.md") + ":15:5: "},
		{[]string{"lessons", "lint", broken + "-none"}, 2, "no such file"},
		{[]string{"lessons", "lint", filepath.Join(broken, "lesson.md")}, 2, "want the folder"},
		{[]string{"lessons", "-o", "xml"}, 2, `output format "xml"`},
		{[]string{"lesson", "nothing", "--auto"}, 2, "there is clusterip"},
		{[]string{"lesson", "clusterip", "--auto", "--step=99"}, 2, "steps 1 to"},
		{[]string{"lesson", broken + "/", "--auto"}, 1, "lesson.md:15:5: "},
		{[]string{"lesson", "../lessons/content/nodeport"}, 2, "only be played with --auto"},
		{[]string{"lesson", "../lessons/content/", "--auto"}, 2, "lessons: name the folder of one"},
		{[]string{"lesson", "clusterip", "--step=2"}, 2, "go with --auto"},
		{[]string{"lesson", "clusterip"}, 2, "terminal"},
	}
	for _, test := range tests {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			out, errs, code := runLessonsCommand(test.args...)
			if code != test.code || !strings.Contains(out+errs, test.want) {
				t.Errorf("exit code %d, want %d and %q:\n%s%s", code, test.code, test.want, out, errs)
			}
			if code == 0 && errs != "" {
				t.Errorf("it said on stderr: %s", errs)
			}
		})
	}
}

func TestLessonsAsData(t *testing.T) {
	out, _, code := runLessonsCommand("lessons", "-o", "json")
	var list struct {
		APIVersion, Kind string
		Items            []struct {
			ID, Kind string
			Steps    int
			Needs    []string
		}
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil || code != 0 {
		t.Fatalf("%v, exit code %d", err, code)
	}
	if list.APIVersion != "svctour/v1alpha1" || list.Kind != "LessonList" || len(list.Items) < 3 || list.Items[0].Steps < 5 || list.Items[0].Kind != "lesson" || list.Items[0].Needs == nil {
		t.Errorf("got %+v", list)
	}

	out, _, code = runLessonsCommand("lessons", "show", "clusterip", "-o", "yaml")
	var lesson struct {
		Kind  string
		Steps []struct{ Command, Check string }
	}
	if err := yaml.Unmarshal([]byte(out), &lesson); err != nil || code != 0 {
		t.Fatalf("%v, exit code %d", err, code)
	}
	if lesson.Kind != "Lesson" || !strings.HasPrefix(lesson.Steps[0].Command, "kubectl ") {
		t.Errorf("got %+v", lesson)
	}
}
