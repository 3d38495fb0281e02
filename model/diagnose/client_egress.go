package diagnose

import (
	"fmt"

	"svctour/model"
)

// A client whose egress is restricted and that may not ask for names.
var clientEgressDNS = Rule{
	ID: "client-egress-dns", Lane: LaneClient,
	Title: "A NetworkPolicy keeps the client from asking the cluster's DNS",
	Explain: "An egress policy allows what it lists and nothing else. One that allows the backends but not port 53 of the cluster's DNS makes " +
		"every name time out, while addresses work. Allow UDP and TCP 53 to the DNS Pods.",
	Source: "https://kubernetes.io/docs/concepts/services-networking/network-policies/",
	Check: func(s *Subject) []Finding {
		if s.Service == nil || len(s.selected) == 0 {
			return nil
		}
		server := s.dnsPod()
		for _, client := range s.clients() {
			policies := s.egressPolicies(client)
			if len(policies) == 0 || s.egressAllows(policies, client, server, "UDP", 53) {
				continue
			}
			// Who may not reach the Service at all is no client of it, unless
			// named as one.
			if s.Client == nil && !s.reaches(policies, client) {
				continue
			}
			policy := policies[0]
			rule := object{"to": []any{object{
				"namespaceSelector": object{"matchLabels": object{"kubernetes.io/metadata.name": "kube-system"}},
				"podSelector":       object{"matchLabels": object{"k8s-app": "kube-dns"}},
			}}, "ports": []any{object{"protocol": "UDP", "port": 53}, object{"protocol": "TCP", "port": 53}}}
			return []Finding{{
				Severity: Error, Confidence: Certain,
				Headline: fmt.Sprintf("NetworkPolicy %s keeps Pod %s from the cluster's DNS: names time out", policy.Name, client.Name),
				Cause:    "The policy selects the client for egress, and no rule of any policy that does allows port 53 to the DNS Pods.",
				Evidence: []Fact{
					observed("NetworkPolicy", policy.Meta, "spec.podSelector", selectorText(&policy.Pods)),
					observed("Pod", client.Meta, "metadata.labels", pairs(client.Labels)),
					{Object: about("Pod", client.Meta), Field: "egress to port 53/UDP of the DNS Pods", Value: "denied, if the network plugin enforces policies", Kind: model.Derived},
				},
				Fix: patched("Allow the DNS Pods at port 53, UDP and TCP.", "NetworkPolicy", policy.Meta, "json",
					[]any{object{"op": "add", "path": "/spec/egress/-", "value": rule}}),
			}}
		}
		return nil
	},
}

// reaches says whether egress policies let a Pod reach a backend of the Service.
func (s *Subject) reaches(policies []*model.NetworkPolicy, client *model.Pod) bool {
	for _, backend := range s.selected {
		for i := range s.Service.Ports {
			p := &s.Service.Ports[i]
			if number := targetNumber(p, backend); number > 0 && s.egressAllows(policies, client, backend, p.Protocol, number) {
				return true
			}
		}
	}
	return false
}

// egressAllows says whether one of the policies allows a connection. A nil peer
// is one that is not known: a rule for any peer, and one for addresses, allow it.
func (s *Subject) egressAllows(policies []*model.NetworkPolicy, _, peer *model.Pod, protocol string, port int32) bool {
	for _, policy := range policies {
		for i := range *policy.Egress {
			rule := &(*policy.Egress)[i]
			if s.allows(rule, policy, peer, peer, protocol, port) {
				return true
			}
			if peer != nil && s.allowsCIDR(rule, s.snapshot.DNS.Servers, protocol, port) {
				return true
			}
		}
	}
	return false
}

// allowsCIDR says whether a rule allows addresses by range: whether a policy
// sees the Service's address or the Pod's is up to the network plugin.
func (s *Subject) allowsCIDR(r *model.PolicyRule, addresses []string, protocol string, port int32) bool {
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
	for _, service := range d.snapshot.Services {
		if service.ClusterIP() == d.snapshot.DNS.Servers[0] {
			return service
		}
	}
	return nil
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
