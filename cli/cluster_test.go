package cli

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"

	"svctour/desk"
	"svctour/test/fakecluster"
)

// fakeServer is a fake cluster with one namespace.
func fakeServer(t *testing.T) (kubeconfig string) {
	t.Helper()
	return fakecluster.New(t, "tour").Kubeconfig
}

// alone keeps the person's own clusters and lab out of a test.
func alone(t *testing.T) {
	t.Helper()
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	t.Setenv("SVCTOUR_HOME", filepath.Join(home, "svctour"))
	t.Setenv("KUBECONFIG", "")
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
}

func svctour(args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = Main(context.Background(), Streams{In: strings.NewReader(""), Out: &out, Err: &err}, append([]string{"svctour"}, args...))
	return code, out.String(), err.String()
}

func TestCleanAndItsExitCodes(t *testing.T) {
	alone(t)
	config := fakeServer(t)
	refused := fakecluster.Kubeconfig(t, "http://127.0.0.1:1")
	for _, c := range []struct {
		args           []string
		code           int
		stdout, stderr string
	}{
		{[]string{"clean"}, 2, "", "svctour: No kubeconfig: nothing configures a cluster in "},
		{[]string{"clean", "--kubeconfig", "/no/such/file"}, 2, "", "no such file"},
		{[]string{"clean", "--kubeconfig", config, "--context", "C"}, 2, "", `Context "C" does not exist: the kubeconfig has "c".`},
		{[]string{"clean", "--kubeconfig", refused}, 1, "", "connection refused"},
		{[]string{"clean", "extra"}, 2, "", ""},
		{[]string{"clean", "--kubeconfig", config}, 2, "", "remove namespaces tour on c: say --yes"},
		{[]string{"clean", "--kubeconfig", config, "--yes"}, 0, "namespace \"tour\" removed\n", ""},
		{[]string{"clean", "--kubeconfig", config, "--yes"}, 0, "Nothing of svctour's on c.\n", ""},
	} {
		code, stdout, stderr := svctour(c.args...)
		if c.args[len(c.args)-1] == "extra" {
			if code == 0 {
				t.Errorf("%q: exit code 0", c.args)
			}
			continue
		}
		if code != c.code || stdout != c.stdout || !strings.Contains(stderr, c.stderr) {
			t.Errorf("%q: got %d, %q, %q; want %d, %q, %q", c.args, code, stdout, stderr, c.code, c.stdout, c.stderr)
		}
	}
}

func TestAsk(t *testing.T) {
	for answer, want := range map[string]bool{"y\n": true, " YES \n": true, "n\n": false, "\n": false, "": false, "yeah\n": false} {
		g := &globals{Streams: Streams{In: strings.NewReader(answer), Err: &bytes.Buffer{}}}
		if got, err := ask(context.Background(), g, "?"); got != want || err != nil {
			t.Errorf("%q: got %t, %v", answer, got, err)
		}
	}
}

// A person who may not even read Services is told so, in the server's words.
func TestWaitSyncedWithoutRights(t *testing.T) {
	alone(t)
	g := &globals{Streams: Streams{Err: &bytes.Buffer{}}, Kubeconfig: fakeServer(t), Namespace: "mine"}
	connection, err := connect(t.Context(), g)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if _, err := desk.Synced(t.Context(), connection); err == nil || !strings.Contains(err.Error(), "/api/v1/namespaces/mine/services is forbidden") {
		t.Errorf("got %v", err)
	}
}

func TestKubectl(t *testing.T) {
	alone(t)
	config := fakeServer(t)
	for _, c := range []struct {
		args           []string
		code           int
		stdout, stderr string
	}{
		{[]string{"kubectl", "version", "--client"}, 0, "Client Version: v1.37.2\n", ""},
		{[]string{"kubectl", "--help"}, 0, "kubectl controls the Kubernetes cluster manager.", ""},
		{[]string{"kubectl", "nonsense"}, 1, "", `error: unknown command "nonsense" for "kubectl"`},
		{[]string{"kubectl", "get", "--nope"}, 1, "", "error: unknown flag: --nope"},
		{[]string{"--context", "x", "kubectl", "get", "pods"}, 1, "", "context was not found for specified context: x"},
		{[]string{"--kubeconfig", config, "kubectl", "config", "get-contexts", "-o", "name"}, 0, "c\n", ""},
		{[]string{"kubectl", "get", "svc", "--kubeconfig=" + config, "-n", "x", "--v=0"}, 1, "", "Error from server (Forbidden)"},
		{[]string{"kubectl", "create", "deployment", "web", "--image=x", "--dry-run=client", "-o", "name"}, 0, "deployment.apps/web\n", ""},
	} {
		code, stdout, stderr := svctour(c.args...)
		if code != c.code || !strings.Contains(stdout, c.stdout) || !strings.Contains(stderr, c.stderr) || c.stderr == "" && stderr != "" {
			t.Errorf("%q: got %d, %q, %q; want %d, %q, %q", c.args, code, stdout, stderr, c.code, c.stdout, c.stderr)
		}
	}
}

func TestNamesCluster(t *testing.T) {
	for line, want := range map[string]bool{
		"get pods": false, "get pods --context x": true, "get pods --context=x": true, "--kubeconfig=x get pods": true,
		"get pods -s http://x": true, "exec p -- sh --context x": false, "get pods -l context=x": false,
	} {
		if got := namesCluster(strings.Fields(line)); got != want {
			t.Errorf("%s: got %t", line, got)
		}
	}
}
