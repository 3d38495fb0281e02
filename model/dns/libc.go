package dns

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"svctour/model"
)

// Libc is the C library of a Pod's program. Its resolver decides what is asked,
// and the two that images have differ.
type Libc string

// The two C libraries. Go's own resolver takes glibc's order (net/dnsclient_unix.go).
const (
	Glibc Libc = "glibc" // Debian, Ubuntu, Red Hat: resolv/res_query.c and res_send.c of glibc 2.36
	Musl  Libc = "musl"  // Alpine: src/network/lookup_name.c and res_msend.c of musl 1.2.3
)

// Outcome is how a server answers one question, as far as a resolver cares.
// The zero Outcome is one that cannot be predicted.
type Outcome string

// The outcomes: records of the type; none, of a name that exists; no such name
// (RFC 1035's rcode 3); the codes with which a server refuses to help (rcodes 2
// and 5); no answer at all.
const (
	Found    Outcome = "NOERROR"
	NoData   Outcome = "NODATA"
	NoName   Outcome = "NXDOMAIN"
	ServFail Outcome = "SERVFAIL"
	Refused  Outcome = "REFUSED"
	Silent   Outcome = "timeout"
)

func (o Outcome) answered() bool { return o == Found || o == NoData || o == NoName }

// Sent is one query that a resolver sends.
type Sent struct {
	Server  int // index of the nameserver in resolv.conf
	Name    string
	Type    string
	Outcome Outcome
	Why     string // why this name is asked now
}

// Course is a look-up's: all queries in order and how it ends. End is Found;
// NoName or NoData, both of which getaddrinfo calls an unknown name; ServFail
// for "try again" (EAI_AGAIN); "" when an unpredictable answer decides.
type Course struct {
	Sent []Sent
	End  Outcome
	Rest []string // names that would be tried if the unpredictable one failed
}

// candidate is a name to try.
type candidate struct{ name, why string }

// course is a look-up on its way.
type course struct {
	Course
	conf  ResolvConf
	types []string
	ask   func(server int, name, kind string) Outcome
}

// Lookup walks the search list for a name as getaddrinfo does with no flags
// (types A and AAAA), or res_search (one type). ask answers a question put to a
// nameserver; it must be consistent. A name without a valid length has no
// queries.
//
// glibc (2.36, sysdeps/posix/getaddrinfo.c, resolv/res_query.c) goes on after
// NXDOMAIN, NODATA and SERVFAIL, and takes the answer if one of the two types
// has one. musl (1.2, src/network/lookup_name.c) asks all nameservers at once,
// never searches for a name with ndots dots, and stops at the first name that
// exists, even without addresses.
func (l Libc) Lookup(conf ResolvConf, name string, types []string, ask func(server int, name, kind string) Outcome) Course {
	c := &course{conf: conf, types: types, ask: ask}
	switch {
	case len(name) > 255: // no message can carry it, with or without a domain
		c.End = NoName
	case l == Musl:
		c.musl(name)
	default:
		c.glibc(name)
	}
	return c.Course
}

func (c *course) servers() int { return min(max(1, len(c.conf.Nameservers)), maxNameservers) }

// send asks one question, and says whether its outcome is known.
func (c *course) send(server int, name, kind, why string) Outcome {
	o := c.ask(server, name, kind)
	c.Sent = append(c.Sent, Sent{Server: server, Name: name, Type: kind, Outcome: o, Why: why})
	return o
}

// decimal is a resolver option of the form name:n, between 0 and most.
func (c ResolvConf) decimal(name string, unset, most int) int {
	value := unset
	for _, option := range c.Options {
		if text, ok := strings.CutPrefix(option, name+":"); ok {
			if n, err := strconv.Atoi(text); err == nil && n >= 0 {
				value = min(n, most)
			}
		}
	}
	return value
}

// plan lists the names that are tried in turn while each fails.
func (l Libc) plan(conf ResolvConf, name string) []candidate {
	asIs := strings.TrimSuffix(name, ".") + "."
	dots, ndots := strings.Count(name, "."), conf.Ndots()
	if strings.HasSuffix(name, ".") {
		return []candidate{{asIs, "its final dot says that it is complete: only as it is"}}
	}
	var out []candidate
	few := fmt.Sprintf("%s, fewer than ndots:%d", model.Count(dots, "dot"), ndots)
	if early := dots >= ndots; early {
		why := fmt.Sprintf("%s, ndots:%d reached: as it is", model.Count(dots, "dot"), ndots)
		if l == Musl {
			return []candidate{{asIs, why + " only (musl does not search then)"}}
		}
		out = append(out, candidate{asIs, why + " first"})
	}
	tried := len(out) > 0
	for i, domain := range conf.Search {
		why := fmt.Sprintf("search domain %d of %d", i+1, len(conf.Search))
		if i == 0 && !tried {
			why = few + ": " + why
		}
		if l != Musl {
			domain = strings.TrimPrefix(domain, ".")
		}
		full := name + "." + strings.TrimSuffix(domain, ".") + "."
		switch {
		case domain == ".": // musl's alone: see muslQuery
			why += ", the root, for which musl sends a message that no server can read"
		case domain == "":
			full = asIs
		}
		out = append(out, candidate{full, why})
	}
	root := slices.ContainsFunc(conf.Search, func(d string) bool { return strings.Trim(d, ".") == "" })
	switch {
	case tried, root && l != Musl:
	case l != Musl && dots == 0 && len(conf.Search) > 0 && slices.Contains(conf.Options, "no-tld-query"):
	case len(conf.Search) == 0:
		out = append(out, candidate{asIs, "no search domains: as it is"})
	default:
		out = append(out, candidate{asIs, "as it is, after the search domains"})
	}
	return out
}

// rest are the names after the i-th.
func rest(plan []candidate, i int) []string {
	var out []string
	for _, c := range plan[i+1:] {
		out = append(out, c.name)
	}
	return out
}

// sendable says whether a DNS message can carry a name (RFC 1035, 2.3.4).
func sendable(name string) bool {
	bare := strings.TrimSuffix(name, ".")
	if bare == "" {
		return true // the root
	}
	for label := range strings.SplitSeq(bare, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
	}
	return len(bare) <= 253
}

// unsendable is the outcome of a name that no message can carry.
const unsendable Outcome = "too long"

// glibc is __res_context_search.
func (c *course) glibc(name string) {
	if strings.HasPrefix(name, "-") { // res_hnok: no host has such a name
		c.End = NoName
		return
	}
	plan := Glibc.plan(c.conf, name)
	asIs := strings.TrimSuffix(name, ".") + "."
	var first, last Outcome // of the name as it is when it came first; of the latest
	var nodata, failed bool
	for i := 0; i < len(plan); i++ {
		p := plan[i]
		last = unsendable
		if sendable(p.name) {
			last = c.glibcQuery(p)
		}
		switch last {
		case Found:
			c.End = Found
			return
		case "":
			c.Rest = rest(plan, i)
			return
		case NoData:
			nodata = true
		case ServFail:
			failed = true
		}
		switch {
		case p.name == asIs && i == 0:
			first = last
		case p.name != asIs && (last == Refused || last == Silent || last == unsendable):
			// The rest of the search list is given up.
			if plan[len(plan)-1].name != asIs {
				i = len(plan)
			}
			i = max(i, len(plan)-2)
		}
	}
	switch {
	case first != "":
		c.End = first
	case nodata:
		c.End = NoData
	case failed:
		c.End = ServFail
	default:
		c.End = last
	}
	switch c.End {
	case Refused, Silent:
		c.End = ServFail
	case unsendable:
		c.End = NoName
	}
}

// glibcQuery is __res_context_query: both types at once to one server, the next
// server when neither is answered, and all of them again, option attempts
// times (2 unless told, 5 at most).
func (c *course) glibcQuery(p candidate) Outcome {
	last, why := Silent, p.why
	for range max(1, c.conf.decimal("attempts", 2, 5)) {
		for server := range c.servers() {
			best, unknown := Outcome(""), false
			for _, kind := range c.types {
				o := c.send(server, p.name, kind, why)
				unknown = unknown || o == ""
				switch {
				case o.answered() && (best == "" || o == Found || o == NoData && best == NoName):
					best = o
				case !o.answered():
					last = o
				}
			}
			if unknown || best != "" {
				if unknown && best != Found {
					return ""
				}
				return best
			}
			why = fmt.Sprintf("again: %s before", last)
		}
	}
	return last
}

// musl is name_from_dns_search.
func (c *course) musl(name string) {
	plan := Musl.plan(c.conf, name)
	for i, p := range plan {
		if !sendable(p.name) && p.name != name+".." {
			if strings.TrimSuffix(p.name, ".") != strings.TrimSuffix(name, ".") && len(p.name) > 256 {
				continue
			}
			c.End = NoName
			return
		}
		c.End = c.muslQuery(p)
		if c.End == "" {
			c.Rest = rest(plan, i)
		}
		if c.End != NoName {
			return
		}
	}
}

// muslQuery is name_from_dns over __res_msend: every type to every server at
// once; a failing server is asked again at once, twice a type; the whole is
// repeated, option attempts times (2 unless told, 10 at most; once more where
// attempts does not divide the time-out). A name that ends
// in two dots, as search domain "." makes it, is malformed on the wire.
func (c *course) muslQuery(p candidate) Outcome {
	got := make([]Outcome, len(c.types))
	why := p.why
	for range max(1, c.conf.decimal("attempts", 2, 10)) {
		type question struct{ kind, server int }
		var failing []question
		for i, kind := range c.types {
			if got[i].answered() {
				continue
			}
			for server := range c.servers() {
				o := Silent
				if strings.HasSuffix(p.name, "..") {
					c.Sent = append(c.Sent, Sent{Server: server, Name: p.name, Type: kind, Outcome: o, Why: why})
				} else {
					o = c.send(server, p.name, kind, why)
				}
				switch {
				case o == "":
					got[i] = ""
				case o.answered() && !got[i].answered():
					got[i] = o
				case o == ServFail:
					failing = append(failing, question{i, server})
				}
				if !got[i].answered() && o != "" {
					got[i] = o
				}
			}
		}
		if slices.Contains(got, "") {
			return ""
		}
		failing = slices.DeleteFunc(failing, func(q question) bool { return got[q.kind].answered() })
		for i := 0; i < 2*len(c.types) && len(failing) > 0; i++ {
			q := failing[i%len(failing)]
			c.send(q.server, p.name, c.types[q.kind], "again: SERVFAIL before")
		}
		if !slices.ContainsFunc(got, func(o Outcome) bool { return !o.answered() }) {
			break
		}
		why = "again: no answer before"
	}
	switch {
	case slices.ContainsFunc(got, func(o Outcome) bool { return !o.answered() }):
		return ServFail
	case slices.Contains(got, NoName):
		return NoName
	case slices.Contains(got, Found):
		return Found
	}
	return NoData
}
