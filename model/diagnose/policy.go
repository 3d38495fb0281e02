package diagnose

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"svctour/model"
	"svctour/model/policy"
)

// ends are the ends that a connection with a Pod may have: one for each of its
// addresses, and one without while it has none.
func ends(pod *model.Pod) []policy.End {
	e := policy.End{Pod: pod}
	if pod.HostNetwork {
		e.Node = pod.Node
	}
	out := endsAt(e, pod.IPs)
	if len(out) == 0 {
		out = append(out, e)
	}
	return out
}

// endsAt gives an end for each of the addresses.
func endsAt(e policy.End, addresses []string) []policy.End {
	var out []policy.End
	for _, text := range addresses {
		if address, err := netip.ParseAddr(text); err == nil {
			e.Address = address.Unmap()
			out = append(out, e)
		}
	}
	return out
}

// letsIn says whether policies let the client in, or any client if none is named.
func (s *Subject) letsIn(backend *model.Pod, protocol string, port int32) bool {
	if s.Client == nil {
		return s.letsAnyIn(backend, protocol, port)
	}
	for _, source := range ends(s.Client) {
		c := policy.Connection{Source: source, Destination: policy.End{Pod: backend}, Protocol: protocol, Port: port}
		if s.policies.Ingress(&c).Passes() {
			return true
		}
	}
	return false
}

func (s *Subject) letsAnyIn(backend *model.Pod, protocol string, port int32) bool {
	policies := s.policies.Isolating(backend, policy.Ingress)
	return len(policies) == 0 || anyRule(policies, policy.Ingress, func(r *policy.Rule) bool {
		return r.AllowsPort(backend, protocol, port) && (len(r.Peers) == 0 || s.peersExist(r))
	})
}

// letsOut says whether policies let a Pod out to another Pod, or to one of the
// virtual addresses of that Pod's Service: which of the two a policy sees is up
// to the network plugin. If the other Pod is not known (nil), a rule for any peer
// at the port is enough.
func (d *Doctor) letsOut(from, to *model.Pod, virtual []string, protocol string, port int32) bool {
	if to == nil {
		policies := d.policies.Isolating(from, policy.Egress)
		return len(policies) == 0 || anyRule(policies, policy.Egress, func(r *policy.Rule) bool { return r.AllowsPort(nil, protocol, port) })
	}
	for _, destination := range append(ends(to), endsAt(policy.End{}, virtual)...) {
		c := policy.Connection{Source: policy.End{Pod: from}, Destination: destination, Protocol: protocol, Port: port}
		if d.policies.Egress(&c).Passes() {
			return true
		}
	}
	return false
}

// anyRule says whether one of the policies has such a rule.
func anyRule(policies []*policy.Policy, d policy.Direction, is func(*policy.Rule) bool) bool {
	return slices.ContainsFunc(policies, func(p *policy.Policy) bool { return slices.ContainsFunc(p.Rules(d), is) })
}

// peersExist says whether a rule has a peer that exists. An address outside of
// the cluster always may.
func (d *Doctor) peersExist(rule *policy.Rule) bool {
	answer, known := d.existing[rule.PolicyRule]
	if !known {
		if d.existing == nil {
			d.existing = map[*model.PolicyRule]bool{}
		}
		answer = d.lookForPeers(rule)
		d.existing[rule.PolicyRule] = answer
	}
	return answer
}

func (d *Doctor) lookForPeers(rule *policy.Rule) bool {
	for i := range rule.Peers {
		peer := &rule.Peers[i]
		if peer.CIDR != "" || d.scoped() || d.unread("pods") || peer.Namespaces != nil && d.unread("namespaces") {
			return true
		}
	}
	return slices.ContainsFunc(d.snapshot.Pods, rule.Selects)
}

// eachShut gives for every port of the Service a ready Pod that policies shut
// to the client, or to anybody, if none is open, with the policies; the first
// finding counts.
func (s *Subject) eachShut(check func(*model.ServicePort, *model.Pod, []*policy.Policy) *Finding) []Finding {
	if !s.lives() || s.unread("networkpolicies") || len(s.policies.In(s.Namespace)) == 0 {
		return nil
	}
	for i := range s.Service.Ports {
		p := &s.Service.Ports[i]
		shut, pod := 0, (*model.Pod)(nil)
		var by []*policy.Policy
		for _, backend := range s.ready {
			if s.letsIn(backend, p.Protocol, s.target(p, backend)) {
				continue
			}
			if shut++; pod == nil {
				pod, by = backend, s.policies.Isolating(backend, policy.Ingress)
			}
		}
		if shut == 0 || shut < len(s.ready) && s.Client == nil {
			continue
		}
		if f := check(p, pod, by); f != nil {
			return []Finding{*f}
		}
	}
	return nil
}

// allowedPort is a port that a rule of a policy allows, and the one that the
// Service leads to.
type allowedPort struct {
	policy *policy.Policy
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
	return s.eachShut(func(p *model.ServicePort, pod *model.Pod, by []*policy.Policy) *Finding {
		target := s.target(p, pod)
		if target == 0 {
			return nil
		}
		for _, each := range by {
			for i, rule := range each.Rules(policy.Ingress) {
				for j, port := range rule.Ports {
					if port.Protocol == p.Protocol && wrong(p, pod, port) {
						return found(p, pod, &allowedPort{each, fmt.Sprintf("ingress/%d/ports/%d/port", i, j), port.Port, target})
					}
				}
			}
		}
		return nil
	})
}
