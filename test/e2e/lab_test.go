package e2e

import (
	"encoding/json"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// TestTenRoundsLeaveNothing starts and ends ten labs: no process, no port and
// no temporary file stays.
func TestTenRoundsLeaveNothing(t *testing.T) {
	home, temporary := home(t), t.TempDir()
	env := []string{"TMPDIR=" + temporary}
	for range 10 {
		if stdout, stderr, code := svctour(t, home, env, "lab", "up", "--detach"); code != 0 {
			t.Fatalf("lab up: exit code %d\n%s%s", code, stdout, stderr)
		}
		address := serverAddress(t, home)
		stdout, _, code := svctour(t, home, env, "lab", "status", "-o", "json")
		var status struct {
			Version string `json:"version"`
			Nodes   []struct {
				Ready bool `json:"ready"`
			} `json:"nodes"`
		}
		if err := json.Unmarshal([]byte(stdout), &status); err != nil || code != 0 {
			t.Fatalf("lab status: exit code %d, %v: %s", code, err, stdout)
		}
		if !strings.HasPrefix(status.Version, "v1.37.") || len(status.Nodes) != 3 || slices.ContainsFunc(status.Nodes, func(n struct {
			Ready bool `json:"ready"`
		}) bool {
			return !n.Ready
		}) {
			t.Fatalf("status %s", stdout)
		}
		if stdout, stderr, code := svctour(t, home, env, "lab", "down"); code != 0 {
			t.Fatalf("lab down: exit code %d\n%s%s", code, stdout, stderr)
		}
		leavesNothing(t, home)
		if connection, err := net.Dial("tcp", address); err == nil {
			connection.Close()
			t.Fatalf("somebody still listens on %s", address)
		}
	}
	left, err := os.ReadDir(temporary)
	if err != nil || len(left) > 0 {
		t.Errorf("temporary files %v, %v", left, err)
	}
}

// serverAddress is the host and port of the lab's API server.
func serverAddress(t *testing.T, home string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(home, "lab", "kubeconfig"))
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Clusters []struct {
			Cluster struct {
				Server string `json:"server"`
			} `json:"cluster"`
		} `json:"clusters"`
	}
	if err := yaml.Unmarshal(content, &config); err != nil || len(config.Clusters) != 1 {
		t.Fatalf("kubeconfig: %v: %d clusters", err, len(config.Clusters))
	}
	server, err := url.Parse(config.Clusters[0].Cluster.Server)
	if err != nil {
		t.Fatal(err)
	}
	if host := server.Hostname(); !net.ParseIP(host).IsLoopback() {
		t.Fatalf("the API server listens on %s, beyond loopback", host)
	}
	return server.Host
}

// TestSecondLabIsRefused: one folder holds one lab.
func TestSecondLabIsRefused(t *testing.T) {
	home := home(t)
	if stdout, stderr, code := svctour(t, home, nil, "lab", "up", "--detach", "--nodes=1"); code != 0 {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
	_, stderr, code := svctour(t, home, nil, "lab", "up", "--detach")
	if code != 1 || !strings.Contains(stderr, "running") {
		t.Errorf("exit code %d, %q", code, stderr)
	}
	svctour(t, home, nil, "lab", "down")
	leavesNothing(t, home)
}
