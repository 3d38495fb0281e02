package diagnose

import (
	"maps"
	"slices"
	"strings"
	"time"

	"svctour/model"
)

var selectorCases = map[string]examples{
	"slice-label": {
		yes: []example{
			{"legacy", func(w *world) { w.slice("legacy").Labels = nil }},
			{"legacy", func(w *world) { w.slice("legacy").Labels[model.ServiceNameLabel] = "lagacy" }},
		},
		no: []example{
			{"legacy", func(w *world) { w.slice("legacy").Name = "any-name" }},
			{"legacy", func(w *world) { s := w.slice("legacy"); s.Name, s.Labels = "unrelated", nil }},
		},
	},
	"endpoints-not-mirrored": {
		yes: []example{
			{"legacy", func(w *world) {
				w.Slices = nil
				w.old("legacy").Labels = map[string]string{"endpointslice.kubernetes.io/skip-mirror": "true"}
			}},
			{"legacy", func(w *world) {
				w.Slices = nil
				w.old("legacy").Annotations = map[string]string{"control-plane.alpha.kubernetes.io/leader": "{}"}
			}},
			{"legacy", func(w *world) { w.Slices = nil; w.old("legacy1") }},
		},
		no: []example{
			{"legacy", func(w *world) { w.old("legacy") }},                // the slice is there
			{"legacy", func(w *world) { w.Slices = nil; w.old("cache") }}, // another Service's
		},
	},
	"selector-none": {
		yes: []example{{"legacy", func(w *world) { w.Slices = nil }}, {"web", func(w *world) { w.find("web").Selector = nil }}},
		no:  []example{{"legacy", nothing}, {"out", nothing}},
	},
	"selector-removed-stale-slice": {
		yes: []example{{"legacy", func(w *world) { w.slice("legacy").Labels[managedBy] = controllerName }}},
		no:  []example{{"legacy", func(w *world) { w.slice("legacy").Labels[managedBy] = "endpointslicemirroring-controller.k8s.io" }}},
	},
	"scaled-to-zero": {
		yes: []example{{"web", func(w *world) { w.maker("web").Replicas = 0; w.drop("web") }}},
		no:  []example{{"web", func(w *world) { w.maker("web").Replicas = 0 }}, {"web", func(w *world) { w.drop("web") }}},
	},
	"pods-terminating": {
		yes: []example{
			{"cache", each("cache", func(p *model.Pod) { p.Deleting = time.Unix(1, 0) })},
			{"cache", func(w *world) {
				for _, p := range w.backends("cache") {
					p.Deleting = time.Unix(1, 0)
					w.Nodes[slices.IndexFunc(w.Nodes, func(n *model.Node) bool { return n.Name == p.Node })].Conditions[0].Status = "Unknown"
				}
			}},
		},
		no: []example{{"web", func(w *world) { w.backends("web")[0].Deleting = time.Unix(1, 0) }}},
	},
	"pods-not-created": {
		yes: []example{{"web", func(w *world) {
			w.maker("web").Conditions = []model.Condition{{Type: "ReplicaFailure", Status: "True", Message: "exceeded quota: pods"}}
			w.drop("web")
		}}},
		no: []example{{"web", func(w *world) { // it says so, but the Pods are there
			w.maker("web").Conditions = []model.Condition{{Type: "ReplicaFailure", Status: "False"}}
		}}},
	},
	"selector-other-namespace": {
		yes: []example{{"cache", func(w *world) { w.move("cache") }}},
		no: []example{{"cache", func(w *world) { // both have them
			w.pod("other", "cache", map[string]string{"app": "cache"}, container("cache", "", "TCP", 6379))
		}}},
	},
	"selector-near-miss": {
		yes: []example{
			{"cache", func(w *world) { w.find("cache").Selector = map[string]string{"app": "cahce"} }},
			{"cache", func(w *world) { // though another namespace has just these Pods
				w.find("cache").Selector = map[string]string{"app.kubernetes.io/name": "cache"}
				w.pod("other", "cache", map[string]string{"app.kubernetes.io/name": "cache"}, container("cache", "", "TCP", 6379))
			}},
			{"cache", func(w *world) { w.find("cache").Selector = map[string]string{"app": "cache "} }},
			{"cache", func(w *world) { // the Deployment's name, not a label
				w.find("cache").Selector = map[string]string{"name": "cache"}
			}},
			{"cache", func(w *world) { // only an old ReplicaSet had the label
				d := w.maker("cache")
				for _, r := range w.ReplicaSets {
					if r.Name == "cache" {
						r.TemplateLabels = map[string]string{"app": "cache", "track": "stable"}
						r.Owners[0].UID = d.UID
					}
				}
				w.find("cache").Selector = map[string]string{"track": "stable"}
			}},
		},
		no: []example{
			{"cache", func(w *world) { w.find("cache").Selector = map[string]string{"component": "queue-of-messages"} }},
			{"cache", nothing},
		},
	},
	"selector-matches-nothing": {
		yes: []example{{"cache", func(w *world) { w.find("cache").Selector = map[string]string{"component": "queue-of-messages"} }}},
		no:  []example{{"cache", func(w *world) { w.Sync.Missing = map[string]string{"pods": "forbidden"}; w.Pods = nil }}},
	},
	"selector-too-broad": {
		yes: []example{
			{"web", func(w *world) {
				w.find("web").Selector = map[string]string{"app": "web"}
				w.deployment(ns, "web-admin", 1, map[string]string{"app": "web", "tier": "admin"}, container("admin", "", "TCP", 9000))
			}},
			{"web", func(w *world) { // a Job's Pods have the Service's labels
				job := w.pod(ns, "migrate", w.find("web").Selector, model.Container{Name: "migrate", Ready: true, State: "running"})
				job.Owners = []model.Owner{{Kind: "Job", Name: "migrate", UID: "job", Controller: true}}
			}},
		},
		no: []example{
			{"api", func(w *world) { // a named port leaves the others out
				w.deployment(ns, "api-worker", 1, map[string]string{"app": "api", "role": "worker"}, container("worker", "debug", "TCP", 6060))
			}},
			{"web", func(w *world) { // a canary
				w.deployment(ns, "web-canary", 1, map[string]string{"app": "web", "tier": "front", "track": "canary"}, container("web", "", "TCP", 8080))
			}},
		},
	},
	"workloads-share-selector": {
		yes: []example{{"web", func(w *world) {
			w.deployment(ns, "web2", 1, map[string]string{"app": "web", "tier": "front"}, container("web", "", "TCP", 8080))
		}}},
		no: []example{{"web", func(w *world) {
			w.deployment(ns, "web-canary", 1, map[string]string{"app": "web", "tier": "front", "track": "canary"}, container("web", "", "TCP", 8080))
		}}},
	},
	"selector-several": {
		yes: []example{{"web", func(w *world) {
			w.deployment(ns, "web-canary", 1, map[string]string{"app": "web", "tier": "front", "track": "canary"}, container("web", "", "TCP", 8080))
		}}},
		no: []example{{"web", nothing}},
	},
}

// old adds a v1 Endpoints object.
func (w *world) old(name string) *model.Endpoints {
	number := int32(3306)
	e := &model.Endpoints{Meta: model.Meta{Namespace: ns, Name: name}, Subsets: []model.EndpointSubset{{Ready: []string{"192.0.2.7"}, Ports: []model.EndpointPort{{Protocol: "TCP", Port: &number}}}}}
	w.Endpoints = append(w.Endpoints, e)
	return e
}

// move takes a Deployment to another namespace.
func (w *world) move(name string) {
	labels := maps.Clone(w.maker(name).TemplateLabels)
	w.drop(name)
	w.Deployments = slices.DeleteFunc(w.Deployments, func(d *model.Deployment) bool { return d.Name == name })
	w.ReplicaSets = slices.DeleteFunc(w.ReplicaSets, func(d *model.ReplicaSet) bool { return strings.HasPrefix(d.Name, name) })
	w.pod("other", name, labels, container(name, "", "TCP", 6379))
}
