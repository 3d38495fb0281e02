package nettool

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"
)

type busyboxQuery struct {
	name   string
	kind   uint16
	answer *dns.Msg
}

// busyboxNslookup is networking/nslookup.c of busybox 1.36: a name without a
// dot is asked with every search domain, any other only as it is, and every
// answer is shown.
func busyboxNslookup(c *command) int {
	var kinds []uint16
	args := c.args
	port, attempts, timeout := uint16(53), 2, 5*time.Second
	for ; len(args) > 0 && strings.HasPrefix(args[0], "-"); args = args[1:] {
		name, value, _ := strings.Cut(args[0][1:], "=")
		n, err := strconv.Atoi(value)
		switch {
		case name == "type" || name == "querytype" || name == "q":
			kind, known := dns.StringToType[strings.ToUpper(value)]
			if !known {
				return c.fail("invalid query type \"%s\"", value)
			}
			kinds = append(kinds, kind)
		case name == "port" && err == nil && n > 0 && n < 65536:
			port = uint16(n)
		case name == "retry" && err == nil && n > 0:
			attempts = n
		case name == "timeout" && err == nil && n > 0:
			timeout = time.Duration(n) * time.Second
		default:
			c.errorf("nslookup: unrecognized option '%s'\n", args[0])
			c.errorf("%s", busyboxNslookupUsage)
			return 1
		}
	}
	if len(args) == 0 || len(args) > 2 {
		c.errorf("%s", busyboxNslookupUsage)
		return 1
	}
	r := NewResolver(c.Process)
	servers := r.servers()
	if len(args) == 2 {
		addresses, err := r.Addresses(c.ctx, args[1])
		if err != nil {
			return c.fail("bad address '%s'", args[1])
		}
		servers = nil
		for _, address := range addresses {
			servers = append(servers, netip.AddrPortFrom(address, 53))
		}
	}
	queries := busyboxQueries(r, args[0], kinds)
	for _, server := range servers {
		if port != 53 {
			server = netip.AddrPortFrom(server.Addr(), port)
		}
		if !c.askAll(r, server, queries, attempts, timeout) {
			continue
		}
		given := server.Addr().String()
		if len(args) == 2 {
			given = args[1]
		}
		c.printf("Server:\t\t%s\nAddress:\t%s\n\n", given, server)
		return c.busyboxAnswers(queries)
	}
	c.printf(";; connection timed out; no servers could be reached\n\n")
	return 1
}

const busyboxNslookupUsage = `BusyBox v1.36.1 multi-call binary.

Usage: nslookup [-type=QUERY_TYPE] [-debug] HOST [DNS_SERVER]

Query DNS about HOST

QUERY_TYPE: soa,ns,a,aaaa,cname,mx,txt,srv,ptr,any
`

func busyboxQueries(r *Resolver, host string, kinds []uint16) []*busyboxQuery {
	if len(kinds) == 0 {
		if address, err := netip.ParseAddr(host); err == nil {
			reverse, _ := dns.ReverseAddr(address.String())
			return []*busyboxQuery{{name: strings.TrimSuffix(reverse, "."), kind: dns.TypePTR}}
		}
		kinds = []uint16{dns.TypeA, dns.TypeAAAA}
	}
	var out []*busyboxQuery
	for _, kind := range kinds {
		if kind == dns.TypePTR || len(r.Conf.Search) == 0 || strings.Contains(host, ".") {
			out = append(out, &busyboxQuery{name: host, kind: kind})
			continue
		}
		for _, domain := range r.Conf.Search {
			out = append(out, &busyboxQuery{name: host + "." + domain, kind: kind})
		}
	}
	return out
}

// askAll asks a server every question; false if it answers none.
func (c *command) askAll(r *Resolver, server netip.AddrPort, queries []*busyboxQuery, attempts int, timeout time.Duration) bool {
	done := make(chan error, len(queries))
	for _, query := range queries {
		c.Go(func() {
			err := errors.New("no answer")
			defer func() { done <- err }()
			for range attempts {
				question := new(dns.Msg).SetQuestion(dns.Fqdn(query.name), query.kind)
				query.answer, err = Exchange(c.ctx, r.network, server, question, false, timeout/time.Duration(attempts))
				if err == nil || c.ctx.Err() != nil {
					break
				}
				query.answer = nil
			}
		})
	}
	some := false
	for range queries {
		if err := <-done; err == nil {
			some = true
		} else if !isTimeout(err) && c.ctx.Err() == nil {
			c.errorf("nslookup: read: %s\n", reason(err))
		}
	}
	return some
}

func (c *command) busyboxAnswers(queries []*busyboxQuery) int {
	status := 0
	for _, query := range queries {
		switch {
		case query.answer == nil:
			c.printf("*** Can't find %s: No answer\n", query.name)
			status = 1
		case query.answer.Rcode != dns.RcodeSuccess:
			c.printf("** server can't find %s: %s\n", query.name, dns.RcodeToString[query.answer.Rcode])
			status = 1
		default:
			if !query.answer.Authoritative {
				c.printf("Non-authoritative answer:\n")
			}
			for _, record := range query.answer.Answer {
				c.printf("%s", nslookupRecord(record))
			}
		}
		c.printf("\n")
	}
	return status
}

// nslookupRecord is a record in the words that busybox and BIND share.
func nslookupRecord(record dns.RR) string {
	bare := func(name string) string {
		if name == "." {
			return name
		}
		return strings.TrimSuffix(name, ".")
	}
	name := bare(record.Header().Name)
	switch r := record.(type) {
	case *dns.A:
		return fmt.Sprintf("Name:\t%s\nAddress: %s\n", name, r.A)
	case *dns.AAAA:
		return fmt.Sprintf("Name:\t%s\nAddress: %s\n", name, r.AAAA)
	case *dns.CNAME:
		return fmt.Sprintf("%s\tcanonical name = %s\n", name, bare(r.Target))
	case *dns.PTR:
		return fmt.Sprintf("%s\tname = %s\n", name, bare(r.Ptr))
	case *dns.NS:
		return fmt.Sprintf("%s\tnameserver = %s\n", name, bare(r.Ns))
	case *dns.MX:
		return fmt.Sprintf("%s\tmail exchanger = %d %s\n", name, r.Preference, bare(r.Mx))
	case *dns.TXT:
		var quoted []string
		for _, text := range r.Txt {
			quoted = append(quoted, strconv.Quote(text))
		}
		return fmt.Sprintf("%s\ttext = %s\n", name, strings.Join(quoted, " "))
	case *dns.SRV:
		return fmt.Sprintf("%s\tservice = %d %d %d %s\n", name, r.Priority, r.Weight, r.Port, bare(r.Target))
	case *dns.SOA:
		return fmt.Sprintf("%s\n\torigin = %s\n\tmail addr = %s\n\tserial = %d\n\trefresh = %d\n\tretry = %d\n\texpire = %d\n\tminimum = %d\n",
			name, bare(r.Ns), bare(r.Mbox), r.Serial, r.Refresh, r.Retry, r.Expire, r.Minttl)
	}
	return record.String() + "\n"
}
