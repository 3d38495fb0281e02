package path

import (
	"net/netip"
	"slices"
	"strings"

	"svctour/model"
	"svctour/model/endpoints"
)

// VirtualServer is an IPVS service: an address at which the kernel itself
// spreads connections over real servers (ipvsadm(8)).
type VirtualServer struct {
	Address   netip.AddrPort
	Protocol  string // lower case
	Scheduler string // rr, lc, …
	// Timeout is for how many seconds a client stays with a real server; 0 for
	// not at all.
	Timeout int32
	Real    []netip.AddrPort // each with weight 1, masquerading (NAT); in order
	// Leaving are those with weight 0, which keep the connections they have: only
	// a node tells them (pkg/proxy/ipvs/graceful_termination.go).
	Leaving []netip.AddrPort
}

func (v *VirtualServer) equal(o *VirtualServer) bool {
	return v == o || v != nil && o != nil && v.Address == o.Address && v.Protocol == o.Protocol &&
		v.Scheduler == o.Scheduler && v.Timeout == o.Timeout && slices.Equal(v.Real, o.Real)
}

// The ipsets of this mode (pkg/proxy/ipvs/ipset.go), without the "6-" that
// those for IPv6 have after "KUBE-".
const (
	setLoopback    = "KUBE-LOOP-BACK"
	setClusterIP   = "KUBE-CLUSTER-IP"
	setExternal    = "KUBE-EXTERNAL-IP"
	setExternalLoc = "KUBE-EXTERNAL-IP-LOCAL"
	setLB          = "KUBE-LOAD-BALANCER"
	setLBLocal     = "KUBE-LOAD-BALANCER-LOCAL"
	setLBFW        = "KUBE-LOAD-BALANCER-FW"
	setLBSourceIP  = "KUBE-LOAD-BALANCER-SOURCE-IP"
	setLBSourceNet = "KUBE-LOAD-BALANCER-SOURCE-CIDR"
	setHealth      = "KUBE-HEALTH-CHECK-NODE-PORT"
	setBound       = "KUBE-IPVS-IPS"
)

// ipsets are all of them, in kube-proxy's order (proxier.go, ipsetInfo).
var ipsets = []struct{ name, kind, comment string }{
	{setLoopback, "hash:ip,port,ip", "Kubernetes endpoints dst ip:port, source ip for solving hairpin purpose"},
	{setClusterIP, "hash:ip,port", "Kubernetes service cluster ip + port for masquerade purpose"},
	{setExternal, "hash:ip,port", "Kubernetes service external ip + port for masquerade and filter purpose"},
	{setExternalLoc, "hash:ip,port", "Kubernetes service external ip + port with externalTrafficPolicy=local"},
	{setLB, "hash:ip,port", "Kubernetes service lb portal"},
	{setLBFW, "hash:ip,port", "Kubernetes service load balancer ip + port for load balancer with sourceRange"},
	{setLBLocal, "hash:ip,port", "Kubernetes service load balancer ip + port with externalTrafficPolicy=local"},
	{setLBSourceIP, "hash:ip,port,ip", "Kubernetes service load balancer ip + port + source IP for packet filter purpose"},
	{setLBSourceNet, "hash:ip,port,net", "Kubernetes service load balancer ip + port + source cidr for packet filter purpose"},
	{"KUBE-NODE-PORT-TCP", "bitmap:port", "Kubernetes nodeport TCP port for masquerade purpose"},
	{"KUBE-NODE-PORT-LOCAL-TCP", "bitmap:port", "Kubernetes nodeport TCP port with externalTrafficPolicy=local"},
	{"KUBE-NODE-PORT-UDP", "bitmap:port", "Kubernetes nodeport UDP port for masquerade purpose"},
	{"KUBE-NODE-PORT-LOCAL-UDP", "bitmap:port", "Kubernetes nodeport UDP port with externalTrafficPolicy=local"},
	{"KUBE-NODE-PORT-SCTP-HASH", "hash:ip,port", "Kubernetes nodeport SCTP port for masquerade purpose with type 'hash ip:port'"},
	{"KUBE-NODE-PORT-LOCAL-SCTP-HASH", "hash:ip,port", "Kubernetes nodeport SCTP port with externalTrafficPolicy=local with type 'hash ip:port'"},
	{setHealth, "bitmap:port", "Kubernetes health check node port"},
	{setBound, "hash:ip", "Addresses on the ipvs interface"},
}

// ipsetRules are the rules that a set has as soon as it has an entry, in
// kube-proxy's order (proxier.go, ipsetWithIptablesChain).
var ipsetRules = []struct{ set, table, chain, to, fields, protocol string }{
	{setLoopback, "nat", "KUBE-POSTROUTING", "MASQUERADE", "dst,dst,src", ""},
	{setLB, "nat", "KUBE-SERVICES", "KUBE-LOAD-BALANCER", "dst,dst", ""},
	{setLBLocal, "nat", "KUBE-LOAD-BALANCER", "RETURN", "dst,dst", ""},
	{"KUBE-NODE-PORT-LOCAL-TCP", "nat", "KUBE-NODE-PORT", "RETURN", "dst", "tcp"},
	{"KUBE-NODE-PORT-TCP", "nat", "KUBE-NODE-PORT", "KUBE-MARK-MASQ", "dst", "tcp"},
	{"KUBE-NODE-PORT-LOCAL-UDP", "nat", "KUBE-NODE-PORT", "RETURN", "dst", "udp"},
	{"KUBE-NODE-PORT-UDP", "nat", "KUBE-NODE-PORT", "KUBE-MARK-MASQ", "dst", "udp"},
	{"KUBE-NODE-PORT-LOCAL-SCTP-HASH", "nat", "KUBE-NODE-PORT", "RETURN", "dst,dst", "sctp"},
	{"KUBE-NODE-PORT-SCTP-HASH", "nat", "KUBE-NODE-PORT", "KUBE-MARK-MASQ", "dst,dst", "sctp"},
	{setLBFW, "filter", "KUBE-PROXY-FIREWALL", "KUBE-SOURCE-RANGES-FIREWALL", "dst,dst", ""},
	{setLBSourceNet, "filter", "KUBE-SOURCE-RANGES-FIREWALL", "RETURN", "dst,dst,src", ""},
	{setLBSourceIP, "filter", "KUBE-SOURCE-RANGES-FIREWALL", "RETURN", "dst,dst,src", ""},
}

// ipvsCompiler builds one program of mode ipvs.
type ipvsCompiler struct {
	*compiler
	all     []*Set // in the order of ipsets
	sets    map[string]*Set
	servers *Set
}

// CompileIPVS is Compile for kube-proxy's ipvs mode, deprecated since v1.35
// (pkg/proxy/ipvs/proxier.go of v1.37, syncProxyRules and writeIptablesRules).
// Real servers that are on their way out, with weight 0 until their connections
// end, are not in the API.
func CompileIPVS(s *model.Snapshot, node string, family Family) *Program {
	return compileIPVS(s, node, family, s.Services)
}

func compileIPVS(s *model.Snapshot, node string, family Family, list []*model.Service) *Program {
	h := newHost(s, node, family)
	c := newIPVSCompiler(h)
	c.program = &Program{Mode: ModeIPVS, Family: family, Node: node, Local: h.addresses, MasqueradeMark: h.mark, IPSets: c.all, Servers: c.servers}
	c.program.addServices(c, s, h, list)
	c.program.Tables = ipvsTables(h, c.all)
	return c.program
}

func newIPVSCompiler(h *host) *ipvsCompiler {
	c := &ipvsCompiler{compiler: &compiler{host: h}, sets: map[string]*Set{}, servers: &Set{Name: "servers"}}
	for _, set := range ipsets {
		made := &Set{Name: ipsetName(set.name, h.family), Type: set.kind, Comment: set.comment}
		c.sets[set.name] = made
		c.all = append(c.all, made)
	}
	return c
}

// ipsetTable is what Difference calls the table of ipsets and virtual servers.
const ipsetTable = "ipvs"

func (c *ipvsCompiler) outputs() outputs {
	return outputs{table: &Table{Name: ipsetTable, Sets: c.all}, sets: append(slices.Clip(c.all), c.servers)}
}

// ipsetName is ipset.go's NewIPSet: ipset allows 31 characters.
func ipsetName(name string, family Family) string {
	if family == IPv6 {
		name = strings.Replace(name, "KUBE-", "KUBE-6-", 1)
	}
	return truncate(name, 31)
}

// servicePort adds what one service port needs.
func (c *ipvsCompiler) servicePort(p *servicePort, list []endpoints.Endpoint) {
	if protocolNumbers[p.protocol] == 0 { // pkg/proxy/ipvs/ipset/ipset.go, validateProtocol
		return
	}
	r := p.usable(list, c.host)
	for i := range list {
		if e := &list[i]; e.Local {
			c.sets[setLoopback].put(hairpin(p, e))
		}
	}
	at := func(ip netip.Addr) Key { return Key{Address: ip, Protocol: p.protocol, Port: p.port} }
	c.sets[setClusterIP].put(Element{Key: at(p.clusterIP)})
	c.server(p, netip.AddrPortFrom(p.clusterIP, p.port), r, p.internalLocal, true)
	for _, ip := range p.externalIPs {
		set := setExternal
		if p.externalLocal {
			set = setExternalLoc
		}
		c.sets[set].put(Element{Key: at(ip)})
		c.server(p, netip.AddrPortFrom(ip, p.port), r, p.externalLocal, !slices.Contains(c.addresses, ip))
	}
	for _, ip := range p.vips {
		c.sets[setLB].put(Element{Key: at(ip)})
		if p.externalLocal {
			c.sets[setLBLocal].put(Element{Key: at(ip)})
		}
		if len(p.sourceRanges) > 0 {
			c.firewall(p, at(ip))
		}
		c.server(p, netip.AddrPortFrom(ip, p.port), r, p.externalLocal, !slices.Contains(c.addresses, ip))
	}
	if p.nodePort != 0 && !c.openNodePort(p, r) {
		return
	}
	if p.healthPort != 0 {
		c.sets[setHealth].put(Element{Key: Key{Port: p.healthPort}})
	}
}

// openNodePort adds a NodePort on the node's addresses, loopback excepted; false
// when it has none, where kube-proxy leaves the rest out, too.
func (c *ipvsCompiler) openNodePort(p *servicePort, r endpoints.Usable) bool {
	ips := c.nodePortIPs
	if ips == nil { // netlink_linux.go, isValidForSet
		ips = slices.DeleteFunc(slices.Clone(c.addresses), netip.Addr.IsLinkLocalUnicast)
	}
	ips = slices.DeleteFunc(slices.Clone(ips), netip.Addr.IsLoopback)
	if len(ips) == 0 {
		return false
	}
	protocol := strings.ToUpper(p.protocol)
	names := []string{"KUBE-NODE-PORT-" + protocol}
	if p.externalLocal {
		names = append(names, "KUBE-NODE-PORT-LOCAL-"+protocol)
	}
	for _, name := range names {
		if protocol != "SCTP" {
			c.sets[name].put(Element{Key: Key{Port: p.nodePort}})
			continue
		}
		for _, ip := range ips {
			c.sets[name+"-HASH"].put(Element{Key: Key{Address: ip, Protocol: p.protocol, Port: p.nodePort}})
		}
	}
	for _, ip := range ips {
		c.server(p, netip.AddrPortFrom(ip, p.nodePort), r, p.externalLocal, false)
	}
	return true
}

// firewall restricts a load balancer's address to its source ranges.
func (c *ipvsCompiler) firewall(p *servicePort, key Key) {
	c.sets[setLBFW].put(Element{Key: key})
	fromNode := false
	for _, source := range p.sourceRanges {
		key := key
		key.Net = source
		c.sets[setLBSourceNet].put(Element{Key: key})
		fromNode = fromNode || source.Contains(c.ip)
	}
	if fromNode { // requests of the node itself come with the address itself as their source
		key.Source = key.Address
		c.sets[setLBSourceIP].put(Element{Key: key})
	}
}

// server adds a virtual server. Under traffic policy Local it has the node's
// endpoints, or, where there are none, those of policy Cluster: Pods of the node
// may use them, and the replies to others are lost
// (kubernetes/kubernetes#97081). A port that only internal traffic of policy
// Local reaches has none of policy Cluster (pkg/proxy/topology.go,
// CategorizeEndpoints).
func (c *ipvsCompiler) server(p *servicePort, address netip.AddrPort, r endpoints.Usable, local, bind bool) {
	if bind {
		c.sets[setBound].put(Element{Key: Key{Address: address.Addr()}})
	}
	v := &VirtualServer{Address: address, Protocol: p.protocol, Scheduler: c.scheduler, Timeout: p.affinity}
	list := r.Cluster
	if local && len(r.Local) > 0 {
		list = r.Local
	}
	for _, e := range list {
		v.Real = append(v.Real, e.Address)
	}
	slices.SortFunc(v.Real, netip.AddrPort.Compare)
	c.servers.put(Element{Key: v.key(), Server: v})
}

func (v *VirtualServer) key() Key {
	return Key{Address: v.Address.Addr(), Protocol: v.Protocol, Port: v.Address.Port()}
}

// ipvsRules writes the iptables rules, which depend on the sets alone.
type ipvsRules struct {
	*host
	sets        map[string]*Set
	filter, nat *Table
}

// ipvsTables are the tables of a program with these sets.
func ipvsTables(h *host, all []*Set) []*Table {
	c := &ipvsRules{host: h, sets: map[string]*Set{}, filter: &Table{Name: "filter"}, nat: &Table{Name: "nat"}}
	for i, set := range ipsets {
		c.sets[set.name] = all[i]
	}
	c.base()
	c.portals()
	c.filters()
	c.postrouting()
	return []*Table{c.filter, c.nat}
}

func (c *ipvsRules) rule(r Rule) Rule {
	r.V6 = c.family == IPv6
	return r
}

// in is a rule for packets that a set has.
func (c *ipvsRules) in(name, fields string, action Action) Rule {
	return c.rule(Rule{Action: action, more: &More{MatchSet: c.sets[name].Name, SetFields: fields}})
}

func (c *ipvsRules) filled(name string) bool { return len(c.sets[name].Elements) > 0 }

// base adds the chains and the jumps to them. kube-proxy prepends its jumps:
// they stand in the reverse of the order of iptablesJumpChain.
func (c *ipvsRules) base() {
	jump := func(chain, comment string) Rule {
		return c.rule(Rule{Comment: comment, Action: ActionJump, Chain: chain})
	}
	filter, nat := c.filter, c.nat
	filter.chain("INPUT").add(jump("KUBE-IPVS-FILTER", "kubernetes ipvs access filter"), jump("KUBE-PROXY-FIREWALL", "kube-proxy firewall rules"),
		jump("KUBE-NODE-PORT", "kubernetes health check rules"))
	filter.chain("FORWARD").add(jump("KUBE-PROXY-FIREWALL", "kube-proxy firewall rules"), jump("KUBE-FORWARD", "kubernetes forwarding rules"))
	filter.chain("OUTPUT").add(jump("KUBE-IPVS-OUT-FILTER", "kubernetes ipvs access filter"))
	nat.chain("PREROUTING").add(jump("KUBE-SERVICES", "kubernetes service portals"))
	nat.chain("OUTPUT").add(jump("KUBE-SERVICES", "kubernetes service portals"))
	nat.chain("POSTROUTING").add(jump("KUBE-POSTROUTING", "kubernetes postrouting rules"))
	for _, name := range []string{"KUBE-FORWARD", "KUBE-NODE-PORT", "KUBE-PROXY-FIREWALL", "KUBE-SOURCE-RANGES-FIREWALL", "KUBE-IPVS-FILTER", "KUBE-IPVS-OUT-FILTER"} {
		filter.chain(name)
	}
	for _, name := range []string{"KUBE-SERVICES", "KUBE-POSTROUTING", "KUBE-NODE-PORT", "KUBE-LOAD-BALANCER", "KUBE-MARK-MASQ"} {
		nat.chain(name)
	}
}

// portals adds the rules of nat KUBE-SERVICES and of the chains below it.
func (c *ipvsRules) portals() {
	loopback := netip.PrefixFrom(netip.AddrFrom4([4]byte{127, 0, 0, 0}), 8)
	if c.family == IPv6 {
		loopback = single(netip.IPv6Loopback())
	}
	services := c.nat.chain("KUBE-SERVICES")
	services.add(c.rule(Rule{Source: loopback, Action: ActionReturn}))
	tables := map[string]*Table{"filter": c.filter, "nat": c.nat}
	for _, r := range ipsetRules {
		if !c.filled(r.set) {
			continue
		}
		rule := c.in(r.set, r.fields, Action(r.to))
		if strings.HasPrefix(r.to, "KUBE-") {
			rule = jumpTo(rule, r.to)
		}
		rule.Comment, rule.Protocol = c.sets[r.set].Comment, r.protocol
		tables[r.table].chain(r.chain).add(rule)
	}
	c.marks(services)
	services.add(c.rule(Rule{DestLocal: true, Action: ActionJump, Chain: "KUBE-NODE-PORT"}))
	for _, name := range []string{setClusterIP, setLB} {
		if c.filled(name) {
			services.add(c.in(name, "dst,dst", ActionAccept))
		}
	}
	c.nat.chain("KUBE-LOAD-BALANCER").add(c.rule(Rule{Action: ActionJump, Chain: "KUBE-MARK-MASQ"}))
	c.nat.chain("KUBE-MARK-MASQ").add(c.rule(Rule{Action: ActionMarkOr, Set: c.mark}))
}

// marks adds the rules that ask for masquerade of traffic to cluster IPs and
// external IPs.
func (c *ipvsRules) marks(services *Chain) {
	mark := func(name string) Rule {
		r := jumpTo(c.in(name, "dst,dst", ""), "KUBE-MARK-MASQ")
		r.Comment = c.sets[name].Comment
		return r
	}
	if c.filled(setClusterIP) {
		r := mark(setClusterIP)
		switch {
		case c.masqueradeAll:
		case c.detector.implemented():
			c.detector.match(&r, true)
		default: // what the node itself sends leaves with the cluster IP as its source
			r.own().SetFields = "src,dst"
		}
		services.add(r)
	}
	for _, name := range []string{setExternal, setExternalLoc} {
		if !c.filled(name) {
			continue
		}
		if name == setExternal {
			services.add(mark(name))
		}
		outside, here := act(mark(name), ActionAccept), act(mark(name), ActionAccept)
		outside.Chain, here.Chain = "", ""
		m := outside.own()
		m.NotBridged, m.SourceNotLocal = true, true
		here.DestLocal = true
		services.add(outside, here)
	}
}

// filters adds the rules of table filter that are always there, and those that
// keep the node itself from load balancers whose source ranges leave it out.
func (c *ipvsRules) filters() {
	c.filter.chain("KUBE-SOURCE-RANGES-FIREWALL").add(c.rule(Rule{Action: ActionDrop}))
	for _, e := range c.sets[setLBFW].Elements {
		own := e.Key
		own.Source = own.Address
		if c.sets[setLBSourceIP].Find(own) == nil {
			c.filter.chain("KUBE-IPVS-OUT-FILTER").add(c.rule(Rule{
				Source: single(e.Address), Action: ActionDrop, more: &More{IPVS: netip.AddrPortFrom(e.Address, e.Port), IPVSProtocol: e.Protocol},
			}))
		}
	}
	c.filter.chain("KUBE-FORWARD").add(
		c.rule(Rule{Comment: "kubernetes forwarding rules", Mark: c.mark, Action: ActionAccept}),
		c.rule(Rule{Comment: "kubernetes forwarding conntrack rule", Action: ActionAccept, more: &More{CTState: "RELATED,ESTABLISHED"}}))
	health := c.in(setHealth, "dst", ActionAccept)
	health.Comment = c.sets[setHealth].Comment
	c.filter.chain("KUBE-NODE-PORT").add(health)
	refuse := c.in(setBound, "dst", ActionReject)
	refuse.own().CTState = "NEW"
	known := c.filter.chain("KUBE-IPVS-FILTER")
	for _, name := range []string{setLB, setClusterIP, setExternal, setExternalLoc} {
		known.add(c.in(name, "dst,dst", ActionReturn))
	}
	known.add(c.in(setHealth, "dst", ActionReturn), refuse)
}

func (c *ipvsRules) postrouting() {
	c.nat.chain("KUBE-POSTROUTING").add(
		c.rule(Rule{Mark: c.mark, NotMark: true, Action: ActionReturn}),
		c.rule(Rule{Action: ActionMarkXor, Set: c.mark}),
		c.rule(Rule{Comment: "kubernetes service traffic requiring SNAT", Action: ActionMasquerade, FullyRandom: true}))
}
