package dns

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

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

// Answered says whether a resolver takes the outcome for an answer and asks no
// other server (glibc 2.36, resolv/res_send.c; musl 1.2.3, src/network/res_msend.c).
func (o Outcome) Answered() bool { return o == Found || o == NoData || o == NoName }

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

// Question is one that a resolver puts to one nameserver.
type Question struct {
	Server int    // index of the nameserver in resolv.conf
	Name   string // fully qualified, with the final dot
	Type   string // A, AAAA, or the type that was asked for
}

// Round are the questions that a resolver sends at once. It goes on as soon as
// each type has an answer (Outcome.Answered), or each question an outcome, or
// after Wait.
type Round struct {
	Questions []Question
	Wait      time.Duration
}

// Asker sends a round and gives the outcome of each question, in their order: in
// a program from the network, in a prediction from a snapshot.
type Asker func(Round) []Outcome

// OneByOne is an Asker that knows the outcome of every question by itself, as
// from a snapshot; answer must be consistent. That questions do not depend on one
// another is RFC 1035's (4.1.2).
func OneByOne(answer func(server int, name, kind string) Outcome) Asker {
	return func(r Round) []Outcome {
		out := make([]Outcome, len(r.Questions))
		for i, q := range r.Questions {
			out[i] = answer(q.Server, q.Name, q.Type)
		}
		return out
	}
}

// course is a look-up on its way.
type course struct {
	Course
	conf  ResolvConf
	types []string
	ask   Asker
}

// Lookup walks the search list for a name as getaddrinfo does with no flags
// (types A and AAAA), or res_search (one type), a round of ask after the other. A
// name without a valid length has no queries.
//
// glibc (2.36, sysdeps/posix/getaddrinfo.c, resolv/res_query.c) goes on after
// NXDOMAIN, NODATA and SERVFAIL, and takes the answer if one of the two types
// has one. musl (1.2, src/network/lookup_name.c) asks all nameservers at once,
// never searches for a name with ndots dots, and stops at the first name that
// exists, even without addresses.
func (l Libc) Lookup(conf ResolvConf, name string, types []string, ask Asker) Course {
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

// send asks a round of questions about one name. One that ends in two dots, as
// musl's search domain "." makes it, is malformed on the wire: no server answers.
func (c *course) send(r Round, why string) []Outcome {
	var outcomes []Outcome
	if strings.HasSuffix(r.Questions[0].Name, "..") {
		outcomes = slices.Repeat([]Outcome{Silent}, len(r.Questions))
	} else {
		outcomes = c.ask(r)
	}
	for i, q := range r.Questions {
		c.Sent = append(c.Sent, Sent{Server: q.Server, Name: q.Name, Type: q.Type, Outcome: outcomes[i], Why: why})
	}
	return outcomes
}

// timeout is option timeout in seconds, 5 unless told (resolv.conf(5)).
func (c *course) timeout(most int) time.Duration {
	return time.Duration(c.conf.decimal("timeout", 5, most)) * time.Second
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
			round := Round{Wait: c.glibcWait(server)}
			for _, kind := range c.types {
				round.Questions = append(round.Questions, Question{server, p.name, kind})
			}
			best, unknown := Outcome(""), false
			for _, o := range c.send(round, why) {
				unknown = unknown || o == ""
				switch {
				case o.Answered() && (best == "" || o == Found || o == NoData && best == NoName):
					best = o
				case !o.Answered():
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

// glibcWait is how long a server may take: option timeout, doubled for each
// server and shared among them (res_send.c, send_dg; 30 s at most).
func (c *course) glibcWait(server int) time.Duration {
	wait := c.timeout(30) << server
	if server > 0 {
		wait /= time.Duration(c.servers())
	}
	return max(wait, time.Second)
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
// repeated, option attempts times (2 unless told, 10 at most; one time more where
// attempts does not divide the time-out, which is 60 s at most).
func (c *course) muslQuery(p candidate) Outcome {
	got := make([]Outcome, len(c.types))
	attempts := max(1, c.conf.decimal("attempts", 2, 10))
	wait, why := c.timeout(60)/time.Duration(attempts), p.why
	for range attempts {
		round := Round{Wait: wait}
		for i, kind := range c.types {
			for server := range c.servers() {
				if !got[i].Answered() {
					round.Questions = append(round.Questions, Question{server, p.name, kind})
				}
			}
		}
		failing := c.muslRound(round, got, why)
		if slices.Contains(got, "") {
			return ""
		}
		for i := 0; i < 2*len(c.types) && len(failing) > 0; i++ {
			q := failing[i%len(failing)]
			if still := c.muslRound(Round{Questions: []Question{q}, Wait: wait}, got, "again: SERVFAIL before"); len(still) == 0 {
				failing = slices.DeleteFunc(failing, func(other Question) bool { return other == q })
			}
		}
		if !slices.ContainsFunc(got, func(o Outcome) bool { return !o.Answered() }) {
			break
		}
		why = "again: no answer before"
	}
	switch {
	case slices.ContainsFunc(got, func(o Outcome) bool { return !o.Answered() }):
		return ServFail
	case slices.Contains(got, NoName):
		return NoName
	case slices.Contains(got, Found):
		return Found
	}
	return NoData
}

// muslRound asks a round, notes in got what each type has, the first answer of a
// server or the last failure, and gives the questions that ended with SERVFAIL.
func (c *course) muslRound(round Round, got []Outcome, why string) []Question {
	var failing []Question
	for i, o := range c.send(round, why) {
		q := round.Questions[i]
		kind := slices.Index(c.types, q.Type)
		if o == ServFail {
			failing = append(failing, q)
		}
		if o == "" || !got[kind].Answered() {
			got[kind] = o
		}
	}
	return slices.DeleteFunc(failing, func(q Question) bool { return got[slices.Index(c.types, q.Type)].Answered() })
}
