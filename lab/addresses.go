package lab

import (
	"fmt"
	"net/netip"
)

// The lab's addresses are those of a kind cluster made by kubeadm.
const (
	PodCIDR                  = "10.244.0.0/16"
	ServiceCIDR              = "10.96.0.0/16"
	KubernetesServiceAddress = "10.96.0.1"
	ClusterDNSAddress        = "10.96.0.10"
	ClusterDomain            = "cluster.local"
	// GatewayAddress is this machine, as the nodes see it; the API server is
	// at its port 6443 for them, as kubeadm would have it.
	GatewayAddress = "172.18.0.1"
	APIServerPort  = 6443
	// MaxNodes is how many nodes have an address.
	MaxNodes = 100
)

// NodeName is the name of the node with index i, from 0.
func NodeName(i int) string { return fmt.Sprintf("node-%d", i+1) }

// NodeAddress is the InternalIP of the node with index i, from 0.
func NodeAddress(i int) netip.Addr { return netip.AddrFrom4([4]byte{172, 18, 0, byte(i + 2)}) }

// NodePodCIDR is the /24 from which the Pods of node i get their addresses.
func NodePodCIDR(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 244, byte(i), 0}), 24)
}
