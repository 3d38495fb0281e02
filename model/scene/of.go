package scene

import (
	"cmp"
	"net"
	"slices"
	"sort"
	"strconv"
	"strings"

	"svctour/model"
	"svctour/model/dns"
	"svctour/model/endpoints"
	"svctour/model/path"
)

// Input is what a scene is made of. All but Snapshot may be left out.
type Input struct {
	Snapshot  *model.Snapshot
	Namespace string
	Service   string // its name; "" for none
	Client    model.Client
	Trace     *path.Trace
	// Evidence is that of the rules on the trace.
	Evidence   model.Evidence
	Resolution *dns.Resolution
	// Gone are Pods that were removed a moment ago, Fresh the UIDs of what came or
	// turned.
	Gone  []model.Change
	Fresh map[string]bool
	// Plan is that which Snapshot is of; nil for a cluster as it is.
	Plan *model.Planned
}

// Of makes the picture of a Service: a pure function of its input. Endpoints are
// those that the EndpointSlices hold, joined by port (discovery/v1); why another
// Pod is none is model/endpoints' answer.
func Of(in Input) *Scene {
	b := &builder{in: in, s: in.Snapshot, machines: map[string]*Machine{}}
	b.scene = &Scene{Namespace: in.Namespace, Name: in.Service, trace: in.Trace, resolution: in.Resolution, evidence: in.Evidence, plan: in.Plan}
	b.unread()
	b.subject()
	b.nodes()
	b.pods()
	b.client()
	b.names()
	b.balancer()
	b.finish()
	return b.scene
}

type builder struct {
	in       Input
	s        *model.Snapshot
	scene    *Scene
	service  *model.Service // whose Pods and band are drawn
	port     *model.ServicePort
	machines map[string]*Machine
	order    []*Machine
	shares   map[string]float64 // by the address that the client's connections go to
}

func (b *builder) unread() {
	for _, resource := range []string{"services", "endpointslices", "pods", "nodes"} {
		if _, missing := b.s.Sync.Missing[resource]; missing {
			b.scene.Unread = append(b.scene.Unread, resource)
		}
	}
}

// subject finds the Service that is drawn: the one asked for, or the one that
// an ExternalName leads to.
func (b *builder) subject() {
	svc := b.s.Service(b.in.Namespace, b.in.Service)
	if svc == nil {
		return
	}
	b.scene.Kind = kindOf(svc)
	if svc.Type == model.ExternalName {
		b.scene.Alias = b.alias(svc)
		svc = nil
		if at := b.scene.Alias.Service; at != "" {
			namespace, name, _ := strings.Cut(at, "/")
			svc = b.s.Service(namespace, name)
		}
	}
	b.service = svc
	b.scene.service = svc
	if svc == nil {
		return
	}
	b.port = b.focus(svc)
	b.scene.port = b.port
	if !svc.Headless() {
		b.scene.Band = b.band(svc)
	}
}

func kindOf(svc *model.Service) Kind {
	switch {
	case svc.Headless():
		return Headless
	case svc.Type == model.NodePort, svc.Type == model.LoadBalancer, svc.Type == model.ExternalName:
		return Kind(svc.Type)
	}
	return ClusterIP
}

// alias is where an ExternalName leads: over other aliases to a Service of this
// cluster, out of it, or nowhere.
func (b *builder) alias(svc *model.Service) *Alias {
	chain := dns.Aliases(b.s, dns.NameOf(b.s, svc))
	if len(chain) == 0 {
		return &Alias{To: svc.ExternalName, Inside: true}
	}
	last := &chain[len(chain)-1]
	a := &Alias{To: strings.TrimSuffix(last.Target, "."), Inside: !last.Outside, Service: last.To, Why: last.Broken}
	if a.Inside && a.Service == "" && a.Why == "" {
		a.Why = "no Service has that name"
	}
	return a
}

// focus is the port that the client connects to, else the first.
func (b *builder) focus(svc *model.Service) *model.ServicePort {
	if t := b.in.Trace; t != nil && t.Service == svc.Key() {
		for i := range svc.Ports {
			p := &svc.Ports[i]
			if p.Protocol == t.Packet.Protocol && (p.Port == t.Packet.Port || p.NodePort != 0 && p.NodePort == t.Packet.Port) {
				return p
			}
		}
	}
	if len(svc.Ports) == 0 {
		return nil
	}
	return &svc.Ports[0]
}

func (b *builder) band(svc *model.Service) *Band {
	band := &Band{UID: svc.UID, Name: svc.Name, Address: b.scene.say(svc.ClusterIP()), Planned: b.scene.planned(svc.UID), Selector: labelText(svc.Selector)}
	for i := range svc.Ports {
		p := &svc.Ports[i]
		band.Ports = append(band.Ports, Port{
			Name: p.Name, Protocol: p.Protocol, Number: p.Port, Target: cmp.Or(p.TargetPort, strconv.Itoa(int(p.Port))),
			NodePort: p.NodePort, Here: p == b.port,
		})
	}
	mode := b.s.Proxy.Mode
	if b.in.Trace != nil {
		mode = b.in.Trace.Mode
	}
	band.Where = "on no interface"
	if mode == path.ModeIPVS {
		band.Where = "on every node's kube-ipvs0"
	}
	if svc.SessionAffinity == "ClientIP" {
		band.Traits = append(band.Traits, "affinity ClientIP")
	}
	if svc.InternalTrafficPolicy == "Local" {
		band.Traits = append(band.Traits, "internal Local")
	}
	if svc.ExternalTrafficPolicy == "Local" {
		band.Traits = append(band.Traits, "external Local")
	}
	return band
}

// labelText prints labels as kubectl does: k=v,k=v in key order.
func labelText(labels map[string]string) string {
	parts := make([]string, 0, len(labels))
	for key, value := range labels {
		parts = append(parts, key+"="+value)
	}
	sort.Strings(parts)
	return strings.Join(parts, ",")
}

// nodes are the machines, also where Nodes cannot be read and Pods name them.
func (b *builder) nodes() {
	for _, node := range b.s.Nodes {
		m := b.machine(node.Name)
		m.Address, m.Ready, m.Known = node.InternalIP(), node.Ready(), true
	}
}

// machine gives the machine of a name, which is made if it is not there.
func (b *builder) machine(name string) *Machine {
	m := b.machines[name]
	if m == nil {
		m = &Machine{Name: name}
		b.machines[name] = m
		b.order = append(b.order, m)
	}
	return m
}

// place puts a Pod on its machine.
func (b *builder) place(node string, pod Pod) {
	pod.Fresh = b.in.Fresh[pod.UID]
	if pod.State != Gone {
		pod.Planned = b.scene.planned(pod.UID)
	}
	pod.Name = b.scene.say(pod.Name)
	if b.scene.say(pod.Address) != pod.Address {
		pod.Address = "address open"
	}
	if node == "" {
		b.scene.Loose = append(b.scene.Loose, pod)
		return
	}
	m := b.machine(node)
	m.Pods = append(m.Pods, pod)
	if pod.State == Ready {
		m.Pulse++
	}
}

func (b *builder) pods() {
	b.shares = sharesOf(b.in.Trace)
	held := map[string]*entry{} // by Pod, "namespace/name", and by the address of what is no Pod
	if b.service != nil {
		held = b.entries()
	}
	client := ""
	if b.in.Client.Kind == model.ClientPod {
		client = b.in.Client.Namespace + "/" + b.in.Client.Name
	}
	selected := false
	for _, pod := range b.s.PodsIn(b.namespace()) {
		if e := held[pod.Key()]; e != nil || b.service != nil && endpoints.Selects(b.service, pod) {
			b.place(pod.Node, b.pod(pod, e))
			selected = true
		}
	}
	for _, e := range sortedEntries(held) {
		if e.pod == nil {
			b.place(e.endpoint.Node, Pod{
				Key: e.address, Name: "no Pod", Address: e.host, Port: e.port, State: stateOf(e.endpoint),
				Share: b.shares[e.address], Why: stateWhy(stateOf(e.endpoint)),
			})
		}
	}
	if !selected && len(held) == 0 && b.strangers() {
		for _, pod := range b.s.PodsIn(b.namespace()) {
			if pod.Key() != client {
				b.place(pod.Node, b.stranger(pod))
			}
		}
	}
	for i := range b.in.Gone {
		c := &b.in.Gone[i]
		b.place(c.Node, Pod{Key: b.in.Namespace + "/" + c.Name, UID: c.ID, Name: c.Name, Address: c.Address, State: Gone})
	}
	b.leaving()
	b.sortPods()
}

// leaving are the Pods that a plan takes away.
func (b *builder) leaving() {
	if b.in.Plan == nil || b.in.Plan.Before == nil {
		return
	}
	for _, pod := range b.in.Plan.Before.PodsIn(b.namespace()) {
		if b.scene.planned(pod.UID) == Goes {
			b.place(pod.Node, Pod{Key: pod.Key(), UID: pod.UID, Name: pod.Name, Address: pod.IP(), State: Gone, Planned: Goes})
		}
	}
}

// strangers says whether the namespace's other Pods are shown: while there is no
// Service, or where its selector picks none.
func (b *builder) strangers() bool {
	return b.scene.Kind == NoService || b.service != nil && endpoints.Selecting(b.service)
}

func (b *builder) namespace() string {
	if b.service != nil {
		return b.service.Namespace
	}
	return b.in.Namespace
}

// entry is what the EndpointSlices hold of one address for the port.
type entry struct {
	pod      *model.Pod
	endpoint *model.Endpoint
	address  string // "ip:port"
	host     string
	port     int32
}

func (b *builder) entries() map[string]*entry {
	held := map[string]*entry{}
	add := func(host string, port int32, e *model.Endpoint) {
		one := &entry{endpoint: e, host: host, port: port, address: net.JoinHostPort(host, strconv.Itoa(int(port)))}
		key := one.address
		if ref := e.Target; ref != nil && ref.Kind == "Pod" {
			if one.pod = b.s.Pod(cmp.Or(ref.Namespace, b.service.Namespace), ref.Name); one.pod != nil {
				key = one.pod.Key()
			}
		} else if pod := b.s.PodByIP(host); e.Target == nil && pod != nil && pod.Namespace == b.service.Namespace {
			one.pod, key = pod, pod.Key()
		}
		if old := held[key]; old == nil || !e.IsTerminating() {
			held[key] = one
		}
	}
	slices := b.s.ServiceSlices(b.service.Namespace, b.service.Name)
	if b.port != nil {
		for at, e := range endpoints.Joined(slices, b.port) {
			add(at.Addr().String(), int32(at.Port()), e)
		}
		return held
	}
	for _, slice := range slices { // a headless Service without ports
		for i := range slice.Endpoints {
			if e := &slice.Endpoints[i]; len(e.Addresses) > 0 {
				add(e.Addresses[0], 0, e)
			}
		}
	}
	return held
}

func sortedEntries(held map[string]*entry) []*entry {
	out := make([]*entry, 0, len(held))
	for _, e := range held {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b *entry) int { return cmp.Compare(a.address, b.address) })
	return out
}

func stateOf(e *model.Endpoint) State {
	switch {
	case e.IsReady():
		return Ready
	case e.IsTerminating() && e.IsServing():
		return Serving
	case e.IsTerminating():
		return Terminating
	}
	return NotReady
}

func stateWhy(s State) string {
	switch s {
	case Serving:
		return "terminating, serves"
	case Terminating:
		return "terminating"
	case NotReady:
		return "not ready"
	}
	return ""
}

// pod is a Pod that the Service selects, or whose address a slice holds.
func (b *builder) pod(pod *model.Pod, e *entry) Pod {
	out := bare(pod)
	if e != nil {
		out.State, out.Port = stateOf(e.endpoint), e.port
		if e.host != "" {
			out.Address = e.host
		}
		out.Share = b.shares[e.address]
		out.Why = stateWhy(out.State)
		if status := pod.Status(); out.State == NotReady && status != "Running" && status != "" {
			out.Why = "not ready: " + status
		}
		return out
	}
	out.State = Outside
	row := endpoints.Rows(b.s, b.service, pod)[max(0, b.portIndex())]
	switch row.Reason {
	case endpoints.NotScheduled, endpoints.NoAddress:
		out.State, out.Why = Pending, pod.Status()
	case endpoints.Ended:
		out.State, out.Why = Ended, pod.Status()
	case endpoints.NoNamedPort:
		out.Why = "no port named " + b.port.TargetPort
	case endpoints.OtherProtocol:
		out.Why = "port " + b.port.TargetPort + " is not " + b.port.Protocol
	case endpoints.OtherFamily:
		out.Why = "no address of its IP family"
	case endpoints.NodeMissing:
		out.Why = "its Node is gone"
	case endpoints.NoSelector:
		out.Why = "not in its EndpointSlices"
	default:
		out.Why = "not in the EndpointSlice yet"
	}
	return out
}

func (b *builder) portIndex() int {
	for i := range b.service.Ports {
		if &b.service.Ports[i] == b.port {
			return i
		}
	}
	return -1
}

// stranger is a Pod that is shown because the Service selects none.
func (b *builder) stranger(pod *model.Pod) Pod {
	out := bare(pod)
	out.State, out.Stranger = Outside, true
	switch {
	case pod.Ended():
		out.State, out.Why = Ended, pod.Status()
	case pod.IP() == "":
		out.State, out.Why = Pending, pod.Status()
	case b.service == nil && pod.Terminating():
		out.State, out.Why = Terminating, "terminating"
	case b.service == nil && !pod.Ready():
		out.State, out.Why = NotReady, "not ready"
	case b.service == nil:
		out.State = Ready
	default:
		out.Why = unlike(b.service.Selector, pod.Labels)
	}
	return out
}

// unlike is what the Pod has where a selector wants something else.
func unlike(selector, labels map[string]string) string {
	var parts []string
	for _, key := range endpoints.Missing(selector, labels) {
		if value, has := labels[key]; has {
			parts = append(parts, key+"="+value)
		} else {
			parts = append(parts, "no label "+key)
		}
	}
	return strings.Join(parts, ", ")
}

func bare(pod *model.Pod) Pod {
	out := Pod{Key: pod.Key(), UID: pod.UID, Name: pod.Name, Address: pod.IP()}
	for i := range pod.Containers {
		out.Restarts += pod.Containers[i].Restarts
	}
	return out
}

// sharesOf gives, by "ip:port", which part of the client's connections goes there.
func sharesOf(t *path.Trace) map[string]float64 {
	shares := map[string]float64{}
	if t == nil {
		return shares
	}
	for i := range t.Outcomes {
		if d := t.Outcomes[i].Destination; d != nil {
			shares[net.JoinHostPort(d.IP, strconv.Itoa(int(d.Port)))] += t.Outcomes[i].Probability
		}
	}
	return shares
}

// sortPods puts the oldest Pod first, so that one that comes moves no other.
func (b *builder) sortPods() {
	born := map[string]int64{}
	for _, pod := range b.s.PodsIn(b.namespace()) {
		born[pod.UID] = pod.Created.Unix()
	}
	for _, m := range b.order {
		slices.SortStableFunc(m.Pods, func(x, y Pod) int {
			return cmp.Or(cmp.Compare(born[x.UID], born[y.UID]), cmp.Compare(x.Key, y.Key))
		})
	}
}
