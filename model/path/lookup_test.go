package path

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"svctour/model"
	"svctour/model/dns"
)

// A name for which no look-up is made stands for the Service that a look-up
// finds.
func TestObviousNames(t *testing.T) {
	type world struct {
		namespaces, names []string
		snapshot          *model.Snapshot
	}
	draw := func(r *rand.Rand) world {
		w := world{namespaces: []string{"default", "shop", "web"}, names: []string{"web", "db", "shop", "default", "tmp", "localhost", "local"}}
		s := model.Snapshot{DNS: model.DNS{Domain: "cluster.local", Servers: []string{"10.96.0.10"}, Serving: true, Evidence: model.Derived}, Proxy: model.DefaultProxy()}
		if r.IntN(8) == 0 {
			s.DNS.Corefile = &model.Corefile{Pods: "insecure", TTL: 30, IgnoreEmpty: true}
		}
		for i, namespace := range w.namespaces {
			s.Namespaces = append(s.Namespaces, &model.Namespace{Meta: model.Meta{Name: namespace}})
			pod := readyPod("tmp", "node-a", fmt.Sprintf("10.244.1.%d", 20+i))
			pod.Namespace = namespace
			pod.HostNetwork = r.IntN(8) == 0
			pod.DNSPolicy = []string{"", "ClusterFirst", "ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"}[r.IntN(6)]
			if r.IntN(6) == 0 {
				pod.DNS = &model.PodDNS{Nameservers: []string{"10.96.0.10"}, Searches: []string{w.namespaces[r.IntN(3)] + ".svc.cluster.local"}}
			}
			if r.IntN(6) == 0 {
				pod.HostAliases = []model.HostAlias{{IP: "192.0.2.7", Hostnames: []string{w.names[r.IntN(len(w.names))]}}}
			}
			s.Pods = append(s.Pods, pod)
			for j, name := range w.names {
				if r.IntN(3) == 0 {
					continue
				}
				svc := service(name, model.ClusterIP, fmt.Sprintf("10.96.%d.%d", i, j), model.ServicePort{Protocol: "TCP", Port: 80})
				svc.Namespace = namespace
				if r.IntN(3) == 0 {
					svc.ClusterIPs = []string{model.None}
				}
				s.Services = append(s.Services, svc)
				e := on("node-a", fmt.Sprintf("10.244.%d.%d", 2+i, j), "x")
				e.Hostname = w.names[r.IntN(len(w.names))]
				s.Slices = append(s.Slices, sliceOf(svc, e))
			}
		}
		w.snapshot = model.NewSnapshot(s)
		return w
	}
	obvious := 0
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 1))
		w := draw(r)
		for range 20 {
			name, namespace := w.names[r.IntN(len(w.names))], w.namespaces[r.IntN(3)]
			name = []string{name, name + "." + namespace, name + "." + namespace + ".svc", name + "." + namespace + ".svc.cluster.local", name + "." + namespace + ".svc.cluster.local.", name + ".", name + "." + namespace + "."}[r.IntN(7)]
			target, err := ParseTarget(name, "cluster.local")
			if err != nil {
				t.Fatal(err)
			}
			request := Request{Namespace: "default", Target: name, From: "pod/" + w.namespaces[r.IntN(3)] + "/tmp"}
			q := &query{snapshot: w.snapshot, request: request, target: target, trace: &Trace{}}
			q.resolve()
			if err := q.start(); err != nil {
				t.Fatal(err)
			}
			if q.target.Address.IsValid() || !q.ordinary(q.service) || !q.obvious() {
				continue
			}
			obvious++
			found, err := dns.Resolve(w.snapshot, dns.Request{From: request.From, Name: name})
			if err != nil || len(found.Answers) != 1 || found.Answers[0].Data != q.service.ClusterIP() {
				t.Errorf("seed %d: %s from %s is not obviously %s: %v %+v", seed, name, request.From, q.service.Key(), err, found.Answers)
			}
		}
	}
	if obvious < 500 {
		t.Errorf("only %d names were obvious", obvious)
	}
}
