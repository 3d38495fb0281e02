package diagnose

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"svctour/model"
	"svctour/model/endpoints"
)

// about policies: what isolates a Pod is every policy that selects it, and one
// rule of one of them is enough to allow (networking.k8s.io/v1 NetworkPolicySpec).

// ingressPolicies are those that isolate a Pod for ingress.
func (d *Doctor) ingressPolicies(pod *model.Pod) []*model.NetworkPolicy {
	return d.isolating(pod, func(p *model.NetworkPolicy) bool { return p.Ingress != nil })
}

// egressPolicies are those that isolate a Pod for egress.
func (d *Doctor) egressPolicies(pod *model.Pod) []*model.NetworkPolicy {
	return d.isolating(pod, func(p *model.NetworkPolicy) bool { return p.Egress != nil })
}

func (d *Doctor) isolating(pod *model.Pod, about func(*model.NetworkPolicy) bool) []*model.NetworkPolicy {
	if pod.HostNetwork { // undefined by the API, and not enforced by most plugins
		return nil
	}
	var out []*model.NetworkPolicy
	for _, p := range d.policies[pod.Namespace] {
		if about(p) && endpoints.MatchesSelector(&p.Pods, pod.Labels) {
			out = append(out, p)
		}
	}
	return out
}

// allows says whether a rule lets a connection with peer at port of pod pass;
// a nil peer asks for any peer at all.
func (d *Doctor) allows(r *model.PolicyRule, policy *model.NetworkPolicy, peer, pod *model.Pod, protocol string, port int32) bool {
	if !allowsPort(r, pod, protocol, port) {
		return false
	}
	if len(r.Peers) == 0 || peer == nil {
		return true
	}
	for i := range r.Peers {
		if d.isPeer(&r.Peers[i], policy.Namespace, peer) {
			return true
		}
	}
	return false
}

// allowsPort says whether a rule is about a port of a Pod (nil: of no Pod).
func allowsPort(r *model.PolicyRule, pod *model.Pod, protocol string, port int32) bool {
	if len(r.Ports) == 0 {
		return true
	}
	for _, p := range r.Ports {
		if p.Protocol != protocol {
			continue
		}
		number, err := strconv.ParseInt(p.Port, 10, 32)
		switch {
		case p.Port == "":
			return true
		case err == nil && p.End == 0 && int32(number) == port, err == nil && p.End != 0 && int32(number) <= port && port <= p.End:
			return true
		case err != nil && pod != nil && namedPort(pod, p.Port, protocol) == port:
			return true
		}
	}
	return false
}

func (d *Doctor) isPeer(p *model.PolicyPeer, namespace string, peer *model.Pod) bool {
	if p.CIDR != "" {
		return inside(p.CIDR, peer.IPs) && !insideAny(p.Except, peer.IPs)
	}
	switch {
	case p.Namespaces == nil && peer.Namespace != namespace:
		return false
	case p.Namespaces != nil:
		ns := d.snapshot.Namespace(peer.Namespace)
		if ns == nil || !endpoints.MatchesSelector(p.Namespaces, ns.Labels) {
			return false
		}
	}
	return p.Pods == nil || endpoints.MatchesSelector(p.Pods, peer.Labels)
}

func insideAny(ranges, addresses []string) bool {
	for _, r := range ranges {
		if inside(r, addresses) {
			return true
		}
	}
	return false
}

func inside(cidr string, addresses []string) bool {
	prefix, err := netip.ParsePrefix(cidr)
	if err != nil {
		return false
	}
	for _, text := range addresses {
		if address, err := netip.ParseAddr(text); err == nil && prefix.Contains(address.Unmap()) {
			return true
		}
	}
	return false
}

// namedPort is the number that a Pod gives to a port's name, 0 if none does
// (FindPort in pkg/api/v1/pod/util.go: containers, then restartable init containers).
func namedPort(pod *model.Pod, name, protocol string) int32 {
	for _, port := range containerPorts(pod) {
		if port.Name == name && port.Protocol == protocol {
			return port.Port
		}
	}
	return 0
}

// containerPorts are all that a Pod's serving containers declare.
func containerPorts(pod *model.Pod) []model.ContainerPort {
	var out []model.ContainerPort
	for i := range pod.Containers {
		out = append(out, pod.Containers[i].Ports...)
	}
	for i := range pod.InitContainers {
		if pod.InitContainers[i].Sidecar {
			out = append(out, pod.InitContainers[i].Ports...)
		}
	}
	return out
}

// allowedPort is a port that a rule of a policy allows, and the one that the
// Service leads to.
type allowedPort struct {
	policy *model.NetworkPolicy
	path   string // of the port in the policy's spec: ingress/0/ports/0/port
	port   string
	target int32
}

// evidence is where the policy says so.
func (a *allowedPort) evidence() Fact {
	words := strings.Split(a.path, "/")
	return observed("NetworkPolicy", a.policy.Meta, fmt.Sprintf("spec.ingress[%s].ports[%s].port", words[1], words[3]), a.port)
}

// fix allows the port that the Service leads to instead.
func (a *allowedPort) fix(explain string) Fix {
	return patched(explain, "NetworkPolicy", a.policy.Meta, "json", []any{object{"op": "replace", "path": "/spec/" + a.path, "value": a.target}})
}

// eachWrongPort looks, where policies shut a port, for one that they allow in
// its place.
func (s *Subject) eachWrongPort(wrong func(*model.ServicePort, *model.Pod, model.PolicyPort) bool, found func(*model.ServicePort, *model.Pod, *allowedPort) *Finding) []Finding {
	return s.eachShut(func(p *model.ServicePort, pod *model.Pod, by []*model.NetworkPolicy) *Finding {
		target := s.target(p, pod)
		if target == 0 {
			return nil
		}
		for _, policy := range by {
			for i, rule := range *policy.Ingress {
				for j, port := range rule.Ports {
					if port.Protocol == p.Protocol && wrong(p, pod, port) {
						return found(p, pod, &allowedPort{policy, fmt.Sprintf("ingress/%d/ports/%d/port", i, j), port.Port, target})
					}
				}
			}
		}
		return nil
	})
}
