package policy

import (
	"net/netip"

	"svctour/model"
)

// Table is a Set with the Pods and nodes of a cluster by their addresses, and
// for each Pod the policies that isolate it: what a node asks for every new
// connection. It is immutable.
type Table struct {
	ends     map[netip.Addr]End
	isolated map[*model.Pod]*[2][]*Policy // by Direction
}

// NewTable compiles policies with the Pods and nodes of a snapshot. Pods that
// have ended have no address any more; Pods of the host's network share their
// node's. A node has the addresses of its status and, where a bridge connects
// its Pods, the first one of its podCIDR, from which it talks to them
// (https://www.cni.dev/plugins/current/main/bridge/, isGateway).
func NewTable(s *model.Snapshot) *Table {
	set := New(s.Policies, s.Namespaces)
	t := &Table{ends: map[netip.Addr]End{}, isolated: map[*model.Pod]*[2][]*Policy{}}
	for _, node := range s.Nodes {
		t.addNode(node)
	}
	for _, pod := range s.Pods {
		if pod.HostNetwork || pod.Ended() {
			continue
		}
		for _, ip := range pod.IPs {
			if address, err := netip.ParseAddr(ip); err == nil {
				t.ends[address] = End{Address: address, Pod: pod}
			}
		}
		policies := [2][]*Policy{Ingress: set.Isolating(pod, Ingress), Egress: set.Isolating(pod, Egress)}
		if len(policies[Ingress])+len(policies[Egress]) > 0 {
			t.isolated[pod] = &policies
		}
	}
	return t
}

func (t *Table) addNode(node *model.Node) {
	for _, a := range node.Addresses {
		if address, err := netip.ParseAddr(a.Address); err == nil {
			t.ends[address] = End{Address: address, Node: node.Name}
		}
	}
	for _, cidr := range node.PodCIDRs {
		if b := block(cidr); b.IsValid() {
			bridge := b.Addr().Next()
			t.ends[bridge] = End{Address: bridge, Node: node.Name}
		}
	}
}

// End finds the Pod or node that has an address (core/v1, PodStatus.PodIPs and NodeStatus.Addresses).
func (t *Table) End(address netip.Addr) End {
	if e, is := t.ends[address]; is {
		return e
	}
	return End{Address: address}
}

// Egress says whether the policies of a connection's source let it out; the ends
// come from End (networking/v1 NetworkPolicySpec.egress).
func (t *Table) Egress(c *Connection) Verdict {
	return judge(t.isolating(c.Source.Pod, Egress), Egress, c)
}

// Ingress says whether the policies of a connection's destination let it in; the
// ends come from End (networking/v1 NetworkPolicySpec.ingress).
func (t *Table) Ingress(c *Connection) Verdict {
	return judge(t.isolating(c.Destination.Pod, Ingress), Ingress, c)
}

func (t *Table) isolating(pod *model.Pod, d Direction) []*Policy {
	if policies := t.isolated[pod]; policies != nil {
		return policies[d]
	}
	return nil
}
