package uitest

import (
	"fmt"
	"time"

	"svctour/model"
)

// Epoch is when every object of these worlds was made.
var Epoch = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// World is a synced snapshot of a lab with three nodes, the tour's namespace
// and the given objects. Pods without a Deployment get one.
func World(objects ...any) *model.Snapshot {
	s := model.Snapshot{
		Sequence: 1, Time: Epoch,
		Cluster: model.Cluster{Context: "svctour-lab", Server: "https://127.0.0.1:6443", Version: "v1.37.2", Lab: true},
		Sync:    model.Sync{Synced: true},
		Proxy:   model.DefaultProxy(),
		DNS:     model.DNS{Domain: "cluster.local", Servers: []string{"10.96.0.10"}, Source: "ConfigMap kube-system/kubelet-config", Evidence: model.Derived},
	}
	s.Proxy.ClusterCIDRs, s.Proxy.Source, s.Proxy.Evidence = []string{"10.244.0.0/16"}, "ConfigMap kube-system/kube-proxy", model.Derived
	for i := 1; i <= 3; i++ {
		name := fmt.Sprintf("node-%d", i)
		s.Nodes = append(s.Nodes, &model.Node{
			Meta:       model.Meta{Name: name, UID: name, Created: Epoch},
			Addresses:  []model.NodeAddress{{Type: "InternalIP", Address: fmt.Sprintf("172.18.0.%d", i+1)}, {Type: "Hostname", Address: name}},
			PodCIDRs:   []string{fmt.Sprintf("10.244.%d.0/24", i-1)},
			Conditions: []model.Condition{{Type: "Ready", Status: "True"}},
			Kubelet:    "v1.37.2",
		})
	}
	for _, name := range []string{"default", "kube-system", "tour"} {
		s.Namespaces = append(s.Namespaces, &model.Namespace{Meta: model.Meta{Name: name, UID: "ns-" + name, Created: Epoch}, Phase: "Active"})
	}
	pods := int32(0)
	for _, o := range objects {
		switch o := o.(type) {
		case *model.Pod:
			s.Pods = append(s.Pods, o)
			pods++
		case *model.Service:
			s.Services = append(s.Services, o)
		case *model.EndpointSlice:
			s.Slices = append(s.Slices, o)
		case *model.Deployment:
			s.Deployments = append(s.Deployments, o)
		default:
			panic(fmt.Sprintf("%T", o))
		}
	}
	if pods > 0 && len(s.Deployments) == 0 {
		labels := map[string]string{"app": "web"}
		s.Deployments = append(s.Deployments, &model.Deployment{
			Meta: model.Meta{Namespace: "tour", Name: "web", UID: "deploy-web", Generation: 1, Created: Epoch, Labels: labels}, Selector: labels, TemplateLabels: labels,
			Replicas: pods, Updated: pods, Ready: pods, Available: pods, Observed: 1,
		})
	}
	return model.NewSnapshot(s)
}

// Troubled is a world whose API server does not answer any more.
func Troubled() *model.Snapshot {
	s := *World(ThreePods()...)
	s.Sync.Err = "The API server at https://127.0.0.1:6443 has not answered for 4 s."
	return model.NewSnapshot(s)
}

var podIPs = []string{"10.244.0.5", "10.244.1.6", "10.244.2.7"}

// PodName is the name of Pod i of ThreePods.
func PodName(i int) string { return "web-6d4b75cb6d-" + []string{"x2k9p", "9kf4z", "pq7wm"}[i] }

// ThreePods are the Pods of Deployment web, one on each node.
func ThreePods() []any {
	var out []any
	for i, ip := range podIPs {
		out = append(out, &model.Pod{
			Meta: model.Meta{Namespace: "tour", Name: PodName(i), UID: fmt.Sprintf("pod-%d", i), Created: Epoch,
				Labels: map[string]string{"app": "web", "pod-template-hash": "6d4b75cb6d"},
				Owners: []model.Owner{{Kind: "ReplicaSet", Name: "web-6d4b75cb6d", UID: "rs-web", Controller: true}}},
			Node: fmt.Sprintf("node-%d", i+1), Phase: "Running", IPs: []string{ip}, DNSPolicy: "ClusterFirst",
			Conditions: []model.Condition{{Type: "Ready", Status: "True"}},
			Containers: []model.Container{{Name: "nginx", Image: "nginx:1.27", State: "running", Ready: true, Ports: []model.ContainerPort{{Port: 80, Protocol: "TCP"}}}},
		})
	}
	return out
}

// ClientPod is the lessons' client.
func ClientPod() *model.Pod {
	return &model.Pod{
		Meta: model.Meta{Namespace: "tour", Name: "tmp", UID: "pod-tmp", Created: Epoch, Labels: map[string]string{"run": "tmp"}},
		Node: "node-1", Phase: "Running", IPs: []string{"10.244.0.9"}, DNSPolicy: "ClusterFirst",
		Conditions: []model.Condition{{Type: "Ready", Status: "True"}},
		Containers: []model.Container{{Name: "tmp", Image: "nginx:1.27", State: "running", Ready: true}},
	}
}

// WebService is the Service of the Pods, of one of model's types.
func WebService(kind string, nodePort int32) *model.Service {
	return &model.Service{
		Meta: model.Meta{Namespace: "tour", Name: "web", UID: "svc-web", Created: Epoch, Labels: map[string]string{}},
		Type: kind, Selector: map[string]string{"app": "web"}, ClusterIPs: []string{"10.96.142.31"}, IPFamilies: []string{"IPv4"},
		Ports: []model.ServicePort{{Protocol: "TCP", Port: 80, TargetPort: "80", NodePort: nodePort}},
	}
}

// WebSlice is the EndpointSlice of the first n of the Pods.
func WebSlice(n int) *model.EndpointSlice {
	yes, no, port := true, false, int32(80)
	slice := &model.EndpointSlice{
		Meta:        model.Meta{Namespace: "tour", Name: "web-7xk2v", UID: "slice-web", Created: Epoch, Labels: map[string]string{model.ServiceNameLabel: "web"}},
		AddressType: "IPv4", Ports: []model.EndpointPort{{Protocol: "TCP", Port: &port}},
	}
	for i := range n {
		slice.Endpoints = append(slice.Endpoints, model.Endpoint{
			Addresses: []string{podIPs[i]}, Ready: &yes, Serving: &yes, Terminating: &no, Node: fmt.Sprintf("node-%d", i+1),
			Target: &model.Ref{Kind: "Pod", Namespace: "tour", Name: PodName(i), UID: fmt.Sprintf("pod-%d", i)},
		})
	}
	return slice
}

// WithService is the world at the end of the step that makes the Service.
func WithService() *model.Snapshot {
	return World(append(ThreePods(), ClientPod(), WebService(model.ClusterIP, 0), WebSlice(3))...)
}
