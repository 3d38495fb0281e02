package diagnose

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"svctour/model"
)

func TestHealthyApplication(t *testing.T) {
	for _, policy := range []string{"Cluster", "Local"} {
		w := newWorld()
		for _, s := range w.Services {
			if s.Name == "door" || s.Name == "balanced" {
				s.ExternalTrafficPolicy = policy
			}
		}
		for _, r := range New(w.settle()).All("", Options{}) {
			if !r.Healthy {
				t.Errorf("%s, %s/%s: %s", policy, r.Namespace, r.Name, r.Findings[0].Headline)
			}
		}
	}
}

// breakage is one thing that is wrong with the application.
type breakage struct {
	name    string
	service string
	rule    string
	change  func(*world)
}

// breakages takes each thing that a person gets wrong to each Service that can
// have it.
func breakages() []breakage {
	var out []breakage
	add := func(name, service, rule string, change func(*world)) {
		out = append(out, breakage{name: name + " of " + service, service: service, rule: rule, change: change})
	}
	deployed := []string{"web", "api", "cache", "door", "balanced", "names"}
	for _, name := range deployed {
		selector := func(change func(map[string]string)) func(*world) {
			return func(w *world) {
				s := w.find(name)
				s.Selector = maps.Clone(s.Selector)
				change(s.Selector)
			}
		}
		add("typo in the selector's value", name, "selector-near-miss", selector(func(m map[string]string) { m["app"] += "x" }))
		add("swapped letters in the selector", name, "selector-near-miss", selector(func(m map[string]string) {
			v := []byte(m["app"])
			v[0], v[1] = v[1], v[0]
			m["app"] = string(v)
		}))
		add("case of the selector", name, "selector-near-miss", selector(func(m map[string]string) { m["app"] = strings.ToUpper(m["app"]) }))
		add("typo in the selector's key", name, "selector-near-miss", selector(func(m map[string]string) { m["ap"] = m["app"]; delete(m, "app") }))
		add("another key in the selector", name, "selector-near-miss", selector(func(m map[string]string) { m["app.kubernetes.io/name"] = m["app"]; delete(m, "app") }))
		add("key and value swapped", name, "selector-near-miss", selector(func(m map[string]string) { m[m["app"]] = "app"; delete(m, "app") }))
		add("a pair too many", name, "selector-near-miss", selector(func(m map[string]string) { m["release"] = "stable" }))
		add("label on the Deployment only", name, "selector-near-miss", func(w *world) {
			w.find(name).Selector = map[string]string{"team": "blue"}
			w.maker(name).Labels = map[string]string{"team": "blue"}
		})
		add("scaled to zero", name, "scaled-to-zero", func(w *world) { w.maker(name).Replicas = 0; w.drop(name) })
		add("quota", name, "pods-not-created", func(w *world) {
			w.maker(name).Conditions = []model.Condition{{Type: "ReplicaFailure", Status: "True", Message: "exceeded quota: pods"}}
			w.drop(name)
		})
		add("nothing alike", name, "selector-matches-nothing", func(w *world) { w.find(name).Selector = map[string]string{"component": "somewhere-else"} })
		add("Pods in another namespace", name, "selector-other-namespace", func(w *world) {
			labels := w.maker(name).TemplateLabels
			w.drop(name)
			w.Deployments = slices.DeleteFunc(w.Deployments, func(d *model.Deployment) bool { return d.Name == name })
			w.ReplicaSets = slices.DeleteFunc(w.ReplicaSets, func(d *model.ReplicaSet) bool { return d.Name == name })
			w.pod("other", name, labels, container(name, "", "TCP", 8080))
		})
		add("no selector", name, "selector-none", func(w *world) { w.find(name).Selector = nil })
		add("crash loop", name, "pod-crashes", func(w *world) {
			w.broken(name, func(p *model.Pod) {
				c := &p.Containers[0]
				c.State, c.Reason, c.Restarts, c.LastReason, c.LastExitCode = "waiting", "CrashLoopBackOff", 4, "Error", 1
			})
		})
		add("memory", name, "pod-out-of-memory", func(w *world) {
			w.broken(name, func(p *model.Pod) {
				c := &p.Containers[0]
				c.State, c.Reason, c.Restarts, c.LastReason, c.LastExitCode = "waiting", "CrashLoopBackOff", 4, "OOMKilled", 137
			})
		})
		add("image", name, "pod-image", func(w *world) {
			w.broken(name, func(p *model.Pod) {
				p.Phase, p.Containers[0].State, p.Containers[0].Reason = "Pending", "waiting", "ImagePullBackOff"
			})
		})
		add("missing ConfigMap", name, "pod-config", func(w *world) {
			w.broken(name, func(p *model.Pod) {
				p.Phase, p.Containers[0].State, p.Containers[0].Reason = "Pending", "waiting", "CreateContainerConfigError"
			})
		})
		add("no room", name, "pod-unschedulable", func(w *world) {
			w.broken(name, func(p *model.Pod) {
				p.Node, p.IPs, p.Phase = "", nil, "Pending"
				p.Conditions = append(p.Conditions, model.Condition{Type: "PodScheduled", Status: "False", Reason: "Unschedulable", Message: "0/3 nodes are available: 3 Insufficient cpu. no"})
			})
		})
		add("probe of another port", name, "probe-port", func(w *world) {
			w.broken(name, func(p *model.Pod) { p.Containers[0].Readiness = &model.Probe{Kind: "http", Port: "9999", Path: "/"} })
		})
		add("failing probe", name, "probe-fails", func(w *world) {
			w.broken(name, func(p *model.Pod) { p.Containers[0].Readiness = &model.Probe{Kind: "exec", Command: []string{"false"}} })
		})
		add("readiness gate", name, "readiness-gate", func(w *world) {
			w.broken(name, func(p *model.Pod) { p.ReadinessGates = []string{"example.com/open"} })
		})
		add("policy without rules", name, "policy-ingress", func(w *world) {
			w.Policies = append(w.Policies, &model.NetworkPolicy{Meta: model.Meta{Namespace: ns, Name: "deny"}, Pods: model.LabelSelector{Labels: w.find(name).Selector}, Ingress: &[]model.PolicyRule{}})
		})
		add("policy for another port", name, "policy-ingress", func(w *world) {
			w.Policies = append(w.Policies, &model.NetworkPolicy{
				Meta: model.Meta{Namespace: ns, Name: "only"}, Pods: model.LabelSelector{Labels: w.find(name).Selector},
				Ingress: &[]model.PolicyRule{{Ports: []model.PolicyPort{{Protocol: "TCP", Port: "1"}}}},
			})
		})
		add("target port not declared", name, "targetport-undeclared", func(w *world) {
			for i := range w.find(name).Ports {
				w.find(name).Ports[i].TargetPort = "7777"
			}
		})
		add("target port by an unknown name", name, "targetport-name", func(w *world) { w.find(name).Ports[0].TargetPort = "grpc" })
		add("endpoints lag", name, "endpoints-lag", func(*world) {})
	}
	return out
}

// TestMutations breaks one thing at a time: the doctor has to name it first,
// and to leave the other nine Services alone.
func TestMutations(t *testing.T) {
	all := breakages()
	right := 0
	for _, b := range all {
		w := newWorld()
		b.change(w)
		var snapshot *model.Snapshot
		if b.rule == "endpoints-lag" {
			w.settle()
			w.Slices = slices.DeleteFunc(w.Slices, func(s *model.EndpointSlice) bool { return s.Service() == b.service })
			snapshot = model.NewSnapshot(w.Snapshot)
		} else {
			snapshot = w.settle()
		}
		good := true
		for _, r := range New(snapshot).All(ns, Options{}) {
			switch {
			case r.Name == b.service && (len(r.Findings) == 0 || r.Findings[0].Rule != b.rule):
				good = false
				t.Errorf("%s: the first finding is %s, want %s", b.name, first(r), b.rule)
			case r.Name != b.service && !r.Healthy:
				good = false
				t.Errorf("%s: %s is flagged: %s", b.name, r.Name, first(r))
			}
		}
		if good {
			right++
		}
	}
	t.Logf("%d of %d are named first, with no other Service flagged", right, len(all))
}

func first(r ServiceReport) string {
	if len(r.Findings) == 0 {
		return "none"
	}
	return r.Findings[0].Rule + ": " + r.Findings[0].Headline
}

// TestWithoutRights wants a Service's broken endpoints told, and nothing made
// up, when Pods, Nodes and policies may not be listed.
func TestWithoutRights(t *testing.T) {
	for service, change := range map[string]func(*world){
		"":      func(*world) {},
		"web":   func(w *world) { w.find("web").Selector["app"] = "wbe" },
		"api":   func(w *world) { w.find("api").Ports[0].TargetPort = "grpc" },
		"cache": func(w *world) { w.broken("cache", func(*model.Pod) {}) },
	} {
		w := newWorld()
		change(w)
		w.settle()
		w.Pods, w.Nodes, w.Deployments, w.ReplicaSets, w.Workloads = nil, nil, nil, nil, nil
		w.Sync.Missing = map[string]string{}
		for _, resource := range []string{"pods", "nodes", "networkpolicies", "deployments", "replicasets", "statefulsets", "daemonsets", "jobs", "events"} {
			w.Sync.Missing[resource] = "forbidden"
		}
		for _, r := range New(model.NewSnapshot(w.Snapshot)).All(ns, Options{}) {
			s := w.find(r.Name)
			switch {
			case r.Name == service && (len(r.Findings) == 0 || r.Findings[0].Rule != "endpoints-empty"):
				t.Errorf("%s: the first finding is %s", r.Name, first(r))
			case r.Name != service && !r.Healthy:
				t.Errorf("%s is flagged: %s", r.Name, first(r))
			case len(s.Selector) > 0 && len(r.NotChecked) == 0:
				t.Errorf("%s: nothing is said to be unchecked", r.Name)
			}
		}
	}
}

// TestOwnerWithoutItsSet: a Pod's Deployment is known by the hash when its
// ReplicaSet is not read.
func TestOwnerWithoutItsSet(t *testing.T) {
	w := newWorld()
	for _, c := range []struct{ set, hash, want string }{
		{"cache-6d4b75cb6d", "6d4b75cb6d", "Deployment/cache"},
		{"cache-6d4b75cb6d", "", "ReplicaSet/cache-6d4b75cb6d"},
		{"cache-6d4b75cb6d", "75cb6d", "ReplicaSet/cache-6d4b75cb6d"},
		{"gone-6d4b75cb6d", "6d4b75cb6d", "ReplicaSet/gone-6d4b75cb6d"},
	} {
		pod := w.pod(ns, "x", map[string]string{"pod-template-hash": c.hash})
		pod.Owners = []model.Owner{{Kind: "ReplicaSet", Name: c.set, UID: "unread", Controller: true}}
		if got := New(w.settle()).owner(pod); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

// FuzzHostile diagnoses clusters of odd objects: nothing may panic, and every
// report has to be JSON.
func FuzzHostile(f *testing.F) {
	f.Add("web", "app", "web\x1b[31m", "8080", int32(80), uint8(3))
	f.Add("", "", "", "", int32(-1), uint8(255))
	f.Add("a%s%d", "%", "'\"$(rm)", "%!", int32(0), uint8(17))
	f.Fuzz(func(t *testing.T, name, key, value, target string, number int32, bits uint8) {
		w := newWorld()
		s := w.service(ns, name, map[string]string{key: value}, port(key, value, number, target))
		if bits&1 != 0 {
			s.ClusterIPs = []string{model.None}
		}
		if bits&2 != 0 {
			s.Type = model.LoadBalancer
		}
		p := w.pod(ns, name, map[string]string{key: target}, model.Container{Name: value, Command: []string{name, target}})
		if bits&4 != 0 {
			p.Conditions, p.Containers = nil, nil
		}
		if bits&8 != 0 {
			p.Owners = []model.Owner{{Kind: "ReplicaSet", Name: name, UID: p.UID, Controller: true}}
		}
		if bits&16 != 0 {
			w.Policies = append(w.Policies, &model.NetworkPolicy{
				Meta: model.Meta{Namespace: ns, Name: name}, Ingress: &[]model.PolicyRule{{Peers: []model.PolicyPeer{{CIDR: value, Except: []string{key}}}, Ports: []model.PolicyPort{{Port: target}}}},
				Egress: &[]model.PolicyRule{},
			})
		}
		w.Deployments = append(w.Deployments, &model.Deployment{Meta: model.Meta{Namespace: ns, Name: value}})
		_ = ParseConnections(value)
		_ = ParseConnections("tcp 6 9 " + name + " src=" + key + " dst=" + value + " sport=1 dport=2 src=" + target + " sport=3")
		for _, r := range New(model.NewSnapshot(w.Snapshot)).All("", Options{}) {
			if _, err := json.Marshal(r); err != nil {
				t.Error(err)
			}
			for _, finding := range r.Findings {
				if strings.Contains(finding.Headline, "%!") && !strings.Contains(name+key+value+target, "%") {
					t.Errorf("a format went wrong: %s", finding.Headline)
				}
			}
		}
	})
}

// BenchmarkAll is doctor -A on 5,000 Services with 10 Pods each.
func BenchmarkAll(b *testing.B) {
	w := newWorld()
	for i := range 5000 {
		name := fmt.Sprintf("s%d", i)
		space := fmt.Sprintf("n%d", i%50)
		w.service(space, name, map[string]string{"app": name}, port("", "TCP", 80, "8080"))
		w.deployment(space, name, 10, map[string]string{"app": name}, container("c", "", "TCP", 8080))
	}
	s := w.settle()
	b.ReportAllocs()
	for b.Loop() {
		New(s).All("", Options{})
	}
}
