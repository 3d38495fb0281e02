package whatif

import (
	"fmt"
	"strings"

	"svctour/model"
)

// drawn is an edit and what kind it is of.
type drawn struct {
	model.Edit
	kind string
}

// String is the edit as a person would write it.
func (d drawn) String() string {
	switch {
	case d.Manifest != "":
		return "apply\n" + strings.TrimSpace(d.Manifest)
	case d.Patch != nil:
		return fmt.Sprintf("patch %s %s %s %s %s", d.Patch.Object.Kind, d.Patch.Object.Name, d.Patch.Subresource, d.Patch.Type, d.Patch.Data)
	}
	return fmt.Sprintf("delete %s %s", d.Delete.Kind, d.Delete.Name)
}

func patch(kind, name, data string) model.Edit {
	return model.Edit{Patch: &model.Patch{Object: model.Ref{Kind: kind, Name: name}, Data: data}}
}

func (w *world) of(words ...string) string { return words[w.random.IntN(len(words))] }

// draw draws an edit that suits the namespace as it is.
func (w *world) draw(s *model.Snapshot) drawn {
	for {
		var e model.Edit
		kind := w.of("labels", "labels", "selector", "ports", "ports", "type", "type", "policies", "readiness", "readiness", "network policy", "network policy",
			"replicas", "replicas", "template", "Service", "Service", "deletion", "Pod", "mistake")
		switch kind {
		case "labels":
			if p := w.pod(s, func(p *model.Pod) bool { return p.Name != "client" }); p != nil && p.Labels["app"] != "db" { // a StatefulSet whose Pod leaves never rests
				e = patch("Pod", p.Name, fmt.Sprintf(`{"metadata":{"labels":{%q:%q}}}`, w.of("app", "app", "tier"), w.of("web", "api", "lone", "a", "b")))
			}
		case "selector":
			if svc := w.service(s); svc != nil && svc.Type != model.ExternalName {
				e = patch("Service", svc.Name, w.of(`{"spec":{"selector":{"app":"lone"}}}`, `{"spec":{"selector":{"app":"web"}}}`, `{"spec":{"selector":{"tier":"a"}}}`,
					`{"spec":{"selector":{"app":null,"tier":"b"}}}`, `{"spec":{"selector":{"app":"nobody"}}}`, `{"spec":{"selector":{"tier":null}}}`))
			}
		case "ports":
			e = w.ports(s)
		case "type":
			e = w.types(s)
		case "policies":
			if svc := w.service(s); svc != nil {
				e = patch("Service", svc.Name, w.of(`{"spec":{"externalTrafficPolicy":"Local"}}`, `{"spec":{"externalTrafficPolicy":"Cluster"}}`, `{"spec":{"internalTrafficPolicy":"Local"}}`,
					`{"spec":{"internalTrafficPolicy":"Cluster"}}`, `{"spec":{"sessionAffinity":"ClientIP"}}`, `{"spec":{"sessionAffinity":"None"}}`,
					`{"spec":{"trafficDistribution":"PreferSameNode"}}`, `{"spec":{"trafficDistribution":null}}`))
			}
		case "readiness":
			e = w.readiness(s)
		case "network policy":
			e = w.policy(s)
		case "replicas":
			e = w.replicas(s)
		case "template":
			if s.Deployment(w.namespace, "web") != nil {
				e = patch("Deployment", "web", fmt.Sprintf(`{"spec":{"template":{"metadata":{"labels":{"tier":%q}},"spec":{"containers":[{"name":"web","env":[{"name":"N","value":"%d"}]}]}}}}`, w.of("a", "b"), w.random.IntN(3)))
			}
		case "Service":
			e = w.newService()
		case "deletion":
			e = w.deletion(s)
		case "Pod":
			w.made++
			e.Manifest = fmt.Sprintf("apiVersion: v1\nkind: Pod\nmetadata: {name: pod-%d, labels: {app: %s, tier: %s}}\nspec:\n  terminationGracePeriodSeconds: 0\n  containers: [{name: web, image: \"nginx:1.27\", ports: [{name: http, containerPort: 80}]}]\n",
				w.made, w.of("lone", "api", "web", "none"), w.of("a", "b"))
		case "mistake":
			e = w.mistake(s)
		}
		if e.Manifest != "" || e.Patch != nil || e.Delete != nil {
			return drawn{e, kind}
		}
	}
}

// pod draws a Pod of a kind; nil when there is none.
func (w *world) pod(s *model.Snapshot, want func(*model.Pod) bool) *model.Pod {
	var out []*model.Pod
	for _, p := range s.PodsIn(w.namespace) {
		if want(p) {
			out = append(out, p)
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out[w.random.IntN(len(out))]
}

func (w *world) service(s *model.Snapshot) *model.Service {
	var out []*model.Service
	for _, svc := range s.Services {
		if svc.Namespace == w.namespace {
			out = append(out, svc)
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out[w.random.IntN(len(out))]
}

func (w *world) ports(s *model.Snapshot) model.Edit {
	svc := w.service(s)
	if svc == nil {
		return model.Edit{}
	}
	switch w.random.IntN(4) {
	case 0:
		return model.Edit{Patch: &model.Patch{Object: model.Ref{Kind: "Service", Name: svc.Name}, Type: "json",
			Data: fmt.Sprintf(`[{"op":"replace","path":"/spec/ports/0/targetPort","value":%s}]`, w.of(`"http"`, `"admin"`, "80", "8080"))}}
	case 1:
		return model.Edit{Patch: &model.Patch{Object: model.Ref{Kind: "Service", Name: svc.Name}, Type: "merge",
			Data: fmt.Sprintf(`{"spec":{"ports":[{"name":"http","port":%s,"targetPort":%s},{"name":"admin","port":81,"targetPort":"admin"}]}}`, w.of("80", "8080"), w.of(`"http"`, "80"))}}
	case 2:
		return patch("Service", svc.Name, fmt.Sprintf(`{"spec":{"ports":[{"port":%s,"name":"more","targetPort":80}]}}`, w.of("82", "83")))
	}
	return model.Edit{Patch: &model.Patch{Object: model.Ref{Kind: "Service", Name: svc.Name}, Type: "merge", Data: `{"spec":{"ports":[{"name":"http","port":80,"targetPort":80}]}}`}}
}

func (w *world) types(s *model.Snapshot) model.Edit {
	svc := w.service(s)
	if svc == nil || svc.Headless() {
		return model.Edit{}
	}
	return patch("Service", svc.Name, w.of(`{"spec":{"type":"ClusterIP"}}`, `{"spec":{"type":"ClusterIP"}}`, `{"spec":{"type":"NodePort"}}`, `{"spec":{"type":"NodePort"}}`,
		`{"spec":{"type":"LoadBalancer"}}`, `{"spec":{"type":"LoadBalancer","allocateLoadBalancerNodePorts":false}}`, `{"spec":{"type":"LoadBalancer","externalTrafficPolicy":"Local"}}`,
		`{"spec":{"type":"ExternalName","externalName":"www.example.test"}}`))
}

func (w *world) readiness(s *model.Snapshot) model.Edit {
	if w.random.IntN(4) == 0 {
		if svc := w.service(s); svc != nil {
			return patch("Service", svc.Name, fmt.Sprintf(`{"spec":{"publishNotReadyAddresses":%s}}`, w.of("true", "false")))
		}
	}
	p := w.pod(s, func(p *model.Pod) bool { return len(p.ReadinessGates) > 0 })
	if p == nil {
		return model.Edit{}
	}
	status := w.of("True", "True", "False")
	if p.Ready() {
		status = "False"
	}
	e := patch("Pod", p.Name, gate(status))
	e.Patch.Subresource = "status"
	return e
}

func (w *world) policy(s *model.Snapshot) model.Edit {
	name := w.of("one", "two")
	for _, p := range s.Policies {
		if p.Namespace == w.namespace && p.Name == name && w.random.IntN(2) == 0 {
			return model.Edit{Delete: &model.Ref{Kind: "NetworkPolicy", Name: name}}
		}
	}
	return model.Edit{Manifest: fmt.Sprintf("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: %s}\nspec: {podSelector: {%s}, %s}\n", name,
		w.of("", "matchLabels: {app: web}", "matchLabels: {tier: a}", "matchExpressions: [{key: role, operator: In, values: [client]}]"),
		w.of("policyTypes: [Ingress]", "ingress: [{from: [{podSelector: {matchLabels: {role: client}}}], ports: [{port: http}]}]", "ingress: [{ports: [{port: 80}]}]",
			"egress: [{to: [{ipBlock: {cidr: 10.244.0.0/17}}]}]", "policyTypes: [Egress]"))}
}

func (w *world) replicas(s *model.Snapshot) model.Edit {
	n := w.random.IntN(5)
	switch name := w.of("web", "web", "api", "db"); {
	case name == "db":
		return patch("StatefulSet", "db", fmt.Sprintf(`{"spec":{"replicas":%d}}`, n))
	case s.Deployment(w.namespace, name) != nil:
		return patch("Deployment", name, fmt.Sprintf(`{"spec":{"replicas":%d}}`, n))
	}
	return model.Edit{Manifest: strings.Split(start, "---")[0]}
}

func (w *world) newService() model.Edit {
	w.made++
	return model.Edit{Manifest: fmt.Sprintf("apiVersion: v1\nkind: Service\nmetadata: {name: svc-%d}\nspec: {%s%s}\n", w.random.IntN(6),
		w.of("selector: {app: web}, ", "selector: {tier: a}, ", "selector: {app: lone}, ", ""),
		w.of("ports: [{port: 80}]", "ports: [{port: 80, targetPort: http}]", "type: NodePort, ports: [{port: 80}]", "clusterIP: None, ports: [{port: 80}]",
			"type: LoadBalancer, ports: [{port: 80}]", "type: ExternalName, externalName: web."+w.namespace+".svc.cluster.local", "ports: [{name: http, port: 80}, {name: admin, port: 81, targetPort: admin}]"))}
}

func (w *world) deletion(s *model.Snapshot) model.Edit {
	switch w.random.IntN(3) {
	case 0:
		if svc := w.service(s); svc != nil && strings.HasPrefix(svc.Name, "svc-") {
			return model.Edit{Delete: &model.Ref{Kind: "Service", Name: svc.Name}}
		}
	case 1:
		if s.Deployment(w.namespace, "web") != nil && w.random.IntN(4) == 0 {
			return model.Edit{Delete: &model.Ref{Kind: "Deployment", Name: "web"}}
		}
	}
	p := w.pod(s, func(p *model.Pod) bool { return p.Name != "client" && p.Name != "gated" && p.Name != "lone" })
	if p == nil {
		return model.Edit{}
	}
	return model.Edit{Delete: &model.Ref{Kind: "Pod", Name: p.Name}}
}

// mistake is what the API server refuses.
func (w *world) mistake(s *model.Snapshot) model.Edit {
	switch w.random.IntN(6) {
	case 0:
		return model.Edit{Manifest: "apiVersion: v1\nkind: Service\nmetadata: {name: Web}\nspec: {ports: [{port: 80}]}\n"}
	case 1:
		return model.Edit{Manifest: "apiVersion: v1\nkind: Service\nmetadata: {name: two}\nspec: {type: NodePort, ports: [{port: 80, nodePort: 80}]}\n"}
	case 2:
		return patch("Deployment", "api", `{"spec":{"selector":{"matchLabels":{"app":"other"}}}}`)
	case 3:
		return patch("Pod", "client", `{"spec":{"nodeName":"elsewhere"}}`)
	case 4:
		return model.Edit{Delete: &model.Ref{Kind: "Service", Name: "missing"}}
	}
	if svc := w.service(s); svc != nil {
		return model.Edit{Patch: &model.Patch{Object: model.Ref{Kind: "Service", Name: svc.Name}, Type: "merge", Data: `{"spec":{"ports":[{"name":"http","port":70000}]}}`}}
	}
	return model.Edit{}
}
