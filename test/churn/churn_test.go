// Package churn keeps a lab busy and looks for what grows: goroutines, memory,
// and requests that fail where they would not on any cluster.
package churn

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"

	appsv1 "k8s.io/api/apps/v1"

	"svctour/lab"
	"svctour/lab/child"
)

var duration = flag.Duration("churn", 20*time.Second, "how long Pods are killed and Services changed")

// workload is three Services over Pods that end as a production Pod should:
// they go on serving until every node has heard that they leave.
const workload = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 6
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: nginx
        readinessProbe: {httpGet: {path: /, port: 80}, periodSeconds: 1}
        lifecycle: {preStop: {sleep: {seconds: 3}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: client}
spec:
  replicas: 2
  selector: {matchLabels: {app: client}}
  template:
    metadata: {labels: {app: client}}
    spec:
      containers:
      - name: client
        image: curlimages/curl
        command: [sh, -c, "while true; do curl -s -m 5 -o /dev/null -w '%{http_code} %{errormsg}\\n' http://web; sleep 0.02; done"]
`

const service = `
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80}]}
`

func TestChurn(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	client, ended := startLab(t, ctx)
	apply(t, client)
	settle(t, client, 6)

	before := usage()
	began, changes := time.Now(), 0
	for time.Since(began) < *duration {
		change(t, client, changes)
		changes++
		wait(t, 400*time.Millisecond) // the pace of the churn, not a wait for anything
	}
	settle(t, client, 6)
	requests, failures := outcomes(t, client)
	after := usage()
	t.Logf("%d changes, %d requests, %d failed; %s before, %s after", changes, requests, len(failures), before, after)
	if requests == 0 {
		t.Error("no request was made")
	}
	for i, failure := range failures {
		if i == 5 {
			break
		}
		t.Errorf("a request failed: %s", failure)
	}
	eventually(t, func() error {
		if now := usage(); now.ours > before.ours+before.ours/10+10 {
			return fmt.Errorf("goroutines of the lab's Pods grew: %s, then %s", before, now)
		} else if now.held > before.held+before.held/4+8<<20 {
			return fmt.Errorf("what Pods hold grew: %s, then %s", before, now)
		}
		return nil
	})
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	eventually(t, func() error {
		if left := stacks(); left > 0 {
			return fmt.Errorf("%d goroutines of the lab's network and programs are left", left)
		}
		return nil
	})
}

// change does one of the things that happen to a cluster.
func change(t *testing.T, client kubernetes.Interface, n int) {
	t.Helper()
	ctx := t.Context()
	switch {
	case n%10 == 3:
		scale(t, client, 8)
	case n%10 == 8:
		scale(t, client, 6)
	case n%5 == 2:
		port := 8000 + rand.IntN(1000)
		patch := fmt.Appendf(nil, `{"spec":{"ports":[{"name":"http","port":80,"targetPort":80},{"name":"extra","port":%d,"targetPort":80}]}}`, port)
		if _, err := client.CoreV1().Services("default").Patch(ctx, "web", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	default:
		pods, err := client.CoreV1().Pods("default").List(ctx, metav1.ListOptions{LabelSelector: "app=web"})
		if err != nil {
			t.Fatal(err)
		}
		ready := 0
		for i := range pods.Items {
			if isReady(&pods.Items[i]) {
				ready++
			}
		}
		if ready < 3 { // a Service keeps its last Pods
			return
		}
		victim := pods.Items[rand.IntN(len(pods.Items))]
		_ = client.CoreV1().Pods("default").Delete(ctx, victim.Name, metav1.DeleteOptions{}) // it may be gone
	}
}

func scale(t *testing.T, client kubernetes.Interface, n int) {
	t.Helper()
	patch := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, n)
	if _, err := client.AppsV1().Deployments("default").Patch(t.Context(), "web", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
}

func isReady(p *corev1.Pod) bool {
	for _, condition := range p.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue && p.DeletionTimestamp == nil
		}
	}
	return false
}

// outcomes counts what the clients have logged.
func outcomes(t *testing.T, client kubernetes.Interface) (requests int, failures []string) {
	t.Helper()
	pods, err := client.CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{LabelSelector: "app=client"})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pods.Items {
		log, err := client.CoreV1().Pods("default").GetLogs(p.Name, &corev1.PodLogOptions{}).DoRaw(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(log)) {
			requests++
			if !strings.HasPrefix(line, "200") {
				failures = append(failures, p.Name+": "+strings.TrimSpace(line))
			}
		}
	}
	return requests, failures
}

// used is what the process holds.
type used struct {
	ours int    // goroutines of Pods' networks and programs
	all  int    // goroutines
	held int64  // bytes that kubelets, Pods' networks and programs allocated
	heap uint64 // bytes; the API server's history, events of an hour included, grows by design
}

func (u used) String() string {
	return fmt.Sprintf("%d goroutines, %d of them of Pods, heap %d MB, %d of them of Pods", u.all, u.ours, u.heap>>20, u.held>>20)
}

func usage() used {
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return used{ours: stacks(), all: runtime.NumGoroutine(), heap: memory.HeapAlloc, held: held()}
}

// held is what is in use of what the lab's own packages and the stacks have
// allocated, as the sampled heap profile knows it.
func held() int64 {
	records := make([]runtime.MemProfileRecord, 1<<16)
	n, _ := runtime.MemProfile(records, false)
	total := int64(0)
	for i := range records[:min(n, len(records))] {
		frames := runtime.CallersFrames(records[i].Stack())
		for {
			frame, more := frames.Next()
			if ofPods(frame.Function) {
				total += records[i].InUseBytes()
				break
			}
			if !more {
				break
			}
		}
	}
	return total
}

// ofPods says whether a function or a stack belongs to what runs for Pods.
func ofPods(text string) bool {
	for _, part := range []string{"svctour/lab/child/network", "svctour/lab/child/process", "svctour/lab/child/program", "svctour/lab/child/node", "gvisor.dev/"} {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

// stacks counts the goroutines that belong to Pods.
func stacks() int {
	var dump bytes.Buffer
	_ = pprof.Lookup("goroutine").WriteTo(&dump, 2) // memory refuses nothing
	count := 0
	for _, stack := range strings.Split(dump.String(), "\n\n") {
		if ofPods(stack) {
			count++
		}
	}
	return count
}

func startLab(t *testing.T, ctx context.Context) (kubernetes.Interface, <-chan error) {
	t.Helper()
	dir, ready, ended := t.TempDir(), make(chan lab.Status, 1), make(chan error, 1)
	go func() {
		ended <- child.Run(ctx, lab.Options{Dir: dir}, func(s lab.Status) { ready <- s })
	}()
	select {
	case <-ready:
	case err := <-ended:
		log, _ := os.ReadFile(filepath.Join(dir, "lab.log"))
		t.Fatalf("the lab ended: %v\n%s", err, log)
	}
	config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(dir, "kubeconfig"))
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client, ended
}

func apply(t *testing.T, client kubernetes.Interface) {
	t.Helper()
	var web corev1.Service
	if err := yaml.UnmarshalStrict([]byte(service), &web); err != nil {
		t.Fatal(err)
	}
	if _, err := client.CoreV1().Services("default").Create(t.Context(), &web, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"web", "client"} { // clients start once there is something to ask
		decoder := utilyaml.NewYAMLOrJSONDecoder(strings.NewReader(workload), 4096)
		for {
			var deployment appsv1.Deployment
			if err := decoder.Decode(&deployment); err != nil {
				break
			}
			if deployment.Name != name {
				continue
			}
			if _, err := client.AppsV1().Deployments("default").Create(t.Context(), &deployment, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		if name == "web" {
			settle(t, client, 6)
			dnsServes(t, client)
		}
	}
}

// dnsServes waits for CoreDNS and for kube-proxy's rules of it.
func dnsServes(t *testing.T, client kubernetes.Interface) {
	t.Helper()
	eventually(t, func() error {
		d, err := client.AppsV1().Deployments("kube-system").Get(t.Context(), "coredns", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if d.Status.ReadyReplicas != *d.Spec.Replicas {
			return fmt.Errorf("%d CoreDNS are ready", d.Status.ReadyReplicas)
		}
		return nil
	})
	wait(t, 1500*time.Millisecond) // kube-proxy syncs at most once a second
}

// settle waits until the web Pods are n, ready, and none is ending.
func settle(t *testing.T, client kubernetes.Interface, n int) {
	t.Helper()
	if n > 0 {
		scale(t, client, n)
	}
	eventually(t, func() error {
		pods, err := client.CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{LabelSelector: "app=web"})
		if err != nil {
			return err
		}
		ready := 0
		for i := range pods.Items {
			if isReady(&pods.Items[i]) {
				ready++
			}
		}
		if ready != n || len(pods.Items) != n {
			return fmt.Errorf("%d of %d Pods are ready, want %d", ready, len(pods.Items), n)
		}
		return nil
	})
}

func eventually(t *testing.T, check func() error) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		wait(t, 100*time.Millisecond)
	}
}

func wait(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
		t.Fatal("the test is over")
	}
}
