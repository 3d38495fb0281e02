// Package policy says whether NetworkPolicies let a connection through
// (networking.k8s.io/v1). The doctor asks it, and the lab's nodes obey it.
//
// A Pod that no policy selects for a direction is open in it. One that policies
// select is isolated: it lets through what any rule of any of them allows, and
// nothing else. A connection needs the egress of its source and the ingress of
// its destination. Addresses and ports are those behind the translation of
// Services. Replies belong to their connection and are never asked about.
package policy

import (
	"svctour/model"
	"svctour/model/endpoints"
)

// Direction of a connection, as the isolated Pod sees it (networking/v1 PolicyType).
type Direction int

const (
	Ingress Direction = iota
	Egress
)

// String gives the PolicyType's name (networking/v1 PolicyType).
func (d Direction) String() string {
	if d == Egress {
		return "Egress"
	}
	return "Ingress"
}

// Set holds the NetworkPolicies of a cluster, ready to be asked. It is immutable:
// any number of goroutines may use it.
type Set struct {
	policies   map[string][]*Policy         // by namespace
	namespaces map[string]map[string]string // labels
}

// Policy is one NetworkPolicy with its rules compiled.
type Policy struct {
	*model.NetworkPolicy
	rules [2][]*Rule // by Direction
}

// New compiles policies. The labels of namespaces are what a namespaceSelector
// looks at (networking/v1 NetworkPolicyPeer).
func New(policies []*model.NetworkPolicy, namespaces []*model.Namespace) *Set {
	s := &Set{policies: map[string][]*Policy{}, namespaces: make(map[string]map[string]string, len(namespaces))}
	for _, namespace := range namespaces {
		s.namespaces[namespace.Name] = namespace.Labels
	}
	for _, source := range policies {
		p := &Policy{NetworkPolicy: source}
		p.rules[Ingress] = s.compile(p, source.Ingress)
		p.rules[Egress] = s.compile(p, source.Egress)
		s.policies[source.Namespace] = append(s.policies[source.Namespace], p)
	}
	return s
}

// In gives the policies of a namespace, in the order that New was given.
// A policy has a say in its own namespace only (networking/v1 NetworkPolicySpec.podSelector).
func (s *Set) In(namespace string) []*Policy { return s.policies[namespace] }

// Isolating gives the policies that isolate a Pod in a direction: those of its
// namespace that select it and are about the direction (networking/v1
// NetworkPolicySpec). A Pod on the host's network is isolated by none: the API
// leaves it undefined, and most network plugins do not tell such a Pod from its node
// (https://kubernetes.io/docs/concepts/services-networking/network-policies/#networkpolicy-and-hostnetwork-pods).
func (s *Set) Isolating(pod *model.Pod, d Direction) []*Policy {
	if pod == nil || pod.HostNetwork {
		return nil
	}
	var out []*Policy
	for _, p := range s.policies[pod.Namespace] {
		if p.About(d) && endpoints.MatchesSelector(&p.Pods, pod.Labels) {
			out = append(out, p)
		}
	}
	return out
}

// About says whether the policy isolates the Pods it selects in a direction: its
// policyTypes name it (networking/v1 NetworkPolicySpec.policyTypes).
func (p *Policy) About(d Direction) bool {
	if d == Egress {
		return p.Egress != nil
	}
	return p.Ingress != nil
}

// Rules are the policy's rules for a direction, in the order of its spec
// (networking/v1 NetworkPolicySpec).
func (p *Policy) Rules(d Direction) []*Rule { return p.rules[d] }
