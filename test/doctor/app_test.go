package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"svctour/model"
	"svctour/model/diagnose"
)

// manifest is the objects of an application, as a person writes them down.
type manifest []*unstructured.Unstructured

// read gives the objects of a file.
func read(file string) (manifest, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var out manifest
	for part := range strings.SplitSeq("\n"+string(text), "\n---\n") {
		o := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(part), &o.Object); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if o.GetKind() != "" {
			out = append(out, o)
		}
	}
	return out, nil
}

func (m manifest) copied() manifest {
	out := make(manifest, 0, len(m))
	for _, o := range m {
		out = append(out, o.DeepCopy())
	}
	return out
}

// find gives an object to change.
func (m manifest) find(kind, name string) *unstructured.Unstructured {
	for _, o := range m {
		if o.GetKind() == kind && o.GetName() == name {
			return o
		}
	}
	panic(kind + " " + name + " is not in the manifest")
}

// maker is the workload of a name.
func (m manifest) maker(name string) *unstructured.Unstructured {
	for _, o := range m {
		if k := o.GetKind(); o.GetName() == name && (k == "Deployment" || k == "StatefulSet" || k == "DaemonSet") {
			return o
		}
	}
	panic("no workload " + name)
}

// add adds an object in YAML.
func (m *manifest) add(text string) {
	o := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &o.Object); err != nil {
		panic(err)
	}
	*m = append(*m, o)
}

// drop takes an object away.
func (m *manifest) drop(kind, name string) {
	*m = slices.DeleteFunc(*m, func(o *unstructured.Unstructured) bool { return o.GetKind() == kind && o.GetName() == name })
}

// set writes a value in YAML at a path like spec.ports.0.targetPort; an empty
// value takes the field away.
func set(o *unstructured.Unstructured, path, value string) {
	var v any
	if err := yaml.Unmarshal([]byte(value), &v); err != nil {
		panic(err)
	}
	keys := strings.Split(path, ".")
	var at any = o.Object
	for i, key := range keys {
		last := i == len(keys)-1
		switch node := at.(type) {
		case map[string]any:
			switch {
			case last && value == "":
				delete(node, key)
			case last:
				node[key] = v
			case node[key] == nil:
				node[key] = map[string]any{}
			}
			at = node[key]
		case []any:
			n, err := strconv.Atoi(key)
			if err != nil {
				panic(path)
			}
			if last {
				node[n] = v
			}
			at = node[n]
		default:
			panic(path)
		}
	}
}

var kinds = map[string]schema.GroupVersionResource{
	"Service": {Version: "v1", Resource: "services"}, "Pod": {Version: "v1", Resource: "pods"}, "Endpoints": {Version: "v1", Resource: "endpoints"},
	"Secret": {Version: "v1", Resource: "secrets"}, "ConfigMap": {Version: "v1", Resource: "configmaps"}, "ServiceAccount": {Version: "v1", Resource: "serviceaccounts"},
	"Deployment": {Group: "apps", Version: "v1", Resource: "deployments"}, "StatefulSet": {Group: "apps", Version: "v1", Resource: "statefulsets"},
	"DaemonSet":     {Group: "apps", Version: "v1", Resource: "daemonsets"},
	"EndpointSlice": {Group: "discovery.k8s.io", Version: "v1", Resource: "endpointslices"},
	"NetworkPolicy": {Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies"},
	"Job":           {Group: "batch", Version: "v1", Resource: "jobs"},
}

// place is a namespace that holds an application.
type place struct {
	namespace   string
	applied     manifest
	generations map[string]int64 // "Kind/name": of what was applied last
}

func newPlace(ctx context.Context, namespace string) (*place, error) {
	_, err := client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	return &place{namespace: namespace, generations: map[string]int64{}}, err
}

func (p *place) remove() {
	none, background := int64(0), metav1.DeletePropagationBackground
	_ = client.CoreV1().Namespaces().Delete(context.Background(), p.namespace, metav1.DeleteOptions{GracePeriodSeconds: &none, PropagationPolicy: &background})
}

// apply makes the namespace hold just these objects, by server-side apply: what
// was applied before and is not there any more is taken away.
func (p *place) apply(ctx context.Context, m manifest) error {
	key := func(o *unstructured.Unstructured) string { return o.GetKind() + "/" + o.GetName() }
	before, after := map[string]*unstructured.Unstructured{}, map[string]bool{}
	for _, o := range p.applied {
		before[key(o)] = o
	}
	for _, o := range m {
		after[key(o)] = true
	}
	for _, o := range p.applied {
		if !after[key(o)] {
			if err := p.delete(ctx, o); err != nil {
				return err
			}
		}
	}
	for _, o := range m {
		if old := before[key(o)]; old != nil && reflect.DeepEqual(old.Object, o.Object) {
			continue
		}
		if err := p.applyOne(ctx, o); err != nil {
			return fmt.Errorf("apply %s: %w", key(o), err)
		}
	}
	p.applied = m
	return nil
}

func (p *place) applyOne(ctx context.Context, o *unstructured.Unstructured) error {
	text, err := json.Marshal(o.Object)
	if err != nil {
		return err
	}
	yes := true
	resource := objects.Resource(kinds[o.GetKind()]).Namespace(p.namespace)
	patch := func() error {
		stored, err := resource.Patch(ctx, o.GetName(), types.ApplyPatchType, text, metav1.PatchOptions{FieldManager: "test", Force: &yes})
		if err == nil {
			p.generations[o.GetKind()+"/"+o.GetName()] = stored.GetGeneration()
		}
		return err
	}
	err = patch()
	if apierrors.IsInvalid(err) || apierrors.IsForbidden(err) { // an immutable field: create it again
		if err := p.delete(ctx, o); err != nil {
			return err
		}
		return patch()
	}
	return err
}

// delete takes an object away, and its Pods, and waits until it is gone.
func (p *place) delete(ctx context.Context, o *unstructured.Unstructured) error {
	resource := objects.Resource(kinds[o.GetKind()]).Namespace(p.namespace)
	none, foreground := int64(0), metav1.DeletePropagationForeground
	err := resource.Delete(ctx, o.GetName(), metav1.DeleteOptions{GracePeriodSeconds: &none, PropagationPolicy: &foreground})
	deadline := time.Now().Add(45 * time.Second)
	for err == nil && time.Now().Before(deadline) {
		if _, err = resource.Get(ctx, o.GetName(), metav1.GetOptions{}); err == nil {
			select {
			case <-time.After(20 * time.Millisecond): // asked again, until it is gone
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err == nil:
		return errors.New(o.GetName() + " does not go away")
	}
	return err
}

// services are the names of the Services.
func (m manifest) services() []string {
	var out []string
	for _, o := range m {
		if o.GetKind() == "Service" {
			out = append(out, o.GetName())
		}
	}
	return out
}

// healthy says whether every Service of the manifest is there and has no
// finding of a warning or worse, and every Pod runs.
func (p *place) healthy(s *model.Snapshot) error {
	d := diagnose.New(s)
	for _, name := range p.applied.services() {
		if r := d.Service(p.namespace, name, diagnose.Options{}); !r.Healthy {
			return fmt.Errorf("%s/%s: %s", p.namespace, name, first(r))
		}
	}
	for _, pod := range s.PodsIn(p.namespace) {
		if pod.Phase != "Succeeded" && !pod.Ready() || pod.Terminating() {
			return fmt.Errorf("Pod %s is %s", pod.Key(), pod.Phase)
		}
	}
	for _, o := range p.applied {
		replicas, has, _ := unstructured.NestedNumberAsFloat64(o.Object, "spec", "replicas")
		if !has {
			replicas = 1
		}
		want := int64(replicas)
		var ready int32
		switch o.GetKind() {
		case "Pod":
			if s.Pod(p.namespace, o.GetName()) == nil {
				return fmt.Errorf("Pod %s is not there yet", o.GetName())
			}
			continue
		case "Deployment":
			d := s.Deployment(p.namespace, o.GetName())
			if d == nil || d.Generation < p.generations["Deployment/"+d.Name] || d.Observed < d.Generation || d.Updated != d.Ready {
				return fmt.Errorf("Deployment %s is not there yet", o.GetName())
			}
			ready = d.Ready
		case "StatefulSet", "DaemonSet":
			at := slices.IndexFunc(s.Workloads, func(w *model.Workload) bool {
				return w.Namespace == p.namespace && w.Name == o.GetName() && w.Kind == o.GetKind()
			})
			if at < 0 {
				return fmt.Errorf("%s %s is not there yet", o.GetKind(), o.GetName())
			}
			if s.Workloads[at].Generation < p.generations[o.GetKind()+"/"+o.GetName()] {
				return fmt.Errorf("%s %s is not as it was applied yet", o.GetKind(), o.GetName())
			}
			if ready = s.Workloads[at].Ready; o.GetKind() == "DaemonSet" {
				want = int64(len(s.Nodes))
			}
		default:
			continue
		}
		if int64(ready) != want {
			return fmt.Errorf("%s %s has %d of %d ready", o.GetKind(), o.GetName(), ready, want)
		}
	}
	return nil
}

func first(r diagnose.ServiceReport) string {
	if len(r.Findings) == 0 {
		return "no finding"
	}
	return r.Findings[0].Rule + ": " + r.Findings[0].Headline
}
