package lessons

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"svctour/model"
)

// NeedKind is what a lesson or a step may need of a cluster.
type NeedKind string

// The kinds of needs.
const (
	NeedLab   NeedKind = "lab"   // svctour's own lab: what the step does would harm others
	NeedNodes NeedKind = "nodes" // at least Count nodes
	NeedMode  NeedKind = "mode"  // kube-proxy's mode is Name
	NeedAddon NeedKind = "addon" // the add-on Name runs
)

// Need is one thing that a lesson or a step needs of a cluster.
type Need struct {
	Kind  NeedKind
	Count int    // of NeedNodes
	Name  string // of NeedMode and NeedAddon
}

// modes are kube-proxy's (KubeProxyConfiguration, mode), on Linux.
var modes = []string{"iptables", "nftables", "ipvs"}

// parseNeed reads a need as lessons write it: "lab", "nodes 2", "mode nftables"
// or "addon metallb".
func parseNeed(text string) (Need, error) {
	kind, value, _ := strings.Cut(strings.TrimSpace(text), " ")
	value = strings.TrimSpace(value)
	n := Need{Kind: NeedKind(kind)}
	count, err := strconv.Atoi(value)
	switch {
	case n.Kind == NeedLab && value == "":
		return n, nil
	case n.Kind == NeedNodes && err == nil && count > 0:
		n.Count = count
		return n, nil
	case n.Kind == NeedMode && slices.Contains(modes, value):
		n.Name = value
		return n, nil
	case n.Kind == NeedAddon && idPattern.MatchString(value):
		n.Name = value
		return n, nil
	}
	return n, fmt.Errorf("need %q: want lab, nodes NUMBER, mode iptables, nftables or ipvs, or addon NAME", text)
}

// String gives the need as lessons write it.
func (n Need) String() string {
	switch n.Kind {
	case NeedNodes:
		return fmt.Sprintf("%s %d", n.Kind, n.Count)
	case NeedMode, NeedAddon:
		return string(n.Kind) + " " + n.Name
	}
	return string(n.Kind)
}

// MarshalText implements encoding.TextMarshaler: see String.
func (n Need) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler: see parseNeed.
func (n *Need) UnmarshalText(text []byte) (err error) {
	*n, err = parseNeed(string(text))
	return err
}

// Met says whether a snapshot meets the need; why says what it has instead, as
// the end of a sentence. An add-on is there when the Deployment by its name in
// kube-system, which svctour made, has a Pod that is available.
func (n Need) Met(s *model.Snapshot) (met bool, why string) {
	switch n.Kind {
	case NeedLab:
		return s.Cluster.Lab, "this cluster is not svctour's lab"
	case NeedNodes:
		if reason, missing := s.Sync.Missing["nodes"]; missing {
			return false, "the nodes cannot be read: " + reason
		}
		return len(s.Nodes) >= n.Count, fmt.Sprintf("this cluster has %s", model.Count(len(s.Nodes), "node"))
	case NeedMode:
		if s.Proxy.Mode == "" {
			return false, "kube-proxy's mode is not known here"
		}
		return s.Proxy.Mode == n.Name, "kube-proxy's mode here is " + s.Proxy.Mode
	}
	if reason, missing := s.Sync.Missing["deployments"]; missing {
		return false, "the Deployments cannot be read: " + reason
	}
	for _, d := range s.Deployments {
		if d.Namespace == "kube-system" && d.Name == n.Name && d.Labels["app.kubernetes.io/managed-by"] == "svctour" && d.Available > 0 {
			return true, ""
		}
	}
	return false, fmt.Sprintf("the add-on %q does not run here", n.Name)
}
