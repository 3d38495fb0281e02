package doctor

import (
	"fmt"
	"strings"
)

// breakage is one thing wrong with the application: what is written differently,
// and which Service is asked about.
type breakage struct {
	name, service string
	rules         string // that name the cause, separated by blanks
	change        func(*manifest)
	from          string // the client Pod, "" for none
	port          string
	all           bool // every Service is concerned
}

// breakages are single changes of the manifest.
func breakages() []breakage {
	var out []breakage
	add := func(name, service, rules string, change func(*manifest)) *breakage {
		out = append(out, breakage{name: service + " " + name, service: service, rules: rules, change: change})
		return &out[len(out)-1]
	}
	service := func(name, path, value string) func(*manifest) {
		return func(m *manifest) { set(m.find("Service", name), path, value) }
	}
	selecting := func(name, selector string) func(*manifest) { return service(name, "spec.selector", selector) }

	for _, n := range []struct{ name, typo, swapped, upper string }{
		{"web", "webb", "ewb", "WEB"}, {"api", "ap", "aip", "Api"}, {"cache", "cash", "cahce", "Cache"}, {"balanced", "balance", "blaanced", "BALANCED"}, {"names", "names1", "anmes", "Names"},
		{"door", "doors", "odor", "Door"}, {"agent", "agents", "agnet", "Agent"}, {"db", "dbs", "bd", "DB"},
	} {
		more := ""
		if n.name == "web" {
			more = ", tier: front"
		}
		add("selector with a typo", n.name, "selector-near-miss", selecting(n.name, "{app: "+n.typo+more+"}"))
		add("selector with letters swapped", n.name, "selector-near-miss", selecting(n.name, "{app: "+n.swapped+more+"}"))
		add("selector in other case", n.name, "selector-near-miss", selecting(n.name, "{app: "+n.upper+more+"}"))
		add("selector with another key", n.name, "selector-near-miss", selecting(n.name, "{app.kubernetes.io/name: "+n.name+more+"}"))
		add("selector with a pair too many", n.name, "selector-near-miss", selecting(n.name, "{app: "+n.name+more+", release: stable}"))
		add("selector of nothing", n.name, "selector-matches-nothing", selecting(n.name, "{component: somewhere-else-entirely}"))
		add("shut by a policy", n.name, "policy-ingress", func(m *manifest) { m.add(policy(n.name, "[]")) })
	}
	for _, name := range []string{"web", "api", "cache", "balanced", "names"} {
		add("key and value of the selector swapped", name, "selector-near-miss", selecting(name, "{"+name+": app}"))
		add("label on the Deployment only", name, "selector-near-miss", func(m *manifest) {
			selecting(name, "{team: blue}")(m)
			set(m.maker(name), "metadata.labels", "{team: blue}")
		})
		add("scaled to zero", name, "scaled-to-zero", func(m *manifest) { set(m.maker(name), "spec.replicas", "0") })
		add("target port by an unknown name", name, "targetport-name", service(name, "spec.ports.0.targetPort", "grpc"))
		add("image that does not exist", name, "pod-image", container(name, "image", "registry.k8s.io/e2e-test-images/agnhots:2.53"))
	}
	for _, name := range []string{"web", "cache", "balanced", "door", "agent"} {
		add("target port that nothing declares", name, "targetport-undeclared targetport-swapped", service(name, "spec.ports.0.targetPort", "7777"))
	}
	for _, name := range []string{"api", "cache", "names"} {
		add("program that does not exist", name, "pod-crashes pod-config", container(name, "args", "[nosuchprogram]"))
		add("readiness probe of a port that nothing declares", name, "probe-port", container(name, "readinessProbe", "{httpGet: {path: /, port: 9999}, periodSeconds: 1}"))
		add("on no node", name, "pod-unschedulable", template(name, "nodeSelector", "{disk: none}"))
	}
	add("readiness path that is not there", "cache", "probe-status", container("cache", "readinessProbe", "{httpGet: {path: '/echo?msg=no&code=503', port: 6379}, periodSeconds: 1}"))
	add("readiness command that fails", "cache", "probe-fails", container("cache", "readinessProbe", "{exec: {command: [/bin/false]}, periodSeconds: 1}"))
	add("liveness probe that kills", "cache", "liveness-kills", container("cache", "livenessProbe", "{tcpSocket: {port: 9999}, periodSeconds: 1, failureThreshold: 1}"))
	add("missing ConfigMap", "cache", "pod-config", container("cache", "envFrom", "[{configMapRef: {name: nosuchmap}}]"))
	add("missing Secret as a volume", "balanced", "pod-config", template("balanced", "volumes", "[{name: tls, secret: {secretName: nosuchsecret}}]"))
	add("closed readiness gate", "cache", "readiness-gate", template("cache", "readinessGates", "[{conditionType: example.com/open}]"))
	add("init container that waits", "cache", "pod-init", template("cache", "initContainers", `[{name: wait, image: busybox, command: [sleep, infinity]}]`))
	add("missing ServiceAccount", "cache", "pods-not-created", func(m *manifest) {
		template("cache", "serviceAccountName", "nosuchaccount")(m)
		template("cache", "serviceAccount", "nosuchaccount")(m) // the old name of the field, or it stays
	})

	add("gone", "web", "service-missing", func(m *manifest) { m.drop("Service", "web") })
	add("asked for its target port", "web", "service-port-missing", func(*manifest) {}).port = "8080"
	add("without a selector", "web", "selector-none selector-removed-stale-slice", selecting("web", ""))
	add("another workload behind it", "web", "selector-too-broad", func(m *manifest) {
		selecting("web", "{app: web}")(m)
		m.add(deployment("admin", "{app: web, tier: admin}", 9000))
	})
	add("a second Deployment with its labels", "cache", "workloads-share-selector", func(m *manifest) { m.add(deployment("cache2", "{app: cache}", 6379)) })
	add("slice of somebody's", "cache", "slice-foreign", func(m *manifest) {
		m.add(`{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: cache-extra, labels: {kubernetes.io/service-name: cache}}, addressType: IPv4, ports: [{port: 6379}], endpoints: [{addresses: [192.0.2.9]}]}`)
	})
	add("left to another proxy", "cache", "proxy-name", service("cache", "metadata.labels", "{service.kubernetes.io/service-proxy-name: other}"))
	add("topology hints without enough endpoints", "cache", "topology-hints", service("cache", "metadata.annotations", "{service.kubernetes.io/topology-mode: Auto}"))
	add("TCP for a UDP port", "names", "targetport-protocol", container("names", "ports", "[{containerPort: 5353, protocol: TCP}]"))
	add("port and target port exchanged", "balanced", "targetport-swapped", service("balanced", "spec.ports.0", "{port: 8443, targetPort: 443}"))
	add("name on two containers", "api", "targetport-ambiguous", func(m *manifest) {
		set(m.maker("api"), "spec.template.spec.containers.1.ports", "[{name: http, containerPort: 9100}, {name: metrics, containerPort: 9102}]")
	})
	add("on one node only", "agent", "internal-local", template("agent", "nodeSelector", "{kubernetes.io/hostname: node-1}"))
	add("on one node only", "door", "external-local", template("door", "nodeSelector", "{kubernetes.io/hostname: node-1}"))
	add("of a class that nobody provides", "balanced", "load-balancer-pending", service("balanced", "spec.loadBalancerClass", "example.com/nobody"))
	add("not headless", "db", "statefulset-not-headless", service("db", "spec.clusterIP", "10.96.0.77"))
	add("port that is not translated", "db", "headless-port", service("db", "spec.ports.0", "{name: pg, port: 80, targetPort: 5432}"))
	add("serviceName of another", "db", "statefulset-service", func(m *manifest) { set(m.maker("db"), "spec.serviceName", "database") })

	add("the Service's port in a policy", "web", "policy-service-port", func(m *manifest) { m.add(policy("web", "[{ports: [{port: 80}]}]")) })
	add("an unknown port name in a policy", "api", "policy-port-name", func(m *manifest) { m.add(policy("api", "[{ports: [{port: web}]}]")) })
	add("nobody in a policy", "cache", "policy-nobody", func(m *manifest) { m.add(policy("cache", "[{from: [{podSelector: {matchLabels: {run: clinet}}}]}]")) })
	add("another client in a policy", "cache", "policy-ingress", func(m *manifest) { m.add(policy("cache", "[{from: [{podSelector: {matchLabels: {app: api}}}]}]")) }).from = "client"
	add("Pods only in a policy", "door", "policy-outside", func(m *manifest) { m.add(policy("door", "[{from: [{podSelector: {}}]}]")) })
	add("Pods only in a policy", "balanced", "policy-outside", func(m *manifest) { m.add(policy("balanced", "[{from: [{namespaceSelector: {}}]}]")) })

	add("an address", "out", "externalname-address", service("out", "spec.externalName", "192.0.2.1"))
	add("a short name", "out", "externalname-short", service("out", "spec.externalName", "web"))
	add("a Service that is not there", "out", "externalname-missing", service("out", "spec.externalName", "web.nosuch.svc.cluster.local"))
	add("a target port", "out", "externalname-port", service("out", "spec.ports.0", "{port: 443, targetPort: 8443}"))

	slice := func(path, value string) func(*manifest) {
		return func(m *manifest) { set(m.find("EndpointSlice", "legacy-1"), path, value) }
	}
	add("no slice", "legacy", "selector-none", func(m *manifest) { m.drop("EndpointSlice", "legacy-1") })
	add("slice without label", "legacy", "slice-label", slice("metadata.labels", ""))
	add("slice with another label", "legacy", "slice-label", slice("metadata.labels", "{kubernetes.io/service-name: legcay}"))
	add("slice with a port's name", "legacy", "slice-port", slice("ports.0", "{name: mysql, port: 3306}"))
	add("slice of UDP", "legacy", "slice-port", slice("ports.0", "{protocol: UDP, port: 3306}"))
	add("slice that is not ready", "legacy", "slice-not-ready", slice("endpoints.0", "{addresses: [192.0.2.7], conditions: {ready: false}}"))
	add("slice of names", "legacy", "slice-address-type", func(m *manifest) {
		slice("addressType", "FQDN")(m)
		slice("endpoints.0.addresses.0", "db.example.com")(m)
	})
	add("slice with a cluster IP", "legacy", "slice-cluster-ip", slice("endpoints.0.addresses.0", "10.96.0.1"))
	add("Endpoints that are not mirrored", "legacy", "endpoints-not-mirrored", func(m *manifest) {
		m.drop("EndpointSlice", "legacy-1")
		m.add(`{apiVersion: v1, kind: Endpoints, metadata: {name: legacy, labels: {endpointslice.kubernetes.io/skip-mirror: "true"}}, subsets: [{addresses: [{ip: 192.0.2.7}], ports: [{port: 3306}]}]}`)
	})

	pod := func(path, value string) func(*manifest) {
		return func(m *manifest) { set(m.find("Pod", "client"), path, value) }
	}
	add("ndots of its clients", "web", "client-ndots", pod("spec.dnsConfig", `{options: [{name: ndots, value: "1"}]}`)).all = true
	for name, c := range map[string]struct {
		rules  string
		change func(*manifest)
	}{
		"node's DNS of its client":   {"client-dns-policy", pod("spec.dnsPolicy", "Default")},
		"host network of its client": {"client-host-network", pod("spec.hostNetwork", "true")},
		"proxy of its client":        {"client-http-proxy", pod("spec.containers.0.env", "[{name: HTTP_PROXY, value: 'http://192.0.2.3:3128'}]")},
		"no search domains of its client": {"client-dns-search", func(m *manifest) {
			pod("spec.dnsPolicy", "None")(m)
			pod("spec.dnsConfig", "{nameservers: [10.96.0.10]}")(m)
		}},
		"client that may not ask DNS": {"client-egress-dns", func(m *manifest) { m.add(egress("[{to: [{podSelector: {matchLabels: {app: web}}}]}]")) }},
		"client that may not go out":  {"client-egress", func(m *manifest) { m.add(egress("[{ports: [{port: 53, protocol: UDP}]}]")) }},
	} {
		add(name, "web", c.rules, c.change).from = "client"
	}
	return out
}

// container changes a workload's first container, template its Pods' spec.
func container(name, path, value string) func(*manifest) {
	return template(name, "containers.0."+path, value)
}

func template(name, path, value string) func(*manifest) {
	return func(m *manifest) { set(m.maker(name), "spec.template.spec."+path, value) }
}

// policy is a NetworkPolicy about a workload's Pods.
func policy(app, ingress string) string {
	return fmt.Sprintf("{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: only}, spec: {podSelector: {matchLabels: {app: %s}}, policyTypes: [Ingress], ingress: %s}}", app, ingress)
}

func egress(rules string) string {
	return fmt.Sprintf("{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: out}, spec: {podSelector: {matchLabels: {run: client}}, policyTypes: [Egress], egress: %s}}", rules)
}

func deployment(name, labels string, port int) string {
	return strings.NewReplacer("NAME", name, "LABELS", labels, "PORT", fmt.Sprint(port)).Replace(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME}
spec:
  replicas: 1
  selector: {matchLabels: LABELS}
  template:
    metadata: {labels: LABELS}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - {name: NAME, image: "registry.k8s.io/e2e-test-images/agnhost:2.53", args: [netexec, --http-port=PORT], ports: [{containerPort: PORT}]}
`)
}
