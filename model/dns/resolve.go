package dns

import (
	"errors"
	"fmt"
	"net/netip"
	"sort"
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
}

// Resolve predicts a look-up with glibc's resolver: the Pod's resolv.conf, each
// name it tries, each query and answer, and what the application gets. A name
// outside the cluster's zone has no predictable answer, and whether the search
// goes on after it is not predictable either: the queries end there.
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
	name := strings.TrimSpace(r.Name)
	pod, from, notes, err := client(s, r)
	if err != nil {
		return nil, err
	}
	out := &Resolution{From: from, Name: r.Name, Queries: []Query{}, Answers: []Record{}}
	var more []string
	out.ResolvConf, more = ResolvConfOf(s, pod)
	out.Notes = append(notes, more...)

	if ip, err := netip.ParseAddr(name); err == nil {
		if kind != "PTR" {
			out.note("An IP address needs no look-up.")
			return out, nil
		}
		name = ReverseName(ip)
	}
	if err := checkName(name); err != nil {
		return nil, fmt.Errorf("name %q: %w", r.Name, err)
	}
	l := &lookup{snapshot: s, pod: pod, out: out, types: []string{"A", "AAAA"}}
	if kind != "" {
		l.types = []string{kind}
	} else if l.hosts(name) {
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
	kind, rest, _ := strings.Cut(r.From, "/")
	if kind != "pod" && kind != "pods" && kind != "po" || rest == "" {
		return nil, "", nil, fmt.Errorf("from %q: want pod/NAME or pod/NAMESPACE/NAME; nodes and clients outside use other DNS servers", r.From)
	}
	namespace, name, ok := strings.Cut(rest, "/")
	if !ok {
		namespace, name = r.Namespace, rest
	}
	if why, missing := s.Sync.Missing["pods"]; missing {
		return nil, "", nil, fmt.Errorf("from Pod %q: Pods cannot be read: %s", namespace+"/"+name, why)
	}
	pod := s.Pod(namespace, name)
	if pod == nil {
		return nil, "", nil, fmt.Errorf("from: no Pod %q in namespace %q", name, namespace)
	}
	return pod, "pod/" + pod.Key(), nil, nil
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
	name     string // as it is looked up
	searched bool   // search domains came before the name as it is
	shuffled bool
}

// hosts answers from the /etc/hosts that kubelet writes, which applications
// consult before DNS; false when the name is not in it
// (pkg/kubelet/kubelet_pods.go, managedHostsFileContent).
func (l *lookup) hosts(name string) bool {
	addresses := l.pod.IPs
	host := l.pod.Hostname
	if host == "" {
		host = l.pod.Name
	}
	switch {
	case name == "localhost":
		addresses = []string{"127.0.0.1", "::1"}
	case l.pod.HostNetwork || host == "" || len(addresses) == 0:
		return false
	case name == host:
	case l.pod.Subdomain != "" && name == host+"."+l.pod.Subdomain+"."+l.pod.Namespace+".svc."+domainOf(l.snapshot):
	default:
		return false
	}
	for _, text := range addresses {
		ip, err := netip.ParseAddr(text)
		if err != nil {
			continue
		}
		kind := "A"
		if ip.Is6() {
			kind = "AAAA"
		}
		l.out.Answers = append(l.out.Answers, Record{Name: name, Type: kind, Data: ip.String()})
	}
	l.out.note("%q is in the Pod's /etc/hosts, which kubelet writes and which comes before DNS: no query is sent.", name)
	return true
}

// search tries the candidates until one succeeds or cannot be predicted.
func (l *lookup) search(name string) {
	candidates := Candidates(l.out.ResolvConf, name)
	l.name, l.searched = name, candidates[0] != name && candidates[0] != name+"."
	for i, candidate := range candidates {
		if len(strings.TrimSuffix(candidate, ".")) > 253 {
			continue // the resolver cannot build it and goes on
		}
		found, known := l.ask(candidate)
		if found {
			return
		}
		if known {
			continue
		}
		if rest := candidates[i+1:]; len(rest) > 0 {
			l.out.note("The answer for %s is not predictable. If it fails, the resolver goes on with %s.", candidate, strings.Join(rest, ", "))
		}
		return
	}
}

// ask sends one name's queries; found means the application gets an answer,
// known that every answer could be predicted.
func (l *lookup) ask(name string) (found, known bool) {
	known = true
	ours, server := l.server()
	var answers []Record
	for _, kind := range l.types {
		query := Query{Name: name, Type: kind, Server: server, Answers: []Record{}}
		if ours {
			reply := Answer(l.snapshot, name, kind)
			query.Rcode, query.Evidence = reply.Rcode, reply.Evidence
			query.Answers = append(query.Answers, reply.Answers...)
			if reply.Rcode == "" {
				l.unpredictable(name, reply.Upstream)
			}
			if reply.Alias != "" && kind != "AAAA" {
				l.out.note("The addresses of %s come from outside the cluster and are not predicted.", reply.Alias)
			}
		}
		known = known && query.Rcode != ""
		answers = append(answers, query.Answers...)
		l.out.Queries = append(l.out.Queries, query)
	}
	l.out.Answers = append(l.out.Answers, withoutRepeats(answers)...)
	l.shuffled = l.shuffled || len(answers) > 1
	return len(answers) > 0, known
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

// server is the nameserver that is asked first, and whether it is the cluster's.
func (l *lookup) server() (ours bool, server string) {
	servers := l.out.ResolvConf.Nameservers
	if len(servers) == 0 {
		// Unknown, but a cluster's when the Pod's policy asks the cluster's DNS.
		return len(l.out.ResolvConf.Search) > 0 && l.pod.DNSPolicy != "None" && l.pod.DNSPolicy != "Default" && len(l.snapshot.DNS.Servers) == 0, ""
	}
	for _, s := range l.snapshot.DNS.Servers {
		if s == servers[0] {
			return true, servers[0]
		}
	}
	return false, servers[0]
}

// remarks adds what the prediction rests on.
func (l *lookup) remarks() {
	dns := &l.snapshot.DNS
	ours, server := l.server()
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
	sorted := make([]int, 0, len(counts))
	for _, n := range counts {
		sorted = append(sorted, n)
	}
	sort.Ints(sorted)
	if len(sorted) == 0 {
		return 0
	}
	return sorted[len(sorted)-1]
}
