// Package scene is what the stage shows of one Service, as values without
// coordinates: machines and the Pods on them, the virtual address, names, doors,
// and the way of a packet. It is a pure function of a snapshot and of what was
// computed from it; where nothing was read, it says so instead of showing nothing.
package scene

import (
	"cmp"
	"fmt"
	"strings"

	"svctour/model"
	"svctour/model/dns"
	"svctour/model/path"
)

// Kind is what sort of picture a Service makes.
type Kind string

// The kinds of Services, and a namespace without the Service.
const (
	NoService    Kind = ""
	ClusterIP    Kind = "ClusterIP"
	NodePort     Kind = "NodePort"
	LoadBalancer Kind = "LoadBalancer"
	ExternalName Kind = "ExternalName"
	Headless     Kind = "headless"
)

// Scene is the picture of one Service.
type Scene struct {
	Kind      Kind
	Namespace string
	Name      string // of the Service that was asked for
	Band      *Band  // nil where no virtual address exists
	Client    *Client
	Machines  []Machine // in order of their names
	Loose     []Pod     // Pods on no node yet, and endpoints that are no Pods
	Names     *Names    // who answers DNS queries; nil when nothing is known of it
	Balancer  *Balancer // nil unless the Service asks for a load balancer or has external IPs
	Alias     *Alias    // nil unless the Service is a name for another name
	// Unread are the resources that could not be read: the picture lacks them.
	Unread []string

	trace      *path.Trace
	resolution *dns.Resolution
	evidence   model.Evidence // of the rules on the path
	plan       *model.Planned // that the scene is of; nil for what is
	service    *model.Service // whose band is drawn
	port       *model.ServicePort
}

// Band is the virtual address of a Service, which lives on no machine, or on all.
type Band struct {
	UID      string
	Name     string // of the Service that owns it
	Address  string // the cluster IP; "" while none is assigned
	Ports    []Port
	Selector string // as kubectl prints it; "" without one
	Ready    int    // endpoints of the port that connections go to
	All      int
	Where    string   // on which interface the address is, in a few words
	Traits   []string // what else decides: session affinity, traffic policies
	Planned  Planned
}

// Port is one port of the Service.
type Port struct {
	Name     string
	Protocol string
	Number   int32
	Target   string // targetPort: a number, or a port's name
	NodePort int32  // 0 means none
	Here     bool   // the port that the client connects to
}

// Planned says how an object differs in what is planned from what is there.
type Planned uint8

// What a plan does to an object.
const (
	Stays Planned = iota
	Comes
	Goes
	Turns
)

// Client is who connects.
type Client struct {
	Kind    model.ClientKind
	Key     string // of a Pod, "namespace/name"; of a node its name
	UID     string // of the Pod
	Label   string // "tmp", "node-1", "outside"
	Address string // "" when it is not known
	Machine string // on which it runs; "" outside
	Ready   bool
	Why     string // what keeps it from sending; "" when nothing does
}

// Machine is a node.
type Machine struct {
	Name    string
	Address string // InternalIP
	Ready   bool   // meaningless unless Known
	Known   bool   // its Node object was read
	Doors   []Door // nodePorts, in the Service's order
	Pods    []Pod  // of the Service, oldest first
	Names   []Pod  // that answer DNS queries
	// Pulse is how many of Pods are ready endpoints of the port.
	Pulse int
}

// DoorState is what happens to a connection that knocks at a nodePort.
type DoorState uint8

// What a nodePort does with a connection.
const (
	Open    DoorState = iota // leads to an endpoint
	Refuses                  // no endpoint: the rules reject
	Drops                    // externalTrafficPolicy Local, and no endpoint on this node
)

// Door is a nodePort of a machine.
type Door struct {
	Port  int32
	State DoorState
	Here  bool // of the port that the client connects to
}

// State is how a Pod stands to the Service.
type State uint8

// The states of a Pod, from the one that serves to the one that is no endpoint.
const (
	Ready       State = iota // a ready endpoint of the port
	Serving                  // terminating, and used while no endpoint is ready
	NotReady                 // an endpoint that gets no connections
	Terminating              // going, and not used
	Pending                  // not running yet
	Ended                    // its containers will not run again
	Outside                  // no endpoint of the port
	Gone                     // was removed a moment ago
)

// Pod is one Pod, or an endpoint that is none.
type Pod struct {
	Key      string // "namespace/name"; the address of an endpoint that is no Pod
	UID      string
	Name     string
	Address  string
	Port     int32 // the number that connections go to; 0 when it is none
	State    State
	Why      string // in a few words, unless it is Ready
	Restarts int32
	Share    float64 // of the client's connections; 0 when none or not known
	Planned  Planned
	Stranger bool // not selected; shown because no Pod is
	Fresh    bool // it came, or turned, a moment ago
}

// Trouble says whether the Pod is one that a picture must not fold away.
func (p *Pod) Trouble() bool {
	switch p.State {
	case Ready, Outside, Gone:
		return false
	}
	return true
}

// Names is the Service that answers DNS queries, itself a virtual address with
// Pods behind it.
type Names struct {
	Name    string // "kube-dns"; "" when no Service has the address
	Address string
	Ready   int
	All     int
}

// Balancer is what stands in front of the nodes.
type Balancer struct {
	Title   string // "load balancer", "external IP"
	Address string // "" while nothing has taken the Service
	Pending bool
	Doors   bool // it can use nodePorts
	Class   string
}

// Alias is where an ExternalName leads.
type Alias struct {
	To      string
	Inside  bool   // to a Service of this cluster
	Service string // that Service, "namespace/name"; "" when there is none
	Why     string // what is wrong with it; "" when nothing is known to be
}

// say words what only the cluster can draw: "some ClusterIP".
func (s *Scene) say(text string) string {
	if s.plan == nil {
		return text
	}
	return s.plan.Say(text)
}

// planned says what the plan does to an object.
func (s *Scene) planned(uid string) Planned {
	if s.plan == nil {
		return Stays
	}
	switch kind, marked := s.plan.Marks[uid]; {
	case !marked:
		return Stays
	case kind == model.Added:
		return Comes
	case kind == model.Removed:
		return Goes
	}
	return Turns
}

// Entrance is the machine whose rules see the client's packet first; "" when it is
// not known.
func (s *Scene) Entrance() string {
	if s.trace != nil {
		return s.trace.Packet.Node
	}
	if s.Client != nil && s.Client.Machine != "" {
		return s.Client.Machine
	}
	if len(s.Machines) > 0 {
		return s.Machines[0].Name
	}
	return ""
}

// Leaves says whether the Service leads out of the cluster.
func (s *Scene) Leaves() bool { return s.Alias != nil && !s.Alias.Inside }

// Asks says whether the client looks a name up.
func (s *Scene) Asks() bool { return len(s.nameLegs()) > 0 }

// Carries is where the client's packet is addressed to, and what its
// translation may make of that; ok is false where there is no packet.
func (s *Scene) Carries() (before, after string, ok bool) {
	if s.trace == nil || len(s.trace.Outcomes) == 0 {
		return "", "", false
	}
	p := &s.trace.Packet
	before = hostPort(cmp.Or(p.Destination, strings.TrimSuffix(p.Host, ".")), p.Port)
	first := &s.trace.Outcomes[0]
	switch d := first.Destination; {
	case d == nil || first.Verdict != path.DNAT:
		return s.say(before), "", true
	case len(s.trace.Outcomes) == 1:
		return s.say(before), s.say(hostPort(d.IP, d.Port)), true
	default:
		return s.say(before), fmt.Sprintf("one of %d, port %d", len(s.trace.Outcomes), d.Port), true
	}
}
