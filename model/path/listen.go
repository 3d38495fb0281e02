package path

import (
	"slices"
	"strconv"
	"strings"

	"svctour/model"
	"svctour/model/endpoints"
)

// claims are the ports on which objects say that a Pod listens. They are no
// proof: the API takes any number, and a container may listen on what it does not
// declare (core/v1, Container.ports).
type claims struct {
	sliced   []int32 // by EndpointSlices of the Service
	declared []int32 // by the Pod's containers
	probed   []int32 // by readiness probes that succeed
}

func (c *claims) have(port int32) bool {
	return slices.Contains(c.sliced, port) || slices.Contains(c.declared, port) || slices.Contains(c.probed, port)
}

// text tells what is claimed, "" when nothing is.
func (c *claims) text() string {
	switch {
	case len(c.sliced) > 0:
		return "its endpoints say " + numbers(c.sliced)
	case len(c.declared) > 0:
		return "its containers declare " + numbers(c.declared)
	case len(c.probed) > 0:
		return "its probes ask " + numbers(c.probed)
	}
	return ""
}

func numbers(ports []int32) string {
	var out []string
	for _, p := range ports {
		out = append(out, strconv.Itoa(int(p)))
	}
	return strings.Join(out, ", ")
}

func (c *claims) add(to *[]int32, port int32) {
	if port > 0 && !slices.Contains(*to, port) {
		*to = append(*to, port)
	}
}

// claims gives what objects say of the ports of the Pod at a destination; the
// Pod is nil when it is not known.
func (q *query) claims(pod *model.Pod, d *Destination) *claims {
	c, protocol := &claims{}, q.protocol()
	addresses := []string{d.IP}
	if pod != nil {
		addresses = append(addresses, pod.IPs...) // one that is asked by its loopback address has them, too
	}
	for _, text := range addresses {
		for _, port := range q.slicedPorts(pod)[text] {
			c.add(&c.sliced, port)
		}
	}
	if pod == nil {
		return c
	}
	for p := range endpoints.ContainerPorts(pod) {
		if p.Protocol == protocol {
			c.add(&c.declared, p.Port)
		}
	}
	for i := range pod.Containers {
		if probe := pod.Containers[i].Readiness; probe != nil && protocol == "TCP" && pod.Ready() {
			c.add(&c.probed, probePort(pod, probe))
		}
	}
	return c
}

// probePort is the number of the port that a probe asks; 0 when it asks none
// (core/v1, HTTPGetAction, TCPSocketAction, GRPCAction).
func probePort(pod *model.Pod, probe *model.Probe) int32 {
	if n, err := strconv.ParseInt(probe.Port, 10, 32); err == nil {
		return int32(n)
	}
	n, _ := endpoints.NamedPort(pod, probe.Port, "TCP")
	return n
}

// slicedPorts are the ports that EndpointSlices give to addresses: those of the
// Service or, where no Service is meant, all of the Pod's namespace.
func (q *query) slicedPorts(pod *model.Pod) map[string][]int32 {
	if q.sliced != nil {
		return q.sliced
	}
	q.sliced = map[string][]int32{}
	list := q.snapshot.Slices
	if q.service != nil {
		list = q.snapshot.ServiceSlices(q.service.Namespace, q.service.Name)
	}
	for _, slice := range list {
		if q.service == nil && (pod == nil || slice.Namespace != pod.Namespace) {
			continue
		}
		for i := range slice.Ports {
			p := &slice.Ports[i]
			if p.Port == nil || p.Protocol != q.protocol() {
				continue
			}
			for k := range slice.Endpoints {
				for _, text := range slice.Endpoints[k].Addresses {
					q.sliced[text] = append(q.sliced[text], *p.Port)
				}
			}
		}
	}
	return q.sliced
}

// declaresPort says whether a container of a Pod declares a port.
func declaresPort(pod *model.Pod, port int32, protocol string) bool {
	for p := range endpoints.ContainerPorts(pod) {
		if p.Port == port && p.Protocol == protocol {
			return true
		}
	}
	return false
}

// undeclared says whether containers of a Pod declare ports, and not this one, and
// no readiness probe that succeeds asks it.
func undeclared(pod *model.Pod, port int32, protocol string) bool {
	some := false
	for p := range endpoints.ContainerPorts(pod) {
		if p.Protocol == protocol {
			if some = true; p.Port == port {
				return false
			}
		}
	}
	return some && !slices.ContainsFunc(pod.Containers, func(c model.Container) bool {
		return c.Readiness != nil && pod.Ready() && probePort(pod, c.Readiness) == port
	})
}

// stopped says whether none of a Pod's containers is known to run.
func stopped(pod *model.Pod) bool {
	return len(pod.Containers) > 0 && !slices.ContainsFunc(pod.Containers, func(c model.Container) bool { return c.State == "running" || c.State == "" })
}

// podNamed is the Pod of a destination; nil when it is not known.
func (q *query) podNamed(key string) *model.Pod {
	namespace, name, _ := strings.Cut(key, "/")
	return q.snapshot.Pod(namespace, name)
}
