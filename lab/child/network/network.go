// Package network is the lab's network: a TCP/IP stack of its own for every
// Pod, node and host outside of the cluster, and between them, on every node, a
// router that does what Linux' netfilter does there with the rules that
// kube-proxy writes. It needs neither root nor an interface of this machine.
//
// The stacks are gVisor's: sockets, TCP, UDP and ICMP are its. The router is
// ours, because it has to be netfilter's: marks, conntrack with both kinds of
// translation in one connection, random choices, affinity lists and REJECT are
// not in gVisor's own iptables. It executes a path.Program, packet by packet,
// so that what is drawn is what moves packets.
package network

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"
)

// NodeSpec is one node of a network.
type NodeSpec struct {
	Name    string
	Address netip.Addr   // on the nodes' network
	Pods    netip.Prefix // its podCIDR; the first address is the bridge's
}

// Options say what a network looks like.
type Options struct {
	Nodes []NodeSpec
	// Gateway is a host outside of the cluster, on the nodes' network, and the
	// nodes' default route. It forwards nothing: what leaves is lost.
	Gateway netip.Addr // required
	// Pods is the range of all podCIDRs, for the rule that masquerades what
	// leaves it to be printed.
	Pods netip.Prefix
	// Random decides probabilities, ports and numbers; nil takes a random one.
	Random rand.Source
}

// wireBits is the length of the nodes' network's prefix.
const wireBits = 24

// Network is the lab's network. Close ends it.
type Network struct {
	life   context.Context
	cancel context.CancelFunc
	wait   sync.WaitGroup
	random random
	pods   netip.Prefix
	wire   netip.Prefix // the nodes' network, with the gateway's address

	mu      sync.RWMutex
	nodes   map[string]*Node
	byPods  []*Node // in the order of Options; never changes
	hosts   map[netip.Addr]*host
	routes  map[netip.Addr]*Node // announced addresses
	gateway *host
}

// host is a machine outside of the cluster: it has no rules.
type host struct {
	stack   *Stack
	network *Network
}

// New makes a network of nodes, and a gateway.
func New(options Options) (*Network, error) {
	source := options.Random
	if source == nil {
		source = rand.NewPCG(rand.Uint64(), rand.Uint64())
	}
	life, cancel := context.WithCancel(context.Background())
	n := &Network{
		life: life, cancel: cancel, pods: options.Pods, wire: netip.PrefixFrom(options.Gateway, wireBits), random: &lockedRandom{rand: rand.New(source)},
		nodes: map[string]*Node{}, hosts: map[netip.Addr]*host{}, routes: map[netip.Addr]*Node{},
	}
	for _, spec := range options.Nodes {
		node, err := newNode(n, spec)
		if err != nil {
			n.Close()
			return nil, fmt.Errorf("make node %q: %w", spec.Name, err)
		}
		n.nodes[spec.Name] = node
		n.byPods = append(n.byPods, node)
	}
	if _, err := n.Host(options.Gateway); err != nil {
		n.Close()
		return nil, fmt.Errorf("make the gateway: %w", err)
	}
	n.gateway = n.hosts[options.Gateway]
	n.wait.Go(n.sweep)
	return n, nil
}

// Node is a node by its name, nil if there is none.
func (n *Network) Node(name string) *Node {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.nodes[name]
}

// Outside is the gateway: a host on the nodes' network that is no node. Pods
// and Services are not reachable from there, nodes and announced addresses are.
func (n *Network) Outside() *Stack { return n.gateway.stack }

// Host is the host outside of the cluster with an address on the nodes'
// network, made if need be.
func (n *Network) Host(address netip.Addr) (*Stack, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.life.Err() != nil {
		return nil, errClosed
	}
	if h := n.hosts[address]; h != nil {
		return h.stack, nil
	}
	for _, node := range n.byPods {
		if node.Address == address {
			return nil, fmt.Errorf("%s is node %q", address, node.Name)
		}
	}
	h := &host{network: n}
	stack, err := newStack(n, stackOptions{name: "host " + address.String(), addresses: []netip.Prefix{netip.PrefixFrom(address, wireBits)}, out: h.send})
	if err != nil {
		return nil, err
	}
	h.stack = stack
	n.hosts[address] = h
	return stack, nil
}

// Route announces an address: packets for it that reach the nodes' network go
// to node, as an L2 load balancer or an external router would have them. A nil
// node withdraws it.
func (n *Network) Route(address netip.Addr, node *Node) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if node == nil {
		delete(n.routes, address)
		return
	}
	n.routes[address] = node
}

// Close ends every stack; connections break and nothing is left running.
func (n *Network) Close() {
	n.cancel()
	n.mu.RLock()
	var stacks []*Stack
	for _, h := range n.hosts {
		stacks = append(stacks, h.stack)
	}
	for _, node := range n.byPods {
		stacks = append(stacks, node.stacks()...)
	}
	n.mu.RUnlock()
	for _, s := range stacks {
		s.Close()
	}
	n.wait.Wait()
}

var errClosed = errors.New("the network is closed")

// send is what a host outside does with its own packets.
func (h *host) send(p *packet) {
	if h.network.onWire(p) {
		return
	}
	code := byte(icmpNetUnreachable)
	if h.network.wire.Contains(p.destination()) {
		code = icmpHostUnreach
	}
	h.stack.unreachable(p, code, p.destination())
}

// onWire brings a host's packet to the one that has its destination on the nodes'
// network, and is false if none has. Hosts have no route to Pods.
func (n *Network) onWire(p *packet) bool {
	n.mu.RLock()
	target := n.routes[p.destination()]
	if target == nil {
		for _, node := range n.byPods {
			if node.Address == p.destination() {
				target = node
				break
			}
		}
	}
	host := n.hosts[p.destination()]
	n.mu.RUnlock()
	switch {
	case target != nil:
		target.receive(p, "eth0")
	case host != nil:
		host.stack.deliver(p)
	default:
		return false
	}
	return true
}

// isPod says whether an address is in the podCIDR of a node.
func (n *Network) isPod(address netip.Addr) bool {
	for _, node := range n.byPods {
		if node.Pods.Contains(address) {
			return true
		}
	}
	return false
}

// leavingRule is the network plugin's own rule, after kube-proxy's: what leaves
// the cluster comes from the node's address, as no other host has a route to
// Pods (kindnet's and flannel's ip-masq do the same).
const leavingRule = `-s %s ! -d %s -o eth0 -m comment --comment "masquerade what leaves the cluster" -j MASQUERADE`

func (n *Network) leavesCluster(p *packet) bool {
	return n.isPod(p.source()) && !n.isPod(p.destination())
}

// sweepEvery is how often what has timed out is forgotten.
const sweepEvery = 10 * time.Second

func (n *Network) sweep() {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-n.life.Done():
			return
		case now := <-tick.C:
			for _, node := range n.byPods {
				node.sweep(now)
			}
		}
	}
}

// random is what decides by chance.
type random interface {
	chance(p float64) bool // true with probability p
	below(n int) int       // from 0 to n-1
}

// lockedRandom may be used from everywhere.
type lockedRandom struct {
	mu   sync.Mutex
	rand *rand.Rand
}

func (r *lockedRandom) chance(p float64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rand.Float64() < p
}

func (r *lockedRandom) below(n int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rand.IntN(n)
}
