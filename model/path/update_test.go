package path

import (
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"svctour/model"
)

// printed is everything that a program says.
func printed(p *Program) string {
	switch p.Mode {
	case ModeNFTables:
		return PrintNFT(p)
	case ModeIPVS:
		return Print(p) + PrintIPSets(p) + PrintIPVS(p)
	}
	return Print(p)
}

// However a cluster changes, updating gives the program that compiling gives.
func TestUpdate(t *testing.T) {
	const seed = 20261124
	for _, mode := range []string{ModeIPTables, ModeNFTables, ModeIPVS} {
		t.Run(mode, func(t *testing.T) {
			random := rand.New(rand.NewSource(seed))
			s := clusterOf(30, 3)
			p := compileMode(mode, s, "node-0", IPv4, s.Services)
			changes := 0
			for step := range 300 {
				s = someChange(random, s)
				next := p.Update(s)
				whole := compileMode(mode, s, "node-0", IPv4, s.Services)
				got, want := strings.Split(printed(next), "\n"), strings.Split(printed(whole), "\n")
				for i := range want {
					if i >= len(got) || got[i] != want[i] {
						t.Fatalf("step %d, line %d: updated %q, compiled %q", step, i, got[min(i, len(got)-1)], want[i])
					}
				}
				for _, table := range whole.Tables {
					for _, c := range table.Chains {
						if have := next.Chain(table.Name, c.Name); have == nil || len(have.Rules) != len(c.Rules) {
							t.Fatalf("step %d: chain %s is not found", step, c.Name)
						}
					}
					for _, c := range p.Table(table.Name).Chains {
						if gone := whole.Chain(table.Name, c.Name) == nil; gone != (next.Chain(table.Name, c.Name) == nil) {
							t.Fatalf("step %d: chain %s", step, c.Name)
						}
					}
				}
				f := flow("10.244.0.20", fmt.Sprintf("10.96.0.%d:80", random.Intn(40)), "TCP")
				if got, want := outcomesText(&Trace{Outcomes: Walk(next, f, nil)}), outcomesText(&Trace{Outcomes: Walk(whole, f, nil)}); got != want {
					t.Fatalf("step %d: %+v: %s, want %s", step, f, got, want)
				}
				if next != p {
					changes++
				}
				p = next
			}
			if changes < 250 {
				t.Errorf("only %d changes", changes)
			}
		})
	}
}

// someChange is a snapshot in which one thing is different.
func someChange(random *rand.Rand, before *model.Snapshot) *model.Snapshot {
	s := model.Snapshot{Proxy: before.Proxy, Nodes: before.Nodes, Pods: before.Pods, Services: slices.Clone(before.Services), Slices: slices.Clone(before.Slices)}
	if len(s.Services) == 0 {
		return clusterOf(30, 3)
	}
	at := random.Intn(len(s.Services))
	svc := *s.Services[at]
	kind := random.Intn(12)
	if len(s.Services) > 40 {
		kind = 0
	}
	switch kind {
	case 0:
		s.Services = slices.Delete(s.Services, at, at+1)
	case 1, 2:
		svc.Name = fmt.Sprintf("new-%d", random.Int63())
		svc.ClusterIPs = []string{fmt.Sprintf("10.97.%d.%d", random.Intn(250), random.Intn(250))}
		svc.Ports = []model.ServicePort{{Name: "http", Protocol: "TCP", Port: 80, NodePort: int32(31000 + random.Intn(100000))}, {Name: "more", Protocol: "UDP", Port: 81}}
		s.Services = append(s.Services, &svc)
		s.Slices = append(s.Slices, sliceOf(&svc, on("node-0", "10.244.7.7", "p"), on("node-1", "10.244.7.8", "q")))
	case 3:
		svc.SessionAffinity = []string{"None", "ClientIP"}[random.Intn(2)]
		s.Services[at] = &svc
	case 4:
		svc.ExternalTrafficPolicy = []string{"Cluster", "Local"}[random.Intn(2)]
		s.Services[at] = &svc
	case 5:
		svc.Type, svc.Ingress, svc.SourceRanges = model.LoadBalancer, []model.Ingress{{IP: fmt.Sprintf("192.0.2.%d", random.Intn(250))}}, []string{"203.0.113.0/24"}
		s.Services[at] = &svc
	case 6:
		s.Proxy.MasqueradeAll = !s.Proxy.MasqueradeAll
	default:
		if len(s.Slices) == 0 {
			break
		}
		i := random.Intn(len(s.Slices))
		slice := *s.Slices[i]
		slice.Endpoints = slice.Endpoints[:random.Intn(len(slice.Endpoints)+1)]
		if random.Intn(2) == 0 {
			slice.Endpoints = append(slices.Clone(slice.Endpoints), on(fmt.Sprintf("node-%d", random.Intn(3)), fmt.Sprintf("10.244.9.%d", random.Intn(250)), "r"))
		}
		s.Slices[i] = &slice
	}
	return model.NewSnapshot(s)
}
