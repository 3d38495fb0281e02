package oracle

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/coredns/coredns/plugin/kubernetes"
	v1 "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	"pgregory.net/rapid"

	"svctour/model"
	"svctour/model/dns"
)

// chance is true once in n.
func chance(t *rapid.T, n int, what string) bool {
	return rapid.IntRange(0, n-1).Draw(t, what) == n-1
}

func oneOf[T any](t *rapid.T, what string, options ...T) T {
	return rapid.SampledFrom(options).Draw(t, what)
}

// The names are few, so that questions hit, and differ in what a parser could
// trip over: digits, dashes, the zone's own words.
var (
	dnsNamespaces = []string{"default", "shop", "svc", "pod", "10-0-0-1"}
	dnsNames      = []string{"web", "db", "svc", "pod", "10-244-1-5", "default", "0a", "ext"}
	dnsPorts      = []string{"", "http", "pg", "dns", "dns-tcp", "tcp"}
	dnsV4         = []string{"10.244.1.5", "10.244.1.6", "10.244.2.7", "172.18.0.3"}
	dnsV6         = []string{"fd00:10:244:1::5", "fd00:10:244:1::", "fd00::ffff:1", "::ffff:10.244.1.9"}
	dnsHosts      = []string{"", "", "db-0", "db-1", "web"}
)

func drawCluster(t *rapid.T) *dnsCluster {
	c := &dnsCluster{
		Domain: oneOf(t, "domain", "cluster.local", "cluster.local", "k8s.example.org", "local"),
		Corefile: model.Corefile{
			Pods: oneOf(t, "pods", "insecure", "verified", "disabled"), TTL: oneOf(t, "ttl", uint32(30), 5, 0, 3600),
			IgnoreEmpty: chance(t, 5, "ignore empty_service"), EndpointPodNames: chance(t, 5, "endpoint_pod_names"),
		},
	}
	c.Namespaces = rapid.SliceOfNDistinct(rapid.SampledFrom(dnsNamespaces), 1, 4, rapid.ID).Draw(t, "namespaces")
	for i := range rapid.IntRange(0, 12).Draw(t, "services") {
		c.drawService(t, i)
	}
	if chance(t, 4, "chain") {
		c.drawChain(t)
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "Pods") {
		pod := &v1.Pod{ObjectMeta: objectMeta(oneOf(t, "namespace", c.Namespaces...), fmt.Sprintf("pod-%d", i))}
		pod.Status.Phase = oneOf(t, "phase", v1.PodRunning, v1.PodRunning, v1.PodPending, v1.PodSucceeded, v1.PodFailed)
		pod.Spec.DNSPolicy = v1.DNSClusterFirst
		for _, ip := range []string{oneOf(t, "IPv4", dnsV4...), oneOf(t, "IPv6", dnsV6[:3]...)} {
			if !chance(t, 4, "no address") {
				pod.Status.PodIPs = append(pod.Status.PodIPs, v1.PodIP{IP: ip})
			}
		}
		c.Pods = append(c.Pods, pod)
	}
	return c
}

func (c *dnsCluster) drawService(t *rapid.T, i int) {
	svc := &v1.Service{ObjectMeta: objectMeta(oneOf(t, "namespace", c.Namespaces...), oneOf(t, "name", dnsNames...))}
	for _, other := range c.Services {
		if other.Namespace == svc.Namespace && other.Name == svc.Name {
			return
		}
	}
	spec := &svc.Spec
	spec.Type = oneOf(t, "type", v1.ServiceTypeClusterIP, v1.ServiceTypeNodePort, v1.ServiceTypeLoadBalancer, v1.ServiceTypeExternalName)
	v4, v6 := fmt.Sprintf("10.96.0.%d", 20+i), fmt.Sprintf("fd00:10:96::%x", 20+i)
	switch {
	case spec.Type == v1.ServiceTypeExternalName:
		inside := oneOf(t, "target", dnsNames...) + "." + oneOf(t, "target's namespace", dnsNamespaces...) + ".svc." + c.Domain
		spec.ExternalName = oneOf(t, "external name", "www.example.com", "www.example.com.", "192.0.2.7", c.Domain, inside, inside+".", "x."+inside, "svc."+c.Domain, "7.2.0.192.in-addr.arpa")
	case spec.Type == v1.ServiceTypeClusterIP && chance(t, 2, "headless"):
		spec.ClusterIPs = []string{v1.ClusterIPNone}
	default:
		spec.ClusterIPs = oneOf(t, "cluster IPs", []string{v4}, []string{v6}, []string{v4, v6}, []string{v6, v4})
	}
	if len(spec.ClusterIPs) > 0 {
		spec.ClusterIP = spec.ClusterIPs[0]
	}
	ports := rapid.SliceOfNDistinct(rapid.SampledFrom(dnsPorts), 0, 3, rapid.ID).Draw(t, "ports")
	for j, name := range ports {
		spec.Ports = append(spec.Ports, v1.ServicePort{
			Name: name, Port: int32(80 + j/2), Protocol: oneOf(t, "protocol", v1.ProtocolTCP, v1.ProtocolUDP, v1.ProtocolSCTP),
		})
	}
	spec.PublishNotReadyAddresses = chance(t, 3, "publishNotReadyAddresses")
	c.Services = append(c.Services, svc)
	for range rapid.IntRange(0, 2).Draw(t, "slices") {
		c.drawSlice(t, svc)
	}
}

// drawSlice adds a slice of a Service, named so that the model keeps the order in
// which the index has them (CoreDNS takes them in any); now and then
// one whose Service does not exist.
func (c *dnsCluster) drawSlice(t *rapid.T, svc *v1.Service) {
	service := svc.Name
	if chance(t, 12, "no such Service") {
		service = "gone"
	}
	slice := &discovery.EndpointSlice{ObjectMeta: objectMeta(svc.Namespace, fmt.Sprintf("slice-%02d", len(c.Slices)))}
	slice.Labels = map[string]string{discovery.LabelServiceName: service}
	slice.AddressType = oneOf(t, "address type", discovery.AddressTypeIPv4, discovery.AddressTypeIPv4, discovery.AddressTypeIPv6)
	addresses := dnsV4
	if slice.AddressType == discovery.AddressTypeIPv6 {
		addresses = dnsV6
	}
	if chance(t, 12, "FQDN") {
		slice.AddressType, addresses = discovery.AddressTypeFQDN, []string{"a.example.com", "web.default.svc." + c.Domain}
	}
	for _, p := range svc.Spec.Ports {
		port := discovery.EndpointPort{Name: &p.Name, Protocol: &p.Protocol, Port: ptr(p.Port + 8000)}
		if chance(t, 8, "all ports") {
			port.Port = nil
		}
		if !chance(t, 8, "port missing") {
			slice.Ports = append(slice.Ports, port)
		}
	}
	for range rapid.IntRange(0, 4).Draw(t, "endpoints") {
		e := discovery.Endpoint{Addresses: rapid.SliceOfNDistinct(rapid.SampledFrom(addresses), 1, 2, rapid.ID).Draw(t, "addresses")}
		if host := oneOf(t, "hostname", dnsHosts...); host != "" {
			e.Hostname = &host
		}
		if chance(t, 2, "of a Pod") {
			e.TargetRef = &v1.ObjectReference{Kind: "Pod", Name: oneOf(t, "Pod", "db-0", "web-5c7f", strings.Repeat("long-", 13))}
		}
		switch ready := svc.Spec.PublishNotReadyAddresses; oneOf(t, "condition", "ready", "ready", "unknown", "not ready", "terminating") {
		case "ready":
			e.Conditions = discovery.EndpointConditions{Ready: ptr(true), Serving: ptr(true), Terminating: ptr(false)}
		case "not ready":
			e.Conditions = discovery.EndpointConditions{Ready: &ready, Serving: ptr(false), Terminating: ptr(false)}
		case "terminating":
			e.Conditions = discovery.EndpointConditions{Ready: &ready, Serving: ptr(true), Terminating: ptr(true)}
		}
		slice.Endpoints = append(slice.Endpoints, e)
	}
	c.Slices = append(c.Slices, slice)
}

// drawChain adds aliases of aliases, up to and over the plugin's limit.
func (c *dnsCluster) drawChain(t *rapid.T) {
	namespace := c.Namespaces[0]
	last := oneOf(t, "end of chain", "web."+namespace, "link0."+namespace, "link3."+namespace, "nowhere."+namespace)
	for i := range rapid.IntRange(1, 14).Draw(t, "links") {
		svc := &v1.Service{ObjectMeta: objectMeta(namespace, fmt.Sprintf("link%d", i))}
		svc.Spec.Type, svc.Spec.ExternalName = v1.ServiceTypeExternalName, last+".svc."+c.Domain
		c.Services = append(c.Services, svc)
		last = svc.Name + "." + namespace
	}
}

// drawName draws a name that has something to do with the cluster.
func (c *dnsCluster) drawName(t *rapid.T) string {
	namespace := oneOf(t, "namespace", append(dnsNamespaces, "kube-system", "*", "any")...)
	names := append([]string{"nosuch", "*", "link0", "link1", "link9", "link10", "link11", "link12", "link13"}, dnsNames...)
	if len(c.Services) > 0 && !chance(t, 4, "another name") {
		svc := oneOf(t, "Service", c.Services...)
		namespace, names = svc.Namespace, []string{svc.Name}
	}
	service := oneOf(t, "service", names...)
	address := oneOf(t, "address", append(append([]string{"10.96.0.20", "10.96.0.21", "fd00:10:96::14", "192.0.2.9"}, dnsV4...), dnsV6[:3]...)...)
	dashed := strings.NewReplacer(".", "-", ":", "-").Replace(address)
	ports, protocols, hosts := []string{"_http", "_pg", "http", "_tcp", "_", "*"}, []string{"_tcp", "_udp", "tcp", "_", "*"}, []string{"db-0", "db-1", "web", "web-5c7f", dashed, dashed + "0", "*"}
	if len(c.Services) > 0 && len(c.Slices) > 0 && chance(t, 2, "as declared") {
		svc := oneOf(t, "Service", c.Services...)
		if slice := oneOf(t, "slice", c.Slices...); chance(t, 2, "by slice") {
			svc = where(c.Services, func(o *v1.Service) bool {
				return o.Namespace == slice.Namespace && (o.Name == slice.Labels[discovery.LabelServiceName] || slice.Labels[discovery.LabelServiceName] == "gone")
			})[0]
			for _, e := range slice.Endpoints {
				address = e.Addresses[0]
				hosts = append(hosts, strings.NewReplacer(".", "-", ":", "-").Replace(address))
			}
		}
		namespace, service = svc.Namespace, svc.Name
		for _, p := range svc.Spec.Ports {
			if p.Name != "" {
				ports, protocols = []string{"_" + p.Name}, []string{"_" + strings.ToLower(string(p.Protocol))}
			}
		}
	}
	prefix := ""
	switch oneOf(t, "prefix", "none", "none", "endpoint", "port", "port", "long") {
	case "endpoint":
		prefix = oneOf(t, "endpoint", hosts...) + "."
	case "port":
		prefix = oneOf(t, "port", ports...) + "." + oneOf(t, "protocol", protocols...) + "."
	case "long":
		prefix = "a.b.c."
	}
	switch oneOf(t, "form", "service", "service", "service", "service", "pod", "reverse", "part", "other") {
	case "pod":
		return prefix + oneOf(t, "Pod", dashed, dashed, "1-2-3-4", "--1", "010-0-0-1", "256-0-0-1", "web", "--ffff-102-304") + "." + namespace + ".pod." + c.Domain
	case "reverse":
		if chance(t, 5, "part of an address") {
			return oneOf(t, "reverse", "10.in-addr.arpa", "in-addr.arpa", "svc.in-addr.arpa", "web.default.svc.in-addr.arpa", "1.0.96.10.x.in-addr.arpa", "ip6.arpa", "8.b.d.0.ip6.arpa", "pod.ip6.arpa", "dns-version.ip6.arpa")
		}
		ip, err := netip.ParseAddr(address)
		if err != nil { // a slice of address type FQDN
			ip = netip.MustParseAddr("10.96.0.20")
		}
		return oneOf(t, "more", "", "", "", "7.") + strings.TrimSuffix(dns.ReverseName(ip), ".")
	case "part":
		return oneOf(t, "part", "", "svc.", "pod.", "ns.dns.", "dns-version.", "apex.dns.", "dns.", namespace+".svc.", namespace+".pod.", service+".", "x.") + c.Domain
	case "other":
		return oneOf(t, "other", service, service+"."+namespace, "www.example.com", "x"+c.Domain, strings.Repeat("a", 64)+"."+namespace+".svc."+c.Domain)
	}
	return prefix + service + "." + namespace + ".svc." + c.Domain
}

// TestCoreDNS holds Answer against CoreDNS' kubernetes plugin, and each query of
// Resolve likewise, from a Pod of each generated cluster.
func TestCoreDNS(t *testing.T) {
	asked, upstreamed, found, aliases := 0, 0, 0, 0
	began := time.Now()
	check := func(t *rapid.T) {
		c := drawCluster(t)
		s, k := c.snapshot(), c.plugin(t)
		for range 40 {
			name := c.drawName(t)
			kind := oneOf(t, "record type", "A", "A", "A", "AAAA", "AAAA", "SRV", "SRV", "PTR", "CNAME", "TXT", "MX", "NS", "SOA", "HTTPS", "ANY")
			if strings.HasSuffix(name, ".arpa") && !chance(t, 4, "another type") {
				kind = "PTR"
			}
			if chance(t, 8, "capitals") {
				name = strings.ToUpper(name[:1+len(name)/2]) + name[1+len(name)/2:]
			}
			got := askModel(s, name, kind)
			asked++
			if got == "" {
				// The server's own addresses and serial number are in no API object.
				base, _ := strings.CutSuffix(strings.ToLower(name), c.Domain)
				if own := strings.HasSuffix(strings.ToLower(name), ".arpa") || base == "" || strings.HasPrefix(base, "ns.dns."); !own {
					t.Fatalf("%s %s: no answer of the model", name, kind)
				}
				continue
			}
			want := askPlugin(t, k, name+".", kind)
			if got != want {
				t.Fatalf("%s. %s\nCoreDNS: %s\nmodel:   %s", name, kind, want, got)
			}
			if got == "upstream" {
				upstreamed++
			} else if strings.Contains(got, "\n") {
				found++
			}
		}
		aliases += requireAliases(t, c, s, k)
		if len(c.Pods) > 0 {
			asked += resolveAll(t, c, s, k)
		}
	}
	rapid.Check(t, check)
	if aliases < 20 {
		t.Errorf("only %d aliases", aliases)
	}
	t.Logf("%d look-ups (%d with records, %d upstream) in %v", asked, found, upstreamed, time.Since(began))
	if asked < 5000 {
		t.Errorf("only %d look-ups", asked)
	}
}

// requireAliases holds the aliases of every ExternalName Service against CoreDNS'
// answer: when that has records, it has the CNAME of each; when one is not
// followed, it has none.
func requireAliases(t *rapid.T, c *dnsCluster, s *model.Snapshot, k *kubernetes.Kubernetes) int {
	seen := 0
	for _, svc := range c.Services {
		if svc.Spec.Type != v1.ServiceTypeExternalName {
			continue
		}
		name := svc.Name + "." + svc.Namespace + ".svc." + c.Domain
		aliases := dns.Aliases(s, name)
		if len(aliases) == 0 {
			t.Fatalf("%s: no alias", name)
		}
		broken, outside := aliases[len(aliases)-1].Broken, aliases[len(aliases)-1].Outside
		records := 0
		for _, kind := range []string{"A", "AAAA"} {
			answer := askPlugin(t, k, name+".", kind)
			if !strings.Contains(answer, "\n") {
				continue
			}
			records++
			for _, a := range aliases {
				cname := dns.Record{Name: a.Name, Type: "CNAME", TTL: c.Corefile.TTL, Data: a.Target}
				if line := strings.TrimPrefix(inWords("", []dns.Record{cname}), "\n  "); !strings.Contains(answer, line) {
					t.Fatalf("%s %s\nCoreDNS: %s\naliases: %+v", name, kind, answer, aliases)
				}
			}
		}
		if records > 0 && broken != "" || records == 0 && outside {
			t.Fatalf("%s: %d answers, and aliases %+v", name, records, aliases)
		}
		seen += len(aliases)
	}
	return seen
}

// resolveAll looks names up as a Pod does, and asks CoreDNS each of its queries.
func resolveAll(t *rapid.T, c *dnsCluster, s *model.Snapshot, k *kubernetes.Kubernetes) int {
	pod := oneOf(t, "Pod", c.Pods...)
	asked := 0
	for range 10 {
		name := c.drawName(t)
		if chance(t, 2, "short") {
			name = strings.TrimSuffix(name, ".svc."+c.Domain)
		}
		got, err := dns.Resolve(s, dns.Request{From: "pod/" + pod.Namespace + "/" + pod.Name, Name: name})
		if err != nil {
			if strings.Contains(name, strings.Repeat("a", 64)) {
				continue // no DNS message can carry it
			}
			t.Fatalf("%s: %v", name, err)
		}
		for _, q := range got.Queries {
			if q.Rcode == "" {
				continue
			}
			asked++
			if want, got := askPlugin(t, k, q.Name, q.Type), inWords(q.Rcode, q.Answers); got != want {
				t.Fatalf("%s, query %s %s\nCoreDNS: %s\nmodel:   %s", name, q.Name, q.Type, want, got)
			}
		}
	}
	return asked
}

// TestAliasRounds asks for names whose slices of names lead back to each other.
func TestAliasRounds(t *testing.T) {
	c := &dnsCluster{Domain: "cluster.local", Namespaces: []string{"default"}, Corefile: model.Corefile{Pods: "insecure", TTL: 30}}
	for name, to := range map[string][]string{
		"round": {"about.default.svc.cluster.local"}, "about": {"round.default.svc.cluster.local", "www.example.com"}, "self": {"self.default.svc.cluster.local"},
	} {
		svc := &v1.Service{ObjectMeta: objectMeta("default", name)}
		svc.Spec.ClusterIP, svc.Spec.ClusterIPs = v1.ClusterIPNone, []string{v1.ClusterIPNone}
		svc.Spec.Ports = []v1.ServicePort{{Port: 80, Protocol: v1.ProtocolTCP}}
		slice := &discovery.EndpointSlice{ObjectMeta: objectMeta("default", name), AddressType: discovery.AddressTypeFQDN}
		slice.Labels = map[string]string{discovery.LabelServiceName: name}
		slice.Ports = []discovery.EndpointPort{{Name: ptr(""), Port: ptr(int32(80)), Protocol: ptr(v1.ProtocolTCP)}}
		slice.Endpoints = []discovery.Endpoint{{Addresses: to}}
		c.Services, c.Slices = append(c.Services, svc), append(c.Slices, slice)
	}
	s, k := c.snapshot(), c.plugin(t)
	for _, name := range []string{"round", "about", "self"} {
		name += ".default.svc.cluster.local"
		want, got := askPlugin(t, k, name+".", "A"), askModel(s, name, "A")
		if got != want || !strings.HasPrefix(want, "NOERROR") {
			t.Errorf("%s A\nCoreDNS: %s\nmodel:   %s", name, want, got)
		}
		t.Log(want)
	}
}
