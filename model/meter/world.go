package meter

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"svctour/model"
	"svctour/model/dns"
	"svctour/model/endpoints"
	"svctour/model/path"
	"svctour/model/policy"
)

// Aim is whom a stream comes from and what it goes to.
type Aim struct {
	Client             model.Client // a Pod
	Namespace, Service string
	Host               string // as Spec.Host
	Port               uint16
}

// World is what a snapshot says about a stream, and what it and the ones before
// it said of Pods that went away. It does not change.
type World struct {
	time time.Time
	aim  Aim

	pods  map[string]podState   // by name: those that the Service has, or had a moment ago
	byIP  map[netip.Addr]string // their addresses, and their names
	left  []departure           // oldest first
	trace *path.Trace           // of a request; nil when there is none

	denied map[string]string // by destination: the NetworkPolicies that let nothing through
	// rejecting and dnsDown are the latest times in which no endpoint could be
	// chosen, and no DNS server was ready.
	rejecting, dnsDown span
	dnsDenied          string // the NetworkPolicies that keep the client from every DNS server
	noName             string // why the name has no address; "" when it has, or when that is not known
}

// podState is how far a Pod can answer, worse states last.
type podState struct {
	state    state
	ip       netip.Addr
	restarts int32
	seen     time.Time // that the Service had it
}

type state int

const (
	ready state = iota
	notReady
	terminating
	gone
)

func (s state) String() string {
	return [...]string{ready: "restarted", notReady: "was not ready any more", terminating: "was being deleted", gone: "was gone"}[s]
}

// departure is a Pod that stopped to be an endpoint, or a container of it that
// was started again.
type departure struct {
	pod string
	at  time.Time
	how state
}

// span is a time that something lasted; to is zero while it lasts.
type span struct{ from, to time.Time }

// Bounds on what a World remembers, and how far what a Pod does and what a
// request meets may lie apart: a client waits up to four seconds, and nodes
// learn of a change later than we do, or earlier.
const (
	keptTime   = 30 * time.Second
	keptLeft   = 256
	beforehand = 5 * time.Second
	afterwards = 10 * time.Second
	lag        = 1500 * time.Millisecond
)

// holds says whether a request that was sent at a time may have met it.
func (s span) holds(at time.Time) bool {
	return !s.from.IsZero() && at.After(s.from.Add(-lag)) && (s.to.IsZero() || at.Before(s.to.Add(lag)))
}

// next is the span when a newer snapshot says whether it lasts.
func (s span) next(now time.Time, lasts bool) span {
	switch {
	case lasts && (s.from.IsZero() || !s.to.IsZero()):
		return span{from: now}
	case !lasts && s.to.IsZero() && !s.from.IsZero():
		s.to = now
	}
	return s
}

// Look gives what a snapshot says. trace is the path of a request in it, nil
// when there is none; before is the World of the snapshot before, nil for the
// first. Which Pods a Service has is what its EndpointSlices and its selector
// say (pkg/proxy/endpointslicecache.go; k8s.io/endpointslice/reconciler.go).
func Look(s *model.Snapshot, aim Aim, trace *path.Trace, before *World) *World {
	w := &World{time: s.Time, aim: aim, trace: trace, pods: map[string]podState{}, byIP: map[netip.Addr]string{}, denied: map[string]string{}}
	if before != nil && before.aim == aim {
		w.left, w.rejecting, w.dnsDown = before.left, before.rejecting, before.dnsDown
	} else {
		before = nil
	}
	w.members(s)
	if before != nil {
		w.departures(before)
	}
	w.rejecting = w.rejecting.next(s.Time, w.verdict(path.Reject))
	w.policies(s)
	w.names(s)
	return w
}

// members finds the Service's Pods.
func (w *World) members(s *model.Snapshot) {
	service := s.Service(w.aim.Namespace, w.aim.Service)
	if service == nil {
		return
	}
	listed := map[string]bool{} // endpoints that are ready, by the Pod's name
	for _, slice := range s.ServiceSlices(service.Namespace, service.Name) {
		for i := range slice.Endpoints {
			if e := &slice.Endpoints[i]; e.Target != nil && e.Target.Kind == "Pod" {
				listed[e.Target.Name] = listed[e.Target.Name] || e.IsReady()
			}
		}
	}
	for _, pod := range s.PodsIn(service.Namespace) {
		isReady, has := listed[pod.Name]
		if !has && !endpoints.Selects(service, pod) {
			continue
		}
		p := podState{state: notReady, seen: s.Time}
		switch {
		case pod.Terminating():
			p.state = terminating
		case pod.Ended():
			p.state = gone
		case isReady && pod.Ready() || isReady && service.PublishNotReady:
			p.state = ready
		}
		for i := range pod.Containers {
			p.restarts += pod.Containers[i].Restarts
		}
		p.ip, _ = netip.ParseAddr(pod.IP())
		w.pods[pod.Name] = p
		for _, ip := range pod.IPs {
			if address, err := netip.ParseAddr(ip); err == nil {
				w.byIP[address] = pod.Name
			}
		}
	}
}

// departures notes which Pods are worse off than before, and keeps those that
// are gone for a while: an answer of theirs may still be on its way.
func (w *World) departures(before *World) {
	left := w.left
	for name, was := range before.pods {
		is, there := w.pods[name]
		if !there {
			is = was
			if is.state = gone; w.time.Sub(is.seen) < keptTime {
				w.pods[name] = is
				if _, taken := w.byIP[is.ip]; !taken && is.ip.IsValid() {
					w.byIP[is.ip] = name
				}
			}
		}
		switch {
		case is.state > was.state:
			left = append(left, departure{name, w.time, is.state})
		case is.restarts > was.restarts:
			left = append(left, departure{name, w.time, ready})
		}
	}
	fresh := left[:0:0]
	for _, d := range left {
		if w.time.Sub(d.at) < keptTime {
			fresh = append(fresh, d)
		}
	}
	slices.SortStableFunc(fresh, func(a, b departure) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.pod, b.pod)) })
	w.left = fresh[max(0, len(fresh)-keptLeft):]
}

// verdict says whether each way of a request ends so.
func (w *World) verdict(v path.Verdict) bool {
	if w.trace == nil || len(w.trace.Outcomes) == 0 {
		return false
	}
	return !slices.ContainsFunc(w.trace.Outcomes, func(o path.Outcome) bool { return o.Verdict != v })
}

// policies finds out which destinations NetworkPolicies keep the client from.
func (w *World) policies(s *model.Snapshot) {
	client := s.Pod(w.aim.Client.Namespace, w.aim.Client.Name)
	if client == nil || len(s.Policies) == 0 {
		return
	}
	set := policy.New(s.Policies, s.Namespaces)
	if w.trace != nil {
		for i := range w.trace.Outcomes {
			if to := w.trace.Outcomes[i].Destination; to != nil {
				if by := denies(set, s, client, to.IP, to.Port, "TCP"); by != "" {
					w.denied[to.IP] = by
				}
			}
		}
	}
	w.dnsDenied = deniesDNS(set, s, client)
}

// denies names the policies that keep a Pod from an address; "" when none does.
func denies(set *policy.Set, s *model.Snapshot, client *model.Pod, ip string, port int32, protocol string) string {
	address, err := netip.ParseAddr(ip)
	from, err2 := netip.ParseAddr(client.IP())
	if err != nil || err2 != nil {
		return ""
	}
	c := &policy.Connection{
		Source: policy.End{Address: from, Pod: client}, Destination: policy.End{Address: address, Pod: s.PodByIP(ip)}, Protocol: protocol, Port: port,
	}
	for _, verdict := range []policy.Verdict{set.Egress(c), set.Ingress(c)} {
		if !verdict.Passes() {
			var names []string
			for _, p := range verdict.Policies {
				names = append(names, p.Key())
			}
			return strings.Join(names, ", ")
		}
	}
	return ""
}

// deniesDNS names the policies that keep a Pod from every Pod behind the
// cluster's DNS; "" when one can be asked, or none is known.
func deniesDNS(set *policy.Set, s *model.Snapshot, client *model.Pod) (by string) {
	for _, service := range s.Services {
		if !slices.ContainsFunc(s.DNS.Servers, func(server string) bool { return slices.Contains(service.ClusterIPs, server) }) {
			continue
		}
		for i := range service.Ports {
			if service.Ports[i].Port != 53 || service.Ports[i].Protocol != "UDP" {
				continue
			}
			for at, e := range endpoints.Joined(s.ServiceSlices(service.Namespace, service.Name), &service.Ports[i]) {
				if !e.IsReady() {
					continue
				}
				if by = denies(set, s, client, at.Addr().String(), int32(at.Port()), "UDP"); by == "" {
					return ""
				}
			}
		}
	}
	return by
}

// names finds out what a look-up of the host's name comes to.
func (w *World) names(s *model.Snapshot) {
	if w.byAddress() {
		return
	}
	known := len(s.DNS.Servers) > 0 && s.DNS.Evidence != model.Unknown
	w.dnsDown = w.dnsDown.next(s.Time, known && !s.DNS.Serving)
	resolution, err := dns.Resolve(s, dns.Request{Namespace: w.aim.Client.Namespace, From: w.aim.Client.String(), Name: w.aim.Host})
	if err != nil || len(resolution.Answers) > 0 || len(resolution.Queries) == 0 {
		return
	}
	// What no name of the cluster is may still be one outside of it: but a client
	// that was told of none has asked there, too.
	var rcode string
	for i := range resolution.Queries {
		if q := &resolution.Queries[i]; q.Evidence != model.Unknown {
			rcode = q.Rcode
		}
	}
	switch rcode {
	case "NXDOMAIN":
		w.noName = fmt.Sprintf("no name of the cluster is %s (NXDOMAIN)", w.aim.Host)
	case "NOERROR":
		w.noName = fmt.Sprintf("the name %s has no address", w.aim.Host)
	}
}

// byAddress says that nothing is looked up.
func (w *World) byAddress() bool {
	_, err := netip.ParseAddr(w.aim.Host)
	return err == nil
}

// named is the Service's Pod that an answer names; "" when it names none, or
// more than one.
func (w *World) named(said string) (pod string) {
	for word := range strings.FieldsFuncSeq(said, func(r rune) bool {
		return r != '-' && r != '.' && (r < 'a' || r > 'z') && (r < '0' || r > '9')
	}) {
		word = strings.Trim(word, "-.")
		if _, is := w.pods[word]; !is {
			word, _, _ = strings.Cut(word, ".") // a StatefulSet's Pod may say its name in DNS
			if _, is = w.pods[word]; !is {
				continue
			}
		}
		if pod != "" && pod != word {
			return ""
		}
		pod = word
	}
	return pod
}

// lately are the Pods that left at about a time, each once, in the last state.
func (w *World) lately(at time.Time) []departure {
	var out []departure
	for _, d := range w.left {
		if d.at.Before(at.Add(-afterwards)) || d.at.After(at.Add(beforehand)) {
			continue
		}
		out = slices.DeleteFunc(out, func(o departure) bool { return o.pod == d.pod })
		out = append(out, d)
	}
	return out
}
