package policy

import (
	"net/netip"
	"strconv"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"svctour/lab/child/network"
)

func testPod(namespace, name, node, ip string, labels map[string]string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels},
		Spec: corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Ports: []corev1.ContainerPort{
			{Name: "web", ContainerPort: 8080}, {Name: "dns", ContainerPort: 53, Protocol: corev1.ProtocolUDP},
		}}}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIPs: []corev1.PodIP{{IP: ip}}},
	}
}

func testNode(name, ip, pods string) *corev1.Node {
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.NodeSpec{PodCIDR: pods},
		Status: corev1.NodeStatus{Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: ip}}},
	}
}

// The cluster of the cases: in namespace shop a web, a client and a Pod of the
// host's network, in namespace ops another client.
const (
	web, client, ops = "10.244.1.2", "10.244.2.2", "10.244.2.3"
	node1, node2     = "172.18.0.2", "172.18.0.3"
	bridge1          = "10.244.1.1"
	outside          = "172.18.0.1"
)

func cluster() (pods, namespaces, nodes []any) {
	hosted := testPod("shop", "hosted", "node-1", node1, map[string]string{"app": "web"})
	hosted.Spec.HostNetwork = true
	ended := testPod("ops", "ended", "node-2", client, map[string]string{"app": "ended"})
	ended.Status.Phase = corev1.PodSucceeded
	return []any{
			testPod("shop", "web", "node-1", web, map[string]string{"app": "web"}),
			testPod("shop", "client", "node-2", client, map[string]string{"app": "client"}),
			testPod("ops", "client", "node-2", ops, map[string]string{"app": "client"}),
			hosted, ended,
		}, []any{
			&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: map[string]string{"team": "shop"}}},
			&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "ops", Labels: map[string]string{"team": "ops"}}},
		}, []any{testNode("node-1", node1, "10.244.1.0/24"), testNode("node-2", node2, "10.244.2.0/24")}
}

func TestAllows(t *testing.T) {
	const selectWeb = "podSelector: {matchLabels: {app: web}}\n"
	const denyAll = "podSelector: {}\npolicyTypes: [Ingress, Egress]"
	for _, c := range []struct {
		name     string
		policies []string // specs, all in namespace shop
		from, to string
		port     uint16
		protocol string // "" is tcp
		want     bool
	}{
		{"no policy", nil, client, web, 80, "", true},
		{"default deny of ingress", []string{"podSelector: {}"}, client, web, 80, "", false},
		{"default deny of ingress leaves egress open", []string{selectWeb}, web, client, 80, "", true},
		{"default deny of ingress is of its namespace only", []string{"podSelector: {}"}, web, ops, 80, "", true},
		{"default deny of egress", []string{"podSelector: {}\npolicyTypes: [Egress]"}, client, web, 80, "", false},
		{"default deny of egress leaves ingress open", []string{"podSelector: {}\npolicyTypes: [Egress]"}, ops, web, 80, "", true},
		{"default deny holds for UDP", []string{denyAll}, client, web, 53, "udp", false},
		{"default deny holds for ICMP", []string{denyAll}, client, web, 0, "icmp", false},
		{"a Pod that is not selected is open", []string{selectWeb}, ops, client, 80, "", true},
		{"allow all ingress", []string{selectWeb + "ingress: [{}]"}, outside, web, 80, "", true},
		{"podSelector is of the policy's namespace", []string{selectWeb + "ingress: [{from: [{podSelector: {matchLabels: {app: client}}}]}]"}, client, web, 80, "", true},
		{"podSelector is of no other namespace", []string{selectWeb + "ingress: [{from: [{podSelector: {matchLabels: {app: client}}}]}]"}, ops, web, 80, "", false},
		{"namespaceSelector is of all its Pods", []string{selectWeb + "ingress: [{from: [{namespaceSelector: {matchLabels: {team: ops}}}]}]"}, ops, web, 80, "", true},
		{"namespaceSelector is of no other", []string{selectWeb + "ingress: [{from: [{namespaceSelector: {matchLabels: {team: ops}}}]}]"}, client, web, 80, "", false},
		{"an empty namespaceSelector is of every namespace", []string{selectWeb + "ingress: [{from: [{namespaceSelector: {}}]}]"}, ops, web, 80, "", true},
		{"but of no host outside", []string{selectWeb + "ingress: [{from: [{namespaceSelector: {}}]}]"}, outside, web, 80, "", false},
		{"both selectors in one peer are and", []string{selectWeb + "ingress: [{from: [{namespaceSelector: {matchLabels: {team: ops}}, podSelector: {matchLabels: {app: none}}}]}]"}, ops, web, 80, "", false},
		{"two peers are or", []string{selectWeb + "ingress: [{from: [{namespaceSelector: {matchLabels: {team: ops}}}, {podSelector: {matchLabels: {app: none}}}]}]"}, ops, web, 80, "", true},
		{"ipBlock", []string{selectWeb + "ingress: [{from: [{ipBlock: {cidr: 172.18.0.0/16}}]}]"}, outside, web, 80, "", true},
		{"ipBlock with except", []string{selectWeb + "ingress: [{from: [{ipBlock: {cidr: 172.18.0.0/16, except: [172.18.0.0/30]}}]}]"}, outside, web, 80, "", false},
		{"ipBlock finds Pods as well", []string{selectWeb + "ingress: [{from: [{ipBlock: {cidr: 10.244.2.0/24}}]}]"}, client, web, 80, "", true},
		{"port", []string{selectWeb + "ingress: [{ports: [{port: 80}]}]"}, client, web, 80, "", true},
		{"another port", []string{selectWeb + "ingress: [{ports: [{port: 80}]}]"}, client, web, 81, "", false},
		{"a port without protocol is TCP", []string{selectWeb + "ingress: [{ports: [{port: 80}]}]"}, client, web, 80, "udp", false},
		{"a protocol without port", []string{selectWeb + "ingress: [{ports: [{protocol: UDP}]}]"}, client, web, 4711, "udp", true},
		{"endPort", []string{selectWeb + "ingress: [{ports: [{port: 80, endPort: 90}]}]"}, client, web, 90, "", true},
		{"behind endPort", []string{selectWeb + "ingress: [{ports: [{port: 80, endPort: 90}]}]"}, client, web, 91, "", false},
		{"named port", []string{selectWeb + "ingress: [{ports: [{port: web}]}]"}, client, web, 8080, "", true},
		{"named port has one number", []string{selectWeb + "ingress: [{ports: [{port: web}]}]"}, client, web, 80, "", false},
		{"named port of the destination, for egress", []string{"podSelector: {}\negress: [{ports: [{port: web}]}]\npolicyTypes: [Egress]"}, client, web, 8080, "", true},
		{"named port of another protocol", []string{selectWeb + "ingress: [{ports: [{port: dns}]}]"}, client, web, 53, "", false},
		{"peers and ports of a rule are and", []string{selectWeb + "ingress: [{from: [{podSelector: {}}], ports: [{port: 80}]}]"}, client, web, 81, "", false},
		{"policies are or", []string{denyAll, selectWeb + "ingress: [{from: [{namespaceSelector: {}}]}]"}, ops, web, 80, "", true},
		{"both ends must allow", []string{denyAll, selectWeb + "ingress: [{}]"}, client, web, 80, "", false},
		{"egress rules without policyTypes are for both", []string{"podSelector: {matchLabels: {app: client}}\negress: [{to: [{podSelector: {matchLabels: {app: web}}}]}]"}, ops, client, 80, "", false},
		{"egress to a Pod", []string{"podSelector: {matchLabels: {app: client}}\negress: [{to: [{podSelector: {matchLabels: {app: web}}}]}]"}, client, web, 80, "", true},
		{"egress to others", []string{"podSelector: {matchLabels: {app: client}}\negress: [{to: [{podSelector: {matchLabels: {app: web}}}]}]"}, client, outside, 80, "", false},
		{"egress to a block", []string{"podSelector: {}\npolicyTypes: [Egress]\negress: [{to: [{ipBlock: {cidr: 172.18.0.1/32}}]}]"}, client, outside, 6443, "", true},
		{"policyTypes Egress alone ignores ingress rules", []string{selectWeb + "policyTypes: [Egress]\ningress: [{from: [{podSelector: {matchLabels: {app: none}}}]}]"}, client, web, 80, "", true},
		{"the node's own kubelet", []string{denyAll}, node1, web, 8080, "", true},
		{"the node by its bridge", []string{denyAll}, bridge1, web, 8080, "", true},
		{"another node", []string{denyAll}, node2, web, 8080, "", false},
		{"a Pod of the host's network is not selected", []string{denyAll}, client, node1, 80, "", false},
		{"and no peer of a selector", []string{selectWeb + "ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]"}, node2, web, 80, "", false},
		{"matchExpressions", []string{selectWeb + "ingress: [{from: [{podSelector: {matchExpressions: [{key: app, operator: NotIn, values: [web]}]}}]}]"}, client, web, 80, "", true},
		{"a Pod that has ended does not hold its address", []string{selectWeb + "ingress: [{from: [{namespaceSelector: {matchLabels: {team: ops}}, podSelector: {matchLabels: {app: ended}}}]}]"}, client, web, 80, "", false},
		{"a Pod to itself", []string{denyAll}, web, web, 80, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var policies []any
			for i, text := range c.policies {
				policy := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: strconv.Itoa(i)}}
				if err := yaml.UnmarshalStrict([]byte(text), &policy.Spec); err != nil {
					t.Fatal(err)
				}
				policies = append(policies, policy)
			}
			pods, namespaces, nodes := cluster()
			if c.protocol == "" {
				c.protocol = "tcp"
			}
			f := network.Flow{
				Source:      netip.AddrPortFrom(netip.MustParseAddr(c.from), 40000),
				Destination: netip.AddrPortFrom(netip.MustParseAddr(c.to), c.port), Protocol: c.protocol,
			}
			table := compile(policies, pods, namespaces, nodes)
			// As the nodes ask: first that of the source, then that of the destination.
			atDestination := f
			atDestination.Ingress = true
			if got := allows(table, f) && allows(table, atDestination); got != c.want {
				t.Errorf("allowed %v, want %v", got, c.want)
			}
		})
	}
}
