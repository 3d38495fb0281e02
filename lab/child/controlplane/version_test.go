package controlplane

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/component-base/version"

	"svctour/lab"
)

// TestVersion: the version that the components report is the one in go.mod,
// and they do report it.
func TestVersion(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("..", "..", "..", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "k8s.io/kubernetes " + lab.Version + "\n"; !strings.Contains(string(content), want) {
		t.Errorf("go.mod does not require %q", want)
	}
	if err := setVersion(); err != nil {
		t.Fatal(err)
	}
	if got := version.Get().GitVersion; got != lab.Version {
		t.Errorf("components report %s, want %s", got, lab.Version)
	}
}
