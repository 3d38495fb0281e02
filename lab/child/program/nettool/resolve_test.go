package nettool

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"

	names "svctour/model/dns"
)

// nameServer answers by the beginning of a name, and notes what it is asked.
type nameServer struct {
	mu    sync.Mutex
	asked []string
}

func (s *nameServer) outcome(name, kind string) names.Outcome {
	first, _, _ := strings.Cut(name, ".")
	switch {
	case name == first+".", first == "web" && strings.HasPrefix(name, "web.default."):
		if kind == "A" {
			return names.Found
		}
		return names.NoData
	case first == "empty" && strings.HasPrefix(name, "empty.default."):
		return names.NoData
	case first == "sick" && strings.HasPrefix(name, "sick.default."):
		return names.ServFail
	case first == "unwilling" && strings.HasPrefix(name, "unwilling.default."):
		return names.Refused
	}
	return names.NoName
}

func (s *nameServer) answer(w dns.ResponseWriter, question *dns.Msg) {
	q := question.Question[0]
	kind := dns.TypeToString[q.Qtype]
	s.mu.Lock()
	s.asked = append(s.asked, q.Name+" "+kind)
	s.mu.Unlock()
	out := new(dns.Msg).SetReply(question)
	switch s.outcome(q.Name, kind) {
	case names.Found:
		record, _ := dns.NewRR(q.Name + " 30 IN A 172.18.0.50")
		out.Answer = []dns.RR{record}
	case names.NoName:
		out.Rcode = dns.RcodeNameError
	case names.ServFail:
		out.Rcode = dns.RcodeServerFailure
	case names.Refused:
		out.Rcode = dns.RcodeRefused
	}
	_ = w.WriteMsg(out)
}

// What a program asks over the network is what the model says that its C library
// asks, and it ends alike.
func TestResolverAsksAsItsLibrary(t *testing.T) {
	server := &nameServer{}
	client := labOf(t, server.answer)
	conf := names.ResolvConf{Nameservers: []string{"172.18.0.50"}, Search: []string{"default.svc.cluster.local", "svc.cluster.local"}, Options: []string{"ndots:5"}}
	for _, libc := range []names.Libc{names.Glibc, names.Musl} {
		r := &Resolver{Conf: conf, Libc: libc, network: client, beside: func(part func()) { go part() }}
		for _, name := range []string{"web", "web.default.svc.cluster.local.", "empty", "sick", "unwilling", "no.such.name", "a.b.c.d.e.f"} {
			server.asked = nil
			got, err := r.Addresses(t.Context(), name)
			course := libc.Lookup(conf, name, []string{"A", "AAAA"}, names.OneByOne(func(_ int, name, kind string) names.Outcome { return server.outcome(name, kind) }))
			var want []string
			for _, q := range course.Sent {
				want = append(want, q.Name+" "+q.Type)
			}
			slices.Sort(want)
			server.mu.Lock()
			slices.Sort(server.asked) // those of one round come in any order
			if !slices.Equal(server.asked, want) {
				t.Errorf("%s, %s: asked for %q, the model says %q", libc, name, server.asked, want)
			}
			server.mu.Unlock()
			ends := map[names.Outcome]error{names.NoName: ErrNotFound, names.NoData: ErrNoData, names.ServFail: ErrTemporary}[course.End]
			if !errors.Is(err, ends) || (course.End == names.Found) != slices.Equal(got, []netip.Addr{netip.MustParseAddr("172.18.0.50")}) {
				t.Errorf("%s, %s: %v, %v; the model says %s", libc, name, got, err, course.End)
			}
		}
	}
}
