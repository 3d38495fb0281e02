package behaviour

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"text/template"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"svctour/test/drive"
)

// patience bounds every wait for a condition on a slow, shared machine.
const patience = 60 * time.Second

const (
	clientImage = "nicolaka/netshoot"
	serverImage = "nginx:1.27"
)

// world is a scenario's namespace while it runs.
type world struct {
	*drive.Cluster
	*shared
	namespace string
	nodes     []corev1.Node
	barriers  int
	notReady  map[string]bool
	dnsScaled bool // and will be put back when the scenario ends
}

// shared is what all scenarios use: Pods in the nodes' networks.
type shared struct {
	mu    sync.Mutex
	space string          // their namespace
	made  map[string]bool // the clients that exist, NAMESPACE/NAME
	ends  tally           // what the requests' paths ended as
}

// serverConf makes nginx say who it is and whom it sees.
const serverConf = `server {
  listen %d;
  listen 127.0.0.1:%d;
  location / { default_type text/plain; return 200 "$hostname $remote_addr\n"; }
}
`

// corefile answers for who.test with the server's own address.
const corefile = ".:5353 {\n  hosts {\n    %s who.test\n  }\n}\n"

// functions are what manifests and requests may say: node 1, nodeIP 1, podIP
// "a", clusterIP "web", nodePort "web",
// healthPort "web", namespace; vip 1, which no host of the nodes' network has.
func (w *world) functions(ctx context.Context) template.FuncMap {
	service := func(name string) (*corev1.Service, error) {
		return w.CoreV1().Services(w.namespace).Get(ctx, name, metav1.GetOptions{})
	}
	return template.FuncMap{
		"namespace": func() string { return w.namespace },
		"node":      func(n int) string { return w.nodes[n-1].Name },
		"nodeIP":    func(n int) string { return internal(&w.nodes[n-1]) },
		"podIP": func(name string) (address string, err error) {
			err = drive.Until(ctx, func(ctx context.Context) error {
				pod, err := w.CoreV1().Pods(w.namespace).Get(ctx, name, metav1.GetOptions{})
				if err == nil && pod.Status.PodIP == "" {
					err = fmt.Errorf("pod %q has no address yet", name)
				}
				address = pod.Status.PodIP
				return err
			})
			return address, err
		},
		"vip":    func(n int) string { return w.beside(byte(200 + n)) },
		"dashed": func(address string) string { return strings.ReplaceAll(address, ".", "-") },
		"clusterIP": func(name string) (string, error) {
			s, err := service(name)
			return s.Spec.ClusterIP, err
		},
		"healthPort": func(name string) (int32, error) {
			s, err := service(name)
			return s.Spec.HealthCheckNodePort, err
		},
		"nodePort": func(name string) (int32, error) {
			s, err := service(name)
			if err != nil || len(s.Spec.Ports) == 0 {
				return 0, err
			}
			return s.Spec.Ports[0].NodePort, nil
		},
	}
}

func (w *world) expand(ctx context.Context, text string) (string, error) {
	parsed, err := template.New("").Funcs(w.functions(ctx)).Parse(text)
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	err = parsed.Execute(&out, nil)
	return out.String(), err
}

func internal(node *corev1.Node) string {
	for _, a := range node.Status.Addresses {
		if a.Type == corev1.NodeInternalIP {
			return a.Address
		}
	}
	return ""
}

// apply creates manifests.
func (w *world) apply(ctx context.Context, namespace, text string) error {
	text, err := w.expand(ctx, text)
	if err != nil {
		return err
	}
	objects, err := drive.Decode(text, namespace)
	if err != nil {
		return err
	}
	for _, object := range objects {
		if err := w.Create(ctx, object); err != nil {
			return err
		}
	}
	return nil
}

// manifest is the Pod of a server, with its configuration.
func (w *world) manifest(s server) string {
	port, conf, mount, file := s.Number, "", "/etc/nginx/conf.d", "default.conf"
	if port == 0 {
		port = 8080
	}
	container := map[string]any{"name": "server", "image": serverImage}
	name, protocol := s.Port, "TCP"
	if name == "" {
		name = "http"
	}
	if s.Names {
		port, name, protocol, mount, file = 5353, "names", "UDP", "/etc/coredns", "Corefile"
		conf = fmt.Sprintf(corefile, fakeAddress(s.Name))
		container["image"], container["args"] = w.coreDNSImage(), []string{"-conf", "/etc/coredns/Corefile"}
	} else {
		conf = fmt.Sprintf(serverConf, port, port+1)
		container["readinessProbe"] = map[string]any{
			"exec":          map[string]any{"command": []string{"test", "!", "-e", "/tmp/unready"}},
			"periodSeconds": 1, "failureThreshold": 1, "timeoutSeconds": 10,
		}
		if s.NotReady {
			container["readinessProbe"].(map[string]any)["exec"] = map[string]any{"command": []string{"test", "-e", "/tmp/ready"}}
		}
	}
	container["ports"] = []any{map[string]any{"name": name, "containerPort": port, "protocol": protocol}}
	container["volumeMounts"] = []any{map[string]any{"name": "conf", "mountPath": mount}}
	spec := map[string]any{
		"containers": []any{container}, "terminationGracePeriodSeconds": 1, "enableServiceLinks": false,
		"volumes": []any{map[string]any{"name": "conf", "configMap": map[string]any{"name": s.Name + "-conf"}}},
	}
	if s.Lingers {
		container["lifecycle"] = map[string]any{"preStop": map[string]any{"exec": map[string]any{"command": []string{"sleep", "60"}}}}
		spec["terminationGracePeriodSeconds"] = 60
	}
	if s.Node > 0 {
		spec["nodeName"] = w.nodes[s.Node-1].Name
	}
	maps.Copy(spec, s.Spec)
	labels := s.Labels
	if labels == nil {
		labels = map[string]string{"app": "web"}
	}
	return document("ConfigMap", map[string]any{"name": s.Name + "-conf"}, "data", map[string]any{file: conf}) +
		document("Pod", map[string]any{"name": s.Name, "labels": labels}, "spec", spec)
}

// fakeAddress tells servers with names apart: they are called a, b, ….
func fakeAddress(name string) string { return fmt.Sprintf("192.0.2.%d", name[0]-'a'+1) }

// document is JSON, which is YAML; it must not be taken for a template.
func document(kind string, metadata map[string]any, field string, value any) string {
	text, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": kind, "metadata": metadata, field: value})
	if err != nil {
		panic(err) // of maps and strings
	}
	return "---\n" + string(text) + "\n"
}

// coreDNSImage is the cluster's own: every cluster here can run it.
func (w *world) coreDNSImage() string {
	deployment, err := w.AppsV1().Deployments("kube-system").Get(context.Background(), "coredns", metav1.GetOptions{})
	if err != nil {
		return "coredns:unknown"
	}
	return deployment.Spec.Template.Spec.Containers[0].Image
}

// client makes sure that the Pod of this name exists, and says where.
func (w *world) client(ctx context.Context, name string) (namespace, pod string, err error) {
	namespace = w.namespace
	var node int
	switch name {
	case "client", "node1":
		node = 1
	case "client2", "node2":
		node = 2
	default:
		return namespace, name, nil // a server, or a Pod of the manifests
	}
	host := strings.HasPrefix(name, "node")
	if host {
		namespace = w.space
	}
	w.mu.Lock()
	key := namespace + "/" + name
	made := w.made[key]
	w.made[key] = true
	w.mu.Unlock()
	if !made {
		spec := map[string]any{
			"nodeName": w.nodes[node-1].Name, "terminationGracePeriodSeconds": 0, "hostNetwork": host, "enableServiceLinks": false,
			"containers": []any{map[string]any{"name": "client", "image": clientImage, "command": []string{"sleep", "infinity"}}},
		}
		objects, err := drive.Decode(document("Pod", map[string]any{"name": name, "labels": map[string]any{"role": name}}, "spec", spec), namespace)
		if err != nil {
			return "", "", err
		}
		if err := w.Create(ctx, objects[0]); err != nil {
			return "", "", err
		}
	}
	return namespace, name, drive.Until(ctx, func(ctx context.Context) error {
		pod, err := w.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
		if err == nil && !drive.Ready(pod) {
			err = fmt.Errorf("Pod %q is not ready: %s", name, state(pod))
		}
		return err
	})
}

func state(pod *corev1.Pod) string {
	for _, c := range pod.Status.ContainerStatuses {
		if c.State.Waiting != nil {
			return c.State.Waiting.Reason + " " + c.State.Waiting.Message
		}
	}
	return string(pod.Status.Phase) + " " + pod.Status.Reason
}

// settle waits until Pods are as they should be, slices say so, and the nodes of
// the clients have heard: kube-proxy knows what was written before a Service when
// that Service's rules are there. The Service has no endpoints, so connections
// to it are refused.
func (w *world) settle(ctx context.Context, from ...string) error {
	if err := drive.Until(ctx, w.podsSettled); err != nil {
		return fmt.Errorf("wait for Pods: %w", err)
	}
	if err := drive.Until(ctx, w.slicesSettled); err != nil {
		return fmt.Errorf("wait for EndpointSlices: %w", err)
	}
	w.barriers++
	name := fmt.Sprintf("barrier-%d", w.barriers)
	barrier := `{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "` + name + `"}, "spec": {"ports": [{"port": 80}]}}`
	if err := w.apply(ctx, w.namespace, barrier); err != nil {
		return err
	}
	address, err := w.expand(ctx, `{{clusterIP "`+name+`"}}`)
	if err != nil {
		return err
	}
	for _, from := range from {
		if err := drive.Until(ctx, func(ctx context.Context) error {
			if got := w.http(ctx, from, "http://"+address); got != "refused" {
				return fmt.Errorf("%s is not told of Services: %s", from, got)
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) podsSettled(ctx context.Context) error {
	pods, err := w.CoreV1().Pods(w.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		if pod.DeletionTimestamp != nil {
			continue
		}
		if pod.Status.Phase != corev1.PodSucceeded && (!drive.Running(pod) || drive.Ready(pod) == w.notReady[pod.Name]) {
			return fmt.Errorf("Pod %q: %s, ready %v", pod.Name, state(pod), drive.Ready(pod))
		}
	}
	return nil
}

// slicesSettled compares the slices of each Service that selects with its Pods.
func (w *world) slicesSettled(ctx context.Context) error {
	pods, err := w.CoreV1().Pods(w.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	services, err := w.CoreV1().Services(w.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, service := range services.Items {
		if len(service.Spec.Selector) == 0 || service.Spec.Type == corev1.ServiceTypeExternalName {
			continue
		}
		want := []string{}
		for i := range pods.Items {
			pod := &pods.Items[i]
			if matches(service.Spec.Selector, pod.Labels) && pod.Status.PodIP != "" && pod.Status.Phase == corev1.PodRunning {
				ready := pod.DeletionTimestamp == nil && drive.Ready(pod) || service.Spec.PublishNotReadyAddresses
				want = append(want, fmt.Sprintf("%s ready=%v", pod.Name, ready))
			}
		}
		slices.Sort(want)
		list, err := w.DiscoveryV1().EndpointSlices(w.namespace).List(ctx, metav1.ListOptions{
			LabelSelector: "kubernetes.io/service-name=" + service.Name + ",endpointslice.kubernetes.io/managed-by=endpointslice-controller.k8s.io",
		})
		if err != nil {
			return err
		}
		got := []string{}
		for _, slice := range list.Items {
			for _, e := range slice.Endpoints {
				if e.TargetRef != nil {
					got = append(got, fmt.Sprintf("%s ready=%v", e.TargetRef.Name, e.Conditions.Ready != nil && *e.Conditions.Ready))
				}
			}
		}
		slices.Sort(got)
		if got, want = slices.Compact(got), slices.Compact(want); !slices.Equal(got, want) {
			return fmt.Errorf("Service %q has endpoints %v, want %v", service.Name, got, want)
		}
	}
	return nil
}

func matches(selector, labels map[string]string) bool {
	for key, value := range selector {
		if labels[key] != value {
			return false
		}
	}
	return true
}

var address = regexp.MustCompile(`\b\d{1,3}([.-])\d{1,3}([.-])\d{1,3}([.-])\d{1,3}\b`)

// plain gives addresses the names of what has them, so that clusters compare:
// a Pod's own is <name>, a Service's <svc name>, a node's <node 1>, its end of
// the Pods' network <gateway 1>.
func (w *world) plain(ctx context.Context, text string) string {
	names := map[string]string{"192.0.2.1": "<a>", "192.0.2.2": "<b>", "10.96.0.10": "<svc kube-dns>", "10.96.0.1": "<svc kubernetes>"}
	for i := range w.nodes {
		node := &w.nodes[i]
		names[internal(node)] = fmt.Sprintf("<node %d>", i+1)
		if prefix, err := netip.ParsePrefix(node.Spec.PodCIDR); err == nil {
			names[prefix.Addr().Next().String()] = fmt.Sprintf("<gateway %d>", i+1)
		}
	}
	if pods, err := w.CoreV1().Pods(w.namespace).List(ctx, metav1.ListOptions{}); err == nil {
		for _, pod := range pods.Items {
			if !pod.Spec.HostNetwork && pod.Status.PodIP != "" {
				names[pod.Status.PodIP] = "<" + pod.Name + ">"
			}
		}
	}
	if services, err := w.CoreV1().Services(w.namespace).List(ctx, metav1.ListOptions{}); err == nil {
		for _, s := range services.Items {
			names[s.Spec.ClusterIP] = "<svc " + s.Name + ">"
		}
	}
	if at := w.outside(); at != "" {
		names[at] = "<outside>"
	}
	text = address.ReplaceAllStringFunc(text, func(found string) string {
		if name, known := names[strings.ReplaceAll(found, "-", ".")]; known {
			return name
		}
		return found
	})
	for i := range w.nodes {
		text = strings.ReplaceAll(text, w.nodes[i].Name, fmt.Sprintf("<node %d's name>", i+1))
	}
	return strings.ReplaceAll(text, w.namespace, "NS")
}

// outside is a client's address beyond the nodes: the first of their network.
func (w *world) outside() string { return w.beside(1) }

// beside is an address in the nodes' network, by its last byte.
func (w *world) beside(last byte) string {
	node, err := netip.ParseAddr(internal(&w.nodes[0]))
	if err != nil || !node.Is4() {
		return ""
	}
	bytes := node.As4()
	bytes[3] = last
	return netip.AddrFrom4(bytes).String()
}

func (w *world) patch(ctx context.Context, service, address string) error {
	address, mode, _ := strings.Cut(address+" VIP", " ")
	mode, _, _ = strings.Cut(mode, " ")
	body := fmt.Sprintf(`{"status":{"loadBalancer":{"ingress":[{"ip":%q,"ipMode":%q}]}}}`, address, mode)
	_, err := w.CoreV1().Services(w.namespace).Patch(ctx, service, types.MergePatchType, []byte(body), metav1.PatchOptions{}, "status")
	return err
}
