package bench

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// BenchmarkFirstAnswer is the time from starting the lab's process until a Pod
// has an HTTP answer through a Service that it asked for by name: control
// plane, nodes, kube-proxy's rules and CoreDNS included.
func BenchmarkFirstAnswer(b *testing.B) {
	var slowest time.Duration
	var resident int64
	for b.Loop() {
		began := time.Now()
		process := startLab(b)
		config, err := clientcmd.BuildConfigFromFlags("", process.Status().Kubeconfig)
		if err != nil {
			b.Fatal(err)
		}
		client, err := kubernetes.NewForConfig(config)
		if err != nil {
			b.Fatal(err)
		}
		firstAnswer(b, client)
		slowest = max(slowest, time.Since(began))
		resident = max(resident, process.Status().ResidentBytes)
		b.StopTimer()
		if err := process.Stop(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(slowest.Seconds(), "slowest-s")
	b.ReportMetric(float64(resident)/1e6, "resident-MB")
}

func firstAnswer(b *testing.B, client kubernetes.Interface) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	labels := map[string]string{"app": "web"}
	ask := "until curl -sf -o /dev/null -m 1 http://web; do sleep 0.02; done"
	for name, container := range map[string]corev1.Container{
		"web":    {Name: "web", Image: "nginx"},
		"client": {Name: "client", Image: "curlimages/curl", Command: []string{"sh", "-c", ask}},
	} {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PodSpec{Containers: []corev1.Container{container}, RestartPolicy: corev1.RestartPolicyNever}}
		if name == "web" {
			pod.Labels = labels
		}
		if _, err := client.CoreV1().Pods("default").Create(ctx, pod, metav1.CreateOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: corev1.ServiceSpec{Selector: labels, Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(80)}}}}
	if _, err := client.CoreV1().Services("default").Create(ctx, service, metav1.CreateOptions{}); err != nil {
		b.Fatal(err)
	}
	watch, err := client.CoreV1().Pods("default").Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=client"})
	if err != nil {
		b.Fatal(err)
	}
	defer watch.Stop()
	for event := range watch.ResultChan() {
		if p, is := event.Object.(*corev1.Pod); is && p.Status.Phase == corev1.PodSucceeded {
			return
		}
	}
	b.Fatal("no answer within a minute")
}
