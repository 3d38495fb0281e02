package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
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
			t.Fatalf("something still listens on %s", address)
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

// TestForegroundLabThatDies: lab up says by its exit code whether the lab was
// ended or has died.
func TestForegroundLabThatDies(t *testing.T) {
	home := home(t)
	for _, c := range []struct {
		name   string
		end    func()
		code   int
		stderr string
	}{
		{"killed", func() { signalByName(t, "--child", syscall.SIGKILL) }, 1, "svctour: the lab's process ended: signal: killed"},
		{"lab down", func() { svctour(t, home, nil, "lab", "down") }, 0, "the lab has ended"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
		defer cancel()
		up := exec.CommandContext(ctx, binary, "lab", "up", "--nodes=1")
		up.Env = append(os.Environ(), "SVCTOUR_HOME="+home)
		var stderr strings.Builder
		up.Stderr = &stderr
		out, err := up.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := up.Start(); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil || !strings.Contains(line, "is ready") {
			t.Errorf("%s: it says %q, %v", c.name, line, err)
		}
		c.end()
		_ = up.Wait() // its exit code says it
		if code := up.ProcessState.ExitCode(); code != c.code || !strings.Contains(stderr.String(), c.stderr) {
			t.Errorf("%s: exit code %d, %q; want %d, %q", c.name, code, stderr.String(), c.code, c.stderr)
		}
	}
	leavesNothing(t, home)
}
