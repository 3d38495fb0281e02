package diagnose

import "svctour/model"

var probeCases = map[string]examples{
	"probe-port": {
		yes: []example{
			{"cache", unready("cache", probes(model.Probe{Kind: "http", Port: "9999", Path: "/"}))},
			{"cache", unready("cache", probes(model.Probe{Kind: "tcp", Port: "redis"}))},
		},
		no: []example{{"cache", unready("cache", probes(model.Probe{Kind: "tcp", Port: "6379"}))}},
	},
	"probe-status": {
		yes: []example{{"cache", failing("Readiness probe failed: HTTP probe failed with statuscode: 404")}},
		no:  []example{{"cache", failing("Readiness probe failed: dial tcp 10.244.0.9:6379: connect: connection refused")}},
	},
	"probe-scheme": {
		yes: []example{
			{"cache", failing(`Readiness probe failed: Get "https://10.244.0.9:6379/up": http: server gave HTTP response to HTTPS client`)},
			{"cache", failing(`Readiness probe failed: Get "http://10.244.0.9:6379/up": net/http: HTTP/1.x transport connection broken: malformed HTTP response "\x15\x03\x01\x00\x02\x02"`)},
		},
		no: []example{{"cache", failing("Readiness probe failed: HTTP probe failed with statuscode: 500")}},
	},
	"probe-timeout": {
		yes: []example{{"cache", failing(`Readiness probe failed: Get "http://10.244.0.9:6379/up": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`)}},
		no: []example{{"cache", func(w *world) { // it is ready now
			each("cache", probes(model.Probe{Kind: "http", Port: "6379", Path: "/up"}))(w)
			w.says("cache", "Unhealthy", "Readiness probe failed: context deadline exceeded")
		}}},
	},
	"probe-fails": {
		yes: []example{
			{"cache", unready("cache", probes(model.Probe{Kind: "exec", Command: []string{"false"}}))},
			{"cache", failing("Readiness probe failed: dial tcp 10.244.0.9:6379: connect: connection refused")},
		},
		no: []example{{"cache", unready("cache", func(*model.Pod) {})}}, // no probe at all
	},
}

// probes gives the first container a readiness probe.
func probes(probe model.Probe) func(*model.Pod) {
	return func(p *model.Pod) { p.Containers[0].Readiness = &probe }
}

// failing is a cache whose readiness probe fails with these words of the kubelet.
func failing(message string) func(*world) {
	return func(w *world) {
		w.broken("cache", probes(model.Probe{Kind: "http", Port: "6379", Path: "/up"}))
		w.says("cache", "Unhealthy", message)
	}
}
