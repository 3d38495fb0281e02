package proxy

import (
	"fmt"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"

	"svctour/lab/child/network"
	"svctour/model"
	"svctour/model/path"
)

func files(t *testing.T, text string) afero.Fs {
	t.Helper()
	fs := afero.NewMemMapFs()
	if err := afero.WriteFile(fs, "/config.conf", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return fs
}

func TestConfiguration(t *testing.T) {
	for name, c := range map[string]struct {
		text            string
		mode, health    string
		minimum, period time.Duration
		failure         string
	}{
		"kubeadm's": {text: Objects("https://172.18.0.1:6443", "10.244.0.0/16").Config.Data["config.conf"],
			mode: "iptables", health: "0.0.0.0:10256", minimum: time.Second, period: 30 * time.Second},
		"nftables": {text: "mode: nftables\nnftables: {minSyncPeriod: 5s, syncPeriod: 1m}\nhealthzBindAddress: 127.0.0.1:1",
			mode: "nftables", health: "127.0.0.1:1", minimum: 5 * time.Second, period: time.Minute},
		"ipvs":         {text: "mode: ipvs", failure: "can't use the ipvs proxier"},
		"unknown mode": {text: "mode: none", failure: `mode "none"`},
		"no YAML":      {text: "\t", failure: `decode "/config.conf"`},
	} {
		t.Run(name, func(t *testing.T) {
			config, err := readConfiguration(files(t, c.text), "/config.conf")
			if c.failure != "" {
				if err == nil || !strings.Contains(err.Error(), c.failure) {
					t.Errorf("gives %v, want %q", err, c.failure)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			minimum, period := config.periods()
			if config.proxy.Mode != c.mode || config.HealthzBindAddress != c.health || minimum != c.minimum || period != c.period {
				t.Errorf("got %s, %s, %s, %s", config.proxy.Mode, config.HealthzBindAddress, minimum, period)
			}
		})
	}
	if _, err := readConfiguration(afero.NewMemMapFs(), "/none"); err == nil {
		t.Error("a missing file is no error")
	}
}

func TestObjects(t *testing.T) {
	a := Objects("https://172.18.0.1:6443", "10.244.0.0/16")
	pod := a.DaemonSet.Spec.Template.Spec
	if !pod.HostNetwork || pod.PriorityClassName != "system-node-critical" || pod.Containers[0].Image != ImageName || !*pod.Containers[0].SecurityContext.Privileged {
		t.Errorf("the Pod is %+v", pod)
	}
	if !strings.Contains(a.Config.Data["kubeconfig.conf"], "server: https://172.18.0.1:6443\n") || a.Config.Name != "kube-proxy" {
		t.Errorf("the ConfigMap is %+v", a.Config)
	}
	config, err := readConfiguration(files(t, a.Config.Data["config.conf"]), "/config.conf")
	if err != nil || !slices.Equal(config.proxy.ClusterCIDRs, []string{"10.244.0.0/16"}) || config.Client.Kubeconfig != "/var/lib/kube-proxy/kubeconfig.conf" {
		t.Errorf("the configuration is %+v, %v", config, err)
	}
}

func pointer[T any](v T) *T { return &v }

// dnsSnapshot is a UDP Service with two endpoints of which one serves no more,
// and one without any.
func dnsSnapshot() *model.Snapshot {
	service := func(name, ip string, nodePort int32) *model.Service {
		return &model.Service{
			Meta: model.Meta{Namespace: "shop", Name: name}, Type: model.LoadBalancer, ClusterIPs: []string{ip},
			ExternalTrafficPolicy: "Local", HealthCheckNodePort: 32000 + nodePort - 30000, ExternalIPs: []string{"203.0.113.1"},
			Ingress: []model.Ingress{{IP: "192.0.2.1"}, {IP: "192.0.2.2", IPMode: "Proxy"}},
			Ports: []model.ServicePort{
				{Name: "dns", Protocol: "UDP", Port: 53, NodePort: nodePort}, {Name: "tcp", Protocol: "TCP", Port: 53},
			},
		}
	}
	empty := service("empty", "10.96.0.11", 30054)
	empty.ExternalIPs, empty.Ingress = nil, nil
	return model.NewSnapshot(model.Snapshot{
		Services: []*model.Service{service("dns", "10.96.0.10", 30053), empty},
		Slices: []*model.EndpointSlice{{
			Meta:        model.Meta{Namespace: "shop", Name: "dns-1", Labels: map[string]string{model.ServiceNameLabel: "dns"}},
			AddressType: "IPv4",
			Ports:       []model.EndpointPort{{Name: "dns", Protocol: "UDP", Port: pointer(int32(5353))}},
			Endpoints: []model.Endpoint{
				{Addresses: []string{"10.244.1.2"}, Node: "node-1"},
				{Addresses: []string{"10.244.1.3"}, Node: "node-1", Ready: pointer(false), Serving: pointer(true), Terminating: pointer(true)},
				{Addresses: []string{"10.244.2.2"}, Node: "node-2", Ready: pointer(false), Serving: pointer(false), Terminating: pointer(true)},
			},
		}},
	})
}

// The expectations follow from pkg/proxy/conntrack/cleanup.go.
func TestStaleFlows(t *testing.T) {
	stale := staleFlows(dnsSnapshot())
	for _, c := range []struct {
		protocol, to, by string
		want             bool
	}{
		{"udp", "10.96.0.10:53", "10.244.1.2:5353", false},   // a ready endpoint
		{"udp", "10.96.0.10:53", "10.244.1.3:5353", false},   // a serving one
		{"udp", "10.96.0.10:53", "10.244.2.2:5353", true},    // one that no longer serves
		{"udp", "10.96.0.10:53", "10.244.9.9:5353", true},    // one that is gone
		{"udp", "10.96.0.10:53", "10.244.1.2:53", true},      // another port of an endpoint
		{"tcp", "10.96.0.10:53", "10.244.9.9:5353", false},   // TCP ends by itself
		{"udp", "10.96.0.10:54", "10.244.9.9:5353", false},   // no port of the Service
		{"udp", "203.0.113.1:53", "10.244.9.9:5353", true},   // external IP
		{"udp", "192.0.2.1:53", "10.244.9.9:5353", true},     // load balancer address
		{"udp", "192.0.2.2:53", "10.244.9.9:5353", false},    // not kube-proxy's: ipMode Proxy
		{"udp", "172.18.0.2:30053", "10.244.9.9:5353", true}, // NodePort
		{"udp", "172.18.0.2:30053", "10.244.1.2:5353", false},
		{"udp", "10.96.0.11:53", "10.244.9.9:5353", true},     // no endpoint at all
		{"udp", "172.18.0.2:30054", "10.244.9.9:5353", false}, // nor for a NodePort: left alone
		{"udp", "10.244.1.2:5353", "10.244.1.2:5353", false},  // to a Pod
	} {
		connection := network.Connection{Protocol: c.protocol, Destination: netip.MustParseAddrPort(c.to), ReplySource: netip.MustParseAddrPort(c.by)}
		if got := stale.match(connection); got != c.want {
			t.Errorf("%s %s answered by %s: stale %v, want %v", c.protocol, c.to, c.by, got, c.want)
		}
	}
}

func TestHealthChecks(t *testing.T) {
	s := dnsSnapshot()
	if ports := healthPorts(s); len(ports) != 2 || ports["shop/dns"].HealthCheckNodePort != 32053 {
		t.Errorf("got %v", ports)
	}
	if got := localEndpoints(s, "node-1"); len(got) != 1 || got["shop/dns"] != 1 {
		t.Errorf("node-1 has %v, want 1 of shop/dns: the other does not count as ready", got)
	}
	if got := localEndpoints(s, "node-2"); len(got) != 0 {
		t.Errorf("node-2 has %v", got)
	}
	for _, c := range []struct {
		count, code int
		healthy     bool
	}{{1, 200, true}, {0, 503, true}, {1, 503, false}} {
		check := &serviceCheck{namespace: "shop", name: "dns", count: c.count}
		answer := httptest.NewRecorder()
		check.answer(answer, c.healthy)
		want := fmt.Sprintf("{\n\t\"service\": {\n\t\t\"namespace\": \"shop\",\n\t\t\"name\": \"dns\"\n\t},\n\t\"localEndpoints\": %d,\n\t\"serviceProxyHealthy\": %v\n}", c.count, c.healthy)
		if answer.Code != c.code || answer.Body.String() != want || answer.Header().Get("X-Load-Balancing-Endpoint-Weight") != fmt.Sprint(c.count) {
			t.Errorf("%+v: %d %s", c, answer.Code, answer.Body)
		}
	}
}

// BenchmarkSync is what one sync of 1,000 Services with three endpoints costs
// besides the conversion of the objects.
func BenchmarkSync(b *testing.B) {
	s := model.Snapshot{
		Proxy: model.DefaultProxy(),
		Nodes: []*model.Node{{Meta: model.Meta{Name: "node-1"}, Addresses: []model.NodeAddress{{Type: "InternalIP", Address: "172.18.0.2"}}}},
	}
	for i := range 1000 {
		name := fmt.Sprintf("s%d", i)
		s.Services = append(s.Services, &model.Service{
			Meta: model.Meta{Namespace: "shop", Name: name}, Type: model.NodePort, ClusterIPs: []string{fmt.Sprintf("10.96.%d.%d", i/250, i%250+1)},
			Ports: []model.ServicePort{{Protocol: "TCP", Port: 80, NodePort: int32(30000 + i)}},
		})
		slice := &model.EndpointSlice{
			Meta:        model.Meta{Namespace: "shop", Name: name, Labels: map[string]string{model.ServiceNameLabel: name}},
			AddressType: "IPv4", Ports: []model.EndpointPort{{Protocol: "TCP", Port: pointer(int32(8080))}},
		}
		for j := range 3 {
			slice.Endpoints = append(slice.Endpoints, model.Endpoint{Addresses: []string{fmt.Sprintf("10.244.%d.%d", i/80, i%80*3+j+2)}})
		}
		s.Slices = append(s.Slices, slice)
	}
	for b.Loop() {
		snapshot := model.NewSnapshot(s)
		path.Compile(snapshot, "node-1", path.IPv4)
		staleFlows(snapshot)
	}
}
