package hostport

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	asked "svctour/lab/hostport"
)

// again is how soon a port that could not be had is tried again.
const again = 10 * time.Second

// Run keeps a lab's host ports, of which it has none at first, as its ConfigMap
// says until ctx ends, and tells changed how they are whenever that changes.
func Run(ctx context.Context, client kubernetes.Interface, dial Dial, changed func([]asked.State)) error {
	ctx, cancel := context.WithCancel(ctx)
	forwarder := New(ctx, dial)
	defer forwarder.Wait()
	factory := informers.NewSharedInformerFactoryWithOptions(client, again, informers.WithNamespace(metav1.NamespaceSystem),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) {
			o.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, asked.ConfigMap).String()
		}))
	defer factory.Shutdown()
	defer cancel()
	var last []asked.State // only one handler runs at a time
	set := func(data map[string]string) {
		mappings, unreadable := asked.Read(data)
		if states := append(forwarder.Set(mappings), unreadable...); !slices.Equal(states, last) {
			last = states
			changed(states)
		}
	}
	if _, err := factory.Core().V1().ConfigMaps().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { set(dataOf(object)) },
		UpdateFunc: func(_, object any) { set(dataOf(object)) },
		DeleteFunc: func(any) { set(nil) },
	}); err != nil {
		return fmt.Errorf("watch the ConfigMap %s: %w", asked.ConfigMap, err)
	}
	factory.StartWithContext(ctx)
	<-ctx.Done()
	return nil
}

func dataOf(object any) map[string]string {
	if m, ok := object.(*corev1.ConfigMap); ok && m.Name == asked.ConfigMap {
		return m.Data
	}
	return nil
}
