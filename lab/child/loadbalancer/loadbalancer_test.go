package loadbalancer

import (
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"svctour/lab/addon"
)

func TestParsePool(t *testing.T) {
	for text, want := range map[string]string{
		addon.DefaultPool:            addon.DefaultPool,
		"10.0.0.7":                   "10.0.0.7-10.0.0.7",
		" 10.0.0.7 - 10.0.0.9 ":      "10.0.0.7-10.0.0.9",
		"10.0.0.9-10.0.0.7":          `address pool "10.0.0.9-10.0.0.7": 10.0.0.7 comes before 10.0.0.9`,
		"fd00::1-fd00::9":            `address pool "fd00::1-fd00::9": the lab has IPv4 only`,
		"10.0.0.0-10.255.255.255":    `address pool "10.0.0.0-10.255.255.255": more than 65536 addresses`,
		"172.18.0.0/24":              `address pool "172.18.0.0/24": want FIRST-LAST, as in ` + addon.DefaultPool,
		"172.18.0.200-172.18.0.250x": `address pool "172.18.0.200-172.18.0.250x": want FIRST-LAST, as in ` + addon.DefaultPool,
	} {
		pool, err := ParsePool(text)
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = pool.String()
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestPoolHandsOutAndTakesBack(t *testing.T) {
	pool, err := ParsePool("10.0.0.1-10.0.0.2")
	if err != nil {
		t.Fatal(err)
	}
	for i, step := range []struct {
		owner, wanted, want string
		release             bool
	}{
		{owner: "a", want: "10.0.0.1"},
		{owner: "b", wanted: "10.0.0.1", want: "address 10.0.0.1 is another Service's"},
		{owner: "b", wanted: "10.0.0.9", want: "address 10.0.0.9 is not in the pool 10.0.0.1-10.0.0.2"},
		{owner: "b", want: "10.0.0.2"},
		{owner: "b", want: "10.0.0.2"},
		{owner: "c", want: "no address is free in the pool 10.0.0.1-10.0.0.2"},
		{owner: "a", release: true},
		{owner: "b", wanted: "10.0.0.1", want: "10.0.0.1"},
		{owner: "c", want: "10.0.0.2"},
		{owner: "nobody", release: true},
		{owner: "d", want: "no address is free in the pool 10.0.0.1-10.0.0.2"},
	} {
		if step.release {
			pool.Release(types.UID(step.owner))
			continue
		}
		wanted := netip.Addr{}
		if step.wanted != "" {
			wanted = netip.MustParseAddr(step.wanted)
		}
		address, err := pool.Allocate(types.UID(step.owner), wanted)
		got := address.String()
		if err != nil {
			got = err.Error()
		}
		if got != step.want {
			t.Errorf("step %d, %+v: got %q", i, step, got)
		}
	}
}

func balancer(name, ip string) *corev1.Service {
	s := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID(name)},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer},
	}
	if ip != "" {
		s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: ip}}
	}
	return s
}

func node(name string, ready corev1.ConditionStatus) *corev1.Node {
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Status:     corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready}}},
	}
}

func slice(service, node string, ready, serving bool) *discoveryv1.EndpointSlice {
	return &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: "default", Labels: map[string]string{discoveryv1.LabelServiceName: service}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints: []discoveryv1.Endpoint{{
			NodeName: &node, Conditions: discoveryv1.EndpointConditions{Ready: &ready, Serving: &serving},
		}},
	}
}

func TestElect(t *testing.T) {
	pool, err := ParsePool("10.0.0.1-10.0.0.9")
	if err != nil {
		t.Fatal(err)
	}
	local := balancer("local", "10.0.0.2")
	local.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
	other := "example.com/other"
	foreign := balancer("foreign", "10.0.0.3")
	foreign.Spec.LoadBalancerClass = &other
	excluded := node("n1", corev1.ConditionTrue)
	excluded.Labels = map[string]string{corev1.LabelNodeExcludeBalancers: ""}
	nodePort := balancer("port", "10.0.0.4")
	nodePort.Spec.Type = corev1.ServiceTypeNodePort
	n1, n2, down := node("n1", corev1.ConditionTrue), node("n2", corev1.ConditionTrue), node("n1", corev1.ConditionUnknown)
	for name, c := range map[string]struct {
		services []*corev1.Service
		nodes    []*corev1.Node
		slices   []*discoveryv1.EndpointSlice
		want     string
	}{
		"the only node":                  {[]*corev1.Service{balancer("a", "10.0.0.1")}, []*corev1.Node{n1}, nil, "map[10.0.0.1:n1]"},
		"the one that is Ready":          {[]*corev1.Service{balancer("a", "10.0.0.1")}, []*corev1.Node{down, n2}, nil, "map[10.0.0.1:n2]"},
		"the one that is not excluded":   {[]*corev1.Service{balancer("a", "10.0.0.1")}, []*corev1.Node{excluded, n2}, nil, "map[10.0.0.1:n2]"},
		"no node":                        {[]*corev1.Service{balancer("a", "10.0.0.1")}, []*corev1.Node{down}, nil, "map[]"},
		"without an address":             {[]*corev1.Service{balancer("a", "")}, []*corev1.Node{n1}, nil, "map[]"},
		"outside the pool":               {[]*corev1.Service{balancer("a", "10.0.1.1")}, []*corev1.Node{n1}, nil, "map[]"},
		"other class, other type":        {[]*corev1.Service{foreign, nodePort}, []*corev1.Node{n1}, nil, "map[]"},
		"Local, no endpoint":             {[]*corev1.Service{local}, []*corev1.Node{n1, n2}, nil, "map[]"},
		"Local, endpoint on n1":          {[]*corev1.Service{local}, []*corev1.Node{n1, n2}, []*discoveryv1.EndpointSlice{slice("local", "n1", true, true)}, "map[10.0.0.2:n1]"},
		"Local, endpoint on n2":          {[]*corev1.Service{local}, []*corev1.Node{n1, n2}, []*discoveryv1.EndpointSlice{slice("local", "n2", true, true)}, "map[10.0.0.2:n2]"},
		"Local, terminating but serving": {[]*corev1.Service{local}, []*corev1.Node{n1, n2}, []*discoveryv1.EndpointSlice{slice("local", "n2", false, true)}, "map[10.0.0.2:n2]"},
		"Local, not ready":               {[]*corev1.Service{local}, []*corev1.Node{n1, n2}, []*discoveryv1.EndpointSlice{slice("local", "n2", false, false)}, "map[]"},
		"Local, another's endpoint":      {[]*corev1.Service{local}, []*corev1.Node{n1, n2}, []*discoveryv1.EndpointSlice{slice("a", "n2", true, true)}, "map[]"},
	} {
		if got := fmt.Sprint(elect(pool, c.services, c.nodes, c.slices)); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

// TestElectionMovesOnlyWhatItMust: an address stays where it is unless its node
// has gone, and addresses are spread over the nodes.
func TestElectionMovesOnlyWhatItMust(t *testing.T) {
	pool, err := ParsePool(addon.DefaultPool)
	if err != nil {
		t.Fatal(err)
	}
	var all []*corev1.Service
	for a := pool.First; pool.Contains(a); a = a.Next() {
		all = append(all, balancer(a.String(), a.String()))
	}
	nodes := []*corev1.Node{node("n1", corev1.ConditionTrue), node("n2", corev1.ConditionTrue), node("n3", corev1.ConditionTrue)}
	before := elect(pool, all, nodes, nil)
	after := elect(pool, all, nodes[1:], nil)
	share := map[string]int{}
	for address, was := range before {
		share[was]++
		if was != "n1" && after[address] != was {
			t.Errorf("%s went from %s to %s", address, was, after[address])
		}
		if after[address] == "n1" || after[address] == "" {
			t.Errorf("%s is announced from %q", address, after[address])
		}
	}
	for _, n := range nodes {
		if share[n.Name] < len(all)/6 {
			t.Errorf("%s announces %d of %d addresses", n.Name, share[n.Name], len(all))
		}
	}
}

func TestRestoreTrustsTheOlder(t *testing.T) {
	pool, err := ParsePool("10.0.0.1-10.0.0.3")
	if err != nil {
		t.Fatal(err)
	}
	young, old, elsewhere := balancer("young", "10.0.0.2"), balancer("old", "10.0.0.2"), balancer("elsewhere", "192.0.2.1")
	young.CreationTimestamp = metav1.NewTime(time.Unix(2, 0))
	old.CreationTimestamp = metav1.NewTime(time.Unix(1, 0))
	var log strings.Builder
	restore(pool, []*corev1.Service{young, old, elsewhere, balancer("new", "")}, &log)
	if address, ok := pool.Held("old"); !ok || address.String() != "10.0.0.2" {
		t.Errorf("the older Service has %v", address)
	}
	for _, name := range []types.UID{"young", "elsewhere", "new"} {
		if address, ok := pool.Held(name); ok {
			t.Errorf("%s has %s", name, address)
		}
	}
	if !strings.Contains(log.String(), "default/young: address 10.0.0.2 is another Service's") {
		t.Errorf("the log says %q", log.String())
	}
}

func TestOurClassIsSeenAsNone(t *testing.T) {
	for class, want := range map[string]bool{Class: true, "example.com/other": false} {
		s := balancer("a", "")
		s.Spec.LoadBalancerClass = &class
		if _, err := ours(s); err != nil {
			t.Fatal(err)
		}
		if got := s.Spec.LoadBalancerClass == nil; got != want {
			t.Errorf("class %q: seen as none: %v, want %v", class, got, want)
		}
	}
}

func TestCloudFollowsWishes(t *testing.T) {
	pool, err := ParsePool("10.0.0.1-10.0.0.2")
	if err != nil {
		t.Fatal(err)
	}
	c := &cloud{pool: pool, log: io.Discard}
	s := balancer("a", "")
	for _, step := range []struct{ wish, want string }{
		{"", "10.0.0.1"}, {"10.0.0.2", "10.0.0.2"}, {"", "10.0.0.2"}, {"10.0.0.7", "address 10.0.0.7 is not in the pool 10.0.0.1-10.0.0.2"},
	} {
		s.Spec.LoadBalancerIP = step.wish
		status, err := c.EnsureLoadBalancer(t.Context(), "lab", s, nil)
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = status.Ingress[0].IP
			if *status.Ingress[0].IPMode != corev1.LoadBalancerIPModeVIP {
				t.Errorf("ipMode %s", *status.Ingress[0].IPMode)
			}
		}
		if got != step.want {
			t.Errorf("wish %q: got %q, want %q", step.wish, got, step.want)
		}
	}
	if err := c.EnsureLoadBalancerDeleted(t.Context(), "lab", s); err != nil {
		t.Fatal(err)
	}
	if _, exists, err := c.GetLoadBalancer(t.Context(), "lab", s); exists || err != nil {
		t.Errorf("deleted, and there: %v, %v", exists, err)
	}
}
