package diagnose

import "svctour/model"

var clientCases = map[string]examples{
	"client-not-running": {
		yes: []example{{"web", func(w *world) { w.asks(func(p *model.Pod) { p.Phase = "Pending" }) }}},
		no:  []example{{"web", func(w *world) { w.asks(func(*model.Pod) {}) }}},
	},
	"client-host-network": {
		yes: []example{
			{"web", func(w *world) { w.asks(func(p *model.Pod) { p.HostNetwork, p.DNSPolicy = true, "ClusterFirst" }) }},
			{"web", func(w *world) { // no one asks, but one Pod's command names the Service
				p := w.named("client")
				p.HostNetwork, p.Containers[0].Command = true, []string{"curl", "http://web:80/"}
			}},
		},
		no: []example{
			{"web", func(w *world) {
				w.asks(func(p *model.Pod) { p.HostNetwork, p.DNSPolicy = true, "ClusterFirstWithHostNet" })
			}},
			{"web", func(w *world) { w.named("client").HostNetwork = true }},
		},
	},
	"client-dns-policy": {
		yes: []example{
			{"web", func(w *world) { w.asks(func(p *model.Pod) { p.DNSPolicy = "Default" }) }},
			{"web", func(w *world) {
				w.asks(func(p *model.Pod) { p.DNSPolicy, p.DNS = "None", &model.PodDNS{Nameservers: []string{"1.1.1.1"}} })
			}},
		},
		no: []example{
			{"web", func(w *world) {
				w.asks(func(p *model.Pod) {
					p.DNSPolicy, p.DNS = "None", &model.PodDNS{Nameservers: []string{"10.96.0.10"}, Searches: []string{"shop.svc.cluster.local"}}
				})
			}},
			{"web", func(w *world) { w.asks(func(p *model.Pod) { p.DNSPolicy = "ClusterFirst" }) }},
		},
	},
	"client-dns-search": {
		yes: []example{{"web", func(w *world) {
			w.asks(func(p *model.Pod) { p.DNSPolicy, p.DNS = "None", &model.PodDNS{Nameservers: []string{"10.96.0.10"}} })
		}}},
		no: []example{{"web", func(w *world) {
			w.asks(func(p *model.Pod) {
				p.DNSPolicy, p.DNS = "None", &model.PodDNS{Nameservers: []string{"10.96.0.10"}, Searches: []string{"shop.svc.cluster.local."}}
			})
		}}},
	},
	"client-ndots": {
		yes: []example{{"web", func(w *world) {
			w.named("client").DNS = &model.PodDNS{Options: []model.DNSOption{{Name: "ndots", Value: "1"}}}
		}}},
		no: []example{{"web", func(w *world) {
			w.named("client").DNS = &model.PodDNS{Options: []model.DNSOption{{Name: "ndots", Value: "2"}, {Name: "rotate"}}}
		}}},
	},
	"client-egress-dns": {
		yes: []example{{"web", func(w *world) { w.egress(to("app", "web")) }}},
		no: []example{
			{"web", func(w *world) {
				w.egress(to("app", "web"), model.PolicyRule{Ports: []model.PolicyPort{{Protocol: "UDP", Port: "53"}}})
			}},
			{"cache", func(w *world) { w.egress(to("app", "web")) }}, // no client of it
		},
	},
	"client-egress": {
		yes: []example{{"cache", func(w *world) {
			w.asks(func(*model.Pod) {})
			w.egress(to("app", "web"), model.PolicyRule{Ports: []model.PolicyPort{{Protocol: "UDP", Port: "53"}}})
		}}},
		no: []example{
			{"cache", func(w *world) {
				w.asks(func(*model.Pod) {})
				w.egress(to("app", "cache"), model.PolicyRule{Ports: []model.PolicyPort{{Protocol: "UDP", Port: "53"}}})
			}},
			{"cache", func(w *world) { // an end of a range is enough
				w.asks(func(*model.Pod) {})
				w.egress(model.PolicyRule{Ports: []model.PolicyPort{{Protocol: "TCP", Port: "6000", End: 7000}, {Protocol: "UDP", Port: "53"}}})
			}},
		},
	},
	"client-http-proxy": {
		yes: []example{{"web", func(w *world) {
			w.asks(func(p *model.Pod) { p.Containers[0].EnvNames = []string{"HTTP_PROXY"} })
		}}},
		no: []example{{"web", func(w *world) {
			w.asks(func(p *model.Pod) { p.Containers[0].EnvNames = []string{"HTTP_PROXY", "NO_PROXY"} })
		}}},
	},
}

// egress adds a policy for what the client may reach.
func (w *world) egress(rules ...model.PolicyRule) {
	w.Policies = append(w.Policies, &model.NetworkPolicy{Meta: model.Meta{Namespace: ns, Name: "egress"}, Pods: label("run", "client"), Egress: &rules})
}

func to(key, value string) model.PolicyRule {
	pods := label(key, value)
	return model.PolicyRule{Peers: []model.PolicyPeer{{Pods: &pods}}}
}
