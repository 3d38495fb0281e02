package scene_test

import (
	"testing"

	"svctour/model"
	"svctour/model/path"
	"svctour/model/scene"
)

func TestPodsAreJoinedByPortName(t *testing.T) {
	number := int32(8080)
	pod := &model.Pod{
		Meta:  model.Meta{Namespace: "shop", Name: "web-1", Labels: map[string]string{"app": "web"}},
		Phase: "Running", IPs: []string{"10.244.1.7"}, Conditions: []model.Condition{{Type: "Ready", Status: "True"}},
	}
	service := &model.Service{
		Meta: model.Meta{Namespace: "shop", Name: "web"}, Type: model.ClusterIP, ClusterIPs: []string{"10.96.0.7"},
		Selector: pod.Labels, Ports: []model.ServicePort{{Name: "http", Protocol: "TCP", Port: 80}},
	}
	for port, want := range map[string]bool{"http": true, "metrics": false} {
		slice := &model.EndpointSlice{
			Meta:        model.Meta{Namespace: "shop", Name: "web-x", Labels: map[string]string{model.ServiceNameLabel: "web"}},
			AddressType: "IPv4", Ports: []model.EndpointPort{{Name: port, Protocol: "TCP", Port: &number}},
			Endpoints: []model.Endpoint{{Addresses: pod.IPs}},
		}
		s := model.NewSnapshot(model.Snapshot{Services: []*model.Service{service}, Pods: []*model.Pod{pod}, Slices: []*model.EndpointSlice{slice}})
		got := scene.Of(scene.Input{Snapshot: s, Namespace: "shop", Service: "web"})
		if len(got.Loose) != 1 || (got.Loose[0].State == scene.Ready) != want || got.Band.Ready != map[bool]int{true: 1}[want] {
			t.Errorf("a slice with port %s: %+v", port, got.Loose)
		}
	}
}

// A request that fails ends on the stage where the path says that it does; where
// every way leads to an answer nothing is pretended.
func TestFailing(t *testing.T) {
	service := &model.Service{
		Meta: model.Meta{Namespace: "shop", Name: "web"}, Type: model.ClusterIP, ClusterIPs: []string{"10.96.0.7"}, IPFamilies: []string{"IPv4"},
		Selector: map[string]string{"app": "web"}, Ports: []model.ServicePort{{Protocol: "TCP", Port: 80, TargetPort: "80"}},
	}
	pod := &model.Pod{
		Meta: model.Meta{Namespace: "shop", Name: "tmp"}, Node: "node-1", Phase: "Running", IPs: []string{"10.244.1.7"},
		Conditions: []model.Condition{{Type: "Ready", Status: "True"}},
	}
	number := int32(80)
	slice := &model.EndpointSlice{
		Meta: model.Meta{Namespace: "shop", Name: "web-x", Labels: map[string]string{model.ServiceNameLabel: "web"}}, AddressType: "IPv4",
		Ports: []model.EndpointPort{{Protocol: "TCP", Port: &number}}, Endpoints: []model.Endpoint{{Addresses: []string{"10.244.2.9"}}},
	}
	for want, slices := range map[int][]*model.EndpointSlice{0: nil, -1: {slice}} {
		s := model.NewSnapshot(model.Snapshot{
			Services: []*model.Service{service}, Pods: []*model.Pod{pod}, Slices: slices, Proxy: model.DefaultProxy(),
			Nodes: []*model.Node{{Meta: model.Meta{Name: "node-1"}}},
		})
		trace, err := path.Do(s, path.Request{Namespace: "shop", Target: "web", From: "pod/tmp"})
		if err != nil {
			t.Fatal(err)
		}
		got := scene.Of(scene.Input{Snapshot: s, Namespace: "shop", Service: "web", Client: trace.Client, Trace: trace})
		if got.Failing() != want {
			t.Errorf("with %d slices the failing way is %d, want %d", len(slices), got.Failing(), want)
		}
	}
}
