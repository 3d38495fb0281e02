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
	"k8s.io/apimachinery/pkg/types"
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

// Ours says whether svctour made a namespace.
func Ours(ns *corev1.Namespace) bool { return ns.Labels[OwnerLabel] == OwnerName }

// EnsureNamespace makes a namespace of svctour's and gives its name: the first
// of the candidates that is free or already ours. A namespace that someone
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
			return false, c.FromServer(err)
		}
		ns, err := namespaces.Get(ctx, name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err): // gone between the two questions
		case err != nil:
			return false, c.FromServer(err)
		case !Ours(ns):
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
	list, err := c.client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{LabelSelector: OwnerLabel + "=" + OwnerName})
	if err != nil {
		return nil, fmt.Errorf("list svctour's namespaces: %w", c.FromServer(err))
	}
	names := make([]string, len(list.Items))
	for i := range list.Items {
		names[i] = list.Items[i].Name
	}
	return names, nil
}

// Clean removes the namespaces of these names that svctour made, with all that
// is in them, and gives the names of those. It removes nothing that is not
// named: the person has agreed to these and to no others. With wait it returns
// only when they are gone.
func (c *Connection) Clean(ctx context.Context, names []string, wait bool) ([]string, error) {
	var removed []string
	uids := map[string]types.UID{}
	for _, name := range names {
		uid, err := c.remove(ctx, name)
		if err != nil {
			return removed, fmt.Errorf("remove namespace %q: %w", name, c.FromServer(err))
		}
		if uid != "" {
			removed, uids[name] = append(removed, name), uid
		}
	}
	if !wait {
		return removed, nil
	}
	for _, name := range removed {
		if err := c.waitGone(ctx, name, uids[name]); err != nil {
			return removed, fmt.Errorf("wait until namespace %q is gone: %w", name, err)
		}
	}
	return removed, nil
}

// remove begins to remove a namespace and gives its UID; "" when there is none
// of ours by this name.
func (c *Connection) remove(ctx context.Context, name string) (types.UID, error) {
	namespaces := c.client.CoreV1().Namespaces()
	ns, err := namespaces.Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return "", nil
	case err != nil:
		return "", err
	case !Ours(ns):
		return "", nil
	}
	if ns.DeletionTimestamp == nil {
		c.StopWorkloads(ctx, name)
	}
	// The UID: not another namespace that took the name meanwhile.
	err = namespaces.Delete(ctx, name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &ns.UID}})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return "", err
	}
	return ns.UID, nil
}

// waitGone returns when the namespace of this UID is gone.
func (c *Connection) waitGone(ctx context.Context, name string, uid types.UID) error {
	for {
		ns, err := c.client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err) || err == nil && ns.UID != uid:
			return nil
		case err != nil && ctx.Err() == nil:
			return c.FromServer(err)
		}
		if !pause(ctx, pollEvery) {
			return ctx.Err()
		}
	}
}

// StopWorkloads begins to end what runs in a namespace, owners first. The
// namespace controller would do it too, but only 5 s after the namespace's
// removal (namespaceDeletionGracePeriod), and then waits for the Pods again; so
// an error here costs nothing but time.
func (c *Connection) StopWorkloads(ctx context.Context, namespace string) {
	background := metav1.DeletePropagationBackground
	how, all := metav1.DeleteOptions{PropagationPolicy: &background}, metav1.ListOptions{}
	_ = c.client.AppsV1().Deployments(namespace).DeleteCollection(ctx, how, all)
	_ = c.client.AppsV1().StatefulSets(namespace).DeleteCollection(ctx, how, all)
	_ = c.client.AppsV1().DaemonSets(namespace).DeleteCollection(ctx, how, all)
	_ = c.client.BatchV1().Jobs(namespace).DeleteCollection(ctx, how, all)
	_ = c.client.AppsV1().ReplicaSets(namespace).DeleteCollection(ctx, how, all)
	_ = c.client.CoreV1().Pods(namespace).DeleteCollection(ctx, how, all)
}

// FromServer adds which server an error came from, for Explain.
func (c *Connection) FromServer(err error) error {
	return &ServerError{Server: c.base.String(), Err: err}
}
