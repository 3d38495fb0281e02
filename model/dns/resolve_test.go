package dns

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"svctour/model"
)

func ptr[T any](v T) *T { return &v }

// world is a zone with Services of every kind and a Pod to ask from, before it is sealed.
func world() model.Snapshot {
	svc := func(name, ips string, ports ...model.ServicePort) *model.Service {
		return &model.Service{Meta: model.Meta{Namespace: "default", Name: name}, Type: model.ClusterIP, ClusterIPs: strings.Split(ips, ","), Ports: ports}
	}
	slice := func(service, kind string, ports []model.EndpointPort, endpoints ...model.Endpoint) *model.EndpointSlice {
		return &model.EndpointSlice{
			Meta:        model.Meta{Namespace: "default", Name: service + "-" + kind, Labels: map[string]string{model.ServiceNameLabel: service}},
			AddressType: kind, Ports: ports, Endpoints: endpoints,
		}
	}
	http := model.ServicePort{Name: "http", Protocol: "TCP", Port: 80}
	pg := []model.EndpointPort{{Name: "pg", Protocol: "TCP", Port: ptr(int32(5432))}}
	alias := func(name, to string) *model.Service {
		return &model.Service{Meta: model.Meta{Namespace: "default", Name: name}, Type: model.ExternalName, ExternalName: to}
	}
	return model.Snapshot{
		DNS:        model.DNS{Domain: "cluster.local", Servers: []string{"10.96.0.10"}, Serving: true, Evidence: model.Derived},
		Namespaces: []*model.Namespace{{Meta: model.Meta{Name: "default"}}, {Meta: model.Meta{Name: "shop"}}},
		Services: []*model.Service{
			svc("web", "10.96.0.50", http, model.ServicePort{Name: "https", Protocol: "TCP", Port: 443}),
			svc("dual", "10.96.0.60,fd00:10:96::3c", http),
			svc("db", model.None, model.ServicePort{Name: "pg", Protocol: "TCP", Port: 5432}),
			svc("six", model.None, http), svc("round", model.None, http), svc("about", model.None, http),
			alias("ext", "www.example.com"), alias("extin", "web.default.svc.cluster.local"), alias("loop", "loop2.default.svc.cluster.local"),
			alias("loop2", "loop.default.svc.cluster.local"), alias("self", "self.default.svc.cluster.local"), alias("gone", "nosuch.default.svc.cluster.local"),
		},
		Slices: []*model.EndpointSlice{
			slice("db", "IPv4", pg,
				model.Endpoint{Addresses: []string{"10.244.1.5"}, Hostname: "db-0"},
				model.Endpoint{Addresses: []string{"10.244.2.7", "10.244.2.8"}, Hostname: "db-1"},
				model.Endpoint{Addresses: []string{"10.244.3.8"}, Hostname: "db-2", Ready: ptr(false), Serving: ptr(true), Terminating: ptr(true)}),
			slice("round", "FQDN", pg, model.Endpoint{Addresses: []string{"about.default.svc.cluster.local"}}),
			slice("about", "FQDN", pg, model.Endpoint{Addresses: []string{"round.default.svc.cluster.local", "www.example.com"}}),
			slice("six", "IPv6", pg, model.Endpoint{Addresses: []string{"fd00:10:244:1::"}}),
		},
		Pods: []*model.Pod{
			{Meta: model.Meta{Namespace: "default", Name: "tmp"}, Phase: "Running", IPs: []string{"10.244.1.20"}, DNSPolicy: "ClusterFirst"},
			{Meta: model.Meta{Namespace: "default", Name: "db-0"}, Phase: "Running", IPs: []string{"10.244.1.5", "fd00::5"}, Hostname: "db-0", Subdomain: "db"},
		},
	}
}

func changed(change func(*model.Snapshot)) *model.Snapshot {
	s := world()
	if change != nil {
		change(&s)
	}
	return model.NewSnapshot(s)
}

func data(records []Record) string {
	var out []string
	for _, r := range records {
		out = append(out, r.Type+" "+r.Data)
	}
	return strings.Join(out, ", ")
}

func TestAnswer(t *testing.T) {
	s := changed(nil)
	for question, want := range map[string]string{
		"web.default.svc.cluster.local. A":                     "NOERROR A 10.96.0.50",
		"WEB.Default.svc.cluster.local A":                      "NOERROR A 10.96.0.50",
		"web.default.svc.cluster.local. AAAA":                  "NOERROR ",
		"dual.default.svc.cluster.local. AAAA":                 "NOERROR AAAA fd00:10:96::3c",
		"db.default.svc.cluster.local. A":                      "NOERROR A 10.244.1.5, A 10.244.2.7, A 10.244.2.8",
		"db-2.db.default.svc.cluster.local. A":                 "NXDOMAIN ",
		"10-244-1-5.db.default.svc.cluster.local. A":           "NXDOMAIN ", // it has a hostname
		"fd00-10-244-1--0.six.default.svc.cluster.local. AAAA": "NOERROR AAAA fd00:10:244:1::",
		"six.default.svc.cluster.local. A":                     "NOERROR ",
		"_pg._tcp.db.default.svc.cluster.local. SRV":           "NOERROR SRV 0 33 5432 db-0.db.default.svc.cluster.local., SRV 0 33 5432 db-1.db.default.svc.cluster.local.",
		"_http._tcp.dual.default.svc.cluster.local. SRV":       "NOERROR SRV 0 50 80 dual.default.svc.cluster.local.",
		"_http._udp.web.default.svc.cluster.local. SRV":        "NXDOMAIN ",
		"ext.default.svc.cluster.local. A":                     "NOERROR CNAME www.example.com.",
		"ext.default.svc.cluster.local. CNAME":                 "NOERROR CNAME www.example.com.",
		"extin.default.svc.cluster.local. A":                   "NOERROR CNAME web.default.svc.cluster.local., A 10.96.0.50",
		"extin.default.svc.cluster.local. AAAA":                "NOERROR ",
		"loop.default.svc.cluster.local. A":                    "NOERROR ",
		"self.default.svc.cluster.local. A":                    "NOERROR ",
		"gone.default.svc.cluster.local. A":                    "NOERROR ",
		"round.default.svc.cluster.local. A":                   "NOERROR CNAME about.default.svc.cluster.local., CNAME www.example.com.",
		"x.ext.default.svc.cluster.local. A":                   "NXDOMAIN ",
		"web.nowhere.svc.cluster.local. A":                     "NXDOMAIN ",
		"nowhere.svc.cluster.local. A":                         "NXDOMAIN ",
		"shop.svc.cluster.local. A":                            "NOERROR ",
		"foo.cluster.local. A":                                 "NXDOMAIN ",
		"1-2-3-4.shop.pod.cluster.local. A":                    "NOERROR A 1.2.3.4",
		"fd00--1.shop.pod.cluster.local. AAAA":                 "NOERROR AAAA fd00::1",
		"1-2-3-4.nowhere.pod.cluster.local. A":                 "NXDOMAIN ",
		"50.0.96.10.in-addr.arpa. PTR":                         "NOERROR PTR web.default.svc.cluster.local.",
		"8.2.244.10.in-addr.arpa. PTR":                         "NOERROR PTR db-1.db.default.svc.cluster.local.",
		ReverseName(mustAddr("fd00:10:244:1::")) + " PTR":      "NOERROR PTR fd00-10-244-1--0.six.default.svc.cluster.local.",
		"8.3.244.10.in-addr.arpa. PTR":                         " ",
		"244.10.in-addr.arpa. PTR":                             " ",
		"50.0.96.10.in-addr.arpa. A":                           " ",
		"example.com. A":                                       " ",
		"evilcluster.local. A":                                 " ",
		"cluster.local. SOA":                                   " ",
	} {
		name, kind, _ := strings.Cut(question, " ")
		reply := Answer(s, name, kind)
		if got := reply.Rcode + " " + data(reply.Answers); got != want {
			t.Errorf("%s: %q, want %q", question, got, want)
		}
		if (reply.Rcode == "") != (reply.Evidence == model.Unknown) {
			t.Errorf("%s: rcode %q with evidence %s", question, reply.Rcode, reply.Evidence)
		}
	}
}

// What cannot be read is unknown, never NXDOMAIN.
func TestAnswerWithoutRights(t *testing.T) {
	for name, change := range map[string]func(*model.Snapshot){
		"one namespace": func(s *model.Snapshot) { s.Cluster.Namespace, s.Namespaces = "default", nil },
		"no services":   func(s *model.Snapshot) { s.Services, s.Sync.Missing = nil, map[string]string{"services": "forbidden"} },
		"no namespaces": func(s *model.Snapshot) {
			s.Namespaces, s.Sync.Missing = nil, map[string]string{"namespaces": "forbidden"}
		},
	} {
		if reply := Answer(changed(change), "web.shop.svc.cluster.local", "A"); reply.Rcode != "" || reply.Evidence != model.Unknown {
			t.Errorf("%s: %+v", name, reply)
		}
	}
}

func queries(r *Resolution) string {
	var out []string
	for _, q := range r.Queries {
		if q.Type != "AAAA" {
			rcode := q.Rcode
			if rcode == "" {
				rcode = "?"
			}
			out = append(out, q.Name+" "+rcode)
		}
	}
	return strings.Join(out, ", ")
}

// aliased gives Pod tmp hostAliases.
func aliased(s *model.Snapshot) {
	s.Pods[0].HostAliases = []model.HostAlias{
		{IP: "10.1.2.3", Hostnames: []string{"db.corp", "db"}}, {IP: "fd00::3", Hostnames: []string{"six.corp", "db.corp"}}, {IP: "10.1.2.4", Hostnames: []string{"tmp"}},
	}
}

func TestResolve(t *testing.T) {
	const suffix = ".default.svc.cluster.local."
	for name, c := range map[string]struct {
		request Request
		change  func(*model.Snapshot)
		queries string
		answers string
		notes   []string
	}{
		"short":        {request: Request{Name: "web"}, queries: "web" + suffix + " NOERROR", answers: "A 10.96.0.50", notes: []string{"chosen because no client was named"}},
		"NODATA first": {request: Request{Name: "six"}, queries: "six" + suffix + " NOERROR", answers: "AAAA fd00:10:244:1::"},
		"outside": {request: Request{Name: "example.com", From: "pod/tmp"}, notes: []string{"outside the cluster's zone", "The node's own search domains"},
			queries: "example.com" + suffix + " NXDOMAIN, example.com.svc.cluster.local. NXDOMAIN, example.com.cluster.local. NXDOMAIN, example.com. ?"},
		"many dots": {request: Request{Name: "a.b.c.d.e.example.com"}, queries: "a.b.c.d.e.example.com. ?",
			notes: []string{"If it fails, the resolver goes on with a.b.c.d.e.example.com.default.svc.cluster.local., "}},
		"alias outside":             {request: Request{Name: "ext"}, queries: "ext" + suffix + " NOERROR", answers: "CNAME www.example.com.", notes: []string{"The addresses of www.example.com. come from outside"}},
		"several":                   {request: Request{Name: "db"}, queries: "db" + suffix + " NOERROR", answers: "A 10.244.1.5, A 10.244.2.7, A 10.244.2.8", notes: []string{"CoreDNS shuffles"}},
		"SRV":                       {request: Request{Name: "_pg._tcp.db", Type: "srv"}, queries: "_pg._tcp.db" + suffix + " NOERROR", answers: "SRV 0 33 5432 db-0.db.default.svc.cluster.local., SRV 0 33 5432 db-1.db.default.svc.cluster.local."},
		"PTR of address":            {request: Request{Name: "10.96.0.50", Type: "PTR"}, queries: "50.0.96.10.in-addr.arpa. NOERROR", answers: "PTR web.default.svc.cluster.local."},
		"an address":                {request: Request{Name: "10.96.0.50"}, notes: []string{"needs no look-up"}},
		"own name":                  {request: Request{Name: "tmp", From: "pod/tmp"}, answers: "A 10.244.1.20", notes: []string{"/etc/hosts"}},
		"own full name":             {request: Request{Name: "db-0.db.default.svc.cluster.local", From: "pod/db-0"}, answers: "A 10.244.1.5, AAAA fd00::5", notes: []string{"/etc/hosts"}},
		"localhost":                 {request: Request{Name: "localhost"}, answers: "A 127.0.0.1, AAAA ::1"},
		"alias":                     {request: Request{Name: "DB.corp", From: "pod/tmp"}, answers: "A 10.1.2.3, AAAA fd00::3", notes: []string{"by its hostAliases"}, change: aliased},
		"alias, IPv6 only":          {request: Request{Name: "six.corp", From: "pod/tmp"}, answers: "AAAA fd00::3", change: aliased},
		"alias beside the own name": {request: Request{Name: "tmp", From: "pod/tmp"}, answers: "A 10.244.1.20, A 10.1.2.4", change: aliased},
		"alias with a final dot":    {request: Request{Name: "db.corp.", From: "pod/tmp"}, queries: "db.corp. ?", change: aliased},
		"alias, asked of DNS alone": {request: Request{Name: "db.corp.", Type: "A", From: "pod/tmp"}, queries: "db.corp. ?", change: aliased},
		"alias with no address": {request: Request{Name: "web", From: "pod/tmp"}, queries: "web" + suffix + " NOERROR", answers: "A 10.96.0.50",
			change: func(s *model.Snapshot) {
				s.Pods[0].HostAliases = []model.HostAlias{{IP: "010.1.2.3", Hostnames: []string{"web"}}}
			}},
		"alias in musl": {request: Request{Name: "db.corp", Libc: Musl, From: "pod/tmp"}, answers: "A 10.1.2.3, AAAA fd00::3", change: aliased},
		"alias in other case, musl": {request: Request{Name: "DB.corp.default.svc.cluster.local", Libc: Musl, From: "pod/tmp"}, queries: "DB.corp.default.svc.cluster.local. NXDOMAIN", notes: []string{"musl does not take it for the same name"},
			change: func(s *model.Snapshot) {
				s.Pods[0].HostAliases = []model.HostAlias{{IP: "10.1.2.3", Hostnames: []string{"db.corp.default.svc.cluster.local"}}}
				s.Pods[0].DNS = &model.PodDNS{Options: []model.DNSOption{{Name: "ndots", Value: "1"}}}
			}},
		"alias, hostNetwork": {request: Request{Name: "db.corp", From: "pod/tmp"}, answers: "A 10.1.2.3, AAAA fd00::3", notes: []string{"by its hostAliases", "begins with the node's own"},
			change: func(s *model.Snapshot) { aliased(s); s.Pods[0].HostNetwork = true }},
		"loopback's other name": {request: Request{Name: "ip6-localhost", From: "pod/tmp"}, answers: "AAAA ::1"},
		"other namespace":       {request: Request{Name: "web.default", Namespace: "shop"}, queries: "web.default.shop.svc.cluster.local. NXDOMAIN, web.default.svc.cluster.local. NOERROR", answers: "A 10.96.0.50", notes: []string{"From a Pod of namespace shop"}},
		"Default policy": {request: Request{Name: "web", From: "pod/tmp"}, queries: "web. ?", notes: []string{"copies the node's resolv.conf"},
			change: func(s *model.Snapshot) { s.Pods[0].DNSPolicy = "Default" }},
		"hostNetwork": {request: Request{Name: "web", From: "pod/tmp"}, queries: "web. ?", notes: []string{"ClusterFirstWithHostNet", "its /etc/hosts begins with the node's own"},
			change: func(s *model.Snapshot) { s.Pods[0].HostNetwork = true }},
		"policy None": {request: Request{Name: "web", From: "pod/tmp"}, queries: "web.corp.example. ?", notes: []string{"asks 192.0.2.53, which is not the cluster's DNS server"},
			change: func(s *model.Snapshot) {
				s.Pods[0].DNSPolicy, s.Pods[0].DNS = "None", &model.PodDNS{Nameservers: []string{"192.0.2.53"}, Searches: []string{"corp.example"}}
			}},
		"ndots 1": {request: Request{Name: "web.default.svc.cluster.local", From: "pod/tmp"}, queries: "web.default.svc.cluster.local. NOERROR", answers: "A 10.96.0.50",
			change: func(s *model.Snapshot) {
				s.Pods[0].DNS = &model.PodDNS{Options: []model.DNSOption{{Name: "ndots", Value: "1"}}}
			}},
		"no server works": {request: Request{Name: "web"}, queries: "web" + suffix + " NOERROR", answers: "A 10.96.0.50", notes: []string{"No working DNS server was found"},
			change: func(s *model.Snapshot) { s.DNS.Serving = false }},
		"no configuration": {request: Request{Name: "web"}, queries: "web" + suffix + " NOERROR", answers: "A 10.96.0.50", notes: []string{"DNS configuration is not known"},
			change: func(s *model.Snapshot) { s.DNS = model.DNS{Serving: true} }},
		"another domain": {request: Request{Name: "web"}, queries: "web.default.svc.corp. NOERROR", answers: "A 10.96.0.50",
			change: func(s *model.Snapshot) { s.DNS.Domain = "corp." }},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Resolve(changed(c.change), c.request)
			if err != nil {
				t.Fatal(err)
			}
			if queries(got) != c.queries {
				t.Errorf("queries: %s\nwant: %s", queries(got), c.queries)
			}
			if data(got.Answers) != c.answers {
				t.Errorf("answers: %s, want %s", data(got.Answers), c.answers)
			}
			for _, want := range c.notes {
				if !strings.Contains(strings.Join(got.Notes, "\n"), want) {
					t.Errorf("no note says %q:\n%s", want, strings.Join(got.Notes, "\n"))
				}
			}
			if strings.HasPrefix(name, "no configuration") && got.Queries[0].Evidence != model.Unknown {
				t.Errorf("evidence %s of an assumed configuration", got.Queries[0].Evidence)
			}
		})
	}
}

func TestResolveRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		request Request
		want    string
	}{
		"empty":      {Request{}, "it is empty"},
		"two dots":   {Request{Name: "a..b"}, "two dots follow each other"},
		"long part":  {Request{Name: strings.Repeat("a", 64)}, "64 characters, more than 63"},
		"long":       {Request{Name: strings.Repeat("abcdefg.", 32) + "a"}, "more than 253"},
		"not a name": {Request{Name: "http://web"}, `cannot be part of a name`},
		"type":       {Request{Name: "web", Type: "A/B"}, `record type "A/B"`},
		"node":       {Request{Name: "web", From: "node/a"}, `from "node/a": want pod/NAME`},
		"no Pod":     {Request{Name: "web", From: "pod/nobody"}, `no Pod "nobody" in namespace "default"`},
	} {
		if _, err := Resolve(changed(nil), c.request); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q in it", name, err, c.want)
		}
	}
	missing := changed(func(s *model.Snapshot) { s.Pods, s.Sync.Missing = nil, map[string]string{"pods": "forbidden"} })
	if _, err := Resolve(missing, Request{Name: "web", From: "pod/tmp"}); err == nil || !strings.Contains(err.Error(), "forbidden") {
		t.Errorf("Pods that cannot be read: %v", err)
	}
	if _, err := Resolve(nil, Request{Name: "web"}); err == nil {
		t.Error("no error without a snapshot")
	}
}

func TestResolvConf(t *testing.T) {
	pod := &model.Pod{Meta: model.Meta{Namespace: "shop", Name: "p"}, DNS: &model.PodDNS{
		Nameservers: []string{"10.96.0.10", "192.0.2.1", "192.0.2.2", "192.0.2.3"},
		Searches:    []string{"corp.example", "svc.cluster.local"},
		Options:     []model.DNSOption{{Name: "ndots", Value: "2"}, {Name: "edns0"}},
	}}
	conf, notes := ResolvConfOf(changed(nil), pod)
	want := ResolvConf{
		Nameservers: []string{"10.96.0.10", "192.0.2.1", "192.0.2.2"},
		Search:      []string{"shop.svc.cluster.local", "svc.cluster.local", "cluster.local", "corp.example"},
		Options:     []string{"ndots:2", "edns0"}, Evidence: model.Derived,
	}
	if fmt.Sprint(conf) != fmt.Sprint(want) || conf.Ndots() != 2 {
		t.Errorf("%+v, want %+v", conf, want)
	}
	if len(notes) != 1 || notes[0] != "Only the first 3 of 4 nameservers are used." {
		t.Errorf("notes %q", notes)
	}

	for i := range 40 {
		pod.DNS.Searches = append(pod.DNS.Searches, fmt.Sprintf("d%d.%s.example", i, strings.Repeat("x", 60)))
	}
	pod.DNS.Searches[3] = strings.Repeat("y.", 127)
	conf, _ = ResolvConfOf(changed(nil), pod)
	if n := len(strings.Join(conf.Search, " ")); n > 2048 || n < 1900 || len(conf.Search) > 32 {
		t.Errorf("%d search domains of %d characters", len(conf.Search), n)
	}
	if slices.ContainsFunc(conf.Search, func(d string) bool { return len(d) > 253 }) {
		t.Error("a search domain is too long for glibc")
	}
}

func TestCandidates(t *testing.T) {
	conf := ResolvConf{Search: []string{"a", "b."}, Options: []string{"ndots:2"}}
	for name, want := range map[string]string{
		"x": "x.a. x.b. x.", "x.": "x.", "x.y": "x.y.a. x.y.b. x.y.", "x.y.z": "x.y.z. x.y.z.a. x.y.z.b.",
	} {
		if got := strings.Join(Candidates(conf, name), " "); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if got := strings.Join(Candidates(ResolvConf{Search: []string{"."}}, "x"), " "); got != "x." {
		t.Errorf("root as search domain: %s", got)
	}
	if n := (ResolvConf{Options: []string{"ndots:99", "ndots:x"}}).Ndots(); n != 15 {
		t.Errorf("ndots %d, want the most that glibc allows", n)
	}
}

// FuzzResolve feeds arbitrary snapshots and names: nothing panics, and nothing
// unknown is said to be known.
func FuzzResolve(f *testing.F) {
	text, err := json.Marshal(changed(nil))
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range []string{"web", "db.default.svc.cluster.local.", "1.0.0.10.in-addr.arpa", "::1", "svc", "x.svc.cluster.local."} {
		f.Add(text, name, "", "pod/tmp")
		f.Add(text, name, "SRV", "")
	}
	f.Fuzz(func(t *testing.T, text []byte, name, kind, from string) {
		var s model.Snapshot
		if len(text) > 1<<16 || json.Unmarshal(text, &s) != nil {
			return
		}
		dropNil(&s.Services)
		dropNil(&s.Slices)
		dropNil(&s.Endpoints)
		dropNil(&s.Pods)
		dropNil(&s.Nodes)
		dropNil(&s.Namespaces)
		dropNil(&s.Deployments)
		dropNil(&s.ReplicaSets)
		r, err := Resolve(model.NewSnapshot(s), Request{Name: name, Type: kind, From: from})
		if err != nil {
			return
		}
		for _, q := range r.Queries {
			if !strings.HasSuffix(q.Name, ".") || q.Rcode == "" && q.Evidence != model.Unknown || q.Rcode != "NOERROR" && len(q.Answers) > 0 {
				t.Errorf("%+v", q)
			}
		}
	})
}

func dropNil[T any](list *[]*T) {
	*list = slices.DeleteFunc(*list, func(x *T) bool { return x == nil })
}

func mustAddr(text string) netip.Addr { return netip.MustParseAddr(text) }
