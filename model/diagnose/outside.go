package diagnose

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"svctour/model"
)

// NetworkPolicies let nobody in, or not the client.
var policyIngress = Rule{
	ID: "policy-ingress", Lane: LanePolicy,
	Title:   "A NetworkPolicy keeps clients out",
	Explain: "A Pod that any policy selects for ingress accepts only what some policy allows. What is not allowed is dropped: the client times out.",
	Source:  "https://kubernetes.io/docs/concepts/services-networking/network-policies/",
	Check: func(s *Subject) []Finding {
		if !s.lives() || s.unread("networkpolicies") {
			return nil
		}
		for i := range s.Service.Ports {
			p := &s.Service.Ports[i]
			shut, pod := 0, (*model.Pod)(nil)
			var by *model.NetworkPolicy
			for _, backend := range s.ready {
				policies := s.ingressPolicies(backend)
				if len(policies) > 0 && !s.lets(policies, backend, p.Protocol, targetNumber(p, backend)) {
					shut, pod, by = shut+1, backend, policies[0]
				}
			}
			if shut == 0 || shut < len(s.ready) && s.Client == nil {
				continue
			}
			who, cause := "anybody", "No rule of any policy that selects the Pods allows this port."
			from := []any{object{"podSelector": object{}}}
			if s.Client != nil {
				who, cause = "Pod "+s.Client.Name, "No rule of any policy that selects the Pods allows this client at this port."
				from = []any{object{"podSelector": object{"matchLabels": s.Client.Labels}, "namespaceSelector": object{"matchLabels": object{"kubernetes.io/metadata.name": s.Client.Namespace}}}}
			}
			rule := object{"from": from, "ports": []any{object{"protocol": p.Protocol, "port": targetNumber(p, pod)}}}
			path, op := "/spec/ingress/-", any(rule)
			if len(*by.Ingress) == 0 {
				path, op = "/spec/ingress", []any{rule}
			}
			return []Finding{{
				Severity: Error, Confidence: Certain,
				Headline: fmt.Sprintf("NetworkPolicy %s does not let %s in at port %d: connections time out", by.Name, who, targetNumber(p, pod)),
				Cause:    cause + " (If the network plugin enforces policies.)",
				Evidence: []Fact{
					observed("NetworkPolicy", by.Meta, "spec.podSelector", selectorText(&by.Pods)),
					observed("NetworkPolicy", by.Meta, "spec.ingress", count(len(*by.Ingress), "rule")),
					observed("Pod", pod.Meta, "metadata.labels", pairs(pod.Labels)),
				},
				Fix: patched("Allow the clients that should come in.", "NetworkPolicy", by.Meta, "json", []any{object{"op": "add", "path": path, "value": op}}),
			}}
		}
		return nil
	},
}

// lets says whether policies let the client, or anybody, in.
func (s *Subject) lets(policies []*model.NetworkPolicy, backend *model.Pod, protocol string, port int32) bool {
	for _, policy := range policies {
		for i := range *policy.Ingress {
			rule := &(*policy.Ingress)[i]
			if !s.allows(rule, policy, s.Client, backend, protocol, port) {
				continue
			}
			if s.Client != nil || len(rule.Peers) == 0 || s.somebody(rule, policy) {
				return true
			}
		}
	}
	return false
}

// somebody says whether a rule's peers are anybody that exists; addresses
// outside of the cluster always may be.
func (s *Subject) somebody(rule *model.PolicyRule, policy *model.NetworkPolicy) bool {
	for i := range rule.Peers {
		peer := &rule.Peers[i]
		if peer.CIDR != "" || s.unread("pods") || peer.Namespaces != nil && s.unread("namespaces") {
			return true
		}
		for _, pod := range s.snapshot.Pods {
			if s.isPeer(peer, policy.Namespace, pod) {
				return true
			}
		}
	}
	return false
}

// localNodes are the ready nodes without and with a ready endpoint.
func (s *Subject) localNodes() (without, with []string) {
	have := map[string]bool{}
	for _, pod := range s.ready {
		have[pod.Node] = true
	}
	for _, node := range s.snapshot.Nodes {
		switch {
		case !node.Ready():
		case have[node.Name]:
			with = append(with, node.Name)
		default:
			without = append(without, node.Name)
		}
	}
	return without, with
}

// Nodes without an endpoint drop what comes from outside.
var externalLocal = Rule{
	ID: "external-local", Lane: LanePolicy,
	Title: "externalTrafficPolicy Local: nodes without a Pod drop",
	Explain: "With Local a node forwards connections from outside only to Pods of its own, to keep the client's address. A node without one drops them. " +
		"A load balancer that asks the health check port avoids such nodes; somebody who types a node's address does not.",
	Source: "https://kubernetes.io/docs/reference/networking/virtual-ips/#external-traffic-policy",
	Check: func(s *Subject) []Finding {
		if !s.lives() || s.Service.ExternalTrafficPolicy != "Local" || s.unread("nodes") || s.Service.Type != model.NodePort && s.Service.Type != model.LoadBalancer {
			return nil
		}
		without, with := s.localNodes()
		if len(without) == 0 {
			return nil
		}
		f := Finding{
			Severity: Warning, Confidence: Certain,
			Headline: fmt.Sprintf("%s have no ready Pod and drop what comes from outside: %s", count(len(without), "node"), names(without)),
			Cause:    fmt.Sprintf("externalTrafficPolicy is Local; only %s forward. From inside the cluster use the cluster IP.", names(with)),
			Evidence: []Fact{
				observed("Service", s.Service.Meta, "spec.externalTrafficPolicy", "Local"),
				{Object: about("Service", s.Service.Meta), Field: "nodes with a ready endpoint", Value: names(with), Kind: model.Derived},
			},
			Fix: patched("Forward on every node (the client's address is lost), or spread the Pods over the nodes.", "Service", s.Service.Meta, "merge", spec(object{"externalTrafficPolicy": "Cluster"})),
		}
		if s.Service.Type == model.LoadBalancer { // it finds the right nodes by healthCheckNodePort
			f.Severity = Info
		}
		return []Finding{f}
	},
}

// Clients on nodes without an endpoint get nothing.
var internalLocal = Rule{
	ID: "internal-local", Lane: LanePolicy,
	Title:   "internalTrafficPolicy Local: clients on nodes without a Pod get nothing",
	Explain: "With Local a client is sent to Pods of its own node only; where there is none, kube-proxy drops the connection. It is meant for DaemonSets.",
	Source:  "https://kubernetes.io/docs/concepts/services-networking/service-traffic-policy/",
	Check: func(s *Subject) []Finding {
		if !s.lives() || s.Service.InternalTrafficPolicy != "Local" || s.unread("nodes") || s.Service.Headless() {
			return nil
		}
		without, with := s.localNodes()
		if len(without) == 0 || s.Client != nil && slices.Contains(with, s.Client.Node) {
			return nil
		}
		return []Finding{{
			Severity: Warning, Confidence: Certain,
			Headline: fmt.Sprintf("Clients on %s reach nobody: no ready Pod runs there", names(without)),
			Cause:    "internalTrafficPolicy is Local: a node's clients get its own Pods only.",
			Evidence: []Fact{
				observed("Service", s.Service.Meta, "spec.internalTrafficPolicy", "Local"),
				{Object: about("Service", s.Service.Meta), Field: "nodes with a ready endpoint", Value: names(with), Kind: model.Derived},
			},
			Fix: patched("Let every Pod serve every client, or run one on each node (a DaemonSet).", "Service", s.Service.Meta, "merge", spec(object{"internalTrafficPolicy": "Cluster"})),
		}}
	},
}

// Topology hints were asked for and are not there.
var hintsMissing = Rule{
	ID: "topology-hints", Lane: LanePolicy,
	Title: "Topology hints were asked for, and there are none",
	Explain: "With topology-mode Auto the controller writes hints only when zones have enough endpoints for their share of CPUs, and takes them away otherwise; " +
		"connections then go to all zones. trafficDistribution: PreferSameZone is the simple successor.",
	Source: "https://kubernetes.io/docs/concepts/services-networking/topology-aware-routing/",
	Check: func(s *Subject) []Finding {
		if !s.lives() {
			return nil
		}
		mode := s.Service.Annotations["service.kubernetes.io/topology-mode"]
		if mode == "" {
			mode = s.Service.Annotations["service.kubernetes.io/topology-aware-hints"]
		}
		if !strings.EqualFold(mode, "auto") {
			return nil
		}
		for _, slice := range s.slices {
			for i := range slice.Endpoints {
				if len(slice.Endpoints[i].ForZones) > 0 {
					return nil
				}
			}
		}
		zones := map[string]bool{}
		for _, node := range s.snapshot.Nodes {
			zones[node.Zone()] = true
		}
		delete(zones, "")
		f := Finding{
			Severity: Warning, Confidence: Certain,
			Headline: "topology-mode Auto is set, but the endpoints have no hints: zones are ignored",
			Cause:    fmt.Sprintf("The EndpointSlice controller could not share %s out over %s by their CPUs.", count(len(s.ready), "endpoint"), count(len(zones), "zone")),
			Evidence: []Fact{observed("Service", s.Service.Meta, "metadata.annotations[service.kubernetes.io/topology-mode]", mode), observed("Service", s.Service.Meta, "endpoints with hints", "0")},
			Fix: patched("Prefer the client's own zone without conditions.", "Service", s.Service.Meta, "merge", object{
				"metadata": object{"annotations": object{"service.kubernetes.io/topology-mode": nil, "service.kubernetes.io/topology-aware-hints": nil}},
				"spec":     object{"trafficDistribution": "PreferClose"},
			}),
		}
		if len(zones) == 0 && !s.unread("nodes") {
			f.Cause = "No node has the label topology.kubernetes.io/zone, so that there is nothing to share the endpoints out over."
		}
		for _, e := range s.events["Service "+s.Service.Key()] {
			if e.Reason == "TopologyAwareHintsDisabled" {
				f.Cause = e.Message
				f.Evidence = append(f.Evidence, observed("Event", e.Meta, e.Reason, short(e.Message)))
			}
		}
		return []Finding{f}
	},
}

// The allowed source ranges are none, or not the cluster's own.
var sourceRanges = Rule{
	ID: "source-ranges", Lane: LanePolicy,
	Title:   "loadBalancerSourceRanges lets few in",
	Explain: "Only clients in the ranges pass a load balancer's address; others time out. Where the load balancer or a node rewrites the source, the rewritten one is compared.",
	Source:  "https://kubernetes.io/docs/concepts/services-networking/service/#aws-nlb-support, loadBalancerSourceRanges",
	Check: func(s *Subject) []Finding {
		if !s.lives() || s.Service.Type != model.LoadBalancer || len(s.Service.SourceRanges) == 0 || s.Client == nil || insideAny(s.Service.SourceRanges, s.Client.IPs) {
			return nil
		}
		return []Finding{{
			Severity: Warning, Confidence: Likely,
			Headline: fmt.Sprintf("Pod %s is in none of the load balancer's source ranges", s.Client.Name),
			Cause:    "Its connections to the load balancer's address are dropped; those to the cluster IP are not.",
			Evidence: []Fact{observed("Service", s.Service.Meta, "spec.loadBalancerSourceRanges", strings.Join(s.Service.SourceRanges, ",")), observed("Pod", s.Client.Meta, "status.podIP", s.Client.IP())},
			Fix:      Fix{Explain: "Use the cluster IP from inside, or add the Pods' range."},
		}}
	},
}

// kube-proxy does not run on some node.
var proxyDown = Rule{
	ID: "proxy-down", Lane: LaneProxy,
	Title:   "kube-proxy does not run on a node",
	Explain: "Where kube-proxy does not run, the node's rules stay as they were: new Services do nothing there, and old endpoints stay.",
	Source:  "https://kubernetes.io/docs/reference/networking/virtual-ips/",
	Check: func(s *Subject) []Finding {
		if !s.lives() || s.Service.Headless() || s.unread("nodes") || s.unread("pods") {
			return nil
		}
		runs, any := map[string]bool{}, false
		for _, pod := range s.all["kube-system"] {
			if pod.Labels["k8s-app"] == "kube-proxy" {
				any = true
				runs[pod.Node] = runs[pod.Node] || pod.Ready()
			}
		}
		if !any { // another program may do its work
			return nil
		}
		var down []string
		for _, node := range s.snapshot.Nodes {
			if node.Ready() && !runs[node.Name] && (s.Client == nil || s.Client.Node == node.Name) {
				down = append(down, node.Name)
			}
		}
		if len(down) == 0 {
			return nil
		}
		return []Finding{{
			Severity: Warning, Confidence: Certain,
			Headline: fmt.Sprintf("kube-proxy is not ready on %s: the rules there are stale", names(down)),
			Cause:    "Clients on such a node do not see changes of Services and endpoints.",
			Evidence: []Fact{{Object: "DaemonSet kube-system/kube-proxy", Field: "nodes without a ready Pod", Value: names(down), Kind: model.Observed}},
			Fix:      command("See why it does not run.", "kubectl get pods -n kube-system -l k8s-app=kube-proxy -o wide"),
		}}
	},
}

// pending says whether a Service that exists waits for its load balancer; one
// that was only written down does not.
func (s *Subject) pending() bool {
	return s.Service != nil && s.Service.ResourceVersion != "" && s.Service.Type == model.LoadBalancer && len(s.Service.Ingress) == 0
}

// The load balancer's controller says why there is no address.
var loadBalancerEvents = Rule{
	ID: "load-balancer-failed", Lane: LaneOutside,
	Title:   "The load balancer cannot be made",
	Explain: "The controller that provides load balancers reports in the Service's events: no address left in its pool, a quota, missing rights.",
	Source:  "https://kubernetes.io/docs/tasks/access-application-cluster/create-external-load-balancer/",
	Check: func(s *Subject) []Finding {
		if !s.pending() {
			return nil
		}
		events := s.events["Service "+s.Service.Key()]
		for i := len(events) - 1; i >= 0; i-- {
			e := events[i]
			if e.Reason != "SyncLoadBalancerFailed" && e.Reason != "AllocationFailed" && e.Reason != "CreatingLoadBalancerFailed" && !strings.Contains(strings.ToLower(e.Reason), "failed") {
				continue
			}
			return []Finding{{
				Severity: Error, Confidence: Certain,
				Headline: "The load balancer gets no address: " + short(e.Message),
				Cause:    fmt.Sprintf("%s reports it. The cluster IP and the node ports work already.", orElse(e.Source, "The controller")),
				Evidence: []Fact{observed("Event", e.Meta, e.Reason, short(e.Message)), observed("Service", s.Service.Meta, "status.loadBalancer.ingress", "none")},
				Fix:      Fix{Explain: "Do what the message asks for: enlarge the pool or the quota, or free an address by deleting a LoadBalancer Service."},
			}}
		}
		return nil
	},
}

// Nobody provides the load balancer.
var loadBalancerPending = Rule{
	ID: "load-balancer-pending", Lane: LaneOutside,
	Title:   "Nobody gives the load balancer an address",
	Explain: "Kubernetes has no load balancer of its own. Without a cloud's controller, MetalLB or the like EXTERNAL-IP stays pending; a loadBalancerClass asks for one particular controller.",
	Source:  "https://kubernetes.io/docs/concepts/services-networking/service/#loadbalancer",
	Check: func(s *Subject) []Finding {
		if !s.pending() {
			return nil
		}
		f := Finding{
			Severity: Error, Confidence: Likely,
			Headline: "EXTERNAL-IP is pending: no controller has taken the Service",
			Cause:    "There is no address and no event of a load balancer's controller. The cluster IP and the node ports work already.",
			Evidence: []Fact{observed("Service", s.Service.Meta, "status.loadBalancer.ingress", "none"), observed("Service", s.Service.Meta, "events", "none of a load balancer's controller")},
			Fix:      Fix{Explain: "Install a controller (MetalLB, cloud-provider-kind, minikube tunnel, a cloud's own); meanwhile use a node's address and nodePort " + nodePorts(s.Service) + "."},
		}
		if s.snapshot.Cluster.Lab {
			f.Fix = command("The lab has one.", "svctour lab addon enable load-balancer")
		}
		if class := s.Service.LoadBalancerClass; class != "" {
			f.Headline = fmt.Sprintf("EXTERNAL-IP is pending: no controller has taken loadBalancerClass %s", class)
			f.Cause = "Only a controller of that class acts on the Service; the cluster's default one leaves it alone."
			f.Evidence = append(f.Evidence, observed("Service", s.Service.Meta, "spec.loadBalancerClass", class))
			f.Fix = Fix{Explain: "Install the controller of that class, or make the Service anew without it (the field is immutable)."}
		}
		return []Finding{f}
	},
}

// Where the node port answers, and where it does not.
var nodePortReach = Rule{
	ID: "nodeport-reach", Lane: LaneOutside,
	Title: "A nodePort is on the nodes' addresses only",
	Explain: "nodePort answers on the nodes' addresses, port on the cluster IP, targetPort on the Pods. Nodes that are containers (kind, k3d, minikube with docker) " +
		"or virtual, as the lab's, are not this machine: localhost:NODEPORT needs a port mapping.",
	Source: "https://kind.sigs.k8s.io/docs/user/configuration/#extra-port-mappings",
	Check: func(s *Subject) []Finding {
		if !s.lives() || s.Service.Type != model.NodePort {
			return nil
		}
		p := s.Service.Ports[0]
		f := Finding{
			Severity: Info, Confidence: Certain,
			Headline: fmt.Sprintf("nodePort %s answers on the nodes' addresses only", nodePorts(s.Service)),
			Cause:    fmt.Sprintf("On the cluster IP the port is %d, on the Pods it is %s.", p.Port, orElse(p.TargetPort, strconv.Itoa(int(p.Port)))),
			Evidence: []Fact{observed("Service", s.Service.Meta, "spec.ports", portsText(s.Service))},
			Fix:      Fix{Explain: fmt.Sprintf("Ask for NODE-IP:%d from outside, for %s:%d from inside.", p.NodePort, s.Name, p.Port)},
		}
		switch {
		case s.snapshot.Cluster.Lab:
			f.Cause += " The lab's nodes are not this machine: its localhost answers only for ports that were exposed."
			f.Fix = command("Give it a port of this machine's loopback.", "svctour lab expose %d", p.NodePort)
		case strings.HasPrefix(s.snapshot.Cluster.Context, "kind-"):
			f.Cause += " The nodes of kind are containers: localhost answers only for extraPortMappings."
			f.Fix.Explain += " On this machine make the cluster anew with extraPortMappings, or use kubectl port-forward."
		}
		return []Finding{f}
	},
}

func nodePorts(s *model.Service) string {
	var out []string
	for _, p := range s.Ports {
		if p.NodePort != 0 {
			out = append(out, strconv.Itoa(int(p.NodePort)))
		}
	}
	return strings.Join(out, ", ")
}

// names lists a few names.
func names(list []string) string {
	const most = 5
	if len(list) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
	}
	return strings.Join(list, ", ")
}
