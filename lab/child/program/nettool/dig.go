package nettool

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"
)

const digVersion = "9.18.39"

const digUsage = `Usage:  dig [@global-server] [domain] [q-type] [q-class] {q-opt}
            {global-d-opt} host [@local-server] {local-d-opt}
            [ host [@local-server] {local-d-opt} [...]]

Use "dig -h" (or "dig -h | more") for complete list of options
`

// digRun is one run of dig: of one question.
type digRun struct {
	*bind
	name                                                        string
	kind                                                        uint16
	server                                                      string
	short, search                                               bool
	cmd, comments, question, answer, authority, additional, end bool
}

func dig(c *command) int {
	d := &digRun{bind: newBind(c), name: ".", kind: dns.TypeNS}
	d.edns = true
	d.sections(true)
	if status := d.parse(); status != 0 {
		return status
	}
	if d.server != "" && !d.use(d.server) {
		c.errorf("dig: couldn't get address for '%s': not found\n", d.server)
		return 1
	}
	var answer *reply
	var err error
	if d.search {
		d.name, answer, err = d.bind.search(d.name, d.kind)
	} else {
		d.name = dns.Fqdn(d.name)
		answer, err = d.ask(d.name, d.kind)
	}
	if err != nil {
		if !d.tcp {
			d.banner()
			c.printf(";; no servers could be reached\n")
		}
		return 9
	}
	d.print(answer)
	return 0
}

func (d *digRun) sections(on bool) {
	d.cmd, d.comments, d.question, d.answer, d.authority, d.additional, d.end = on, on, on, on, on, on, on
}

func (d *digRun) parse() int {
	named, typed := false, false
	bad := func(arg string) int {
		d.errorf("Invalid option: %s\n%s", arg, digUsage)
		return 1
	}
	for args := d.args; len(args) > 0; args = args[1:] {
		arg := args[0]
		switch {
		case strings.HasPrefix(arg, "@"):
			d.server = arg[1:]
		case strings.HasPrefix(arg, "+"):
			if !d.plus(arg[1:]) {
				return bad(arg)
			}
		case arg == "-4":
		case len(arg) == 2 && arg[0] == '-' && strings.Contains("xtqpb", arg[1:]):
			if len(args) < 2 {
				return bad(arg)
			}
			args = args[1:]
			if !d.flag(arg[1], args[0]) {
				return bad(arg)
			}
			named = named || arg == "-x" || arg == "-q"
			typed = typed || arg == "-x" || arg == "-t"
		case strings.HasPrefix(arg, "-"):
			return bad(arg)
		default:
			kind, is := dns.StringToType[strings.ToUpper(arg)]
			switch {
			case is && !typed:
				d.kind, typed = kind, true
			case strings.EqualFold(arg, "IN"):
			default:
				d.name, named = arg, true
			}
		}
	}
	if named && !typed {
		d.kind = dns.TypeA
	}
	return 0
}

func (d *digRun) flag(letter byte, value string) bool {
	switch letter {
	case 'x':
		address, err := netip.ParseAddr(value)
		if err != nil {
			return false
		}
		d.name, _ = dns.ReverseAddr(address.String())
		d.kind = dns.TypePTR
	case 't':
		kind, is := dns.StringToType[strings.ToUpper(value)]
		d.kind = kind
		return is
	case 'q':
		d.name = value
	case 'p':
		n, err := strconv.ParseUint(value, 10, 16)
		d.port = uint16(n)
		return err == nil
	}
	return letter != 'b'
}

// plus is a +option.
func (d *digRun) plus(text string) bool {
	name, value, _ := strings.Cut(text, "=")
	on := !strings.HasPrefix(name, "no")
	name = strings.TrimPrefix(name, "no")
	number, err := strconv.Atoi(value)
	switch name {
	case "short":
		d.short = on
	case "search":
		d.search = on
	case "all":
		d.sections(on)
	case "cmd":
		d.cmd = on
	case "comments":
		d.comments = on
	case "question":
		d.question = on
	case "answer":
		d.answer = on
	case "authority":
		d.authority = on
	case "additional":
		d.additional = on
	case "stats":
		d.end = on
	case "tcp", "vc":
		d.tcp = on
	case "recurse", "rec":
		d.recurse = on
	case "edns":
		d.edns = on
	case "cookie":
	case "time", "timeout":
		d.timeout = time.Duration(max(1, number)) * time.Second
		return err == nil
	case "tries":
		d.tries = max(1, number)
		return err == nil
	case "retry":
		d.tries = max(0, number) + 1
		return err == nil
	default:
		return false
	}
	return true
}

func (d *digRun) banner() {
	if !d.cmd || d.short {
		return
	}
	d.printf("\n; <<>> DiG %s <<>> %s\n", digVersion, strings.Join(d.args, " "))
	if d.server != "" {
		plural := ""
		if len(d.servers) > 1 {
			plural = "s"
		}
		d.printf("; (%d server%s found)\n", len(d.servers), plural)
	}
	d.printf(";; global options: +cmd\n")
}

func (d *digRun) print(a *reply) {
	if d.short {
		for _, record := range a.Answer {
			d.printf("%s\n", strings.TrimPrefix(record.String(), record.Header().String()))
		}
		return
	}
	d.banner()
	if d.comments {
		d.head(a)
	}
	if d.question {
		if d.comments {
			d.printf(";; QUESTION SECTION:\n")
		}
		for _, q := range a.Question {
			d.printf("%s\tIN\t%s\n", tabbed(";"+q.Name, 32), dns.TypeToString[q.Qtype])
		}
		d.printf("\n")
	}
	d.section("ANSWER", d.answer, a.Answer)
	d.section("AUTHORITY", d.authority, a.Ns)
	var extra []dns.RR
	for _, record := range a.Extra {
		if record.Header().Rrtype != dns.TypeOPT {
			extra = append(extra, record)
		}
	}
	d.section("ADDITIONAL", d.additional, extra)
	if d.end {
		protocol := "UDP"
		if d.tcp {
			protocol = "TCP"
		}
		d.printf(";; Query time: %d msec\n;; SERVER: %s#%d(%s) (%s)\n;; WHEN: %s\n;; MSG SIZE  rcvd: %d\n\n",
			a.took.Milliseconds(), a.server.Addr(), a.server.Port(), d.serverName(a), protocol, time.Now().UTC().Format("Mon Jan 02 15:04:05 UTC 2006"), a.Len())
	}
}

func (d *digRun) serverName(a *reply) string {
	if d.server != "" {
		return d.server
	}
	return a.server.Addr().String()
}

func (d *digRun) head(a *reply) {
	d.printf(";; Got answer:\n")
	if len(a.Question) > 0 && strings.HasSuffix(strings.ToLower(a.Question[0].Name), ".local.") {
		d.printf(";; WARNING: .local is reserved for Multicast DNS\n;; You are currently testing what happens when an mDNS query is leaked to DNS\n")
	}
	flags := "qr"
	for _, flag := range []struct {
		on   bool
		name string
	}{{a.Authoritative, " aa"}, {a.Truncated, " tc"}, {a.RecursionDesired, " rd"}, {a.RecursionAvailable, " ra"}, {a.AuthenticatedData, " ad"}} {
		if flag.on {
			flags += flag.name
		}
	}
	d.printf(";; ->>HEADER<<- opcode: QUERY, status: %s, id: %d\n;; flags: %s; QUERY: %d, ANSWER: %d, AUTHORITY: %d, ADDITIONAL: %d\n",
		dns.RcodeToString[a.Rcode], a.Id, flags, len(a.Question), len(a.Answer), len(a.Ns), len(a.Extra))
	if a.RecursionDesired && !a.RecursionAvailable {
		d.printf(";; WARNING: recursion requested but not available\n")
	}
	d.printf("\n")
	if opt := a.IsEdns0(); opt != nil {
		d.printf(";; OPT PSEUDOSECTION:\n; EDNS: version: %d, flags:; udp: %d\n", opt.Version(), opt.UDPSize())
	}
}

func (d *digRun) section(title string, on bool, records []dns.RR) {
	if !on || len(records) == 0 {
		return
	}
	if d.comments {
		d.printf(";; %s SECTION:\n", title)
	}
	for _, record := range records {
		d.printf("%s\n", masterLine(record))
	}
	if d.comments {
		d.printf("\n")
	}
}

// masterLine is a record as dig prints it: name, lifetime, class and type in
// columns of tabs.
func masterLine(record dns.RR) string {
	h := record.Header()
	data := strings.TrimPrefix(record.String(), h.String())
	line := tabbed(h.Name, 24)
	if !strings.HasSuffix(line, "\t") {
		line += " "
	}
	line += strconv.FormatUint(uint64(h.Ttl), 10)
	if strings.Contains(line, "\t") {
		line += "\t"
	} else {
		line += " "
	}
	return fmt.Sprintf("%sIN\t%s\t%s", line, dns.TypeToString[h.Rrtype], data)
}

// tabbed fills up to a column with tabs of eight.
func tabbed(text string, column int) string {
	if len(text) >= column {
		return text
	}
	tabs := (column - len(text) + 7) / 8
	return text + strings.Repeat("\t", tabs)
}
