package path

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"svctour/model"
	"svctour/model/endpoints"
	"svctour/model/policy"
)

// Request asks for the path of the first packet of a connection.
type Request struct {
	// Namespace is that of a From that names none, and of svc/SERVICE; "" means
	// default. A name is looked up in the namespace of the Pod that From names,
	// as its resolver does; without such a Pod in this one.
	Namespace string
	Target    string // see ParseTarget
	// From is "pod/NAME", "pod/NAMESPACE/NAME", "node/NAME", "outside" or
	// "outside/IP". "" chooses a Pod that a person might run a client in, or
	// else a node, and says so in the notes.
	From string
	Mode string // kube-proxy mode; "" or "auto" means the cluster's own
	// Explain asks for the rules that did not match, too.
	Explain bool
}

// Do gives every outcome of a request, by the rules kube-proxy (pkg/proxy)
// would write from the snapshot. Its errors are meant to be read: an unknown
// Service, a target that cannot be understood, a Pod without an address, a mode
// that is not supported. The rules are those of Compile, CompileNFTables and
// CompileIPVS, the packet's way is Walk's, names are looked up by package dns, and
// NetworkPolicies are asked as package policy says. A name that is a Service's and
// does not resolve is no error, but an outcome.
func Do(s *model.Snapshot, r Request) (*Trace, error) {
	if s == nil {
		return nil, errors.New("nothing was read from the cluster yet")
	}
	if r.Namespace == "" {
		r.Namespace = "default"
	}
	mode, err := modeOf(s, r.Mode)
	if err != nil {
		return nil, err
	}
	for _, resource := range []string{"services", "endpointslices"} {
		if why, missing := s.Sync.Missing[resource]; missing {
			return nil, fmt.Errorf("cannot trace without reading %s: %s", resource, why)
		}
	}
	target, err := ParseTarget(r.Target, s.DNS.Domain)
	if err != nil {
		return nil, err
	}
	q := &query{snapshot: s, request: r, target: target}
	q.trace = &Trace{Target: r.Target, Mode: mode}
	q.resolve()
	if err := q.start(); err != nil {
		return nil, err
	}
	if err := q.lookUp(); err != nil {
		return nil, err
	}
	if err := q.aim(); err != nil {
		return nil, err
	}
	q.walk()
	q.conclude()
	q.remarks()
	return q.trace, nil
}

func modeOf(s *model.Snapshot, asked string) (string, error) {
	mode := asked
	if mode == "" || mode == "auto" {
		mode = s.Proxy.Mode
		if mode == "" {
			mode = ModeIPTables
		}
	}
	switch mode {
	case ModeIPTables, ModeNFTables, ModeIPVS:
		return mode, nil
	}
	return "", fmt.Errorf("kube-proxy mode %q: want auto, iptables, nftables or ipvs", asked)
}

// query is one request on its way to a trace.
type query struct {
	snapshot *model.Snapshot
	request  Request
	target   Target
	trace    *Trace

	namespace string             // in which the target's name is looked up
	service   *model.Service     // what the target belongs to; nil when nothing known
	port      *model.ServicePort // the chosen port; nil when none matched
	number    uint16             // destination port
	address   netip.Addr         // destination; invalid when the Service has none
	flow      Flow
	node      string // whose rules see the packet first
	// deciding is the node whose rules decide: node, or the one that the packet
	// is addressed to when it goes there unchanged.
	deciding string
	outside  bool
	hosted   bool // the target is a load balancer's hostname
	client   *model.Pod
	// ifKept are the outcomes if the network plugin, which is not known, keeps
	// the source; nil where nothing depends on that.
	ifKept []Outcome

	// What the look-up of a name gave, when it gave no cluster IP: the addresses of
	// a family that the client has, or the one outcome of a packet that is not sent,
	// or leaves the cluster.
	addresses []netip.Addr
	unsent    *Outcome

	nodesAt map[netip.Addr]string // see indexNodes
	sliced  map[string][]int32    // see slicedPorts
	sets    map[[2]string]*policy.Set
}

// note adds a sentence, once.
func (q *query) note(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(q.trace.Notes, text) {
		q.trace.Notes = append(q.trace.Notes, text)
	}
}

// resolve finds the Service a target means. That it finds none of a name is not
// the end: see lookUp.
func (q *query) resolve() {
	t := &q.target
	if strings.EqualFold(strings.TrimSuffix(t.typed, "."), "localhost") { // of every /etc/hosts, which comes before DNS
		*t = Target{Address: netip.AddrFrom4([4]byte{127, 0, 0, 1}), Port: t.Port, Protocol: t.Protocol}
	}
	switch {
	case t.Address.IsValid():
		q.service = q.ownerOf(t.Address)
	case t.Node != "":
		q.service = q.ownerOfNodePort()
	default:
		q.resolveName()
	}
	if q.service != nil {
		q.trace.Service = q.service.Key()
	}
}

func (q *query) byHostname(host string) *model.Service {
	for _, svc := range q.snapshot.Services {
		for _, in := range svc.Ingress {
			if in.Hostname != "" && strings.EqualFold(in.Hostname, host) {
				return svc
			}
		}
	}
	return nil
}

// ownerOf finds the Service that an address and the target's port belong to.
// Services may share an address: then the port decides, as it does in
// kube-proxy's rules. A node's address may be a load balancer's as well, and
// there the Services' own ports come before NodePorts.
func (q *query) ownerOf(ip netip.Addr) *model.Service {
	var first *model.Service
	for _, svc := range q.snapshot.Services {
		if !holds(svc, ip) {
			continue
		}
		if q.target.Port == "" && q.target.Protocol == "" {
			return svc
		}
		if p := q.target.portOf(svc); p != nil {
			if q.target.Port != "" {
				q.port = p
			}
			return svc
		}
		if first == nil {
			first = svc
		}
	}
	if ip.IsLoopback() || q.nodeOf(ip) != "" {
		if svc := q.ownerOfNodePort(); svc != nil {
			return svc
		}
	}
	return first
}

// holds says whether a Service has an address.
func holds(svc *model.Service, ip netip.Addr) bool {
	is := func(text string) bool { return endpoints.ParseAddr(text) == ip }
	return slices.ContainsFunc(svc.ClusterIPs, is) || slices.ContainsFunc(svc.ExternalIPs, is) ||
		slices.ContainsFunc(svc.Ingress, func(in model.Ingress) bool { return is(in.IP) })
}

func (q *query) ownerOfNodePort() *model.Service {
	port := q.target.number()
	if port == 0 {
		return nil
	}
	for _, svc := range q.snapshot.Services {
		for i := range svc.Ports {
			p := &svc.Ports[i]
			if p.NodePort == port && (q.target.Protocol == "" || q.target.Protocol == p.Protocol) {
				q.port = p
				return svc
			}
		}
		if svc.HealthCheckNodePort == port {
			return svc
		}
	}
	return nil
}

// nodeOf names the node that has an address; "" when none is known to.
func (q *query) nodeOf(ip netip.Addr) string {
	if q.nodesAt != nil {
		return q.nodesAt[ip]
	}
	if node := q.snapshot.NodeByIP(ip.String()); node != nil {
		return node.Name
	}
	for _, pod := range q.snapshot.Pods {
		if pod.Node != "" && endpoints.ParseAddr(pod.HostIP) == ip {
			return pod.Node
		}
	}
	return ""
}

// indexNodes makes nodeOf quick, for a packet to many addresses.
func (q *query) indexNodes() {
	q.nodesAt = map[netip.Addr]string{}
	for _, node := range q.snapshot.Nodes {
		for _, a := range node.Addresses {
			if ip := endpoints.ParseAddr(a.Address); ip.IsValid() && q.nodesAt[ip] == "" {
				q.nodesAt[ip] = node.Name
			}
		}
	}
	for _, pod := range q.snapshot.Pods {
		if ip := endpoints.ParseAddr(pod.HostIP); ip.IsValid() && pod.Node != "" && q.nodesAt[ip] == "" {
			q.nodesAt[ip] = pod.Node
		}
	}
}

// start finds where the packet comes from.
func (q *query) start() error {
	from, err := model.ParseClient(q.request.From, q.request.Namespace)
	if err != nil {
		return err
	}
	switch from.Kind {
	case model.ClientPod:
		return q.fromPod(from)
	case model.ClientNode:
		if len(q.snapshot.Nodes) > 0 && q.snapshot.Node(from.Name) == nil {
			return fmt.Errorf("from %q: no Node %q", q.request.From, from.Name)
		}
		q.fromNode(from)
		return nil
	case model.ClientOutside:
		q.fromOutside(from)
		return nil
	}
	return q.choose()
}

// choose picks a client: a ready Pod of the namespace that is no endpoint of
// the Service, else another Pod, else a node.
func (q *query) choose() error {
	if q.target.Node != "" || q.target.Address.IsValid() && q.nodeOf(q.target.Address) != "" {
		q.note("From outside the cluster, because a node's port was asked for.")
		q.fromOutside(model.Client{Kind: model.ClientOutside})
		return nil
	}
	best, score := (*model.Pod)(nil), 0
	for _, pod := range q.snapshot.Pods {
		if pod.IP() == "" || pod.Node == "" || pod.Phase != "Running" || pod.Terminating() {
			continue
		}
		rank := 1
		if !pod.HostNetwork { // what a hostNetwork Pod sends is the node's
			rank += 16
		}
		if !q.isEndpoint(pod) {
			rank += 4
		}
		if pod.Namespace == q.request.Namespace {
			rank += 8
		}
		if pod.Ready() {
			rank += 32
		}
		if rank > score {
			best, score = pod, rank
		}
	}
	if best != nil {
		q.note("From Pod %s, chosen because no client was named.", best.Key())
		return q.fromPod(model.Client{Kind: model.ClientPod, Namespace: best.Namespace, Name: best.Name})
	}
	if node := q.firstNode(); node != "" {
		q.note("From node %s, because no running Pod can be the client.", node)
		q.fromNode(model.Client{Kind: model.ClientNode, Name: node})
		return nil
	}
	if _, missing := q.snapshot.Sync.Missing["pods"]; missing {
		q.note("From a Pod on a node that is not known, because neither Pods nor Nodes can be read.")
	} else {
		q.note("From a Pod on a node that is not known, because the cluster has no Node.")
	}
	q.trace.From = "pod"
	return nil
}

func (q *query) isEndpoint(pod *model.Pod) bool {
	if q.service == nil {
		return false
	}
	for _, slice := range q.snapshot.ServiceSlices(q.service.Namespace, q.service.Name) {
		for i := range slice.Endpoints {
			if t := slice.Endpoints[i].Target; t != nil && t.Kind == "Pod" && t.Name == pod.Name && pod.Namespace == slice.Namespace {
				return true
			}
		}
	}
	return false
}

func (q *query) firstNode() string {
	for _, node := range q.snapshot.Nodes {
		if node.Ready() {
			return node.Name
		}
	}
	if len(q.snapshot.Nodes) > 0 {
		return q.snapshot.Nodes[0].Name
	}
	for _, pod := range q.snapshot.Pods {
		if pod.Node != "" {
			return pod.Node
		}
	}
	return ""
}

func (q *query) fromPod(from model.Client) error {
	if why, missing := q.snapshot.Sync.Missing["pods"]; missing {
		return fmt.Errorf("from Pod %q: Pods cannot be read: %s", from.Namespace+"/"+from.Name, why)
	}
	pod := q.snapshot.Pod(from.Namespace, from.Name)
	switch {
	case pod == nil:
		return fmt.Errorf("from: no Pod %q in namespace %q", from.Name, from.Namespace)
	case pod.Node == "":
		return fmt.Errorf("from Pod %q: it is on no node yet", pod.Key())
	case pod.Ended():
		return fmt.Errorf("from Pod %q: it has ended (%s)", pod.Key(), pod.Phase)
	case pod.IP() == "":
		return fmt.Errorf("from Pod %q: it has no address yet", pod.Key())
	}
	q.client, q.node = pod, pod.Node
	q.trace.Client, q.trace.From = from, from.String()
	q.flow.Local = pod.HostNetwork
	return nil
}

func (q *query) fromNode(from model.Client) {
	q.node = from.Name
	q.flow.Local = true
	q.trace.Client, q.trace.From = from, from.String()
}

func (q *query) fromOutside(from model.Client) {
	q.outside = true
	q.trace.Client, q.trace.From = from, from.String()
	q.flow.Source = from.Address
	switch {
	case q.target.Node != "":
		q.node = q.target.Node
	case q.target.Address.IsValid():
		q.node = q.nodeOf(q.target.Address)
	}
	if q.node == "" {
		q.node = q.firstNode()
	}
}
