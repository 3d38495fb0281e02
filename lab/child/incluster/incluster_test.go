package incluster

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"svctour/lab/child/process"
)

// redirect is a network in which every address leads to a server of the test.
type redirect struct {
	process.Network
	to    string
	asked []string
}

func (r *redirect) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	r.asked = append(r.asked, address)
	var dialer net.Dialer
	return dialer.DialContext(ctx, network, r.to)
}

// world is a process in a Pod, and an API server that knows one Node's name:
// the token that it is asked with.
func world(t *testing.T) (*process.Process, *redirect, []byte) {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		fmt.Fprintf(w, `{"kind":"Node","apiVersion":"v1","metadata":{"name":%q,"labels":{"agent":%q}}}`, token, r.UserAgent())
	}))
	t.Cleanup(server.Close)
	network := &redirect{to: server.Listener.Addr().String()}
	p := &process.Process{
		Args: []string{"/usr/local/bin/program"}, Files: afero.NewMemMapFs(), Net: network,
		Env: []string{"KUBERNETES_SERVICE_HOST=203.0.113.1", "KUBERNETES_SERVICE_HOST=127.0.0.1", "KUBERNETES_SERVICE_PORT=6443"},
	}
	return p, network, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
}

func write(t *testing.T, p *process.Process, file, content string) {
	t.Helper()
	if err := afero.WriteFile(p.Files, file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// tokenSeen is the token that the API server is asked with, and the client's name.
func tokenSeen(t *testing.T, config *rest.Config) string {
	t.Helper()
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	n, err := client.CoreV1().Nodes().Get(t.Context(), "me", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return n.Labels["agent"] + " " + n.Name
}

func TestConfig(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1") // this machine's, not the lab's
	p, network, ca := world(t)
	write(t, p, AuthorityFile, string(ca))
	write(t, p, TokenFile, "secret\n")
	config, err := Config(p)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := tokenSeen(t, config), "program secret"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := fmt.Sprint(network.asked), "[127.0.0.1:6443]"; got != want {
		t.Errorf("connected to %s, want %s", got, want)
	}
}

func TestConfigErrors(t *testing.T) {
	p, _, ca := world(t)
	for _, step := range []struct{ file, content, want string }{
		{"", "", "read the cluster's certificate authority"},
		{AuthorityFile, string(ca), "read the token: open"},
		{TokenFile, " \n", `read the token: "` + TokenFile + `" is empty`},
	} {
		if step.file != "" {
			write(t, p, step.file, step.content)
		}
		if _, err := Config(p); err == nil || !strings.Contains(err.Error(), step.want) {
			t.Errorf("got %v, want %q", err, step.want)
		}
	}
	p.Env = nil
	if _, err := Config(p); !errors.Is(err, rest.ErrNotInCluster) {
		t.Errorf("got %v, want %v", err, rest.ErrNotInCluster)
	}
}

func TestFromKubeconfig(t *testing.T) {
	const kubeconfig = `apiVersion: v1
kind: Config
clusters: [{name: default, cluster: {server: "https://127.0.0.1:6443", certificate-authority: ca.crt}}]
users: [{name: default, user: {%s}}]
contexts: [{name: default, context: {cluster: default, user: default}}]
current-context: default
`
	p, _, ca := world(t)
	write(t, p, "/etc/proxy/ca.crt", string(ca))
	write(t, p, "/run/token", "from a file")
	for user, want := range map[string]string{
		"tokenFile: /run/token":               "program from a file",
		"tokenFile: ../../run/token":          "program from a file",
		"token: plain":                        "program plain",
		"token: plain, tokenFile: /run/token": "program from a file",
	} {
		write(t, p, "/etc/proxy/kubeconfig.conf", fmt.Sprintf(kubeconfig, user))
		config, err := FromKubeconfig(p, "/etc/proxy/kubeconfig.conf")
		if err != nil {
			t.Fatal(err)
		}
		if got := tokenSeen(t, config); got != want {
			t.Errorf("%s: got %q, want %q", user, got, want)
		}
	}
	for text, want := range map[string]string{
		"{": `decode the kubeconfig "/k"`,
		strings.Replace(kubeconfig, "current-context: default", "current-context: x", 1):            `has no context "x"`,
		strings.Replace(kubeconfig, "cluster: default", "cluster: x", 1):                            `has no cluster "x"`,
		strings.Replace(kubeconfig, "user: default}", "user: x}", 1):                                `has no user "x"`,
		strings.Replace(kubeconfig, "ca.crt", "/nowhere", 1):                                        `read what the kubeconfig "/k" names`,
		fmt.Sprintf(kubeconfig, "username: a, password: b"):                                         "has neither a token nor a certificate",
		fmt.Sprintf(strings.Replace(kubeconfig, "ca.crt", "/etc/proxy/ca.crt", 1), "tokenFile: /x"): "read the token",
	} {
		write(t, p, "/k", strings.Replace(text, "%s", "token: a", 1))
		if _, err := FromKubeconfig(p, "/k"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestTokenIsReadAgain(t *testing.T) {
	files, now := afero.NewMemMapFs(), time.Unix(1000, 0)
	source := &tokens{files: files, file: "/token"}
	for i, step := range []struct {
		later   time.Duration
		content string // "": the file is gone
		want    string
	}{
		{0, "one", "one"},
		{tokenPeriod - 1, "two", "one"},
		{tokenPeriod, "two", "two"},
		{2 * tokenPeriod, "", "two"},
		{2*tokenPeriod + 1, "three", "three"},
	} {
		if step.content == "" {
			if err := files.Remove("/token"); err != nil {
				t.Fatal(err)
			}
		} else if err := afero.WriteFile(files, "/token", []byte(step.content), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := source.token(now.Add(step.later))
		if err != nil || got != step.want {
			t.Errorf("step %d: got %q, %v, want %q", i, got, err, step.want)
		}
	}
}
