// Package drive works a cluster as its users do, for the tests that look at a
// cluster's behaviour from inside: it applies manifests, runs commands in
// containers and waits for conditions. The cluster is a lab of its own, or any
// that a kubeconfig leads to.
package drive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/util/exec"
	"k8s.io/client-go/util/retry"
	//lint:ignore SA1019 the type that client-go has in its own signatures
	"k8s.io/apimachinery/pkg/util/httpstream"

	corev1 "k8s.io/api/core/v1"
)

// Poll is how often Until looks.
const Poll = 150 * time.Millisecond

// Cluster is a cluster under test.
type Cluster struct {
	kubernetes.Interface
	Kubeconfig string
	Config     *rest.Config
	Lab        *Lab // nil for a foreign cluster
	dynamic    dynamic.Interface
	mapper     meta.RESTMapper
}

// Connect uses the cluster that a kubeconfig's current context names.
func Connect(kubeconfig string) (*Cluster, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig %q: %w", kubeconfig, err)
	}
	config.QPS = -1
	config.WarningHandler = rest.NoWarnings{}
	c := &Cluster{Kubeconfig: kubeconfig, Config: config}
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	c.Interface = clients
	if c.dynamic, err = dynamic.NewForConfig(config); err != nil {
		return nil, fmt.Errorf("make a client of any kind: %w", err)
	}
	c.mapper = restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(clients.Discovery()))
	return c, nil
}

// Decode reads YAML documents; an object without a namespace gets this one.
func Decode(manifests, namespace string) ([]*unstructured.Unstructured, error) {
	var out []*unstructured.Unstructured
	decoder := utilyaml.NewYAMLOrJSONDecoder(strings.NewReader(manifests), 4096)
	for {
		object := &unstructured.Unstructured{}
		if err := decoder.Decode(&object.Object); err == io.EOF {
			return out, nil
		} else if err != nil {
			return nil, fmt.Errorf("read manifests: %w\n%s", err, manifests)
		}
		if len(object.Object) == 0 {
			continue
		}
		if object.GetNamespace() == "" {
			object.SetNamespace(namespace)
		}
		out = append(out, object)
	}
}

// Create creates an object, or changes it into this one if it exists. It waits
// for what the control plane makes for a new namespace: Pods need its service
// account.
func (c *Cluster) Create(ctx context.Context, object *unstructured.Unstructured) error {
	resource, err := c.resource(object)
	if err != nil {
		return err
	}
	for {
		_, err = resource.Create(ctx, object, metav1.CreateOptions{FieldManager: "drive"})
		switch {
		case apierrors.IsAlreadyExists(err):
			_, err = resource.Apply(ctx, object.GetName(), object, metav1.ApplyOptions{FieldManager: "drive", Force: true})
		case apierrors.IsForbidden(err) && strings.Contains(err.Error(), "serviceaccount"):
			if waitErr := pause(ctx); waitErr == nil {
				continue
			}
		}
		if err != nil {
			return fmt.Errorf("create %s %q: %w", object.GetKind(), object.GetName(), err)
		}
		return nil
	}
}

// Delete deletes an object; one that is not there is no error.
func (c *Cluster) Delete(ctx context.Context, object *unstructured.Unstructured, options metav1.DeleteOptions) error {
	resource, err := c.resource(object)
	if err != nil {
		return err
	}
	if err := resource.Delete(ctx, object.GetName(), options); err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete %s %q: %w", object.GetKind(), object.GetName(), err)
	}
	return nil
}

func (c *Cluster) resource(object *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	kind := object.GroupVersionKind()
	mapping, err := c.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return nil, fmt.Errorf("find the resource of kind %q: %w", kind, err)
	}
	if mapping.Scope.Name() == meta.RESTScopeNameRoot {
		object.SetNamespace("")
		return c.dynamic.Resource(mapping.Resource), nil
	}
	return c.dynamic.Resource(mapping.Resource).Namespace(object.GetNamespace()), nil
}

// Output is what a command wrote and how it ended.
type Output struct {
	Stdout, Stderr string
	Code           int
}

// Exec runs a command in a Pod's first container, as kubectl exec does.
func (c *Cluster) Exec(ctx context.Context, namespace, pod string, command ...string) (Output, error) {
	request := c.CoreV1().RESTClient().Post().Namespace(namespace).Resource("pods").Name(pod).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{Command: command, Stdout: true, Stderr: true}, scheme.ParameterCodec)
	spdy, err := remotecommand.NewSPDYExecutor(c.Config, http.MethodPost, request.URL())
	if err != nil {
		return Output{}, err
	}
	socket, err := remotecommand.NewWebSocketExecutor(c.Config, http.MethodGet, request.URL().String())
	if err != nil {
		return Output{}, err
	}
	executor, err := remotecommand.NewFallbackExecutor(socket, spdy, httpstream.IsUpgradeFailure)
	if err != nil {
		return Output{}, err
	}
	var stdout, stderr bytes.Buffer
	err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: &stdout, Stderr: &stderr})
	out := Output{Stdout: stdout.String(), Stderr: stderr.String()}
	var code exec.CodeExitError
	if errors.As(err, &code) {
		out.Code = code.Code
	} else if err != nil {
		return out, fmt.Errorf("run %q in Pod %q: %w", command, namespace+"/"+pod, err)
	}
	return out, nil
}

// Scale sets the replicas of a Deployment and says how many there were. Its
// controller may write the Deployment's status at any time, so it tries again
// when somebody else was faster.
func Scale(ctx context.Context, client kubernetes.Interface, namespace, deployment string, n int32) (before int32, err error) {
	deployments := client.AppsV1().Deployments(namespace)
	err = retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		scale, err := deployments.GetScale(ctx, deployment, metav1.GetOptions{})
		if err != nil {
			return err
		}
		before, scale.Spec.Replicas = scale.Spec.Replicas, n
		_, err = deployments.UpdateScale(ctx, deployment, scale, metav1.UpdateOptions{})
		return err
	})
	return before, err
}

// Until asks until check has no complaint, and gives its last one when ctx ends.
func Until(ctx context.Context, check func(context.Context) error) error {
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		if pause(ctx) != nil {
			return err
		}
	}
}

func pause(ctx context.Context) error {
	select {
	case <-time.After(Poll):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Ready says whether a Pod is ready.
func Ready(pod *corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// Running says whether all of a Pod's containers have started.
func Running(pod *corev1.Pod) bool {
	for _, status := range pod.Status.ContainerStatuses {
		if status.State.Running == nil {
			return false
		}
	}
	return len(pod.Status.ContainerStatuses) == len(pod.Spec.Containers) && pod.Status.PodIP != ""
}
