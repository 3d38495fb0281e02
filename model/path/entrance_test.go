package path

import (
	"strings"
	"testing"

	"svctour/model"
)

// A load balancer chooses the node where a packet comes in.
func TestEntrance(t *testing.T) {
	onlyB := func(s *model.Snapshot) {
		s.Services[2].SourceRanges = nil
		s.Slices[2].Endpoints = s.Slices[2].Endpoints[1:]
	}
	cluster := func(s *model.Snapshot) { s.Services[2].SourceRanges, s.Services[2].ExternalTrafficPolicy = nil, "" }
	excluded := func(s *model.Snapshot) { s.Nodes[0].Labels[excludedLabel] = "" }
	for name, c := range map[string]struct {
		target string
		change func(*model.Snapshot)
		node   string
		want   string
	}{
		"Local":              {"lb", onlyB, "node-b", onNodeB},
		"Local, its address": {"192.0.2.10:80", onlyB, "node-b", onNodeB},
		"Local, not Ready": {"lb", func(s *model.Snapshot) {
			onlyB(s)
			s.Nodes[1].Conditions[0].Status = "False"
		}, "node-a", "1.00 drop"},
		"Local, nowhere": {"lb", func(s *model.Snapshot) {
			onlyB(s)
			s.Slices[2].Endpoints = nil
		}, "node-a", "1.00 reject"},
		"Local, ready before terminating": {"lb", func(s *model.Snapshot) {
			s.Services[2].SourceRanges = nil
			s.Slices[2].Endpoints[0].Ready, s.Slices[2].Endpoints[0].Terminating = ptr(false), ptr(true)
		}, "node-b", onNodeB},
		"Local, terminating alone": {"lb", func(s *model.Snapshot) {
			onlyB(s)
			s.Slices[2].Endpoints[0].Ready, s.Slices[2].Endpoints[0].Terminating = ptr(false), ptr(true)
		}, "node-b", onNodeB},
		"Local, excluded": {"lb", func(s *model.Snapshot) {
			s.Services[2].SourceRanges = nil
			excluded(s)
		}, "node-b", onNodeB},
		"Local, nodes forbidden": {"lb", func(s *model.Snapshot) {
			onlyB(s)
			s.Nodes, s.Sync.Missing = nil, map[string]string{"nodes": "forbidden"}
		}, "node-b", onNodeB},
		"Cluster":           {"lb", cluster, "node-a", bothMasq},
		"Cluster, excluded": {"lb", func(s *model.Snapshot) { cluster(s); excluded(s) }, "node-b", bothMasq},
		"all excluded": {"lb", func(s *model.Snapshot) {
			cluster(s)
			excluded(s)
			s.Nodes[1].Labels[excludedLabel] = ""
		}, "node-a", bothMasq},
		"address of a node": {"lb", func(s *model.Snapshot) {
			cluster(s)
			s.Services[2].Ingress[0].IP = "172.18.0.3"
		}, "node-b", bothMasq},
		"external IP of a node": {"web", func(s *model.Snapshot) { s.Services[0].ExternalIPs = []string{"172.18.0.3"} }, "node-b", bothMasq},
		"by hostname, Local": {"lb.example.com", func(s *model.Snapshot) {
			s.Services[6].ExternalTrafficPolicy = "Local"
			s.Slices[6].Endpoints = s.Slices[6].Endpoints[1:]
		}, "node-b", onNodeB},
		"NodePort, whose client names the node": {"node/node-a:30082", onlyB, "node-a", "1.00 drop"},
	} {
		t.Run(name, func(t *testing.T) {
			trace := do(t, changed(c.change), Request{Target: c.target, From: "outside"})
			if got := outcomesText(trace); got != c.want || trace.Packet.Node != c.node {
				t.Errorf("by %s: %s\nwant by %s: %s\n%s", trace.Packet.Node, got, c.node, c.want, strings.Join(trace.Notes, "\n"))
			}
		})
	}
}
