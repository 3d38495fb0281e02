package child

import (
	"context"
	"errors"
	"fmt"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// TestADisruptionBudget lets one of two Pods be evicted, as kubectl drain does.
func TestADisruptionBudget(t *testing.T) {
	t.Parallel()
	client := theLab(t)
	ns := namespace(t, client)
	deploy(t, client, ns, "web", 2)
	one := intstr.FromInt32(1)
	budget := &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec:       policyv1.PodDisruptionBudgetSpec{MinAvailable: &one, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}},
	}
	if _, err := client.PolicyV1().PodDisruptionBudgets(ns).Create(t.Context(), budget, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func(ctx context.Context) error {
		b, err := client.PolicyV1().PodDisruptionBudgets(ns).Get(ctx, "web", metav1.GetOptions{})
		if err == nil && (b.Status.ObservedGeneration != b.Generation || b.Status.DisruptionsAllowed != 1 || b.Status.ExpectedPods != 2) {
			return fmt.Errorf("status %+v", b.Status)
		}
		return err
	})
	pods, err := client.CoreV1().Pods(ns).List(t.Context(), metav1.ListOptions{LabelSelector: "app=web"})
	if err != nil {
		t.Fatal(err)
	}
	eviction := &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: pods.Items[0].Name, Namespace: ns}}
	if err := client.PolicyV1().Evictions(ns).Evict(t.Context(), eviction); err != nil {
		t.Error(err)
	}
}

// TestAggregatedRoles: view, edit and admin have the rules of other roles.
func TestAggregatedRoles(t *testing.T) {
	t.Parallel()
	client := theLab(t)
	for _, name := range []string{"view", "edit", "admin"} {
		eventually(t, func(ctx context.Context) error {
			role, err := client.RbacV1().ClusterRoles().Get(ctx, name, metav1.GetOptions{})
			if err == nil && len(role.Rules) == 0 {
				return fmt.Errorf("ClusterRole %s has no rules", name)
			}
			return err
		})
	}
}

func TestJobsThatAreFinished(t *testing.T) {
	t.Parallel()
	client := theLab(t)
	ns := namespace(t, client)
	template := corev1.PodTemplateSpec{Spec: corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{shell("true")}}}
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "once"}, Spec: batchv1.JobSpec{TTLSecondsAfterFinished: new(int32(0)), Template: template}}
	if _, err := client.BatchV1().Jobs(ns).Create(t.Context(), job, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	// The next run of a CronJob may be a minute away; that one of its Jobs is
	// missing its controller notices at once.
	cron := &batchv1.CronJob{ObjectMeta: metav1.ObjectMeta{Name: "often"}, Spec: batchv1.CronJobSpec{
		Schedule: "* * * * *", JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: template}},
	}}
	if _, err := client.BatchV1().CronJobs(ns).Create(t.Context(), cron, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	patch := []byte(`{"status":{"active":[{"apiVersion":"batch/v1","kind":"Job","namespace":"` + ns + `","name":"lost","uid":"1"}]}}`)
	if _, err := client.BatchV1().CronJobs(ns).Patch(t.Context(), "often", types.MergePatchType, patch, metav1.PatchOptions{}, "status"); err != nil {
		t.Fatal(err)
	}
	eventually(t, func(ctx context.Context) error {
		c, err := client.BatchV1().CronJobs(ns).Get(ctx, "often", metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, ref := range c.Status.Active {
			if ref.Name == "lost" {
				return errors.New("the CronJob's missing Job still counts")
			}
		}
		return nil
	})
	eventually(t, func(ctx context.Context) error {
		return gone(client.BatchV1().Jobs(ns).Get(ctx, "once", metav1.GetOptions{}))
	})
}
