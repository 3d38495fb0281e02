package whatif

import (
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
	"k8s.io/kubernetes/pkg/controller"

	"svctour/model"
	"svctour/model/endpoints"
)

// claim gives a Pod if it is a workload's: one that has no controller and matches
// becomes its, one that does not match any more is let go
// (pkg/controller/controller_ref_manager.go, ClaimPods).
func (w *world) claim(by metav1.Object, kind string, p *model.Pod, selector labels.Selector) *model.Pod {
	owner, matches := controllerOf(p.Owners), selector.Matches(labels.Set(p.Labels))
	switch {
	case owner.UID == string(by.GetUID()) && matches:
		return p
	case by.GetDeletionTimestamp() != nil:
	case owner.UID == string(by.GetUID()) && owner.Kind != "":
		free := *p
		free.Owners = slices.DeleteFunc(slices.Clone(p.Owners), func(o model.Owner) bool { return o.UID == owner.UID })
		w.pods.put(&free)
		w.due(id{"Pod", p.Namespace, p.Name})
	case owner.Kind == "" && matches:
		adopted := *p
		adopted.Owners = append(slices.Clone(p.Owners), model.Owner{Kind: kind, Name: by.GetName(), UID: string(by.GetUID()), Controller: true})
		w.pods.put(&adopted)
		return &adopted
	}
	return nil
}

// victims chooses the Pods that a ReplicaSet gives up, by its controller's own
// ranking (pkg/controller, ActivePodsWithRanks). Where it depends on the moment,
// or on the order in which the controller happens to see them, that is told.
func (w *world) victims(rs *appsv1.ReplicaSet, have []*model.Pod, n int) []*model.Pod {
	if n >= len(have) {
		return have
	}
	onNode := map[string]int{}
	for _, other := range w.sisters(rs) {
		selector, err := metav1.LabelSelectorAsSelector(other.Spec.Selector)
		if err != nil {
			continue
		}
		for _, p := range w.pods.in(rs.Namespace) {
			if !p.Ended() && !p.Terminating() && selector.Matches(labels.Set(p.Labels)) {
				onNode[p.Node]++
			}
		}
	}
	gone := ranked(have, onNode, n, w.now)
	backwards := slices.Clone(have)
	slices.Reverse(backwards)
	if !same(gone, ranked(backwards, onNode, n, w.now)) || !same(gone, ranked(have, onNode, n, w.now.Add(time.Minute))) {
		w.tell(id{"ReplicaSet", rs.Namespace, rs.Name}, "spec.replicas", "", "which Pods go: to the controller some are alike, or will be in a minute")
	}
	return gone
}

// sisters are the ReplicaSets with the same controller, this one included.
func (w *world) sisters(rs *appsv1.ReplicaSet) []*appsv1.ReplicaSet {
	out := []*appsv1.ReplicaSet{rs}
	owner := metav1.GetControllerOf(rs)
	if owner == nil {
		return out
	}
	for i, o := range w.objects {
		other, is := o.(*appsv1.ReplicaSet)
		if !is || i.namespace != rs.Namespace || i.name == rs.Name {
			continue
		}
		if its := metav1.GetControllerOf(other); its != nil && its.UID == owner.UID {
			out = append(out, other)
		}
	}
	return out
}

// ranked gives the first n Pods to go.
func ranked(have []*model.Pod, onNode map[string]int, n int, now time.Time) []*model.Pod {
	list := controller.ActivePodsWithRanks{Now: metav1.NewTime(now)}
	at := map[types.UID]*model.Pod{}
	for _, p := range have {
		list.Pods, list.Rank = append(list.Pods, sketchPod(p)), append(list.Rank, onNode[p.Node])
		at[types.UID(p.UID)] = p
	}
	sort.Sort(list)
	var out []*model.Pod
	for _, p := range list.Pods[:n] {
		out = append(out, at[p.UID])
	}
	return out
}

// same says whether two lists have the same Pods.
func same(a, b []*model.Pod) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(p *model.Pod) bool { return !slices.Contains(b, p) })
}

// newPod makes a Pod of a template, as controllers do, and runs it.
func (w *world) newPod(template *corev1.PodTemplateSpec, owner metav1.Object, ownerKind schema.GroupVersionKind) (*model.Pod, error) {
	pod, err := w.podOf(template, owner, ownerKind)
	if err != nil {
		return nil, err
	}
	w.drawn.names++
	pod.Name = pod.GenerateName + "?" + strconv.Itoa(w.drawn.names)
	i := id{"Pod", pod.Namespace, pod.Name}
	w.tell(i, "metadata.name", pod.Name, "new Pod "+strconv.Itoa(w.drawn.names))
	return w.add(i, pod), nil
}

// statefulPod makes the Pod of an ordinal, instead of the one that is there
// (pkg/controller/statefulset/stateful_set_utils.go, newStatefulSetPod).
func (w *world) statefulPod(set *appsv1.StatefulSet, name string, ordinal int32) (*model.Pod, error) {
	pod, err := w.podOf(&set.Spec.Template, set, appsv1.SchemeGroupVersion.WithKind("StatefulSet"))
	if err != nil {
		return nil, err
	}
	pod.Name = name
	pod.Labels[appsv1.StatefulSetPodNameLabel] = name
	pod.Labels[appsv1.PodIndexLabel] = strconv.Itoa(int(ordinal))
	pod.Spec.Hostname, pod.Spec.Subdomain = name, set.Spec.ServiceName
	return w.add(id{"Pod", pod.Namespace, name}, pod), nil
}

func (w *world) podOf(template *corev1.PodTemplateSpec, owner metav1.Object, ownerKind schema.GroupVersionKind) (*corev1.Pod, error) {
	parent, ok := owner.(runtime.Object)
	if !ok {
		return nil, fmt.Errorf("make a Pod of %s: it is a %T", owner.GetName(), owner)
	}
	pod, err := controller.GetPodFromTemplate(template, parent, metav1.NewControllerRef(owner, ownerKind))
	if err != nil {
		return nil, fmt.Errorf("make a Pod of %s/%s: %w", owner.GetNamespace(), owner.GetName(), err)
	}
	pod.Namespace = owner.GetNamespace()
	return pod, nil
}

func (w *world) add(i id, pod *corev1.Pod) *model.Pod {
	pod.UID, pod.CreationTimestamp = i.uid(), metav1.NewTime(w.before.Time)
	legacyscheme.Scheme.Default(pod)
	w.run(i, pod)
	w.put(i, pod)
	return w.pods.get(i.namespace, i.name)
}

// run gives a new Pod the status that it has when its containers run: its
// addresses and its node are open, and so is whether its containers get ready,
// if none like them is ready now.
func (w *world) run(i id, pod *corev1.Pod) {
	if len(pod.Spec.SchedulingGates) > 0 {
		return
	}
	if nodes := w.nodes.all(); pod.Spec.NodeName == "" && len(nodes) == 1 {
		pod.Spec.NodeName = nodes[0].Name
	} else if pod.Spec.NodeName == "" {
		w.tell(i, "spec.nodeName", "", "which node it runs on")
	}
	w.placeLabels(pod)
	status := &pod.Status
	*status = corev1.PodStatus{Phase: corev1.PodRunning}
	ready := corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue}
	if len(pod.Spec.ReadinessGates) > 0 { // somebody has to set them
		ready.Status, ready.Reason = corev1.ConditionFalse, "ReadinessGatesNotReady"
		w.tell(i, "status.conditions", "", "when its readiness gates are set")
	}
	status.Conditions = []corev1.PodCondition{{Type: corev1.ContainersReady, Status: corev1.ConditionTrue}, ready}
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	for _, c := range pod.Spec.Containers {
		status.ContainerStatuses = append(status.ContainerStatuses, corev1.ContainerStatus{Name: c.Name, Ready: true, State: running})
	}
	for n := range pod.Spec.InitContainers {
		c := &pod.Spec.InitContainers[n]
		s := corev1.ContainerStatus{Name: c.Name, Ready: true, State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Completed"}}}
		if podutil.IsRestartableInitContainer(c) {
			s.State = running
		}
		status.InitContainerStatuses = append(status.InitContainerStatuses, s)
	}
	w.address(i, pod)
	if !w.provenReady(pod) {
		w.tell(i, "status.conditions", "", "whether its containers get ready")
	}
}

// placeLabels gives a new Pod the labels of its node's zone and region, if the API
// server does that (plugin/pkg/admission/podtopologylabels).
func (w *world) placeLabels(pod *corev1.Pod) {
	node := w.nodes.get("", pod.Spec.NodeName)
	if node == nil {
		return
	}
	for _, key := range []string{corev1.LabelTopologyZone, corev1.LabelTopologyRegion} {
		value, has := node.Labels[key]
		does := slices.ContainsFunc(w.before.Pods, func(p *model.Pod) bool { return p.Labels[key] != "" })
		if !has || !does {
			continue
		}
		if pod.Labels == nil {
			pod.Labels = map[string]string{}
		}
		pod.Labels[key] = value
	}
}

// address gives a new Pod addresses: its node's, if it shares them, or some.
func (w *world) address(i id, pod *corev1.Pod) {
	if node := w.nodes.get("", pod.Spec.NodeName); pod.Spec.HostNetwork && node != nil && node.InternalIP() != "" {
		pod.Status.PodIP, pod.Status.HostIP = node.InternalIP(), node.InternalIP()
		pod.Status.PodIPs = []corev1.PodIP{{IP: pod.Status.PodIP}}
		return
	}
	for n, family := range w.podFamilies() {
		ip := w.drawn.standIn(family)
		pod.Status.PodIPs = append(pod.Status.PodIPs, corev1.PodIP{IP: ip})
		words := "the address of new Pod " + pod.Name
		if _, number, open := strings.Cut(pod.Name, "?"); open {
			words = "the address of new Pod " + number
		}
		if n > 0 {
			words = "the second " + words[len("the "):]
		}
		w.tell(i, "status.podIPs", ip, words)
	}
	pod.Status.PodIP = pod.Status.PodIPs[0].IP
}

// podFamilies are the families of Pods' addresses, as other Pods have them.
func (w *world) podFamilies() []string {
	for _, p := range w.before.Pods {
		if p.HostNetwork || len(p.IPs) == 0 {
			continue
		}
		var out []string
		for _, text := range p.IPs {
			if ip := endpoints.ParseAddr(text); ip.IsValid() {
				out = append(out, familyOf(ip))
			}
		}
		if len(out) > 0 {
			return out
		}
	}
	return w.families()[:1]
}

// provenReady says whether a Pod with the same containers is ready now, so that
// another one will be.
func (w *world) provenReady(pod *corev1.Pod) bool {
	like := convertContainers(pod)
	return slices.ContainsFunc(w.before.Pods, func(p *model.Pod) bool {
		return p.Namespace == pod.Namespace && p.Ready() && !p.Terminating() && reflect.DeepEqual(like, asWritten(p.Containers))
	})
}

// keepReady puts right what an edit of a Pod's status says of its readiness, as
// its kubelet does (pkg/kubelet/status/generate.go, GeneratePodReadyCondition).
func (w *world) keepReady(i id, pod *corev1.Pod, before runtime.Object) {
	was, is := before.(*corev1.Pod)
	if !is {
		return
	}
	if !reflect.DeepEqual(was.Spec.Containers, pod.Spec.Containers) {
		w.tell(i, "status.conditions", "", "whether its containers get ready")
	}
	if reflect.DeepEqual(was.Status.Conditions, pod.Status.Conditions) || pod.Status.Phase != corev1.PodRunning {
		return
	}
	ready := corev1.ConditionTrue
	for _, c := range pod.Status.ContainerStatuses {
		if !c.Ready {
			ready = corev1.ConditionFalse
		}
	}
	reason := ""
	for _, gate := range pod.Spec.ReadinessGates {
		if _, c := podutil.GetPodCondition(&pod.Status, gate.ConditionType); c == nil || c.Status != corev1.ConditionTrue {
			ready, reason = corev1.ConditionFalse, "ReadinessGatesNotReady"
		}
	}
	_, old := podutil.GetPodCondition(&was.Status, corev1.PodReady)
	_, c := podutil.GetPodCondition(&pod.Status, corev1.PodReady)
	switch {
	case c == nil:
	case old != nil && old.Status == ready:
		*c = *old
	default:
		c.Status, c.Reason, c.Message, c.LastTransitionTime = ready, reason, "", metav1.NewTime(w.before.Time)
	}
}
