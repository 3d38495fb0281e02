package cases

import "strings"

// elsewhere are the cases that need what a lab cannot have, with the reason.
var elsewhere = map[string]string{
	"dns-wrong-suffix":  "needs a cluster with another domain than cluster.local: the lab's is fixed",
	"hairpin":           "needs a bridge without hairpin mode: the lab's router always has it",
	"br-netfilter-off":  "needs a kernel without br_netfilter: the lab's router sees every packet",
	"lb-pool-exhausted": "needs MetalLB's IPAddressPool; the lab's own pool is tested in lab/child/loadbalancer",
	"dns-coredns-down":  "scales the cluster's DNS to zero under the other cases; test/behaviour does it alone",
}

// alone are the cases that do not bear company: these two ask for one nodePort.
var alone = map[string]bool{"nodeport-taken": true, "kind-no-port-mapping": true}

// deviations are the cases in which a client of the lab sees something else
// than the case says, with the reason.
var deviations = map[string]struct{ sees, why string }{
	"selector-removed-stale":      {"timeout", "nothing answers at 10.9.9.9, where a part of the connections goes"},
	"etp-local-pod-to-other-node": {"ok", "the lab's network plugin masquerades what leaves the Pods' range, as kindnet and flannel do: the answer comes back the way it went"},
	"env-collision":               {"refused", "the Pod never becomes an endpoint, so that nothing can answer with an error"},
	"sts-service-not-headless":    {"ok", "CoreDNS' own code answers the name of an endpoint with a hostname for every Service, headless or not (plugin/kubernetes, findServices)"},
	"dual-stack-family":           {"rejected", "a cluster of one family refuses the other"},
}

// asks are what clients do in the cases where it is not a GET of the Service.
var asks = map[string]func(*place) string{
	"selector-too-broad": func(p *place) string {
		seen := map[string]bool{}
		for range 24 {
			seen[p.http()] = true
		}
		if seen["ok"] && seen["refused"] && len(seen) == 2 {
			return "wrong-backend"
		}
		return "always the same"
	},
	"client-uses-wrong-port": func(p *place) string {
		ip := strings.TrimSpace(kubectl(p.T, "", "get", "pods", "--namespace="+p.namespace(), "-l", "app=web", "-o", "jsonpath={.items[0].status.podIP}"))
		return p.curl("http://" + ip + ":30036")
	},
	"peers-need-not-ready":     func(p *place) string { return p.look("db-1.db") },
	"sts-servicename-mismatch": func(p *place) string { return p.look("database-0.db-svc") },
	"sts-service-not-headless": func(p *place) string { return p.look("db-0.db") },
	"dns-ndots-too-low":        func(p *place) string { return p.curl("http://web." + p.namespace() + ":80") },
	// Not by curl: it says the same of a name that is not there and of a DNS
	// without a ready Pod, which a busy machine may have for a while.
	"dns-egress-denied":    func(p *place) string { return p.look("web") },
	"externalname-ip":      func(p *place) string { return p.curl("http://db") },
	"kind-no-port-mapping": func(p *place) string { return refusedHere(p.field("{.spec.ports[0].nodePort}")) },
	"lb-no-controller":     pending,
	"ping-clusterip": func(p *place) string {
		out, exit := p.client("ping", "-c", "1", "-W", "1", p.field("{.spec.clusterIP}"))
		switch {
		case exit == 0:
			return "ok"
		case strings.Contains(out, "nreachable"):
			return "unreachable"
		}
		return "timeout"
	},
	"etp-local-no-endpoint": func(p *place) string {
		return p.curl("http://" + p.nodeWithout("app=web") + ":" + p.field("{.spec.ports[0].nodePort}"))
	},
	"etp-local-pod-to-other-node": func(p *place) string {
		ip := strings.TrimSpace(kubectl(p.T, "", "get", "pods", "--namespace="+p.namespace(), "-l", "app=web", "-o", "jsonpath={.items[0].status.hostIP}"))
		return p.curl("http://" + ip + ":" + p.field("{.spec.ports[0].nodePort}"))
	},
	"ok-externalname-no-endpoints": func(p *place) string {
		if out, _ := p.client("dig", "+search", "+short", "ext", "CNAME"); strings.TrimSpace(out) == "example.com." {
			return "ok"
		}
		return "nxdomain"
	},
}

func pending(p *place) string {
	if p.field("{.status.loadBalancer.ingress}") == "" {
		return "pending"
	}
	return "ok"
}

// nodeWithout is the address of a node where none of the Pods runs, and the
// client does not either.
func (p *place) nodeWithout(selector string) string {
	taken := kubectl(p.T, "", "get", "pods", "--namespace="+p.namespace(), "-l", selector, "-o", "jsonpath={.items[*].status.hostIP}") +
		" " + kubectl(p.T, "", "get", "pod", "client", "--namespace="+p.namespace(), "-o", "jsonpath={.status.hostIP}")
	for _, ip := range strings.Fields(kubectl(p.T, "", "get", "nodes", "-o", "jsonpath={.items[*].status.addresses[0].address}")) {
		if !strings.Contains(taken, ip) {
			return ip
		}
	}
	p.Fatal("there is no such node")
	return ""
}
