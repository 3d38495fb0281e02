package dns

import (
	"fmt"
	"net/netip"
	"sort"
	"strings"

	"svctour/model"
)

// ttl is the time to live of every record in the cluster's zone, in seconds:
// kubeadm's Corefile says "ttl 30" (the plugin's own default is 5).
const ttl = 30

// Reply is what the cluster's DNS server answers to one question.
type Reply struct {
	Rcode    string // NOERROR, NXDOMAIN; "" when it is not known
	Answers  []Record
	Evidence model.Evidence
	// Upstream says that the answer comes from a server outside the cluster.
	Upstream bool
	// Alias is the name outside the cluster that the answer's last CNAME points
	// to; its addresses come from upstream and are not among Answers.
	Alias string
}

// Answer is what CoreDNS' kubernetes plugin (v1.14) answers with kubeadm's
// Corefile: "kubernetes DOMAIN in-addr.arpa ip6.arpa { pods insecure;
// fallthrough in-addr.arpa ip6.arpa; ttl 30 }", everything else forwarded.
// name may lack its final dot; kind is a record type (A, AAAA, SRV, PTR, …).
//
// A name that exists without records of the kind has rcode NOERROR and no
// answers (NODATA). The order of several answers is by object name here;
// CoreDNS shuffles them.
func Answer(s *model.Snapshot, name, kind string) Reply {
	z := &zone{snapshot: s, domain: domainOf(s)}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	kind = strings.ToUpper(kind)
	evidence := model.Derived
	if s.DNS.Evidence == model.Unknown {
		evidence = model.Unknown
	}
	reply := z.answer(name, kind, 0)
	if reply.Rcode != "" {
		reply.Evidence = evidence
	}
	return reply
}

// unknown is the reply of a server that is not ours to predict.
var unknown = Reply{Upstream: true}

// zone answers questions from one snapshot.
type zone struct {
	snapshot *model.Snapshot
	domain   string
}

func (z *zone) answer(name, kind string, depth int) Reply {
	if ip, ok := reverseAddr(name); ok {
		if kind == "PTR" {
			return z.pointer(name, ip)
		}
		return unknown
	}
	base, inside := strings.CutSuffix(name, z.domain)
	if !inside || base != "" && !strings.HasSuffix(base, ".") {
		return unknown
	}
	base = strings.TrimSuffix(base, ".")
	if base == "ns.dns" || base == "" && (kind == "SOA" || kind == "NS") {
		return Reply{} // the server's own address and serial number
	}
	if base == "dns-version" && kind == "TXT" {
		return Reply{Rcode: "NOERROR", Answers: []Record{{Name: name + ".", Type: "TXT", TTL: 28800, Data: `"1.1.0"`}}}
	}
	found, rcode := z.records(base)
	if rcode != "NOERROR" {
		return Reply{Rcode: rcode}
	}
	switch kind {
	case "A", "AAAA":
		return z.addresses(name, kind, found, depth)
	case "CNAME":
		if len(found) > 0 && found[0].alias != "" {
			return Reply{Rcode: "NOERROR", Answers: []Record{cname(name, found[0].alias)}}
		}
	case "SRV":
		return Reply{Rcode: "NOERROR", Answers: services(name, found)}
	}
	return Reply{Rcode: "NOERROR"}
}

// target is one thing that a name in the zone stands for.
type target struct {
	address netip.Addr
	alias   string // of an ExternalName; then address is not set
	port    int32  // -1 when the slice has no ports
	owner   string // name that SRV records point to, without final dot
}

func cname(name, alias string) Record {
	return Record{Name: name + ".", Type: "CNAME", TTL: ttl, Data: strings.TrimSuffix(alias, ".") + "."}
}

// addresses answers A and AAAA, following aliases inside the zone.
func (z *zone) addresses(name, kind string, found []target, depth int) Reply {
	reply := Reply{Rcode: "NOERROR"}
	seen := map[netip.Addr]bool{}
	for _, t := range found {
		switch {
		case t.alias != "":
			alias := strings.ToLower(strings.TrimSuffix(t.alias, "."))
			if depth > 7 || alias == name { // plugin/backend_lookup.go: loops end here
				continue
			}
			next := z.answer(alias, kind, depth+1)
			if next.Upstream {
				reply.Answers = append(reply.Answers, cname(name, alias))
				reply.Alias = alias + "."
				continue
			}
			if len(next.Answers) > 0 {
				reply.Answers = append(append(reply.Answers, cname(name, alias)), next.Answers...)
				reply.Alias = next.Alias
			}
		case t.address.Is4() == (kind == "A") && !seen[t.address]:
			seen[t.address] = true
			reply.Answers = append(reply.Answers, Record{Name: name + ".", Type: kind, TTL: ttl, Data: t.address.String()})
		}
	}
	return reply
}

// services answers SRV. Weights share 100 among the records before duplicates
// (of several addresses of one owner) are dropped, as CoreDNS does.
func services(name string, found []target) []Record {
	total := 0
	for _, t := range found {
		if t.alias == "" {
			total++
		}
	}
	var out []Record
	seen := map[string]bool{}
	for _, t := range found {
		if t.alias != "" || t.port == -1 {
			continue
		}
		data := fmt.Sprintf("0 %d %d %s.", max(1, 100/total), t.port, t.owner)
		if !seen[data] {
			seen[data] = true
			out = append(out, Record{Name: name + ".", Type: "SRV", TTL: ttl, Data: data})
		}
	}
	return out
}

// records finds what a name, given without the domain, stands for. The rcode is
// "" when the snapshot cannot tell (plugin/kubernetes/parse.go, kubernetes.go).
func (z *zone) records(base string) ([]target, string) {
	if base == "" || base == "svc" || base == "pod" {
		return nil, "NOERROR"
	}
	labels := strings.Split(base, ".")
	last := len(labels) - 1
	area := labels[last]
	if area != "svc" && area != "pod" {
		return nil, "NXDOMAIN"
	}
	namespace, labels := labels[last-1], labels[:last-1]
	if len(labels) > 3 {
		return nil, "NXDOMAIN"
	}
	exists := z.namespace(namespace)
	if exists != "NOERROR" {
		return nil, exists
	}
	if len(labels) == 0 {
		return nil, "NOERROR"
	}
	service := labels[len(labels)-1]
	if area == "pod" {
		return podRecord(service)
	}
	if !z.readable(namespace) {
		return nil, ""
	}
	svc := z.snapshot.Service(namespace, service)
	if svc == nil {
		return nil, "NXDOMAIN"
	}
	var q question
	switch len(labels) {
	case 2:
		q.endpoint = labels[0]
	case 3:
		q.port, q.protocol = strings.TrimPrefix(labels[0], "_"), strings.TrimPrefix(labels[1], "_")
	}
	found := z.service(svc, q)
	if len(found) == 0 {
		return nil, "NXDOMAIN"
	}
	return found, "NOERROR"
}

// namespace says whether a namespace exists; "" when that is not known.
func (z *zone) namespace(name string) string {
	s := z.snapshot
	if s.Namespace(name) != nil || s.Cluster.Namespace == name {
		return "NOERROR"
	}
	if _, missing := s.Sync.Missing["namespaces"]; !missing && s.Cluster.Namespace == "" && len(s.Namespaces) > 0 {
		return "NXDOMAIN"
	}
	for _, svc := range s.Services {
		if svc.Namespace == name {
			return "NOERROR"
		}
	}
	if len(s.PodsIn(name)) > 0 {
		return "NOERROR"
	}
	return ""
}

// readable says whether the Services of a namespace were read.
func (z *zone) readable(namespace string) bool {
	s := z.snapshot
	for _, resource := range []string{"services", "endpointslices"} {
		if _, missing := s.Sync.Missing[resource]; missing {
			return false
		}
	}
	return s.Cluster.Namespace == "" || s.Cluster.Namespace == namespace
}

// podRecord answers a-b-c-d.NAMESPACE.pod: with "pods insecure" the address in
// the name, whether or not a Pod has it.
func podRecord(label string) ([]target, string) {
	text := strings.ReplaceAll(label, "-", ":")
	if strings.Count(label, "-") == 3 && !strings.Contains(label, "--") {
		text = strings.ReplaceAll(label, "-", ".")
	}
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return nil, "NXDOMAIN"
	}
	return []target{{address: ip.Unmap(), port: -1}}, "NOERROR"
}

// question is what stands before the Service in a name.
type question struct{ endpoint, port, protocol string }

func (q question) wants(port, protocol string) bool {
	return (q.port == "" || strings.EqualFold(q.port, port)) && (q.protocol == "" || strings.EqualFold(q.protocol, protocol))
}

// service finds the records of one Service (plugin/kubernetes findServices).
func (z *zone) service(svc *model.Service, q question) []target {
	owner := svc.Name + "." + svc.Namespace + ".svc." + z.domain
	if svc.Type == model.ExternalName {
		if _, err := netip.ParseAddr(svc.ExternalName); err == nil || q != (question{}) || svc.ExternalName == "" {
			return nil // an address is no alias
		}
		return []target{{alias: svc.ExternalName, port: -1}}
	}
	var out []target
	if svc.Headless() || q.endpoint != "" {
		z.eachEndpoint(svc, func(e *model.Endpoint, ip netip.Addr, ports []model.EndpointPort) {
			host := endpointName(e.Hostname, ip)
			if q.endpoint != "" && !strings.EqualFold(q.endpoint, host) {
				return
			}
			for i := range ports {
				if p := &ports[i]; p.Port != nil && q.wants(p.Name, p.Protocol) {
					out = append(out, target{address: ip, port: *p.Port, owner: host + "." + owner})
				}
			}
			if len(ports) == 0 && q.wants("", "") {
				out = append(out, target{address: ip, port: -1, owner: host + "." + owner})
			}
		})
		return out
	}
	for i := range svc.Ports {
		p := &svc.Ports[i]
		if !q.wants(p.Name, p.Protocol) {
			continue
		}
		for _, text := range svc.ClusterIPs {
			if ip, err := netip.ParseAddr(text); err == nil {
				out = append(out, target{address: ip.Unmap(), port: p.Port, owner: owner})
			}
		}
	}
	return out
}

// eachEndpoint visits the ready endpoints of a Service: all their addresses,
// and, unlike kube-proxy, none that is terminating.
func (z *zone) eachEndpoint(svc *model.Service, visit func(*model.Endpoint, netip.Addr, []model.EndpointPort)) {
	for _, slice := range z.snapshot.ServiceSlices(svc.Namespace, svc.Name) {
		for i := range slice.Endpoints {
			e := &slice.Endpoints[i]
			if !e.IsReady() {
				continue
			}
			for _, text := range e.Addresses {
				if ip, err := netip.ParseAddr(text); err == nil {
					visit(e, ip.Unmap(), slice.Ports)
				}
			}
		}
	}
}

// endpointName is an endpoint's own label: its hostname or its address with
// dashes (plugin/kubernetes endpointHostname).
func endpointName(hostname string, ip netip.Addr) string {
	if hostname != "" {
		return hostname
	}
	name := strings.NewReplacer(".", "-", ":", "-").Replace(ip.String())
	if strings.HasSuffix(name, "-") { // no label ends in a dash
		name += "0"
	}
	return name
}

// pointer answers PTR: the Service that holds a cluster IP, or each Service of
// which the address is a ready endpoint; others are asked upstream.
func (z *zone) pointer(name string, ip netip.Addr) Reply {
	if z.snapshot.Cluster.Namespace != "" || !z.readable("") {
		return Reply{}
	}
	reply := Reply{Rcode: "NOERROR"}
	add := func(data string) {
		reply.Answers = append(reply.Answers, Record{Name: name + ".", Type: "PTR", TTL: ttl, Data: data + "."})
	}
	for _, svc := range z.snapshot.Services {
		for _, text := range svc.ClusterIPs {
			if held, err := netip.ParseAddr(text); err == nil && held.Unmap() == ip {
				add(svc.Name + "." + svc.Namespace + ".svc." + z.domain)
				return reply
			}
		}
	}
	for _, svc := range z.snapshot.Services {
		names := map[string]bool{}
		z.eachEndpoint(svc, func(e *model.Endpoint, held netip.Addr, _ []model.EndpointPort) {
			if held == ip {
				names[endpointName(e.Hostname, ip)+"."+svc.Name+"."+svc.Namespace+".svc."+z.domain] = true
			}
		})
		sorted := make([]string, 0, len(names))
		for host := range names {
			sorted = append(sorted, host)
		}
		sort.Strings(sorted)
		for _, host := range sorted {
			add(host)
		}
	}
	if len(reply.Answers) == 0 {
		return unknown
	}
	return reply
}

// reverseAddr reads a name under in-addr.arpa or ip6.arpa. A name there that is
// no whole address gives the zero Addr.
func reverseAddr(name string) (netip.Addr, bool) {
	reversed := func(labels []string) []string {
		out := make([]string, len(labels))
		for i, label := range labels {
			out[len(labels)-1-i] = label
		}
		return out
	}
	if digits, ok := strings.CutSuffix(name, ".in-addr.arpa"); ok {
		ip, _ := netip.ParseAddr(strings.Join(reversed(strings.Split(digits, ".")), "."))
		return ip, true
	}
	if digits, ok := strings.CutSuffix(name, ".ip6.arpa"); ok {
		labels := reversed(strings.Split(digits, "."))
		var b strings.Builder
		for i, label := range labels {
			if i > 0 && i%4 == 0 {
				b.WriteByte(':')
			}
			b.WriteString(label)
		}
		ip, _ := netip.ParseAddr(b.String())
		if len(labels) != 32 || !ip.Is6() {
			return netip.Addr{}, true
		}
		return ip, true
	}
	return netip.Addr{}, name == "in-addr.arpa" || name == "ip6.arpa"
}

// ReverseName is the name whose PTR record belongs to an address.
func ReverseName(ip netip.Addr) string {
	if ip = ip.Unmap(); ip.Is4() {
		b := ip.As4()
		return fmt.Sprintf("%d.%d.%d.%d.in-addr.arpa.", b[3], b[2], b[1], b[0])
	}
	var out strings.Builder
	b := ip.As16()
	for i := len(b) - 1; i >= 0; i-- {
		fmt.Fprintf(&out, "%x.%x.", b[i]&0xf, b[i]>>4)
	}
	return out.String() + "ip6.arpa."
}
