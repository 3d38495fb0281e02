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
