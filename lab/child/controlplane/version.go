package controlplane

import (
	"fmt"
	_ "unsafe" // for go:linkname

	"k8s.io/component-base/version"
)

// Version is the Kubernetes release that is compiled in: the version of
// k8s.io/kubernetes in go.mod.
const Version = "v1.37.2"

// Kubernetes' own build sets these with -ldflags, which "go run ." cannot, and
// version.SetDynamicVersion only accepts the version it already has. Without
// them every component would report v0.0.0-master.
//
//go:linkname gitVersion k8s.io/component-base/version.gitVersion
var gitVersion string

//go:linkname gitCommit k8s.io/component-base/version.gitCommit
var gitCommit string

// setVersion makes every Kubernetes component of this process report Version.
func setVersion() error {
	gitVersion = Version
	gitCommit = ""
	if err := version.SetDynamicVersion(Version); err != nil {
		return fmt.Errorf("set the components' version to %s: %w", Version, err)
	}
	return nil
}
