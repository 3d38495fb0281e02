package node

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// configMap is the problem with a ConfigMap that a Pod needs, "" if none. Key
// "" stands for the whole of it.
func (p *pod) configMap(ctx context.Context, name, key string, optional *bool) string {
	object, err := p.client.CoreV1().ConfigMaps(p.object.Namespace).Get(ctx, name, metav1.GetOptions{})
	has := err == nil && key != ""
	if has {
		_, text := object.Data[key]
		_, binary := object.BinaryData[key]
		has = text || binary
	}
	return problem("configmap", "ConfigMap", p.object.Namespace, name, key, optional, has, err)
}

// secret is configMap for Secrets.
func (p *pod) secret(ctx context.Context, name, key string, optional *bool) string {
	object, err := p.client.CoreV1().Secrets(p.object.Namespace).Get(ctx, name, metav1.GetOptions{})
	has := err == nil && key != ""
	if has {
		_, has = object.Data[key]
	}
	return problem("secret", "Secret", p.object.Namespace, name, key, optional, has, err)
}

// problem words it as the kubelet does (its kubelet_pods.go).
func problem(resource, kind, namespace, name, key string, optional *bool, has bool, err error) string {
	switch {
	case optional != nil && *optional:
		return ""
	case apierrors.IsNotFound(err):
		return fmt.Sprintf("%s %q not found", resource, name)
	case err != nil:
		return err.Error()
	case key != "" && !has:
		return fmt.Sprintf("couldn't find key %s in %s %s/%s", key, kind, namespace, name)
	}
	return ""
}

// missingReference is the problem with what a container's environment refers
// to, "" if none.
func (p *pod) missingReference(ctx context.Context, spec *corev1.Container) string {
	for _, from := range spec.EnvFrom {
		found := ""
		switch {
		case from.ConfigMapRef != nil:
			found = p.configMap(ctx, from.ConfigMapRef.Name, "", from.ConfigMapRef.Optional)
		case from.SecretRef != nil:
			found = p.secret(ctx, from.SecretRef.Name, "", from.SecretRef.Optional)
		}
		if found != "" {
			return found
		}
	}
	for _, env := range spec.Env {
		if env.ValueFrom == nil {
			continue
		}
		found := ""
		switch ref := env.ValueFrom; {
		case ref.ConfigMapKeyRef != nil:
			found = p.configMap(ctx, ref.ConfigMapKeyRef.Name, ref.ConfigMapKeyRef.Key, ref.ConfigMapKeyRef.Optional)
		case ref.SecretKeyRef != nil:
			found = p.secret(ctx, ref.SecretKeyRef.Name, ref.SecretKeyRef.Key, ref.SecretKeyRef.Optional)
		}
		if found != "" {
			return found
		}
	}
	return ""
}

// missingVolume is the first volume that cannot be mounted and why. The
// projected volume of the service account's token is the API server's own and
// not looked at.
func (p *pod) missingVolume(ctx context.Context) (name, why string) {
	for _, volume := range p.object.Spec.Volumes {
		switch {
		case volume.ConfigMap != nil:
			why = p.configMap(ctx, volume.ConfigMap.Name, "", volume.ConfigMap.Optional)
		case volume.Secret != nil:
			why = p.secret(ctx, volume.Secret.SecretName, "", volume.Secret.Optional)
		}
		if why != "" {
			return volume.Name, why
		}
	}
	return "", ""
}
