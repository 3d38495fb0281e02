// Package lab starts, finds and ends the embedded cluster: a real Kubernetes
// control plane and nodes whose kubelets are ours, in one process of its own,
// without root, containers, or any network but loopback. A lab is reached like
// any cluster, through the kubeconfig that it writes.
//
// This package is the parent's half and holds nothing of Kubernetes' internals.
// The process that Start starts is package child; the two halves share this
// package's values and the lab's folder, which is gone when the lab has ended.
package lab

import (
	"fmt"
	"path/filepath"

	"svctour/model/path"
)

// ContextName names the context, the cluster and nothing else in a lab's
// kubeconfig.
const ContextName = "svctour-lab"

// Version is the Kubernetes release that is compiled in, as control plane and
// as kubectl: that of k8s.io/kubernetes in go.mod.
const Version = "v1.37.2"

// DefaultNodes is how many nodes a lab has unless told otherwise.
const DefaultNodes = 3

// Options say where a lab lives and how big it is.
type Options struct {
	Dir   string // required: the lab's folder, made if need be
	Nodes int    // 0: DefaultNodes
	// ProxyMode is kube-proxy's: iptables or nftables; "" is iptables.
	ProxyMode string
	// Progress is told when a stage of the start begins and when it is done;
	// may be nil. Stages overlap.
	Progress func(Stage)
}

// Stage is a part of a lab's start, named for people.
type Stage struct {
	Name string `json:"name"`
	Done bool   `json:"done"`
}

// Complete fills in the defaults, makes Dir absolute, and refuses what no lab
// can be.
func (o *Options) Complete() error {
	if o.Nodes == 0 {
		o.Nodes = DefaultNodes
	}
	if o.Nodes < 1 || o.Nodes > MaxNodes {
		return fmt.Errorf("a lab has 1 to %d nodes, not %d", MaxNodes, o.Nodes)
	}
	if o.ProxyMode == "" {
		o.ProxyMode = path.ModeIPTables
	}
	if o.ProxyMode != path.ModeIPTables && o.ProxyMode != path.ModeNFTables {
		return fmt.Errorf("the lab's kube-proxy runs in mode %s or %s, not %q", path.ModeIPTables, path.ModeNFTables, o.ProxyMode)
	}
	if o.Progress == nil {
		o.Progress = func(Stage) {}
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return fmt.Errorf("find the lab's folder %q: %w", o.Dir, err)
	}
	o.Dir = dir
	return nil
}
