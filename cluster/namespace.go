package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Every object svctour makes lives in a namespace that carries this label, so
// that removing those namespaces removes everything.
const (
	OwnerLabel = "app.kubernetes.io/managed-by"
	OwnerName  = "svctour"
)

// pollEvery paces the questions while a namespace terminates.
const pollEvery = 250 * time.Millisecond

// terminatingPatience is how long EnsureNamespace waits for one of our own
// namespaces to finish terminating before it takes the next name.
const terminatingPatience = 30 * time.Second

func owned(ns *corev1.Namespace) bool { return ns.Labels[OwnerLabel] == OwnerName }

// EnsureNamespace makes a namespace of svctour's and gives its name: the first
// of the candidates that is free or already ours. A namespace that somebody
// else made is never taken over or changed. One of ours that is terminating is
// waited for.
func (c *Connection) EnsureNamespace(ctx context.Context, candidates ...string) (string, error) {
	var taken []string
	for _, name := range candidates {
		ok, err := c.ensureNamespace(ctx, name)
		if err != nil {
			return "", fmt.Errorf("make namespace %q: %w", name, err)
		}
		if ok {
			return name, nil
		}
		taken = append(taken, fmt.Sprintf("%q", name))
	}
	if len(taken) == 0 {
		return "", errors.New("make a namespace: no name given")
	}
	return "", fmt.Errorf("make a namespace: %s exist already and were not made by svctour (label %s=%s)",
		strings.Join(taken, ", "), OwnerLabel, OwnerName)
}

// ensureNamespace says whether name is a live namespace of ours.
func (c *Connection) ensureNamespace(ctx context.Context, name string) (bool, error) {
	namespaces := c.client.CoreV1().Namespaces()
	giveUp := time.Now().Add(terminatingPatience)
	for {
		_, err := namespaces.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name:   name,
			Labels: map[string]string{OwnerLabel: OwnerName},
		}}, metav1.CreateOptions{})
		if err == nil {
			return true, nil
		}
		if !apierrors.IsAlreadyExists(err) {
			return false, c.explained(err)
		}
		ns, err := namespaces.Get(ctx, name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err): // gone between the two questions
		case err != nil:
			return false, c.explained(err)
		case !owned(ns):
			return false, nil
		case ns.DeletionTimestamp == nil:
			return true, nil
		case time.Now().After(giveUp):
			return false, nil
		}
		if !pause(ctx, pollEvery) {
			return false, ctx.Err()
		}
	}
}

// Owned lists the namespaces that svctour made, also those terminating.
func (c *Connection) Owned(ctx context.Context) ([]string, error) {
	list, err := c.owned(ctx)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(list))
	for i := range list {
		names[i] = list[i].Name
	}
	return names, nil
}

func (c *Connection) owned(ctx context.Context) ([]corev1.Namespace, error) {
	list, err := c.client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{LabelSelector: OwnerLabel + "=" + OwnerName})
	if err != nil {
		return nil, fmt.Errorf("list svctour's namespaces: %w", c.explained(err))
	}
	return list.Items, nil
}

// Clean removes every namespace that svctour made, with all that is in them,
// and gives their names. With wait it returns only when they are gone.
func (c *Connection) Clean(ctx context.Context, wait bool) ([]string, error) {
	list, err := c.owned(ctx)
	if err != nil {
		return nil, err
	}
	namespaces := c.client.CoreV1().Namespaces()
	var removed []string
	for i := range list {
		ns := &list[i]
		if ns.DeletionTimestamp == nil {
			c.stopWorkloads(ctx, ns.Name)
		}
		// The UID: not another namespace that took the name meanwhile.
		err := namespaces.Delete(ctx, ns.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &ns.UID}})
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			return removed, fmt.Errorf("remove namespace %q: %w", ns.Name, c.explained(err))
		}
		removed = append(removed, ns.Name)
	}
	for i := 0; wait && i < len(list); {
		ns, err := namespaces.Get(ctx, list[i].Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) || err == nil && ns.UID != list[i].UID {
			i++
			continue
		}
		if err != nil && ctx.Err() == nil {
			return removed, fmt.Errorf("wait until namespace %q is gone: %w", list[i].Name, c.explained(err))
		}
		if !pause(ctx, pollEvery) {
			return removed, fmt.Errorf("wait until namespace %q is gone: %w", list[i].Name, ctx.Err())
		}
	}
	return removed, nil
}

// stopWorkloads begins to end what runs in a namespace, owners first. The
// namespace controller would do it too, but only 5 s after the namespace's
// removal (namespaceDeletionGracePeriod), and then waits for the Pods again; so
// an error here costs nothing but time.
func (c *Connection) stopWorkloads(ctx context.Context, namespace string) {
	background := metav1.DeletePropagationBackground
	how, all := metav1.DeleteOptions{PropagationPolicy: &background}, metav1.ListOptions{}
	_ = c.client.AppsV1().Deployments(namespace).DeleteCollection(ctx, how, all)
	_ = c.client.AppsV1().StatefulSets(namespace).DeleteCollection(ctx, how, all)
	_ = c.client.AppsV1().DaemonSets(namespace).DeleteCollection(ctx, how, all)
	_ = c.client.BatchV1().Jobs(namespace).DeleteCollection(ctx, how, all)
	_ = c.client.AppsV1().ReplicaSets(namespace).DeleteCollection(ctx, how, all)
	_ = c.client.CoreV1().Pods(namespace).DeleteCollection(ctx, how, all)
}

// explained adds which server an error came from, for Explain.
func (c *Connection) explained(err error) error {
	return &ServerError{Server: c.base.String(), Err: err}
}
