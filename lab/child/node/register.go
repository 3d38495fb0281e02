package node

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
)

// KubeletPort is where kubelets listen.
const KubeletPort = 10250

const (
	leaseSeconds  = 40               // the kubelet's nodeLeaseDurationSeconds
	renewInterval = 10 * time.Second // a quarter of it, as the kubelet's, and its nodeStatusUpdateFrequency
	renewRetry    = 200 * time.Millisecond
	reportEvery   = 5 * time.Minute // its nodeStatusReportFrequency
	maxPods       = 250             // what a /24 has addresses for

	// runtimeName stands where containerd's name would, so that no one mistakes
	// the lab for a machine.
	runtimeName    = "svctour"
	runtimeVersion = "0.1"
)

// register creates the Node objects and takes away the taint with which the
// API server creates every Node: they are ready from the start.
func (n *Nodes) register(ctx context.Context) error {
	failed := make(chan error, len(n.order))
	for _, name := range n.order {
		go func() { failed <- n.registerNode(ctx, n.hosts[name]) }()
	}
	var first error
	for range n.order {
		if err := <-failed; err != nil && first == nil {
			first = err
		}
	}
	return first
}

func (n *Nodes) registerNode(ctx context.Context, h *host) error {
	object, err := n.client.CoreV1().Nodes().Create(ctx, n.object(h), metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("register node %q: %w", h.Name, err)
	}
	if len(object.Spec.Taints) > 0 {
		patch := []byte(`{"spec":{"taints":null}}`)
		if _, err := n.client.CoreV1().Nodes().Patch(ctx, h.Name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
			return fmt.Errorf("take the taint off node %q: %w", h.Name, err)
		}
	}
	h.uid = object.UID
	return nil
}

// heartbeat keeps leases fresh, without which the node lifecycle controller
// takes a node for dead, and reports conditions from time to time, or soon if
// someone has changed them.
func (n *Nodes) heartbeat(ctx context.Context) {
	renew, report := time.NewTimer(0), time.NewTicker(reportEvery)
	defer renew.Stop()
	defer report.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-renew.C:
			next := renewInterval
			for _, name := range n.order {
				if err := n.renew(ctx, n.hosts[name]); err != nil && ctx.Err() == nil {
					klog.FromContext(ctx).Error(err, "Renewing a node's lease", "node", name)
					next = renewRetry // the leases' namespace is a little late
				}
			}
			renew.Reset(next)
			n.reportAll(ctx, false)
		case <-report.C:
			n.reportAll(ctx, true)
		}
	}
}

func (n *Nodes) reportAll(ctx context.Context, always bool) {
	for _, name := range n.order {
		if err := n.report(ctx, n.hosts[name], always); err != nil && ctx.Err() == nil {
			klog.FromContext(ctx).Error(err, "Reporting a node's status", "node", name)
		}
	}
}

// renew writes now into the node's lease, which it makes if there is none.
func (n *Nodes) renew(ctx context.Context, h *host) error {
	leases := n.client.CoordinationV1().Leases(corev1.NamespaceNodeLease)
	now := metav1.NewMicroTime(n.clock.Now())
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"renewTime": now}})
	if err != nil {
		return err
	}
	if h.leased {
		_, err = leases.Patch(ctx, h.Name, types.MergePatchType, patch, metav1.PatchOptions{})
		if !apierrors.IsNotFound(err) {
			return err
		}
	}
	seconds := int32(leaseSeconds)
	_, err = leases.Create(ctx, &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{
			Name: h.Name, Namespace: corev1.NamespaceNodeLease,
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: h.Name, UID: h.uid}},
		},
		Spec: coordinationv1.LeaseSpec{HolderIdentity: &h.Name, LeaseDurationSeconds: &seconds, RenewTime: &now},
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	if !h.leased {
		h.leased = true
		h.announce()
	}
	return nil
}

// announce tells of the kubelet's start, once its lease is there: the last of
// the system's namespaces is the leases', the events' own is there too then.
func (h *host) announce() {
	h.recorder.Event(h.reference(), corev1.EventTypeNormal, "Starting", "Starting kubelet.")
	h.tellReady()
}

func (h *host) tellReady() {
	h.recorder.Eventf(h.reference(), corev1.EventTypeNormal, "NodeReady", "Node %s status is now: NodeReady", h.Name)
}

func (h *host) reference() *corev1.ObjectReference {
	return &corev1.ObjectReference{Kind: "Node", APIVersion: "v1", Name: h.Name, UID: h.uid}
}

// report writes the heartbeat time into the conditions; unless always, only if
// they are not what they should be. A deleted Node is not registered again: a
// kubelet does that only when it starts.
func (n *Nodes) report(ctx context.Context, h *host, always bool) error {
	// From the API server's cache, as the kubelet.
	object, err := n.client.CoreV1().Nodes().Get(ctx, h.Name, metav1.GetOptions{ResourceVersion: "0"})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	conditions := n.conditions()
	changed, wasReady := false, isReady(object)
	for i := range conditions {
		old := conditionOf(object, conditions[i].Type)
		switch {
		case old == nil || old.Status != conditions[i].Status:
			conditions[i].LastTransitionTime = conditions[i].LastHeartbeatTime
			changed = true
		default:
			conditions[i].LastTransitionTime = old.LastTransitionTime
			changed = changed || old.Reason != conditions[i].Reason || old.Message != conditions[i].Message
		}
	}
	if !changed && !always {
		return nil
	}
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"conditions": conditions}})
	if err != nil {
		return err
	}
	_, err = n.client.CoreV1().Nodes().PatchStatus(ctx, h.Name, patch)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err == nil && !wasReady {
		h.tellReady()
	}
	return err
}

// object is the Node as kubeadm and the kubelet make it, where it can be true.
func (n *Nodes) object(h *host) *corev1.Node {
	capacity := corev1.ResourceList{
		corev1.ResourceCPU:              resource.MustParse("4"),
		corev1.ResourceMemory:           resource.MustParse("8Gi"),
		corev1.ResourceEphemeralStorage: resource.MustParse("100Gi"),
		corev1.ResourcePods:             *resource.NewQuantity(maxPods, resource.DecimalSI),
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: h.Name,
			Labels: map[string]string{
				corev1.LabelHostname:               h.Name,
				corev1.LabelOSStable:               "linux",
				corev1.LabelArchStable:             runtime.GOARCH,
				"beta.kubernetes.io/os":            "linux",
				"beta.kubernetes.io/arch":          runtime.GOARCH,
				corev1.LabelTopologyZone:           h.Zone,
				corev1.LabelTopologyRegion:         "lab",
				"node.kubernetes.io/instance-type": "svctour-lab",
			},
			Annotations: map[string]string{"node.alpha.kubernetes.io/ttl": "0"},
		},
		Spec: corev1.NodeSpec{PodCIDR: h.Pods.String(), PodCIDRs: []string{h.Pods.String()}, ProviderID: "svctour://lab/" + h.Name},
		Status: corev1.NodeStatus{
			Capacity: capacity, Allocatable: capacity,
			Conditions: n.conditions(),
			Addresses: []corev1.NodeAddress{
				{Type: corev1.NodeInternalIP, Address: h.Address.String()},
				{Type: corev1.NodeHostName, Address: h.Name},
			},
			DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: KubeletPort}},
			NodeInfo: corev1.NodeSystemInfo{
				MachineID: h.Name, SystemUUID: h.Name, BootID: h.Name,
				KernelVersion: "none", OSImage: "svctour lab", OperatingSystem: "linux", Architecture: runtime.GOARCH,
				ContainerRuntimeVersion: runtimeName + "://" + runtimeVersion, KubeletVersion: n.version,
			},
		},
	}
}

// conditions are the kubelet's of a node in good health.
func (n *Nodes) conditions() []corev1.NodeCondition {
	now := metav1.NewTime(n.clock.Now())
	condition := func(kind corev1.NodeConditionType, status corev1.ConditionStatus, reason, message string) corev1.NodeCondition {
		return corev1.NodeCondition{Type: kind, Status: status, Reason: reason, Message: message, LastHeartbeatTime: now, LastTransitionTime: n.since}
	}
	return []corev1.NodeCondition{
		condition(corev1.NodeMemoryPressure, corev1.ConditionFalse, "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
		condition(corev1.NodeDiskPressure, corev1.ConditionFalse, "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
		condition(corev1.NodePIDPressure, corev1.ConditionFalse, "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
		condition(corev1.NodeReady, corev1.ConditionTrue, "KubeletReady", "kubelet is posting ready status"),
	}
}
