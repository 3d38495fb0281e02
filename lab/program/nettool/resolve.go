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
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"
	"github.com/spf13/afero"

	"svctour/lab/process"
	names "svctour/model/dns"
)

// MuslLoader is where musl's dynamic linker is: an image that has it resolves
// names as musl does, others as glibc does.
const MuslLoader = "/lib/ld-musl-x86_64.so.1"

// Resolver looks names up as getaddrinfo(3) does in a container: in /etc/hosts,
// then with the servers and search domains of /etc/resolv.conf.
type Resolver struct {
	Conf names.ResolvConf
	// Timeout is how long one server may take, Attempts how often each is
	// asked (resolv.conf(5): 5 s and 2).
	Timeout  time.Duration
	Attempts int
	// Musl keeps musl's rules: a name with ndots dots is not searched for, a
	// name without records ends the search, all servers are asked at once.
	Musl bool

	network process.Network
	hosts   map[string][]netip.Addr
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

// NewResolver reads the process' resolv.conf and hosts. Without a resolv.conf
// the server is the process' own host, as resolv.conf(5) has it.
func NewResolver(p *process.Process) *Resolver {
	r := &Resolver{Timeout: 5 * time.Second, Attempts: 2, network: p.Net, hosts: map[string][]netip.Addr{}}
	_, err := p.Files.Stat(MuslLoader)
	r.Musl = err == nil
	text, _ := afero.ReadFile(p.Files, "/etc/resolv.conf")
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) < 2 || strings.HasPrefix(fields[0], ";") {
			continue
		}
		switch fields[0] {
		case "nameserver":
			if _, err := netip.ParseAddr(fields[1]); err == nil && len(r.Conf.Nameservers) < 3 {
				r.Conf.Nameservers = append(r.Conf.Nameservers, fields[1])
			}
		case "search", "domain":
			r.Conf.Search = fields[1:]
		case "options":
			r.Conf.Options = append(r.Conf.Options, fields[1:]...)
		}
	}
	if len(r.Conf.Nameservers) == 0 {
		r.Conf.Nameservers = []string{"127.0.0.1"}
	}
	for _, option := range r.Conf.Options {
		name, value, _ := strings.Cut(option, ":")
		n, err := strconv.Atoi(value)
		switch {
		case err != nil || n < 1:
		case name == "timeout":
			r.Timeout = time.Duration(min(n, 30)) * time.Second
		case name == "attempts":
			r.Attempts = min(n, 5)
		}
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
				r.hosts[strings.ToLower(name)] = append(r.hosts[strings.ToLower(name)], address)
			}
		}
	}
	return r
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
	if known := r.hosts[strings.ToLower(strings.TrimSuffix(host, "."))]; len(known) > 0 {
		if four := slices.DeleteFunc(slices.Clone(known), func(a netip.Addr) bool { return !a.Is4() }); len(four) > 0 {
			return four, nil
		}
	}
	if _, valid := dns.IsDomainName(host); !valid || host == "" {
		return nil, ErrNotFound
	}
	if r.Musl {
		return r.musl(ctx, host)
	}
	return r.glibc(ctx, host)
}

// glibc goes on after NXDOMAIN, after no data and after SERVFAIL, and remembers
// the last two (res_nsearch).
func (r *Resolver) glibc(ctx context.Context, host string) ([]netip.Addr, error) {
	failure := ErrNotFound
	for _, name := range names.Candidates(r.Conf, host) {
		addresses, err := r.both(ctx, name)
		switch {
		case len(addresses) > 0:
			slices.SortStableFunc(addresses, func(a, b netip.Addr) int { return r.common(b) - r.common(a) })
			return addresses, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, errNoServer):
			return nil, ErrTemporary
		case errors.Is(err, ErrTemporary):
			failure = ErrTemporary
		case errors.Is(err, ErrNoData) && failure == ErrNotFound:
			failure = ErrNoData
		}
	}
	return nil, failure
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

// musl searches only for names with less than ndots dots, and ends at the first
// name that exists (name_from_dns_search in musl 1.2).
func (r *Resolver) musl(ctx context.Context, host string) ([]netip.Addr, error) {
	list := names.Candidates(r.Conf, host)
	if strings.Count(host, ".") >= r.Conf.Ndots() {
		list = list[:1]
	}
	for _, name := range list {
		addresses, err := r.both(ctx, name)
		switch {
		case len(addresses) > 0:
			return addresses, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, errNoServer), errors.Is(err, ErrTemporary):
			return nil, ErrTemporary
		case !errors.Is(err, ErrNotFound):
			return nil, err
		}
	}
	return nil, ErrNotFound
}

// both asks for A and AAAA at once, as the libraries do, and gives the first.
func (r *Resolver) both(ctx context.Context, name string) ([]netip.Addr, error) {
	other := make(chan struct{})
	go func() {
		defer close(other)
		_, _, _ = r.Query(ctx, name, dns.TypeAAAA) // for the server to see
	}()
	answer, _, err := r.Query(ctx, name, dns.TypeA)
	<-other
	if err != nil {
		return nil, err
	}
	var out []netip.Addr
	for _, record := range answer.Answer {
		if a, is := record.(*dns.A); is {
			if address, ok := netip.AddrFromSlice(a.A.To4()); ok {
				out = append(out, address)
			}
		}
	}
	switch {
	case len(out) > 0:
		return out, nil
	case answer.Rcode == dns.RcodeNameError:
		return nil, ErrNotFound
	case answer.Rcode == dns.RcodeSuccess:
		return nil, ErrNoData
	}
	return nil, ErrTemporary
}

var errNoServer = errors.New("no servers could be reached")

// Query asks the servers one question about a fully qualified name, and returns
// the first answer that is not SERVFAIL, NOTIMP or REFUSED, and whose it is. If
// there is no such answer, the last of them.
func (r *Resolver) Query(ctx context.Context, name string, kind uint16) (*dns.Msg, netip.AddrPort, error) {
	question := new(dns.Msg).SetQuestion(dns.Fqdn(name), kind)
	if r.Musl {
		return r.atOnce(ctx, question)
	}
	var last *dns.Msg
	var from netip.AddrPort
	for range r.Attempts {
		for _, server := range r.servers() {
			answer, err := Exchange(ctx, r.network, server, question, false, r.Timeout)
			switch {
			case ctx.Err() != nil:
				return nil, netip.AddrPort{}, ctx.Err()
			case err != nil:
			case answer.Rcode == dns.RcodeSuccess || answer.Rcode == dns.RcodeNameError:
				return answer, server, nil
			default:
				last, from = answer, server
			}
		}
	}
	if last == nil {
		return nil, netip.AddrPort{}, errNoServer
	}
	return last, from, nil
}

// atOnce asks all servers at the same time, as often as there are attempts
// within the time-out (res_msend.c).
func (r *Resolver) atOnce(ctx context.Context, question *dns.Msg) (*dns.Msg, netip.AddrPort, error) {
	type reply struct {
		answer *dns.Msg
		server netip.AddrPort
	}
	servers := r.servers()
	var last reply
	for range r.Attempts {
		replies := make(chan reply, len(servers))
		round, cancel := context.WithCancel(ctx)
		for _, server := range servers {
			go func() {
				answer, err := Exchange(round, r.network, server, question.Copy(), false, r.Timeout/time.Duration(r.Attempts))
				if err != nil {
					answer = nil
				}
				replies <- reply{answer, server}
			}()
		}
		var good reply
		for range servers {
			got := <-replies
			switch {
			case got.answer == nil || good.answer != nil:
			case got.answer.Rcode == dns.RcodeSuccess || got.answer.Rcode == dns.RcodeNameError:
				good = got
				cancel()
			default:
				last = got
			}
		}
		cancel()
		if good.answer != nil {
			return good.answer, good.server, nil
		}
		if ctx.Err() != nil {
			return nil, netip.AddrPort{}, ctx.Err()
		}
	}
	if last.answer == nil {
		return nil, netip.AddrPort{}, errNoServer
	}
	return last.answer, last.server, nil
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
	if !r.Musl {
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
