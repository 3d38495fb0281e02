package whatif

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"svctour/model"
	"svctour/model/dns"
	"svctour/model/endpoints"
	"svctour/model/path"
)

// compare compares a prediction with the cluster after the edit, line by line,
// and says how many lines there are.
func (w *world) compare(planned *model.Planned, after *model.Snapshot) (int, error) {
	want, err := w.tell(planned, planned.Snapshot)
	if err != nil {
		return 0, err
	}
	is, err := w.tell(planned, after)
	if err != nil {
		return 0, err
	}
	missing, more := without(want, is), without(is, want)
	if len(missing)+len(more) == 0 {
		return len(want), nil
	}
	return 0, errors.New("predicted:\n" + first(missing) + "\nis:\n" + first(more))
}

// first gives the first lines: one difference shows in many.
func first(lines []string) string {
	if len(lines) > 12 {
		lines = append(slices.Clone(lines[:12]), fmt.Sprintf("and %d more", len(lines)-12))
	}
	return strings.Join(lines, "\n")
}

// without gives the lines of a list that another does not have, as often as it
// has more of them.
func without(list, other []string) []string {
	has := map[string]int{}
	for _, line := range other {
		has[line]++
	}
	var out []string
	for _, line := range list {
		if has[line]--; has[line] < 0 {
			out = append(out, line)
		}
	}
	return out
}

// teller tells a snapshot in lines, what the prediction leaves open by the same
// words on both sides.
type teller struct {
	w       *world
	planned *model.Planned
	s       *model.Snapshot
	names   map[string]string // of what is open, by the word that a line would have
	moved   bool              // new Pods: on which node is open
	out     []string
}

func (w *world) tell(planned *model.Planned, s *model.Snapshot) ([]string, error) {
	l := &teller{w: w, planned: planned, s: s, names: map[string]string{}}
	if err := l.learn(); err != nil {
		return nil, err
	}
	l.objects()
	for _, svc := range s.Services {
		if svc.Namespace == w.namespace {
			l.service(svc)
		}
	}
	return l.out, nil
}

// anonymous says whether a Pod is one of which it is open whether it goes.
func anonymous(planned *model.Planned, p *model.Pod) bool {
	return slices.ContainsFunc(planned.Open, func(o model.Open) bool {
		return o.Object.Kind == "ReplicaSet" && o.Field == "spec.replicas" && slices.ContainsFunc(p.Owners, func(owner model.Owner) bool { return owner.Name == o.Object.Name })
	})
}

// learn finds what is open, and holds that the cluster has something there.
func (l *teller) learn() error {
	for _, p := range l.s.PodsIn(l.w.namespace) {
		old := l.planned.Before.Pod(p.Namespace, p.Name)
		fresh := old == nil || old.UID != p.UID
		if !fresh && !anonymous(l.planned, p) {
			continue
		}
		l.moved = true
		word := "new-" + p.Name
		if len(p.Owners) > 0 && p.Owners[0].Kind == "ReplicaSet" {
			word = "one-of-" + p.Owners[0].Name
			l.names[p.Name] = word
		}
		for _, ip := range p.IPs {
			l.names[ip], l.names[strings.ReplaceAll(ip, ".", "-")] = word, word
		}
	}
	for _, planned := range l.planned.Snapshot.Services {
		svc := l.s.Service(planned.Namespace, planned.Name)
		if planned.Namespace != l.w.namespace || svc == nil {
			continue
		}
		for i, ip := range planned.ClusterIPs {
			if !strings.HasPrefix(ip, "0.") {
				continue
			}
			if len(svc.ClusterIPs) <= i || !endpoints.ParseAddr(svc.ClusterIPs[i]).IsValid() {
				return fmt.Errorf("Service %s has no cluster IP", svc.Name)
			}
			l.names[svc.ClusterIPs[i]] = "some-cluster-ip-of-" + svc.Name
		}
		for _, o := range l.planned.Open {
			if o.Object.Kind != "Service" || o.Object.Name != svc.Name || o.Object.Namespace != svc.Namespace || o.Stands == "" {
				continue
			}
			port := svc.HealthCheckNodePort
			if at, isPort := strings.CutPrefix(o.Field, "spec.ports["); isPort {
				i, err := strconv.Atoi(strings.TrimSuffix(at, "].nodePort"))
				if err != nil || i >= len(svc.Ports) {
					continue
				}
				port = svc.Ports[i].NodePort
			} else if o.Field != "spec.healthCheckNodePort" {
				continue
			}
			if port == 0 {
				return fmt.Errorf("Service %s has nothing at %s", svc.Name, o.Field)
			}
			l.names[strconv.Itoa(int(port))] = "some-" + svc.Name + "-" + o.Field
		}
	}
	return nil
}

var word = regexp.MustCompile(`[0-9A-Za-z.?-]+`)

// line adds a line, with the words of what is open.
func (l *teller) line(format string, args ...any) {
	l.out = append(l.out, word.ReplaceAllStringFunc(fmt.Sprintf(format, args...), func(text string) string {
		if name, open := l.names[text]; open {
			return name
		}
		first, rest, more := strings.Cut(text, ".")
		if name, open := l.names[first]; open && more && strings.Contains(first, "-") {
			return name + "." + rest
		}
		return text
	}))
}

// objects tells the objects of the namespace.
func (l *teller) objects() {
	for _, p := range l.s.PodsIn(l.w.namespace) {
		labels := strings.NewReplacer("map[", "", "]", "").Replace(fmt.Sprint(l.fixed(p)))
		l.line("Pod %s labels %s ready %v owner %v", p.Name, labels, p.Ready(), owners(p.Owners))
	}
	for _, d := range l.s.Deployments {
		if d.Namespace == l.w.namespace {
			l.line("Deployment %s %d updated %d ready %d available %d", d.Name, d.Replicas, d.Updated, d.Ready, d.Available)
		}
	}
	for _, rs := range l.s.ReplicaSets {
		if rs.Namespace == l.w.namespace {
			l.line("ReplicaSet %s %d current %d ready %d", rs.Name, rs.Replicas, rs.Current, rs.Ready)
		}
	}
	for _, o := range l.s.Endpoints {
		if o.Namespace == l.w.namespace {
			for _, subset := range o.Subsets {
				for _, ip := range subset.Ready {
					l.line("Endpoints %s ready %s %d ports", o.Name, ip, len(subset.Ports))
				}
				for _, ip := range subset.NotReady {
					l.line("Endpoints %s not ready %s %d ports", o.Name, ip, len(subset.Ports))
				}
			}
		}
	}
	for _, p := range l.s.Policies {
		if p.Namespace == l.w.namespace {
			text, _ := json.Marshal([]any{p.Pods, p.Ingress, p.Egress}) // plain values: it cannot fail
			l.line("NetworkPolicy %s %s", p.Name, text)
		}
	}
}

// fixed leaves out the labels that are open: of a StatefulSet's revision, and of
// the place of a new Pod's node.
func (l *teller) fixed(p *model.Pod) map[string]string {
	out := map[string]string{}
	_, moved := l.names[p.IP()]
	for key, value := range p.Labels {
		if key != "controller-revision-hash" && !(moved && strings.HasPrefix(key, "topology.kubernetes.io/")) {
			out[key] = value
		}
	}
	return out
}

func owners(list []model.Owner) string {
	var out []string
	for _, o := range list {
		out = append(out, o.Kind+" "+o.Name)
	}
	return strings.Join(out, ",")
}

// service tells a Service, its endpoints, the paths to it and its names.
func (l *teller) service(svc *model.Service) {
	spec := *svc
	spec.Meta = model.Meta{Name: svc.Name, Labels: svc.Labels}
	if svc.Type == model.ExternalName {
		spec.InternalTrafficPolicy = "" // a watch shows what get and list leave out (registry/core/service/storage, defaultOnRead)
	}
	text, _ := json.Marshal(spec) // plain values: it cannot fail
	l.line("Service %s", text)
	if slices.ContainsFunc(l.planned.Open, func(o model.Open) bool {
		return o.Object.Kind == "Service" && o.Object.Namespace == svc.Namespace && o.Object.Name == svc.Name && o.Field == "endpoints"
	}) {
		return // copies of its v1 Endpoints are open, and so is all that comes of them
	}
	for _, slice := range l.s.ServiceSlices(svc.Namespace, svc.Name) {
		for i := range slice.Endpoints {
			l.endpoint(svc, slice, &slice.Endpoints[i])
		}
	}
	l.paths(svc)
	name := svc.Name + "." + svc.Namespace
	l.lookup(svc.Name, "")
	l.lookup(name+".svc.cluster.local.", "A")
	for _, p := range svc.Ports {
		if p.Name != "" {
			l.lookup("_"+p.Name+"._"+strings.ToLower(p.Protocol)+"."+name+".svc.cluster.local.", "SRV")
		}
	}
	if svc.Headless() {
		l.lookup("db-0."+svc.Name, "")
	}
}

func (l *teller) endpoint(svc *model.Service, slice *model.EndpointSlice, e *model.Endpoint) {
	node, zone, hints := e.Node, e.Zone, fmt.Sprint(e.ForZones, e.ForNodes)
	if _, open := l.names[e.Addresses[0]]; open {
		node, zone, hints = "", "", ""
	}
	target := ""
	if e.Target != nil {
		target = e.Target.Name
	}
	var ports []string
	for _, p := range slice.Ports {
		number := "none"
		if p.Port != nil {
			number = strconv.Itoa(int(*p.Port))
		}
		ports = append(ports, p.Name+"/"+number+"/"+p.Protocol)
	}
	slices.Sort(ports)
	l.line("endpoint of %s %s ports %v ready %v serving %v terminating %v Pod %s hostname %s node %s zone %s %s",
		svc.Name, e.Addresses[0], ports, e.IsReady(), e.IsServing(), e.IsTerminating(), target, e.Hostname, node, zone, hints)
}

// paths tells where connections to a Service go, from the client's Pod, from a
// node and from outside. Where it depends on the node of a new Pod, it is open.
func (l *teller) paths(svc *model.Service) {
	if l.moved && (svc.InternalTrafficPolicy == "Local" || svc.ExternalTrafficPolicy == "Local" || svc.TrafficDistribution != "") {
		return
	}
	for _, p := range svc.Ports {
		target := fmt.Sprintf("%s:%d/%s", svc.Name, p.Port, strings.ToLower(p.Protocol))
		l.path(target, "pod/client")
		l.path(target, "node/"+l.s.Nodes[1].Name)
		if p.NodePort != 0 {
			l.path(fmt.Sprintf("node/%s:%d", l.s.Nodes[1].Name, p.NodePort), "outside")
		}
	}
}

func (l *teller) path(target, from string) {
	for _, mode := range []string{path.ModeIPTables, path.ModeNFTables, path.ModeIPVS} {
		trace, err := path.Do(l.s, path.Request{Namespace: l.w.namespace, Target: target, From: from, Mode: mode})
		if err != nil {
			l.line("path %s from %s in mode %s: %v", target, from, mode, err)
			continue
		}
		var out []string
		for _, o := range trace.Outcomes {
			to := ""
			if o.Destination != nil {
				to = fmt.Sprintf("%s %d", o.Destination.IP, o.Destination.Port)
			}
			out = append(out, fmt.Sprintf("%.6f %s %s masquerade %v", o.Probability, o.Verdict, to, o.Masquerade))
		}
		for _, text := range out {
			l.line("path %s from %s in mode %s: %s %d %s: %s", target, from, mode, trace.Packet.Destination, trace.Packet.Port, trace.Service, text)
		}
	}
}

func (l *teller) lookup(name, kind string) {
	r, err := dns.Resolve(l.s, dns.Request{From: "pod/client", Name: name, Namespace: l.w.namespace, Type: kind})
	if err != nil {
		l.line("name %s %s: %v", name, kind, err)
		return
	}
	for _, q := range r.Queries {
		l.line("query %s %s: %s, %d records", q.Name, q.Type, q.Rcode, len(q.Answers))
		for _, a := range q.Answers {
			l.line("answer to %s %s: %s %s %s", q.Name, q.Type, a.Name, a.Type, a.Data)
		}
	}
	l.line("name %s %s: %d answers", name, kind, len(r.Answers))
}
