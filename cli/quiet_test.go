package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/klog/v2"

	"svctour/cluster"
)

// TestQuiet: what a credential plugin prints, and what Kubernetes' libraries log,
// goes to the log and not to the terminal.
func TestQuiet(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("no sh to be the credential plugin")
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "config")
	if err := os.WriteFile(config, []byte(`apiVersion: v1
kind: Config
current-context: c
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: sh, args: [-c, "echo noise >&2; exit 3"], interactiveMode: IfAvailable}}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
`), 0o600); err != nil {
		t.Fatal(err)
	}
	log, restore, err := quiet(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = cluster.Probe(t.Context(), cluster.Options{Kubeconfig: config})
	if got := cluster.Explain(err); !strings.Contains(got, "credential plugin gave no credentials: exec: executable sh failed with exit code 3") {
		t.Errorf("got %q", got)
	}
	klog.Error("something \x1b[31m bad")
	klog.Background().Info("something good")
	if err := restore(); err != nil {
		t.Fatal(err)
	}
	said, err := os.ReadFile(log.Name())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"noise\n", `something \x1b[31m bad`, "something good"} {
		if !strings.Contains(string(said), want) {
			t.Errorf("the log lacks %q:\n%s", want, said)
		}
	}
}
