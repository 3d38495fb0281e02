package model

import "time"

// Meta is the part of ObjectMeta that svctour reads.
type Meta struct {
	Namespace       string            `json:"namespace,omitempty"`
	Name            string            `json:"name"`
	UID             string            `json:"uid"`
	ResourceVersion string            `json:"resourceVersion"`
	Generation      int64             `json:"generation,omitempty"`
	Labels          map[string]string `json:"labels,omitempty"`
	Annotations     map[string]string `json:"annotations,omitempty"`
	Owners          []Owner           `json:"owners,omitempty"`
	Created         time.Time         `json:"created"`
	// Deleting is the deletionTimestamp; zero when the object is not being deleted.
	Deleting time.Time `json:"deleting,omitzero"`
}

// Key is "namespace/name", or the name alone for a cluster-scoped object, as
// client-go writes it (tools/cache/store.go, MetaNamespaceKeyFunc).
func (m Meta) Key() string {
	if m.Namespace == "" {
		return m.Name
	}
	return m.Namespace + "/" + m.Name
}

// Terminating says whether the object has a deletionTimestamp: it goes when its
// finalizers are done and its grace period is over (meta/v1,
// ObjectMeta.DeletionTimestamp).
func (m Meta) Terminating() bool { return !m.Deleting.IsZero() }

// Owner is one ownerReference.
type Owner struct {
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	UID        string `json:"uid"`
	Controller bool   `json:"controller,omitempty"`
}

// Service types (core/v1 ServiceType).
const (
	ClusterIP    = "ClusterIP"
	NodePort     = "NodePort"
	LoadBalancer = "LoadBalancer"
	ExternalName = "ExternalName"
)

// None is the clusterIP of a headless Service.
const None = "None"

// Service is a core/v1 Service.
type Service struct {
	Meta
	Type                  string            `json:"type"`
	Selector              map[string]string `json:"selector,omitempty"`
	ClusterIPs            []string          `json:"clusterIPs,omitempty"`
	IPFamilies            []string          `json:"ipFamilies,omitempty"` // "IPv4", "IPv6"
	IPFamilyPolicy        string            `json:"ipFamilyPolicy,omitempty"`
	Ports                 []ServicePort     `json:"ports,omitempty"`
	ExternalIPs           []string          `json:"externalIPs,omitempty"`
	ExternalName          string            `json:"externalName,omitempty"`
	InternalTrafficPolicy string            `json:"internalTrafficPolicy,omitempty"` // "" means Cluster
	ExternalTrafficPolicy string            `json:"externalTrafficPolicy,omitempty"` // "" means Cluster
	TrafficDistribution   string            `json:"trafficDistribution,omitempty"`
	SessionAffinity       string            `json:"sessionAffinity,omitempty"`     // "None" or "ClientIP"
	AffinitySeconds       int32             `json:"affinitySeconds,omitempty"`     // with ClientIP; 0 means unset
	HealthCheckNodePort   int32             `json:"healthCheckNodePort,omitempty"` // 0 means none
	LoadBalancerClass     string            `json:"loadBalancerClass,omitempty"`   // "" means unset
	SourceRanges          []string          `json:"loadBalancerSourceRanges,omitempty"`
	AllocateNodePorts     *bool             `json:"allocateLoadBalancerNodePorts,omitempty"`
	PublishNotReady       bool              `json:"publishNotReadyAddresses,omitempty"`
	Ingress               []Ingress         `json:"ingress,omitempty"` // status.loadBalancer.ingress
}

// ClusterIP gives the primary cluster IP, "" when none is assigned: the first of
// spec.clusterIPs (KEP-563, dual-stack).
func (s *Service) ClusterIP() string {
	if len(s.ClusterIPs) == 0 {
		return ""
	}
	return s.ClusterIPs[0]
}

// Headless says whether the Service asked for no cluster IP (clusterIP: None;
// pkg/apis/core/v1/helper, IsServiceIPSet).
func (s *Service) Headless() bool { return s.Type != ExternalName && s.ClusterIP() == None }

// ServicePort is one element of spec.ports.
type ServicePort struct {
	Name        string `json:"name,omitempty"`
	Protocol    string `json:"protocol"` // TCP, UDP, SCTP
	Port        int32  `json:"port"`
	TargetPort  string `json:"targetPort,omitempty"` // a number in decimal, or a port name
	NodePort    int32  `json:"nodePort,omitempty"`   // 0 means none
	AppProtocol string `json:"appProtocol,omitempty"`
}

// Ingress is one element of status.loadBalancer.ingress.
type Ingress struct {
	IP       string `json:"ip,omitempty"`
	Hostname string `json:"hostname,omitempty"`
	IPMode   string `json:"ipMode,omitempty"` // "VIP", "Proxy"; "" means VIP
}

// ServiceNameLabel joins an EndpointSlice to its Service (discovery/v1 LabelServiceName).
const ServiceNameLabel = "kubernetes.io/service-name"

// EndpointSlice is a discovery/v1 EndpointSlice.
type EndpointSlice struct {
	Meta
	AddressType string         `json:"addressType"` // IPv4, IPv6, FQDN
	Ports       []EndpointPort `json:"ports,omitempty"`
	Endpoints   []Endpoint     `json:"endpoints,omitempty"`
}

// Service is the name of the Service the slice belongs to, from its label
// kubernetes.io/service-name (KEP-752); "" when it has none.
func (s *EndpointSlice) Service() string { return s.Labels[ServiceNameLabel] }

// EndpointPort is one element of a slice's ports.
type EndpointPort struct {
	Name        string `json:"name,omitempty"`
	Protocol    string `json:"protocol"`       // nil in the API means TCP; stored as "TCP"
	Port        *int32 `json:"port,omitempty"` // nil: kube-proxy skips the entry
	AppProtocol string `json:"appProtocol,omitempty"`
}

// Endpoint is one endpoint of a slice. Nil conditions mean what discovery/v1
// says of them: ready and serving true, terminating false.
type Endpoint struct {
	Addresses   []string `json:"addresses"`
	Ready       *bool    `json:"ready,omitempty"`
	Serving     *bool    `json:"serving,omitempty"`
	Terminating *bool    `json:"terminating,omitempty"`
	Hostname    string   `json:"hostname,omitempty"`
	Node        string   `json:"nodeName,omitempty"`
	Zone        string   `json:"zone,omitempty"`
	Target      *Ref     `json:"targetRef,omitempty"`
	ForZones    []string `json:"forZones,omitempty"`
	ForNodes    []string `json:"forNodes,omitempty"`
}

// Ref names another object.
type Ref struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	UID       string `json:"uid,omitempty"`
}

// IsReady is the ready condition with its default (discovery/v1, EndpointConditions).
func (e *Endpoint) IsReady() bool { return e.Ready == nil || *e.Ready }

// IsServing is the serving condition with its default (discovery/v1; KEP-1672).
func (e *Endpoint) IsServing() bool { return e.Serving == nil || *e.Serving }

// IsTerminating is the terminating condition with its default (discovery/v1; KEP-1672).
func (e *Endpoint) IsTerminating() bool { return e.Terminating != nil && *e.Terminating }

// Endpoints is the deprecated core/v1 Endpoints object: shown, never a source of truth.
type Endpoints struct {
	Meta
	Subsets []EndpointSubset `json:"subsets,omitempty"`
}

// EndpointSubset is one subset of an Endpoints object.
type EndpointSubset struct {
	Ready    []string       `json:"ready,omitempty"`
	NotReady []string       `json:"notReady,omitempty"`
	Ports    []EndpointPort `json:"ports,omitempty"`
}

// Pod is a core/v1 Pod.
type Pod struct {
	Meta
	Node        string `json:"nodeName,omitempty"`
	HostNetwork bool   `json:"hostNetwork,omitempty"`
	// ServiceLinks is spec.enableServiceLinks: variables tell of the Services.
	ServiceLinks bool     `json:"enableServiceLinks"`
	Phase        string   `json:"phase"`
	Reason       string   `json:"reason,omitempty"`
	Message      string   `json:"message,omitempty"`
	IPs          []string `json:"ips,omitempty"`
	HostIP       string   `json:"hostIP,omitempty"`
	Hostname     string   `json:"hostname,omitempty"`
	Subdomain    string   `json:"subdomain,omitempty"`
	DNSPolicy    string   `json:"dnsPolicy,omitempty"`
	DNS          *PodDNS  `json:"dnsConfig,omitempty"`
	// HostAliases are more lines of the Pod's /etc/hosts.
	HostAliases []HostAlias `json:"hostAliases,omitempty"`
	// Conditions are status.conditions, without PodScheduled,
	// PodReadyToStartContainers, Initialized and ContainersReady where they are
	// True.
	Conditions     []Condition `json:"conditions,omitempty"`
	InitContainers []Container `json:"initContainers,omitempty"`
	Containers     []Container `json:"containers,omitempty"`
	ReadinessGates []string    `json:"readinessGates,omitempty"`
}

// IP is the primary Pod IP, "" before one is assigned: the first of
// status.podIPs (KEP-563).
func (p *Pod) IP() string {
	if len(p.IPs) == 0 {
		return ""
	}
	return p.IPs[0]
}

// Ready says whether the Pod's Ready condition is True (pkg/api/v1/pod, IsPodReady).
func (p *Pod) Ready() bool { return conditionTrue(p.Conditions, "Ready") }

// Ended says whether the Pod's phase is Succeeded or Failed: its containers will
// not run again (pkg/api/v1/pod, IsPodTerminal).
func (p *Pod) Ended() bool { return p.Phase == "Succeeded" || p.Phase == "Failed" }

// HostAlias is one element of spec.hostAliases.
type HostAlias struct {
	IP        string   `json:"ip"`
	Hostnames []string `json:"hostnames,omitempty"`
}

// PodDNS is spec.dnsConfig.
type PodDNS struct {
	Nameservers []string    `json:"nameservers,omitempty"`
	Searches    []string    `json:"searches,omitempty"`
	Options     []DNSOption `json:"options,omitempty"`
}

// DNSOption is one resolv.conf option; Value is "" for a flag.
type DNSOption struct {
	Name  string `json:"name"`
	Value string `json:"value,omitempty"`
}

// Container joins spec and status of one container.
type Container struct {
	Name     string          `json:"name"`
	Image    string          `json:"image"`
	Ports    []ContainerPort `json:"ports,omitempty"`
	Sidecar  bool            `json:"sidecar,omitempty"` // init container with restartPolicy Always
	Ready    bool            `json:"ready"`
	Restarts int32           `json:"restarts,omitempty"`
	State    string          `json:"state,omitempty"`  // waiting, running, terminated; "" when unknown
	Reason   string          `json:"reason,omitempty"` // of the waiting or terminated state
	Message  string          `json:"message,omitempty"`
	ExitCode int32           `json:"exitCode,omitempty"`
	// LastReason and LastExitCode are of the run before, "" when there was none.
	LastReason   string `json:"lastReason,omitempty"`
	LastExitCode int32  `json:"lastExitCode,omitempty"`

	// Command is command and args; EnvNames are the variables that the spec sets.
	Command   []string `json:"command,omitempty"`
	EnvNames  []string `json:"envNames,omitempty"`
	Readiness *Probe   `json:"readinessProbe,omitempty"`
	Liveness  *Probe   `json:"livenessProbe,omitempty"`
	Startup   *Probe   `json:"startupProbe,omitempty"`
}

// ContainerPort is one declared container port.
type ContainerPort struct {
	Name     string `json:"name,omitempty"`
	Port     int32  `json:"port"`
	Protocol string `json:"protocol"`
}

// Condition is one status condition of any object.
type Condition struct {
	Type    string    `json:"type"`
	Status  string    `json:"status"` // True, False, Unknown
	Reason  string    `json:"reason,omitempty"`
	Message string    `json:"message,omitempty"`
	Since   time.Time `json:"since,omitzero"` // lastTransitionTime
}

func conditionTrue(conditions []Condition, kind string) bool {
	for i := range conditions {
		if conditions[i].Type == kind {
			return conditions[i].Status == "True"
		}
	}
	return false
}

// Node is a core/v1 Node.
type Node struct {
	Meta
	Addresses     []NodeAddress `json:"addresses,omitempty"`
	PodCIDRs      []string      `json:"podCIDRs,omitempty"`
	Conditions    []Condition   `json:"conditions,omitempty"`
	Unschedulable bool          `json:"unschedulable,omitempty"`
	Kubelet       string        `json:"kubeletVersion,omitempty"`
}

// NodeAddress is one element of status.addresses.
type NodeAddress struct {
	Type    string `json:"type"` // InternalIP, ExternalIP, Hostname, …
	Address string `json:"address"`
}

// Ready says whether the Node's Ready condition is True (core/v1, NodeReady).
func (n *Node) Ready() bool { return conditionTrue(n.Conditions, "Ready") }

// Zone is the node's topology.kubernetes.io/zone label (core/v1,
// well_known_labels.go, LabelTopologyZone).
func (n *Node) Zone() string { return n.Labels["topology.kubernetes.io/zone"] }

// InternalIP is the first InternalIP address, "" when there is none (core/v1,
// NodeAddressType).
func (n *Node) InternalIP() string {
	for _, a := range n.Addresses {
		if a.Type == "InternalIP" {
			return a.Address
		}
	}
	return ""
}

// Namespace is a core/v1 Namespace.
type Namespace struct {
	Meta
	Phase string `json:"phase"`
}

// Deployment is an apps/v1 Deployment.
type Deployment struct {
	Meta
	Selector       map[string]string `json:"selector,omitempty"` // matchLabels
	TemplateLabels map[string]string `json:"templateLabels,omitempty"`
	Replicas       int32             `json:"replicas"` // desired
	Updated        int32             `json:"updated"`
	Ready          int32             `json:"ready"`
	Available      int32             `json:"available"`
	Observed       int64             `json:"observedGeneration,omitempty"`
	Conditions     []Condition       `json:"conditions,omitempty"`
}

// ReplicaSet is an apps/v1 ReplicaSet.
type ReplicaSet struct {
	Meta
	Selector       map[string]string `json:"selector,omitempty"`
	TemplateLabels map[string]string `json:"templateLabels,omitempty"`
	Replicas       int32             `json:"replicas"` // desired
	Current        int32             `json:"current"`
	Ready          int32             `json:"ready"`
}
