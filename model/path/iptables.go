package path

import (
	"net/netip"
	"slices"

	"svctour/model"
	"svctour/model/endpoints"
)

// largeCluster is the number of endpoints above which kube-proxy leaves out the
// comments of its per-endpoint rules (proxier.go, largeClusterEndpointsThreshold).
const largeCluster = 1000

// Compile gives the iptables rules that kube-proxy v1.37 writes on a node for
// one IP family (pkg/proxy/iptables/proxier.go, syncProxyRules), for every
// Service of the snapshot. Services are in the snapshot's order; kube-proxy's
// own order is random, and does not matter because no two of their rules match
// the same packet.
//
// What no API object says is taken as a plain node has it: no nfacct counters,
// sysctl nf_conntrack_tcp_be_liberal off, and no addresses but those of the
// Node's status and loopback.
func Compile(s *model.Snapshot, node string, family Family) *Program {
	return compile(s, newHost(s, node, family), s.Services)
}

// CompileService is Compile restricted to some Services, as kube-proxy's partial
// sync is (pkg/proxy/iptables/proxier.go, needFullSync): the fixed rules and
// theirs. A packet addressed to one of them meets the same rules in both.
func CompileService(s *model.Snapshot, node string, family Family, services ...*model.Service) *Program {
	return compile(s, newHost(s, node, family), services)
}

// CompileAs is Compile in a mode of kube-proxy (kube-proxy/config/v1alpha1,
// KubeProxyConfiguration.Mode; cmd/kube-proxy/app/server_linux.go); any but
// those that are known counts as iptables, kube-proxy's default on Linux.
func CompileAs(mode string, s *model.Snapshot, node string, family Family) *Program {
	return compileMode(mode, s, node, family, s.Services)
}

// compileMode is CompileAs restricted to some Services.
func compileMode(mode string, s *model.Snapshot, node string, family Family, services []*model.Service) *Program {
	switch mode {
	case ModeNFTables:
		return compileNFTables(s, node, family, services)
	case ModeIPVS:
		return compileIPVS(s, node, family, services)
	}
	return CompileService(s, node, family, services...)
}

func compile(s *model.Snapshot, h *host, list []*model.Service) *Program {
	c := &compiler{host: h, large: isLarge(s, h)}
	c.program = &Program{
		Mode: ModeIPTables, Family: h.family, Node: h.node,
		Local: h.addresses, MasqueradeMark: h.mark,
	}
	c.fixed()
	c.program.addServices(c, s, h, list).large = c.large
	c.nodePortJumps()
	return c.program
}

// shared are the chains to which all Services add rules.
func (c *compiler) shared() []**Chain {
	return []**Chain{&c.filterServices, &c.filterExternal, &c.filterNodePorts, &c.filterFirewall, &c.natServices, &c.natNodePorts}
}

func (c *compiler) outputs() outputs {
	l := outputs{table: c.nat}
	for _, chain := range c.shared() {
		l.chains = append(l.chains, *chain)
	}
	return l
}

// isLarge says whether the endpoints of all service ports are more than
// largeCluster. It stops counting there.
func isLarge(s *model.Snapshot, h *host) bool {
	// No slice can add more than its endpoints times its ports.
	bound := 0
	for _, slice := range s.Slices {
		bound += len(slice.Endpoints) * len(slice.Ports)
	}
	if bound <= largeCluster {
		return false
	}
	total := 0
	for _, svc := range s.Services {
		ports := servicePorts(svc, h.family)
		if len(ports) == 0 {
			continue
		}
		slices := s.ServiceSlices(svc.Namespace, svc.Name)
		for i := range ports {
			total += len(endpoints.Of(slices, ports[i].api, string(h.family), ""))
		}
		if total > largeCluster {
			return true
		}
	}
	return false
}

// compiler builds one program.
type compiler struct {
	*host
	program *Program
	large   bool

	filterServices, filterExternal, filterNodePorts, filterFirewall *Chain
	natServices, natNodePorts                                       *Chain
	nat                                                             *Table
}

// fixed adds the chains that are there without any Service, and the jumps into
// them. kube-proxy prepends its jumps one by one, so they stand in the reverse
// of the order of its source.
func (c *compiler) fixed() {
	filter, nat := &Table{Name: "filter"}, &Table{Name: "nat"}
	c.nat = nat
	c.program.Tables = []*Table{filter, nat}
	input, forward, output := filter.chain("INPUT"), filter.chain("FORWARD"), filter.chain("OUTPUT")
	pre, natOut, post := nat.chain("PREROUTING"), nat.chain("OUTPUT"), nat.chain("POSTROUTING")

	c.filterServices = filter.chain("KUBE-SERVICES")
	c.filterExternal = filter.chain("KUBE-EXTERNAL-SERVICES")
	kubeForward := filter.chain("KUBE-FORWARD")
	c.filterNodePorts = filter.chain("KUBE-NODEPORTS")
	c.filterFirewall = filter.chain("KUBE-PROXY-FIREWALL")
	c.natServices = nat.chain("KUBE-SERVICES")
	c.natNodePorts = nat.chain("KUBE-NODEPORTS")
	postrouting := nat.chain("KUBE-POSTROUTING")
	markMasq := nat.chain("KUBE-MARK-MASQ")

	const (
		portals  = "kubernetes service portals"
		external = "kubernetes externally-visible service portals"
		firewall = "kubernetes load balancer firewall"
	)
	kubeFirewall := filter.chain("KUBE-FIREWALL")
	jump := func(chain, comment, state string) Rule {
		r := c.rule(Rule{Comment: comment, Action: ActionJump, Chain: chain})
		if state != "" {
			r.own().CTState = state
		}
		return r
	}
	input.add(jump("KUBE-FIREWALL", "", ""), jump("KUBE-PROXY-FIREWALL", firewall, "NEW"),
		jump("KUBE-NODEPORTS", "kubernetes health check service ports", ""), jump("KUBE-EXTERNAL-SERVICES", external, "NEW"))
	forward.add(jump("KUBE-PROXY-FIREWALL", firewall, "NEW"), jump("KUBE-FORWARD", "kubernetes forwarding rules", ""),
		jump("KUBE-SERVICES", portals, "NEW"), jump("KUBE-EXTERNAL-SERVICES", external, "NEW"))
	output.add(jump("KUBE-FIREWALL", "", ""), jump("KUBE-PROXY-FIREWALL", firewall, "NEW"), jump("KUBE-SERVICES", portals, "NEW"))
	pre.add(jump("KUBE-SERVICES", portals, ""))
	natOut.add(jump("KUBE-SERVICES", portals, ""))
	post.add(jump("KUBE-POSTROUTING", "kubernetes postrouting rules", ""))

	if c.localhostNodePort {
		loopback := netip.PrefixFrom(netip.AddrFrom4([4]byte{127, 0, 0, 0}), 8)
		kubeFirewall.add(c.rule(Rule{
			Comment: "block incoming localnet connections", Destination: loopback, Source: loopback, NotSource: true,
			Action: ActionDrop, more: &More{CTState: "RELATED,ESTABLISHED,DNAT", NotCTState: true},
		}))
	}
	kubeForward.add(
		c.rule(Rule{Action: ActionDrop, more: &More{CTState: "INVALID"}}),
		c.rule(Rule{Comment: "kubernetes forwarding rules", Mark: c.mark, Action: ActionAccept}),
		c.rule(Rule{Comment: "kubernetes forwarding conntrack rule", Action: ActionAccept, more: &More{CTState: "RELATED,ESTABLISHED"}}),
	)
	postrouting.add(
		c.rule(Rule{Mark: c.mark, NotMark: true, Action: ActionReturn}),
		c.rule(Rule{Action: ActionMarkXor, Set: c.mark}),
		c.rule(Rule{Comment: "kubernetes service traffic requiring SNAT", Action: ActionMasquerade, FullyRandom: true}),
	)
	markMasq.add(c.rule(Rule{Action: ActionMarkOr, Set: c.mark}))
}

func (c *compiler) rule(r Rule) Rule {
	r.V6 = c.family == IPv6
	return r
}

// to is a rule for one address and port of a service port.
func (c *compiler) to(p *servicePort, ip netip.Addr, comment string) Rule {
	return c.rule(Rule{Comment: comment, Protocol: p.protocol, Destination: single(ip), Port: p.port})
}

func single(ip netip.Addr) netip.Prefix { return netip.PrefixFrom(ip, ip.BitLen()) }

func jumpTo(r Rule, chain string) Rule {
	r.Action, r.Chain = ActionJump, chain
	return r
}

func act(r Rule, action Action) Rule {
	r.Action = action
	return r
}

// plan is what one service port needs on this node.
type plan struct {
	*servicePort
	endpoints.Usable
	svc, svl, ext, fw      string
	sep                    []string // the KUBE-SEP- chains of All
	internal, policy       string   // chains of ClusterIP traffic and of external traffic
	hasInternal            bool
	hasExternal            bool
	usesExternal, usesFW   bool
	refusal                Action // what filter does when there is no endpoint for a kind of traffic
	internalNo, externalNo string
}

func (c *compiler) plan(p *servicePort, list []endpoints.Endpoint) *plan {
	l := &plan{servicePort: p, Usable: p.usable(list, c.host)}
	l.sep = make([]string, len(l.All))
	for i, e := range l.All {
		l.sep[i] = ChainName(ChainEndpoint, p.name, p.protocol, e.Text)
	}
	l.svc = ChainName(ChainService, p.name, p.protocol, "")
	suffix := l.svc[len(ChainService):]
	l.svl, l.ext, l.fw = string(ChainLocal)+suffix, string(ChainExternal)+suffix, string(ChainFirewall)+suffix

	l.internal, l.hasInternal = l.svc, l.Any
	if p.internalLocal {
		l.internal, l.hasInternal = l.svl, l.Any && len(l.Local) > 0
	}
	l.policy, l.hasExternal = l.svc, l.Any
	if p.externalLocal {
		l.policy, l.hasExternal = l.svl, l.Any && len(l.Local) > 0
	}
	l.usesExternal = l.Any && p.accessible()
	l.usesFW = l.Any && len(p.vips) > 0 && len(p.sourceRanges) > 0
	l.refusal = ActionReject
	why := p.name + " has no endpoints"
	if l.Any {
		l.refusal = ActionDrop
		why = p.name + " has no local endpoints"
	}
	l.internalNo, l.externalNo = why, why
	return l
}

// servicePort adds the rules of one service port.
func (c *compiler) servicePort(p *servicePort, list []endpoints.Endpoint) {
	l := c.plan(p, list)
	c.clusterIP(l)
	c.externalAddresses(l)
	c.nodePort(l)
	if l.hasInternal {
		c.internalTraffic(l)
	}
	if l.usesExternal {
		c.externalTraffic(l)
	}
	if l.usesFW {
		c.firewallChain(l)
	}
	if len(l.Cluster) > 0 && p.usesCluster() {
		c.balance(c.nat.chain(l.svc), l, l.Cluster)
	}
	if len(l.Local) > 0 && p.usesLocal() {
		c.balance(c.nat.chain(l.svl), l, l.Local)
	}
	for i, e := range l.All {
		c.endpoint(p, e, l.sep[i])
	}
}

func (c *compiler) clusterIP(l *plan) {
	if l.hasInternal {
		c.natServices.add(jumpTo(c.to(l.servicePort, l.clusterIP, l.name+" cluster IP"), l.internal))
		return
	}
	c.filterServices.add(act(c.to(l.servicePort, l.clusterIP, l.internalNo), l.refusal))
}

func (c *compiler) externalAddresses(l *plan) {
	for _, ip := range l.externalIPs {
		if l.Any {
			c.natServices.add(jumpTo(c.to(l.servicePort, ip, l.name+" external IP"), l.ext))
		}
		if !l.hasExternal {
			c.filterExternal.add(act(c.to(l.servicePort, ip, l.externalNo), l.refusal))
		}
	}
	chain := l.ext
	if l.usesFW {
		chain = l.fw
	}
	for _, ip := range l.vips {
		if l.Any {
			c.natServices.add(jumpTo(c.to(l.servicePort, ip, l.name+" loadbalancer IP"), chain))
		}
		if l.usesFW {
			c.filterFirewall.add(act(c.to(l.servicePort, ip, l.name+" traffic not accepted by "+l.fw), ActionDrop))
		}
		if !l.hasExternal {
			c.filterExternal.add(act(c.to(l.servicePort, ip, l.externalNo), l.refusal))
		}
	}
}

func (c *compiler) nodePort(l *plan) {
	if l.servicePort.nodePort != 0 {
		r := c.rule(Rule{Comment: l.name, Protocol: l.protocol, Port: l.servicePort.nodePort})
		if l.Any {
			c.natNodePorts.add(jumpTo(r, l.ext))
		}
		if !l.hasExternal {
			r.Comment, r.DestLocal = l.externalNo, true
			c.filterExternal.add(act(r, l.refusal))
		}
	}
	if l.healthPort != 0 {
		c.filterNodePorts.add(c.rule(Rule{
			Comment: l.name + " health check node port", Protocol: "tcp", Port: l.healthPort, Action: ActionAccept,
		}))
	}
}

// internalTraffic marks ClusterIP traffic that comes from outside the cluster
// or from a node, so that its reply returns through this node.
func (c *compiler) internalTraffic(l *plan) {
	chain := c.nat.chain(l.internal)
	r := jumpTo(c.to(l.servicePort, l.clusterIP, l.name+" cluster IP"), "KUBE-MARK-MASQ")
	switch {
	case c.masqueradeAll:
	case c.detector.implemented():
		c.detector.match(&r, true)
	default:
		return
	}
	chain.add(r)
}

// externalTraffic fills the KUBE-EXT- chain: masquerade under policy Cluster;
// under Local, short cuts for traffic that never left the cluster.
func (c *compiler) externalTraffic(l *plan) {
	chain := c.nat.chain(l.ext)
	if !l.externalLocal {
		chain.add(jumpTo(c.rule(Rule{Comment: "masquerade traffic for " + l.name + " external destinations"}), "KUBE-MARK-MASQ"))
	} else {
		if c.detector.implemented() {
			r := jumpTo(c.rule(Rule{Comment: "pod traffic for " + l.name + " external destinations"}), l.svc)
			c.detector.match(&r, false)
			chain.add(r)
		}
		chain.add(
			jumpTo(c.rule(Rule{Comment: "masquerade LOCAL traffic for " + l.name + " external destinations", SourceLocal: true}), "KUBE-MARK-MASQ"),
			jumpTo(c.rule(Rule{Comment: "route LOCAL traffic for " + l.name + " external destinations", SourceLocal: true}), l.svc),
		)
	}
	if l.hasExternal {
		chain.add(jumpTo(c.rule(Rule{}), l.policy))
	}
}

// firewallChain admits loadBalancerSourceRanges. What falls through is not
// rewritten and meets KUBE-PROXY-FIREWALL's DROP.
func (c *compiler) firewallChain(l *plan) {
	chain := c.nat.chain(l.fw)
	comment := l.name + " loadbalancer IP"
	fromNode := false
	for _, r := range l.sourceRanges {
		chain.add(jumpTo(c.rule(Rule{Comment: comment, Source: r}), l.ext))
		fromNode = fromNode || r.Contains(c.ip)
	}
	if fromNode { // a request from this node may come with the VIP itself as its source
		for _, ip := range l.vips {
			chain.add(jumpTo(c.rule(Rule{Comment: comment, Source: single(ip)}), l.ext))
		}
	}
	chain.add(c.rule(Rule{Comment: "other traffic to " + l.name + " will be dropped by KUBE-PROXY-FIREWALL"}))
}

// balance adds the choice among n endpoints: rule i matches with probability
// 1/(n-i) and the last always, so that each gets 1/n. Before it stand the
// rules of ClientIP affinity.
func (c *compiler) balance(chain *Chain, l *plan, list []*endpoints.Endpoint) {
	n := len(list)
	if l.affinity > 0 {
		n += len(list)
	}
	rules := make([]Rule, 0, n)
	sep := make([]Rule, len(list))
	for i, at := 0, 0; i < len(list); i, at = i+1, at+1 {
		for l.All[at] != list[i] { // the list is a part of All, in its order
			at++
		}
		sep[i] = jumpTo(c.rule(Rule{}), l.sep[at])
		if !c.large {
			sep[i].Comment = l.name + " -> " + list[i].Text
		}
	}
	if l.affinity > 0 {
		for _, r := range sep {
			m := r.own()
			m.Recent, m.RecentSeconds = r.Chain, l.affinity
			rules = append(rules, r)
		}
	}
	for i, r := range sep {
		if n := len(sep) - i; n > 1 {
			r.Probability = 1 / float64(n)
		}
		rules = append(rules, r)
	}
	chain.Rules = slices.Grow(chain.Rules, n)
	chain.add(rules...)
}

// endpoint adds a KUBE-SEP- chain: masquerade for a Pod that reaches itself
// (hairpin), then the rewrite.
func (c *compiler) endpoint(p *servicePort, e *endpoints.Endpoint, name string) {
	chain := c.nat.chain(name)
	comment := p.name
	if c.large {
		comment = ""
	}
	hairpin := jumpTo(c.rule(Rule{Comment: comment, Source: single(e.Address.Addr())}), "KUBE-MARK-MASQ")
	dnat := act(c.rule(Rule{Comment: comment, Protocol: p.protocol, To: e.Address}), ActionDNAT)
	if p.affinity > 0 {
		dnat.own().Recent = chain.Name
	}
	chain.Rules = nil // two ports of an endpoint may be one
	chain.add(hairpin, dnat)
}

// nodePortJumps adds the jump to KUBE-NODEPORTS, the last rule of KUBE-SERVICES.
func (c *compiler) nodePortJumps() {
	r := jumpTo(c.rule(Rule{Comment: "kubernetes service nodeports; NOTE: this must be the last rule in this chain"}), "KUBE-NODEPORTS")
	if c.nodePortIPs != nil {
		for _, ip := range c.nodePortIPs {
			r.Destination = single(ip)
			c.natServices.add(r)
		}
		return
	}
	r.DestLocal = true
	switch {
	case c.family == IPv6:
		r.Destination, r.NotDest = single(netip.IPv6Loopback()), true
	case !c.localhostNodePort:
		r.Destination, r.NotDest = netip.PrefixFrom(netip.AddrFrom4([4]byte{127, 0, 0, 0}), 8), true
	}
	c.natServices.add(r)
}
