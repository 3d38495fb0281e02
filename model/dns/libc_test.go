package dns

import (
	"slices"
	"strings"
	"testing"

	"svctour/model"
)

// What glibc and musl do apart; all of it was seen, see test/oracle.
func TestLibcsDiffer(t *testing.T) {
	for name, c := range map[string]struct {
		libc    Libc
		name    string
		queries string
		answers string
		notes   string
	}{
		"glibc searches after ndots dots": {Glibc, "x.y.z.w.v.cluster.local", "x.y.z.w.v.cluster.local. NXDOMAIN, x.y.z.w.v.cluster.local.default.svc.cluster.local. NXDOMAIN, x.y.z.w.v.cluster.local.svc.cluster.local. NXDOMAIN, x.y.z.w.v.cluster.local.cluster.local. NXDOMAIN", "",
			"A program with musl would ask for x.y.z.w.v.cluster.local., and does not find it."},
		"musl does not": {Musl, "x.y.z.w.v.cluster.local", "x.y.z.w.v.cluster.local. NXDOMAIN", "", "A program with glibc would ask for"},
		"glibc goes on after NODATA": {Glibc, "shop", "shop.default.svc.cluster.local. NXDOMAIN, shop.svc.cluster.local. NOERROR, shop.cluster.local. NXDOMAIN, shop. ?", "",
			"A program with musl would ask for shop.default.svc.cluster.local., shop.svc.cluster.local., and does not find it."},
		"musl does not go on": {Musl, "shop", "shop.default.svc.cluster.local. NXDOMAIN, shop.svc.cluster.local. NOERROR", "", "A program with glibc would ask for"},
		"no difference":       {Musl, "web", "web.default.svc.cluster.local. NOERROR", "A 10.96.0.50", ""},
	} {
		got, err := Resolve(changed(nil), Request{From: "pod/tmp", Name: c.name, Libc: c.libc})
		if err != nil {
			t.Fatal(err)
		}
		notes := strings.Join(got.Notes, "\n")
		if queries(got) != c.queries || data(got.Answers) != c.answers || got.Libc != c.libc {
			t.Errorf("%s: %s: %s\nwant %s", name, queries(got), data(got.Answers), c.queries)
		}
		if !strings.Contains(notes, c.notes) || c.notes == "" && strings.Contains(notes, "A program with") {
			t.Errorf("%s: notes %s", name, notes)
		}
		for _, q := range got.Queries {
			if q.Why == "" {
				t.Errorf("%s: no reason for %s", name, q.Name)
			}
		}
	}
	if _, err := Resolve(changed(nil), Request{Name: "web", Libc: "uclibc"}); err == nil || !strings.Contains(err.Error(), `libc "uclibc"`) {
		t.Errorf("another library: %v", err)
	}
}

// An external name costs four names and eight queries under ndots:5.
func TestCost(t *testing.T) {
	got, err := Resolve(changed(nil), Request{From: "pod/tmp", Name: "example.com"})
	if err != nil {
		t.Fatal(err)
	}
	const want = "8 queries, 6 of them for names of the search list: example.com has 1 dot, fewer than ndots:5. With a final dot, example.com., it would be 2 queries."
	if len(got.Queries) != 8 || !slices.Contains(got.Notes, want) {
		t.Errorf("%d queries, notes %q", len(got.Queries), got.Notes)
	}
	got, err = Resolve(changed(nil), Request{From: "pod/tmp", Name: "example.com."})
	if err != nil || len(got.Queries) != 2 {
		t.Errorf("%d queries of a name with a final dot, error %v", len(got.Queries), err)
	}
}

// A Pod may ask several servers: musl asks all at once.
func TestServers(t *testing.T) {
	s := changed(func(s *model.Snapshot) { s.DNS.Servers = []string{"10.96.0.10", "10.96.0.11"} })
	for libc, want := range map[Libc]int{Glibc: 2, Musl: 4} {
		got, err := Resolve(s, Request{From: "pod/tmp", Name: "web", Libc: libc})
		if err != nil || len(got.Queries) != want || data(got.Answers) != "A 10.96.0.50" {
			t.Errorf("%s: %d queries, want %d: %s %v", libc, len(got.Queries), want, data(got.Answers), err)
		}
	}
}

func TestNodeLocal(t *testing.T) {
	const note = "NodeLocal DNSCache answers on the Pod's own node"
	for name, change := range map[string]func(*model.Snapshot){
		"its address": func(s *model.Snapshot) { s.DNS.Servers = []string{"169.254.20.10"} },
		"dnsConfig": func(s *model.Snapshot) {
			s.Pods[0].DNSPolicy = "None"
			s.Pods[0].DNS = &model.PodDNS{Nameservers: []string{"169.254.20.10"}, Searches: []string{"default.svc.cluster.local"}}
		},
		"its Pod": func(s *model.Snapshot) {
			s.Pods = append(s.Pods, &model.Pod{
				Meta:  model.Meta{Namespace: "kube-system", Name: "node-local-dns-x", Labels: map[string]string{"k8s-app": "node-local-dns"}},
				Phase: "Running", Conditions: []model.Condition{{Type: "Ready", Status: "True"}},
			})
		},
	} {
		got, err := Resolve(changed(change), Request{From: "pod/tmp", Name: "web"})
		if err != nil {
			t.Fatal(err)
		}
		if data(got.Answers) != "A 10.96.0.50" || !strings.Contains(strings.Join(got.Notes, "\n"), note) {
			t.Errorf("%s: %s, notes %q", name, data(got.Answers), got.Notes)
		}
	}
}

func TestAutopath(t *testing.T) {
	s := changed(func(s *model.Snapshot) {
		s.DNS.Corefile = &model.Corefile{Pods: "verified", TTL: 5, Autopath: true}
	})
	got, err := Resolve(s, Request{From: "pod/tmp", Name: "web.default.svc.cluster.local"})
	if err != nil {
		t.Fatal(err)
	}
	if want := "web.default.svc.cluster.local.default.svc.cluster.local. NOERROR"; queries(got) != want {
		t.Errorf("queries %s, want %s", queries(got), want)
	}
	if want := "CNAME web.default.svc.cluster.local., A 10.96.0.50"; data(got.Answers) != want {
		t.Errorf("answers %s, want %s", data(got.Answers), want)
	}
}

func FuzzLookup(f *testing.F) {
	for _, name := range []string{"web", "a..b", ".", "-", "web.default.svc.cluster.local.", "10.96.0.50", "_pg._tcp.db", "1.2.3.4.in-addr.arpa", strings.Repeat("a.", 126), "\x00\xff"} {
		f.Add(name, "A", "search a b .\noptions ndots:2 attempts:9999\nnameserver 10.96.0.10\n")
	}
	s := changed(nil)
	f.Fuzz(func(t *testing.T, name, kind, text string) {
		reply := Answer(s, name, kind)
		if reply.Rcode == "" && len(reply.Answers) > 0 {
			t.Errorf("%q %q: an unknown answer with %v", name, kind, reply.Answers)
		}
		if len(text) > 1<<12 {
			text = text[:1<<12] // kubelet writes at most 2048 characters of domains
		}
		for _, libc := range []Libc{Glibc, Musl} {
			conf := ParseResolvConf(text, libc)
			if len(conf.Nameservers) > maxNameservers {
				t.Errorf("%d nameservers", len(conf.Nameservers))
			}
			if again := ParseResolvConf(conf.String(), libc); libc == Glibc && !slices.Equal(again.Search, conf.Search) {
				t.Errorf("search %q reads back as %q", conf.Search, again.Search)
			}
			course := libc.Lookup(conf, name, []string{"A", "AAAA"}, OneByOne(func(_ int, name, _ string) Outcome {
				return []Outcome{NoName, NoData, ServFail, Refused, Silent}[len(name)%5]
			}))
			// Every name of the plan, every server, type and attempt, and musl's repeats.
			if most := (len(conf.Search) + 1) * 3 * 2 * 10 * 3; len(course.Sent) > most {
				t.Errorf("%d queries, more than %d", len(course.Sent), most)
			}
			if r, err := Resolve(s, Request{Name: name, Type: kind, Libc: libc}); err == nil && r.Answers == nil {
				t.Errorf("%q: no list of answers", name)
			}
		}
	})
}

func BenchmarkResolve(b *testing.B) {
	s := changed(nil)
	for b.Loop() {
		if _, err := Resolve(s, Request{From: "pod/tmp", Name: "example.com"}); err != nil {
			b.Fatal(err)
		}
	}
}

func TestClusterFirstWithHostNet(t *testing.T) {
	s := changed(func(s *model.Snapshot) {
		s.Pods[0].HostNetwork, s.Pods[0].DNSPolicy = true, "ClusterFirstWithHostNet"
	})
	got, err := Resolve(s, Request{From: "pod/tmp", Name: "web"})
	if err != nil || data(got.Answers) != "A 10.96.0.50" || got.Queries[0].Server != "10.96.0.10" {
		t.Errorf("%+v, error %v", got, err)
	}
}

// Nothing takes longer than its input: thousands of search domains, all failing.
func BenchmarkLookupLong(b *testing.B) {
	conf := ParseResolvConf("search "+strings.Repeat("a ", 2000)+"\noptions attempts:5 ndots:9\nnameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.0.3\n", Glibc)
	for b.Loop() {
		Glibc.Lookup(conf, "web", []string{"A", "AAAA"}, OneByOne(func(int, string, string) Outcome { return ServFail }))
	}
}
