// Package cases applies real failing Services to the lab and asks what a
// client sees.
package cases

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"svctour/cli"
	"svctour/lab"
)

// failing is a case of testdata/cases.yaml, as far as it is needed here.
type failing struct {
	ID         string            `json:"id"`
	Kind       string            `json:"kind"`
	Target     string            `json:"target"` // NAMESPACE/SERVICE
	ClientSees string            `json:"client_sees"`
	PodState   map[string]string `json:"pod_state"`
	Manifests  string            `json:"manifests"`
}

var cluster struct{ kubeconfig, dir string }

// TestMain lets this test binary be svctour, for the lab's process and for
// kubectl, and runs one lab for all cases.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "lab" || os.Args[1] == "kubectl" || os.Args[1] == "doctor") {
		os.Exit(cli.Main(context.Background(), cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, os.Args))
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	executable, err := os.Executable()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	dir, err := os.MkdirTemp("", "svc-cases-*")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	process, err := lab.Start(context.Background(), lab.StartOptions{Executable: executable, Dir: filepath.Join(dir, "lab")})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer process.Stop(context.Background())
	cluster.kubeconfig, cluster.dir = process.Status().Kubeconfig, dir
	return m.Run()
}

// TestCases holds every case against what it says that its client sees.
func TestCases(t *testing.T) {
	kubectl(t, "", "wait", "--namespace=kube-system", "--for=condition=Available", "deployment/coredns", "--timeout=60s")
	for _, c := range list(t) {
		t.Run(c.ID, func(t *testing.T) {
			if why := elsewhere[c.ID]; why != "" {
				t.Skip(why)
			}
			if !alone[c.ID] {
				t.Parallel()
			}
			want := c.ClientSees
			if d, has := deviations[c.ID]; has {
				want = d.sees
				t.Logf("the case says %q: %s", c.ClientSees, d.why)
			}
			p := &place{T: t, failing: c, prefix: c.ID + "-"}
			p.try(want)
		})
	}
}

// list are the cases.
func list(t *testing.T) []failing {
	t.Helper()
	data, err := os.ReadFile("testdata/cases.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var list []failing
	if err := yaml.Unmarshal(data, &list); err != nil {
		t.Fatal(err)
	}
	return list
}

// place is one case in namespaces of its own.
type place struct {
	*testing.T
	failing
	prefix string
}

func (p *place) namespace() string {
	name, _, _ := strings.Cut(p.Target, "/")
	return p.prefix + name
}

func (p *place) service() string {
	_, name, _ := strings.Cut(p.Target, "/")
	return name
}

// try applies the case and asks until the client sees what it should, and then
// one more time: a Service that is still being set up refuses too.
func (p *place) try(want string) {
	output, err := p.apply()
	if want == "rejected" {
		if err == nil {
			p.Errorf("it was accepted: %s", output)
		}
		return
	}
	if err != nil {
		p.Fatalf("apply: %v\n%s", err, output)
	}
	p.settle()
	ask := (*place).http
	if special := asks[p.ID]; special != nil {
		ask = special
	}
	last := ""
	eventually(p.T, func() error {
		if last = ask(p); last != want {
			return fmt.Errorf("the client sees %q, want %q", last, want)
		}
		if again := ask(p); again != want {
			return fmt.Errorf("the client sees %q, then %q", want, again)
		}
		return nil
	})
	command := p.consult()
	p.beside()
	want, has := mended[p.ID]
	if !has || p.Failed() {
		return
	}
	p.mend(command)
	switch p.ID {
	case "peers-need-not-ready": // its second Pod is made when the first is ready
		ask = func(p *place) string { return p.look("db-0.db") }
	case "dns-egress-denied": // the name resolves: now a real request
		ask = (*place).http
	}
	eventually(p.T, func() error {
		if last = ask(p); last != want {
			return fmt.Errorf("after %s the client sees %q, want %q", command, last, want)
		}
		return nil
	})
}

// apply creates the case's objects, and a client beside them, each namespace
// under another name.
func (p *place) apply() (string, error) {
	docs := split(p.Manifests)
	namespaces := map[string]bool{"default": true}
	name, _, _ := strings.Cut(p.Target, "/")
	namespaces[name] = true
	for _, doc := range docs {
		if meta, is := doc["metadata"].(map[string]any); is {
			if ns, is := meta["namespace"].(string); is {
				namespaces[ns] = true
			}
		}
	}
	var out strings.Builder
	for ns := range namespaces {
		kubectl(p.T, "", "create", "namespace", p.prefix+ns)
	}
	p.Cleanup(func() {
		for ns := range namespaces {
			if alone[p.ID] { // a namespace's end takes its time, and the next case needs the nodePort
				kubectl(p.T, "", "delete", "services", "--all", "--namespace="+p.prefix+ns)
			}
			kubectl(p.T, "", "delete", "namespace", p.prefix+ns, "--wait=false")
		}
	})
	if !strings.Contains(p.Manifests, "kind: Pod\n") {
		kubectl(p.T, "", "run", "client", "--namespace="+p.namespace(), "--image=nicolaka/netshoot", "--command", "--", "sleep", "infinity")
	}
	for _, doc := range docs {
		if doc["kind"] == "Namespace" || doc["kind"] == "IPAddressPool" {
			continue
		}
		meta := doc["metadata"].(map[string]any)
		ns, _ := meta["namespace"].(string)
		if ns == "" {
			ns = "default"
		}
		meta["namespace"] = p.prefix + ns
		text, err := yaml.Marshal(doc)
		if err != nil {
			p.Fatal(err)
		}
		answer, err := tryKubectl(string(text), "apply", "-f", "-")
		out.WriteString(answer)
		if err != nil {
			return out.String(), err
		}
	}
	return out.String(), nil
}

func split(text string) []map[string]any {
	var out []map[string]any
	for _, part := range strings.Split("\n"+text, "\n---\n") {
		var doc map[string]any
		if err := yaml.Unmarshal([]byte(part), &doc); err == nil && doc["kind"] != nil {
			out = append(out, doc)
		}
	}
	return out
}

// settle waits until the case's Pods are as ready as they will be.
func (p *place) settle() {
	if p.PodState == nil && p.ID != "crashloop" {
		for _, kind := range []string{"deployment", "statefulset"} {
			for _, line := range strings.Fields(kubectl(p.T, "", "get", kind, "--namespace="+p.prefix+"default", "-o", "name")) {
				kubectl(p.T, "", "rollout", "status", line, "--namespace="+p.prefix+"default", "--timeout=90s")
			}
		}
	}
	kubectl(p.T, "", "wait", "--namespace="+p.namespace(), "--for=condition=Ready", "pod/client", "--timeout=90s")
}

// client runs a command in the client Pod.
func (p *place) client(command ...string) (string, int) {
	out, err := tryKubectl("", append([]string{"exec", "--namespace=" + p.namespace(), "client", "--"}, command...)...)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return out, exit.ExitCode()
	}
	return out, 0
}

// http asks the Service for its page at its first port.
func (p *place) http() string {
	return p.curl("http://" + p.service() + ":" + p.field("{.spec.ports[0].port}"))
}

// field is a field of the Service.
func (p *place) field(path string) string {
	return strings.TrimSpace(kubectl(p.T, "", "get", "service", p.service(), "--namespace="+p.namespace(), "-o", "jsonpath="+path))
}

// curl is what a client sees of an address, in the words of the cases.
func (p *place) curl(url string) string {
	out, exit := p.client("curl", "-sS", "-o", "/dev/null", "-m", "3", "-w", "%{http_code}", url)
	switch exit {
	case 0:
		if strings.HasSuffix(out, "200") {
			return "ok"
		}
		return "http-error"
	case 6:
		return "nxdomain"
	case 7:
		if strings.Contains(out, "unreachable") || strings.Contains(out, "No route") {
			return "unreachable"
		}
		return "refused"
	case 28:
		return "timeout"
	}
	return fmt.Sprintf("exit code %d: %s", exit, out)
}

// look is what a client sees of a name.
func (p *place) look(name string) string {
	out, exit := p.client("dig", "+search", "+time=2", "+tries=1", name)
	switch {
	case strings.Contains(out, "status: NXDOMAIN"):
		return "nxdomain"
	case exit != 0:
		return "timeout"
	case strings.Contains(out, "ANSWER: 0"):
		return "nodata"
	}
	return "ok"
}

func kubectl(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, err := tryKubectl(stdin, args...)
	if err != nil {
		t.Fatalf("kubectl %q: %v\n%s", args, err, out)
	}
	return out
}

func tryKubectl(stdin string, args ...string) (string, error) {
	return trySvctour(stdin, append([]string{"kubectl"}, args...)...)
}

// trySvctour runs this program on the lab, and gives what it prints; what the
// doctor says on stderr is left out.
func trySvctour(stdin string, args ...string) (string, error) {
	executable, err := os.Executable()
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, executable, args...)
	command.Env = append(os.Environ(), "KUBECONFIG="+cluster.kubeconfig, "SVCTOUR_HOME="+cluster.dir)
	command.Stdin = strings.NewReader(stdin)
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	if args[0] == "doctor" {
		command.Stderr = os.Stderr
	}
	err = command.Run()
	return out.String(), err
}

func eventually(t *testing.T, check func() error) {
	t.Helper()
	deadline := time.Now().Add(45 * time.Second)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Error(err)
			return
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-t.Context().Done():
			return
		}
	}
}

// refusedHere is what this machine sees at a port of its loopback.
func refusedHere(port string) string {
	conn, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", port), 2*time.Second)
	if err != nil {
		return "refused"
	}
	conn.Close()
	return "ok"
}
