package dns

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"svctour/model"
)

// Request asks how a Pod resolves a name.
type Request struct {
	// From is "pod/NAME" or "pod/NAMESPACE/NAME"; "" chooses a Pod of the
	// namespace, or assumes one, and says so in the notes.
	From      string
	Name      string // as an application would use it; with a final dot, fully qualified
	Namespace string // of a From that names none; "" means default
	// Type asks for one record type as dig does (A, AAAA, CNAME, SRV, PTR, …).
	// "" asks for addresses as an application does: A and AAAA.
	Type string
	// Libc is the C library of the Pod's program; "" means Glibc. The API does
	// not say which an image has.
	Libc Libc
}

// Resolve predicts a look-up: the Pod's resolv.conf, each name that its
// resolver tries (Libc.Lookup), each query and answer (Answer), and what the
// application gets. A name outside the cluster's zone has no predictable
// answer, and whether the search goes on after it is not predictable either:
// the queries end there. The resolvers are glibc's (resolv/res_query.c) and
// musl's (src/network/lookup_name.c), the server CoreDNS' (plugin/kubernetes).
//
// Errors name what is wrong with the request: an unknown Pod, or a name that
// no DNS message can carry.
func Resolve(s *model.Snapshot, r Request) (*Resolution, error) {
	if s == nil {
		return nil, errors.New("nothing was read from the cluster yet")
	}
	if r.Namespace == "" {
		r.Namespace = "default"
	}
	kind := strings.ToUpper(r.Type)
	if strings.Trim(kind, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "" {
		return nil, fmt.Errorf("record type %q: want A, AAAA, CNAME, SRV, PTR or TXT", r.Type)
	}
	if r.Libc == "" {
		r.Libc = Glibc
	}
	if r.Libc != Glibc && r.Libc != Musl {
		return nil, fmt.Errorf("libc %q: want %s or %s", string(r.Libc), Glibc, Musl)
	}
	name := strings.TrimSpace(r.Name)
	pod, from, notes, err := client(s, r)
	if err != nil {
		return nil, err
	}
	out := &Resolution{From: from, Name: r.Name, Libc: r.Libc, Queries: []Query{}, Answers: []Record{}}
	var more []string
	out.ResolvConf, more = ResolvConfOf(s, pod)
	out.Notes = append(notes, more...)

	if ip, err := netip.ParseAddr(name); err == nil {
		if kind != "PTR" {
			out.note("An IP address needs no look-up.")
			out.End = Found
			return out, nil
		}
		name = ReverseName(ip)
	}
	if err := checkName(name); err != nil {
		return nil, fmt.Errorf("name %q: %w", r.Name, err)
	}
	l := &lookup{snapshot: s, pod: pod, out: out, types: []string{"A", "AAAA"}, replies: map[[2]string]Reply{}}
	if kind != "" {
		l.types = []string{kind}
	} else if l.hosts(name) {
		out.End = Found
		return out, nil
	}
	l.search(name)
	l.remarks()
	return out, nil
}

// note adds a sentence to what the picture rests on.
func (r *Resolution) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

// checkName refuses what RFC 1035 cannot carry: labels of at most 63 bytes,
// names of at most 253 without the final dot.
func checkName(name string) error {
	bare := strings.TrimSuffix(name, ".")
	switch {
	case bare == "":
		return errors.New("it is empty")
	case len(bare) > 253:
		return fmt.Errorf("it has %d characters, more than 253", len(bare))
	}
	for label := range strings.SplitSeq(bare, ".") {
		switch {
		case label == "":
			return errors.New("two dots follow each other, or it begins with one")
		case len(label) > 63:
			return fmt.Errorf("the part %q has %d characters, more than 63", label, len(label))
		}
		for _, r := range label {
			if r <= ' ' || r > '~' || strings.ContainsRune(`/:"'\`, r) {
				return fmt.Errorf("%q cannot be part of a name", string(r))
			}
		}
	}
	return nil
}

// client finds the Pod that asks.
func client(s *model.Snapshot, r Request) (*model.Pod, string, []string, error) {
	if r.From == "" {
		if pod := choose(s, r.Namespace); pod != nil {
			return pod, "pod/" + pod.Key(), []string{fmt.Sprintf("From Pod %s, chosen because no client was named.", pod.Key())}, nil
		}
		pod := &model.Pod{Meta: model.Meta{Namespace: r.Namespace}}
		return pod, "namespace/" + r.Namespace, []string{fmt.Sprintf("From a Pod of namespace %s with the default dnsPolicy; none is running there.", r.Namespace)}, nil
	}
	from, err := model.ParseClient(r.From, r.Namespace)
	if err != nil || from.Kind != model.ClientPod {
		return nil, "", nil, fmt.Errorf("from %q: want pod/NAME or pod/NAMESPACE/NAME; nodes and clients outside use other DNS servers", r.From)
	}
	if why, missing := s.Sync.Missing["pods"]; missing {
		return nil, "", nil, fmt.Errorf("from Pod %q: Pods cannot be read: %s", from.Namespace+"/"+from.Name, why)
	}
	pod := s.Pod(from.Namespace, from.Name)
	if pod == nil {
		return nil, "", nil, fmt.Errorf("from: no Pod %q in namespace %q", from.Name, from.Namespace)
	}
	return pod, from.String(), nil, nil
}

// choose picks a running Pod of a namespace, ready ones first.
func choose(s *model.Snapshot, namespace string) *model.Pod {
	var best *model.Pod
	for _, pod := range s.PodsIn(namespace) {
		if pod.Phase != "Running" || pod.Terminating() || pod.HostNetwork {
			continue
		}
		if best == nil || pod.Ready() && !best.Ready() {
			best = pod
		}
	}
	return best
}

// lookup is one look-up on its way.
type lookup struct {
	snapshot *model.Snapshot
	pod      *model.Pod
	out      *Resolution
	types    []string
	replies  map[[2]string]Reply // by name and type
	name     string              // as it is looked up
	searched bool                // search domains came before the name as it is
	shuffled bool
}

// search walks the search list.
func (l *lookup) search(name string) {
	conf := ParseResolvConf(l.out.ResolvConf.String(), l.out.Libc)
	if n := len(l.out.ResolvConf.Search) - len(conf.Search); n > 0 {
		l.out.note("musl reads no line of more than %d bytes: it ignores the Pod's search domains.", muslLine)
	}
	plan := l.out.Libc.plan(conf, name)
	l.name, l.searched = name, plan[0].name != strings.TrimSuffix(name, ".")+"."
	course := l.out.Libc.Lookup(conf, name, l.types, OneByOne(l.question))
	last := "" // the latest name
	for _, sent := range course.Sent {
		query := Query{Name: sent.Name, Type: sent.Type, Server: l.serverName(sent.Server), Answers: []Record{}, Why: sent.Why}
		if reply, asked := l.replies[[2]string{sent.Name, sent.Type}]; asked {
			query.Rcode, query.Evidence = reply.Rcode, reply.Evidence
			query.Answers = append(query.Answers, reply.Answers...)
		} else if sent.Outcome == Silent {
			query.Rcode, query.Evidence = string(Silent), model.Derived
		}
		if sent.Name != last {
			l.out.Answers = l.out.Answers[:0]
		}
		last = sent.Name
		l.out.Queries = append(l.out.Queries, query)
		l.out.Answers = withoutRepeats(append(l.out.Answers, query.Answers...))
	}
	if l.out.Answers == nil {
		l.out.Answers = []Record{}
	}
	l.out.End = course.End
	l.out.Aliases = l.aliases()
	l.shuffled = len(l.out.Answers) > 1
	if len(course.Rest) > 0 {
		l.out.note("The answer for %s is not predictable. If it fails, the resolver goes on with %s.", last, strings.Join(course.Rest, ", "))
	}
	l.cost(name, plan)
	l.otherLibc(conf, name, course)
}

// aliases gives those that the name that was found leads over, or, when none was,
// the first name that is an alias.
func (l *lookup) aliases() []Alias {
	var names []string
	for _, r := range l.out.Answers {
		names = append(names, r.Name)
	}
	for _, q := range l.out.Queries {
		if l.out.End != Found && (q.Rcode == string(NoName) || q.Rcode == string(Found)) {
			names = append(names, q.Name)
		}
	}
	for _, name := range slices.Compact(names) {
		if out := Aliases(l.snapshot, name); len(out) > 0 {
			return out
		}
	}
	return nil
}

// serverName is a nameserver of the Pod; "" when none is known.
func (l *lookup) serverName(i int) string {
	if i < len(l.out.ResolvConf.Nameservers) {
		return l.out.ResolvConf.Nameservers[i]
	}
	return ""
}

// question answers for a nameserver; "" when that cannot be predicted.
func (l *lookup) question(server int, name, kind string) Outcome {
	if !l.ours(l.serverName(server)) {
		return ""
	}
	key := [2]string{name, kind}
	reply, asked := l.replies[key]
	if !asked {
		reply = l.snapshotAnswer(name, kind)
		l.replies[key] = reply
		if reply.Rcode == "" {
			l.unpredictable(name, reply.Upstream)
		}
		if reply.Alias != "" && kind != "AAAA" {
			l.out.note("The addresses of %s come from outside the cluster and are not predicted.", reply.Alias)
		}
	}
	if reply.Rcode == "NOERROR" && len(reply.Answers) == 0 {
		return NoData
	}
	return Outcome(reply.Rcode)
}

// cost notes what the search list costs a name that it does not belong to.
func (l *lookup) cost(name string, plan []candidate) {
	asIs := strings.TrimSuffix(name, ".") + "."
	n := len(l.out.Queries)
	if !l.searched || n == 0 || l.out.Queries[n-1].Name != asIs || len(plan) < 2 {
		return
	}
	own := 0
	for _, q := range l.out.Queries {
		if q.Name == asIs {
			own++
		}
	}
	l.out.note("%d queries, %d of them for names of the search list: %s has %s, fewer than ndots:%d. With a final dot, %s, it would be %s.",
		n, n-own, name, model.Count(strings.Count(name, "."), "dot"), l.out.ResolvConf.Ndots(), asIs, countedQueries(own))
}

func countedQueries(n int) string {
	if n == 1 {
		return "1 query"
	}
	return fmt.Sprintf("%d queries", n)
}

// otherLibc notes when the other C library would do something else: which one
// a Pod's image has is in no API object.
func (l *lookup) otherLibc(conf ResolvConf, name string, ours Course) {
	other := Musl
	if l.out.Libc == Musl {
		other = Glibc
	}
	notes := l.out.Notes
	theirs := other.Lookup(ParseResolvConf(l.out.ResolvConf.String(), other), name, l.types, OneByOne(l.question))
	l.out.Notes = notes
	if a, b := asked(ours.Sent), asked(theirs.Sent); !slices.Equal(a, b) || ours.End != theirs.End {
		names := "no name"
		if len(b) > 0 {
			names = strings.Join(b, ", ")
		}
		end := map[Outcome]string{Found: "finds it", "": "depends on the answer", ServFail: "gives up (EAI_AGAIN)"}[theirs.End]
		if end == "" {
			end = "does not find it"
		}
		l.out.note("A program with %s would ask for %s, and %s. Which C library the Pod's image has is not known; %s is assumed.", other, names, end, l.out.Libc)
	}
}

// asked are the names of queries, without repeats that follow each other.
func asked(sent []Sent) []string {
	var out []string
	for _, q := range sent {
		out = append(out, q.Name)
	}
	return slices.Compact(out)
}

// unpredictable notes once per name why there is no answer.
func (l *lookup) unpredictable(name string, upstream bool) {
	text := fmt.Sprintf("What %s stands for cannot be told: not everything that decides it can be read.", name)
	if upstream {
		text = fmt.Sprintf("%s is outside the cluster's zone %s: the cluster's DNS asks its upstream servers, whose answer is not predictable.", name, domainOf(l.snapshot))
	}
	for _, note := range l.out.Notes {
		if note == text {
			return
		}
	}
	l.out.note("%s", text)
}

// withoutRepeats drops the CNAMEs that the A and the AAAA answer share.
func withoutRepeats(records []Record) []Record {
	var out []Record
	seen := map[Record]bool{}
	for _, r := range records {
		if !seen[r] {
			seen[r] = true
			out = append(out, r)
		}
	}
	return out
}

// nodeLocal is where NodeLocal DNSCache listens on every node that runs it
// (cluster/addons/dns/nodelocaldns/nodelocaldns.yaml, KEP-1024).
const nodeLocal = "169.254.20.10"

// ours says whether a nameserver answers as the cluster's DNS does.
func (l *lookup) ours(server string) bool {
	switch {
	case server == "":
		// Unknown, but a cluster's when the Pod's policy asks the cluster's DNS.
		return len(l.out.ResolvConf.Search) > 0 && l.pod.DNSPolicy != "None" && l.pod.DNSPolicy != "Default" && len(l.snapshot.DNS.Servers) == 0
	case server == nodeLocal:
		return true
	}
	return slices.Contains(l.snapshot.DNS.Servers, server)
}

// cached says whether NodeLocal DNSCache answers the Pod: by its address, or on
// the cluster DNS' address as well, where its Pods run.
func (l *lookup) cached(server string) bool {
	if server == nodeLocal {
		return true
	}
	return l.ours(server) && slices.ContainsFunc(l.snapshot.PodsIn("kube-system"), func(p *model.Pod) bool {
		return p.Labels["k8s-app"] == "node-local-dns" && p.Ready() && (p.Node == l.pod.Node || l.pod.Node == "")
	})
}

// snapshotAnswer is Answer, with CoreDNS' autopath plugin before it where the
// Corefile has it (plugin/autopath/autopath.go, plugin/kubernetes/autopath.go):
// a name of the Pod's first search domain is looked for in all of them at once.
func (l *lookup) snapshotAnswer(name, kind string) Reply {
	first := Answer(l.snapshot, name, kind)
	corefile := corefileOf(l.snapshot)
	domain := strings.ToLower(domainOf(l.snapshot))
	base, inside := strings.CutSuffix(strings.ToLower(name), "."+l.pod.Namespace+".svc."+domain+".")
	if !corefile.Autopath || corefile.Pods != "verified" || !inside || len(l.pod.IPs) == 0 || first.Rcode != "NXDOMAIN" {
		return first
	}
	for _, search := range []string{".svc." + domain + ".", "." + domain + ".", "."} {
		reply := Answer(l.snapshot, base+search, kind)
		if reply.Rcode == "NXDOMAIN" {
			continue
		}
		if len(reply.Answers) > 0 {
			found := reply.Answers[0]
			reply.Answers = append([]Record{{Name: name, Type: "CNAME", TTL: found.TTL, Data: found.Name}}, reply.Answers...)
		}
		return reply
	}
	return first
}

// remarks adds what the prediction rests on.
func (l *lookup) remarks() {
	dns := &l.snapshot.DNS
	server := l.serverName(0)
	ours := l.ours(server)
	if l.cached(server) {
		l.out.note("NodeLocal DNSCache answers on the Pod's own node: no rule of kube-proxy applies to these queries. A cached answer has a lower TTL and may be that much older; others are asked of CoreDNS over TCP.")
	}
	if corefile := corefileOf(l.snapshot); ours && corefile.Autopath && corefile.Pods == "verified" {
		l.out.note("CoreDNS' autopath walks the search list itself and answers the first query, with a CNAME to the name that it found.")
	}
	switch {
	case !ours && server != "":
		l.out.note("The Pod asks %s, which is not the cluster's DNS server: its answers are not predictable.", server)
	case ours && !dns.Serving:
		l.out.note("No working DNS server was found in the cluster: the answers are what CoreDNS would give, as kubeadm configures it.")
	case ours && dns.Evidence == model.Unknown:
		l.out.note("The cluster's DNS configuration is not known; assumed: domain %s, CoreDNS as kubeadm configures it.", domainOf(l.snapshot))
	}
	if n := len(l.out.Queries); n > 0 && l.out.ResolvConf.Evidence == model.Derived && ours {
		last := strings.TrimSuffix(l.out.Queries[n-1].Name, ".")
		if l.searched && last == l.name && l.pod.DNSPolicy != "None" {
			l.out.note("The node's own search domains, if it has any, are tried before the name as it is; they are in no API object.")
		}
	}
	if l.shuffled && countType(l.out.Answers) > 1 {
		l.out.note("CoreDNS shuffles several addresses with each answer, and the application may sort them again.")
	}
}

// countType is the largest number of answers of one type.
func countType(records []Record) int {
	counts := map[string]int{}
	for _, r := range records {
		counts[r.Type]++
	}
	most := 0
	for _, n := range counts {
		most = max(most, n)
	}
	return most
}
