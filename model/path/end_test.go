package path

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"svctour/model"
)

// endsText writes how a trace's outcomes end, without their prose.
func endsText(t *Trace) string {
	var lines []string
	for _, o := range t.Outcomes {
		e := o.End
		words := []string{fmt.Sprintf("%.2f %s", o.Probability, e.Kind)}
		if d := o.Destination; d != nil {
			words = append(words, netip.AddrPortFrom(netip.MustParseAddr(d.IP), uint16(d.Port)).String())
		}
		for _, word := range []string{e.Pod, e.Node, e.Name, strings.TrimSpace(e.Direction + " " + strings.Join(e.Policies, " "))} {
			if word != "" {
				words = append(words, word)
			}
		}
		lines = append(lines, strings.Join(append(words, e.Evidence.String()), " "))
	}
	return strings.Join(lines, "; ")
}

// endCase is a request, and how its outcomes end.
type endCase struct {
	request Request
	change  func(*model.Snapshot)
	want    string
	notes   []string
	what    string // in the words of the first end
	service string // Trace.Service
	aliases string
	packet  string
}

func (c endCase) check(t *testing.T, name string) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		if c.request.From == "" {
			c.request.From = "pod/tmp"
		}
		trace := do(t, changed(func(s *model.Snapshot) {
			s.Namespaces = []*model.Namespace{{Meta: model.Meta{Name: "default"}}, {Meta: model.Meta{Name: "other"}}}
			if c.change != nil {
				c.change(s)
			}
		}), c.request)
		if got := endsText(trace); got != c.want {
			t.Errorf("%s\nwant %s\nnotes %q", got, c.want, trace.Notes)
		}
		for _, note := range c.notes {
			if !strings.Contains(strings.Join(trace.Notes, "\n"), note) {
				t.Errorf("no note says %q: %q", note, trace.Notes)
			}
		}
		if what := trace.Outcomes[0].End.What; !strings.Contains(what, c.what) {
			t.Errorf("the first outcome's end is %q, want %q", what, c.what)
		}
		if c.service != "" && trace.Service != c.service {
			t.Errorf("Service %q, want %q", trace.Service, c.service)
		}
		var aliases []string
		for _, a := range trace.Aliases {
			aliases = append(aliases, strings.TrimSpace(a.Service+" "+a.Target+" "+a.To))
		}
		if got := strings.Join(aliases, "; "); got != c.aliases {
			t.Errorf("aliases %q, want %q", got, c.aliases)
		}
		p := trace.Packet
		if got := fmt.Sprintf("%s → %s %s:%d", p.Source, p.Destination, p.Host, p.Port); c.packet != "" && got != c.packet {
			t.Errorf("packet %q, want %q", got, c.packet)
		}
	})
}

// declare lets the Pods web-1 and web-2 declare 8080.
func declare(s *model.Snapshot) {
	for _, pod := range s.Pods[1:] {
		pod.Containers = []model.Container{{Name: "web", State: "running", Ports: []model.ContainerPort{{Port: 8080, Protocol: "TCP"}}}}
	}
}

// slicesOf are the slices of the tour's headless Service.
func headlessSlice(s *model.Snapshot) *model.EndpointSlice {
	for _, slice := range s.Slices {
		if slice.Service() == "headless" {
			return slice
		}
	}
	return nil
}

const (
	open8080 = "0.50 arrives 10.244.1.5:8080 default/web-1 node-a derived; 0.50 arrives 10.244.2.7:8080 default/web-2 node-b derived"
	shut80   = "0.50 closed 10.244.1.5:80 default/web-1 node-a derived; 0.50 closed 10.244.2.7:80 default/web-2 node-b derived"
	inZone   = ".default.svc.cluster.local. "
)

// A headless Service leads straight to its endpoints, on the port that was asked
// for (kubernetes/dns, docs/specification.md 2.4).
func TestHeadless(t *testing.T) {
	endpoints := func(list ...model.Endpoint) func(*model.Snapshot) {
		return func(s *model.Snapshot) {
			declare(s)
			headlessSlice(s).Endpoints = list
		}
	}
	for name, c := range map[string]endCase{
		"the Pods' port":           {request: Request{Target: "headless:8080"}, change: declare, want: open8080, packet: "10.244.1.20 →  headless:8080", service: "default/headless"},
		"the Service's port":       {request: Request{Target: "headless"}, change: declare, want: shut80, what: "nothing is known to listen on 80; its endpoints say 8080"},
		"nothing is declared":      {request: Request{Target: "headless"}, want: strings.ReplaceAll(shut80, "derived", "unknown")},
		"in full":                  {request: Request{Target: "headless.default.svc.cluster.local:8080"}, change: declare, want: open8080},
		"as an object":             {request: Request{Target: "svc/headless:8080"}, change: declare, want: open8080, packet: "10.244.1.20 →  headless.default.svc.cluster.local:8080"},
		"from a node":              {request: Request{Target: "headless:8080", From: "node/node-a"}, change: declare, want: open8080, notes: []string{"only where the node is told to"}},
		"from outside":             {request: Request{Target: "headless:8080", From: "outside"}, want: "1.00 unresolved headless" + inZone + "unknown"},
		"a port of another number": {request: Request{Target: "headless:5432"}, change: declare, want: strings.ReplaceAll(shut80, ":80", ":5432")},
		"another protocol": {request: Request{Target: "headless:8080/udp"}, change: declare,
			want: strings.ReplaceAll(strings.ReplaceAll(shut80, ":80", ":8080"), "derived", "unknown")},
		"a probe answers there": {request: Request{Target: "headless:9090"}, change: func(s *model.Snapshot) {
			endpoints(on("node-a", "10.244.1.5", "web-1"))(s)
			s.Pods[1].Containers[0].Readiness = &model.Probe{Kind: "http", Port: "9090"}
		}, want: "1.00 arrives 10.244.1.5:9090 default/web-1 node-a derived"},
		"no container runs": {request: Request{Target: "headless:8080"}, change: func(s *model.Snapshot) {
			endpoints(on("node-a", "10.244.1.5", "web-1"))(s)
			s.Pods[1].Containers[0].State = "waiting"
		}, want: "1.00 closed 10.244.1.5:8080 default/web-1 node-a derived", what: "none of its containers runs"},
		"one not ready": {request: Request{Target: "headless:8080"}, change: func(s *model.Snapshot) {
			declare(s)
			headlessSlice(s).Endpoints[0].Ready = ptr(false)
		}, want: "1.00 arrives 10.244.2.7:8080 default/web-2 node-b derived", packet: "10.244.1.20 → 10.244.2.7 headless:8080"},
		"not ready, published": {request: Request{Target: "headless:8080"}, change: func(s *model.Snapshot) {
			declare(s)
			headlessSlice(s).Endpoints[0].Ready, headlessSlice(s).Endpoints[0].Serving = ptr(true), ptr(false)
		}, want: open8080},
		"none ready": {request: Request{Target: "headless:8080"}, change: func(s *model.Snapshot) {
			for i := range headlessSlice(s).Endpoints {
				headlessSlice(s).Endpoints[i].Ready = ptr(false)
			}
		}, want: "1.00 nxdomain node-a headless" + inZone + "derived", notes: []string{"has 2 endpoints, 0 of them ready"}, service: "default/headless", packet: " →  headless:8080"},
		"no endpoints":       {request: Request{Target: "headless.default"}, change: endpoints(), want: "1.00 nxdomain node-a headless" + inZone + "unknown", notes: []string{"servers outside the cluster for headless.default. itself"}},
		"the client is one":  {request: Request{Target: "headless:8080", From: "pod/web-1"}, change: declare, want: open8080},
		"a StatefulSet Pod":  {request: Request{Target: "web-0.headless:8080"}, change: endpoints(model.Endpoint{Addresses: []string{"10.244.1.5"}, Hostname: "web-0", Node: "node-a", Target: &model.Ref{Kind: "Pod", Name: "web-1"}}, on("node-b", "10.244.2.7", "web-2")), want: "1.00 arrives 10.244.1.5:8080 default/web-1 node-a derived", service: "default/headless"},
		"no such Pod":        {request: Request{Target: "web-9.headless:8080"}, change: declare, want: "1.00 nxdomain node-a web-9.headless" + inZone + "unknown", notes: []string{"No ready endpoint of Service default/headless has the name web-9 in DNS"}},
		"no such Pod, whole": {request: Request{Target: "web-9.headless.default.svc.cluster.local:8080"}, change: declare, want: "1.00 nxdomain node-a web-9.headless" + inZone + "derived"},
		"addresses by hand": {request: Request{Target: "headless:8080"}, change: endpoints(model.Endpoint{Addresses: []string{"192.0.2.80"}}, model.Endpoint{Addresses: []string{"10.244.9.9"}}, model.Endpoint{Addresses: []string{"172.18.0.3"}}),
			want: "0.33 outside 192.0.2.80:8080 unknown; 0.33 lost 10.244.9.9:8080 derived; 0.33 closed node-b unknown"},
		"on the nodes' network": {request: Request{Target: "headless:8080"}, change: func(s *model.Snapshot) {
			endpoints(on("node-b", "172.18.0.3", "web-2"))(s)
			s.Pods[2].HostNetwork, s.Pods[2].IPs = true, []string{"172.18.0.3"}
		}, want: "1.00 arrives 172.18.0.3:8080 default/web-2 node-b derived"},
		"of the other family": {request: Request{Target: "headless:8080"}, change: func(s *model.Snapshot) {
			endpoints(on("node-a", "fd00::5", "web-1"))(s)
			headlessSlice(s).AddressType = "IPv6"
		}, want: "1.00 lost [fd00::5]:8080 default/tmp node-a derived", notes: []string{"has no IPv6 address"}},
	} {
		c.check(t, name)
	}
}

// An ExternalName Service is a CNAME, and maps no port (kubernetes/dns,
// docs/specification.md 2.5).
func TestExternalName(t *testing.T) {
	alias := func(names ...string) func(*model.Snapshot) {
		return func(s *model.Snapshot) {
			declare(s)
			for i := 0; i < len(names); i += 2 {
				s.Services = append(s.Services, &model.Service{Meta: meta(names[i]), Type: model.ExternalName, ExternalName: names[i+1]})
			}
		}
	}
	in := func(name string) string { return name + ".default.svc.cluster.local" }
	for name, c := range map[string]endCase{
		"to a cluster IP":          {request: Request{Target: "to"}, change: alias("to", in("web")), want: open8080, service: "default/to", aliases: "default/to web" + inZone + "default/web", packet: "10.244.1.20 → 10.96.0.50 :80"},
		"and its port":             {request: Request{Target: "to:81"}, change: alias("to", in("web")), want: "1.00 lost node-a derived", aliases: "default/to web" + inZone + "default/web"},
		"to a headless Service":    {request: Request{Target: "to:8080"}, change: alias("to", in("headless")), want: open8080, aliases: "default/to headless" + inZone + "default/headless", packet: "10.244.1.20 →  to:8080"},
		"over another":             {request: Request{Target: "to"}, change: alias("to", in("two"), "two", in("web")), want: open8080, aliases: "default/to two" + inZone + "default/two; default/two web" + inZone + "default/web"},
		"outside":                  {request: Request{Target: "ext:5432"}, want: "1.00 outside www.example.com. unknown", service: "default/ext", aliases: "default/ext www.example.com.", packet: " →  ext:5432"},
		"over another to outside":  {request: Request{Target: "to:5432"}, change: alias("to", in("ext")), want: "1.00 outside www.example.com. unknown", service: "default/to", aliases: "default/to ext" + inZone + "default/ext; default/ext www.example.com."},
		"no such Service":          {request: Request{Target: "to"}, change: alias("to", in("gone")), want: "1.00 nodata node-a to" + inZone + "derived", aliases: "default/to gone.default.svc.cluster.local.", notes: []string{"no Service has that name"}},
		"a circle":                 {request: Request{Target: "to"}, change: alias("to", in("two"), "two", in("to")), want: "1.00 nodata node-a to" + inZone + "derived", aliases: "default/to two" + inZone + "default/two; default/two to" + inZone + "default/to; default/to two.default.svc.cluster.local.", notes: []string{"go round in a circle"}},
		"itself":                   {request: Request{Target: "to"}, change: alias("to", in("to")), want: "1.00 nodata node-a to" + inZone + "derived", aliases: "default/to to.default.svc.cluster.local.", notes: []string{"it stands for itself"}},
		"an address":               {request: Request{Target: "to"}, change: alias("to", "192.0.2.7"), want: "1.00 nxdomain node-a to" + inZone + "derived", aliases: "default/to 192.0.2.7.", notes: []string{"an alias stands for a name"}},
		"nothing":                  {request: Request{Target: "to"}, change: alias("to", ""), want: "1.00 nxdomain node-a to" + inZone + "derived", aliases: "default/to .", notes: []string{"is empty"}},
		"a short name":             {request: Request{Target: "to"}, change: alias("to", "web.default"), want: "1.00 outside web.default. unknown", aliases: "default/to web.default.", notes: []string{"Service default/web would be web.default.svc.cluster.local."}},
		"to one without endpoints": {request: Request{Target: "to"}, change: alias("to", "empty.other.svc.cluster.local"), want: "1.00 rejected node-a derived", aliases: "default/to empty.other.svc.cluster.local. other/empty"},
		"from outside":             {request: Request{Target: "ext:80", From: "outside"}, want: "1.00 unresolved ext" + inZone + "unknown"},
		"from a node":              {request: Request{Target: "to", From: "node/node-b"}, change: alias("to", in("web")), want: open8080, aliases: "default/to web" + inZone + "default/web"},
	} {
		c.check(t, name)
	}
	chain := []string{}
	for i := range 13 {
		chain = append(chain, fmt.Sprintf("to-%d", i), in(fmt.Sprintf("to-%d", i+1)))
	}
	trace := do(t, changed(alias(append(chain, "to-13", in("web"))...)), Request{Target: "to-0", From: "pod/tmp"})
	if got := endsText(trace); !strings.HasPrefix(got, "1.00 nodata") || len(trace.Aliases) != 12 || !strings.Contains(trace.Aliases[11].Broken, "too long") {
		t.Errorf("a long chain: %s after %+v", got, trace.Aliases)
	}
	if trace := do(t, changed(alias(append(chain, "to-13", in("web"))...)), Request{Target: "to-3", From: "pod/tmp"}); endsText(trace) != open8080 {
		t.Errorf("a chain as long as CoreDNS follows: %s after %+v", endsText(trace), trace.Aliases)
	}
}

// What a Pod sends to itself passes no rule of its node.
func TestLoopback(t *testing.T) {
	host := func(s *model.Snapshot) { s.Pods[0].HostNetwork, s.Pods[0].IPs = true, []string{"172.18.0.2"} }
	for name, c := range map[string]endCase{
		"a nodePort":         {request: Request{Target: "127.0.0.1:30080"}, want: "1.00 closed 127.0.0.1:30080 default/tmp node-a unknown", packet: "127.0.0.1 → 127.0.0.1 :30080"},
		"a server":           {request: Request{Target: "127.0.0.1:8080", From: "pod/web-1"}, change: declare, want: "1.00 arrives 127.0.0.1:8080 default/web-1 node-a derived"},
		"IPv6":               {request: Request{Target: "[::1]:8080", From: "pod/web-1"}, change: declare, want: "1.00 arrives [::1]:8080 default/web-1 node-a derived"},
		"localhost":          {request: Request{Target: "localhost:8080", From: "pod/web-1"}, change: declare, want: "1.00 arrives 127.0.0.1:8080 default/web-1 node-a derived"},
		"by its own address": {request: Request{Target: "10.244.1.5:8080", From: "pod/web-1"}, change: declare, want: "1.00 arrives 10.244.1.5:8080 default/web-1 node-a derived"},
		"by its own name":    {request: Request{Target: "web-1:8080", From: "pod/web-1"}, change: declare, want: "1.00 arrives 10.244.1.5:8080 default/web-1 node-a derived"},
		"another port":       {request: Request{Target: "10.244.1.5:9999", From: "pod/web-1"}, change: declare, want: "1.00 closed 10.244.1.5:9999 default/web-1 node-a derived", what: "its endpoints say 8080"},
		"in its name a Service": {request: Request{Target: "tmp:80"}, change: func(s *model.Snapshot) {
			s.Services = append(s.Services, service("tmp", model.ClusterIP, "10.96.0.70", model.ServicePort{Protocol: "TCP", Port: 80}))
		}, want: "1.00 closed 10.244.1.20:80 default/tmp node-a unknown"},
		"localhost of a node":     {request: Request{Target: "localhost:30080", From: "node/node-a"}, want: open8080},
		"on the node's network":   {request: Request{Target: "127.0.0.1:30080"}, change: host, want: open8080},
		"nothing listens there":   {request: Request{Target: "127.0.0.1:9999"}, change: host, want: "1.00 closed node-a unknown"},
		"of a machine outside":    {request: Request{Target: "127.0.0.1:30080", From: "outside"}, want: "1.00 outside derived"},
		"of a machine outside, 6": {request: Request{Target: "[::1]:30080", From: "outside/198.51.100.9"}, want: "1.00 outside derived"},
	} {
		c.check(t, name)
	}
	trace := do(t, changed(declare), Request{Target: "127.0.0.1:30080", From: "pod/web-1"})
	if o := trace.Outcomes[0]; trace.Service != "" || len(o.Hops) != 2 || !strings.Contains(o.Hops[0].What, "no rule of any node sees it") {
		t.Errorf("Service %q, hops %+v", trace.Service, o.Hops)
	}
}

// A name is looked up in the namespace of its client, as the client's resolv.conf
// says (pkg/kubelet/network/dns/dns.go), whatever the request is about.
func TestNamesAreTheClients(t *testing.T) {
	other := func(more ...func(*model.Snapshot)) func(*model.Snapshot) {
		return func(s *model.Snapshot) {
			pod := readyPod("tmp", "node-a", "10.244.1.30")
			pod.Namespace = "other"
			s.Pods = append(s.Pods, pod)
			declare(s)
			s.Pods[3].Containers = nil
			for _, f := range more {
				f(s)
			}
		}
	}
	web := func(s *model.Snapshot) {
		svc := service("web", model.ClusterIP, "10.96.0.80", model.ServicePort{Protocol: "TCP", Port: 80})
		svc.Namespace = "other"
		s.Services = append(s.Services, svc)
	}
	resolver := func(policy string, dns *model.PodDNS) func(*model.Snapshot) {
		return func(s *model.Snapshot) { s.Pods[3].DNSPolicy, s.Pods[3].DNS = policy, dns }
	}
	from := func(target string) Request { return Request{Target: target, From: "pod/other/tmp"} }
	for name, c := range map[string]endCase{
		"another namespace's":      {request: from("web"), change: other(), want: "1.00 nxdomain node-a web.other.svc.cluster.local. derived", notes: []string{"in its own namespace other; Service default/web is web.default there"}},
		"its own namespace's":      {request: from("web"), change: other(web), want: "1.00 rejected node-a derived", service: "other/web"},
		"with the namespace":       {request: from("web.default"), change: other(web), want: open8080, service: "default/web"},
		"as an object":             {request: from("svc/web"), change: other(web), want: open8080, service: "default/web"},
		"an endpoint has the name": {request: from("web.headless"), change: other(func(s *model.Snapshot) { shadow(s) }), want: "1.00 closed 10.244.1.5:80 default/web-1 node-a derived", service: "other/headless"},
		"policy None": {request: from("web.default"), change: other(resolver("None", &model.PodDNS{Nameservers: []string{"10.96.0.10"}, Searches: []string{"cluster.local"}, Options: []model.DNSOption{{Name: "ndots", Value: "5"}}})),
			want: "1.00 nxdomain node-a web.default.cluster.local. unknown"},
		"policy None, as it is first": {request: from("web.default"), change: other(resolver("None", &model.PodDNS{Nameservers: []string{"10.96.0.10"}})), want: open8080, notes: []string{"Whether Pod other/tmp can look this name up is not known"}},
		"policy None, a search domain": {request: from("web"), change: other(web, resolver("None", &model.PodDNS{Nameservers: []string{"10.96.0.10"}, Searches: []string{"default.svc.cluster.local"}})),
			want: open8080, service: "default/web"},
		"one more search domain": {request: from("web"), change: other(resolver("ClusterFirst", &model.PodDNS{Searches: []string{"default.svc.cluster.local"}})), want: open8080, service: "default/web"},
		"policy Default":         {request: from("web"), change: other(web, resolver("Default", nil)), want: "1.00 rejected node-a derived", notes: []string{"Whether Pod other/tmp can look this name up is not known"}},
		"policy Default, headless": {request: from("headless.default:8080"), change: other(resolver("Default", nil)), want: open8080,
			notes: []string{"does not ask the cluster's DNS"}},
		"a line of its hosts": {request: from("web:8080"), change: other(web, func(s *model.Snapshot) {
			s.Pods[3].HostAliases = []model.HostAlias{{IP: "10.244.2.7", Hostnames: []string{"web"}}}
		}), want: "1.00 arrives 10.244.2.7:8080 default/web-2 node-b derived"},
		"a line of its hosts, a cluster IP": {request: from("shop:80"), change: other(func(s *model.Snapshot) {
			s.Pods[3].HostAliases = []model.HostAlias{{IP: "10.96.0.50", Hostnames: []string{"shop"}}}
		}), want: open8080, service: "default/web"},
		"nobody was named": {request: Request{Target: "web", Namespace: "default", From: "outside/192.0.2.9"}, change: other(web), want: "1.00 lost node-a derived", service: "default/web"},
	} {
		c.check(t, name)
	}
}

// shadow gives namespace other a headless Service with an endpoint called web.
func shadow(s *model.Snapshot) {
	svc := &model.Service{Meta: model.Meta{Namespace: "other", Name: "headless"}, Type: model.ClusterIP, ClusterIPs: []string{model.None}, Ports: []model.ServicePort{{Protocol: "TCP", Port: 80}}}
	s.Services = append(s.Services, svc, &model.Service{Meta: model.Meta{Namespace: "headless", Name: "web"}, Type: model.ClusterIP, ClusterIPs: []string{"10.96.0.90"}, Ports: svc.Ports})
	slice := sliceOf(svc, model.Endpoint{Addresses: []string{"10.244.1.5"}, Hostname: "web", Node: "node-a"})
	s.Slices = append(s.Slices, slice)
}

// What NetworkPolicies do not let pass ends at the side that they isolate
// (networking/v1, NetworkPolicySpec).
func TestDenied(t *testing.T) {
	policies := func(list ...*model.NetworkPolicy) func(*model.Snapshot) {
		return func(s *model.Snapshot) {
			declare(s)
			s.Pods[0].Labels, s.Pods[1].Labels = map[string]string{"app": "tmp"}, map[string]string{"app": "web"}
			s.Policies = list
			for _, node := range s.Nodes {
				node.Labels["node.kubernetes.io/instance-type"] = "svctour-lab"
			}
		}
	}
	shut := &[]model.PolicyRule{}
	all := &[]model.PolicyRule{{}}
	app := func(name string) model.LabelSelector {
		return model.LabelSelector{Labels: map[string]string{"app": name}}
	}
	tmp := app("tmp")
	onTheNode := &[]model.PolicyRule{{Peers: []model.PolicyPeer{{CIDR: "172.18.0.0/24"}}}}
	ingress := func(rules *[]model.PolicyRule) *model.NetworkPolicy {
		return &model.NetworkPolicy{Meta: meta("in"), Pods: app("web"), Ingress: rules}
	}
	egress := func(rules *[]model.PolicyRule) *model.NetworkPolicy {
		return &model.NetworkPolicy{Meta: meta("out"), Pods: app("tmp"), Egress: rules}
	}
	web2 := "; 0.50 arrives 10.244.2.7:8080 default/web-2 node-b derived"
	noEgress := "0.50 denied 10.244.1.5:8080 default/tmp node-a Egress default/out derived; 0.50 denied 10.244.2.7:8080 default/tmp node-a Egress default/out derived"
	for name, c := range map[string]endCase{
		"nothing lets it in":           {request: Request{Target: "web"}, change: policies(ingress(shut)), want: "0.50 denied 10.244.1.5:8080 default/web-1 node-a Ingress default/in derived" + web2, what: "no rule of NetworkPolicy default/in lets it in"},
		"all is let in":                {request: Request{Target: "web"}, change: policies(ingress(all)), want: open8080},
		"the client is":                {request: Request{Target: "web"}, change: policies(ingress(&[]model.PolicyRule{{Peers: []model.PolicyPeer{{Pods: &tmp}}}})), want: open8080},
		"another port is":              {request: Request{Target: "web"}, change: policies(ingress(&[]model.PolicyRule{{Ports: []model.PolicyPort{{Protocol: "TCP", Port: "80"}}}})), want: "0.50 denied 10.244.1.5:8080 default/web-1 node-a Ingress default/in derived" + web2},
		"headless":                     {request: Request{Target: "headless:8080"}, change: policies(ingress(shut)), want: "0.50 denied 10.244.1.5:8080 default/web-1 node-a Ingress default/in derived" + web2},
		"nothing lets it out":          {request: Request{Target: "web"}, change: policies(egress(shut)), want: noEgress, what: "lets it out"},
		"out, headless":                {request: Request{Target: "headless:8080"}, change: policies(egress(shut)), want: noEgress},
		"out of both":                  {request: Request{Target: "web"}, change: policies(egress(shut), ingress(shut)), want: noEgress},
		"the node itself":              {request: Request{Target: "web", From: "node/node-a"}, change: policies(ingress(shut)), want: open8080},
		"another node":                 {request: Request{Target: "web", From: "node/node-b"}, change: policies(ingress(shut)), want: "0.50 denied 10.244.1.5:8080 default/web-1 node-a Ingress default/in derived" + web2},
		"another node, by its address": {request: Request{Target: "web", From: "node/node-b"}, change: policies(ingress(onTheNode)), want: open8080},
		"masqueraded by another node":  {request: Request{Target: "node/node-b:30080", From: "outside/192.0.2.9"}, change: policies(ingress(onTheNode)), want: open8080},
		"not masqueraded yet":          {request: Request{Target: "node/node-a:30080", From: "outside/192.0.2.9"}, change: policies(ingress(onTheNode)), want: "0.50 denied 10.244.1.5:8080 default/web-1 node-a Ingress default/in derived" + web2},
		"outside, unknown":             {request: Request{Target: "node/node-a:30080", From: "outside"}, change: policies(ingress(onTheNode)), want: "0.50 denied 10.244.1.5:8080 default/web-1 node-a Ingress default/in unknown" + web2},
		"itself":                       {request: Request{Target: "web", From: "pod/web-1"}, change: policies(ingress(shut)), want: open8080},
		"its loopback":                 {request: Request{Target: "127.0.0.1:8080", From: "pod/web-1"}, change: policies(ingress(shut)), want: "1.00 arrives 127.0.0.1:8080 default/web-1 node-a derived"},
		"another node's door":          {request: Request{Target: "172.18.0.3:30080"}, change: policies(egress(&[]model.PolicyRule{{Peers: []model.PolicyPeer{{CIDR: "172.18.0.3/32"}}}})), want: open8080},
		"another node's door, shut":    {request: Request{Target: "172.18.0.3:30080"}, change: policies(egress(&[]model.PolicyRule{{Peers: []model.PolicyPeer{{CIDR: "10.244.0.0/16"}}}})), want: noEgress},
		"who obeys them is not known": {request: Request{Target: "web"}, change: func(s *model.Snapshot) {
			policies(ingress(shut))(s)
			delete(s.Nodes[0].Labels, "node.kubernetes.io/instance-type")
		}, want: "0.50 denied 10.244.1.5:8080 default/web-1 node-a Ingress default/in unknown" + web2, what: "if the network plugin obeys them"},
		"a rule refuses it first": {request: Request{Target: "empty.other"}, change: policies(egress(shut)), want: "1.00 rejected node-a derived"},
	} {
		c.check(t, name)
	}
	trace := do(t, changed(policies(egress(shut))), Request{Target: "web", From: "pod/tmp"})
	for _, h := range trace.Outcomes[1].Hops {
		if h.Hook == "POSTROUTING" || h.Action == HopArrive || h.Action == HopReply {
			t.Errorf("a packet that is not let out goes on: %+v", h)
		}
	}
}

// Where the packets of ordinary Services end.
func TestEnds(t *testing.T) {
	for name, c := range map[string]endCase{
		"a cluster IP": {request: Request{Target: "web"}, want: open8080},
		"a port that the Pods do not declare": {request: Request{Target: "web"}, change: func(s *model.Snapshot) {
			declare(s)
			s.Slices[0].Ports[0].Port = ptr(int32(9999))
		}, want: strings.NewReplacer(":8080", ":9999", "derived", "unknown").Replace(open8080), what: "declare other ports than 9999"},
		"no endpoints":                 {request: Request{Target: "empty.other"}, want: "1.00 rejected node-a derived"},
		"not in the source ranges":     {request: Request{Target: "192.0.2.10:80", From: "outside/198.51.100.9"}, want: "1.00 dropped node-a derived"},
		"a port that it does not have": {request: Request{Target: "web:81"}, want: "1.00 lost node-a derived"},
		"a cluster IP from outside":    {request: Request{Target: "web", From: "outside"}, want: "1.00 lost node-a derived"},
		"no one's address":             {request: Request{Target: "198.51.100.1:80"}, want: "1.00 outside unknown"},
		"no one's cluster IP":          {request: Request{Target: "10.96.9.9:80"}, change: func(s *model.Snapshot) { s.ServiceCIDRs = []string{"10.96.0.0/16"} }, want: "1.00 lost node-a derived"},
		"a Pod's address":              {request: Request{Target: "10.244.1.5:8080"}, change: declare, want: "1.00 arrives 10.244.1.5:8080 default/web-1 node-a derived"},
		"a Pod's address from outside": {request: Request{Target: "10.244.1.5:8080", From: "outside"}, want: "1.00 lost unknown"},
		"a node, nothing there":        {request: Request{Target: "172.18.0.3:22"}, want: "1.00 closed node-b unknown"},
		"a health check":               {request: Request{Target: "172.18.0.2:31999", From: "outside"}, want: "1.00 arrives node-a derived"},
		"an endpoint outside":          {request: Request{Target: "web"}, change: func(s *model.Snapshot) { s.Slices[0].Endpoints = []model.Endpoint{{Addresses: []string{"192.0.2.80"}}} }, want: "1.00 outside 192.0.2.80:8080 unknown"},
		"an endpoint that no one has":  {request: Request{Target: "web"}, change: func(s *model.Snapshot) { s.Slices[0].Endpoints = []model.Endpoint{{Addresses: []string{"10.244.7.7"}}} }, want: "1.00 lost 10.244.7.7:8080 derived"},
		"a Pod of the node's network":  {request: Request{Target: "172.18.0.3:8080"}, change: func(s *model.Snapshot) { declare(s); s.Pods[2].HostNetwork = true }, want: "1.00 arrives default/web-2 node-b derived"},
		"a client of the other family": {request: Request{Target: "web"}, change: func(s *model.Snapshot) { s.Pods[0].IPs = []string{"fd00::20"} }, want: "0.50 lost 10.244.1.5:8080 default/tmp node-a derived; 0.50 lost 10.244.2.7:8080 default/tmp node-a derived"},
		"a Service without an address": {request: Request{Target: "web"}, change: func(s *model.Snapshot) { s.Services[0].ClusterIPs = nil }, want: "1.00 lost node-a derived"},
	} {
		c.check(t, name)
	}
}
