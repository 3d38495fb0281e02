package path

import (
	"fmt"
	"strings"
	"testing"

	"svctour/model"
)

func ptr[T any](v T) *T { return &v }

// meta names an object of namespace default.
func meta(name string) model.Meta { return model.Meta{Namespace: "default", Name: name, UID: name} }

func readyPod(name, node, ip string) *model.Pod {
	return &model.Pod{Meta: meta(name), Node: node, Phase: "Running", IPs: []string{ip}, Conditions: []model.Condition{{Type: "Ready", Status: "True"}}}
}

func service(name, kind, ip string, ports ...model.ServicePort) *model.Service {
	return &model.Service{Meta: meta(name), Type: kind, ClusterIPs: []string{ip}, IPFamilies: []string{"IPv4"}, Ports: ports}
}

// sliceOf gives a Service one slice; its endpoints listen on 8080 for every port.
func sliceOf(svc *model.Service, endpoints ...model.Endpoint) *model.EndpointSlice {
	slice := &model.EndpointSlice{
		Meta:        model.Meta{Namespace: svc.Namespace, Name: svc.Name + "-1", Labels: map[string]string{model.ServiceNameLabel: svc.Name}},
		AddressType: "IPv4", Endpoints: endpoints,
	}
	for _, p := range svc.Ports {
		slice.Ports = append(slice.Ports, model.EndpointPort{Name: p.Name, Protocol: p.Protocol, Port: ptr(int32(8080))})
	}
	return slice
}

func on(node, ip, pod string) model.Endpoint {
	return model.Endpoint{Addresses: []string{ip}, Node: node, Target: &model.Ref{Kind: "Pod", Name: pod}}
}

// tour is a cluster of two nodes with Services of every type, before it is sealed.
func tour() model.Snapshot {
	s := model.Snapshot{
		Proxy: model.Proxy{Mode: "iptables", ClusterCIDRs: []string{"10.244.0.0/16"}, MasqueradeBit: 14, LocalhostNodePort: true,
			Source: "ConfigMap kube-system/kube-proxy", Running: true, Evidence: model.Derived},
		DNS: model.DNS{Domain: "cluster.local", Servers: []string{"10.96.0.10"}, Serving: true, Evidence: model.Derived},
	}
	for i, name := range []string{"node-a", "node-b"} {
		s.Nodes = append(s.Nodes, &model.Node{
			Meta:       model.Meta{Name: name, Labels: map[string]string{"topology.kubernetes.io/zone": "zone-" + name}},
			Addresses:  []model.NodeAddress{{Type: "InternalIP", Address: fmt.Sprintf("172.18.0.%d", i+2)}, {Type: "Hostname", Address: name}},
			Conditions: []model.Condition{{Type: "Ready", Status: "True"}},
		})
	}
	http := func(node int32) model.ServicePort {
		return model.ServicePort{Name: "http", Protocol: "TCP", Port: 80, NodePort: node}
	}
	s.Pods = []*model.Pod{readyPod("tmp", "node-a", "10.244.1.20"), readyPod("web-1", "node-a", "10.244.1.5"), readyPod("web-2", "node-b", "10.244.2.7")}
	s.Services = []*model.Service{
		service("web", model.ClusterIP, "10.96.0.50", model.ServicePort{Protocol: "TCP", Port: 80}),
		service("np", model.NodePort, "10.96.0.51", http(30080), model.ServicePort{Name: "admin", Protocol: "TCP", Port: 81, NodePort: 30081}),
		service("lb", model.LoadBalancer, "10.96.0.52", http(30082)),
		service("pending", model.LoadBalancer, "10.96.0.53", http(30083)),
		service("dns", model.ClusterIP, "10.96.0.54", model.ServicePort{Name: "dns", Protocol: "UDP", Port: 53}, model.ServicePort{Name: "dns-tcp", Protocol: "TCP", Port: 53}),
		service("headless", model.ClusterIP, model.None, http(0)),
		service("hosted", model.LoadBalancer, "10.96.0.56", http(30084)),
		{Meta: meta("ext"), Type: model.ExternalName, ExternalName: "www.example.com"},
		{Meta: model.Meta{Namespace: "other", Name: "empty"}, Type: model.ClusterIP, ClusterIPs: []string{"10.96.0.60"}, Ports: []model.ServicePort{http(0)}},
	}
	s.Services[2].Ingress = []model.Ingress{{IP: "192.0.2.10"}}
	s.Services[2].SourceRanges = []string{"203.0.113.0/24"}
	s.Services[2].ExternalTrafficPolicy = "Local"
	s.Services[2].HealthCheckNodePort = 31999
	s.Services[6].Ingress = []model.Ingress{{Hostname: "lb.example.com"}}
	for _, svc := range s.Services {
		if svc.Namespace == "default" && svc.Type != model.ExternalName {
			s.Slices = append(s.Slices, sliceOf(svc, on("node-a", "10.244.1.5", "web-1"), on("node-b", "10.244.2.7", "web-2")))
		}
	}
	return s
}

// changed is tour after a change.
func changed(change func(*model.Snapshot)) *model.Snapshot {
	s := tour()
	if change != nil {
		change(&s)
	}
	return model.NewSnapshot(s)
}

func do(t *testing.T, s *model.Snapshot, r Request) *Trace {
	t.Helper()
	trace, err := Do(s, r)
	if err != nil {
		t.Fatalf("%+v: %v", r, err)
	}
	requireEnds(t, trace)
	return trace
}

// requireEnds fails unless the outcomes of a trace are whole, and each has an end
// that can be told without its prose.
func requireEnds(t testing.TB, trace *Trace) {
	t.Helper()
	requireWhole(t, trace.Outcomes)
	for _, o := range trace.Outcomes {
		e, last := o.End, o.Hops[len(o.Hops)-1]
		refused := e.Kind == EndClosed && e.Pod != "" || e.Kind == EndDenied
		switch {
		case e.Kind == "" || e.What == "",
			(e.Kind == EndRejected) != (o.Verdict == Reject), (e.Kind == EndDropped) != (o.Verdict == Drop),
			(e.Kind == EndNoName || e.Kind == EndNoData) && (e.Name == "" || o.Destination != nil || len(o.Hops) > 1),
			(e.Kind == EndDenied) != (len(e.Policies) > 0 && e.Direction != ""),
			refused && last.Evidence != e.Evidence,
			e.Kind == EndDenied && last.Action != HopDrop:
			t.Errorf("%s → %s ends as %+v after %+v", trace.From, trace.Target, e, last)
		}
	}
}

// requireWhole fails unless probabilities add up to 1 and every outcome tells its way.
func requireWhole(t testing.TB, outcomes []Outcome) {
	t.Helper()
	total := 0.0
	for _, o := range outcomes {
		total += o.Probability
		if len(o.Hops) == 0 {
			t.Errorf("an outcome (%s) has no hops", o.Verdict)
		}
		for _, h := range o.Hops {
			assumed := strings.Contains(h.What, "(assumed)") || strings.Contains(h.What, "reply: conntrack sends it on") ||
				(h.Action == HopEnd || h.Action == HopDrop) && o.End.Evidence == model.Unknown
			if h.What == "" || h.Action == "" || (h.Action == HopJump || h.Action == HopDNAT) != (h.To != "") || h.Chance <= 0 || h.Chance > 1 || h.Evidence != model.Derived && !(assumed && h.Evidence == model.Unknown) {
				t.Errorf("hop %+v", h)
			}
		}
		if o.Verdict == DNAT && o.Destination == nil || (o.Verdict == Reject || o.Verdict == Drop) && o.Destination != nil {
			t.Errorf("verdict %s with destination %+v", o.Verdict, o.Destination)
		}
	}
	if total < 1-1e-9 || total > 1+1e-9 {
		t.Errorf("probabilities add up to %v", total)
	}
}
