package whatif

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"svctour/test/drive"
)

// spied is what passed a proxy before the API server.
type spied struct {
	kubeconfig string

	mu    sync.Mutex
	asked map[string]int // by verb
	wrong []string
}

// spy puts a proxy before a lab's API server, and gives a kubeconfig that leads
// through it.
func spy(t *testing.T, lab *drive.Cluster) *spied {
	t.Helper()
	target, err := url.Parse(lab.Config.Host)
	if err != nil {
		t.Fatal(err)
	}
	transport, err := rest.TransportFor(lab.Config) // with the token, which a client gives to no plain HTTP
	if err != nil {
		t.Fatal(err)
	}
	s := &spied{kubeconfig: filepath.Join(t.TempDir(), "kubeconfig"), asked: map[string]int{}}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.Transport, proxy.FlushInterval = transport, -1
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.note(r)
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	config, err := clientcmd.LoadFromFile(lab.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range config.Clusters {
		c.Server, c.CertificateAuthorityData, c.CertificateAuthority = server.URL, nil, ""
	}
	if err := clientcmd.WriteToFile(*config, s.kubeconfig); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *spied) note(r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	verb := r.Method
	switch parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/"); {
	case r.Method != http.MethodGet:
		s.wrong = append(s.wrong, r.Method+" "+r.URL.Path)
	case r.URL.Query().Get("watch") != "":
		verb = "watch"
	case slices.Contains(parts, "namespaces") && len(parts) > 6 || len(parts) == 6 && parts[0] == "api":
		verb = "get"
	case len(parts) < 2:
		verb = "version"
	default:
		verb = "list"
	}
	s.asked[verb]++
}

// check holds that nothing was asked to be changed.
func (s *spied) check(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.wrong) > 0 {
		t.Errorf("what-if asked for more than get, list and watch: %v", s.wrong)
	}
	var verbs []string
	for _, verb := range slices.Sorted(maps.Keys(s.asked)) {
		verbs = append(verbs, fmt.Sprintf("%d %s", s.asked[verb], verb))
	}
	if s.asked["get"] == 0 || s.asked["watch"] == 0 {
		t.Errorf("nothing passed the proxy: %v", verbs)
	}
	t.Logf("what the API server was asked through the proxy: %s", strings.Join(verbs, ", "))
}
