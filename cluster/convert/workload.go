package convert

import (
	"reflect"
	"slices"
	"strconv"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"svctour/model"
)

// Pod converts a Pod. Ephemeral containers are left out: they neither serve a
// port nor count for readiness.
func Pod(o *corev1.Pod) *model.Pod {
	if o == nil {
		return nil
	}
	spec, status := &o.Spec, &o.Status
	return &model.Pod{
		Meta:        Meta(&o.ObjectMeta),
		Node:        shared(spec.NodeName),
		HostNetwork: spec.HostNetwork,
		Phase:       shared(status.Phase),
		Reason:      status.Reason,
		Message:     status.Message,
		IPs:         oneOrMore(list(status.PodIPs, func(ip *corev1.PodIP) string { return ip.IP }), status.PodIP),
		HostIP:      shared(status.HostIP),
		Hostname:    spec.Hostname,
		Subdomain:   spec.Subdomain,
		DNSPolicy:   shared(spec.DNSPolicy),
		DNS:         podDNS(spec.DNSConfig),
		HostAliases: list(spec.HostAliases, func(a *corev1.HostAlias) model.HostAlias {
			return model.HostAlias{IP: a.IP, Hostnames: words(a.Hostnames)}
		}),
		Conditions:     podConditions(status.Conditions),
		InitContainers: containers(spec.InitContainers, status.InitContainerStatuses),
		Containers:     containers(spec.Containers, status.ContainerStatuses),
		ServiceLinks:   spec.EnableServiceLinks == nil || *spec.EnableServiceLinks,
		ReadinessGates: list(spec.ReadinessGates, func(g *corev1.PodReadinessGate) string { return string(g.ConditionType) }),
	}
}

// Pods gives a function that converts Pods one after another. A Pod shares
// with the one before what both say: labels, owners, containers. In a list the
// Pods of a workload stand together, and say almost the same.
func Pods() func(*corev1.Pod) *model.Pod {
	var mu sync.Mutex
	last := &model.Pod{}
	return func(o *corev1.Pod) *model.Pod {
		p := Pod(o)
		if p == nil {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		p.Labels, p.Annotations = same(p.Labels, last.Labels), same(p.Annotations, last.Annotations)
		if slices.Equal(p.Owners, last.Owners) {
			p.Owners = last.Owners
		}
		if reflect.DeepEqual(p.Containers, last.Containers) {
			p.Containers = last.Containers
		}
		if reflect.DeepEqual(p.InitContainers, last.InitContainers) {
			p.InitContainers = last.InitContainers
		}
		if reflect.DeepEqual(p.HostAliases, last.HostAliases) {
			p.HostAliases = last.HostAliases
		}
		if slices.Equal(p.Conditions, last.Conditions) {
			p.Conditions = last.Conditions
		}
		last = p
		return p
	}
}

// podConditions leaves out conditions on the way to Ready that are True: they
// say nothing beside it, and every Pod of a big cluster has four of them.
func podConditions(in []corev1.PodCondition) []model.Condition {
	telling := func(c *corev1.PodCondition) bool {
		switch c.Type {
		case corev1.PodScheduled, corev1.PodReadyToStartContainers, corev1.PodInitialized, corev1.ContainersReady:
			return c.Status != corev1.ConditionTrue
		}
		return true
	}
	var out []model.Condition
	for i := range in {
		if telling(&in[i]) {
			out = append(out, podCondition(&in[i]))
		}
	}
	return out
}

func podCondition(c *corev1.PodCondition) model.Condition {
	return model.Condition{
		Type: shared(c.Type), Status: shared(c.Status),
		Reason: shared(c.Reason), Message: c.Message, Since: c.LastTransitionTime.Time,
	}
}

func podDNS(c *corev1.PodDNSConfig) *model.PodDNS {
	if c == nil {
		return nil
	}
	return &model.PodDNS{
		Nameservers: words(c.Nameservers),
		Searches:    words(c.Searches),
		Options: list(c.Options, func(o *corev1.PodDNSConfigOption) model.DNSOption {
			return model.DNSOption{Name: o.Name, Value: deref(o.Value)}
		}),
	}
}

// containers joins specs with their statuses by container name.
func containers(specs []corev1.Container, statuses []corev1.ContainerStatus) []model.Container {
	return list(specs, func(spec *corev1.Container) model.Container {
		c := model.Container{
			Name:      shared(spec.Name),
			Image:     shared(spec.Image),
			Sidecar:   deref(spec.RestartPolicy) == corev1.ContainerRestartPolicyAlways,
			Command:   slices.Concat(spec.Command, spec.Args),
			EnvNames:  list(spec.Env, func(e *corev1.EnvVar) string { return shared(e.Name) }),
			Readiness: probe(spec.ReadinessProbe), Liveness: probe(spec.LivenessProbe), Startup: probe(spec.StartupProbe),
			Ports: list(spec.Ports, func(p *corev1.ContainerPort) model.ContainerPort {
				return model.ContainerPort{
					Name:     shared(p.Name),
					Port:     p.ContainerPort,
					Protocol: shared(orDefault(p.Protocol, string(corev1.ProtocolTCP))),
				}
			}),
		}
		for i := range statuses {
			if statuses[i].Name == spec.Name {
				containerStatus(&c, &statuses[i])
				break
			}
		}
		return c
	})
}

func containerStatus(c *model.Container, s *corev1.ContainerStatus) {
	c.Ready = s.Ready
	c.Restarts = s.RestartCount
	if last := s.LastTerminationState.Terminated; last != nil {
		c.LastReason, c.LastExitCode = last.Reason, last.ExitCode
	}
	switch {
	case s.State.Waiting != nil:
		c.State, c.Reason, c.Message = "waiting", s.State.Waiting.Reason, s.State.Waiting.Message
	case s.State.Running != nil:
		c.State = "running"
	case s.State.Terminated != nil:
		t := s.State.Terminated
		c.State, c.Reason, c.Message, c.ExitCode = "terminated", t.Reason, t.Message, t.ExitCode
	}
}

func probe(p *corev1.Probe) *model.Probe {
	switch {
	case p == nil:
		return nil
	case p.HTTPGet != nil:
		return &model.Probe{Kind: "http", Port: shared(p.HTTPGet.Port.String()), Path: shared(orDefault(p.HTTPGet.Path, "/"))}
	case p.TCPSocket != nil:
		return &model.Probe{Kind: "tcp", Port: p.TCPSocket.Port.String()}
	case p.GRPC != nil:
		return &model.Probe{Kind: "grpc", Port: strconv.Itoa(int(p.GRPC.Port))}
	case p.Exec != nil:
		return &model.Probe{Kind: "exec", Command: slices.Clone(p.Exec.Command)}
	}
	return nil
}

// Node converts a Node.
func Node(o *corev1.Node) *model.Node {
	if o == nil {
		return nil
	}
	return &model.Node{
		Meta: Meta(&o.ObjectMeta),
		Addresses: list(o.Status.Addresses, func(a *corev1.NodeAddress) model.NodeAddress {
			return model.NodeAddress{Type: string(a.Type), Address: a.Address}
		}),
		PodCIDRs: oneOrMore(o.Spec.PodCIDRs, o.Spec.PodCIDR),
		Conditions: list(o.Status.Conditions, func(c *corev1.NodeCondition) model.Condition {
			return model.Condition{
				Type: string(c.Type), Status: string(c.Status),
				Reason: c.Reason, Message: c.Message, Since: c.LastTransitionTime.Time,
			}
		}),
		Unschedulable: o.Spec.Unschedulable,
		Kubelet:       o.Status.NodeInfo.KubeletVersion,
	}
}

// Namespace converts a Namespace.
func Namespace(o *corev1.Namespace) *model.Namespace {
	if o == nil {
		return nil
	}
	return &model.Namespace{Meta: Meta(&o.ObjectMeta), Phase: string(o.Status.Phase)}
}

// replicas is spec.replicas with the API server's default.
func replicas(n *int32) int32 {
	if n == nil {
		return 1 // SetDefaults_Deployment, SetDefaults_ReplicaSet
	}
	return *n
}

// Deployment converts a Deployment.
func Deployment(o *appsv1.Deployment) *model.Deployment {
	if o == nil {
		return nil
	}
	meta := Meta(&o.ObjectMeta)
	return &model.Deployment{
		Meta:           meta,
		Selector:       matchLabels(o.Spec.Selector),
		TemplateLabels: same(labels(o.Spec.Template.Labels), meta.Labels),
		Replicas:       replicas(o.Spec.Replicas),
		Updated:        o.Status.UpdatedReplicas,
		Ready:          o.Status.ReadyReplicas,
		Available:      o.Status.AvailableReplicas,
		Observed:       o.Status.ObservedGeneration,
		Conditions: list(o.Status.Conditions, func(c *appsv1.DeploymentCondition) model.Condition {
			return model.Condition{
				Type: string(c.Type), Status: string(c.Status),
				Reason: c.Reason, Message: c.Message, Since: c.LastTransitionTime.Time,
			}
		}),
	}
}

// ReplicaSet converts a ReplicaSet.
func ReplicaSet(o *appsv1.ReplicaSet) *model.ReplicaSet {
	if o == nil {
		return nil
	}
	meta := Meta(&o.ObjectMeta)
	return &model.ReplicaSet{
		Meta:           meta,
		Selector:       matchLabels(o.Spec.Selector),
		TemplateLabels: same(labels(o.Spec.Template.Labels), meta.Labels),
		Replicas:       replicas(o.Spec.Replicas),
		Current:        o.Status.Replicas,
		Ready:          o.Status.ReadyReplicas,
	}
}
