// Package addon adds to a lab what a cluster does not have by itself: load
// balancers, whose program (package child/loadbalancer) runs in a Pod.
package addon

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// Name is that of the addon, of its Deployment and of what belongs to that.
const Name = "load-balancer"

// ImageName is the image of its Pod.
const ImageName = "svctour.dev/lab/load-balancer:v1"

const clusterRole = "svctour:" + Name

var theLabels = map[string]string{"app.kubernetes.io/name": Name, "app.kubernetes.io/managed-by": "svctour"}

func meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Labels: theLabels}
}

func systemMeta() metav1.ObjectMeta {
	m := meta(Name)
	m.Namespace = metav1.NamespaceSystem
	return m
}

// rules are what the service controller and the announcer need.
var rules = []rbacv1.PolicyRule{
	{APIGroups: []string{""}, Resources: []string{"services", "nodes"}, Verbs: []string{"get", "list", "watch"}},
	{APIGroups: []string{""}, Resources: []string{"services/status"}, Verbs: []string{"patch", "update"}},
	{APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}, Verbs: []string{"get", "list", "watch"}},
	{APIGroups: []string{""}, Resources: []string{"events"}, Verbs: []string{"create", "patch", "update"}},
}

func deployment(pool string) *appsv1.Deployment {
	one := int32(1)
	return &appsv1.Deployment{
		ObjectMeta: systemMeta(),
		Spec: appsv1.DeploymentSpec{
			Replicas: &one,
			Strategy: appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType}, // two would hand out the same addresses
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app.kubernetes.io/name": Name}},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: theLabels},
				Spec: corev1.PodSpec{
					ServiceAccountName: Name,
					PriorityClassName:  "system-cluster-critical",
					Containers: []corev1.Container{{
						Name: Name, Image: ImageName, ImagePullPolicy: corev1.PullIfNotPresent, Args: []string{"--pool=" + pool},
					}},
				},
			},
		},
	}
}

// Enable lets the cluster have load balancers with addresses of a range as
// ParseRange reads it, or another pool if it has some already.
func Enable(ctx context.Context, client kubernetes.Interface, pool string) error {
	if _, err := ParseRange(pool); err != nil {
		return err
	}
	create := metav1.CreateOptions{}
	for what, step := range map[string]func() error{
		"ServiceAccount": func() error {
			_, err := client.CoreV1().ServiceAccounts(metav1.NamespaceSystem).Create(ctx, &corev1.ServiceAccount{ObjectMeta: systemMeta()}, create)
			return err
		},
		"ClusterRole": func() error {
			_, err := client.RbacV1().ClusterRoles().Create(ctx, &rbacv1.ClusterRole{ObjectMeta: meta(clusterRole), Rules: rules}, create)
			return err
		},
		"ClusterRoleBinding": func() error {
			_, err := client.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
				ObjectMeta: meta(clusterRole),
				RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: clusterRole},
				Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: metav1.NamespaceSystem, Name: Name}},
			}, create)
			return err
		},
	} {
		if err := step(); err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("create the %s of %s: %w", what, Name, err)
		}
	}
	deployments := client.AppsV1().Deployments(metav1.NamespaceSystem)
	_, err := deployments.Create(ctx, deployment(pool), create)
	if apierrors.IsAlreadyExists(err) {
		_, err = deployments.Update(ctx, deployment(pool), metav1.UpdateOptions{})
	}
	if err != nil {
		return fmt.Errorf("create the Deployment %s: %w", Name, err)
	}
	return nil
}

// Disable takes away what Enable has made and says whether there was anything.
// Services keep the addresses that they have in their status, as they do when
// a cloud's controller is gone; nothing announces them any more.
func Disable(ctx context.Context, client kubernetes.Interface) (bool, error) {
	found := false
	background := metav1.DeletePropagationBackground
	options := metav1.DeleteOptions{PropagationPolicy: &background}
	for what, err := range map[string]error{
		"Deployment":         client.AppsV1().Deployments(metav1.NamespaceSystem).Delete(ctx, Name, options),
		"ClusterRoleBinding": client.RbacV1().ClusterRoleBindings().Delete(ctx, clusterRole, options),
		"ClusterRole":        client.RbacV1().ClusterRoles().Delete(ctx, clusterRole, options),
		"ServiceAccount":     client.CoreV1().ServiceAccounts(metav1.NamespaceSystem).Delete(ctx, Name, options),
	} {
		switch {
		case err == nil:
			found = true
		case !apierrors.IsNotFound(err):
			return found, fmt.Errorf("delete the %s of %s: %w", what, Name, err)
		}
	}
	return found, nil
}

// Enabled is whether the Deployment exists, and the pool it was given.
func Enabled(ctx context.Context, client kubernetes.Interface) (pool string, ok bool, err error) {
	d, err := client.AppsV1().Deployments(metav1.NamespaceSystem).Get(ctx, Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("look for the Deployment %s: %w", Name, err)
	}
	const flag = "--pool="
	for _, container := range d.Spec.Template.Spec.Containers {
		for _, argument := range container.Args {
			if len(argument) > len(flag) && argument[:len(flag)] == flag {
				pool = argument[len(flag):]
			}
		}
	}
	return pool, true, nil
}
