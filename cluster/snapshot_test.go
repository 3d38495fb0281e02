package cluster

import (
	"context"
	"fmt"
	"io"
	"log"
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"svctour/model"
)

var discardLog = log.New(io.Discard, "", 0)

// unwatched gives a connection whose stores are fed by the test.
func unwatched(t testing.TB, o Options) *Connection {
	t.Helper()
	o.Kubeconfig = serverConfig(t, "https://127.0.0.1:1", nil)
	c, err := Connect(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	c.start.Do(func() {})
	t.Cleanup(c.Close)
	return c
}

func service(namespace, name string, version int) *corev1.Service {
	return &corev1.Service{ObjectMeta: metav1.ObjectMeta{
		Namespace: namespace, Name: name, UID: types.UID(namespace + "/" + name), ResourceVersion: strconv.Itoa(version),
	}}
}

// next gives a snapshot that no reader had yet.
func next(t testing.TB, c *Connection) *model.Snapshot {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	c.feed.mu.Lock()
	seen := uint64(0)
	if c.feed.newest != nil {
		seen = c.feed.newest.Sequence
	}
	c.feed.mu.Unlock()
	s, err := c.Next(ctx, seen)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What a snapshot holds does not change under its reader.
func TestSnapshotsAreImmutable(t *testing.T) {
	c := unwatched(t, Options{Interval: time.Nanosecond})
	s := c.stores.services
	if err := s.Replace([]any{service("a", "x", 1), service("a", "y", 2)}, "2"); err != nil {
		t.Fatal(err)
	}
	first := next(t, c)
	x, y := first.Service("a", "x"), first.Service("a", "y")
	if x == nil || y == nil {
		t.Fatal("the list did not arrive")
	}
	for _, err := range []error{
		s.Add(service("a", "w", 3)), s.Update(service("a", "x", 4)), s.Delete(service("a", "y", 5)), s.Delete(service("a", "never", 6)),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	second := next(t, c)
	if len(first.Services) != 2 || first.Services[0] != x || first.Services[1] != y {
		t.Errorf("the first snapshot changed: %v", first.Services)
	}
	if len(second.Services) != 2 || second.Service("a", "w") == nil || second.Service("a", "x").ResourceVersion != "4" || second.Revision != "6" {
		t.Errorf("the second snapshot is wrong: %+v", second)
	}

	// A list without an object whose deletion was never told, as after a
	// broken watch: the object goes, and unchanged ones stay the same value.
	x = second.Service("a", "x")
	if err := s.Replace([]any{service("a", "x", 4)}, "9"); err != nil {
		t.Fatal(err)
	}
	third := next(t, c)
	if len(third.Services) != 1 || third.Services[0] != x || third.Revision != "9" {
		t.Errorf("the third snapshot is wrong: %+v", third.Services)
	}
	if err := s.Add("not an object"); err == nil {
		t.Error("a foreign object was taken")
	}
}

func TestSyncedAndMissing(t *testing.T) {
	c := unwatched(t, Options{Interval: time.Nanosecond, Namespace: "mine"})
	c.feed.changed()
	if s := next(t, c); s.Sync.Synced {
		t.Error("synced before anything was listed")
	}
	for _, r := range c.watched {
		if r.name == "nodes" {
			c.setStatus(r.name, func(s *status) { s.missing = "nodes is forbidden" })
			continue
		}
		if r.name == "pods" {
			c.setStatus(r.name, func(s *status) { s.narrow = true })
		}
		if err := r.sink.Replace(nil, "7"); err != nil {
			t.Fatal(err)
		}
	}
	s := next(t, c)
	if !s.Sync.Synced || len(s.Sync.Missing) != 1 || s.Sync.Missing["nodes"] != "nodes is forbidden" || s.Cluster.Namespace != "mine" || s.Revision != "7" {
		t.Errorf("got %+v of %+v", s.Sync, s.Cluster)
	}
	c.setStatus("pods", func(s *status) { s.problem, s.since = "Reading pods: broken.", time.Unix(1, 0) })
	if s := next(t, c); s.Sync.Err != "Reading pods: broken." || s.Sync.Since != time.Unix(1, 0) {
		t.Errorf("got %+v", s.Sync)
	}
}

// A snapshot never mixes what is known of all namespaces with what is known of one.
func TestOneScopedResourceNarrowsAll(t *testing.T) {
	c := unwatched(t, Options{Interval: time.Nanosecond, Namespace: "mine"})
	all := []any{service("a", "x", 1), service("mine", "x", 2), service("mine", "y", 3), service("mine-too", "x", 4)}
	if err := c.stores.services.Replace(all, "4"); err != nil {
		t.Fatal(err)
	}
	c.setStatus("endpointslices", func(s *status) { s.narrow = true }) // asked for, not answered yet
	if s := next(t, c); len(s.Services) != 4 || s.Cluster.Namespace != "" {
		t.Errorf("%d Services of %+v before anything was read in one namespace", len(s.Services), s.Cluster)
	}
	if err := c.stores.slices.Replace(nil, "5"); err != nil {
		t.Fatal(err)
	}
	s := next(t, c)
	if len(s.Services) != 2 || s.Service("mine", "x") == nil || s.Service("mine", "y") == nil || s.Cluster.Namespace != "mine" {
		t.Errorf("%d Services of %+v", len(s.Services), s.Cluster)
	}
	c.setStatus("endpointslices", func(s *status) { s.narrow = false }) // all namespaces again
	if s := next(t, c); s.Cluster.Namespace != "mine" {
		t.Error("asking again for all namespaces shows them before the answer")
	}
	if err := c.stores.slices.Replace(nil, "6"); err != nil {
		t.Fatal(err)
	}
	if s := next(t, c); len(s.Services) != 4 || s.Cluster.Namespace != "" {
		t.Errorf("%d Services of %+v after everything was read", len(s.Services), s.Cluster)
	}
}

func TestProxyAndDNSFromTheCluster(t *testing.T) {
	c := unwatched(t, Options{Interval: time.Nanosecond})
	c.feed.changed()
	s := next(t, c)
	if s.Proxy.Evidence != model.Unknown || s.Proxy.Mode != "iptables" || s.Proxy.Running || s.DNS.Domain != "cluster.local" || s.DNS.Evidence != model.Unknown || s.DNS.Serving {
		t.Errorf("without any facts: %+v, %+v", s.Proxy, s.DNS)
	}

	ready := true
	add := func(store interface{ Add(any) error }, objects ...any) {
		t.Helper()
		for _, o := range objects {
			if err := store.Add(o); err != nil {
				t.Fatal(err)
			}
		}
	}
	dns := service("kube-system", "kube-dns", 1)
	dns.Spec = corev1.ServiceSpec{ClusterIP: "10.96.0.10", ClusterIPs: []string{"10.96.0.10"}}
	add(c.stores.services, dns)
	if s := next(t, c); len(s.DNS.Servers) != 1 || s.DNS.Servers[0] != "10.96.0.10" || s.DNS.Evidence != model.Unknown || s.DNS.Serving {
		t.Errorf("with a kube-dns Service: %+v", s.DNS)
	}
	add(c.stores.slices, &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "kube-dns-1", Labels: map[string]string{model.ServiceNameLabel: "kube-dns"}},
		Endpoints:  []discoveryv1.Endpoint{{Addresses: []string{"10.244.0.2"}, Conditions: discoveryv1.EndpointConditions{Ready: &ready}}},
	})
	add(c.stores.dns, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "kubelet-config"},
		Data:       map[string]string{"kubelet": "clusterDNS: [10.96.0.10]\nclusterDomain: example.local\n"},
	})
	add(c.stores.proxy, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "kube-proxy"},
		Data:       map[string]string{"config.conf": "mode: nftables"},
	})
	add(c.stores.pods, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "kube-proxy-x"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "kube-proxy"}}},
	})
	s = next(t, c)
	if s.Proxy.Mode != "nftables" || s.Proxy.Evidence != model.Derived || !s.Proxy.Running {
		t.Errorf("with kube-proxy: %+v", s.Proxy)
	}
	if s.DNS.Domain != "example.local" || s.DNS.Evidence != model.Derived || !s.DNS.Serving {
		t.Errorf("with kubelet-config: %+v", s.DNS)
	}
	add(c.stores.proxy, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "kube-proxy"},
		Data:       map[string]string{"config.conf": "mode: userspace"},
	})
	if s := next(t, c); s.Proxy.Mode != "iptables" || s.Proxy.Evidence != model.Unknown || s.Proxy.Source == "kube-proxy's defaults" {
		t.Errorf("with a broken configuration: %+v", s.Proxy)
	}
}

// The cost of one snapshot after one event in a cluster of 5,000 Services with
// 50,000 endpoints and Pods.
func BenchmarkBuild(b *testing.B) {
	c := unwatched(b, Options{Interval: time.Nanosecond})
	const services, each = 5000, 10
	var list, slices, pods []any
	for i := range services {
		name := fmt.Sprintf("s%05d", i)
		list = append(list, service("n", name, i+1))
		slice := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{
			Namespace: "n", Name: name + "-x", UID: types.UID(name), ResourceVersion: "1", Labels: map[string]string{model.ServiceNameLabel: name},
		}}
		for j := range each {
			ip := fmt.Sprintf("10.%d.%d.%d", i>>8, i&255, j)
			slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{Addresses: []string{ip}})
			pods = append(pods, &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: fmt.Sprintf("%s-%d", name, j), UID: types.UID(ip), ResourceVersion: "1"},
				Status:     corev1.PodStatus{PodIP: ip},
			})
		}
		slices = append(slices, slice)
	}
	for store, objects := range map[sink][]any{c.stores.services: list, c.stores.slices: slices, c.stores.pods: pods} {
		if err := store.Replace(objects, "1"); err != nil {
			b.Fatal(err)
		}
	}
	next(b, c)
	b.ReportAllocs()
	for b.Loop() {
		if err := c.stores.slices.Update(slices[services/2]); err != nil {
			b.Fatal(err)
		}
		next(b, c)
	}
}
