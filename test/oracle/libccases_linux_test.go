package oracle

import (
	"fmt"
	"strings"

	"svctour/model/dns"
)

// resolverCase is one look-up: the file, the name, and what servers answer.
type resolverCase struct {
	conf, name string
	answer     func(server int, name, kind string) dns.Outcome
}

// answersOfCluster answers as a cluster's DNS with Services web (IPv4), six (IPv6) and
// dual in default, and shop/db; anything under example.com is outside.
func answersOfCluster(_ int, name, kind string) dns.Outcome {
	a, aaaa := false, false
	switch strings.ToLower(strings.TrimSuffix(name, ".")) {
	case "web.default.svc.cluster.local", "db.shop.svc.cluster.local", "example.com", "www.example.com", "web", "a.b.c.d.e.example.com", "intranet.corp.example":
		a = true
	case "six.default.svc.cluster.local":
		aaaa = true
	case "dual.default.svc.cluster.local":
		a, aaaa = true, true
	case "empty.default.svc.cluster.local", "default.svc.cluster.local", "shop.svc.cluster.local", "svc.cluster.local", "cluster.local", "txt.example.com":
	default:
		return dns.NoName
	}
	if kind == "A" && a || kind == "AAAA" && aaaa {
		return dns.Found
	}
	return dns.NoData
}

const podConf = "search default.svc.cluster.local svc.cluster.local cluster.local\nnameserver 127.0.0.1\noptions ndots:5\n"

func resolverCases() []resolverCase {
	var out []resolverCase
	add := func(conf string, names ...string) {
		for _, name := range names {
			out = append(out, resolverCase{conf, name, answersOfCluster})
		}
	}
	names := []string{
		"web", "six", "dual", "empty", "nosuch", "default", "svc", "cluster.local", "local", "WEB",
		"web.default", "web.shop", "db.shop", "six.default", "empty.default", "nosuch.shop", "web.default.svc", "db.shop.svc", "web.default.svc.cluster.local",
		"web.default.svc.cluster.local.", "web.", "web.default.", "web.default.svc.", "nosuch.default.svc.cluster.local.", "six.default.svc.cluster.local.", "empty.default.svc.cluster.local.",
		"example.com", "example.com.", "www.example.com", "txt.example.com", "nosuch.example.com", "a.b.c.d.e.example.com", "x.y.z.w.v.example.com", "x.y.z.w.web.default", "1.2.3.4.5.6",
		"_http._tcp.web", "under_score", "-dash", "0a", strings.Repeat("a", 63), strings.Repeat("a", 64), "a." + strings.Repeat("b", 64),
		strings.Repeat("abcdefg.", 25) + "x", strings.Repeat("abcdefg.", 28) + "abcdefg", strings.Repeat("abcdefg.", 31) + "abcd", strings.Repeat("abcdefg.", 31) + "abcde",
	}
	add(podConf, names...)
	for _, ndots := range []string{"ndots:1", "ndots:2", "ndots:0", "ndots:15", "ndots:99", "edns0", "single-request", "single-request-reopen", "no-tld-query", "trust-ad"} {
		add(strings.Replace(podConf, "ndots:5", ndots, 1), "web", "web.default", "example.com", "nosuch", "empty", "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p")
	}
	add("nameserver 127.0.0.1\n", "web", "nosuch", "example.com", "nosuch.example.com")
	add("nameserver 127.0.0.1\nsearch .\noptions ndots:2 timeout:1 attempts:1\n", "web", "nosuch", "example.com")
	add("nameserver 127.0.0.1\nsearch corp.example. .cluster.local\noptions ndots:2\n", "intranet", "nosuch", "example.com")
	add("nameserver 127.0.0.1\nsearch cluster.local . default.svc.cluster.local\noptions timeout:1 attempts:2\n", "nosuch", "web")
	add("nameserver 127.0.0.1\ndomain cluster.local\n", "nosuch", "example.com")
	add("nameserver 127.0.0.1\nsearch one.example\nsearch two.example three.example\ndomain four.example\n", "nosuch")
	add("# a comment\n; another\nnameserver 127.0.0.1 # and more\n search indented.example\nsearch\ttab.example\t two.example\noptions ndots:3 ndots:2\n", "nosuch", "nosuch.a.b")
	add("nameserver 127.0.0.1\noptions attempts:1\noptions ndots:3 timeout:1\nsearch a.example\n", "nosuch.x", "nosuch.x.y.z")
	add("nameserver 127.0.0.1\nnameserver 127.0.0.2\nsearch a.example b.example\n", "nosuch", "web", "nosuch.x")
	add("nameserver 127.0.0.1\nnameserver 127.0.0.2\nnameserver 127.0.0.3\nnameserver 127.0.0.9\nsearch a.example\n", "nosuch")
	for _, n := range []int{6, 7, 8, 32, 40} {
		var domains []string
		for i := range n {
			domains = append(domains, fmt.Sprintf("d%d.ex", i))
		}
		add("nameserver 127.0.0.1\nsearch "+strings.Join(domains, " ")+"\n", "nosuch")
	}
	long := strings.Repeat("y.", 123) + "z" // a line of 254 characters with its keyword
	add("nameserver 127.0.0.1\nsearch "+long[:247]+"\n", "nosuch")
	add("nameserver 127.0.0.1\nsearch "+long[:240]+"\n", "n", "nosuch", "nosuch-at-all")
	out = append(out, failingCases()...)
	return out
}

// failingCases have servers that fail.
func failingCases() []resolverCase {
	one := "nameserver 127.0.0.1\nsearch a.example b.example\noptions timeout:1 attempts:1\n"
	two := "nameserver 127.0.0.1\nnameserver 127.0.0.2\nsearch a.example b.example\noptions timeout:1 attempts:1\n"
	fails := func(o dns.Outcome, suffix string, servers ...int) func(int, string, string) dns.Outcome {
		return func(server int, name, _ string) dns.Outcome {
			for _, s := range servers {
				if s == server && strings.HasSuffix(name, suffix) {
					return o
				}
			}
			return dns.NoName
		}
	}
	var out []resolverCase
	for _, name := range []string{"nosuch", "nosuch.x", "nosuch."} {
		for _, o := range []dns.Outcome{dns.ServFail, dns.Refused} {
			out = append(out,
				resolverCase{one, name, fails(o, "a.example.", 0)}, resolverCase{one, name, fails(o, ".", 0)},
				resolverCase{strings.Replace(one, "attempts:1", "attempts:2", 1), name, fails(o, "b.example.", 0)})
		}
		out = append(out, resolverCase{two, name, fails(dns.Refused, ".", 0)})
	}
	return out
}
