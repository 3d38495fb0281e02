package diagnose

import (
	"slices"

	"svctour/model"
)

// outsideCases are those of the lanes proxy, outside and reply.
var outsideCases = map[string]examples{
	"proxy-name": {
		yes: []example{
			{"web", func(w *world) {
				w.find("web").Labels = map[string]string{"service.kubernetes.io/service-proxy-name": ""}
			}},
		},
		no: []example{{"web", func(w *world) { w.find("web").Labels = map[string]string{"service.kubernetes.io/name": "web"} }}},
	},
	"proxy-name-slice": {
		yes: []example{
			{"legacy", func(w *world) { w.slice("legacy").Labels["service.kubernetes.io/headless"] = "" }},
			{"legacy", func(w *world) { w.slice("legacy").Labels["service.kubernetes.io/service-proxy-name"] = "other" }},
		},
		no: []example{{"legacy", func(w *world) { w.slice("legacy").Labels["service.kubernetes.io/name"] = "legacy" }}},
	},
	"proxy-down": {
		yes: []example{{"web", func(w *world) {
			w.Pods = slices.DeleteFunc(w.Pods, func(p *model.Pod) bool { return p.Name == "kube-proxy-node-2" })
		}}},
		no: []example{{"web", func(w *world) { // another program does its work
			w.Pods = slices.DeleteFunc(w.Pods, func(p *model.Pod) bool { return p.Labels["k8s-app"] == "kube-proxy" })
		}}},
	},
	"load-balancer-failed": {
		yes: []example{{"balanced", func(w *world) {
			w.find("balanced").Ingress = nil
			w.Events = append(w.Events, &model.Event{
				Meta: model.Meta{Namespace: ns, Name: "e"}, Type: "Warning", Reason: "AllocationFailed", Message: `Failed to allocate IP for "shop/balanced": no available IPs`,
				Object: model.Ref{Kind: "Service", Namespace: ns, Name: "balanced"}, Source: "metallb-controller",
			})
		}}},
		no: []example{{"balanced", func(w *world) { w.find("balanced").Ingress = nil }}},
	},
	"load-balancer-pending": {
		yes: []example{
			{"balanced", func(w *world) { w.find("balanced").Ingress = nil }},
			{"balanced", func(w *world) {
				w.find("balanced").Ingress, w.find("balanced").LoadBalancerClass = nil, "example.com/lb"
			}},
		},
		no: []example{{"balanced", func(w *world) { w.find("balanced").Ingress = []model.Ingress{{Hostname: "lb.example.com"}} }}},
	},
	"load-balancer-nodes": {
		yes: []example{{"balanced", func(w *world) { w.exclude(3) }}, {"balanced", func(w *world) {
			w.find("balanced").ExternalTrafficPolicy = "Local"
			each("balanced", func(p *model.Pod) { p.Node = "node-1" })(w)
			w.exclude(1)
		}}},
		no: []example{{"balanced", func(w *world) { w.exclude(2) }}},
	},
	"address-shared": {
		yes: []example{{"web", func(w *world) {
			w.find("web").ExternalIPs, w.find("door").ExternalIPs = []string{"198.51.100.7"}, []string{"198.51.100.7"}
		}}},
		no: []example{{"web", func(w *world) { // another port
			w.find("web").ExternalIPs, w.find("cache").ExternalIPs = []string{"198.51.100.7"}, []string{"198.51.100.7"}
		}}},
	},
	"nodeport-addresses": {
		yes: []example{{"door", func(w *world) {
			w.Proxy.NodePortAddresses, w.Proxy.Evidence = []string{"192.168.0.0/16"}, model.Derived
		}}},
		no: []example{
			{"door", func(w *world) { w.Proxy.NodePortAddresses, w.Proxy.Evidence = []string{"172.18.0.0/16"}, model.Derived }},
			{"door", func(w *world) { w.Proxy.NodePortAddresses, w.Proxy.Evidence = []string{"primary"}, model.Derived }},
		},
	},
	"nodeport-reach": {
		yes: []example{{"door", nothing}},
		no:  []example{{"web", nothing}},
	},
	"external-ips": {
		yes: []example{{"web", func(w *world) { w.find("web").ExternalIPs = []string{"198.51.100.7"} }}},
		no:  []example{{"web", func(w *world) { w.find("web").ExternalIPs = []string{"172.18.0.2"} }}},
	},
	"externalname-host": {
		yes: []example{{"out", nothing}},
		no:  []example{{"out", outside("web.shop.svc.cluster.local")}},
	},
	"hairpin": {
		yes: []example{{"web", func(w *world) { w.ask.Client = w.backends("web")[0] }}},
		no:  []example{{"web", func(w *world) { w.ask.Client = w.backends("api")[0] }}, {"db", func(w *world) { w.ask.Client = w.backends("db")[0] }}},
	},
}

// exclude keeps load balancers from the first nodes.
func (w *world) exclude(n int) {
	for _, node := range w.Nodes[:n] {
		node.Labels = map[string]string{"node.kubernetes.io/exclude-from-external-load-balancers": ""}
	}
}
