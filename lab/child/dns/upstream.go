package dns

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/miekg/dns"

	"svctour/lab/child/process"
)

// Upstream starts the resolver outside the cluster, the one that the nodes'
// resolv.conf names, on port 53 of every address of a host. It answers over UDP
// and TCP until ctx ends: NXDOMAIN for every name but example.test and
// registry.example.test, which are the host itself (RFC 6761 keeps .test for
// this). It asks no other server. The error is that of a listener.
func Upstream(ctx context.Context, host process.Network) error {
	names := map[string]netip.Addr{}
	for _, each := range host.Interfaces() {
		if !each.Loopback && len(each.Addresses) > 0 {
			names["example.test."], names["registry.example.test."] = each.Addresses[0].Addr(), each.Addresses[0].Addr()
			break
		}
	}
	const address = "0.0.0.0:53"
	listener, err := host.Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("listen for the outside resolver: %w", err)
	}
	packets, err := host.ListenPacket(ctx, "udp", address)
	if err != nil {
		_ = listener.Close()
		return fmt.Errorf("listen for the outside resolver: %w", err)
	}
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, r *dns.Msg) {
		_ = w.WriteMsg(outside(r, names)) // who asked may be gone
	})
	for _, server := range []*dns.Server{{Listener: listener, Handler: handler}, {PacketConn: packets, Handler: handler}} {
		go func() { _ = server.ActivateAndServe() }() // its error is that its listener is closed
	}
	context.AfterFunc(ctx, func() {
		_ = listener.Close()
		_ = packets.Close()
	})
	return nil
}

// outside answers one query.
func outside(r *dns.Msg, names map[string]netip.Addr) *dns.Msg {
	answer := new(dns.Msg).SetReply(r)
	answer.RecursionAvailable = true
	if len(r.Question) != 1 {
		return answer.SetRcode(r, dns.RcodeFormatError)
	}
	question := r.Question[0]
	address, known := names[strings.ToLower(question.Name)]
	if !known {
		answer.Rcode = dns.RcodeNameError
		return answer
	}
	header := dns.RR_Header{Name: question.Name, Rrtype: question.Qtype, Class: dns.ClassINET, Ttl: 60}
	switch {
	case question.Qclass != dns.ClassINET:
	case question.Qtype == dns.TypeA && address.Is4():
		answer.Answer = []dns.RR{&dns.A{Hdr: header, A: address.AsSlice()}}
	case question.Qtype == dns.TypeAAAA && address.Is6():
		answer.Answer = []dns.RR{&dns.AAAA{Hdr: header, AAAA: address.AsSlice()}}
	}
	return answer
}
