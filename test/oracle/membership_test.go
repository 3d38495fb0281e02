package oracle

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	_ "unsafe" // for linkname

	v1 "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/controller/endpointslice"
	"pgregory.net/rapid"

	"svctour/cluster/convert"
	"svctour/model"
	"svctour/model/endpoints"
)

// syncService is the EndpointSlice controller's work for one Service: it lists
// the Pods, and has the Reconciler write the slices.
//
//go:linkname syncService k8s.io/kubernetes/pkg/controller/endpointslice.(*Controller).syncService
func syncService(c *endpointslice.Controller, logger klog.Logger, key string) error

// sliceController is the EndpointSlice controller over informers that are filled
// by hand, and a client that keeps what it is told to create.
type sliceController struct {
	controller            *endpointslice.Controller
	pods, services, nodes cache.Indexer
	created               []*discovery.EndpointSlice
}

// endpointsPerSlice makes a Service's endpoints need several slices.
const endpointsPerSlice = 3

func newSliceController(t *testing.T) *sliceController {
	client := fake.NewClientset()
	factory := informers.NewSharedInformerFactory(client, 0)
	core := factory.Core().V1()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	c := &sliceController{
		controller: endpointslice.NewController(ctx, core.Pods(), core.Services(), core.Nodes(), factory.Discovery().V1().EndpointSlices(), endpointsPerSlice, client, 0),
		pods:       core.Pods().Informer().GetIndexer(), services: core.Services().Informer().GetIndexer(), nodes: core.Nodes().Informer().GetIndexer(),
	}
	client.PrependReactor("create", "endpointslices", func(action clienttesting.Action) (bool, runtime.Object, error) {
		slice := action.(clienttesting.CreateAction).GetObject().(*discovery.EndpointSlice).DeepCopy()
		slice.Name = fmt.Sprintf("%s%d", slice.GenerateName, len(c.created))
		c.created = append(c.created, slice)
		return true, slice, nil
	})
	return c
}

// slices are what the controller writes for a Service that has none yet.
func (c *sliceController) slices(t fataler, w *membershipWorld, service *v1.Service) []*discovery.EndpointSlice {
	fill(t, c.pods, w.pods)
	fill(t, c.nodes, w.nodes)
	fill(t, c.services, []*v1.Service{service})
	c.created = nil
	key := service.Namespace + "/" + service.Name
	// It complains of a Pod whose node is missing, and writes the rest.
	if err := syncService(c.controller, klog.Background(), key); err != nil && !strings.Contains(err.Error(), "Not Found") {
		t.Fatalf("controller: %v", err)
	}
	fill(t, c.services, []*v1.Service{}) // it forgets what it has written
	if err := syncService(c.controller, klog.Background(), key); err != nil {
		t.Fatalf("controller: %v", err)
	}
	return c.created
}

func fill[T any](t fataler, indexer cache.Indexer, list []T) {
	objects := make([]any, len(list))
	for i, o := range list {
		objects[i] = o
	}
	if err := indexer.Replace(objects, ""); err != nil {
		t.Fatalf("informer: %v", err)
	}
}

type membershipWorld struct {
	services []*v1.Service
	pods     []*v1.Pod
	nodes    []*v1.Node
}

func (w *membershipWorld) snapshot() *model.Snapshot {
	var s model.Snapshot
	for _, o := range w.services {
		s.Services = append(s.Services, convert.Service(o))
	}
	for _, o := range w.pods {
		s.Pods = append(s.Pods, convert.Pod(o))
	}
	for _, o := range w.nodes {
		s.Nodes = append(s.Nodes, convert.Node(o))
	}
	return model.NewSnapshot(s)
}

var (
	memberKeys   = []string{"app", "tier", "example.com/part"}
	memberValues = []string{"web", "db", "Web", ""}
	memberNames  = []string{"http", "metrics", "dns", "dns-tcp"}
	protocols    = []v1.Protocol{v1.ProtocolTCP, v1.ProtocolTCP, v1.ProtocolUDP, v1.ProtocolSCTP}
)

func drawMembers(t *rapid.T) *membershipWorld {
	w := &membershipWorld{}
	for i, name := range []string{"node-a", "node-b"} {
		if chance(t, 10, "no node") {
			continue
		}
		node := &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if !chance(t, 3, "no zone") {
			node.Labels = map[string]string{v1.LabelTopologyZone: fmt.Sprintf("zone-%d", i)}
		}
		w.nodes = append(w.nodes, node)
	}
	for i := range rapid.IntRange(1, 3).Draw(t, "Services") {
		w.services = append(w.services, drawMemberService(t, i))
	}
	for i := range rapid.IntRange(0, 8).Draw(t, "Pods") {
		w.pods = append(w.pods, drawMember(t, i))
	}
	return w
}

func drawLabels(t *rapid.T, most int) map[string]string {
	out := map[string]string{}
	for range rapid.IntRange(1, most).Draw(t, "labels") {
		out[oneOf(t, "key", memberKeys...)] = oneOf(t, "value", memberValues...)
	}
	return out
}

func drawMemberService(t *rapid.T, i int) *v1.Service {
	svc := &v1.Service{ObjectMeta: objectMeta(oneOf(t, "namespace", "shop", "shop", "default"), fmt.Sprintf("svc-%d", i))}
	svc.UID = types.UID(svc.Name)
	spec := &svc.Spec
	spec.Type = oneOf(t, "type", v1.ServiceTypeClusterIP, v1.ServiceTypeClusterIP, v1.ServiceTypeNodePort, v1.ServiceTypeLoadBalancer)
	if !chance(t, 12, "no selector") {
		spec.Selector = drawLabels(t, 2)
	}
	if chance(t, 15, "ExternalName") {
		spec.Type, spec.ExternalName = v1.ServiceTypeExternalName, "www.example.com"
	}
	spec.PublishNotReadyAddresses = chance(t, 4, "publish")
	v4, v6 := v1.IPv4Protocol, v1.IPv6Protocol
	switch oneOf(t, "families", "4", "4", "4", "6", "46", "64", "old 4", "old 6", "headless 4", "headless 46", "old headless") {
	case "4":
		spec.ClusterIPs, spec.IPFamilies = []string{"10.96.0.1"}, []v1.IPFamily{v4}
	case "6":
		spec.ClusterIPs, spec.IPFamilies = []string{"fd00:10:96::1"}, []v1.IPFamily{v6}
	case "46":
		spec.ClusterIPs, spec.IPFamilies = []string{"10.96.0.1", "fd00:10:96::1"}, []v1.IPFamily{v4, v6}
	case "64":
		spec.ClusterIPs, spec.IPFamilies = []string{"fd00:10:96::1", "10.96.0.1"}, []v1.IPFamily{v6, v4}
	case "old 4":
		spec.ClusterIPs = []string{"10.96.0.1"}
	case "old 6":
		spec.ClusterIPs = []string{"fd00:10:96::1"}
	case "headless 4":
		spec.ClusterIPs, spec.IPFamilies = []string{v1.ClusterIPNone}, []v1.IPFamily{v4}
	case "headless 46":
		spec.ClusterIPs, spec.IPFamilies = []string{v1.ClusterIPNone}, []v1.IPFamily{v4, v6}
	case "old headless":
		spec.ClusterIPs = []string{v1.ClusterIPNone}
	}
	spec.ClusterIP = spec.ClusterIPs[0]
	drawMemberPorts(t, svc)
	return svc
}

// drawMemberPorts draws ports as the API server lets them in: only a headless
// Service may have none, and only one of them no name.
func drawMemberPorts(t *rapid.T, svc *v1.Service) {
	names := rapid.SliceOfNDistinct(rapid.SampledFrom(memberNames), 1, 3, rapid.ID).Draw(t, "port names")
	if len(names) == 1 && chance(t, 2, "unnamed") {
		names[0] = ""
	}
	if svc.Spec.ClusterIP == v1.ClusterIPNone && chance(t, 3, "no ports") {
		names = nil
	}
	for i, name := range names {
		p := v1.ServicePort{Name: name, Port: int32(80 + i), Protocol: oneOf(t, "protocol", protocols...)}
		p.TargetPort = intstr.FromInt32(oneOf(t, "number", int32(8080), 80, 53))
		if chance(t, 2, "named target") {
			p.TargetPort = intstr.FromString(oneOf(t, "target", memberNames...))
		}
		svc.Spec.Ports = append(svc.Spec.Ports, p)
	}
}

func drawMember(t *rapid.T, i int) *v1.Pod {
	pod := &v1.Pod{ObjectMeta: objectMeta(oneOf(t, "namespace", "shop", "shop", "default"), fmt.Sprintf("pod-%d", i))}
	pod.UID = types.UID(pod.Name)
	pod.Labels = drawLabels(t, 3)
	if chance(t, 5, "deleting") {
		pod.DeletionTimestamp = &metav1.Time{Time: time.Unix(1_800_000_000, 0)}
	}
	spec, status := &pod.Spec, &pod.Status
	if !chance(t, 12, "unscheduled") {
		spec.NodeName = oneOf(t, "node", "node-a", "node-b")
	}
	spec.Hostname = oneOf(t, "hostname", "", "", "db-0")
	spec.Subdomain = oneOf(t, "subdomain", "", "svc-0", "svc-1")
	spec.HostNetwork = chance(t, 8, "hostNetwork")
	for j := range rapid.IntRange(1, 2).Draw(t, "containers") {
		spec.Containers = append(spec.Containers, v1.Container{Name: fmt.Sprintf("c%d", j), Ports: drawContainerPorts(t)})
	}
	for j := range rapid.IntRange(0, 2).Draw(t, "init containers") {
		c := v1.Container{Name: fmt.Sprintf("i%d", j), Ports: drawContainerPorts(t)}
		switch {
		case chance(t, 2, "sidecar"):
			c.RestartPolicy = ptr(v1.ContainerRestartPolicyAlways)
		case chance(t, 3, "restarts on failure"):
			c.RestartPolicy = ptr(v1.ContainerRestartPolicyOnFailure)
		}
		spec.InitContainers = append(spec.InitContainers, c)
	}
	status.Phase = oneOf(t, "phase", v1.PodRunning, v1.PodRunning, v1.PodRunning, v1.PodPending, v1.PodSucceeded, v1.PodFailed, v1.PodUnknown)
	if !chance(t, 6, "no condition") {
		status.Conditions = append(status.Conditions, v1.PodCondition{Type: v1.ContainersReady, Status: v1.ConditionTrue},
			v1.PodCondition{Type: v1.PodReady, Status: oneOf(t, "Ready", v1.ConditionTrue, v1.ConditionTrue, v1.ConditionFalse, v1.ConditionUnknown)})
	}
	// Addresses come twice: of a Pod that took over another's, or of the host's.
	v4, v6 := fmt.Sprintf("10.244.1.%d", oneOf(t, "IPv4", 1, 2, 3, 4, 5, 6)), oneOf(t, "IPv6", "fd00:10:244::1", "fd00:10:244:0:0::2", "FD00:10:244::3")
	switch oneOf(t, "addresses", "4", "4", "4", "6", "46", "64", "none") {
	case "4":
		status.PodIPs = []v1.PodIP{{IP: v4}}
	case "6":
		status.PodIPs = []v1.PodIP{{IP: v6}}
	case "46":
		status.PodIPs = []v1.PodIP{{IP: v4}, {IP: v6}}
	case "64":
		status.PodIPs = []v1.PodIP{{IP: v6}, {IP: v4}}
	}
	if len(status.PodIPs) > 0 {
		status.PodIP = status.PodIPs[0].IP
	}
	return pod
}

func drawContainerPorts(t *rapid.T) []v1.ContainerPort {
	var out []v1.ContainerPort
	for range rapid.IntRange(0, 3).Draw(t, "container ports") {
		p := v1.ContainerPort{ContainerPort: oneOf(t, "container port", int32(8080), 9090, 53), Protocol: oneOf(t, "protocol", protocols...)}
		if !chance(t, 4, "unnamed") {
			p.Name = oneOf(t, "name", memberNames...)
		}
		out = append(out, p)
	}
	return out
}

// rowsOf gives what slices hold as rows, by Pod and port.
func rowsOf(service *v1.Service, list []*discovery.EndpointSlice) map[[2]string]endpoints.Row {
	out := map[[2]string]endpoints.Row{}
	for _, slice := range list {
		for i := range slice.Endpoints {
			e := &slice.Endpoints[i]
			row := endpoints.Row{
				Pod: e.TargetRef.Name, In: true, Ready: *e.Conditions.Ready, Serving: *e.Conditions.Serving, Terminating: *e.Conditions.Terminating,
				Hostname: value(e.Hostname), Node: value(e.NodeName), Zone: value(e.Zone), Addresses: e.Addresses,
			}
			if len(service.Spec.Ports) == 0 {
				add(out, row)
			}
			for _, p := range slice.Ports {
				row.Port, row.Target = *p.Name, *p.Port
				if row.Port == "" {
					row.Port = fmt.Sprintf("%d/%s", service.Spec.Ports[0].Port, *p.Protocol)
				}
				add(out, row)
			}
		}
	}
	return out
}

// add adds a row; a Pod of two families stands in slices of both.
func add(rows map[[2]string]endpoints.Row, row endpoints.Row) {
	key := [2]string{row.Pod, row.Port}
	row.Addresses = slices.Sorted(slices.Values(append(slices.Clone(rows[key].Addresses), row.Addresses...)))
	rows[key] = row
}

func value(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// TestMembership holds MembershipOf against the EndpointSlice controller: each
// endpoint that it writes, port by port, and nothing else.
func TestMembership(t *testing.T) {
	controller := newSliceController(t)
	worlds, rows, reasons := 0, 0, map[endpoints.Reason]int{}
	began := time.Now()
	rapid.Check(t, func(t *rapid.T) {
		w := drawMembers(t)
		s := w.snapshot()
		worlds++
		for _, service := range w.services {
			want := rowsOf(service, controller.slices(t, w, service))
			m := endpoints.MembershipOf(s, s.Service(service.Namespace, service.Name))
			for _, got := range m.Rows {
				rows++
				reasons[got.Reason]++
				key := [2]string{got.Pod, got.Port}
				if (got.Reason == "") != got.Ready || (got.Reason == "") != (got.Why == "") || got.Published && !service.Spec.PublishNotReadyAddresses {
					t.Fatalf("Service %s: a row contradicts itself: %+v", m.Service, got)
				}
				got.Reason, got.Why, got.Published = "", "", false
				got.Addresses = slices.Sorted(slices.Values(got.Addresses))
				expected, in := want[key]
				if !in {
					expected = endpoints.Row{Pod: got.Pod, Port: got.Port}
				}
				if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", expected) {
					t.Fatalf("Service %s:\ncontroller %+v\nmodel      %+v", m.Service, expected, got)
				}
				delete(want, key)
			}
			if len(want) > 0 {
				t.Fatalf("Service %s: the controller has endpoints that the model has not: %v", m.Service, want)
			}
		}
	})
	if t.Failed() {
		return
	}
	for _, reason := range []endpoints.Reason{
		"", endpoints.ExternalName, endpoints.NoSelector, endpoints.NotSelected, endpoints.Ended, endpoints.NotScheduled, endpoints.NoAddress, endpoints.NodeMissing,
		endpoints.OtherFamily, endpoints.NoNamedPort, endpoints.OtherProtocol, endpoints.Serving, endpoints.Terminating, endpoints.NotReady,
	} {
		if reasons[reason] == 0 {
			t.Errorf("no Pod was %q: the clusters are too tame", reason)
		}
	}
	t.Logf("%d clusters, %d rows, 0 differences in %v: %v", worlds, rows, time.Since(began).Round(time.Second), slices.Sorted(maps.Keys(reasons)))
}
