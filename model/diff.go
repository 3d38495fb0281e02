package model

import (
	"fmt"
	"sort"
	"strings"
)

// ChangeKind says how something differs between two snapshots.
type ChangeKind uint8

const (
	Added ChangeKind = iota + 1
	Removed
	Changed
)

// Change is one difference between two snapshots.
type Change struct {
	Kind ChangeKind
	// Subject is what changed: "service", "pod", "endpoint", "deployment".
	Subject string
	// ID is stable over snapshots: a UID, or namespace/service/address for an endpoint.
	ID string
	// Name is the object's; of an endpoint its Service's, in the same namespace.
	Name string
	// Address is the IP of a Pod or an endpoint; "" when it has none yet.
	Address string
	Node    string // of a Pod; "" before it is scheduled
	// Text says in words what the object was before it went, or is now.
	Text string
}

// Diff lists what changed between two snapshots in one namespace, ordered by
// subject and ID. Either may be nil, which counts as empty. It compares states,
// so intermediate snapshots that were never built are simply not seen: a watch
// may skip them, too
// (https://kubernetes.io/docs/reference/using-api/api-concepts/).
func Diff(before, after *Snapshot, namespace string) []Change {
	var out []Change
	out = append(out, diffStates("service", serviceStates(before, namespace), serviceStates(after, namespace))...)
	out = append(out, diffStates("deployment", deploymentStates(before, namespace), deploymentStates(after, namespace))...)
	out = append(out, diffStates("pod", podStates(before, namespace), podStates(after, namespace))...)
	out = append(out, diffStates("endpoint", endpointStates(before, namespace), endpointStates(after, namespace))...)
	return out
}

// state is an object as far as a Change tells of it.
type state struct{ name, address, node, text string }

func diffStates(subject string, before, after map[string]state) []Change {
	var out []Change
	add := func(kind ChangeKind, id string, s state) {
		out = append(out, Change{Kind: kind, Subject: subject, ID: id, Name: s.name, Address: s.address, Node: s.node, Text: s.text})
	}
	for id, now := range after {
		old, existed := before[id]
		switch {
		case !existed:
			add(Added, id, now)
		case old != now:
			add(Changed, id, now)
		}
	}
	for id, old := range before {
		if _, exists := after[id]; !exists {
			add(Removed, id, old)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].ID < out[j].ID })
	return out
}

func serviceStates(s *Snapshot, namespace string) map[string]state {
	states := map[string]state{}
	if s == nil {
		return states
	}
	for _, svc := range s.Services {
		if svc.Namespace != namespace {
			continue
		}
		var ports []string
		for _, p := range svc.Ports {
			ports = append(ports, fmt.Sprintf("%d:%d/%s→%s", p.Port, p.NodePort, p.Protocol, p.TargetPort))
		}
		var ingress []string
		for _, in := range svc.Ingress {
			ingress = append(ingress, in.IP+in.Hostname)
		}
		states[svc.UID] = state{name: svc.Name, text: strings.Join([]string{
			svc.Name, svc.Type, strings.Join(svc.ClusterIPs, ","), strings.Join(ports, ","),
			strings.Join(ingress, ","), fmt.Sprint(svc.Selector), svc.InternalTrafficPolicy, svc.ExternalTrafficPolicy,
		}, " ")}
	}
	return states
}

func deploymentStates(s *Snapshot, namespace string) map[string]state {
	states := map[string]state{}
	if s == nil {
		return states
	}
	for _, d := range s.Deployments {
		if d.Namespace == namespace {
			states[d.UID] = state{name: d.Name, text: fmt.Sprintf("%s %d/%d", d.Name, d.Ready, d.Replicas)}
		}
	}
	return states
}

func podStates(s *Snapshot, namespace string) map[string]state {
	states := map[string]state{}
	if s == nil {
		return states
	}
	for _, pod := range s.PodsIn(namespace) {
		states[pod.UID] = state{pod.Name, pod.IP(), pod.Node, strings.TrimSpace(strings.Join([]string{pod.Name, pod.IP(), pod.Status()}, " "))}
	}
	return states
}

func endpointStates(s *Snapshot, namespace string) map[string]state {
	states := map[string]state{}
	if s == nil {
		return states
	}
	for _, slice := range s.Slices {
		if slice.Namespace != namespace {
			continue
		}
		for i := range slice.Endpoints {
			e := &slice.Endpoints[i]
			for _, address := range e.Addresses {
				states[namespace+"/"+slice.Service()+"/"+address] = state{name: slice.Service(), address: address, text: address + " " + e.State()}
			}
		}
	}
	return states
}

// State is the endpoint's conditions in one word: "ready", "terminating",
// "serving" (terminating but still serving) or "not ready" (discovery/v1,
// EndpointConditions; KEP-1672).
func (e *Endpoint) State() string {
	switch {
	case e.IsReady():
		return "ready"
	case e.IsTerminating() && e.IsServing():
		return "serving"
	case e.IsTerminating():
		return "terminating"
	}
	return "not ready"
}

// Status is the Pod's state in the word `kubectl get pods` prints under STATUS
// (k8s.io/kubernetes/pkg/printers/internalversion/printers.go, printPod),
// without its rarer cases.
func (p *Pod) Status() string {
	status := p.Phase
	if p.Reason != "" {
		status = p.Reason
	}
	for i := range p.InitContainers {
		c := &p.InitContainers[i]
		switch {
		case c.State == "terminated" && c.ExitCode == 0, c.Sidecar && c.State == "running":
			continue
		case c.Reason != "" && c.Reason != "PodInitializing":
			return p.ending("Init:" + c.Reason)
		}
		return p.ending(fmt.Sprintf("Init:%d/%d", i, len(p.InitContainers)))
	}
	running := false
	for i := len(p.Containers) - 1; i >= 0; i-- {
		c := &p.Containers[i]
		switch {
		case (c.State == "waiting" || c.State == "terminated") && c.Reason != "":
			status = c.Reason
		case c.State == "running" && c.Ready:
			running = true
		}
	}
	if status == "Completed" && running {
		status = "Running"
		if !p.Ready() {
			status = "NotReady"
		}
	}
	return p.ending(status)
}

func (p *Pod) ending(status string) string {
	if p.Terminating() {
		if p.Reason == "NodeLost" {
			return "Unknown"
		}
		return "Terminating"
	}
	return status
}
