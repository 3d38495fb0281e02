package endpoints_test

import (
	"slices"
	"testing"

	"svctour/model"
	"svctour/model/endpoints"
)

func ptr[T any](v T) *T { return &v }

func slice(port model.EndpointPort, list ...model.Endpoint) *model.EndpointSlice {
	return &model.EndpointSlice{AddressType: "IPv4", Ports: []model.EndpointPort{port}, Endpoints: list}
}

var httpPort = &model.ServicePort{Name: "http", Protocol: "TCP", Port: 80}

// TestJoined: ports are joined by name and protocol, not by number.
func TestJoined(t *testing.T) {
	e := model.Endpoint{Addresses: []string{"10.244.001.7", "10.244.1.8"}}
	for _, c := range []struct {
		what string
		port model.EndpointPort
		want bool
	}{
		{"name and protocol", model.EndpointPort{Name: "http", Protocol: "TCP", Port: ptr(int32(8080))}, true},
		{"another name", model.EndpointPort{Name: "metrics", Protocol: "TCP", Port: ptr(int32(80))}, false},
		{"another protocol", model.EndpointPort{Name: "http", Protocol: "UDP", Port: ptr(int32(8080))}, false},
		{"no number", model.EndpointPort{Name: "http", Protocol: "TCP"}, false},
		{"number 0", model.EndpointPort{Name: "http", Protocol: "TCP", Port: ptr(int32(0))}, false},
	} {
		var got []string
		list := []*model.EndpointSlice{slice(c.port, e, model.Endpoint{}, model.Endpoint{Addresses: []string{"web"}})}
		for address := range endpoints.Joined(list, httpPort) {
			got = append(got, address.String())
		}
		if has := endpoints.HasPort(list[0], httpPort); has != c.want || c.want != slices.Equal(got, []string{"10.244.1.7:8080"}) {
			t.Errorf("%s: %v, has the port: %t", c.what, got, has)
		}
	}
}

// TestOf: an address that stands in two slices comes once, and a terminating
// endpoint gives way to the one that took over its address.
func TestOf(t *testing.T) {
	port := model.EndpointPort{Name: "http", Protocol: "TCP", Port: ptr(int32(8080))}
	old := model.Endpoint{Addresses: []string{"10.244.1.7"}, Node: "node-a", Ready: ptr(false), Terminating: ptr(true)}
	now := model.Endpoint{Addresses: []string{"10.244.1.7"}, Node: "node-b"}
	six := slice(port, model.Endpoint{Addresses: []string{"fd00::7"}})
	six.AddressType = "IPv6"
	headless := slice(port, model.Endpoint{Addresses: []string{"10.244.1.9"}})
	headless.Labels = map[string]string{"service.kubernetes.io/headless": ""}
	for _, list := range [][]*model.EndpointSlice{{slice(port, old), slice(port, now), six, headless}, {slice(port, now), slice(port, old), six, headless}} {
		got := endpoints.Of(list, httpPort, "IPv4", "node-b")
		if len(got) != 1 || got[0].Text != "10.244.1.7:8080" || !got[0].Ready || got[0].Terminating || !got[0].Local {
			t.Errorf("%+v", got)
		}
	}
}

func TestCategorize(t *testing.T) {
	port := model.EndpointPort{Name: "http", Protocol: "TCP", Port: ptr(int32(8080))}
	ready := func(ip, node, zone string) model.Endpoint {
		return model.Endpoint{Addresses: []string{ip}, Node: node, ForZones: []string{zone}}
	}
	leaving := model.Endpoint{Addresses: []string{"10.244.1.9"}, Node: "node-a", Ready: ptr(false), Serving: ptr(true), Terminating: ptr(true)}
	texts := func(list []*endpoints.Endpoint) (out []string) {
		for _, e := range list {
			out = append(out, e.Text)
		}
		return out
	}
	for _, c := range []struct {
		what                string
		list                []model.Endpoint
		zone                string
		cluster, local, all []string
		hints               endpoints.Hints
	}{
		{"hints for the zone", []model.Endpoint{ready("10.244.1.7", "node-a", "z1"), ready("10.244.2.7", "node-b", "z2")}, "z2",
			[]string{"10.244.2.7:8080"}, []string{"10.244.1.7:8080"}, []string{"10.244.1.7:8080", "10.244.2.7:8080"}, endpoints.ZoneHints},
		{"hints for other zones", []model.Endpoint{ready("10.244.1.7", "node-a", "z1"), ready("10.244.2.7", "node-b", "z2")}, "z3",
			[]string{"10.244.1.7:8080", "10.244.2.7:8080"}, []string{"10.244.1.7:8080"}, []string{"10.244.1.7:8080", "10.244.2.7:8080"}, endpoints.NoHints},
		{"the local one terminates", []model.Endpoint{leaving, ready("10.244.2.7", "node-b", "z2")}, "",
			[]string{"10.244.2.7:8080"}, []string{"10.244.1.9:8080"}, []string{"10.244.1.9:8080", "10.244.2.7:8080"}, endpoints.NoHints},
		{"the last one terminates", []model.Endpoint{leaving}, "",
			[]string{"10.244.1.9:8080"}, []string{"10.244.1.9:8080"}, []string{"10.244.1.9:8080"}, endpoints.NoHints},
	} {
		list := endpoints.Of([]*model.EndpointSlice{slice(port, c.list...)}, httpPort, "IPv4", "node-a")
		u := endpoints.Categorize(list, true, true, "node-a", c.zone)
		if !slices.Equal(texts(u.Cluster), c.cluster) || !slices.Equal(texts(u.Local), c.local) || !slices.Equal(texts(u.All), c.all) || u.Hints != c.hints || !u.Any {
			t.Errorf("%s: %v %v %v %q %t", c.what, texts(u.Cluster), texts(u.Local), texts(u.All), u.Hints, u.Any)
		}
	}
}

// TestFamilies: a Service of an old API server has no families.
func TestFamilies(t *testing.T) {
	for _, c := range []struct {
		service model.Service
		want    []string
	}{
		{model.Service{IPFamilies: []string{"IPv6", "IPv4"}, ClusterIPs: []string{"fd00::1", "10.96.0.1"}}, []string{"IPv6", "IPv4"}},
		{model.Service{ClusterIPs: []string{"10.96.0.1"}}, []string{"IPv4"}},
		{model.Service{ClusterIPs: []string{"fd00::1"}}, []string{"IPv6"}},
		{model.Service{ClusterIPs: []string{model.None}}, []string{"IPv4", "IPv6"}},
		{model.Service{}, []string{"IPv4", "IPv6"}},
	} {
		if got := endpoints.Families(&c.service); !slices.Equal(got, c.want) {
			t.Errorf("%v: %v", c.service, got)
		}
	}
}
