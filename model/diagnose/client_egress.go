package diagnose

import (
	"fmt"
	"slices"

	"svctour/model"
)

// reaches says whether egress policies let a Pod reach a backend of the Service.
func (s *Subject) reaches(policies []*model.NetworkPolicy, client *model.Pod) bool {
	for _, backend := range s.selected {
		for i := range s.Service.Ports {
			p := &s.Service.Ports[i]
			if number := s.target(p, backend); number > 0 && s.egressAllows(policies, client, backend, p.Protocol, number) {
				return true
			}
		}
	}
	return false
}

// egressAllows says whether one of the policies allows a connection. A nil peer
// is one that is not known: a rule for any peer, and one for addresses, allow it.
func (d *Doctor) egressAllows(policies []*model.NetworkPolicy, _, peer *model.Pod, protocol string, port int32) bool {
	for _, policy := range policies {
		for i := range *policy.Egress {
			rule := &(*policy.Egress)[i]
			if d.allows(rule, policy, peer, peer, protocol, port) {
				return true
			}
			if peer != nil && d.allowsCIDR(rule, d.snapshot.DNS.Servers, protocol, port) {
				return true
			}
		}
	}
	return false
}

// allowsCIDR says whether a rule allows addresses by range: whether a policy
// sees the Service's address or the Pod's is up to the network plugin.
func (d *Doctor) allowsCIDR(r *model.PolicyRule, addresses []string, protocol string, port int32) bool {
	if !allowsPort(r, nil, protocol, port) {
		return false
	}
	for i := range r.Peers {
		if r.Peers[i].CIDR != "" && inside(r.Peers[i].CIDR, addresses) && !insideAny(r.Peers[i].Except, addresses) {
			return true
		}
	}
	return false
}

// isMute says whether egress policies keep a Pod from the cluster's DNS.
func (d *Doctor) isMute(pod *model.Pod) bool {
	policies := d.egressPolicies(pod)
	return len(policies) > 0 && !d.egressAllows(policies, pod, d.dnsPod(), "UDP", 53)
}

// mute are the Pods of a namespace that may not ask the cluster's DNS.
func (d *Doctor) mute(namespace string) []*model.Pod {
	out, known := d.mutes[namespace]
	if known {
		return out
	}
	for _, policy := range d.policies[namespace] {
		if policy.Egress != nil { // else there is nobody to look for
			out = slices.DeleteFunc(slices.Clone(d.all[namespace]), func(pod *model.Pod) bool { return !d.isMute(pod) })
			break
		}
	}
	d.mutes[namespace] = out
	return out
}

// dnsPod is a Pod of the cluster's DNS; nil when none is known.
func (d *Doctor) dnsPod() *model.Pod {
	service := d.dnsService()
	if service == nil {
		return nil
	}
	for _, pod := range d.matching(service.Namespace, service.Selector) {
		return pod
	}
	return nil
}

// dnsService is the Service that holds the first name server's address.
func (d *Doctor) dnsService() *model.Service {
	if len(d.snapshot.DNS.Servers) == 0 {
		return nil
	}
	return d.byClusterIP()[d.snapshot.DNS.Servers[0]]
}

func selectorText(s *model.LabelSelector) string {
	if len(s.Labels) == 0 && len(s.Expressions) == 0 {
		return "{} (every Pod)"
	}
	text := pairs(s.Labels)
	for _, e := range s.Expressions {
		if text != "" {
			text += ","
		}
		text += fmt.Sprintf("%s %s %v", e.Key, e.Operator, e.Values)
	}
	return text
}
