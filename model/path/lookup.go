package path

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"svctour/model"
	"svctour/model/dns"
	"svctour/model/endpoints"
)

// resolveName finds the Service that a name is short for in the namespace where
// the client looks it up.
func (q *query) resolveName() {
	t := &q.target
	q.namespace = cmp.Or(t.Namespace, q.home())
	if t.Service != "" {
		q.service = q.snapshot.Service(q.namespace, t.Service)
	}
	if q.service == nil && t.Host != "" {
		q.service = q.byHostname(t.Host)
		q.hosted = q.service != nil
	}
}

// home is the namespace of names that name none: a named Pod's own, which is the
// first of its search domains (pkg/kubelet/network/dns/dns.go), else that of the
// request.
func (q *query) home() string {
	if from, err := model.ParseClient(q.request.From, q.request.Namespace); err == nil && from.Kind == model.ClientPod && q.target.typed != "" {
		return from.Namespace
	}
	return q.request.Namespace
}

// lookUp finds what the target's name is for the client. For most that is the
// cluster IP of the Service that resolveName found; else it is what DNS answers.
func (q *query) lookUp() error {
	t := &q.target
	switch {
	case t.Address.IsValid():
		q.keep(t.Address)
		return nil
	case t.Node != "", q.hosted, q.ordinary(q.service) && (!q.asks() || q.obvious()):
		return nil
	case q.outside && q.service != nil:
		q.end(End{Kind: EndUnresolved, Name: dns.NameOf(q.snapshot, q.service), What: "outside the cluster its DNS is mostly not asked: the name is not known there", Evidence: model.Unknown})
		return nil
	case q.outside:
		return q.nameless()
	}
	if !q.asks() {
		return q.take(q.answered(q.fullNames()))
	}
	a, err := q.resolved()
	if err != nil {
		return err
	}
	return q.take(a)
}

// ordinary says whether a Service's name stands for its cluster IP.
func (q *query) ordinary(svc *model.Service) bool {
	return svc != nil && svc.Type != model.ExternalName && !svc.Headless()
}

// asks says whether the name is one that the client's own resolver is given.
func (q *query) asks() bool {
	return q.client != nil && q.target.typed != "" && (q.request.From != "" || q.client.Namespace == q.namespace)
}

// obvious says, without a look-up, that the name is that of the Service found:
// kubelet writes the client's resolv.conf for the cluster's DNS, with the client's
// namespace as the first search domain, and neither its /etc/hosts nor an endpoint
// of a Service there has the name. See dns.Resolve for all of it.
func (q *query) obvious() bool {
	pod, cluster := q.client, &q.snapshot.DNS
	switch policy := cmp.Or(pod.DNSPolicy, "ClusterFirst"); {
	case policy != "ClusterFirst" && policy != "ClusterFirstWithHostNet", pod.HostNetwork && policy == "ClusterFirst",
		pod.DNS != nil, len(pod.HostAliases) > 0, len(cluster.Servers) == 0 && cluster.Evidence != model.Unknown,
		cluster.Corefile != nil && cluster.Corefile.IgnoreEmpty:
		return false
	}
	name := q.target.typed
	if strings.HasSuffix(name, ".") {
		return strings.EqualFold(name, dns.NameOf(q.snapshot, q.service))
	}
	labels := strings.Split(name, ".")
	if len(labels) == 1 {
		return !strings.EqualFold(name, cmp.Or(pod.Hostname, pod.Name))
	}
	return q.snapshot.Service(pod.Namespace, labels[len(labels)-1]) == nil
}

// answer is what a look-up came to.
type answer struct {
	name      string // that was answered, or asked for in vain, with the final dot
	last      string // the name that has the addresses, or the one outside the cluster
	addresses []netip.Addr
	aliases   []dns.Alias
	outside   bool
	end       dns.Outcome
	evidence  model.Evidence
}

// read takes the records in.
func (a *answer) read(records []dns.Record) {
	for _, r := range records {
		a.name = cmp.Or(a.name, r.Name)
		switch ip := endpoints.ParseAddr(r.Data); {
		case r.Type == "CNAME":
			a.last = r.Data
		case ip.IsValid() && !slices.Contains(a.addresses, ip):
			a.last, a.addresses = r.Name, append(a.addresses, ip)
		}
	}
	a.outside = len(records) > 0 && len(a.addresses) == 0
}

// resolved looks the name up as the client does.
func (q *query) resolved() (answer, error) {
	r, err := dns.Resolve(q.snapshot, dns.Request{From: "pod/" + q.client.Key(), Name: q.target.typed})
	if err != nil {
		return answer{}, fmt.Errorf("target %q: %w", q.request.Target, err)
	}
	a := answer{aliases: r.Aliases, end: r.End, evidence: model.Derived}
	a.read(r.Answers)
	if a.end == dns.Found {
		for _, query := range r.Queries {
			a.evidence = min(a.evidence, query.Evidence)
		}
		return a, nil
	}
	asIs := strings.TrimSuffix(q.target.typed, ".") + "."
	none := dns.Outcome("")
	for _, query := range r.Queries {
		if query.Rcode == "" {
			continue
		}
		a.evidence = min(a.evidence, query.Evidence)
		if svc, _ := dns.ServiceNamed(q.snapshot, query.Name); svc != nil || a.name == "" {
			a.name = query.Name
		}
		switch {
		case query.Rcode == "NOERROR" && len(query.Answers) == 0:
			none = dns.NoData
		case none == "":
			none = dns.Outcome(query.Rcode)
		}
	}
	if a.end != "" || none == "" {
		return a, nil
	}
	// The last answers are open. They come from servers outside the cluster, which
	// know no name of a single label.
	a.end = none
	open := slices.ContainsFunc(r.Queries, func(query dns.Query) bool { return query.Rcode == "" && query.Name != asIs })
	if strings.Contains(q.target.typed, ".") {
		open = true
		q.note("At last the resolver asks servers outside the cluster for %s itself; their answer is not known.", asIs)
	}
	if open {
		a.evidence = model.Unknown
	}
	return a, nil
}

// fullNames are the names that the target may be short for: its Service's, or
// with the search domains that a Pod of the namespace has.
func (q *query) fullNames() []string {
	if q.service != nil {
		return []string{dns.NameOf(q.snapshot, q.service)}
	}
	name, domain := strings.TrimSuffix(cmp.Or(q.target.typed, q.target.Service), "."), cmp.Or(strings.Trim(q.snapshot.DNS.Domain, "."), "cluster.local")
	return []string{name + "." + q.namespace + ".svc." + domain + ".", name + ".svc." + domain + ".", name + "." + domain + ".", name + "."}
}

// answered is what the cluster's DNS answers to the first name that it has.
func (q *query) answered(names []string) answer {
	out := answer{name: names[0], end: dns.NoName, evidence: model.Derived}
	for _, name := range names {
		a := answer{name: name, aliases: dns.Aliases(q.snapshot, name), evidence: model.Derived}
		exists, known := false, true
		var records []dns.Record
		for _, kind := range []string{"A", "AAAA"} {
			reply := dns.Answer(q.snapshot, name, kind)
			exists, known = exists || reply.Rcode == "NOERROR", known && reply.Rcode != ""
			records = append(records, reply.Answers...)
			a.evidence = min(a.evidence, reply.Evidence)
		}
		a.read(records)
		switch {
		case !known:
			return answer{name: name, evidence: model.Unknown}
		case len(records) > 0:
			a.end = dns.Found
			return a
		case exists:
			a.end = dns.NoData
			return a
		}
		out.aliases = append(out.aliases, a.aliases...)
	}
	return out
}

// take goes on with what a look-up gave.
func (q *query) take(a answer) error {
	q.trace.Aliases = a.aliases
	switch {
	case a.end == "" && q.ordinary(q.service):
		q.note("Whether Pod %s can look this name up is not known: its resolver does not ask the cluster's DNS, as far as its dnsPolicy and dnsConfig tell. The path is that of a client that knows the address.", q.client.Key())
		return nil
	case a.end == "" && q.asks() && q.service != nil:
		q.note("Pod %s does not ask the cluster's DNS, as far as its dnsPolicy and dnsConfig tell. This is what the cluster's DNS would answer.", q.client.Key())
		q.target.typed = ""
		return q.take(q.answered(q.fullNames()))
	case a.end == "" && q.service == nil:
		return q.nameless()
	case a.end == dns.Found && a.outside:
		q.leave(a)
		return nil
	case a.end == dns.Found:
		q.reach(a)
		return nil
	}
	return q.fail(a)
}

// reach aims at the Service or the addresses that a name stands for.
func (q *query) reach(a answer) {
	svc, host := dns.ServiceNamed(q.snapshot, a.last)
	if svc == nil { // a line of /etc/hosts, or a Pod's record
		q.target.Address = a.addresses[0]
		q.service, q.trace.Service = q.ownerOf(a.addresses[0]), ""
		if q.service != nil {
			q.trace.Service = q.service.Key()
		}
		q.keep(a.addresses[0])
		return
	}
	q.service = svc
	if len(a.aliases) == 0 {
		q.trace.Service = svc.Key()
	} else {
		q.trace.Service = a.aliases[0].Service
	}
	if host == "" && q.ordinary(svc) {
		return
	}
	q.addresses = q.pick(a.addresses)
	q.trace.Packet.Host = q.spelled()
	if q.client == nil && q.node != "" {
		q.note("A process of a node asks the cluster's DNS only where the node is told to; these are the addresses that it would get.")
	}
	if n := len(q.addresses); n > 1 {
		q.note("DNS gives %d addresses in random order, and a client takes the first: each is as likely. getaddrinfo of glibc puts one of the client's own subnet first (RFC 6724, rule 9), which a Pod on the client's node may be. When a connection fails, most clients try the next.", n)
	}
}

// spelled is the name as the client writes it.
func (q *query) spelled() string {
	if q.asks() {
		return strings.TrimSuffix(q.target.typed, ".")
	}
	return strings.TrimSuffix(q.fullNames()[0], ".")
}

// keep forgets the Service whose rules would see a packet that stays in its
// client: none of them does.
func (q *query) keep(ip netip.Addr) {
	q.address = ip
	if q.stays() || q.outside && ip.IsLoopback() {
		q.service, q.port, q.trace.Service = nil, nil, ""
	}
}

// pick gives the addresses of the family in which the client connects: the first
// of the Service's that both have.
func (q *query) pick(all []netip.Addr) []netip.Addr {
	of := func(family Family) []netip.Addr {
		return slices.DeleteFunc(slices.Clone(all), func(ip netip.Addr) bool { return FamilyOf(ip) != family })
	}
	order := []Family{IPv4, IPv6}
	if len(q.service.IPFamilies) > 0 && q.service.IPFamilies[0] == string(IPv6) {
		slices.Reverse(order)
	}
	first, second := of(order[0]), of(order[1])
	switch {
	case len(first) == 0 || len(second) > 0 && !q.has(order[0]) && q.has(order[1]):
		return second
	case len(second) > 0 && q.has(order[0]) && q.has(order[1]):
		q.note("The name has addresses of both families. Which a client tries first is up to its C library; %s is assumed.", order[0])
	}
	return first
}

// has says whether the client has an address of a family.
func (q *query) has(family Family) bool {
	if q.fromPodNetwork() {
		return len(addressesOf(q.client.IPs, family)) > 0
	}
	return len(NodeAddresses(q.snapshot, q.node, family)) > 0
}

// leave ends the way where the last alias leads out of the cluster.
func (q *query) leave(a answer) {
	if q.service == nil && len(a.aliases) > 0 {
		namespace, name, _ := strings.Cut(a.aliases[0].Service, "/")
		q.service = q.snapshot.Service(namespace, name)
	}
	if len(a.aliases) > 0 {
		q.trace.Service = a.aliases[0].Service
	}
	q.trace.Packet.Host = q.spelled()
	q.end(End{Kind: EndOutside, Name: a.last, What: "leaves the cluster for " + strings.TrimSuffix(a.last, ".") + ", whose address DNS outside of it knows", Evidence: model.Unknown})
	q.unsent.Hops[0].Node = q.node
	labels := strings.Split(strings.TrimSuffix(a.last, "."), ".")
	namespace := q.namespace
	if len(labels) > 1 {
		namespace = labels[1]
	}
	if len(labels) < 3 || len(labels) == 3 && labels[2] == "svc" {
		if svc := q.snapshot.Service(namespace, labels[0]); svc != nil {
			q.note("An alias stands for a complete name: no search domain is added to %s. Service %s would be %s", a.last, svc.Key(), dns.NameOf(q.snapshot, svc))
		}
	}
}

// fail ends the way at the look-up, or, when the name has nothing to do with any
// Service, is an error.
func (q *query) fail(a answer) error {
	svc, host := dns.ServiceNamed(q.snapshot, a.name)
	var meant *model.Service // in the namespace that the request is about
	if q.target.Namespace == "" {
		meant = q.snapshot.Service(q.request.Namespace, q.target.Service)
	}
	if svc == nil && q.service == nil && meant == nil {
		return q.nameless()
	}
	end := End{Kind: EndUnresolved, Node: q.node, Name: a.name, Evidence: a.evidence}
	what, rest := "DNS fails to answer for ", ": no packet is sent"
	switch a.end {
	case "":
		what, rest = "what DNS answers is not known for ", ": no packet is followed"
	case dns.NoName:
		end.Kind, what = EndNoName, "DNS answers NXDOMAIN for "
	case dns.NoData:
		end.Kind, what = EndNoData, "DNS has no address (NODATA) for "
	}
	end.What = what + strings.TrimSuffix(a.name, ".") + rest
	q.end(end)
	q.trace.Packet.Host = q.spelled()
	if svc == nil {
		svc = q.service
	}
	if q.service = svc; svc != nil {
		q.trace.Service = svc.Key()
	}
	q.remarkFailure(a, svc, host, meant)
	return nil
}

// remarkFailure says why a name has no address.
func (q *query) remarkFailure(a answer, svc *model.Service, host string, meant *model.Service) {
	if n := len(a.aliases); n > 0 {
		last := a.aliases[n-1]
		switch {
		case last.Broken != "":
			q.note("Service %s is followed no further: %s.", last.Service, last.Broken)
		case last.To == "":
			q.note("Service %s stands for %s, and no Service has that name.", last.Service, last.Target)
		default:
			q.note("Service %s stands for %s, which has no address.", last.Service, last.Target)
		}
		return
	}
	switch {
	case svc == nil:
		q.note("Pod %s looks %s up in its own namespace %s; Service %s is %s.%s there.", q.client.Key(), q.target.typed, q.namespace, meant.Key(), meant.Name, meant.Namespace)
	case host != "":
		q.note("No ready endpoint of Service %s has the name %s in DNS.", svc.Key(), host)
	case svc.Headless():
		all, ready := endpoints.Count(q.snapshot.ServiceSlices(svc.Namespace, svc.Name))
		if all == 0 {
			q.note("Service %s has no endpoint: DNS has no address to give.", svc.Key())
			return
		}
		q.note("Service %s has %s, %d of them ready: DNS gives the addresses of ready ones only.", svc.Key(), model.Count(all, "endpoint"), ready)
	}
}

// end makes the look-up the end of the way.
func (q *query) end(end End) {
	o := q.over(end)
	q.unsent = &o
}

// nameless is the error for a name that is no Service's.
func (q *query) nameless() error {
	if q.target.Service == "" {
		return fmt.Errorf("target %q: no load balancer of a Service has this name: %w", q.request.Target, errTarget)
	}
	return noService(q.snapshot, q.namespace, q.target.Service)
}
