package node

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
	kubecontainer "k8s.io/kubernetes/pkg/kubelet/container"
	"k8s.io/kubernetes/pkg/kubelet/status"
	kubelettypes "k8s.io/kubernetes/pkg/kubelet/types"
)

// reconcileEvery is how often a status that another writer has changed is put
// right at most: the syncPeriod of the kubelet's status manager. Without a limit
// two writers that disagree would write all the time.
const reconcileEvery = 10 * time.Second

// publish writes the Pod's status, if it has changed, as a patch that leaves
// the conditions of others (readiness gates) alone.
func (p *pod) publish(ctx context.Context) error {
	ours := p.object
	if p.published != nil {
		ours = p.object.DeepCopy()
		ours.Status = p.lastWritten()
	}
	updated := ours.DeepCopy()
	updated.Status = p.status(ours)
	from := ours
	if same(ours.Status, updated.Status) {
		if from = p.foreign(updated); from == nil {
			return nil
		}
	}
	patch, err := statusPatch(from, updated)
	if err != nil {
		return fmt.Errorf("make the status patch of Pod %q: %w", p.object.Name, err)
	}
	stored, err := p.client.CoreV1().Pods(p.object.Namespace).Patch(ctx, p.object.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) { // gone, or a successor of the same name
		return nil
	}
	if err != nil {
		return fmt.Errorf("write the status of Pod %q: %w", p.object.Name, err)
	}
	p.published = &corev1.Pod{ObjectMeta: metav1.ObjectMeta{ResourceVersion: stored.ResourceVersion}, Status: stored.Status}
	return nil
}

// lastWritten is the status of our own last write, which the informer may not
// have yet, with what the kubelet does not own as the informer has it.
func (p *pod) lastWritten() corev1.PodStatus {
	s, theirs := *p.published.Status.DeepCopy(), &p.object.Status
	s.Conditions = merge(s.Conditions, theirs.Conditions)
	s.NominatedNodeName = theirs.NominatedNodeName
	s.ResourceClaimStatuses, s.ExtendedResourceClaimStatus = theirs.ResourceClaimStatuses, theirs.ExtendedResourceClaimStatus
	return s
}

// foreign is the Pod with what another writer has put into its status, nil if
// none has or it is too early to put that right: the kubelet's needsReconcile.
// A status older than our own last write is not looked at.
func (p *pod) foreign(ours *corev1.Pod) *corev1.Pod {
	if p.published == nil {
		return nil
	}
	order, err := resourceversion.CompareResourceVersion(p.object.ResourceVersion, p.published.ResourceVersion)
	if err != nil || order <= 0 || same(p.object.Status, ours.Status) {
		return nil
	}
	if again := p.reconciled.Add(reconcileEvery); p.now.Before(again) {
		p.wakeAt(again)
		return nil
	}
	p.reconciled = p.now
	return p.object
}

// same compares two statuses. The order of conditions says nothing.
func same(a, b corev1.PodStatus) bool {
	sorted := func(conditions []corev1.PodCondition) []corev1.PodCondition {
		return slices.SortedFunc(slices.Values(conditions), func(a, b corev1.PodCondition) int {
			return strings.Compare(string(a.Type), string(b.Type))
		})
	}
	a.Conditions, b.Conditions = sorted(a.Conditions), sorted(b.Conditions)
	return equality.Semantic.DeepEqual(a, b)
}

// merge is ours with those of theirs that the kubelet does not own.
func merge(ours, theirs []corev1.PodCondition) []corev1.PodCondition {
	var out []corev1.PodCondition
	for _, condition := range ours {
		if kubelettypes.PodConditionByKubelet(condition.Type) {
			out = append(out, condition)
		}
	}
	for _, condition := range theirs {
		if !kubelettypes.PodConditionByKubelet(condition.Type) {
			out = append(out, condition)
		}
	}
	return out
}

func statusPatch(from, to *corev1.Pod) ([]byte, error) {
	reduced := func(object *corev1.Pod) ([]byte, error) {
		return json.Marshal(corev1.Pod{Status: object.Status})
	}
	old, err := reduced(from)
	if err != nil {
		return nil, err
	}
	changed, err := reduced(to)
	if err != nil {
		return nil, err
	}
	patch, err := strategicpatch.CreateTwoWayMergePatch(old, changed, corev1.Pod{})
	if err != nil {
		return nil, err
	}
	fields := map[string]any{}
	if err := json.Unmarshal(patch, &fields); err != nil {
		return nil, err
	}
	meta, _ := fields["metadata"].(map[string]any)
	if meta == nil {
		meta = map[string]any{}
		fields["metadata"] = meta
	}
	meta["uid"] = from.UID // refused if the name has a new Pod
	return json.Marshal(fields)
}

// status is the Pod's status as the kubelet makes it (generateAPIPodStatus in
// its kubelet_pods.go).
func (p *pod) status(base *corev1.Pod) corev1.PodStatus {
	s := *base.Status.DeepCopy()
	s.ObservedGeneration = podutil.CalculatePodStatusObservedGeneration(p.object)
	s.StartTime = &p.started
	if base.Status.StartTime != nil {
		s.StartTime = base.Status.StartTime
	}
	s.HostIP = p.host.Address.String()
	s.HostIPs = []corev1.HostIP{{IP: s.HostIP}}
	if p.address.IsValid() {
		s.PodIP = p.address.String()
		s.PodIPs = []corev1.PodIP{{IP: s.PodIP}}
	}
	s.InitContainerStatuses = statuses(p.init)
	s.ContainerStatuses = statuses(p.main)
	s.EphemeralContainerStatuses = statuses(p.ephemeral)
	s.Phase = p.phase()
	becomes := s.Phase
	if p.expired { // Ready ends at once, the phase with the last container
		becomes = corev1.PodFailed
		if p.done {
			s.Reason, s.Message = deadlineReason, deadlineMessage
		}
	}
	all := append(append([]corev1.ContainerStatus{}, s.InitContainerStatuses...), s.ContainerStatuses...)
	s.Conditions = p.conditions(base, all, becomes)
	return s
}

func (p *pod) conditions(base *corev1.Pod, all []corev1.ContainerStatus, phase corev1.PodPhase) []corev1.PodCondition {
	old := &base.Status
	var out []corev1.PodCondition
	for _, condition := range old.Conditions {
		if !kubelettypes.PodConditionByKubelet(condition.Type) {
			out = append(out, condition)
		}
	}
	sandbox := corev1.PodCondition{
		Type: corev1.PodReadyToStartContainers, Status: corev1.ConditionFalse,
		ObservedGeneration: podutil.CalculatePodConditionObservedGeneration(old, p.object.Generation, corev1.PodReadyToStartContainers),
	}
	if p.address.IsValid() && !p.done {
		sandbox.Status = corev1.ConditionTrue
	}
	generated := []corev1.PodCondition{
		sandbox,
		status.GeneratePodInitializedCondition(p.object, old, all, phase),
		status.GeneratePodReadyCondition(p.object, old, out, all, phase),
		status.GenerateContainersReadyCondition(p.object, old, all, phase),
		{
			Type: corev1.PodScheduled, Status: corev1.ConditionTrue,
			ObservedGeneration: podutil.CalculatePodConditionObservedGeneration(old, p.object.Generation, corev1.PodScheduled),
		},
	}
	for _, condition := range generated {
		condition.LastTransitionTime = seconds(p.now)
		if _, before := podutil.GetPodCondition(old, condition.Type); before != nil && before.Status == condition.Status {
			condition.LastTransitionTime = before.LastTransitionTime
		}
		out = append(out, condition)
	}
	return out
}

func statuses(containers []*container) []corev1.ContainerStatus {
	if len(containers) == 0 {
		return nil
	}
	out := make([]corev1.ContainerStatus, 0, len(containers))
	for _, c := range containers {
		out = append(out, c.status())
	}
	return out
}

func (c *container) status() corev1.ContainerStatus {
	spec := c.spec()
	started := c.running() && c.startedUp
	s := corev1.ContainerStatus{
		Name: spec.Name, Image: spec.Image, RestartCount: c.restarts, Started: &started,
		AllocatedResources: spec.Resources.Requests,
		Resources:          spec.Resources.DeepCopy(),
	}
	for _, mount := range spec.VolumeMounts {
		volume := corev1.VolumeMountStatus{Name: mount.Name, MountPath: mount.MountPath, ReadOnly: mount.ReadOnly}
		if mount.ReadOnly {
			mode := corev1.RecursiveReadOnlyDisabled
			volume.RecursiveReadOnly = &mode
		}
		s.VolumeMounts = append(s.VolumeMounts, volume)
	}
	if c.id != "" {
		s.ImageID, s.ContainerID = c.imageID, c.statusID()
	}
	if c.last != nil {
		s.LastTerminationState.Terminated = c.last
	}
	switch {
	case c.running() && !c.hooking():
		s.State.Running = &corev1.ContainerStateRunning{StartedAt: seconds(c.startTime)}
		s.Ready = c.ready
		if c.kind == initContainer && !podutil.IsRestartableInitContainer(spec) {
			s.Ready = false
		}
	case c.lost():
		s.State.Terminated = &corev1.ContainerStateTerminated{
			Reason: kubecontainer.ContainerReasonStatusUnknown, ExitCode: exitKilled,
			Message: "The container could not be located when the pod was terminated",
		}
	case c.waiting != nil && !c.pod.stopping:
		s.State.Waiting = c.waiting
	case c.ended():
		s.State.Terminated = c.terminated()
		s.Ready = c.kind == initContainer && c.exitCode == 0 && !podutil.IsRestartableInitContainer(spec)
	default:
		reason := "ContainerCreating"
		if len(c.pod.init) > 0 {
			reason = "PodInitializing"
		}
		s.State.Waiting = &corev1.ContainerStateWaiting{Reason: reason}
	}
	return s
}

// lost says whether a main container did not run when the Pod's deadline ended
// it, and has no end of its own (TerminatePod in the kubelet's status_manager.go).
func (c *container) lost() bool {
	p := c.pod
	return p.expired && p.done && c.kind == mainContainer && (len(p.init) == 0 || p.initialized) && (c.id == "" || c.waiting != nil)
}

// phase is the kubelet's getPhase.
func (p *pod) phase() corev1.PodPhase {
	if p.initFailed() && !p.stopping || p.expired && p.done {
		return corev1.PodFailed
	}
	pending, running, ended, succeeded, restartable := 0, 0, 0, 0, 0
	for _, c := range p.init {
		sidecar := podutil.IsRestartableInitContainer(c.spec())
		switch {
		case p.initialized:
		case sidecar && !(c.running() && c.startedUp), !sidecar && !(c.ended() && c.exitCode == 0):
			pending++
		}
	}
	for _, c := range p.main {
		switch {
		case c.id == "":
			pending++
		case c.running():
			running++
		default:
			ended++
			if c.exitCode == 0 {
				succeeded++
			}
			if podutil.ContainerShouldRestart(*c.spec(), p.object.Spec, c.exitCode) {
				restartable++
			}
		}
	}
	for _, c := range p.init {
		if c.running() && podutil.IsRestartableInitContainer(c.spec()) {
			running++
		}
	}
	switch {
	case p.stopping && p.done && ended == len(p.main) && succeeded == ended:
		return corev1.PodSucceeded
	case p.stopping && p.done && ended > 0:
		return corev1.PodFailed
	case pending > 0:
		return corev1.PodPending
	case running > 0, restartable > 0 && !p.stopping:
		return corev1.PodRunning
	case succeeded == ended:
		return corev1.PodSucceeded
	}
	return corev1.PodFailed
}
