package diagnose

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"svctour/model"
	"svctour/model/policy"
)

// isAnybody says whether a rule's peers are anybody that exists; addresses
// outside of the cluster always may be.
func (d *Doctor) isAnybody(rule *policy.Rule) bool {
	answer, known := d.somebodies[rule.PolicyRule]
	if !known {
		if d.somebodies == nil {
			d.somebodies = map[*model.PolicyRule]bool{}
		}
		answer = d.lookForAnybody(rule)
		d.somebodies[rule.PolicyRule] = answer
	}
	return answer
}

func (d *Doctor) lookForAnybody(rule *policy.Rule) bool {
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
