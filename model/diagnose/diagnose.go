package diagnose

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"svctour/model"
	"svctour/model/endpoints"
	"svctour/model/policy"
)

// Options say what to look at.
type Options struct {
	// Client is the Pod that asks; nil when no particular one does.
	Client *model.Pod
	// Port is the port that the client asks for, a number or a name; "" for all.
	Port string
}

// Doctor diagnoses the Services of one snapshot.
type Doctor struct {
	snapshot *model.Snapshot
	index    map[string]map[string][]*model.Pod // namespace, then "key=value"
	all      map[string][]*model.Pod            // namespace
	owners   map[string]string                  // UID of a ReplicaSet to "Kind/name" of what owns it
	policies *policy.Set
	events   map[string][]*model.Event // "Kind namespace/name"
	names    map[string]bool           // of Services: "namespace/name"
	odd      map[string][]*model.Pod   // namespace: those that look names up in another way

	// Found when first asked for.
	dns        *Finding // the cluster's DNS is down
	dnsKnown   bool
	shut       *Finding // policies shut it off
	shutKnown  bool
	clusterIPs map[string]*model.Service
	external   []*model.Service
	orphans    []*model.EndpointSlice
	existing   map[*model.PolicyRule]bool // rules with a peer that exists
	mutes      map[string][]*model.Pod    // namespace: those that may not ask DNS
	grouped    map[string][]*group        // namespace
}

// New prepares to diagnose a snapshot. It indexes what joins a Service to its
// Pods: labels and owner references (meta/v1, ObjectMeta).
func New(s *model.Snapshot) *Doctor {
	d := &Doctor{
		snapshot: s, index: map[string]map[string][]*model.Pod{}, all: map[string][]*model.Pod{}, owners: map[string]string{},
		policies: policy.New(s.Policies, s.Namespaces), events: map[string][]*model.Event{}, names: map[string]bool{},
		odd: map[string][]*model.Pod{}, mutes: map[string][]*model.Pod{}, grouped: map[string][]*group{},
	}
	for _, pod := range s.Pods {
		labels := d.index[pod.Namespace]
		if labels == nil {
			labels = map[string][]*model.Pod{}
			d.index[pod.Namespace] = labels
		}
		for key, value := range pod.Labels {
			labels[key+"="+value] = append(labels[key+"="+value], pod)
		}
		d.all[pod.Namespace] = append(d.all[pod.Namespace], pod)
		if oddly(pod) {
			d.odd[pod.Namespace] = append(d.odd[pod.Namespace], pod)
		}
	}
	for _, set := range s.ReplicaSets {
		if o := controller(set.Meta); o != nil {
			d.owners[set.UID] = o.Kind + "/" + o.Name
		}
	}
	for _, event := range s.Events {
		key := event.Object.Kind + " " + event.Object.Namespace + "/" + event.Object.Name
		d.events[key] = append(d.events[key], event)
	}
	for _, service := range s.Services {
		d.names[service.Key()] = true
	}
	return d
}

// All diagnoses every Service of a namespace ("": of all), the worst first, then
// by namespace and name, for the client of the options if they have one. Each
// Rule names its Source.
func (d *Doctor) All(namespace string, o Options) []ServiceReport {
	out := []ServiceReport{}
	for _, service := range d.snapshot.Services {
		if namespace == "" || service.Namespace == namespace {
			out = append(out, d.Service(service.Namespace, service.Name, o))
		}
	}
	slices.SortStableFunc(out, func(a, b ServiceReport) int { return cmp.Compare(a.rank(), b.rank()) })
	return out
}

func (r *ServiceReport) rank() int {
	if len(r.Findings) == 0 {
		return len(severityRank)
	}
	return severityRank[r.Findings[0].Severity]
}

// Service diagnoses one Service, which need not exist. It goes the way of
// https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/; each
// Rule names its own source.
func (d *Doctor) Service(namespace, name string, o Options) ServiceReport {
	s := d.subject(namespace, name, o)
	report := ServiceReport{Namespace: namespace, Name: name, Findings: []Finding{}, NotChecked: []Unchecked{}, Summary: s.summary()}
	for _, lane := range Lanes {
		found := s.lane(lane)
		report.Findings = append(report.Findings, found...)
		if len(found) > 0 && found[0].Severity == Error {
			break // what comes later is hidden, or follows from it
		}
	}
	slices.SortStableFunc(report.Findings, func(a, b Finding) int { return cmp.Compare(severityRank[a.Severity], severityRank[b.Severity]) })
	if s.Service == nil && len(report.Findings) == 0 { // it may be there, and well
		report.NotChecked = append(report.NotChecked, Unchecked{
			What: fmt.Sprintf("anything: Services of namespace %s could not be read", namespace), How: fmt.Sprintf("kubectl auth can-i list services -n %s", model.ShellWord(namespace)),
		})
		report.Summary = "could not be read"
		return report
	}
	report.Healthy = len(report.Findings) == 0 || report.Findings[0].Severity == Info
	if !report.Healthy {
		report.Broken = report.Findings[0].Lane
	}
	if s.selecting() && s.unread("pods") {
		report.NotChecked = append(report.NotChecked, Unchecked{
			What: "the selector, the Pods and their ports: Pods may not be listed", How: fmt.Sprintf("kubectl auth can-i list pods -n %s", model.ShellWord(namespace)),
		})
	} else if report.Healthy && s.Service != nil && len(s.ready) > 0 {
		report.NotChecked = append(report.NotChecked, Unchecked{
			What: "whether something answers on the Pods' addresses at the target port",
			How:  fmt.Sprintf("svctour doctor %s -n %s --probe", name, namespace),
		})
	}
	return report
}

// selecting says whether the Service has a selector that is acted on.
func (s *Subject) selecting() bool {
	return s.Service != nil && endpoints.Selecting(s.Service)
}

// lane runs the rules of a lane; the worst finding is the first. Of several
// errors only the first rule's stay.
func (s *Subject) lane(lane Lane) []Finding {
	var out []Finding
	for i := range Rules {
		rule := &Rules[i]
		if rule.Lane != lane || s.settled(rule, out) {
			continue
		}
		for _, f := range rule.Check(s) {
			f.Rule, f.Lane = rule.ID, lane
			f.bound()
			out = append(out, f)
		}
	}
	slices.SortStableFunc(out, func(a, b Finding) int { return cmp.Compare(severityRank[a.Severity], severityRank[b.Severity]) })
	return out
}

// settled says whether an earlier rule of the lane has found the error: a later
// one would say the same in vaguer words.
func (s *Subject) settled(_ *Rule, found []Finding) bool {
	return slices.ContainsFunc(found, func(f Finding) bool { return f.Severity == Error })
}

// Subject is a Service under examination.
type Subject struct {
	Options
	*Doctor
	Namespace, Name string
	Service         *model.Service // nil: it is not there
	slices          []*model.EndpointSlice
	// selected are the Pods that the selector matches and that have not ended;
	// ended are the others it matches.
	selected, ended []*model.Pod
	leaving         []*model.Pod // terminating ones that it matches
	ready           []*model.Pod // of the selected; all of them if not ready ones are published
	declares        map[*model.Pod]*declaredPorts
}

func (d *Doctor) subject(namespace, name string, o Options) *Subject {
	s := &Subject{Options: o, Doctor: d, Namespace: namespace, Name: name, Service: d.snapshot.Service(namespace, name)}
	if s.Service == nil {
		return s
	}
	s.slices = d.snapshot.ServiceSlices(namespace, name)
	for _, pod := range d.matching(namespace, s.Service.Selector) {
		switch {
		case pod.Ended():
			s.ended = append(s.ended, pod)
		case pod.Terminating():
			s.leaving = append(s.leaving, pod)
		default:
			s.selected = append(s.selected, pod)
			if ready, _, _ := endpoints.Conditions(s.Service, pod); ready {
				s.ready = append(s.ready, pod)
			}
		}
	}
	return s
}

// matching gives the Pods of a namespace that have all pairs of a selector;
// none for an empty selector, which a Service does not act on.
func (d *Doctor) matching(namespace string, selector map[string]string) []*model.Pod {
	if len(selector) == 0 {
		return nil
	}
	var candidates []*model.Pod
	first := true
	for key, value := range selector {
		list := d.index[namespace][key+"="+value]
		if first || len(list) < len(candidates) {
			candidates, first = list, false
		}
	}
	var out []*model.Pod
	for _, pod := range candidates {
		if endpoints.Matches(selector, pod.Labels) {
			out = append(out, pod)
		}
	}
	return out
}

// owner is the workload that a Pod belongs to: "Deployment/web", or the Pod.
func (d *Doctor) owner(pod *model.Pod) string {
	o := controller(pod.Meta)
	if o == nil {
		return "Pod/" + pod.Name
	}
	if o.Kind == "ReplicaSet" {
		if above := d.owners[o.UID]; above != "" {
			return above
		}
		// The set may not be read, or not yet: its name is its Deployment's and
		// the hash (pkg/controller/deployment/sync.go, getNewReplicaSet).
		name, is := strings.CutSuffix(o.Name, "-"+pod.Labels["pod-template-hash"])
		if is && d.snapshot.Deployment(pod.Namespace, name) != nil {
			return "Deployment/" + name
		}
	}
	return o.Kind + "/" + o.Name
}

func controller(m model.Meta) *model.Owner {
	for i := range m.Owners {
		if m.Owners[i].Controller {
			return &m.Owners[i]
		}
	}
	return nil
}

// unread says whether a resource could not be read: what it would show is
// unknown then, and no finding may rest on its absence.
func (d *Doctor) unread(resource string) bool { return d.snapshot.Sync.Missing[resource] != "" }

// about names an object for evidence.
func about(kind string, m model.Meta) string { return kind + " " + m.Key() }

// observed is a fact that was read from the API server.
func observed(kind string, m model.Meta, field, value string) Fact {
	return Fact{Object: about(kind, m), Field: field, Value: value, Kind: model.Observed}
}

// pairs writes labels as kubectl does.
func pairs(labels map[string]string) string {
	var out []string
	for key, value := range labels {
		out = append(out, key+"="+value)
	}
	slices.Sort(out)
	return strings.Join(out, ",")
}

// summary says what the Service is.
func (s *Subject) summary() string {
	if s.Service == nil {
		return "not there"
	}
	ports := make([]string, 0, len(s.Service.Ports))
	for i, p := range s.Service.Ports {
		if i == someText {
			ports = append(ports, "…")
			break
		}
		ports = append(ports, fmt.Sprintf("%d/%s", p.Port, p.Protocol))
	}
	kind := s.Service.Type
	if s.Service.Headless() {
		kind = "headless"
	}
	if kind == model.ExternalName {
		return "ExternalName " + s.Service.ExternalName
	}
	if s.unread("pods") {
		all, ready := s.endpointCount()
		return fmt.Sprintf("%s %s, %d of %s ready", kind, strings.Join(ports, ","), ready, model.Count(all, "endpoint"))
	}
	return fmt.Sprintf("%s %s, %d of %s ready", kind, strings.Join(ports, ","), len(s.ready), model.Count(len(s.selected), "Pod"))
}
