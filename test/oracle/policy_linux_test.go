//go:build linux

package oracle

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
	_ "unsafe" // for linkname

	"github.com/mattfenwick/cyclonus/pkg/matcher"
	v1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/kube-network-policies/pkg/networkpolicy"
	"sigs.k8s.io/yaml"

	"svctour/cluster/convert"
	"svctour/model"
	"svctour/model/policy"
)

// evaluatePacket is what kube-network-policies does with the first packet of
// each connection that the kernel hands to it.
//
//go:linkname evaluatePacket sigs.k8s.io/kube-network-policies/pkg/networkpolicy.(*Controller).evaluatePacket
func evaluatePacket(*networkpolicy.Controller, context.Context, queued) bool

// queued is networkpolicy.packet, field by field (pkg/networkpolicy/packet.go);
// its id, family and payload decide nothing.
type queued struct {
	_                uint32
	_                v1.IPFamily
	srcIP, dstIP     net.IP
	proto            v1.Protocol
	srcPort, dstPort int
	_                []byte
}

// TestPolicyAgainstCyclonus compares model/policy with the matcher of cyclonus,
// which tests network plugins with it: each direction by itself, and which
// policies isolate the Pod.
func TestPolicyAgainstCyclonus(t *testing.T) {
	comparePolicies(t, cyclonusLimits, func(w *policyWorld) func(*policyPacket) opinion {
		matchers := matcher.BuildNetworkPolicies(false, w.stored)
		return func(p *policyPacket) opinion {
			result := matchers.IsTrafficAllowed(&matcher.Traffic{
				Source: w.trafficPeer(p.from), Destination: w.trafficPeer(p.to),
				ResolvedPort: int(p.port), ResolvedPortName: w.portName(p), Protocol: p.protocol,
			})
			return opinion{
				policy.Egress:  {allowed: result.Egress.IsAllowed(), by: sourcesOf(result.Egress)},
				policy.Ingress: {allowed: result.Ingress.IsAllowed(), by: sourcesOf(result.Ingress)},
			}
		}
	})
}

// TestPolicyAgainstKubeNetworkPolicies compares model/policy with the network
// policy agent of Kubernetes' SIG Network, which knows the verdict of both
// directions together.
func TestPolicyAgainstKubeNetworkPolicies(t *testing.T) {
	client := fake.NewClientset()
	factory := informers.NewSharedInformerFactory(client, 0)
	policies, namespaces, pods := factory.Networking().V1().NetworkPolicies(), factory.Core().V1().Namespaces(), factory.Core().V1().Pods()
	controller, err := networkpolicy.NewController(client, policies, namespaces, pods, factory.Core().V1().Nodes(), nil, nil, nil, networkpolicy.Config{NodeName: "node-1"})
	if err != nil {
		t.Fatal(err)
	}
	// Nothing is started: its listers read what is put into their stores.
	replace := func(store cache.Store, objects []any) {
		if err := store.Replace(objects, ""); err != nil {
			t.Fatal(err)
		}
	}
	comparePolicies(t, kubeNetworkPoliciesLimits, func(w *policyWorld) func(*policyPacket) opinion {
		replace(policies.Informer().GetStore(), anys(w.stored))
		replace(namespaces.Informer().GetStore(), anys(w.namespaces))
		replace(pods.Informer().GetStore(), anys(w.pods))
		return func(p *policyPacket) opinion {
			both := evaluatePacket(controller, t.Context(), queued{
				srcIP: net.IP(p.from.AsSlice()), dstIP: net.IP(p.to.AsSlice()), proto: p.protocol, srcPort: 40000, dstPort: int(p.port),
			})
			return opinion{policy.Egress: {allowed: both}, policy.Ingress: {allowed: both}}
		}
	})
}

// opinion is what an implementation says of a connection, by direction. An oracle
// that knows the verdict of both together says the same of each, and names no
// policies.
type opinion [2]struct {
	allowed bool
	by      []string // the policies that isolate the Pod
}

func (o opinion) allowed() bool { return o[policy.Egress].allowed && o[policy.Ingress].allowed }

// comparePolicies asks both about the packets of random worlds.
func comparePolicies(t *testing.T, limits policyLimits, oracle func(*policyWorld) func(*policyPacket) opinion) {
	first := *seed
	if first == 0 {
		first = time.Now().UnixNano() % 1_000_000_000
	}
	asked, let := 0, 0
	for i := range int64(*worlds) {
		g := &policyGenerator{generator: newGenerator(first + i), limits: limits}
		w := g.world(t)
		ours, theirs := w.ours(), oracle(w)
		for range policyPacketsPerWorld {
			p := g.packet(w)
			asked++
			got, want := ours(p), theirs(p)
			if want.allowed() {
				let++
			}
			if difference(got, want) != "" {
				w = smallest(w, p, func(w *policyWorld) bool { return difference(w.ours()(p), oracle(w)(p)) != "" })
				t.Fatalf("seed %d: %v\n%s\n%s\nagain with: go test ./test/oracle -run '%s$' -worlds 1 -seed %d",
					first+i, p, difference(w.ours()(p), oracle(w)(p)), w, t.Name(), first+i)
			}
		}
	}
	if quarter := asked / 4; let < quarter || asked-let < quarter {
		t.Errorf("of %d connections %d may be: the worlds are too uniform to show a difference", asked, let)
	}
	t.Logf("%d worlds from seed %d: %d connections, %d of them may be, 0 differences", *worlds, first, asked, let)
}

// policyPacketsPerWorld is how many connections are asked about in one world.
const policyPacketsPerWorld = 20

// difference says what an oracle sees differently, "" when it does not.
func difference(got, want opinion) string {
	if want[0].by == nil && want[1].by == nil { // both directions together
		if got.allowed() != want.allowed() {
			return fmt.Sprintf("we say %v, the oracle %v", got.allowed(), want.allowed())
		}
		return ""
	}
	for _, d := range []policy.Direction{policy.Egress, policy.Ingress} {
		if got[d].allowed != want[d].allowed || !slices.Equal(got[d].by, want[d].by) {
			return fmt.Sprintf("%s: we say %+v, the oracle %+v", d, got[d], want[d])
		}
	}
	return ""
}

// smallest leaves policies out as long as the difference stays.
func smallest(w *policyWorld, p *policyPacket, differs func(*policyWorld) bool) *policyWorld {
	for i := 0; i < len(w.raw); {
		less := *w
		less.raw, less.stored = slices.Delete(slices.Clone(w.raw), i, i+1), slices.Delete(slices.Clone(w.stored), i, i+1)
		if differs(&less) {
			w = &less
		} else {
			i++
		}
	}
	return w
}

// ours asks model/policy, of the objects as they were written: defaults are part
// of what is compared.
func (w *policyWorld) ours() func(*policyPacket) opinion {
	snapshot := model.Snapshot{}
	for _, o := range w.raw {
		snapshot.Policies = append(snapshot.Policies, convert.NetworkPolicy(o))
	}
	for _, o := range w.namespaces {
		snapshot.Namespaces = append(snapshot.Namespaces, convert.Namespace(o))
	}
	for _, o := range w.pods {
		snapshot.Pods = append(snapshot.Pods, convert.Pod(o))
	}
	for _, o := range w.nodes {
		snapshot.Nodes = append(snapshot.Nodes, convert.Node(o))
	}
	table := policy.NewTable(model.NewSnapshot(snapshot))
	return func(p *policyPacket) opinion {
		c := policy.Connection{Source: table.End(p.from), Destination: table.End(p.to), Protocol: string(p.protocol), Port: p.port}
		egress, ingress := table.Egress(&c), table.Ingress(&c)
		return opinion{
			policy.Egress:  {allowed: egress.Passes(), by: policyNames(egress.Policies)},
			policy.Ingress: {allowed: ingress.Passes(), by: policyNames(ingress.Policies)},
		}
	}
}

func policyNames(policies []*policy.Policy) []string {
	out := []string{}
	for _, p := range policies {
		out = append(out, p.Key())
	}
	slices.Sort(out)
	return out
}

func sourcesOf(r *matcher.DirectionResult) []string {
	out := []string{}
	for _, target := range slices.Concat(r.AllowingTargets, r.DenyingTargets) {
		for _, source := range target.SourceRules {
			out = append(out, source.Namespace+"/"+source.Name)
		}
	}
	slices.Sort(out)
	return out
}

// trafficPeer is an address as cyclonus wants it: it is told whose it is.
func (w *policyWorld) trafficPeer(address netip.Addr) *matcher.TrafficPeer {
	peer := &matcher.TrafficPeer{IP: address.String()}
	if pod := w.holder(address); pod != nil {
		peer.Internal = &matcher.InternalPeer{Namespace: pod.Namespace, PodLabels: pod.Labels}
		for _, namespace := range w.namespaces {
			if namespace.Name == pod.Namespace {
				peer.Internal.NamespaceLabels = namespace.Labels
			}
		}
	}
	return peer
}

// portName is what the destination calls the port: cyclonus is told this too.
func (w *policyWorld) portName(p *policyPacket) string {
	pod := w.holder(p.to)
	if pod == nil {
		return ""
	}
	containers := slices.Clone(pod.Spec.Containers)
	for _, c := range pod.Spec.InitContainers {
		if c.RestartPolicy != nil {
			containers = append(containers, c)
		}
	}
	for _, c := range containers {
		for _, port := range c.Ports {
			if port.ContainerPort == p.port && port.Protocol == p.protocol && port.Name != "" {
				return port.Name
			}
		}
	}
	return ""
}

func (w *policyWorld) String() string {
	var out strings.Builder
	for _, o := range w.stored {
		text, _ := yaml.Marshal(map[string]any{"policy": o.Namespace + "/" + o.Name, "spec": o.Spec})
		fmt.Fprintf(&out, "%s---\n", text)
	}
	for _, o := range w.pods {
		var ports []v1.ContainerPort
		for _, c := range slices.Concat(o.Spec.InitContainers, o.Spec.Containers) {
			ports = append(ports, c.Ports...)
		}
		fmt.Fprintf(&out, "Pod %s/%s %v labels %v ports %v host network %v %s\n", o.Namespace, o.Name, o.Status.PodIPs, o.Labels, ports, o.Spec.HostNetwork, o.Status.Phase)
	}
	for _, o := range w.namespaces {
		fmt.Fprintf(&out, "Namespace %s labels %v\n", o.Name, o.Labels)
	}
	return out.String()
}

func anys[T any](list []T) []any {
	out := make([]any, 0, len(list))
	for _, o := range list {
		out = append(out, o)
	}
	return out
}
