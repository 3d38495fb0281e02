package path

import (
	"maps"
	"slices"
)

// excludedLabel keeps a node out of load balancers (core/v1, LabelNodeExcludeBalancers).
const excludedLabel = "node.kubernetes.io/exclude-from-external-load-balancers"

// enter moves a client's packet from outside to the node where it comes in: the
// one that has the address, else one that the load balancer would choose.
func (q *query) enter() {
	if !q.outside {
		return
	}
	if node := q.nodeOf(q.address); node != "" {
		q.node = node
		return
	}
	if slices.Contains(vipsOf(q.service, FamilyOf(q.address)), q.address) {
		q.node = q.entrance()
	}
}

// entrance is a node to which a load balancer sends the Service's traffic: a
// Ready one that is not excluded and, with externalTrafficPolicy Local, has an
// endpoint, so that healthCheckNodePort answers 200 there (cloud-provider
// controllers/service, stableNodeSetPredicates; pkg/proxy/healthcheck). A node
// without any serves when there is no other.
func (q *query) entrance() string {
	local := q.service.ExternalTrafficPolicy == "Local"
	ranks := q.endpointNodes()
	best, most := "", 0
	for _, node := range q.snapshot.Nodes {
		if _, excluded := node.Labels[excludedLabel]; excluded || !node.Ready() {
			continue
		}
		rank := 1
		if local {
			rank = ranks[node.Name]
		}
		if rank > most {
			best, most = node.Name, rank
		}
	}
	if best == "" && local && len(q.snapshot.Nodes) == 0 { // they cannot be read
		for _, node := range slices.Sorted(maps.Keys(ranks)) {
			if ranks[node] > most {
				best, most = node, ranks[node]
			}
		}
	}
	if best == "" {
		return q.firstNode()
	}
	return best
}

// endpointNodes are the nodes with an endpoint of the Service that local
// traffic uses: 2 for a ready one, which health checks ask for, 1 for one that is
// terminating and still serving (KEP-1669).
func (q *query) endpointNodes() map[string]int {
	ranks := map[string]int{}
	for _, slice := range q.snapshot.ServiceSlices(q.service.Namespace, q.service.Name) {
		for i := range slice.Endpoints {
			e := &slice.Endpoints[i]
			switch {
			case e.Node == "":
			case e.IsReady():
				ranks[e.Node] = 2
			case e.IsServing() && e.IsTerminating():
				ranks[e.Node] = max(ranks[e.Node], 1)
			}
		}
	}
	return ranks
}
