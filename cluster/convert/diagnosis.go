package convert

import (
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"svctour/model"
)

// StatefulSet converts a StatefulSet.
func StatefulSet(o *appsv1.StatefulSet) *model.Workload {
	if o == nil {
		return nil
	}
	return &model.Workload{
		Meta: Meta(&o.ObjectMeta), Kind: "StatefulSet", Selector: matchLabels(o.Spec.Selector),
		TemplateLabels: maps.Clone(o.Spec.Template.Labels), Replicas: replicas(o.Spec.Replicas),
		Ready: o.Status.ReadyReplicas, Service: o.Spec.ServiceName,
	}
}

// DaemonSet converts a DaemonSet.
func DaemonSet(o *appsv1.DaemonSet) *model.Workload {
	if o == nil {
		return nil
	}
	return &model.Workload{
		Meta: Meta(&o.ObjectMeta), Kind: "DaemonSet", Selector: matchLabels(o.Spec.Selector),
		TemplateLabels: maps.Clone(o.Spec.Template.Labels), Replicas: o.Status.DesiredNumberScheduled, Ready: o.Status.NumberReady,
	}
}

// Job converts a Job.
func Job(o *batchv1.Job) *model.Workload {
	if o == nil {
		return nil
	}
	return &model.Workload{
		Meta: Meta(&o.ObjectMeta), Kind: "Job", Selector: matchLabels(o.Spec.Selector),
		TemplateLabels: maps.Clone(o.Spec.Template.Labels), Replicas: replicas(o.Spec.Parallelism), Ready: deref(o.Status.Ready),
	}
}

// NetworkPolicy converts a NetworkPolicy. A policy that names no type is about
// ingress, and about egress if it has egress rules
// (pkg/apis/networking/v1/defaults.go).
func NetworkPolicy(o *networkingv1.NetworkPolicy) *model.NetworkPolicy {
	if o == nil {
		return nil
	}
	types := o.Spec.PolicyTypes
	if len(types) == 0 {
		types = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
		if len(o.Spec.Egress) > 0 {
			types = append(types, networkingv1.PolicyTypeEgress)
		}
	}
	p := &model.NetworkPolicy{Meta: Meta(&o.ObjectMeta), Pods: *labelSelector(&o.Spec.PodSelector)}
	if slices.Contains(types, networkingv1.PolicyTypeIngress) {
		rules := list(o.Spec.Ingress, func(r *networkingv1.NetworkPolicyIngressRule) model.PolicyRule {
			return model.PolicyRule{Peers: list(r.From, policyPeer), Ports: list(r.Ports, policyPort)}
		})
		p.Ingress = &rules
	}
	if slices.Contains(types, networkingv1.PolicyTypeEgress) {
		rules := list(o.Spec.Egress, func(r *networkingv1.NetworkPolicyEgressRule) model.PolicyRule {
			return model.PolicyRule{Peers: list(r.To, policyPeer), Ports: list(r.Ports, policyPort)}
		})
		p.Egress = &rules
	}
	return p
}

func policyPeer(p *networkingv1.NetworkPolicyPeer) model.PolicyPeer {
	out := model.PolicyPeer{Pods: labelSelector(p.PodSelector), Namespaces: labelSelector(p.NamespaceSelector)}
	if p.IPBlock != nil {
		out.CIDR, out.Except = p.IPBlock.CIDR, slices.Clone(p.IPBlock.Except)
	}
	return out
}

func policyPort(p *networkingv1.NetworkPolicyPort) model.PolicyPort {
	out := model.PolicyPort{Protocol: orDefault(deref(p.Protocol), string(corev1.ProtocolTCP)), End: deref(p.EndPort)}
	if p.Port != nil {
		out.Port = p.Port.String()
	}
	return out
}

func labelSelector(s *metav1.LabelSelector) *model.LabelSelector {
	if s == nil {
		return nil
	}
	return &model.LabelSelector{
		Labels: maps.Clone(s.MatchLabels),
		Expressions: list(s.MatchExpressions, func(r *metav1.LabelSelectorRequirement) model.LabelRequirement {
			return model.LabelRequirement{Key: r.Key, Operator: string(r.Operator), Values: slices.Clone(r.Values)}
		}),
	}
}

// Event converts an Event.
func Event(o *corev1.Event) *model.Event {
	if o == nil {
		return nil
	}
	return &model.Event{
		Meta: Meta(&o.ObjectMeta), Type: o.Type, Reason: o.Reason, Message: o.Message,
		Object: model.Ref{Kind: o.InvolvedObject.Kind, Namespace: o.InvolvedObject.Namespace, Name: o.InvolvedObject.Name, UID: string(o.InvolvedObject.UID)},
		Source: orDefault(o.Source.Component, o.ReportingController),
	}
}
