package policy

import (
	"testing"

	"svctour/model"
)

func TestEnforced(t *testing.T) {
	pod := func(namespace, node, key, value string) *model.Pod {
		return &model.Pod{Meta: model.Meta{Namespace: namespace, Name: value, Labels: map[string]string{key: value}}, Node: node}
	}
	s := model.NewSnapshot(model.Snapshot{
		Nodes: []*model.Node{{Meta: model.Meta{Name: "lab", Labels: map[string]string{"node.kubernetes.io/instance-type": "svctour-lab"}}}, {Meta: model.Meta{Name: "plain"}}},
		Pods: []*model.Pod{
			pod("calico-system", "calico", "k8s-app", "calico-node"), pod("kube-system", "cilium", "k8s-app", "cilium"),
			pod("kube-flannel", "flannel", "app", "flannel"), pod("shop", "shop", "k8s-app", "cilium"), pod("kube-system", "", "app", "antrea"),
		},
	})
	for node, want := range map[string]model.Evidence{
		"lab": model.Derived, "calico": model.Derived, "cilium": model.Derived,
		"plain": model.Unknown, "flannel": model.Unknown, "shop": model.Unknown, "": model.Unknown,
	} {
		if got := Enforced(s, node); got != want {
			t.Errorf("node %q: %s, want %s", node, got, want)
		}
	}
}
