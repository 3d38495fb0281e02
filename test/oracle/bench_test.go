//go:build linux

package oracle

import (
	"fmt"
	"runtime"
	"testing"

	v1 "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utiliptables "k8s.io/kubernetes/pkg/util/iptables"
	iptablestest "k8s.io/kubernetes/pkg/util/iptables/testing"

	"svctour/model"
	"svctour/model/path"
)

// bigWorld has NodePort Services with ten endpoints each.
func bigWorld(services int) *world {
	w := &world{
		Node:  &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-0"}, Status: v1.NodeStatus{Addresses: []v1.NodeAddress{{Type: v1.NodeInternalIP, Address: "172.18.0.2"}}}},
		Proxy: model.Proxy{Mode: "iptables", ClusterCIDRs: []string{"10.128.0.0/9"}, MasqueradeBit: 14, LocalhostNodePort: true},
	}
	for i := range services {
		meta := metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprintf("svc-%05d", i)}
		ip := fmt.Sprintf("10.96.%d.%d", i/256, i%256)
		w.Services = append(w.Services, &v1.Service{ObjectMeta: meta, Spec: v1.ServiceSpec{
			Type: v1.ServiceTypeNodePort, ClusterIP: ip, ClusterIPs: []string{ip}, IPFamilies: []v1.IPFamily{v1.IPv4Protocol},
			Ports: []v1.ServicePort{{Name: "http", Protocol: v1.ProtocolTCP, Port: 80, NodePort: int32(20000 + i)}},
		}})
		meta.Labels = map[string]string{discovery.LabelServiceName: meta.Name}
		slice := &discovery.EndpointSlice{ObjectMeta: meta, AddressType: discovery.AddressTypeIPv4,
			Ports: []discovery.EndpointPort{{Name: ptr("http"), Protocol: ptr(v1.ProtocolTCP), Port: ptr(int32(8080))}}}
		for j := range 10 {
			n := i*10 + j
			slice.Endpoints = append(slice.Endpoints, discovery.Endpoint{
				Addresses: []string{fmt.Sprintf("10.%d.%d.%d", 128+n/65536, n/256%256, n%256)}, NodeName: ptr(fmt.Sprintf("node-%d", n%10)),
				Conditions: discovery.EndpointConditions{Ready: ptr(true)},
			})
		}
		w.Slices = append(w.Slices, slice)
	}
	return w
}

// deaf is kube-proxy's fake iptables, but that it does not parse what it is told.
type deaf struct{ *iptablestest.FakeIPTables }

func (deaf) RestoreAll([]byte, utiliptables.FlushFlag, utiliptables.RestoreCountersFlag) error {
	return nil
}

// BenchmarkKubeProxy is kube-proxy's own first, full sync, to lay beside
// BenchmarkPrograms: into its fake iptables, which parses all of it, and into
// one that does not.
func BenchmarkKubeProxy(b *testing.B) {
	w := bigWorld(5000)
	for _, parse := range []bool{false, true} {
		b.Run(fmt.Sprintf("parsed=%v", parse), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				proxier, fake := newKubeProxy(b, w, v1.IPv4Protocol)
				if !parse {
					replace(b, proxier, "iptables", deaf{fake})
				}
				b.StartTimer()
				proxier.OnEndpointSlicesSynced()
			}
		})
	}
}

// BenchmarkPrograms is the full program of one node, and what it holds in memory.
func BenchmarkPrograms(b *testing.B) {
	for _, services := range []int{100, 1000, 5000, 10000} {
		w := bigWorld(services)
		s := w.snapshot()
		for mode, compile := range map[string]func(*model.Snapshot, string, path.Family) *path.Program{
			path.ModeIPTables: path.Compile, path.ModeNFTables: path.CompileNFTables, path.ModeIPVS: path.CompileIPVS,
		} {
			b.Run(fmt.Sprintf("%s/%d", mode, services), func(b *testing.B) {
				var p *path.Program
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				for b.Loop() {
					p = compile(s, "node-0", path.IPv4)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*services), "ns/Service")
				runtime.GC()
				runtime.ReadMemStats(&after)
				b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(services*10), "B/endpoint")
				runtime.KeepAlive(p)
			})
		}
	}
}
