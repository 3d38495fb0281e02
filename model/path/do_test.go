package path

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"svctour/model"
)

// outcomes writes a trace's outcomes in one line each.
func outcomesText(t *Trace) string {
	var lines []string
	for _, o := range t.Outcomes {
		text := fmt.Sprintf("%.2f %s", o.Probability, o.Verdict)
		if d := o.Destination; d != nil {
			text += fmt.Sprintf(" %s:%d %s %s", d.IP, d.Port, d.Pod, d.Node)
		}
		if o.Masquerade {
			text += " masquerade"
		}
		lines = append(lines, text)
	}
	return strings.Join(lines, "; ")
}

const (
	both       = "0.50 dnat 10.244.1.5:8080 default/web-1 node-a; 0.50 dnat 10.244.2.7:8080 default/web-2 node-b"
	bothMasq   = "0.50 dnat 10.244.1.5:8080 default/web-1 node-a masquerade; 0.50 dnat 10.244.2.7:8080 default/web-2 node-b masquerade"
	onNodeA    = "1.00 dnat 10.244.1.5:8080 default/web-1 node-a"
	onNodeB    = "1.00 dnat 10.244.2.7:8080 default/web-2 node-b"
	none       = "1.00 none"
	throughOwn = "0.50 dnat 10.244.1.5:8080 default/web-1 node-a masquerade; 0.50 dnat 10.244.2.7:8080 default/web-2 node-b"
)

// inOther is what is otherwise in other modes
// (https://kubernetes.io/docs/reference/networking/virtual-ips, "Migrating from
// iptables mode to nftables"; pkg/proxy/ipvs/README.md).
var inOther = map[string]map[string]string{
	ModeNFTables: {
		"localhost port":        none,          // NodePorts do not answer on loopback
		"port it does not have": "1.00 reject", // of a cluster IP
	},
	ModeIPVS: {
		"localhost port":               none,
		"port it does not have":        "1.00 reject",
		"internal Local, nothing here": "1.00 reject", // the virtual server has no real server
	},
}

// sourceInIPVS is the packet of a client on the node itself: routing to an
// address of kube-ipvs0 takes it as the source.
var sourceInIPVS = map[string]string{
	"node to cluster IP": "10.96.0.50 → 10.96.0.50:80 TCP node-b",
	"hostNetwork client": "10.96.0.50 → 10.96.0.50:80 TCP node-a",
}

func TestDo(t *testing.T) {
	for name, c := range map[string]struct {
		request Request
		change  func(*model.Snapshot)
		from    string
		packet  string // source → destination:port protocol node
		want    string
		notes   []string // each in some note
	}{
		"pod to cluster IP":           {request: Request{Target: "web"}, from: "pod/default/tmp", packet: "10.244.1.20 → 10.96.0.50:80 TCP node-a", want: both, notes: []string{"chosen because no client was named"}},
		"full name":                   {request: Request{Target: "web.default.svc.cluster.local.:80"}, want: both},
		"service and namespace":       {request: Request{Target: "svc/web.default", Namespace: "other", From: "pod/default/tmp"}, want: both},
		"named port":                  {request: Request{Target: "np:admin"}, packet: "10.244.1.20 → 10.96.0.51:81 TCP node-a", want: both},
		"first of several ports":      {request: Request{Target: "np"}, packet: "10.244.1.20 → 10.96.0.51:80 TCP node-a", want: both, notes: []string{"np has ports 80 (http), 81 (admin); this is 80 (http)."}},
		"protocol chosen":             {request: Request{Target: "dns:53/tcp"}, packet: "10.244.1.20 → 10.96.0.54:53 TCP node-a", want: both},
		"number has UDP first":        {request: Request{Target: "dns:53"}, packet: "10.244.1.20 → 10.96.0.54:53 UDP node-a", want: both},
		"pod that is the endpoint":    {request: Request{Target: "web", From: "pod/web-1"}, want: throughOwn},
		"node to cluster IP":          {request: Request{Target: "web", From: "node/node-b"}, packet: "172.18.0.3 → 10.96.0.50:80 TCP node-b", want: bothMasq},
		"outside to cluster IP":       {request: Request{Target: "web", From: "outside"}, want: none},
		"outside to NodePort Service": {request: Request{Target: "np", From: "outside"}, packet: " → 172.18.0.2:30080 TCP node-a", want: bothMasq, notes: []string{"a node's address and the NodePort: 172.18.0.2:30080"}},
		"node named":                  {request: Request{Target: "node/node-b:30081"}, from: "outside", packet: " → 172.18.0.3:30081 TCP node-b", want: bothMasq, notes: []string{"From outside the cluster"}},
		"another node's port":         {request: Request{Target: "172.18.0.3:30080", From: "node/node-a"}, packet: "172.18.0.2 → 172.18.0.3:30080 TCP node-a", want: bothMasq, notes: []string{"Whether the network between the nodes changes the source"}},
		"localhost port":              {request: Request{Target: "127.0.0.1:30080", From: "node/node-a"}, packet: "127.0.0.1 → 127.0.0.1:30080 TCP node-a", want: bothMasq},
		"load balancer, admitted":     {request: Request{Target: "lb", From: "outside"}, packet: "203.0.113.1 → 192.0.2.10:80 TCP node-a", want: onNodeA, notes: []string{"an example of one", "externalTrafficPolicy is Local"}},
		"load balancer, refused":      {request: Request{Target: "192.0.2.10:80", From: "outside/198.51.100.9"}, want: "1.00 drop"},
		"load balancer, other node":   {request: Request{Target: "node/node-b:30082", From: "outside"}, want: onNodeB},
		"health check port":           {request: Request{Target: "172.18.0.2:31999"}, want: none, notes: []string{"kube-proxy itself answers"}},
		"external IP, outside": {request: Request{Target: "web", From: "outside"}, packet: " → 192.0.2.50:80 TCP node-a", want: bothMasq, notes: []string{"uses the external IP 192.0.2.50"},
			change: func(s *model.Snapshot) { s.Services[0].ExternalIPs = []string{"2001:db8::1", "192.0.2.50"} }},
		"pending":                   {request: Request{Target: "pending"}, want: both, notes: []string{"has no load balancer yet", "NodePort 30083 works meanwhile"}},
		"pending, outside":          {request: Request{Target: "pending", From: "outside"}, packet: " → 172.18.0.2:30083 TCP node-a", want: bothMasq},
		"load balancer by hostname": {request: Request{Target: "lb.example.com", From: "outside"}, packet: " → 172.18.0.2:30084 TCP node-a", want: bothMasq, notes: []string{"outside the cluster; no rule on a node knows it"}},
		"headless":                  {request: Request{Target: "headless", From: "pod/tmp"}, packet: "10.244.1.20 → :80 TCP node-a", want: "0.50 none 10.244.1.5:80 default/web-1 node-a; 0.50 none 10.244.2.7:80 default/web-2 node-b", notes: []string{"is headless", "in random order"}},
		"ExternalName":              {request: Request{Target: "ext"}, want: none, notes: []string{`answers with the name "www.example.com"`}},
		"no endpoints":              {request: Request{Target: "empty.other"}, want: "1.00 reject", notes: []string{"No EndpointSlice"}},
		"port it does not have":     {request: Request{Target: "web:81"}, want: none, notes: []string{"has no port 81; it has port 80"}},
		"a Pod's own address":       {request: Request{Target: "10.244.1.5:8080"}, want: "1.00 none 10.244.1.5:8080 default/web-1 node-a"},
		"none ready": {request: Request{Target: "web"}, want: "1.00 reject", notes: []string{"2 endpoint(s) for this port and none of them is ready"},
			change: func(s *model.Snapshot) {
				for i := range s.Slices[0].Endpoints {
					s.Slices[0].Endpoints[i].Ready = ptr(false)
					s.Slices[0].Endpoints[i].Serving = ptr(false)
				}
			}},
		"terminating but serving": {request: Request{Target: "web"}, want: both, notes: []string{"terminating but still serving"},
			change: func(s *model.Snapshot) {
				for i := range s.Slices[0].Endpoints {
					s.Slices[0].Endpoints[i].Ready = ptr(false)
					s.Slices[0].Endpoints[i].Terminating = ptr(true)
				}
			}},
		"internal Local": {request: Request{Target: "web", From: "pod/tmp"}, want: onNodeA, notes: []string{"internalTrafficPolicy is Local"},
			change: func(s *model.Snapshot) { s.Services[0].InternalTrafficPolicy = "Local" }},
		"internal Local, nothing here": {request: Request{Target: "web", From: "pod/tmp"}, want: "1.00 drop", notes: []string{"node node-a has no usable endpoint"},
			change: func(s *model.Snapshot) {
				s.Services[0].InternalTrafficPolicy = "Local"
				s.Slices[0].Endpoints = s.Slices[0].Endpoints[1:]
			}},
		"affinity": {request: Request{Target: "web"}, want: both, notes: []string{"in the last 10800 seconds"},
			change: func(s *model.Snapshot) { s.Services[0].SessionAffinity = "ClientIP" }},
		"zone hints": {request: Request{Target: "web"}, want: onNodeA, notes: []string{"1 of 2 ready endpoints"},
			change: func(s *model.Snapshot) {
				s.Slices[0].Endpoints[0].ForZones = []string{"zone-node-a"}
				s.Slices[0].Endpoints[1].ForZones = []string{"zone-node-b"}
			}},
		"no kube-proxy": {request: Request{Target: "web"}, want: both, notes: []string{"No kube-proxy was found: these are the rules it would write.", "assumed: kube-proxy's defaults"},
			change: func(s *model.Snapshot) { s.Proxy = model.DefaultProxy() }},
		"hostNetwork client": {request: Request{Target: "web", From: "pod/tmp"}, packet: "172.18.0.2 → 10.96.0.50:80 TCP node-a", want: bothMasq,
			change: func(s *model.Snapshot) { s.Pods[0].HostNetwork = true }},
		"endpoint on the node itself": {request: Request{Target: "web", From: "pod/tmp"}, want: "1.00 dnat 172.18.0.2:8080 default/web-1 node-a",
			change: func(s *model.Snapshot) {
				s.Slices[0].Endpoints = []model.Endpoint{on("node-a", "172.18.0.2", "web-1")}
			}},
		"interface detector": {request: Request{Target: "web", From: "pod/tmp"}, want: both, notes: []string{"assumed, not seen"},
			change: func(s *model.Snapshot) {
				s.Proxy.DetectLocalMode, s.Proxy.InterfacePrefix = "InterfaceNamePrefix", "cali"
			}},
		"nodes forbidden": {request: Request{Target: "np", From: "outside"}, packet: " → 172.18.0.9:30080 TCP node-b", want: bothMasq, notes: []string{"Nodes cannot be read (forbidden)"},
			change: func(s *model.Snapshot) {
				s.Nodes, s.Sync.Missing = nil, map[string]string{"nodes": "forbidden"}
				s.Pods = s.Pods[2:]
				s.Pods[0].HostIP = "172.18.0.9"
			}},
		"pods forbidden": {request: Request{Target: "web"}, from: "node/node-a", want: bothMasq, notes: []string{"Pods cannot be read (forbidden)"},
			change: func(s *model.Snapshot) { s.Pods, s.Sync.Missing = nil, map[string]string{"pods": "forbidden"} }},
		"nothing but the Service": {request: Request{Target: "web"}, want: "0.50 dnat 10.244.1.5:8080 default/web-1 node-a masquerade; 0.50 dnat 10.244.2.7:8080 default/web-2 node-b masquerade",
			notes: []string{"the cluster has no Node"}, change: func(s *model.Snapshot) { s.Pods, s.Nodes = nil, nil }},
	} {
		for _, mode := range []string{ModeIPTables, ModeNFTables, ModeIPVS} {
			t.Run(mode+"/"+name, func(t *testing.T) {
				c.request.Mode = mode
				want := c.want
				if other := inOther[mode][name]; other != "" {
					want = other
				}
				packet := c.packet
				if source := sourceInIPVS[name]; source != "" && mode == ModeIPVS {
					packet = source
				}
				trace := do(t, changed(c.change), c.request)
				if got := outcomesText(trace); got != want {
					t.Errorf("outcomes: %s\nwant: %s", got, want)
				}
				if c.from != "" && trace.From != c.from {
					t.Errorf("from %q, want %q", trace.From, c.from)
				}
				p := trace.Packet
				if got := fmt.Sprintf("%s → %s:%d %s %s", p.Source, p.Destination, p.Port, p.Protocol, p.Node); packet != "" && got != packet {
					t.Errorf("packet %s, want %s", got, packet)
				}
				for _, want := range c.notes {
					if !strings.Contains(strings.Join(trace.Notes, "\n"), want) {
						t.Errorf("no note says %q:\n%s", want, strings.Join(trace.Notes, "\n"))
					}
				}
			})
		}
	}
}

func TestDoRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		request Request
		change  func(*model.Snapshot)
		want    string
	}{
		"unknown Service":        {request: Request{Target: "wev"}, want: `no Service "wev" in namespace "default"; did you mean "web"?`},
		"another namespace":      {request: Request{Target: "empty"}, want: `no Service "empty" in namespace "default"; did you mean "empty.other"?`},
		"far from everything":    {request: Request{Target: "zzzzzz"}, want: `no Service "zzzzzz" in namespace "default"`},
		"unknown port":           {request: Request{Target: "np:grpc"}, want: `target "np:grpc": Service default/np has no port named "grpc"; it has ports 80 (http), 81 (admin)`},
		"protocol it has not":    {request: Request{Target: "web/udp"}, want: `target "web/udp": Service default/web has no UDP port; it has port 80`},
		"empty":                  {request: Request{}, want: `target "": want SERVICE`},
		"node without port":      {request: Request{Target: "node/node-a"}, want: `a node needs a port`},
		"unknown node":           {request: Request{Target: "node/node-z:30080"}, want: `no Node "node-z"`},
		"node address, no port":  {request: Request{Target: "172.18.0.2"}, want: "which port?"},
		"unknown load balancer":  {request: Request{Target: "lb.nowhere.example.com"}, want: "no load balancer of a Service has this name"},
		"unknown Pod":            {request: Request{Target: "web", From: "pod/nobody"}, want: `no Pod "nobody" in namespace "default"`},
		"unknown source node":    {request: Request{Target: "web", From: "node/nowhere"}, want: `no Node "nowhere"`},
		"source of no kind":      {request: Request{Target: "web", From: "tmp"}, want: `from "tmp": want pod/NAME`},
		"outside no address":     {request: Request{Target: "web", From: "outside/here"}, want: `"here" is no IP address`},
		"unknown mode":           {request: Request{Target: "web", Mode: "userspace"}, want: `kube-proxy mode "userspace": want auto`},
		"Pod on no node":         {request: Request{Target: "web", From: "pod/tmp"}, want: "on no node yet", change: func(s *model.Snapshot) { s.Pods[0].Node = "" }},
		"Pod without address":    {request: Request{Target: "web", From: "pod/tmp"}, want: "has no address yet", change: func(s *model.Snapshot) { s.Pods[0].IPs = nil }},
		"Pod that ended":         {request: Request{Target: "web", From: "pod/tmp"}, want: "has ended (Succeeded)", change: func(s *model.Snapshot) { s.Pods[0].Phase = "Succeeded" }},
		"slices cannot be read":  {request: Request{Target: "web"}, want: "without reading endpointslices: forbidden", change: func(s *model.Snapshot) { s.Sync.Missing = map[string]string{"endpointslices": "forbidden"} }},
		"Pods cannot be read":    {request: Request{Target: "web", From: "pod/tmp"}, want: "Pods cannot be read: forbidden", change: func(s *model.Snapshot) { s.Sync.Missing = map[string]string{"pods": "forbidden"} }},
		"only another namespace": {request: Request{Target: "nosuch.shop"}, want: `only namespace "default" can be read`, change: func(s *model.Snapshot) { s.Cluster.Namespace = "default" }},
	} {
		t.Run(name, func(t *testing.T) {
			trace, err := Do(changed(c.change), c.request)
			if err == nil {
				t.Fatalf("no error but %s", outcomesText(trace))
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q, want %q in it", err, c.want)
			}
		})
	}
	if _, err := Do(nil, Request{Target: "web"}); err == nil {
		t.Error("no error without a snapshot")
	}
}

// The hops of one path, from the first rule to the reply.
func TestHops(t *testing.T) {
	trace := do(t, changed(nil), Request{Target: "np:http", From: "outside"})
	var got []string
	for _, h := range trace.Outcomes[1].Hops {
		got = append(got, strings.TrimSpace(strings.Join([]string{h.Node, h.Hook, h.Table, h.Chain, h.What}, " ")))
	}
	hash := ChainName("", "default/np:http", "TCP", "")
	sep := ChainName(ChainEndpoint, "default/np:http", "TCP", "10.244.2.7:8080")
	want := []string{
		"node-a PREROUTING nat PREROUTING jump KUBE-SERVICES",
		"node-a PREROUTING nat KUBE-SERVICES jump KUBE-NODEPORTS",
		"node-a PREROUTING nat KUBE-NODEPORTS jump KUBE-EXT-" + hash,
		"node-a PREROUTING nat KUBE-EXT-" + hash + " jump KUBE-MARK-MASQ",
		"node-a PREROUTING nat KUBE-MARK-MASQ set mark 0x4000: masquerade later",
		"node-a PREROUTING nat KUBE-EXT-" + hash + " jump KUBE-SVC-" + hash,
		"node-a PREROUTING nat KUBE-SVC-" + hash + " jump " + sep,
		"node-a PREROUTING nat " + sep + " DNAT to 10.244.2.7:8080",
		"node-a FORWARD   route to node-b",
		"node-a FORWARD filter FORWARD jump KUBE-FORWARD",
		"node-a FORWARD filter KUBE-FORWARD accept",
		"node-a POSTROUTING nat POSTROUTING jump KUBE-POSTROUTING",
		"node-a POSTROUTING nat KUBE-POSTROUTING clear mark 0x4000",
		"node-a POSTROUTING nat KUBE-POSTROUTING masquerade: source becomes node's address",
		"node-b FORWARD   arrives at Pod default/web-2 at 10.244.2.7:8080; nothing is translated on this node",
		"node-a POSTROUTING   reply: conntrack puts back the source 172.18.0.2:30080 and sends it on to the client's own address",
	}
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("hop %d differs:\n%s\nwant:\n%s", i, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// What kube-proxy wrote beside a rule, or beside the element of a map, is told
// in every mode that has it.
func TestHopComments(t *testing.T) {
	s := changed(nil)
	for _, c := range []struct{ mode, target, chain, want string }{
		{ModeIPTables, "web", "KUBE-SERVICES", "default/web cluster IP"},
		{ModeIPTables, "empty.other", "KUBE-SERVICES", "other/empty:http has no endpoints"},
		{ModeNFTables, "np", "external-ASNVMIOD-default/np/tcp/http", "masquerade"},
		{ModeNFTables, "empty.other", "service-endpoints-check", "other/empty:http"},
		{ModeIPVS, "web", "PREROUTING", "kubernetes service portals"},
	} {
		from := "pod/tmp"
		if c.target == "np" {
			from = "outside"
		}
		trace, err := Do(s, Request{Target: c.target, From: from, Mode: c.mode})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, h := range trace.Outcomes[0].Hops {
			if h.Comment != "" {
				got = append(got, h.Chain+": "+h.Comment)
			}
		}
		if !slices.Contains(got, c.chain+": "+c.want) {
			t.Errorf("%s, %s: comments %q, want %q in %s", c.mode, c.target, got, c.want, c.chain)
		}
	}
}
