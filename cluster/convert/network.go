//lint:file-ignore SA1019 v1 Endpoints are shown beside the slices, with their deprecation.

package convert

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"svctour/model"
)

// Service converts a Service.
func Service(o *corev1.Service) *model.Service {
	if o == nil {
		return nil
	}
	spec := &o.Spec
	s := &model.Service{
		Meta:                  Meta(&o.ObjectMeta),
		Type:                  orDefault(spec.Type, model.ClusterIP),
		Selector:              labels(spec.Selector),
		ClusterIPs:            oneOrMore(spec.ClusterIPs, spec.ClusterIP),
		IPFamilies:            words(spec.IPFamilies),
		IPFamilyPolicy:        string(deref(spec.IPFamilyPolicy)),
		Ports:                 list(spec.Ports, servicePort),
		ExternalIPs:           words(spec.ExternalIPs),
		ExternalName:          spec.ExternalName,
		InternalTrafficPolicy: string(deref(spec.InternalTrafficPolicy)),
		ExternalTrafficPolicy: string(spec.ExternalTrafficPolicy),
		TrafficDistribution:   deref(spec.TrafficDistribution),
		SessionAffinity:       orDefault(spec.SessionAffinity, string(corev1.ServiceAffinityNone)),
		HealthCheckNodePort:   spec.HealthCheckNodePort,
		LoadBalancerClass:     deref(spec.LoadBalancerClass),
		SourceRanges:          words(spec.LoadBalancerSourceRanges),
		AllocateNodePorts:     copied(spec.AllocateLoadBalancerNodePorts),
		PublishNotReady:       spec.PublishNotReadyAddresses,
		Ingress:               list(o.Status.LoadBalancer.Ingress, ingress),
	}
	if c := spec.SessionAffinityConfig; c != nil && c.ClientIP != nil {
		s.AffinitySeconds = deref(c.ClientIP.TimeoutSeconds)
	}
	return s
}

func servicePort(p *corev1.ServicePort) model.ServicePort {
	target := p.TargetPort
	if target == intstr.FromInt32(0) || target == intstr.FromString("") {
		target = intstr.FromInt32(p.Port) // SetDefaults_Service
	}
	return model.ServicePort{
		Name:        p.Name,
		Protocol:    orDefault(p.Protocol, string(corev1.ProtocolTCP)),
		Port:        p.Port,
		TargetPort:  target.String(),
		NodePort:    p.NodePort,
		AppProtocol: deref(p.AppProtocol),
	}
}

func ingress(i *corev1.LoadBalancerIngress) model.Ingress {
	return model.Ingress{IP: i.IP, Hostname: i.Hostname, IPMode: string(deref(i.IPMode))}
}

// EndpointSlice converts an EndpointSlice.
func EndpointSlice(o *discoveryv1.EndpointSlice) *model.EndpointSlice {
	if o == nil {
		return nil
	}
	return &model.EndpointSlice{
		Meta:        Meta(&o.ObjectMeta),
		AddressType: string(o.AddressType),
		Ports:       list(o.Ports, slicePort),
		Endpoints:   list(o.Endpoints, endpoint),
	}
}

func slicePort(p *discoveryv1.EndpointPort) model.EndpointPort {
	return model.EndpointPort{
		Name:        deref(p.Name),
		Protocol:    orDefault(deref(p.Protocol), string(corev1.ProtocolTCP)),
		Port:        copied(p.Port),
		AppProtocol: deref(p.AppProtocol),
	}
}

func endpoint(e *discoveryv1.Endpoint) model.Endpoint {
	out := model.Endpoint{
		Addresses:   words(e.Addresses),
		Ready:       copied(e.Conditions.Ready),
		Serving:     copied(e.Conditions.Serving),
		Terminating: copied(e.Conditions.Terminating),
		Hostname:    deref(e.Hostname),
		Node:        shared(deref(e.NodeName)),
		Zone:        shared(deref(e.Zone)),
		Target:      ref(e.TargetRef),
	}
	if e.Hints != nil {
		out.ForZones = list(e.Hints.ForZones, func(z *discoveryv1.ForZone) string { return z.Name })
		out.ForNodes = list(e.Hints.ForNodes, func(n *discoveryv1.ForNode) string { return n.Name })
	}
	return out
}

func ref(r *corev1.ObjectReference) *model.Ref {
	if r == nil {
		return nil
	}
	return &model.Ref{Kind: shared(r.Kind), Namespace: shared(r.Namespace), Name: r.Name, UID: string(r.UID)}
}

// Endpoints converts the deprecated v1 Endpoints object.
func Endpoints(o *corev1.Endpoints) *model.Endpoints { //nolint:staticcheck // shown as kubectl shows it, never joined
	if o == nil {
		return nil
	}
	return &model.Endpoints{
		Meta:    Meta(&o.ObjectMeta),
		Subsets: list(o.Subsets, endpointSubset),
	}
}

func endpointSubset(s *corev1.EndpointSubset) model.EndpointSubset { //nolint:staticcheck // see Endpoints
	address := func(a *corev1.EndpointAddress) string { return a.IP } //nolint:staticcheck // see Endpoints
	return model.EndpointSubset{
		Ready:    list(s.Addresses, address),
		NotReady: list(s.NotReadyAddresses, address),
		Ports: list(s.Ports, func(p *corev1.EndpointPort) model.EndpointPort { //nolint:staticcheck // see Endpoints
			return model.EndpointPort{
				Name:        p.Name,
				Protocol:    orDefault(p.Protocol, string(corev1.ProtocolTCP)),
				Port:        copied(&p.Port),
				AppProtocol: deref(p.AppProtocol),
			}
		}),
	}
}
