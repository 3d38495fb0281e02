package e2e

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestPictureOnALabOfItsOwn: without a lab one is started, and ends with the
// picture.
func TestPictureOnALabOfItsOwn(t *testing.T) {
	home, temporary := home(t), t.TempDir()
	file := filepath.Join(t.TempDir(), "nodeport.svg")
	stdout, stderr, code := svctour(t, home, []string{"TMPDIR=" + temporary}, "picture", "nodeport", "1", "--size=120x40", "-o", file)
	if code != 0 || stdout != "" {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
	svg, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"viewBox=\"0 0 1220 780\"", ">step 1/", "10.96."} {
		if !strings.Contains(string(svg), want) {
			t.Errorf("the picture lacks %q:\n%s", want, svg)
		}
	}
	for decoder := xml.NewDecoder(strings.NewReader(string(svg))); ; {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	leavesNothing(t, home)
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("temporary files %v, %v", left, err)
	}
}

// TestPictureOnARunningLab: whatever becomes of a picture, nothing of it stays,
// and the lab does.
func TestPictureOnARunningLab(t *testing.T) {
	home := home(t)
	if stdout, stderr, code := svctour(t, home, nil, "lab", "up", "--detach", "--nodes=1"); code != 0 {
		t.Fatalf("lab up: exit code %d\n%s%s", code, stdout, stderr)
	}
	t.Cleanup(func() {
		svctour(t, home, nil, "lab", "down")
		leavesNothing(t, home)
	})
	never := neverReady(t)

	stdout, stderr, code := svctour(t, home, nil, "picture", "clusterip", "The Service", "--size=80x24", "--at=start")
	if code != 0 || strings.Count(stdout, "\n") != 24 || !strings.Contains(stdout, "step 5/") || strings.Contains(stdout, "\x1b") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	noPictureNamespace(t, home)

	file := filepath.Join(t.TempDir(), "never.svg")
	_, stderr, code = svctour(t, home, nil, "picture", never, "1", "--timeout=15s", "-o", file)
	if code != 1 || !strings.Contains(stderr, `step 1 "Never": the start state does not come about: not pod('other').ready`) {
		t.Errorf("exit code %d, %q", code, stderr)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("there is a picture of what did not come about")
	}
	noPictureNamespace(t, home)

	interrupted := exec.Command(binary, "picture", never, "1")
	interrupted.Env = append(os.Environ(), "SVCTOUR_HOME="+home, "KUBECONFIG="+filepath.Join(home, "none"))
	var told strings.Builder
	interrupted.Stderr = &told
	if err := interrupted.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return len(pictureNamespaces(t, home)) > 0 }, func() string { return "the picture makes no namespace: " + told.String() })
	if err := interrupted.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = interrupted.Wait() // its exit code says it
	if code := interrupted.ProcessState.ExitCode(); code != 130 || !strings.Contains(told.String(), "interrupted") {
		t.Errorf("exit code %d, %q", code, told.String())
	}
	noPictureNamespace(t, home)
	if left := processes(t); len(left) != 1 { // the lab's
		t.Errorf("processes\n%s", strings.Join(left, "\n"))
	}

	for _, args := range [][]string{
		{"clusterip"}, {"clusterip", "99"}, {"clusterip", "Nonsense"}, {"nonsense", "1"},
		{"clusterip", "1", "--size=10x10"}, {"clusterip", "1", "--size=wide"}, {"clusterip", "1", "-o", "a.png"}, {"clusterip", "1", "-o", "no/such/folder/a.svg"},
		{"clusterip", "1", "--at=tea"}, {"clusterip", "1", "--context=prod"}, {"clusterip", "1", "-n", "default"}, {"clusterip", "1", "--timeout=0s"},
	} {
		if _, stderr, code := svctour(t, home, nil, append([]string{"picture"}, args...)...); code != 2 || stderr == "" {
			t.Errorf("%q: exit code %d, %q", args, code, stderr)
		}
	}
}

// neverReady is a lesson whose start state does not come about.
func neverReady(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	lesson := `---
format: 2
id: never
number: 1
title: Never
summary: Nothing becomes of it.
minutes: 1
---

## Never

Nothing becomes of it.

### Given

` + "```sh\nkubectl run never --image=nginx:1.27 --labels=app=never\n```\n\n```cel\npod('never').name == 'never' && pod('other').ready\n```\n"
	if err := os.WriteFile(filepath.Join(dir, "lesson.md"), []byte(lesson), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// pictureNamespaces are those that pictures have made.
func pictureNamespaces(t *testing.T, home string) []string {
	t.Helper()
	stdout, stderr, code := svctour(t, home, []string{"KUBECONFIG="}, "kubectl", "get", "namespaces", "-o", "json")
	var list struct {
		Items []struct {
			Metadata struct {
				Name string `json:"name"`
			} `json:"metadata"`
		} `json:"items"`
	}
	if err := json.Unmarshal([]byte(stdout), &list); err != nil || code != 0 {
		t.Fatalf("exit code %d, %v\n%s%s", code, err, stdout, stderr)
	}
	var names []string
	for _, n := range list.Items {
		if strings.HasPrefix(n.Metadata.Name, "picture-") {
			names = append(names, n.Metadata.Name)
		}
	}
	return names
}

func noPictureNamespace(t *testing.T, home string) {
	t.Helper()
	if left := pictureNamespaces(t, home); len(left) > 0 {
		t.Errorf("namespaces %q are left", left)
	}
}
