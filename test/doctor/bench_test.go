package doctor

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"

	"svctour/cluster"
	"svctour/model/diagnose"
)

// A big cluster: Services with ten Pods each.
const (
	bigServices   = 5000
	bigPods       = 10
	bigNamespaces = 50
)

// bigList is the objects of one resource of the big cluster.
type bigList struct {
	path, kind, version string
	items               []runtime.Object
}

// big makes the big cluster's objects, as full as a real cluster's are.
func big() []bigList {
	var services, pods, slices, deployments, sets, nodes []runtime.Object
	meta := func(namespace, name, kind string, labels map[string]string) metav1.ObjectMeta {
		return metav1.ObjectMeta{
			Namespace: namespace, Name: name, Labels: labels, ResourceVersion: "7", CreationTimestamp: metav1.NewTime(time.Unix(1_700_000_000, 0)),
			UID: types.UID(fmt.Sprintf("%08x-0000-4000-8000-%s", len(pods), kind+name)),
			ManagedFields: []metav1.ManagedFieldsEntry{{
				Manager: "kube-controller-manager", Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "v1", FieldsType: "FieldsV1",
				FieldsV1: metav1.NewFieldsV1(`{"f:metadata":{"f:labels":{".":{},"f:app":{}},"f:generateName":{}},"f:spec":{"f:containers":{"k:{\"name\":\"app\"}":{".":{},"f:image":{},"f:name":{},"f:ports":{".":{},"k:{\"containerPort\":8080,\"protocol\":\"TCP\"}":{".":{},"f:containerPort":{},"f:name":{}}}}}}}`),
			}},
		}
	}
	yes, number, name, protocol, ready := true, int32(8080), "http", corev1.ProtocolTCP, true
	for i := range 100 {
		n := &corev1.Node{ObjectMeta: meta("", fmt.Sprintf("node-%d", i), "n", map[string]string{"topology.kubernetes.io/zone": fmt.Sprintf("z%d", i%3)})}
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
		n.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: fmt.Sprintf("172.18.0.%d", i)}}
		nodes = append(nodes, n)
	}
	for i := range bigServices {
		namespace, app := fmt.Sprintf("team-%d", i%bigNamespaces), fmt.Sprintf("service-%d", i)
		labels := map[string]string{"app": app, "app.kubernetes.io/part-of": "shop"}
		s := &corev1.Service{ObjectMeta: meta(namespace, app, "s", labels)}
		ip := fmt.Sprintf("10.96.%d.%d", i>>8, i&255)
		s.Spec = corev1.ServiceSpec{
			Type: corev1.ServiceTypeClusterIP, ClusterIP: ip, ClusterIPs: []string{ip}, IPFamilies: []corev1.IPFamily{corev1.IPv4Protocol}, SessionAffinity: "None",
			Selector: map[string]string{"app": app}, Ports: []corev1.ServicePort{{Name: "http", Protocol: protocol, Port: 80, TargetPort: intstr.FromString("http")}},
		}
		services = append(services, s)
		deployment := meta(namespace, app, "d", labels)
		template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}}
		replicas := int32(bigPods)
		deployments = append(deployments, &appsv1.Deployment{ObjectMeta: deployment, Spec: appsv1.DeploymentSpec{Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}, Template: template}})
		set := meta(namespace, app+"-6d4b75cb6d", "r", labels)
		set.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: app, UID: deployment.UID, Controller: &yes}}
		sets = append(sets, &appsv1.ReplicaSet{ObjectMeta: set, Spec: appsv1.ReplicaSetSpec{Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}, Template: template}})
		slice := &discoveryv1.EndpointSlice{
			ObjectMeta:  meta(namespace, app+"-x2x7k", "e", map[string]string{discoveryv1.LabelServiceName: app, discoveryv1.LabelManagedBy: "endpointslice-controller.k8s.io"}),
			AddressType: discoveryv1.AddressTypeIPv4, Ports: []discoveryv1.EndpointPort{{Name: &name, Protocol: &protocol, Port: &number}},
		}
		for j := range bigPods {
			p := bigPod(meta(namespace, fmt.Sprintf("%s-6d4b75cb6d-%05d", app, j), "p", labels), i, j)
			p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: set.Name, UID: set.UID, Controller: &yes}}
			node := p.Spec.NodeName
			pods = append(pods, p)
			slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
				Addresses: []string{p.Status.PodIP}, Conditions: discoveryv1.EndpointConditions{Ready: &ready}, NodeName: &node,
				TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: namespace, Name: p.Name, UID: p.UID},
			})
		}
		slices = append(slices, slice)
	}
	return []bigList{
		{"/api/v1/services", "Service", "v1", services}, {"/api/v1/pods", "Pod", "v1", pods}, {"/api/v1/nodes", "Node", "v1", nodes},
		{"/apis/discovery.k8s.io/v1/endpointslices", "EndpointSlice", "discovery.k8s.io/v1", slices},
		{"/apis/apps/v1/deployments", "Deployment", "apps/v1", deployments}, {"/apis/apps/v1/replicasets", "ReplicaSet", "apps/v1", sets},
	}
}

// bigPod is a Pod as a kubelet reports it.
func bigPod(meta metav1.ObjectMeta, i, j int) *corev1.Pod {
	meta.CreationTimestamp = metav1.NewTime(meta.CreationTimestamp.Add(time.Duration(j) * time.Second))
	p := &corev1.Pod{ObjectMeta: meta}
	yes, seconds := true, int64(30)
	p.Spec = corev1.PodSpec{
		NodeName: fmt.Sprintf("node-%d", (i+j)%100), DNSPolicy: corev1.DNSClusterFirst, RestartPolicy: corev1.RestartPolicyAlways, EnableServiceLinks: &yes,
		ServiceAccountName: "default", SchedulerName: "default-scheduler", TerminationGracePeriodSeconds: &seconds,
		Containers: []corev1.Container{{
			Name: "app", Image: "registry.example.com/shop/" + meta.Labels["app"] + ":1.2.3", ImagePullPolicy: corev1.PullIfNotPresent,
			Ports:          []corev1.ContainerPort{{Name: "http", ContainerPort: 8080, Protocol: corev1.ProtocolTCP}},
			Env:            []corev1.EnvVar{{Name: "LOG_LEVEL", Value: "info"}, {Name: "PORT", Value: "8080"}},
			ReadinessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/ready", Port: intstr.FromString("http")}}, PeriodSeconds: 10},
			VolumeMounts:   []corev1.VolumeMount{{Name: "kube-api-access", ReadOnly: true, MountPath: "/var/run/secrets/kubernetes.io/serviceaccount"}},
		}},
		Tolerations: []corev1.Toleration{{Key: "node.kubernetes.io/not-ready", Operator: "Exists", Effect: "NoExecute"}, {Key: "node.kubernetes.io/unreachable", Operator: "Exists", Effect: "NoExecute"}},
	}
	ip := fmt.Sprintf("10.%d.%d.%d", 100+(i*bigPods+j)>>16, (i*bigPods+j)>>8&255, (i*bigPods+j)&255)
	p.Status = corev1.PodStatus{Phase: corev1.PodRunning, PodIP: ip, PodIPs: []corev1.PodIP{{IP: ip}}, HostIP: "172.18.0.2", QOSClass: corev1.PodQOSBestEffort}
	for _, kind := range []corev1.PodConditionType{"PodReadyToStartContainers", corev1.PodInitialized, corev1.PodReady, corev1.ContainersReady, corev1.PodScheduled} {
		p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: meta.CreationTimestamp})
	}
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: "app", Ready: true, Started: &yes, Image: p.Spec.Containers[0].Image, ImageID: "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
		ContainerID: "containerd://0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
		State:       corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: meta.CreationTimestamp}},
	}}
	return p
}

// bigPage is how many objects a page of a list has.
const bigPage = 500

// answers are what a server says about one resource: pages in protobuf, and
// the events with which a watch begins.
type answers struct {
	pages  [][]byte
	stream []byte
}

var allAnswers = sync.OnceValue(func() map[string]answers {
	out := map[string]answers{}
	for _, list := range big() {
		var a answers
		for from := 0; from < len(list.items); from += bigPage {
			next, to := "", min(from+bigPage, len(list.items))
			if to < len(list.items) {
				next = strconv.Itoa(to / bigPage)
			}
			a.pages = append(a.pages, encodePage(list, list.items[from:to], next))
		}
		version, _ := schema.ParseGroupVersion(list.version)
		for _, item := range list.items {
			item.GetObjectKind().SetGroupVersionKind(version.WithKind(list.kind))
			text, err := json.Marshal(item)
			if err != nil {
				panic(err)
			}
			a.stream = fmt.Appendf(a.stream, `{"type":"ADDED","object":%s}`+"\n", text)
		}
		a.stream = fmt.Appendf(a.stream, `{"type":"BOOKMARK","object":{"kind":%q,"apiVersion":%q,"metadata":{"resourceVersion":"7","annotations":{"k8s.io/initial-events-end":"true"}}}}`+"\n", list.kind, list.version)
		out[list.path] = a
	}
	return out
})

// bigServer answers lists and watches of the big cluster as an API server does:
// one since v1.32 streams what there is, an older one is asked for pages.
func bigServer(b *testing.B, streams bool) (kubeconfig string) {
	b.Helper()
	known := allAnswers()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		query := r.URL.Query()
		about, is := known[r.URL.Path]
		watches := query.Get("watch") != "" && query.Get("watch") != "false"
		switch {
		case r.URL.Path == "/version":
			fmt.Fprint(w, `{"gitVersion":"v1.37.2"}`)
		case watches && query.Get("sendInitialEvents") != "" && (!streams || !is):
			w.WriteHeader(http.StatusUnprocessableEntity)
			fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Invalid","code":422}`)
		case watches:
			if query.Get("sendInitialEvents") != "" {
				_, _ = w.Write(about.stream)
			}
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		case is:
			page, _ := strconv.Atoi(query.Get("continue"))
			w.Header().Set("Content-Type", runtime.ContentTypeProtobuf)
			_, _ = w.Write(about.pages[page])
		default:
			fmt.Fprint(w, `{"kind":"List","apiVersion":"v1","metadata":{"resourceVersion":"7"},"items":[]}`)
		}
	}))
	b.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	kubeconfig = filepath.Join(b.TempDir(), "config")
	text := fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{name: c, cluster: {server: %q}}]\nusers: [{name: u, user: {}}]\ncontexts: [{name: c, context: {cluster: c, user: u}}]\n", server.URL)
	if err := os.WriteFile(kubeconfig, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	return kubeconfig
}

func encodePage(list bigList, items []runtime.Object, next string) []byte {
	info, _ := runtime.SerializerInfoForMediaType(scheme.Codecs.SupportedMediaTypes(), runtime.ContentTypeProtobuf)
	version, _ := schema.ParseGroupVersion(list.version)
	object, err := scheme.Scheme.New(version.WithKind(list.kind + "List"))
	if err != nil {
		panic(err)
	}
	setItems(object, items)
	object.(metav1.ListInterface).SetContinue(next)
	var out bytes.Buffer
	if err := scheme.Codecs.EncoderForVersion(info.Serializer, version).Encode(object, &out); err != nil {
		panic(err)
	}
	return out.Bytes()
}

func setItems(object runtime.Object, items []runtime.Object) {
	for _, item := range items {
		switch list := object.(type) {
		case *corev1.ServiceList:
			list.ResourceVersion, list.Items = "7", append(list.Items, *item.(*corev1.Service))
		case *corev1.PodList:
			list.ResourceVersion, list.Items = "7", append(list.Items, *item.(*corev1.Pod))
		case *corev1.NodeList:
			list.ResourceVersion, list.Items = "7", append(list.Items, *item.(*corev1.Node))
		case *discoveryv1.EndpointSliceList:
			list.ResourceVersion, list.Items = "7", append(list.Items, *item.(*discoveryv1.EndpointSlice))
		case *appsv1.DeploymentList:
			list.ResourceVersion, list.Items = "7", append(list.Items, *item.(*appsv1.Deployment))
		case *appsv1.ReplicaSetList:
			list.ResourceVersion, list.Items = "7", append(list.Items, *item.(*appsv1.ReplicaSet))
		}
	}
}

// BenchmarkDoctor is svctour doctor -A on a cluster of 5,000 Services with
// 50,000 endpoints: the whole command as a process of its own with the memory
// that it takes at most, and, within this one, what comes after the caches have
// synced. The API server is a small one of ours that answers from memory.
func BenchmarkDoctor(b *testing.B) {
	kubeconfig := bigServer(b, true)
	b.Run("streamed", func(b *testing.B) { benchProcess(b, kubeconfig, "doctor", "-A") })
	paged := bigServer(b, false)
	b.Run("paged", func(b *testing.B) { benchProcess(b, paged, "doctor", "-A") })
	b.Run("synced", func(b *testing.B) {
		connection, err := cluster.Connect(b.Context(), cluster.Options{Kubeconfig: kubeconfig, Diagnose: true})
		if err != nil {
			b.Fatal(err)
		}
		defer connection.Close()
		snapshot, err := connection.Next(b.Context(), 0)
		for err == nil && !snapshot.Sync.Synced {
			snapshot, err = connection.Next(b.Context(), snapshot.Sequence)
		}
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if reports := diagnose.New(snapshot).All("", diagnose.Options{}); len(reports) != bigServices || !reports[0].Healthy {
				b.Fatalf("%d reports, the first: %s", len(reports), first(reports[0]))
			}
		}
	})
}

// BenchmarkDoctorFile is svctour doctor -f on a dump of the same cluster, as
// kubectl get -A prints it.
func BenchmarkDoctorFile(b *testing.B) {
	for _, form := range []string{"json", "yaml"} {
		file := filepath.Join(b.TempDir(), "dump."+form)
		writeDump(b, file, form)
		b.Run(form, func(b *testing.B) { benchProcess(b, kubeconfig, "doctor", "-f", file) })
	}
}

// writeDump writes what kubectl get services,pods,… -A -o FORM prints: a List,
// without managed fields. It is written item by item, for the List as a whole
// takes gigabytes to print.
func writeDump(b *testing.B, file, form string) {
	b.Helper()
	out, err := os.Create(file)
	if err != nil {
		b.Fatal(err)
	}
	defer out.Close()
	w := bufio.NewWriter(out)
	head, between, tail := "apiVersion: v1\nitems:\n", "", "kind: List\nmetadata:\n  resourceVersion: \"\"\n"
	if form == "json" {
		head, between, tail = "{\n    \"apiVersion\": \"v1\",\n    \"items\": [\n", ",\n", "\n    ],\n    \"kind\": \"List\",\n    \"metadata\": {\n        \"resourceVersion\": \"\"\n    }\n}\n"
	}
	fmt.Fprint(w, head)
	first := true
	for _, list := range big() {
		version, _ := schema.ParseGroupVersion(list.version)
		for _, item := range list.items {
			item.GetObjectKind().SetGroupVersionKind(version.WithKind(list.kind))
			item.(metav1.Object).SetManagedFields(nil)
			if !first {
				fmt.Fprint(w, between)
			}
			first = false
			var text []byte
			if form == "json" {
				text, err = json.MarshalIndent(item, "        ", "    ")
				text = append([]byte("        "), text...)
			} else if text, err = yaml.Marshal(item); err == nil {
				text = append([]byte("- "), bytes.ReplaceAll(bytes.TrimRight(text, "\n"), []byte("\n"), []byte("\n  "))...)
				text = append(text, '\n')
			}
			if err != nil {
				b.Fatal(err)
			}
			_, _ = w.Write(text)
		}
	}
	fmt.Fprint(w, tail)
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
}

// benchProcess runs svctour in a process of its own.
func benchProcess(b *testing.B, kubeconfig string, args ...string) {
	b.Helper()
	executable, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	var spent time.Duration
	most, own, memory := 0.0, 0.0, filepath.Join(b.TempDir(), "memory")
	for b.Loop() {
		command := exec.CommandContext(b.Context(), executable, args...)
		command.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "SVCTOUR_HOME="+b.TempDir(), memoryFile+"="+memory)
		var stdout, stderr bytes.Buffer
		command.Stdout, command.Stderr = &stdout, &stderr
		if err := command.Run(); err != nil {
			b.Fatalf("%v: %s%s", err, stdout.String(), stderr.String())
		}
		if !strings.Contains(stdout.String(), fmt.Sprintf("%d of %d Services have no problem", bigServices, bigServices)) {
			b.Fatalf("%.400s", stdout.String())
		}
		spent += command.ProcessState.UserTime() + command.ProcessState.SystemTime()
		text, err := os.ReadFile(memory)
		if err != nil {
			b.Fatal(err)
		}
		var held, program float64
		if _, err := fmt.Sscan(string(text), &held, &program); err != nil {
			b.Fatal(err)
		}
		most, own = max(most, held/1024), max(own, (held-program)/1024)
	}
	b.ReportMetric(spent.Seconds()/float64(b.N), "cpu-s/op")
	b.ReportMetric(most, "MB-most")
	b.ReportMetric(own, "MB-without-program")
}
