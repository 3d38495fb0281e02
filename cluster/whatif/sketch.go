package whatif

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"svctour/cluster/convert"
	"svctour/model"
)

// The sketches are API objects of the model's values, as far as the controllers
// look at them: the EndpointSlice Reconciler and the ranking of Pods to go.

func sketchMeta(m *model.Meta) metav1.ObjectMeta {
	out := metav1.ObjectMeta{
		Namespace: m.Namespace, Name: m.Name, UID: types.UID(m.UID), ResourceVersion: m.ResourceVersion, Generation: m.Generation,
		Labels: m.Labels, Annotations: m.Annotations, CreationTimestamp: metav1.NewTime(m.Created),
	}
	if m.Terminating() {
		out.DeletionTimestamp = &metav1.Time{Time: m.Deleting}
	}
	for _, o := range m.Owners {
		controls := o.Controller
		out.OwnerReferences = append(out.OwnerReferences, metav1.OwnerReference{APIVersion: "v1", Kind: o.Kind, Name: o.Name, UID: types.UID(o.UID), Controller: &controls})
	}
	return out
}

func sketchPod(p *model.Pod) *corev1.Pod {
	out := &corev1.Pod{ObjectMeta: sketchMeta(&p.Meta)}
	spec, status := &out.Spec, &out.Status
	spec.NodeName, spec.HostNetwork, spec.Hostname, spec.Subdomain = p.Node, p.HostNetwork, p.Hostname, p.Subdomain
	spec.Containers, status.ContainerStatuses = sketchContainers(p.Containers)
	spec.InitContainers, status.InitContainerStatuses = sketchContainers(p.InitContainers)
	status.Phase, status.PodIP = corev1.PodPhase(p.Phase), p.IP()
	for _, ip := range p.IPs {
		status.PodIPs = append(status.PodIPs, corev1.PodIP{IP: ip})
	}
	for _, c := range p.Conditions {
		status.Conditions = append(status.Conditions, corev1.PodCondition{
			Type: corev1.PodConditionType(c.Type), Status: corev1.ConditionStatus(c.Status), LastTransitionTime: metav1.NewTime(c.Since),
		})
	}
	return out
}

func sketchContainers(in []model.Container) (specs []corev1.Container, statuses []corev1.ContainerStatus) {
	for _, c := range in {
		spec := corev1.Container{Name: c.Name, Image: c.Image}
		if c.Sidecar {
			always := corev1.ContainerRestartPolicyAlways
			spec.RestartPolicy = &always
		}
		for _, p := range c.Ports {
			spec.Ports = append(spec.Ports, corev1.ContainerPort{Name: p.Name, ContainerPort: p.Port, Protocol: corev1.Protocol(p.Protocol)})
		}
		specs = append(specs, spec)
		statuses = append(statuses, corev1.ContainerStatus{Name: c.Name, Ready: c.Ready, RestartCount: c.Restarts})
	}
	return specs, statuses
}

func sketchService(s *model.Service) *corev1.Service {
	out := &corev1.Service{ObjectMeta: sketchMeta(&s.Meta)}
	spec := &out.Spec
	spec.Type, spec.Selector = corev1.ServiceType(s.Type), s.Selector
	spec.ClusterIP, spec.ClusterIPs = s.ClusterIP(), s.ClusterIPs
	spec.PublishNotReadyAddresses = s.PublishNotReady
	for _, f := range s.IPFamilies {
		spec.IPFamilies = append(spec.IPFamilies, corev1.IPFamily(f))
	}
	if s.TrafficDistribution != "" {
		spec.TrafficDistribution = &s.TrafficDistribution
	}
	for _, p := range s.Ports {
		port := corev1.ServicePort{Name: p.Name, Protocol: corev1.Protocol(p.Protocol), Port: p.Port, TargetPort: intstr.Parse(p.TargetPort), NodePort: p.NodePort}
		if p.AppProtocol != "" {
			port.AppProtocol = &p.AppProtocol
		}
		spec.Ports = append(spec.Ports, port)
	}
	return out
}

func sketchSlice(s *model.EndpointSlice) *discoveryv1.EndpointSlice {
	out := &discoveryv1.EndpointSlice{ObjectMeta: sketchMeta(&s.Meta), AddressType: discoveryv1.AddressType(s.AddressType)}
	out.GenerateName = s.Service() + "-"
	for _, p := range s.Ports {
		protocol := corev1.Protocol(p.Protocol)
		port := discoveryv1.EndpointPort{Name: &p.Name, Protocol: &protocol, Port: p.Port}
		if p.AppProtocol != "" {
			port.AppProtocol = &p.AppProtocol
		}
		out.Ports = append(out.Ports, port)
	}
	for i := range s.Endpoints {
		out.Endpoints = append(out.Endpoints, sketchEndpoint(&s.Endpoints[i]))
	}
	return out
}

func sketchEndpoint(e *model.Endpoint) discoveryv1.Endpoint {
	out := discoveryv1.Endpoint{
		Addresses:  slices.Clone(e.Addresses),
		Conditions: discoveryv1.EndpointConditions{Ready: e.Ready, Serving: e.Serving, Terminating: e.Terminating},
	}
	for _, set := range []struct {
		text string
		to   **string
	}{{e.Hostname, &out.Hostname}, {e.Node, &out.NodeName}, {e.Zone, &out.Zone}} {
		if text := strings.Clone(set.text); text != "" {
			*set.to = &text
		}
	}
	if e.Target != nil {
		out.TargetRef = &corev1.ObjectReference{Kind: e.Target.Kind, Namespace: e.Target.Namespace, Name: e.Target.Name, UID: types.UID(e.Target.UID)}
	}
	if len(e.ForZones)+len(e.ForNodes) > 0 {
		out.Hints = &discoveryv1.EndpointHints{}
		for _, zone := range e.ForZones {
			out.Hints.ForZones = append(out.Hints.ForZones, discoveryv1.ForZone{Name: zone})
		}
		for _, node := range e.ForNodes {
			out.Hints.ForNodes = append(out.Hints.ForNodes, discoveryv1.ForNode{Name: node})
		}
	}
	return out
}

func sketchNode(n *model.Node) *corev1.Node {
	return &corev1.Node{ObjectMeta: sketchMeta(&n.Meta)}
}

// convertContainers gives the containers of a Pod as they are written.
func convertContainers(pod *corev1.Pod) []model.Container {
	return asWritten(convert.Pod(pod).Containers)
}

// asWritten gives containers without their statuses.
func asWritten(in []model.Container) []model.Container {
	var out []model.Container
	for _, c := range in {
		out = append(out, model.Container{
			Name: c.Name, Image: c.Image, Ports: c.Ports, Command: c.Command, EnvNames: c.EnvNames,
			Readiness: c.Readiness, Liveness: c.Liveness, Startup: c.Startup,
		})
	}
	return out
}
