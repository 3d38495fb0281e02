package model

// Workload is what makes Pods besides Deployments and ReplicaSets: an apps/v1
// StatefulSet or DaemonSet, or a batch/v1 Job.
type Workload struct {
	Meta
	Kind           string            `json:"kind"` // StatefulSet, DaemonSet, Job
	Selector       map[string]string `json:"selector,omitempty"`
	TemplateLabels map[string]string `json:"templateLabels,omitempty"`
	Replicas       int32             `json:"replicas"` // desired
	Ready          int32             `json:"ready"`
	Service        string            `json:"serviceName,omitempty"` // of a StatefulSet
}

// Probe is a container's probe (core/v1 Probe).
type Probe struct {
	Kind    string   `json:"kind"` // http, tcp, grpc, exec
	Port    string   `json:"port,omitempty"`
	Path    string   `json:"path,omitempty"`
	Command []string `json:"command,omitempty"`
}

// NetworkPolicy is a networking.k8s.io/v1 NetworkPolicy.
type NetworkPolicy struct {
	Meta
	Pods    LabelSelector `json:"podSelector"`
	Ingress *[]PolicyRule `json:"ingress,omitempty"` // nil: the policy is not about ingress
	Egress  *[]PolicyRule `json:"egress,omitempty"`
}

// PolicyRule allows: any of the peers, on any of the ports. No peer or no port
// in the list means any.
type PolicyRule struct {
	Peers []PolicyPeer `json:"peers,omitempty"`
	Ports []PolicyPort `json:"ports,omitempty"`
}

// PolicyPeer is one element of from or to: Pods, or a range of addresses.
type PolicyPeer struct {
	Pods       *LabelSelector `json:"podSelector,omitempty"`
	Namespaces *LabelSelector `json:"namespaceSelector,omitempty"` // nil: the policy's own namespace
	CIDR       string         `json:"cidr,omitempty"`
	Except     []string       `json:"except,omitempty"`
}

// PolicyPort is one element of a rule's ports.
type PolicyPort struct {
	Protocol string `json:"protocol"`       // TCP, UDP, SCTP
	Port     string `json:"port,omitempty"` // a number, or a container port's name; "" means all
	End      int32  `json:"endPort,omitempty"`
}

// LabelSelector is a meta/v1 LabelSelector; without any requirement it selects
// everything.
type LabelSelector struct {
	Labels      map[string]string  `json:"matchLabels,omitempty"`
	Expressions []LabelRequirement `json:"matchExpressions,omitempty"`
}

// LabelRequirement is one element of matchExpressions.
type LabelRequirement struct {
	Key      string   `json:"key"`
	Operator string   `json:"operator"` // In, NotIn, Exists, DoesNotExist
	Values   []string `json:"values,omitempty"`
}

// Event is a core/v1 Event, of the type Warning unless said otherwise.
type Event struct {
	Meta
	Type    string `json:"type"`
	Object  Ref    `json:"involvedObject"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
	Source  string `json:"source,omitempty"` // the component that reports
}
