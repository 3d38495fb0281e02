// Package policy enforces NetworkPolicies on the lab's nodes, as a CNI plugin's
// agent does. One agent with one set of watches serves every node. What the
// policies mean is model/policy's business.
package policy

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"svctour/cluster/convert"
	"svctour/lab/child/network"
	"svctour/model"
	"svctour/model/policy"
)

// interval is the least time between two compilations: changes come in bursts.
const interval = 20 * time.Millisecond

// Agent keeps a table of the policies up to date. Its Allows is what every node
// asks.
type Agent struct {
	table atomic.Pointer[policy.Table]
}

// Allows decides by what is known now: everything may pass until all was
// listed once. It is asked about the first packet of a connection, at the node
// of the source for egress and at that of the destination for ingress. It may
// be called at any time by any goroutine.
func (a *Agent) Allows(f network.Flow) bool {
	table := a.table.Load()
	return table == nil || allows(table, f)
}

func allows(table *policy.Table, f network.Flow) bool {
	c := policy.Connection{
		Source: table.End(f.Source.Addr()), Destination: table.End(f.Destination.Addr()),
		Protocol: strings.ToUpper(f.Protocol), Port: int32(f.Destination.Port()),
	}
	if f.Ingress {
		return table.Ingress(&c).Passes()
	}
	return table.Egress(&c).Passes()
}

// Run watches until ctx ends, and leaves the last state in force.
func (a *Agent) Run(ctx context.Context, client kubernetes.Interface) error {
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithTransform(trim))
	w := &watched{
		policies:   factory.Networking().V1().NetworkPolicies().Informer(),
		pods:       factory.Core().V1().Pods().Informer(),
		namespaces: factory.Core().V1().Namespaces().Informer(),
		nodes:      factory.Core().V1().Nodes().Informer(),
		dirty:      make(chan struct{}, 1),
	}
	var synced []cache.InformerSynced
	for _, informer := range []cache.SharedIndexInformer{w.policies, w.pods, w.namespaces, w.nodes} {
		registration, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc: func(any) { w.changed() },
			UpdateFunc: func(old, now any) {
				if matters(old, now) {
					w.changed()
				}
			},
			DeleteFunc: func(any) { w.changed() },
		})
		if err != nil {
			return fmt.Errorf("watch for network policies: %w", err)
		}
		synced = append(synced, registration.HasSynced)
	}
	factory.StartWithContext(ctx)
	defer factory.Shutdown()
	if !cache.WaitForCacheSync(ctx.Done(), synced...) {
		return nil
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	<-timer.C
	for {
		a.table.Store(w.compile())
		timer.Reset(interval)
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		select {
		case <-ctx.Done():
			return nil
		case <-w.dirty:
		}
	}
}

type watched struct {
	policies, pods, namespaces, nodes cache.SharedIndexInformer
	dirty                             chan struct{}
}

func (w *watched) changed() {
	select {
	case w.dirty <- struct{}{}:
	default:
	}
}

func (w *watched) compile() *policy.Table {
	return compile(w.policies.GetStore().List(), w.pods.GetStore().List(), w.namespaces.GetStore().List(), w.nodes.GetStore().List())
}

// compile makes a table of API objects.
func compile(policies, pods, namespaces, nodes []any) *policy.Table {
	return policy.NewTable(model.NewSnapshot(model.Snapshot{
		Policies: converted(policies, convert.NetworkPolicy), Pods: converted(pods, convert.Pod),
		Namespaces: converted(namespaces, convert.Namespace), Nodes: converted(nodes, convert.Node),
	}))
}

func converted[O, M any](objects []any, one func(*O) *M) []*M {
	out := make([]*M, 0, len(objects))
	for _, object := range objects {
		out = append(out, one(object.(*O)))
	}
	return out
}

// trim leaves of an object what a table is made of.
func trim(o any) (any, error) {
	if object, ok := o.(metav1.Object); ok {
		object.SetManagedFields(nil)
		object.SetAnnotations(nil)
	}
	switch o := o.(type) {
	case *corev1.Pod:
		o.Status = corev1.PodStatus{Phase: o.Status.Phase, PodIPs: o.Status.PodIPs}
		o.Spec = corev1.PodSpec{
			NodeName: o.Spec.NodeName, HostNetwork: o.Spec.HostNetwork,
			Containers: portsOf(o.Spec.Containers), InitContainers: portsOf(o.Spec.InitContainers),
		}
	case *corev1.Node:
		o.Status = corev1.NodeStatus{Addresses: o.Status.Addresses}
	}
	return o, nil
}

func portsOf(containers []corev1.Container) []corev1.Container {
	out := make([]corev1.Container, 0, len(containers))
	for _, c := range containers {
		out = append(out, corev1.Container{Name: c.Name, Ports: c.Ports, RestartPolicy: c.RestartPolicy})
	}
	return out
}

// matters says whether an update can change a decision: Pods and Nodes are
// updated all the time.
func matters(old, now any) bool {
	switch now := now.(type) {
	case *corev1.Pod:
		old := old.(*corev1.Pod)
		return old.Status.Phase != now.Status.Phase || !slices.Equal(old.Status.PodIPs, now.Status.PodIPs) || !maps.Equal(old.Labels, now.Labels)
	case *corev1.Node:
		old := old.(*corev1.Node)
		return old.Spec.PodCIDR != now.Spec.PodCIDR || !slices.Equal(old.Status.Addresses, now.Status.Addresses)
	case *corev1.Namespace:
		return !maps.Equal(old.(*corev1.Namespace).Labels, now.Labels)
	}
	return true
}
