package path

import (
	"fmt"
	"slices"
	"testing"

	"svctour/model"
)

// clusterOf is a cluster of NodePort Services with as many endpoints each, on ten nodes.
func clusterOf(services, endpoints int) *model.Snapshot {
	s := model.Snapshot{Proxy: model.Proxy{Mode: "iptables", ClusterCIDRs: []string{"10.244.0.0/16"}, MasqueradeBit: 14, LocalhostNodePort: true}}
	for i := range 10 {
		s.Nodes = append(s.Nodes, &model.Node{
			Meta:      model.Meta{Name: fmt.Sprintf("node-%d", i)},
			Addresses: []model.NodeAddress{{Type: "InternalIP", Address: fmt.Sprintf("172.18.0.%d", i+2)}},
		})
	}
	s.Pods = []*model.Pod{readyPod("tmp", "node-0", "10.244.0.20")}
	for i := range services {
		svc := service(fmt.Sprintf("svc-%d", i), model.NodePort, fmt.Sprintf("10.96.%d.%d", i/256, i%256), model.ServicePort{Name: "http", Protocol: "TCP", Port: 80, NodePort: int32(30000 + i)})
		var list []model.Endpoint
		for j := range endpoints {
			n := i*endpoints + j
			list = append(list, on(fmt.Sprintf("node-%d", n%10), fmt.Sprintf("10.%d.%d.%d", 128+n/65536, n/256%256, n%256), "p"))
		}
		s.Services, s.Slices = append(s.Services, svc), append(s.Slices, sliceOf(svc, list...))
	}
	return model.NewSnapshot(s)
}

func BenchmarkCompile(b *testing.B) {
	for _, size := range [][2]int{{10, 3}, {5000, 10}} {
		s := clusterOf(size[0], size[1])
		b.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(b *testing.B) {
			rules := 0
			for b.Loop() {
				rules = Compile(s, "node-0", IPv4).Rules()
			}
			b.ReportMetric(float64(rules), "rules")
		})
	}
}

// BenchmarkWalk walks a packet to a Service with one endpoint, and one to a
// Service with ten, all ten ways.
func BenchmarkWalk(b *testing.B) {
	for _, endpoints := range []int{1, 10} {
		b.Run(fmt.Sprintf("%d ways", endpoints), func(b *testing.B) {
			p := Compile(clusterOf(5000, endpoints), "node-0", IPv4)
			f := flow("10.244.0.20", "10.96.10.7:80", "TCP")
			b.ReportAllocs()
			for b.Loop() {
				if outcomes := Walk(p, f, nil); len(outcomes) != endpoints {
					b.Fatal(len(outcomes))
				}
			}
		})
	}
}

func BenchmarkDo(b *testing.B) {
	for _, size := range [][2]int{{10, 3}, {500, 10}, {5000, 10}} {
		s := clusterOf(size[0], size[1])
		b.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(b *testing.B) {
			for b.Loop() {
				if _, err := Do(s, Request{Target: "svc-7"}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkHeadless follows a packet to each of a headless Service's endpoints.
func BenchmarkHeadless(b *testing.B) {
	for _, endpoints := range []int{3, 1000} {
		before := clusterOf(100, 10)
		svc := service("headless", model.ClusterIP, model.None, model.ServicePort{Name: "http", Protocol: "TCP", Port: 8080})
		s := model.Snapshot{Proxy: before.Proxy, Nodes: before.Nodes, Services: append(before.Services, svc), Slices: before.Slices, Pods: before.Pods}
		slice := sliceOf(svc)
		for i := range endpoints {
			name, node, ip := fmt.Sprintf("db-%d", i), fmt.Sprintf("node-%d", i%10), fmt.Sprintf("10.244.%d.%d", 1+i/250, 1+i%250)
			s.Pods = append(s.Pods, readyPod(name, node, ip))
			slice.Endpoints = append(slice.Endpoints, on(node, ip, name))
		}
		s.Slices = append(s.Slices, slice)
		sealed := model.NewSnapshot(s)
		b.Run(fmt.Sprintf("%d ways", endpoints), func(b *testing.B) {
			for b.Loop() {
				if trace, err := Do(sealed, Request{Target: "headless", From: "pod/tmp"}); err != nil || len(trace.Outcomes) != endpoints {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkUpdate is the time from a changed object to the new program, and one
// packet's way through it.
func BenchmarkUpdate(b *testing.B) {
	for _, mode := range []string{ModeIPTables, ModeNFTables, ModeIPVS} {
		s := clusterOf(5000, 10)
		fewer := *s
		fewer.Slices = slices.Clone(s.Slices)
		slice := *s.Slices[2500]
		slice.Endpoints = slice.Endpoints[1:]
		fewer.Slices[2500] = &slice
		less := *s
		less.Services = slices.Delete(slices.Clone(s.Services), 2500, 2501)
		local := *s
		local.Services = slices.Clone(s.Services)
		svc := *s.Services[2500]
		svc.ExternalTrafficPolicy, svc.Ports = "Local", []model.ServicePort{{Name: "http", Protocol: "TCP", Port: 81, NodePort: 29999}}
		local.Services[2500] = &svc
		for name, other := range map[string]*model.Snapshot{"endpoint": model.NewSnapshot(fewer), "Service": model.NewSnapshot(local), "one less": model.NewSnapshot(less)} {
			b.Run(mode+"/"+name, func(b *testing.B) {
				p := compileMode(mode, s, "node-0", IPv4, s.Services)
				f := flow("10.244.0.20", "10.96.10.7:80", "TCP")
				for i := 0; b.Loop(); i++ {
					next := p.Update([]*model.Snapshot{other, s}[i%2])
					if next == p || len(Walk(next, f, nil)) != 10 {
						b.Fatal("nothing changed, or the packet goes elsewhere")
					}
					p = next
				}
			})
		}
	}
}
