package diagnose

import "svctour/model"

var nameCases = map[string]examples{
	"dns-down": {
		yes: []example{{"web", unready("coredns", func(*model.Pod) {})}},
		no: []example{{"web", func(w *world) { // one of two is enough
			p := w.backends("coredns")[0]
			p.Conditions = []model.Condition{{Type: "Ready", Status: "False"}}
		}}},
	},
	"dns-policy": {
		yes: []example{
			{"web", func(w *world) { w.shutDNS() }},
			{"web", func(w *world) { // lets in its own namespace only
				w.asks(func(*model.Pod) {})
				w.shutDNS(model.PolicyRule{Peers: []model.PolicyPeer{{Pods: &model.LabelSelector{}}}})
			}},
		},
		no: []example{
			{"web", func(w *world) { w.shutDNS(model.PolicyRule{Ports: []model.PolicyPort{{Protocol: "UDP", Port: "53"}}}) }},
			{"web", func(w *world) {
				w.asks(func(*model.Pod) {})
				w.shutDNS(model.PolicyRule{Peers: []model.PolicyPeer{{Namespaces: &model.LabelSelector{}}}})
			}},
		},
	},
	"dns-server-missing": {
		yes: []example{{"web", func(w *world) { w.DNS.Servers = []string{"10.96.0.11"} }}},
		no:  []example{{"web", func(w *world) { w.DNS.Servers = []string{"169.254.20.10"} }}},
	},
	"dns-domain": {
		yes: []example{{"web", func(w *world) { w.DNS.Domain = "corp.example" }}},
		no:  []example{{"web", nothing}},
	},
}

// shutDNS isolates the DNS Pods.
func (w *world) shutDNS(rules ...model.PolicyRule) {
	w.Policies = append(w.Policies, &model.NetworkPolicy{
		Meta: model.Meta{Namespace: "kube-system", Name: "deny"}, Pods: label("k8s-app", "kube-dns"), Ingress: &rules,
	})
}
