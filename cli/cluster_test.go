package cli

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"svctour/cluster"
)

// fakeCluster answers like an API server that has some namespaces of svctour's
// and forbids everything else; it is for exit codes and words, not for
// behaviour.
type fakeCluster struct {
	kubeconfig string

	mu         sync.Mutex
	namespaces []string
	writes     []string // what was asked to be changed: "DELETE /api/v1/namespaces/tour"
}

func newFakeCluster(t *testing.T, namespaces ...string) *fakeCluster {
	t.Helper()
	f := &fakeCluster{namespaces: namespaces}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	f.kubeconfig = kubeconfigFor(t, server.URL)
	return f
}

// fakeServer is a fake cluster with one namespace.
func fakeServer(t *testing.T) (kubeconfig string) {
	t.Helper()
	return newFakeCluster(t, "tour").kubeconfig
}

// wrote is what was asked to be changed so far.
func (f *fakeCluster) wrote() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.writes)
}

func (f *fakeCluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	status := func(code int, reason, message string) {
		w.WriteHeader(code)
		fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"message":%q,"code":%d}`, reason, message, code)
	}
	if r.Method != http.MethodGet {
		f.writes = append(f.writes, r.Method+" "+r.URL.Path)
	}
	name, one := strings.CutPrefix(r.URL.Path, "/api/v1/namespaces/")
	switch at := r.Method + " " + r.URL.Path; {
	case at == "GET /version":
		fmt.Fprint(w, `{"gitVersion":"v1.37.2"}`)
	case at == "GET /api/v1/namespaces" && r.URL.Query().Get("labelSelector") != "":
		var items []string
		for _, name := range f.namespaces {
			items = append(items, fakeNamespace(name))
		}
		fmt.Fprintf(w, `{"kind":"NamespaceList","apiVersion":"v1","metadata":{},"items":[%s]}`, strings.Join(items, ","))
	case at == "POST /api/v1/namespaces":
		status(409, "AlreadyExists", "there already")
	case one && slices.Contains(f.namespaces, name):
		if r.Method == http.MethodDelete {
			f.namespaces = slices.DeleteFunc(f.namespaces, func(n string) bool { return n == name })
		}
		fmt.Fprint(w, fakeNamespace(name))
	case one && !strings.Contains(name, "/"):
		status(404, "NotFound", "not found")
	default:
		status(403, "Forbidden", r.URL.Path+" is forbidden")
	}
}

func fakeNamespace(name string) string {
	return fmt.Sprintf(`{"kind":"Namespace","apiVersion":"v1","metadata":{"name":%q,"uid":%q,"labels":{%q:%q}}}`, name, "uid-"+name, cluster.OwnerLabel, cluster.OwnerName)
}

func kubeconfigFor(t *testing.T, server string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config")
	text := fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{name: c, cluster: {server: %q}}]\nusers: [{name: u, user: {}}]\ncontexts: [{name: c, context: {cluster: c, user: u}}]\n", server)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
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
	refused := kubeconfigFor(t, "http://127.0.0.1:1")
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
	if _, err := waitSynced(t.Context(), connection); err == nil || !strings.Contains(err.Error(), "/api/v1/namespaces/mine/services is forbidden") {
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
