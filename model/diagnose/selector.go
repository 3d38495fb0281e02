package diagnose

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"svctour/model"
)

// selects says whether the rules about selectors concern the Service.
func (s *Subject) selects() bool {
	return s.Service != nil && s.Service.Type != model.ExternalName && len(s.Service.Selector) > 0 && !s.unread("pods")
}

// noPods says whether the selector matches nothing that could serve.
func (s *Subject) noPods() bool { return s.selects() && len(s.selected) == 0 && len(s.ended) == 0 }

// endpointCount counts the Service's endpoints, ready or not.
func (s *Subject) endpointCount() (all, ready int) {
	for _, slice := range s.slices {
		for i := range slice.Endpoints {
			all++
			if slice.Endpoints[i].IsReady() {
				ready++
			}
		}
	}
	return all, ready
}

// A Service without selector, for which nobody has written endpoints.
var noSelectorNoEndpoints = Rule{
	ID: "selector-none", Lane: LaneSelector,
	Title:   "The Service has no selector, and nobody wrote endpoints for it",
	Explain: "Without a selector no controller fills EndpointSlices: whoever made the Service has to. Their label kubernetes.io/service-name joins them.",
	Source:  "https://kubernetes.io/docs/concepts/services-networking/service/#services-without-selectors",
	Check: func(s *Subject) []Finding {
		if s.Service == nil || s.Service.Type == model.ExternalName || len(s.Service.Selector) > 0 || s.unread("endpointslices") {
			return nil
		}
		if all, _ := s.endpointCount(); all > 0 {
			return nil
		}
		f := Finding{
			Severity: Error, Confidence: Certain,
			Headline: "The Service has no selector and no EndpointSlice: it leads nowhere",
			Cause:    "The EndpointSlice controller leaves Services without a selector alone.",
			Evidence: []Fact{observed("Service", s.Service.Meta, "spec.selector", "none"), observed("Service", s.Service.Meta, "EndpointSlices with endpoints", "0")},
			Fix:      Fix{Explain: "Give it a selector, or write an EndpointSlice with the label kubernetes.io/service-name: " + s.Name + "."},
		}
		for _, deployment := range s.snapshot.Deployments {
			if deployment.Namespace == s.Namespace && deployment.Name == s.Name && len(deployment.Selector) > 0 {
				f.Fix = patched("Select the Pods of Deployment "+deployment.Name+".", "Service", s.Service.Meta, "strategic", spec(object{"selector": deployment.Selector}))
			}
		}
		return []Finding{f}
	},
}

// managedBy marks who writes a slice; controllerName is the EndpointSlice
// controller's mark (discovery/v1 LabelManagedBy).
const (
	managedBy      = "endpointslice.kubernetes.io/managed-by"
	controllerName = "endpointslice-controller.k8s.io"
)

// Slices that the controller made before the selector was taken away.
var selectorRemovedStale = Rule{
	ID: "selector-removed-stale-slice", Lane: LaneSelector,
	Title:   "Endpoints remain from a selector that was removed",
	Explain: "The controller that made a slice stops looking after it when the Service loses its selector. kube-proxy goes on sending connections to addresses that nobody updates.",
	Source:  "pkg/controller/endpointslice/endpointslice_controller.go, syncService",
	Check: func(s *Subject) []Finding {
		if s.Service == nil || s.Service.Type == model.ExternalName || len(s.Service.Selector) > 0 {
			return nil
		}
		for _, slice := range s.slices {
			if slice.Labels[managedBy] != controllerName || len(slice.Endpoints) == 0 {
				continue
			}
			var addresses []string
			for i := range slice.Endpoints {
				addresses = append(addresses, slice.Endpoints[i].Addresses...)
			}
			return []Finding{{
				Severity: Error, Confidence: Certain,
				Headline: fmt.Sprintf("EndpointSlice %s is left over: the Service has no selector any more", slice.Name),
				Cause:    "It was made by the EndpointSlice controller, which does not update it now; connections still go to its addresses.",
				Evidence: []Fact{
					observed("EndpointSlice", slice.Meta, "metadata.labels["+managedBy+"]", controllerName),
					observed("EndpointSlice", slice.Meta, "endpoints[].addresses", strings.Join(addresses, ",")),
					observed("Service", s.Service.Meta, "spec.selector", "none"),
				},
				Fix: command("Delete the slice, or give the Service its selector back.", "kubectl delete endpointslice %s -n %s", slice.Name, slice.Namespace),
			}}
		}
		return nil
	},
}

// miss is one way in which labels almost satisfy a selector; the lower the
// rank the nearer.
type miss struct {
	rank   int
	reason string
	change map[string]string // the selector that would match
	labels map[string]string
	source string // "Pod shop/web-1", "Deployment web's template"
	pods   int
	fact   Fact
	fix    *Fix
}

// The selector matches nothing, and some Pods nearly do.
var selectorNearMiss = Rule{
	ID: "selector-near-miss", Lane: LaneSelector,
	Title: "The selector matches no Pod, but nearly does",
	Explain: "Labels are compared byte for byte: case, dashes and every pair count, and a Service looks at Pods in its own namespace only. " +
		"The doctor compares the selector with all Pods and templates and says which difference is the smallest.",
	Source: "https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/",
	Check: func(s *Subject) []Finding {
		if !s.noPods() {
			return nil
		}
		best := s.nearest()
		if best == nil {
			return nil
		}
		f := Finding{
			Severity: Error, Confidence: Likely,
			Headline: fmt.Sprintf("Selector %s matches no Pod: %s", pairs(s.Service.Selector), best.reason),
			Cause:    "A Service forwards to the Pods that have every pair of its selector, byte for byte. None has.",
			Evidence: []Fact{observed("Service", s.Service.Meta, "spec.selector", pairs(s.Service.Selector)), best.fact},
		}
		if best.fix != nil {
			f.Fix = *best.fix
		} else {
			f.Fix = s.selectInstead(best.change, fmt.Sprintf("Select what %s have.", count(best.pods, "Pod")))
		}
		return []Finding{f}
	},
}

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
	for _, group := range s.groups() {
		m := compare(selector, group.labels)
		if m == nil {
			continue
		}
		pod := group.pods[0]
		m.pods = len(group.pods)
		m.fact = observed("Pod", pod.Meta, "metadata.labels", pairs(pod.Labels))
		m.reason = fmt.Sprintf(m.reason, count(len(group.pods), "Pod"))
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
var madeLabels = []string{"pod-template-hash", "controller-revision-hash", "pod-template-generation", "statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index"}

func (s *Subject) groups() []*group {
	byLabels := map[string]*group{}
	var out []*group
	for _, pod := range s.all[s.Namespace] {
		if pod.Phase == "Succeeded" || pod.Phase == "Failed" || pod.Terminating() {
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
	return out
}

// compare says how labels miss a selector; nil when they are not alike. The
// reason has one %s for how many Pods it is about.
func compare(selector, labels map[string]string) *miss {
	var wrong []string
	for key, value := range selector {
		if have, is := labels[key]; !is || have != value {
			wrong = append(wrong, key)
		}
	}
	slices.Sort(wrong)
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
				m.reason = joined(m.reason, fmt.Sprintf("%%s lack only %s=%s", escape(key), escape(selector[key])))
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
	return a + "; " + strings.ReplaceAll(b, "%s ", "they ")
}

// escape keeps a cluster's text from being taken for a format.
func escape(text string) string { return strings.ReplaceAll(text, "%", "%%") }

// comparePair looks for what a pair of a selector was meant to be.
func comparePair(key, value string, labels map[string]string) *miss {
	have, is := labels[key]
	e := escape
	switch {
	case is && strings.EqualFold(have, value):
		return &miss{rank: 1, change: map[string]string{key: have}, reason: fmt.Sprintf("%%s have %s=%s, in other case", e(key), e(have))}
	case is && strings.TrimSpace(value) == have:
		return &miss{rank: 1, change: map[string]string{key: have}, reason: fmt.Sprintf("%%s have %s=%s, without the space", e(key), e(have))}
	case is && near(have, value):
		return &miss{rank: 2 + distance(have, value), change: map[string]string{key: have}, reason: fmt.Sprintf("%%s have %s=%s", e(key), e(have))}
	}
	if other, is := labels[value]; is && other == key {
		return &miss{rank: 6, change: map[string]string{value: key}, reason: fmt.Sprintf("%%s have %s=%s: key and value are swapped", e(value), e(key))}
	}
	var best *miss
	for _, otherKey := range slices.Sorted(maps.Keys(labels)) {
		other := labels[otherKey]
		var m *miss
		switch {
		case other == value && (near(otherKey, key) || strings.EqualFold(otherKey, key)):
			m = &miss{rank: 3 + distance(otherKey, key), change: map[string]string{otherKey: other}, reason: fmt.Sprintf("%%s have %s=%s: another key", e(otherKey), e(other))}
		case other == value:
			m = &miss{rank: 10, change: map[string]string{otherKey: other}, reason: fmt.Sprintf("%%s have the value under another key, %s=%s", e(otherKey), e(other))}
		case strings.EqualFold(other, value), near(other, value) && near(otherKey, key):
			m = &miss{rank: 14, change: map[string]string{otherKey: other}, reason: fmt.Sprintf("%%s have %s=%s", e(otherKey), e(other))}
		case is && otherKey == key && (strings.HasPrefix(other, value) || strings.HasPrefix(value, other)) && min(len(other), len(value)) > 2:
			m = &miss{rank: 12, change: map[string]string{key: other}, reason: fmt.Sprintf("%%s have %s=%s", e(key), e(other))}
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
	return min(len(a), len(b)) > 1 && abs(len(a)-len(b)) <= limit && distance(a, b) <= limit && distance(a, b) < max(len(a), len(b))
}

func abs(n int) int { return max(n, -n) }

// onDeploymentOnly finds a Deployment whose own labels satisfy the selector,
// while its template's do not.
func (s *Subject) onDeploymentOnly() *miss {
	for _, d := range s.snapshot.Deployments {
		if d.Namespace != s.Namespace || has(d.TemplateLabels, s.Service.Selector) {
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
		if !has(both, s.Service.Selector) && !has(d.Labels, s.Service.Selector) {
			continue
		}
		missing := map[string]string{}
		for key, value := range s.Service.Selector {
			if d.TemplateLabels[key] != value {
				missing[key] = value
			}
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
	for _, set := range s.snapshot.ReplicaSets {
		owner := controller(set.Meta)
		if set.Namespace != s.Namespace || owner == nil || owner.Kind != "Deployment" || !has(set.TemplateLabels, s.Service.Selector) {
			continue
		}
		d := s.snapshot.Deployment(s.Namespace, owner.Name)
		if d == nil || has(d.TemplateLabels, s.Service.Selector) || d.Replicas == 0 {
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

// The Pods are in another namespace.
var selectorOtherNamespace = Rule{
	ID: "selector-other-namespace", Lane: LaneSelector,
	Title:   "The Pods that the selector means are in another namespace",
	Explain: "A Service selects Pods of its own namespace only. Make the Service where the Pods are; an ExternalName Service can lead there.",
	Source:  "https://kubernetes.io/docs/concepts/services-networking/service/#defining-a-service",
	Check: func(s *Subject) []Finding {
		if !s.noPods() || s.workload() != nil {
			return nil
		}
		if here := s.nearest(); here != nil && here.rank < farRank {
			return nil
		}
		best, pods := "", []*model.Pod(nil)
		for _, namespace := range slices.Sorted(maps.Keys(s.all)) {
			if namespace == s.Namespace {
				continue
			}
			found := s.matching(namespace, s.Service.Selector)
			closer := distance(namespace, s.Namespace) < distance(best, s.Namespace)
			if len(found) > 0 && (best == "" || closer) {
				best, pods = namespace, found
			}
		}
		if best == "" {
			return nil
		}
		return []Finding{{
			Severity: Error, Confidence: Likely,
			Headline: fmt.Sprintf("Selector %s matches no Pod in %s; %s of namespace %s have it", pairs(s.Service.Selector), s.Namespace, count(len(pods), "Pod"), best),
			Cause:    "A Service sees Pods of its own namespace only.",
			Evidence: []Fact{
				observed("Service", s.Service.Meta, "spec.selector", pairs(s.Service.Selector)),
				observed("Pod", pods[0].Meta, "metadata.labels", pairs(pods[0].Labels)),
			},
			Fix: command(fmt.Sprintf("Make the Service in %s, and ask for %s.%s.", best, s.Name, best),
				"kubectl get service %s -n %s -o json | jq 'del(.metadata.namespace,.metadata.uid,.metadata.resourceVersion,.spec.clusterIP,.spec.clusterIPs,.spec.ports[].nodePort)' | kubectl apply -n %s -f -", s.Name, s.Namespace, best),
		}}
	},
}

// workload is what would make Pods for the selector; nil when nothing does.
func (s *Subject) workload() *maker {
	for _, d := range s.snapshot.Deployments {
		if d.Namespace == s.Namespace && has(d.TemplateLabels, s.Service.Selector) {
			return &maker{"Deployment", d.Meta, d.Replicas, d.Conditions}
		}
	}
	for _, w := range s.snapshot.Workloads {
		if w.Namespace == s.Namespace && has(w.TemplateLabels, s.Service.Selector) {
			return &maker{w.Kind, w.Meta, w.Replicas, nil}
		}
	}
	for _, r := range s.snapshot.ReplicaSets {
		if r.Namespace == s.Namespace && controller(r.Meta) == nil && has(r.TemplateLabels, s.Service.Selector) {
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

// Nobody runs, on purpose.
var scaledToZero = Rule{
	ID: "scaled-to-zero", Lane: LaneSelector,
	Title:   "The workload is scaled to zero",
	Explain: "The selector is right, but what would make the Pods is told to make none; an autoscaler may have done so.",
	Source:  "https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#scaling-a-deployment",
	Check: func(s *Subject) []Finding {
		if !s.noPods() {
			return nil
		}
		w := s.workload()
		if w == nil || w.replicas != 0 || w.kind == "Job" {
			return nil
		}
		f := Finding{
			Severity: Error, Confidence: Certain,
			Headline: fmt.Sprintf("%s %s is scaled to zero: there is no Pod to answer", w.kind, w.meta.Name),
			Cause:    "The selector fits the Pods that it would make, and it makes none.",
			Evidence: []Fact{observed("Service", s.Service.Meta, "spec.selector", pairs(s.Service.Selector)), observed(w.kind, w.meta, "spec.replicas", "0")},
		}
		if w.kind == "DaemonSet" {
			f.Headline = fmt.Sprintf("DaemonSet %s runs on no node: there is no Pod to answer", w.meta.Name)
			f.Evidence[1] = observed(w.kind, w.meta, "status.desiredNumberScheduled", "0")
			f.Fix = command("See which nodes its nodeSelector and tolerations allow.", "kubectl describe daemonset %s -n %s", w.meta.Name, w.meta.Namespace)
			return []Finding{f}
		}
		f.Fix = patched("Scale it up; look also at what scaled it down.", w.kind, w.meta, "merge", spec(object{"replicas": 1}))
		f.Fix.Command = fmt.Sprintf("kubectl scale %s %s -n %s --replicas=1", strings.ToLower(w.kind), word(w.meta.Name), word(w.meta.Namespace))
		return []Finding{f}
	},
}

// The workload may not or cannot make its Pods.
var podsNotCreated = Rule{
	ID: "pods-not-created", Lane: LaneSelector,
	Title:   "The workload cannot create its Pods",
	Explain: "A quota, a missing ServiceAccount, or an admission webhook refuses the Pods; the ReplicaSet's events have the API server's words.",
	Source:  "https://kubernetes.io/docs/concepts/policy/resource-quotas/",
	Check: func(s *Subject) []Finding {
		if !s.noPods() {
			return nil
		}
		w := s.workload()
		if w == nil || w.replicas == 0 {
			return nil
		}
		f := Finding{
			Severity: Error, Confidence: Likely,
			Headline: fmt.Sprintf("%s %s wants %s and has none", w.kind, w.meta.Name, count(int(w.replicas), "Pod")),
			Cause:    "Nothing has created the Pods yet.",
			Evidence: []Fact{observed(w.kind, w.meta, "spec.replicas", fmt.Sprint(w.replicas))},
			Fix:      command("Its events say why.", "kubectl describe %s %s -n %s", strings.ToLower(w.kind), w.meta.Name, w.meta.Namespace),
		}
		for _, c := range w.conditions {
			if c.Type == "ReplicaFailure" && c.Status == "True" {
				f.Cause, f.Confidence = c.Message, Certain
				f.Evidence = append(f.Evidence, observed(w.kind, w.meta, "status.conditions[ReplicaFailure]", c.Message))
			}
		}
		return []Finding{f}
	},
}

// Nothing is like the selector.
var selectorMatchesNothing = Rule{
	ID: "selector-matches-nothing", Lane: LaneSelector,
	Title:   "The selector matches no Pod",
	Explain: "No Pod of the namespace has the selector's labels, and none is similar.",
	Source:  "https://kubernetes.io/docs/concepts/services-networking/service/#defining-a-service",
	Check: func(s *Subject) []Finding {
		if !s.noPods() || s.workload() != nil {
			return nil
		}
		f := Finding{
			Severity: Error, Confidence: Certain,
			Headline: fmt.Sprintf("Selector %s matches no Pod", pairs(s.Service.Selector)),
			Cause:    "No Pod of the namespace has these labels, and no workload would make one.",
			Evidence: []Fact{
				observed("Service", s.Service.Meta, "spec.selector", pairs(s.Service.Selector)),
				{Object: "Namespace " + s.Namespace, Field: "Pods", Value: fmt.Sprint(len(s.all[s.Namespace])), Kind: model.Observed},
			},
			Fix: command("Compare with the labels that there are.", "kubectl get pods -n %s --show-labels", s.Namespace),
		}
		for _, d := range s.snapshot.Deployments { // by its name, at least
			if d.Namespace == s.Namespace && d.Name == s.Name && len(d.Selector) > 0 {
				f.Fix = s.selectInstead(d.Selector, "Select the Pods of Deployment "+d.Name+", which has the Service's name.")
				f.Headline += fmt.Sprintf("; those of Deployment %s have %s", d.Name, pairs(d.Selector))
			}
		}
		return []Finding{f}
	},
}

// The selector matches Pods of several workloads, some of which cannot answer.
var selectorTooBroad = Rule{
	ID: "selector-too-broad", Lane: LaneSelector,
	Title:   "The selector also matches Pods of another workload",
	Explain: "A selector with a label that several workloads share sends connections to all of them. Give each a label of its own.",
	Source:  "https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/",
	Check: func(s *Subject) []Finding {
		if !s.selects() || len(s.selected) < 2 {
			return nil
		}
		right, wrong := map[string]*model.Pod{}, map[string]*model.Pod{}
		for _, pod := range s.selected {
			owner := s.owner(pod)
			if s.declares(pod) {
				right[owner] = pod
			} else if len(containerPorts(pod)) > 0 || strings.HasPrefix(owner, "Job/") {
				wrong[owner] = pod
			}
		}
		if len(right) == 0 || len(wrong) == 0 {
			return nil
		}
		good, bad := slices.Sorted(maps.Keys(right))[0], slices.Sorted(maps.Keys(wrong))[0]
		if right[bad] != nil { // a rollout: the same workload before and after
			return nil
		}
		f := Finding{
			Severity: Error, Confidence: Likely,
			Headline: fmt.Sprintf("Selector %s matches Pods of %s and of %s, which has no port %s", pairs(s.Service.Selector), good, bad, s.Service.Ports[0].TargetPort),
			Cause:    "Connections are spread over both; those that meet the wrong Pods are refused.",
			Evidence: []Fact{
				observed("Service", s.Service.Meta, "spec.selector", pairs(s.Service.Selector)),
				observed("Pod", right[good].Meta, "ports", podPortsText(right[good])),
				observed("Pod", wrong[bad].Meta, "ports", podPortsText(wrong[bad])),
			},
			Fix: Fix{Explain: "Give the workloads distinct labels, and select one of them. A Service's selector has no NotIn."},
		}
		for key, value := range right[good].Labels {
			if !slices.Contains(madeLabels, key) && wrong[bad].Labels[key] != value && s.Service.Selector[key] != value {
				f.Fix = patched(fmt.Sprintf("Select what only the Pods of %s have.", good), "Service", s.Service.Meta, "strategic", spec(object{"selector": object{key: value}}))
				if key == "app" || key == "app.kubernetes.io/name" {
					break
				}
			}
		}
		return []Finding{f}
	},
}

// declares says whether a Pod serves one of the Service's ports, as far as its
// containers declare; a port by number counts if it is declared.
func (s *Subject) declares(pod *model.Pod) bool {
	for i := range s.Service.Ports {
		p := &s.Service.Ports[i]
		if numeric(p.TargetPort) {
			for _, port := range containerPorts(pod) {
				if fmt.Sprint(port.Port) == p.TargetPort && port.Protocol == p.Protocol {
					return true
				}
			}
		} else if p.TargetPort != "" {
			return true // a Pod without the name is no endpoint of the port
		}
	}
	return false
}

// Two Deployments that take each other's Pods for their own.
var workloadsFight = Rule{
	ID: "workloads-share-selector", Lane: LaneSelector,
	Title:   "Two Deployments have the same selector",
	Explain: "Deployments with the same selector count each other's Pods, and kill or adopt them.",
	Source:  "https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#selector",
	Check: func(s *Subject) []Finding {
		if !s.selects() {
			return nil
		}
		var first *model.Deployment
		for _, d := range s.snapshot.Deployments {
			if d.Namespace != s.Namespace || len(d.Selector) == 0 || !has(d.TemplateLabels, s.Service.Selector) {
				continue
			}
			if first != nil && maps.Equal(first.Selector, d.Selector) {
				return []Finding{{
					Severity: Warning, Confidence: Certain,
					Headline: fmt.Sprintf("Deployments %s and %s have the same selector, %s", first.Name, d.Name, pairs(d.Selector)),
					Cause:    "Each takes the other's Pods for its own.",
					Evidence: []Fact{observed("Deployment", first.Meta, "spec.selector", pairs(first.Selector)), observed("Deployment", d.Meta, "spec.selector", pairs(d.Selector))},
					Fix:      Fix{Explain: "Give each a label of its own in selector and template; a selector is immutable, so recreate one of them."},
				}}
			}
			if first == nil {
				first = d
			}
		}
		return nil
	},
}
