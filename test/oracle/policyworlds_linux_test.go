//go:build linux

package oracle

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	v1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/apis/networking"
	_ "k8s.io/kubernetes/pkg/apis/networking/install" // its defaults
	"k8s.io/kubernetes/pkg/apis/networking/validation"
)

// policyLimits leave out what an oracle is known to get wrong, or does not look
// at. Two things no oracle looks at, and packet leaves them out for both: a Pod
// that talks to itself, and a Pod's own node (kube-network-policies lets root's
// packets on the node pass in its nftables rules, controller.go:829-842, before
// evaluatePacket; cyclonus has no nodes).
type policyLimits struct {
	// notInNeedsKey: NotIn is used for keys that every object has.
	notInNeedsKey bool
	// valuesNotEmpty: matchLabels never ask for an empty value.
	valuesNotEmpty bool
	// oneNameAPort: a Pod gives a number one name for each protocol.
	oneNameAPort bool
	// namesOfContainers: only containers name ports, not restartable init containers.
	namesOfContainers bool
	// endedHasHeir: the addresses of a Pod that has ended are a running Pod's.
	endedHasHeir bool
}

// cyclonus v0.5.6: pkg/kube/labelselector.go:38-44 does not match NotIn for
// labels without the key, where Kubernetes does (apimachinery
// pkg/labels/selector.go:255-258); line 71 takes a missing label for one with an
// empty value; pkg/matcher/traffic.go:17 has room for one name of a port.
var cyclonusLimits = policyLimits{notInNeedsKey: true, valuesNotEmpty: true, oneNameAPort: true}

// kube-network-policies v0.8.0: pkg/networkpolicy/networkpolicy.go:374 looks for
// names among the containers only, where restartable init containers serve as
// well (KEP-753, pkg/api/v1/pod/util.go FindPort); controller.go:197-209 takes a
// Pod that has ended for the holder of its address when no running one has it.
var kubeNetworkPoliciesLimits = policyLimits{namesOfContainers: true, endedHasHeir: true}

// policyWorld is a cluster with NetworkPolicies.
type policyWorld struct {
	nodes      []*v1.Node
	namespaces []*v1.Namespace
	pods       []*v1.Pod
	// raw are the policies as people write them; stored, as the API server
	// hands them out: with its defaults, and without empty lists.
	raw, stored []*networkingv1.NetworkPolicy
}

// holder is the Pod that has an address to itself.
func (w *policyWorld) holder(address netip.Addr) *v1.Pod {
	for _, pod := range w.pods {
		if !pod.Spec.HostNetwork && pod.Status.Phase != v1.PodSucceeded && slices.Contains(pod.Status.PodIPs, v1.PodIP{IP: address.String()}) {
			return pod
		}
	}
	return nil
}

// policyPacket is the first packet of a connection.
type policyPacket struct {
	from, to netip.Addr
	protocol v1.Protocol
	port     int32
}

func (p *policyPacket) String() string {
	return fmt.Sprintf("from %s to %s, %s port %d", p.from, p.to, p.protocol, p.port)
}

// policyGenerator makes worlds within an oracle's limits.
type policyGenerator struct {
	*generator
	limits policyLimits
}

var (
	policyNamespaces = []string{"shop", "ops", "web"}
	policyPorts      = []int32{53, 80, 81, 90, 443, 8080, 65535}
	policyPortNames  = []string{"http", "dns", "metrics"}
	policyProtocols  = []v1.Protocol{v1.ProtocolTCP, v1.ProtocolUDP, v1.ProtocolSCTP}
	// somewhere else, in both families
	policyOutside = []netip.Addr{netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("192.0.2.130"), netip.MustParseAddr("2001:db8::7")}
)

func (g *policyGenerator) world(t *testing.T) *policyWorld {
	w := &policyWorld{}
	for i := range 2 {
		w.nodes = append(w.nodes, &v1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("node-%d", i+1)},
			Spec:       v1.NodeSpec{PodCIDRs: []string{fmt.Sprintf("10.244.%d.0/24", i+1), fmt.Sprintf("fd00:244:%d::/64", i+1)}},
			Status: v1.NodeStatus{Addresses: []v1.NodeAddress{
				{Type: v1.NodeInternalIP, Address: fmt.Sprintf("172.18.0.%d", i+2)}, {Type: v1.NodeInternalIP, Address: fmt.Sprintf("fd00:18::%d", i+2)},
			}},
		})
	}
	for _, name := range policyNamespaces {
		labels := g.labels("team", "env")
		labels[v1.LabelMetadataName] = name
		w.namespaces = append(w.namespaces, &v1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}})
	}
	for i := range 3 + g.Intn(5) {
		w.pods = append(w.pods, g.pod(i))
	}
	if heir := pick(g.generator, w.pods...); g.chance(0.3) && (!g.limits.endedHasHeir || !heir.Spec.HostNetwork && heir.Status.Phase == v1.PodRunning) {
		ended := g.pod(len(w.pods)) // which has left its addresses to another
		ended.Spec.HostNetwork = false
		ended.Status.Phase, ended.Status.PodIPs = v1.PodSucceeded, heir.Status.PodIPs
		w.pods = append(w.pods, ended)
	}
	for i := range 1 + g.Intn(4) {
		raw := g.policy(i)
		w.raw, w.stored = append(w.raw, raw), append(w.stored, stored(t, raw))
	}
	return w
}

// stored is a policy as the API server keeps it: with defaults, valid, and what
// is empty is not there.
func stored(t *testing.T, raw *networkingv1.NetworkPolicy) *networkingv1.NetworkPolicy {
	t.Helper()
	defaulted := raw.DeepCopy()
	legacyscheme.Scheme.Default(defaulted)
	internal := &networking.NetworkPolicy{}
	if err := legacyscheme.Scheme.Convert(defaulted, internal, nil); err != nil {
		t.Fatal(err)
	}
	internal.ResourceVersion = "1"
	// As an update of itself: ranges with bits of a host are refused in new
	// policies only.
	if errs := validation.ValidateNetworkPolicyUpdate(internal, internal, validation.ValidationOptionsForNetworking(internal, internal)); len(errs) > 0 {
		t.Fatalf("the generator made a policy that is not valid: %v", errs.ToAggregate())
	}
	text, err := json.Marshal(defaulted)
	if err != nil {
		t.Fatal(err)
	}
	out := &networkingv1.NetworkPolicy{}
	if err := json.Unmarshal(text, out); err != nil {
		t.Fatal(err)
	}
	return out
}

// labels are random ones; every object has the key tier.
func (g *policyGenerator) labels(keys ...string) map[string]string {
	out := map[string]string{"tier": pick(g.generator, "front", "back")}
	for _, key := range keys {
		if g.chance(0.7) {
			out[key] = pick(g.generator, "a", "b", "")
		}
	}
	return out
}

func (g *policyGenerator) pod(i int) *v1.Pod {
	node := 1 + g.Intn(2)
	pod := &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: pick(g.generator, policyNamespaces...), Name: fmt.Sprintf("pod-%d", i), Labels: g.labels("app", "team")},
		Spec:       v1.PodSpec{NodeName: fmt.Sprintf("node-%d", node), HostNetwork: i > 0 && g.chance(0.15)},
		Status:     v1.PodStatus{Phase: pick(g.generator, v1.PodRunning, v1.PodRunning, v1.PodPending)},
	}
	pod.Status.PodIPs = []v1.PodIP{{IP: fmt.Sprintf("10.244.%d.%d", node, i+2)}, {IP: fmt.Sprintf("fd00:244:%d::%d", node, i+2)}}
	if pod.Spec.HostNetwork {
		pod.Status.PodIPs = []v1.PodIP{{IP: fmt.Sprintf("172.18.0.%d", node+1)}, {IP: fmt.Sprintf("fd00:18::%d", node+1)}}
	}
	taken := map[string]bool{}
	for j := range 1 + g.Intn(2) {
		pod.Spec.Containers = append(pod.Spec.Containers, v1.Container{Name: fmt.Sprintf("c%d", j), Ports: g.containerPorts(taken)})
	}
	if g.chance(0.3) {
		sidecar := v1.Container{Name: "sidecar", RestartPolicy: ptr(v1.ContainerRestartPolicyAlways)}
		if !g.limits.namesOfContainers {
			sidecar.Ports = g.containerPorts(taken)
		}
		// One that is over before the Pod serves names nothing.
		setup := v1.Container{Name: "setup", Ports: []v1.ContainerPort{{Name: pick(g.generator, policyPortNames...), ContainerPort: pick(g.generator, policyPorts...), Protocol: v1.ProtocolTCP}}}
		pod.Spec.InitContainers = []v1.Container{sidecar, setup}
	}
	return pod
}

// containerPorts are those of one container: no name stands for two of them.
func (g *policyGenerator) containerPorts(taken map[string]bool) []v1.ContainerPort {
	var out []v1.ContainerPort
	for _, name := range policyPortNames {
		port := v1.ContainerPort{Name: name, ContainerPort: pick(g.generator, policyPorts...), Protocol: pick(g.generator, policyProtocols...)}
		key := fmt.Sprint(port.ContainerPort, port.Protocol)
		if g.chance(0.5) || g.limits.oneNameAPort && taken[key] {
			continue
		}
		taken[key] = true
		out = append(out, port)
	}
	return out
}

func (g *policyGenerator) policy(i int) *networkingv1.NetworkPolicy {
	p := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: pick(g.generator, policyNamespaces...), Name: fmt.Sprintf("policy-%d", i)}}
	p.Spec.PodSelector = *g.selector("app", "team")
	p.Spec.PolicyTypes = pick(g.generator, nil, nil,
		[]networkingv1.PolicyType{networkingv1.PolicyTypeIngress}, []networkingv1.PolicyType{networkingv1.PolicyTypeEgress},
		[]networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress})
	if g.chance(0.1) { // nothing, written down
		p.Spec.Ingress, p.Spec.Egress = []networkingv1.NetworkPolicyIngressRule{}, []networkingv1.NetworkPolicyEgressRule{}
	}
	for range g.Intn(3) {
		p.Spec.Ingress = append(p.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{From: g.peers(), Ports: g.ports()})
	}
	for range g.Intn(3) {
		p.Spec.Egress = append(p.Spec.Egress, networkingv1.NetworkPolicyEgressRule{To: g.peers(), Ports: g.ports()})
	}
	return p
}

func (g *policyGenerator) peers() []networkingv1.NetworkPolicyPeer {
	out := pick(g.generator, nil, []networkingv1.NetworkPolicyPeer{})
	if g.chance(0.2) {
		return out
	}
	for range 1 + g.Intn(3) {
		peer := networkingv1.NetworkPolicyPeer{}
		switch g.Intn(4) {
		case 0:
			peer.IPBlock = g.block()
		case 1:
			peer.PodSelector = g.selector("app", "team")
		case 2:
			peer.NamespaceSelector = g.selector("team", "env")
		default:
			peer.PodSelector, peer.NamespaceSelector = g.selector("app", "team"), g.selector("team", "env")
		}
		out = append(out, peer)
	}
	return out
}

// block is a range around an address that a Pod or host has, with others left out of it.
func (g *policyGenerator) block() *networkingv1.IPBlock {
	address := g.someAddress()
	bits := pick(g.generator, 0, 8, 16, 24, 25, 28, 30, 31, 32)
	if address.Is6() {
		bits *= 4
	}
	prefix := netip.PrefixFrom(address, bits)
	if g.chance(0.8) { // else with bits of a host
		prefix = prefix.Masked()
	}
	out := &networkingv1.IPBlock{CIDR: prefix.String()}
	for range g.Intn(3) {
		inside := g.someAddress()
		if longer := bits + 1 + g.Intn(12); prefix.Contains(inside) && longer <= inside.BitLen() {
			out.Except = append(out.Except, netip.PrefixFrom(inside, longer).Masked().String())
		}
	}
	return out
}

func (g *policyGenerator) someAddress() netip.Addr {
	node, host := 1+g.Intn(2), 2+g.Intn(8)
	return pick(g.generator, append([]netip.Addr{
		netip.MustParseAddr(fmt.Sprintf("10.244.%d.%d", node, host)), netip.MustParseAddr(fmt.Sprintf("fd00:244:%d::%d", node, host)),
		netip.MustParseAddr(fmt.Sprintf("172.18.0.%d", node+1)), netip.MustParseAddr(fmt.Sprintf("fd00:18::%d", node+1)),
	}, policyOutside...)...)
}

func (g *policyGenerator) ports() []networkingv1.NetworkPolicyPort {
	out := pick(g.generator, nil, []networkingv1.NetworkPolicyPort{})
	if g.chance(0.4) {
		return out
	}
	for range 1 + g.Intn(3) {
		port := networkingv1.NetworkPolicyPort{}
		if g.chance(0.7) {
			port.Protocol = ptr(pick(g.generator, policyProtocols...))
		}
		number := pick(g.generator, policyPorts...)
		switch g.Intn(4) {
		case 0:
		case 1:
			port.Port = ptr(intstr.FromInt32(number))
		case 2:
			port.Port = ptr(intstr.FromInt32(number))
			port.EndPort = ptr(min(number+pick(g.generator, int32(0), 1, 10, 8000), 65535))
		default:
			port.Port = ptr(intstr.FromString(pick(g.generator, policyPortNames...)))
		}
		out = append(out, port)
	}
	return out
}

// selector is about some of the keys; every second one selects everything or has
// a single requirement, so that it selects something.
func (g *policyGenerator) selector(keys ...string) *metav1.LabelSelector {
	s := &metav1.LabelSelector{}
	if g.chance(0.25) {
		return s
	}
	values := []string{"a", "b", ""}
	for range 1 + g.Intn(2) {
		key := pick(g.generator, append(keys, "tier")...)
		if g.chance(0.5) {
			value := pick(g.generator, values...)
			if key == "tier" {
				value = pick(g.generator, "front", "back")
			}
			if value == "" && g.limits.valuesNotEmpty {
				value = "a"
			}
			s.MatchLabels = map[string]string{key: value}
			continue
		}
		r := metav1.LabelSelectorRequirement{Key: key, Operator: pick(g.generator, metav1.LabelSelectorOpIn, metav1.LabelSelectorOpNotIn, metav1.LabelSelectorOpExists, metav1.LabelSelectorOpDoesNotExist)}
		switch r.Operator {
		case metav1.LabelSelectorOpNotIn:
			if g.limits.notInNeedsKey {
				r.Key = "tier"
			}
			r.Values = pick(g.generator, []string{"front"}, []string{"a", "back"}, []string{"b"})
		case metav1.LabelSelectorOpIn:
			r.Values = pick(g.generator, []string{"a"}, []string{"b", "front"}, []string{"", "back"})
		}
		s.MatchExpressions = append(s.MatchExpressions, r)
	}
	return s
}

// packet is one between two ends of a family, at least one of them a Pod's.
func (g *policyGenerator) packet(w *policyWorld) *policyPacket {
	for {
		family := g.Intn(2)
		p := &policyPacket{from: g.end(w, family), to: g.end(w, family)}
		p.protocol, p.port = pick(g.generator, policyProtocols...), pick(g.generator, policyPorts...)
		if g.chance(0.05) {
			p.protocol, p.port = "ICMP", 0
		}
		source, destination := w.holder(p.from), w.holder(p.to)
		if destination != nil && g.chance(0.3) { // a port that has a name
			if ports := destination.Spec.Containers[0].Ports; len(ports) > 0 {
				named := pick(g.generator, ports...)
				p.protocol, p.port = named.Protocol, named.ContainerPort
			}
		}
		if source == nil && destination == nil || source == destination || w.ownNode(p.from, destination) {
			continue
		}
		return p
	}
}

// ownNode says whether an address is of the node that a Pod is on.
func (w *policyWorld) ownNode(address netip.Addr, pod *v1.Pod) bool {
	return pod != nil && slices.ContainsFunc(w.nodes, func(n *v1.Node) bool {
		return n.Name == pod.Spec.NodeName && slices.ContainsFunc(n.Status.Addresses, func(a v1.NodeAddress) bool { return a.Address == address.String() })
	})
}

// end is an address of a family: mostly a Pod's, else a node's or one from outside.
func (g *policyGenerator) end(w *policyWorld, family int) netip.Addr {
	if g.chance(0.8) {
		return netip.MustParseAddr(pick(g.generator, w.pods...).Status.PodIPs[family].IP)
	}
	for {
		if a := g.someAddress(); a.Is6() == (family == 1) {
			return a
		}
	}
}
