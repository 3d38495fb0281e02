package nettool

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// host is BIND's host.
func host(c *command) int {
	b := newBind(c)
	b.tries = 2
	opts, rest, bad := getopt(c.args, "t: T W: R: 4 v p:")
	if bad != nil || len(rest) == 0 || len(rest) > 2 {
		c.errorf("Usage: host [-aCdilrTvVw] [-c class] [-N ndots] [-t type] [-W time]\n            [-R number] [-m flag] [-p port] hostname [server]\n")
		return 1
	}
	kinds := []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeMX}
	for _, o := range opts {
		n, err := strconv.Atoi(o.value)
		switch o.name {
		case "t":
			kind, known := dns.StringToType[strings.ToUpper(o.value)]
			if !known {
				c.errorf("host: invalid type: %s\n", o.value)
				return 1
			}
			kinds = []uint16{kind}
		case "T":
			b.tcp = true
		case "W":
			if err == nil {
				b.timeout = time.Duration(max(n, 1)) * time.Second
			}
		case "R":
			if err == nil {
				b.tries = max(n, 1)
			}
		case "p":
			b.port = uint16(n) //nolint:gosec // a wrong port is no port
		}
	}
	name := rest[0]
	if address, err := netip.ParseAddr(name); err == nil {
		name, _ = dns.ReverseAddr(address.String())
		kinds = []uint16{dns.TypePTR}
	}
	if len(rest) > 1 && !b.use(rest[1]) {
		c.errorf("host: couldn't get address for '%s': not found\n", rest[1])
		return 1
	}
	return b.host(name, rest, kinds)
}

func (b *bind) host(name string, rest []string, kinds []uint16) int {
	for i, kind := range kinds {
		asked := name
		var answer *reply
		var err error
		if i == 0 {
			asked, answer, err = b.search(name, kind)
		} else {
			answer, err = b.ask(name, kind)
		}
		if err != nil {
			b.printf(";; no servers could be reached\n")
			return 1
		}
		if i == 0 && len(rest) > 1 {
			b.printf("Using domain server:\nName: %s\nAddress: %s#%d\nAliases: \n\n", rest[1], answer.server.Addr(), answer.server.Port())
		}
		if answer.Rcode != dns.RcodeSuccess {
			if answer.Rcode == dns.RcodeServerFailure {
				name = strings.TrimSuffix(asked, ".")
			}
			b.printf("Host %s not found: %d(%s)\n", name, answer.Rcode, dns.RcodeToString[answer.Rcode])
			return 1
		}
		name = asked
		if len(kinds) == 1 && len(answer.Answer) == 0 {
			b.printf("%s has no %s record\n", strings.TrimSuffix(name, "."), dns.TypeToString[kind])
		}
		for _, record := range answer.Answer {
			if record.Header().Rrtype == kind || i == 0 {
				b.printf("%s\n", hostLine(record))
			}
		}
	}
	return 0
}

func hostLine(record dns.RR) string {
	name := strings.TrimSuffix(record.Header().Name, ".")
	switch r := record.(type) {
	case *dns.A:
		return name + " has address " + r.A.String()
	case *dns.AAAA:
		return name + " has IPv6 address " + r.AAAA.String()
	case *dns.CNAME:
		return name + " is an alias for " + r.Target
	case *dns.PTR:
		return name + " domain name pointer " + r.Ptr
	case *dns.MX:
		return name + " mail is handled by " + strconv.Itoa(int(r.Preference)) + " " + r.Mx
	case *dns.NS:
		return name + " name server " + r.Ns
	}
	return name + " has " + dns.TypeToString[record.Header().Rrtype] + " record " + strings.TrimPrefix(record.String(), record.Header().String())
}

// getent looks hosts up as the C library does.
func getent(c *command) int {
	if len(c.args) < 1 {
		c.errorf("getent: wrong number of arguments\n")
		return 1
	}
	database := c.args[0]
	if database != "hosts" && database != "ahosts" && database != "ahostsv4" {
		c.errorf("Unknown database: %s\n", database)
		return 1
	}
	r := NewResolver(c.Process)
	status := 0
	for _, name := range c.args[1:] {
		addresses, err := r.Addresses(c.ctx, name)
		if err != nil {
			status = 2
			continue
		}
		for _, address := range addresses {
			if database == "hosts" {
				c.printf("%-15s %s\n", address, name)
				continue
			}
			canonical := name
			for _, kind := range []string{"STREAM", "DGRAM", "RAW"} {
				c.printf("%-15s %-6s %s\n", address, kind, canonical)
				canonical = ""
			}
		}
	}
	return status
}
