package controlplane

import (
	"fmt"
	_ "unsafe" // for go:linkname

	"k8s.io/component-base/version"

	"svctour/lab"
)

// Kubernetes' own build sets these with -ldflags, which "go run ." cannot, and
// version.SetDynamicVersion only accepts the version it already has. Without
// them every component would report v0.0.0-master.
//
//go:linkname gitVersion k8s.io/component-base/version.gitVersion
var gitVersion string

//go:linkname gitCommit k8s.io/component-base/version.gitCommit
var gitCommit string

// setVersion makes every Kubernetes component of this process report
// lab.Version.
func setVersion() error {
	gitVersion = lab.Version
	gitCommit = ""
	if err := version.SetDynamicVersion(lab.Version); err != nil {
		return fmt.Errorf("set the components' version to %s: %w", lab.Version, err)
	}
	return nil
}
