//lint:file-ignore SA1019 v1 Endpoints are shown beside the slices, with their deprecation.

// Package whatif says how a cluster would be after an edit, without making it.
//
// What the API server would do is done by its own code: decoding, defaulting,
// patching, the strategies of its registries (k8s.io/kubernetes/pkg/registry)
// and their validation. Objects that an edit names are read by GET, because a
// snapshot keeps only a part of them; everything else is the snapshot's. What
// the controllers would answer is worked out until nothing changes any more:
// Deployments, ReplicaSets and StatefulSets with the rules of pkg/controller,
// EndpointSlices by the controller's own Reconciler (k8s.io/endpointslice).
//
// What only a server can draw is left open, see model.Open.
package whatif

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"svctour/cluster/convert"
	"svctour/model"
	"svctour/model/endpoints"
)

// Do gives the cluster of a snapshot as it would be after an edit, when the
// controllers have done their work and new Pods run. namespace is that of
// objects which name none. It asks the server for the objects that the edit is
// about, and for the ReplicaSets of a Deployment: get and list, nothing else.
//
// Errors are the API server's: a field that it would refuse, an object that is
// not there, a manifest that cannot be read. A *ReadError is of the question to
// the server itself.
func Do(ctx context.Context, client kubernetes.Interface, before *model.Snapshot, namespace string, edit model.Edit) (*model.Planned, error) {
	if before == nil || !before.Sync.Synced {
		return nil, errors.New("nothing was read from the cluster yet")
	}
	for _, resource := range []string{"services", "endpointslices", "pods"} {
		if why, missing := before.Sync.Missing[resource]; missing {
			return nil, fmt.Errorf("what an edit changes cannot be told without reading %s: %s", resource, why)
		}
	}
	w := newWorld(ctx, client, before, namespace)
	if err := w.apply(edit); err != nil {
		return nil, err
	}
	if err := w.settle(); err != nil {
		return nil, err
	}
	return w.planned(), nil
}

// world is the cluster while an edit is worked out.
type world struct {
	ctx       context.Context
	client    kubernetes.Interface // nil for a world that no server has
	namespace string               // of objects that name none
	before    *model.Snapshot
	now       time.Time

	services    *table[model.Service]
	slices      *table[model.EndpointSlice]
	endpoints   *table[model.Endpoints]
	pods        *table[model.Pod]
	nodes       *table[model.Node]
	namespaces  *table[model.Namespace]
	deployments *table[model.Deployment]
	replicaSets *table[model.ReplicaSet]
	stateful    *table[model.Workload]
	daemons     *table[model.Workload]
	policies    *table[model.NetworkPolicy]

	// objects are the API's, as far as they were read or made: nil for one that
	// is not there. revised are the StatefulSets whose Pods are replaced.
	objects map[id]runtime.Object
	listed  map[string]bool // namespaces whose ReplicaSets are in objects
	revised map[string]bool

	// What has to be looked at again, namespace/name.
	dueDeployments, dueReplicaSets, dueStateful map[string]bool

	open  []model.Open
	drawn drawn
}

// id names an object.
type id struct{ kind, namespace, name string }

func (i id) key() string { return (model.Meta{Namespace: i.namespace, Name: i.name}).Key() }

func (i id) ref() model.Ref { return model.Ref{Kind: i.kind, Namespace: i.namespace, Name: i.name} }

func newWorld(ctx context.Context, client kubernetes.Interface, s *model.Snapshot, namespace string) *world {
	workloads := func(kind string) []*model.Workload {
		return slices.DeleteFunc(slices.Clone(s.Workloads), func(w *model.Workload) bool { return w.Kind != kind })
	}
	ofWorkload := func(o *model.Workload) *model.Meta { return &o.Meta }
	return &world{
		ctx: ctx, client: client, namespace: namespace, before: s, now: time.Now(),
		services:    newTable(s.Services, func(o *model.Service) *model.Meta { return &o.Meta }),
		slices:      newTable(s.Slices, func(o *model.EndpointSlice) *model.Meta { return &o.Meta }),
		endpoints:   newTable(s.Endpoints, func(o *model.Endpoints) *model.Meta { return &o.Meta }),
		pods:        newTable(s.Pods, func(o *model.Pod) *model.Meta { return &o.Meta }),
		nodes:       newTable(s.Nodes, func(o *model.Node) *model.Meta { return &o.Meta }),
		namespaces:  newTable(s.Namespaces, func(o *model.Namespace) *model.Meta { return &o.Meta }),
		deployments: newTable(s.Deployments, func(o *model.Deployment) *model.Meta { return &o.Meta }),
		replicaSets: newTable(s.ReplicaSets, func(o *model.ReplicaSet) *model.Meta { return &o.Meta }),
		stateful:    newTable(workloads("StatefulSet"), ofWorkload),
		daemons:     newTable(workloads("DaemonSet"), ofWorkload),
		policies:    newTable(s.Policies, func(o *model.NetworkPolicy) *model.Meta { return &o.Meta }),
		objects:     map[id]runtime.Object{}, listed: map[string]bool{}, revised: map[string]bool{},
		dueDeployments: map[string]bool{}, dueReplicaSets: map[string]bool{}, dueStateful: map[string]bool{},
	}
}

// anyTable is a table of whichever kind.
type anyTable interface {
	removeKey(key string)
	dependents(uid string) []model.Meta
	inNamespace(namespace string) []model.Meta
	mark(marks map[string]model.ChangeKind)
}

// tables are those of namespaced kinds, by kind.
func (w *world) tables() map[string]anyTable {
	return map[string]anyTable{
		"Service": w.services, "EndpointSlice": w.slices, "Endpoints": w.endpoints, "Pod": w.pods, "Deployment": w.deployments,
		"ReplicaSet": w.replicaSets, "StatefulSet": w.stateful, "DaemonSet": w.daemons, "NetworkPolicy": w.policies,
	}
}

// put keeps an object as the API server would store it.
func (w *world) put(i id, object runtime.Object) {
	w.objects[i] = object
	switch o := object.(type) {
	case *corev1.Service:
		w.services.put(convert.Service(o))
	case *corev1.Pod:
		w.pods.put(convert.Pod(o))
	case *corev1.Node:
		w.nodes.put(convert.Node(o))
	case *corev1.Namespace:
		w.namespaces.put(convert.Namespace(o))
	case *corev1.Endpoints:
		w.endpoints.put(convert.Endpoints(o))
	case *discoveryv1.EndpointSlice:
		w.slices.put(convert.EndpointSlice(o))
	case *networkingv1.NetworkPolicy:
		w.policies.put(convert.NetworkPolicy(o))
	case *appsv1.Deployment:
		w.deployments.put(convert.Deployment(o))
	case *appsv1.ReplicaSet:
		w.replicaSets.put(convert.ReplicaSet(o))
	case *appsv1.StatefulSet:
		w.stateful.put(convert.StatefulSet(o))
	case *appsv1.DaemonSet:
		w.daemons.put(convert.DaemonSet(o))
	}
}

// remove takes an object away with what it owns (pkg/controller/garbagecollector,
// background deletion).
func (w *world) remove(i id, uid string) {
	w.objects[i] = nil
	if i.kind == "Node" {
		w.nodes.removeKey(i.key())
		return
	}
	if i.kind == "Namespace" {
		w.namespaces.removeKey(i.key())
		for kind, t := range w.tables() {
			for _, m := range t.inNamespace(i.name) {
				w.remove(id{kind, m.Namespace, m.Name}, m.UID)
			}
		}
		return
	}
	w.due(i)
	if t := w.tables()[i.kind]; t != nil {
		t.removeKey(i.key())
	}
	if i.kind == "Service" { // its Endpoints have its name, and no owner
		w.endpoints.removeKey(i.key())
	}
	for kind, t := range w.tables() {
		for _, m := range t.dependents(uid) {
			if m.Namespace == i.namespace {
				w.remove(id{kind, m.Namespace, m.Name}, m.UID)
			}
		}
	}
}

// tell notes what cannot be told.
func (w *world) tell(i id, field, stands, words string) {
	o := model.Open{Object: i.ref(), Field: field, Stands: stands, Words: words}
	if !slices.Contains(w.open, o) {
		w.open = append(w.open, o)
	}
}

// planned gives the result.
func (w *world) planned() *model.Planned {
	s := *w.before
	s.Services, s.Slices, s.Endpoints, s.Pods, s.Nodes, s.Namespaces = w.services.all(), w.slices.all(), w.endpoints.all(), w.pods.all(), w.nodes.all(), w.namespaces.all()
	s.Deployments, s.ReplicaSets, s.Policies = w.deployments.all(), w.replicaSets.all(), w.policies.all()
	others := slices.DeleteFunc(slices.Clone(s.Workloads), func(o *model.Workload) bool { return o.Kind == "StatefulSet" || o.Kind == "DaemonSet" })
	s.Workloads = slices.Concat(others, w.stateful.all(), w.daemons.all())
	after := model.NewSnapshot(s)
	if len(after.DNS.Servers) > 0 {
		after.DNS.Serving = endpoints.Served(after, after.DNS.Servers[0])
	}
	out := &model.Planned{Before: w.before, Snapshot: after, Marks: map[string]model.ChangeKind{}, Open: w.stillOpen()}
	touched := map[string]bool{}
	for _, t := range w.tables() {
		t.mark(out.Marks)
	}
	w.nodes.mark(out.Marks)
	w.namespaces.mark(out.Marks)
	for key := range w.slices.over {
		touched[namespaceOf(key)] = true
	}
	for namespace := range touched {
		for _, c := range model.Diff(w.before, after, namespace) {
			if c.Subject == "endpoint" {
				out.Marks[c.ID] = c.Kind
			}
		}
	}
	return out
}

// stillOpen leaves out what is open of objects that are gone again: Pods that a
// rollout makes on its way.
func (w *world) stillOpen() []model.Open {
	return slices.DeleteFunc(w.open, func(o model.Open) bool {
		return o.Object.Kind == "Pod" && w.pods.get(o.Object.Namespace, o.Object.Name) == nil
	})
}

// uid is the UID of an object that is not there yet. No real one looks like it.
func (i id) uid() types.UID { return types.UID(fmt.Sprintf("planned/%s/%s", i.kind, i.key())) }

// equal compares two values of the model.
func equal[M any](a, b *M) bool { return reflect.DeepEqual(a, b) }
