//lint:file-ignore SA1019 v1 Endpoints are shown beside the slices, with their deprecation.

package whatif

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"
	discoveryclient "k8s.io/client-go/kubernetes/typed/discovery/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/endpointslice"
	endpointsliceutil "k8s.io/endpointslice/util"
	"k8s.io/klog/v2"
	repack "k8s.io/kubernetes/pkg/api/v1/endpoints"
	slicecontroller "k8s.io/kubernetes/pkg/controller/endpointslice"

	"svctour/cluster/convert"
	"svctour/model"
	"svctour/model/endpoints"
)

// endpointsPerSlice is the default of kube-controller-manager's
// --max-endpoints-per-slice.
const endpointsPerSlice = 100

// syncSlices writes the EndpointSlices of the Services that the edit touches, by
// the controller's own Reconciler (pkg/controller/endpointslice, syncService).
func (w *world) syncSlices() error {
	for _, s := range w.touchedServices() {
		if !endpoints.Selecting(s) { // the controller leaves them as they are
			if legacy := w.endpoints.get(s.Namespace, s.Name); legacy != nil && len(legacy.Subsets) > 0 && len(s.Selector) == 0 {
				w.tell(id{"Service", s.Namespace, s.Name}, "endpoints", "", "which EndpointSlices the mirroring controller makes of its v1 Endpoints")
			}
			continue
		}
		w.unmirror(s)
		if s.Annotations[corev1.AnnotationTopologyMode] == "Auto" || s.Annotations[corev1.AnnotationTopologyMode] == "auto" {
			w.tell(id{"Service", s.Namespace, s.Name}, "endpoints.hints", "", "for which zones its endpoints are")
		}
		if err := w.reconcile(s); err != nil {
			return err
		}
		w.legacy(s)
	}
	return nil
}

// mirroring is the controller that copies v1 Endpoints of Services without a
// selector (pkg/controller/endpointslicemirroring).
const mirroring = "endpointslicemirroring-controller.k8s.io"

// unmirror takes the copies away of a Service that has a selector.
func (w *world) unmirror(s *model.Service) {
	for _, slice := range w.slices.in(s.Namespace) {
		if slice.Service() == s.Name && slice.Labels[discoveryv1.LabelManagedBy] == mirroring {
			w.slices.removeKey(slice.Key())
		}
	}
}

// touchedServices are those that changed, or some Pod of which or node did.
func (w *world) touchedServices() []*model.Service {
	pods, touched := map[string][]*model.Pod{}, map[string]bool{}
	w.pods.changed(func(before, after *model.Pod) {
		for _, p := range []*model.Pod{before, after} {
			if p != nil {
				pods[p.Namespace] = append(pods[p.Namespace], p)
			}
		}
	})
	w.services.changed(func(_, after *model.Service) {
		if after != nil {
			touched[after.Key()] = true
		}
	})
	return slices.DeleteFunc(slices.Clone(w.services.all()), func(s *model.Service) bool {
		return !touched[s.Key()] && len(w.nodes.over) == 0 &&
			!slices.ContainsFunc(pods[s.Namespace], func(p *model.Pod) bool { return endpoints.Selects(s, p) })
	})
}

func (w *world) reconcile(s *model.Service) error {
	var pods []*corev1.Pod
	for _, p := range w.pods.in(s.Namespace) {
		if endpoints.Selects(s, p) {
			pods = append(pods, sketchPod(p))
		}
	}
	var existing []*discoveryv1.EndpointSlice
	for _, slice := range w.slices.in(s.Namespace) {
		if slice.Service() == s.Name && slice.Labels[discoveryv1.LabelManagedBy] == slicecontroller.ControllerName && !slice.Terminating() {
			existing = append(existing, sketchSlice(slice))
		}
	}
	reconciler := endpointslice.NewReconciler(sliceClient{world: w}, nodeLister{w}, endpointsPerSlice, endpointsliceutil.NewEndpointSliceTracker(), nil, nil,
		slicecontroller.ControllerName, endpointslice.WithPreferSameTrafficDistributionEnabled(true))
	if err := reconciler.Reconcile(klog.FromContext(w.ctx), sketchService(s), pods, existing, time.Time{}); err != nil {
		if len(w.before.Sync.Missing) > 0 || apierrors.IsNotFound(err) { // a Pod's node is not there: the others are written
			return nil
		}
		return fmt.Errorf("write the EndpointSlices of Service %s: %w", s.Key(), err)
	}
	return nil
}

// sliceClient is the client that the Reconciler writes to.
type sliceClient struct {
	kubernetes.Interface // nothing: it asks for EndpointSlices only
	world                *world
}

// DiscoveryV1 implements kubernetes.Interface.
func (c sliceClient) DiscoveryV1() discoveryclient.DiscoveryV1Interface {
	return sliceGroup{world: c.world}
}

type sliceGroup struct {
	discoveryclient.DiscoveryV1Interface
	world *world
}

// EndpointSlices implements discoveryclient.DiscoveryV1Interface.
func (g sliceGroup) EndpointSlices(namespace string) discoveryclient.EndpointSliceInterface {
	return sliceWriter{world: g.world, namespace: namespace}
}

type sliceWriter struct {
	discoveryclient.EndpointSliceInterface
	world     *world
	namespace string
}

// Create implements discoveryclient.EndpointSliceInterface.
func (s sliceWriter) Create(_ context.Context, slice *discoveryv1.EndpointSlice, _ metav1.CreateOptions) (*discoveryv1.EndpointSlice, error) {
	w := s.world
	w.drawn.names++
	out := slice.DeepCopy()
	out.Namespace, out.Name = s.namespace, slice.GenerateName+"?"+strconv.Itoa(w.drawn.names)
	i := id{"EndpointSlice", out.Namespace, out.Name}
	out.UID, out.CreationTimestamp = i.uid(), metav1.NewTime(w.before.Time)
	w.tell(i, "metadata.name", out.Name, "a new EndpointSlice of "+slice.Labels[discoveryv1.LabelServiceName])
	w.slices.put(convert.EndpointSlice(out))
	return out, nil
}

// Update implements discoveryclient.EndpointSliceInterface.
func (s sliceWriter) Update(_ context.Context, slice *discoveryv1.EndpointSlice, _ metav1.UpdateOptions) (*discoveryv1.EndpointSlice, error) {
	s.world.slices.put(convert.EndpointSlice(slice))
	return slice, nil
}

// Delete implements discoveryclient.EndpointSliceInterface.
func (s sliceWriter) Delete(_ context.Context, name string, _ metav1.DeleteOptions) error {
	s.world.slices.removeKey(s.namespace + "/" + name)
	return nil
}

// nodeLister gives the nodes to the Reconciler. The node of a new Pod is open,
// and one that cannot be read is taken to be there.
type nodeLister struct{ world *world }

var _ corelisters.NodeLister = nodeLister{}

// List implements corelisters.NodeLister.
func (l nodeLister) List(labels.Selector) ([]*corev1.Node, error) {
	var out []*corev1.Node
	for _, n := range l.world.nodes.all() {
		out = append(out, sketchNode(n))
	}
	return out, nil
}

// Get implements corelisters.NodeLister.
func (l nodeLister) Get(name string) (*corev1.Node, error) {
	if n := l.world.nodes.get("", name); n != nil {
		return sketchNode(n), nil
	}
	if name == "" || l.world.before.Sync.Missing["nodes"] != "" {
		return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}, nil
	}
	return nil, apierrors.NewNotFound(corev1.Resource("nodes"), name)
}

// legacy writes the deprecated Endpoints object of a Service, of the family of
// its first address (pkg/controller/endpoint, syncService).
func (w *world) legacy(s *model.Service) {
	old := w.endpoints.get(s.Namespace, s.Name)
	if w.before.Sync.Missing["endpoints"] != "" {
		return
	}
	out := &model.Endpoints{Meta: model.Meta{Namespace: s.Namespace, Name: s.Name, Labels: maps.Clone(s.Labels), Created: w.before.Time}}
	out.UID = string(id{"Endpoints", s.Namespace, s.Name}.uid())
	if old != nil {
		out.Meta = old.Meta
	}
	family := endpoints.Families(s)[0]
	var subsets []corev1.EndpointSubset
	for _, slice := range w.slices.in(s.Namespace) {
		if slice.Service() == s.Name && slice.AddressType == family {
			subsets = append(subsets, subset(slice))
		}
	}
	out.Subsets = convert.Endpoints(&corev1.Endpoints{Subsets: repack.RepackSubsets(subsets)}).Subsets
	if old == nil || !reflect.DeepEqual(sorted(old.Subsets), sorted(out.Subsets)) {
		w.endpoints.put(out)
	}
}

// subset gives the endpoints of a slice as a subset.
func subset(slice *model.EndpointSlice) corev1.EndpointSubset {
	out := corev1.EndpointSubset{}
	for _, p := range slice.Ports {
		if p.Port != nil {
			out.Ports = append(out.Ports, corev1.EndpointPort{Name: p.Name, Protocol: corev1.Protocol(p.Protocol), Port: *p.Port})
		}
	}
	for i := range slice.Endpoints {
		e := &slice.Endpoints[i]
		if len(e.Addresses) == 0 {
			continue
		}
		address := corev1.EndpointAddress{IP: e.Addresses[0], TargetRef: sketchEndpoint(e).TargetRef}
		switch {
		case e.IsReady():
			out.Addresses = append(out.Addresses, address)
		case !e.IsTerminating():
			out.NotReadyAddresses = append(out.NotReadyAddresses, address)
		}
	}
	return out
}

// sorted gives subsets as a set: in order, and with their lists in order.
func sorted(in []model.EndpointSubset) []string {
	var out []string
	for _, s := range in {
		var ports []string
		for _, p := range s.Ports {
			number := int32(0)
			if p.Port != nil {
				number = *p.Port
			}
			ports = append(ports, fmt.Sprint(p.Name, p.Protocol, number))
		}
		slices.Sort(ports)
		out = append(out, fmt.Sprint(ports, slices.Sorted(slices.Values(s.Ready)), slices.Sorted(slices.Values(s.NotReady))))
	}
	slices.Sort(out)
	return out
}
