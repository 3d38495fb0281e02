package endpoints

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"svctour/model"
)

// Reason says why a Pod is no endpoint of a Service's port, or why an endpoint
// is not ready. Its value is stable: scripts may rely on it.
type Reason string

// Reasons why a Pod is not in an EndpointSlice with the port, in the order in
// which they are looked for.
const (
	ExternalName  Reason = "external-name"  // the Service is a name in DNS only
	NoSelector    Reason = "no-selector"    // the controller leaves the Service's EndpointSlices to others
	NotSelected   Reason = "not-selected"   // the selector does not match
	Ended         Reason = "ended"          // the Pod's phase is Succeeded or Failed
	NotScheduled  Reason = "not-scheduled"  // the Pod is on no node yet
	NoAddress     Reason = "no-address"     // the Pod has no IP yet
	NodeMissing   Reason = "node-missing"   // the Pod's Node object does not exist
	OtherFamily   Reason = "other-family"   // the Pod has no IP of a family that the Service has
	NoNamedPort   Reason = "no-named-port"  // the Pod declares no port with the name that targetPort has
	OtherProtocol Reason = "other-protocol" // the Pod declares that name for another protocol only
)

// Reasons why an endpoint is not ready.
const (
	Serving     Reason = "serving"     // terminating, and its Ready condition is True
	Terminating Reason = "terminating" // terminating, and its Ready condition is not True
	NotReady    Reason = "not-ready"   // its Ready condition is not True
)

// Membership says of each Pod and Service port whether the EndpointSlice
// controller makes the Pod an endpoint of the port.
type Membership struct {
	Service string `json:"service"` // namespace/name
	Rows    []Row  `json:"rows"`    // by Pod, then in the order of the Service's ports
}

// Row is one Pod and one port of a Service.
type Row struct {
	Pod  string `json:"pod"`  // its name; it is in the Service's namespace
	Port string `json:"port"` // the port's name, else "80/TCP"; "" for a headless Service without ports
	In   bool   `json:"in"`   // an EndpointSlice lists the Pod with the port
	// The endpoint's conditions; false when it is not In.
	Ready       bool `json:"ready"`
	Serving     bool `json:"serving"`
	Terminating bool `json:"terminating"`
	// Published says that it is Ready because of publishNotReadyAddresses alone.
	Published bool `json:"published,omitempty"`
	// Reason is "" when the endpoint is Ready. Why is the Reason in a sentence
	// about this Pod.
	Reason Reason `json:"reason,omitempty"`
	Why    string `json:"why,omitempty"`
	// What the EndpointSlice says of the endpoint besides; zero when it is not In.
	Target    int32    `json:"targetPort,omitempty"` // the number of the Pod's port
	Addresses []string `json:"addresses,omitempty"`  // those of the Service's families
	Hostname  string   `json:"hostname,omitempty"`
	Node      string   `json:"nodeName,omitempty"`
	Zone      string   `json:"zone,omitempty"`
}

// MembershipOf gives the membership of every Pod of the Service's namespace
// (k8s.io/endpointslice/reconciler.go, reconcileByAddressType). When Nodes
// cannot be read, those that Pods name are taken to exist.
func MembershipOf(s *model.Snapshot, service *model.Service) *Membership {
	m := &Membership{Service: service.Key(), Rows: []Row{}}
	for _, pod := range s.PodsIn(service.Namespace) {
		m.Rows = append(m.Rows, Rows(s, service, pod)...)
	}
	return m
}

// Rows gives the membership of one Pod: a row for each port of the Service
// (k8s.io/endpointslice/reconciler.go, reconcileByAddressType).
func Rows(s *model.Snapshot, service *model.Service, pod *model.Pod) []Row {
	endpoint := Row{Pod: pod.Name}
	if reason, why := absent(s, service, pod); reason != "" {
		endpoint.Reason, endpoint.Why = reason, why
	} else {
		endpoint.fill(s, service, pod)
	}
	if len(service.Ports) == 0 {
		return []Row{endpoint}
	}
	rows := make([]Row, len(service.Ports))
	for i := range service.Ports {
		rows[i] = endpoint.at(&service.Ports[i], pod)
	}
	return rows
}

// absent says why a Pod is no endpoint of a Service on any port, as a Reason and
// in a sentence; "" when it is one.
func absent(s *model.Snapshot, service *model.Service, pod *model.Pod) (Reason, string) {
	switch {
	case service.Type == model.ExternalName:
		return ExternalName, "an ExternalName Service is a name in DNS and has no endpoints"
	case !Selecting(service):
		return NoSelector, "the Service has no selector, so its EndpointSlices are written by hand or by another controller"
	case !Selects(service, pod):
		return NotSelected, unlike(service, pod)
	case pod.Ended():
		return Ended, "the Pod has ended: its phase is " + pod.Phase
	case len(pod.IPs) == 0 && pod.Node == "":
		return NotScheduled, "the Pod is on no node yet"
	case len(pod.IPs) == 0:
		return NoAddress, "the Pod has no IP yet"
	}
	if s.Node(pod.Node) == nil && s.Sync.Missing["nodes"] == "" && !service.PublishNotReady {
		if pod.Node == "" {
			return NotScheduled, "the Pod is on no node yet"
		}
		return NodeMissing, "there is no Node " + pod.Node
	}
	if len(Addresses(service, pod)) == 0 {
		return OtherFamily, fmt.Sprintf("the Service is %s and the Pod has %s only",
			strings.Join(Families(service), " and "), strings.Join(pod.IPs, " and "))
	}
	return "", ""
}

// unlike says in words which part of a selector a Pod does not match.
func unlike(service *model.Service, pod *model.Pod) string {
	if pod.Namespace != service.Namespace {
		return "the Pod is in namespace " + pod.Namespace
	}
	var out []string
	for _, key := range Missing(service.Selector, pod.Labels) {
		if have, has := pod.Labels[key]; has {
			out = append(out, fmt.Sprintf("the Pod has %s=%s, the selector %s=%s", key, have, key, service.Selector[key]))
		} else {
			out = append(out, fmt.Sprintf("the Pod has no label %s", key))
		}
	}
	return strings.Join(out, "; ")
}

// fill adds what the EndpointSlice says of the endpoint on every port
// (k8s.io/endpointslice/utils.go, podToEndpoint).
func (r *Row) fill(s *model.Snapshot, service *model.Service, pod *model.Pod) {
	r.In = true
	r.Ready, r.Serving, r.Terminating = Conditions(service, pod)
	r.Published = r.Ready && (!r.Serving || r.Terminating)
	r.Addresses, r.Node = Addresses(service, pod), pod.Node
	if node := s.Node(pod.Node); node != nil {
		r.Zone = node.Zone()
	}
	if pod.Subdomain == service.Name {
		r.Hostname = pod.Hostname
	}
	switch {
	case r.Ready:
	case r.Terminating && r.Serving:
		r.Reason, r.Why = Serving, "the Pod is terminating and still serves: it is used while no endpoint is ready"
	case r.Terminating:
		r.Reason, r.Why = Terminating, "the Pod is terminating and does not serve any more"
	default:
		r.Reason, r.Why = NotReady, "the Pod's Ready condition is not True"
	}
}

// at gives the row of one port.
func (r Row) at(port *model.ServicePort, pod *model.Pod) Row {
	r.Port = port.Name
	if r.Port == "" {
		r.Port = strconv.Itoa(int(port.Port)) + "/" + port.Protocol
	}
	if !r.In {
		return r
	}
	if target, found := TargetPort(port, pod); found {
		r.Target = target
		return r
	}
	out := Row{Pod: r.Pod, Port: r.Port, Reason: NoNamedPort, Why: "the Pod declares no port named " + port.TargetPort}
	for p := range ContainerPorts(pod) {
		if p.Name == port.TargetPort {
			out.Reason = OtherProtocol
			out.Why = fmt.Sprintf("the Pod's port %s is %s, the Service's is %s", p.Name, p.Protocol, port.Protocol)
		}
	}
	return out
}

// Conditions gives the conditions of the endpoint that a Pod is: ready, serving,
// terminating (k8s.io/endpointslice/utils.go, podToEndpoint; KEP-1672).
func Conditions(service *model.Service, pod *model.Pod) (ready, serving, terminating bool) {
	serving, terminating = pod.Ready(), pod.Terminating()
	return service.PublishNotReady || serving && !terminating, serving, terminating
}

// Families gives the IP families of a Service's endpoints, "IPv4" or "IPv6"
// (k8s.io/endpointslice/utils.go, getAddressTypesForService). A Service without
// families is an old one: it has its cluster IP's, or both when it is headless.
func Families(service *model.Service) []string {
	if len(service.IPFamilies) > 0 {
		return service.IPFamilies
	}
	if ip := ParseAddr(service.ClusterIP()); ip.IsValid() {
		return []string{familyOf(ip)}
	}
	return []string{"IPv4", "IPv6"}
}

// Addresses gives those of a Pod's IPs that are of a Service's families
// (k8s.io/endpointslice/utils.go, getEndpointAddresses).
func Addresses(service *model.Service, pod *model.Pod) []string {
	families := Families(service)
	var out []string
	for _, text := range pod.IPs {
		if ip := ParseAddr(text); ip.IsValid() && slices.Contains(families, familyOf(ip)) {
			out = append(out, ip.String())
		}
	}
	return out
}
