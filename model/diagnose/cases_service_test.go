package diagnose

import (
	"time"

	"svctour/model"
)

var serviceCases = map[string]examples{
	"service-missing": {
		yes: []example{{"nobody", nothing}, {"wbe", nothing}, {"kube-dns", nothing}},
		no: []example{{"web", nothing}, {"nobody", func(w *world) { // Services may not be listed
			w.Sync.Missing = map[string]string{"services": "forbidden"}
		}}},
	},
	"namespace-terminating": {
		yes: []example{{"web", func(w *world) { w.Namespaces[1].Phase = "Terminating" }}},
		no:  []example{{"web", func(w *world) { w.Namespaces[2].Phase = "Terminating" }}},
	},
	"service-deleting": {
		yes: []example{{"balanced", func(w *world) { w.find("balanced").Deleting = time.Unix(1, 0) }}},
		no:  []example{{"balanced", nothing}},
	},
	"externalname-address": {
		yes: []example{{"out", outside("192.0.2.1")}, {"out", outside("2001:db8::1")}},
		no:  []example{{"out", outside("192.0.2.1.example.com")}},
	},
	"externalname-loop": {
		yes: []example{
			{"out", outside("out.shop.svc.cluster.local")},
			{"out", func(w *world) {
				outside("back.shop.svc.cluster.local")(w)
				back := w.service(ns, "back", nil)
				back.Type, back.ClusterIPs, back.ExternalName = model.ExternalName, nil, "out.shop.svc.cluster.local."
			}},
		},
		no: []example{{"out", outside("web.shop.svc.cluster.local")}},
	},
	"externalname-missing": {
		yes: []example{{"out", outside("wbe.shop.svc.cluster.local")}, {"out", outside("web.shopp.svc.cluster.local.")}},
		no: []example{
			{"out", outside("web.shop.svc.cluster.local")}, {"out", outside("db-0.db.shop.svc.cluster.local")}, {"out", outside("svc.example.com")},
			{"out", func(w *world) { outside("x.elsewhere.svc.cluster.local")(w); w.Cluster.Namespace = ns }},
		},
	},
	"externalname-short": {
		yes: []example{{"out", outside("web")}, {"out", outside("web.shop")}, {"out", outside("web.shop.svc")}},
		no:  []example{{"out", outside("example.com")}, {"out", outside("web.shop.svc.cluster.local")}},
	},
	"service-port-missing": {
		yes: []example{
			{"web", func(w *world) { w.ask.Port = "8080" }}, {"door", func(w *world) { w.ask.Port = "30080" }}, {"api", func(w *world) { w.ask.Port = "grpc" }},
		},
		no: []example{{"web", func(w *world) { w.ask.Port = "80" }}, {"api", func(w *world) { w.ask.Port = "http" }}},
	},
	"service-no-clusterip": {
		yes: []example{{"web", func(w *world) { w.find("web").ClusterIPs = nil }}},
		no: []example{{"out", nothing}, {"web", func(w *world) { // only written down
			w.find("web").ClusterIPs, w.find("web").ResourceVersion = nil, ""
		}}},
	},
}

func outside(name string) func(*world) {
	return func(w *world) { w.find("out").ExternalName = name }
}
