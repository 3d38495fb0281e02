package nettool

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/bits"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
	"github.com/spf13/afero"

	"svctour/lab/child/process"
	names "svctour/model/dns"
)

// MuslLoader is where musl's dynamic linker is: an image that has it resolves
// names as musl does, others as glibc does.
const MuslLoader = "/lib/ld-musl-x86_64.so.1"

// Resolver looks names up as getaddrinfo(3) does in a container: in /etc/hosts,
// then with the servers and search domains of /etc/resolv.conf.
type Resolver struct {
	Conf names.ResolvConf
	// Libc is the library of the container's image, whose rules are kept.
	Libc names.Libc

	network process.Network
	hosts   map[string][]netip.Addr // by the names as the library compares them
	beside  func(func())            // the program's Go
}

// The ways in which a look-up fails, as getaddrinfo(3) tells them apart.
var (
	//lint:ignore ST1005 gai_strerror's words, here and below
	ErrNotFound = errors.New("Name or service not known")
	//lint:ignore ST1005 as above
	ErrNoData = errors.New("No address associated with hostname")
	//lint:ignore ST1005 as above
	ErrTemporary = errors.New("Temporary failure in name resolution")
)

// NewResolver reads the process' resolv.conf and hosts. Without a nameserver the
// server is the process' own host, as resolv.conf(5) has it.
func NewResolver(p *process.Process) *Resolver {
	r := &Resolver{Libc: names.Glibc, network: p.Net, hosts: map[string][]netip.Addr{}, beside: p.Go}
	if _, err := p.Files.Stat(MuslLoader); err == nil {
		r.Libc = names.Musl
	}
	text, _ := afero.ReadFile(p.Files, "/etc/resolv.conf")
	r.Conf = names.ParseResolvConf(string(text), r.Libc)
	r.Conf.Nameservers = slices.DeleteFunc(r.Conf.Nameservers, func(text string) bool {
		_, err := netip.ParseAddr(text)
		return err != nil
	})
	if len(r.Conf.Nameservers) == 0 {
		r.Conf.Nameservers = []string{"127.0.0.1"}
	}
	text, _ = afero.ReadFile(p.Files, "/etc/hosts")
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		if address, err := netip.ParseAddr(fields[0]); err == nil {
			for _, name := range fields[1:] {
				r.hosts[r.hostsKey(name)] = append(r.hosts[r.hostsKey(name)], address)
			}
		}
	}
	return r
}

// hostsKey is a name in /etc/hosts as the library compares it: glibc without
// regard to case, musl byte by byte.
func (r *Resolver) hostsKey(name string) string {
	if r.Libc == names.Musl {
		return name
	}
	return strings.ToLower(name)
}

// servers are the name servers.
func (r *Resolver) servers() []netip.AddrPort {
	out := make([]netip.AddrPort, 0, len(r.Conf.Nameservers))
	for _, text := range r.Conf.Nameservers {
		out = append(out, netip.AddrPortFrom(netip.MustParseAddr(text), 53))
	}
	return out
}

// Addresses are a name's IPv4 addresses, in the order to try them: the lab's
// networks have no other family (AI_ADDRCONFIG). A numeric address is itself.
// The error is ErrNotFound, ErrNoData, ErrTemporary, or the context's.
func (r *Resolver) Addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	if address, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{address}, nil
	}
	if known := r.hosts[r.hostsKey(host)]; len(known) > 0 {
		if four := slices.DeleteFunc(slices.Clone(known), func(a netip.Addr) bool { return !a.Is4() }); len(four) > 0 {
			return four, nil
		}
	}
	if host == "" {
		return nil, ErrNotFound
	}
	latest, last := "", (*dns.Msg)(nil) // a name, and the answer of type A about it
	course := r.Libc.Lookup(r.Conf, host, []string{"A", "AAAA"}, func(round names.Round) []names.Outcome {
		answers, outcomes := r.ask(ctx, round)
		if name := round.Questions[0].Name; name != latest || answers["A"] != nil {
			latest, last = name, answers["A"]
		}
		return outcomes
	})
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case course.End == names.ServFail:
		return nil, ErrTemporary
	case course.End == names.NoName:
		return nil, ErrNotFound
	}
	addresses := addressesIn(last)
	if len(addresses) == 0 {
		return nil, ErrNoData
	}
	if r.Libc != names.Musl {
		slices.SortStableFunc(addresses, func(a, b netip.Addr) int { return r.common(b) - r.common(a) })
	}
	return addresses, nil
}

// ask sends a round of questions. It gives the first answer of each type, and
// the outcome of each question; of none when the context has ended.
func (r *Resolver) ask(ctx context.Context, round names.Round) (map[string]*dns.Msg, []names.Outcome) {
	type reply struct {
		question int
		message  *dns.Msg
	}
	sent, cancel := context.WithCancel(ctx)
	defer cancel()
	replies := make(chan reply, len(round.Questions))
	servers, open := r.servers(), map[string]bool{}
	for i, q := range round.Questions {
		open[q.Type] = true
		r.beside(func() {
			var message *dns.Msg
			defer func() { replies <- reply{i, message} }()
			question := new(dns.Msg).SetQuestion(dns.Fqdn(q.Name), dns.StringToType[q.Type])
			if got, err := Exchange(sent, r.network, servers[q.Server], question, false, round.Wait); err == nil {
				message = got
			}
		})
	}
	outcomes, answers := make([]names.Outcome, len(round.Questions)), map[string]*dns.Msg{}
	for range round.Questions {
		got := <-replies
		kind := round.Questions[got.question].Type
		outcomes[got.question] = outcomeOf(got.message)
		if open[kind] && outcomes[got.question].Answered() {
			answers[kind] = got.message
			delete(open, kind)
		}
		if len(open) == 0 {
			cancel() // the others are not waited for
		}
	}
	if ctx.Err() != nil {
		return nil, make([]names.Outcome, len(round.Questions))
	}
	return answers, outcomes
}

// outcomeOf is what an answer means to the search; nil is none.
func outcomeOf(message *dns.Msg) names.Outcome {
	switch {
	case message == nil:
		return names.Silent
	case message.Rcode == dns.RcodeNameError:
		return names.NoName
	case message.Rcode == dns.RcodeServerFailure:
		return names.ServFail
	case message.Rcode != dns.RcodeSuccess:
		return names.Refused
	case len(message.Answer) == 0:
		return names.NoData
	}
	return names.Found
}

// addressesIn are the addresses of an answer of type A; nil has none.
func addressesIn(message *dns.Msg) []netip.Addr {
	if message == nil {
		return nil
	}
	var out []netip.Addr
	for _, record := range message.Answer {
		if a, is := record.(*dns.A); is {
			if address, ok := netip.AddrFromSlice(a.A.To4()); ok {
				out = append(out, address)
			}
		}
	}
	return out
}

// common is how many bits an address has in common with the one it is reached
// from, 0 outside of that one's subnet: glibc's reading of RFC 6724, section 6,
// rule 9 (rfc3484_sort in sysdeps/posix/getaddrinfo.c). musl orders IPv6 only.
func (r *Resolver) common(to netip.Addr) int {
	for _, i := range r.network.Interfaces() {
		for _, from := range i.Addresses {
			if from.Contains(to) {
				a, b := from.Addr().As4(), to.As4()
				return bits.LeadingZeros32(binary.BigEndian.Uint32(a[:]) ^ binary.BigEndian.Uint32(b[:]))
			}
		}
	}
	return 0
}

// Exchange sends a question to a server, over UDP and, if the answer is cut
// off, again over TCP (RFC 1035 section 4.2); or over TCP only.
func Exchange(ctx context.Context, network process.Network, server netip.AddrPort, question *dns.Msg, tcp bool, timeout time.Duration) (*dns.Msg, error) {
	kind := "udp"
	if tcp {
		kind = "tcp"
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := network.DialContext(ctx, kind, server.String())
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	client := &dns.Client{Net: kind, Timeout: timeout}
	answer, _, err := client.ExchangeWithConnContext(ctx, question, &dns.Conn{Conn: conn})
	if err == nil && answer.Truncated && !tcp {
		return Exchange(ctx, network, server, question, true, timeout)
	}
	return answer, err
}

// Dial resolves a host and connects to the first of its addresses that accepts.
func (r *Resolver) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	addresses, err := r.Addresses(ctx, host)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: &net.DNSError{Err: err.Error(), Name: host, IsNotFound: err == ErrNotFound, IsTimeout: isTimeout(err)}}
	}
	var conn net.Conn
	for _, a := range addresses {
		if conn, err = r.network.DialContext(ctx, network, net.JoinHostPort(a.String(), port)); err == nil {
			return conn, nil
		}
	}
	return nil, err
}

// LookupError words a failed look-up as gai_strerror(3) of the container's
// library does.
func (r *Resolver) LookupError(err error) string {
	if r.Libc != names.Musl {
		return err.Error()
	}
	switch {
	case errors.Is(err, ErrNotFound):
		return "Name does not resolve"
	case errors.Is(err, ErrNoData):
		return "Name has no usable address"
	}
	return "Try again"
}

// readAll reads what fits in memory: a program's input is not trusted to end.
func readAll(from io.Reader) ([]byte, error) {
	const most = 64 << 20
	text, err := io.ReadAll(io.LimitReader(bufio.NewReader(from), most+1))
	if err == nil && len(text) > most {
		//lint:ignore ST1005 strerror's words
		err = errors.New("Cannot allocate memory")
	}
	return text, err
}
