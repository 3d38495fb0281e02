package node

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	apiresource "k8s.io/kubernetes/pkg/api/v1/resource"
	"k8s.io/kubernetes/pkg/fieldpath"
	"k8s.io/kubernetes/pkg/kubelet/envvars"
	"k8s.io/kubernetes/third_party/forked/golang/expansion"
)

// environment is a container's variables as the kubelet makes them
// (makeEnvironmentVariables in its kubelet_pods.go): those of Services exist
// only for Services that the kubelet has seen by now.
type environment struct {
	names  []string // in the order in which they were first set
	values map[string]string
}

func (e *environment) set(name, value string) {
	if _, has := e.values[name]; !has {
		e.names = append(e.names, name)
	}
	e.values[name] = value
}

// list is the environment as execve takes it.
func (e *environment) list() []string {
	out := make([]string, len(e.names))
	for i, name := range e.names {
		out[i] = name + "=" + e.values[name]
	}
	return out
}

// expand replaces $(NAME) in every word by what NAME stands for.
func (e *environment) expand(words []string) []string {
	mapping := expansion.MappingFuncFor(e.values)
	out := make([]string, len(words))
	for i, word := range words {
		out[i] = expansion.Expand(word, mapping)
	}
	return out
}

// environment makes the variables of a container. Its error is the kubelet's.
func (c *container) environment(ctx context.Context, base []string) (*environment, error) {
	p := c.pod
	services, err := p.serviceVariables()
	if err != nil {
		return nil, err
	}
	own := &environment{values: map[string]string{}}
	for _, from := range c.spec().EnvFrom {
		if err := p.addFrom(ctx, own, from); err != nil {
			return nil, err
		}
	}
	mapping := expansion.MappingFuncFor(own.values, services)
	for i := range c.spec().Env {
		variable := &c.spec().Env[i]
		value := expansion.Expand(variable.Value, mapping)
		if variable.Value == "" && variable.ValueFrom != nil {
			var has bool
			if value, has, err = c.valueFrom(ctx, variable.ValueFrom); err != nil {
				return nil, err
			} else if !has {
				continue
			}
		}
		own.set(variable.Name, value)
	}
	all := &environment{values: map[string]string{}}
	for _, entry := range base {
		for i := range entry {
			if entry[i] == '=' {
				all.set(entry[:i], entry[i+1:])
				break
			}
		}
	}
	all.set("HOSTNAME", p.hostname())
	for _, name := range own.names {
		all.set(name, own.values[name])
	}
	names := make([]string, 0, len(services))
	for name := range services {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if _, has := own.values[name]; !has {
			all.set(name, services[name])
		}
	}
	return all, nil
}

// serviceVariables are NAME_SERVICE_HOST and the like: those of the Pod's
// namespace, unless it wants none, and always Service kubernetes.
func (p *pod) serviceVariables() (map[string]string, error) {
	all, err := p.services.List(labels.Everything())
	if err != nil {
		return nil, fmt.Errorf("list Services when setting up env vars: %w", err)
	}
	chosen := map[string]*corev1.Service{}
	links := p.object.Spec.EnableServiceLinks == nil || *p.object.Spec.EnableServiceLinks
	for _, service := range all {
		if service.Spec.ClusterIP == "" || service.Spec.ClusterIP == corev1.ClusterIPNone {
			continue
		}
		if service.Namespace == metav1.NamespaceDefault && service.Name == "kubernetes" {
			if chosen[service.Name] == nil {
				chosen[service.Name] = service
			}
		} else if service.Namespace == p.object.Namespace && links {
			chosen[service.Name] = service
		}
	}
	services := make([]*corev1.Service, 0, len(chosen))
	for _, service := range chosen {
		services = append(services, service)
	}
	out := map[string]string{}
	for _, variable := range envvars.FromServices(services) {
		out[variable.Name] = variable.Value
	}
	return out, nil
}

func (p *pod) addFrom(ctx context.Context, own *environment, from corev1.EnvFromSource) error {
	add := func(data map[string]string) {
		keys := make([]string, 0, len(data))
		for key := range data {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		for _, key := range keys {
			own.set(from.Prefix+key, data[key])
		}
	}
	switch {
	case from.ConfigMapRef != nil:
		object, err := p.configMap(ctx, from.ConfigMapRef.Name, from.ConfigMapRef.Optional)
		if err != nil || object == nil {
			return err
		}
		add(object.Data)
	case from.SecretRef != nil:
		object, err := p.secret(ctx, from.SecretRef.Name, from.SecretRef.Optional)
		if err != nil || object == nil {
			return err
		}
		data := map[string]string{}
		for key, value := range object.Data {
			data[key] = string(value)
		}
		add(data)
	}
	return nil
}

// valueFrom is the value of a source, and whether there is one: what is
// optional may be missing.
func (c *container) valueFrom(ctx context.Context, from *corev1.EnvVarSource) (value string, has bool, err error) {
	p := c.pod
	switch {
	case from.FieldRef != nil:
		value, err = p.field(from.FieldRef.FieldPath)
		return value, true, err
	case from.ResourceFieldRef != nil:
		value, err = c.resource(from.ResourceFieldRef)
		return value, true, err
	case from.ConfigMapKeyRef != nil:
		ref := from.ConfigMapKeyRef
		object, err := p.configMap(ctx, ref.Name, ref.Optional)
		if err != nil || object == nil {
			return "", false, err
		}
		value, has = object.Data[ref.Key]
		return value, has, missingKey("ConfigMap", p.object.Namespace, ref.Name, ref.Key, has, ref.Optional)
	case from.SecretKeyRef != nil:
		ref := from.SecretKeyRef
		object, err := p.secret(ctx, ref.Name, ref.Optional)
		if err != nil || object == nil {
			return "", false, err
		}
		data, has := object.Data[ref.Key]
		return string(data), has, missingKey("Secret", p.object.Namespace, ref.Name, ref.Key, has, ref.Optional)
	}
	return "", false, nil
}

// field is a field of the Pod as the downward API gives it.
func (p *pod) field(path string) (string, error) {
	switch path {
	case "spec.nodeName":
		return p.host.Name, nil
	case "spec.serviceAccountName":
		return p.object.Spec.ServiceAccountName, nil
	case "status.hostIP", "status.hostIPs":
		return p.host.Address.String(), nil
	case "status.podIP", "status.podIPs":
		return p.address.String(), nil
	}
	return fieldpath.ExtractFieldPathAsString(p.object, path)
}

// resource is a request or limit of a container as the downward API gives it.
func (c *container) resource(ref *corev1.ResourceFieldSelector) (string, error) {
	spec := c.spec()
	if ref.ContainerName != "" {
		for _, other := range c.pod.containers() {
			if other.spec().Name == ref.ContainerName {
				spec = other.spec()
			}
		}
	}
	return apiresource.ExtractContainerResourceValue(ref, spec)
}

// configMap is a ConfigMap of the Pod's namespace, nil if it is missing and
// may be. The error is worded as the kubelet words it.
func (p *pod) configMap(ctx context.Context, name string, optional *bool) (*corev1.ConfigMap, error) {
	object, err := p.client.CoreV1().ConfigMaps(p.object.Namespace).Get(ctx, name, metav1.GetOptions{})
	return found(object, err, "configmap", name, optional)
}

// secret is configMap for Secrets.
func (p *pod) secret(ctx context.Context, name string, optional *bool) (*corev1.Secret, error) {
	object, err := p.client.CoreV1().Secrets(p.object.Namespace).Get(ctx, name, metav1.GetOptions{})
	return found(object, err, "secret", name, optional)
}

func found[T any](object *T, err error, kind, name string, optional *bool) (*T, error) {
	switch {
	case err == nil:
		return object, nil
	case !apierrors.IsNotFound(err):
		return nil, err
	case optional != nil && *optional:
		return nil, nil
	}
	return nil, fmt.Errorf("%s %q not found", kind, name)
}

func missingKey(kind, namespace, name, key string, has bool, optional *bool) error {
	if has || optional != nil && *optional {
		return nil
	}
	return fmt.Errorf("couldn't find key %s in %s %s/%s", key, kind, namespace, name)
}
