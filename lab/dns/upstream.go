package dns

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/miekg/dns"

	"svctour/lab/process"
)

// Upstream is the resolver outside the cluster: the one that the nodes'
// resolv.conf names. It serves on port 53 of an address of network, over UDP
// and TCP, until ctx ends: NXDOMAIN for every name but those of names, which
// are in lower case and end with a dot. It knows no other server and no other
// network. The error is that of a listener.
func Upstream(ctx context.Context, network process.Network, address netip.Addr, names map[string]netip.Addr) error {
	at := netip.AddrPortFrom(address, 53).String()
	listener, err := network.Listen(ctx, "tcp", at)
	if err != nil {
		return fmt.Errorf("listen for the outside resolver: %w", err)
	}
	packets, err := network.ListenPacket(ctx, "udp", at)
	if err != nil {
		_ = listener.Close()
		return fmt.Errorf("listen for the outside resolver: %w", err)
	}
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, r *dns.Msg) {
		_ = w.WriteMsg(outside(r, names)) // who asked may be gone
	})
	servers := []*dns.Server{{Listener: listener, Handler: handler}, {PacketConn: packets, Handler: handler}}
	ended := make(chan error, len(servers))
	for _, server := range servers {
		go func() { ended <- server.ActivateAndServe() }()
	}
	var failure error
	select {
	case <-ctx.Done():
	case failure = <-ended:
		servers = servers[1:]
	}
	_ = listener.Close()
	_ = packets.Close()
	for range servers {
		<-ended
	}
	if failure != nil && ctx.Err() == nil {
		return fmt.Errorf("serve the outside resolver: %w", failure)
	}
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
