package stage

import (
	"fmt"
	"time"

	"svctour/model"
	"svctour/model/dns"
	"svctour/model/path"
	"svctour/model/scene"
)

// world is a cluster to draw, changed by options.
type world struct {
	model.Snapshot
	service *model.Service
	client  model.Client
	target  string
	name    string
}

func ptr[T any](v T) *T { return &v }

func meta(namespace, name string) model.Meta {
	return model.Meta{Namespace: namespace, Name: name, UID: namespace + "/" + name, Created: time.Unix(1000, 0)}
}

func (w *world) nodes(n int) {
	for i := range n {
		w.Nodes = append(w.Nodes, &model.Node{
			Meta: meta("", fmt.Sprintf("node-%d", i+1)), Addresses: []model.NodeAddress{{Type: "InternalIP", Address: fmt.Sprintf("172.18.0.%d", i+2)}},
			Conditions: []model.Condition{{Type: "Ready", Status: "True"}}, PodCIDRs: []string{fmt.Sprintf("10.244.%d.0/24", i)},
		})
	}
}

// pod adds a Pod on the i-th node.
func (w *world) pod(name string, i int, labels map[string]string, ready bool) *model.Pod {
	status := "False"
	if ready {
		status = "True"
	}
	on := len(w.Pods)
	p := &model.Pod{
		Meta: meta("tour", name), Node: fmt.Sprintf("node-%d", i+1), Phase: "Running", IPs: []string{fmt.Sprintf("10.244.%d.%d", i, 3+on%200)},
		Conditions: []model.Condition{{Type: "Ready", Status: status}},
		Containers: []model.Container{{Name: "c", Ready: ready, State: "running", Ports: []model.ContainerPort{{Port: 80, Protocol: "TCP"}}}},
	}
	p.Labels = labels
	w.Pods = append(w.Pods, p)
	return p
}

// slice lists Pods as endpoints of the Service web at a port.
func (w *world) slice(service string, port int32, protocol string, pods ...*model.Pod) {
	s := &model.EndpointSlice{
		Meta: meta(pods[0].Namespace, service+"-abc"), AddressType: "IPv4",
		Ports: []model.EndpointPort{{Protocol: protocol, Port: ptr(port)}},
	}
	s.Labels = map[string]string{model.ServiceNameLabel: service}
	for _, p := range pods {
		s.Endpoints = append(s.Endpoints, model.Endpoint{
			Addresses: p.IPs, Ready: ptr(p.Ready() && !p.Terminating()), Serving: ptr(p.Ready()), Terminating: ptr(p.Terminating()), Node: p.Node,
			Target: &model.Ref{Kind: "Pod", Namespace: p.Namespace, Name: p.Name, UID: p.UID},
		})
	}
	w.Slices = append(w.Slices, s)
}

func (w *world) dns(ready bool) {
	svc := &model.Service{
		Meta: meta("kube-system", "kube-dns"), Type: model.ClusterIP, ClusterIPs: []string{"10.96.0.10"}, IPFamilies: []string{"IPv4"},
		Ports: []model.ServicePort{{Protocol: "UDP", Port: 53, TargetPort: "53"}},
	}
	p := w.pod("coredns-abc", 0, nil, ready)
	p.Namespace, p.UID = "kube-system", "coredns"
	w.Services = append(w.Services, svc)
	w.slice("kube-dns", 53, "UDP", p)
	w.DNS = model.DNS{Domain: "cluster.local", Servers: []string{"10.96.0.10"}, Serving: ready, Evidence: model.Derived}
}

var app = map[string]string{"app": "web"}

// newWorld is three nodes, three Pods, a client and a Service for them.
func newWorld(change func(*world)) *world {
	w := &world{client: model.Client{Kind: model.ClientPod, Namespace: "tour", Name: "tmp"}, target: "web", name: "web"}
	w.Sync.Synced = true
	w.Proxy = model.DefaultProxy()
	w.Proxy.ClusterCIDRs = []string{"10.244.0.0/16"}
	w.service = &model.Service{
		Meta: meta("tour", "web"), Type: model.ClusterIP, ClusterIPs: []string{"10.96.142.31"}, IPFamilies: []string{"IPv4"}, Selector: app,
		Ports: []model.ServicePort{{Protocol: "TCP", Port: 80, TargetPort: "80"}},
	}
	w.Services = []*model.Service{w.service}
	change(w)
	return w
}

func three(w *world) {
	w.nodes(3)
	w.dns(true)
	w.pod("tmp", 0, map[string]string{"run": "tmp"}, true)
	w.slice("web", 80, "TCP", w.pod("web-7f6f4c9c5-2xk9p", 0, app, true), w.pod("web-7f6f4c9c5-j9v4c", 1, app, true), w.pod("web-7f6f4c9c5-7kq2d", 2, app, true))
}

func (w *world) scene() *scene.Scene { return scene.Of(w.input()) }

// input is what the app makes a scene of.
func (w *world) input() scene.Input {
	s := model.NewSnapshot(w.Snapshot)
	in := scene.Input{Snapshot: s, Namespace: "tour", Service: "web", Client: w.client, Evidence: model.Derived}
	from := w.client.String()
	if w.target != "" {
		in.Trace, _ = path.Do(s, path.Request{Namespace: "tour", Target: w.target, From: from})
		if in.Trace != nil {
			in.Client = in.Trace.Client
		}
	}
	if w.name != "" && w.client.Kind == model.ClientPod {
		in.Resolution, _ = dns.Resolve(s, dns.Request{Namespace: "tour", From: from, Name: w.name})
	}
	return in
}
