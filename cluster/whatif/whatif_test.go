package whatif

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"sigs.k8s.io/yaml"

	"svctour/cluster/convert"
	"svctour/model"
)

// bench is a cluster before an edit: what the server would give, and a snapshot
// of it.
type bench struct {
	objects  []runtime.Object
	snapshot *model.Snapshot
}

// newBench makes the cluster of the cases: two nodes, the Deployment web with two
// Pods behind the Service web, and the Pod lone.
func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{}
	b.add(t, `{apiVersion: v1, kind: Namespace, metadata: {name: shop}}`)
	for n, name := range []string{"node-1", "node-2"} {
		b.add(t, fmt.Sprintf(`{apiVersion: v1, kind: Node, metadata: {name: %s}, status: {addresses: [{type: InternalIP, address: 172.18.0.%d}]}}`, name, n+2))
	}
	b.add(t, deploymentText)
	const applied = `{"apiVersion":"v1","kind":"Service","metadata":{"name":"web","namespace":"shop"},"spec":{"selector":{"app":"web"},"ports":[{"port":80,"targetPort":8080}]}}`
	b.add(t, `{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop, annotations: {kubectl.kubernetes.io/last-applied-configuration: '`+applied+`'}}, spec: {type: ClusterIP, clusterIP: 10.96.0.5, clusterIPs: [10.96.0.5],
  ipFamilies: [IPv4], ipFamilyPolicy: SingleStack, selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}}`)
	b.add(t, podText("lone", "{app: lone}", "node-1", "10.244.1.9", ""))
	d := b.objects[3].(*appsv1.Deployment)
	w := b.world(t, d)
	if err := w.settle(); err != nil {
		t.Fatal(err)
	}
	for _, o := range w.objects { // what the controllers made, as a cluster has it
		if rs, is := o.(*appsv1.ReplicaSet); is {
			rs.UID = "rs-web"
			b.objects = append(b.objects, rs)
			for n := range 2 {
				owner := "ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: " + rs.Name + ", uid: rs-web, controller: true, blockOwnerDeletion: true}]"
				b.add(t, podText(fmt.Sprintf("web-%c", 'a'+n), "{app: web, pod-template-hash: "+rs.Labels["pod-template-hash"]+"}",
					fmt.Sprintf("node-%d", n+1), fmt.Sprintf("10.244.%d.7", n+1), owner))
			}
		}
	}
	b.see()
	planned, err := Do(t.Context(), fake.NewClientset(b.objects...), b.snapshot, "shop", model.Edit{Patch: &model.Patch{Object: model.Ref{Kind: "Service", Name: "web"}, Data: "metadata: {labels: {a: b}}"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, slice := range planned.Snapshot.Slices {
		one := sketchSlice(slice)
		one.Name, one.UID, one.Labels = "web-x", "slice-web", maps.Clone(one.Labels)
		delete(one.Labels, "a")
		b.objects = append(b.objects, one)
	}
	b.see()
	return b
}

const deploymentText = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, uid: dep-web, generation: 1}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: nginx, ports: [{name: http, containerPort: 8080}]}]}
`

func podText(name, labels, node, ip, owner string) string {
	return fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata:
  name: %s
  namespace: shop
  labels: %s
  creationTimestamp: "2026-11-30T09:00:00Z"
  %s
spec: {nodeName: %s, containers: [{name: web, image: nginx, ports: [{name: http, containerPort: 8080}]}]}
status:
  phase: Running
  podIP: %s
  podIPs: [{ip: %s}]
  conditions: [{type: Ready, status: "True", lastTransitionTime: "2026-11-30T09:00:05Z"}]
  containerStatuses: [{name: web, ready: true, restartCount: 0, image: nginx, imageID: "", state: {running: {}}}]
`, name, labels, owner, node, ip, ip)
}

// add adds an object as the server has it: with its defaults and a UID.
func (b *bench) add(t *testing.T, text string) {
	t.Helper()
	plain, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	object, _, err := legacyscheme.Codecs.UniversalDeserializer().Decode(plain, nil, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	legacyscheme.Scheme.Default(object)
	about := object.(metav1.Object)
	if about.GetUID() == "" {
		about.SetUID(types.UID("uid-" + about.GetName()))
	}
	about.SetResourceVersion("7")
	b.objects = append(b.objects, object)
}

func (b *bench) world(t *testing.T, d *appsv1.Deployment) *world {
	b.see()
	w := newWorld(t.Context(), fake.NewClientset(b.objects...), b.snapshot, "shop")
	w.due(id{"Deployment", d.Namespace, d.Name})
	return w
}

// see makes a snapshot of the objects.
func (b *bench) see() {
	s := model.Snapshot{Time: time.Date(2026, 11, 30, 10, 0, 0, 0, time.UTC), Sync: model.Sync{Synced: true}, ServiceCIDRs: []string{"10.96.0.0/16"}, Cluster: model.Cluster{Lab: true}}
	for _, o := range b.objects {
		switch o := o.(type) {
		case *corev1.Namespace:
			s.Namespaces = append(s.Namespaces, convert.Namespace(o))
		case *corev1.Node:
			s.Nodes = append(s.Nodes, convert.Node(o))
		case *corev1.Service:
			s.Services = append(s.Services, convert.Service(o))
		case *corev1.Pod:
			s.Pods = append(s.Pods, convert.Pod(o))
		case *discoveryv1.EndpointSlice:
			s.Slices = append(s.Slices, convert.EndpointSlice(o))
		case *appsv1.Deployment:
			s.Deployments = append(s.Deployments, convert.Deployment(o))
		case *appsv1.ReplicaSet:
			s.ReplicaSets = append(s.ReplicaSets, convert.ReplicaSet(o))
		case *appsv1.StatefulSet:
			s.Workloads = append(s.Workloads, convert.StatefulSet(o))
		case *networkingv1.NetworkPolicy:
			s.Policies = append(s.Policies, convert.NetworkPolicy(o))
		}
	}
	b.snapshot = model.NewSnapshot(s)
}

// do works out an edit, with a server that takes nothing but questions.
func (b *bench) do(t *testing.T, edit model.Edit) (*model.Planned, error) {
	t.Helper()
	client := fake.NewClientset(b.objects...)
	planned, err := Do(context.Background(), client, b.snapshot, "shop", edit)
	for _, action := range client.Actions() {
		if verb := action.GetVerb(); verb != "get" && verb != "list" {
			t.Errorf("the server was asked to %s %s", verb, action.GetResource().Resource)
		}
	}
	return planned, err
}

// shown says in lines what a planned cluster has in namespace shop, in the words
// of what is open.
func shown(p *model.Planned) string {
	var out []string
	line := func(format string, args ...any) { out = append(out, p.Say(fmt.Sprintf(format, args...))) }
	for _, s := range p.Snapshot.Services {
		var ports []string
		for _, port := range s.Ports {
			text := fmt.Sprintf("%s%d→%s", port.Name, port.Port, port.TargetPort)
			if port.NodePort != 0 {
				text += fmt.Sprintf(":%d", port.NodePort)
			}
			ports = append(ports, text)
		}
		line("service %s %s %s %s", s.Name, s.Type, strings.Join(s.ClusterIPs, ","), strings.Join(ports, ","))
	}
	for _, slice := range p.Snapshot.Slices {
		for _, e := range slice.Endpoints {
			line("endpoint %s %s:%d %s on %q", slice.Service(), e.Addresses[0], *slice.Ports[0].Port, e.State(), e.Node)
		}
	}
	for _, pod := range p.Snapshot.Pods {
		line("pod %s ready %v", pod.Name, pod.Ready())
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// marked says in lines what would come, go or change.
func marked(p *model.Planned) string {
	var out []string
	for key, kind := range p.Marks {
		out = append(out, fmt.Sprintf("%s %s", map[model.ChangeKind]string{model.Added: "+", model.Removed: "-", model.Changed: "~"}[kind], p.Say(key)))
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

func TestBench(t *testing.T) {
	p := &model.Planned{Snapshot: newBench(t).snapshot}
	const want = `endpoint web 10.244.1.7:8080 ready on "node-1"
endpoint web 10.244.2.7:8080 ready on "node-2"
pod lone ready true
pod web-a ready true
pod web-b ready true
service web ClusterIP 10.96.0.5 80→8080`
	if got := shown(p); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
