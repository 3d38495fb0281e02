package e2e

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestBadInput: each mistake is met with a sentence and the right exit code.
func TestBadInput(t *testing.T) {
	home := home(t)
	kubeconfig := filepath.Join(home, "config")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refusing := "https://" + listener.Addr().String()
	listener.Close()
	config := `apiVersion: v1
kind: Config
current-context: dead
clusters: [{name: dead, cluster: {server: "` + refusing + `"}}]
users: [{name: nobody, user: {token: x}}]
contexts: [{name: dead, context: {cluster: dead, user: nobody}}]
`
	if err := os.WriteFile(kubeconfig, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		env  []string
		args []string
		code int
		says string
	}{
		{"no terminal", nil, nil, 2, "needs a terminal"},
		{"no kubeconfig", nil, []string{"trace", "web"}, 2, "kubeconfig"},
		{"missing file", nil, []string{"trace", "web", "--kubeconfig", filepath.Join(home, "nope")}, 2, "nope"},
		{"wrong context", []string{"KUBECONFIG=" + kubeconfig}, []string{"trace", "web", "--context", "deda"}, 2, "dead"},
		{"server refuses", []string{"KUBECONFIG=" + kubeconfig}, []string{"trace", "web"}, 1, "refused"},
		{"unknown flag", nil, []string{"trace", "web", "--nope"}, 2, "nope"},
		{"unknown command", nil, []string{"traec"}, 2, "traec"},
		{"unknown output", []string{"KUBECONFIG=" + kubeconfig}, []string{"trace", "web", "-o", "xml"}, 2, "xml"},
		{"unknown lesson", nil, []string{"lessons", "show", "nope"}, 2, "nope"},
		{"no lab to stop", nil, []string{"lab", "kubeconfig"}, 1, "no lab is running"},
	} {
		t.Run(c.name, func(t *testing.T) {
			stdout, stderr, code := svctour(t, home, c.env, c.args...)
			if code != c.code || !strings.Contains(stderr, c.says) {
				t.Errorf("exit code %d (want %d), stdout %q, stderr %q (want %q in it)", code, c.code, stdout, stderr, c.says)
			}
			if strings.Contains(stderr, "goroutine") || strings.Contains(stderr, "panic") {
				t.Errorf("a stack trace: %s", stderr)
			}
		})
	}
}
