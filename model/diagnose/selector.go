package diagnose

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"svctour/model"
	"svctour/model/endpoints"
)

// selects says whether the rules about selectors concern the Service.
func (s *Subject) selects() bool {
	return s.selecting() && !s.unread("pods")
}

// noPods says whether the selector matches nothing that could serve.
func (s *Subject) noPods() bool { return s.selects() && len(s.selected) == 0 && len(s.ended) == 0 }

// endpointCount counts the Service's endpoints, ready or not.
func (s *Subject) endpointCount() (all, ready int) {
	return endpoints.Count(s.slices)
}

// managedBy marks who writes a slice; controllerName is the EndpointSlice
// controller's mark (discovery/v1 LabelManagedBy).
const (
	managedBy      = "endpointslice.kubernetes.io/managed-by"
	controllerName = "endpointslice-controller.k8s.io"
)

// miss is one way in which labels almost satisfy a selector; the lower the
// rank the nearer.
type miss struct {
	rank   int
	reason string
	change map[string]string // the selector that would match
	pods   int
	fact   Fact
	fix    *Fix
}

// appKeys are the keys under which people put an application's name.
var appKeys = []string{"app", "k8s-app", "name", "app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component", "component"}

// farRank is the rank from which on a difference is less likely than that the
// Pods are in another namespace.
const farRank = 10

// selectInstead is a fix that gives the Service another selector: a merge
// patch takes away keys only when told so.
func (s *Subject) selectInstead(selector map[string]string, explain string) Fix {
	fields := object{}
	for key := range s.Service.Selector {
		fields[key] = nil
	}
	for key, value := range selector {
		fields[key] = value
	}
	return patched(explain, "Service", s.Service.Meta, "merge", spec(object{"selector": fields}))
}

// nearest is the smallest difference between the selector and what there is.
func (s *Subject) nearest() *miss {
	var best *miss
	consider := func(m *miss) {
		if m != nil && (best == nil || m.rank < best.rank || m.rank == best.rank && m.pods > best.pods) {
			best = m
		}
	}
	selector := s.Service.Selector
	for _, group := range s.groups(s.Namespace) {
		m := compare(selector, group.labels)
		if m == nil {
			continue
		}
		m.pods = len(group.pods)
		m.fact = observed("Pod", group.pods[0].Meta, "metadata.labels", pairs(group.labels))
		m.reason = fmt.Sprintf(m.reason, podsHave(len(group.pods)))
		if m.change == nil {
			continue
		}
		consider(m)
	}
	consider(s.onDeploymentOnly())
	consider(s.oldReplicaSet())
	return best
}

// group is Pods with the same labels, as far as they are not made by a controller.
type group struct {
	labels map[string]string
	pods   []*model.Pod
}

// controllers' own labels, which no selector of a person's is about.
var madeLabels = []string{"pod-template-hash", "controller-revision-hash", "pod-template-generation", "statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index", "topology.kubernetes.io/zone", "topology.kubernetes.io/region"}

// groups are those of a namespace.
func (d *Doctor) groups(namespace string) []*group {
	if out, known := d.grouped[namespace]; known {
		return out
	}
	byLabels := map[string]*group{}
	var out []*group
	for _, pod := range d.all[namespace] {
		if pod.Ended() || pod.Terminating() {
			continue
		}
		labels := maps.Clone(pod.Labels)
		for _, made := range madeLabels {
			delete(labels, made)
		}
		key := pairs(labels)
		if byLabels[key] == nil {
			byLabels[key] = &group{labels: labels}
			out = append(out, byLabels[key])
		}
		byLabels[key].pods = append(byLabels[key].pods, pod)
	}
	d.grouped[namespace] = out
	return out
}

// compare says how labels miss a selector; nil when they are not alike. The
// reason has one %s, for "2 Pods have".
func compare(selector, labels map[string]string) *miss {
	wrong := endpoints.Missing(selector, labels)
	if len(wrong) == 0 {
		return nil
	}
	m := &miss{change: maps.Clone(selector)}
	for _, key := range wrong {
		one := comparePair(key, selector[key], labels)
		if one == nil {
			if len(wrong) < len(selector) && len(wrong) == 1 { // the rest fits: one pair too many
				delete(m.change, key)
				m.rank = max(m.rank, 50)
				m.reason = joined(m.reason, fmt.Sprintf("%%s everything but %s=%s", escape(key), escape(selector[key])))
				continue
			}
			return nil
		}
		delete(m.change, key)
		maps.Copy(m.change, one.change)
		m.rank = max(m.rank, one.rank) + 1
		m.reason = joined(m.reason, one.reason)
	}
	if len(m.change) == 0 {
		return nil
	}
	return m
}

func joined(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + strings.ReplaceAll(b, "%s ", "")
}

func podsHave(n int) string {
	if n == 1 {
		return "1 Pod has"
	}
	return model.Count(n, "Pod") + " have"
}

// escape keeps a cluster's text from being taken for a format.
func escape(text string) string { return strings.ReplaceAll(text, "%", "%%") }

// comparePair looks for what a pair of a selector was meant to be.
func comparePair(key, value string, labels map[string]string) *miss {
	have, is := labels[key]
	e := escape
	switch {
	case is && strings.EqualFold(have, value):
		return &miss{rank: 1, change: map[string]string{key: have}, reason: fmt.Sprintf("%%s %s=%s, in other case", e(key), e(have))}
	case is && strings.TrimSpace(value) == have:
		return &miss{rank: 1, change: map[string]string{key: have}, reason: fmt.Sprintf("%%s %s=%s, without the space", e(key), e(have))}
	case is && near(have, value):
		return &miss{rank: 2 + model.Distance(have, value), change: map[string]string{key: have}, reason: fmt.Sprintf("%%s %s=%s", e(key), e(have))}
	}
	if other, is := labels[value]; is && other == key {
		return &miss{rank: 6, change: map[string]string{value: key}, reason: fmt.Sprintf("%%s %s=%s: key and value are swapped", e(value), e(key))}
	}
	var best *miss
	for _, otherKey := range slices.Sorted(maps.Keys(labels)) {
		other := labels[otherKey]
		var m *miss
		switch {
		case other == value && (near(otherKey, key) || strings.EqualFold(otherKey, key)):
			m = &miss{rank: 3 + model.Distance(otherKey, key), change: map[string]string{otherKey: other}, reason: fmt.Sprintf("%%s %s=%s: another key", e(otherKey), e(other))}
		case other == value && slices.Contains(appKeys, key) && slices.Contains(appKeys, otherKey):
			m = &miss{rank: 5, change: map[string]string{otherKey: other}, reason: fmt.Sprintf("%%s the value under another key, %s=%s", e(otherKey), e(other))}
		case other == value:
			m = &miss{rank: 10, change: map[string]string{otherKey: other}, reason: fmt.Sprintf("%%s the value under another key, %s=%s", e(otherKey), e(other))}
		case strings.EqualFold(other, value), near(other, value) && near(otherKey, key):
			m = &miss{rank: 14, change: map[string]string{otherKey: other}, reason: fmt.Sprintf("%%s %s=%s", e(otherKey), e(other))}
		case is && otherKey == key && (strings.HasPrefix(other, value) || strings.HasPrefix(value, other)) && min(len(other), len(value)) > 2:
			m = &miss{rank: 12, change: map[string]string{key: other}, reason: fmt.Sprintf("%%s %s=%s", e(key), e(other))}
		}
		if m != nil && (best == nil || m.rank < best.rank) {
			best = m
		}
	}
	return best
}

// near says whether one text is a mistyped other.
func near(a, b string) bool {
	if a == b {
		return true
	}
	limit := 1
	if min(len(a), len(b)) >= 3 {
		limit = 2
	}
	return min(len(a), len(b)) > 1 && abs(len(a)-len(b)) <= limit && model.Distance(a, b) <= limit && model.Distance(a, b) < max(len(a), len(b))
}

func abs(n int) int { return max(n, -n) }

// onDeploymentOnly finds a Deployment whose own labels satisfy the selector,
// while its template's do not.
func (s *Subject) onDeploymentOnly() *miss {
	for _, d := range s.deployments(s.Namespace) {
		if endpoints.Matches(s.Service.Selector, d.TemplateLabels) {
			continue
		}
		both := maps.Clone(d.TemplateLabels)
		if both == nil {
			both = map[string]string{}
		}
		for key, value := range d.Labels {
			if _, is := both[key]; !is {
				both[key] = value
			}
		}
		if !endpoints.Matches(s.Service.Selector, both) && !endpoints.Matches(s.Service.Selector, d.Labels) {
			continue
		}
		missing := map[string]string{}
		for _, key := range endpoints.Missing(s.Service.Selector, d.TemplateLabels) {
			missing[key] = s.Service.Selector[key]
		}
		fix := patched("Put the label on the Pods: a Service never looks at a Deployment's own labels.", "Deployment", d.Meta, "strategic",
			spec(object{"template": object{"metadata": object{"labels": missing}}}))
		return &miss{
			rank: 0, pods: int(d.Replicas), fix: &fix,
			reason: fmt.Sprintf("%s is on Deployment %s, not on its Pods", pairs(missing), d.Name),
			fact:   observed("Deployment", d.Meta, "metadata.labels", pairs(d.Labels)),
		}
	}
	return nil
}

// oldReplicaSet finds a Deployment whose former template satisfied the selector.
func (s *Subject) oldReplicaSet() *miss {
	for _, set := range s.replicaSets(s.Namespace) {
		owner := controller(set.Meta)
		if owner == nil || owner.Kind != "Deployment" || !endpoints.Matches(s.Service.Selector, set.TemplateLabels) {
			continue
		}
		d := s.snapshot.Deployment(s.Namespace, owner.Name)
		if d == nil || endpoints.Matches(s.Service.Selector, d.TemplateLabels) || d.Replicas == 0 {
			continue
		}
		change := maps.Clone(d.TemplateLabels)
		for key := range change { // as few pairs as the Deployment itself needs
			if len(d.Selector) > 0 && d.Selector[key] != change[key] {
				delete(change, key)
			}
		}
		fix := s.selectInstead(change, fmt.Sprintf("Select the labels that Deployment %s gives its Pods now.", d.Name))
		return &miss{
			rank: 0, pods: int(d.Replicas), fix: &fix,
			reason: fmt.Sprintf("only the old ReplicaSet %s of Deployment %s did; its Pods are now labelled %s", set.Name, d.Name, pairs(d.TemplateLabels)),
			fact:   observed("ReplicaSet", set.Meta, "spec.template.metadata.labels", pairs(set.TemplateLabels)),
		}
	}
	// A Deployment's selector does not change: a renamed one leaves only an old
	// ReplicaSet, or nothing; then its template has other labels.
	return nil
}

// workload is what would make Pods for the selector; nil when nothing does.
func (s *Subject) workload() *maker {
	for _, d := range s.deployments(s.Namespace) {
		if endpoints.Matches(s.Service.Selector, d.TemplateLabels) {
			return &maker{"Deployment", d.Meta, d.Replicas, d.Conditions}
		}
	}
	for _, w := range s.workloads(s.Namespace) {
		if endpoints.Matches(s.Service.Selector, w.TemplateLabels) {
			return &maker{w.Kind, w.Meta, w.Replicas, nil}
		}
	}
	for _, r := range s.replicaSets(s.Namespace) {
		if controller(r.Meta) == nil && endpoints.Matches(s.Service.Selector, r.TemplateLabels) {
			return &maker{"ReplicaSet", r.Meta, r.Replicas, nil}
		}
	}
	return nil
}

type maker struct {
	kind       string
	meta       model.Meta
	replicas   int32
	conditions []model.Condition
}

// serves says whether a Pod serves one of the Service's ports, as far as its
// containers declare; a port by number counts if it is declared.
func (s *Subject) serves(pod *model.Pod) bool {
	for i := range s.Service.Ports {
		p := &s.Service.Ports[i]
		if numeric(p.TargetPort) {
			if s.ports(pod).known[p.TargetPort+"/"+p.Protocol] {
				return true
			}
		} else if p.TargetPort != "" {
			return true // a Pod without the name is no endpoint of the port
		}
	}
	return false
}
