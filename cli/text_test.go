package cli

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/charmbracelet/x/exp/golden"
	"sigs.k8s.io/yaml"

	"svctour/model"
	"svctour/model/dns"
	"svctour/model/path"
)

// shop is a cluster of two nodes with a Service of each type.
func shop() *model.Snapshot {
	ready := []model.Condition{{Type: "Ready", Status: "True"}}
	number := int32(8080)
	s := model.Snapshot{
		Proxy: model.Proxy{Mode: "iptables", ClusterCIDRs: []string{"10.244.0.0/16"}, MasqueradeBit: 14, LocalhostNodePort: true,
			Source: "ConfigMap kube-system/kube-proxy", Running: true, Evidence: model.Derived},
		DNS:        model.DNS{Domain: "cluster.local", Servers: []string{"10.96.0.10"}, Serving: true, Evidence: model.Derived},
		Namespaces: []*model.Namespace{{Meta: model.Meta{Name: "shop"}}, {Meta: model.Meta{Name: "default"}}},
		Nodes: []*model.Node{
			{Meta: model.Meta{Name: "node-a"}, Addresses: []model.NodeAddress{{Type: "InternalIP", Address: "172.18.0.2"}}, Conditions: ready},
			{Meta: model.Meta{Name: "node-b"}, Addresses: []model.NodeAddress{{Type: "InternalIP", Address: "172.18.0.3"}}, Conditions: ready},
		},
		Pods: []*model.Pod{{Meta: model.Meta{Namespace: "shop", Name: "client"}, Node: "node-a", Phase: "Running", IPs: []string{"10.244.1.20"}, Conditions: ready}},
		Services: []*model.Service{
			{Meta: model.Meta{Namespace: "shop", Name: "web"}, Type: model.ClusterIP, ClusterIPs: []string{"10.96.0.50"}, Ports: []model.ServicePort{{Protocol: "TCP", Port: 80}}},
			{Meta: model.Meta{Namespace: "shop", Name: "door"}, Type: model.NodePort, ClusterIPs: []string{"10.96.0.51"}, Ports: []model.ServicePort{{Name: "http", Protocol: "TCP", Port: 80, NodePort: 30080}}},
			{Meta: model.Meta{Namespace: "shop", Name: "empty"}, Type: model.ClusterIP, ClusterIPs: []string{"10.96.0.52"}, Ports: []model.ServicePort{{Protocol: "TCP", Port: 80}}},
		},
	}
	for _, svc := range s.Services[:2] {
		s.Slices = append(s.Slices, &model.EndpointSlice{
			Meta: model.Meta{Namespace: "shop", Name: svc.Name + "-1", Labels: map[string]string{model.ServiceNameLabel: svc.Name}}, AddressType: "IPv4",
			Ports: []model.EndpointPort{{Name: svc.Ports[0].Name, Protocol: "TCP", Port: &number}},
			Endpoints: []model.Endpoint{
				{Addresses: []string{"10.244.1.5"}, Node: "node-a", Target: &model.Ref{Kind: "Pod", Name: "web-1"}},
				{Addresses: []string{"10.244.2.7"}, Node: "node-b", Target: &model.Ref{Kind: "Pod", Name: "web-2"}},
			},
		})
	}
	pod := func(name, node, ip string) *model.Pod {
		return &model.Pod{Meta: model.Meta{Namespace: "shop", Name: name, Labels: map[string]string{"app": name}}, Node: node, Phase: "Running", IPs: []string{ip}, Conditions: ready,
			Containers: []model.Container{{Name: "db", State: "running", Ports: []model.ContainerPort{{Port: 5432, Protocol: "TCP"}}}}}
	}
	s.Pods = append(s.Pods, pod("db-0", "node-a", "10.244.1.8"), pod("db-1", "node-b", "10.244.2.9"))
	postgres := int32(5432)
	s.Services = append(s.Services,
		&model.Service{Meta: model.Meta{Namespace: "shop", Name: "db"}, Type: model.ClusterIP, ClusterIPs: []string{model.None}, Ports: []model.ServicePort{{Protocol: "TCP", Port: 80, TargetPort: "5432"}}},
		&model.Service{Meta: model.Meta{Namespace: "shop", Name: "none"}, Type: model.ClusterIP, ClusterIPs: []string{model.None}, Ports: []model.ServicePort{{Protocol: "TCP", Port: 80}}},
		&model.Service{Meta: model.Meta{Namespace: "shop", Name: "alias"}, Type: model.ExternalName, ExternalName: "door.shop.svc.cluster.local"},
		&model.Service{Meta: model.Meta{Namespace: "shop", Name: "gone"}, Type: model.ExternalName, ExternalName: "nosuch.shop.svc.cluster.local"},
		&model.Service{Meta: model.Meta{Namespace: "shop", Name: "far"}, Type: model.ExternalName, ExternalName: "db.example.com"})
	s.Slices = append(s.Slices, &model.EndpointSlice{
		Meta: model.Meta{Namespace: "shop", Name: "db-1", Labels: map[string]string{model.ServiceNameLabel: "db"}}, AddressType: "IPv4",
		Ports: []model.EndpointPort{{Protocol: "TCP", Port: &postgres}},
		Endpoints: []model.Endpoint{
			{Addresses: []string{"10.244.1.8"}, Hostname: "db-0", Node: "node-a", Target: &model.Ref{Kind: "Pod", Name: "db-0"}},
			{Addresses: []string{"10.244.2.9"}, Hostname: "db-1", Node: "node-b", Target: &model.Ref{Kind: "Pod", Name: "db-1"}},
		},
	})
	nothing := []model.PolicyRule{}
	s.Policies = []*model.NetworkPolicy{{Meta: model.Meta{Namespace: "shop", Name: "deny"}, Pods: model.LabelSelector{Labels: map[string]string{"app": "db-1"}}, Ingress: &nothing}}
	return model.NewSnapshot(s)
}

func traceOf(t *testing.T, r path.Request) *path.Trace {
	t.Helper()
	r.Namespace = "shop"
	trace, err := path.Do(shop(), r)
	if err != nil {
		t.Fatal(err)
	}
	return trace
}

func TestTraceText(t *testing.T) {
	for name, c := range map[string]struct {
		request path.Request
		rules   bool
	}{
		"pod-to-clusterip":    {path.Request{Target: "web", From: "pod/client"}, false},
		"outside-to-nodeport": {path.Request{Target: "door", From: "outside"}, false},
		"no-endpoints-rules":  {path.Request{Target: "empty"}, true},
		"outside-clusterip":   {path.Request{Target: "web", From: "outside"}, false},
		"nodeport-explained":  {path.Request{Target: "door", From: "outside", Explain: true}, true},
		"ipvs":                {path.Request{Target: "web", From: "pod/client", Mode: path.ModeIPVS}, false},
		"ipvs-rules":          {path.Request{Target: "door", From: "outside", Mode: path.ModeIPVS}, true},
		"ipvs-no-endpoints":   {path.Request{Target: "empty", Mode: path.ModeIPVS}, false},
		"headless":            {path.Request{Target: "db:5432", From: "pod/client"}, false},
		"headless-port":       {path.Request{Target: "db-0.db:80", From: "pod/client"}, false},
		"headless-empty":      {path.Request{Target: "none", From: "pod/client"}, false},
		"alias":               {path.Request{Target: "alias:80", From: "pod/client"}, false},
		"alias-nowhere":       {path.Request{Target: "gone:80", From: "pod/client"}, false},
		"alias-outside":       {path.Request{Target: "far:5432", From: "pod/client"}, false},
		"loopback":            {path.Request{Target: "localhost:5432", From: "pod/db-0"}, false},
		"nftables-explained":  {path.Request{Target: "web", From: "pod/client", Mode: path.ModeNFTables, Explain: true}, true},
	} {
		t.Run(name, func(t *testing.T) {
			text := traceText(traceOf(t, c.request), textWidth, c.rules)
			requireFits(t, text, c.rules)
			golden.RequireEqual(t, text)
		})
	}
}

func TestResolutionText(t *testing.T) {
	for name, r := range map[string]dns.Request{
		"short":         {Name: "web"},
		"search":        {Name: "web.shop.svc.cluster.local"},
		"outside":       {Name: "example.com"},
		"no-such":       {Name: "nosuch.shop.svc.cluster.local."},
		"from-hostfile": {Name: "client"},
	} {
		t.Run(name, func(t *testing.T) {
			r.From, r.Namespace = "pod/client", "shop"
			resolution, err := dns.Resolve(shop(), r)
			if err != nil {
				t.Fatal(err)
			}
			text := resolutionText(resolution, textWidth)
			requireFits(t, text, false)
			golden.RequireEqual(t, text)
		})
	}
}

// requireFits fails for a line that is wider than the terminal, unless a single
// word is.
func requireFits(t *testing.T, text string, rules bool) {
	t.Helper()
	for line := range strings.SplitSeq(text, "\n") {
		if n := utf8.RuneCountInString(line); n > textWidth && !rules {
			t.Errorf("%d columns: %q", n, line)
		}
	}
}

// hostile is what a cluster may put into a name: an escape sequence, a C1
// control and a bidirectional override.
const hostile = "a\x1b]0;owned\ab\u009b31mc\u202ed"

func TestTextIsPrintable(t *testing.T) {
	trace := traceOf(t, path.Request{Target: "web"})
	trace.From, trace.Service, trace.Notes = hostile, hostile, []string{hostile + "\n" + hostile}
	trace.Outcomes[0].Hops[0].What, trace.Outcomes[0].Destination.Pod = hostile, hostile
	resolution := &dns.Resolution{From: hostile, Name: hostile, ResolvConf: dns.ResolvConf{Search: []string{hostile}},
		Queries: []dns.Query{{Name: hostile, Type: hostile, Rcode: hostile, Answers: []dns.Record{{Data: hostile}}}}, Notes: []string{hostile}}
	outputs := map[string]string{
		"trace": traceText(trace, textWidth, true), "dns": resolutionText(resolution, textWidth),
	}
	for _, format := range []string{"json", "yaml"} {
		var b bytes.Buffer
		if err := writeDocument(&b, format, "Trace", trace); err != nil {
			t.Fatal(err)
		}
		outputs[format] = b.String()
	}
	for name, text := range outputs {
		for line := range strings.SplitSeq(text, "\n") {
			if model.Printable(line) != line {
				t.Errorf("%s: a terminal would act on %q", name, line)
			}
		}
	}
}

func TestDocuments(t *testing.T) {
	want := traceOf(t, path.Request{Target: "web", From: "pod/client"})
	want.Notes = append(want.Notes, hostile)
	for _, format := range []string{"json", "yaml"} {
		var b bytes.Buffer
		if err := writeDocument(&b, format, "Trace", want); err != nil {
			t.Fatal(err)
		}
		if format == "json" && !strings.HasPrefix(b.String(), "{\n  \"apiVersion\": \"svctour/v1alpha1\",\n  \"kind\": \"Trace\",\n  \"from\": \"pod/shop/client\"") {
			t.Errorf("the document begins with %.120q", b.String())
		}
		var got struct {
			APIVersion string `json:"apiVersion"`
			Kind       string `json:"kind"`
			path.Trace
		}
		if err := yaml.Unmarshal(b.Bytes(), &got); err != nil { // JSON is YAML
			t.Fatal(err)
		}
		if got.APIVersion != "svctour/v1alpha1" || got.Kind != "Trace" {
			t.Errorf("%s: %s %s", format, got.APIVersion, got.Kind)
		}
		if format == "yaml" {
			got.Notes[len(got.Notes)-1] = hostile // YAML replaces what cannot be printed
		}
		a, _ := json.Marshal(want)
		b2, _ := json.Marshal(got.Trace)
		if !bytes.Equal(a, b2) {
			t.Errorf("%s does not read back:\n%s\nwant\n%s", format, b2, a)
		}
	}
}
