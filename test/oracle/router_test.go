//go:build linux

package oracle

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	netutils "k8s.io/utils/net"

	"svctour/model"
	"svctour/model/path"
	"svctour/model/router"
)

var courses = flag.Int("courses", 300, "random states to be the router in, in each mode")

// TestRouter makes courses in random clusters and has a machine that knows
// nothing of the model carry out the rules that kube-proxy's own code wrote: the
// right option of every turn is what happened there, and no other is.
func TestRouter(t *testing.T) {
	for _, mode := range []string{path.ModeIPTables, path.ModeNFTables} {
		turns, options, made := map[router.Kind]int{}, 0, 0
		for seed := *seed; made < *courses; seed++ {
			w := newGenerator(seed).world()
			w.Proxy.Mode = mode
			asked := askRouter(newGenerator(seed), w)
			if asked == nil {
				continue
			}
			s := asked.snapshot()
			course, err := router.Of(s, asked.request, uint64(seed))
			if errors.Is(err, router.ErrNoTurn) {
				continue
			}
			if err != nil {
				t.Fatalf("%s, seed %d, %+v: %v", mode, seed, asked.request, err)
			}
			made++
			for _, problem := range asked.grade(t, s, course) {
				t.Errorf("%s, seed %d, %s to %s: %s", mode, seed, course.From, course.Target, problem)
			}
			if t.Failed() {
				t.Fatalf("again with: go test ./test/oracle -run 'TestRouter$' -courses 1 -seed %d", seed)
			}
			for i := range course.Turns {
				turns[course.Turns[i].Kind]++
				options += len(course.Turns[i].Options)
			}
		}
		t.Logf("%s: %d courses from seed %d: turns %v, %d options", mode, made, *seed, turns, options)
		for _, kind := range []router.Kind{router.Name, router.Answer, router.Interface, router.Hook, router.Rule, router.Endpoint, router.Destination, router.Source, router.Node, router.Reply, router.Verdict, router.Ending} {
			if *courses >= 100 && turns[kind] == 0 {
				t.Errorf("%s: no turn of kind %s: the clusters are too tame", mode, kind)
			}
		}
	}
}

// routed is a world and the packet that is asked about.
type routed struct {
	*world
	request path.Request
	to      netip.AddrPort // as the client sends it
	proto   string
}

// client is a Pod that the worlds do not have.
var client = &model.Pod{
	Meta: model.Meta{Namespace: "default", Name: "client"}, Node: "node-a", Phase: "Running", IPs: []string{"10.244.1.250", "fd00:10:244:1::250"},
	Conditions: []model.Condition{{Type: "Ready", Status: "True"}},
}

// snapshot is the world with what a course needs besides: a Pod that sends, other
// nodes, DNS.
func (r *routed) snapshot() *model.Snapshot {
	s := *r.world.snapshot()
	s.ServiceCIDRs = serviceCIDRs
	s.Pods = []*model.Pod{client}
	s.Nodes = append(slices.Clone(s.Nodes), &model.Node{Meta: model.Meta{Name: "node-b"}}, &model.Node{Meta: model.Meta{Name: "node-c"}})
	s.DNS = model.DNS{Domain: "cluster.local", Servers: []string{"10.96.0.253"}, Serving: true, Evidence: model.Derived}
	return model.NewSnapshot(s)
}

// askRouter picks a client and one of the addresses of a world's Services; nil
// when there is none, or when several Services claim it: then the order of a map
// in kube-proxy decides.
func askRouter(g *generator, w *world) *routed {
	svc := pick(g, w.Services...)
	_, other := svc.Labels["service.kubernetes.io/service-proxy-name"] // no rule of kube-proxy is for it
	if other || svc.Spec.Type == v1.ServiceTypeExternalName || len(svc.Spec.Ports) == 0 {
		return nil
	}
	port := pick(g, svc.Spec.Ports...)
	r := &routed{world: w, proto: strings.ToLower(string(port.Protocol))}
	r.request = path.Request{Namespace: svc.Namespace, Mode: w.Proxy.Mode, From: pick(g, "pod/default/client", "pod/default/client", "node/node-a", "outside/203.0.113.9", "outside/198.18.0.1")}
	outside := strings.HasPrefix(r.request.From, "outside")
	number := uint16(port.Port)
	if g.chance(0.05) {
		number = 9999
	}
	texts := append(slices.Clone(svc.Spec.ClusterIPs), svc.Spec.ExternalIPs...)
	for _, in := range svc.Status.LoadBalancer.Ingress {
		if in.IP != "" {
			texts = append(texts, in.IP)
		}
	}
	text := pick(g, texts...)
	if port.NodePort != 0 && g.chance(0.4) {
		text, number = pick(g, "172.18.0.2", "fc00:f853::2"), uint16(port.NodePort)
	}
	ip := netutils.ParseIPSloppy(text)
	if ip == nil || outside && slices.Contains(svc.Spec.ClusterIPs, text) { // networks outside do not know it
		return nil
	}
	address, _ := netip.ParseAddr(ip.String())
	r.to = netip.AddrPortFrom(address, number)
	taken := contested(w)
	if taken[fmt.Sprintf("%s . %s . %d", address, r.proto, number)] || taken[fmt.Sprintf("%s . %d", r.proto, number)] {
		return nil
	}
	r.request.Target = r.to.String() + "/" + r.proto
	if slices.Contains(svc.Spec.ClusterIPs, text) && number == uint16(port.Port) && strings.HasPrefix(r.request.From, "pod/") && len(svc.Spec.ClusterIPs) == 1 {
		r.request.Target = fmt.Sprintf("%s.%s:%d/%s", svc.Name, svc.Namespace, number, r.proto)
	}
	return r
}

// walked sends the packet through kube-proxy's rules.
func (r *routed) walked(t testing.TB, draws []float64) *machine {
	t.Helper()
	m := &machine{at: map[string]int{}, node: r.Node, draws: draws, packet: packet{to: r.to.Addr(), port: r.to.Port(), protocol: r.proto, original: r.to}}
	family, v4 := v1.IPv6Protocol, r.to.Addr().Is4()
	if v4 {
		family = v1.IPv4Protocol
	}
	own, other := "fd00:10:244:1::250", "fc00:f853::2"
	if v4 {
		own, other = "10.244.1.250", "172.18.0.2"
	}
	local := false
	switch kind, at, _ := strings.Cut(r.request.From, "/"); kind {
	case "pod":
		m.source, m.interf = netip.MustParseAddr(own), interfaceOf(&r.Proxy)
	case "node":
		m.source, local = netip.MustParseAddr(other), true
	default:
		m.source = netip.MustParseAddr(at)
	}
	if r.Proxy.Mode == path.ModeNFTables {
		n := newNFT(m, dumpNFT(t, r.world, family))
		m.hooks(local, n.run)
		return m
	}
	i := &iptablesMachine{machine: m, rules: kubeProxy(t, r.world, family)}
	m.matches = func(rule string) bool {
		_, matches := i.match(rule)
		return matches
	}
	m.hooks(local, i.run)
	return m
}

// grade holds a course against the walk, and lists what differs.
func (r *routed) grade(t testing.TB, s *model.Snapshot, c *router.Course) (problems []string) {
	t.Helper()
	var draws []float64
	for i := range c.Turns {
		draws = append(draws, c.Turns[i].Draws...)
	}
	m := r.walked(t, draws)
	bad := func(turn *router.Turn, format string, args ...any) {
		problems = append(problems, fmt.Sprintf("%q (right: %q): ", turn.Question, turn.Options[turn.Right].Text)+fmt.Sprintf(format, args...))
	}
	if m.err != nil {
		return []string{m.err.Error()}
	}
	program := path.CompileAs(r.Proxy.Mode, s, r.Node.Name, path.FamilyOf(r.to.Addr()))
	for i := range c.Turns {
		turn := &c.Turns[i]
		right := turn.Options[turn.Right]
		if len(turn.Options) < 3 || len(turn.Options) > 5 {
			bad(turn, "%d options", len(turn.Options))
		}
		for j, o := range turn.Options {
			if j != turn.Right && (o.Effect == right.Effect || o.Text == right.Text || o.Wrong == "") {
				bad(turn, "option %q is as good", o.Text)
			}
		}
		switch turn.Kind {
		case router.Hook:
			if want := map[bool]string{true: "OUTPUT", false: "PREROUTING"}[strings.HasPrefix(r.request.From, "node/")]; right.Effect != want {
				bad(turn, "want %s", want)
			}
		case router.Rule, router.Endpoint:
			for _, problem := range m.rule(turn, program) {
				bad(turn, "%s", problem)
			}
		case router.Destination:
			if want := netip.AddrPortFrom(m.to, m.port).String(); !m.rewritten || right.Text != want {
				bad(turn, "the rules rewrite it (%t) to %s", m.rewritten, want)
			}
		case router.Source:
			masqueraded := strings.HasPrefix(right.Effect, "node ")
			if masqueraded != m.masq && !m.local(m.source) {
				bad(turn, "the rules masquerade it: %t", m.masq)
			}
		case router.Verdict:
			if right.Effect != m.end {
				bad(turn, "the rules end it with %q", m.end)
			}
		case router.Ending:
			if want := map[string]string{"reject": "refused", "drop": "timeout", "": "timeout"}[m.end]; right.Effect != want && right.Effect != "name" {
				bad(turn, "want %s", want)
			}
		}
	}
	if asked := slices.ContainsFunc(c.Turns, func(t router.Turn) bool { return t.Kind == router.Destination }); asked != m.rewritten && m.rewritten {
		problems = append(problems, "the rules rewrite the destination, and no turn asks for it")
	}
	if asked := slices.ContainsFunc(c.Turns, func(t router.Turn) bool { return t.Kind == router.Verdict }); asked != (m.end != "") {
		problems = append(problems, fmt.Sprintf("the rules end the packet with %q, a turn about it: %t", m.end, asked))
	}
	return problems
}

// rule holds a turn about rules against the trail.
func (m *machine) rule(turn *router.Turn, program *path.Program) (problems []string) {
	right := turn.Options[turn.Right]
	var taken *met
	for m.at[turn.Chain] < len(m.trail) && taken == nil { // a packet may come back to a chain
		at := &m.trail[m.at[turn.Chain]]
		m.at[turn.Chain]++
		if at.table == turn.Table && at.chain == turn.Chain && at.action != "" && !at.marking() {
			taken = at
		}
	}
	if taken != nil && right.Effect == "none" {
		problems = append(problems, "the packet meets "+taken.rule)
	}
	if taken == nil && right.Effect != "none" {
		problems = append(problems, "the packet meets no rule of "+turn.Chain)
	}
	if turn.Kind == router.Rule {
		problems = append(problems, m.wrong(turn, program)...)
	}
	if taken == nil || len(problems) > 0 {
		return problems
	}
	if leads := goesTo(taken.action); strings.HasPrefix(right.Effect, "go to ") && right.Effect != "go to "+leads {
		problems = append(problems, fmt.Sprintf("kube-proxy's rule leads to %s: %s", leads, taken.rule))
	}
	if to := netip.AddrPortFrom(m.to, m.port).String(); strings.HasPrefix(right.Effect, "to ") && right.Effect != "to "+to {
		problems = append(problems, "the rules rewrite the destination to "+to)
	}
	for j, o := range turn.Options {
		rule := writtenAs(program, o)
		if rule == "" { // an element of a map
			if same := strings.HasSuffix(o.Rule, " : goto "+goesTo(taken.action)); o.Chain != "" && strings.HasPrefix(o.Effect, "go to ") && same != (j == turn.Right) {
				problems = append(problems, fmt.Sprintf("element %q leads where kube-proxy's does: %t", o.Rule, same))
			}
			continue
		}
		if same := normal(nftSpacing.ReplaceAllString(rule, ", ")) == normal(nftSpacing.ReplaceAllString(taken.rule, ", ")); same != (j == turn.Right) && !strings.Contains(rule, "numgen") {
			problems = append(problems, fmt.Sprintf("option %q is kube-proxy's %q: %t", rule, taken.rule, same))
		}
	}
	return problems
}

// wrong are the options of a turn that are called wrong and match the packet as it
// came into the chain.
func (m *machine) wrong(turn *router.Turn, program *path.Program) (problems []string) {
	came := slices.IndexFunc(m.trail, func(at met) bool { return at.table == turn.Table && goesTo(at.action) == turn.Chain })
	if came < 0 {
		return []string{"the packet does not come into " + turn.Chain}
	}
	then := m.trail[came].packet
	for j, o := range turn.Options {
		rule := writtenAs(program, o)
		switch {
		case j == turn.Right:
		case rule != "" && m.then(then, rule):
			problems = append(problems, fmt.Sprintf("option %q is called wrong, and matches", rule))
		case o.Chain == "service-ips" && strings.HasPrefix(o.Rule, fmt.Sprintf("%s . %s . %d ", then.to, then.protocol, then.port)):
			problems = append(problems, fmt.Sprintf("element %q is called wrong, and is the packet's", o.Rule))
		}
	}
	return problems
}

// goesTo is the chain that a rule or an element leads to.
func goesTo(action string) string {
	words := strings.Fields(action)
	if len(words) == 2 && slices.Contains([]string{"-j", "-g", "jump", "goto"}, words[0]) {
		return words[1]
	}
	return ""
}

// writtenAs is an option's rule as kube-proxy writes it; "" when it is none.
func writtenAs(p *path.Program, o router.Option) string {
	for _, table := range p.Tables {
		if chain := table.Chain(o.Chain); chain != nil {
			for _, r := range chain.Rules {
				if r.String() == o.Rule && (r.Action != path.ActionReject || p.Mode == path.ModeNFTables) {
					return r.Restore()
				}
			}
		}
	}
	return ""
}
