package endpoints

import (
	"iter"
	"strconv"

	"svctour/model"
)

// ContainerPorts gives the ports that a Pod's containers declare, in the order
// in which a name is looked up: those of containers, then those of restartable
// init containers (k8s.io/endpointslice/utils.go, FindPort).
func ContainerPorts(pod *model.Pod) iter.Seq[*model.ContainerPort] {
	return func(yield func(*model.ContainerPort) bool) {
		for i := range pod.Containers {
			for j := range pod.Containers[i].Ports {
				if !yield(&pod.Containers[i].Ports[j]) {
					return
				}
			}
		}
		for i := range pod.InitContainers {
			if !pod.InitContainers[i].Sidecar {
				continue
			}
			for j := range pod.InitContainers[i].Ports {
				if !yield(&pod.InitContainers[i].Ports[j]) {
					return
				}
			}
		}
	}
}

// NamedPort gives the number of a Pod's port by name and protocol; if several
// ports match, that of the first (k8s.io/endpointslice/utils.go, FindPort). It is
// false when the Pod declares none.
func NamedPort(pod *model.Pod, name, protocol string) (int32, bool) {
	for p := range ContainerPorts(pod) {
		if p.Name == name && p.Protocol == protocol {
			return p.Port, true
		}
	}
	return 0, false
}

// TargetPort gives the number to which a Service's port leads in a Pod
// (k8s.io/endpointslice/utils.go, FindPort). It is false when targetPort is a
// name that the Pod does not declare for the port's protocol. No targetPort
// means the port's own number (pkg/apis/core/v1/defaults.go, SetDefaults_Service).
func TargetPort(port *model.ServicePort, pod *model.Pod) (int32, bool) {
	if port.TargetPort == "" {
		return port.Port, true
	}
	if n, err := strconv.ParseInt(port.TargetPort, 10, 32); err == nil {
		return int32(n), true
	}
	return NamedPort(pod, port.TargetPort, port.Protocol)
}
