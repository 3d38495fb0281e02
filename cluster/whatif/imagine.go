package whatif

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/klog/v2"

	"svctour/model"
)

// Imagine gives the cluster that holds the objects of manifests and nothing
// else, when the controllers have done their work. It asks no server. What the
// manifests say of an object's status is taken as it stands: which Pods are
// ready, at which addresses; a Pod without a status runs and is ready.
//
// The cluster has kubeadm's ranges and names, and kube-proxy in a mode; ""
// means its default. namespace is that of objects which name none.
func Imagine(manifests, namespace, mode string) (*model.Snapshot, error) {
	proxy := model.DefaultProxy()
	proxy.ClusterCIDRs, proxy.Running, proxy.Evidence, proxy.Source = []string{"10.244.0.0/16"}, true, model.Derived, "the manifests"
	if mode != "" {
		proxy.Mode = mode
	}
	before := model.NewSnapshot(model.Snapshot{
		Sequence: 1, Sync: model.Sync{Synced: true}, Proxy: proxy, ServiceCIDRs: []string{"10.96.0.0/16"},
		Cluster: model.Cluster{Context: "imagined"},
		DNS:     model.DNS{Domain: "cluster.local", Servers: []string{"10.96.0.10"}, Source: "kubeadm's defaults", Evidence: model.Derived},
	})
	w := newWorld(klog.NewContext(context.Background(), logr.Discard()), nil, before, namespace)
	if err := eachObject(manifests, w.imagine); err != nil {
		return nil, err
	}
	if err := w.settle(); err != nil {
		return nil, err
	}
	return w.planned().Snapshot, nil
}

// imagine makes an object, with the status that it is said to have.
func (w *world) imagine(doc *unstructured.Unstructured) error {
	status, has := doc.Object["status"]
	delete(doc.Object, "status")
	if err := w.applyObject(doc); err != nil {
		return fmt.Errorf("%s %s: %w", doc.GetKind(), doc.GetName(), err)
	}
	k := kindOf(doc.GetKind())
	if !has || k == nil {
		return nil
	}
	i := k.at(w.in(doc.GetNamespace()), doc.GetName())
	object, err := w.object(k, i)
	if err != nil {
		return err
	}
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return fmt.Errorf("write %s %s: %w", k.Kind, i.key(), err)
	}
	fields["status"] = status
	text, err := json.Marshal(fields)
	if err != nil {
		return fmt.Errorf("write %s %s: %w", k.Kind, i.key(), err)
	}
	stood, err := k.decode(text)
	if err != nil {
		return err
	}
	w.put(i, stood)
	return nil
}
