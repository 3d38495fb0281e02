package whatif

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/endpoints/request"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
)

// create stores a new object as the API server's registry does
// (apiserver/pkg/registry/generic/registry/store.go, create).
func (w *world) create(k *kind, i id, object runtime.Object) error {
	if err := w.checkNamespace(i); err != nil {
		return err
	}
	internal, err := k.internal(object)
	if err != nil {
		return err
	}
	about, err := meta.Accessor(internal)
	if err != nil {
		return fmt.Errorf("read %s %s: %w", k.Kind, i.key(), err)
	}
	rest.WipeObjectMetaSystemFields(about)
	rest.FillObjectMetaSystemFields(about)
	about.SetUID(i.uid())
	about.SetCreationTimestamp(metav1.NewTime(w.before.Time))
	ctx := w.request(k, i, "", "create")
	var store *genericregistry.Store
	if k.Kind == "Service" {
		if store, err = w.serviceStore(i); err != nil {
			return err
		}
		finish, err := store.BeginCreate(ctx, internal, &metav1.CreateOptions{})
		if err != nil {
			return err
		}
		defer finish(ctx, false) // nothing is taken from the cluster's ranges
	}
	if err := rest.BeforeCreate(k.strategy, ctx, internal); err != nil {
		return err
	}
	if store != nil {
		store.Decorator(internal)
	}
	return w.stored(k, i, internal, nil)
}

// update stores a changed object as the API server's registry does
// (apiserver/pkg/registry/generic/registry/store.go, Update).
func (w *world) update(k *kind, i id, subresource string, object, current runtime.Object) error {
	after, err := k.internal(object)
	if err != nil {
		return err
	}
	before, err := k.internal(current)
	if err != nil {
		return err
	}
	var strategy rest.RESTUpdateStrategy = k.strategy
	switch {
	case subresource == "status" && k.status != nil:
		strategy = k.status
	case subresource != "":
		return apierrors.NewNotFound(schema.GroupResource{Group: k.Group, Resource: k.resource + "/" + subresource}, i.name)
	}
	was, err := meta.Accessor(before)
	if err != nil {
		return fmt.Errorf("read %s %s: %w", k.Kind, i.key(), err)
	}
	is, err := meta.Accessor(after)
	if err != nil {
		return fmt.Errorf("read %s %s: %w", k.Kind, i.key(), err)
	}
	if version := is.GetResourceVersion(); version != "" && version != was.GetResourceVersion() {
		return apierrors.NewConflict(schema.GroupResource{Group: k.Group, Resource: k.resource}, i.name, fmt.Errorf(genericregistry.OptimisticLockErrorMsg))
	}
	is.SetResourceVersion(was.GetResourceVersion())
	ctx := w.request(k, i, subresource, "update")
	var store *genericregistry.Store
	if k.Kind == "Service" && subresource == "" {
		if store, err = w.serviceStore(i); err != nil {
			return err
		}
		finish, err := store.BeginUpdate(ctx, after, before, &metav1.UpdateOptions{})
		if err != nil {
			return err
		}
		defer finish(ctx, false) // nothing is taken from the cluster's ranges
	}
	if err := rest.BeforeUpdate(strategy, ctx, after, before); err != nil {
		return err
	}
	if store != nil {
		store.Decorator(after)
	}
	return w.stored(k, i, after, current)
}

// request is the context that a registry works in.
func (w *world) request(k *kind, i id, subresource, verb string) context.Context {
	ctx := request.WithNamespace(w.ctx, i.namespace)
	return request.WithRequestInfo(ctx, &request.RequestInfo{
		IsResourceRequest: true, Verb: verb, APIGroup: k.Group, APIVersion: k.Version,
		Namespace: i.namespace, Resource: k.resource, Subresource: subresource, Name: i.name,
	})
}

// internal gives an object as the API server works with it: a copy.
func (k *kind) internal(object runtime.Object) (runtime.Object, error) {
	out, err := legacyscheme.Scheme.ConvertToVersion(object.DeepCopyObject(), schema.GroupVersion{Group: k.Group, Version: runtime.APIVersionInternal})
	if err != nil {
		return nil, fmt.Errorf("read a %s: %w", k.Kind, err)
	}
	return out, nil
}

// stored keeps what a registry made of an object, and notes who has to look at
// it. before is nil when it is new.
func (w *world) stored(k *kind, i id, internal, before runtime.Object) error {
	object, err := legacyscheme.Scheme.ConvertToVersion(internal.DeepCopyObject(), k.GroupVersion())
	if err != nil {
		return fmt.Errorf("write %s %s: %w", k.Kind, i.key(), err)
	}
	object.GetObjectKind().SetGroupVersionKind(k.GroupVersionKind)
	w.due(i)
	switch o := object.(type) {
	case *corev1.Service:
		w.tellService(i, o)
	case *corev1.Pod:
		if before == nil {
			w.run(i, o)
		} else {
			w.keepReady(i, o, before)
		}
	}
	w.put(i, object)
	w.due(i)
	w.revise(i, object, before)
	return nil
}
