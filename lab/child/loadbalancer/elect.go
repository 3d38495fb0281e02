package loadbalancer

import (
	"crypto/sha256"
	"encoding/binary"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
)

// elect says which node announces each address of the pool that a Service's
// status has. A node must be Ready and not labelled for exclusion; with
// externalTrafficPolicy Local it must have an endpoint of the Service too. An
// address without such a node is not announced. Among several the choice
// depends on nothing but the address and the nodes, and spreads addresses
// over nodes (MetalLB's internal/speaker/layer2_controller.go).
func elect(pool *Pool, services []*corev1.Service, nodes []*corev1.Node, slices []*discoveryv1.EndpointSlice) map[netip.Addr]string {
	local := endpointNodes(slices)
	elected := map[netip.Addr]string{}
	for _, service := range services {
		if service.Spec.Type != corev1.ServiceTypeLoadBalancer || service.Spec.LoadBalancerClass != nil {
			continue
		}
		for _, ingress := range service.Status.LoadBalancer.Ingress {
			address, err := netip.ParseAddr(ingress.IP)
			if err != nil || !pool.Contains(address) {
				continue
			}
			best := ""
			for _, node := range nodes {
				if !announces(node) {
					continue
				}
				if service.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal &&
					!local[types.NamespacedName{Namespace: service.Namespace, Name: service.Name}][node.Name] {
					continue
				}
				if best == "" || before(node.Name, best, address) {
					best = node.Name
				}
			}
			if best != "" {
				elected[address] = best
			}
		}
	}
	return elected
}

// before orders nodes for an address, each address in its own way.
func before(a, b string, address netip.Addr) bool {
	x, y := rank(a, address), rank(b, address)
	return x < y || x == y && a < b
}

func rank(node string, address netip.Addr) uint64 {
	sum := sha256.Sum256([]byte(node + "#" + address.String()))
	return binary.BigEndian.Uint64(sum[:])
}

func announces(node *corev1.Node) bool {
	if _, excluded := node.Labels[corev1.LabelNodeExcludeBalancers]; excluded {
		return false
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// endpointNodes are the nodes with an endpoint that kube-proxy sends local
// traffic to: a ready one, or, on a node without any, one that is terminating
// but still serving (KEP-1669).
func endpointNodes(slices []*discoveryv1.EndpointSlice) map[types.NamespacedName]map[string]bool {
	out := map[types.NamespacedName]map[string]bool{}
	for _, slice := range slices {
		service := types.NamespacedName{Namespace: slice.Namespace, Name: slice.Labels[discoveryv1.LabelServiceName]}
		if service.Name == "" || slice.AddressType != discoveryv1.AddressTypeIPv4 {
			continue
		}
		for _, endpoint := range slice.Endpoints {
			if endpoint.NodeName == nil || !ready(endpoint.Conditions) {
				continue
			}
			if out[service] == nil {
				out[service] = map[string]bool{}
			}
			out[service][*endpoint.NodeName] = true
		}
	}
	return out
}

func ready(c discoveryv1.EndpointConditions) bool {
	isReady := c.Ready == nil || *c.Ready // unknown counts as ready, see the API
	serving := c.Serving != nil && *c.Serving
	return isReady || serving
}
