package diagnose

import (
	"slices"

	"svctour/model"
)

var policyCases = map[string]examples{
	"policy-service-port": {
		yes: []example{{"web", func(w *world) { w.policy("web", at("80")) }}},
		no:  []example{{"web", func(w *world) { w.policy("web", at("8080")) }}, {"web", func(w *world) { w.policy("web", at("81")) }}},
	},
	"policy-port-name": {
		yes: []example{{"api", func(w *world) { w.policy("api", at("web")) }}},
		no:  []example{{"api", func(w *world) { w.policy("api", at("http"), at("metrics")) }}},
	},
	"policy-client-namespace": {
		yes: []example{{"web", func(w *world) {
			w.asks(func(p *model.Pod) { p.Namespace = "other" })
			w.policy("web", from("run", "client"))
		}}},
		no: []example{
			{"web", func(w *world) { w.asks(func(*model.Pod) {}); w.policy("web", from("run", "client")) }},
			{"web", func(w *world) {
				w.asks(func(p *model.Pod) { p.Namespace = "other" })
				rule := from("run", "client")
				everywhere := model.LabelSelector{}
				rule.Peers[0].Namespaces = &everywhere
				w.policy("web", rule)
			}},
		},
	},
	"policy-nobody": {
		yes: []example{
			{"web", func(w *world) { w.policy("web", from("run", "clinet")) }},
			{"web", func(w *world) { // a namespace's name is not its label name
				named := label("name", "shop")
				w.policy("web", model.PolicyRule{Peers: []model.PolicyPeer{{Namespaces: &named}}})
			}},
		},
		no: []example{
			{"web", func(w *world) { w.policy("web", from("run", "client")) }},
			{"web", func(w *world) {
				w.policy("web", model.PolicyRule{Peers: []model.PolicyPeer{{CIDR: "198.51.100.0/24"}}})
			}},
			{"web", func(w *world) { w.policy("web", from("run", "clinet")); w.Cluster.Namespace = ns }},
		},
	},
	"policy-ingress": {
		yes: []example{
			{"web", func(w *world) { w.policy("web") }},
			{"web", func(w *world) { w.asks(func(*model.Pod) {}); w.policy("web", from("app", "api")) }},
			{"web", func(w *world) { // selectors do not see the host's network
				w.asks(func(p *model.Pod) { p.HostNetwork, p.Node, p.DNSPolicy = true, "node-0", "ClusterFirstWithHostNet" })
				w.policy("web", from("run", "client"))
			}},
		},
		no: []example{
			{"web", func(w *world) { w.policy("web", model.PolicyRule{}) }},
			{"web", func(w *world) { w.policy("api") }},
			{"web", func(w *world) { // what the Pods' own node sends is let in
				each("web", func(p *model.Pod) { p.Node = "node-0" })(w)
				w.asks(func(p *model.Pod) { p.HostNetwork, p.Node, p.DNSPolicy = true, "node-0", "ClusterFirstWithHostNet" })
				w.policy("web")
			}},
			{"web", func(w *world) { w.policy("web"); w.Sync.Missing = map[string]string{"networkpolicies": "forbidden"} }},
			{"web", func(w *world) { // another policy lets them in
				w.policy("web")
				w.policy("web", from("run", "client"))
			}},
		},
	},
	"policy-outside": {
		yes: []example{{"door", func(w *world) { w.policy("door", from("run", "client")) }}, {"balanced", func(w *world) { w.policy("balanced", from("run", "client")) }}},
		no: []example{
			{"web", func(w *world) { w.policy("web", from("run", "client")) }},
			{"door", func(w *world) { w.policy("door", model.PolicyRule{Peers: []model.PolicyPeer{{CIDR: "0.0.0.0/0"}}}) }},
			{"door", func(w *world) { w.policy("door", at("8080")) }},
		},
	},
	"external-local": {
		yes: []example{{"door", each("door", func(p *model.Pod) { p.Node = "node-1" })}},
		no: []example{{"door", nothing}, {"door", func(w *world) {
			each("door", func(p *model.Pod) { p.Node = "node-1" })(w)
			w.find("door").ExternalTrafficPolicy = "Cluster"
		}}},
	},
	"internal-local": {
		yes: []example{
			{"agent", func(w *world) {
				w.Pods = slices.DeleteFunc(w.Pods, func(p *model.Pod) bool { return p.Name == "agent-1" })
			}},
			{"agent", func(w *world) {
				gone := w.named("agent-1")
				w.asks(func(p *model.Pod) { p.Node = gone.Node })
				w.Pods = slices.DeleteFunc(w.Pods, func(p *model.Pod) bool { return p == gone })
			}},
		},
		no: []example{{"agent", nothing}, {"agent", func(w *world) {
			gone, other := w.named("agent-1"), w.named("agent-0")
			w.asks(func(p *model.Pod) { p.Node = other.Node })
			w.Pods = slices.DeleteFunc(w.Pods, func(p *model.Pod) bool { return p == gone })
		}}},
	},
	"topology-hints": {
		yes: []example{{"web", func(w *world) {
			w.find("web").Annotations = map[string]string{"service.kubernetes.io/topology-mode": "Auto"}
		}}},
		no: []example{{"web", func(w *world) {
			w.find("web").Annotations = map[string]string{"service.kubernetes.io/topology-mode": "Auto"}
			w.unsettled = func(w *world) { w.slice("web").Endpoints[0].ForZones = []string{"a"} }
		}}},
	},
	"traffic-distribution": {
		yes: []example{{"web", func(w *world) { w.find("web").TrafficDistribution = "PreferSameZone" }}},
		no: []example{{"web", func(w *world) {
			w.find("web").TrafficDistribution = "PreferSameZone"
			for i, n := range w.Nodes {
				n.Labels = map[string]string{"topology.kubernetes.io/zone": string(rune('a' + i))}
			}
		}}},
	},
	"source-ranges": {
		yes: []example{{"balanced", func(w *world) {
			w.asks(func(*model.Pod) {})
			w.find("balanced").SourceRanges = []string{"192.0.2.0/24"}
		}}},
		no: []example{{"balanced", func(w *world) {
			w.asks(func(*model.Pod) {})
			w.find("balanced").SourceRanges = []string{"10.244.0.0/16"}
		}}},
	},
	"session-affinity": {
		yes: []example{{"web", func(w *world) { w.find("web").SessionAffinity = "ClientIP" }}},
		no:  []example{{"web", func(w *world) { w.find("web").SessionAffinity = "None" }}, {"cache", func(w *world) { w.find("cache").SessionAffinity = "ClientIP" }}},
	},
}

// at is a rule for everybody at one TCP port, from for Pods with a label.
func at(port string) model.PolicyRule {
	return model.PolicyRule{Ports: []model.PolicyPort{{Protocol: "TCP", Port: port}}}
}

func from(key, value string) model.PolicyRule { return to(key, value) }
