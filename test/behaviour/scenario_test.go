package behaviour

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// scenario is a situation in a namespace of its own, and what clients get in it.
type scenario struct {
	Name   string   `json:"name"`
	Source string   `json:"source"` // why this is right: a KEP, a page, a file
	Only   string   `json:"only"`   // "lab": what a cluster of containers here has not, see Why
	Why    string   `json:"why"`
	Alone  bool     `json:"alone"` // changes kube-system: runs by itself, at the end
	Pods   []server `json:"pods"`
	Apply  string   `json:"apply"` // manifests; a template, see world.functions
	Steps  []step   `json:"steps"`
}

// server is a Pod that answers: nginx on port 8080, which is named http, and
// on 127.0.0.1:8081, with its hostname and the client's address.
type server struct {
	Name     string            `json:"name"`
	Node     int               `json:"node"`     // from 1; 0: wherever the scheduler puts it
	Labels   map[string]string `json:"labels"`   // app: web unless given
	NotReady bool              `json:"notReady"` // until a step says ready
	Lingers  bool              `json:"lingers"`  // serves on for a minute when deleted
	Names    bool              `json:"names"`    // a DNS server instead: UDP 5353, who.test is its own address
	Port     string            `json:"port"`     // the name of port 8080, if not http
	Number   int               `json:"number"`   // another number for it
	Spec     map[string]any    `json:"spec"`     // more fields of the Pod's spec
}

// step does something, or asks something and says what the answer must be.
type step struct {
	Apply    string            `json:"apply"`
	Delete   string            `json:"delete"` // KIND/NAME; of a Pod gently, as kubectl delete does
	Ready    string            `json:"ready"`  // a server's name
	Unready  string            `json:"unready"`
	Ingress  map[string]string `json:"ingress"` // Service to ADDRESS [MODE]: what a load balancer's controller would write
	CoreDNS  *int32            `json:"coredns"` // scale it
	NoProxy  *bool             `json:"noProxy"` // no kube-proxy on node 1, or again
	Unsettle bool              `json:"unsettle"`

	From string `json:"from"` // client (a Pod on node 1), client2, node1, node2 (in the node's network), outside, or a server
	HTTP string `json:"http"` // an URL
	UDP  string `json:"udp"`  // ADDRESS PORT of a server with names
	DNS  string `json:"dns"`  // NAME [TYPE]
	Ping string `json:"ping"`
	Run  string `json:"run"` // a shell command
	Log  string `json:"log"` // a server's log, its last line's first word
	// Want is the whole result, see world.ask. Several requests in a row give
	// the set of their results, sorted and joined by " / ".
	Want  string `json:"want"`
	Times int    `json:"times"`
	// Either takes timeout and unreachable for the same, "no answer": which it
	// is depends on the routers around a cluster, not on the cluster.
	Either bool `json:"either"`
}

func (s step) asks() bool { return s.Want != "" }

// request describes what a step asks, for people and for comparing.
func (s step) request() string {
	for _, kind := range []struct{ name, what string }{
		{"http", s.HTTP}, {"udp", s.UDP}, {"dns", s.DNS}, {"ping", s.Ping}, {"run", s.Run}, {"log", s.Log},
	} {
		if kind.what != "" {
			return strings.TrimSpace(s.From + " " + kind.name + " " + kind.what)
		}
	}
	return "nothing"
}

// scenarios reads the folder testdata.
func scenarios(t *testing.T) []scenario {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var all []scenario
	seen := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var some []scenario
		if err := yaml.UnmarshalStrict(text, &some); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, s := range some {
			if problem := s.problem(); problem != "" || seen[s.Name] {
				t.Fatalf("%s: scenario %q: %s, or it is there twice", file, s.Name, problem)
			}
			seen[s.Name] = true
		}
		all = append(all, some...)
	}
	return all
}

func (s scenario) problem() string {
	asks := 0
	for i, step := range s.Steps {
		if step.asks() {
			asks++
		}
		if step.asks() != (step.request() != "nothing") {
			return fmt.Sprintf("step %d asks without knowing the answer, or the other way round", i+1)
		}
	}
	switch {
	case s.Name == "" || s.Source == "" || len(s.Name) > 40:
		return "it has no name, no source, or a long name"
	case asks == 0:
		return "it asks nothing"
	case (s.Only == "lab") != (s.Why != "") || s.Only != "" && s.Only != "lab":
		return "only: lab needs a why"
	}
	return ""
}

// comparable says whether a cluster of containers can run it, too.
func (s scenario) comparable() bool { return s.Only == "" }
