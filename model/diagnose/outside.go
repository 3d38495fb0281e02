package diagnose

import (
	"fmt"
	"strconv"
	"strings"

	"svctour/model"
)

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
func (d *Doctor) somebody(rule *model.PolicyRule, policy *model.NetworkPolicy) bool {
	answer, known := d.somebodies[rule]
	if !known {
		if d.somebodies == nil {
			d.somebodies = map[*model.PolicyRule]bool{}
		}
		answer = d.lookForSomebody(rule, policy)
		d.somebodies[rule] = answer
	}
	return answer
}

func (d *Doctor) lookForSomebody(rule *model.PolicyRule, policy *model.NetworkPolicy) bool {
	for i := range rule.Peers {
		peer := &rule.Peers[i]
		if peer.CIDR != "" || d.scoped() || d.unread("pods") || peer.Namespaces != nil && d.unread("namespaces") {
			return true
		}
		for _, pod := range d.snapshot.Pods {
			if d.isPeer(peer, policy.Namespace, pod) {
				return true
			}
		}
	}
	return false
}

// eachShut gives for every port of the Service a ready Pod that policies shut
// to the client, or to anybody, if none is open, with the policies; the first
// finding counts.
func (s *Subject) eachShut(check func(*model.ServicePort, *model.Pod, []*model.NetworkPolicy) *Finding) []Finding {
	if !s.lives() || s.unread("networkpolicies") || len(s.policies[s.Namespace]) == 0 {
		return nil
	}
	for i := range s.Service.Ports {
		p := &s.Service.Ports[i]
		shut, pod := 0, (*model.Pod)(nil)
		var by []*model.NetworkPolicy
		for _, backend := range s.ready {
			policies := s.ingressPolicies(backend)
			if len(policies) == 0 || s.lets(policies, backend, p.Protocol, s.target(p, backend)) {
				continue
			}
			if shut++; pod == nil {
				pod, by = backend, policies
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

// pending says whether a Service that exists waits for its load balancer; one
// that was only written down does not.
func (s *Subject) pending() bool {
	return s.Service != nil && s.Service.ResourceVersion != "" && s.Service.Type == model.LoadBalancer && len(s.Service.Ingress) == 0
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
