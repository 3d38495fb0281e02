package path

import (
	"strings"
	"testing"

	"svctour/model"
)

// The network plugin gives a Pod's packet the node's address on its way out of
// the Pods' network; on a cluster whose plugin is not known that is an assumption.
func TestPlugin(t *testing.T) {
	const (
		known, assumed = "network plugin: source becomes node's address", "network plugin (assumed): source becomes node's address"
		onlyLocal      = "With the Pod's own address the outcome is another"
	)
	localOn := func(pod int) func(*model.Snapshot) { // np with policy Local and one endpoint
		return func(s *model.Snapshot) {
			s.Services[1].ExternalTrafficPolicy = "Local"
			s.Slices[1].Endpoints = s.Slices[1].Endpoints[pod : pod+1]
		}
	}
	lab := func(s *model.Snapshot) {
		for _, node := range s.Nodes {
			node.Labels["node.kubernetes.io/instance-type"] = "svctour-lab"
		}
	}
	kindnet := func(s *model.Snapshot) {
		pod := readyPod("kindnet-x", "node-a", "172.18.0.2")
		pod.Namespace, pod.HostNetwork, pod.Labels = "kube-system", true, map[string]string{"app": "kindnet"}
		s.Pods = append(s.Pods, pod)
	}
	api := func(s *model.Snapshot) { // Service kubernetes: its endpoint is no Pod and on no node
		s.Slices[0].Endpoints = []model.Endpoint{{Addresses: []string{"172.18.0.1"}}}
	}
	host := func(s *model.Snapshot) {
		s.Slices[0].Endpoints = []model.Endpoint{on("node-b", "172.18.0.3", "host")}
		pod := readyPod("host", "node-b", "172.18.0.3")
		pod.HostNetwork, pod.HostIP = true, "172.18.0.3"
		s.Pods = append(s.Pods, pod)
	}
	all := func(changes ...func(*model.Snapshot)) func(*model.Snapshot) {
		return func(s *model.Snapshot) {
			for _, change := range changes {
				change(s)
			}
		}
	}
	for name, c := range map[string]struct {
		target, from string
		change       func(*model.Snapshot)
		want         string
		ipvs         string // if otherwise
		hop          string // "" for none of the plugin
		note         string
	}{
		"Local elsewhere":         {"node/node-b:30080", "pod/tmp", localOn(0), "1.00 drop", onNodeA, assumed, "A traffic policy is Local and node node-b has no usable endpoint"},
		"Local elsewhere, if not": {"node/node-b:30080", "pod/tmp", localOn(0), "1.00 drop", onNodeA, assumed, onlyLocal + ": DNAT to 10.244.1.5:8080."},
		"Local elsewhere, lab":    {"node/node-b:30080", "pod/tmp", all(localOn(0), lab), "1.00 drop", onNodeA + " masquerade", known, ""},
		"Local there":             {"node/node-b:30080", "pod/tmp", localOn(1), onNodeB, "", assumed, "is assumed"},
		"Local, several there": {"node/node-b:30080", "pod/tmp", all(localOn(1), func(s *model.Snapshot) {
			s.Slices[1].Endpoints = append(s.Slices[1].Endpoints, on("node-a", "10.244.1.5", "web-1"))
		}), onNodeB, onNodeB, assumed, onlyLocal + ": DNAT to 10.244.1.5:8080 or 10.244.2.7:8080."},
		"Cluster":                     {"node/node-b:30080", "pod/tmp", nil, bothMasq, "", assumed, "is assumed"},
		"kindnet":                     {"node/node-b:30080", "pod/tmp", kindnet, bothMasq, "", known, ""},
		"the Pod's own node":          {"node/node-a:30080", "pod/tmp", localOn(1), onNodeB, "", "", ""},
		"from a node":                 {"node/node-b:30080", "node/node-a", localOn(0), "1.00 drop", onNodeA, "", "Whether the network between the nodes"},
		"a machine outside":           {"web", "pod/tmp", api, "1.00 dnat 172.18.0.1:8080  ", "", assumed, "is assumed"},
		"a machine outside, lab":      {"web", "pod/tmp", all(api, lab), "1.00 dnat 172.18.0.1:8080   masquerade", "", known, ""},
		"hostNetwork on another node": {"web", "pod/tmp", host, "1.00 dnat 172.18.0.3:8080 default/host node-b", "", assumed, "is assumed"},
		"hostNetwork on its own node": {"web", "pod/web-2", host, "1.00 dnat 172.18.0.3:8080 default/host node-b", "", "", ""},
		"a Pod on another node":       {"web", "pod/tmp", nil, both, "", "", ""},
		"an address of the Pods' network that no Pod has": {"web", "pod/tmp", func(s *model.Snapshot) {
			s.Slices[0].Endpoints = []model.Endpoint{{Addresses: []string{"10.244.3.9"}}}
		}, "1.00 dnat 10.244.3.9:8080  ", "", "", ""},
	} {
		for _, mode := range []string{ModeIPTables, ModeNFTables, ModeIPVS} {
			t.Run(mode+"/"+name, func(t *testing.T) {
				trace := do(t, changed(c.change), Request{Target: c.target, From: c.from, Mode: mode})
				want, notes := c.want, strings.Join(trace.Notes, "\n")
				other := mode == ModeIPVS && c.ipvs != ""
				if other {
					want = c.ipvs
				}
				if got := outcomesText(trace); got != want {
					t.Errorf("outcomes: %s\nwant: %s\n%s", got, want, notes)
				}
				hop := ""
				for _, h := range trace.Outcomes[0].Hops {
					if strings.HasPrefix(h.What, "network plugin") {
						hop = h.What
						if (h.Evidence == model.Derived) != (hop == known) || h.Node != "node-a" {
							t.Errorf("%+v", h)
						}
					}
				}
				if hop != c.hop {
					t.Errorf("hop %q, want %q", hop, c.hop)
				}
				if strings.Contains(notes, "is assumed: kindnet") != (c.hop == assumed) || !other && !strings.Contains(notes, c.note) {
					t.Errorf("notes do not say %q:\n%s", c.note, notes)
				}
			})
		}
	}
}
