package diagnose

import (
	"fmt"
	"maps"
	"strconv"

	"svctour/model"
)

// world is a cluster that a test may change before it is diagnosed.
type world struct {
	model.Snapshot
	ask       Options
	unsettled func(*world) // changes what the EndpointSlice controller has written
}

const ns = "shop"

func newWorld() *world {
	w := &world{Snapshot: model.Snapshot{
		Sync: model.Sync{Synced: true}, Proxy: model.DefaultProxy(),
		DNS: model.DNS{Domain: "cluster.local", Servers: []string{"10.96.0.10"}, Source: "ConfigMap kube-system/kubelet-config", Evidence: model.Derived},
	}}
	w.Proxy.Running = true
	for i := range 3 {
		name := fmt.Sprintf("node-%d", i+1)
		w.Nodes = append(w.Nodes, &model.Node{
			Meta: model.Meta{Name: name}, Conditions: []model.Condition{{Type: "Ready", Status: "True"}},
			Addresses: []model.NodeAddress{{Type: "InternalIP", Address: fmt.Sprintf("172.18.0.%d", i+2)}},
		})
		proxy := w.pod("kube-system", "kube-proxy-"+name, map[string]string{"k8s-app": "kube-proxy"})
		proxy.Node, proxy.HostNetwork = name, true
	}
	for _, name := range []string{"kube-system", ns, "other"} {
		w.Namespaces = append(w.Namespaces, &model.Namespace{Meta: model.Meta{Name: name, Labels: map[string]string{"kubernetes.io/metadata.name": name}}, Phase: "Active"})
	}
	dns := w.service("kube-system", "kube-dns", map[string]string{"k8s-app": "kube-dns"}, port("dns", "UDP", 53, "53"))
	dns.ClusterIPs = []string{"10.96.0.10"}
	w.deployment("kube-system", "coredns", 2, map[string]string{"k8s-app": "kube-dns"}, container("coredns", "dns", "UDP", 53))
	w.application()
	return w
}

// application is ten Services of all kinds that work.
func (w *world) application() {
	app := func(name string) map[string]string { return map[string]string{"app": name} }
	w.service(ns, "web", map[string]string{"app": "web", "tier": "front"}, port("", "TCP", 80, "8080"))
	w.deployment(ns, "web", 3, map[string]string{"app": "web", "tier": "front"}, container("web", "", "TCP", 8080))
	w.service(ns, "api", app("api"), port("http", "TCP", 80, "http"), port("metrics", "TCP", 9090, "metrics"))
	w.deployment(ns, "api", 3, app("api"), container("api", "http", "TCP", 8080), container("exporter", "metrics", "TCP", 9100))
	db := w.service(ns, "db", app("db"), port("pg", "TCP", 5432, "5432"))
	db.ClusterIPs = []string{model.None}
	w.statefulSet(ns, "db", 3, app("db"), container("db", "pg", "TCP", 5432))
	w.service(ns, "cache", app("cache"), port("", "TCP", 6379, "6379"))
	w.deployment(ns, "cache", 1, app("cache"), container("cache", "", "TCP", 6379))
	out := w.service(ns, "out", nil, port("", "TCP", 443, "443"))
	out.Type, out.ClusterIPs, out.ExternalName = model.ExternalName, nil, "api.example.com"
	door := w.service(ns, "door", app("door"), port("", "TCP", 80, "8080"))
	door.Type, door.Ports[0].NodePort, door.ExternalTrafficPolicy = model.NodePort, 30080, "Local"
	w.deployment(ns, "door", 3, app("door"), container("door", "", "TCP", 8080))
	shop := w.service(ns, "balanced", app("balanced"), port("", "TCP", 443, "8443"))
	shop.Type, shop.Ports[0].NodePort, shop.Ingress = model.LoadBalancer, 30443, []model.Ingress{{IP: "172.18.0.200"}}
	w.deployment(ns, "balanced", 2, app("balanced"), container("tls", "", "TCP", 8443))
	agent := w.service(ns, "agent", app("agent"), port("", "TCP", 4317, "4317"))
	agent.InternalTrafficPolicy = "Local"
	w.daemonSet(ns, "agent", app("agent"), container("agent", "", "TCP", 4317))
	w.service(ns, "names", app("names"), port("udp", "UDP", 53, "5353"), port("tcp", "TCP", 53, "5353"))
	names := container("names", "dns", "UDP", 5353)
	names.Ports = append(names.Ports, model.ContainerPort{Name: "dns-tcp", Port: 5353, Protocol: "TCP"})
	w.deployment(ns, "names", 2, app("names"), names)
	w.service(ns, "legacy", nil, port("", "TCP", 3306, "3306"))
	number := int32(3306)
	w.Slices = append(w.Slices, &model.EndpointSlice{
		Meta:        model.Meta{Namespace: ns, Name: "legacy-1", Labels: map[string]string{model.ServiceNameLabel: "legacy"}},
		AddressType: "IPv4", Ports: []model.EndpointPort{{Protocol: "TCP", Port: &number}}, Endpoints: []model.Endpoint{{Addresses: []string{"192.0.2.7"}}},
	})
	client := w.pod(ns, "client", map[string]string{"run": "client"})
	client.Containers = []model.Container{{Name: "sh", Image: "busybox", Ready: true, State: "running"}}
}

func port(name, protocol string, number int32, target string) model.ServicePort {
	return model.ServicePort{Name: name, Protocol: protocol, Port: number, TargetPort: target}
}

func container(name, portName, protocol string, number int32) model.Container {
	return model.Container{
		Name: name, Image: name + ":1", Ready: true, State: "running",
		Ports: []model.ContainerPort{{Name: portName, Port: number, Protocol: protocol}},
	}
}

func (w *world) service(namespace, name string, selector map[string]string, ports ...model.ServicePort) *model.Service {
	s := &model.Service{
		Meta: model.Meta{Namespace: namespace, Name: name, UID: "svc-" + name, ResourceVersion: "1"}, Type: model.ClusterIP, Selector: selector, Ports: ports,
		ClusterIPs: []string{fmt.Sprintf("10.96.1.%d", len(w.Services)+1)}, IPFamilies: []string{"IPv4"},
	}
	w.Services = append(w.Services, s)
	return s
}

func (w *world) pod(namespace, name string, labels map[string]string, containers ...model.Container) *model.Pod {
	n := len(w.Pods)
	p := &model.Pod{
		Meta: model.Meta{Namespace: namespace, Name: name, UID: "pod-" + name, Labels: maps.Clone(labels)}, Node: fmt.Sprintf("node-%d", n%3+1), Phase: "Running",
		IPs: []string{fmt.Sprintf("10.244.%d.%d", n%3, n+2)}, Conditions: []model.Condition{{Type: "Ready", Status: "True"}}, ServiceLinks: true,
		Containers: append([]model.Container(nil), containers...),
	}
	w.Pods = append(w.Pods, p)
	return p
}

func (w *world) owned(namespace, name, kind, uid string, replicas int, labels map[string]string, containers []model.Container) {
	for i := range replicas {
		p := w.pod(namespace, name+"-"+strconv.Itoa(i), labels, containers...)
		p.Owners = []model.Owner{{Kind: kind, Name: name, UID: uid, Controller: true}}
		if kind == "StatefulSet" {
			p.Subdomain, p.Hostname = name, p.Name
		}
	}
}

func (w *world) deployment(namespace, name string, replicas int, labels map[string]string, containers ...model.Container) {
	w.Deployments = append(w.Deployments, &model.Deployment{
		Meta: model.Meta{Namespace: namespace, Name: name, UID: "dep-" + name}, Selector: maps.Clone(labels), TemplateLabels: maps.Clone(labels), Replicas: int32(replicas),
	})
	w.ReplicaSets = append(w.ReplicaSets, &model.ReplicaSet{
		Meta:     model.Meta{Namespace: namespace, Name: name, UID: "rs-" + name, Owners: []model.Owner{{Kind: "Deployment", Name: name, UID: "dep-" + name, Controller: true}}},
		Selector: maps.Clone(labels), TemplateLabels: maps.Clone(labels), Replicas: int32(replicas),
	})
	w.owned(namespace, name, "ReplicaSet", "rs-"+name, replicas, labels, containers)
}

func (w *world) statefulSet(namespace, name string, replicas int, labels map[string]string, containers ...model.Container) {
	w.Workloads = append(w.Workloads, &model.Workload{
		Meta: model.Meta{Namespace: namespace, Name: name, UID: "sts-" + name}, Kind: "StatefulSet", Selector: labels, TemplateLabels: maps.Clone(labels), Replicas: int32(replicas), Service: name,
	})
	w.owned(namespace, name, "StatefulSet", "sts-"+name, replicas, labels, containers)
}

func (w *world) daemonSet(namespace, name string, labels map[string]string, containers ...model.Container) {
	w.Workloads = append(w.Workloads, &model.Workload{
		Meta: model.Meta{Namespace: namespace, Name: name, UID: "ds-" + name}, Kind: "DaemonSet", Selector: labels, TemplateLabels: maps.Clone(labels), Replicas: 3,
	})
	w.owned(namespace, name, "DaemonSet", "ds-"+name, 3, labels, containers)
}

// find gives an object of the world to change.
func (w *world) find(name string) *model.Service {
	for _, s := range w.Services {
		if s.Namespace == ns && s.Name == name {
			return s
		}
	}
	panic("no Service " + name)
}

// asks lets the client ask; it is changed first.
func (w *world) asks(change func(*model.Pod)) *model.Pod {
	pod := w.named("client")
	change(pod)
	w.ask.Client = pod
	return pod
}

func (w *world) named(name string) *model.Pod {
	for _, p := range w.Pods {
		if p.Name == name {
			return p
		}
	}
	panic("no Pod " + name)
}

// says adds an event about a Pod of a workload.
func (w *world) says(workload, reason, message string) {
	for _, p := range w.backends(workload) {
		w.Events = append(w.Events, &model.Event{
			Meta: model.Meta{Namespace: p.Namespace, Name: fmt.Sprintf("e%d", len(w.Events))}, Type: "Warning", Reason: reason, Message: message,
			Object: model.Ref{Kind: "Pod", Namespace: p.Namespace, Name: p.Name}, Source: "kubelet",
		})
	}
}

// policy adds a NetworkPolicy about the Pods that a Service selects.
func (w *world) policy(service string, ingress ...model.PolicyRule) *model.NetworkPolicy {
	p := &model.NetworkPolicy{Meta: model.Meta{Namespace: ns, Name: "policy"}, Pods: model.LabelSelector{Labels: w.find(service).Selector}, Ingress: &ingress}
	w.Policies = append(w.Policies, p)
	return p
}

// slice is the first EndpointSlice of a Service.
func (w *world) slice(service string) *model.EndpointSlice {
	for _, s := range w.Slices {
		if s.Service() == service {
			return s
		}
	}
	panic("no EndpointSlice of " + service)
}

// backends are the Pods of a workload.
func (w *world) backends(workload string) []*model.Pod {
	var out []*model.Pod
	for _, p := range w.Pods {
		if o := controller(p.Meta); o != nil && o.Name == workload {
			out = append(out, p)
		}
	}
	return out
}

// drop takes the Pods of a workload away.
func (w *world) drop(workload string) {
	var kept []*model.Pod
	for _, p := range w.Pods {
		if o := controller(p.Meta); o == nil || o.Name != workload {
			kept = append(kept, p)
		}
	}
	w.Pods = kept
}

func (w *world) maker(name string) *model.Deployment {
	for _, d := range w.Deployments {
		if d.Name == name {
			return d
		}
	}
	panic("no Deployment " + name)
}

// broken puts all Pods of a workload into a state in which they are not ready.
func (w *world) broken(workload string, change func(*model.Pod)) {
	for _, p := range w.backends(workload) {
		p.Conditions = []model.Condition{{Type: "Ready", Status: "False"}}
		for i := range p.Containers {
			p.Containers[i].Ready = false
		}
		change(p)
	}
}

// settle writes the EndpointSlices that the controller would write
// (staging/src/k8s.io/endpointslice), and gives the snapshot.
func (w *world) settle() *model.Snapshot {
	scratch := New(model.NewSnapshot(w.Snapshot))
	for _, s := range w.Services {
		if s.Type == model.ExternalName || len(s.Selector) == 0 {
			continue
		}
		slice := &model.EndpointSlice{
			Meta:        model.Meta{Namespace: s.Namespace, Name: s.Name + "-x", Labels: map[string]string{model.ServiceNameLabel: s.Name, managedBy: controllerName}},
			AddressType: "IPv4",
		}
		for _, p := range scratch.matching(s.Namespace, s.Selector) {
			if p.Phase == "Succeeded" || p.Phase == "Failed" || p.IP() == "" {
				continue
			}
			ready := p.Ready()
			slice.Endpoints = append(slice.Endpoints, model.Endpoint{Addresses: p.IPs, Ready: &ready, Node: p.Node, Target: &model.Ref{Kind: "Pod", Namespace: p.Namespace, Name: p.Name, UID: p.UID}})
			if len(slice.Ports) == 0 {
				for i := range s.Ports {
					if n := (&Subject{}).target(&s.Ports[i], p); n > 0 {
						slice.Ports = append(slice.Ports, model.EndpointPort{Name: s.Ports[i].Name, Protocol: s.Ports[i].Protocol, Port: &n})
					}
				}
			}
		}
		w.Slices = append(w.Slices, slice)
	}
	if w.unsettled != nil {
		w.unsettled(w)
	}
	return model.NewSnapshot(w.Snapshot)
}
