package whatif

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/controller"
	deploymentutil "k8s.io/kubernetes/pkg/controller/deployment/util"
	labelsutil "k8s.io/kubernetes/pkg/util/labels"

	"svctour/model"
	"svctour/model/endpoints"
)

// turns bounds how often controllers answer one another.
const turns = 10000

// due notes which controllers have to look at an object as it is now.
func (w *world) due(i id) {
	switch i.kind {
	case "Deployment":
		w.dueDeployments[i.key()] = true
	case "StatefulSet":
		w.dueStateful[i.key()] = true
	case "ReplicaSet":
		w.dueReplicaSets[i.key()] = true
		if rs := w.replicaSets.get(i.namespace, i.name); rs != nil {
			if owner := controllerOf(rs.Owners); owner.Kind == "Deployment" {
				w.due(id{owner.Kind, i.namespace, owner.Name})
			}
		}
	case "Pod":
		p := w.pods.get(i.namespace, i.name)
		if p == nil {
			return
		}
		if owner := controllerOf(p.Owners); owner.Kind != "" {
			w.due(id{owner.Kind, i.namespace, owner.Name})
			return
		}
		for _, rs := range w.replicaSets.in(i.namespace) { // any may adopt it
			if endpoints.Matches(rs.Selector, p.Labels) {
				w.due(id{"ReplicaSet", i.namespace, rs.Name})
			}
		}
	}
}

// controllerOf gives the owner that controls an object; its Kind is "" when none
// does.
func controllerOf(owners []model.Owner) model.Owner {
	for _, owner := range owners {
		if owner.Controller {
			return owner
		}
	}
	return model.Owner{}
}

// settle lets the controllers answer until they have nothing more to do.
func (w *world) settle() error {
	for range turns {
		var err error
		switch {
		case len(w.dueDeployments) > 0:
			err = w.syncDeployment(take(w.dueDeployments))
		case len(w.dueReplicaSets) > 0:
			err = w.syncReplicaSet(take(w.dueReplicaSets))
		case len(w.dueStateful) > 0:
			err = w.syncStateful(take(w.dueStateful))
		default:
			return w.syncSlices()
		}
		if err != nil {
			return err
		}
	}
	return fmt.Errorf("the controllers come to no end: work out the edit in parts")
}

// take gives the first of what is due, as it is not due any more.
func take(due map[string]bool) model.Meta {
	key := slices.Min(slices.Collect(maps.Keys(due)))
	delete(due, key)
	namespace := namespaceOf(key)
	return model.Meta{Namespace: namespace, Name: key[len(namespace)+1:]}
}

// syncDeployment rolls a Deployment out until its end (pkg/controller/deployment,
// syncDeployment).
func (w *world) syncDeployment(m model.Meta) error {
	d, err := typed[*appsv1.Deployment](w, "Deployment", m.Namespace, m.Name)
	if err != nil || d == nil {
		return err
	}
	if err := w.listReplicaSets(d.Namespace); err != nil {
		return err
	}
	var owned []*appsv1.ReplicaSet
	for range turns {
		owned = w.ownedReplicaSets(d)
		for _, rs := range owned {
			if err := w.manage(rs); err != nil {
				return err
			}
			delete(w.dueReplicaSets, rs.Namespace+"/"+rs.Name)
		}
		changed, err := w.rollout(d, owned)
		if err != nil {
			return err
		}
		if !changed {
			break
		}
	}
	w.deploymentStatus(d, owned)
	w.put(id{"Deployment", d.Namespace, d.Name}, d)
	return nil
}

// ownedReplicaSets gives copies of a Deployment's ReplicaSets, the oldest first.
func (w *world) ownedReplicaSets(d *appsv1.Deployment) []*appsv1.ReplicaSet {
	var out []*appsv1.ReplicaSet
	for i, o := range w.objects {
		if rs, is := o.(*appsv1.ReplicaSet); is && i.namespace == d.Namespace && metav1.IsControlledBy(rs, d) {
			out = append(out, rs.DeepCopy())
		}
	}
	slices.SortFunc(out, func(a, b *appsv1.ReplicaSet) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// rollout does one step, and says whether it did anything
// (pkg/controller/deployment: rolling.go, recreate.go, sync.go).
func (w *world) rollout(d *appsv1.Deployment, list []*appsv1.ReplicaSet) (bool, error) {
	current := deploymentutil.FindNewReplicaSet(d, list)
	_, old := deploymentutil.FindOldReplicaSets(d, list)
	active := controller.FilterActiveReplicaSets(old)
	switch {
	case d.Spec.Paused || d.DeletionTimestamp != nil:
		one := deploymentutil.FindActiveOrLatest(current, old)
		return one != nil && w.scale(one, *d.Spec.Replicas), nil
	case d.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType:
		if len(active) > 0 {
			for _, rs := range active {
				w.scale(rs, 0)
			}
			return true, nil
		}
		if current == nil {
			return true, w.addReplicaSet(d, old, list)
		}
		return w.scale(current, *d.Spec.Replicas), nil
	case current == nil:
		return true, w.addReplicaSet(d, old, list)
	}
	if want := *d.Spec.Replicas; *current.Spec.Replicas != want {
		if *current.Spec.Replicas < want {
			var err error
			if want, err = deploymentutil.NewRSNewReplicas(d, list, current); err != nil {
				return false, fmt.Errorf("scale ReplicaSet %s/%s: %w", current.Namespace, current.Name, err)
			}
		}
		if w.scale(current, want) {
			return true, nil
		}
	}
	return w.scaleDownOld(d, list, active, current), nil
}

// scaleDownOld takes from old ReplicaSets what the Deployment can do without,
// Pods that are not available first (rolling.go, reconcileOldReplicaSets).
func (w *world) scaleDownOld(d *appsv1.Deployment, all, old []*appsv1.ReplicaSet, current *appsv1.ReplicaSet) bool {
	least := *d.Spec.Replicas - deploymentutil.MaxUnavailable(*d)
	spare := deploymentutil.GetReplicaCountForReplicaSets(all) - least - (*current.Spec.Replicas - current.Status.AvailableReplicas)
	changed := false
	for _, rs := range old {
		if unavailable := min(spare, *rs.Spec.Replicas-rs.Status.AvailableReplicas); unavailable > 0 {
			changed = w.scale(rs, *rs.Spec.Replicas-unavailable) || changed
			spare -= unavailable
		}
	}
	if spare <= 0 && !changed {
		return false
	}
	more := deploymentutil.GetAvailableReplicaCountForReplicaSets(all) - least
	for _, rs := range old {
		if n := min(more, *rs.Spec.Replicas); n > 0 {
			changed = w.scale(rs, *rs.Spec.Replicas-n) || changed
			more -= n
		}
	}
	return changed
}

// scale writes how many Pods a ReplicaSet is to have.
func (w *world) scale(rs *appsv1.ReplicaSet, replicas int32) bool {
	if *rs.Spec.Replicas == replicas {
		return false
	}
	rs.Spec.Replicas = &replicas
	rs.Generation++
	w.put(id{"ReplicaSet", rs.Namespace, rs.Name}, rs)
	return true
}

// addReplicaSet makes the ReplicaSet of a Deployment's template (sync.go,
// getNewReplicaSet). Its name is a hash of the template as this version of
// Kubernetes writes it, so that another's is open.
func (w *world) addReplicaSet(d *appsv1.Deployment, old, all []*appsv1.ReplicaSet) error {
	hash := controller.ComputeHash(&d.Spec.Template, d.Status.CollisionCount)
	template := *d.Spec.Template.DeepCopy()
	template.Labels = labelsutil.CloneAndAddLabel(d.Spec.Template.Labels, appsv1.DefaultDeploymentUniqueLabelKey, hash)
	rs := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Name: d.Name + "-" + hash, Namespace: d.Namespace, Labels: template.Labels, Generation: 1, CreationTimestamp: metav1.NewTime(w.before.Time),
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(d, appsv1.SchemeGroupVersion.WithKind("Deployment"))},
		},
		Spec: appsv1.ReplicaSetSpec{
			Replicas: new(int32), MinReadySeconds: d.Spec.MinReadySeconds, Template: template,
			Selector: labelsutil.CloneSelectorAndAddLabel(d.Spec.Selector, appsv1.DefaultDeploymentUniqueLabelKey, hash),
		},
	}
	i := id{"ReplicaSet", rs.Namespace, rs.Name}
	rs.UID = i.uid()
	rs.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))
	if w.replicaSets.get(rs.Namespace, rs.Name) != nil {
		return fmt.Errorf("ReplicaSet %s exists with another template", i.key())
	}
	replicas, err := deploymentutil.NewRSNewReplicas(d, append(slices.Clone(all), rs), rs)
	if err != nil {
		return fmt.Errorf("scale ReplicaSet %s: %w", i.key(), err)
	}
	rs.Spec.Replicas = &replicas
	revision := strconv.FormatInt(deploymentutil.MaxRevision(klog.FromContext(w.ctx), old)+1, 10)
	deploymentutil.SetNewReplicaSetAnnotations(w.ctx, d, rs, revision, false, 2000)
	deploymentutil.SetDeploymentRevision(d, revision)
	w.tell(i, "metadata.name", "", "the name of the new ReplicaSet, where the cluster's version writes templates in another way")
	w.put(i, rs)
	return nil
}

// deploymentStatus counts a Deployment's Pods (sync.go, calculateStatus).
func (w *world) deploymentStatus(d *appsv1.Deployment, owned []*appsv1.ReplicaSet) {
	status := &d.Status
	status.ObservedGeneration = d.Generation
	status.Replicas = deploymentutil.GetActualReplicaCountForReplicaSets(owned)
	status.UpdatedReplicas = 0
	if current := deploymentutil.FindNewReplicaSet(d, owned); current != nil {
		status.UpdatedReplicas = current.Status.Replicas
	}
	status.ReadyReplicas = deploymentutil.GetReadyReplicaCountForReplicaSets(owned)
	status.AvailableReplicas = deploymentutil.GetAvailableReplicaCountForReplicaSets(owned)
	status.UnavailableReplicas = max(0, status.Replicas-status.AvailableReplicas)
	available, reason := corev1.ConditionFalse, deploymentutil.MinimumReplicasUnavailable
	if status.AvailableReplicas >= *d.Spec.Replicas-deploymentutil.MaxUnavailable(*d) {
		available, reason = corev1.ConditionTrue, deploymentutil.MinimumReplicasAvailable
	}
	deploymentutil.SetDeploymentCondition(status, *deploymentutil.NewDeploymentCondition(appsv1.DeploymentAvailable, available, reason, ""))
}

// syncReplicaSet looks at a ReplicaSet that no Deployment rolls out just now.
func (w *world) syncReplicaSet(m model.Meta) error {
	rs, err := typed[*appsv1.ReplicaSet](w, "ReplicaSet", m.Namespace, m.Name)
	if err != nil || rs == nil {
		return err
	}
	return w.manage(rs)
}

// manage makes a ReplicaSet have the Pods that it is to have, and counts them
// (pkg/controller/replicaset, syncReplicaSet).
func (w *world) manage(rs *appsv1.ReplicaSet) error {
	selector, err := metav1.LabelSelectorAsSelector(rs.Spec.Selector)
	if err != nil {
		return fmt.Errorf("read the selector of ReplicaSet %s/%s: %w", rs.Namespace, rs.Name, err)
	}
	var have []*model.Pod
	for _, p := range w.pods.in(rs.Namespace) {
		if p.Ended() || p.Terminating() {
			continue
		}
		if claimed := w.claim(rs, "ReplicaSet", p, selector); claimed != nil {
			have = append(have, claimed)
		}
	}
	switch missing := int(*rs.Spec.Replicas) - len(have); {
	case rs.DeletionTimestamp != nil:
	case missing > 0:
		for range missing {
			p, err := w.newPod(&rs.Spec.Template, rs, appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))
			if err != nil {
				return err
			}
			have = append(have, p)
		}
	case missing < 0:
		gone := w.victims(rs, have, -missing)
		for _, p := range gone {
			w.pods.removeKey(p.Key())
			w.objects[id{"Pod", p.Namespace, p.Name}] = nil
		}
		have = slices.DeleteFunc(have, func(p *model.Pod) bool { return slices.Contains(gone, p) })
	}
	ready := int32(0)
	for _, p := range have {
		if p.Ready() {
			ready++
		}
	}
	rs.Status.Replicas, rs.Status.ReadyReplicas, rs.Status.AvailableReplicas = int32(len(have)), ready, ready
	rs.Status.ObservedGeneration = rs.Generation
	w.put(id{"ReplicaSet", rs.Namespace, rs.Name}, rs)
	return nil
}

// syncStateful makes a StatefulSet have its Pods, each by its ordinal
// (pkg/controller/statefulset, updateStatefulSet).
func (w *world) syncStateful(m model.Meta) error {
	set, err := typed[*appsv1.StatefulSet](w, "StatefulSet", m.Namespace, m.Name)
	if err != nil || set == nil {
		return err
	}
	selector, err := metav1.LabelSelectorAsSelector(set.Spec.Selector)
	if err != nil {
		return fmt.Errorf("read the selector of StatefulSet %s: %w", m.Key(), err)
	}
	for _, p := range w.pods.in(set.Namespace) {
		if strings.HasPrefix(p.Name, set.Name+"-") && !p.Terminating() {
			w.claim(set, "StatefulSet", p, selector)
		}
	}
	start, partition := int32(0), int32(0)
	if set.Spec.Ordinals != nil {
		start = set.Spec.Ordinals.Start
	}
	if r := set.Spec.UpdateStrategy.RollingUpdate; r != nil && r.Partition != nil {
		partition = *r.Partition
	}
	revised := w.revised[m.Key()]
	delete(w.revised, m.Key())
	wanted, ready := map[string]bool{}, int32(0)
	for n := range *set.Spec.Replicas {
		wanted[fmt.Sprintf("%s-%d", set.Name, start+n)] = true
	}
	for n := range *set.Spec.Replicas {
		ordinal := start + n
		name := fmt.Sprintf("%s-%d", set.Name, ordinal)
		p := w.pods.get(set.Namespace, name)
		if p != nil && controllerOf(p.Owners).UID != string(set.UID) { // the name is taken, and the others wait
			break
		}
		if p == nil || revised && ordinal >= partition {
			if p, err = w.statefulPod(set, name, ordinal); err != nil {
				return err
			}
		}
		if p.Ready() {
			ready++
		} else if set.Spec.PodManagementPolicy != appsv1.ParallelPodManagement {
			break // the next ones wait for it
		}
	}
	for _, p := range w.pods.in(set.Namespace) {
		if owner := controllerOf(p.Owners); owner.UID == string(set.UID) && !wanted[p.Name] && !p.Terminating() {
			w.pods.removeKey(p.Key())
			w.objects[id{"Pod", p.Namespace, p.Name}] = nil
		}
	}
	set.Status.ReadyReplicas, set.Status.AvailableReplicas = ready, ready
	w.put(id{"StatefulSet", set.Namespace, set.Name}, set)
	return nil
}

// revise notes what an edit of a workload's template makes necessary.
func (w *world) revise(i id, object, before runtime.Object) {
	switch o := object.(type) {
	case *appsv1.StatefulSet:
		was, is := before.(*appsv1.StatefulSet)
		if is && !reflect.DeepEqual(was.Spec.Template, o.Spec.Template) && o.Spec.UpdateStrategy.Type != appsv1.OnDeleteStatefulSetStrategyType {
			w.revised[i.key()] = true
		}
	case *appsv1.DaemonSet:
		was, is := before.(*appsv1.DaemonSet)
		if !is || !reflect.DeepEqual(was.Spec.Template, o.Spec.Template) {
			w.tell(i, "status", "", "on which nodes the DaemonSet runs its Pods")
		}
	}
}
