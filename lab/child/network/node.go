package network

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"svctour/lab/child/process"
	"svctour/model/path"
)

// Flow is a new connection between Pods, or between a Pod and something else,
// as a NetworkPolicy sees it: with the addresses of Pods, not of Services.
type Flow struct {
	Source, Destination netip.AddrPort
	Protocol            string // tcp, udp, icmp
	Ingress             bool   // on the destination's node; else egress on the source's
}

// Policy says whether a new connection may be.
type Policy func(Flow) bool

// Node is a node of the cluster: its own stack, its Pods' stacks, and the
// router between them and the nodes' network. It implements process.Kernel.
type Node struct {
	NodeSpec
	network *Network
	stack   *Stack
	bridge  netip.Addr // cni0's
	now     func() time.Time

	mu          sync.Mutex
	pods        map[netip.Addr]*Stack
	policy      Policy
	program     *path.Program // kube-proxy's
	hostPorts   []hostPorts
	rules       *ruleset // of both
	programmed  bool     // a program was installed
	left        Counter  // of leavingRule
	recent      map[string]map[netip.Addr]time.Time
	connections map[tuple]*entry // by both tuples
	fragments   fragments
}

var _ process.Kernel = (*Node)(nil)

func newNode(n *Network, spec NodeSpec) (*Node, error) {
	if !spec.Address.Is4() || !spec.Pods.IsValid() || !spec.Pods.Addr().Is4() {
		return nil, fmt.Errorf("address %s and podCIDR %s must be IPv4", spec.Address, spec.Pods)
	}
	spec.Pods = spec.Pods.Masked()
	node := &Node{
		NodeSpec: spec, network: n, bridge: spec.Pods.Addr().Next(), now: time.Now,
		pods: map[netip.Addr]*Stack{}, rules: newRuleset(nil),
		recent: map[string]map[netip.Addr]time.Time{}, connections: map[tuple]*entry{}, fragments: fragments{},
	}
	stack, err := newStack(n, stackOptions{
		name: spec.Name, addresses: []netip.Prefix{netip.PrefixFrom(spec.Address, wireBits)}, gateway: n.wire.Addr(),
		bridge: netip.PrefixFrom(node.bridge, spec.Pods.Bits()), whole: true, out: node.send,
	})
	if err != nil {
		return nil, err
	}
	node.stack = stack
	return node, nil
}

// Stack is the node's own network.
func (n *Node) Stack() *Stack { return n.stack }

// Attach makes a Pod's network with an address of the node's podCIDR, to which
// ports of the node lead. Its Close detaches it; packets for it are lost then.
func (n *Node) Attach(address netip.Addr, name string, ports ...HostPort) (*Stack, error) {
	if !n.Pods.Contains(address) || address == n.bridge || address == n.Pods.Addr() {
		return nil, fmt.Errorf("attach %q: %s is no Pod address of %s", name, address, n.Pods)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.network.life.Err() != nil {
		return nil, errClosed
	}
	if other := n.pods[address]; other != nil && other.link.life.Err() == nil {
		return nil, fmt.Errorf("attach %q: %s belongs to %q", name, address, other.options.name)
	}
	stack, err := newStack(n.network, stackOptions{
		name: name, addresses: []netip.Prefix{netip.PrefixFrom(address, n.Pods.Bits())}, gateway: n.bridge,
		out: func(p *packet) { n.receive(p, "cni0") },
	})
	if err != nil {
		return nil, fmt.Errorf("attach %q: %w", name, err)
	}
	n.pods[address] = stack
	if len(ports) > 0 {
		n.hostPorts = append(n.hostPorts, hostPorts{stack, name, address, ports})
		n.compile()
	}
	context.AfterFunc(stack.link.life, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.pods[address] == stack {
			delete(n.pods, address)
		}
		if len(ports) > 0 {
			n.hostPorts = slices.DeleteFunc(n.hostPorts, func(of hostPorts) bool { return of.stack == stack })
			n.compile()
		}
	})
	return stack, nil
}

func (n *Node) stacks() []*Stack {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := []*Stack{n.stack}
	for _, s := range n.pods {
		out = append(out, s)
	}
	return out
}

// SetPolicy installs what decides over new connections of the node's Pods; nil
// lets everything pass. Answers, and what the node itself sends to its own
// Pods, always pass.
func (n *Node) SetPolicy(policy Policy) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.policy = policy
}

// Install makes program the node's rules, all at once; nil removes them.
// Counters stay where a chain's rules are the same, except those of the chains
// that kube-proxy writes again in every sync.
func (n *Node) Install(program *path.Program) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.program, n.programmed = program, true
	n.compile()
}

// compile makes the rules from scratch. The caller has locked n.
func (n *Node) compile() {
	rules := newRuleset(n.withHostPorts(n.program))
	rules.keep(n.rules)
	n.rules = rules
}

// Programmed says whether the node has ever been given rules.
func (n *Node) Programmed() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.programmed
}

// local is -m addrtype LOCAL.
func (n *Node) local(address netip.Addr) bool {
	return address.IsLoopback() || address == n.Address || address == n.bridge
}
