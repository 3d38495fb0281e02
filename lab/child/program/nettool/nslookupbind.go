package nettool

import (
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"

	names "svctour/model/dns"
)

// bind asks as BIND's tools do (dighost.c of BIND 9.18).
type bind struct {
	*command
	resolver *Resolver
	servers  []netip.AddrPort
	timeout  time.Duration
	tries    int
	tcp      bool
	port     uint16
	edns     bool // as dig: with a COOKIE-less OPT record
	recurse  bool
}

func newBind(c *command) *bind {
	r := NewResolver(c.Process)
	return &bind{command: c, resolver: r, servers: r.servers(), timeout: 5 * time.Second, tries: 3, port: 53, recurse: true}
}

// use takes another server than resolv.conf's.
func (b *bind) use(name string) bool {
	addresses, err := b.resolver.Addresses(b.ctx, name)
	if err != nil {
		return false
	}
	b.servers = nil
	for _, address := range addresses {
		b.servers = append(b.servers, netip.AddrPortFrom(address, 53))
	}
	return true
}

var errSilent = errors.New("no servers could be reached")

// reply is an answer and how it came.
type reply struct {
	*dns.Msg
	server netip.AddrPort
	took   time.Duration
}

// ask asks the servers in turn. What goes wrong on the way is said.
func (b *bind) ask(name string, kind uint16) (*reply, error) {
	question := new(dns.Msg).SetQuestion(name, kind)
	question.RecursionDesired = b.recurse
	question.AuthenticatedData = b.edns
	if b.edns {
		question.SetEdns0(1232, false)
	}
	var refused *reply
	for range b.tries {
		for _, server := range b.servers {
			server = netip.AddrPortFrom(server.Addr(), b.port)
			began := time.Now()
			answer, err := Exchange(b.ctx, b.Net, server, question, b.tcp, b.timeout)
			switch {
			case b.ctx.Err() != nil:
				return nil, b.ctx.Err()
			case err == nil && answer.Rcode == dns.RcodeServerFailure && len(b.servers) > 1:
				refused = &reply{answer, server, time.Since(began)}
			case err == nil:
				return &reply{answer, server, time.Since(began)}, nil
			default:
				b.trouble(server, name, err)
			}
		}
		if refused != nil {
			return refused, nil
		}
	}
	return nil, errSilent
}

func (b *bind) trouble(server netip.AddrPort, name string, err error) {
	why := strings.ToLower(reason(err))
	if isTimeout(err) {
		why = "timed out"
	}
	if b.tcp {
		b.printf(";; Connection to %s#%d(%s) for %s failed: %s.\n;; no servers could be reached\n", server.Addr(), server.Port(), server.Addr(), strings.TrimSuffix(name, "."), why)
		return
	}
	b.printf(";; communications error to %s#%d: %s\n", server.Addr(), server.Port(), why)
}

// search asks for a name with the search domains, until one has a name like it.
// A name with enough dots is asked for as it is, and that is the end of it
// (bin/dig/dighost.c of BIND 9.18, done_as_is).
func (b *bind) search(name string, kind uint16) (string, *reply, error) {
	var last *reply
	var asked string
	for _, candidate := range names.Candidates(b.resolver.Conf, name) {
		answer, err := b.ask(candidate, kind)
		if err != nil {
			return candidate, nil, err
		}
		last, asked = answer, candidate
		if answer.Rcode != dns.RcodeNameError || strings.TrimSuffix(candidate, ".") == strings.TrimSuffix(name, ".") {
			break
		}
	}
	return asked, last, nil
}

// bindNslookup is BIND's nslookup, not interactive.
func bindNslookup(c *command) int {
	b := newBind(c)
	var kinds []uint16
	args := c.args
	search := true
	for ; len(args) > 0 && strings.HasPrefix(args[0], "-"); args = args[1:] {
		name, value, _ := strings.Cut(args[0][1:], "=")
		n, err := strconv.Atoi(value)
		switch {
		case slices.Contains([]string{"type", "querytype", "query", "q", "ty"}, name):
			kind, known := dns.StringToType[strings.ToUpper(value)]
			if !known {
				c.printf("unknown query type: %s\n", value)
				continue
			}
			kinds = []uint16{kind}
		case name == "timeout" && err == nil:
			b.timeout = time.Duration(max(n, 1)) * time.Second
		case name == "retry" && err == nil:
			b.tries = max(n, 1)
		case name == "port" && err == nil && n > 0 && n < 65536:
			b.port = uint16(n)
		case name == "nosearch":
			search = false
		case name == "vc":
			b.tcp = true
		case slices.Contains([]string{"debug", "nodebug", "search", "recurse", "novc", "fail", "nofail"}, name):
		default:
			c.printf("*** Invalid option: %s\n", args[0][1:])
		}
	}
	if len(args) == 0 {
		c.errorf("nslookup: the lab has no interactive mode\n")
		return 1
	}
	if len(args) > 1 && !b.use(args[1]) {
		c.printf("nslookup: couldn't get address for '%s': not found\n", args[1])
		return 1
	}
	name := args[0]
	if address, err := netip.ParseAddr(name); err == nil && kinds == nil {
		return b.reverse(address)
	}
	if kinds == nil {
		kinds = []uint16{dns.TypeA, dns.TypeAAAA}
	}
	if !search {
		name = dns.Fqdn(name)
	}
	return b.lookUp(name, kinds)
}

func (b *bind) reverse(address netip.Addr) int {
	name, _ := dns.ReverseAddr(address.String())
	answer, err := b.ask(name, dns.TypePTR)
	switch {
	case err != nil:
		b.printf(";; no servers could be reached\n\n")
		return 1
	case answer.Rcode != dns.RcodeSuccess:
		b.printf("** server can't find %s: %s\n\n", strings.TrimSuffix(name, "."), dns.RcodeToString[answer.Rcode])
		return 1
	}
	b.records(answer.Answer)
	b.printf("\n")
	return 0
}

// records prints records as BIND's nslookup: other names than the owner's keep
// their final dot.
func (b *bind) records(list []dns.RR) {
	for _, record := range list {
		text := nslookupRecord(record)
		switch record.(type) {
		case *dns.A, *dns.AAAA, *dns.SOA, *dns.TXT:
		default:
			text = strings.TrimSuffix(text, "\n") + ".\n"
		}
		b.printf("%s", text)
	}
}

func (b *bind) lookUp(name string, kinds []uint16) int {
	shown := name
	found := 0
	for i, kind := range kinds {
		var asked string
		var answer *reply
		var err error
		if i == 0 {
			asked, answer, err = b.search(name, kind)
		} else {
			asked = shown
			answer, err = b.ask(shown, kind) // the AAAA follows the A of the name that was there
		}
		if err != nil {
			b.printf(";; no servers could be reached\n\n")
			return 1
		}
		if i == 0 {
			if answer.Rcode == dns.RcodeServerFailure {
				b.printf(";; Got SERVFAIL reply from %s\n", answer.server.Addr())
			}
			b.printf("Server:\t\t%s\nAddress:\t%s#%d\n\n", answer.server.Addr(), answer.server.Addr(), answer.server.Port())
			if answer.Rcode != dns.RcodeSuccess {
				if answer.Rcode == dns.RcodeNameError {
					asked = name
				}
				b.printf("** server can't find %s: %s\n\n", strings.TrimSuffix(asked, "."), dns.RcodeToString[answer.Rcode])
				return 1
			}
			if !answer.Authoritative && len(answer.Answer) > 0 {
				b.printf("Non-authoritative answer:\n")
			}
			shown = asked
		}
		found += len(answer.Answer)
		if i > 0 { // what the first answer had is not repeated
			answer.Answer = slices.DeleteFunc(answer.Answer, func(record dns.RR) bool { return record.Header().Rrtype != kind })
		}
		b.records(answer.Answer)
	}
	if found == 0 {
		b.printf("*** Can't find %s: No answer\n", strings.TrimSuffix(name, "."))
	}
	b.printf("\n")
	return 0
}
