package whatif

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"svctour/cluster"
	"svctour/model"
	"svctour/model/endpoints"
	"svctour/test/drive"
)

// start is what a namespace has before the first edit: two Deployments, the Pods
// of one with a readiness gate, a StatefulSet, Pods of nobody's, and Services of
// every kind.
const start = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web, tier: a}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: web, image: "nginx:1.27", ports: [{name: http, containerPort: 80}], readinessProbe: {httpGet: {path: /, port: 80}, periodSeconds: 1}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: api}
spec:
  replicas: 2
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api, tier: b}}
    spec:
      terminationGracePeriodSeconds: 0
      readinessGates: [{conditionType: example.com/in}]
      containers: [{name: api, image: "nginx:1.27", ports: [{name: http, containerPort: 80}]}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 2
  podManagementPolicy: Parallel
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db, tier: a}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: db, image: "nginx:1.27", ports: [{name: http, containerPort: 80}]}]
---
apiVersion: v1
kind: Pod
metadata: {name: lone, labels: {app: lone, tier: b}}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{name: lone, image: "nginx:1.27", ports: [{name: http, containerPort: 80}, {name: admin, containerPort: 81}]}]
---
apiVersion: v1
kind: Pod
metadata: {name: gated, labels: {app: lone, tier: a}}
spec:
  terminationGracePeriodSeconds: 0
  readinessGates: [{conditionType: example.com/in}]
  containers: [{name: lone, image: "nginx:1.27", ports: [{name: http, containerPort: 80}]}]
---
apiVersion: v1
kind: Pod
metadata: {name: client, labels: {role: client}}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{name: client, image: "nicolaka/netshoot", command: [sleep, infinity]}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: http}]}
---
apiVersion: v1
kind: Service
metadata: {name: api}
spec: {type: NodePort, selector: {app: api}, ports: [{name: http, port: 80}, {name: admin, port: 81, targetPort: admin}]}
---
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: None, selector: {app: db}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: lone}
spec: {type: LoadBalancer, selector: {app: lone}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: out}
spec: {type: ExternalName, externalName: www.example.test}
`

// canaryText is a Deployment in a namespace of its own; see barrier.
const canaryText = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: canary}
spec:
  replicas: 1
  selector: {matchLabels: {app: canary}}
  template:
    metadata: {labels: {app: canary}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: canary, image: "registry.k8s.io/pause:3.10"}]
---
apiVersion: v1
kind: Service
metadata: {name: canary}
spec: {selector: {app: canary}, ports: [{port: 80}]}
`

// make makes the namespace and what is in it at the start.
func (w *world) make(t *testing.T) {
	t.Helper()
	for namespace, text := range map[string]string{w.namespace: start, w.canaries(): canaryText} {
		space := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace, Labels: map[string]string{cluster.OwnerLabel: cluster.OwnerName}}}
		if _, err := w.CoreV1().Namespaces().Create(t.Context(), space, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		w.waitAccount(t, namespace)
		if out, err := w.kubectl(t, namespace, text, "apply", "-f", "-"); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	w.canary = 1
	s := w.await(t, "the Pods of the start", func(s *model.Snapshot) error {
		if len(s.PodsIn(w.namespace)) != 10 {
			return fmt.Errorf("%d Pods", len(s.PodsIn(w.namespace)))
		}
		return w.moving(s)
	})
	for _, p := range s.PodsIn(w.namespace) {
		if len(p.ReadinessGates) > 0 {
			if err := w.patch(t, types.StrategicMergePatchType, "pods", p.Name, "status", gate("True")); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.await(t, "the gates of the start", func(s *model.Snapshot) error {
		for _, p := range s.PodsIn(w.namespace) {
			if !p.Ready() {
				return fmt.Errorf("Pod %s is not ready", p.Name)
			}
		}
		return w.lagging(s)
	})
}

// waitAccount waits for what Pods of a new namespace need.
func (w *world) waitAccount(t *testing.T, namespace string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := drive.Until(ctx, func(ctx context.Context) error {
		_, err := w.CoreV1().ServiceAccounts(namespace).Get(ctx, "default", metav1.GetOptions{})
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func (w *world) canaries() string { return w.namespace + "-canary" }

// gate is a patch of a Pod's status.
func gate(status string) string {
	return fmt.Sprintf(`{"status":{"conditions":[{"type":"example.com/in","status":%q}]}}`, status)
}

// kubectl runs the binary's own.
func (w *world) kubectl(t *testing.T, namespace, stdin string, args ...string) (string, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "stdin.yaml")
	if err := os.WriteFile(file, []byte(stdin), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range args {
		if args[i] == "-" {
			args[i] = file
		}
	}
	out, code, err := w.Lab.Run(t.Context(), append([]string{"kubectl", "--kubeconfig", w.Kubeconfig, "-n", namespace}, args...)...)
	if err == nil && code != 0 {
		err = errors.New(out)
	}
	return out, err
}

// patch patches an object on the server.
func (w *world) patch(t *testing.T, how types.PatchType, resource, name, subresource, data string) error {
	t.Helper()
	client := w.client(resource)
	r := client.Patch(how).Namespace(w.namespace).Resource(resource).Name(name).Body([]byte(data))
	if subresource != "" {
		r = r.SubResource(subresource)
	}
	return r.Do(t.Context()).Error()
}

func (w *world) client(resource string) rest.Interface {
	switch resource {
	case "deployments", "statefulsets", "replicasets":
		return w.AppsV1().RESTClient()
	case "networkpolicies":
		return w.NetworkingV1().RESTClient()
	}
	return w.CoreV1().RESTClient()
}

// apply makes an edit on the server.
func (w *world) apply(t *testing.T, e drawn) error {
	t.Helper()
	switch {
	case e.Manifest != "":
		_, err := w.kubectl(t, w.namespace, e.Manifest, "apply", "-f", "-")
		return err
	case e.Patch != nil:
		how := map[string]types.PatchType{"": types.StrategicMergePatchType, "merge": types.MergePatchType, "json": types.JSONPatchType}[e.Patch.Type]
		return w.patch(t, how, resourceOf(e.Patch.Object.Kind), e.Patch.Object.Name, e.Patch.Subresource, e.Patch.Data)
	}
	resource, background := resourceOf(e.Delete.Kind), metav1.DeletePropagationBackground
	return w.client(resource).Delete().Namespace(w.namespace).Resource(resource).Name(e.Delete.Name).
		Body(&metav1.DeleteOptions{PropagationPolicy: &background}).Do(t.Context()).Error()
}

func resourceOf(kind string) string {
	if kind == "NetworkPolicy" {
		return "networkpolicies"
	}
	return strings.ToLower(kind) + "s"
}

// barrier makes the controllers answer another edit, in a namespace of its own,
// so that they have heard of the one before: they work off what they hear of in
// its order, and the canary's way is the longest, through the Deployment, its
// ReplicaSet, a kubelet and the EndpointSlices.
func (w *world) barrier(t *testing.T) {
	t.Helper()
	w.canary = 3 - w.canary
	data := fmt.Sprintf(`{"spec":{"replicas":%d}}`, w.canary)
	if err := w.AppsV1().RESTClient().Patch(types.MergePatchType).Namespace(w.canaries()).Resource("deployments").Name("canary").Body([]byte(data)).Do(t.Context()).Error(); err != nil {
		t.Fatal(err)
	}
	w.await(t, "the canary", func(s *model.Snapshot) error {
		n := 0
		for _, slice := range s.ServiceSlices(w.canaries(), "canary") {
			for i := range slice.Endpoints {
				if slice.Endpoints[i].IsReady() {
					n++
				}
			}
		}
		if n != w.canary || len(s.PodsIn(w.canaries())) != w.canary {
			return fmt.Errorf("%d endpoints and %d Pods, want %d", n, len(s.PodsIn(w.canaries())), w.canary)
		}
		return nil
	})
}

// rest complains while something of the namespace is still on its way.
func (w *world) rest(s *model.Snapshot) error {
	if err := w.moving(s); err != nil {
		return err
	}
	for _, p := range s.PodsIn(w.namespace) { // a gate apart, Pods get ready
		if len(p.ReadinessGates) == 0 && !p.Ready() {
			return fmt.Errorf("Pod %s is not ready", p.Name)
		}
	}
	return w.lagging(s)
}

// lagging complains while what controllers write is not what it will be: the
// counts of ReplicaSets and Deployments, and EndpointSlices.
func (w *world) lagging(s *model.Snapshot) error {
	ready := map[string]int32{} // by owner
	for _, p := range s.PodsIn(w.namespace) {
		for _, o := range p.Owners {
			if p.Ready() {
				ready[o.UID]++
			}
		}
	}
	for _, rs := range s.ReplicaSets {
		if rs.Namespace != w.namespace {
			continue
		}
		if rs.Ready != ready[rs.UID] {
			return fmt.Errorf("ReplicaSet %s counts %d ready Pods of %d", rs.Name, rs.Ready, ready[rs.UID])
		}
		for _, o := range rs.Owners {
			ready[o.UID] += rs.Ready
		}
	}
	for _, d := range s.Deployments {
		if d.Namespace == w.namespace && (d.Ready != ready[d.UID] || d.Available != d.Ready) {
			return fmt.Errorf("Deployment %s counts %d ready and %d available Pods of %d", d.Name, d.Ready, d.Available, ready[d.UID])
		}
	}
	for _, svc := range s.Services {
		if svc.Namespace != w.namespace || !endpoints.Selecting(svc) {
			continue
		}
		if is, want := listed(s, svc), members(s, svc); !slices.Equal(is, want) {
			return fmt.Errorf("the endpoints of Service %s are %v, and will be %v", svc.Name, is, want)
		}
		if is, want := legacy(s, svc); !slices.Equal(is, want) {
			return fmt.Errorf("the v1 Endpoints of Service %s are %v, and will be %v", svc.Name, is, want)
		}
	}
	return nil
}

// legacy are the ready addresses that a Service's v1 Endpoints have, and those
// that they will have.
func legacy(s *model.Snapshot, svc *model.Service) (is, want []string) {
	if old := s.LegacyEndpoints(svc.Namespace, svc.Name); old != nil {
		for _, subset := range old.Subsets {
			is = append(is, subset.Ready...)
		}
	}
	for _, slice := range s.ServiceSlices(svc.Namespace, svc.Name) {
		for i := range slice.Endpoints {
			if slice.Endpoints[i].IsReady() && len(slice.Ports) > 0 {
				want = append(want, slice.Endpoints[i].Addresses...)
			}
		}
	}
	slices.Sort(is)
	slices.Sort(want)
	return slices.Compact(is), slices.Compact(want)
}

// members are the endpoints that a Service will have.
func members(s *model.Snapshot, svc *model.Service) []string {
	var out []string
	for _, row := range endpoints.MembershipOf(s, svc).Rows {
		if row.In {
			out = append(out, fmt.Sprint(row.Addresses, row.Target, row.Ready))
		}
	}
	slices.Sort(out)
	return out
}

// listed are those that its EndpointSlices have.
func listed(s *model.Snapshot, svc *model.Service) []string {
	var out []string
	for _, slice := range s.ServiceSlices(svc.Namespace, svc.Name) {
		for i := range slice.Endpoints {
			for _, p := range slice.Ports {
				out = append(out, fmt.Sprint(slice.Endpoints[i].Addresses, *p.Port, slice.Endpoints[i].IsReady()))
			}
		}
	}
	slices.Sort(out)
	return out
}

// moving complains while Pods come or go.
func (w *world) moving(s *model.Snapshot) error {
	pods := map[string]int{} // by owner
	for _, p := range s.PodsIn(w.namespace) {
		switch {
		case p.Terminating():
			return fmt.Errorf("Pod %s is terminating", p.Name)
		case p.Phase != "Running" || p.IP() == "":
			return fmt.Errorf("Pod %s is %s", p.Name, p.Status())
		}
		for _, o := range p.Owners {
			pods[o.UID]++
		}
	}
	desired := map[string]int32{}
	for _, rs := range s.ReplicaSets {
		if rs.Namespace != w.namespace {
			continue
		}
		if rs.Current != rs.Replicas || pods[rs.UID] != int(rs.Replicas) {
			return fmt.Errorf("ReplicaSet %s has %d of %d Pods", rs.Name, pods[rs.UID], rs.Replicas)
		}
		for _, o := range rs.Owners {
			desired[o.UID] += rs.Replicas
		}
	}
	for _, d := range s.Deployments {
		if d.Namespace == w.namespace && (d.Observed != d.Generation || desired[d.UID] != d.Replicas || d.Updated != d.Replicas) {
			return fmt.Errorf("Deployment %s is rolling out", d.Name)
		}
	}
	for _, o := range s.Workloads {
		if o.Namespace == w.namespace && pods[o.UID] != int(o.Replicas) {
			return fmt.Errorf("%s %s has %d of %d Pods", o.Kind, o.Name, pods[o.UID], o.Replicas)
		}
	}
	return nil
}

// restarted complains while a Pod is still there that the edit replaces by one
// of the same name.
func (w *world) restarted(planned *model.Planned, after *model.Snapshot) error {
	for _, p := range planned.Before.PodsIn(w.namespace) {
		if now := after.Pod(p.Namespace, p.Name); planned.Marks[p.UID] == model.Removed && now != nil && now.UID == p.UID && !anonymous(planned, p) {
			return fmt.Errorf("Pod %s is still there", p.Name)
		}
	}
	return nil
}
