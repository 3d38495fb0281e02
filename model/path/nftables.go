package path

import (
	"crypto/sha256"
	"encoding/base32"
	"net/netip"
	"strconv"
	"strings"
	"sync"

	"svctour/model"
	"svctour/model/endpoints"
)

// Set is a named set or verdict map of an nftables table, or an ipset. Affinity sets are
// filled by packets, not by kube-proxy: their elements are not here.
type Set struct {
	Name    string
	Type    string // as nft or ipset spells it
	Map     bool
	Comment string
	Timeout int32 // seconds that an element stays, 0: for ever
	// Elements are in the order in which kube-proxy came upon them; each key once.
	Elements []*Element // not to be written to

	index  layers[Key, *Element]
	filled sync.Once
	puts   map[Key]int // while the set is being compiled
	begin  int         // where the elements of the Service being compiled begin
	common []int       // elements of Services before that it put too
}

// Key is an element's key; what a set's type lacks is zero.
type Key struct {
	Source   netip.Addr
	Address  netip.Addr
	Protocol string // lower case
	Port     uint16
	Net      netip.Prefix // of an ipset of type hash:ip,port,net
}

// Element is one element of a Set, with the verdict if it is a map.
type Element struct {
	Key
	Action  Action // ActionGoto, ActionDrop
	Chain   string
	Comment string
	Server  *VirtualServer // what ipvs mode has at this key
}

// Find gives an element; nil when the set has none with this key (nft(8), SETS
// and MAPS: a key is there once).
func (s *Set) Find(key Key) *Element {
	s.filled.Do(s.fill)
	return s.index.find(key)
}

// fill makes the index, when it is first needed.
func (s *Set) fill() {
	all := make(map[Key]*Element, len(s.Elements))
	for _, e := range s.Elements {
		all[e.Key] = e
	}
	s.index.below = all
}

// put adds an element, or replaces the one with its key.
func (s *Set) put(e Element) {
	if s.puts == nil {
		s.puts = map[Key]int{}
	}
	if at, has := s.puts[e.Key]; has {
		if at < s.begin {
			s.common = append(s.common, at)
		}
		s.Elements[at] = &e
		return
	}
	s.puts[e.Key] = len(s.Elements)
	s.Elements = append(s.Elements, &e)
}

// Set finds a set or map of the table; nil when there is none (nft(8): names
// are unique in a table).
func (t *Table) Set(name string) *Set {
	for _, s := range t.Sets {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// NFTTable is the name of the only nftables table that kube-proxy owns.
const NFTTable = "kube-proxy"

// baseChain is one of kube-proxy's chains that hang on a netfilter hook.
type baseChain struct {
	name, kind, hook, priority string
	jumps                      []string // chains it jumps to
	fresh                      bool     // for new connections only
}

// nftBaseChains are kube-proxy's (pkg/proxy/nftables/proxier.go,
// nftablesBaseChains and nftablesJumpChains).
var nftBaseChains = []baseChain{
	{"filter-prerouting-pre-dnat", "filter", "prerouting", "-110", []string{"firewall-check"}, true},
	{"filter-output-pre-dnat", "filter", "output", "-110", []string{"firewall-check"}, true},
	{"filter-input", "filter", "input", "0", []string{"nodeport-endpoints-check", "service-endpoints-check"}, true},
	{"filter-forward", "filter", "forward", "0", []string{"service-endpoints-check", "cluster-ips-check"}, true},
	{"filter-output", "filter", "output", "0", []string{"service-endpoints-check", "cluster-ips-check"}, true},
	{"nat-prerouting", "nat", "prerouting", "-100", []string{"services"}, false},
	{"nat-output", "nat", "output", "-100", []string{"services"}, false},
	{"nat-postrouting", "nat", "postrouting", "100", []string{"masquerading"}, false},
}

// nftCompiler builds one nftables program.
type nftCompiler struct {
	*compiler
	table                                                      *Table
	serviceIPs, nodePorts, noServices, noNodePorts, firewalled *Set
	clusterIPs, nodePortAddresses, hairpins                    *Set
}

// CompileNFTables is Compile for kube-proxy's nftables mode
// (pkg/proxy/nftables/proxier.go of v1.37, setupNFTables and syncProxyRules).
// The feature gate KubeProxyNFTablesLocalhostNodePorts is taken as off, as it
// is by default.
func CompileNFTables(s *model.Snapshot, node string, family Family) *Program {
	return compileNFTables(s, node, family, s.Services)
}

func compileNFTables(s *model.Snapshot, node string, family Family, list []*model.Service) *Program {
	h := hostOf(ModeNFTables, s, node, family)
	c := &nftCompiler{compiler: &compiler{host: h}, table: &Table{Name: NFTTable}}
	c.program = &Program{
		Mode: ModeNFTables, Family: family, Node: node, Tables: []*Table{c.table},
		Local: h.addresses, MasqueradeMark: h.mark,
	}
	c.sets()
	c.fixed(s.ServiceCIDRs)
	c.program.addServices(c, s, h, list)
	return c.program
}

func (c *nftCompiler) outputs() outputs {
	return outputs{table: c.table, sets: []*Set{c.serviceIPs, c.nodePorts, c.noServices, c.noNodePorts, c.firewalled, c.clusterIPs, c.hairpins}}
}

func (c *nftCompiler) set(name, kind, comment string, isMap bool) *Set {
	address := "ipv4_addr"
	if c.family == IPv6 {
		address = "ipv6_addr"
	}
	s := &Set{Name: name, Type: strings.ReplaceAll(kind, "ADDR", address), Map: isMap, Comment: comment}
	c.table.Sets = append(c.table.Sets, s)
	return s
}

// sets adds the named sets and maps.
func (c *nftCompiler) sets() {
	const service = "ADDR . inet_proto . inet_service : verdict"
	c.hairpins = c.set("hairpin-connections", "ADDR . ADDR . inet_proto . inet_service", "service hairpin connections", false)
	c.clusterIPs = c.set("cluster-ips", "ADDR", "Active ClusterIPs", false)
	if c.nodePortIPs != nil {
		c.nodePortAddresses = c.set("nodeport-ips", "ADDR", "IPs that accept NodePort traffic", false)
		for _, ip := range c.nodePortIPs {
			if !ip.IsLoopback() {
				c.nodePortAddresses.put(Element{Key: Key{Address: ip}})
			}
		}
	}
	c.noServices = c.set("no-endpoint-services", service, "vmap to drop or reject packets to services with no endpoints", true)
	c.noNodePorts = c.set("no-endpoint-nodeports", "inet_proto . inet_service : verdict", "vmap to drop or reject packets to service nodeports with no endpoints", true)
	c.firewalled = c.set("firewall-ips", service, "destinations that are subject to LoadBalancerSourceRanges", true)
	c.serviceIPs = c.set("service-ips", service, "ClusterIP, ExternalIP and LoadBalancer IP traffic", true)
	c.nodePorts = c.set("service-nodeports", "inet_proto . inet_service : verdict", "NodePort traffic", true)
}

// nftRule is a rule of this table.
func (c *nftCompiler) nftRule(r Rule) Rule {
	r.NFT = true
	return c.rule(r)
}

// fixed adds the chains that are there without any Service.
func (c *nftCompiler) fixed(serviceCIDRs []string) {
	for _, b := range nftBaseChains {
		chain := c.table.chain(b.name)
		chain.Base = true
		for _, target := range b.jumps {
			r := Rule{Action: ActionJump, Chain: target}
			if b.fresh {
				r.own().CTState = "NEW"
			}
			chain.add(c.nftRule(r))
		}
	}
	c.table.chain("masquerading").add(
		c.nftRule(Rule{Mark: c.mark, Set: c.mark, Action: ActionMasquerade, FullyRandom: true}),
		c.nftRule(Rule{Action: ActionMasquerade, FullyRandom: true, more: &More{Hairpin: c.hairpins.Name}}),
	)
	check := c.table.chain("cluster-ips-check")
	check.add(c.nftRule(Rule{Comment: "Reject traffic to invalid ports of ClusterIPs", Action: ActionReject, more: &More{DestinationSet: c.clusterIPs.Name}}))
	if ranges := c.prefixes(serviceCIDRs); len(ranges) > 0 {
		check.add(c.nftRule(Rule{Comment: "Drop traffic to unallocated ClusterIPs", Action: ActionDrop, more: &More{Destinations: ranges}}))
	}
	c.table.chain("reject-chain").add(c.nftRule(Rule{Action: ActionReject}))
	c.table.chain("service-endpoints-check").add(c.nftRule(Rule{Action: ActionVMap, more: &More{Lookup: c.noServices.Name}}))
	c.table.chain("nodeport-endpoints-check").add(c.toNodePort(c.noNodePorts, false))
	c.table.chain("firewall-check").add(c.nftRule(Rule{Action: ActionVMap, more: &More{Lookup: c.firewalled.Name}}))

	services := c.table.chain("services")
	mark := Rule{Action: ActionMarkOr, Set: c.mark, more: &More{DestinationSet: c.clusterIPs.Name}}
	switch {
	case c.masqueradeAll:
		mark.Comment = "masquerade all clusterIP traffic"
		services.add(c.nftRule(mark))
	case c.detector.implemented():
		mark.Comment = "masquerade clusterIP traffic from outside cluster"
		c.detector.match(&mark, true)
		services.add(c.nftRule(mark))
	}
	services.add(c.nftRule(Rule{Action: ActionVMap, more: &More{Lookup: c.serviceIPs.Name}}), c.toNodePort(c.nodePorts, true))
}

// toNodePort is the look-up of a NodePort, on the addresses that answer them.
func (c *nftCompiler) toNodePort(in *Set, local bool) Rule {
	r := Rule{Action: ActionVMap, more: &More{Lookup: in.Name, PortOnly: true}}
	if c.nodePortAddresses != nil {
		r.own().DestinationSet = c.nodePortAddresses.Name
		return c.nftRule(r)
	}
	r.DestLocal = local
	r.Destination, r.NotDest = netip.PrefixFrom(netip.AddrFrom4([4]byte{127, 0, 0, 0}), 8), true
	if c.family == IPv6 {
		r.Destination = single(netip.IPv6Loopback())
	}
	return c.nftRule(r)
}

func (c *nftCompiler) prefixes(texts []string) []netip.Prefix {
	var out []netip.Prefix
	for _, text := range texts {
		if p := parsePrefix(text); p.IsValid() && FamilyOf(p.Addr()) == c.family {
			out = append(out, p)
		}
	}
	return out
}

// nftPlan is what one service port needs on this node, in this mode.
type nftPlan struct {
	*servicePort
	endpoints.Usable
	base                   string // of its chains' names
	internal, policy, ext  string
	hasInternal            bool
	hasExternal            bool
	usesExternal, usesFW   bool
	internalNo, externalNo Element // what becomes of traffic that has no endpoint
}

func (c *nftCompiler) plan(p *servicePort, list []endpoints.Endpoint) *nftPlan {
	l := &nftPlan{servicePort: p, Usable: p.usable(list, c.host)}
	l.base = hashed(p.path())
	l.internal, l.hasInternal = "service-"+l.base, l.Any
	if p.internalLocal {
		l.internal, l.hasInternal = "local-"+l.base, l.Any && len(l.Local) > 0
	}
	l.policy, l.hasExternal, l.ext = "service-"+l.base, l.Any, "external-"+l.base
	if p.externalLocal {
		l.policy, l.hasExternal = "local-"+l.base, l.Any && len(l.Local) > 0
	}
	l.usesExternal = l.Any && p.accessible()
	l.usesFW = len(p.vips) > 0 && len(p.sourceRanges) > 0
	verdict := Element{Action: ActionGoto, Chain: "reject-chain", Comment: truncate(p.name, nftCommentMax)}
	if l.Any {
		verdict.Action, verdict.Chain = ActionDrop, ""
	}
	l.internalNo, l.externalNo = verdict, verdict
	return l
}

// nft's limits (knftables types.go): bytes of a comment, of a name, and what
// kube-proxy leaves of the latter for a chain's base after its prefix.
const (
	nftCommentMax = 128
	nftBaseMax    = 256 - 16
)

func truncate(text string, limit int) string { return text[:min(len(text), limit)] }

// path is the service port as chain names have it.
func (p *servicePort) path() string {
	owner, _, _ := strings.Cut(p.name, ":")
	return owner + "/" + p.protocol + "/" + p.api.Name
}

// hashed is hashAndTruncate of pkg/proxy/nftables/proxier.go.
func hashed(name string) string {
	hash := sha256.Sum256([]byte(name))
	name = base32.StdEncoding.EncodeToString(hash[:])[:8] + "-" + name
	if len(name) > nftBaseMax {
		name = name[:nftBaseMax-3] + "..."
	}
	return name
}

// endpointBase is the base of an endpoint's chain and set names.
func (p *servicePort) endpointBase(e *endpoints.Endpoint) string {
	return hashed(p.path() + "__" + strings.ReplaceAll(e.Address.Addr().String(), ":", ".") + "/" + strconv.Itoa(int(e.Address.Port())))
}

// servicePort adds what one service port needs.
func (c *nftCompiler) servicePort(p *servicePort, list []endpoints.Endpoint) {
	l := c.plan(p, list)
	for _, e := range l.All {
		if e.Local {
			c.hairpins.put(hairpin(p, e))
		}
	}
	c.addresses(l)
	if l.usesExternal {
		c.externalTraffic(l)
	}
	if l.usesFW {
		c.firewall(l)
	}
	if len(l.Cluster) > 0 && p.usesCluster() {
		c.balance("service-"+l.base, p, l.Cluster)
	}
	if len(l.Local) > 0 && p.usesLocal() {
		c.balance("local-"+l.base, p, l.Local)
	}
	if p.affinity > 0 {
		for _, e := range l.All {
			c.sticky(p, e)
		}
	}
}

// addresses fills the maps that dispatch to the service port's chains.
func (c *nftCompiler) addresses(l *nftPlan) {
	key := func(ip netip.Addr) Key { return Key{Address: ip, Protocol: l.protocol, Port: l.port} }
	to := func(in *Set, k Key, chain string) { in.put(Element{Key: k, Action: ActionGoto, Chain: chain}) }
	none := func(in *Set, k Key, verdict Element) {
		verdict.Key = k
		in.put(verdict)
	}
	c.clusterIPs.put(Element{Key: Key{Address: l.clusterIP}})
	if l.hasInternal {
		to(c.serviceIPs, key(l.clusterIP), l.internal)
	} else {
		none(c.noServices, key(l.clusterIP), l.internalNo)
	}
	for _, list := range [][]netip.Addr{l.externalIPs, l.vips} {
		for _, ip := range list {
			if l.Any {
				to(c.serviceIPs, key(ip), l.ext)
			}
			if !l.hasExternal {
				none(c.noServices, key(ip), l.externalNo)
			}
		}
	}
	if l.usesFW {
		for _, ip := range l.vips {
			to(c.firewalled, key(ip), "firewall-"+l.base)
		}
	}
	if l.servicePort.nodePort != 0 {
		k := Key{Protocol: l.protocol, Port: l.servicePort.nodePort}
		if l.Any {
			to(c.nodePorts, k, l.ext)
		}
		if !l.hasExternal {
			none(c.noNodePorts, k, l.externalNo)
		}
	}
}

// externalTraffic fills the external- chain, as compiler.externalTraffic.
func (c *nftCompiler) externalTraffic(l *nftPlan) {
	chain := c.table.chain(l.ext)
	cluster := Rule{Action: ActionGoto, Chain: "service-" + l.base}
	if !l.externalLocal {
		chain.add(c.nftRule(Rule{Comment: "masquerade", Action: ActionMarkOr, Set: c.mark}))
	} else {
		if c.detector.implemented() {
			r := cluster
			r.Comment = "short-circuit pod traffic"
			c.detector.match(&r, false)
			chain.add(c.nftRule(r))
		}
		chain.add(c.nftRule(Rule{Comment: "masquerade local traffic", SourceLocal: true, Action: ActionMarkOr, Set: c.mark}))
		cluster.Comment, cluster.SourceLocal = "short-circuit local traffic", true
		chain.add(c.nftRule(cluster))
	}
	if l.hasExternal {
		chain.add(c.nftRule(Rule{Action: ActionGoto, Chain: l.policy}))
	}
}

// firewall drops what comes from outside of loadBalancerSourceRanges.
func (c *nftCompiler) firewall(l *nftPlan) {
	sources := append([]netip.Prefix(nil), l.sourceRanges...)
	for _, r := range l.sourceRanges {
		if r.Contains(c.ip) { // a request from this node may come with the VIP itself as its source
			for _, ip := range l.vips {
				sources = append(sources, single(ip))
			}
			break
		}
	}
	c.table.chain("firewall-" + l.base).add(c.nftRule(Rule{Action: ActionDrop, more: &More{NotSources: sources}}))
}

// balance adds the choice among endpoints.
func (c *nftCompiler) balance(name string, p *servicePort, list []*endpoints.Endpoint) {
	chain := c.table.chain(name)
	if p.affinity == 0 {
		r := Rule{Protocol: p.protocol, Action: ActionDNAT}
		if len(list) == 1 {
			r.To = list[0].Address
		} else {
			choices := make([]Choice, len(list))
			for i, e := range list {
				choices[i].To = e.Address
			}
			r.own().Choices = choices
		}
		chain.add(c.nftRule(r))
		return
	}
	choices := make([]Choice, len(list))
	for i, e := range list {
		base := p.endpointBase(e)
		chain.add(c.nftRule(Rule{Action: ActionGoto, Chain: "endpoint-" + base, more: &More{Recent: "affinity-" + base, RecentSeconds: p.affinity}}))
		choices[i].Chain = "endpoint-" + base
	}
	chain.add(c.nftRule(Rule{Action: ActionVMap, more: &More{Choices: choices}}))
}

// sticky adds the chain and the set of an endpoint under ClientIP affinity.
func (c *nftCompiler) sticky(p *servicePort, e *endpoints.Endpoint) {
	base := p.endpointBase(e)
	c.set("affinity-"+base, "ADDR", "", false).Timeout = p.affinity
	c.table.chain("endpoint-"+base).add(
		c.nftRule(Rule{Action: ActionNone, more: &More{Recent: "affinity-" + base}}),
		c.nftRule(Rule{Protocol: p.protocol, Action: ActionDNAT, To: e.Address}),
	)
}
