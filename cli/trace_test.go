package cli

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

// What trace and dns refuse before they ask any cluster: exit code 2, a
// sentence on stderr, nothing on stdout.
func TestTraceAndDNSUsage(t *testing.T) {
	t.Setenv("SVCTOUR_HOME", t.TempDir())
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	for line, want := range map[string]string{
		"trace":                              "trace needs one target",
		"trace a b":                          "trace needs one target",
		"trace node/node-a":                  "a node needs a port",
		"trace web:99999":                    `port "99999": want 1 to 65535`,
		"trace web -o xml":                   `output format "xml": want text, json or yaml`,
		"trace web --proxy-mode userspace":   `--proxy-mode "userspace": want auto`,
		"trace web --no-such-flag":           "unknown flag: --no-such-flag",
		"dns":                                "dns needs one name",
		"dns web -o table":                   `output format "table"`,
		"trace web --kubeconfig /no/such":    "/no/such",
		"dns web --kubeconfig /no/such/file": "/no/such/file",
	} {
		var out, err bytes.Buffer
		code := Main(t.Context(), Streams{In: strings.NewReader(""), Out: &out, Err: &err}, append([]string{"svctour"}, strings.Fields(line)...))
		if code != exitUsage {
			t.Errorf("svctour %s: exit code %d", line, code)
		}
		if !strings.Contains(err.String(), want) || !strings.HasPrefix(err.String(), "svctour: ") {
			t.Errorf("svctour %s: stderr %q, want %q in it", line, err.String(), want)
		}
		if out.Len() > 0 {
			t.Errorf("svctour %s: stdout %q", line, out.String())
		}
	}
}
