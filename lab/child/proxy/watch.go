package proxy

import (
	"reflect"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"svctour/cluster/convert"
	"svctour/model"
	"svctour/model/path"
)

// What kube-proxy leaves to others (cmd/kube-proxy/app/server.go).
const (
	noOtherProxy = "!service.kubernetes.io/service-proxy-name"
	notHeadless  = "!service.kubernetes.io/headless"
)

// watched is what a kube-proxy sees of the cluster.
type watched struct {
	services, slices, nodes, cidrs cache.SharedIndexInformer // cidrs only in nftables mode
	registered                     []cache.ResourceEventHandlerRegistration
}

// watch prepares the watches of kube-proxy: Services with an address that no
// other proxy answers for, EndpointSlices of Services that are not headless,
// its own Node.
func (x *proxier) watch(client kubernetes.Interface) []informers.SharedInformerFactory {
	factory := func(tweak func(*metav1.ListOptions)) informers.SharedInformerFactory {
		return informers.NewSharedInformerFactoryWithOptions(client, 15*time.Minute,
			informers.WithTransform(trim), informers.WithTweakListOptions(tweak))
	}
	services := factory(func(o *metav1.ListOptions) {
		o.LabelSelector = noOtherProxy
		o.FieldSelector = fields.OneTermNotEqualSelector("spec.clusterIP", corev1.ClusterIPNone).String()
	})
	slices := factory(func(o *metav1.ListOptions) { o.LabelSelector = notHeadless })
	nodes := factory(func(o *metav1.ListOptions) {
		o.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, x.name).String()
	})
	all := []informers.SharedInformerFactory{services, slices, nodes}
	w := &watched{
		services: services.Core().V1().Services().Informer(),
		slices:   slices.Discovery().V1().EndpointSlices().Informer(),
		nodes:    nodes.Core().V1().Nodes().Informer(),
	}
	informed := []cache.SharedIndexInformer{w.services, w.slices}
	if x.config.proxy.Mode == path.ModeNFTables {
		cidrs := factory(nil)
		w.cidrs = cidrs.Networking().V1().ServiceCIDRs().Informer()
		all, informed = append(all, cidrs), append(informed, w.cidrs)
	}
	for _, informer := range informed {
		w.register(informer, cache.ResourceEventHandlerFuncs{
			AddFunc:    func(any) { x.changed() },
			UpdateFunc: func(old, now any) { x.updated(old, now) },
			DeleteFunc: func(any) { x.changed() },
		})
	}
	w.register(w.nodes, cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { x.changed() },
		UpdateFunc: func(old, now any) { // its status changes all the time
			before, after := convert.Node(old.(*corev1.Node)), convert.Node(now.(*corev1.Node))
			if before.Zone() != after.Zone() || !reflect.DeepEqual(before.Addresses, after.Addresses) ||
				!reflect.DeepEqual(before.PodCIDRs, after.PodCIDRs) {
				x.changed()
			}
		},
		DeleteFunc: func(any) { x.changed() },
	})
	x.watched = w
	return all
}

// register cannot fail: an informer refuses handlers only once it was stopped.
func (w *watched) register(informer cache.SharedIndexInformer, handler cache.ResourceEventHandler) {
	if registration, err := informer.AddEventHandler(handler); err == nil {
		w.registered = append(w.registered, registration)
	}
}

// updated asks for a run unless an object only came again.
func (x *proxier) updated(old, now any) {
	before, isObject := old.(metav1.Object)
	after, too := now.(metav1.Object)
	if isObject && too && before.GetResourceVersion() == after.GetResourceVersion() {
		return
	}
	x.changed()
}

// trim takes out what kube-proxy never reads.
func trim(o any) (any, error) {
	if object, ok := o.(metav1.Object); ok {
		object.SetManagedFields(nil)
	}
	return o, nil
}

func (w *watched) synced() bool {
	for _, registration := range w.registered {
		if !registration.HasSynced() {
			return false
		}
	}
	return true
}

func (w *watched) nodeObject(name string) *corev1.Node {
	if object, found, err := w.nodes.GetStore().GetByKey(name); err == nil && found {
		return object.(*corev1.Node)
	}
	return nil
}

// snapshot is what is known now.
func (w *watched) snapshot(proxy *model.Proxy) *model.Snapshot {
	s := model.Snapshot{
		Time: time.Now(), Proxy: *proxy,
		Services: list(w.services, convert.Service),
		Slices:   list(w.slices, convert.EndpointSlice),
		Nodes:    list(w.nodes, convert.Node),
	}
	if w.cidrs != nil {
		for _, object := range w.cidrs.GetStore().List() {
			s.ServiceCIDRs = append(s.ServiceCIDRs, object.(*networkingv1.ServiceCIDR).Spec.CIDRs...)
		}
	}
	return model.NewSnapshot(s)
}

func list[O corev1.Service | discoveryv1.EndpointSlice | corev1.Node, M any](informer cache.SharedIndexInformer, convert func(*O) *M) []*M {
	objects := informer.GetStore().List()
	out := make([]*M, 0, len(objects))
	for _, object := range objects {
		out = append(out, convert(object.(*O)))
	}
	return out
}
