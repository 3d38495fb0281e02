// Package behaviour runs situations that Services get into on a cluster, and
// compares what clients see with what they must see. The situations are data,
// in testdata; each names the source of its expectation.
//
// It starts a lab, or uses the cluster of the kubeconfig that
// SVCTOUR_BEHAVIOUR_KUBECONFIG names. The script compare does both and prints
// where they differ.
package behaviour

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	corev1 "k8s.io/api/core/v1"

	"svctour/test/drive"
)

// The environment of these tests.
const (
	kubeconfigEnv = "SVCTOUR_BEHAVIOUR_KUBECONFIG" // a cluster other than a lab
	resultsEnv    = "SVCTOUR_BEHAVIOUR_RESULTS"    // a file for the results
)

// expendable is the annotation of kube-system by which a cluster other than a
// lab allows to be disturbed.
const expendable = "svctour/expendable"

// atOnce is how many scenarios run side by side.
const atOnce = 8

func TestBehaviour(t *testing.T) {
	if testing.Short() {
		t.Skip("behaviour is tested on a whole cluster")
	}
	cluster := open(t)
	nodes, err := cluster.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil || len(nodes.Items) < 2 {
		t.Fatalf("behaviour is tested on two nodes or more: %d, %v", len(nodes.Items), err)
	}
	slices.SortFunc(nodes.Items, func(a, b corev1.Node) int { return strings.Compare(a.Name, b.Name) })
	common := &shared{space: space(t, cluster, "nodes"), made: map[string]bool{}}
	results := &results{}
	enough := make(chan struct{}, atOnce)
	all := scenarios(t)
	play := func(t *testing.T, s scenario) {
		if cluster.Lab == nil && !s.comparable() {
			t.Skipf("for a lab only: %s", s.Why)
		}
		w := &world{Cluster: cluster, shared: common, nodes: nodes.Items, notReady: map[string]bool{}}
		w.namespace = space(t, cluster, s.Name)
		w.play(t, s, results)
	}
	t.Run("together", func(t *testing.T) {
		for _, s := range all {
			if s.Alone {
				continue
			}
			t.Run(s.Name, func(t *testing.T) {
				t.Parallel()
				enough <- struct{}{}
				defer func() { <-enough }()
				play(t, s)
			})
		}
	})
	for _, s := range all {
		if s.Alone {
			t.Run(s.Name, func(t *testing.T) { play(t, s) })
		}
	}
	results.write(t, cluster)
	if cluster.Lab != nil {
		common.ends.enough(t)
	}
}

// open gives the cluster to test.
func open(t *testing.T) *drive.Cluster {
	t.Helper()
	if file := os.Getenv(kubeconfigEnv); file != "" {
		cluster, err := drive.Connect(file)
		if err != nil {
			t.Fatal(err)
		}
		system, err := cluster.CoreV1().Namespaces().Get(t.Context(), metav1.NamespaceSystem, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if system.Annotations[expendable] != "true" {
			t.Fatalf("these tests stop kube-proxy and CoreDNS for a while: annotate namespace %s with %s=true if that is all right", system.Name, expendable)
		}
		return cluster
	}
	cluster, err := drive.Up(t.Context(), "--nodes=2")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Lab.Down(); err != nil {
			t.Error(err)
		}
	})
	return cluster
}

// space makes a namespace that goes with the test.
func space(t *testing.T, cluster *drive.Cluster, name string) string {
	t.Helper()
	name = fmt.Sprintf("b-%s-%04x", name, rand.IntN(1<<16))
	object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if _, err := cluster.CoreV1().Namespaces().Create(t.Context(), object, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, now := context.Background(), int64(0)
		_ = cluster.CoreV1().Pods(name).DeleteCollection(ctx, metav1.DeleteOptions{GracePeriodSeconds: &now}, metav1.ListOptions{})
		if err := cluster.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	return name
}

// play runs a scenario.
func (w *world) play(t *testing.T, s scenario, results *results) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	within := func(what string, do func(context.Context) error) {
		t.Helper()
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		if err := do(ctx); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	within("apply", func(ctx context.Context) error { return w.prepare(ctx, s) })
	settled := false
	for i, step := range s.Steps {
		name := fmt.Sprintf("step %d", i+1)
		if !step.asks() {
			within(name, func(ctx context.Context) error { return w.act(ctx, t, step) })
			settled = step.Unsettle
			continue
		}
		if !settled {
			within(name, func(ctx context.Context) error { return w.settle(ctx, w.askers(s.Steps[i:])...) })
			settled = true
		}
		got, asked := "", time.Now()
		for got = w.ask(ctx, step); got != step.Want && time.Since(asked) < patience/3; got = w.ask(ctx, step) {
			within(name, func(ctx context.Context) error { return ctx.Err() })
		}
		results.add(s, i, step, got)
		if w.predictable(s, step) && got == step.Want {
			w.compare(ctx, t, step, got)
		}
		if got != step.Want {
			t.Errorf("step %d: %s\n  gives %q\n  want  %q\n  for   %s", i+1, step.request(), got, step.Want, s.Source)
		}
	}
}

// askers are the Pods in whose nodes' rules the next requests are looked up.
func (w *world) askers(steps []step) []string {
	var out []string
	for _, s := range steps {
		if !s.asks() {
			break
		}
		if s.From != "" && s.From != "outside" && !slices.Contains(out, s.From) {
			out = append(out, s.From)
		}
	}
	return out
}

// prepare creates what a scenario starts with.
func (w *world) prepare(ctx context.Context, s scenario) error {
	for _, pod := range s.Pods {
		w.notReady[pod.Name] = pod.NotReady
		if err := w.create(ctx, w.manifest(pod)); err != nil {
			return err
		}
	}
	for _, step := range s.Steps { // all clients at once
		switch step.From {
		case "client", "client2":
			_, _, err := w.client(ctx, step.From)
			if err != nil {
				return err
			}
		}
	}
	return w.apply(ctx, w.namespace, s.Apply)
}

func (w *world) create(ctx context.Context, text string) error {
	objects, err := drive.Decode(text, w.namespace)
	if err != nil {
		return err
	}
	for _, object := range objects {
		if err := w.Create(ctx, object); err != nil {
			return err
		}
	}
	return nil
}

// act does what a step says.
func (w *world) act(ctx context.Context, t *testing.T, s step) error {
	switch {
	case s.Apply != "":
		return w.apply(ctx, w.namespace, s.Apply)
	case s.Delete != "":
		return w.remove(ctx, s.Delete)
	case s.Ready != "" || s.Unready != "":
		w.notReady[s.Ready+s.Unready] = s.Unready != ""
		_, err := w.Exec(ctx, w.namespace, s.Ready+s.Unready, "sh", "-c",
			fmt.Sprintf("touch /tmp/%s; rm -f /tmp/%s", state2(s.Unready != ""), state2(s.Unready == "")))
		return err
	case s.Ingress != nil:
		for service, address := range s.Ingress {
			address, err := w.expand(ctx, address)
			if err != nil {
				return err
			}
			if err := w.patch(ctx, service, address); err != nil {
				return err
			}
		}
		return nil
	case s.CoreDNS != nil:
		before, err := w.scaleDNS(ctx, *s.CoreDNS)
		if !w.dnsScaled {
			w.dnsScaled = true
			t.Cleanup(func() { restore(t, func(ctx context.Context) error { _, err := w.scaleDNS(ctx, before); return err }) })
		}
		return err
	case s.NoProxy != nil:
		t.Cleanup(func() { restore(t, func(ctx context.Context) error { return w.banProxy(ctx, false) }) })
		return w.banProxy(ctx, *s.NoProxy)
	}
	return fmt.Errorf("the step does nothing")
}

func state2(unready bool) string {
	if unready {
		return "unready"
	}
	return "ready"
}

func restore(t *testing.T, do func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := do(ctx); err != nil {
		t.Error(err)
	}
}

// remove deletes KIND/NAME gently and waits for its end; one that lingers is
// only waited for until it is told to end.
func (w *world) remove(ctx context.Context, what string) error {
	kind, name, _ := strings.Cut(what, "/")
	version := map[string]string{"EndpointSlice": "discovery.k8s.io/v1", "NetworkPolicy": "networking.k8s.io/v1"}[kind]
	if version == "" {
		version = "v1"
	}
	objects, err := drive.Decode(fmt.Sprintf("{apiVersion: %s, kind: %s, metadata: {name: %s}}", version, kind, name), w.namespace)
	if err != nil {
		return err
	}
	if err := w.Delete(ctx, objects[0], metav1.DeleteOptions{}); err != nil || kind != "Pod" {
		return err
	}
	return drive.Until(ctx, func(ctx context.Context) error {
		pod, err := w.CoreV1().Pods(w.namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil || *pod.Spec.TerminationGracePeriodSeconds == 60 && pod.DeletionTimestamp != nil {
			return nil
		}
		return fmt.Errorf("Pod %q is still there", name)
	})
}

// scaleDNS scales CoreDNS, waits for it, and says how many there were.
func (w *world) scaleDNS(ctx context.Context, n int32) (before int32, err error) {
	if before, err = drive.Scale(ctx, w, "kube-system", "coredns", n); err != nil {
		return before, err
	}
	return before, drive.Until(ctx, func(ctx context.Context) error {
		pods, err := w.CoreV1().Pods("kube-system").List(ctx, metav1.ListOptions{LabelSelector: "k8s-app=kube-dns"})
		if err != nil {
			return err
		}
		ready := int32(0)
		for i := range pods.Items {
			if drive.Ready(&pods.Items[i]) {
				ready++
			}
		}
		if len(pods.Items) != int(n) || ready != n {
			return fmt.Errorf("%d CoreDNS Pods, %d ready, want %d", len(pods.Items), ready, n)
		}
		return nil
	})
}

// banProxy keeps kube-proxy off node 1, or lets it run everywhere.
func (w *world) banProxy(ctx context.Context, banned bool) error {
	affinity := "null"
	if banned {
		affinity = fmt.Sprintf(`{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchFields":[{"key":"metadata.name","operator":"NotIn","values":[%q]}]}]}}}`, w.nodes[0].Name)
	}
	body := []byte(`{"spec":{"template":{"spec":{"affinity":` + affinity + `}}}}`)
	if _, err := w.AppsV1().DaemonSets("kube-system").Patch(ctx, "kube-proxy", types.MergePatchType, body, metav1.PatchOptions{}); err != nil {
		return err
	}
	return drive.Until(ctx, func(ctx context.Context) error {
		set, err := w.AppsV1().DaemonSets("kube-system").Get(ctx, "kube-proxy", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if status := set.Status; status.ObservedGeneration != set.Generation || status.UpdatedNumberScheduled != status.DesiredNumberScheduled || status.NumberReady != status.DesiredNumberScheduled {
			return fmt.Errorf("kube-proxy's DaemonSet is not rolled out: %+v", status)
		}
		running, err := w.proxies(ctx)
		if err != nil {
			return err
		}
		if _, there := running[w.nodes[0].Name]; there == banned {
			return fmt.Errorf("kube-proxy runs on %v", running)
		}
		return nil
	})
}

// results are what was seen, in an order that does not depend on the run.
type results struct {
	mu   sync.Mutex
	rows []string
}

func (r *results) add(s scenario, i int, step step, got string) {
	kind := ""
	if !s.comparable() {
		kind = " (lab only)"
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rows = append(r.rows, fmt.Sprintf("%s%s\t%02d\t%s\t%s", s.Name, kind, i+1, step.request(), strings.ReplaceAll(got, "\n", " ")))
}

// write writes the results to the file of resultsEnv.
func (r *results) write(t *testing.T, cluster *drive.Cluster) {
	t.Helper()
	file := os.Getenv(resultsEnv)
	if file == "" {
		return
	}
	version, err := cluster.Discovery().ServerVersion()
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(r.rows)
	text := fmt.Sprintf("# Kubernetes %s, %s\n%s\n", version.GitVersion, time.Now().UTC().Format(time.DateOnly), strings.Join(r.rows, "\n"))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
