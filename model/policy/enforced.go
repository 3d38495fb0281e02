package policy

import (
	"slices"

	"svctour/model"
)

// enforcers are Pods of network plugins that obey NetworkPolicies on their node,
// by a label (calico/manifests; cilium install/kubernetes; antrea-io/antrea
// build/yamls; cloudnativelabs/kube-router daemonset; weaveworks/weave).
var enforcers = map[string][]string{
	"k8s-app": {"calico-node", "cilium", "kube-router", "canal"},
	"app":     {"antrea"},
	"name":    {"weave-net"},
}

// Enforced says how far it is known that a node's network plugin obeys
// NetworkPolicies: Derived where one that does runs there, else Unknown. The API
// takes policies whether or not anything obeys them, and no object tells
// (https://kubernetes.io/docs/concepts/services-networking/network-policies/#prerequisites).
func Enforced(s *model.Snapshot, node string) model.Evidence {
	if n := s.Node(node); n != nil && n.Labels["node.kubernetes.io/instance-type"] == "svctour-lab" {
		return model.Derived
	}
	if slices.ContainsFunc(s.Pods, func(p *model.Pod) bool { return p.Node == node && node != "" && enforces(p) }) {
		return model.Derived
	}
	return model.Unknown
}

func enforces(pod *model.Pod) bool {
	if pod.Namespace != "kube-system" && pod.Namespace != "calico-system" {
		return false
	}
	for label, values := range enforcers {
		if slices.Contains(values, pod.Labels[label]) {
			return true
		}
	}
	return false
}
