package diagnose

import "svctour/model"

var portCases = map[string]examples{
	"targetport-name": {
		yes: []example{{"api", func(w *world) { w.find("api").Ports[0].TargetPort = "grpc" }}, {"api", func(w *world) { w.find("api").Ports[1].TargetPort = "metric" }}},
		no: []example{{"api", func(w *world) { // a sidecar's port counts
			each("api", func(p *model.Pod) {
				p.InitContainers = []model.Container{{Name: "proxy", Sidecar: true, Ready: true, State: "running", Ports: []model.ContainerPort{{Name: "grpc", Port: 9000, Protocol: "TCP"}}}}
			})(w)
			w.find("api").Ports[0].TargetPort = "grpc"
		}}},
	},
	"targetport-protocol": {
		yes: []example{{"names", each("names", func(p *model.Pod) { p.Containers[0].Ports = p.Containers[0].Ports[1:] })}},
		no:  []example{{"names", nothing}},
	},
	"targetport-swapped": {
		yes: []example{{"cache", func(w *world) { w.find("cache").Ports[0] = port("", "TCP", 6379, "80") }}},
		no:  []example{{"cache", func(w *world) { w.find("cache").Ports[0] = port("", "TCP", 80, "6379") }}},
	},
	"targetport-some-pods": {
		yes: []example{
			{"api", func(w *world) {
				w.backends("api")[0].Containers[0].Ports = []model.ContainerPort{{Name: "web", Port: 8080, Protocol: "TCP"}}
			}},
			{"web", func(w *world) {
				w.backends("web")[0].Containers[0].Ports = []model.ContainerPort{{Port: 9090, Protocol: "TCP"}}
			}},
		},
		no: []example{
			{"api", func(w *world) { // by name each Pod has its own number
				w.backends("api")[0].Containers[0].Ports = []model.ContainerPort{{Name: "http", Port: 8081, Protocol: "TCP"}}
			}},
			{"api", func(w *world) { // of another workload, which the name leaves out
				w.deployment(ns, "api-worker", 1, map[string]string{"app": "api", "role": "worker"}, container("worker", "debug", "TCP", 6060))
			}},
		},
	},
	"targetport-undeclared": {
		yes: []example{{"cache", func(w *world) { w.find("cache").Ports[0].TargetPort = "7777" }}},
		no: []example{{"cache", func(w *world) { // nothing is declared, nothing is known
			w.find("cache").Ports[0].TargetPort = "7777"
			each("cache", func(p *model.Pod) { p.Containers[0].Ports = nil })(w)
		}}},
	},
	"targetport-ambiguous": {
		yes: []example{{"api", each("api", func(p *model.Pod) { p.Containers = append(p.Containers, container("proxy", "http", "TCP", 15000)) })}},
		no: []example{
			{"api", each("api", func(p *model.Pod) { p.Containers = append(p.Containers, container("proxy", "http", "UDP", 15000)) })},
			{"cache", each("cache", func(p *model.Pod) {
				p.Containers = append(p.Containers, container("x", "", "TCP", 1), container("y", "", "TCP", 2))
			})},
		},
	},
	"headless-port": {
		yes: []example{{"db", func(w *world) { w.find("db").Ports[0].Port = 80 }}},
		no:  []example{{"db", nothing}},
	},
	"statefulset-service": {
		yes: []example{{"db", each("db", func(p *model.Pod) { p.Subdomain = "database" })}},
		no: []example{{"db", func(w *world) { // that one exists, too
			each("db", func(p *model.Pod) { p.Subdomain = "database" })(w)
			w.service(ns, "database", map[string]string{"app": "db"}, port("pg", "TCP", 5432, "5432")).ClusterIPs = []string{model.None}
		}}},
	},
	"statefulset-not-headless": {
		yes: []example{{"db", func(w *world) { w.find("db").ClusterIPs = []string{"10.96.9.9"} }}},
		no: []example{{"db-read", func(w *world) { // a second Service for clients
			w.service(ns, "db-read", map[string]string{"app": "db"}, port("pg", "TCP", 5432, "5432"))
		}}},
	},
	"externalname-port": {
		yes: []example{{"out", func(w *world) { w.find("out").Ports[0] = port("", "TCP", 80, "8080") }}},
		no:  []example{{"out", nothing}},
	},
}
