package dns

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"svctour/model"
)

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

// Answer is what CoreDNS' kubernetes plugin v1.15.0 answers with the cluster's
// Corefile as far as s.DNS.Corefile knows it, else with kubeadm's: "kubernetes
// DOMAIN in-addr.arpa ip6.arpa { pods insecure; fallthrough in-addr.arpa
// ip6.arpa; ttl 30 }", everything else forwarded. name may lack its final dot;
// kind is a record type (A, AAAA, SRV, PTR, …). The names are those of
// "Kubernetes DNS-Based Service Discovery" 1.1.0 (kubernetes/dns,
// docs/specification.md); where that leaves a choice, CoreDNS' is taken.
//
// A name that exists without records of the kind has rcode NOERROR and no
// answers (NODATA, RFC 2308). The order of several answers is by object name
// here; CoreDNS shuffles them (plugin/loadbalance).
func Answer(s *model.Snapshot, name, kind string) Reply {
	z := &zone{snapshot: s, domain: strings.ToLower(domainOf(s)), corefile: corefileOf(s)}
	asked := strings.TrimSuffix(name, ".")
	name = strings.ToLower(asked)
	if _, inside := within(name, z.domain); inside {
		z.capitals = !strings.HasSuffix(asked, z.domain)
	} else {
		z.capitals = !strings.HasSuffix(asked, "arpa")
	}
	kind = strings.ToUpper(kind)
	evidence := model.Derived
	if s.DNS.Evidence == model.Unknown {
		evidence = model.Unknown
	}
	reply := z.answer(name, kind, nil)
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
	corefile model.Corefile
	// capitals says that the question writes the zone with some: the plugin
	// then does not know the zone's own records.
	capitals bool
}

// within says what of a name stands before a zone.
func within(name, zone string) (base string, ok bool) {
	if name == zone {
		return "", true
	}
	return strings.CutSuffix(name, "."+zone)
}

// answer is the plugin's ServeDNS (plugin/kubernetes/handler.go). chain is
// the aliases followed before.
func (z *zone) answer(name, kind string, chain []string) Reply {
	base, inside := within(name, z.domain)
	origin, reverse := z.domain, false
	for _, arpa := range []string{"in-addr.arpa", "ip6.arpa"} {
		if !inside {
			base, inside = within(name, arpa)
			origin, reverse = arpa, inside
		}
	}
	if !inside {
		return unknown
	}
	// plugin/kubernetes/ns.go, isDefaultNS: any name that begins so.
	own := strings.HasPrefix(name, "ns.dns.") && strings.Index(name+".", origin+".") == len("ns.dns.") && !z.capitals
	missing := Reply{Rcode: "NXDOMAIN"}
	if reverse {
		missing = unknown // the fallthrough
	}
	switch {
	case kind == "SOA" && base != "":
		return Reply{Rcode: "NOERROR"} // whether or not the name exists
	case base == "" && (kind == "SOA" || kind == "NS" && !z.capitals), own && (kind == "A" || kind == "AAAA"):
		return Reply{} // a serial number, or the server's own addresses
	case kind == "TXT" && base == "dns-version":
		return Reply{Rcode: "NOERROR", Answers: []Record{{Name: name + ".", Type: "TXT", TTL: 28800, Data: `"1.1.0"`}}}
	case kind == "PTR" && reverse:
		if ip, ok := reverseAddr(name); ok {
			return z.pointer(name, ip)
		}
	case own && kind != "TXT" && kind != "PTR":
		return Reply{Rcode: "NOERROR"}
	}
	found, rcode := z.records(base, reverse)
	switch {
	case rcode == "NXDOMAIN", kind == "TXT" && rcode == "NOERROR" && len(found) == 0:
		return missing // kubernetes.go Services: TXT of a name without records
	case rcode == "":
		return Reply{}
	}
	switch kind {
	case "A", "AAAA":
		return z.addresses(name, kind, found, chain)
	case "CNAME":
		if len(found) > 0 && found[0].alias != "" {
			return Reply{Rcode: "NOERROR", Answers: []Record{z.cname(name, found[0].alias)}}
		}
	case "SRV":
		return Reply{Rcode: "NOERROR", Answers: z.services(name, found)}
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

func (z *zone) cname(name, alias string) Record {
	return Record{Name: name + ".", Type: "CNAME", TTL: z.corefile.TTL, Data: strings.TrimSuffix(alias, ".") + "."}
}

// maxAliases is how many aliases a chain has at most (plugin/backend_lookup.go,
// maxCnameChainLength, which is compared with ">").
const maxAliases = 11

// addresses answers A and AAAA, following aliases inside the zone; an alias is
// followed once in a chain (plugin/pkg/dnsutil/cname.go, DuplicateCNAME).
func (z *zone) addresses(name, kind string, found []target, chain []string) Reply {
	reply := Reply{Rcode: "NOERROR"}
	seen := map[netip.Addr]bool{}
	for _, t := range found {
		switch {
		case t.alias != "":
			alias := strings.ToLower(strings.TrimSuffix(t.alias, "."))
			if _, below := within(alias, name); below || len(chain) >= maxAliases || slices.Contains(chain, alias) {
				continue
			}
			if _, inside := within(alias, z.domain); !inside {
				reply.Answers = append(reply.Answers, z.cname(name, alias))
				reply.Alias = alias + "."
				continue
			}
			if next := z.answer(alias, kind, append(slices.Clip(chain), alias)); len(next.Answers) > 0 {
				reply.Answers = append(append(reply.Answers, z.cname(name, alias)), next.Answers...)
				reply.Alias = next.Alias
			}
		case t.address.Is4() == (kind == "A") && !seen[t.address]:
			seen[t.address] = true
			reply.Answers = append(reply.Answers, Record{Name: name + ".", Type: kind, TTL: z.corefile.TTL, Data: t.address.String()})
		}
	}
	return reply
}

// services answers SRV. Weights share 100 among the records before duplicates
// (of several addresses of one owner) are dropped, as CoreDNS does.
func (z *zone) services(name string, found []target) []Record {
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
			out = append(out, Record{Name: name + ".", Type: "SRV", TTL: z.corefile.TTL, Data: data})
		}
	}
	return out
}

// records finds what a name, given without the domain, stands for. The rcode is
// "" when the snapshot cannot tell (plugin/kubernetes/parse.go, kubernetes.go).
func (z *zone) records(base string, reverse bool) ([]target, string) {
	if base == "" || base == "svc" || base == "pod" {
		return nil, "NOERROR"
	}
	if reverse {
		return nil, "NXDOMAIN"
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
	if area == "pod" && z.corefile.Pods == "disabled" {
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
		return z.podRecord(service, namespace)
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
// the name, whether or not a Pod has it; with "pods verified" only one that a
// Pod of the namespace has, spelled as in its status.
func (z *zone) podRecord(label, namespace string) ([]target, string) {
	text := strings.ReplaceAll(label, "-", ":")
	if strings.Count(label, "-") == 3 && !strings.Contains(label, "--") {
		text = strings.ReplaceAll(label, "-", ".")
	}
	ip, err := netip.ParseAddr(text)
	if err != nil || ip.Zone() != "" {
		return nil, "NXDOMAIN"
	}
	found := target{address: ip.Unmap(), owner: label + "." + namespace + ".pod." + z.domain}
	if z.corefile.Pods != "verified" {
		return []target{found}, "NOERROR"
	}
	if _, missing := z.snapshot.Sync.Missing["pods"]; missing {
		return nil, ""
	}
	var out []target
	for _, pod := range z.snapshot.PodsIn(namespace) {
		if slices.Contains(pod.IPs, text) && (pod.Phase == "Pending" || pod.Phase == "Running") && !pod.Terminating() {
			out = append(out, found)
		}
	}
	if len(out) == 0 {
		return nil, "NXDOMAIN"
	}
	return out, "NOERROR"
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
	add := func(text string, port int32, owner string) {
		if ip, err := netip.ParseAddr(text); err == nil {
			out = append(out, target{address: ip.Unmap(), port: port, owner: owner})
		} else if text != "" {
			out = append(out, target{alias: text, port: port, owner: owner}) // a slice of address type FQDN
		}
	}
	if svc.Headless() || q.endpoint != "" {
		for _, slice := range z.snapshot.ServiceSlices(svc.Namespace, svc.Name) {
			z.eachAddress(slice, func(e *model.Endpoint, text string) {
				host := z.endpointName(e, text)
				if q.endpoint != "" && !strings.EqualFold(q.endpoint, host) {
					return
				}
				for i := range slice.Ports {
					p := &slice.Ports[i]
					if !q.wants(p.Name, p.Protocol) {
						continue
					}
					port := int32(-1)
					if p.Port != nil {
						port = *p.Port
					}
					add(text, port, host+"."+owner)
				}
				if len(slice.Ports) == 0 && q.wants("", "") {
					add(text, -1, host+"."+owner)
				}
			})
		}
		return out
	}
	if z.corefile.IgnoreEmpty && !z.populated(svc) {
		return nil
	}
	for i := range svc.Ports {
		if p := &svc.Ports[i]; q.wants(p.Name, p.Protocol) {
			for _, text := range svc.ClusterIPs {
				add(text, p.Port, owner)
			}
		}
	}
	if len(svc.Ports) == 0 && q.wants("", "") {
		for _, text := range svc.ClusterIPs {
			add(text, -1, owner)
		}
	}
	return out
}

// populated says whether a Service has a ready endpoint.
func (z *zone) populated(svc *model.Service) bool {
	found := false
	for _, slice := range z.snapshot.ServiceSlices(svc.Namespace, svc.Name) {
		z.eachAddress(slice, func(*model.Endpoint, string) { found = true })
	}
	return found
}

// eachAddress visits the ready endpoints of a slice: all their addresses, and,
// unlike kube-proxy, no endpoint for being the last that is still serving
// (plugin/kubernetes/object/endpoint.go).
func (z *zone) eachAddress(slice *model.EndpointSlice, visit func(*model.Endpoint, string)) {
	for i := range slice.Endpoints {
		if e := &slice.Endpoints[i]; e.IsReady() {
			for _, text := range e.Addresses {
				visit(e, text)
			}
		}
	}
}

// endpointName is an endpoint's own label: its hostname, with
// endpoint_pod_names its Pod's name, else its address with dashes
// (plugin/kubernetes/kubernetes.go, endpointHostname).
func (z *zone) endpointName(e *model.Endpoint, address string) string {
	switch {
	case e.Hostname != "":
		return e.Hostname
	case z.corefile.EndpointPodNames && e.Target != nil && e.Target.Name != "" && len(e.Target.Name) < 64:
		return e.Target.Name
	case strings.Contains(address, "."):
		return strings.ReplaceAll(address, ".", "-")
	}
	name := strings.ReplaceAll(address, ":", "-")
	if strings.HasSuffix(name, "-") { // no label ends in a dash
		name += "0"
	}
	return name
}

// pointer answers PTR: the Service that holds a cluster IP, or each Service of
// which the address is a ready endpoint; others are asked upstream
// (plugin/kubernetes/reverse.go).
func (z *zone) pointer(name string, ip netip.Addr) Reply {
	if z.snapshot.Cluster.Namespace != "" || !z.readable("") {
		return Reply{}
	}
	reply := Reply{Rcode: "NOERROR"}
	add := func(data string) {
		reply.Answers = append(reply.Answers, Record{Name: name + ".", Type: "PTR", TTL: z.corefile.TTL, Data: data + "."})
	}
	address := ip.String()
	for _, svc := range z.snapshot.Services {
		if slices.Contains(svc.ClusterIPs, address) {
			add(svc.Name + "." + svc.Namespace + ".svc." + z.domain)
			return reply
		}
	}
	names := map[string]bool{}
	for _, slice := range z.snapshot.Slices {
		z.eachAddress(slice, func(e *model.Endpoint, text string) {
			if service := slice.Service(); text == address && service != "" {
				names[z.endpointName(e, text)+"."+service+"."+slice.Namespace+".svc."+z.domain] = true
			}
		})
	}
	for _, host := range slices.Sorted(maps.Keys(names)) {
		add(host)
	}
	if len(reply.Answers) == 0 {
		return unknown
	}
	return reply
}
