package endpoints_test

import (
	"encoding/json"
	"testing"
	"time"

	"svctour/model"
	"svctour/model/endpoints"
)

// webService and webPod are a Service and a Pod that is its ready endpoint.
func webService() *model.Service {
	return &model.Service{
		Meta: model.Meta{Namespace: "shop", Name: "web"}, Type: model.ClusterIP, ClusterIPs: []string{"10.96.0.7"}, IPFamilies: []string{"IPv4"},
		Selector: map[string]string{"app": "web"}, Ports: []model.ServicePort{{Protocol: "TCP", Port: 80, TargetPort: "http"}},
	}
}

func webPod() *model.Pod {
	return &model.Pod{
		Meta: model.Meta{Namespace: "shop", Name: "web-1", Labels: map[string]string{"app": "web"}},
		Node: "node-a", Phase: "Running", IPs: []string{"10.244.1.7"}, Conditions: []model.Condition{{Type: "Ready", Status: "True"}},
		Containers: []model.Container{{Name: "web", Ports: []model.ContainerPort{{Name: "http", Port: 8080, Protocol: "TCP"}}}},
	}
}

func TestMembership(t *testing.T) {
	deleted := time.Unix(1, 0)
	for _, c := range []struct {
		what   string
		change func(*model.Service, *model.Pod)
		reason endpoints.Reason
		why    string
	}{
		{"ready", func(*model.Service, *model.Pod) {}, "", ""},
		{"ExternalName", func(s *model.Service, _ *model.Pod) { s.Type = model.ExternalName },
			endpoints.ExternalName, "an ExternalName Service is a name in DNS and has no endpoints"},
		{"no selector", func(s *model.Service, _ *model.Pod) { s.Selector = nil },
			endpoints.NoSelector, "the Service has no selector, so its EndpointSlices are written by hand or by another controller"},
		{"another value", func(_ *model.Service, p *model.Pod) { p.Labels = map[string]string{"app": "wbe"} },
			endpoints.NotSelected, "the Pod has app=wbe, the selector app=web"},
		{"no label", func(s *model.Service, _ *model.Pod) { s.Selector = map[string]string{"app": "web", "tier": "front"} },
			endpoints.NotSelected, "the Pod has no label tier"},
		{"ended", func(_ *model.Service, p *model.Pod) { p.Phase = "Succeeded" }, endpoints.Ended, "the Pod has ended: its phase is Succeeded"},
		{"on no node", func(_ *model.Service, p *model.Pod) { p.Node, p.IPs = "", nil }, endpoints.NotScheduled, "the Pod is on no node yet"},
		{"no IP", func(_ *model.Service, p *model.Pod) { p.IPs = nil }, endpoints.NoAddress, "the Pod has no IP yet"},
		{"its node is gone", func(_ *model.Service, p *model.Pod) { p.Node = "node-b" }, endpoints.NodeMissing, "there is no Node node-b"},
		{"another family", func(_ *model.Service, p *model.Pod) { p.IPs = []string{"fd00::7"} },
			endpoints.OtherFamily, "the Service is IPv4 and the Pod has fd00::7 only"},
		{"no such port", func(s *model.Service, _ *model.Pod) { s.Ports[0].TargetPort = "web" },
			endpoints.NoNamedPort, "the Pod declares no port named web"},
		{"another protocol", func(s *model.Service, _ *model.Pod) { s.Ports[0].Protocol = "UDP" },
			endpoints.OtherProtocol, "the Pod's port http is TCP, the Service's is UDP"},
		{"terminating, serving", func(_ *model.Service, p *model.Pod) { p.Deleting = deleted },
			endpoints.Serving, "the Pod is terminating and still serves: it is used while no endpoint is ready"},
		{"terminating", func(_ *model.Service, p *model.Pod) { p.Deleting, p.Conditions = deleted, nil },
			endpoints.Terminating, "the Pod is terminating and does not serve any more"},
		{"not ready", func(_ *model.Service, p *model.Pod) { p.Conditions[0].Status = "False" },
			endpoints.NotReady, "the Pod's Ready condition is not True"},
	} {
		service, pod := webService(), webPod()
		c.change(service, pod)
		s := model.NewSnapshot(model.Snapshot{
			Services: []*model.Service{service}, Pods: []*model.Pod{pod}, Nodes: []*model.Node{{Meta: model.Meta{Name: "node-a"}}},
		})
		m := endpoints.MembershipOf(s, service)
		if len(m.Rows) != 1 || m.Rows[0].Reason != c.reason || m.Rows[0].Why != c.why {
			t.Errorf("%s: want %q, %q; got %+v", c.what, c.reason, c.why, m.Rows)
		}
	}
}

// TestMembershipPublished: publishNotReadyAddresses makes an endpoint of any Pod
// with an IP, also of one whose node is gone.
func TestMembershipPublished(t *testing.T) {
	service, pod := webService(), webPod()
	service.PublishNotReady = true
	pod.Conditions, pod.Node = nil, "node-b"
	row := endpoints.Rows(model.NewSnapshot(model.Snapshot{}), service, pod)[0]
	if !row.In || !row.Ready || row.Serving || !row.Published || row.Reason != "" {
		t.Errorf("%+v", row)
	}
}

// TestMembershipUnreadNodes: what cannot be read is no reason.
func TestMembershipUnreadNodes(t *testing.T) {
	s := model.NewSnapshot(model.Snapshot{Sync: model.Sync{Missing: map[string]string{"nodes": "forbidden"}}})
	if row := endpoints.Rows(s, webService(), webPod())[0]; !row.In || !row.Ready {
		t.Errorf("%+v", row)
	}
}

func TestMembershipJSON(t *testing.T) {
	service, pod := webService(), webPod()
	pod.Hostname, pod.Subdomain = "web-1", "web"
	node := &model.Node{Meta: model.Meta{Name: "node-a", Labels: map[string]string{"topology.kubernetes.io/zone": "z1"}}}
	s := model.NewSnapshot(model.Snapshot{Pods: []*model.Pod{pod}, Nodes: []*model.Node{node}})
	got, err := json.Marshal(endpoints.MembershipOf(s, service))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"service":"shop/web","rows":[{"pod":"web-1","port":"80/TCP","in":true,"ready":true,"serving":true,"terminating":false,` +
		`"targetPort":8080,"addresses":["10.244.1.7"],"hostname":"web-1","nodeName":"node-a","zone":"z1"}]}`
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestTargetPortOrder: containers come before sidecars, and other init
// containers do not count.
func TestTargetPortOrder(t *testing.T) {
	container := func(name string, number int32, sidecar bool) model.Container {
		return model.Container{Sidecar: sidecar, Ports: []model.ContainerPort{{Name: name, Port: number, Protocol: "TCP"}}}
	}
	pod := &model.Pod{
		InitContainers: []model.Container{container("setup", 1, false), container("http", 2, true), container("proxy", 3, true)},
		Containers:     []model.Container{container("http", 4, false), container("http", 5, false)},
	}
	for target, want := range map[string]int32{"http": 4, "proxy": 3, "setup": 0, "9090": 9090, "": 80} {
		got, found := endpoints.TargetPort(&model.ServicePort{Port: 80, Protocol: "TCP", TargetPort: target}, pod)
		if got != want || found != (want != 0) {
			t.Errorf("targetPort %q: %d, %t", target, got, found)
		}
	}
}
