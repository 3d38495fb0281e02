// Package fakecluster answers like an API server that has some namespaces of
// svctour's and forbids everything else. It is for exit codes and words, not for
// behaviour.
package fakecluster

import (
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

// Cluster is a fake one.
type Cluster struct {
	Kubeconfig string // path

	mu         sync.Mutex
	namespaces []string
	writes     []string // what was asked to be changed: "DELETE /api/v1/namespaces/tour"
}

// New makes a fake cluster with namespaces of svctour's. It ends with the test.
func New(t *testing.T, namespaces ...string) *Cluster {
	t.Helper()
	f := &Cluster{namespaces: namespaces}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	f.Kubeconfig = Kubeconfig(t, server.URL)
	return f
}

// Wrote is what was asked to be changed so far.
func (f *Cluster) Wrote() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.writes)
}

// ServeHTTP implements http.Handler.
func (f *Cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
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

// Kubeconfig writes a kubeconfig whose context "c" leads to a server, and gives
// its path.
func Kubeconfig(t *testing.T, server string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config")
	text := fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{name: c, cluster: {server: %q}}]\nusers: [{name: u, user: {}}]\ncontexts: [{name: c, context: {cluster: c, user: u}}]\n", server)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
