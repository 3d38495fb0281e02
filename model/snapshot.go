package model

import (
	"cmp"
	"slices"
	"sort"
	"time"
)

// Snapshot is an immutable picture of the API objects svctour watches. Build
// one with NewSnapshot; readers on any goroutine may share it, and none may
// change what it points to.
//
// Every list is sorted by namespace, then name.
type Snapshot struct {
	// Sequence counts the snapshots of one feed, from 1.
	Sequence uint64 `json:"sequence"`
	// Revision is the newest resourceVersion among the objects, for display only.
	Revision string    `json:"revision,omitempty"`
	Time     time.Time `json:"time"` // when it was built
	Cluster  Cluster   `json:"cluster"`
	Sync     Sync      `json:"sync"`
	Proxy    Proxy     `json:"proxy"`
	DNS      DNS       `json:"dns"`

	Services    []*Service       `json:"services"`
	Slices      []*EndpointSlice `json:"slices"`
	Endpoints   []*Endpoints     `json:"endpoints"`
	Pods        []*Pod           `json:"pods"`
	Nodes       []*Node          `json:"nodes"`
	Namespaces  []*Namespace     `json:"namespaces"`
	Deployments []*Deployment    `json:"deployments"`
	ReplicaSets []*ReplicaSet    `json:"replicaSets"`

	// Read for a diagnosis only.
	Workloads []*Workload      `json:"workloads,omitempty"`
	Policies  []*NetworkPolicy `json:"networkPolicies,omitempty"`
	Events    []*Event         `json:"events,omitempty"`

	// ServiceCIDRs are the ranges that cluster IPs come from (the spec.cidrs of
	// networking.k8s.io/v1 ServiceCIDR objects), as far as they were read.
	ServiceCIDRs []string `json:"serviceCIDRs,omitempty"`

	slicesByService map[string][]*EndpointSlice
	podByIP         map[string]*Pod
}

// Cluster names what a snapshot was read from.
type Cluster struct {
	Context string `json:"context"` // kubeconfig context name
	Server  string `json:"server"`  // API server URL
	Version string `json:"version"` // gitVersion; "" until the server told it
	Lab     bool   `json:"lab,omitempty"`
	// Namespace is set when some resource can be read in this one namespace only:
	// the snapshot then holds no object of another.
	Namespace string `json:"namespace,omitempty"`
}

// Sync says how far the picture can be trusted.
type Sync struct {
	// Synced is true once every readable resource was listed at least once.
	Synced bool `json:"synced"`
	// Missing maps a resource ("pods", "nodes", …) that cannot be read to the
	// reason, in the server's words (typically "forbidden").
	Missing map[string]string `json:"missing,omitempty"`
	// Unwatched are the resources that can be listed but not watched, so that
	// they are some seconds old.
	Unwatched []string `json:"unwatched,omitempty"`
	// Err is the present trouble with the connection, one sentence; "" when live.
	Err string `json:"err,omitempty"`
	// Since is when Err began.
	Since time.Time `json:"since,omitzero"`
}

// Proxy is what is known of the cluster's kube-proxy configuration
// (KubeProxyConfiguration, kubeproxy.config.k8s.io/v1alpha1).
type Proxy struct {
	Mode              string   `json:"mode"` // iptables, nftables, ipvs
	ClusterCIDRs      []string `json:"clusterCIDRs,omitempty"`
	DetectLocalMode   string   `json:"detectLocalMode,omitempty"` // "" means ClusterCIDR
	BridgeInterface   string   `json:"bridgeInterface,omitempty"`
	InterfacePrefix   string   `json:"interfaceNamePrefix,omitempty"`
	MasqueradeAll     bool     `json:"masqueradeAll,omitempty"`
	MasqueradeBit     int32    `json:"masqueradeBit"` // default 14
	NodePortAddresses []string `json:"nodePortAddresses,omitempty"`
	LocalhostNodePort bool     `json:"localhostNodePorts"` // default true
	// Scheduler is how IPVS chooses a real server (ipvs.scheduler); "" means rr, in turn.
	Scheduler string `json:"scheduler,omitempty"`
	// Source says where this was read, for people: `ConfigMap kube-system/kube-proxy` or `kube-proxy's defaults`.
	Source string `json:"source"`
	// Running says whether a kube-proxy Pod was found. When false, rules are
	// what kube-proxy would write.
	Running  bool     `json:"running"`
	Evidence Evidence `json:"evidence"` // of the configuration: Derived when read from the API, Unknown when defaults are assumed
}

// DefaultProxy is kube-proxy v1.37 without any configuration: iptables mode,
// masquerade bit 14, NodePorts on localhost too, no local-traffic detector
// (pkg/proxy/apis/config/v1alpha1/defaults.go).
func DefaultProxy() Proxy {
	return Proxy{Mode: "iptables", MasqueradeBit: 14, LocalhostNodePort: true, Source: "kube-proxy's defaults"}
}

// DNS is what is known of the cluster's DNS, as kubelets hand it to Pods
// (KubeletConfiguration clusterDNS and clusterDomain).
type DNS struct {
	Domain  string   `json:"domain"`  // "cluster.local"
	Servers []string `json:"servers"` // clusterDNS
	// Source says where this was read, for people.
	Source string `json:"source"`
	// Serving is true when a Service holding the first server's address has a ready endpoint.
	Serving bool `json:"serving"`
	// Corefile is what CoreDNS was told; nil when it was not read: then as
	// kubeadm tells it.
	Corefile *Corefile `json:"corefile,omitempty"`
	Evidence Evidence  `json:"evidence"`
}

// Corefile is what of CoreDNS' configuration decides its answers
// (plugin/kubernetes/README.md and plugin/autopath/README.md of CoreDNS v1.15.0).
type Corefile struct {
	Pods             string `json:"pods"` // disabled, insecure or verified
	TTL              uint32 `json:"ttl"`  // seconds
	IgnoreEmpty      bool   `json:"ignoreEmptyService,omitempty"`
	EndpointPodNames bool   `json:"endpointPodNames,omitempty"`
	Autopath         bool   `json:"autopath,omitempty"` // autopath @kubernetes; works with verified Pods only
}

// NewSnapshot sorts the lists of s, builds its indexes and returns it. Objects
// are told apart by kind, namespace and name
// (https://kubernetes.io/docs/concepts/overview/working-with-objects/names/).
// The caller must not touch s or anything it points to afterwards.
func NewSnapshot(s Snapshot) *Snapshot {
	s.Services = ordered(s.Services, func(a, b *Service) int { return a.compare(&b.Meta) })
	s.Slices = ordered(s.Slices, func(a, b *EndpointSlice) int { return a.compare(&b.Meta) })
	s.Endpoints = ordered(s.Endpoints, func(a, b *Endpoints) int { return a.compare(&b.Meta) })
	s.Pods = ordered(s.Pods, func(a, b *Pod) int { return a.compare(&b.Meta) })
	s.Nodes = ordered(s.Nodes, func(a, b *Node) int { return a.compare(&b.Meta) })
	s.Namespaces = ordered(s.Namespaces, func(a, b *Namespace) int { return a.compare(&b.Meta) })
	s.Deployments = ordered(s.Deployments, func(a, b *Deployment) int { return a.compare(&b.Meta) })
	s.ReplicaSets = ordered(s.ReplicaSets, func(a, b *ReplicaSet) int { return a.compare(&b.Meta) })
	s.Policies = ordered(s.Policies, func(a, b *NetworkPolicy) int { return a.compare(&b.Meta) })
	s.Events = ordered(s.Events, func(a, b *Event) int { return a.compare(&b.Meta) })
	s.Workloads = ordered(s.Workloads, func(a, b *Workload) int { return cmp.Or(a.compare(&b.Meta), cmp.Compare(a.Kind, b.Kind)) })

	s.slicesByService = make(map[string][]*EndpointSlice, len(s.Slices))
	for _, slice := range s.Slices {
		if name := slice.Service(); name != "" {
			key := slice.Namespace + "/" + name
			s.slicesByService[key] = append(s.slicesByService[key], slice)
		}
	}
	s.podByIP = make(map[string]*Pod, len(s.Pods))
	for _, pod := range s.Pods {
		if pod.HostNetwork || pod.Ended() {
			continue // their addresses are the node's, or free again
		}
		for _, ip := range pod.IPs {
			s.podByIP[ip] = pod
		}
	}
	return &s
}

// ordered gives a list in order; of objects with one name, which only files
// have, the last stays, as after kubectl apply. The list itself, which several
// snapshots may share, is not written to.
func ordered[T any](list []*T, compare func(a, b *T) int) []*T {
	if strictly(list, compare) {
		return list
	}
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, compare)
	out := sorted[:0]
	for i, o := range sorted {
		if i+1 == len(sorted) || compare(o, sorted[i+1]) != 0 {
			out = append(out, o)
		}
	}
	return out
}

func strictly[T any](list []*T, compare func(a, b *T) int) bool {
	for i := 1; i < len(list); i++ {
		if compare(list[i-1], list[i]) >= 0 {
			return false
		}
	}
	return true
}

// compare orders by namespace and name.
func (m *Meta) compare(other *Meta) int {
	return cmp.Or(cmp.Compare(m.Namespace, other.Namespace), cmp.Compare(m.Name, other.Name))
}

func find[T any](list []T, namespace, name string, meta func(T) *Meta) (found T) {
	i := sort.Search(len(list), func(i int) bool {
		m := meta(list[i])
		return m.Namespace > namespace || m.Namespace == namespace && m.Name >= name
	})
	if i < len(list) {
		if m := meta(list[i]); m.Namespace == namespace && m.Name == name {
			return list[i]
		}
	}
	return found
}

// Service finds a Service by what names it
// (https://kubernetes.io/docs/concepts/overview/working-with-objects/names/);
// nil when there is none.
func (s *Snapshot) Service(namespace, name string) *Service {
	return find(s.Services, namespace, name, func(o *Service) *Meta { return &o.Meta })
}

// Pod finds a Pod by what names it
// (https://kubernetes.io/docs/concepts/overview/working-with-objects/names/);
// nil when there is none.
func (s *Snapshot) Pod(namespace, name string) *Pod {
	return find(s.Pods, namespace, name, func(o *Pod) *Meta { return &o.Meta })
}

// Node finds a Node by what names it
// (https://kubernetes.io/docs/concepts/overview/working-with-objects/names/);
// nil when there is none.
func (s *Snapshot) Node(name string) *Node {
	return find(s.Nodes, "", name, func(o *Node) *Meta { return &o.Meta })
}

// Namespace finds a Namespace by what names it
// (https://kubernetes.io/docs/concepts/overview/working-with-objects/names/);
// nil when there is none.
func (s *Snapshot) Namespace(name string) *Namespace {
	return find(s.Namespaces, "", name, func(o *Namespace) *Meta { return &o.Meta })
}

// Deployment finds a Deployment by what names it
// (https://kubernetes.io/docs/concepts/overview/working-with-objects/names/);
// nil when there is none.
func (s *Snapshot) Deployment(namespace, name string) *Deployment {
	return find(s.Deployments, namespace, name, func(o *Deployment) *Meta { return &o.Meta })
}

// LegacyEndpoints finds the v1 Endpoints object of a Service, which has its name
// (deprecated since v1.33, KEP-4974); nil when there is none.
func (s *Snapshot) LegacyEndpoints(namespace, name string) *Endpoints {
	return find(s.Endpoints, namespace, name, func(o *Endpoints) *Meta { return &o.Meta })
}

// ServiceSlices gives the EndpointSlices that carry a Service's name in their
// label kubernetes.io/service-name (k8s.io/api/discovery/v1, LabelServiceName).
func (s *Snapshot) ServiceSlices(namespace, name string) []*EndpointSlice {
	return s.slicesByService[namespace+"/"+name]
}

// PodByIP finds the live Pod that holds an address (core/v1, PodStatus.PodIPs);
// nil when there is none (hostNetwork Pods share their node's address and are
// not found by it).
func (s *Snapshot) PodByIP(ip string) *Pod { return s.podByIP[ip] }

// NodeByIP finds the Node that has an address among status.addresses
// (k8s.io/api/core/v1, NodeAddress); nil when there is none.
func (s *Snapshot) NodeByIP(ip string) *Node {
	for _, node := range s.Nodes {
		for _, a := range node.Addresses {
			if a.Address == ip {
				return node
			}
		}
	}
	return nil
}

// PodsIn gives the Pods of one namespace
// (https://kubernetes.io/docs/concepts/overview/working-with-objects/namespaces/).
func (s *Snapshot) PodsIn(namespace string) []*Pod {
	lo := sort.Search(len(s.Pods), func(i int) bool { return s.Pods[i].Namespace >= namespace })
	hi := sort.Search(len(s.Pods), func(i int) bool { return s.Pods[i].Namespace > namespace })
	return s.Pods[lo:hi]
}
