package router

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"svctour/model"
	"svctour/model/dns"
	"svctour/model/endpoints"
	"svctour/model/path"
)

// names asks about the look-up, where the client makes one whose answer is known.
func (b *builder) names() {
	target, err := path.ParseTarget(b.request.Target, b.snapshot.DNS.Domain)
	client := b.trace.Client
	name := target.Name()
	if err != nil || name == "" || client.Kind != model.ClientPod || b.request.From == "" && client.Namespace != b.request.Namespace {
		return
	}
	r, err := dns.Resolve(b.snapshot, dns.Request{From: client.String(), Name: name})
	if err != nil || len(r.Queries) == 0 || r.End != dns.Found && r.End != dns.NoName && r.End != dns.NoData {
		return
	}
	if to := b.trace.Packet.Destination; to != "" && !slices.ContainsFunc(r.Answers, func(a dns.Record) bool { return a.Data == to }) {
		return
	}
	where := b.short(client.Namespace+"/"+client.Name) + " asks DNS"
	if server := r.Queries[0].Server; server != "" {
		where += " " + server
	}
	packet := Packet{Destination: b.trace.Target, Protocol: b.trace.Packet.Protocol}
	if pod := b.snapshot.Pod(client.Namespace, client.Name); pod != nil {
		packet.Source = pod.IP()
	}
	b.firstName(Turn{Kind: Name, Where: where, Packet: packet}, name, r)
	packet.Destination = bare(last(r).Name)
	b.answer(Turn{Kind: Answer, Where: where, Packet: packet}, r)
}

// bare is a name without its final dot.
func bare(name string) string { return strings.TrimSuffix(name, ".") }

func last(r *dns.Resolution) *dns.Query { return &r.Queries[len(r.Queries)-1] }

// firstName asks which name the resolver asks for first.
func (b *builder) firstName(t Turn, name string, r *dns.Resolution) {
	first := r.Queries[0].Name
	dots := model.Count(strings.Count(bare(name), "."), "dot")
	t.Question = fmt.Sprintf("The program asks for %s. Which name does the resolver ask DNS for first?", name)
	switch {
	case strings.HasSuffix(name, "."):
		t.Why = name + " ends in a dot: it is asked for as it is."
	case first == name+".":
		t.Why = fmt.Sprintf("%s has %s, not fewer than ndots:%d: it is asked for as it is first.", name, dots, r.ResolvConf.Ndots())
	default:
		t.Why = fmt.Sprintf("%s has %s, fewer than ndots:%d: the first search domain is added.", name, dots, r.ResolvConf.Ndots())
	}
	var wrong []Option
	for _, domain := range append(slices.Clone(r.ResolvConf.Search), "") {
		candidate := strings.TrimSuffix(bare(name)+"."+domain, ".") + "."
		wrong = append(wrong, b.otherName(candidate, first, r))
	}
	domain := "cluster.local"
	if b.snapshot.DNS.Domain != "" {
		domain = strings.Trim(b.snapshot.DNS.Domain, ".")
	}
	for _, namespace := range []string{b.trace.Client.Namespace, b.request.Namespace, "default", "kube-system"} {
		label, _, _ := strings.Cut(bare(name), ".")
		wrong = append(wrong, b.otherName(label+"."+namespace+".svc."+domain+".", first, r))
	}
	b.ask(t, Option{Text: first, Effect: first}, wrong...)
}

// otherName is a name that is not asked for first, and what becomes of it.
func (b *builder) otherName(name, first string, r *dns.Resolution) Option {
	o := Option{Text: name, Effect: name}
	asked := slices.ContainsFunc(r.Queries, func(q dns.Query) bool { return q.Name == name })
	reply := dns.Answer(b.snapshot, name, "A")
	switch {
	case asked:
		o.Wrong = fmt.Sprintf("That is asked for later: %s comes first, and DNS answers %s.", bare(first), r.Queries[0].Rcode)
	case reply.Rcode == "NXDOMAIN":
		o.Wrong = fmt.Sprintf("DNS would answer NXDOMAIN: no Service has the name %s.", bare(name))
	case reply.Upstream:
		o.Wrong = fmt.Sprintf("%s is not in the cluster's zone, and the resolver asks for %s before it.", bare(name), bare(first))
	case reply.Rcode == "":
		o.Wrong = fmt.Sprintf("The resolver does not ask for that name: it asks for %s.", bare(first))
	default:
		o.Wrong = fmt.Sprintf("DNS has that name, but the resolver does not ask for it: it asks for %s.", bare(first))
	}
	return o
}

// answer asks what DNS answers in the end.
func (b *builder) answer(t Turn, r *dns.Resolution) {
	name := last(r).Name
	var names []string
	for _, q := range r.Queries {
		if q.Name != name && !slices.Contains(names, q.Name) {
			names = append(names, q.Name)
		}
	}
	for i, q := range names {
		if i >= maxSince-1 {
			b.tell("%s more have no answer either.", model.Count(len(names)-i, "name"))
			break
		}
		b.tell("DNS has no address for %s: the next name is asked for.", bare(q))
	}
	t.Question = fmt.Sprintf("What does DNS answer for %s?", bare(name))
	var addresses []string
	alias := ""
	for _, a := range r.Answers {
		if a.Type == "CNAME" {
			alias = a.Data
		} else if !slices.Contains(addresses, a.Data) {
			addresses = append(addresses, a.Data)
		}
	}
	right := Option{Effect: effectOf(addresses)}
	switch {
	case r.End != dns.Found && len(r.Aliases) > 0:
		right = missing[r.End]
		a := r.Aliases[len(r.Aliases)-1]
		t.Why = fmt.Sprintf("Service %s is an alias for %s, and DNS has no address for that.", b.short(a.Service), bare(a.Target))
	case r.End == dns.NoName:
		right = missing[r.End]
		t.Why = "No Service has this name, and none of the names before it exists."
	case r.End == dns.NoData:
		right = missing[r.End]
		t.Why = "The Service is there, but it has no ready endpoint, and so DNS has no address to give."
	case alias != "" && len(addresses) == 0:
		right = Option{Text: "An alias (CNAME): " + alias, Effect: "alias " + alias}
		t.Why = "The Service is an ExternalName: DNS gives the name that it stands for."
	case alias != "":
		right.Text = "An alias (CNAME) for " + alias + ", and its address " + listed(addresses)
		t.Why = "The Service is an ExternalName: DNS gives the name that it stands for, and that name's address."
	default:
		right.Text = listed(addresses)
		t.Why = b.whyAnswer(name, addresses)
	}
	b.ask(t, right, b.otherAnswers(name, addresses, r.End)...)
}

// missing are the answers without an address.
var missing = map[dns.Outcome]Option{
	dns.NoName: {Text: "NXDOMAIN: there is no such name", Effect: "NXDOMAIN"},
	dns.NoData: {Text: "NODATA: the name exists, but has no address", Effect: "NODATA"},
}

func (b *builder) whyAnswer(name string, addresses []string) string {
	svc, host := dns.ServiceNamed(b.snapshot, name)
	switch {
	case svc == nil:
		return "DNS has this name."
	case host != "":
		return fmt.Sprintf("%s is one endpoint of Service %s: DNS gives its own address.", host, b.short(svc.Key()))
	case svc.Headless():
		return fmt.Sprintf("Service %s is headless: DNS gives the addresses of its ready endpoints, %s.", b.short(svc.Key()), model.Count(len(addresses), "address"))
	}
	return fmt.Sprintf("Service %s has the ClusterIP %s: DNS gives that, whatever its endpoints are.", b.short(svc.Key()), listed(addresses))
}

func effectOf(addresses []string) string {
	sorted := slices.Sorted(slices.Values(addresses))
	return "addresses " + strings.Join(sorted, " ")
}

// listed writes some addresses.
func listed(addresses []string) string {
	if n := len(addresses); n > 4 {
		return fmt.Sprintf("%s and %d more", strings.Join(addresses[:3], ", "), n-3)
	}
	return strings.Join(addresses, ", ")
}

// otherAnswers are what DNS does not answer.
func (b *builder) otherAnswers(name string, right []string, end dns.Outcome) []Option {
	var out []Option
	add := func(addresses []string, why string, args ...any) {
		if len(addresses) > 0 && !slices.ContainsFunc(addresses, func(a string) bool { return slices.Contains(right, a) }) {
			out = append(out, Option{Text: listed(addresses), Effect: effectOf(addresses), Wrong: fmt.Sprintf(why, args...)})
		}
	}
	svc, _ := dns.ServiceNamed(b.snapshot, name)
	if svc != nil && !svc.Headless() {
		var pods []string
		for _, slice := range b.snapshot.ServiceSlices(svc.Namespace, svc.Name) {
			for i := range slice.Endpoints {
				if a := slice.Endpoints[i].Addresses; len(a) > 0 && !slices.Contains(pods, a[0]) {
					pods = append(pods, a[0])
				}
			}
		}
		add(pods, "Those are endpoints. DNS gives their addresses for a headless Service only; kube-proxy's rules choose one later.")
	}
	none := missing[dns.NoName]
	none.Wrong = "DNS has the name: a Service is called so."
	if end == dns.NoName {
		none = missing[dns.NoData]
		none.Wrong = "That would be so if a Service were called so and had no address. None is."
	}
	out = append(out, none)
	for _, other := range b.snapshot.Services {
		if other != svc && netAddr(other.ClusterIP()).IsValid() && len(out) < maxOptions {
			add([]string{other.ClusterIP()}, "That is the ClusterIP of Service %s, whose name is another.", b.short(other.Key()))
		}
	}
	if node := b.snapshot.Node(b.trace.Packet.Node); node != nil {
		for _, ip := range path.NodeAddresses(b.snapshot, node.Name, path.IPv4) {
			add([]string{ip.String()}, "That is the address of node %s: no Service's name stands for it.", node.Name)
		}
	}
	return out
}

func netAddr(text string) netip.Addr { return endpoints.ParseAddr(text) }
