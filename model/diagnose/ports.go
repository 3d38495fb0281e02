package diagnose

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"svctour/model"
)

// numeric says whether a targetPort is a number.
func numeric(port string) bool {
	_, err := strconv.Atoi(port)
	return err == nil
}

// targetNumber is the container port that a Service's port leads to in a Pod,
// 0 when the Pod has none of that name.
func targetNumber(p *model.ServicePort, pod *model.Pod) int32 {
	if p.TargetPort == "" {
		return p.Port
	}
	if n, err := strconv.ParseInt(p.TargetPort, 10, 32); err == nil {
		return int32(n)
	}
	return namedPort(pod, p.TargetPort, p.Protocol)
}

// declared says whether a Pod declares a port, by number or by name.
func declared(pod *model.Pod, port string) bool {
	return slices.ContainsFunc(containerPorts(pod), func(p model.ContainerPort) bool {
		return p.Name == port && port != "" || strconv.Itoa(int(p.Port)) == port
	})
}

func podPortsText(pod *model.Pod) string {
	var out []string
	for _, p := range containerPorts(pod) {
		text := fmt.Sprintf("%d/%s", p.Port, p.Protocol)
		if p.Name != "" {
			text = p.Name + " " + text
		}
		out = append(out, text)
	}
	if out == nil {
		return "none"
	}
	return strings.Join(out, ", ")
}

// lives says whether the rules about ports concern the Service.
func (s *Subject) lives() bool { return s.selects() && len(s.ready) > 0 }

// Endpoints that the controller has not written yet, or any more.
var endpointsLag = Rule{
	ID: "endpoints-lag", Lane: LaneEndpoints,
	Title:   "Ready Pods are not in the EndpointSlices",
	Explain: "The EndpointSlice controller writes what kube-proxy and DNS use. If it lags behind or does not run, new Pods get no connections and old addresses stay.",
	Source:  "https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/",
	Check: func(s *Subject) []Finding {
		if !s.lives() || s.unread("endpointslices") {
			return nil
		}
		listed := map[string]bool{}
		for _, slice := range s.slices {
			for i := range slice.Endpoints {
				for _, address := range slice.Endpoints[i].Addresses {
					listed[address] = true
				}
			}
		}
		for _, pod := range s.ready {
			if pod.IP() == "" || listed[pod.IP()] || slices.ContainsFunc(pod.IPs, func(ip string) bool { return listed[ip] }) || s.familyDiffers(pod) {
				continue
			}
			since := condition(pod, "Ready")
			if since != nil && !s.snapshot.Time.IsZero() && s.snapshot.Time.Sub(since.Since).Seconds() < 10 {
				continue // the controller is given a moment
			}
			return []Finding{{
				Severity: Error, Confidence: Likely,
				Headline: fmt.Sprintf("Pod %s is ready, but in no EndpointSlice of the Service", pod.Name),
				Cause:    "The EndpointSlice controller has not written it: it may not run (kube-controller-manager), or be far behind.",
				Evidence: []Fact{observed("Pod", pod.Meta, "status.podIP", pod.IP()), observed("Service", s.Service.Meta, "EndpointSlices", strconv.Itoa(len(s.slices)))},
				Fix:      command("See whether the controller manager runs.", "kubectl get pods -n kube-system -l component=kube-controller-manager"),
			}}
		}
		return nil
	},
}

// familyDiffers says whether the Service is of another IP family than the Pod.
func (s *Subject) familyDiffers(pod *model.Pod) bool {
	if len(s.Service.IPFamilies) == 0 {
		return false
	}
	for _, ip := range pod.IPs {
		family := "IPv4"
		if strings.Contains(ip, ":") {
			family = "IPv6"
		}
		if slices.Contains(s.Service.IPFamilies, family) {
			return false
		}
	}
	return true
}

// targetPort names a port that no Pod has.
var targetPortName = Rule{
	ID: "targetport-name", Lane: LanePort,
	Title: "targetPort is a name that no Pod declares",
	Explain: "A targetPort by name is looked up in each Pod's containers[].ports[].name. The Pods without it stay in the EndpointSlice, but without a port: " +
		"counting addresses says that all is well, and connections are refused.",
	Source: "pkg/api/v1/pod/util.go, FindPort",
	Check: func(s *Subject) []Finding {
		if !s.lives() {
			return nil
		}
		for i := range s.Service.Ports {
			p := &s.Service.Ports[i]
			if p.TargetPort == "" || numeric(p.TargetPort) {
				continue
			}
			if slices.ContainsFunc(s.ready, func(pod *model.Pod) bool { return namedPort(pod, p.TargetPort, p.Protocol) > 0 }) {
				continue
			}
			pod := s.ready[0]
			f := Finding{
				Severity: Error, Confidence: Certain,
				Headline: fmt.Sprintf("targetPort %s of port %d is no port of the Pods, which have %s", p.TargetPort, p.Port, podPortsText(pod)),
				Cause:    "The endpoints are there, but without a port, so that kube-proxy refuses connections.",
				Evidence: []Fact{
					observed("Service", s.Service.Meta, fmt.Sprintf("spec.ports[%d].targetPort", i), p.TargetPort),
					observed("Pod", pod.Meta, "ports", podPortsText(pod)),
				},
			}
			for _, slice := range s.slices {
				if len(slice.Endpoints) > 0 && !slices.ContainsFunc(slice.Ports, func(e model.EndpointPort) bool { return e.Name == p.Name && e.Port != nil }) {
					f.Evidence = append(f.Evidence, observed("EndpointSlice", slice.Meta, "ports", "none for "+orElse(p.Name, strconv.Itoa(int(p.Port)))))
					break
				}
			}
			f.Fix = Fix{Explain: "Name the container's port so, or change targetPort."}
			if right := s.rightPort(pod, p); right != "" {
				f.Fix = s.setTargetPort(i, right, "Use the port that the Pods have.")
			}
			return []Finding{f}
		}
		return nil
	},
}

// rightPort is the port of a Pod that a Service's port most likely means: the
// nearest name, the same number, or the only one.
func (s *Subject) rightPort(pod *model.Pod, p *model.ServicePort) string {
	best, least := "", 3
	var all []model.ContainerPort
	for _, port := range containerPorts(pod) {
		if port.Protocol != p.Protocol {
			continue
		}
		all = append(all, port)
		if d := distance(port.Name, p.TargetPort); port.Name != "" && !numeric(p.TargetPort) && d < least {
			best, least = port.Name, d
		}
	}
	if best == "" {
		for _, port := range all {
			if port.Port == p.Port || port.Name != "" && port.Name == p.Name {
				return orElse(port.Name, strconv.Itoa(int(port.Port)))
			}
		}
	}
	if best == "" && len(all) > 0 {
		best = orElse(all[0].Name, strconv.Itoa(int(all[0].Port)))
	}
	return best
}

func (s *Subject) setTargetPort(i int, port, explain string) Fix {
	var value any = port
	if n, err := strconv.Atoi(port); err == nil {
		value = n
	}
	return patched(explain, "Service", s.Service.Meta, "json",
		[]any{object{"op": "replace", "path": fmt.Sprintf("/spec/ports/%d/targetPort", i), "value": value}})
}

// The Service speaks another protocol than the Pods' port.
var targetPortProtocol = Rule{
	ID: "targetport-protocol", Lane: LanePort,
	Title:   "The port is of another protocol",
	Explain: "TCP 53 and UDP 53 are different ports. The Service's protocol has to be the container port's.",
	Source:  "https://kubernetes.io/docs/reference/networking/service-protocols/",
	Check: func(s *Subject) []Finding {
		if !s.lives() {
			return nil
		}
		for i := range s.Service.Ports {
			p := &s.Service.Ports[i]
			pod := s.ready[0]
			var other *model.ContainerPort
			same := false
			for _, port := range containerPorts(pod) {
				if port.Name == p.TargetPort && p.TargetPort != "" || strconv.Itoa(int(port.Port)) == orElse(p.TargetPort, strconv.Itoa(int(p.Port))) {
					if port.Protocol == p.Protocol {
						same = true
					} else {
						other = &port
					}
				}
			}
			if same || other == nil {
				continue
			}
			return []Finding{{
				Severity: Error, Confidence: Likely,
				Headline: fmt.Sprintf("Port %d is %s, the container's port %d is %s", p.Port, p.Protocol, other.Port, other.Protocol),
				Cause:    "Packets arrive for a protocol that nothing listens on.",
				Evidence: []Fact{observed("Service", s.Service.Meta, fmt.Sprintf("spec.ports[%d].protocol", i), p.Protocol), observed("Pod", pod.Meta, "ports", podPortsText(pod))},
				Fix: patched("Use the container's protocol.", "Service", s.Service.Meta, "json",
					[]any{object{"op": "replace", "path": fmt.Sprintf("/spec/ports/%d/protocol", i), "value": other.Protocol}}),
			}}
		}
		return nil
	},
}

// port and targetPort are exchanged.
var targetPortSwapped = Rule{
	ID: "targetport-swapped", Lane: LanePort,
	Title:   "port and targetPort are exchanged",
	Explain: "port is what clients ask the Service for, targetPort is where the container listens.",
	Source:  "https://kubernetes.io/docs/concepts/services-networking/service/#field-spec-ports",
	Check: func(s *Subject) []Finding {
		if !s.lives() {
			return nil
		}
		for i := range s.Service.Ports {
			p := &s.Service.Ports[i]
			pod := s.ready[0]
			target, err := strconv.Atoi(p.TargetPort)
			// What clients ask for is the lower number: 80, not 8080.
			if err != nil || target >= int(p.Port) || declared(pod, p.TargetPort) || !declared(pod, strconv.Itoa(int(p.Port))) {
				continue
			}
			return []Finding{{
				Severity: Error, Confidence: Likely,
				Headline: fmt.Sprintf("port %d and targetPort %s seem to be exchanged: the Pods declare %s", p.Port, p.TargetPort, podPortsText(pod)),
				Cause:    fmt.Sprintf("Connections go to port %s of the Pods, where nothing is declared to listen.", p.TargetPort),
				Evidence: []Fact{observed("Service", s.Service.Meta, fmt.Sprintf("spec.ports[%d]", i), portsText(s.Service)), observed("Pod", pod.Meta, "ports", podPortsText(pod))},
				Fix: patched("Exchange them.", "Service", s.Service.Meta, "json", []any{
					object{"op": "replace", "path": fmt.Sprintf("/spec/ports/%d/targetPort", i), "value": p.Port},
				}),
			}}
		}
		return nil
	},
}

// targetPort is a number that no container declares.
var targetPortUndeclared = Rule{
	ID: "targetport-undeclared", Lane: LanePort,
	Title: "targetPort is a number that the Pods do not declare",
	Explain: "Declaring a port is not needed for it to work. But where a container declares ports and targetPort is another number, " +
		"most often nothing listens there: connections are refused by the Pod itself.",
	Source: "core/v1 Container.ports: not specifying a port does not prevent it from being exposed",
	Check: func(s *Subject) []Finding {
		if !s.lives() {
			return nil
		}
		for i := range s.Service.Ports {
			p := &s.Service.Ports[i]
			target := orElse(p.TargetPort, strconv.Itoa(int(p.Port)))
			if !numeric(target) || slices.ContainsFunc(s.ready, func(pod *model.Pod) bool { return declared(pod, target) || len(containerPorts(pod)) == 0 }) {
				continue
			}
			pod := s.ready[0]
			f := Finding{
				Severity: Warning, Confidence: Likely,
				Headline: fmt.Sprintf("targetPort %s is none of the ports that the Pods declare: %s", target, podPortsText(pod)),
				Cause:    "If nothing listens there, every connection is refused by the Pod itself.",
				Evidence: []Fact{observed("Service", s.Service.Meta, fmt.Sprintf("spec.ports[%d].targetPort", i), target), observed("Pod", pod.Meta, "ports", podPortsText(pod))},
				Fix:      Fix{Explain: "Use a port on which the container listens."},
			}
			if right := s.rightPort(pod, p); right != "" {
				f.Fix = s.setTargetPort(i, right, "Use the port that the Pods declare.")
			}
			return []Finding{f}
		}
		return nil
	},
}

// A headless Service translates no port.
var headlessPort = Rule{
	ID: "headless-port", Lane: LanePort,
	Title:   "A headless Service does not translate ports",
	Explain: "Without a cluster IP there is no rule of kube-proxy's: the name leads straight to the Pods, and port is only what SRV records say. Clients have to ask for the container's port.",
	Source:  "https://kubernetes.io/docs/concepts/services-networking/service/#headless-services",
	Check: func(s *Subject) []Finding {
		if !s.lives() || !s.Service.Headless() {
			return nil
		}
		for i := range s.Service.Ports {
			p := &s.Service.Ports[i]
			target := targetNumber(p, s.ready[0])
			if target == 0 || target == p.Port {
				continue
			}
			return []Finding{{
				Severity: Warning, Confidence: Certain,
				Headline: fmt.Sprintf("The Service is headless: port %d is not translated to %d", p.Port, target),
				Cause:    fmt.Sprintf("The name resolves to the Pods' own addresses; a client that asks for port %d is refused there.", p.Port),
				Evidence: []Fact{observed("Service", s.Service.Meta, "spec.clusterIP", model.None), observed("Service", s.Service.Meta, fmt.Sprintf("spec.ports[%d]", i), portsText(s.Service))},
				Fix: patched(fmt.Sprintf("Ask for port %d and let the Service say so, or give it a cluster IP (by making it anew).", target), "Service", s.Service.Meta, "json",
					[]any{object{"op": "replace", "path": fmt.Sprintf("/spec/ports/%d/port", i), "value": target}}),
			}}
		}
		return nil
	},
}

// The StatefulSet's governing Service has another name.
var statefulSetService = Rule{
	ID: "statefulset-service", Lane: LanePort,
	Title:   "The StatefulSet names another Service",
	Explain: "Pod names like db-0.db exist under the Service that the StatefulSet's serviceName names, because its Pods get that as their subdomain.",
	Source:  "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#stable-network-id",
	Check: func(s *Subject) []Finding {
		if !s.lives() || !s.Service.Headless() {
			return nil
		}
		for _, pod := range s.ready {
			set := controller(pod.Meta)
			if set == nil || set.Kind != "StatefulSet" || pod.Subdomain == s.Name || pod.Subdomain == "" || s.names[s.Namespace+"/"+pod.Subdomain] {
				continue
			}
			return []Finding{{
				Severity: Error, Confidence: Certain,
				Headline: fmt.Sprintf("StatefulSet %s says serviceName %s, which does not exist: %s.%s has no address", set.Name, pod.Subdomain, pod.Name, s.Name),
				Cause:    "Its Pods' names are made under the Service of that name; this one only has the addresses.",
				Evidence: []Fact{observed("Pod", pod.Meta, "spec.subdomain", pod.Subdomain), observed("Service", s.Service.Meta, "metadata.name", s.Name)},
				Fix: Fix{
					Explain: fmt.Sprintf("Make a headless Service %s, or recreate the StatefulSet with serviceName: %s (the field is immutable).", pod.Subdomain, s.Name),
					Command: fmt.Sprintf("kubectl get service %s -n %s -o json | jq '.metadata={name:\"%s\"}|del(.spec.clusterIPs)' | kubectl apply -n %s -f -", s.Name, s.Namespace, pod.Subdomain, s.Namespace),
				},
			}}
		}
		return nil
	},
}

// The StatefulSet's governing Service has a cluster IP.
var statefulSetNotHeadless = Rule{
	ID: "statefulset-not-headless", Lane: LanePort,
	Title:   "The StatefulSet's Service is not headless",
	Explain: "A StatefulSet's Pods are meant to be asked for by their own names, and Kubernetes promises those under a headless Service only. CoreDNS answers them under another, too; other DNS servers need not.",
	Source:  "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#limitations",
	Check: func(s *Subject) []Finding {
		if !s.lives() || s.Service.Headless() {
			return nil
		}
		for _, pod := range s.ready {
			set := controller(pod.Meta)
			if set == nil || set.Kind != "StatefulSet" || pod.Subdomain != s.Name {
				continue
			}
			return []Finding{{
				Severity: Warning, Confidence: Likely,
				Headline: fmt.Sprintf("Service %s governs StatefulSet %s but is not headless", s.Name, set.Name),
				Cause:    fmt.Sprintf("%s.%s is only promised to resolve under a Service with clusterIP: None.", pod.Name, s.Name),
				Evidence: []Fact{observed("Service", s.Service.Meta, "spec.clusterIP", s.Service.ClusterIP()), observed("Pod", pod.Meta, "spec.subdomain", pod.Subdomain)},
				Fix:      Fix{Explain: "Make the Service anew with clusterIP: None (the field is immutable), and another one with a cluster IP if clients want one address."},
			}}
		}
		return nil
	},
}
