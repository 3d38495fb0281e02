package cluster

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const twoContexts = `apiVersion: v1
kind: Config
current-context: prod
clusters:
- {name: p, cluster: {server: "https://prod.example:6443"}}
- {name: d, cluster: {server: "https://127.0.0.1:1"}}
users:
- {name: u, user: {token: t}}
- {name: e, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: /opt/sign-in, interactiveMode: Never}}}
contexts:
- {name: prod, context: {cluster: p, user: u, namespace: shop}}
- {name: dev, context: {cluster: d, user: e}}
- {name: broken, context: {cluster: nowhere, user: u}}
`

// kubeconfig writes a kubeconfig and gives its path.
func kubeconfig(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// isolated keeps the person's own configuration out of a test.
func isolated(t testing.TB) {
	t.Helper()
	t.Setenv("HOME", t.TempDir())
	t.Setenv("USERPROFILE", os.Getenv("HOME"))
	t.Setenv("KUBECONFIG", "")
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
}

func TestContexts(t *testing.T) {
	isolated(t)
	got, err := Contexts(Options{Kubeconfig: kubeconfig(t, twoContexts)})
	if err != nil {
		t.Fatal(err)
	}
	want := []ContextInfo{
		{Name: "broken"},
		{Name: "dev", Server: "https://127.0.0.1:1", Plugin: "/opt/sign-in"},
		{Name: "prod", Server: "https://prod.example:6443", Namespace: "shop", Current: true},
	}
	if len(got) != len(want) {
		t.Fatalf("got %+v, want %+v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("context %d: got %+v, want %+v", i, got[i], want[i])
		}
	}
}

// KUBECONFIG is a list whose earlier files win; missing ones are skipped.
func TestContextsMergesTheList(t *testing.T) {
	isolated(t)
	first := kubeconfig(t, "apiVersion: v1\nkind: Config\ncurrent-context: dev\n")
	t.Setenv("KUBECONFIG", strings.Join([]string{first, filepath.Join(t.TempDir(), "missing"), kubeconfig(t, twoContexts)}, string(os.PathListSeparator)))
	got, err := Contexts(Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || !got[1].Current || got[1].Name != "dev" || got[2].Current {
		t.Errorf("got %+v, want dev current", got)
	}
}

func TestConfigurationErrors(t *testing.T) {
	isolated(t)
	good := kubeconfig(t, twoContexts)
	none := new(NoKubeconfigError)
	malformed := new(MalformedError)
	choice := new(ContextError)
	for name, c := range map[string]struct {
		options Options
		as      any
		want    string
	}{
		"nothing at all":      {Options{}, &none, "No kubeconfig: nothing configures a cluster in "},
		"missing file":        {Options{Kubeconfig: "/no/such/file"}, &none, `Kubeconfig "/no/such/file": no such file or directory.`},
		"not YAML":            {Options{Kubeconfig: kubeconfig(t, "{")}, &malformed, "Read the kubeconfig: "},
		"not a kubeconfig":    {Options{Kubeconfig: kubeconfig(t, "just text")}, &malformed, "Read the kubeconfig: "},
		"unknown context":     {Options{Kubeconfig: good, Context: "prd"}, &choice, `Context "prd" does not exist: the kubeconfig has "prod", "dev", "broken".`},
		"context of no use":   {Options{Kubeconfig: good, Context: "broken"}, &malformed, `context "broken"`},
		"no current context":  {Options{Kubeconfig: kubeconfig(t, strings.Replace(twoContexts, "current-context: prod", "", 1))}, &choice, "No context chosen and no current-context set: "},
		"escapes in the name": {Options{Kubeconfig: good, Context: "\x1b[2J"}, &choice, `"\x1b[2J"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Connect(context.Background(), c.options)
			if err == nil || !errors.As(err, c.as) {
				t.Fatalf("got %T %v", err, err)
			}
			if got := Explain(err); !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if _, again := Probe(context.Background(), c.options); Explain(again) != Explain(err) {
				t.Errorf("Probe says %q, Connect %q", Explain(again), Explain(err))
			}
		})
	}
}

func TestConnectChoosesLikeKubectl(t *testing.T) {
	isolated(t)
	path := kubeconfig(t, twoContexts)
	t.Setenv("KUBECONFIG", "/ignored/because/of/the/flag")
	for name, c := range map[string]struct {
		options                    Options
		context, server, namespace string
	}{
		"current context":      {Options{}, "prod", "https://prod.example:6443", "shop"},
		"another context":      {Options{Context: "dev"}, "dev", "https://127.0.0.1:1", "default"},
		"another namespace":    {Options{Namespace: "x"}, "prod", "https://prod.example:6443", "x"},
		"both, and it's a lab": {Options{Context: "dev", Namespace: "y", Lab: true}, "dev", "https://127.0.0.1:1", "y"},
	} {
		t.Run(name, func(t *testing.T) {
			c.options.Kubeconfig = path
			connection, err := Connect(context.Background(), c.options)
			if err != nil {
				t.Fatal(err)
			}
			defer connection.Close()
			got := connection.Cluster()
			if got.Context != c.context || got.Server != c.server || connection.Namespace() != c.namespace || got.Lab != c.options.Lab {
				t.Errorf("got %+v in %q, want %s %s in %q", got, connection.Namespace(), c.context, c.server, c.namespace)
			}
		})
	}
}
