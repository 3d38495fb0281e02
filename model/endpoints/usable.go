package endpoints

import "slices"

// Usable says which endpoints a Service's port uses on one node. The lists are
// in the order of the endpoints' texts.
type Usable struct {
	Cluster []*Endpoint // under traffic policy Cluster; none when no traffic is under it
	Local   []*Endpoint // under traffic policy Local, likewise
	All     []*Endpoint // both, each endpoint once
	Any     bool        // some node of the cluster has a usable endpoint
	Hints   Hints       // the topology hints that chose among the ready ones
}

// Hints are the topology hints that kube-proxy follows.
type Hints string

// The kinds of hints (KEP-3015, KEP-2433).
const (
	NoHints   Hints = ""
	NodeHints Hints = "node"
	ZoneHints Hints = "zone"
)

// Categorize says which of a port's endpoints are usable on a node in a zone:
// the ready ones, or, where there is none, those that are terminating and still
// serve. cluster and local say whether some of the port's traffic is under that
// policy (pkg/proxy/topology.go, CategorizeEndpoints).
func Categorize(endpoints []Endpoint, cluster, local bool, node, zone string) Usable {
	var u Usable
	if len(endpoints) == 0 {
		return u
	}
	if cluster {
		u.Hints = hints(endpoints, node, zone)
		u.Cluster = filter(endpoints, func(e *Endpoint) bool { return e.Ready && u.Hints.allow(e, node, zone) })
		if len(u.Cluster) == 0 {
			u.Cluster = filter(endpoints, (*Endpoint).Fallback)
		}
		u.Any = len(u.Cluster) > 0
	}
	if !local {
		u.All = u.Cluster
		return u
	}
	for i := range endpoints {
		u.Any = u.Any || endpoints[i].Ready || endpoints[i].Fallback()
	}
	u.Local = filter(endpoints, func(e *Endpoint) bool { return e.Local && e.Ready })
	if len(u.Local) == 0 {
		u.Local = filter(endpoints, func(e *Endpoint) bool { return e.Local && e.Fallback() })
	}
	u.All = union(u.Cluster, u.Local)
	return u
}

// hints says which topology hints are followed: all ready endpoints must have
// them, and one of them must be for this node or zone
// (pkg/proxy/topology.go, topologyModeFromHints).
func hints(endpoints []Endpoint, node, zone string) Hints {
	ready, toNodes, toZones := false, true, true // every ready endpoint has such hints
	thisNode, thisZone := false, false           // one has this node or zone
	for i := range endpoints {
		if e := &endpoints[i]; e.Ready {
			ready = true
			toNodes, toZones = toNodes && len(e.Nodes) > 0, toZones && len(e.Zones) > 0
			thisNode, thisZone = thisNode || slices.Contains(e.Nodes, node), thisZone || slices.Contains(e.Zones, zone)
		}
	}
	switch {
	case ready && toNodes && thisNode:
		return NodeHints
	case ready && toZones && thisZone:
		return ZoneHints
	}
	return NoHints
}

// allow says whether the hints let a node in a zone use an endpoint.
func (h Hints) allow(e *Endpoint, node, zone string) bool {
	switch h {
	case NodeHints:
		return slices.Contains(e.Nodes, node)
	case ZoneHints:
		return slices.Contains(e.Zones, zone)
	}
	return true
}

func filter(endpoints []Endpoint, keep func(*Endpoint) bool) []*Endpoint {
	var out []*Endpoint
	for i := range endpoints {
		if keep(&endpoints[i]) {
			out = append(out, &endpoints[i])
		}
	}
	return out
}

// union merges two ordered lists of the same endpoints.
func union(a, b []*Endpoint) []*Endpoint {
	if len(b) == 0 {
		return a
	}
	out := make([]*Endpoint, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0] == b[0]:
			out, a, b = append(out, a[0]), a[1:], b[1:]
		case a[0].Text < b[0].Text:
			out, a = append(out, a[0]), a[1:]
		default:
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
}
