package diagnose

import (
	"slices"

	"svctour/model"
)

var endpointCases = map[string]examples{
	"family-mismatch": {
		yes: []example{{"web", func(w *world) {
			w.find("web").IPFamilies, w.find("web").ClusterIPs = []string{"IPv6"}, []string{"fd00::9"}
		}}},
		no: []example{{"web", func(w *world) { // both families
			w.find("web").IPFamilies = []string{"IPv6", "IPv4"}
		}}, {"web", func(w *world) {
			w.find("web").IPFamilies = []string{"IPv6"}
			each("web", func(p *model.Pod) { p.IPs = append(p.IPs, "fd00::"+p.IPs[0][len(p.IPs[0])-1:]) })(w)
		}}},
	},
	"endpoints-lag": {
		yes: []example{{"web", func(w *world) {
			w.unsettled = func(w *world) {
				w.Slices = slices.DeleteFunc(w.Slices, func(s *model.EndpointSlice) bool { return s.Service() == "web" })
			}
		}}},
		no: []example{{"web", nothing}},
	},
	"endpoints-stale": {
		yes: []example{{"web", func(w *world) {
			w.unsettled = func(w *world) { w.slice("web").Endpoints[0].Target.UID = "before" }
		}}},
		no: []example{{"web", func(w *world) {
			w.unsettled = func(w *world) {
				yes := true
				w.slice("web").Endpoints[0].Target.UID, w.slice("web").Endpoints[0].Terminating = "before", &yes
			}
		}}, {"legacy", nothing}},
	},
	"endpoints-empty": {
		yes: []example{{"web", func(w *world) {
			w.broken("web", func(*model.Pod) {})
			w.unsettled = func(w *world) { w.Pods, w.Sync.Missing = nil, map[string]string{"pods": "forbidden"} }
		}}, {"api", func(w *world) {
			w.find("api").Ports[0].TargetPort = "grpc"
			w.unsettled = func(w *world) { w.Pods, w.Sync.Missing = nil, map[string]string{"pods": "forbidden"} }
		}}},
		no: []example{{"web", func(w *world) {
			w.unsettled = func(w *world) { w.Pods, w.Sync.Missing = nil, map[string]string{"pods": "forbidden"} }
		}}},
	},
	"slice-address-type": {
		yes: []example{
			{"legacy", func(w *world) { w.slice("legacy").AddressType = "FQDN" }},
			{"legacy", func(w *world) { w.find("legacy").IPFamilies = []string{"IPv6"} }},
		},
		no: []example{{"legacy", func(w *world) { w.find("legacy").IPFamilies = []string{"IPv6", "IPv4"} }}},
	},
	"slice-port": {
		yes: []example{
			{"legacy", func(w *world) { w.slice("legacy").Ports[0].Name = "mysql" }},
			{"legacy", func(w *world) { w.slice("legacy").Ports = nil }},
			{"legacy", func(w *world) { w.slice("legacy").Ports[0].Port = nil }},
			{"legacy", func(w *world) { w.slice("legacy").Ports[0].Protocol = "UDP" }},
		},
		no: []example{{"legacy", func(w *world) { // the number may differ, and one slice is enough
			*w.slice("legacy").Ports[0].Port = 13306
			w.Slices = append(w.Slices, &model.EndpointSlice{Meta: model.Meta{Namespace: ns, Name: "legacy-2", Labels: w.Slices[0].Labels}, AddressType: "IPv4"})
		}}},
	},
	"slice-cluster-ip": {
		yes: []example{{"legacy", func(w *world) { w.slice("legacy").Endpoints[0].Addresses = w.find("web").ClusterIPs }}},
		no:  []example{{"legacy", func(w *world) { w.slice("legacy").Endpoints[0].Addresses = w.backends("web")[0].IPs }}},
	},
	"slice-not-ready": {
		yes: []example{{"legacy", func(w *world) { no := false; w.slice("legacy").Endpoints[0].Ready = &no }}},
		no: []example{{"legacy", func(w *world) {
			no := false
			s := w.slice("legacy")
			s.Endpoints = append(s.Endpoints, model.Endpoint{Addresses: []string{"192.0.2.8"}, Ready: &no})
		}}},
	},
	"slice-foreign": {
		yes: []example{{"web", func(w *world) { w.foreign("192.0.2.9") }}},
		no:  []example{{"web", func(w *world) { w.foreign(w.backends("web")[0].IP()) }}},
	},
}

// foreign adds a slice for web that no controller wrote.
func (w *world) foreign(address string) {
	number := int32(8080)
	w.Slices = append(w.Slices, &model.EndpointSlice{
		Meta:        model.Meta{Namespace: ns, Name: "web-extra", Labels: map[string]string{model.ServiceNameLabel: "web"}},
		AddressType: "IPv4", Ports: []model.EndpointPort{{Protocol: "TCP", Port: &number}}, Endpoints: []model.Endpoint{{Addresses: []string{address}}},
	})
}
