//lint:file-ignore SA1019 v1 Endpoints are shown beside the slices, with their deprecation.

package whatif

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/client-go/kubernetes"
	_ "k8s.io/kubernetes/pkg/apis/apps/install" // so that the scheme knows them
	_ "k8s.io/kubernetes/pkg/apis/batch/install"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	_ "k8s.io/kubernetes/pkg/apis/discovery/install"
	_ "k8s.io/kubernetes/pkg/apis/networking/install"
	"k8s.io/kubernetes/pkg/registry/apps/daemonset"
	"k8s.io/kubernetes/pkg/registry/apps/deployment"
	"k8s.io/kubernetes/pkg/registry/apps/replicaset"
	"k8s.io/kubernetes/pkg/registry/apps/statefulset"
	"k8s.io/kubernetes/pkg/registry/core/endpoint"
	"k8s.io/kubernetes/pkg/registry/core/namespace"
	"k8s.io/kubernetes/pkg/registry/core/node"
	"k8s.io/kubernetes/pkg/registry/core/pod"
	"k8s.io/kubernetes/pkg/registry/core/service"
	"k8s.io/kubernetes/pkg/registry/discovery/endpointslice"
	"k8s.io/kubernetes/pkg/registry/networking/networkpolicy"
)

// ReadError says that the server did not give what an edit is about.
type ReadError struct {
	What string
	Err  error // the client's
}

// Error implements error.
func (e *ReadError) Error() string { return "read " + e.What + ": " + e.Err.Error() }

// Unwrap gives the client's error.
func (e *ReadError) Unwrap() error { return e.Err }

// kind is what is known of a kind that a snapshot shows.
type kind struct {
	schema.GroupVersionKind
	resource string
	cluster  bool // not in a namespace
	strategy interface {
		rest.RESTCreateStrategy
		rest.RESTUpdateStrategy
	}
	status rest.RESTUpdateStrategy
	get    func(ctx context.Context, c kubernetes.Interface, namespace, name string) (runtime.Object, error)
}

// kindOf finds a kind by its name, nil when a snapshot does not show it.
func kindOf(name string) *kind {
	k := &kind{GroupVersionKind: schema.GroupVersionKind{Version: "v1", Kind: name}}
	once := metav1.GetOptions{}
	switch name {
	case "Service":
		k.resource, k.strategy, k.status = "services", service.Strategy, service.StatusStrategy
		k.get = func(ctx context.Context, c kubernetes.Interface, namespace, name string) (runtime.Object, error) {
			return c.CoreV1().Services(namespace).Get(ctx, name, once)
		}
	case "Pod":
		k.resource, k.strategy, k.status = "pods", pod.Strategy, pod.StatusStrategy
		k.get = func(ctx context.Context, c kubernetes.Interface, namespace, name string) (runtime.Object, error) {
			return c.CoreV1().Pods(namespace).Get(ctx, name, once)
		}
	case "Node":
		k.resource, k.strategy, k.status, k.cluster = "nodes", node.Strategy, node.StatusStrategy, true
		k.get = func(ctx context.Context, c kubernetes.Interface, _, name string) (runtime.Object, error) {
			return c.CoreV1().Nodes().Get(ctx, name, once)
		}
	case "Namespace":
		k.resource, k.strategy, k.status, k.cluster = "namespaces", namespace.Strategy, namespace.StatusStrategy, true
		k.get = func(ctx context.Context, c kubernetes.Interface, _, name string) (runtime.Object, error) {
			return c.CoreV1().Namespaces().Get(ctx, name, once)
		}
	case "Endpoints":
		k.resource, k.strategy = "endpoints", endpoint.Strategy
		k.get = func(ctx context.Context, c kubernetes.Interface, namespace, name string) (runtime.Object, error) {
			return c.CoreV1().Endpoints(namespace).Get(ctx, name, once)
		}
	case "EndpointSlice":
		k.Group, k.resource, k.strategy = discoveryv1.GroupName, "endpointslices", endpointslice.Strategy
		k.get = func(ctx context.Context, c kubernetes.Interface, namespace, name string) (runtime.Object, error) {
			return c.DiscoveryV1().EndpointSlices(namespace).Get(ctx, name, once)
		}
	case "NetworkPolicy":
		k.Group, k.resource, k.strategy = networkingv1.GroupName, "networkpolicies", networkpolicy.Strategy
		k.get = func(ctx context.Context, c kubernetes.Interface, namespace, name string) (runtime.Object, error) {
			return c.NetworkingV1().NetworkPolicies(namespace).Get(ctx, name, once)
		}
	case "Deployment":
		k.Group, k.resource, k.strategy, k.status = appsv1.GroupName, "deployments", deployment.Strategy, deployment.StatusStrategy
		k.get = func(ctx context.Context, c kubernetes.Interface, namespace, name string) (runtime.Object, error) {
			return c.AppsV1().Deployments(namespace).Get(ctx, name, once)
		}
	case "ReplicaSet":
		k.Group, k.resource, k.strategy, k.status = appsv1.GroupName, "replicasets", replicaset.Strategy, replicaset.StatusStrategy
		k.get = func(ctx context.Context, c kubernetes.Interface, namespace, name string) (runtime.Object, error) {
			return c.AppsV1().ReplicaSets(namespace).Get(ctx, name, once)
		}
	case "StatefulSet":
		k.Group, k.resource, k.strategy, k.status = appsv1.GroupName, "statefulsets", statefulset.Strategy, statefulset.StatusStrategy
		k.get = func(ctx context.Context, c kubernetes.Interface, namespace, name string) (runtime.Object, error) {
			return c.AppsV1().StatefulSets(namespace).Get(ctx, name, once)
		}
	case "DaemonSet":
		k.Group, k.resource, k.strategy, k.status = appsv1.GroupName, "daemonsets", daemonset.Strategy, daemonset.StatusStrategy
		k.get = func(ctx context.Context, c kubernetes.Interface, namespace, name string) (runtime.Object, error) {
			return c.AppsV1().DaemonSets(namespace).Get(ctx, name, once)
		}
	default:
		return nil
	}
	return k
}

// at names an object of the kind.
func (k *kind) at(namespace, name string) id {
	if k.cluster {
		namespace = ""
	}
	return id{k.Kind, namespace, name}
}

// object gives an object of the API as it is at this point of the edit; nil when
// there is none.
func (w *world) object(k *kind, i id) (runtime.Object, error) {
	if o, known := w.objects[i]; known || w.client == nil { // without a server there is what was made, and nothing else
		return o, nil
	}
	o, err := k.get(w.ctx, w.client, i.namespace, i.name)
	switch {
	case apierrors.IsNotFound(err):
		o = nil
	case err != nil:
		return nil, &ReadError{What: k.Kind + " " + i.key(), Err: err}
	default:
		o.GetObjectKind().SetGroupVersionKind(k.GroupVersionKind)
	}
	w.objects[i] = o
	return o, nil
}

// typed gives an object of a type that is known.
func typed[T runtime.Object](w *world, kind, namespace, name string) (out T, err error) {
	k := kindOf(kind)
	o, err := w.object(k, k.at(namespace, name))
	if err != nil || o == nil {
		return out, err
	}
	out, ok := o.DeepCopyObject().(T)
	if !ok {
		return out, fmt.Errorf("read %s %s/%s: it is a %T", kind, namespace, name, o)
	}
	return out, nil
}

// listReplicaSets reads the ReplicaSets of a namespace, once.
func (w *world) listReplicaSets(namespace string) error {
	if w.listed[namespace] || w.client == nil {
		return nil
	}
	w.listed[namespace] = true
	list, err := w.client.AppsV1().ReplicaSets(namespace).List(w.ctx, metav1.ListOptions{})
	if err != nil {
		return &ReadError{What: "the ReplicaSets of namespace " + namespace, Err: err}
	}
	for i := range list.Items {
		rs := &list.Items[i]
		at := id{"ReplicaSet", namespace, rs.Name}
		if _, known := w.objects[at]; !known {
			rs.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))
			w.objects[at] = rs
		}
	}
	return nil
}
